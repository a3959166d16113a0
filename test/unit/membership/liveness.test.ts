import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../../../protocol/membership/heartbeat.js';
import {
  judge,
  type Liveness,
  newObserver,
  observerTick,
  peerParameters,
} from '../../../protocol/membership/liveness.js';
import { type PeerChange, PeerTable } from '../../../protocol/membership/peer-table.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { HandClock } from '../wire/fixture.js';

const TICK = 500;
const well = newObserver(0);
let peers: string[];

beforeAll(async () => {
  peers = await Promise.all(Array.from({ length: 6 }, async () => (await NodeKey.generate()).peerId));
});

const digest = (peerId: string, sequence: number, change: Partial<Digest> = {}): Digest => ({
  peerId,
  boot: 1,
  sequence,
  state: 'serving',
  publicUrl: null,
  location: null,
  slots: 1,
  queued: 0,
  running: 0,
  freeBytes: 0,
  replicationLag: { bytes: 0, ageMs: 0 },
  version: '0.1.0',
  hearsCoordinator: true,
  sentAt: 0,
  ...change,
});

describe('the failure detector', () => {
  it('goes from alive to suspect to dead with silence alone, and says how long', () => {
    const parameters = { timeoutMs: 8000, suspicionMs: 8000 };
    const at = (ms: number) => judge(0, ms, parameters, well);
    expect(at(7999).liveness).toBe('alive');
    expect(at(8000)).toEqual({ liveness: 'suspect', silentMs: 8000, reason: 'silent for 8.0 s, past 8.0 s' });
    expect(at(15_999).liveness).toBe('suspect');
    expect(at(16_000)).toEqual({ liveness: 'dead', silentMs: 16_000, reason: 'silent for 16.0 s' });
  });

  it('waits at least 5 s and at least four intervals', () => {
    expect([2, 50, 100].map((n) => peerParameters(n).timeoutMs)).toEqual([8000, 8000, 16_000]);
  });

  it('never grows more hopeful with more silence, nor less with more of its own lateness', () => {
    const order: Liveness[] = ['alive', 'suspect', 'dead'];
    const times = fc.nat({ max: 200_000 });
    fc.assert(
      fc.property(times, times, fc.nat({ max: 8 }), times, (silence, more, score, lateAt) => {
        const parameters = peerParameters(3);
        const observer = { score, tickAt: 0, lateAt };
        const rank = (ms: number, by = observer) => order.indexOf(judge(0, ms, parameters, by).liveness);
        expect(rank(silence + more)).toBeGreaterThanOrEqual(rank(silence));
        expect(rank(silence, { ...observer, score: score + 1 })).toBeLessThanOrEqual(rank(silence));
        expect(rank(silence, { ...observer, lateAt: lateAt + more })).toBeLessThanOrEqual(rank(silence));
      }),
    );
  });

  it('looks at its own timers first: late ones widen its patience, punctual ones restore it', () => {
    let observer = newObserver(0);
    observer = observerTick(observer, 500, TICK);
    expect(observer.score).toBe(0);
    observer = observerTick(observer, 4000, TICK);
    expect(observer).toEqual({ score: 7, tickAt: 4000, lateAt: 4000 });
    for (let i = 1; i <= 7; i++) observer = observerTick(observer, 4000 + i * TICK, TICK);
    expect(observer.score).toBe(0);
    expect(observerTick(newObserver(0), 10 ** 7, TICK).score).toBe(8);
  });

  it('of a process that slept for an hour accuses nobody', () => {
    const observer = observerTick(newObserver(0), 3_600_000, TICK);
    expect(judge(0, 3_600_000, peerParameters(3), observer)).toMatchObject({
      liveness: 'alive',
      reason: expect.stringContaining('late itself'),
    });
  });
});

