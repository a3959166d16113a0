/** Looks at bytes on disk itself, so that nobody's word is taken for where a copy is. */
import { createHash, randomFillSync } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** SHA-256 of every whole blob in a data folder. */
export async function hashesInFolder(dataFolder: string): Promise<Set<string>> {
  const found = new Set<string>();
  const blobs = join(dataFolder, 'blobs');
  for (const entry of await readdir(blobs, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    // What is still on its way in does not count.
    if (/\/(tmp|partial|quarantine)(\/|$)/.test(entry.parentPath.slice(blobs.length))) continue;
    found.add(await sha256OfFile(path));
  }
  return found;
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
