import { link, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manifestId } from '../../../protocol/blobs/manifest.js';
import { BlobFixture, content, enospc, inParts, MiB, manifestOf, put, someBytes } from './fixture.js';

let fixture: BlobFixture;

beforeEach(async () => {
  fixture = await BlobFixture.create();
  await fixture.open();
});

afterEach(() => fixture.remove());

async function listed(): Promise<string[]> {
  const ids: string[] = [];
  for await (const { blob } of fixture.blobs.list()) ids.push(blob);
  return ids;
}

const leftovers = async () => [
  ...(await readdir(join(fixture.folder, 'tmp'))),
  ...(await readdir(join(fixture.folder, 'partial'))),
];

describe('taking bytes in', () => {
  it.each([0, 1, MiB - 1, MiB, MiB + 1, 3.5 * MiB])('keeps %i bytes as one read-only file', async (size) => {
    const bytes = someBytes(size);
    const ref = await put(fixture.blobs, bytes, 333_333);
    expect(ref.size).toBe(size);
    const path = fixture.blobs.path(ref.blob);
    expect(Buffer.compare(await readFile(path), bytes)).toBe(0);
    expect((await stat(path)).mode & 0o777).toBe(0o444);
    expect(Buffer.compare(await content(fixture.blobs.read(ref.blob)), bytes)).toBe(0);
    expect((await fixture.blobs.manifest(ref.blob)).chunks).toHaveLength(Math.ceil(size / MiB));
    expect(fixture.blobs.size(ref.blob)).toBe(size);
    expect(fixture.blobs.usage()).toMatchObject({ blobs: 1, bytes: size });
    expect(await leftovers()).toEqual([]);
  });

  it('names equal bytes equally, however they are cut, and keeps them once', async () => {
    const bytes = someBytes(2.5 * MiB);
    const refs = await Promise.all([7_001, 65_536, MiB, 3 * MiB].map((part) => put(fixture.blobs, bytes, part)));
    expect(new Set(refs.map((ref) => ref.blob)).size).toBe(1);
    expect(fixture.blobs.usage()).toMatchObject({ blobs: 1, bytes: bytes.length });
    expect(await leftovers()).toEqual([]);
  });

  it('knows everything again after a restart', async () => {
    const refs = [await put(fixture.blobs, someBytes(10)), await put(fixture.blobs, someBytes(2 * MiB, 2))];
    await fixture.restart();
    expect(await listed()).toEqual(refs.map((ref) => ref.blob).sort());
    expect(fixture.blobs.usage()).toMatchObject({ blobs: 2, bytes: 10 + 2 * MiB });
    expect(manifestId(await manifestOf(fixture.blobs, refs[1]!.blob))).toBe(refs[1]!.blob);
  });

  it('takes a thousand small files at once and tells of each', async () => {
    const added: string[] = [];
    fixture.blobs.onAdded(({ blob }) => added.push(blob));
    const refs = await Promise.all(
      Array.from({ length: 1000 }, (_, seed) => put(fixture.blobs, someBytes(2048, seed))),
    );
    expect(added.sort()).toEqual(refs.map((ref) => ref.blob).sort());
    expect(await listed()).toEqual(added);
  });

  it('leaves nothing of what is too large', async () => {
    const tooLarge = fixture.blobs.put(inParts(someBytes(2 * MiB), 100_000), { sizeMax: 1.5 * MiB });
    await expect(tooLarge).rejects.toMatchObject({ code: 'blobs/too-large' });
    expect(await leftovers()).toEqual([]);
    expect(await listed()).toEqual([]);
  });

  it('gives up when told to, even while the source is silent', async () => {
    const stop = new AbortController();
    const silent = async function* () {
      yield someBytes(MiB + 5);
      stop.abort(new Error('enough'));
      await new Promise(() => {});
    };
    await expect(fixture.blobs.put(silent(), { signal: stop.signal })).rejects.toThrow('enough');
    expect(await leftovers()).toEqual([]);
  });

  it('gives up uploads when it stops, and takes no new ones', async () => {
    let started = () => {};
    const isStarted = new Promise<void>((resolve) => {
      started = resolve;
    });
    const endless = async function* () {
      yield someBytes(MiB);
      started();
      await new Promise(() => {});
    };
    const upload = expect(fixture.blobs.put(endless())).rejects.toMatchObject({ code: 'blobs/stopped' });
    await isStarted;
    await fixture.blobs.stop?.();
    await upload;
    await expect(put(fixture.blobs, someBytes(1))).rejects.toMatchObject({ code: 'blobs/stopped' });
    expect(await leftovers()).toEqual([]);
  });

  it('passes on the error of a source and keeps nothing', async () => {
    const broken = async function* () {
      yield someBytes(2 * MiB);
      throw new Error('connection lost');
    };
    await expect(fixture.blobs.put(broken())).rejects.toThrow('connection lost');
    expect(await leftovers()).toEqual([]);
  });
});

