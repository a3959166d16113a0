/**
 * Reads chunks of blobs here for sending, and checks each before it leaves: a disk that rotted is noticed by its owner,
 * not by everyone who asks. Keeps the last blob open, because chunks are asked for in order.
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
  manifest: Manifest;
  file: FileHandle | undefined;
}

export class ChunkReader {
  private current: OpenBlob | undefined;

  constructor(private readonly blobs: ReadableBlobs) {}

  /** Errors: `blobs/not-found`. */
  async manifest(id: BlobId): Promise<Manifest> {
    return (await this.use(id)).manifest;
  }

  /** Errors: `blobs/damaged`, after which the blob is in quarantine; `blobs/not-found`. */
  async read(id: BlobId, chunk: number): Promise<Uint8Array> {
    const blob = await this.use(id);
    const length = chunkLength(blob.manifest.size, chunk);
    // Twice: what is read wrongly once (memory, cable) is no reason to condemn a copy that may be the last.
    for (let attempt = 0; attempt < 2; attempt++) {
      const bytes = await this.readOnce(blob, chunk, length);
      if (bytes !== undefined && chunkMatches(blob.manifest, chunk, bytes)) return bytes;
    }
    const reason = `chunk ${chunk} does not have the bytes of its manifest`;
    await this.close();
    await this.blobs.quarantine(id, reason);
    throw blobErrors('damaged', { blob: id, reason });
  }

  async close(): Promise<void> {
    const file = this.current?.file;
    this.current = undefined;
    await file?.close();
  }

  private async use(id: BlobId): Promise<OpenBlob> {
    if (this.current?.id === id) return this.current;
    await this.close();
    this.current = { id, manifest: await this.blobs.manifest(id), file: undefined };
    return this.current;
  }

  private async readOnce(blob: OpenBlob, chunk: number, length: number): Promise<Uint8Array | undefined> {
    try {
      blob.file ??= await open(this.blobs.path(blob.id), 'r');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
    const bytes = new Uint8Array(length);
    const read = await readFully(blob.file, bytes, chunk * CHUNK_BYTES);
    return read === length ? bytes : undefined;
  }
}