describe('the peer table', () => {
  function table(options: { peersMax?: number } = {}) {
    const clock = new HandClock();
    const peerTable = new PeerTable({ log: silentLogger }, { tickMs: TICK, ...options }, clock.monotonic());
    const changes: PeerChange[] = [];
    peerTable.onChange((change) => changes.push(change));
    const cancel = clock.every(TICK, () => peerTable.tick(clock.monotonic()));
    return { clock, peerTable, changes, cancel };
  }

  const brief = (changes: PeerChange[]) => changes.map(({ peer, from, to }) => [peers.indexOf(peer), from, to]);

  it('tells who was drained and left from who died', () => {
    const { clock, peerTable, changes } = table();
    const [left, died] = peers as [string, string];
    peerTable.hear({ ...digest(left, 1), state: 'drained' }, clock.monotonic());
    peerTable.hear(digest(died, 1), clock.monotonic());
    clock.pass(60_000);
    expect([peerTable.get(left)?.liveness, peerTable.get(died)?.liveness]).toEqual(['left', 'dead']);
    expect(changes.filter(({ peer }) => peer === left).map(({ to }) => to)).toEqual(['alive', 'left']);
    expect(peerTable.counts()).toEqual({ known: 2, silent: 1 });
    peerTable.hear({ ...digest(left, 1), boot: 9 }, clock.monotonic());
    expect(peerTable.isAlive(left)).toBe(true);
  });

  it('sees one die among three and come back, in virtual time', () => {
    const { clock, peerTable, changes } = table();
    let sequence = 0;
    const beat = (...who: number[]) => {
      for (const i of who) peerTable.hear(digest(peers[i] as string, sequence), clock.monotonic());
      sequence++;
    };
    for (let t = 0; t < 10; t++) {
      beat(0, 1);
      clock.pass(2000);
    }
    expect(brief(changes)).toEqual([
      [0, undefined, 'alive'],
      [1, undefined, 'alive'],
    ]);
    for (let t = 0; t < 10; t++) {
      beat(0);
      clock.pass(2000);
    }
    expect(brief(changes).slice(2)).toEqual([
      [1, 'alive', 'suspect'],
      [1, 'suspect', 'dead'],
    ]);
    expect(peerTable.counts()).toEqual({ known: 2, silent: 1 });
    expect(peerTable.serving().map((one) => one.peerId)).toEqual([peers[0]]);
    beat(1);
    expect(brief(changes).at(-1)).toEqual([1, 'dead', 'alive']);
  });

  it('refutes suspicion by anything newer, and by nothing older', () => {
    const { clock, peerTable } = table();
    const peer = peers[0] as string;
    expect(peerTable.hear(digest(peer, 5), 0)).toBe('new');
    clock.pass(9000);
    expect(peerTable.get(peer)?.liveness).toBe('suspect');
    expect(peerTable.hear(digest(peer, 5), clock.monotonic())).toBe('stale');
    expect(peerTable.hear(digest(peer, 4), clock.monotonic())).toBe('stale');
    expect(peerTable.isAlive(peer)).toBe(false);
    expect(peerTable.hear(digest(peer, 6), clock.monotonic())).toBe('newer');
    expect(peerTable.isAlive(peer)).toBe(true);
    expect(peerTable.hear(digest(peer, 0, { boot: 2 }), clock.monotonic())).toBe('restarted');
    expect(peerTable.last(peer)).toMatchObject({ boot: 2, sequence: 0 });
  });

  it('accuses nobody after its own process was stuck, until it has listened for long enough', () => {
    const { clock, peerTable, changes, cancel } = table();
    for (const peer of peers) peerTable.hear(digest(peer, 0), 0);
    // Stuck for a minute: no timer runs, then one does, late.
    cancel();
    clock.pass(60_000);
    peerTable.tick(clock.monotonic());
    clock.every(TICK, () => peerTable.tick(clock.monotonic()));
    clock.pass(7500);
    expect(changes.every((change) => change.to === 'alive')).toBe(true);
    expect(peerTable.health.score).toBe(0);
    clock.pass(20_000);
    expect(peerTable.counts()).toEqual({ known: 6, silent: 6 });
  });

  it('keeps to its bound by forgetting whom it heard least recently', () => {
    const { peerTable, changes } = table({ peersMax: 3 });
    for (const [i, peer] of peers.entries()) peerTable.hear(digest(peer, 0), i);
    expect(peerTable.size).toBe(3);
    expect(peerTable.snapshot(10).map((view) => view.peer)).toEqual([...peers.slice(3)].sort());
    expect(changes.filter((change) => change.to === undefined).map((change) => change.peer)).toEqual(peers.slice(0, 3));
  });

  it('forgets a peer on demand, and counts one that has left in order not as silent', () => {
    const { clock, peerTable, changes } = table();
    peerTable.hear(digest(peers[0] as string, 0, { state: 'drained' }), 0);
    peerTable.hear(digest(peers[1] as string, 0), 0);
    clock.pass(60_000);
    expect(peerTable.counts()).toEqual({ known: 2, silent: 1 });
    peerTable.forget(peers[1] as string, 'revoked');
    peerTable.forget(peers[1] as string, 'revoked');
    expect(changes.at(-1)).toMatchObject({ from: 'dead', to: undefined, reason: 'revoked' });
    expect(peerTable.size).toBe(1);
  });
});
