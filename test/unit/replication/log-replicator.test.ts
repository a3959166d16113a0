import { afterEach, describe, expect, it } from 'vitest';
import { Ledger } from '../../../node/replication/ledger.js';
import { LogReplicator } from '../../../node/replication/log-replicator.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { LIMITS } from '../../../protocol/wire/limits.js';
import { encode } from '../../../protocol/wire/rpc.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryStore } from '../../support/memory-store.js';
import { drive, driveUntil, evenRandom } from '../drain/world.js';
import {
  ACCOUNT,
  copy,
  datasetCreated,
  hex,
  historyCreated,
  historyRenamed,
  openTestLog,
  removeTestLogs,
} from '../log/fixture.js';
import { FakeHolder, FakeHolders, FakeLanes } from './lanes.js';

afterEach(removeTestLogs);

const OTHER = '00000000000000a2';

async function world(
  all = [new FakeHolder('repo', 'repository', 'repository'), new FakeHolder('b'), new FakeHolder('c')],
) {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const mine = await openTestLog({ node: 'me', clock: Object.assign(clock, { ms: 0 }), wrap: () => store });
  const ledger = new Ledger({ store, clock });
  await ledger.start();
  const holders = new FakeHolders(all);
  const lanes = new FakeLanes(holders);
  const homeChanged = new Set<(account: string) => void>();
  const leases = {
    current: (account: string) => mine.leases.current(account),
    onChange: (listener: (account: string) => void) => {
      homeChanged.add(listener);
      return () => homeChanged.delete(listener);
    },
  };
  const make = () =>
    new LogReplicator(
      { log: mine.log, ledger, leases, lane: lanes, holders, clock, random: evenRandom, logger: silentLogger },
      { peerId: 'me', domain: 'own', partners: 2, maySendTo: null, paused: false },
    );
  const replicator = make();
  const position = (peer: string) => holders.of(peer).journals.get(mine.log.writer) ?? 0;
  const came = (account: string) => {
    for (const listener of homeChanged) listener(account);
  };
  return { clock, store, mine, ledger, holders, lanes, replicator, position, came, make };
}

