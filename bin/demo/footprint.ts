/**
 * What a process has on disk, file by file, so that "nothing was stored" can be looked at: each file by its hash (a large
 * one by inode, size and times), the store's included. Left out is what changes by itself: the log that LevelDB keeps for its own authors (`store/LOG`), and in a
 * node's store the horizon of its ids, written every few seconds (protocol/wire/ids.ts). The store's write-ahead log only
 * grows, so what came to it since can be read.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { sha256OfFile } from './hashes.js';
import { pause } from './waits.js';

/** File → SHA-256; of a write-ahead log its whole content. */
export type Footprint = Map<string, string | Buffer>;

const OWN_LOG = /\/store\/LOG(\.old)?$/;
const WRITE_AHEAD = /\/store\/\d+\.log$/;
/** As LevelDB writes a batch of one: 7 + 12 bytes of headers, a tag and two lengths, the key and the value. */
const HORIZON = /ids\0horizon.(\{"horizonMs":\d+,"drawnNumber":\d+\})/gs;
const HORIZON_BYTES = 7 + 12 + 3 + 'ids\0horizon'.length;
/** A record that crosses a block of LevelDB's gets a second header. */
const BLOCK_BYTES = 13;
/** Longer than the beat in which nodes and coordinator tell each other what has changed. */
const QUIET_MS = 1200;
const LARGE_BYTES = 2 ** 20;

export async function footprintOf(folders: readonly string[], root: string): Promise<Footprint> {
  const found: Footprint = new Map();
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      if (OWN_LOG.test(path)) continue;
      const content = await (WRITE_AHEAD.test(path) ? readFile(path) : sealOf(path)).catch(() => undefined);
      // Gone between the listing and the look.
      if (content !== undefined) found.set(relative(root, path), content);
    }
  }
  return found;
}

/** A large file by its inode and the times of its last change, of which the kernel keeps one to itself. */
async function sealOf(path: string): Promise<string> {
  const { size, ino, mtimeMs, ctimeMs } = await stat(path);
  return size < LARGE_BYTES ? sha256OfFile(path) : `${size} ${ino} ${mtimeMs} ${ctimeMs}`;
}

/** What is different, in words; nothing that changes by itself. */
export function changesBetween(before: Footprint, after: Footprint): string[] {
  const changes: string[] = [];
  for (const [path, now] of after) {
    const then = before.get(path);
    if (then === undefined) changes.push(`${path} is new`);
    else if (typeof now === 'string' || typeof then === 'string') {
      if (now !== then) changes.push(`${path} changed`);
    } else if (now.length < then.length || now.compare(then, 0, then.length, 0, then.length) !== 0) {
      changes.push(`${path} was written anew`);
    } else {
      const bytes = unexplained(now.subarray(then.length));
      if (bytes > 0) changes.push(`${path} grew by ${bytes} bytes`);
    }
  }
  for (const path of before.keys()) if (!after.has(path)) changes.push(`${path} is gone`);
  return changes;
}

function unexplained(appended: Buffer): number {
  let bytes = appended.length;
  for (const match of appended.toString('latin1').matchAll(HORIZON)) {
    bytes -= HORIZON_BYTES + (match[1] as string).length;
  }
  return bytes <= BLOCK_BYTES ? 0 : bytes;
}

/** When what went before has come to rest: two looks that show the same. */
export async function quietFootprint(folders: readonly string[], root: string, withinMs: number): Promise<Footprint> {
  const until = performance.now() + withinMs;
  let before = await footprintOf(folders, root);
  for (;;) {
    await pause(QUIET_MS);
    const now = await footprintOf(folders, root);
    const changes = changesBetween(before, now);
    if (changes.length === 0) return now;
    if (performance.now() > until) throw new Error(`it never comes to rest: ${changes.join('; ')}`);
    before = now;
  }
}
