/**
 * LevelDB's tables and the manifest that names them, for looking at them without it. LevelDB does not compare the
 * checksums of what it reads (its binding for Node.js has no option for that): a changed byte in a table would be read as
 * it is. Format: LevelDB's doc/table_format.md and doc/impl.md; Snappy's format_description.txt.
 */
import { crc32c, masked } from './crc32c.js';
import { recordsOf } from './leveldb-log.js';

const FOOTER_BYTES = 48;
const HANDLES_BYTES = 40;
const MAGIC = 0xdb4775248b80fb57n;
const TRAILER_BYTES = 5;
const PLAIN = 0;
const SNAPPY = 1;
/** Of one block before compression; LevelDB's are a few KiB, one with a large value a few MiB. */
const BLOCK_BYTES_MAX = 2 ** 30;

interface Handle {
  offset: number;
  size: number;
}

class Unreadable extends Error {
  constructor(readonly at: number) {
    super(`unreadable at byte ${at}`);
  }
}

/** Where a table is damaged: the first byte of what cannot be read, or is not what was written. */
export function tableDamagedAt(table: Uint8Array): number | undefined {
  try {
    checkTable(table);
    return undefined;
  } catch (error) {
    if (error instanceof Unreadable) return error.at;
    throw error;
  }
}

function checkTable(table: Uint8Array): void {
  const footerAt = table.length - FOOTER_BYTES;
  if (footerAt < 0) throw new Unreadable(0);
  const footer = new Reader(table.subarray(footerAt), footerAt);
  const metaIndex = footer.handle();
  const index = footer.handle();
  const view = new DataView(table.buffer, table.byteOffset + footerAt, FOOTER_BYTES);
  const isPadded = table.subarray(footerAt + footer.at, footerAt + HANDLES_BYTES).every((byte) => byte === 0);
  if (!isPadded || view.getBigUint64(HANDLES_BYTES, true) !== MAGIC) throw new Unreadable(footerAt);
  const handles = [
    ...entriesOf(block(table, index, footerAt), index.offset),
    ...entriesOf(block(table, metaIndex, footerAt), metaIndex.offset),
  ];
  for (const handle of handles) block(table, handle, footerAt);
  // Side by side and without a gap: what no handle names would be looked at by nobody.
  let covered = 0;
  for (const { offset, size } of [...handles, metaIndex, index].sort((a, b) => a.offset - b.offset)) {
    if (offset !== covered) throw new Unreadable(covered);
    covered += size + TRAILER_BYTES;
  }
  if (covered !== footerAt) throw new Unreadable(covered);
}

/** The bytes of a block as they are stored, with their kind of compression. */
function block(table: Uint8Array, { offset, size }: Handle, limit: number): { bytes: Uint8Array; kind: number } {
  const end = offset + size;
  // A handle that leads out of the table is itself what is wrong; the first one stands in the footer.
  if (end + TRAILER_BYTES > limit) throw new Unreadable(Math.min(offset, limit));
  const checksum = new DataView(table.buffer, table.byteOffset + end + 1, 4).getUint32(0, true);
  if (masked(crc32c(table.subarray(offset, end + 1))) !== checksum) throw new Unreadable(offset);
  return { bytes: table.subarray(offset, end), kind: table[end] as number };
}

/** The handles that an index block holds. Its checksum was right: what is odd in it was written so. */
function entriesOf({ bytes, kind }: { bytes: Uint8Array; kind: number }, at: number): Handle[] {
  if (kind !== PLAIN && kind !== SNAPPY) throw new Unreadable(at);
  const plain = kind === SNAPPY ? unsnappy(bytes, at) : bytes;
  if (plain.length < 4) throw new Unreadable(at);
  const view = new DataView(plain.buffer, plain.byteOffset, plain.length);
  const end = plain.length - 4 - 4 * view.getUint32(plain.length - 4, true);
  if (end < 0) throw new Unreadable(at);
  const reader = new Reader(plain.subarray(0, end), at);
  const handles: Handle[] = [];
  while (!reader.ended) {
    reader.number();
    const key = reader.number();
    const value = reader.number();
    reader.skip(key);
    const next = reader.at + value;
    handles.push(reader.handle());
    if (reader.at !== next) throw new Unreadable(at);
  }
  return handles;
}