describe('reading', () => {
  it('gives any range, the end not included', async () => {
    const bytes = someBytes(2 * MiB + 77);
    const { blob } = await put(fixture.blobs, bytes);
    for (const [start, end] of [
      [0, 0],
      [0, 1],
      [MiB - 3, MiB + 3],
      [bytes.length - 1, bytes.length],
    ] as const) {
      const read = await content(fixture.blobs.read(blob, { start, end }));
      expect(Buffer.compare(read, bytes.subarray(start, end))).toBe(0);
    }
  });

  it('refuses ranges outside and blobs that are not here', async () => {
    const { blob } = await put(fixture.blobs, someBytes(10));
    await expect(content(fixture.blobs.read(blob, { start: 5, end: 11 }))).rejects.toMatchObject({
      code: 'blobs/bad-range',
    });
    await expect(content(fixture.blobs.read(blob, { start: -1, end: 1 }))).rejects.toMatchObject({
      code: 'blobs/bad-range',
    });
    await expect(content(fixture.blobs.read('nothing'))).rejects.toMatchObject({ code: 'blobs/not-found' });
    expect(() => fixture.blobs.path('nothing')).toThrow(expect.objectContaining({ code: 'blobs/not-found' }));
  });

  it('moves a blob aside whose file was cut short', async () => {
    const { blob } = await put(fixture.blobs, someBytes(2000));
    await rm(fixture.blobs.path(blob));
    await writeFile(fixture.blobs.path(blob), someBytes(1000));
    await expect(content(fixture.blobs.read(blob))).rejects.toMatchObject({ code: 'blobs/damaged' });
    expect(fixture.blobs.has(blob)).toBe(false);
  });
});

describe('taking a file over', () => {
  const source = () => join(fixture.root, 'output.dat');

  it('renames it, so that its bytes are not copied', async () => {
    const bytes = someBytes(MiB + 9);
    await writeFile(source(), bytes);
    const { ino } = await stat(source());
    const ref = await fixture.blobs.adopt(source());
    expect(ref).toEqual(await put(fixture.blobs, bytes));
    expect(await stat(fixture.blobs.path(ref.blob))).toMatchObject({ ino });
    expect((await stat(fixture.blobs.path(ref.blob))).mode & 0o777).toBe(0o444);
    await expect(stat(source())).rejects.toThrow('ENOENT');
  });

  it('takes the place of a copy that is here already', async () => {
    const bytes = someBytes(5000);
    const { blob } = await put(fixture.blobs, bytes);
    await writeFile(source(), bytes);
    expect(await fixture.blobs.adopt(source())).toEqual({ blob, size: 5000 });
    await expect(stat(source())).rejects.toThrow('ENOENT');
    expect(Buffer.compare(await readFile(fixture.blobs.path(blob)), bytes)).toBe(0);
  });

  it('copies a file that has a second name, because that name can still be written', async () => {
    const other = join(fixture.root, 'other-name');
    await writeFile(source(), someBytes(4000));
    await link(source(), other);
    const { blob } = await fixture.blobs.adopt(source());
    await writeFile(other, 'changed');
    expect(Buffer.compare(await readFile(fixture.blobs.path(blob)), someBytes(4000))).toBe(0);
    expect(await stat(fixture.blobs.path(blob))).toMatchObject({ nlink: 1 });
  });

  it('refuses symbolic links, folders, missing files and its own files', async () => {
    await writeFile(source(), 'x');
    await symlink(source(), join(fixture.root, 'a-link'));
    await mkdir(join(fixture.root, 'a-folder'));
    const { blob } = await put(fixture.blobs, someBytes(10));
    for (const file of ['a-link', 'a-folder', 'nothing'].map((name) => join(fixture.root, name))) {
      await expect(fixture.blobs.adopt(file)).rejects.toMatchObject({ code: 'blobs/not-a-file' });
    }
    await expect(fixture.blobs.adopt(fixture.blobs.path(blob))).rejects.toMatchObject({ code: 'blobs/not-a-file' });
    expect(Buffer.compare(await content(fixture.blobs.read(blob)), someBytes(10))).toBe(0);
  });

  it('puts the file back where it was when it could not be recorded', async () => {
    await writeFile(source(), someBytes(3000));
    fixture.commitError = enospc();
    await expect(fixture.blobs.adopt(source())).rejects.toMatchObject({ code: 'blobs/no-space' });
    expect(Buffer.compare(await readFile(source()), someBytes(3000))).toBe(0);
    fixture.commitError = undefined;
    expect(await fixture.blobs.adopt(source())).toMatchObject({ size: 3000 });
  });
});

