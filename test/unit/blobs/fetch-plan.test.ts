import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bitmap } from '../../../protocol/blobs/bitmap.js';
import { FetchPlan } from '../../../protocol/blobs/fetch-plan.js';

describe('a fetch plan', () => {
  it('hands each chunk that lacks out once while there are new ones', () => {
    const plan = new FetchPlan(Bitmap.of(10, [0, 4, 5]));
    expect(plan.left).toBe(7);
    expect(plan.take('a', 16)).toEqual({ start: 1, count: 3 });
    expect(plan.take('b', 2)).toEqual({ start: 6, count: 2 });
    expect(plan.take('a', 16)).toEqual({ start: 8, count: 2 });
    expect(plan.unasked).toBe(0);
  });

  it('hands out again what a dropped source did not bring', () => {
    const plan = new FetchPlan(Bitmap.empty(4));
    plan.take('a', 16);
    plan.got(1);
    plan.drop('a');
    expect(plan.take('b', 16)).toEqual({ start: 0, count: 1 });
    expect(plan.take('b', 16)).toEqual({ start: 2, count: 2 });
    expect(plan.take('b', 16)).toBeUndefined();
  });

  it('lets an idle source take what another one owes, once', () => {
    const plan = new FetchPlan(Bitmap.empty(3));
    plan.take('slow', 16);
    expect(plan.take('quick', 2)).toEqual({ start: 0, count: 2 });
    expect(plan.take('third', 16)).toEqual({ start: 2, count: 1 });
    expect(plan.take('third', 16)).toBeUndefined();
  });

  it('ends with every chunk, whatever sources do in whatever order', () => {
    const step = fc.record({ source: fc.integer({ min: 0, max: 3 }), brings: fc.nat(8), drops: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.array(step, { maxLength: 60 }), (chunks, steps) => {
        const plan = new FetchPlan(Bitmap.empty(chunks));
        for (const { source, brings, drops } of steps) {
          const run = plan.take(`${source}`, 7);
          for (let index = 0; run !== undefined && index < Math.min(brings, run.count); index++)
            plan.got(run.start + index);
          if (drops) plan.drop(`${source}`);
        }
        for (const source of ['0', '1', '2', '3']) plan.drop(source);
        for (let run = plan.take('last', 5); run !== undefined; run = plan.take('last', 5)) {
          for (let chunk = run.start; chunk < run.start + run.count; chunk++) plan.got(chunk);
        }
        expect(plan.isComplete).toBe(true);
        expect(plan.left).toBe(0);
      }),
    );
  });
});
