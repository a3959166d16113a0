/** When a job has failed: `<stdio>`, `detect_errors`, and what a profile means by default. */
import { malformed, unsupported } from './errors.js';
import type { FailureRule } from './tool.js';
import { pythonPattern } from './validator.js';
import { elements, type XmlElement } from './wrapper-xml.js';

/** Plain data goes to another process, so the open ends of a range are numbers too. */
const LOWEST = -2147483648;
const HIGHEST = 2147483647;
const LEVELS = ['warning', 'fatal', 'fatal_oom', 'log'] as const;
type Level = (typeof LEVELS)[number];

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

/** Since this profile an exit code other than zero is a failure; before, anything on stderr is. */
const EXIT_CODE_PROFILE = 16.04;

export function failureRules(
  command: XmlElement | undefined,
  stdio: XmlElement | undefined,
  profile: string,
): FailureRule[] {
  const detect = command?.attributes.detect_errors ?? 'default';
  const own = stdio ? elements(stdio).map(ruleOf) : [];
  const modern = Number.parseFloat(profile) >= EXIT_CODE_PROFILE;
  if (command && !['default', 'exit_code', 'aggressive'].includes(detect)) {
    throw unsupported(`detect_errors="${detect}"`, command);
  }
  if (detect === 'exit_code') return [...own, ...nonZero];
  if (detect === 'aggressive') return [...own, ...AGGRESSIVE, ...nonZero];
  if (modern) return own.some(({ when }) => when === 'exit-code') ? own : [...own, ...nonZero];
  if (stdio) return own;
  return [
    {
      when: 'output',
      source: 'stderr',
      pattern: '[\\s\\S]',
      level: 'fatal',
      description: 'The tool wrote to its error output',
    },
  ];
}

function ruleOf(given: XmlElement): FailureRule {
  const level = levelOf(given);
  const description = given.attributes.description ?? '';
  if (given.name === 'exit_code') return { when: 'exit-code', ...rangeOf(given), level, description };
  if (given.name !== 'regex') throw unsupported(`<${given.name}> in <stdio>`, given);
  const { match, source = 'both' } = given.attributes;
  if (match === undefined) throw malformed('a <regex> without match', given);
  const sources = source.split(',').map((one) => one.trim().toLowerCase());
  const [out, err] = [sources.includes('stdout') || sources.includes('output'), sources.includes('stderr')];
  const both = sources.includes('both') || out === err;
  // Python's pattern crosses as it was written; that it can be read is found out here and not after the job.
  pythonPattern(match, given, false);
  return { when: 'output', source: both ? 'both' : out ? 'stdout' : 'stderr', pattern: match, level, description };
}

function levelOf(given: XmlElement): Level {
  const text = (given.attributes.level ?? 'fatal').toLowerCase();
  if (text === 'none' || text === 'qc') return 'log';
  const level = LEVELS.find((known) => known === text);
  if (!level) throw unsupported(`the level "${text}"`, given);
  return level;
}

/** `1`, `1:5`, `1:`, `:-1`. */
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
