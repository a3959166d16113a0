import { describe, expect, it } from 'vitest';
import { type Ended, judge } from '../../../node/jobs/verdict.js';
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
    const fails = (pattern: string, stderr: string) => judge(ended({ stderr }), [output('stderr', pattern)]).state;
    expect(fails('^Err', 'x\nerror')).toBe('ok');
    expect(fails('(?m)^Err', 'x\nerror')).toBe('error');
    expect(fails('(?P<what>a)(?P=what)', 'baa')).toBe('error');
    expect(fails('\\AStart.*end\\Z', 'start end')).toBe('error');
    expect(fails('\\AStart.*end\\Z', 'start end\n')).toBe('ok');
  });

  it('says of a pattern that is none that it could not be looked for', () => {
    const { state, message } = judge(ended({ stderr: 'x' }), [output('stderr', '(')]);
    expect(state).toBe('ok');
    expect(message).toMatch(/^The pattern \( could not be looked for in what the tool wrote: missing \)/);
  });

  it('does not wait for a pattern that would take years: it does not match, the job says so, other rules count', () => {
    const stderr = `${'a'.repeat(60)}!`;
    const evil = output('stderr', '^(\\w+,?)+$');
    const { state, message } = judge(ended({ stderr }), [evil]);
    expect(state).toBe('ok');
    expect(message).toContain('The pattern ^(\\w+,?)+$ could not be looked for in what the tool wrote: ');
    expect(judge(ended({ stderr, exitCode: 1 }), [evil, exit(1, EVERY, 'fatal')]).state).toBe('error');
  });

  it('has so much time for all patterns together', () => {
    const rules = Array.from({ length: 40 }, (_, index) => output('stderr', `(\\w+,?)+${index}$`));
    const { message } = judge(ended({ stderr: 'a'.repeat(60) }), rules);
    expect(message?.split('\n')).toHaveLength(40);
  });

  it.each(['error:', '.*Error', '[\\s\\S]*error', '(.*): error', 'error|exception|failed', '\\w+Error', '(?m)^error'])(
    'looks for %s through megabytes, line by line or in one line',
    (pattern) => {
      for (const end of ['\n', '\r']) {
        const text = `INFO read 12345 of sample_1.fastq.gz${end}`.repeat(80_000);
        expect(judge(ended({ stderr: text }), [output('stderr', pattern)])).toEqual({ state: 'ok' });
        const message = `\nx: errorError: error: y`;
        expect(judge(ended({ stderr: text + message }), [output('stderr', pattern.replace('^', '^x: '))]).state).toBe(
          'error',
        );
      }
    },
  );
});
