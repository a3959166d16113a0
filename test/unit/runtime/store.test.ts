import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Db, openLevel, openStore, type Store, type StoreDeps } from '../../../protocol/runtime/store.js';
import { scratchFolder } from '../../support/processes.js';

const scratch = scratchFolder();
afterAll(() => scratch.remove());
let count = 0;
const fresh = () => join(scratch.path, `store-${count++}`);
const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString());

describe('the store', () => {
  it('keeps what it acknowledged across a reopening, each namespace for itself', async () => {
    const folder = fresh();
    const store = await openStore(folder);
    await store.commit([
      { ns: 'a', key: 'k', value: 'one' },
      { ns: 'ab', key: 'k', value: 'two' },
    ]);
    await store.commit([{ ns: 'a', key: 'gone', value: 'x' }]);
    await store.commit([{ ns: 'a', key: 'gone', delete: true }]);
    await store.close();
    const again = await openStore(folder);
    expect(text(await again.get('a', 'k'))).toBe('one');
    expect(await again.get('a', 'gone')).toBeUndefined();
    const keys: string[] = [];
    for await (const [key] of again.iterate('a')) keys.push(key);
    expect(keys).toEqual(['k']);
    await again.close();
  });

  it('commits a thousand concurrent writers and iterates in order, bounded and reversed', async () => {
    const store = await openStore(fresh());
    const names = Array.from({ length: 1000 }, (_, index) => String(index).padStart(4, '0'));
    await Promise.all(names.map((key) => store.commit([{ ns: 'n', key, value: key }])));
    const read = async (range: object) => {
      const keys: string[] = [];
      for await (const [key] of store.iterate('n', range)) keys.push(key);
      return keys;
    };
    expect(await read({})).toEqual(names);
    expect(await read({ gt: '0010', lt: '0013' })).toEqual(['0011', '0012']);
    expect(await read({ reverse: true, limit: 2 })).toEqual(['0999', '0998']);
    await store.close();
  });

  it('says that another process has it open', async () => {
    const folder = fresh();
    const store = await openStore(folder);
    await expect(openStore(folder)).rejects.toMatchObject({ code: 'store/locked' });
    await store.close();
  });

  it('refuses to open a damaged store, names the folder, and does not make an empty one instead', async () => {
    const folder = fresh();
    const store = await openStore(folder);
    await store.commit([{ ns: 'a', key: 'k', value: 'one' }]);
    await store.close();
    rmSync(join(folder, 'CURRENT'));
    await expect(openStore(folder)).rejects.toMatchObject({ code: 'store/corrupt', data: { folder } });
    const other = fresh();
    const second = await openStore(other);
    await second.commit([{ ns: 'a', key: 'k', value: 'one' }]);
    await second.close();
    const manifest = readdirSync(other).find((name) => name.startsWith('MANIFEST')) as string;
    truncateSync(join(other, manifest), 3);
    await expect(openStore(other)).rejects.toMatchObject({ code: 'store/corrupt' });
    expect(readdirSync(other)).toContain(manifest);
  });

  it('refuses writes after it was closed', async () => {
    const store = await openStore(fresh());
    await store.close();
    await expect(store.commit([{ ns: 'a', key: 'k', value: 'v' }])).rejects.toMatchObject({ code: 'store/failed' });
  });

  it('iterates a namespace to its last key, whatever characters that has, and no further', async () => {
    const store = await openStore(fresh());
    const keys = ['a', 'z', '\u00ff', '\uffff', '\u{1f9ec}'];
    await store.commit(keys.map((key) => ({ ns: 'n', key, value: 'v' })));
    await store.commit([{ ns: 'n!', key: 'other', value: 'v' }]);
    expect((await all(store, 'n')).sort()).toEqual([...keys].sort());
    await store.close();
  });

  it('opens a folder whose making was interrupted before there was anything in it', async () => {
    const folder = fresh();
    mkdirSync(folder);
    writeFileSync(join(folder, 'LOCK'), '');
    const store = await openStore(folder);
    await store.commit([{ ns: 'a', key: 'k', value: 'v' }]);
    await store.close();
  });
});

async function all(store: Store, ns: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const [key] of store.iterate(ns)) keys.push(key);
  return keys;
}

/** A disk that can be filled: writes fail as LevelDB's do, and opening too while it is full. */
class FullDisk implements StoreDeps {
  isFull = false;
  opened = 0;
  private db: Db | undefined;

  openDb = async (folder: string): Promise<Db> => {
    if (this.isFull) throw new Error('IO error: no space left on device');
    const db = await openLevel(folder);
    this.opened += 1;
    this.db = db;
    const write = db.batch.bind(db) as (...args: unknown[]) => Promise<void>;
    let isBroken = false;
    const batch = async (...args: unknown[]) => {
      // After one failed write LevelDB refuses all, also when there is room again.
      isBroken ||= this.isFull;
      if (isBroken) throw new Error('IO error: No space left on device');
      await write(...args);
    };
    Object.defineProperty(db, 'batch', { value: batch });
    return db;
  };

