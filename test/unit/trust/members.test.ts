import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { openStore, type Store } from '../../../protocol/runtime/store.js';
import { CREDENTIAL_LIFE_MS, issueCredential } from '../../../protocol/trust/credential.js';
import { cutOffUnadmitted, memberGate, onlyGate, openGate } from '../../../protocol/trust/gater.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { MemberList } from '../../../protocol/trust/members.js';
import { issueRevocation } from '../../../protocol/trust/revocation.js';
import { ManualClock } from '../../support/manual-clock.js';
import { HandClock, MemoryStore } from '../wire/fixture.js';

const NOW = Date.UTC(2026, 2, 1);
const NETWORK = 'nordic';
let coordinator: NodeKey;
let stranger: NodeKey;
let nodes: NodeKey[];

beforeAll(async () => {
  coordinator = await NodeKey.generate();
  stranger = await NodeKey.generate();
  nodes = await Promise.all(Array.from({ length: 5 }, () => NodeKey.generate()));
});

const peer = (i: number) => (nodes[i] as NodeKey).peerId;

function credential(i: number, issuedAt = NOW, signer = coordinator, name = `node ${i}`): string {
  const subject = { network: NETWORK, peerId: peer(i), name, nodeNumber: i, location: null };
  return issueCredential(signer, subject, issuedAt).token;
}

function revocation(i: number, number = i + 1): string {
  const content = { network: NETWORK, number, peerId: peer(i), name: `node ${i}`, reason: 'left' };
  return issueRevocation(coordinator, content, NOW);
}

async function list(store: Store = new MemoryStore(), membersMax?: number): Promise<MemberList> {
  const members = new MemberList(
    { store, log: silentLogger },
    {
      network: NETWORK,
      coordinator: coordinator.peerId,
      namespace: 'members',
      ...(membersMax !== undefined ? { membersMax } : {}),
    },
  );
  await members.start();
  return members;
}

const state = (members: MemberList) => ({ tokens: members.tokens(), version: members.version() });

