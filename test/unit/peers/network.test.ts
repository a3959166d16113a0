import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { HeldLeases } from '../../../node/accounts/held-leases.js';
import type { NetworkRecord } from '../../../node/network-record.js';
import { Network } from '../../../node/peers/network.js';
import type { BlobStore } from '../../../protocol/blobs/blob.js';
import { openBlobStore } from '../../../protocol/blobs/blob-store.js';
import type { AccountLog } from '../../../protocol/log/account-log.js';
import { createSegmentTrust } from '../../../protocol/log/segment-trust.js';
import { openAccountLog } from '../../../protocol/log/store-account-log.js';
import { systemClock as clock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom as random } from '../../../protocol/runtime/random.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { issueLease } from '../../../protocol/trust/lease.js';
import { directoryCalls } from '../../../protocol/wire/calls/directory.js';
import { answer, serveCalls } from '../../../protocol/wire/rpc.js';
import { MemoryStore } from '../../support/memory-store.js';
import { Hosts } from '../host/fixture.js';
import { NETWORK, Papers, statusOf } from './fixture.js';

const folders: string[] = [];
const networks: Network[] = [];
const hosts = new Hosts();

afterEach(async () => {
  await Promise.all(networks.splice(0).map((network) => network.stop()));
  await hosts.stop();
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

interface Made {
  network: Network;
  key: NodeKey;
  leases: HeldLeases;
  log: AccountLog;
  blobs: BlobStore;
}

async function member(papers: Papers, name: string, addresses: string[] = [], tokens: string[] = []): Promise<Made> {
  const folder = await mkdtemp(join(tmpdir(), 'network-'));
  folders.push(folder);
  const key = await NodeKey.generate();
  const store = new MemoryStore();
  const leases = new HeldLeases({ store, own: { current: () => undefined }, isOwn: () => false });
  const { peerId: coordinator } = papers.coordinator;
  const trust = createSegmentTrust({ signer: key, coordinator: () => coordinator });
  const log = await openAccountLog({ store, clock, random, log: silentLogger, leases, trust }, { folder: '' });
  const blobs = await openBlobStore(
    { store, clock, log: silentLogger, random },
    { folder: join(folder, 'blobs'), minFreeBytes: 0, capacityBytes: null },
  );
  const credential = papers.credential(key, name, clock.now());
  const record: NetworkRecord = {
    network: NETWORK,
    coordinator,
    addresses,
    networkUrl: 'http://127.0.0.1:1',
    networkKey: '00'.repeat(32),
    credential,
    nodeNumber: 1,
    name,
    location: null,
    joinedAt: 0,
  };
  const load = {
    state: 'serving' as const,
    slots: 1,
    queued: 0,
    running: 0,
    freeBytes: 1,
    atRiskBytes: 0,
    atRiskAgeMs: 0,
  };
  const network = await Network.create(
    {
      key,
      store,
      clock,
      random,
      log: silentLogger,
      accountLog: log,
      blobs,
      leases,
      originOf: () => undefined,
      gate: { refusal: () => undefined },
      info: { kind: 'node', format: 1, peerId: key.peerId, storeId: 'ab'.repeat(16), boot: 1, createdAt: '' },
      peersFile: join(folder, 'peers.json'),
      record,
      digest: () => ({ ...load, publicUrl: null }),
      logPartners: () => [],
      isLarge: () => false,
      acceptTunnel: async () => {},
      onRegistered: async () => {},
      onAway: () => {},
      onCommand: async () => {},
      onClone: () => {},
      saveRecord: async () => {},
    },
    {
      listen: ['/ip4/127.0.0.1/tcp/0'],
      announce: [],
      publicUrl: null,
      heartbeatMs: 1000,
      capacityBytes: 1000,
      mayHoldFrom: null,
    },
  );
  await network.members.start();
  await network.members.merge([credential, ...tokens]);
  networks.push(network);
  await network.start();
  return { network, key, leases, log, blobs };
}

/** Looks again at every change of the member list or of a connection. */
function until(made: Made, test: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.timeout(20_000);
    const done = (end: () => void) => {
      for (const release of releases) release();
      end();
    };
    const look = () => {
      if (test()) done(resolve);
    };
    const releases = [
      made.network.members.onChange(look),
      // After the host's own bookkeeping.
      made.network.host.onPeer(() => setImmediate(look)),
      () => limit.removeEventListener('abort', late),
    ];
    const late = () => done(() => reject(new Error('it did not come to pass')));
    limit.addEventListener('abort', late);
    look();
  });
}

