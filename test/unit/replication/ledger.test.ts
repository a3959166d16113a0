import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Ledger, type LedgerChange } from '../../../node/replication/ledger.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { openStore, type Store } from '../../../protocol/runtime/store.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryStore } from '../../support/memory-store.js';
import { scratchFolder } from '../../support/processes.js';

const scratch = scratchFolder();
const open: Store[] = [];
let count = 0;

async function ledger(folder = `${scratch.path}/${count++}`) {
  const store = await openStore(folder);
  open.push(store);
  const made = new Ledger({ store, clock: systemClock });
  await made.start();
  return { made, folder, store };
}

afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
});
afterAll(() => scratch.remove());

const domains: Record<string, string> = { p1: 'Freiburg', p2: 'Freiburg', p3: 'Melbourne', repo: 'repository' };
const domainOf = (peer: string) => domains[peer];

describe('the ledger', () => {
  it('counts a blob as safe from two distinct domains on, and says so again after a restart', async () => {
    const { made, folder, store } = await ledger();
    await made.track([
      { blob: 'b1', size: 5 },
      { blob: 'b2', size: 7 },
    ]);
    await made.confirmBlobs('p1', 's1', ['b1', 'b2']);
    await made.confirmBlobs('p2', 's2', ['b1']);
    expect(made.count(2, domainOf)).toMatchObject({ safe: { blobs: 0 }, atRisk: { blobs: 2, bytes: 12 } });
    await made.confirmBlobs('repo', 'sr', ['b1']);
    expect(made.count(2, domainOf)).toMatchObject({ safe: { blobs: 1, bytes: 5 }, atRisk: { blobs: 1, bytes: 7 } });
    await store.close();
    open.pop();
    const again = await ledger(folder);
    expect(again.made.count(2, domainOf)).toMatchObject({
      safe: { blobs: 1, bytes: 5 },
      atRisk: { blobs: 1, bytes: 7 },
    });
    expect(again.made.cursor('w')).toBe(0);
  });

  it('lets confirmations lapse when a holder comes back with another store', async () => {
    const { made } = await ledger();
    await made.track([{ blob: 'b1', size: 5 }]);
    await made.confirmBlobs('p1', 'old', ['b1']);
    await made.confirmLog('w', 'p1', 9, 'old');
    expect(await made.lapse('p1', 'old')).toBe(0);
    expect(await made.lapse('p1', 'new')).toBe(2);
    expect(made.blob('b1')?.confirmations).toEqual([]);
    expect(made.logConfirmation('w', 'p1')).toBeUndefined();
  });

  it('does not count a holder that no longer serves', async () => {
    const { made } = await ledger();
    await made.track([{ blob: 'b1', size: 5 }]);
    await made.confirmBlobs('p1', 's', ['b1']);
    await made.confirmBlobs('p3', 's', ['b1']);
    expect(made.count(2, domainOf).safe.blobs).toBe(1);
    expect(made.count(2, (peer) => (peer === 'p3' ? undefined : domainOf(peer))).safe.blobs).toBe(0);
  });

  it('takes the position that enough domains have reached as the safe one', async () => {
    const { made } = await ledger();
    await made.confirmLog('w', 'p1', 10, 's');
    expect(made.safeLogPosition('w', 2, domainOf)).toBe(0);
    await made.confirmLog('w', 'p2', 12, 's');
    await made.confirmLog('w', 'p3', 7, 's');
    await made.confirmLog('w', 'repo', 9, 's');
    expect(made.safeLogPosition('w', 1, domainOf)).toBe(12);
    expect(made.safeLogPosition('w', 2, domainOf)).toBe(9);
    expect(made.safeLogPosition('w', 3, domainOf)).toBe(7);
  });

  it('moves its cursor with what it tracks', async () => {
    const { made, folder, store } = await ledger();
    await made.track([{ blob: 'b1', size: 5 }], { writer: 'w', position: 4 });
    await store.close();
    open.pop();
    expect((await ledger(folder)).made.cursor('w')).toBe(4);
  });
});