describe('the member list', () => {
  it('admits members in good standing and the coordinator, and says why it does not admit others', async () => {
    const members = await list();
    await members.merge([credential(0), credential(1), revocation(1), credential(2, NOW + 3_600_000)]);
    expect(members.admission(peer(0), NOW)).toEqual({ admitted: true, reason: 'in time' });
    expect(members.admission(peer(1), NOW)).toEqual({ admitted: false, reason: 'revoked' });
    expect(members.admission(peer(2), NOW)).toEqual({ admitted: false, reason: 'early' });
    expect(members.admission(peer(3), NOW)).toEqual({ admitted: false, reason: 'not a member' });
    expect(members.admits(coordinator.peerId, NOW)).toBe(true);
    expect(members.list().map((one) => one.name)).toEqual(['node 0', 'node 2']);
    expect(members.revoked().map((one) => one.name)).toEqual(['node 1']);
  });

  it('honours an expired member until the coordinator is heard again', async () => {
    const members = await list();
    await members.merge([credential(0)]);
    const later = NOW + CREDENTIAL_LIFE_MS + 1;
    expect(members.admits(peer(0), later)).toBe(true);
    members.coordinatorHeard(later);
    expect(members.admission(peer(0), later)).toEqual({ admitted: false, reason: 'expired' });
    await members.merge([credential(0, later)]);
    expect(members.admits(peer(0), later)).toBe(true);
  });

  it('ends the same whatever the order, the portions and the repetitions in which it came', async () => {
    const pool = [
      ...[0, 1, 2, 3].map((i) => credential(i)),
      credential(0, NOW + 1),
      credential(0, NOW + 1, coordinator, 'renamed at the same moment'),
      credential(1, NOW + 2),
      revocation(2, 9),
      revocation(2, 4),
      revocation(4, 5),
    ];
    const reference = await list();
    await reference.merge(pool);
    const portions = fc.array(fc.array(fc.nat({ max: pool.length - 1 }), { maxLength: 6 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(portions, fc.shuffledSubarray(pool, { minLength: pool.length }), async (first, order) => {
        const members = await list();
        for (const portion of first) await members.merge(portion.map((i) => pool[i] as string));
        for (const token of order) await members.merge([token]);
        expect(state(members)).toEqual(state(reference));
      }),
      { numRuns: 30 },
    );
    expect(reference.revocationOf(peer(2))?.number).toBe(4);
  });

  it('takes nothing that the coordinator did not sign, and the good beside the bad', async () => {
    const members = await list();
    const foreign = issueCredential(
      coordinator,
      { network: 'other', peerId: peer(1), name: 'x', nodeNumber: 1, location: null },
      NOW,
    ).token;
    const result = await members.merge([
      'rubbish',
      credential(1, NOW, stranger),
      foreign,
      credential(0),
      'x'.repeat(9999),
    ]);
    expect(result.added).toHaveLength(1);
    expect(result.refused.map((error) => error.code)).toEqual([
      'trust/malformed',
      'trust/wrong-signer',
      'trust/wrong-network',
      'trust/malformed',
    ]);
    expect(members.list().map((one) => one.peerId)).toEqual([peer(0)]);
  });

  it('tells only what is new, and hands it on in pages', async () => {
    const members = await list();
    const changes: string[][] = [];
    const off = members.onChange((change) => changes.push(change.peers));
    await members.merge([credential(0), credential(1)]);
    await members.merge([credential(0), credential(1)]);
    await members.merge([credential(0, NOW - 5)]);
    await members.merge([revocation(0)]);
    off();
    await members.merge([credential(2)]);
    expect(changes).toEqual([[peer(0), peer(1)], [peer(0)]]);

    const collected: string[] = [];
    let after: string | undefined;
    do {
      const page = members.page(after, 700);
      collected.push(...page.tokens);
      after = page.next;
    } while (after !== undefined);
    expect(collected).toEqual(members.tokens());
    const copy = await list();
    await copy.merge(collected);
    expect(copy.version()).toEqual(members.version());
  });

  it('is there again after a restart, and ignores what was damaged on disk', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'galaxy-members-'));
    try {
      let store = await openStore(join(folder, 'db'));
      const members = await list(store);
      await members.merge([credential(0), credential(1), credential(2), revocation(1)]);
      await store.close();
      store = await openStore(join(folder, 'db'));
      const again = await list(store);
      expect(state(again)).toEqual(state(members));
      await store.commit([{ ns: 'members', key: `member/${peer(0)}`, value: credential(0, NOW, stranger) }]);
      const damaged = await list(store);
      expect(damaged.list().map((one) => one.peerId)).toEqual([peer(2)]);
      await store.close();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('shows nothing that is not on disk', async () => {
    const store = new MemoryStore();
    const members = await list(store);
    store.failing = true;
    await expect(members.merge([credential(0)])).rejects.toThrow('disk gone');
    expect(members.admits(peer(0), NOW)).toBe(false);
    store.failing = false;
    await members.merge([credential(0)]);
    expect(members.admits(peer(0), NOW)).toBe(true);
  });

  it('has a bound, which never keeps a revocation out', async () => {
    const members = await list(new MemoryStore(), 2);
    const { refused } = await members.merge([credential(0), credential(1), credential(2)]);
    expect(refused.map((error) => error.code)).toEqual(['trust/members-full']);
    await members.merge([credential(0, NOW + 1), revocation(1)]);
    expect(members.admits(peer(1), NOW)).toBe(false);
    expect(members.get(peer(0))?.credential.issuedAt).toBe(NOW + 1);
  });
});

describe('gates', () => {
  it('follow the list at once, and cut off whoever is no longer admitted', async () => {
    const members = await list();
    const clock = new HandClock(NOW);
    const gate = memberGate({ members, clock });
    const connected = new Set([peer(0), peer(1)]);
    const host = {
      connectedPeers: () => [...connected],
      disconnect: async (gone: string) => {
        connected.delete(gone);
      },
      onPeer: () => () => {},
    };
    const off = cutOffUnadmitted({ host, gate, members, clock, log: silentLogger });
    expect(gate.admits(peer(0))).toBe(false);
    await members.merge([credential(0), credential(1)]);
    expect([gate.admits(peer(0)), gate.admits(peer(1)), gate.admits(coordinator.peerId)]).toEqual([true, true, true]);
    await members.merge([revocation(1)]);
    expect(gate.admits(peer(1))).toBe(false);
    expect([...connected]).toEqual([peer(0)]);
    off();
  });

  it('look again when a connection stands, and each minute', () => {
    const clock = new ManualClock(NOW);
    const shutOut = new Set(['late']);
    const connected = new Set<string>();
    let told: ((event: { peer: string; connected: boolean }) => void) | undefined;
    const host = {
      connectedPeers: () => [...connected],
      disconnect: async (gone: string) => {
        connected.delete(gone);
      },
      onPeer: (listener: typeof told) => {
        told = listener;
        return () => {
          told = undefined;
        };
      },
    };
    const gate = { admits: (peer: string) => !shutOut.has(peer) };
    const off = cutOffUnadmitted({ host, gate, members: { onChange: () => () => {} }, clock, log: silentLogger });
    for (const peer of ['late', 'good', 'expiring']) {
      connected.add(peer);
      told?.({ peer, connected: true });
    }
    expect([...connected]).toEqual(['good', 'expiring']);
    shutOut.add('expiring');
    clock.advance(60_000);
    expect([...connected]).toEqual(['good']);
    off();
    shutOut.add('good');
    clock.advance(60_000);
    expect([[...connected], told]).toEqual([['good'], undefined]);
  });

  it('of the lobby and of a joiner are open, and open to one', () => {
    expect(openGate.admits('anyone')).toBe(true);
    expect([onlyGate('a').admits('a'), onlyGate('a').admits('b')]).toEqual([true, false]);
  });
});