const tokenOf = (made: Made) => made.network.members.get(made.key.peerId)?.token as string;

describe('a node in its network', () => {
  it('finds the others, brings member lists in line, and cuts off whom a revocation shut out', async () => {
    const papers = await Papers.create();
    const a = await member(papers, 'Uppsala');
    const b = await member(papers, 'Freiburg', [], [tokenOf(a)]);
    const c = await member(papers, 'Melbourne', [], [tokenOf(a), tokenOf(b)]);
    await a.network.members.merge([tokenOf(b)]);
    await b.network.members.merge([tokenOf(c)]);
    // A does not know C: B tells it when they meet.
    a.network.peers.update([statusOf(b.key.peerId, { addresses: b.network.host.addresses() })]);
    await until(a, () => a.network.members.get(c.key.peerId) !== undefined);
    expect(a.network.host.isConnected(b.key.peerId)).toBe(true);
    c.network.peers.update([
      statusOf(a.key.peerId, { addresses: a.network.host.addresses() }),
      statusOf(b.key.peerId, { addresses: b.network.host.addresses() }),
    ]);
    await until(b, () => b.network.host.isConnected(c.key.peerId));
    await until(a, () => a.network.host.isConnected(c.key.peerId));

    await b.network.members.merge([papers.revocation(c.key, clock.now())]);
    await until(b, () => !b.network.host.isConnected(c.key.peerId));
    await until(c, () => !c.network.host.isConnected(b.key.peerId));
    expect(b.network.host.isConnected(a.key.peerId)).toBe(true);
    expect(b.network.peers.list().some(({ peer }) => peer === c.key.peerId)).toBe(false);
    await expect(
      c.network.host.connect(b.key.peerId, b.network.host.addresses(), AbortSignal.timeout(5000)),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^host\//) });
  });

  it('keeps no lease for another account or another node, whatever an answer says', async () => {
    const papers = await Papers.create();
    const coordinator = await hosts.start({ key: papers.coordinator });
    const a = await member(papers, 'Uppsala');
    const account = '00000000000000a1';
    const hash = 'x'.repeat(60);
    let lease = '';
    await serveCalls({ host: coordinator, clock, log: silentLogger }, 'directory', [
      answer(directoryCalls.claim, async ({ email, username, passwordHash }) => ({
        account: { account, email, username, passwordHash, home: a.key.peerId, epoch: 3 },
        lease,
        handOff: 'x',
      })),
    ]);
    await a.network.host.connect(coordinator.peerId, coordinator.addresses(), AbortSignal.timeout(5000));
    const claim = () => a.network.directory.claim({ account, email: 'a@b.se', username: 'abc', passwordHash: hash });
    const issue = (change: object) =>
      issueLease(papers.coordinator, { account, epoch: 3, node: a.key.peerId, ...change }, clock.now());
    lease = issue({ node: papers.coordinator.peerId });
    await expect(claim()).rejects.toMatchObject({ code: 'trust/other-lease' });
    lease = issue({ account: '00000000000000a2' });
    await expect(claim()).rejects.toMatchObject({ code: 'trust/other-lease' });
    expect(a.leases.current(account)).toBeUndefined();
    lease = issue({});
    await claim();
    expect(a.leases.current(account)?.epoch).toBe(3);
  });
});
