import { describe, expect, it } from 'vitest';
import { compilePattern, type Ended, judge } from '../../../node/jobs/verdict.js';
import type { FailureRule } from '../../../node/toolbox/tool.js';

const ended = (fields: Partial<Ended>): Ended => ({ exitCode: 0, signal: null, stdout: '', stderr: '', ...fields });

const exit = (from: number, to: number, level: FailureRule['level'], description = ''): FailureRule => ({
  when: 'exit-code',
  from,
  to,
  level,
  description,
});

const output = (
  source: 'stdout' | 'stderr' | 'both',
  pattern: string,
  level: FailureRule['level'] = 'fatal',
): FailureRule => ({ when: 'output', source, pattern, level, description: '' });

const EVERY = Number.MAX_SAFE_INTEGER;

describe('whether a run succeeded', () => {
  it('is decided by the exit code and the rule that names it', () => {
    const rules = [exit(2, 2, 'fatal', 'Bad input'), exit(3, 5, 'warning', 'Some reads were skipped')];
    expect(judge(ended({ exitCode: 0 }), rules)).toEqual({ state: 'ok' });
    expect(judge(ended({ exitCode: 2 }), rules)).toEqual({ state: 'error', message: 'Exit code 2: Bad input' });
    expect(judge(ended({ exitCode: 4 }), rules)).toEqual({
      state: 'ok',
      message: 'Warning: Exit code 4: Some reads were skipped',
    });
    expect(judge(ended({ exitCode: 9 }), rules)).toEqual({ state: 'ok' });
  });

  it('without rules is always yes', () => {
    expect(judge(ended({ exitCode: 1, stderr: 'oh no' }), [])).toEqual({ state: 'ok' });
  });

  it('can be decided by what the tool said, wherever and in whatever case', () => {
    expect(judge(ended({ stderr: 'ERROR: no such file' }), [output('stderr', 'error:')]).state).toBe('error');
    expect(judge(ended({ stdout: 'ERROR: no such file' }), [output('stderr', 'error:')]).state).toBe('ok');
    expect(judge(ended({ stdout: 'ERROR: no such file' }), [output('both', 'error:')]).state).toBe('error');
  });

  it('stops at the first fatal rule and ignores what is only logged', () => {
    const rules = [output('stderr', 'note', 'log'), exit(1, EVERY, 'fatal_oom'), exit(1, EVERY, 'fatal', 'other')];
    expect(judge(ended({ exitCode: 137, stderr: 'note' }), rules).message).toBe(
      'Exit code 137 (the tool ran out of memory)',
    );
  });

  it('names the signal that ended a tool', () => {
    const { state, message } = judge(ended({ exitCode: null, signal: 'SIGKILL' }), []);
    expect(state).toBe('error');
    expect(message).toContain('SIGKILL');
  });

  it('says so when the disk was full', () => {
    const { message } = judge(ended({ exitCode: 1, stderr: 'sort: write failed: No space left on device' }), [
      exit(1, EVERY, 'fatal'),
    ]);
    expect(message).toBe('The disk of the node is full. Exit code 1');
  });

  it("reads Python's patterns", () => {
    expect(compilePattern('(?i)^Err')?.test('x\nerror')).toBe(false);
    expect(compilePattern('(?im)^Err')?.test('x\nerror')).toBe(true);
    expect(compilePattern('(?P<what>a)(?P=what)')?.test('aa')).toBe(true);
    expect(compilePattern('\\AStart.*end\\Z')?.test('start end')).toBe(true);
    expect(compilePattern('(')).toBeUndefined();
  });
});
