import { describe, expect, it } from 'vitest';
import { accountKey, Providing } from '../../../node/peers/providing.js';
import type { BlobRef } from '../../../protocol/blobs/blob.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import { driveUntil } from '../drain/world.js';

function world(sizes: Record<string, number>, homed: string[] = []) {
  const clock = new ManualClock();
  const blobs = new Map(Object.entries(sizes));
  const provided: string[] = [];
  let atOnce = 0;
  let atOnceMost = 0;
  let added: (ref: BlobRef) => void = () => {};
  let met: (event: { peer: string; connected: boolean }) => void = () => {};
  const state = { failing: false };
  const providing = new Providing(
    {
      host: {
        provide: async (blob) => {
          atOnce += 1;
          atOnceMost = Math.max(atOnceMost, atOnce);
          await new Promise((resolve) => setImmediate(resolve));
          atOnce -= 1;
          if (state.failing) throw new Error('no peers');
          provided.push(blob);
        },
        onPeer: (listener) => {
          met = listener;
          return () => {
            met = () => {};
          };
        },
      },
      blobs: {
        list: async function* () {
          for (const [blob, size] of blobs) yield { blob, size };
        },
        onAdded: (listener) => {
          added = listener;
          return () => {
            added = () => {};
          };
        },
      },
      homed: () => homed,
      clock,
      log: silentLogger,
    },
    { bytesMin: 100 },
  );
  const add = (blob: string, size: number) => {
    blobs.set(blob, size);
    added({ blob, size });
  };
  const meet = (connected = true) => met({ peer: 'x', connected });
  return { clock, provided, providing, add, meet, state, atOnceMost: () => atOnceMost };
}

describe('provider records', () => {
  it('are given after the start for every large blob, a few at a time, without a coordinator', async () => {
    const large = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`large${index}`, 1000]));
    const { clock, provided, providing, atOnceMost } = world({ ...large, small: 5 });
    await providing.start();
    await driveUntil(clock, () => provided.length === 20);
    expect(provided).not.toContain('small');
    expect(atOnceMost()).toBeLessThanOrEqual(4);
    await providing.stop();
  });

  it('are given at once for a new one, again for all when somebody comes, and twice a day', async () => {
    const { clock, provided, providing, add, meet } = world({ old: 1000 });
    await providing.start();
    await driveUntil(clock, () => provided.length === 1);
    add('new', 1000);
    add('tiny', 1);
    await driveUntil(clock, () => provided.length === 2, 1);
    for (let i = 0; i < 10; i++) meet();
    await driveUntil(clock, () => provided.length === 4);
    meet(false);
    clock.advance(60_000);
    await driveUntil(clock, () => true);
    expect(provided).toEqual(['old', 'new', 'old', 'new']);
    await driveUntil(clock, () => provided.length === 6, 600_000);
    await providing.stop();
  });

  it('name the home of each account, under a name that no blob has', async () => {
    const { clock, provided, providing } = world({ old: 1000 }, ['00000000000000a1']);
    await providing.start();
    await driveUntil(clock, () => provided.length === 2);
    expect(provided).toEqual([accountKey('00000000000000a1'), 'old']);
    await providing.stop();
  });

  it('that could not be given are given at the next occasion', async () => {
    const { clock, provided, providing, meet, state } = world({ old: 1000 });
    state.failing = true;
    await providing.start();
    for (let i = 0; i < 20; i++) {
      clock.advance(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
    state.failing = false;
    meet();
    await driveUntil(clock, () => provided.length === 1);
    await providing.stop();
  });
});