describe('the ledger and a disk that fails', () => {
  async function onMemory() {
    const store = new MemoryStore();
    const clock = new ManualClock();
    const made = new Ledger({ store, clock });
    await made.start();
    const again = async () => {
      const restarted = new Ledger({ store, clock });
      await restarted.start();
      return restarted;
    };
    return { made, store, again };
  }

  it('promises nothing that is not on the disk, and forgets nothing for it', async () => {
    const { made, store, again } = await onMemory();
    store.failure = new Error('full');
    await expect(made.track([{ blob: 'b1', size: 5 }], { writer: 'w', position: 4 })).rejects.toThrow('full');
    expect(made.blob('b1')).toBeUndefined();
    expect(made.cursor('w')).toBe(0);
    store.failure = undefined;
    await made.track([{ blob: 'b1', size: 5 }], { writer: 'w', position: 4 });
    store.failure = new Error('full');
    await expect(made.confirmBlobs('p1', 's', ['b1'])).rejects.toThrow('full');
    await expect(made.confirmLog('w', 'p1', 3, 's')).rejects.toThrow('full');
    expect(made.blob('b1')?.confirmations).toEqual([]);
    expect(made.logConfirmation('w', 'p1')).toBeUndefined();
    store.failure = undefined;
    await made.confirmBlobs('p1', 's', ['b1']);
    store.failure = new Error('full');
    await expect(made.lapse('p1', 'other')).rejects.toThrow('full');
    expect(made.blob('b1')?.confirmations).toHaveLength(1);
    expect((await again()).blob('b1')).toEqual(made.blob('b1'));
  });

  it('keeps two confirmations of one blob that come at once', async () => {
    const { made, again } = await onMemory();
    await made.track([{ blob: 'b1', size: 5 }]);
    await Promise.all(['p1', 'p3', 'repo'].map((peer) => made.confirmBlobs(peer, 's', ['b1'])));
    expect(made.count(3, domainOf).safe.blobs).toBe(1);
    expect((await again()).count(3, domainOf).safe.blobs).toBe(1);
  });

  it('names what changed, and says nothing when nothing did', async () => {
    const { made } = await onMemory();
    const changes: LedgerChange[] = [];
    made.onChange((change) => changes.push(change));
    await made.track([
      { blob: 'b1', size: 5 },
      { blob: 'b2', size: 5 },
    ]);
    expect(await made.track([{ blob: 'b1', size: 5 }])).toEqual([]);
    await made.confirmBlobs('p1', 's', ['b2', 'unknown']);
    await made.confirmBlobs('p1', 's', ['unknown']);
    await made.confirmLog('w', 'p1', 3, 's');
    await made.confirmLog('w', 'p1', 3, 's');
    await made.lapse('p1', 's');
    await made.lapse('p1', undefined, 'b2');
    expect(changes).toEqual([
      { blobs: ['b1', 'b2'], log: false },
      { blobs: ['b2'], log: false },
      { blobs: [], log: true },
      { blobs: ['b2'], log: false },
    ]);
  });

  it('lets everything lapse by itself when a confirmation comes out of another store', async () => {
    const { made, again } = await onMemory();
    await made.track([
      { blob: 'b1', size: 5 },
      { blob: 'b2', size: 5 },
    ]);
    await made.confirmBlobs('p1', 'old', ['b1', 'b2']);
    await made.confirmLog('w', 'p1', 9, 'old');
    await made.confirmForeign('acc', 'p1', { digest: 'digest', entries: 1 }, 'old');
    await made.confirmBlobs('p1', 'new', ['b2']);
    for (const one of [made, await again()]) {
      expect(one.blob('b1')?.confirmations).toEqual([]);
      expect(one.blob('b2')?.confirmations).toMatchObject([{ peer: 'p1', storeId: 'new' }]);
      expect(one.logConfirmation('w', 'p1')).toBeUndefined();
      expect(one.foreignConfirmation('acc', 'p1')).toBeUndefined();
    }
  });

  it('takes the holder’s word also when it is less than before', async () => {
    const { made } = await onMemory();
    await made.confirmLog('w', 'p1', 9, 's');
    await made.confirmLog('w', 'p1', 4, 's');
    expect(made.logConfirmation('w', 'p1')?.position).toBe(4);
  });
});
