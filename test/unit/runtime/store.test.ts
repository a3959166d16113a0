import { readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openStore } from '../../../protocol/runtime/store.js';
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
});
