/**
 * The members of a zip or tar that a tool wrote, by name and bytes. Read from memory and within bounds: tests look at
 * small archives. Rejected: a library for each, for what is a page of each format.
 */
import { inflateRawSync } from 'node:zlib';
import { ContentFault, decompress } from './produced.js';

export interface ArchiveMember {
  name: string;
  bytes(): Buffer;
}

const MEMBERS_MAX = 100_000;
const MEMBER_BYTES_MAX = 256 * 2 ** 20;
const END_OF_ZIP = 0x06054b50;
const ENTRY_OF_ZIP = 0x02014b50;
const BLOCK = 512;

/** Undefined: it is neither. Throws ContentFault for a damaged one. */
export function archiveMembers(bytes: Buffer, name: string): ArchiveMember[] | undefined {
  if (bytes.subarray(0, 2).toString('latin1') === 'PK') return zipMembers(bytes, name);
  const plain = decompress(bytes, name);
  if (plain.length >= BLOCK && plain.subarray(257, 262).toString('latin1') === 'ustar') return tarMembers(plain, name);
  return undefined;
}

function zipMembers(bytes: Buffer, archive: string): ArchiveMember[] {
  let end = bytes.length - 22;
  while (end >= 0 && bytes.readUInt32LE(end) !== END_OF_ZIP) end -= 1;
  if (end < 0) throw new ContentFault(`${archive} is a damaged zip archive`);
  const count = bytes.readUInt16LE(end + 10);
  let at = bytes.readUInt32LE(end + 16);
  const members: ArchiveMember[] = [];
  for (let i = 0; i < count && i < MEMBERS_MAX; i++) {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== ENTRY_OF_ZIP) {
      throw new ContentFault(`${archive} is a damaged zip archive`);
    }
    const method = bytes.readUInt16LE(at + 10);
    const packed = bytes.readUInt32LE(at + 20);
    const nameBytes = bytes.readUInt16LE(at + 28);
    const skip = bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    const local = bytes.readUInt32LE(at + 42);
    const name = bytes.subarray(at + 46, at + 46 + nameBytes).toString('utf8');
    members.push({ name, bytes: () => unzip(bytes, { local, packed, method }, `${name} in ${archive}`) });
    at += 46 + nameBytes + skip;
  }
  return members;
}

function unzip(
  bytes: Buffer,
  { local, packed, method }: { local: number; packed: number; method: number },
  name: string,
): Buffer {
  if (local + 30 > bytes.length) throw new ContentFault(`${name} is damaged`);
  const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
  const held = bytes.subarray(start, start + packed);
  if (method === 0) return held;
  if (method !== 8) throw new ContentFault(`${name} is packed by a method (${method}) that tests cannot open`);
  try {
    return inflateRawSync(held, { maxOutputLength: MEMBER_BYTES_MAX });
  } catch (error) {
    throw new ContentFault(`${name} cannot be unpacked: ${(error as Error).message}`);
  }
}

function tarMembers(bytes: Buffer, archive: string): ArchiveMember[] {
  const members: ArchiveMember[] = [];
  let longName: string | undefined;
  for (let at = 0; at + BLOCK <= bytes.length && members.length < MEMBERS_MAX; ) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    const size = Number.parseInt(field(header, 124, 12).trim() || '0', 8);
    if (!Number.isFinite(size) || size < 0) throw new ContentFault(`${archive} is a damaged tar archive`);
    const type = String.fromCharCode(header[156] ?? 0);
    const start = at + BLOCK;
    const body = bytes.subarray(start, start + size);
    at = start + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'L') longName = body.toString('utf8').replace(/\0.*$/s, '');
    else if (type === 'x') longName = paxPath(body) ?? longName;
    else if (type !== 'g' && type !== 'K') {
      const prefix = field(header, 345, 155);
      const own = field(header, 0, 100);
      const name = longName ?? (prefix === '' ? own : `${prefix}/${own}`);
      longName = undefined;
      members.push({ name: name.replace(/\/+$/, '') || name, bytes: () => body });
    }
  }
  return members;
}

function paxPath(body: Buffer): string | undefined {
  return /^\d+ path=(.*)$/m.exec(body.toString('utf8'))?.[1];
}

function field(header: Buffer, from: number, length: number): string {
  return header
    .subarray(from, from + length)
    .toString('utf8')
    .replace(/\0.*$/s, '');
}
