/**
 * An upload becomes a dataset file: decompressed where Galaxy does so, line ends made Unix, its type found. Streams
 * throughout: nothing here holds more of a file than one buffer.
 *
 * The source is never changed (a handler may die and the upload is taken up again); what needs no change becomes an
 * output by a second name, without copying.
 */
import { constants, createReadStream, createWriteStream } from 'node:fs';
import { copyFile, link, open, rm, stat } from 'node:fs/promises';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Datatypes } from '../datasets/datatypes.js';
import { explain, failedOutput, inspectOutput, isUndecided } from './collect.js';
import type { RunFetch, RunOutputResult } from './run-spec.js';

/** A file is text when this much of its beginning holds no NUL (Galaxy looks at 1 KiB; random bytes may pass that). */
const TEXT_PROBE_BYTES = 64 * 1024;

/** Formats that are gzip inside and stay as they are. */
const GZIP_INSIDE = new Set([
  'bam',
  'bcf',
  'vcf_bgzip',
  'bgzip',
  'tabix',
  'qname_sorted.bam',
  'rdata',
  'tgz',
  'tar.gz',
]);

/** Types whose gzip form Galaxy sniffs as a type of its own (`auto_compressed_types`); a bed or a table is unpacked. */
const KEPT_WHEN_FOUND = /^(fastq\w*|fasta|gff3|gtf)\.gz$/;

export interface FetchOptions {
  bytesMax: number;
  signal: AbortSignal;
}

/** Never throws for what is wrong with one file: its output says so, the others go on. */
export async function fetchItem(
  deps: { datatypes: Datatypes },
  item: RunFetch,
  options: FetchOptions,
): Promise<RunOutputResult> {
  try {
    return await convert(deps, item, options);
  } catch (error) {
    options.signal.throwIfAborted();
    await rm(item.output.file, { force: true });
    const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return failedOutput(item.output, isGone ? 'The uploaded file is no longer there.' : explain(error));
  } finally {
    await rm(`${item.output.file}.plain`, { force: true });
  }
}

async function convert(
  deps: { datatypes: Datatypes },
  item: RunFetch,
  options: FetchOptions,
): Promise<RunOutputResult> {
  const { output } = item;
  const isAuto = isUndecided(output.extension);
  let file = item.source;
  let info = '';
  if ((await stat(file)).size === 0) {
    await take(file, output.file);
    return inspectOutput(deps, output, 'The uploaded file is empty.');
  }
  const container = await containerOf(file);
  if (container === 'gzip' && item.autoDecompress) {
    const type = isAuto ? await deps.datatypes.sniff(file) : output.extension;
    // Of a type that is not known here nobody can say that its bytes are not meant to be so.
    const isForeign = !isAuto && deps.datatypes.get(type) === undefined;
    if (!isForeign && !staysCompressed(type, isAuto)) {
      file = `${output.file}.plain`;
      await gunzip(item.source, file, options);
      info = 'The file was decompressed.';
    }
  } else if (container !== undefined && container !== 'gzip' && item.autoDecompress) {
    if (!isAuto && isText(deps, output.extension)) {
      throw new Error(
        `${item.name} is a ${container} archive, not ${output.extension}. Unpack it and upload the files in it.`,
      );
    }
    if (isAuto) info = `A ${container} archive is kept as it is; unpack it and upload the files in it to use them.`;
  } else if (container === undefined && !isAuto && output.extension.endsWith('.gz')) {
    throw new Error(`${item.name} is not compressed, but its type was said to be ${output.extension}.`);
  }
  const type = isAuto ? await deps.datatypes.sniff(file) : output.extension;
  const changes = (item.toPosixLines || item.spaceToTab) && isText(deps, type) && (await looksLikeText(file));
  if (changes && (item.spaceToTab || (await needsPosixLines(file)))) {
    await pipeline(
      createReadStream(file, { highWaterMark: 256 * 1024 }),
      new TextLines({ posix: item.toPosixLines, tabs: item.spaceToTab }),
      createWriteStream(output.file, { flags: 'wx', mode: 0o600 }),
      { signal: options.signal },
    );
  } else await take(file, output.file);
  return inspectOutput(deps, output, info);
}

