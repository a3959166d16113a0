import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { peerTable } from '../../../bin/peer-table.js';
import { isDomainError } from '../../../protocol/runtime/errors.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { checkLease } from '../../../protocol/trust/lease.js';
import { directoryCalls } from '../../../protocol/wire/calls/directory.js';
import { handoverCalls } from '../../../protocol/wire/calls/handover.js';
import { membersCall } from '../../../protocol/wire/calls/members.js';
import { call } from '../../../protocol/wire/rpc.js';
import {
  eventually,
  joinPeer,
  openRegistration,
  presentInvitation,
  serveAsNode,
  startCoordinator,
  type TestCoordinator,
  type TestPeer,
  temporaryFolder,
} from './support.js';

const HASH = '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG';
const claimOf = (n: number) => ({
  account: n.toString(16).padStart(16, '0'),
  email: `user${n}@example.org`,
  username: `user${n}`,
  passwordHash: HASH,
});

describe('a coordinator on loopback', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let coordinator: TestCoordinator;
  const stops: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    folder = await temporaryFolder();
    coordinator = await startCoordinator(folder.path);
  });

  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
    await coordinator.stop();
    await folder.remove();
  });

  const join = async (name: string): Promise<TestPeer> => {
    const peer = await joinPeer(coordinator, { name });
    stops.push(() => peer.host.stop());
    return peer;
  };
  const serve = async (peer: TestPeer, change: Parameters<typeof serveAsNode>[1] = {}) => {
    const node = await serveAsNode(peer, change);
    stops.push(() => node.stop());
    return node;
  };
  const row = (peer: TestPeer) => coordinator.peers().peers.find(({ peerId }) => peerId === peer.key.peerId);

  it('admits a node with an invitation, lists it, and sees it serve', async () => {
    const peer = await join('Uppsala');
    expect(peer.joined.nodeNumber).toBe(1);
    expect(peer.joined.networkKey).toMatch(/^[0-9a-f]{64}$/);
    expect(row(peer)?.state).toBe('joined');
    const node = await serve(peer);
    expect(node.welcome.repository).toBe(coordinator.key.peerId);
    await eventually(() => row(peer)?.state === 'serving' && row(peer)?.presence === 'alive');
  });

  it('takes an invitation once, and gives its own node the same credential again', async () => {
    const { line } = await coordinator.invite({ name: 'Freiburg' });
    const key = await NodeKey.generate();
    const first = await presentInvitation(key, line);
    const again = await presentInvitation(key, line);
    expect(again.credential).toBe(first.credential);
    await expect(presentInvitation(await NodeKey.generate(), line)).rejects.toSatisfy((error) =>
      isDomainError(error, 'join/used-invitation'),
    );
  });

  it('does not let a stranger connect where members do', async () => {
    const stranger = await join('Melbourne');
    await coordinator.revoke('Melbourne', 'test');
    await expect(
      stranger.host
        .disconnect(coordinator.key.peerId)
        .then(() =>
          stranger.host.connect(coordinator.key.peerId, stranger.joined.addresses, AbortSignal.timeout(5000)),
        ),
    ).rejects.toThrow();
  });

  it('refuses a boot number that was used, and a clone while the first one lives', async () => {
    const peer = await join('Uppsala');
    await serve(peer, { boot: 5 });
    const old = await openRegistration(peer, { boot: 5, bootNonce: 'ef'.repeat(8) });
    expect(old.first).toMatchObject({ kind: 'refused', code: 'register/old-boot' });
    const clone = await openRegistration(peer, { boot: 6, bootNonce: 'ef'.repeat(8) });
    expect(clone.first).toMatchObject({ kind: 'refused', code: 'register/second-boot' });
  });

  it('refuses a clock that is off, and says by how much', async () => {
    const peer = await join('Uppsala');
    const { first } = await openRegistration(peer, { time: 1_000_000 });
    expect(first).toMatchObject({ kind: 'refused', code: 'register/clock-skew' });
  });

  it('gives no user to a node whose process is gone, and forgives one that comes back', async () => {
    const { line } = await coordinator.invite({ name: 'Uppsala' });
    const peer = await joinPeer(coordinator, { name: 'Uppsala', line });
    stops.push(() => peer.host.stop());
    await serve(peer);
    await eventually(() => row(peer)?.presence === 'alive');
    await peer.host.stop();
    await eventually(() => row(peer)?.presence === 'unroutable');
    const back = await joinPeer(coordinator, { name: 'Uppsala', line, key: peer.key });
    stops.push(() => back.host.stop());
    await serve(back, { boot: 2, bootNonce: 'ef'.repeat(8) });
    await eventually(() => row(peer)?.presence === 'alive' && row(peer)?.state === 'serving');
  });

  it('tells a revoked node so, ends its connection and tells the others', async () => {
    const [uppsala, freiburg] = [await join('Uppsala'), await join('Freiburg')];
    const [node, other] = [await serve(uppsala), await serve(freiburg)];
    await coordinator.revoke(uppsala.key.peerId, 'it was stolen');
    await eventually(() => node.channel.closed);
    expect(node.received).toContainEqual(expect.objectContaining({ kind: 'refused', code: 'register/revoked' }));
    await eventually(() => !uppsala.host.isConnected(coordinator.key.peerId));
    await eventually(() => other.received.some((message) => (message as { kind: string }).kind === 'members'));
    expect(row(uppsala)?.state).toBe('revoked');
  });

  it('keeps names unique over nodes, gives leases to the home alone, and remembers all of it', async () => {
    const [uppsala, freiburg] = [await join('Uppsala'), await join('Freiburg')];
    const at = (peer: TestPeer) => [peer.host, peer.joined.coordinator] as const;
    const claimed = await call(...at(uppsala), directoryCalls.claim, claimOf(1));
    expect(checkLease(claimed.lease, { coordinator: coordinator.key.peerId })).toMatchObject({
      account: claimOf(1).account,
      node: uppsala.key.peerId,
      epoch: claimed.account.epoch,
    });
    await expect(
      call(...at(freiburg), directoryCalls.claim, { ...claimOf(2), email: 'USER1@example.org' }),
    ).rejects.toMatchObject({ code: 'directory/email-taken' });
    const seen = await call(...at(freiburg), directoryCalls.find, { login: 'User1' });
    expect(seen.account).toMatchObject({ home: uppsala.key.peerId, passwordHash: '' });
    const change = { account: claimOf(1).account, change: { username: 'other' } };
    await expect(call(...at(freiburg), directoryCalls.update, change)).rejects.toMatchObject({
      code: 'directory/not-home',
    });
    const mine = await call(...at(uppsala), directoryCalls.leases, {});
    expect(mine.leases.map(({ account }) => account)).toEqual([claimOf(1).account]);
    expect((await call(...at(freiburg), directoryCalls.leases, {})).leases).toEqual([]);

    await coordinator.stop();
    coordinator = await startCoordinator(folder.path);
    const addresses = coordinator.addresses().network;
    await uppsala.host.connect(coordinator.key.peerId, addresses, AbortSignal.timeout(5000));
    const after = await call(...at(uppsala), directoryCalls.byId, { account: claimOf(1).account });
    expect(after.account).toMatchObject({ epoch: claimed.account.epoch, email: 'user1@example.org' });
    const next = await call(...at(uppsala), directoryCalls.claim, claimOf(3));
    expect(next.account.epoch).toBeGreaterThan(claimed.account.epoch);
  });

  it('shows what a node was told and could not do, tells it again, and forgets it when it is done', async () => {
    const [uppsala, freiburg] = [await join('Uppsala'), await join('Freiburg')];
    const [leaver] = [await serve(uppsala), await serve(freiburg)];
    await eventually(() => row(freiburg)?.state === 'serving');
    const ask = [uppsala.host, coordinator.key.peerId] as const;
    await call(...ask, directoryCalls.claim, claimOf(1));
    await call(...ask, handoverCalls.announce, { acceptCopies: 1 });
    await call(...ask, handoverCalls.rehome, { account: claimOf(1).account });
    type Told = { kind: string; id: number; do: { what: string } };
    const seals = () =>
      (leaver.received as Told[]).filter(({ kind, do: what }) => kind === 'command' && what.what === 'seal');
    await eventually(() => seals().length === 1);
    await leaver.channel.send({ kind: 'done', command: seals()[0]?.id as number, code: 'store/full' });
    const problem = await eventually(() => row(uppsala)?.problem ?? undefined);
    expect(problem).toContain(`give up the account ${claimOf(1).account}: store/full`);
    expect(coordinator.status()).toMatchObject({ problems: [{ name: 'Uppsala', problem }] });
    // Who reads the pages has not signed in.
    for (const path of ['/api/network/peers.json', '/api/network/status']) {
      const text = await (await fetch(`${coordinator.addresses().http}${path}`)).text();
      expect(text, path).toContain('could not be made to give up an account: store/full');
      expect(text, path).not.toContain(claimOf(1).account);
    }
    expect(peerTable(coordinator.peers()).join('\n')).toContain('Problem at Uppsala: it could not be made');
    await eventually(() => seals().length === 2);
    await leaver.channel.send({ kind: 'done', command: seals()[1]?.id as number });
    await eventually(() => row(uppsala)?.problem === null);
  });

  it('hands the member list to whoever has another one', async () => {
    const [uppsala] = [await join('Uppsala'), await join('Freiburg')];
    const none = { digest: '0'.repeat(64), members: 0, revocation: 0 };
    const got = await call(uppsala.host, uppsala.joined.coordinator, membersCall, { version: none });
    expect(got.tokens).toHaveLength(2);
    const same = await call(uppsala.host, uppsala.joined.coordinator, membersCall, { version: got.version });
    expect(same.tokens).toEqual([]);
  });
});
