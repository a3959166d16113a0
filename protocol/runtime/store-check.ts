/**
 * Looks at a LevelDB folder before LevelDB does, and only looks. LevelDB mends a damaged log by leaving out what it cannot
 * read, and takes a lost log for an empty one: acknowledged changes would be gone without a word. So a store is refused
 * when its damage cannot be the end of an interrupted write.
 *
 * Two means. A store that was closed in order is *sealed*: the file SEAL says which files there were, how large, and their
 * hashes (of the tables, the newest up to a bound); nothing may differ. After a crash there is no seal: then a log may end in a
 * torn record, but nothing readable may follow one, because each commit was fsynced before the next began.
 *
 * Format of logs and manifest: LevelDB's doc/log_format.md. Rejected: reading every table at each start, which takes
 * minutes when there are gigabytes of them.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from './data-folder.js';

const SEAL = 'SEAL';
/** Tables hashed at each end and each start: a tenth of a second. */
const TABLE_BYTES_HASHED_MAX = 64 * 2 ** 20;
const LOG = /^\d+\.log$/;
const TABLE = /^\d+\.(?:ldb|sst)$/;
const MANIFEST = /^MANIFEST-\d+$/;

const sealFile = z.object({
  files: z.record(z.string(), z.object({ bytes: z.number(), sha256: z.string().optional() })),
});

/** What is wrong with the store in this folder, as the end of a sentence; undefined when nothing was found. */
export function findDamage(folder: string, options: { mustExist?: boolean } = {}): string | undefined {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  if (!names.some((name) => LOG.test(name) || TABLE.test(name) || MANIFEST.test(name))) {
    return options.mustExist ? 'its files are missing' : undefined;
  }
  const current = readIfThere(join(folder, 'CURRENT'))?.toString('latin1');
  if (current === undefined) return 'the file CURRENT is missing';
  const manifest = current.slice(0, -1);
  if (!current.endsWith('\n') || !MANIFEST.test(manifest)) return 'the file CURRENT is damaged';
  if (!names.includes(manifest)) return `the file ${manifest} is missing`;
  const logs = names.filter((name) => LOG.test(name));
  if (logs.length === 0) return 'its log file is missing';
  const seal = readSeal(folder);
  if (seal !== undefined) return brokenSeal(folder, seal);
  for (const name of [manifest, ...logs]) {
    const at = damagedAt(readFileSync(join(folder, name)));
    if (at !== undefined) return `the file ${name} cannot be read at byte ${at}, and later changes follow`;
  }
  return undefined;
}

/** After an orderly closing. A full disk leaves the store unsealed, which is as good as a crash. */
export function sealStore(folder: string): void {
  const files: z.output<typeof sealFile>['files'] = {};
  let tableBytes = 0;
  try {
    // Numbered as they were made: the newest first.
    for (const name of readdirSync(folder).sort().reverse()) {
      const isTable = TABLE.test(name);
      if (!isTable && !LOG.test(name) && !MANIFEST.test(name) && name !== 'CURRENT') continue;
      const path = join(folder, name);
      const bytes = statSync(path).size;
      if (isTable) tableBytes += bytes;
      const hashed = !isTable || tableBytes <= TABLE_BYTES_HASHED_MAX;
      files[name] = { bytes, ...(hashed ? { sha256: sha256(readFileSync(path)) } : {}) };
    }
    writeDurably(folder, SEAL, JSON.stringify({ files }));
  } catch {
    rmSync(join(folder, SEAL), { force: true });
  }
}

/** Before anything is written again: a seal that outlived a change would call a whole store damaged. */
export function unsealStore(folder: string): void {
  const path = join(folder, SEAL);
  if (!existsSync(path)) return;
  rmSync(path, { force: true });
  const directory = openSync(folder, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function readSeal(folder: string): z.output<typeof sealFile> | undefined {
  try {
    return sealFile.parse(JSON.parse(readFileSync(join(folder, SEAL), 'utf8')));
  } catch {
    return undefined;
  }
}

function brokenSeal(folder: string, seal: z.output<typeof sealFile>): string | undefined {
  for (const [name, { bytes, sha256: hash }] of Object.entries(seal.files)) {
    const path = join(folder, name);
    if (!existsSync(path)) return `the file ${name} is missing`;
    const { size } = statSync(path);
    if (size !== bytes) return `the file ${name} has ${size} bytes, and had ${bytes} when it was closed`;
    if (hash !== undefined && sha256(readFileSync(path)) !== hash) {
      return `the file ${name} has changed since it was closed`;
    }
  }
  return undefined;
}

const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
const [FULL, FIRST, LAST] = [1, 2, 4];

/** Where the first unreadable record of a log begins, if a whole record begins after it; undefined for a torn end. */
export function damagedAt(log: Uint8Array): number | undefined {
  let bad: number | undefined;
  for (let block = 0; block < log.length; block += BLOCK_BYTES) {
    const end = Math.min(block + BLOCK_BYTES, log.length);
    let at = block;
    while (end - at >= HEADER_BYTES) {
      const record = readRecord(log, at, end);
      // What a record begins was written after everything before it was on the disk.
      if (record.valid && bad !== undefined && (record.type === FULL || record.type === FIRST)) return bad;
      if (!record.valid) bad ??= at;
      if (record.next === undefined) break;
      at = record.next;
    }
  }
  return undefined;
}

interface LogRecord {
  valid: boolean;
  type: number;
  /** Undefined: the rest of the block cannot be walked. */
  next: number | undefined;
}

function readRecord(log: Uint8Array, at: number, end: number): LogRecord {
  const view = new DataView(log.buffer, log.byteOffset + at, HEADER_BYTES);
  const [checksum, length, type] = [view.getUint32(0, true), view.getUint16(4, true), view.getUint8(6)];
  const next = at + HEADER_BYTES + length;
  if (next > end) return { valid: false, type, next: undefined };
  const valid = type >= FULL && type <= LAST && masked(crc32c(log.subarray(at + 6, next))) === checksum;
  return { valid, type, next };
}

/** LevelDB stores checksums so that those of texts that hold checksums are none of a kind. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** Castagnoli (RFC 3720, appendix B.4). */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function readIfThere(path: string): Buffer | undefined {
  return existsSync(path) ? readFileSync(path) : undefined;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
