import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClientKeeper } from '../../../node/web/client-keeper.js';
import { type ClientPin, clientErrors, fetchClient, hasClient } from '../../../protocol/runtime/client-asset.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { readTar } from '../../../protocol/runtime/tar.js';
import { ManualClock } from '../../support/manual-clock.js';
import { makeClientFolder } from './client-folder.js';

let parent: string;
let folder: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'galaxy-asset-'));
  folder = join(parent, '25.1.2');
});
afterEach(() => rm(parent, { recursive: true, force: true }));

interface TarEntry {
  path: string;
  text?: string;
  type?: string;
  prefix?: string;
  size?: number;
}

function tar(entries: TarEntry[], ending = Buffer.alloc(1024)): Buffer {
  const blocks = entries.flatMap(({ path, text = '', type = '0', prefix = '', size }) => {
    const body = Buffer.from(text);
    const header = Buffer.alloc(512);
    header.write(path, 0);
    header.write('0000644\0', 100);
    header.write(`${(size ?? body.length).toString(8).padStart(11, '0')}\0`, 124);
    header.write('        ', 148);
    header.write(type, 156);
    header.write('ustar\x0000', 257);
    header.write(prefix, 345);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, ending]);
}

const WHOLE: TarEntry[] = [
  { path: 'package/package.json', text: '{}' },
  { path: 'package/dist/libs.bundled.js', text: `/* ${'libs '.repeat(500)} */` },
  { path: 'package/dist/analysis.bundled.js', text: 'analysis' },
  { path: 'package/dist/base.css', text: 'base' },
  { path: 'maps/x.map', prefix: 'package/dist', text: 'map' },
];

function pinned(entries: TarEntry[]) {
  const bytes = gzipSync(tar(entries));
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  const pin: ClientPin = { name: 'client', version: '25.1.2', integrity };
  let packed = 0;
  const pack = async (_pin: ClientPin, work: string) => {
    packed += 1;
    await writeFile(join(work, 'client.tgz'), bytes);
    return join(work, 'client.tgz');
  };
  return { pin, pack, times: () => packed };
}

describe('fetching the client', () => {
  it('unpacks dist alone, with a compressed copy of what is large, and does it once', async () => {
    const { pin, pack, times } = pinned(WHOLE);
    const steps: string[] = [];
    const onProgress = ({ step }: { step: string }) => steps.push(step);
    expect(await fetchClient({ folder, pin, pack, onProgress })).toEqual({ version: '25.1.2', fetched: true });
    expect(await hasClient(folder)).toBe(true);
    expect([...new Set(steps)]).toEqual(['fetch', 'check', 'unpack']);
    expect((await readdir(folder)).sort()).toEqual(['asset.json', 'dist']);
    expect((await readdir(join(folder, 'dist'))).sort()).toEqual([
      'analysis.bundled.js',
      'base.css',
      'libs.bundled.js',
      'libs.bundled.js.gz',
      'maps',
    ]);
    const zipped = await readFile(join(folder, 'dist', 'libs.bundled.js.gz'));
    expect(gunzipSync(zipped).toString()).toBe(WHOLE[1]?.text);
    expect(await fetchClient({ folder, pin, pack })).toEqual({ version: '25.1.2', fetched: false });
    expect(times()).toBe(1);
    expect(await readdir(parent)).toEqual(['25.1.2']);
  });

  it('several at once end with one whole copy', async () => {
    const { pin, pack } = pinned(WHOLE);
    for (const damaged of [false, true, true]) {
      if (damaged) await truncate(join(folder, 'dist', 'maps', 'x.map'), 0);
      await Promise.all([1, 2, 3, 4].map(() => fetchClient({ folder, pin, pack })));
      expect(await hasClient(folder)).toBe(true);
    }
    expect(await readdir(parent)).toEqual(['25.1.2']);
  });

  it('a copy that lost bytes is fetched anew', async () => {
    const { pin, pack, times } = pinned(WHOLE);
    await fetchClient({ folder, pin, pack });
    await truncate(join(folder, 'dist', 'maps', 'x.map'), 0);
    expect(await hasClient(folder)).toBe(false);
    expect((await fetchClient({ folder, pin, pack })).fetched).toBe(true);
    expect(times()).toBe(2);
    expect(await hasClient(folder)).toBe(true);
  });

  it('another hash than the pinned one is refused and nothing is kept', async () => {
    const { pack, pin } = pinned(WHOLE);
    const other = { ...pin, integrity: 'sha512-AAAA' };
    await expect(fetchClient({ folder, pin: other, pack })).rejects.toMatchObject({ code: 'client/wrong-hash' });
    expect(await readdir(parent)).toEqual([]);
  });

  it.each<[string, TarEntry]>([
    ['a name that climbs out', { path: 'package/dist/../../../evil', text: 'x' }],
    ['an absolute name', { path: '/etc/evil', text: 'x' }],
    ['a name with a backslash', { path: 'package/dist/..\\evil', text: 'x' }],
    ['a symbolic link', { path: 'package/dist/link', type: '2' }],
    ['a hard link', { path: 'package/dist/link', type: '1' }],
    ['a renaming header', { path: 'package/x', type: 'x', text: '20 path=../../evil\n' }],
    ['an entry larger than allowed', { path: 'package/dist/huge', size: 2 ** 31 }],
  ])('an archive with %s is refused and nothing is kept', async (_, entry) => {
    const { pin, pack } = pinned([...WHOLE, entry]);
    await expect(fetchClient({ folder, pin, pack })).rejects.toMatchObject({ code: 'tar/unsafe' });
    expect(await readdir(parent)).toEqual([]);
  });

  it('an archive without a needed file is refused', async () => {
    const { pin, pack } = pinned(WHOLE.slice(0, 3));
    await expect(fetchClient({ folder, pin, pack })).rejects.toMatchObject({ code: 'client/incomplete' });
    expect(await readdir(parent)).toEqual([]);
  });

  it('takes no longer than it may', async () => {
    const { pin } = pinned(WHOLE);
    const pack = (_pin: ClientPin, _work: string, signal: AbortSignal) =>
      new Promise<string>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
    await expect(fetchClient({ folder, pin, pack, deadlineMs: 20 })).rejects.toMatchObject({ code: 'client/too-slow' });
  });

  it('says so when the folder cannot be written', async () => {
    const { pin, pack } = pinned(WHOLE);
    await writeFile(join(parent, 'file'), '');
    const below = join(parent, 'file', '25.1.2');
    await expect(fetchClient({ folder: below, pin, pack })).rejects.toMatchObject({ code: 'client/unwritable' });
  });
});

