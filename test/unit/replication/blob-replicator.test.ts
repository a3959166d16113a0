import { describe, expect, it, vi } from 'vitest';
import { BlobReplicator } from '../../../node/replication/blob-replicator.js';
import { Ledger } from '../../../node/replication/ledger.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryStore } from '../../support/memory-store.js';
import { drive, driveUntil, evenRandom } from '../drain/world.js';
import { FakeHolder, FakeHolders, FakeLanes } from './lanes.js';

async function world(change: { copies?: number; domain?: string; maySendTo?: string[]; holders?: FakeHolder[] } = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const ledger = new Ledger({ store, clock });
  await ledger.start();
  const holders = new FakeHolders(
    change.holders ?? [new FakeHolder('repo', 'repository', 'repository'), new FakeHolder('b'), new FakeHolder('c')],
  );
  const lanes = new FakeLanes(holders);
  const here = new Set<string>();
  const replicator = new BlobReplicator(
    {
      blobs: { has: (blob) => here.has(blob) },
      ledger,
      lane: lanes,
      holders,
      clock,
      random: evenRandom,
      logger: silentLogger,
    },
    {
      copies: change.copies ?? 2,
      domain: change.domain ?? 'own',
      maySendTo: change.maySendTo ?? null,
      pushDeadlineMs: 60_000,
      paused: false,
    },
  );
  await replicator.start();
  const track = async (...blobs: string[]) => {
    for (const blob of blobs) here.add(blob);
    return ledger.track(blobs.map((blob) => ({ blob, size: 10 })));
  };
  const copies = (blob: string) => (ledger.blob(blob)?.confirmations ?? []).map(({ peer }) => peer).sort();
  const safe = () => [...ledger.tracked()].every(([blob]) => copies(blob).length >= (change.copies ?? 2));
  return { clock, store, ledger, holders, lanes, here, replicator, track, copies, safe };
}

