import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BlobFixture, content, enospc, MiB, manifestOf, put, someBytes } from './fixture.js';

let origin: BlobFixture;
let fixture: BlobFixture;
const bytes = someBytes(4.5 * MiB);
const chunk = (index: number, of = bytes) => of.slice(index * MiB, (index + 1) * MiB);
let id: string;
let manifest: Uint8Array;

beforeEach(async () => {
  origin = await BlobFixture.create();
  fixture = await BlobFixture.create();
  await Promise.all([origin.open(), fixture.open()]);
  id = (await put(origin.blobs, bytes)).blob;
  manifest = await manifestOf(origin.blobs, id);
});

afterEach(() => Promise.all([origin.remove(), fixture.remove()]));

describe('a partial blob', () => {
  it('becomes a blob once all chunks are there, in any order', async () => {
    const partial = await fixture.blobs.partial(id, manifest);
    for (const index of [4, 0, 2, 1]) await partial.write(index, chunk(index));
    expect(partial.missing()).toEqual([3]);
    await expect(partial.finish()).rejects.toMatchObject({ code: 'blobs/incomplete' });
    expect(fixture.blobs.has(id)).toBe(false);
    await partial.write(3, chunk(3));
    await partial.finish();
    expect(Buffer.compare(await content(fixture.blobs.read(id)), bytes)).toBe(0);
    expect(await readdir(join(fixture.folder, 'partial'))).toEqual([]);
    await expect(fixture.blobs.partial(id, manifest)).rejects.toMatchObject({ code: 'blobs/exists' });
  });

  it('refuses wrong bytes and changes nothing', async () => {
    const partial = await fixture.blobs.partial(id, manifest);
    const wrong = chunk(1);
    wrong[77] = (wrong[77] as number) ^ 1;
    await expect(partial.write(1, wrong)).rejects.toMatchObject({ code: 'blobs/wrong-bytes' });
    await expect(partial.write(1, chunk(2))).rejects.toMatchObject({ code: 'blobs/wrong-bytes' });
    await expect(partial.write(9, chunk(1))).rejects.toMatchObject({ code: 'blobs/wrong-bytes' });
    expect(partial.missing()).toEqual([0, 1, 2, 3, 4]);
  });

  it('goes on after a release where it was', async () => {
    const first = await fixture.blobs.partial(id, manifest);
    await first.write(0, chunk(0));
    await first.write(4, chunk(4));
    await first.release();
    await fixture.restart();
    const second = await fixture.blobs.partial(id, manifest);
    expect(second.missing()).toEqual([1, 2, 3]);
    for (const index of second.missing()) await second.write(index, chunk(index));
    await second.finish();
    expect(Buffer.compare(await content(fixture.blobs.read(id)), bytes)).toBe(0);
  });

  it('counts only synced chunks after a crash', async () => {
    const large = someBytes(66 * MiB, 9);
    const { blob } = await put(origin.blobs, large, MiB);
    const first = await fixture.blobs.partial(blob, await manifestOf(origin.blobs, blob));
    for (let index = 0; index < 65; index++) await first.write(index, chunk(index, large));
    // Waits for the checkpoint at 64 MiB without making one of its own.
    await expect(first.finish()).rejects.toMatchObject({ code: 'blobs/incomplete' });
    const bitmap = join(fixture.folder, 'partial', `${blob}.chunks`);
    await expect.poll(async () => (await readFile(bitmap)).subarray(0, 8).every((byte) => byte === 255)).toBe(true);
    await fixture.crash();
    await fixture.open();
    const second = await fixture.blobs.partial(blob, await manifestOf(origin.blobs, blob));
    expect(second.missing()).toEqual([64, 65]);
  });

  it('starts anew when its files do not fit together', async () => {
    const first = await fixture.blobs.partial(id, manifest);
    await first.write(0, chunk(0));
    await first.release();
    await writeFile(join(fixture.folder, 'partial', `${id}.chunks`), 'nonsense');
    const second = await fixture.blobs.partial(id, manifest);
    expect(second.missing()).toEqual([0, 1, 2, 3, 4]);
  });

  it('is one at a time', async () => {
    const first = await fixture.blobs.partial(id, manifest);
    await expect(fixture.blobs.partial(id, manifest)).rejects.toMatchObject({ code: 'blobs/busy' });
    await first.release();
    await (await fixture.blobs.partial(id, manifest)).release();
  });

  it('is refused with the manifest of another blob', async () => {
    const other = await put(origin.blobs, someBytes(3, 3));
    await expect(fixture.blobs.partial(other.blob, manifest)).rejects.toMatchObject({ code: 'blobs/bad-manifest' });
    await expect(fixture.blobs.partial('../../etc', manifest)).rejects.toMatchObject({ code: 'blobs/malformed-id' });
  });

  it('is written from the pieces in which a chunk came', async () => {
    const partial = await fixture.blobs.partial(id, manifest);
    for (let index = 0; index < 5; index++) {
      const whole = chunk(index);
      const cuts = [0, 1, 77, 65_536, 65_536, 300_001, whole.length];
      await partial.write(
        index,
        cuts.slice(1).map((cut, at) => whole.subarray(cuts[at], cut)),
      );
    }
    await partial.finish();
    expect(Buffer.compare(await content(fixture.blobs.read(id)), bytes)).toBe(0);
  });

  it('refuses pieces that are wrong together', async () => {
    const partial = await fixture.blobs.partial(id, manifest);
    const whole = chunk(1);
    const [first, second] = [whole.subarray(0, 1000), whole.subarray(1000)];
    await expect(partial.write(1, [second, first])).rejects.toMatchObject({ code: 'blobs/wrong-bytes' });
    await expect(partial.write(1, [first])).rejects.toMatchObject({ code: 'blobs/wrong-bytes' });
    expect(partial.missing()).toContain(1);
  });

  it('of one chunk is read-only on the shelf, also when it took two tries', async () => {
    for (const error of ['write', 'commit'] as const) {
      const small = someBytes(2048, error.length);
      const { blob } = await put(origin.blobs, small);
      const partial = await fixture.blobs.partial(blob, await manifestOf(origin.blobs, blob));
      if (error === 'write') {
        fixture.writeError = enospc();
        await expect(partial.write(0, small)).rejects.toMatchObject({ code: 'blobs/no-space' });
        expect(partial.missing()).toEqual([0]);
        fixture.writeError = undefined;
      }
      await partial.write(0, [small.subarray(0, 5), small.subarray(5)]);
      if (error === 'commit') {
        fixture.commitError = enospc();
        await expect(partial.finish()).rejects.toMatchObject({ code: 'blobs/no-space' });
        fixture.commitError = undefined;
      }
      await partial.finish();
      const path = fixture.blobs.path(blob);
      expect((await stat(path)).mode & 0o777).toBe(0o444);
      expect(Buffer.compare(await readFile(path), small)).toBe(0);
    }
    expect(await readdir(join(fixture.folder, 'tmp'))).toEqual([]);
  });

  it('of one chunk leaves no file behind when it is released', async () => {
    const { blob } = await put(origin.blobs, someBytes(2048, 4));
    const partial = await fixture.blobs.partial(blob, await manifestOf(origin.blobs, blob));
    await partial.write(0, someBytes(2048, 4));
    await partial.release();
    expect(await readdir(join(fixture.folder, 'tmp'))).toEqual([]);
    expect(fixture.blobs.has(blob)).toBe(false);
  });

  it('may be empty', async () => {
    const { blob } = await put(origin.blobs, new Uint8Array());
    const partial = await fixture.blobs.partial(blob, await manifestOf(origin.blobs, blob));
    expect(partial.missing()).toEqual([]);
    await partial.finish();
    expect(fixture.blobs.size(blob)).toBe(0);
  });

  it('yields to the same blob put here meanwhile', async () => {
    const partial = await fixture.blobs.partial(id, manifest);
    for (let index = 0; index < 5; index++) await partial.write(index, chunk(index));
    await put(fixture.blobs, bytes);
    await partial.finish();
    expect(fixture.blobs.usage()).toMatchObject({ blobs: 1, bytes: bytes.length });
    expect(await readdir(join(fixture.folder, 'partial'))).toEqual([]);
  });
});

