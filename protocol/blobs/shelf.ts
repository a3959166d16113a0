/**
 * Where finished files stand, and the one way onto it: rename, fsync the folder, record. A blob exists once it is
 * recorded. Callers who wait at the same time share the folder syncs and the fsynced record (group commit), which is
 * what makes thousands of small files bearable.
 *
 * A placement that fails is undone: its file is back under the name it came with.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import type { BlobId, BlobRef } from './blob.js';
import type { BlobIndex } from './blob-index.js';
import { asSpaceError, type Disk, errnoOf } from './disk.js';
import { Gate } from './gate.js';

const GROUP_MAX = 512;
const SYNCS_AT_ONCE = 16;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
/** The last letter of an id carries three bits. */
const BASE32_LAST = 'aeimquy4';

export interface Placement extends BlobRef {
  /** A finished, fsynced file on the same file system. */
  file: string;
  manifest: Uint8Array;
}

interface Waiting extends Placement {
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class Shelf {
  private waiting: Waiting[] = [];
  private flushing: Promise<void> | undefined;
  private readonly placing = new Map<BlobId, Promise<void>>();
  private readonly syncs = new Gate(SYNCS_AT_ONCE);
  private readonly listeners = new Set<(ref: BlobRef) => void>();

  constructor(
    private readonly deps: { index: BlobIndex; disk: Disk; clock: Clock; log: Logger },
    private readonly folder: string,
  ) {}

  /** All ids share their beginning, so the folders go by the end: 256 of them. */
  path(id: BlobId): string {
    return join(this.folder, id.slice(-2), id);
  }

  quarantinePath(id: BlobId): string {
    return join(this.folder, 'quarantine', id);
  }

  /** Every folder in which a blob may stand. */
  static fans(): string[] {
    return [...BASE32].flatMap((first) => [...BASE32_LAST].map((last) => first + last));
  }

  async createFolders(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    const there = new Set(await readdir(this.folder));
    const lacking = ['tmp', 'partial', 'quarantine', ...Shelf.fans()].filter((name) => !there.has(name));
    for (const name of lacking) await mkdir(join(this.folder, name), { recursive: true });
    if (lacking.length > 0) await this.deps.disk.syncFolder(this.folder);
  }

  onAdded(listener: (ref: BlobRef) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** False: the blob was there already and the file was left where it is. */
  async place(placement: Placement): Promise<boolean> {
    while (true) {
      if (this.deps.index.has(placement.blob)) return false;
      const other = this.placing.get(placement.blob);
      if (other === undefined) break;
      await other.catch(() => {});
    }
    const placed = new Promise<void>((resolve, reject) => {
      this.waiting.push({ ...placement, resolve, reject });
    });
    this.placing.set(placement.blob, placed);
    this.flushing ??= this.flush().finally(() => {
      this.flushing = undefined;
    });
    try {
      await placed;
      return true;
    } finally {
      this.placing.delete(placement.blob);
    }
  }

  async idle(): Promise<void> {
    await this.flushing;
  }

  private async flush(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, GROUP_MAX);
      const moved = await this.move(group);
      if (moved.length === 0) continue;
      try {
        const folders = new Set(moved.map((waiting) => join(this.folder, waiting.blob.slice(-2))));
        await Promise.all([...folders].map((folder) => this.syncs.run(() => this.deps.disk.syncFolder(folder))));
        const healed = moved.filter((waiting) => this.deps.index.damage(waiting.blob) !== undefined);
        await this.deps.index.record(moved, this.deps.clock.now());
        await this.dropHealed(healed);
      } catch (error) {
        await this.undo(moved, error);
        continue;
      }
      for (const waiting of moved) {
        waiting.resolve();
        this.announce({ blob: waiting.blob, size: waiting.size });
      }
    }
  }

  /** All at once: one after the other they would each wait behind the syncs of files still being written. */
  private async move(group: readonly Waiting[]): Promise<Waiting[]> {
    const moved = await Promise.all(
      group.map(async (waiting) => {
        try {
          await rename(waiting.file, this.path(waiting.blob));
          return waiting;
        } catch (error) {
          waiting.reject(error);
          return undefined;
        }
      }),
    );
    return moved.filter((waiting) => waiting !== undefined);
  }

  /** The damaged copies of blobs that are whole again. */
  private async dropHealed(healed: readonly BlobRef[]): Promise<void> {
    for (const { blob } of healed) {
      await rm(this.quarantinePath(blob), { force: true }).catch((error: unknown) =>
        this.deps.log.warn({ blob, err: error }, 'a damaged file could not be removed'),
      );
    }
  }

  private async undo(moved: readonly Waiting[], error: unknown): Promise<void> {
    for (const waiting of moved) {
      try {
        await rename(this.path(waiting.blob), waiting.file);
      } catch (undoError) {
        // The next start finds the unrecorded file, checks it and takes it in or moves it aside.
        if (errnoOf(undoError) !== 'ENOENT') this.deps.log.warn({ err: undoError }, 'a file could not be put back');
      }
      waiting.reject(asSpaceError(error, waiting.size));
    }
  }

  private announce(ref: BlobRef): void {
    for (const listener of this.listeners) {
      try {
        listener(ref);
      } catch (error) {
        this.deps.log.error({ err: error }, 'a listener for new blobs failed');
      }
    }
  }
}
