import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describePosition, JobQueue, type Queued } from '../../../node/jobs/queue.js';
import type { Store } from '../../../protocol/runtime/store.js';

const noStore = {} as Store;

function queueOf(items: readonly Queued[]): JobQueue {
  const queue = new JobQueue({ store: noStore }, { queueMax: 1000 });
  for (const item of items) queue.push(item);
  return queue;
}

function drain(queue: JobQueue): Queued[] {
  const taken: Queued[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) taken.push(item);
  return taken;
}

/** Jobs of up to four users, in order of acceptance. */
const jobs = fc
  .array(fc.constantFrom('anna', 'bert', 'cleo', 'dora'), { maxLength: 60 })
  .map((accounts) => accounts.map((account, order): Queued => ({ account, order, job: `job${order}` })));

describe('the job queue', () => {
  it('hands out every job once, first come first served within an account', () => {
    fc.assert(
      fc.property(jobs, (items) => {
        const taken = drain(queueOf(items));
        expect(new Set(taken.map(({ job }) => job)).size).toBe(items.length);
        for (const account of new Set(items.map((item) => item.account))) {
          const orders = taken.filter((item) => item.account === account).map(({ order }) => order);
          expect(orders).toEqual([...orders].sort((a, b) => a - b));
        }
      }),
    );
  });

  it('lets no account take two turns while another one waits', () => {
    fc.assert(
      fc.property(jobs, (items) => {
        const taken = drain(queueOf(items));
        taken.forEach((item, index) => {
          const next = taken.findIndex((other, at) => at > index && other.account === item.account);
          if (next < 0) return;
          const between = new Set(taken.slice(index + 1, next).map(({ account }) => account));
          const waiting = new Set(taken.slice(index + 1).map(({ account }) => account));
          waiting.delete(item.account);
          // Everybody who still had a job had a turn in between.
          const skipped = [...waiting].filter((account) => !between.has(account));
          expect(skipped).toEqual([]);
        });
      }),
    );
  });

  it('knows the place of each job: the number of jobs that are taken until it is', () => {
    fc.assert(
      fc.property(jobs, fc.array(fc.nat(59), { maxLength: 20 }), fc.nat(10), (items, removed, takenBefore) => {
        const queue = queueOf(items);
        for (let count = 0; count < takenBefore; count++) queue.take();
        for (const index of removed) queue.remove(`job${index}`);
        const places = new Map(items.map(({ job }) => [job, queue.position(job)]));
        const taken = drain(queue);
        taken.forEach(({ job }, index) => {
          expect(places.get(job)).toBe(index + 1);
        });
        expect([...places.values()].filter((place) => place !== undefined)).toHaveLength(taken.length);
      }),
    );
  });

  it('puts a job that starts again where its order belongs, whatever the order of pushing', () => {
    fc.assert(
      fc.property(jobs, fc.integer(), (items, seed) => {
        const shuffled = [...items].sort((a, b) => ((a.order * 7919 + seed) % 31) - ((b.order * 7919 + seed) % 31));
        const own = (queue: JobQueue) => drain(queue).filter(({ account }) => account === 'anna');
        expect(own(queueOf(shuffled))).toEqual(own(queueOf(items)));
      }),
    );
  });

  it('forgets a job that is removed, and takes one only once', () => {
    const queue = queueOf([
      { account: 'anna', job: 'one', order: 1 },
      { account: 'anna', job: 'two', order: 2 },
    ]);
    queue.push({ account: 'anna', job: 'two', order: 2 });
    expect(queue.size).toBe(2);
    expect(queue.remove('one')).toBe(true);
    expect(queue.remove('one')).toBe(false);
    expect(drain(queue).map(({ job }) => job)).toEqual(['two']);
    expect(queue.position('two')).toBeUndefined();
  });

  it('refuses more jobs than it may hold, and has room again when some have ended', () => {
    const queue = new JobQueue({ store: noStore }, { queueMax: 3 });
    const giveBack = queue.reserve(3);
    expect(() => queue.reserve(1)).toThrow('3 jobs are not done, 3 may be; 1 more were not accepted');
    giveBack(1);
    queue.finished();
    queue.reserve(2);
    expect(() => queue.reserve(1)).toThrow();
  });

  it('says a place in words', () => {
    expect(describePosition(2, 2, 2)).toBe('second in the queue; 2 jobs run, 2 slots');
    expect(describePosition(11, 1, 1)).toBe('number 11 in the queue; 1 job runs, 1 slot');
  });
});
