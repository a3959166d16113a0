import { describe, expect, it } from 'vitest';
import { CurrentHolders } from '../../../node/replication/current-holders.js';
import { backoffMs, Wakeup } from '../../../node/replication/wakeup.js';
import { ManualClock } from '../../support/manual-clock.js';
import { FakeHolder, FakeHolders } from './lanes.js';

const never = new AbortController().signal;

async function isSettled(promise: Promise<void>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe('a loop that sleeps', () => {
  it('misses no change that came between two waits, and takes several for one', async () => {
    const wakeup = new Wakeup(new ManualClock());
    wakeup.wake();
    wakeup.wake();
    expect(await isSettled(wakeup.wait(never))).toBe(true);
    const waiting = wakeup.wait(never);
    expect(await isSettled(waiting)).toBe(false);
    wakeup.wake();
    expect(await isSettled(waiting)).toBe(true);
  });

  it('wakes by itself after a delay, and when it is to end', async () => {
    const clock = new ManualClock();
    const wakeup = new Wakeup(clock);
    const waiting = wakeup.wait(never, 100);
    clock.advance(99);
    expect(await isSettled(waiting)).toBe(false);
    clock.advance(1);
    expect(await isSettled(waiting)).toBe(true);
    const end = new AbortController();
    const last = wakeup.wait(end.signal);
    end.abort();
    expect(await isSettled(last)).toBe(true);
    expect(await isSettled(wakeup.wait(end.signal))).toBe(true);
  });

  it('pauses longer at each failure, up to a quarter of a minute, never in step with others', () => {
    const least = Array.from({ length: 20 }, (_, failures) => backoffMs(failures, 0));
    const most = Array.from({ length: 20 }, (_, failures) => backoffMs(failures, 1));
    expect(most[0]).toBe(250);
    expect(most.at(-1)).toBe(15_000);
    expect([...most].sort((a, b) => a - b)).toEqual(most);
    expect(least.every((ms, index) => ms === Math.round((most[index] as number) / 2))).toBe(true);
  });
});

describe('the holders at the moment', () => {
  it('are nobody while the node is alone, and tell who listens when that changes', () => {
    const current = new CurrentHolders();
    let told = 0;
    const release = current.onChange(() => told++);
    expect(current.list()).toEqual([]);
    const network = new FakeHolders([new FakeHolder('b')]);
    current.use(network);
    network.changed();
    expect([told, current.list().length]).toEqual([2, 1]);
    current.use(undefined);
    network.changed();
    expect([told, current.list().length]).toEqual([3, 0]);
    release();
    current.use(network);
    expect(told).toBe(3);
  });
});
