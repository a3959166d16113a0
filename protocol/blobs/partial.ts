/**
 * A blob on its way in. A large one has its data and, beside it, a bitmap of the chunks that are fsynced, so that a
 * fetch goes on after a crash where it was; a blob of one chunk is simply fetched again.
 *
 * The bitmap is overwritten in place: bits only ever go from 0 to 1, after their chunk was synced, so a torn write of
 * it still tells nothing that is not true.
 *
 *   open → finished (on the shelf)
 *   open → released (what is verified stays for the next try)
 */
import { chmod, type FileHandle, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CHUNK_BYTES } from '../wire/limits.js';
import { Bitmap, bitmapBytes } from './bitmap.js';
import type { BlobId, Bytes, Manifest, PartialBlob } from './blob.js';
import { asSpaceError, type Disk } from './disk.js';
import { blobErrors } from './errors.js';
import type { Gate } from './gate.js';
import { chunkLength, chunkMatches, lengthOf } from './manifest.js';
import type { Shelf } from './shelf.js';
import type { Reservation } from './space.js';

/** A crash costs at most this much fetched again; a sync of it takes well under a second. */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;

export interface PartialDeps {
  disk: Disk;
  shelf: Pick<Shelf, 'place'>;
  /** Bounds the small files that are open at the same time. */
  writes: Gate;
  /** Called once, when it is finished or released. */
  closed(): void;
}

export interface PartialPaths {
  data: string;
  /** None for a blob of at most one chunk. */
  bitmap: string | undefined;
}

/** The chunks that an earlier try left behind; none when its files do not fit together. */
export async function readProgress(paths: PartialPaths, manifest: Manifest): Promise<Bitmap> {
  const chunks = manifest.chunks.length;
  const nothing = Bitmap.empty(chunks);
  if (paths.bitmap === undefined) return nothing;
  try {
    const { size } = await stat(paths.data);
    if (size !== manifest.size) return nothing;
    return Bitmap.parse(chunks, await readFile(paths.bitmap)) ?? nothing;
  } catch {
    return nothing;
  }
}

export function presentBytes(bitmap: Bitmap, size: number): number {
  let bytes = bitmap.count * CHUNK_BYTES;
  const last = bitmap.length - 1;
  if (bitmap.has(last)) bytes += chunkLength(size, last) - CHUNK_BYTES;
  return bytes;
}

export class PartialFile implements PartialBlob {
  private state: 'open' | 'finished' | 'released' = 'open';
  private readonly writing = new Map<number, Promise<void>>();
  private data: FileHandle | undefined;
  private bitmapFile: FileHandle | undefined;
  private opening: Promise<FileHandle> | undefined;
  private unsyncedBytes = 0;
  /** A blob of one chunk is written, synced and closed in one go: thousands must not hold a handle each. */
  private isSealed = false;
  private checkpoint: Promise<void> = Promise.resolve();
  /** After a failed fsync nobody knows what is on the disk: only what an earlier checkpoint told counts. */
  private syncError: unknown;
  private ending: Promise<void> | undefined;

  constructor(
    private readonly deps: PartialDeps,
    readonly id: BlobId,
    readonly manifest: Manifest,
    private readonly manifestBytes: Uint8Array,
    private readonly paths: PartialPaths,
    private readonly chunks: Bitmap,
    private readonly reservation: Reservation,
  ) {}

  has(chunk: number): boolean {
    return this.chunks.has(chunk);
  }

  missing(): number[] {
    return [...this.chunks.missing()];
  }

  async write(chunk: number, bytes: Bytes): Promise<void> {
    this.assertOpen();
    if (this.chunks.has(chunk)) return;
    if (!chunkMatches(this.manifest, chunk, bytes)) throw blobErrors('wrong-bytes', { blob: this.id, chunk });
    const same = this.writing.get(chunk);
    if (same !== undefined) return same;
    const written = this.paths.bitmap === undefined ? this.writeWhole(bytes) : this.writeVerified(chunk, bytes);
    const write = written.finally(() => this.writing.delete(chunk));
    this.writing.set(chunk, write);
    return write;
  }

  finish(): Promise<void> {
    this.assertOpen();
    if (!this.chunks.isFull) {
      const missing = this.chunks.length - this.chunks.count;
      return Promise.reject(blobErrors('incomplete', { blob: this.id, missing }));
    }
    this.ending ??= this.finishNow().finally(() => {
      this.ending = undefined;
    });
    return this.ending;
  }

  async release(): Promise<void> {
    if (this.ending !== undefined) await this.ending.catch(() => {});
    if (this.state !== 'open') return;
    this.state = 'released';
    try {
      await Promise.allSettled(this.writing.values());
      await this.checkpoint.catch(() => {});
      const isWorthKeeping = this.unsyncedBytes > 0 && this.paths.bitmap !== undefined && this.syncError === undefined;
      if (isWorthKeeping) await this.sync();
    } finally {
      await this.close();
      if (this.paths.bitmap === undefined) await rm(this.paths.data, { force: true });
      this.reservation.release();
      this.deps.closed();
    }
  }

