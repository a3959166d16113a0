import { describe, expect, it } from 'vitest';
import {
  BoundedPattern,
  Effort,
  PatternExhausted,
  PatternRefused,
  Subject,
} from '../../../node/toolbox/cheetah/pattern.js';
import { compileRegex } from '../../../node/toolbox/cheetah/regex-program.js';

const match = (pattern: string, text: string, steps = 10_000) =>
  new BoundedPattern(pattern).match(text, new Effort(steps));
const found = (pattern: string, text: string, steps = 10_000) =>
  new BoundedPattern(pattern).isIn(new Subject(text), new Effort(steps));

describe('a pattern outside a template', () => {
  it('matches from the beginning and tells its named groups', () => {
    expect({ ...match('(?P<name>a+)(?P<ext>b)?', 'aac') }).toEqual({ name: 'aa', ext: undefined });
    expect(match('a', 'ba')).toBeUndefined();
    expect({ ...match('(?i)(?P<x>É.)', 'é😀') }).toEqual({ x: 'é😀' });
    // No group can be mistaken for what every object has.
    expect(match('a', 'a')?.constructor).toBeUndefined();
  });

  it('is refused with a reason when it is none, or is far too long', () => {
    for (const pattern of ['(', '*a', '[b-a]', '(?P<a>x)(?P<a>y)', 'a'.repeat(20_001)]) {
      expect(() => new BoundedPattern(pattern)).toThrow(PatternRefused);
    }
  });

  it.each(['^(\\w+,?)+$', '(a|aa)+$', '(.*)*x', '(?:a*)*b', '(?:a|a)*b'])('%s ends at its steps', (pattern) => {
    expect(() => match(pattern, `${'a'.repeat(60)}!`)).toThrow(PatternExhausted);
  });

  it('is counted in what it is a part of, short texts as well', () => {
    const whole = new Effort(10);
    const pattern = new BoundedPattern('a');
    for (let i = 0; i < 10; i++) pattern.match('a', new Effort(5, whole));
    expect(whole.left).toBe(0);
    expect(new Effort(5, whole).left).toBe(0);
    expect(() => pattern.match('a', new Effort(5, whole))).toThrow(PatternExhausted);
  });
});

describe('a set of characters', () => {
  it('is the same whether its members are in order, touch, overlap or repeat', () => {
    for (const set of ['[a-cx-z]', '[z-zyxcba]', '[b-cx-za-b]', '[aabbccx-zx-y]', '[^\\W\\d_d-wA-Z]']) {
      const fits = [...'abcdwxyz`{AZ5_é'].filter((char) => match(set, char) !== undefined).join('');
      expect([set, fits]).toEqual([set, set.startsWith('[^') ? 'abcxyzé' : 'abcxyz']);
    }
  });

  it('of thousands of members is looked into no more often for each character', () => {
    const members = Array.from({ length: 9000 }, (_, index) => String.fromCodePoint(0x4e00 + 2 * index)).join('');
    const [step] = compileRegex(`[${members}]`, 0).steps;
    if (step?.op !== 'set') throw new Error('not a set');
    const { test } = step;
    expect([test(0x4e00), test(0x4e01), test(0x4e00 + 17_998), test(0x4e00 + 18_000)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(found(`[${members}]`, 'a'.repeat(100_000))).toBe(false);
  });
});

describe('a search leaves out where a match cannot begin', () => {
  const firsts = (pattern: string) => {
    const { firsts: table } = compileRegex(pattern, 0).start;
    return table && [...table.entries()].flatMap(([code, may]) => (may ? [String.fromCharCode(code)] : [])).join('');
  };

  it.each<[pattern: string, begins: string | undefined]>([
    ['abc', 'a'],
    ['a|b(?:c|d)', 'ab'],
    ['a?b', 'ab'],
    ['a*b', 'ab'],
    ['a+b', 'a'],
    ['(x)?(y)', 'xy'],
    ['(?:ab){2,}', 'a'],
    ['^a', 'a'],
    ['\\ba', 'a'],
    ['(?=b)a', 'a'],
    ['(?>a*)b', 'ab'],
    ['(?>a+)b', 'a'],
    ['(?:a*)*b', 'ab'],
    ['(a)?(?(1)b|c)', 'abc'],
    ['[0-2]', '012'],
    ['a*', undefined],
    ['a|', undefined],
    ['(a?)\\1b', undefined],
    ['$', undefined],
  ])('%s', (pattern, begins) => {
    expect(firsts(pattern)).toBe(begins);
  });

  it.each<[pattern: string, text: string]>([
    ['a*b', 'xxaab'],
    ['.+b', 'x\nab'],
    ['(\\w+) b', 'aa aa b'],
    ['(\\w+) \\1$', 'ab b b'],
    ['(\\w*)x\\1y', 'abxby'],
    ['\\w+?:', 'a b:'],
    ['\\w++:', 'a b:'],
    ['a+(?<=xaa)b', 'aab xaab'],
    ['(?:a*)(?:b|c)', 'aaxaac'],
    ['é', 'aé'],
  ])('and finds %s as before', (pattern, text) => {
    const javaScript = pattern.replace('\\w++', '\\w+');
    expect([found(pattern, text), new RegExp(javaScript).test(text)]).toEqual([true, true]);
  });

  it('a long line is gone through once by what begins with a run', () => {
    for (const pattern of ['.*error', '(.*)error', '[^:]+: error', '\\w+Error', '[\\s\\S]*error']) {
      expect(found(pattern, 'a'.repeat(100_000), 40_000)).toBe(false);
      expect(found(pattern, `${'a'.repeat(100_000)}Error: error`, 40_000)).toBe(true);
    }
  });
});
