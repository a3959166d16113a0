import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HYBRID_MS_MAX, HybridClock, hybridTime, parseHybridTime } from '../../../protocol/log/hybrid-clock.js';

const wall = fc.integer({ min: 0, max: 2 ** 43 });
const time = fc.tuple(fc.oneof(wall, fc.integer({ min: 0, max: HYBRID_MS_MAX - 10 })), fc.nat(0xffff));

describe('the hybrid clock', () => {
  it('rises strictly with each tick and above all it saw, whatever the wall clock does', () => {
    const step = fc.oneof(fc.record({ wall }), fc.record({ seen: time })) as fc.Arbitrary<{
      wall?: number;
      seen?: [number, number];
    }>;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        let now = 0;
        const clock = new HybridClock({ clock: { now: () => now } });
        let highest = '';
        for (const { wall: moved, seen } of steps) {
          if (moved !== undefined) now = moved;
          if (seen) {
            const text = hybridTime(...seen);
            expect(clock.observe(text)).toBe(Math.max(0, seen[0] - now));
            if (text > highest) highest = text;
          }
          const ticked = clock.tick();
          expect(ticked > highest).toBe(true);
          expect(parseHybridTime(ticked)?.ms).toBeGreaterThanOrEqual(now);
          highest = ticked;
        }
      }),
    );
  });

  it('goes on where an earlier one ended', () => {
    fc.assert(
      fc.property(time, wall, (last, now) => {
        const text = hybridTime(...last);
        expect(new HybridClock({ clock: { now: () => now } }, text).tick() > text).toBe(true);
      }),
    );
  });

  it('carries a full counter into the milliseconds', () => {
    const clock = new HybridClock({ clock: { now: () => 5 } }, hybridTime(7, 0xffff));
    expect(clock.tick()).toBe(hybridTime(8, 0));
    expect(clock.tick()).toBe(hybridTime(8, 1));
  });

  it('sorts as text as it does as a number', () => {
    fc.assert(
      fc.property(time, time, (a, b) => {
        const order = a[0] - b[0] || a[1] - b[1];
        const [textA, textB] = [hybridTime(...a), hybridTime(...b)];
        expect(textA < textB ? -1 : textA > textB ? 1 : 0).toBe(Math.sign(order));
        expect(parseHybridTime(textA)).toEqual({ ms: a[0], counter: a[1] });
      }),
    );
  });

  it('takes nothing that leaves no room to rise', () => {
    expect(parseHybridTime(hybridTime(HYBRID_MS_MAX, 0xffff))).toBeDefined();
    for (const text of [hybridTime(HYBRID_MS_MAX + 1, 0), 'ffffffffffffffff', '', 'xyz', `${hybridTime(1, 1)}0`]) {
      expect(parseHybridTime(text)).toBeUndefined();
    }
    expect(() => new HybridClock({ clock: { now: () => 0 } }, 'xyz')).toThrow('not a hybrid time');
  });
});
