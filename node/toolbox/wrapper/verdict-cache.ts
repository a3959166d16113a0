/**
 * What was found out about wrappers at earlier starts, so that a start reads files and compares hashes instead of
 * compiling thousands of templates. A record holds for exactly the bytes of the wrapper and of all it imports, and for
 * exactly this program. The file is thrown away when anything about it is odd: it can always be made again.
 * Rejected: caching expanded trees or compiled templates: larger than the sources, and slower to read than to make for
 * the few tools that are used.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Logger } from '../../../protocol/runtime/logger.js';
import { packageVersion } from '../../../protocol/runtime/package.js';
import type { ToolHead } from '../loaded.js';
import { importKey, type SourceFile, type SourceLibrary, type WrapperSources } from './sources.js';
import type { ReadWrapper, Verdict } from './wrapper-file.js';

const FORMAT = 1;
const FILE_BYTES_MAX = 512 * 1024 * 1024;
const RECORDS_MAX = 20_000;

const text = z.string();
const hash = z.string().length(43);
const note = z.strictObject({ file: text, line: z.number(), message: text });

const headFields = z.looseObject({
  id: text.min(1),
  version: text,
  name: text,
  file: text,
  help: text,
  notes: z.array(note),
});
/** The head of a tool as it was written by this same program, whose fingerprint and checksum have been compared. */
const head = z.custom<ToolHead>((value) => headFields.safeParse(value).success);

const record = z.strictObject({
  file: text,
  boundary: text,
  hash,
  imports: z.array(z.strictObject({ from: text, name: text, path: text, hash })).max(100),
  absent: z.array(text).max(200),
  verdict: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('tool'), head }),
    z.strictObject({
      kind: z.literal('problem'),
      problem: z.object({ file: text, line: z.number().optional(), message: text }),
      code: text,
    }),
    z.strictObject({ kind: z.literal('other') }),
  ]),
});
type VerdictRecord = z.infer<typeof record>;

const header = z.strictObject({ format: z.literal(FORMAT), fingerprint: text, sha256: text });

export class VerdictCache {
  private changed = false;
  private seen = new Set<string>();

  private constructor(
    private readonly file: string | undefined,
    private readonly fingerprint: string,
    private readonly log: Pick<Logger, 'info' | 'warn'>,
    private readonly records: Map<string, VerdictRecord>,
  ) {}

  /** Without a file it remembers only as long as the process lives. */
  static async open(log: Pick<Logger, 'info' | 'warn'>, file: string | undefined): Promise<VerdictCache> {
    const fingerprint = await programFingerprint();
    const records = file === undefined ? new Map() : await read(file, fingerprint, log);
    return new VerdictCache(file, fingerprint, log, records);
  }

  /** What was found out about these very bytes, with the imports read again; undefined when anything has changed. */
  async find(wrapper: SourceFile, boundary: string, library: SourceLibrary): Promise<ReadWrapper | undefined> {
    this.seen.add(wrapper.path);
    const held = this.records.get(wrapper.path);
    if (!held || held.hash !== wrapper.hash || held.boundary !== boundary) return undefined;
    if (held.absent.some((path) => existsSync(path))) return undefined;
    const sources: WrapperSources = { wrapper, imports: new Map(), absent: [...held.absent] };
    for (const { from, name, path, hash: expected } of held.imports) {
      const source = await library.read(path).catch(() => undefined);
      if (source?.hash !== expected) return undefined;
      sources.imports.set(importKey(from, name), source);
    }
    return { sources, verdict: held.verdict as Verdict };
  }

  put({ sources, verdict }: ReadWrapper, boundary: string): void {
    const { path, hash: own } = sources.wrapper;
    this.changed = true;
    // What was wrong with an import may be put right without any file that is known here having changed.
    if (verdict.kind === 'problem' && (verdict.code === 'toolbox/import' || verdict.code === 'internal')) {
      this.records.delete(path);
      return;
    }
    const imports = [...sources.imports].map(([key, source]) => {
      const [from = '', name = ''] = key.split('\0');
      return { from, name, path: source.path, hash: source.hash };
    });
    this.records.set(path, { file: path, boundary, hash: own, imports, absent: sources.absent, verdict });
  }

  /** Keeps what was asked for since the last time, and writes it down. Never rejects: a cache is no promise. */
  async save(): Promise<void> {
    for (const path of this.records.keys()) {
      if (this.seen.has(path)) continue;
      this.records.delete(path);
      this.changed = true;
    }
    this.seen = new Set();
    if (!this.changed || this.file === undefined) return;
    this.changed = false;
    const aside = `${this.file}.new`;
    try {
      const body = JSON.stringify([...this.records.values()]);
      const sha256 = createHash('sha256').update(body).digest('base64url');
      await mkdir(dirname(this.file), { recursive: true });
      await writeFile(aside, `${JSON.stringify({ format: FORMAT, fingerprint: this.fingerprint, sha256 })}\n${body}`);
      await rename(aside, this.file);
    } catch (error) {
      this.log.warn({ file: this.file, error }, 'the tool cache cannot be written');
      await rm(aside, { force: true }).catch(() => {});
    }
  }
}

async function read(
  file: string,
  fingerprint: string,
  log: Pick<Logger, 'info' | 'warn'>,
): Promise<Map<string, VerdictRecord>> {
  try {
    const { size } = await stat(file);
    if (size > FILE_BYTES_MAX) throw new Error('it is too large');
    const content = await readFile(file, 'utf8');
    const end = content.indexOf('\n');
    const said = header.parse(JSON.parse(content.slice(0, Math.max(0, end))));
    if (said.fingerprint !== fingerprint) {
      log.info({ file }, 'the tool cache is of another version, and is made again');
      return new Map();
    }
    const body = content.slice(end + 1);
    if (createHash('sha256').update(body).digest('base64url') !== said.sha256) throw new Error('its checksum is wrong');
    const records = z.array(record).max(RECORDS_MAX).parse(JSON.parse(body));
    return new Map(records.map((one) => [one.file, one]));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      log.info({ file, error }, 'the tool cache is damaged, and is made again');
    }
    return new Map();
  }
}

/** Of the code that reads wrappers: sizes and times of its files, and the version. */
async function programFingerprint(): Promise<string> {
  const found = createHash('sha256').update(`${FORMAT} ${packageVersion()} ${process.version}`);
  const folder = import.meta.dirname;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && /\.[jt]s$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  const stats = await Promise.all(paths.map((path) => stat(path)));
  for (const [index, { size, mtimeMs }] of stats.entries()) found.update(`\n${paths[index]} ${size} ${mtimeMs}`);
  return found.digest('base64url');
}
