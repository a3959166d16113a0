import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemDisk } from '../../../protocol/blobs/disk.js';
import { someBytes } from './fixture.js';

type FileHandle = Awaited<ReturnType<typeof open>>;

let folder: string;
let file: FileHandle;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'galaxy-disk-'));
  file = await open(join(folder, 'file'), 'w');
});

afterEach(async () => {
  await file.close();
  await rm(folder, { recursive: true, force: true });
});

const inPieces = (bytes: Uint8Array, length: number) =>
  Array.from({ length: Math.ceil(bytes.length / length) }, (_, index) =>
    bytes.subarray(index * length, (index + 1) * length),
  );

describe('writing to the disk', () => {
  it('puts many pieces, empty ones among them, where they belong', async () => {
    const bytes = someBytes(10_000);
    // More than one call to the system takes.
    const pieces = [new Uint8Array(), ...inPieces(bytes, 3), new Uint8Array()];
    await systemDisk.write(file, pieces, 5);
    expect(Buffer.compare((await readFile(join(folder, 'file'))).subarray(5), bytes)).toBe(0);
  });

  it('goes on where the system stopped in the middle of a piece', async () => {
    const bytes = someBytes(1000);
    const short: Pick<FileHandle, 'write' | 'writev'> = {
      // Cast: only this one of its overloads is used.
      write: ((buffer: Uint8Array, offset: number, length: number, position: number) =>
        file.write(buffer, offset, Math.min(length, 7), position)) as FileHandle['write'],
      async writev(buffers, position) {
        const together = Buffer.concat(buffers as readonly Uint8Array[]).subarray(0, 33);
        const { bytesWritten } = await file.write(together, 0, together.length, position);
        return { bytesWritten, buffers };
      },
    };
    await systemDisk.write(short as FileHandle, inPieces(bytes, 50), 0);
    expect(Buffer.compare(await readFile(join(folder, 'file')), bytes)).toBe(0);
  });

  it('of nothing is nothing', async () => {
    await systemDisk.write(file, [], 0);
    await systemDisk.write(file, new Uint8Array(), 0);
    expect(await readFile(join(folder, 'file'))).toHaveLength(0);
  });
});
