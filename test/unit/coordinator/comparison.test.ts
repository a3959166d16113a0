import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NAMESPACES } from '../../../coordinator/namespaces.js';
import { verifyReceipt } from '../../../coordinator/receipts.js';
import { INVENTORY_ITEMS_MAX, INVENTORY_PAGE_MAX } from '../../../protocol/wire/calls/handover.js';
import { blob, DrainWorld, FREIBURG, LEAVER, MELBOURNE, rootOf } from './drain-world.js';

const ITEMS = Array.from({ length: 60 }, (_, n) => blob(`b${String(n).padStart(3, '0')}`));
const IDS = ITEMS.map(({ id }) => id);
const PER_PAGE = 10;
const ROOT = rootOf(ITEMS);

describe('a comparison', () => {
  let world: DrainWorld;

  beforeEach(async () => {
    world = await DrainWorld.create();
    world.held.set('repository', new Set(IDS));
    world.addHolder(FREIBURG, IDS);
    await world.drains.announce(LEAVER, undefined);
    await world.send(ITEMS, PER_PAGE);
  });

  afterEach(() => world.drains.stop());

  it('goes on by itself, says how far it is, and is one however often it is begun', async () => {
    let open: () => void = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    world.hold = (_peer, ids) => (ids[0] === 'b030' ? opened : Promise.resolve());
    const first = await world.drains.compare(LEAVER, ROOT, 1);
    expect(first).toMatchObject({ state: 'comparing', checked: { objects: 0 }, total: { objects: 60, bytes: 60 } });
    await world.until(() => world.asked.length === 7);
    const again = await Promise.all([1, 1, 1].map((round) => world.drains.compare(LEAVER, ROOT, round)));
    for (const { checked } of again) expect(checked).toEqual({ objects: 30, bytes: 30 });
    await expect(world.drains.receipt(LEAVER, ROOT)).rejects.toMatchObject({ code: 'handover/not-compared' });
    // Nobody asks any more: the call was lost, the work goes on.
    open();
    await world.until(() => world.asked.length === 12);
    expect(await world.compared(ITEMS, 1)).toMatchObject({ state: 'safe', checked: { objects: 60 } });
    expect(world.asked).toHaveLength(12);
    const text = await world.drains.receipt(LEAVER, ROOT);
    expect(verifyReceipt(text).receipt).toMatchObject({ blobs: 60, bytes: 60, copiesLeast: 2, root: ROOT });
    expect(await world.drains.receipt(LEAVER, ROOT)).toBe(text);
    expect((await world.drains.compare(LEAVER, ROOT, 1)).state).toBe('safe');
  });

  it('goes on after a restart of the coordinator where it was', async () => {
    world.hold = (_peer, ids) => (ids[0] === 'b040' ? new Promise(() => {}) : Promise.resolve());
    await world.drains.compare(LEAVER, ROOT, 1);
    await world.until(() => world.asked.length === 9);
    world.hold = () => Promise.resolve();
    world.asked.length = 0;
    await world.restart();
    const resumed = await world.drains.compare(LEAVER, ROOT, 1);
    expect(resumed).toMatchObject({ state: 'comparing', checked: { objects: 40 } });
    expect((await world.compared(ITEMS, 1)).state).toBe('safe');
    expect(world.asked).toHaveLength(4);
    expect(verifyReceipt(await world.drains.receipt(LEAVER, ROOT)).receipt.root).toBe(ROOT);
  });

  it('looks in the next round only at what lacked copies, also after a restart', async () => {
    world.held.get(FREIBURG)?.delete('b015');
    world.held.get('repository')?.delete('b055');
    const first = await world.compared(ITEMS, 1);
    expect(first).toMatchObject({ state: 'unsafe', missing: { objects: 2, bytes: 2 } });
    expect(first.missing.first.map(({ id }) => id)).toEqual(['b015', 'b055']);
    expect(await world.compared(ITEMS, 1)).toEqual(first);
    await world.restart();
    expect(await world.compared(ITEMS, 1)).toEqual(first);
    world.asked.length = 0;
    world.held.get(FREIBURG)?.add('b015');
    expect((await world.compared(ITEMS, 2)).missing.first.map(({ id }) => id)).toEqual(['b055']);
    expect(new Set(world.asked.map((line) => line.split(/[ ,]/)[1]))).toEqual(new Set(['b010', 'b050']));
    world.held.get('repository')?.add('b055');
    expect((await world.compared(ITEMS, 3)).state).toBe('safe');
  });

  it('looks again at what somebody vouched for who does not serve any more, or came back with another store', async () => {
    world.addHolder(MELBOURNE, IDS);
    world.away.add(MELBOURNE);
    expect((await world.compared(ITEMS, 1)).state).toBe('safe');
    // Out of reach for a moment: no receipt, and nothing is asked anew.
    world.away.add(FREIBURG);
    world.asked.length = 0;
    await expect(world.drains.receipt(LEAVER, ROOT)).rejects.toMatchObject({ code: 'handover/not-compared' });
    expect(world.asked).toEqual([]);
    world.away.clear();
    world.setState(FREIBURG, 'draining');
    await expect(world.drains.receipt(LEAVER, ROOT)).rejects.toMatchObject({ code: 'handover/not-compared' });
    expect((await world.compared(ITEMS, 1)).state).toBe('safe');
    expect(world.asked.filter((line) => line.startsWith(MELBOURNE))).toHaveLength(6);
    world.setState(MELBOURNE, 'serving', 2, 'another store');
    world.held.set(MELBOURNE, new Set());
    expect(await world.compared(ITEMS, 1)).toMatchObject({ state: 'unsafe', missing: { objects: 60 } });
  });

  it('counts nothing of a holder with a wrong chunk, from the first page on, until that chunk is right', async () => {
    world.hold = async (peer, ids) => {
      if (peer === FREIBURG && ids[0] === 'b050') world.wrong.add(FREIBURG);
    };
    expect(await world.compared(ITEMS, 1)).toMatchObject({ state: 'unsafe', missing: { objects: 60 } });
    await world.restart();
    expect(await world.compared(ITEMS, 2)).toMatchObject({ state: 'unsafe', missing: { objects: 60 } });
    world.hold = () => Promise.resolve();
    world.wrong.clear();
    expect((await world.compared(ITEMS, 3)).state).toBe('safe');
  });

  it('begins anew with other copies, another inventory and another start of the node', async () => {
    await world.compared(ITEMS, 1);
    expect(await world.drains.announce(LEAVER, 1)).toMatchObject({ copies: 1 });
    world.asked.length = 0;
    expect((await world.compared(ITEMS, 1)).state).toBe('safe');
    expect(world.asked).toHaveLength(6);
    await world.send(ITEMS.slice(1), PER_PAGE);
    await expect(world.drains.compare(LEAVER, ROOT, 1)).rejects.toMatchObject({ code: 'handover/inventory-order' });
    expect((await world.compared(ITEMS.slice(1), 1)).total.objects).toBe(59);
    world.setState(LEAVER, 'draining', 2);
    await expect(world.drains.compare(LEAVER, ROOT, 1)).rejects.toMatchObject({ code: 'handover/not-draining' });
    await world.until(() => [...world.store.data.keys()].every((key) => !key.includes(LEAVER)));
  });

  it('says once what broke it, and goes on when it is asked again', async () => {
    world.store.failNext = true;
    const broken = expect(world.compared(ITEMS, 2)).rejects.toThrow('the disk is full');
    await broken;
    expect((await world.compared(ITEMS, 2)).state).toBe('safe');
  });

  it('leaves nothing of its lists on the disk when it is over, or called off', async () => {
    const left = () =>
      [...world.store.data.keys()].filter((key) => key.includes(`${LEAVER}/`) || key.startsWith('drains'));
    expect(left().length).toBeGreaterThan(6);
    await world.drains.cancel(LEAVER);
    await world.until(() => left().length === 0);
    await expect(world.drains.compare(LEAVER, ROOT, 1)).rejects.toMatchObject({ code: 'handover/not-draining' });
  });
});

