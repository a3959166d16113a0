/**
 * A manifest says what a blob's bytes are: size, chunk size, a BLAKE3 hash per chunk. The blob's id is the CID of the
 * manifest's bytes, so there must be exactly one way to write a manifest. Hence a fixed layout and not protobuf, which
 * has several encodings for one message:
 *
 *   "GBM1" · size, 8 bytes big-endian · chunk size, 4 bytes big-endian · 32 bytes per chunk
 *
 * Pure. Hash of hashes rather than one hash of the whole file: each chunk is checked before it is written, in any order.
 */
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { BLAKE3_BYTES, blake3, createBlake3 } from '../runtime/blake3.js';
import { CHUNK_BYTES } from '../wire/limits.js';
import type { BlobId, Bytes, Manifest } from './blob.js';
import { blobErrors } from './errors.js';

/** https://github.com/multiformats/multicodec: raw binary, and BLAKE3 with 32 bytes. */
const RAW_CODEC = 0x55;
const BLAKE3_CODE = 0x1e;

const MAGIC = 0x47424d31;
export const MANIFEST_HEADER_BYTES = 16;
/** 16 TiB: its manifest has 512 MiB. */
export const BLOB_BYTES_MAX = 2 ** 44;

/** 'b', 4 bytes of prefix, 32 bytes of hash: the one before the hash shares 2 bits with it, the last has 2 bits unused. */
const BLOB_ID = /^bafkr4i[a-h][a-z2-7]{50}[aeimquy4]$/;

export function isBlobId(text: string): text is BlobId {
  return BLOB_ID.test(text);
}

export function chunkCount(size: number): number {
  return Math.ceil(size / CHUNK_BYTES);
}

export function chunkLength(size: number, chunk: number): number {
  return Math.min(CHUNK_BYTES, size - chunk * CHUNK_BYTES);
}

export function manifestLength(size: number): number {
  return MANIFEST_HEADER_BYTES + chunkCount(size) * BLAKE3_BYTES;
}

/** `hashes`: those of all chunks, one after the other. */
export function encodeManifest(size: number, hashes: Uint8Array): Uint8Array {
  if (!isBlobSize(size)) throw new RangeError(`a blob cannot have ${size} bytes`);
  if (hashes.length !== chunkCount(size) * BLAKE3_BYTES) throw new RangeError('one hash per chunk');
  const bytes = new Uint8Array(MANIFEST_HEADER_BYTES + hashes.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setBigUint64(4, BigInt(size));
  view.setUint32(12, CHUNK_BYTES);
  bytes.set(hashes, MANIFEST_HEADER_BYTES);
  return bytes;
}

export function manifestToBytes(manifest: Manifest): Uint8Array {
  if (manifest.chunkSize !== CHUNK_BYTES) throw new RangeError(`chunks have ${CHUNK_BYTES} bytes`);
  const hashes = new Uint8Array(manifest.chunks.length * BLAKE3_BYTES);
  manifest.chunks.forEach((hash, index) => {
    if (hash.length !== BLAKE3_BYTES) throw new RangeError('a hash has 32 bytes');
    hashes.set(hash, index * BLAKE3_BYTES);
  });
  return encodeManifest(manifest.size, hashes);
}

export function manifestId(manifestBytes: Uint8Array): BlobId {
  return CID.createV1(RAW_CODEC, createDigest(BLAKE3_CODE, blake3(manifestBytes))).toString();
}

/** Foreign bytes → manifest, or `blobs/bad-manifest`. The hashes are views of `bytes`. */
export function parseManifest(bytes: Uint8Array, id: BlobId = '?'): Manifest {
  const bad = (reason: string) => blobErrors('bad-manifest', { blob: id, reason });
  if (bytes.length < MANIFEST_HEADER_BYTES) throw bad('it is too short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== MAGIC) throw bad('it is of an unknown kind');
  const size = view.getBigUint64(4);
  if (size > BigInt(BLOB_BYTES_MAX)) throw bad('it declares more than 16 TiB');
  const chunkSize = view.getUint32(12);
  if (chunkSize !== CHUNK_BYTES) throw bad(`its chunks have ${chunkSize} bytes`);
  const count = chunkCount(Number(size));
  if (bytes.length !== MANIFEST_HEADER_BYTES + count * BLAKE3_BYTES) throw bad('it does not have one hash per chunk');
  const chunks = Array.from({ length: count }, (_, index) => {
    const start = MANIFEST_HEADER_BYTES + index * BLAKE3_BYTES;
    return bytes.subarray(start, start + BLAKE3_BYTES);
  });
  return { size: Number(size), chunkSize, chunks };
}

/** The manifest, if these are the bytes that `id` names. Errors: `blobs/malformed-id`, `blobs/bad-manifest`. */
export function verifyManifest(id: BlobId, bytes: Uint8Array): Manifest {
  if (!isBlobId(id)) throw blobErrors('malformed-id', { blob: id });
  const manifest = parseManifest(bytes, id);
  if (manifestId(bytes) !== id) throw blobErrors('bad-manifest', { blob: id, reason: 'it is that of another blob' });
  return manifest;
}

/** Whether `bytes` are chunk `chunk` of the blob. */
export function chunkMatches(manifest: Manifest, chunk: number, bytes: Bytes): boolean {
  const expected = manifest.chunks[chunk];
  if (expected === undefined || lengthOf(bytes) !== chunkLength(manifest.size, chunk)) return false;
  return Buffer.compare(hashOf(bytes), expected) === 0;
}

export function lengthOf(bytes: Bytes): number {
  return bytes instanceof Uint8Array ? bytes.length : bytes.reduce((sum, part) => sum + part.length, 0);
}

function hashOf(bytes: Bytes): Uint8Array {
  if (bytes instanceof Uint8Array) return blake3(bytes);
  if (bytes.length === 1) return blake3(bytes[0] as Uint8Array);
  const hash = createBlake3();
  for (const part of bytes) hash.update(part);
  return hash.digest();
}

function isBlobSize(size: number): boolean {
  return Number.isInteger(size) && size >= 0 && size <= BLOB_BYTES_MAX;
}
