import { afterEach, describe, expect, it } from 'vitest';
import { Ledger } from '../../../node/replication/ledger.js';
import { blobsNamedBy, Replication } from '../../../node/replication/replication.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryStore } from '../../support/memory-store.js';
import { driveUntil } from '../drain/world.js';
import { ACCOUNT, copy, datasetCreated, HISTORY, historyCreated, openTestLog, removeTestLogs } from '../log/fixture.js';
import { FakeHolder, FakeHolders } from './lanes.js';

afterEach(removeTestLogs);

const content = (...blobs: string[]) => ({
  content: {
    state: 'ok',
    extension: 'txt',
    files: blobs.map((blob, index) => ({ role: index === 0 ? 'primary' : 'extra', path: `f${index}`, blob, size: 10 })),
    size: 10,
    peek: '',
    blurb: '',
    info: '',
    metadata: {},
  },
});

async function world() {
  const clock = new ManualClock();
  // Two stores, so that the ledger's can fail alone.
  const store = new MemoryStore();
  const mine = await openTestLog({ node: 'me', clock: Object.assign(clock, { ms: 0 }), wrap: () => new MemoryStore() });
  const ledger = new Ledger({ store, clock });
  await ledger.start();
  const holders = new FakeHolders([new FakeHolder('repo', 'repository', 'repository'), new FakeHolder('b')]);
  const foreign = 3;
  const make = (tracked = ledger) =>
    new Replication(
      {
        log: mine.log,
        ledger: tracked,
        holders,
        blobs: { size: () => 10 },
        clock,
        logger: silentLogger,
        paused: () => false,
        foreignAtRisk: () => foreign,
      },
      { copies: 2 },
    );
  return { clock, store, mine, ledger, holders, make, replication: make() };
}

describe('replication', () => {
  it('is answerable for every blob that an entry of its own names, and shows when it is safe', async () => {
    const { clock, mine, ledger, replication } = await world();
    await replication.start();
    await mine.log.append(ACCOUNT, () => [historyCreated(), datasetCreated('00000000000000c1', 1, content('x', 'y'))]);
    await driveUntil(clock, () => ledger.blob('y') !== undefined);
    const view = await mine.log.view(ACCOUNT);
    const dataset = view.items(HISTORY).datasets[0];
    if (dataset === undefined) throw new Error('no dataset');
    expect(replication.durability(view, dataset)).toEqual({ state: 'at-risk', holders: [], copies: 2 });
    await ledger.confirmBlobs('repo', 's', ['x', 'y']);
    await ledger.confirmBlobs('b', 's', ['x']);
    expect(replication.durability(view, dataset)).toMatchObject({ state: 'at-risk', holders: [{ peer: 'repo' }] });
    await ledger.confirmBlobs('b', 's', ['y']);
    expect(replication.durability(view, dataset)).toMatchObject({
      state: 'safe',
      holders: [{ peer: 'repo' }, { peer: 'b' }],
    });
    expect(replication.status()).toMatchObject({
      safe: { blobs: 2, bytes: 20 },
      atRisk: { blobs: 0 },
      logAtRisk: 2 + 3,
    });
    await replication.stop();
  });

  it('goes on after its ledger could not be written for a while', async () => {
    const { clock, store, mine, ledger, replication } = await world();
    await replication.start();
    store.failure = new Error('no space left');
    await mine.log.append(ACCOUNT, () => [historyCreated(), datasetCreated('00000000000000c1', 1, content('x'))]);
    for (let i = 0; i < 20; i++) {
      clock.advance(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(ledger.blob('x')).toBeUndefined();
    store.failure = undefined;
    await driveUntil(clock, () => ledger.blob('x') !== undefined);
    await replication.stop();
  });

  it('finds at its start what was written before a crash and never noted', async () => {
    const { mine, ledger, replication } = await world();
    await mine.log.append(ACCOUNT, () => [historyCreated(), datasetCreated('00000000000000c1', 1, content('x'))]);
    expect(ledger.blob('x')).toBeUndefined();
    await replication.start();
    expect(ledger.blob('x')).toMatchObject({ size: 10 });
    await replication.stop();
  });

  it('is answerable for what others wrote once the account is at home here, and says what is new', async () => {
    const { mine, replication } = await world();
    const former = await openTestLog({ node: 'former', wrap: () => new MemoryStore() });
    await former.log.append(ACCOUNT, () => [
      historyCreated(),
      datasetCreated('00000000000000c1', 1, content('x', 'y')),
    ]);
    await copy(former.log, mine.log);
    const view = await mine.log.view(ACCOUNT);
    expect((await replication.adopt(view)).sort()).toEqual(['x', 'y']);
    expect(await replication.adopt(view)).toEqual([]);
  });

  it('knows every place in which an entry names a blob', () => {
    const files = content('x').content;
    expect(blobsNamedBy({ type: 'dataset.created', payload: { content: files } })).toEqual([{ blob: 'x', size: 10 }]);
    expect(
      blobsNamedBy({ type: 'job.outcome', payload: { outputs: { out: files }, stdoutBlob: 'o', stderrBlob: 'e' } }),
    ).toEqual([
      { blob: 'x', size: 10 },
      { blob: 'o', size: undefined },
      { blob: 'e', size: undefined },
    ]);
    expect(blobsNamedBy({ type: 'history.updated', payload: { name: 'x' } })).toEqual([]);
  });
});
