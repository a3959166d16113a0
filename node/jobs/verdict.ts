/**
 * Whether a run succeeded: its exit code and what it wrote, against the wrapper's rules. Pure.
 *
 * Rules are tried in order; the first fatal one decides, warnings are collected. Patterns are Python's: searched
 * without regard to case, as Galaxy does. One that hangs on hostile output hangs the handler, whose lease then expires.
 */
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

export function judge(ended: Ended, rules: readonly FailureRule[]): Verdict {
  if (ended.exitCode === null) {
    const because = ended.signal === 'SIGKILL' ? ' It may have used too much memory.' : '';
    return { state: 'error', message: `The tool was ended by signal ${ended.signal ?? 'unknown'}.${because}` };
  }
  const warnings: string[] = [];
  for (const rule of rules) {
    if (!matches(rule, ended, ended.exitCode)) continue;
    const text = describe(rule, ended.exitCode);
    if (rule.level === 'fatal_oom') return fail(`${text} (the tool ran out of memory)`, ended);
    if (rule.level === 'fatal') return fail(text, ended);
    if (rule.level === 'warning') warnings.push(`Warning: ${text}`);
  }
  return warnings.length > 0 ? { state: 'ok', message: warnings.join('\n') } : { state: 'ok' };
}

function fail(text: string, ended: Ended): Verdict {
  const full = /no space left on device|disk quota exceeded/i.test(ended.stderr);
  return { state: 'error', message: full ? `The disk of the node is full. ${text}` : text };
}

function matches(rule: FailureRule, ended: Ended, exitCode: number): boolean {
  if (rule.when === 'exit-code') return exitCode >= rule.from && exitCode <= rule.to;
  const pattern = compilePattern(rule.pattern);
  if (pattern === undefined) return false;
  const inStdout = rule.source !== 'stderr' && pattern.test(ended.stdout);
  return inStdout || (rule.source !== 'stdout' && pattern.test(ended.stderr));
}

function describe(rule: FailureRule, exitCode: number): string {
  const description = rule.description.trim();
  if (rule.when === 'output') return description || `Matched on ${rule.pattern}`;
  return description ? `Exit code ${exitCode}: ${description}` : `Exit code ${exitCode}`;
}

/** Python's regular expression as ours; undefined when it cannot be one (the toolbox refuses those on loading). */
export function compilePattern(pattern: string): RegExp | undefined {
  let flags = 'i';
  const inline = /^\(\?([aimsux]+)\)/.exec(pattern);
  if (inline?.[1]?.includes('m')) flags += 'm';
  if (inline?.[1]?.includes('s')) flags += 's';
  const source = pattern
    .slice(inline?.[0].length ?? 0)
    .replace(/\(\?P</g, '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replace(/\\A/g, '^')
    .replace(/\\Z/g, '$');
  try {
    return new RegExp(source, flags);
  } catch {
    return undefined;
  }
}
