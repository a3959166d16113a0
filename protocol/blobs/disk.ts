/**
 * What the blob store asks of the disk and a test wants to fail on purpose: room, writing, syncing a folder. Everything
 * else goes to node:fs directly.
 */
import { statfsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isDomainError } from '../runtime/errors.js';
import { blobErrors } from './errors.js';

export interface Disk {
  /** Bytes that this process may still write into the file system of `folder`. */
  freeBytes(folder: string): number;
  /** Writes all of `bytes` at `position`. */
  write(file: FileHandle, bytes: Uint8Array, position: number): Promise<void>;
  /** After it a rename inside the folder survives a power cut. */
  syncFolder(folder: string): Promise<void>;
}

export const systemDisk: Disk = {
  freeBytes(folder) {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  },
  async write(file, bytes, position) {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  },
  async syncFolder(folder) {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** A full disk has one name here, whoever noticed it. */
export function asSpaceError(error: unknown, needed: number): unknown {
  const code = errnoOf(error);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || isDomainError(error, 'store/full');
  return isFull ? blobErrors('no-space', { needed }, { cause: error }) : error;
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
