/** When a job has failed: `<stdio>`, `detect_errors`, and what a profile means by default. */
import { malformed, unsupported } from '../errors.js';
import type { Note } from '../loaded.js';
import { pythonPattern } from '../parameters/python-pattern.js';
import type { FailureRule } from '../tool.js';
import type { ProfileRules } from './profile.js';
import { elements, type XmlElement } from './wrapper-xml.js';

/** Plain data goes to another process, so the open ends of a range are numbers too. */
const LOWEST = -2147483648;
const HIGHEST = 2147483647;
type Level = FailureRule['level'];

const nonZero: FailureRule[] = [
  { when: 'exit-code', from: 1, to: HIGHEST, level: 'fatal', description: '' },
  { when: 'exit-code', from: LOWEST, to: -1, level: 'fatal', description: '' },
];

const output = (pattern: string, level: Level, description: string): FailureRule => ({
  when: 'output',
  source: 'both',
  pattern,
  level,
  description,
});

const AGGRESSIVE: FailureRule[] = [
  output('MemoryError', 'fatal_oom', 'Out of memory error occurred'),
  output('std::bad_alloc', 'fatal_oom', 'Out of memory error occurred'),
  output('java.lang.OutOfMemoryError', 'fatal_oom', 'Out of memory error occurred'),
  output('Out of memory', 'fatal_oom', 'Out of memory error occurred'),
  output('exception:', 'fatal', ''),
  output('error:', 'fatal', ''),
];

const ANY_STDERR: FailureRule = {
  when: 'output',
  source: 'stderr',
  pattern: '[\\s\\S]',
  level: 'fatal',
  description: 'The tool wrote to its error output',
};

/**
 * As Galaxy has it: `<stdio>` comes first and stands alone unless `detect_errors` adds to it; a tool that says nothing
 * has what its profile means; and where no rule comes of all this, anything on standard error is a failure.
 */
export function failureRules(
  command: XmlElement | undefined,
  stdio: readonly XmlElement[],
  profile: Pick<ProfileRules, 'stderrIsFailure'>,
  notes: Note[],
): FailureRule[] {
  const own = stdio.flatMap((one) => elements(one)).flatMap((child) => ruleOf(child, notes));
  const rules = [...own, ...detected(command, stdio.length > 0, profile)];
  return rules.length > 0 ? rules : [ANY_STDERR];
}

function detected(
  command: XmlElement | undefined,
  hasStdio: boolean,
  profile: Pick<ProfileRules, 'stderrIsFailure'>,
): FailureRule[] {
  const detect = command?.attributes.detect_errors || 'default';
  switch (detect) {
    case 'default':
      return hasStdio || profile.stderrIsFailure ? [] : nonZero;
    case 'exit_code':
      return [...outOfMemory(command), ...nonZero];
    case 'aggressive':
      return [...AGGRESSIVE, ...nonZero];
    default:
      throw unsupported(`detect_errors="${detect}"`, command as XmlElement);
  }
}

function outOfMemory(command: XmlElement | undefined): FailureRule[] {
  const written = command?.attributes.oom_exit_code;
  if (command === undefined || written === undefined) return [];
  const code = Number(written);
  if (written.trim() === '' || !Number.isInteger(code)) {
    throw malformed(`oom_exit_code="${written}" is not a whole number`, command);
  }
  return [{ when: 'exit-code', from: code, to: code, level: 'fatal_oom', description: 'Out of memory error occurred' }];
}

function ruleOf(given: XmlElement, notes: Note[]): FailureRule[] {
  const { file, line } = given;
  const level = levelOf(given);
  const description = given.attributes.desc ?? given.attributes.description ?? '';
  if (given.name === 'exit_code') return [{ when: 'exit-code', ...rangeOf(given), level, description }];
  if (given.name !== 'regex') {
    notes.push({ file, line, message: `<${given.name}> in <stdio> is not known` });
    return [];
  }
  const { match } = given.attributes;
  if (match === undefined) throw malformed('a <regex> without match', given);
  // Python's pattern crosses as it was written; that it can be read is found out here and not after the job.
  pythonPattern(match, given);
  return [{ when: 'output', source: sourceOf(given), pattern: match, level, description }];
}

/** `stdout`, `output`, `stderr`, `error`, `both`, several with commas; whatever says neither means both. */
function sourceOf(given: XmlElement): 'stdout' | 'stderr' | 'both' {
  const { src, source, sources } = given.attributes;
  const said = (src ?? source ?? sources ?? 'both').toLowerCase();
  const [out, err] = [said.includes('out') || said.includes('both'), said.includes('err') || said.includes('both')];
  if (out === err) return 'both';
  return out ? 'stdout' : 'stderr';
}

/** As Galaxy: what is not understood is fatal. Quality control messages are for the log. */
function levelOf(given: XmlElement): Level {
  const text = (given.attributes.level ?? 'fatal').toLowerCase();
  if (/log|qc|none/.test(text)) return 'log';
  if (text.includes('warning')) return 'warning';
  return text.includes('fatal_oom') ? 'fatal_oom' : 'fatal';
}

/** `1`, `1:5`, `1:`, `:-1`, `:`. */
function rangeOf(given: XmlElement): { from: number; to: number } {
  const text = (given.attributes.range ?? given.attributes.value ?? '').replace(/\s+/g, '');
  const found = /^(?:(-?\d+)|(-?\d*):(-?\d*))$/.exec(text);
  if (!found) throw malformed(`the exit code range "${text}" is not understood`, given);
  if (found[1] !== undefined) return { from: Number(found[1]), to: Number(found[1]) };
  const from = found[2] ? Number(found[2]) : LOWEST;
  const to = found[3] ? Number(found[3]) : HIGHEST;
  if (from > to) throw malformed(`the exit code range "${text}" is empty`, given);
  return { from, to };
}
