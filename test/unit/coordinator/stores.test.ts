import { hash } from '@node-rs/argon2';
import { beforeEach, describe, expect, it } from 'vitest';
import { Counters } from '../../../coordinator/counters.js';
import { Directory } from '../../../coordinator/directory.js';
import { Invitations } from '../../../coordinator/invitations.js';
import { Locks } from '../../../coordinator/locks.js';
import { hasLeftLongAgo, type PeerRow } from '../../../coordinator/peer.js';
import { Registry } from '../../../coordinator/registry.js';
import { Sessions } from '../../../coordinator/sessions.js';
import { isAcceptableHash, SignIn } from '../../../coordinator/sign-in.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { epochOf } from '../../../protocol/trust/epoch.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { parseInvitation } from '../../../protocol/trust/invitation.js';
import { checkLease } from '../../../protocol/trust/lease.js';
import { MemberList } from '../../../protocol/trust/members.js';
import { issueRevocation } from '../../../protocol/trust/revocation.js';
import { ManualClock, MemoryStore } from './support.js';

const CHEAP = { memoryCost: 8, timeCost: 1, parallelism: 1 };
const id = (n: number) => n.toString(16).padStart(16, '0');
const claim = (n: number, change: object = {}) => ({
  account: id(n),
  email: `user${n}@example.org`,
  username: `user${n}`,
  passwordHash: 'h',
  ...change,
});

let key: NodeKey;
let clock: ManualClock;
let store: MemoryStore;

beforeEach(async () => {
  key = await NodeKey.generate();
  clock = new ManualClock();
  store = new MemoryStore();
});

async function directoryOn(on: MemoryStore): Promise<Directory> {
  const counters = new Counters({ store: on });
  await counters.start();
  const directory = new Directory({ store: on, clock, signer: key, counters });
  await directory.start();
  return directory;
}

