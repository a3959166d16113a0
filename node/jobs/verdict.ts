/**
 * Whether a run succeeded: its exit code and what it wrote, against the wrapper's rules. Pure.
 *
 * Rules are tried in order; the first fatal one decides, warnings are collected. Patterns are Python's: searched
 * without regard to case, as Galaxy does. One that would take too many steps does not match, and the job says so.
 */
import { BoundedPattern, Effort, PatternExhausted, PatternRefused, Subject } from '../toolbox/cheetah/pattern.js';
import type { FailureRule } from '../toolbox/tool.js';

export interface Ended {
  /** null: ended by a signal. */
  exitCode: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

export interface Verdict {
  state: 'ok' | 'error';
  /** One plain sentence; absent when there is nothing to say. */
  message?: string;
}

/**
 * A pattern that goes through the output once takes less than a third of a step for each character. A million steps are
 * some tenths of a second.
 */
const STEPS_MAX = 1_000_000;
const STEPS_OF_CHARACTER = 0.5;
/** All patterns of a job together may take so many times that. */
const SHARE = 5;

export function judge(ended: Ended, rules: readonly FailureRule[]): Verdict {
  if (ended.exitCode === null) {
    const because = ended.signal === 'SIGKILL' ? ' It may have used too much memory.' : '';
    return { state: 'error', message: `The tool was ended by signal ${ended.signal ?? 'unknown'}.${because}` };
  }
  const said = new Said(ended);
  const warnings: string[] = [];
  for (const rule of rules) {
    if (!(rule.when === 'output' ? said.fits(rule) : isWithin(rule, ended.exitCode))) continue;
    const text = describe(rule, ended.exitCode);
    if (rule.level === 'fatal_oom') return fail(`${text} (the tool ran out of memory)`, ended);
    if (rule.level === 'fatal') return fail(text, ended);
    if (rule.level === 'warning') warnings.push(`Warning: ${text}`);
  }
  warnings.push(...said.notes);
  return warnings.length > 0 ? { state: 'ok', message: warnings.join('\n') } : { state: 'ok' };
}

function fail(text: string, ended: Ended): Verdict {
  const full = /no space left on device|disk quota exceeded/i.test(ended.stderr);
  return { state: 'error', message: full ? `The disk of the node is full. ${text}` : text };
}

function isWithin({ from, to }: Extract<FailureRule, { when: 'exit-code' }>, exitCode: number): boolean {
  return exitCode >= from && exitCode <= to;
}

type OutputRule = Extract<FailureRule, { when: 'output' }>;

/** What the tool said, for one pattern after the other. */
class Said {
  /** Patterns that could not be tried, in sentences. */
  readonly notes: string[] = [];
  private readonly effort: Effort;
  private readonly subjects = new Map<'stdout' | 'stderr', Subject>();

  constructor(private readonly ended: Pick<Ended, 'stdout' | 'stderr'>) {
    this.effort = new Effort(SHARE * stepsFor(ended.stdout.length + ended.stderr.length));
  }

  fits({ pattern: source, source: where }: OutputRule): boolean {
    try {
      const pattern = new BoundedPattern(source, { ignoreCase: true });
      return (
        (where !== 'stderr' && this.isIn('stdout', pattern)) || (where !== 'stdout' && this.isIn('stderr', pattern))
      );
    } catch (error) {
      if (!(error instanceof PatternExhausted || error instanceof PatternRefused)) throw error;
      this.notes.push(`The pattern ${source} could not be looked for in what the tool wrote: ${error.message}.`);
      return false;
    }
  }

  private isIn(name: 'stdout' | 'stderr', pattern: BoundedPattern): boolean {
    const text = this.ended[name];
    const subject = this.subjects.get(name) ?? new Subject(text);
    this.subjects.set(name, subject);
    return pattern.isIn(subject, new Effort(stepsFor(text.length), this.effort));
  }
}

function stepsFor(characters: number): number {
  return STEPS_MAX + Math.ceil(characters * STEPS_OF_CHARACTER);
}

function describe(rule: FailureRule, exitCode: number): string {
  const description = rule.description.trim();
  if (rule.when === 'output') return description || `Matched on ${rule.pattern}`;
  return description ? `Exit code ${exitCode}: ${description}` : `Exit code ${exitCode}`;
}
