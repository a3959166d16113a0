import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LeaseSource } from '../../../protocol/log/account-log.js';
import { LogExchange, serveLog } from '../../../protocol/log/exchange.js';
import { whyNotOrigin } from '../../../protocol/log/origin.js';
import { createSegmentTrust } from '../../../protocol/log/segment-trust.js';
import { openAccountLog } from '../../../protocol/log/store-account-log.js';
import { canonicalView } from '../../../protocol/log/view.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { openStore } from '../../../protocol/runtime/store.js';
import { createNodeKey, type NodeKey } from '../../../protocol/trust/identity.js';
import { issueLease } from '../../../protocol/trust/lease.js';
import { directoryErrors } from '../../../protocol/wire/calls/directory-errors.js';
import { MemoryNetwork } from '../../support/memory-streams.js';
import { ACCOUNT, hex, historyCreated, historyRenamed, manualClock } from './fixture.js';

describe('the log on real keys', () => {
  let folder: string;
  let coordinator: NodeKey;
  let nodes: [NodeKey, NodeKey];
  const clock = manualClock();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segment-trust-'));
    coordinator = await createNodeKey(join(folder, 'c.key'));
    nodes = [await createNodeKey(join(folder, 'a.key')), await createNodeKey(join(folder, 'b.key'))];
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  const trustOf = (signer: NodeKey) => createSegmentTrust({ signer, coordinator: () => coordinator.peerId });
  const lease = (signer: NodeKey, node: NodeKey, epoch: number, account = ACCOUNT) =>
    issueLease(signer, { account, epoch, node: node.peerId }, clock.now());

  async function open(signer: NodeKey, leases: LeaseSource) {
    const path = join(folder, systemRandom.float().toString(36));
    const store = await openStore(path);
    const deps = { store, clock, random: systemRandom, log: silentLogger, leases, trust: trustOf(signer) };
    return { store, log: await openAccountLog(deps, { folder: path }) };
  }

  it('carries entries from one node to another', async () => {
    const [a, b] = nodes;
    const from = await open(a, {
      current: (account) => ({ account, epoch: 3, token: lease(coordinator, a, 3, account) }),
    });
    const to = await open(b, { current: () => undefined });
    await from.log.append(ACCOUNT, () => [historyCreated()]);
    const run = await from.log.read({ account: ACCOUNT, epoch: 3, writer: from.log.writer }, 1, 1000);
    if (!run) throw new Error('nothing to read');
    await to.log.receive(run);
    expect(canonicalView(await to.log.view(ACCOUNT))).toBe(canonicalView(await from.log.view(ACCOUNT)));
    const [signed, signature] = [run.head.slice(0, -10), run.head.slice(-10)];
    const forged = signed + (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);
    await expect(to.log.receive({ ...run, head: forged })).rejects.toMatchObject({ code: 'log/untrusted' });
    await from.store.close();
    await to.store.close();
  });

  it('takes a lease of epoch 0 from the node itself, and any other from the coordinator alone', () => {
    const [a, b] = nodes;
    const trust = trustOf(b);
    const key = (epoch: number) => ({ account: ACCOUNT, epoch, writer: hex(1) });
    expect(trust.checkLease(lease(a, a, 0), key(0))).toEqual({ node: a.peerId });
    expect(trust.checkLease(lease(coordinator, a, 5), key(5))).toEqual({ node: a.peerId });
    expect(() => trust.checkLease(lease(a, a, 5), key(5))).toThrow(/may not issue/);
    expect(() => trust.checkLease(lease(coordinator, a, 5), key(6))).toThrow(/not for account/);
    expect(() => trust.checkLease(lease(coordinator, a, 5, hex(9)), key(5))).toThrow(/not for account/);
  });

  it('takes epoch 0 from nobody but the node that made the account, once that is known', async () => {
    const [a, b] = nodes;
    const origin = (account: string) => (account === ACCOUNT ? a.peerId : undefined);
    const trust = createSegmentTrust({ signer: b, coordinator: () => coordinator.peerId, origin });
    const key = (epoch: number, account = ACCOUNT) => ({ account, epoch, writer: hex(1) });
    expect(trust.checkLease(lease(a, a, 0), key(0))).toEqual({ node: a.peerId });
    expect(() => trust.checkLease(lease(b, b, 0), key(0))).toThrow(/another node than made/);
    expect(trust.checkLease(lease(b, b, 0, hex(9)), key(0, hex(9)))).toEqual({ node: b.peerId });
    expect(trust.checkLease(lease(coordinator, b, 5), key(5))).toEqual({ node: b.peerId });
  });

  it('asks before anything of epoch 0 is stored, and stores nothing that is refused', async () => {
    const [a, b] = nodes;
    const from = await open(a, { current: (account) => ({ account, epoch: 0, token: lease(a, a, 0, account) }) });
    const to = await open(b, { current: () => undefined });
    const network = new MemoryNetwork();
    const asked: unknown[] = [];
    let origin = b.peerId;
    let isAway = false;
    await serveLog({
      host: network.host('to'),
      log: to.log,
      store: to.store,
      clock,
      logger: silentLogger,
      storeId: 'ab'.repeat(16),
      policy: {
        mayRead: () => undefined,
        mayPush: () => undefined,
        mayStore: async (peer, { account, node }) => {
          asked.push([peer, account]);
          if (isAway) throw directoryErrors('away');
          return whyNotOrigin({ node, pusher: peer }, { origin });
        },
      },
    });
    const exchange = new LogExchange({ host: network.host('from'), log: from.log });
    const push = async () => {
      const run = await from.log.read({ account: ACCOUNT, epoch: 0, writer: from.log.writer }, 1, 10_000);
      if (!run) throw new Error('nothing to read');
      const { writer } = from.log;
      return exchange.push('to', { writer, after: 0, through: run.entries.length, runs: [run] }, signal);
    };
    const { signal } = new AbortController();
    await from.log.append(ACCOUNT, () => [historyCreated()]);
    await expect(push()).rejects.toMatchObject({ code: 'log/untrusted' });
    expect(await to.log.vector(ACCOUNT)).toEqual({});
    expect((await exchange.position('to', from.log.writer, signal)).position).toBe(0);
    origin = a.peerId;
    expect((await push()).position).toBe(1);
    await from.log.append(ACCOUNT, () => [historyRenamed('again')]);
    expect((await push()).position).toBe(2);
    expect(asked).toEqual(Array(3).fill(['from', ACCOUNT]));
    // What is here goes on while nobody can be asked; what is not waits.
    isAway = true;
    await from.log.append(ACCOUNT, () => [historyRenamed('away')]);
    expect((await push()).position).toBe(3);
    const other = hex(77);
    await from.log.append(other, () => [historyCreated()]);
    const begun = await from.log.read({ account: other, epoch: 0, writer: from.log.writer }, 1, 10_000);
    const offer = { writer: from.log.writer, after: 3, through: 4, runs: begun === undefined ? [] : [begun] };
    await expect(exchange.push('to', offer, signal)).rejects.toMatchObject({ code: 'directory/away' });
    // Claimed by its maker since: the stranger's segment does not go on.
    isAway = false;
    origin = b.peerId;
    await from.log.append(ACCOUNT, () => [historyRenamed('forged')]);
    await expect(push()).rejects.toMatchObject({ code: 'log/untrusted' });
    expect(Object.values(await to.log.vector(ACCOUNT)).map(({ seq }) => seq)).toEqual([3]);
    await from.store.close();
    await to.store.close();
  });

  it('asks as well before it takes what a holder gives, and stores nothing of what another node made up', async () => {
    const [a, b] = nodes;
    const forger = await open(a, { current: (account) => ({ account, epoch: 0, token: lease(a, a, 0, account) }) });
    const taker = await open(b, { current: () => undefined });
    await forger.log.append(ACCOUNT, () => [historyCreated()]);
    const network = new MemoryNetwork();
    await serveLog({
      host: network.host('holder'),
      log: forger.log,
      store: forger.store,
      clock,
      logger: silentLogger,
      storeId: 'ab'.repeat(16),
      policy: { mayRead: () => undefined, mayPush: () => undefined },
    });
    let origin = b.peerId;
    const exchange = new LogExchange({
      host: network.host('taker'),
      log: taker.log,
      mayStore: async ({ node }) => whyNotOrigin({ node, pusher: b.peerId }, { origin }),
    });
    const { signal } = new AbortController();
    await expect(exchange.pull('holder', ACCOUNT, signal)).rejects.toMatchObject({ code: 'log/untrusted' });
    expect(await taker.log.vector(ACCOUNT)).toEqual({});
    origin = a.peerId;
    expect(await exchange.pull('holder', ACCOUNT, signal)).toBe(1);
    await forger.store.close();
    await taker.store.close();
  });

  it('counts what a node pushes of its own while nobody has claimed the account', () => {
    const why = (node: string, origin?: { origin?: string }) => whyNotOrigin({ node, pusher: 'a' }, origin);
    expect([why('a'), why('a', { origin: 'a' }), why('b', { origin: 'b' }), why('b', {})]).toEqual(
      Array(4).fill(undefined),
    );
    expect(why('b')).toContain('not in the directory');
    expect(why('a', { origin: 'b' })).toContain('another node than made the account');
  });
});
