/**
 * What a file is, from its first bytes. Reads at most 1 MiB of it (and of what it decompresses to), whatever its size.
 * When in doubt it says less: `tabular` rather than `bed`, `txt` rather than `csv`, because a wrong guess misleads tools.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';

export const PREFIX_BYTES_MAX = 1024 * 1024;
const LINES_MAX = 200;

export interface Prefix {
  bytes: Buffer;
  /** There is more than these bytes. */
  truncated: boolean;
}

export async function readPrefix(file: string, bytesMax = PREFIX_BYTES_MAX): Promise<Prefix> {
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(bytesMax + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return { bytes: buffer.subarray(0, Math.min(length, bytesMax)), truncated: length > bytesMax };
  } finally {
    await handle.close();
  }
}

/** The beginning of what a gzip file holds; undefined when it cannot be decompressed. */
export async function readGzipPrefix(file: string, bytesMax = PREFIX_BYTES_MAX): Promise<Prefix | undefined> {
  const source = createReadStream(file);
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of source.pipe(gunzip)) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > bytesMax) break;
    }
  } catch {
    if (length === 0) return undefined;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
  return { bytes: Buffer.concat(chunks).subarray(0, bytesMax), truncated: length > bytesMax };
}

export async function sniffFile(file: string): Promise<string> {
  const prefix = await readPrefix(file);
  if (prefix.bytes.length === 0) return 'txt';
  const magic = sniffMagic(prefix.bytes);
  if (magic !== 'gz') return magic ?? sniffText(prefix);
  const inner = await readGzipPrefix(file);
  if (!inner) return 'data';
  return sniffCompressed(inner, isBlocked(prefix.bytes));
}

/** BGZF: gzip in blocks, marked in an extra field. https://samtools.github.io/hts-specs/SAMv1.pdf, section 4.1 */
function isBlocked(bytes: Buffer): boolean {
  return bytes.length > 14 && ((bytes[3] ?? 0) & 4) !== 0 && bytes[12] === 0x42 && bytes[13] === 0x43;
}

function sniffCompressed(inner: Prefix, blocked: boolean): string {
  if (inner.bytes.subarray(0, 4).equals(Buffer.from('BAM\u0001', 'latin1'))) return 'bam';
  if (inner.bytes.subarray(0, 3).toString('latin1') === 'BCF') return 'bcf';
  const kind = sniffMagic(inner.bytes) ?? sniffText(inner);
  if (kind === 'vcf') return blocked ? 'vcf_bgzip' : 'vcf.gz';
  return ['fastqsanger', 'fasta', 'gff3', 'bed', 'tabular'].includes(kind) ? `${kind}.gz` : 'gz';
}

const MAGIC: readonly [extension: string, offset: number, bytes: string][] = [
  ['gz', 0, '\x1f\x8b\x08'],
  ['pdf', 0, '%PDF'],
  ['png', 0, '\x89PNG\r\n\x1a\n'],
  ['jpg', 0, '\xff\xd8\xff'],
  ['gif', 0, 'GIF87a'],
  ['gif', 0, 'GIF89a'],
  ['tiff', 0, 'II*\0'],
  ['tiff', 0, 'MM\0*'],
  ['h5', 0, '\x89HDF\r\n\x1a\n'],
  ['sqlite', 0, 'SQLite format 3\0'],
  ['cram', 0, 'CRAM'],
  ['bz2', 0, 'BZh'],
  ['xz', 0, '\xfd7zXZ\0'],
  ['sff', 0, '.sff'],
  ['bai', 0, 'BAI\x01'],
  ['bigwig', 0, '\x26\xfc\x8f\x88'],
  ['bigbed', 0, '\xeb\xf2\x89\x87'],
  ['twobit', 0, '\x43\x27\x41\x1a'],
  ['parquet', 0, 'PAR1'],
  ['tar', 257, 'ustar'],
];

function sniffMagic(bytes: Buffer): string | undefined {
  const found = MAGIC.find(([, offset, magic]) => {
    return bytes.subarray(offset, offset + magic.length).equals(Buffer.from(magic, 'latin1'));
  });
  if (found) return found[0];
  if (bytes.subarray(0, 4).toString('latin1') !== 'PK\u0003\u0004') return isText(bytes) ? undefined : 'data';
  const names = bytes.toString('latin1');
  if (names.includes('xl/workbook.xml')) return 'xlsx';
  return names.includes('word/document.xml') ? 'docx' : 'zip';
}

/** No NUL, few control characters. Encodings other than UTF-8 are text too. */
export function isText(bytes: Buffer): boolean {
  if (bytes.includes(0)) return false;
  let controls = 0;
  const looked = bytes.subarray(0, 65_536);
  for (const byte of looked)
    if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 13 && byte !== 12 && byte !== 27) controls++;
  return controls <= looked.length / 100;
}