describe('sending the journal', () => {
  it('goes to the repository and two partners in other institutions, woken by each append', async () => {
    const holders = [
      new FakeHolder('repo', 'repository', 'repository'),
      new FakeHolder('sister', 'own'),
      new FakeHolder('b'),
      new FakeHolder('c'),
      new FakeHolder('c2', 'c'),
    ];
    const { clock, mine, replicator, position, lanes } = await world(holders);
    await replicator.start();
    expect(replicator.partners()).toHaveLength(3);
    await mine.log.append(ACCOUNT, () => [historyCreated()]);
    await driveUntil(clock, () => replicator.partners().every((peer) => position(peer) === 1));
    await mine.log.append(ACCOUNT, () => [historyRenamed('x')]);
    await drive(clock, replicator.flushed(new AbortController().signal));
    expect(replicator.partners().every((peer) => position(peer) === 2)).toBe(true);
    expect(lanes.pushed.some(({ peer }) => peer === 'sister')).toBe(false);
    await replicator.stop();
  });

  it('moves many positions a push although two accounts are written in turn', async () => {
    const { clock, mine, replicator, position, lanes } = await world([new FakeHolder('repo', 'r', 'repository')]);
    await Promise.all([ACCOUNT, OTHER].map((account) => mine.log.append(account, () => [historyCreated()])));
    for (let i = 0; i < 400; i++) {
      for (const account of [ACCOUNT, OTHER]) {
        await mine.log.append(account, () => [
          datasetCreated(hex(0xc000 + i), i + 1, { annotation: 'x'.repeat(4000) }),
        ]);
      }
    }
    const [journal] = await mine.log.writers();
    await replicator.start();
    await driveUntil(clock, () => position('repo') === journal?.last);
    // Some 3.2 MB at 1 MiB a push.
    expect(lanes.pushed.length).toBeLessThanOrEqual(6);
    const entries = lanes.pushed.flatMap(({ push }) => push.runs).reduce((sum, run) => sum + run.entries.length, 0);
    expect(entries).toBeLessThan((journal?.last ?? 0) * 1.3);
    await replicator.stop();
  });

  it('fits each push into a message, with hundreds of accounts and with the largest entries', async () => {
    const { clock, mine, replicator, position, lanes } = await world([new FakeHolder('repo', 'r', 'repository')]);
    for (let i = 0; i < 600; i++) {
      const large = { annotation: i % 10 === 0 ? 'ü'.repeat(30_000) : '' };
      await mine.log.append(hex(0x1000 + i), () => [historyCreated(), datasetCreated(hex(0xc000 + i), 1, large)]);
    }
    const [journal] = await mine.log.writers();
    await replicator.start();
    await driveUntil(clock, () => position('repo') === journal?.last);
    for (const { push } of lanes.pushed) {
      const runs = push.runs.map((run) => ({
        ...run,
        entries: run.entries.map((one) => Buffer.from(one).toString('base64')),
      }));
      expect(encode({ call: 'push', body: { ...push, runs } }).byteLength).toBeLessThan(LIMITS.log.messageBytesMax);
      const entries = push.runs.reduce((sum, run) => sum + run.entries.length, 0);
      expect(entries).toBeGreaterThanOrEqual(push.through - push.after);
      expect(push.runs.length).toBeLessThanOrEqual(512);
    }
    await replicator.stop();
  });

  it('does not knock at every append at a partner that fails, and goes on by itself when it answers', async () => {
    const { clock, mine, replicator, position, holders, lanes } = await world([
      new FakeHolder('repo', 'r', 'repository'),
    ]);
    holders.of('repo').failing = true;
    await replicator.start();
    for (let i = 0; i < 200; i++) {
      await mine.log.append(ACCOUNT, () => (i === 0 ? [historyCreated()] : [historyRenamed(`name ${i}`)]));
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(10);
    }
    expect(lanes.positions.length).toBeLessThan(10);
    holders.of('repo').failing = false;
    await driveUntil(clock, () => position('repo') === 200);
    await replicator.stop();
  });

  it('does not wait for a partner that hangs before it serves the others', async () => {
    const { clock, mine, replicator, position, holders } = await world();
    holders.of('b').hold = new Promise(() => {});
    await replicator.start();
    await mine.log.append(ACCOUNT, () => [historyCreated()]);
    await driveUntil(clock, () => position('repo') === 1 && position('c') === 1, 1);
    const limit = new AbortController();
    const flushed = replicator.flushed(limit.signal);
    flushed.catch(() => {});
    limit.abort(new Error('too long'));
    await expect(flushed).rejects.toThrow('too long');
    await replicator.stop();
  });

  it('begins again for a holder with another store', async () => {
    const { clock, mine, ledger, replicator, position, holders } = await world([
      new FakeHolder('repo', 'r', 'repository'),
    ]);
    await replicator.start();
    await mine.log.append(ACCOUNT, () => [historyCreated()]);
    await driveUntil(clock, () => position('repo') === 1);
    const repo = holders.of('repo');
    repo.storeId = 'restored';
    repo.journals.clear();
    repo.failing = true;
    await mine.log.append(ACCOUNT, () => [historyRenamed('x')]);
    await driveUntil(clock, () => true);
    repo.failing = false;
    await driveUntil(clock, () => position('repo') === 2);
    await driveUntil(clock, () => ledger.logConfirmation(mine.log.writer, 'repo')?.storeId === 'restored');
    await replicator.stop();
  });

  it('holds back while it is paused, and is then behind', async () => {
    const { clock, mine, replicator, position } = await world();
    await replicator.start();
    replicator.setPaused(true);
    await mine.log.append(ACCOUNT, () => [historyCreated()]);
    clock.advance(60_000);
    await driveUntil(clock, () => true);
    expect(position('repo')).toBe(0);
    replicator.setPaused(false);
    await drive(clock, replicator.flushed(new AbortController().signal));
    await replicator.stop();
  });

  it('changes partners when one goes, and takes nobody whom the operator excludes', async () => {
    const holders = ['b', 'c', 'd'].map((peer) => new FakeHolder(peer));
    const { clock, mine, replicator, position, holders: all } = await world(holders);
    await replicator.start();
    const before = replicator.partners();
    expect(before).toHaveLength(2);
    all.of(before[0] as string).connected = false;
    all.changed();
    expect(replicator.partners()).not.toContain(before[0]);
    expect(replicator.partners()).toHaveLength(2);
    await mine.log.append(ACCOUNT, () => [historyCreated()]);
    await driveUntil(clock, () => replicator.partners().every((peer) => position(peer) === 1));
    await replicator.stop();
  });
});

