import { beforeEach, describe, expect, it } from 'vitest';
import { DeclaredUploads } from '../../../node/datasets/declared-uploads.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('declared uploads', () => {
  let clock: ManualClock;
  let declared: DeclaredUploads;

  beforeEach(() => {
    clock = new ManualClock();
    declared = new DeclaredUploads({ clock }, { perAccountMax: 3, bytesPerAccountMax: 1000, uploadsMax: 5 });
  });

  it('are bounded in number for one account, and in all, and free again when they are used or removed', () => {
    for (const id of ['a1', 'a2', 'a3']) declared.declare(id, 'ana', 1);
    expect(() => declared.declare('a4', 'ana', 1)).toThrow(expect.objectContaining({ code: 'uploads/too-many' }));
    declared.declare('b1', 'bob', 1);
    declared.declare('b2', 'bob', 1);
    expect(() => declared.declare('c1', 'cid', 1)).toThrow(expect.objectContaining({ code: 'uploads/too-many-here' }));
    declared.forget('a2');
    declared.declare('a4', 'ana', 1);
    // Refused ones count for nothing.
    expect(declared.bytesToCome()).toBe(5);
  });

  it('are bounded in size for one account, arrived or not, and with those that were here before a start', () => {
    declared.restore('a0', { account: 'ana', size: 600, arrived: 600, movedAtMs: clock.now() });
    declared.declare('a1', 'ana', 400);
    expect(() => declared.declare('a2', 'ana', 1)).toThrow(
      expect.objectContaining({ code: 'uploads/too-much', data: { bytes: 1001, max: 1000 } }),
    );
    declared.declare('b1', 'bob', 1000);
    expect(declared.bytesToCome()).toBe(1400);
  });

  it('need space for what is still to come of them, and for no more', () => {
    declared.declare('a1', 'ana', 100);
    declared.arrived('a1', 70);
    expect([declared.bytesToCome(), declared.moreSpaceFor('a1', undefined)]).toEqual([30, 0]);
    declared.arrived('a1', 100);
    expect(declared.bytesToCome()).toBe(0);
  });

  it('hold no space after an hour in which nothing came, and need it anew to go on', () => {
    declared.declare('a1', 'ana', 100);
    clock.advance(30 * 60_000);
    declared.arrived('a1', 40);
    clock.advance(59 * 60_000);
    expect(declared.bytesToCome()).toBe(60);
    clock.advance(60_000);
    expect([declared.bytesToCome(), declared.moreSpaceFor('a1', undefined)]).toEqual([0, 60]);
    declared.goesOn('a1', undefined);
    expect([declared.bytesToCome(), declared.moreSpaceFor('a1', undefined)]).toEqual([60, 0]);
  });

  it('that were begun without a size count by what came, and by their size once it is said', () => {
    declared.declare('a1', 'ana', undefined);
    declared.arrived('a1', 300);
    declared.declare('a2', 'ana', 600);
    expect(() => declared.moreSpaceFor('a1', 401)).toThrow(expect.objectContaining({ code: 'uploads/too-much' }));
    expect(declared.moreSpaceFor('a1', 400)).toBe(100);
    declared.goesOn('a1', 400);
    expect(declared.bytesToCome()).toBe(700);
    // Said once, it stays.
    declared.goesOn('a1', 100);
    expect(declared.bytesToCome()).toBe(700);
  });
});