function sniffText(prefix: Prefix): string {
  const text = prefix.bytes.toString('utf8').replace(/^\ufeff/, '');
  const start = text.trimStart().slice(0, 2000);
  if (/^(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html)\b/is.test(start)) return 'html';
  if (/^<\?xml\b/.test(start)) return xmlKind(start);
  if (/^<svg\b/.test(start)) return 'svg';
  if (isJson(text, prefix.truncated)) return 'json';
  const lines = completeLines(text, prefix.truncated);
  const table: [string, (lines: readonly string[]) => boolean][] = [
    ['vcf', (all) => /^##fileformat=VCF/.test(all[0] ?? '')],
    ['gff3', (all) => /^##gff-version\s+3/.test(all[0] ?? '')],
    ['gff', (all) => /^##gff-version\s+2/.test(all[0] ?? '')],
    ['sam', isSam],
    ['fasta', isFasta],
    ['fastqsanger', isFastq],
    ['genbank', (all) => /^LOCUS {2,}\S/.test(all[0] ?? '')],
    ['gtf', isGtf],
    ['bed', isBed],
    ['tabular', isTabular],
    ['csv', isCsv],
  ];
  return table.find(([, test]) => test(lines))?.[0] ?? 'txt';
}

function xmlKind(start: string): string {
  if (/<!doctype\s+html|<html\b/i.test(start)) return 'html';
  if (/<svg\b/.test(start)) return 'svg';
  if (/<phyloxml\b/.test(start)) return 'phyloxml';
  return /<(?:indexed)?mzML\b/.test(start) ? 'mzml' : 'xml';
}

function completeLines(text: string, truncated: boolean): string[] {
  const lines = text.split(/\r\n|\n|\r/, LINES_MAX + 1);
  if (lines.length > LINES_MAX || truncated || lines.at(-1) === '') lines.pop();
  return lines.length > 0 ? lines : [text];
}

function isJson(text: string, truncated: boolean): boolean {
  // A value must follow the bracket: "[section]" of an ini file is no JSON.
  if (!/^\s*(?:\{\s*(?:"|\})|\[\s*(?:["[{\]\-\d]|true|false|null))/.test(text)) return false;
  if (truncated) return /^\s*(?:\{\s*"(?:[^"\\]|\\.)*"\s*:|\[)/.test(text);
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isSam(lines: readonly string[]): boolean {
  const first = lines.find((line) => line !== '') ?? '';
  if (/^@(?:HD\tVN:|SQ\tSN:|RG\tID:|PG\tID:)/.test(first)) return true;
  const fields = first.split('\t');
  return fields.length >= 11 && /^\d+$/.test(fields[1] ?? '') && /^(?:\*|(?:\d+[MIDNSHPX=])+)$/.test(fields[5] ?? '');
}

function isFasta(lines: readonly string[]): boolean {
  const start = lines.findIndex((line) => line.trim() !== '');
  if (start < 0 || !/^>\S/.test(lines[start] ?? '')) return false;
  const sequence = lines.slice(start + 1).find((line) => line.trim() !== '');
  return sequence !== undefined && /^[A-Za-z*.?-]+\s*$/.test(sequence);
}

function isFastq(lines: readonly string[]): boolean {
  const records = Math.floor(lines.length / 4);
  if (records === 0) return false;
  for (let i = 0; i < records * 4; i += 4) {
    const [name = '', sequence = '', plus = '', quality = ''] = lines.slice(i, i + 4);
    if (!/^@\S/.test(name) || !plus.startsWith('+') || !/^[A-Za-z.*-]+$/.test(sequence)) return false;
    if (quality.length !== sequence.length || !/^[!-~]+$/.test(quality)) return false;
  }
  return true;
}

function rows(lines: readonly string[]): string[][] {
  const data = lines.filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return data.filter((line) => !/^(?:track|browser)\b/.test(line)).map((line) => line.split('\t'));
}

function isGtf(lines: readonly string[]): boolean {
  const data = rows(lines);
  return (
    data.length > 0 &&
    data.every((row) => row.length === 9 && isWhole(row[3]) && isWhole(row[4]) && /gene_id "/.test(row[8] ?? ''))
  );
}

function isWhole(text: string | undefined): boolean {
  return text !== undefined && /^\d+$/.test(text);
}

function isBed(lines: readonly string[]): boolean {
  const data = rows(lines);
  const [first] = data;
  if (!first || first.length < 3 || first.length > 12) return false;
  const fits = data.every((row) => {
    const [chromosome = '', start, end] = row;
    if (row.length !== first.length || chromosome === '' || /\s/.test(chromosome)) return false;
    if (!isWhole(start) || !isWhole(end) || Number(start) > Number(end)) return false;
    if (row.length >= 5 && !/^-?\d+(?:\.\d+)?$|^\.$/.test(row[4] ?? '')) return false;
    return row.length < 6 || /^[+.-]$/.test(row[5] ?? '');
  });
  // Three columns of numbers are more often a table than intervals.
  return fits && (first.length >= 6 || data.every(([chromosome = '']) => /^[A-Za-z]/.test(chromosome)));
}

function isTabular(lines: readonly string[]): boolean {
  const data = lines
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => line.split('\t').length);
  const [first = 0] = data;
  return first >= 2 && data.every((columns) => columns === first);
}

function isCsv(lines: readonly string[]): boolean {
  const data = lines.filter((line) => line.trim() !== '').map(commas);
  const [first = -1] = data;
  return data.length >= 2 && first >= 1 && data.every((count) => count === first);
}

/** Commas outside quotes; -1 when a quote stays open. */
function commas(line: string): number {
  let count = 0;
  let quoted = false;
  for (const char of line) {
    if (char === '"') quoted = !quoted;
    else if (char === ',' && !quoted) count++;
  }
  return quoted ? -1 : count;
}
