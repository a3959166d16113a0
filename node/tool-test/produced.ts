/**
 * A file as tests look at it: its bytes, and as text when it is one. What is compressed is opened on demand, within a
 * bound: a small file may hold terabytes.
 */
import { readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** What a test may hold in memory of one file. */
const BYTES_MAX = 512 * 2 ** 20;
const PROBE_BYTES = 64 * 1024;

/** Why a file cannot be looked at; the test fails, or is not run, with this sentence. */
export class ContentFault extends Error {}

export class ProducedFile {
  private held: Buffer | undefined;
  private asText: string | undefined;

  /** Bytes that are there, or a file that is read when it is asked for. */
  constructor(
    private readonly source: string | Buffer,
    /** How it is named to people. */
    readonly name: string,
  ) {}

  get size(): number {
    return this.held?.length ?? (typeof this.source === 'string' ? statSync(this.source).size : this.source.length);
  }

  get path(): string | undefined {
    return typeof this.source === 'string' ? this.source : undefined;
  }

  get bytes(): Buffer {
    if (this.held === undefined) {
      if (this.size > BYTES_MAX) throw new ContentFault(`${this.name} is larger than a test looks at (512 MiB)`);
      this.held = typeof this.source === 'string' ? readFileSync(this.source) : this.source;
    }
    return this.held;
  }

  /** With line ends as Python's text mode gives them. */
  get text(): string {
    this.asText ??= this.bytes.toString('utf8').replace(/\r\n?/g, '\n');
    return this.asText;
  }

  get isText(): boolean {
    return !this.bytes.subarray(0, PROBE_BYTES).includes(0);
  }

  get lines(): string[] {
    return linesOf(this.text);
  }

  decompressed(): ProducedFile {
    return new ProducedFile(decompress(this.bytes, this.name), this.name);
  }
}

/** gzip and BGZF are opened, others are named; what is not compressed is itself. */
export function decompress(bytes: Buffer, name: string): Buffer {
  const kind = compressionOf(bytes);
  if (kind === undefined) return bytes;
  if (kind !== 'gzip') throw new ContentFault(`${name} is compressed by ${kind}, which tests cannot open here`);
  try {
    return gunzipSync(bytes, { maxOutputLength: BYTES_MAX });
  } catch (error) {
    throw new ContentFault(`${name} cannot be decompressed: ${(error as Error).message}`);
  }
}

export function compressionOf(bytes: Buffer): 'gzip' | 'bzip2' | 'xz' | undefined {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'gzip';
  if (bytes.subarray(0, 3).toString('latin1') === 'BZh') return 'bzip2';
  if (bytes.subarray(0, 6).toString('latin1') === '\u00fd7zXZ\u0000') return 'xz';
  return undefined;
}

/** Without line ends; a last line without one counts. */
export function linesOf(text: string): string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
