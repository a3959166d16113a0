/** The files that are sent, and the proof that they arrived. */
import { createHash, randomFillSync } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

export interface Material {
  name: 'large' | 'small';
  folder: string;
  files: number;
  bytes: number;
  digest: string;
}

const SMALL_BYTES = 2048;
const MiB = 1024 * 1024;
/** What a program keeps beside the files it received. */
const NOT_CONTENT = new Set(['tmp', 'partial', 'quarantine', '.stfolder', '.stversions']);

/** Random bytes: nothing of them can be compressed or found twice. */
export async function makeLarge(folder: string, mib: number): Promise<Material> {
  await mkdir(folder, { recursive: true });
  const file = await open(join(folder, 'random.bin'), 'w');
  try {
    const block = Buffer.allocUnsafe(MiB);
    for (let written = 0; written < mib; written++) await file.write(randomFillSync(block));
    await file.sync();
  } finally {
    await file.close();
  }
  return { name: 'large', folder, files: 1, bytes: mib * MiB, digest: await digestOf(folder) };
}

export async function makeSmall(folder: string, count: number): Promise<Material> {
  await mkdir(folder, { recursive: true });
  const block = Buffer.allocUnsafe(SMALL_BYTES);
  for (let index = 0; index < count; index++) {
    await writeFile(join(folder, `${String(index).padStart(6, '0')}.bin`), randomFillSync(block));
  }
  return { name: 'small', folder, files: count, bytes: count * SMALL_BYTES, digest: await digestOf(folder) };
}

/** Of the contents of all files below, whatever their names. */
export async function digestOf(folder: string): Promise<string> {
  const hashes: string[] = [];
  const walk = async (path: string): Promise<void> => {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      const inner = join(path, entry.name);
      if (NOT_CONTENT.has(entry.name)) continue;
      if (entry.isDirectory()) await walk(inner);
      else hashes.push(await hashOf(inner));
    }
  };
  await walk(folder);
  return createHash('sha256').update(hashes.sort().join('\n')).digest('hex');
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: MiB }), hash);
  return hash.digest('hex');
}
