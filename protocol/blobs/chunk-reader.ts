/**
 * Reads chunks of blobs here for sending, and checks each before it leaves: a disk that rotted is noticed by its owner,
 * not by everyone who asks. Several reads may run at once; the last blob's file stays open, because chunks are asked for
 * in order.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { CHUNK_BYTES } from '../wire/limits.js';
import type { BlobId, BlobStore, Manifest } from './blob.js';
import { errnoOf } from './disk.js';
import { blobErrors } from './errors.js';
import { chunkLength, chunkMatches } from './manifest.js';
import { readFully } from './recover.js';

export type ReadableBlobs = Pick<BlobStore, 'path' | 'manifest' | 'quarantine'>;

interface OpenBlob {
  id: BlobId;
  file: Promise<FileHandle | undefined>;
  reads: number;
  isCurrent: boolean;
}

export class ChunkReader {
  private current: OpenBlob | undefined;

  constructor(private readonly blobs: ReadableBlobs) {}

  /** Errors: `blobs/damaged`, after which the blob is in quarantine; `blobs/not-found`. */
  async read(id: BlobId, manifest: Manifest, chunk: number): Promise<Uint8Array> {
    const blob = this.use(id);
    blob.reads += 1;
    try {
      const length = chunkLength(manifest.size, chunk);
      // Twice: what is read wrongly once (memory, cable) is no reason to condemn a copy that may be the last.
      for (let attempt = 0; attempt < 2; attempt++) {
        const bytes = await readOnce(blob, chunk, length);
        if (bytes !== undefined && chunkMatches(manifest, chunk, bytes)) return bytes;
      }
    } finally {
      blob.reads -= 1;
      if (!blob.isCurrent) await closeUnused(blob);
    }
    const reason = `chunk ${chunk} does not have the bytes of its manifest`;
    await this.blobs.quarantine(id, reason);
    throw blobErrors('damaged', { blob: id, reason });
  }

  /** When no read runs any more. */
  async close(): Promise<void> {
    const last = this.current;
    this.current = undefined;
    if (last !== undefined) await retire(last);
  }

  private use(id: BlobId): OpenBlob {
    if (this.current?.id === id) return this.current;
    const path = this.blobs.path(id);
    // A failure to close is one of reading, which the reads themselves have told.
    if (this.current !== undefined) retire(this.current).catch(() => {});
    const file = open(path, 'r').catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    file.catch(() => {});
    this.current = { id, file, reads: 0, isCurrent: true };
    return this.current;
  }
}

async function readOnce({ file }: OpenBlob, chunk: number, length: number): Promise<Uint8Array | undefined> {
  const handle = await file;
  if (handle === undefined) return undefined;
  const bytes = Buffer.allocUnsafeSlow(length);
  const read = await readFully(handle, bytes, chunk * CHUNK_BYTES);
  return read === length ? bytes : undefined;
}

function retire(blob: OpenBlob): Promise<void> {
  blob.isCurrent = false;
  return closeUnused(blob);
}

async function closeUnused(blob: OpenBlob): Promise<void> {
  if (blob.reads > 0) return;
  const handle = await blob.file.catch(() => undefined);
  blob.file = Promise.resolve(undefined);
  await handle?.close();
}
