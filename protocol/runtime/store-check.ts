/**
 * Looks at a LevelDB folder before LevelDB does, and only looks. LevelDB mends a damaged log by leaving out what it cannot
 * read, and takes a lost log for an empty one: acknowledged changes would be gone without a word. So a store is refused
 * when its damage cannot be the end of an interrupted write.
 *
 * Two means. A store that was closed in order is *sealed*: the file SEAL says which files there were, how large, and their
 * hashes (of the tables, the newest up to a bound); nothing may differ. After a crash there is no seal: then a log may end in a
 * torn record, but nothing readable may follow one, because each commit was fsynced before the next began; and the blocks
 * of the tables (the newest, up to a bound) must have the checksums that LevelDB wrote beside them.
 *
 * Rejected: reading every table at each start, which takes minutes when there are gigabytes of them.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from './data-folder.js';
import { damagedAt } from './leveldb-log.js';
import { tableDamagedAt, tablesInForce } from './leveldb-table.js';

const SEAL = 'SEAL';
/** Tables hashed at each end and each start: a tenth of a second. */
const TABLE_BYTES_HASHED_MAX = 64 * 2 ** 20;
/** Tables whose checksums are compared at a start after a crash: half a second. */
const TABLE_BYTES_CHECKED_MAX = 64 * 2 ** 20;
const LOG = /^\d+\.log$/;
const TABLE = /^\d+\.(?:ldb|sst)$/;
const MANIFEST = /^MANIFEST-\d+$/;

const sealFile = z.object({
  files: z.record(z.string(), z.object({ bytes: z.number(), sha256: z.string().optional() })),
});

export interface FindOptions {
  mustExist?: boolean;
  /** False: what is inside tables was looked at before. */
  tables?: boolean;
}

/** What is wrong with the store in this folder, as the end of a sentence; undefined when nothing was found. */
export function findDamage(folder: string, options: FindOptions = {}): string | undefined {
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
  if (options.tables === false) return undefined;
  for (const damage of damagedTables(folder, TABLE_BYTES_CHECKED_MAX)) if (damage !== undefined) return damage;
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

/**
 * A table in force that is missing, has another size, or (the newest, up to `bytesMax` in all) holds what was not written.
 * A manifest that cannot be understood says nothing: LevelDB is to judge it.
 */
export function* damagedTables(folder: string, bytesMax: number): Generator<string | undefined> {
  const current = readIfThere(join(folder, 'CURRENT'))?.toString('latin1').trim() ?? '';
  const manifest = MANIFEST.test(current) ? readIfThere(join(folder, current)) : undefined;
  const tables = manifest && tablesInForce(manifest);
  let bytes = 0;
  for (const [number, size] of [...(tables ?? [])].sort(([a], [b]) => b - a)) {
    const name = ['ldb', 'sst']
      .map((ending) => `${String(number).padStart(6, '0')}.${ending}`)
      .find((candidate) => existsSync(join(folder, candidate)));
    if (name === undefined) {
      yield `the table ${number} is missing`;
      continue;
    }
    const path = join(folder, name);
    const found = statSync(path).size;
    bytes += found;
    if (found !== size) yield `the file ${name} has ${found} bytes, and should have ${size}`;
    else if (bytes <= bytesMax) {
      const at = tableDamagedAt(readFileSync(path));
      yield at === undefined ? undefined : `the file ${name} is damaged at byte ${at}`;
    }
  }
}

function readIfThere(path: string): Buffer | undefined {
  return existsSync(path) ? readFileSync(path) : undefined;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