/** Bytes of text with each line ended by one LF, and, when asked, each run of blanks turned into a tab. */
export class TextLines extends Transform {
  private afterCr = false;
  private inBlank = false;
  private last = 0x0a;

  constructor(private readonly how: { posix: boolean; tabs: boolean }) {
    super({ highWaterMark: 256 * 1024 });
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const out = Buffer.allocUnsafe(chunk.length);
    let length = 0;
    for (const byte of chunk) {
      let put = byte;
      if (this.how.posix) {
        if (byte === 0x0a && this.afterCr) {
          this.afterCr = false;
          continue;
        }
        this.afterCr = byte === 0x0d;
        if (byte === 0x0d) put = 0x0a;
      }
      // Space, tab, vertical tab, form feed and (where line ends are kept) carriage return.
      if (this.how.tabs && (put === 0x20 || put === 0x09 || put === 0x0b || put === 0x0c)) {
        if (this.inBlank) continue;
        this.inBlank = true;
        put = 0x09;
      } else this.inBlank = false;
      out[length++] = put;
    }
    if (length > 0) this.last = out[length - 1] as number;
    done(null, out.subarray(0, length));
  }

  override _flush(done: TransformCallback): void {
    done(null, this.how.posix && this.last !== 0x0a ? Buffer.from('\n') : undefined);
  }
}

type Container = 'gzip' | 'zip' | 'bzip2' | 'xz';

async function containerOf(file: string): Promise<Container | undefined> {
  const head = await beginning(file, 6);
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  const text = head.toString('latin1');
  if (text.startsWith('PK\u0003\u0004') || text.startsWith('PK\u0005\u0006')) return 'zip';
  if (/^BZh[1-9]/.test(text)) return 'bzip2';
  return text === '\u00fd7zXZ\u0000' ? 'xz' : undefined;
}

/** A type that was asked for is kept; of those found by looking, what Galaxy would keep too. */
function staysCompressed(extension: string, isAuto: boolean): boolean {
  if (GZIP_INSIDE.has(extension)) return true;
  return isAuto ? KEPT_WHEN_FOUND.test(extension) : extension.endsWith('.gz') || extension.endsWith('.bgz');
}

function isText(deps: { datatypes: Datatypes }, extension: string): boolean {
  return extension === 'txt' || (deps.datatypes.get(extension)?.parents.includes('txt') ?? false);
}

async function looksLikeText(file: string): Promise<boolean> {
  return !(await beginning(file, TEXT_PROBE_BYTES)).includes(0);
}

async function needsPosixLines(file: string): Promise<boolean> {
  let last = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    if (chunk.includes(0x0d)) return true;
    last = chunk[chunk.length - 1] as number;
  }
  return last !== 0x0a;
}

async function gunzip(source: string, target: string, options: FetchOptions): Promise<void> {
  let bytes = 0;
  const bound = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > options.bytesMax) done(new Error(`Decompressed it is larger than ${options.bytesMax} bytes.`));
      else done(null, chunk);
    },
  });
  try {
    await pipeline(
      createReadStream(source, { highWaterMark: 256 * 1024 }),
      createGunzip({ chunkSize: 256 * 1024 }),
      bound,
      createWriteStream(target, { flags: 'w', mode: 0o600 }),
      { signal: options.signal },
    );
  } catch (error) {
    if (/^Z_/.test((error as NodeJS.ErrnoException).code ?? '')) {
      throw new Error(`The gzip data is damaged: ${(error as Error).message}.`, { cause: error });
    }
    throw error;
  }
}

/** A second name for the same bytes; a copy where the file system has no second names. */
async function take(file: string, target: string): Promise<void> {
  await rm(target, { force: true });
  try {
    await link(file, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
    await copyFile(file, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  }
}

async function beginning(file: string, bytes: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(bytes);
    const { bytesRead } = await handle.read(buffer, 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