describe('what others wrote for an account at home here', () => {
  async function withForeign() {
    const made = await world();
    const former = await openTestLog({ node: 'former', wrap: () => new MemoryStore() });
    await former.log.append(ACCOUNT, () => [historyCreated()]);
    await copy(former.log, made.mine.log);
    return { ...made, former };
  }

  it('goes to every partner once, and again when there is more of it', async () => {
    const { clock, mine, lanes, replicator, former } = await withForeign();
    await replicator.start();
    await driveUntil(clock, () => lanes.offered.length === 3);
    await mine.log.append(OTHER, () => [historyCreated()]);
    await drive(clock, replicator.flushed(new AbortController().signal));
    expect(lanes.offered.map(({ peer }) => peer).sort()).toEqual(['b', 'c', 'repo']);
    await former.log.append(ACCOUNT, () => [historyRenamed('more')]);
    await copy(former.log, mine.log);
    await driveUntil(clock, () => lanes.offered.length === 6);
    await replicator.stop();
  });

  it('is at risk until enough institutions have it, also after a restart, and again when there is more of it', async () => {
    const { clock, mine, replicator, former, holders, make, ledger } = await withForeign();
    await former.log.append(ACCOUNT, () => [historyRenamed('twice')]);
    await copy(former.log, mine.log);
    for (const peer of ['b', 'c']) holders.of(peer).failing = true;
    const domainOf = (peer: string) => peer;
    await replicator.start();
    await driveUntil(clock, () => replicator.foreignAtRisk(2, domainOf) === 2);
    await driveUntil(clock, () => ledger.foreignConfirmation(ACCOUNT, 'repo') !== undefined);
    // This home and one holder have it: that is one copy too few.
    expect([replicator.foreignAtRisk(1, domainOf), replicator.foreignAtRisk(2, domainOf)]).toEqual([0, 2]);
    holders.of('b').failing = false;
    await driveUntil(clock, () => replicator.foreignAtRisk(2, domainOf) === 0);
    // A holder that does not serve any more counts for nothing, nor do two in one institution.
    expect(replicator.foreignAtRisk(2, (peer) => (peer === 'b' ? undefined : peer))).toBe(2);
    expect(replicator.foreignAtRisk(2, () => 'one')).toBe(2);
    await replicator.stop();
    for (const peer of ['repo', 'b']) holders.of(peer).failing = true;
    const again = make();
    await again.start();
    await former.log.append(ACCOUNT, () => [historyRenamed('more')]);
    await copy(former.log, mine.log);
    await driveUntil(clock, () => again.foreignAtRisk(2, domainOf) === 1);
    mine.leases.epoch = undefined;
    expect(again.foreignAtRisk(2, domainOf)).toBe(0);
    await again.stop();
  });

  it('is noted in the ledger, so a restart does not ask everybody again; another store of a holder does', async () => {
    const { clock, lanes, replicator, make, holders, ledger } = await withForeign();
    await replicator.start();
    await driveUntil(clock, () => lanes.offered.length === 3);
    await driveUntil(clock, () => ['b', 'c', 'repo'].every((peer) => ledger.foreignConfirmation(ACCOUNT, peer)));
    await replicator.stop();
    const again = make();
    await again.start();
    await drive(clock, again.flushed(new AbortController().signal));
    await driveUntil(clock, () => true);
    expect(lanes.offered).toHaveLength(3);
    await again.stop();
    holders.of('b').storeId = 'restored';
    await ledger.lapse('b', 'restored');
    const third = make();
    await third.start();
    await driveUntil(clock, () => lanes.offered.length === 4);
    expect(lanes.offered[3]?.peer).toBe('b');
    await third.stop();
  });

  it('waits for a partner that fails, and is not sent for accounts at home elsewhere', async () => {
    const { clock, mine, lanes, replicator, holders, ledger, came } = await withForeign();
    mine.leases.epoch = undefined;
    await replicator.start();
    await driveUntil(clock, () => true);
    expect(lanes.offered).toEqual([]);
    holders.of('b').failing = true;
    mine.leases.epoch = 5;
    came(ACCOUNT);
    await driveUntil(clock, () => ledger.foreignConfirmation(ACCOUNT, 'repo') !== undefined);
    expect(ledger.foreignConfirmation(ACCOUNT, 'b')).toBeUndefined();
    holders.of('b').failing = false;
    await driveUntil(clock, () => ledger.foreignConfirmation(ACCOUNT, 'b') !== undefined);
    await replicator.stop();
  });
});