describe('room for partial blobs', () => {
  it('is reserved when one is opened and given back when it is released', async () => {
    fixture.freeBytes = 8 * MiB;
    const first = await fixture.blobs.partial(id, manifest);
    const otherBytes = someBytes(4 * MiB, 5);
    const other = await put(origin.blobs, otherBytes);
    const otherManifest = await manifestOf(origin.blobs, other.blob);
    await expect(fixture.blobs.partial(other.blob, otherManifest)).rejects.toMatchObject({ code: 'blobs/no-space' });
    await expect(put(fixture.blobs, someBytes(4 * MiB, 6))).rejects.toMatchObject({ code: 'blobs/no-space' });
    await first.release();
    await (await fixture.blobs.partial(other.blob, otherManifest)).release();
  });

  it('ends at the capacity offered to others, which does not bind what is put here', async () => {
    await fixture.remove();
    fixture = await BlobFixture.create();
    fixture.capacityBytes = 4 * MiB;
    await fixture.open();
    await expect(fixture.blobs.partial(id, manifest)).rejects.toMatchObject({ code: 'blobs/no-space' });
    expect(fixture.blobs.usage().freeBytes).toBe(4 * MiB);
    expect(await put(fixture.blobs, bytes)).toMatchObject({ blob: id });
    expect(fixture.blobs.usage().freeBytes).toBe(0);
  });

  it('is found by giving up fetches that nobody goes on with', async () => {
    const first = await fixture.blobs.partial(id, manifest);
    await first.write(0, chunk(0));
    await first.release();
    const other = await put(origin.blobs, someBytes(4 * MiB, 5));
    fixture.freeBytes = 2 * MiB;
    const next = fixture.blobs.partial(other.blob, await manifestOf(origin.blobs, other.blob));
    await expect(next).rejects.toMatchObject({ code: 'blobs/no-space' });
    expect(await readdir(join(fixture.folder, 'partial'))).toEqual([]);
  });

  it('lost in the middle is an error that can be overcome', async () => {
    const partial = await fixture.blobs.partial(id, manifest);
    await partial.write(0, chunk(0));
    fixture.writeError = enospc();
    await expect(partial.write(1, chunk(1))).rejects.toMatchObject({ code: 'blobs/no-space' });
    fixture.writeError = undefined;
    for (const index of partial.missing()) await partial.write(index, chunk(index));
    fixture.commitError = enospc();
    await expect(partial.finish()).rejects.toMatchObject({ code: 'blobs/no-space' });
    expect(fixture.blobs.has(id)).toBe(false);
    fixture.commitError = undefined;
    await partial.finish();
    expect(Buffer.compare(await content(fixture.blobs.read(id)), bytes)).toBe(0);
  });
});
