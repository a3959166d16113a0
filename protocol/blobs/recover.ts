/**
 * What a start finds: leftovers of a crash, files without a record, records without a file.
 *
 * A file without a record was never promised to anyone, but it may be the only copy (a job's output was renamed and
 * the process died before it was recorded), so it is hashed and taken in. What does not match its name is moved aside,
 * never deleted. A record without a file is reported and not served; the record stays.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { blake3 } from '../runtime/blake3.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { CHUNK_BYTES } from '../wire/limits.js';
import type { BlobId } from './blob.js';
import type { BlobIndex } from './blob-index.js';
import { encodeManifest, isBlobId, manifestId } from './manifest.js';
import { Shelf } from './shelf.js';

/** An unfinished fetch that nobody went on with. */
const PARTIAL_AGE_MAX_MS = 7 * 24 * 3_600_000;

export interface RecoverDeps {
  index: BlobIndex;
  shelf: Shelf;
  clock: Clock;
  log: Logger;
}

export async function recover(deps: RecoverDeps, folder: string): Promise<void> {
  for (const name of await readdir(join(folder, 'tmp'))) await rm(join(folder, 'tmp', name), { force: true });
  await dropStalePartials(deps, join(folder, 'partial'));
  await compareWithRecords(deps, folder);
}

async function dropStalePartials(deps: RecoverDeps, folder: string): Promise<void> {
  const names = new Set(await readdir(folder));
  for (const name of names) {
    const file = join(folder, name);
    if (name.endsWith('.chunks')) {
      if (!names.has(name.replace(/\.chunks$/, '.data'))) await rm(file, { force: true });
      continue;
    }
    const { mtimeMs } = await stat(file);
    const isDone = deps.index.has(name.replace(/\.data$/, ''));
    if (!isDone && deps.clock.now() - mtimeMs < PARTIAL_AGE_MAX_MS) continue;
    await rm(file, { force: true });
    await rm(file.replace(/\.data$/, '.chunks'), { force: true });
  }
}

async function compareWithRecords(deps: RecoverDeps, folder: string): Promise<void> {
  const missing = new Set(deps.index.ids());
  for (const fan of Shelf.fans()) {
    for (const name of await readdir(join(folder, fan))) {
      if (missing.delete(name)) continue;
      if (!isBlobId(name) || !name.endsWith(fan)) {
        deps.log.warn({ file: join(fan, name) }, 'a file that is no blob stands among the blobs and was left alone');
        continue;
      }
      await takeInOrMoveAside(deps, name);
    }
  }
  for (const id of missing) {
    deps.index.noteDamage({ id, size: deps.index.size(id) ?? 0, reason: 'its file is missing' });
  }
  if (missing.size > 0) {
    const [example] = missing;
    deps.log.error({ blobs: missing.size, example }, 'files of recorded blobs are missing; they are not served');
  }
}

async function takeInOrMoveAside(deps: RecoverDeps, id: BlobId): Promise<void> {
  const file = deps.shelf.path(id);
  let reason: string;
  try {
    const { size, manifest } = await hashFile(file);
    if (manifestId(manifest) === id) {
      await deps.index.record([{ blob: id, size, manifest }], deps.clock.now());
      deps.log.info({ blob: id, bytes: size }, 'a whole file without a record was taken in');
      return;
    }
    reason = 'its bytes do not match its name';
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  deps.log.error({ blob: id, reason }, 'a file without a record was moved to the quarantine folder');
  await rename(file, deps.shelf.quarantinePath(id));
}

export interface HashedFile {
  size: number;
  manifest: Uint8Array;
}

/** Reads a file once, a chunk at a time. Not through a symbolic link. */
export async function hashFile(path: string): Promise<HashedFile> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await hashHandle(file);
  } finally {
    await file.close();
  }
}

export async function hashHandle(file: FileHandle): Promise<HashedFile> {
  const { size: expected } = await file.stat();
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(1, expected)));
  const hashes = new HashList();
  let size = 0;
  while (true) {
    const length = await readFully(file, buffer, size);
    if (length === 0) break;
    hashes.add(blake3(buffer.subarray(0, length)));
    size += length;
    if (length < CHUNK_BYTES) break;
  }
  return { size, manifest: encodeManifest(size, hashes.bytes()) };
}

/** Fills the buffer unless the file ends first; returns how much was read. */
export async function readFully(file: FileHandle, buffer: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** Hashes one after the other in one growing array: 32 bytes each, where a list of arrays takes four times that. */
export class HashList {
  private buffer = new Uint8Array(32 * 4);
  private length = 0;

  add(hash: Uint8Array): void {
    if (this.length + hash.length > this.buffer.length) {
      const larger = new Uint8Array(this.buffer.length * 2);
      larger.set(this.buffer);
      this.buffer = larger;
    }
    this.buffer.set(hash, this.length);
    this.length += hash.length;
  }

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }
}
