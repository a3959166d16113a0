/** What the rest of the project knows of blobs: immutable files named by the hash of their manifest. */
import type { Part } from '../runtime/lifecycle.js';

/** CIDv1 in base32: raw codec of the manifest bytes, BLAKE3 (0x1e). */
export type BlobId = string;

export interface BlobRef {
  blob: BlobId;
  /** Bytes. */
  size: number;
}

/** In one piece, or in the pieces in which they came over the network: to be hashed and written without a copy. */
export type Bytes = Uint8Array | readonly Uint8Array[];

export interface Manifest {
  size: number;
  /** 1 MiB, for ever: equal bytes must give equal ids. */
  chunkSize: number;
  /** BLAKE3, 32 bytes each. */
  chunks: Uint8Array[];
}

/** A blob on its way in; survives a restart with the chunks it has. */
export interface PartialBlob {
  readonly id: BlobId;
  readonly manifest: Manifest;
  has(chunk: number): boolean;
  missing(): number[];
  /** Verifies before it writes; a wrong chunk throws `blobs/wrong-bytes` and changes nothing. */
  write(chunk: number, bytes: Bytes): Promise<void>;
  /** All chunks there: fsync, rename, record. Errors: `blobs/incomplete`. */
  finish(): Promise<void>;
  /** Closes the file; what is verified stays for the next try. */
  release(): Promise<void>;
}

export interface DamagedBlob {
  id: BlobId;
  size: number;
  reason: string;
}

export interface BlobStore extends Part {
  has(id: BlobId): boolean;
  size(id: BlobId): number | undefined;
  /** Absolute path of the plain read-only (0444) file. Throws `blobs/not-found`. Never hard-link it into a writable place. */
  path(id: BlobId): string;
  manifest(id: BlobId): Promise<Manifest>;
  /** Streams into the store; fsynced when it resolves. Errors: `blobs/no-space`, `blobs/too-large`. Half-written never shows. */
  put(source: AsyncIterable<Uint8Array>, options?: { sizeMax?: number; signal?: AbortSignal }): Promise<BlobRef>;
  /**
   * Takes a file over (renamed when on the same file system, else copied): it is gone from its place afterwards. The
   * caller must have closed it. Errors: `blobs/not-a-file` (a symbolic link, a folder), `blobs/changed`.
   */
  adopt(file: string): Promise<BlobRef>;
  /** Bytes from `start` up to, not including, `end`. Errors: `blobs/not-found`, `blobs/bad-range`, `blobs/damaged`. */
  read(id: BlobId, range?: { start: number; end: number }): AsyncIterable<Uint8Array>;
  /**
   * Reserves the declared size first. Errors: `blobs/exists` (it is here), `blobs/busy` (it is coming already),
   * `blobs/no-space`, `blobs/bad-manifest`.
   */
  partial(id: BlobId, manifestBytes: Uint8Array): Promise<PartialBlob>;
  /** Moves a damaged blob aside so that it is no longer served; it may be fetched again. */
  quarantine(id: BlobId, reason: string): Promise<void>;
  /** Blobs that were here and are not served: quarantined, or their file is missing. To be fetched again. */
  damaged(): readonly DamagedBlob[];
  /** In order of id. */
  list(): AsyncIterable<BlobRef>;
  /** `freeBytes`: how much more it would take of other nodes' data. */
  usage(): { blobs: number; bytes: number; freeBytes: number };
  onAdded(listener: (ref: BlobRef) => void): () => void;
}
