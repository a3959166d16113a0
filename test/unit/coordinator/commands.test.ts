import { beforeEach, describe, expect, it } from 'vitest';
import { Commands, commandProblem } from '../../../coordinator/peers/commands.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import type { Command } from '../../../protocol/wire/calls/register.js';
import { ManualClock } from './support.js';

const seal = (account = '00000000000000a1'): Command => ({ what: 'seal', account, to: 'b', epoch: 2 });

describe('a command to a node', () => {
  let clock: ManualClock;
  let sent: number[];
  let isOpen: boolean;
  let isMeant: boolean;
  let commands: Commands;

  beforeEach(() => {
    clock = new ManualClock();
    sent = [];
    isOpen = true;
    isMeant = true;
    commands = new Commands({
      send: (_peer, id) => {
        if (isOpen) sent.push(id);
        return isOpen;
      },
      isMeant: () => isMeant,
      clock,
      log: silentLogger,
    });
  });

  it('that failed is shown with its cause and given again, with growing pauses, until it is done', () => {
    expect(commands.give('a', seal())).toBe(true);
    expect(commands.failures('a').count).toBe(0);
    commands.done('a', 1, 'store/full');
    expect(commands.failures('a').first).toEqual([
      { what: 'seal', account: '00000000000000a1', code: 'store/full', attempts: 1, sinceMs: clock.now(), again: true },
    ]);
    expect(commandProblem(commands.failures('a'), 'operator')).toBe(
      'it could not be made to give up the account 00000000000000a1: store/full, 1 times; it is tried again',
    );
    expect(commandProblem(commands.failures('a'), 'public')).toBe(
      'it could not be made to give up an account: store/full, 1 times; it is tried again',
    );
    clock.advance(999);
    expect(sent).toEqual([1]);
    clock.advance(1);
    expect(sent).toEqual([1, 2]);
    // An answer to what was given before counts no more.
    commands.done('a', 1);
    commands.done('a', 2, 'store/full');
    clock.advance(1999);
    expect(sent).toHaveLength(2);
    clock.advance(1);
    commands.done('a', 3);
    expect([commands.failures('a').count, commandProblem(commands.failures('a'), 'operator')]).toEqual([0, null]);
    clock.advance(3_600_000);
    expect(sent).toHaveLength(3);
  });

  it('is given up after ten minutes, and stays shown until the node registers anew', () => {
    commands.give('a', seal());
    for (let turn = 0; turn < 3000; turn++) {
      const last = sent.at(-1) as number;
      commands.done('a', last, 'log/stopped');
      clock.advance(1000);
    }
    const tries = sent.length;
    expect(tries).toBeGreaterThan(8);
    expect(tries).toBeLessThan(25);
    expect(commands.failures('a').first[0]).toMatchObject({ attempts: tries, again: false });
    commands.lost('a');
    expect(commands.failures('a').count).toBe(0);
  });

  it('that nobody answers counts as failed', () => {
    commands.give('a', seal());
    clock.advance(180_000);
    expect(commands.failures('a').first[0]?.code).toBe('unanswered');
    clock.advance(1000);
    expect(sent).toEqual([1, 2]);
  });

  it('is not repeated when it is not meant any more, or the node is gone', () => {
    commands.give('a', seal());
    commands.give('a', seal('00000000000000a2'));
    commands.done('a', 1, 'x');
    commands.done('a', 2, 'x');
    expect(commandProblem(commands.failures('a'), 'public')).toContain('(and 1 more like it)');
    isMeant = false;
    expect(commands.failures('a').count).toBe(0);
    clock.advance(10_000);
    expect(sent).toEqual([1, 2]);
    isMeant = true;
    isOpen = false;
    expect(commands.give('a', seal())).toBe(false);
    clock.advance(3_600_000);
    expect(commands.failures('a').count).toBe(0);
  });

  it('takes the place of an older one for the same account', () => {
    commands.give('a', seal());
    commands.done('a', 1, 'x');
    commands.give('a', seal());
    expect(commands.failures('a').count).toBe(0);
    commands.done('b', 2);
    commands.done('a', 2, 'y');
    expect(commands.failures('a').first[0]?.code).toBe('y');
    commands.stop();
    clock.advance(3_600_000);
    expect(sent).toEqual([1, 2]);
  });
});
