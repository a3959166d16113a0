/**
 * What the history shows of a file: its first lines, a few words, and the datatype's metadata. Counts stream through the
 * file once, with constant memory; what they cost is bounded, and past the bound the words give the size instead.
 */

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import type { JsonObject } from '../../protocol/log/entry.js';
import { replaceControlCharacters } from '../../protocol/runtime/text.js';
import { BAM_HEADER_BYTES, bamMetadata } from './bam-header.js';
import type { Inspection, InspectLimits } from './datatypes.js';
import { isText, readGzipPrefix, readPrefix } from './sniff.js';
import { vcfMetadata } from './vcf-header.js';

export const INSPECT_DEFAULTS: InspectLimits = {
  countedBytesMax: 16 * 1024 ** 3,
  decompressedBytesMax: 1024 ** 3,
};

const PREFIX_BYTES = 256 * 1024;
const PEEK_LINES = 5;
const PEEK_LINE_CHARS = 256;
const PEEK_BYTES_MAX = 4096;
/** Types and names of that many columns are kept: they travel in the account log. */
const COLUMNS_MAX = 250;
const COLUMN_NAME_CHARS = 100;

interface Counts {
  lines: number;
  comments: number;
  blanks: number;
  /** Lines that begin with `>`. */
  headers: number;
}

export interface Kind {
  extension: string;
  /** The type itself and all that it is a kind of. */
  lineage: readonly string[];
}

export async function inspectFile(file: string, kind: Kind, options: InspectLimits): Promise<Inspection> {
  const { size } = await stat(file);
  const { extension } = kind;
  if (size === 0) return { extension, state: 'empty', peek: '', blurb: 'empty', metadata: {} };
  const is = (type: string) => kind.lineage.includes(type);
  if (extension === 'bam' || extension.endsWith('.bam')) {
    const header = await readGzipPrefix(file, BAM_HEADER_BYTES).catch(() => undefined);
    const metadata = header ? bamMetadata(header.bytes) : {};
    return { extension, state: 'ok', peek: binaryPeek(kind), blurb: niceSize(size), metadata };
  }
  const zipped = extension.endsWith('.gz') || extension === 'vcf_bgzip';
  const prefix = zipped ? await readGzipPrefix(file, PREFIX_BYTES) : await readPrefix(file, PREFIX_BYTES);
  const readable = prefix !== undefined && isText(prefix.bytes);
  if (!readable || !(zipped || is('txt') || extension === 'data')) {
    return { extension, state: 'ok', peek: binaryPeek(kind), blurb: niceSize(size), metadata: {} };
  }
  const text = prefix.bytes.toString('utf8').replace(/^\ufeff/, '');
  const counts = await countLines(file, zipped, size, options);
  const metadata: JsonObject = {};
  const base = zipped ? extension.replace(/\.gz$|_bgzip$/, '') : extension;
  const tabbed = is('tabular') || ['tabular', 'bed', 'gff3', 'vcf'].includes(base);
  if (counts) {
    metadata.data_lines = counts.lines - counts.comments - counts.blanks;
    if (tabbed || base === 'csv') metadata.comment_lines = counts.comments;
    if (base === 'fasta') metadata.sequences = counts.headers;
    if (base.startsWith('fastq')) {
      metadata.data_lines = counts.lines;
      metadata.sequences = Math.floor(counts.lines / 4);
    }
  }
  if (tabbed || base === 'csv')
    Object.assign(metadata, columnMetadata(text, prefix.truncated, base === 'csv' ? ',' : '\t'));
  if (base === 'vcf' || is('vcf')) Object.assign(metadata, vcfMetadata(text));
  if (base === 'bed' || is('bed')) Object.assign(metadata, bedColumns(Number(metadata.columns ?? 3)));
  const blurb = counts ? blurbOf(base, counts, tabbed) : niceSize(size);
  return { extension, state: 'ok', peek: peekOf(text), blurb, metadata };
}

function binaryPeek({ extension }: Kind): string {
  return extension === 'data' || extension === 'binary' ? 'binary data' : `${extension} file`;
}

function blurbOf(base: string, counts: Counts, tabbed: boolean): string {
  if (base === 'fasta') return `${commas(counts.headers)} sequences`;
  if (base.startsWith('fastq')) return `${commas(Math.floor(counts.lines / 4))} sequences`;
  if (base === 'html') return 'HTML file';
  if (base === 'json') return 'JavaScript Object Notation (JSON)';
  if (base === 'xml') return 'XML data';
  if (base === 'bed' || base === 'interval') {
    const regions = `${commas(counts.lines - counts.comments - counts.blanks)} regions`;
    return counts.comments > 0 ? `${regions}, ${commas(counts.comments)} comments` : regions;
  }
  const unit = `${commas(counts.lines)} lines`;
  return tabbed && counts.comments > 0 ? `${unit}, ${commas(counts.comments)} comments` : unit;
}

