/** A blob store on real files in a folder of its own, reopened at will, with a disk that can be told to fail. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '../../../protocol/blobs/blob.js';
import { openBlobStore } from '../../../protocol/blobs/blob-store.js';
import { type Disk, systemDisk } from '../../../protocol/blobs/disk.js';
import { lengthOf } from '../../../protocol/blobs/manifest.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import type { Logger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { openStore, type Store } from '../../../protocol/runtime/store.js';

export const MiB = 1024 * 1024;

export interface LogLine {
  level: string;
  data: object;
  message: string;
}

export class BlobFixture {
  readonly lines: LogLine[] = [];
  /** Undefined: the real disk's. */
  freeBytes: number | undefined;
  /** Awaited before each write: a slow disk. */
  beforeWrite: (bytes: number) => Promise<void> = async () => {};
  /** Awaited before a folder is synced: a disk that is slow to make things durable. */
  beforeSync: () => Promise<void> = async () => {};
  /** Thrown by the next writes while set. */
  writeError: Error | undefined;
  commitError: Error | undefined;
  capacityBytes: number | null = null;
  private store: Store | undefined;
  private opened: BlobStore | undefined;
  private readonly crashed: BlobStore[] = [];

  private constructor(readonly root: string) {}

  static async create(): Promise<BlobFixture> {
    return new BlobFixture(await mkdtemp(join(tmpdir(), 'galaxy-blobs-')));
  }

  get folder(): string {
    return join(this.root, 'blobs');
  }

  get blobs(): BlobStore {
    if (this.opened === undefined) throw new Error('not open');
    return this.opened;
  }

  async open(): Promise<BlobStore> {
    const store = await openStore(join(this.root, 'store'));
    this.store = store;
    const watched: Pick<Store, 'get' | 'iterate' | 'commit'> = {
      get: (ns, key) => store.get(ns, key),
      iterate: (ns, range) => store.iterate(ns, range),
      commit: (ops) => (this.commitError ? Promise.reject(this.commitError) : store.commit(ops)),
    };
    this.opened = await openBlobStore(
      { store: watched, clock: systemClock, log: this.log(), random: systemRandom, disk: this.disk() },
      { folder: this.folder, minFreeBytes: 1000, capacityBytes: this.capacityBytes },
    );
    return this.opened;
  }

  /** Without stopping the blob store, as a crash does it. */
  async crash(): Promise<void> {
    if (this.opened) this.crashed.push(this.opened);
    await this.store?.close();
    this.store = undefined;
    this.opened = undefined;
  }

  async restart(): Promise<BlobStore> {
    await this.opened?.stop?.();
    await this.crash();
    return this.open();
  }

  async remove(): Promise<void> {
    for (const blobs of this.crashed) await blobs.stop?.();
    await this.opened?.stop?.();
    await this.store?.close();
    await rm(this.root, { recursive: true, force: true });
  }

  private log(): Logger {
    const line = (level: string) => (data: object, message: string) => void this.lines.push({ level, data, message });
    const logger: Logger = {
      debug: line('debug'),
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      child: () => logger,
    };
    return logger;
  }

  private disk(): Disk {
    return {
      freeBytes: (folder) => this.freeBytes ?? systemDisk.freeBytes(folder),
      syncFolder: async (folder) => {
        await this.beforeSync();
        await systemDisk.syncFolder(folder);
      },
      write: async (file, bytes, position) => {
        if (this.writeError) throw this.writeError;
        await this.beforeWrite(lengthOf(bytes));
        await systemDisk.write(file, bytes, position);
        if (this.freeBytes !== undefined) this.freeBytes -= lengthOf(bytes);
      },
    };
  }
}

/** The same bytes for the same seed, all different from chunk to chunk. */
export function someBytes(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let index = 0; index < words.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[index] = state;
  }
  return new Uint8Array(words.buffer).subarray(0, length);
}

export async function* inParts(bytes: Uint8Array, partBytes: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += partBytes) yield bytes.slice(start, start + partBytes);
}

export function put(blobs: BlobStore, bytes: Uint8Array, partBytes = 100_000) {
  return blobs.put(inParts(bytes, partBytes));
}

export async function content(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

export async function manifestOf(blobs: BlobStore, id: string): Promise<Uint8Array> {
  const { manifestToBytes } = await import('../../../protocol/blobs/manifest.js');
  return manifestToBytes(await blobs.manifest(id));
}

export function enospc(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
}
