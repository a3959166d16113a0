import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Heartbeats } from '../../../node/peers/heartbeats.js';
import { decodeDigest, encodeDigest, heartbeatTopic } from '../../../protocol/membership/heartbeat.js';
import type { Host } from '../../../protocol/runtime/host.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import type { MemberList } from '../../../protocol/trust/members.js';
import { ManualClock } from '../../support/manual-clock.js';
import { NETWORK, Papers } from './fixture.js';

type Subscribed = Parameters<Host['subscribe']>;

/** Gossip that says what was published, and hands on what the test says others did. */
class FakeGossip implements Pick<Host, 'subscribe' | 'publish' | 'peerId'> {
  subscribed: Subscribed | undefined;
  readonly published: Uint8Array[] = [];
  failing = false;

  constructor(readonly peerId: string) {}

  subscribe(...subscribed: Subscribed): void {
    this.subscribed = subscribed;
  }

  async publish(topic: string, bytes: Uint8Array): Promise<void> {
    if (this.failing) throw new Error('nobody listens');
    expect(topic).toBe(this.subscribed?.[0]);
    this.published.push(bytes);
  }

  /** As gossipsub does: only what the validator accepts is handed on. */
  from(peer: string, bytes: Uint8Array): string {
    const [, validate, deliver] = this.subscribed as Subscribed;
    const verdict = validate(peer, bytes);
    if (verdict === 'accept') deliver(peer, bytes);
    return verdict;
  }
}

describe('heartbeats', () => {
  let clock: ManualClock;
  let gossip: FakeGossip;
  let members: MemberList;
  let papers: Papers;
  let own: NodeKey;
  let other: NodeKey;
  let heartbeats: Heartbeats;

  const state = () => ({
    boot: 3,
    state: 'serving' as const,
    publicUrl: null,
    location: null,
    slots: 2,
    queued: 0,
    running: 0,
    freeBytes: 1,
    replicationLag: { bytes: 0, ageMs: 0 },
    version: '1.0.0',
    hearsCoordinator: true,
  });
  const digest = (sequence: number, peerId = other.peerId) =>
    encodeDigest({ ...state(), peerId, sequence, sentAt: clock.now() });
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  beforeEach(async () => {
    clock = new ManualClock();
    papers = await Papers.create();
    [own, other] = [await NodeKey.generate(), await NodeKey.generate()];
    members = await papers.list(...[own, other].map((key, n) => papers.credential(key, `node ${n}`, clock.now())));
    gossip = new FakeGossip(own.peerId);
    heartbeats = new Heartbeats(
      { host: gossip, members, clock, log: silentLogger, digest: state },
      { network: NETWORK },
    );
    await heartbeats.start();
  });
  afterEach(() => heartbeats.stop());

  it('say every two seconds what this node does, with a rising number, and nothing after the stop', async () => {
    expect(gossip.subscribed?.[0]).toBe(heartbeatTopic(NETWORK));
    clock.advance(10_000);
    await turn();
    const said = gossip.published.map(decodeDigest);
    expect(said.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5]);
    expect(said[0]).toMatchObject({ peerId: own.peerId, boot: 3, state: 'serving', hearsCoordinator: true });
    expect(said.map(({ sentAt }) => sentAt - (said[0]?.sentAt ?? 0))).toEqual([0, 2000, 4000, 6000, 8000]);
    heartbeats.publish();
    await turn();
    expect(gossip.published).toHaveLength(6);
    await heartbeats.stop();
    clock.advance(10_000);
    await turn();
    expect(gossip.published).toHaveLength(6);
  });

  it('go on when one could not be published', async () => {
    gossip.failing = true;
    clock.advance(4000);
    await turn();
    gossip.failing = false;
    clock.advance(2000);
    await turn();
    expect(gossip.published.map((bytes) => decodeDigest(bytes).sequence)).toEqual([3]);
  });

  it('of others are heard when they are members, speak for themselves and say something newer', async () => {
    const stranger = await NodeKey.generate();
    expect(gossip.from(other.peerId, digest(1))).toBe('accept');
    expect(gossip.from(other.peerId, digest(1))).toBe('ignore');
    expect(gossip.from(stranger.peerId, digest(1, stranger.peerId))).toBe('ignore');
    expect(gossip.from(other.peerId, digest(2, own.peerId))).toBe('reject');
    expect(gossip.from(other.peerId, Buffer.from('rubbish'))).toBe('reject');
    expect(heartbeats.table.snapshot(clock.monotonic()).map(({ peer }) => peer)).toEqual([other.peerId]);
    // Its own come back from the mesh.
    gossip.subscribed?.[2](own.peerId, digest(1, own.peerId));
    expect(heartbeats.table.get(own.peerId)).toBeUndefined();
  });

  it('that stop coming make a peer suspect, then dead; who is revoked is forgotten', async () => {
    gossip.from(other.peerId, digest(1));
    const seen = new Set<string | undefined>();
    for (let second = 0; second < 30; second++) {
      clock.advance(1000);
      seen.add(heartbeats.table.get(other.peerId)?.liveness);
    }
    expect([...seen]).toEqual(['alive', 'suspect', 'dead']);
    await members.merge([papers.revocation(other, clock.now())]);
    expect(heartbeats.table.get(other.peerId)).toBeUndefined();
    expect(gossip.from(other.peerId, digest(2))).toBe('ignore');
  });
});
