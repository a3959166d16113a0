import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LocalLeases } from '../../../node/accounts/local-leases.js';
import { LogExchange } from '../../../protocol/log/exchange.js';
import { createSegmentTrust } from '../../../protocol/log/segment-trust.js';
import { openAccountLog } from '../../../protocol/log/store-account-log.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { openStore } from '../../../protocol/runtime/store.js';
import { directoryCalls } from '../../../protocol/wire/calls/directory.js';
import { call } from '../../../protocol/wire/rpc.js';
import { historyCreated } from '../log/fixture.js';
import { joinPeer, startCoordinator, type TestCoordinator, type TestPeer } from './support.js';

const ACCOUNT = '00000000000000b7';
const HASH = '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG';

let folder: string;
let coordinator: TestCoordinator;
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'galaxy-repository-'));
  coordinator = await startCoordinator(join(folder, 'coordinator'));
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await coordinator.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A member that writes to the account by its own word, and pushes what it wrote. */
async function writer(name: string): Promise<{ peer: TestPeer; push: () => Promise<number> }> {
  const peer = await joinPeer(coordinator, { name });
  const store = await openStore(join(folder, name));
  stops.push(
    () => store.close(),
    () => peer.host.stop(),
  );
  const shared = { store, clock: systemClock, random: systemRandom, log: silentLogger };
  const leases = new LocalLeases({ signer: peer.key, clock: systemClock });
  const trust = createSegmentTrust({ signer: peer.key, coordinator: () => coordinator.key.peerId });
  const log = await openAccountLog({ ...shared, leases, trust }, { folder });
  await log.append(ACCOUNT, () => [historyCreated()]);
  const exchange = new LogExchange({ host: peer.host, log });
  const push = async () => {
    const run = await log.read({ account: ACCOUNT, epoch: 0, writer: log.writer }, 1, 10_000);
    if (run === undefined) throw new Error('nothing was written');
    const what = { writer: log.writer, after: 0, through: 1, runs: [run] };
    return (await exchange.push(coordinator.key.peerId, what, AbortSignal.timeout(20_000))).position;
  };
  return { peer, push };
}

it('takes entries of epoch 0 from the node that claimed the account, and from no other member', async () => {
  const [uppsala, freiburg] = [await writer('Uppsala'), await writer('Freiburg')];
  const claim = { account: ACCOUNT, email: 'user@example.org', username: 'user', passwordHash: HASH };
  await call(uppsala.peer.host, coordinator.key.peerId, directoryCalls.claim, claim);
  await expect(freiburg.push()).rejects.toMatchObject({ code: 'log/untrusted' });
  expect(await uppsala.push()).toBe(1);
});

it('takes what a node wrote before it claims the account: its journal goes on', async () => {
  expect(await (await writer('Uppsala')).push()).toBe(1);
});