describe('the directory', () => {
  it('gives one e-mail address, and one name, to exactly one of many who claim it at once', async () => {
    const directory = await directoryOn(store);
    for (const same of ['email', 'username'] as const) {
      const text = same === 'email' ? 'Same@Example.org' : 'SameName';
      const claims = Array.from({ length: 20 }, (_, n) => {
        const written = n % 2 === 0 ? text : text.toUpperCase();
        return directory.claim(claim(n + (same === 'email' ? 100 : 200), { [same]: written }), `home${n % 3}`);
      });
      const results = await Promise.allSettled(claims);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const refusals = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason.code);
      expect(new Set(refusals)).toEqual(new Set([`directory/${same}-taken`]));
    }
  });

  it('answers a claim that is repeated as it did the first time', async () => {
    const directory = await directoryOn(store);
    const first = await directory.claim(claim(1), 'a');
    expect(await directory.claim(claim(1), 'a')).toEqual(first);
    await expect(directory.claim(claim(1, { email: 'x@example.org' }), 'a')).rejects.toMatchObject({
      code: 'directory/account-exists',
    });
  });

  it('notes who claimed an account, and says so in every lease of it, wherever it goes', async () => {
    const [a, b] = [await NodeKey.generate(), await NodeKey.generate()];
    const directory = await directoryOn(store);
    const one = await directory.claim(claim(1), a.peerId);
    const moved = await directory.rehome(id(1), a.peerId, b.peerId);
    for (const [account, node] of [
      [one, a.peerId],
      [moved, b.peerId],
    ] as const) {
      const lease = checkLease(directory.lease(account), { coordinator: key.peerId });
      expect(lease).toMatchObject({ node, origin: a.peerId });
    }
  });

  it('has everything after a restart, and gives no epoch twice', async () => {
    const before = await directoryOn(store);
    const one = await before.claim(claim(1), 'a');
    const moved = await before.rehome(id(1), 'a', 'b');
    expect(moved.epoch).toBeGreaterThan(one.epoch);
    const after = await directoryOn(store.restart());
    expect(await after.find('USER1')).toEqual(moved);
    expect([after.homes('a'), after.homes('b'), after.homeOf(id(1))]).toEqual([0, 1, 'b']);
    const two = await after.claim(claim(2), 'a');
    expect(two.epoch).toBeGreaterThan(moved.epoch);
    expect(one.epoch).toBe(epochOf(1, 1));
  });

  it('promises nothing that was not written', async () => {
    const directory = await directoryOn(store);
    await directory.claim(claim(1), 'a');
    store.failNext = true;
    await expect(directory.claim(claim(2), 'a')).rejects.toThrow('disk is full');
    expect(await directory.byId(id(2))).toBeUndefined();
    store.failNext = true;
    await expect(directory.rehome(id(1), 'a', 'b')).rejects.toThrow('disk is full');
    expect((await directory.byId(id(1)))?.home).toBe('a');
    expect((await directory.claim(claim(2), 'a')).epoch).toBe(epochOf(1, 4));
  });

  it('has in memory what is on the disk, also after a write that failed and was there all the same', async () => {
    const directory = await directoryOn(store);
    await directory.claim(claim(1), 'a');
    const changes: unknown[] = [];
    directory.onRehomed(({ account, from, to }) => changes.push([account, from, to]));
    store.failLate = true;
    await expect(directory.rehome(id(1), 'a', 'b')).rejects.toThrow('disk is full');
    expect(directory.homeOf(id(1))).toBe('b');
    expect([directory.homes('a'), directory.homes('b')]).toEqual([0, 1]);
    expect(changes).toEqual([[id(1), 'a', 'b']]);
    expect((await directory.rehome(id(1), 'a', 'c')).home).toBe('b');
    store.failLate = true;
    await expect(directory.claim(claim(2), 'a')).rejects.toThrow('disk is full');
    expect([directory.homeOf(id(2)), directory.homes('a')]).toEqual(['a', 1]);
    expect((await directory.claim(claim(2), 'a')).home).toBe('a');
  });

  it('does nothing with an account while the disk does not say how it stands, and counts it as maybe there', async () => {
    const directory = await directoryOn(store);
    await directory.claim(claim(1), 'a');
    const changes: unknown[] = [];
    directory.onRehomed(({ to }) => changes.push(to));
    const commit = store.commit.bind(store);
    const full = async () => {
      throw new Error('the disk is full');
    };
    store.failLate = true;
    let isFirst = true;
    store.commit = async (ops) => {
      if (!isFirst) return full();
      isFirst = false;
      return commit(ops);
    };
    await expect(directory.rehome(id(1), 'a', 'b')).rejects.toThrow('disk is full');
    await expect(directory.byId(id(1))).rejects.toThrow('disk is full');
    await expect(directory.rehome(id(1), 'a', 'c')).rejects.toThrow('disk is full');
    expect([directory.homes('a'), directory.homes('b'), changes.length]).toEqual([1, 1, 0]);
    store.commit = commit;
    expect((await directory.byId(id(1)))?.home).toBe('b');
    expect([directory.homes('a'), directory.homes('b'), changes]).toEqual([0, 1, ['b']]);
  });

  it('re-homes once, however many ask for it at the same moment', async () => {
    const directory = await directoryOn(store);
    const { epoch } = await directory.claim(claim(1), 'a');
    const changes: unknown[] = [];
    directory.onRehomed((change) => changes.push(change));
    const results = await Promise.all(['b', 'c', 'b'].map((to) => directory.rehome(id(1), 'a', to)));
    expect(new Set(results.map((account) => account.epoch)).size).toBe(1);
    expect(changes).toEqual([{ account: id(1), from: 'a', to: 'b', epoch: results[0]?.epoch }]);
    expect(results[0]?.epoch).toBeGreaterThan(epoch);
  });

  it('frees a name when it is changed, and keeps keys revoked for ever', async () => {
    const directory = await directoryOn(store);
    await directory.claim(claim(1), 'a');
    await directory.update(id(1), { email: 'new@example.org', username: 'USER1' });
    expect((await directory.claim(claim(2, { email: 'user1@example.org' }), 'a')).account).toBe(id(2));
    await expect(directory.update(id(2), { email: 'NEW@example.org' })).rejects.toMatchObject({
      code: 'directory/email-taken',
    });
    const k = { account: id(1), hash: 'a'.repeat(64) };
    await directory.putKey({ ...k, revoked: false });
    expect((await directory.byKeyHash(k.hash))?.account).toBe(id(1));
    await directory.putKey({ ...k, revoked: true });
    expect(await directory.byKeyHash(k.hash)).toBeUndefined();
    expect([await directory.isKeyRevoked(k.hash), await directory.isKeyRevoked('f'.repeat(64))]).toEqual([true, false]);
    await expect(directory.putKey({ ...k, revoked: false })).rejects.toMatchObject({ code: 'directory/key-revoked' });
    // The revocation may come before the key it revokes.
    const early = { account: id(1), hash: 'b'.repeat(64) };
    await directory.putKey({ ...early, revoked: true });
    await expect(directory.putKey({ ...early, revoked: false })).rejects.toMatchObject({
      code: 'directory/key-revoked',
    });
  });

  it('lists the accounts of one home in order, from any of them on', async () => {
    const directory = await directoryOn(store);
    for (const n of [3, 1, 2]) await directory.claim(claim(n), 'a');
    await directory.claim(claim(4), 'ab');
    const collect = async (after?: string) => {
      const found = [];
      for await (const account of directory.homedAt('a', after)) found.push(account);
      return found;
    };
    expect(await collect()).toEqual([id(1), id(2), id(3)]);
    expect(await collect(id(1))).toEqual([id(2), id(3)]);
  });
});