function commas(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Galaxy's way to write a size. */
export function niceSize(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} bytes` : `${value.toFixed(1)} ${units[unit]}`;
}

/** The first lines as plain text; the door makes HTML of it. */
function peekOf(text: string): string {
  const lines = text.slice(0, PREFIX_BYTES).split(/\r\n|\n|\r/, PEEK_LINES + 1);
  if (lines.length > PEEK_LINES || lines.at(-1) === '') lines.pop();
  const shown = lines.map((line) => printableLine(line.slice(0, PEEK_LINE_CHARS * 2)));
  let peek = shown.join('\n');
  while (Buffer.byteLength(peek) > PEEK_BYTES_MAX) peek = peek.slice(0, Math.floor(peek.length * 0.9));
  return peek;
}

function printableLine(line: string): string {
  const short = [...line].slice(0, PEEK_LINE_CHARS).join('');
  return replaceControlCharacters(short, '?', '\t\n');
}

/** Undefined when the file is larger than what is counted, or broken. */
async function countLines(
  file: string,
  zipped: boolean,
  size: number,
  options: InspectLimits,
): Promise<Counts | undefined> {
  if (size > options.countedBytesMax) return undefined;
  const source = createReadStream(file, { highWaterMark: 256 * 1024 });
  const gunzip = zipped ? createGunzip({ chunkSize: 256 * 1024 }) : undefined;
  if (gunzip) source.on('error', (error) => gunzip.destroy(error));
  const counter = new LineCounter();
  const most = zipped ? options.decompressedBytesMax : options.countedBytesMax;
  let seen = 0;
  try {
    for await (const chunk of gunzip ? source.pipe(gunzip) : source) {
      const bytes = chunk as Buffer;
      seen += bytes.length;
      if (seen > most) return undefined;
      counter.add(bytes);
    }
    return counter.end();
  } catch (error) {
    // A broken gzip has no counts; a file that cannot be read is an error of the caller's.
    if (gunzip && seen > 0) return undefined;
    throw error;
  } finally {
    source.destroy();
    gunzip?.destroy();
  }
}

const NEWLINE = 10;
const RETURN = 13;
const HASH = 35;
const GREATER = 62;

class LineCounter {
  private readonly counts: Counts = { lines: 0, comments: 0, blanks: 0, headers: 0 };
  private atStart = true;

  add(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.atStart) this.begin(bytes[at] ?? 0, bytes[at + 1] ?? 0);
      const end = bytes.indexOf(NEWLINE, at);
      this.atStart = end >= 0;
      if (end < 0) return;
      at = end + 1;
    }
  }

  private begin(first: number, second: number): void {
    this.counts.lines++;
    if (first === NEWLINE || (first === RETURN && second === NEWLINE)) this.counts.blanks++;
    else if (first === HASH) this.counts.comments++;
    else if (first === GREATER) this.counts.headers++;
  }

  end(): Counts {
    return this.counts;
  }
}

type ColumnType = 'int' | 'float' | 'str';
const WHOLE = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

function columnMetadata(text: string, truncated: boolean, delimiter: string): JsonObject {
  const lines = text.split(/\r\n|\n|\r/);
  if (truncated || lines.at(-1) === '') lines.pop();
  const comment = lines.find((line) => line.startsWith('#') && !line.startsWith('##'));
  const data = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const header = delimiter === ',' ? data.shift() : undefined;
  const rows = data.map((line) => (delimiter === ',' ? csvFields(line) : line.split(delimiter)));
  const columns = rows.reduce(
    (most, row) => Math.max(most, row.length),
    header === undefined ? 0 : csvFields(header).length,
  );
  const types: (ColumnType | undefined)[] = new Array(Math.min(columns, COLUMNS_MAX)).fill(undefined);
  for (const row of rows) {
    for (let i = 0; i < types.length && i < row.length; i++) types[i] = wider(types[i], row[i] ?? '');
  }
  const names = header === undefined ? comment?.slice(1).split(delimiter) : csvFields(header);
  return {
    columns,
    column_types: types.map((type) => type ?? 'str'),
    delimiter,
    ...(names && names.length === columns && columns <= COLUMNS_MAX
      ? { column_names: names.map((name) => name.trim().slice(0, COLUMN_NAME_CHARS)) }
      : {}),
  };
}

function wider(held: ColumnType | undefined, field: string): ColumnType | undefined {
  if (held === 'str' || field === '' || field === '.') return held ?? (field === '.' ? 'str' : undefined);
  if (WHOLE.test(field)) return held ?? 'int';
  return DECIMAL.test(field) ? 'float' : 'str';
}

function csvFields(line: string): string[] {
  const fields: string[] = [];
  let field = '';
  let quoted = false;
  for (const char of line) {
    if (char === '"') quoted = !quoted;
    else if (char === ',' && !quoted) {
      fields.push(field);
      field = '';
    } else field += char;
  }
  return [...fields, field];
}

/** Which column is what, counted from 1, by Galaxy's names. */
function bedColumns(columns: number): JsonObject {
  return {
    chromCol: 1,
    startCol: 2,
    endCol: 3,
    ...(columns >= 4 ? { nameCol: 4 } : {}),
    ...(columns >= 6 ? { strandCol: 6 } : {}),
  };
}
