import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LeaseSource } from '../../../protocol/log/account-log.js';
import { createSegmentTrust } from '../../../protocol/log/segment-trust.js';
import { openAccountLog } from '../../../protocol/log/store-account-log.js';
import { canonicalView } from '../../../protocol/log/view.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { openStore } from '../../../protocol/runtime/store.js';
import { createNodeKey, type NodeKey } from '../../../protocol/trust/identity.js';
import { issueLease } from '../../../protocol/trust/lease.js';
import { ACCOUNT, hex, historyCreated, manualClock } from './fixture.js';

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
});
