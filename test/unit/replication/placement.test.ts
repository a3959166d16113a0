import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Holder } from '../../../node/replication/holders.js';
import { type PlacementRequest, place } from '../../../node/replication/placement.js';

const holder = (peer: string, change: Partial<Holder> = {}): Holder => ({
  peer,
  domain: peer,
  kind: 'node',
  capacityBytes: 1000,
  freeBytes: 1000,
  serving: true,
  connected: true,
  ...change,
});
const request = (change: Partial<PlacementRequest> = {}): PlacementRequest => ({
  key: 'blob',
  sizeBytes: 10,
  copies: 2,
  ownDomain: 'home',
  placedDomains: new Set(),
  maySendTo: null,
  ...change,
});
const peers = (holders: Holder[]) => holders.map(({ peer }) => peer);

const anyHolder = fc.record({
  peer: fc.string({ minLength: 1, maxLength: 6 }),
  domain: fc.constantFrom('home', 'a', 'b', 'c', 'd'),
  kind: fc.constant('node' as const),
  capacityBytes: fc.integer({ min: 1, max: 1000 }),
  freeBytes: fc.integer({ min: 0, max: 100 }),
  serving: fc.boolean(),
  connected: fc.boolean(),
});
const anyHolders = fc.uniqueArray(anyHolder, { selector: ({ peer }) => peer, maxLength: 12 });

describe('placement', () => {
  it('prefers the repository, and does not require it', () => {
    const repository = holder('repo', { kind: 'repository' });
    expect(peers(place(request(), [holder('a'), repository, holder('b')]).chosen)[0]).toBe('repo');
    expect(place(request(), [holder('a'), holder('b')]).missing).toBe(0);
  });

  it('says why each candidate was passed over', () => {
    const { passedOver, missing } = place(request({ maySendTo: ['a'] }), [
      holder('x', { serving: false }),
      holder('y', { connected: false }),
      holder('z', { freeBytes: 1 }),
      holder('h', { domain: 'home' }),
      holder('b'),
    ]);
    expect(Object.fromEntries(passedOver.map(({ peer, reason }) => [peer, reason]))).toEqual({
      x: 'not serving',
      y: 'not connected',
      z: 'not enough free space',
      h: 'same institution',
      b: 'not among replication.maySendTo',
    });
    expect(missing).toBe(2);
  });

  it('never puts two copies into one domain, nor on an unfit holder, nor more than wanted', () => {
    fc.assert(
      fc.property(
        anyHolders,
        fc.integer({ min: 1, max: 4 }),
        fc.subarray(['a', 'b', 'c']),
        (holders, copies, placed) => {
          const { chosen, missing } = place(
            request({ copies, placedDomains: new Set(placed), sizeBytes: 50 }),
            holders,
          );
          const domains = chosen.map(({ domain }) => domain);
          expect(new Set(domains).size).toBe(domains.length);
          expect(domains.some((domain) => domain === 'home' || placed.includes(domain))).toBe(false);
          expect(chosen.every((one) => one.serving && one.connected && one.freeBytes >= 50)).toBe(true);
          expect(chosen.length + missing).toBe(Math.max(0, copies - placed.length));
        },
      ),
    );
  });

  it('does not depend on the order of the candidates, and moves nothing between those that stay', () => {
    fc.assert(
      fc.property(anyHolders, fc.string(), (holders, key) => {
        const all = holders.map((one) => ({
          ...one,
          domain: one.peer,
          serving: true,
          connected: true,
          freeBytes: 100,
        }));
        const before = peers(place(request({ key, copies: 1 }), all).chosen);
        expect(peers(place(request({ key, copies: 1 }), [...all].reverse()).chosen)).toEqual(before);
        const without = all.filter(({ peer }) => peer !== before[0]);
        const loser = without[0];
        // Removing one that was not chosen changes nothing.
        if (loser)
          expect(
            peers(
              place(
                request({ key, copies: 1 }),
                all.filter((one) => one !== loser),
              ).chosen,
            ),
          ).toEqual(before);
      }),
    );
  });

  it('gives a holder with three times the capacity about three times the blobs', () => {
    const counts = { big: 0, small: 0 };
    const holders = [holder('big', { capacityBytes: 3000 }), holder('small')];
    for (let index = 0; index < 4000; index++) {
      const [chosen] = peers(place(request({ key: `blob-${index}`, copies: 1 }), holders).chosen);
      counts[chosen as keyof typeof counts] += 1;
    }
    expect(counts.big / counts.small).toBeGreaterThan(2.6);
    expect(counts.big / counts.small).toBeLessThan(3.4);
  });
});
