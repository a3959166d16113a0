import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { derivedId, entityIdSchema, IdSource } from '../../../protocol/wire/ids.js';
import { deferred, HandClock, MemoryStore, seededRandom, settled } from './fixture.js';
import { partsOfId } from './parts-of-id.js';

function sourceOn(store: MemoryStore, clock: HandClock, nodeNumber: number | undefined = 7, seed = 1): IdSource {
  return new IdSource(
    { clock, store, random: seededRandom(seed), log: silentLogger },
    { namespace: 'ids', nodeNumber },
  );
}

/** Time passes for the process too: what its timers began is finished on the way. */
async function pass(clock: HandClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 500) {
    clock.pass(Math.min(500, left));
    await settled();
  }
}

async function started(store = new MemoryStore(), clock = new HandClock(), nodeNumber?: number) {
  const source = sourceOn(store, clock, nodeNumber);
  await source.start();
  return source;
}

describe('entity ids', () => {
  it('are 16 lower-case hex digits that hold the time, the node number and a sequence', async () => {
    const clock = new HandClock(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
    const source = await started(new MemoryStore(), clock, 4711);
    const id = source.next();
    expect(entityIdSchema.safeParse(id).success).toBe(true);
    expect(partsOfId(id)).toEqual({ at: clock.now(), nodeNumber: 4711, sequence: 0 });
    expect(partsOfId(source.next()).sequence).toBe(1);
  });

  it('go on in the next millisecond when one has given its 32', async () => {
    const clock = new HandClock();
    const source = await started(new MemoryStore(), clock);
    const ids = Array.from({ length: 33 }, () => source.next());
    expect(partsOfId(ids[31] as string)).toMatchObject({ at: clock.now(), sequence: 31 });
    expect(partsOfId(ids[32] as string)).toMatchObject({ at: clock.now() + 1, sequence: 0 });
  });

  it('are unique and rising whatever the clock does and however often the process dies', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('take' as const), count: fc.integer({ min: 1, max: 400 }) }),
      fc.record({ kind: fc.constant('clock' as const), by: fc.integer({ min: -3_600_000, max: 60_000 }) }),
      fc.record({ kind: fc.constant('jump' as const), by: fc.integer({ min: 0, max: 7_200_000 }) }),
      fc.record({ kind: fc.constant('crash' as const) }),
      fc.record({ kind: fc.constant('stop' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const store = new MemoryStore();
        const clock = new HandClock();
        let source = await started(store, clock);
        let last = '';
        for (const one of steps) {
          if (one.kind === 'take') {
            for (let i = 0; i < one.count; i++) {
              const id = source.next();
              expect(id > last).toBe(true);
              last = id;
            }
            await settled();
          } else if (one.kind === 'crash') {
            source = await started(store, clock);
          } else if (one.kind === 'stop') {
            await source.stop();
            source = await started(store, clock);
          } else clock.wall += one.by;
        }
      }),
      { numRuns: 60 },
    );
  });

  it('never lie above the persisted horizon, so that a crash at any moment repeats none', async () => {
    const store = new MemoryStore();
    const clock = new HandClock();
    const source = await started(store, clock);
    const horizon = async () =>
      (JSON.parse(Buffer.from((await store.get('ids', 'horizon')) ?? []).toString()) as { horizonMs: number })
        .horizonMs;
    for (let i = 0; i < 200; i++) {
      clock.pass(777);
      const { at } = partsOfId(source.next());
      expect(at - Date.UTC(2024, 0, 1)).toBeLessThanOrEqual(await horizon());
      await settled();
    }
  });

  it('carry the present time on a first start, however late the first one is asked for', async () => {
    for (const waitMs of [0, 1, 9000, 10_001, 60_000, 3_600_000]) {
      const clock = new HandClock();
      const source = await started(new MemoryStore(), clock);
      await pass(clock, waitMs);
      expect(partsOfId(source.next()).at).toBe(clock.now());
      await source.stop();
    }
  });

  it('carry the present time after any quiet while', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 120_000 }), { maxLength: 8 }), async (pauses) => {
        const clock = new HandClock();
        const source = await started(new MemoryStore(), clock);
        let last = source.next();
        for (const pause of pauses) {
          await pass(clock, pause);
          const id = source.next();
          expect(id > last).toBe(true);
          // Two asked for in one millisecond share it.
          expect(partsOfId(id).at).toBe(clock.now());
          last = id;
        }
        await source.stop();
      }),
      { numRuns: 30 },
    );
  });

  it('begin at the present after a long stop, and above the horizon after a crash and a clock set back', async () => {
    const store = new MemoryStore();
    const clock = new HandClock();
    const first = await started(store, clock);
    const before = first.next();
    await first.stop();
    clock.pass(86_400_000);
    const second = await started(store, clock);
    expect(partsOfId(second.next()).at).toBe(clock.now());
    const last = second.next();
    clock.wall -= 7_200_000;
    const third = await started(store, clock);
    const id = third.next();
    expect(id > last && last > before).toBe(true);
    expect(partsOfId(id).at).toBeGreaterThan(clock.now() + 7_200_000);
  });

  it('cost no write while the process is stopped, and one each few seconds while it is quiet', async () => {
    const store = new MemoryStore();
    const clock = new HandClock();
    const source = await started(store, clock);
    const before = store.commits;
    await pass(clock, 60_000);
    expect(store.commits - before).toBeGreaterThan(5);
    expect(store.commits - before).toBeLessThanOrEqual(24);
    await source.stop();
    const stopped = store.commits;
    await pass(clock, 60_000);
    expect(store.commits).toBe(stopped);
  });

  it('do not fail for a machine that slept an hour', async () => {
    const clock = new HandClock();
    const source = await started(new MemoryStore(), clock);
    const before = source.next();
    // Asleep, not waiting: no timer ran.
    clock.wall += 3_600_000;
    clock.mono += 3_600_000;
    const first = source.next();
    expect(first > before).toBe(true);
    await settled();
    expect(partsOfId(source.next()).at).toBe(clock.now());
  });

  it('come at 100,000 in one go', async () => {
    const source = await started();
    const ids = new Set(Array.from({ length: 100_000 }, () => source.next()));
    expect(ids.size).toBe(100_000);
  });

  it('stop, and say why, before they would pass what a stuck disk has confirmed; and go on by themselves', async () => {
    const store = new MemoryStore();
    const source = await started(store);
    const disk = deferred();
    store.hold = disk.promise;
    let given = 0;
    const takeAll = () => {
      while (given < 1_000_000) {
        source.next();
        given++;
      }
    };
    expect(takeAll).toThrow(expect.objectContaining({ code: 'wire/ids-exhausted' }));
    expect(given).toBeGreaterThan(300_000);
    disk.resolve();
    store.hold = undefined;
    await settled();
    expect(source.next()).toMatch(/^[0-9a-f]{16}$/);
  });

  it('try the disk again after a failure', async () => {
    const store = new MemoryStore();
    const clock = new HandClock();
    const source = await started(store, clock);
    store.failing = true;
    clock.pass(6000);
    source.next();
    await settled();
    store.failing = false;
    clock.pass(1000);
    await settled();
    clock.pass(60_000);
    source.next();
    await settled();
    expect(partsOfId(source.next()).at).toBe(clock.now());
  });

  it('of a node that has not joined carry a number from the upper half, the same after a restart', async () => {
    const store = new MemoryStore();
    const clock = new HandClock();
    const first = new IdSource(
      { clock, store, random: seededRandom(3), log: silentLogger },
      { namespace: 'ids', nodeNumber: undefined },
    );
    await first.start();
    const number = partsOfId(first.next()).nodeNumber;
    expect(number).toBeGreaterThanOrEqual(2 ** 17);
    await first.stop();
    const second = new IdSource(
      { clock, store, random: seededRandom(4), log: silentLogger },
      { namespace: 'ids', nodeNumber: undefined },
    );
    await second.start();
    expect(second.nodeNumber).toBe(number);
    second.setNodeNumber(12);
    expect(partsOfId(second.next()).nodeNumber).toBe(12);
  });

  it('are not given out before the start or after the stop', async () => {
    const source = sourceOn(new MemoryStore(), new HandClock());
    expect(() => source.next()).toThrow(/between start and stop/);
    await source.start();
    await source.stop();
    expect(() => source.next()).toThrow(/between start and stop/);
  });
});

describe('derived ids', () => {
  it('follow from parent and position alone', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[0-9a-f]{16}$/),
        fc.array(fc.oneof(fc.string(), fc.integer())),
        (parent, position) => {
          const id = derivedId(parent, ...position);
          expect(id).toBe(derivedId(parent, ...position));
          expect(entityIdSchema.safeParse(id).success).toBe(true);
          expect(derivedId(parent, ...position, 0)).not.toBe(id);
        },
      ),
    );
  });

  it('tell positions apart that look alike when joined', () => {
    const parent = '0123456789abcdef';
    expect(
      new Set([derivedId(parent, 'a', 'b'), derivedId(parent, 'ab'), derivedId(parent, 1), derivedId(parent, '1')])
        .size,
    ).toBe(4);
  });
});