function unsnappy(bytes: Uint8Array, at: number): Uint8Array {
  const reader = new Reader(bytes, at);
  const size = reader.number();
  if (size > BLOCK_BYTES_MAX) throw new Unreadable(at);
  const plain = new Uint8Array(size);
  let written = 0;
  while (!reader.ended) {
    const tag = reader.byte();
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >>> 2;
      const length = (short < 60 ? short : reader.little(short - 59)) + 1;
      if (written + length > size) throw new Unreadable(at);
      plain.set(reader.bytes(length), written);
      written += length;
      continue;
    }
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const back = kind === 1 ? ((tag >>> 5) << 8) | reader.byte() : reader.little(kind === 2 ? 2 : 4);
    if (back === 0 || back > written || written + length > size) throw new Unreadable(at);
    // Byte by byte: what is copied may reach into what is being written.
    for (let end = written + length; written < end; written++) plain[written] = plain[written - back] as number;
  }
  if (written !== size) throw new Unreadable(at);
  return plain;
}

/** Of a version edit: deleted file, new file; the others hold what is of no interest here. */
const TAGS = { comparator: 1, log: 2, next: 3, last: 4, pointer: 5, deleted: 6, added: 7, previous: 9 } as const;

/**
 * The tables in force by a manifest: number → size in bytes. Others in the folder were left by an interrupted compaction.
 * Undefined: the manifest is of a kind that is not known here.
 */
export function tablesInForce(manifest: Uint8Array): Map<number, number> | undefined {
  const tables = new Map<number, number>();
  try {
    for (const record of recordsOf(manifest)) {
      const reader = new Reader(record, 0);
      while (!reader.ended) {
        const tag = reader.number();
        if (tag === TAGS.comparator) reader.text();
        else if (tag === TAGS.log || tag === TAGS.next || tag === TAGS.last || tag === TAGS.previous) reader.number();
        else if (tag === TAGS.pointer) {
          reader.number();
          reader.text();
        } else if (tag === TAGS.deleted) {
          reader.number();
          tables.delete(reader.number());
        } else if (tag === TAGS.added) {
          reader.number();
          tables.set(reader.number(), reader.number());
          reader.text();
          reader.text();
        } else return undefined;
      }
    }
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
  return tables;
}

/** `origin`: where the bytes begin in their file, for saying where something is wrong. */
class Reader {
  at = 0;

  constructor(
    private readonly source: Uint8Array,
    private readonly origin: number,
  ) {}

  get ended(): boolean {
    return this.at >= this.source.length;
  }

  byte(): number {
    const byte = this.source[this.at];
    if (byte === undefined) throw new Unreadable(this.origin);
    this.at += 1;
    return byte;
  }

  bytes(length: number): Uint8Array {
    this.skip(length);
    return this.source.subarray(this.at - length, this.at);
  }

  skip(length: number): void {
    if (length > this.source.length - this.at) throw new Unreadable(this.origin);
    this.at += length;
  }

  /** Of `length` bytes, the least first. */
  little(length: number): number {
    let number = 0;
    for (let place = 0; place < length; place++) number += this.byte() * 2 ** (8 * place);
    return number;
  }

  /** Seven bits a byte, the least first; sizes and file numbers, far below 2^53. */
  number(): number {
    let number = 0;
    for (let scale = 1; scale < 2 ** 63; scale *= 128) {
      const byte = this.byte();
      number += (byte & 0x7f) * scale;
      if (byte >= 0x80) continue;
      // LevelDB writes no more bytes than it needs: this one was changed.
      if (byte === 0 && scale > 1) throw new Unreadable(this.origin);
      return number;
    }
    throw new Unreadable(this.origin);
  }

  text(): void {
    this.skip(this.number());
  }

  handle(): Handle {
    return { offset: this.number(), size: this.number() };
  }
}