describe('signing in', () => {
  it('takes the right password, and tells a wrong one no more than an unknown name', async () => {
    const directory = await directoryOn(store);
    await directory.claim(claim(1, { passwordHash: await hash('secret', CHEAP) }), 'a');
    const signIn = new SignIn({ directory, clock });
    expect((await signIn.check('USER1@example.org', 'secret', 'node')).account).toBe(id(1));
    await expect(signIn.check('user1', 'wrong', 'node')).rejects.toMatchObject({ code: 'directory/wrong-password' });
    await expect(signIn.check('nobody', 'secret', 'node')).rejects.toMatchObject({ code: 'directory/wrong-password' });
  });

  it('lets somebody who guesses wait, and forgets it after a minute', async () => {
    const directory = await directoryOn(store);
    await directory.claim(claim(1, { passwordHash: await hash('secret', CHEAP) }), 'a');
    const signIn = new SignIn({ directory, clock }, { failuresPerMinuteMax: 2 });
    for (let n = 0; n < 2; n++) await expect(signIn.check('user1', 'wrong', 'node')).rejects.toThrow();
    await expect(signIn.check('user1', 'secret', 'node')).rejects.toMatchObject({ code: 'directory/busy' });
    clock.jump(60_001);
    expect((await signIn.check('user1', 'secret', 'node')).account).toBe(id(1));
  });

  it('does not let one node lock a name for the others, and slows the guessing of all of them', async () => {
    const directory = await directoryOn(store);
    await directory.claim(claim(1, { passwordHash: await hash('secret', CHEAP) }), 'a');
    const signIn = new SignIn({ directory, clock }, { failuresPerMinuteMax: 2, failuresSlowAfter: 4, slowMs: 20 });
    for (let n = 0; n < 2; n++) await expect(signIn.check('user1', 'wrong', 'bad')).rejects.toThrow();
    await expect(signIn.check('user1', 'secret', 'bad')).rejects.toMatchObject({ code: 'directory/busy' });
    expect((await signIn.check('user1', 'secret', 'good')).account).toBe(id(1));
    for (let n = 0; n < 2; n++) await expect(signIn.check('user1', 'wrong', 'worse')).rejects.toThrow();
    let isThrough = false;
    const slowed = signIn.check('user1', 'secret', 'good').finally(() => {
      isThrough = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isThrough).toBe(false);
    clock.advance(20);
    expect((await slowed).account).toBe(id(1));
  });

  it('refuses hashes that would cost too much to check, and other kinds', async () => {
    expect(isAcceptableHash(await hash('x', CHEAP))).toBe(true);
    expect(isAcceptableHash('$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$aGFzaA')).toBe(false);
    expect(isAcceptableHash('$2b$10$abcdefghijklmnopqrstuv')).toBe(false);
    expect(isAcceptableHash('$argon2id$rubbish')).toBe(false);
  });
});

describe('sessions at the network address', () => {
  it('take a hand-off once, also over a restart, and only in its minute', async () => {
    const directory = await directoryOn(store);
    await directory.claim(claim(1), 'a');
    const deps = { clock, random: systemRandom, signer: key, directory };
    const sessions = new Sessions({ ...deps, store }, { sessionDays: 30 });
    const handOff = sessions.issueHandOff(id(1));
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => sessions.acceptHandOff(handOff)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const again = new Sessions({ ...deps, store: store.restart() }, { sessionDays: 30 });
    await again.start();
    await expect(again.acceptHandOff(handOff)).rejects.toMatchObject({ code: 'gateway/bad-token' });
    const late = sessions.issueHandOff(id(1));
    clock.jump(60_000);
    await expect(sessions.acceptHandOff(late)).rejects.toMatchObject({ code: 'gateway/bad-token' });
  });

  it('end with time, with a changed password, and were never anything but this cookie', async () => {
    const directory = await directoryOn(store);
    await directory.claim(claim(1), 'a');
    const sessions = new Sessions({ store, clock, random: systemRandom, signer: key, directory }, { sessionDays: 1 });
    const sign = async () => (await sessions.acceptHandOff(sessions.issueHandOff(id(1)))).cookie;
    const first = await sign();
    expect((await sessions.account(first))?.account).toBe(id(1));
    expect(await sessions.account(sessions.issueHandOff(id(1)))).toBeUndefined();
    const flipped = first.slice(0, -10) + (first.at(-10) === 'A' ? 'B' : 'A') + first.slice(-9);
    expect(await sessions.account(flipped)).toBeUndefined();
    expect(await sessions.account('rubbish')).toBeUndefined();
    clock.jump(1000);
    await directory.update(id(1), { passwordHash: 'other' });
    expect(await sessions.account(first)).toBeUndefined();
    const second = await sign();
    expect((await sessions.account(second))?.account).toBe(id(1));
    clock.jump(24 * 3600 * 1000);
    expect(await sessions.account(second)).toBeUndefined();
  });

  it('remember used hand-offs for as long as they could be used again, and no longer', async () => {
    const directory = await directoryOn(store);
    await directory.claim(claim(1), 'a');
    const deps = { clock, random: systemRandom, signer: key, directory };
    const sessions = new Sessions({ ...deps, store }, { sessionDays: 1 });
    await sessions.start();
    const remembered = async (on: MemoryStore) => {
      let count = 0;
      for await (const _row of on.iterate('spent')) count++;
      return count;
    };
    for (let minute = 0; minute < 3; minute++) {
      for (let n = 0; n < 5; n++) await sessions.acceptHandOff(sessions.issueHandOff(id(1)));
      expect(await remembered(store)).toBe(5);
      clock.jump(60_000);
    }
    const later = store.restart();
    await new Sessions({ ...deps, store: later }, { sessionDays: 1 }).start();
    expect(await remembered(later)).toBe(0);
  });
});

describe('invitations', () => {
  const compose = async (on: MemoryStore) => {
    const members = new MemberList(
      { store: on, log: silentLogger },
      { network: 'testnet', coordinator: key.peerId, namespace: 'members' },
    );
    await members.start();
    const counters = new Counters({ store: on });
    await counters.start();
    const registry = new Registry(
      { store: on, clock, log: silentLogger, members },
      { silentMs: 4000, deadMs: 5000, redialMs: 700, peersMax: 10 },
    );
    await registry.start();
    const invitations = new Invitations(
      {
        store: on,
        clock,
        random: systemRandom,
        signer: key,
        counters,
        members,
        memberOps: (member) => registry.memberOps(member),
      },
      { network: 'testnet' },
    );
    const invite = async (name: string) => {
      const { line } = await invitations.create({
        name,
        location: null,
        lifeMs: 1000,
        lobby: ['/ip4/127.0.0.1/tcp/1'],
      });
      return parseInvitation(line).secret;
    };
    return { members, registry, invitations, invite };
  };
  const peerIds = async (count: number) =>
    Promise.all(Array.from({ length: count }, async () => (await NodeKey.generate()).peerId));

  it('admit exactly one of many who present the same one at once, and that one again and again', async () => {
    const { invitations, invite, members, registry } = await compose(store);
    const secret = await invite('Uppsala');
    const peers = await peerIds(8);
    const results = await Promise.allSettled(peers.map((peer) => invitations.redeem(secret, peer)));
    const winner = results.findIndex(({ status }) => status === 'fulfilled');
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason.code).toBe('join/used-invitation');
    }
    const peer = peers[winner] as string;
    expect(members.get(peer)?.credential.name).toBe('Uppsala');
    expect(registry.get(peer)?.record).toMatchObject({ name: 'Uppsala', nodeNumber: 1, state: 'joined' });
    const later = await compose(store.restart());
    const first = (results[winner] as PromiseFulfilledResult<{ credential: string }>).value;
    expect(await later.invitations.redeem(secret, peer)).toMatchObject({ credential: first.credential, again: true });
    expect(
      (await later.invitations.redeem(await later.invite('Freiburg'), (await peerIds(1))[0] as string)).nodeNumber,
    ).toBe(2);
  });

  it('are not for a node that is a member: it keeps its name, and the invitation its use', async () => {
    const { invitations, invite, members } = await compose(store);
    const [member, newcomer] = (await peerIds(2)) as [string, string];
    await invitations.redeem(await invite('Uppsala'), member);
    const second = await invite('Freiburg');
    await expect(invitations.redeem(second, member)).rejects.toMatchObject({
      code: 'join/already-member',
      data: { name: 'Uppsala' },
    });
    expect(members.get(member)?.credential.name).toBe('Uppsala');
    expect(await invitations.redeem(second, newcomer)).toMatchObject({ name: 'Freiburg', nodeNumber: 2 });
  });

  it('can be withdrawn until they are used', async () => {
    const { invitations, invite } = await compose(store);
    const [peer] = (await peerIds(1)) as [string];
    const [used, unused] = [await invite('Uppsala'), await invite('Freiburg')];
    await invitations.redeem(used, peer);
    const idOf = async (name: string) => (await invitations.list()).find((one) => one.name === name)?.id as string;
    await expect(invitations.withdraw(await idOf('Uppsala'))).rejects.toMatchObject({
      code: 'coordinator/invitation-used',
    });
    expect(await invitations.withdraw(await idOf('Freiburg'))).toMatchObject({ name: 'Freiburg' });
    await expect(invitations.redeem(unused, peer)).rejects.toMatchObject({ code: 'join/unknown-invitation' });
    await expect(invitations.withdraw('0000')).rejects.toMatchObject({ code: 'coordinator/unknown-invitation' });
  });

  it('are forgotten a month after they were used or expired, and not before', async () => {
    const first = await compose(store);
    const [peer, other] = (await peerIds(2)) as [string, string];
    const [used, expired] = [await first.invite('Uppsala'), await first.invite('Freiburg')];
    await first.invitations.redeem(used, peer);
    clock.jump(30 * 24 * 3600 * 1000);
    const later = await compose(store);
    await later.invitations.start();
    await expect(later.invitations.redeem(used, other)).rejects.toMatchObject({ code: 'join/used-invitation' });
    await expect(later.invitations.redeem(expired, other)).rejects.toMatchObject({ code: 'join/expired-invitation' });
    clock.jump(1001);
    const fresh = await later.invite('Brno');
    expect((await later.invitations.list()).map(({ name }) => name)).toEqual(['Brno']);
    await expect(later.invitations.redeem(used, other)).rejects.toMatchObject({ code: 'join/unknown-invitation' });
    await later.invitations.redeem(fresh, other);
    clock.jump(32 * 24 * 3600 * 1000);
    clock.advance(1);
    await later.invitations.stop();
    expect(await later.invitations.list()).toEqual([]);
  });

  it('are bounded, and for nobody who would be taken for the repository', async () => {
    const { invite } = await compose(store);
    await expect(invite('The main  repository'.replace('  ', ' '))).rejects.toMatchObject({
      code: 'coordinator/reserved-name',
    });
    const row = JSON.stringify({ name: 'x', location: null, createdAt: 1, expiresAt: clock.now() });
    for (let n = 0; n < 10_000; n++) store.data.set(`invitations\u0000${n}`, Buffer.from(row));
    await expect(invite('Uppsala')).rejects.toMatchObject({ code: 'coordinator/too-many-invitations' });
  });

  it('end: expired, unknown and revoked are refused by name', async () => {
    const { invitations, invite, members } = await compose(store);
    const [peer, thief] = (await peerIds(2)) as [string, string];
    await expect(invitations.redeem('0'.repeat(32), peer)).rejects.toMatchObject({ code: 'join/unknown-invitation' });
    const secret = await invite('Uppsala');
    const used = await invite('Freiburg');
    await invitations.redeem(used, thief);
    const revocation = { network: 'testnet', number: 1, peerId: thief, name: 'Freiburg', reason: '' };
    await members.merge([issueRevocation(key, revocation, clock.now())]);
    await expect(invitations.redeem(used, thief)).rejects.toMatchObject({ code: 'join/revoked' });
    await expect(invitations.redeem(secret, thief)).rejects.toMatchObject({ code: 'join/revoked' });
    clock.jump(1000);
    await expect(invitations.redeem(secret, peer)).rejects.toMatchObject({ code: 'join/expired-invitation' });
    expect(JSON.stringify([...store.data.values()].map((value) => Buffer.from(value).toString()))).not.toContain(
      secret,
    );
  });
});

