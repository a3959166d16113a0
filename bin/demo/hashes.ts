/** Looks at bytes on disk itself, so that nobody's word is taken for where a copy is. */
import { createHash, randomFillSync } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const ASIDE = /\/(tmp|partial|quarantine)(\/|$)/;

export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** SHA-256 of every whole blob in a data folder. */
export async function hashesInFolder(dataFolder: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (const path of await blobFiles(dataFolder)) found.add(await sha256OfFile(path));
  return found;
}

/** Loses a blob, as a broken disk does. */
export async function removeBlob(dataFolder: string, sha256: string): Promise<void> {
  for (const path of await blobFiles(dataFolder))
    if ((await sha256OfFile(path)) === sha256) await rm(path, { force: true });
}

/** What is still on its way in, or was put aside, counts with `unfinished` only. */
export async function blobFiles(dataFolder: string, { unfinished = false } = {}): Promise<string[]> {
  const blobs = join(dataFolder, 'blobs');
  const entries = await readdir(blobs, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && (unfinished || !ASIDE.test(entry.parentPath.slice(blobs.length))))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Random bytes: nothing can deduplicate or compress them away. */
export async function writeRandomFile(file: string, bytes: number): Promise<void> {
  const chunk = Buffer.alloc(1 << 20);
  function* pieces() {
    for (let left = bytes; left > 0; left -= chunk.length) {
      randomFillSync(chunk);
      yield Buffer.from(chunk.subarray(0, Math.min(left, chunk.length)));
    }
  }
  await pipeline(Readable.from(pieces()), createWriteStream(file));
}