const names = (count: number, prefix = 'blob') =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(6, '0')}`);

describe('copying blobs', () => {
  it('brings each to two institutions, many small ones to a push', async () => {
    const { clock, lanes, replicator, track, safe } = await world();
    await track(...names(500));
    await driveUntil(clock, safe);
    expect(lanes.sent.filter(({ peer }) => peer === 'repo')).toHaveLength(2);
    expect(lanes.sent.every(({ blobs }) => blobs.length <= 256)).toBe(true);
    expect(lanes.sent.flatMap(({ blobs }) => blobs)).toHaveLength(1000);
    await replicator.stop();
  });

  it('looks at nothing but the blobs that changed, with a hundred thousand of them', async () => {
    const { clock, ledger, lanes, replicator, track, safe, holders } = await world();
    replicator.setPaused(true);
    await track(...names(100_000));
    for (const peer of ['repo', 'b']) await ledger.confirmBlobs(peer, `store of ${peer}`, names(100_000));
    replicator.setPaused(false);
    expect(safe()).toBe(true);
    const all = vi.spyOn(ledger, 'tracked');
    const looked = vi.spyOn(ledger, 'blob');
    lanes.sent.length = 0;
    await track('one more');
    await driveUntil(clock, () => (ledger.blob('one more')?.confirmations.length ?? 0) === 2);
    // The peer book speaks each second, of loads mostly.
    for (let i = 0; i < 100; i++) {
      holders.of('b').freeBytes -= 1;
      holders.changed();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(all).not.toHaveBeenCalled();
    expect(looked.mock.calls.length).toBeLessThan(1000);
    expect(lanes.sent.flatMap(({ blobs }) => blobs)).toEqual(['one more', 'one more']);
    await replicator.stop();
  });

  it('sends what nobody has before further copies of what somebody has', async () => {
    const { clock, ledger, lanes, replicator, track, safe } = await world({ copies: 3 });
    replicator.setPaused(true);
    await track(...names(300, 'old'), ...names(20, 'new'));
    await ledger.confirmBlobs('repo', 'store of repo', names(300, 'old'));
    replicator.setPaused(false);
    await driveUntil(clock, safe);
    const toB = lanes.sent.filter(({ peer }) => peer === 'b').flatMap(({ blobs }) => blobs);
    expect(toB.slice(0, 20).sort()).toEqual(names(20, 'new'));
    await replicator.stop();
  });

  it('is not held up by thousands that nobody may take', async () => {
    const { clock, holders, copies, replicator, track } = await world();
    for (const peer of ['repo', 'b', 'c']) {
      holders.of(peer).refuses = (blob) => (blob.startsWith('blob') ? 'blobs/not-allowed' : undefined);
    }
    await track(...names(6000));
    await track('late');
    await driveUntil(clock, () => copies('late').length === 2, 10);
    expect(replicator.refusals().length).toBeGreaterThan(0);
    await replicator.stop();
  });

  it('says who refuses what, goes elsewhere, and offers it again after a minute', async () => {
    const { clock, holders, copies, lanes, replicator, track } = await world();
    holders.of('repo').refuses = () => 'blobs/no-space';
    await track('x');
    await driveUntil(clock, () => copies('x').length === 2, 10);
    expect(copies('x')).toEqual(['b', 'c']);
    expect(replicator.refusals()).toEqual([{ peer: 'repo', blob: 'x', reason: 'blobs/no-space' }]);
    holders.of('b').refuses = () => 'blobs/no-space';
    await track('y');
    await driveUntil(clock, () => copies('y').length === 1, 10);
    const tries = lanes.sent.length;
    holders.of('repo').refuses = () => undefined;
    clock.advance(50_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(lanes.sent).toHaveLength(tries);
    await driveUntil(clock, () => copies('y').length === 2);
    await replicator.stop();
  });

  it('offers at once what was refused for want of room when a holder has more', async () => {
    const holders = [new FakeHolder('b'), new FakeHolder('c')];
    const { clock, copies, replicator, track, holders: all, lanes } = await world({ holders });
    all.of('c').freeBytes = 5;
    all.changed();
    await track('x');
    await driveUntil(clock, () => copies('x').length === 1, 1);
    all.of('c').freeBytes = 1e9;
    all.changed();
    const before = clock.now();
    await driveUntil(clock, () => copies('x').length === 2, 1);
    expect(clock.now() - before).toBeLessThan(1000);
    expect(lanes.sent).toHaveLength(2);
    await replicator.stop();
  });

  it('waits a little for a blob that is coming to the holder from somebody else', async () => {
    const { clock, holders, copies, replicator, track } = await world();
    let busy = 3;
    holders.of('repo').refuses = () => (busy-- > 0 ? 'blobs/busy' : undefined);
    await track('x');
    await driveUntil(clock, () => copies('x').length === 2);
    expect(copies('x')).toContain('repo');
    expect(replicator.refusals()).toEqual([]);
    await replicator.stop();
  });

  it('lets a holder that fails rest, longer each time, and goes elsewhere when it goes on failing', async () => {
    const { clock, holders, copies, lanes, replicator, track } = await world();
    holders.of('repo').failing = true;
    await track('x');
    await driveUntil(clock, () => copies('x').length === 2);
    expect(copies('x')).toEqual(['b', 'c']);
    const tries = lanes.sent.filter(({ peer }) => peer === 'repo').length;
    expect(tries).toBeGreaterThanOrEqual(3);
    expect(tries).toBeLessThan(8);
    await replicator.stop();
  });

  it('counts a machine of its own institution for nothing', async () => {
    const holders = [new FakeHolder('sister', 'own'), new FakeHolder('b'), new FakeHolder('c')];
    const { clock, ledger, copies, replicator, track } = await world({ holders });
    await track('x');
    await ledger.confirmBlobs('sister', 'store of sister', ['x']);
    await driveUntil(clock, () => copies('x').length === 3);
    expect(copies('x')).toEqual(['b', 'c', 'sister']);
    await replicator.stop();
  });

  it('copies again what a holder lost with its old store', async () => {
    const { clock, ledger, holders, copies, replicator, track, safe } = await world();
    await track(...names(10));
    await driveUntil(clock, safe);
    holders.of('repo').storeId = 'another';
    holders.of('repo').blobs.clear();
    expect(await ledger.lapse('repo', 'another')).toBe(10);
    await driveUntil(clock, safe);
    expect(holders.of('repo').blobs.size).toBe(10);
    expect(copies('blob000000')).toContain('repo');
    await replicator.stop();
  });

  it('sends nothing while it is paused', async () => {
    const { clock, lanes, replicator, track, safe } = await world();
    replicator.setPaused(true);
    await track('x');
    clock.advance(200_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(lanes.sent).toEqual([]);
    replicator.setPaused(false);
    await driveUntil(clock, safe);
    await replicator.stop();
  });

  it('stops in the middle of a push that hangs', async () => {
    const { holders, lanes, replicator, track } = await world();
    holders.of('repo').hold = new Promise(() => {});
    await track('x');
    await new Promise((resolve) => setImmediate(resolve));
    expect(lanes.sent.length).toBeGreaterThan(0);
    await replicator.stop();
  });

  it('does not take a full disk of its own for a fault of the holder’s for ever', async () => {
    const { clock, store, lanes, replicator, track, safe } = await world();
    await track('x');
    store.failure = new Error('no space left');
    await drive(clock, Promise.resolve());
    for (let i = 0; i < 20; i++) {
      clock.advance(250);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(lanes.sent.length).toBeGreaterThan(0);
    expect(safe()).toBe(false);
    store.failure = undefined;
    await driveUntil(clock, safe);
    await replicator.stop();
  });
});

describe('blobs of an account that came here', () => {
  it('are asked for before anything is sent or fetched', async () => {
    const { clock, ledger, holders, lanes, replicator, copies, safe } = await world();
    const blobs = names(5000);
    for (const peer of ['repo', 'c']) for (const blob of blobs) holders.of(peer).blobs.add(blob);
    replicator.survey(await ledger.track(blobs.map((blob) => ({ blob, size: 1 }))));
    await driveUntil(clock, safe);
    expect(copies('blob000000')).toEqual(['c', 'repo']);
    expect(lanes.sent).toEqual([]);
    expect(lanes.fetched).toEqual([]);
    expect(lanes.asked.every(({ blobs: ids }) => ids.length <= 4096)).toBe(true);
    await replicator.stop();
  });

  it('are brought, and copied, when too few have them; those here are not brought', async () => {
    const { clock, ledger, holders, lanes, here, replicator, safe } = await world();
    holders.of('c').blobs.add('far');
    lanes.onFetch = async (blob) => {
      here.add(blob);
    };
    here.add('near');
    replicator.survey(
      await ledger.track([
        { blob: 'far', size: 1 },
        { blob: 'near', size: 1 },
      ]),
    );
    await driveUntil(clock, safe);
    expect(lanes.fetched).toEqual(['far']);
    await replicator.stop();
  });

  it('are asked for also after a restart, which has forgotten that they came', async () => {
    const first = await world();
    first.replicator.setPaused(true);
    await first.ledger.track([{ blob: 'far', size: 1 }]);
    await first.replicator.stop();
    const { clock, holders, lanes, store } = first;
    const ledger = new Ledger({ store, clock });
    await ledger.start();
    for (const peer of ['repo', 'b']) holders.of(peer).blobs.add('far');
    const replicator = new BlobReplicator(
      { blobs: { has: () => false }, ledger, lane: lanes, holders, clock, random: evenRandom, logger: silentLogger },
      { copies: 2, domain: 'own', maySendTo: null, pushDeadlineMs: 1000, paused: false },
    );
    await replicator.start();
    await driveUntil(clock, () => ledger.blob('far')?.confirmations.length === 2);
    expect(lanes.fetched).toEqual([]);
    await replicator.stop();
  });

  it('that cannot be fetched are tried again with growing pauses, and asked for anew when somebody comes', async () => {
    const { clock, ledger, holders, lanes, here, replicator, safe } = await world();
    lanes.onFetch = () => Promise.reject(new Error('nobody has it'));
    replicator.survey(await ledger.track([{ blob: 'far', size: 1 }]));
    await driveUntil(clock, () => lanes.fetched.length > 0);
    const begun = clock.now();
    await driveUntil(clock, () => lanes.fetched.length >= 6);
    expect(clock.now() - begun).toBeGreaterThan(5000);
    const late = new FakeHolder('late');
    late.blobs.add('far');
    holders.all.push(late);
    lanes.onFetch = async (blob) => {
      here.add(blob);
    };
    holders.changed();
    await driveUntil(clock, safe);
    expect(lanes.asked.some(({ peer }) => peer === 'late')).toBe(true);
    await replicator.stop();
  });

  it('are not waited for at a holder that does not answer', async () => {
    const { clock, ledger, holders, replicator, safe } = await world();
    holders.of('b').hold = new Promise(() => {});
    for (const peer of ['repo', 'c']) holders.of(peer).blobs.add('far');
    replicator.survey(await ledger.track([{ blob: 'far', size: 1 }]));
    await driveUntil(clock, safe);
    await replicator.stop();
  });
});
