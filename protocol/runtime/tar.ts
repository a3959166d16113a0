/**
 * Reads a tar archive (ustar, as npm writes it) from a stream, one regular file at a time. Strict: a link, a device, a
 * name that leaves the archive or an extended header that renames or resizes a file ends the reading, because nothing
 * honest contains them. Rejected: a tar library, for forty lines that must be trusted.
 */
import { defineErrors } from './errors.js';

const tarErrors = defineErrors('tar', {
  unsafe: {
    kind: 'untrusted',
    say: 'The archive was refused: {reason}.',
    mend: 'Nothing of it was kept. Fetch it again, from a source that you trust.',
  },
});

const BLOCK_BYTES = 512;

export interface TarFile {
  /** Relative, with `/`, without `.` or `..` parts. */
  path: string;
  bytes: Buffer;
}

export interface TarLimits {
  filesMax: number;
  fileBytesMax: number;
  totalBytesMax: number;
}

/** Errors: `tar/unsafe`, and the source's. */
export async function* readTar(source: AsyncIterable<Uint8Array>, limits: TarLimits): AsyncGenerator<TarFile> {
  const reader = new BlockReader(source);
  let files = 0;
  let total = 0;
  for (;;) {
    const header = await reader.take(BLOCK_BYTES);
    if (header === undefined) throw refuse('it ends in the middle');
    if (header.every((byte) => byte === 0)) return;
    if (checksumOf(header) !== octal(header, 148, 8)) throw refuse('a header has a wrong checksum');
    const size = octal(header, 124, 12);
    const type = String.fromCharCode(header[156] ?? 0);
    files += 1;
    total += size;
    if (files > limits.filesMax) throw refuse(`it has more than ${limits.filesMax} entries`);
    if (size > limits.fileBytesMax) throw refuse(`an entry has ${size} bytes`);
    if (total > limits.totalBytesMax) throw refuse(`it unpacks to more than ${limits.totalBytesMax} bytes`);
    const body = await reader.take(Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES);
    if (body === undefined) throw refuse('it ends in the middle');
    const bytes = body.subarray(0, size);
    if (type === '0' || type === '\u0000') {
      yield { path: safePath(nameOf(header)), bytes };
    } else if (type === 'x' || type === 'g') {
      if (/ (path|linkpath|size)=/.test(bytes.toString('utf8'))) throw refuse('it renames files by extended headers');
    } else if (type !== '5') {
      throw refuse(`it holds an entry of type ${JSON.stringify(type)}`);
    }
  }
}

function nameOf(header: Buffer): string {
  const name = text(header, 0, 100);
  const prefix = text(header, 257, 5) === 'ustar' ? text(header, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function safePath(path: string): string {
  const parts = path.split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..' || /[\\\p{Cc}]/u.test(part));
  if (bad) throw refuse(`it holds a file named ${JSON.stringify(path.slice(0, 120))}`);
  return path;
}

function text(header: Buffer, at: number, length: number): string {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? length : end).toString('utf8');
}

function octal(header: Buffer, at: number, length: number): number {
  const digits = text(header, at, length).trim();
  if (!/^[0-7]{0,11}$/.test(digits)) throw refuse('a header holds a number that is none');
  return Number.parseInt(digits || '0', 8);
}

/** The sum of the header's bytes, its own field read as spaces. */
function checksumOf(header: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK_BYTES; at++) if (at < 148 || at >= 156) sum += header[at] ?? 0;
  return sum;
}

function refuse(reason: string) {
  return tarErrors('unsafe', { reason });
}

/** Exactly so many bytes at a time, out of chunks of any size. */
class BlockReader {
  private readonly chunks: AsyncIterator<Uint8Array>;
  private held: Buffer[] = [];
  private heldBytes = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.chunks = source[Symbol.asyncIterator]();
  }

  /** Undefined when the source ends before that. */
  async take(bytes: number): Promise<Buffer | undefined> {
    while (this.heldBytes < bytes) {
      const next = await this.chunks.next();
      if (next.done) return undefined;
      this.held.push(Buffer.from(next.value));
      this.heldBytes += next.value.length;
    }
    const all = this.held.length === 1 ? (this.held[0] as Buffer) : Buffer.concat(this.held);
    this.held = all.length > bytes ? [all.subarray(bytes)] : [];
    this.heldBytes = all.length - bytes;
    return all.subarray(0, bytes);
  }
}
