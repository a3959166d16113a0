import { describe, expect, it } from 'vitest';
import { MovesAsked } from '../../../coordinator/http/moves-asked.js';
import { ManualClock } from '../../support/manual-clock.js';
import { blob, DrainWorld, LEAVER, rootOf } from './drain-world.js';

const ITEMS = [blob('b')];
const ROOT = rootOf(ITEMS);

/** A comparison that stands still at the question what the repository holds. */
async function comparing() {
  const world = await DrainWorld.create();
  world.held.set('repository', new Set(['b']));
  let answer: () => void = () => {};
  const asked = new Promise<void>((resolve) => {
    answer = resolve;
  });
  world.hold = () => asked;
  await world.drains.announce(LEAVER, 1);
  await world.send(ITEMS, 10);
  await world.drains.compare(LEAVER, ROOT, 1);
  await world.until(() => world.asked.length === 1);
  return { world, answer };
}

describe('what changes while a drain is compared', () => {
  it.each([
    ['a new start of the node', 'handover/not-draining', async (world) => world.setState(LEAVER, 'draining', 2)],
    ['a drain called off', 'handover/not-draining', async ({ drains }) => drains.cancel(LEAVER)],
    [
      'a drain called off and announced again',
      'handover/not-compared',
      async (world) => {
        await world.drains.cancel(LEAVER);
        await world.drains.announce(LEAVER, 1);
        await world.send(ITEMS, 10);
      },
    ],
    ['another inventory', 'handover/inventory-order', async (world) => world.send([blob('c')], 10)],
    [
      'an account that came',
      'handover/accounts-left',
      async (world) => {
        world.homes = 1;
      },
    ],
  ] as [string, string, (world: DrainWorld) => Promise<void>][])('%s gives no receipt', async (_what, code, change) => {
    const { world, answer } = await comparing();
    await change(world);
    answer();
    await expect(world.drains.receipt(LEAVER, ROOT)).rejects.toMatchObject({ code });
    expect(world.commits).toBe(0);
    await world.drains.stop();
  });

  it('an unchanged drain gives one', async () => {
    const { world, answer } = await comparing();
    answer();
    expect((await world.compared(ITEMS, 1)).state).toBe('safe');
    expect(await world.drains.receipt(LEAVER, ROOT)).toContain('.');
    await world.drains.stop();
  });

  it('a holder that does not answer in time does not count', async () => {
    const { world } = await comparing();
    world.clock.advance(15_000);
    expect(await world.compared(ITEMS, 1)).toMatchObject({ state: 'unsafe', missing: { objects: 1 } });
    // Left in peace for a while.
    world.hold = () => Promise.resolve();
    expect((await world.compared(ITEMS, 2)).state).toBe('unsafe');
    world.clock.advance(60_000);
    expect((await world.compared(ITEMS, 3)).state).toBe('safe');
    await world.drains.stop();
  });
});

describe('accounts moved for strangers', () => {
  it('move once in two seconds each, and few for one client', () => {
    const clock = new ManualClock();
    const moves = new MovesAsked({ clock });
    expect([moves.take('a', 'x'), moves.take('a', 'x'), moves.take('a', 'y')]).toEqual([true, false, false]);
    const taken = Array.from({ length: 50 }, (_, n) => moves.take(`account${n}`, 'x'));
    expect(taken.filter(Boolean)).toHaveLength(19);
    clock.advance(2000);
    expect(moves.take('a', 'x')).toBe(true);
  });
});