  private async writeWhole(bytes: Bytes): Promise<void> {
    await this.deps.writes.run(() => this.writeSealed(bytes));
    this.chunks.add(0);
    this.reservation.used(this.manifest.size);
  }

  private async writeSealed(bytes: Bytes): Promise<void> {
    try {
      const file = await open(this.paths.data, 'wx', 0o444);
      try {
        await this.deps.disk.write(file, bytes, 0);
        await file.datasync();
        await file.chmod(0o444); // whatever the umask took away
      } finally {
        await file.close();
      }
      this.isSealed = true;
    } catch (error) {
      await rm(this.paths.data, { force: true }).catch(() => {});
      throw asSpaceError(error, this.manifest.size);
    }
  }

  private async writeVerified(chunk: number, bytes: Bytes): Promise<void> {
    const length = lengthOf(bytes);
    try {
      const file = await this.open();
      await this.deps.disk.write(file, bytes, chunk * CHUNK_BYTES);
    } catch (error) {
      throw asSpaceError(error, length);
    }
    this.chunks.add(chunk);
    this.reservation.used(length);
    this.unsyncedBytes += length;
    if (this.unsyncedBytes < CHECKPOINT_BYTES) return;
    // The one before must have ended: a disk slower than the network slows the network down.
    await this.checkpoint;
    if (this.unsyncedBytes < CHECKPOINT_BYTES) return;
    this.checkpoint = this.sync();
    this.checkpoint.catch(() => {}); // told at the next write, by assertOpen
  }

  /** Data first, then the bits that speak of it. */
  private async sync(): Promise<void> {
    const durable = this.chunks.copy();
    this.unsyncedBytes = 0;
    const data = await this.open();
    try {
      await data.datasync();
      if (this.paths.bitmap === undefined) return;
      if (this.bitmapFile === undefined) {
        this.bitmapFile = await open(this.paths.bitmap, 'r+');
        await this.deps.disk.syncFolder(dirname(this.paths.data));
      }
      await this.deps.disk.write(this.bitmapFile, durable.bytes, 0);
      await this.bitmapFile.datasync();
    } catch (error) {
      this.syncError = asSpaceError(error, this.manifest.size);
      throw this.syncError;
    }
  }

  private async finishNow(): Promise<void> {
    await this.checkpoint;
    try {
      if (!this.isSealed) await this.seal();
      const { id, manifest, manifestBytes } = this;
      const placed = await this.deps.shelf.place({
        blob: id,
        size: manifest.size,
        file: this.paths.data,
        manifest: manifestBytes,
      });
      if (!placed) await rm(this.paths.data, { force: true });
    } catch (error) {
      // It stays open, so that the caller may try again once there is room.
      if (!this.isSealed) await chmod(this.paths.data, 0o600).catch(() => {});
      throw asSpaceError(error, this.manifest.size);
    }
    this.state = 'finished';
    if (this.paths.bitmap !== undefined) await rm(this.paths.bitmap, { force: true });
    this.reservation.release();
    this.deps.closed();
  }

  /** A large one, or an empty one, which nobody writes. */
  private async seal(): Promise<void> {
    if (this.paths.bitmap === undefined) return this.deps.writes.run(() => this.writeSealed([]));
    const file = await this.open();
    if (this.unsyncedBytes > 0) await this.syncData(file);
    await file.chmod(0o444);
    await this.close();
  }

  private async syncData(file: FileHandle): Promise<void> {
    try {
      await file.datasync();
      this.unsyncedBytes = 0;
    } catch (error) {
      this.syncError = error;
      throw error;
    }
  }

  /** Of a large blob, at the first write: an offer of 500 blobs must not take 500 file handles. */
  private open(): Promise<FileHandle> {
    if (this.data !== undefined) return Promise.resolve(this.data);
    this.opening ??= this.openFiles().finally(() => {
      this.opening = undefined;
    });
    return this.opening;
  }

  private async openFiles(): Promise<FileHandle> {
    const isResumed = this.chunks.count > 0;
    const data = await open(this.paths.data, isResumed ? 'r+' : 'w+', 0o600);
    try {
      if (!isResumed && this.paths.bitmap !== undefined) {
        await data.truncate(this.manifest.size);
        const bitmap = await open(this.paths.bitmap, 'w+', 0o600);
        this.bitmapFile = bitmap;
        await this.deps.disk.write(bitmap, new Uint8Array(bitmapBytes(this.chunks.length)), 0);
        await this.deps.disk.syncFolder(dirname(this.paths.data));
      }
      this.data = data;
      return data;
    } catch (error) {
      await data.close();
      throw error;
    }
  }

  private async close(): Promise<void> {
    const files = [this.data, this.bitmapFile];
    this.data = undefined;
    this.bitmapFile = undefined;
    for (const file of files) await file?.close();
  }

  private assertOpen(): void {
    if (this.syncError !== undefined) throw this.syncError;
    if (this.state === 'open') return;
    throw new Error(`the partial blob ${this.id} is ${this.state}`);
  }
}
