/**
 * What the blob store asks of the disk and a test wants to fail on purpose: room, writing, syncing a folder. Everything
 * else goes to node:fs directly.
 */
import { statfsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isDomainError } from '../runtime/errors.js';
import type { Bytes } from './blob.js';
import { blobErrors } from './errors.js';

export interface Disk {
  /** Bytes that this process may still write into the file system of `folder`. */
  freeBytes(folder: string): number;
  /** Writes all of `bytes` at `position`. */
  write(file: FileHandle, bytes: Bytes, position: number): Promise<void>;
  /** After it a rename inside the folder survives a power cut. */
  syncFolder(folder: string): Promise<void>;
}

export const systemDisk: Disk = {
  freeBytes(folder) {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  },
  async write(file, bytes, position) {
    let parts = (bytes instanceof Uint8Array ? [bytes] : bytes).filter(({ length }) => length > 0);
    let at = position;
    while (parts.length > 0) {
      const [first] = parts as [Uint8Array];
      const { bytesWritten } =
        parts.length === 1
          ? await file.write(first, 0, first.length, at)
          : await file.writev(parts.slice(0, VECTORS_MAX), at);
      at += bytesWritten;
      parts = withoutFirst(parts, bytesWritten);
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

/** What the system takes in one call. */
const VECTORS_MAX = 1024;

function withoutFirst(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes;
  let whole = 0;
  for (; whole < parts.length && (parts[whole] as Uint8Array).length <= left; whole++) {
    left -= (parts[whole] as Uint8Array).length;
  }
  const rest = parts.slice(whole);
  if (left > 0) rest[0] = (rest[0] as Uint8Array).subarray(left);
  return rest;
}

/** A full disk has one name here, whoever noticed it. */
export function asSpaceError(error: unknown, needed: number): unknown {
  const code = errnoOf(error);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || isDomainError(error, 'store/full');
  return isFull ? blobErrors('no-space', { needed }, { cause: error }) : error;
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
