/**
 * What resumable uploads are here and what is still to come of them. One may be declared in a moment and sent for days, so
 * what was declared counts, not only what arrived: for each account by number and size, and for the disk as space that is
 * spoken for. Memory only; after a start the folder says the same (`restore`).
 *
 * An upload of which nothing came for an hour holds no space until it goes on, or a declaration alone would keep everybody
 * else out for days.
 */
import type { Clock } from '../../protocol/runtime/clock.js';
import { uploadErrors } from './errors.js';

export interface DeclaredUpload {
  account: string;
  /** Undefined: its sender does not know yet. */
  size: number | undefined;
  arrived: number;
  /** When the last byte came, or it was begun. */
  movedAtMs: number;
}

export interface DeclaredUploadsOptions {
  /** Not finished or not used. A collection is sent file by file and used at the end. */
  perAccountMax: number;
  bytesPerAccountMax: number;
  uploadsMax: number;
}

const SPACE_HELD_MS = 60 * 60 * 1000;

export class DeclaredUploads {
  private readonly uploads = new Map<string, DeclaredUpload>();

  constructor(
    private readonly deps: { clock: Clock },
    private readonly options: DeclaredUploadsOptions,
  ) {}

  /** Errors: `uploads/too-many`, `uploads/too-much`, `uploads/too-many-here`. */
  declare(id: string, account: string, size: number | undefined): void {
    const { perAccountMax, uploadsMax } = this.options;
    const count = this.of(account).length;
    if (count >= perAccountMax) throw uploadErrors('too-many', { max: perAccountMax });
    if (this.uploads.size >= uploadsMax) throw uploadErrors('too-many-here', { max: uploadsMax });
    this.refuseTooMuch(account, size ?? 0);
    this.restore(id, { account, size, arrived: 0, movedAtMs: this.deps.clock.now() });
  }

  /** As it is on disk, whatever it comes to. */
  restore(id: string, upload: DeclaredUpload): void {
    this.uploads.set(id, upload);
  }

  arrived(id: string, bytes: number): void {
    const upload = this.uploads.get(id);
    if (upload === undefined || upload.arrived === bytes) return;
    upload.arrived = bytes;
    upload.movedAtMs = this.deps.clock.now();
  }

  forget(id: string): DeclaredUpload | undefined {
    const upload = this.uploads.get(id);
    this.uploads.delete(id);
    return upload;
  }

  /**
   * How much has to be free for it to go on, besides what it holds already: all that is to come of it when it holds
   * nothing any more, or has its size only now. Error: `uploads/too-much`.
   */
  moreSpaceFor(id: string, size: number | undefined): number {
    const upload = this.uploads.get(id);
    if (upload === undefined) return 0;
    const next = { ...upload, size: upload.size ?? size };
    if (upload.size === undefined) this.refuseTooMuch(upload.account, weight(next) - weight(upload));
    return toCome(next) - (this.holdsSpace(upload) ? toCome(upload) : 0);
  }

  /** From now on it holds space again, for the size that it has now. */
  goesOn(id: string, size: number | undefined): void {
    const upload = this.uploads.get(id);
    if (upload === undefined) return;
    upload.size ??= size;
    upload.movedAtMs = this.deps.clock.now();
  }

  /** Declared, not arrived, and holding space. */
  bytesToCome(): number {
    let sum = 0;
    for (const upload of this.uploads.values()) if (this.holdsSpace(upload)) sum += toCome(upload);
    return sum;
  }

  private holdsSpace({ movedAtMs }: DeclaredUpload): boolean {
    return this.deps.clock.now() - movedAtMs < SPACE_HELD_MS;
  }

  private refuseTooMuch(account: string, more: number): void {
    const { bytesPerAccountMax } = this.options;
    const had = this.of(account).reduce((sum, upload) => sum + weight(upload), 0);
    const bytes = had + more;
    if (bytes > bytesPerAccountMax) throw uploadErrors('too-much', { bytes, max: bytesPerAccountMax });
  }

  private of(account: string): DeclaredUpload[] {
    return [...this.uploads.values()].filter((upload) => upload.account === account);
  }
}

function toCome(upload: DeclaredUpload): number {
  return weight(upload) - upload.arrived;
}

/** What it counts for its account. */
function weight({ size, arrived }: DeclaredUpload): number {
  return Math.max(size ?? 0, arrived);
}