describe('a full disk', () => {
  it('refuses what would leave too little free, and goes on when there is room', async () => {
    fixture.freeBytes = 1.5 * MiB;
    await expect(put(fixture.blobs, someBytes(3 * MiB))).rejects.toMatchObject({ code: 'blobs/no-space' });
    expect(await leftovers()).toEqual([]);
    fixture.freeBytes = 10 * MiB;
    expect(await put(fixture.blobs, someBytes(3 * MiB))).toMatchObject({ size: 3 * MiB });
  });

  it('is one error, whether writing or recording failed, and leaves nothing', async () => {
    fixture.writeError = enospc();
    await expect(put(fixture.blobs, someBytes(3 * MiB))).rejects.toMatchObject({ code: 'blobs/no-space' });
    fixture.writeError = undefined;
    fixture.commitError = enospc();
    await expect(put(fixture.blobs, someBytes(3 * MiB))).rejects.toMatchObject({ code: 'blobs/no-space' });
    fixture.commitError = undefined;
    expect(await leftovers()).toEqual([]);
    expect(await listed()).toEqual([]);
    const { blob } = await put(fixture.blobs, someBytes(3 * MiB));
    await fixture.restart();
    expect(await listed()).toEqual([blob]);
  });
});

describe('a start after a crash', () => {
  it('empties what was half written', async () => {
    await writeFile(join(fixture.folder, 'tmp', 'half'), 'half');
    await fixture.restart();
    expect(await leftovers()).toEqual([]);
    expect(await listed()).toEqual([]);
  });

  it('takes in a whole file that was renamed and not recorded', async () => {
    const donor = await BlobFixture.create();
    try {
      const { blob } = await put(await donor.open(), someBytes(MiB + 1));
      await rename(donor.blobs.path(blob), join(fixture.folder, blob.slice(-2), blob));
      expect(fixture.blobs.has(blob)).toBe(false);
      await fixture.restart();
      expect(await listed()).toEqual([blob]);
      expect(Buffer.compare(await content(fixture.blobs.read(blob)), someBytes(MiB + 1))).toBe(0);
    } finally {
      await donor.remove();
    }
  });

  it('moves a file aside whose bytes are not those of its name', async () => {
    const { blob } = await put(fixture.blobs, someBytes(10));
    const name = `${blob.slice(0, 20)}${blob.slice(20, 30).split('').reverse().join('')}${blob.slice(30)}`;
    await writeFile(join(fixture.folder, blob.slice(-2), name), 'other bytes');
    await fixture.restart();
    expect(await listed()).toEqual([blob]);
    expect(await readdir(join(fixture.folder, 'quarantine'))).toEqual([name]);
  });

  it('leaves a file alone that is no blob', async () => {
    const foreign = join(fixture.folder, 'aa', 'README');
    await writeFile(foreign, 'mine');
    await fixture.restart();
    expect(await readFile(foreign, 'utf8')).toBe('mine');
    expect(fixture.lines.some(({ level }) => level === 'warn')).toBe(true);
  });

  it('reports a recorded blob whose file is missing, and serves it again once the file is back', async () => {
    const { blob } = await put(fixture.blobs, someBytes(500));
    const path = fixture.blobs.path(blob);
    await rename(path, join(fixture.root, 'elsewhere'));
    await fixture.restart();
    expect(fixture.blobs.has(blob)).toBe(false);
    expect(await listed()).toEqual([]);
    expect(fixture.blobs.damaged()).toEqual([{ id: blob, size: 500, reason: 'its file is missing' }]);
    expect(fixture.lines.some(({ level }) => level === 'error')).toBe(true);
    await rename(join(fixture.root, 'elsewhere'), path);
    await fixture.restart();
    expect(fixture.blobs.has(blob)).toBe(true);
  });
});

describe('quarantine', () => {
  it('stops serving a damaged blob, also after a restart, until it is here again', async () => {
    const { blob } = await put(fixture.blobs, someBytes(500));
    await fixture.blobs.quarantine(blob, 'a bit fell over');
    expect(fixture.blobs.has(blob)).toBe(false);
    expect(fixture.blobs.usage()).toMatchObject({ blobs: 0, bytes: 0 });
    await fixture.restart();
    expect(fixture.blobs.damaged()).toEqual([{ id: blob, size: 500, reason: 'a bit fell over' }]);
    expect(await readdir(join(fixture.folder, 'quarantine'))).toEqual([blob]);
    await put(fixture.blobs, someBytes(500));
    expect(fixture.blobs.has(blob)).toBe(true);
    expect(fixture.blobs.damaged()).toEqual([]);
    expect(await readdir(join(fixture.folder, 'quarantine'))).toEqual([]);
  });
});