describe('reading an archive', () => {
  const limits = { filesMax: 3, fileBytesMax: 1000, totalBytesMax: 1500 };
  async function* inPieces(bytes: Buffer, size: number) {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const all = async (bytes: Buffer, size = 100) => {
    const found: [string, string][] = [];
    for await (const file of readTar(inPieces(bytes, size), limits)) found.push([file.path, file.bytes.toString()]);
    return found;
  };

  it.each([1, 7, 512, 4096])('gives the same in pieces of %i bytes', async (size) => {
    const bytes = tar([
      { path: 'a', text: 'one' },
      { path: 'b/', type: '5' },
      { path: 'b/c', text: 'x'.repeat(600) },
    ]);
    expect(await all(bytes, size)).toEqual([
      ['a', 'one'],
      ['b/c', 'x'.repeat(600)],
    ]);
  });

  it.each([
    ['too many entries', tar([1, 2, 3, 4].map((n) => ({ path: `f${n}` })))],
    [
      'too many bytes',
      tar([
        { path: 'a', text: 'x'.repeat(900) },
        { path: 'b', text: 'x'.repeat(900) },
      ]),
    ],
    ['an end in the middle', tar([{ path: 'a', text: 'x'.repeat(600) }]).subarray(0, 700)],
    ['no end', tar([{ path: 'a', text: 'x' }], Buffer.alloc(0))],
    ['a wrong checksum', Buffer.concat([Buffer.from('x'), tar([{ path: 'a' }]).subarray(1)])],
  ])('%s is refused', async (_, bytes) => {
    await expect(all(bytes)).rejects.toMatchObject({ code: 'tar/unsafe' });
  });
});

describe('the keeper of the client', () => {
  it('tries again, less and less often, until the client is there, and says what it does', async () => {
    const clock = new ManualClock();
    let tries = 0;
    let tried: () => void = () => {};
    const nextTry = () =>
      new Promise<void>((resolve) => {
        tried = resolve;
      });
    const fetch = async ({ folder: place }: { folder: string }) => {
      tries += 1;
      tried();
      if (tries < 3) throw clientErrors('not-fetched', { reason: 'the network is away' });
      await makeClientFolder(place);
      return { version: '25.1.2', fetched: true };
    };
    const keeper = new ClientKeeper({ clock, log: silentLogger, fetch }, { folder: null, own: [folder] });
    let seen = nextTry();
    await keeper.start();
    await seen;
    await settled();
    expect(keeper.state).toMatchObject({ is: 'waiting', nextTryMs: 15_000 });
    expect(keeper.state).toHaveProperty('problem', expect.stringContaining('the network is away'));
    seen = nextTry();
    clock.advance(15_000);
    await seen;
    await settled();
    expect(keeper.state).toMatchObject({ is: 'waiting', nextTryMs: 30_000 });
    seen = nextTry();
    clock.advance(30_000);
    await seen;
    await keeper.stop();
    expect(keeper.state).toEqual({ is: 'ready', folder });
  });

  it('uses the next folder when the first cannot be written', async () => {
    const fetch = async ({ folder: place }: { folder: string }) => {
      if (place !== folder) throw clientErrors('unwritable', { folder: place, reason: 'read-only' });
      return { version: '25.1.2', fetched: true };
    };
    const own = [join(parent, 'read-only'), folder];
    const keeper = new ClientKeeper({ clock: new ManualClock(), log: silentLogger, fetch }, { folder: null, own });
    await keeper.start();
    await settled();
    expect(keeper.state).toEqual({ is: 'ready', folder });
    await keeper.stop();
  });

  it('takes the operator’s own folder as it is, and refuses one without a client by name', async () => {
    const own = { folder, own: [] };
    await mkdir(folder);
    const deps = { clock: new ManualClock(), log: silentLogger };
    await expect(new ClientKeeper(deps, own).start()).rejects.toMatchObject({ code: 'client/incomplete' });
    await makeClientFolder(folder);
    const keeper = new ClientKeeper(deps, own);
    await keeper.start();
    expect(keeper.state).toEqual({ is: 'ready', folder });
  });
});

/** What is queued behind promises has run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