  tryDisk = async (): Promise<void> => {
    if (this.isFull) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };

  /** The opening fails although the disk took bytes a moment before. */
  lie(): void {
    this.tryDisk = async () => {};
  }

  get status(): string | undefined {
    return this.db?.status;
  }
}

describe('the store on a full disk', () => {
  it('fails each change clearly, tells who keeps memory, can be read, and goes on when there is room', async () => {
    const disk = new FullDisk();
    const store = await openStore(fresh(), disk);
    await store.commit([{ ns: 'a', key: 'kept', value: 'one' }]);
    let failures = 0;
    store.onFailure(() => failures++);
    disk.isFull = true;
    const behind: Promise<unknown>[] = [];
    for (let i = 0; i < 3; i++) behind.push(store.commit([{ ns: 'a', key: `lost${i}`, value: 'x' }]));
    for (const one of behind) await expect(one).rejects.toMatchObject({ code: 'store/full' });
    expect(failures).toBe(1);
    await expect(store.commit([{ ns: 'a', key: 'lost', value: 'x' }])).rejects.toMatchObject({ code: 'store/full' });
    expect(text(await store.get('a', 'kept'))).toBe('one');
    expect(disk.opened).toBe(1);
    disk.isFull = false;
    await store.commit([{ ns: 'a', key: 'after', value: 'two' }]);
    expect(disk.opened).toBe(2);
    expect(await all(store, 'a')).toEqual(['after', 'kept']);
    await store.close();
  });

  it('goes on also when it could not even be opened again for a while', async () => {
    const disk = new FullDisk();
    disk.lie();
    const store = await openStore(fresh(), disk);
    await store.commit([{ ns: 'a', key: 'kept', value: 'one' }]);
    disk.isFull = true;
    await expect(store.commit([{ ns: 'a', key: 'x', value: 'x' }])).rejects.toMatchObject({ code: 'store/full' });
    await expect(store.commit([{ ns: 'a', key: 'x', value: 'x' }])).rejects.toMatchObject({ code: 'store/full' });
    expect(disk.status).toBe('closed');
    await expect(store.get('a', 'kept')).rejects.toMatchObject({ code: 'store/failed' });
    disk.isFull = false;
    await store.commit([{ ns: 'a', key: 'after', value: 'two' }]);
    expect(text(await store.get('a', 'kept'))).toBe('one');
    await store.close();
  });

  it('lets a reader in the middle of a list read on while it is opened again', async () => {
    const disk = new FullDisk();
    const store = await openStore(fresh(), disk);
    const keys = Array.from({ length: 5000 }, (_, index) => String(index).padStart(5, '0'));
    await store.commit(keys.map((key) => ({ ns: 'n', key, value: key })));
    for (const reverse of [false, true]) {
      disk.isFull = true;
      await expect(store.commit([{ ns: 'a', key: 'x', value: 'x' }])).rejects.toMatchObject({ code: 'store/full' });
      disk.isFull = false;
      const read: string[] = [];
      for await (const [key] of store.iterate('n', { reverse, limit: 4500 })) {
        read.push(key);
        if (read.length === 10) await store.commit([{ ns: 'a', key: 'again', value: 'v' }]);
      }
      expect(read).toEqual((reverse ? [...keys].reverse() : keys).slice(0, 4500));
    }
    expect(disk.opened).toBe(3);
    await store.close();
  });

  it('does not hide that a listener failed, and answers everybody all the same', async () => {
    const disk = new FullDisk();
    const store = await openStore(fresh(), disk);
    store.onFailure(() => {
      throw new Error('a fault of ours');
    });
    disk.isFull = true;
    await expect(store.commit([{ ns: 'a', key: 'x', value: 'x' }])).rejects.toBeInstanceOf(AggregateError);
    disk.isFull = false;
    await store.commit([{ ns: 'a', key: 'after', value: 'two' }]);
    await store.close();
  });

  it('tries the real disk before it closes the database, and leaves nothing there', async () => {
    const disk = new FullDisk();
    const folder = fresh();
    const store = await openStore(folder, { openDb: disk.openDb });
    disk.isFull = true;
    await expect(store.commit([{ ns: 'a', key: 'x', value: 'x' }])).rejects.toMatchObject({ code: 'store/full' });
    disk.isFull = false;
    await store.commit([{ ns: 'a', key: 'x', value: 'x' }]);
    expect(readdirSync(folder)).not.toContain('room.tmp');
    await store.close();
  });
});
