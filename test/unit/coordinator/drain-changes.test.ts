import { describe, expect, it } from 'vitest';
import { Counters } from '../../../coordinator/counters.js';
import { Drains, type HolderQueries } from '../../../coordinator/drains.js';
import { MovesAsked } from '../../../coordinator/http/moves-asked.js';
import { newRecord, type PeerRecord } from '../../../coordinator/peer.js';
import { merkleRoot } from '../../../protocol/blobs/inventory.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { type InventoryItem, inventoryLines } from '../../../protocol/wire/calls/handover.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryStore } from './support.js';

const PEER = 'leaver';
const ITEMS: InventoryItem[] = [{ kind: 'blob', id: 'b', bytes: 1 }];
const ROOT = Buffer.from(merkleRoot(inventoryLines(ITEMS))).toString('hex');

/** A comparison that stands still at the question what the repository holds. */
async function comparing() {
  const clock = new ManualClock();
  const signer = await NodeKey.generate();
  const store = new MemoryStore();
  let record: PeerRecord = {
    ...newRecord(PEER, 0),
    state: 'draining',
    last: { boot: 1, bootNonce: 'a', storeId: 's' },
  };
  const world = { homes: 0, commits: 0, restart: () => {} };
  world.restart = () => {
    record = { ...record, last: { boot: 2, bootNonce: 'b', storeId: 's' } };
  };
  let answer: () => void = () => {};
  const asked = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const queries: HolderQueries = {
    held: async (_peer, ids, signal) => {
      await Promise.race([
        asked,
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ]);
      return new Set(ids);
    },
    checkChunk: async () => {},
    vector: async () => ({}),
  };
  const peer = () => ({ record, location: undefined });
  const registry = {
    find: peer,
    get: peer,
    list: () => [],
    draining: () => {},
    drainCancelled: () => {},
    drainedOp: () => {
      world.commits++;
      return { op: { ns: 'peers', key: PEER, value: '{}' }, done: () => true };
    },
  };
  const drains = new Drains(
    {
      registry: registry as never,
      directory: { homes: () => world.homes } as never,
      counters: new Counters({ store }),
      store,
      queries,
      signer,
      clock,
      random: systemRandom,
      log: silentLogger,
    },
    { network: 'testing', copies: 1 },
  );
  drains.announce(PEER, 1);
  drains.addPage(PEER, 0, ITEMS, true);
  const controller = new AbortController();
  const compared = drains.receipt(PEER, ROOT, controller.signal);
  compared.catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  return { drains, world, clock, controller, compared, answer };
}

describe('what changes while a drain is compared', () => {
  it.each([
    ['a new start of the node', 'handover/not-draining', ({ world }) => world.restart()],
    ['a drain called off', 'handover/not-draining', ({ drains }) => drains.cancel(PEER)],
    [
      'a drain called off and announced again',
      'handover/not-draining',
      ({ drains }) => {
        drains.cancel(PEER);
        drains.announce(PEER, 1);
        drains.addPage(PEER, 0, ITEMS, true);
      },
    ],
    ['another inventory', 'handover/inventory-order', ({ drains }) => drains.addPage(PEER, 0, ITEMS, true)],
    [
      'an account that came',
      'handover/accounts-left',
      ({ world }) => {
        world.homes = 1;
      },
    ],
  ] as [string, string, (at: Awaited<ReturnType<typeof comparing>>) => void][])(
    '%s gives no receipt',
    async (_what, code, change) => {
      const at = await comparing();
      change(at);
      at.answer();
      await expect(at.compared).rejects.toMatchObject({ code });
      expect(at.world.commits).toBe(0);
    },
  );

  it('a caller that is gone gives no receipt, and an unchanged drain one', async () => {
    const gone = await comparing();
    gone.controller.abort(new Error('gone'));
    gone.answer();
    await expect(gone.compared).rejects.toThrow('gone');
    expect(gone.world.commits).toBe(0);
  });

  it('a holder that does not answer in time does not count', async () => {
    const at = await comparing();
    at.clock.advance(15_000);
    expect(await at.compared).toMatchObject({ receipt: null, unsafe: { objects: 1 } });
  });
});

describe('accounts moved for strangers', () => {
  it('move once in two seconds each, and few for one client', () => {
    const clock = new ManualClock();
    const moves = new MovesAsked({ clock });
    expect([moves.take('a', 'x'), moves.take('a', 'x'), moves.take('a', 'y')]).toEqual([true, false, false]);
    const taken = Array.from({ length: 50 }, (_, n) => moves.take(`account${n}`, 'x'));
    expect(taken.filter(Boolean)).toHaveLength(19);
    clock.advance(2000);
    expect(moves.take('a', 'x')).toBe(true);
  });
});
