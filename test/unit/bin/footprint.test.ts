/** What "nothing was stored" means in the story: it must see what is stored, and not see what changes by itself. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { changesBetween, footprintOf } from '../../../bin/demo/footprint.js';
import { systemClock as clock } from '../../../protocol/runtime/clock.js';
import { silentLogger as log } from '../../../protocol/runtime/logger.js';
import { systemRandom as random } from '../../../protocol/runtime/random.js';
import { openStore, type Store } from '../../../protocol/runtime/store.js';
import { IdSource } from '../../../protocol/wire/ids.js';

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'galaxy-footprint-'));
  mkdirSync(join(folder, 'node', 'blobs'), { recursive: true });
  writeFileSync(join(folder, 'node', 'peers.json'), '{}');
  writeFileSync(join(folder, 'node', 'blobs', 'one'), 'bytes');
  store = await openStore(join(folder, 'node', 'store'));
  await store.commit([{ ns: 'a', key: 'b', value: 'c' }]);
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const look = () => footprintOf([join(folder, 'node')], folder);

it('nothing changed, nothing is seen', async () => {
  expect(changesBetween(await look(), await look())).toEqual([]);
});

it('a new, a changed and a lost file are seen', async () => {
  const before = await look();
  writeFileSync(join(folder, 'node', 'blobs', 'two'), 'more');
  writeFileSync(join(folder, 'node', 'peers.json'), '[]');
  rmSync(join(folder, 'node', 'blobs', 'one'));
  expect(changesBetween(before, await look()).sort()).toEqual([
    'node/blobs/one is gone',
    'node/blobs/two is new',
    'node/peers.json changed',
  ]);
});

it('one record in the store is seen, and LevelDB’s own log is not', async () => {
  const before = await look();
  appendFileSync(join(folder, 'node', 'store', 'LOG'), 'something\n');
  expect(changesBetween(before, await look())).toEqual([]);
  await store.commit([{ ns: 'invitation', key: 'x', value: 'y' }]);
  expect(changesBetween(before, await look())).toEqual([expect.stringMatching(/store\/\d+\.log grew by \d+ bytes/)]);
});

it('the horizon of ids, which a node renews by itself, is not seen; what comes beside it is', async () => {
  const ids = new IdSource({ store, clock, random, log }, { namespace: 'ids', nodeNumber: undefined });
  await ids.start();
  await ids.stop();
  const before = await look();
  for (let times = 0; times < 20; times++) {
    await ids.start();
    await ids.stop();
  }
  expect(changesBetween(before, await look())).toEqual([]);
  await store.commit([{ ns: 'member', key: 'x', value: '' }]);
  await ids.start();
  await ids.stop();
  expect(changesBetween(before, await look())).toHaveLength(1);
});