describe('an inventory on its way', () => {
  it('may come twice, page by page, and is sent again from its start when it had not come whole at a restart', async () => {
    const world = await DrainWorld.create();
    await world.drains.announce(LEAVER, 1);
    world.held.set('repository', new Set(IDS));
    const pages = [ITEMS.slice(0, 30), ITEMS.slice(30)] as const;
    expect(await world.drains.addPage(LEAVER, 0, pages[0], false)).toBe(30);
    expect(await world.drains.addPage(LEAVER, 0, pages[0], false)).toBe(30);
    await world.restart();
    const gap = { code: 'handover/inventory-order' };
    await expect(world.drains.addPage(LEAVER, 1, pages[1], true)).rejects.toMatchObject(gap);
    await world.drains.addPage(LEAVER, 0, pages[0], false);
    expect(await world.drains.addPage(LEAVER, 1, pages[1], true)).toBe(60);
    expect(await world.drains.addPage(LEAVER, 1, pages[1], true)).toBe(60);
    await expect(world.drains.addPage(LEAVER, 2, [], true)).rejects.toMatchObject(gap);
    expect((await world.compared(ITEMS, 1)).state).toBe('safe');
    await world.drains.stop();
  });

  it('has a bound, and a million objects are compared with a few pages in memory', async () => {
    const world = await DrainWorld.create();
    await world.drains.announce(LEAVER, 1);
    // All but one page as if it had come: what counts is what stands on the disk.
    const key = `${NAMESPACES.drains}\u0000${LEAVER}`;
    const record = JSON.parse(Buffer.from(world.store.data.get(key) as Uint8Array).toString('utf8'));
    const page = (first: number) =>
      Array.from({ length: INVENTORY_PAGE_MAX }, (_, n) => blob(`b${String(first + n).padStart(8, '0')}`));
    const pages = INVENTORY_ITEMS_MAX / INVENTORY_PAGE_MAX;
    for (let n = 0; n < pages; n++) {
      const at = `${NAMESPACES.inventories}\u0000${LEAVER}/${String(n).padStart(6, '0')}`;
      world.store.data.set(at, Buffer.from(JSON.stringify(page(n * INVENTORY_PAGE_MAX))));
    }
    const whole = { ...record, pages, complete: true, root: 'ab'.repeat(32), blobs: INVENTORY_ITEMS_MAX, bytes: 1 };
    world.store.data.set(key, Buffer.from(JSON.stringify(whole)));
    await world.restart();
    let most = 0;
    let now = 0;
    const read = world.store.get.bind(world.store);
    world.store.get = async (ns, name) => {
      if (ns === NAMESPACES.inventories) most = Math.max(most, ++now);
      return read(ns, name);
    };
    const write = world.store.commit.bind(world.store);
    world.store.commit = async (ops) => {
      if (ops.some(({ ns }) => ns === NAMESPACES.comparisons)) now -= 1;
      return write(ops);
    };
    const { repository } = { repository: { has: () => true } as unknown as Set<string> };
    world.held.set('repository', repository);
    for (;;) {
      const { state, checked } = await world.drains.compare(LEAVER, 'ab'.repeat(32), 1);
      if (state !== 'comparing') {
        expect([state, checked.objects]).toEqual(['safe', INVENTORY_ITEMS_MAX]);
        break;
      }
      await world.turn();
    }
    expect(most).toBe(1);
    await world.drains.stop();
  }, 60_000);

  it('of more is refused by name', async () => {
    const world = await DrainWorld.create();
    await world.drains.announce(LEAVER, 1);
    const key = `${NAMESPACES.drains}\u0000${LEAVER}`;
    await world.drains.addPage(LEAVER, 0, [blob('a')], false);
    expect(world.store.data.has(key)).toBe(true);
    const many = { length: INVENTORY_ITEMS_MAX, at: () => blob('z'), [Symbol.iterator]: () => [].values() };
    await expect(world.drains.addPage(LEAVER, 1, many as never, false)).rejects.toMatchObject({
      code: 'handover/inventory-too-large',
      data: { max: INVENTORY_ITEMS_MAX },
    });
    await world.drains.stop();
  });
});
