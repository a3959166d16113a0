/** Small archives for tests, written by hand: what a tool's zip or tar looks like. */
import { crc32, deflateRawSync } from 'node:zlib';

type Entries = readonly (readonly [name: string, text: string])[];

export function zipOf(
  entries: Entries,
  how = { method: 8, pack: deflateRawSync as (bytes: Buffer) => Buffer },
): Buffer {
  const files: Buffer[] = [];
  const index: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of entries) {
    const body = how.pack(Buffer.from(text));
    const label = Buffer.from(name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(how.method, 8);
    local.writeUInt32LE(sum(text), 14);
    local.writeUInt32LE(body.length, 18);
    local.writeUInt32LE(Buffer.byteLength(text), 22);
    local.writeUInt16LE(label.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(how.method, 10);
    entry.writeUInt32LE(body.length, 20);
    entry.writeUInt32LE(Buffer.byteLength(text), 24);
    entry.writeUInt16LE(label.length, 28);
    entry.writeUInt32LE(offset, 42);
    files.push(local, label, body);
    index.push(entry, label);
    offset += local.length + label.length + body.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...files, ...index, end]);
}

/** Old Node.js has no crc32; nothing here checks it. */
function sum(text: string): number {
  return typeof crc32 === 'function' ? crc32(text) : 0;
}

export function tarOf(entries: Entries): Buffer {
  const blocks = entries.flatMap(([name, text]) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(Buffer.byteLength(text).toString(8).padStart(11, '0'), 124);
    header.write(name.endsWith('/') ? '5' : '0', 156);
    header.write('ustar', 257);
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(text) / 512) * 512);
    body.write(text);
    return [header, body];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
