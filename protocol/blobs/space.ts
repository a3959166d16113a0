/**
 * Who may still write how much. A reservation counts what was promised and is not on the disk yet, so that two large
 * blobs that each fit alone are not both accepted.
 */
import { blobErrors } from './errors.js';

export interface SpaceOptions {
  /** Left free for the rest of the machine, bytes. */
  minFreeBytes: number;
  /** What this node offers for copies of others, bytes, all blobs counted; null: what the disk has. */
  capacityBytes: number | null;
}

export interface SpaceDeps {
  freeBytes(): number;
  storedBytes(): number;
}

export interface Reservation {
  /** Promises `bytes` more. Errors: `blobs/no-space`. */
  grow(bytes: number): void;
  /** That much of it is on the disk now, where `freeBytes` sees it. */
  used(bytes: number): void;
  /** Gives back what was not used. Idempotent. */
  release(): void;
}

export class Space {
  private reservedBytes = 0;

  constructor(
    private readonly deps: SpaceDeps,
    private readonly options: SpaceOptions,
  ) {}

  /** What may still be written here, bytes. */
  room(): number {
    return Math.max(0, this.deps.freeBytes() - this.options.minFreeBytes - this.reservedBytes);
  }

  /** The same for copies of other nodes, which have a capacity besides. */
  roomForCopies(): number {
    const { capacityBytes } = this.options;
    if (capacityBytes === null) return this.room();
    return Math.max(0, Math.min(this.room(), capacityBytes - this.deps.storedBytes() - this.reservedBytes));
  }

  /** `bytes` may be 0: an upload of unknown size grows as it comes. Errors: `blobs/no-space`. */
  reserve(bytes: number, kind: 'own' | 'copy'): Reservation {
    let held = 0;
    let released = false;
    const grow = (more: number) => {
      if (released) throw new Error('this reservation was given back');
      const room = kind === 'copy' ? this.roomForCopies() : this.room();
      if (more > room) throw blobErrors('no-space', { needed: more });
      held += more;
      this.reservedBytes += more;
    };
    const give = (less: number) => {
      const taken = Math.min(held, less);
      held -= taken;
      this.reservedBytes -= taken;
    };
    grow(bytes);
    return {
      grow,
      used: give,
      release: () => {
        give(held);
        released = true;
      },
    };
  }
}