describe('the registry', () => {
  const load = (sequence: number, state: 'joining' | 'serving' | 'draining' | 'drained' = 'serving') => ({
    state,
    slots: 2,
    queued: 0,
    running: 0,
    freeBytes: 1,
    atRiskBytes: 0,
    sequence,
  });
  const more = { publicUrl: null, logPartners: [] };
  const hello = (boot: number) => ({
    boot,
    bootNonce: `nonce${boot}`,
    storeId: 's',
    version: '1',
    publicUrl: null,
    addresses: [],
    capacityBytes: 1,
  });
  const build = async (on: MemoryStore) => {
    const members = new MemberList(
      { store: on, log: silentLogger },
      { network: 'testnet', coordinator: key.peerId, namespace: 'members' },
    );
    await members.start();
    const registry = new Registry(
      { store: on, clock, log: silentLogger, members },
      { silentMs: 4000, deadMs: 5000, redialMs: 700, peersMax: 10 },
    );
    await registry.start();
    return { members, registry };
  };
  const withPeer = async () => {
    const { issueCredential } = await import('../../../protocol/trust/credential.js');
    const built = await build(store);
    const { peerId } = await NodeKey.generate();
    const subject = { network: 'testnet', peerId, name: 'Uppsala', nodeNumber: 1, location: null };
    await built.members.merge([issueCredential(key, subject, clock.now()).token]);
    const state = () => built.registry.get(peerId)?.record.state;
    const presence = () => built.registry.get(peerId)?.presence;
    return { ...built, peerId, state, presence };
  };

  it('goes from joined over joining to serving, draining, drained, and joins again', async () => {
    const { registry, peerId, state } = await withPeer();
    expect(state()).toBe('joined');
    await registry.admitted(peerId, hello(1), false);
    expect(state()).toBe('joining');
    registry.heard(peerId, load(1), more);
    expect(state()).toBe('serving');
    registry.draining(peerId);
    registry.heard(peerId, load(2, 'serving'), more);
    expect(state()).toBe('draining');
    registry.heard(peerId, load(3, 'drained'), more);
    expect(state()).toBe('draining');
    const { op, done } = registry.drainedOp(peerId, '1');
    await store.commit([op]);
    done();
    expect(state()).toBe('drained');
    registry.heard(peerId, load(4, 'serving'), more);
    expect(state()).toBe('drained');
    await registry.admitted(peerId, hello(2), false);
    expect(state()).toBe('joining');
    expect(registry.get(peerId)?.record.receipt).toBeUndefined();
  });

  it('knows who left from who died, also after a restart, and lists the former for a month', async () => {
    const { registry, peerId, presence } = await withPeer();
    await registry.admitted(peerId, hello(1), false);
    registry.heard(peerId, load(1), more);
    registry.draining(peerId);
    const { op, done } = registry.drainedOp(peerId, '7');
    await store.commit([op]);
    expect(done()).toBe(true);
    expect(presence()).toBe('alive');
    registry.closed(peerId);
    registry.redialed(peerId, 'refused');
    clock.advance(60_000);
    const [row] = registry.rows();
    expect(row).toMatchObject({
      presence: 'left',
      reason: 'it was drained (receipt 7) and has left',
      receipt: '7',
      leftAtMs: clock.now() - 60_000,
    });
    const again = await build(store.restart());
    const [later] = again.registry.rows() as [PeerRow];
    expect(later.presence).toBe('left');
    const month = 30 * 24 * 3600 * 1000;
    const at = later.leftAtMs as number;
    expect([hasLeftLongAgo(later, at + month - 1), hasLeftLongAgo(later, at + month)]).toEqual([false, true]);
    await again.registry.admitted(peerId, hello(2), false);
    expect(again.registry.rows()[0]).toMatchObject({ presence: 'alive', receipt: null, leftAtMs: null });
    again.registry.closed(peerId);
    again.registry.redialed(peerId, 'refused');
    clock.advance(60_000);
    expect(again.registry.get(peerId)?.presence).toBe('dead');
  });

  it('calls a drain off when the node says so first', async () => {
    const { registry, peerId, state } = await withPeer();
    await registry.admitted(peerId, hello(1), false);
    registry.heard(peerId, load(1), more);
    registry.draining(peerId);
    registry.drainCancelled(peerId);
    registry.heard(peerId, load(2), more);
    expect(state()).toBe('serving');
  });

  it('refuses a transition that is not legal, and a revoked peer everything', async () => {
    const { registry, members, peerId, state } = await withPeer();
    expect(() => registry.drainedOp(peerId, '1')).toThrow('cannot go from joined to drained');
    const revocation = { network: 'testnet', number: 1, peerId, name: 'Uppsala', reason: '' };
    await members.merge([issueRevocation(key, revocation, clock.now())]);
    expect(state()).toBe('revoked');
    expect(() => registry.draining(peerId)).toThrow('cannot go from revoked');
    expect(registry.admissionRecord(peerId, false)).toMatchObject({ revoked: true });
  });

  it('hears silence, doubts itself first, and forgives', async () => {
    const { registry, peerId, presence } = await withPeer();
    await registry.admitted(peerId, hello(1), false);
    registry.heard(peerId, load(1), more);
    expect(registry.get(peerId)?.routable).toBe(true);
    clock.advance(4500);
    expect(presence()).toBe('unroutable');
    registry.heard(peerId, load(2), more);
    expect(presence()).toBe('alive');
    // The coordinator stood still for 6 s: that is its own fault.
    clock.jump(6000);
    registry.closed('nobody');
    clock.advance(250);
    expect(presence()).toBe('alive');
    clock.advance(9500);
    expect(presence()).toBe('dead');
  });

  it('gives up a peer whose redial is refused at once, and not one that answers it', async () => {
    const { registry, peerId, presence } = await withPeer();
    await registry.admitted(peerId, hello(1), false);
    registry.heard(peerId, load(1), more);
    registry.closed(peerId);
    expect(presence()).toBe('alive');
    registry.redialed(peerId, 'refused');
    expect(presence()).toBe('unroutable');
    await registry.admitted(peerId, hello(1), true);
    expect(presence()).toBe('alive');
    registry.closed(peerId);
    registry.redialed(peerId, 'answered');
    clock.advance(2000);
    expect(presence()).toBe('alive');
  });

  it('remembers boots and states, not presence, over a restart', async () => {
    const { registry, peerId } = await withPeer();
    await registry.admitted(peerId, hello(7), false);
    registry.heard(peerId, load(1), more);
    await registry.stop();
    await Promise.resolve();
    const again = await build(store.restart());
    expect(again.registry.get(peerId)?.record).toMatchObject({
      state: 'serving',
      last: { boot: 7, bootNonce: 'nonce7' },
    });
    expect(again.registry.get(peerId)).toMatchObject({ presence: 'away', routable: false });
  });

  it('writes a new start together with its state, so that no crash leaves a drained peer with the start that ended it', async () => {
    const { registry, peerId } = await withPeer();
    await registry.admitted(peerId, hello(1), false);
    registry.draining(peerId);
    const { op, done } = registry.drainedOp(peerId, '1');
    await store.commit([op]);
    expect(done()).toBe(true);
    // What the disk has after each write: each of them may be the last.
    const written: unknown[] = [];
    const commit = store.commit.bind(store);
    store.commit = async (ops) => {
      await commit(ops);
      const { state, last, receipt } = JSON.parse(Buffer.from((await store.get('peers', peerId)) ?? []).toString());
      written.push([state, last.boot, receipt]);
    };
    store.failNext = true;
    await expect(registry.admitted(peerId, hello(2), false)).rejects.toThrow('disk is full');
    expect(registry.get(peerId)?.record).toMatchObject({ state: 'drained', last: { boot: 1 } });
    await registry.admitted(peerId, hello(2), false);
    expect(written).toEqual([['joining', 2, undefined]]);
    const again = await build(store.restart());
    await again.registry.admitted(peerId, hello(2), true);
    again.registry.heard(peerId, load(1), more);
    expect(again.registry.get(peerId)?.record.state).toBe('serving');
  });

  it('admits on top of what changed while a start was being written', async () => {
    const { registry, peerId, state } = await withPeer();
    await registry.admitted(peerId, hello(1), false);
    registry.heard(peerId, load(1), more);
    const admitted = registry.admitted(peerId, hello(1), true);
    registry.draining(peerId);
    await admitted;
    expect(state()).toBe('draining');
    const again = await build(store.restart());
    expect(again.registry.get(peerId)?.record.state).toBe('draining');
  });

  it('counts users who were sent somewhere until they arrive or do not come', async () => {
    const { registry, peerId } = await withPeer();
    await registry.admitted(peerId, hello(1), false);
    const assigned = () => registry.routingNodes()[0]?.assigned;
    registry.assigned(peerId, 'a');
    registry.assigned(peerId, 'a');
    registry.assigned(peerId, 'b');
    expect(assigned()).toBe(2);
    registry.arrived(peerId, 'a');
    expect(assigned()).toBe(1);
    clock.advance(31_000);
    expect(assigned()).toBe(0);
  });
});

describe('locks', () => {
  it('let one in at a time per name, in order, and everybody in the end', async () => {
    const locks = new Locks();
    const log: string[] = [];
    const work = (name: string, names: string[]) =>
      locks.hold(names, async () => {
        log.push(`${name}+`);
        await Promise.resolve();
        log.push(`${name}-`);
      });
    await Promise.all([work('1', ['a', 'b']), work('2', ['b', 'a']), work('3', ['c']), work('4', ['a'])]);
    const order = log.filter((line) => !line.startsWith('3'));
    expect(order).toEqual(['1+', '1-', '2+', '2-', '4+', '4-']);
    await expect(locks.hold(['a'], () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await locks.hold(['a'], async () => {});
  });
});
