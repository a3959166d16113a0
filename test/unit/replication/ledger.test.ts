import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Ledger } from '../../../node/replication/ledger.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { openStore, type Store } from '../../../protocol/runtime/store.js';
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
