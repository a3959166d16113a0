import { describe, expect, it } from 'vitest';
import { glob } from '../../../node/jobs/glob.js';

describe('the wildcards of a name', () => {
  it.each<[pattern: string, fits: string[], fitsNot: string[]]>([
    ['*', ['', 'a', 'a.b'], []],
    ['*.fq', ['.fq', 'a.fq', 'a.fq.fq'], ['a.fqx', 'afq']],
    ['a?c', ['abc', 'a.c', 'a😀c'], ['ac', 'abbc']],
    ['a*b*c', ['abc', 'axxbxxbxc'], ['acb', 'abcd']],
    ['[a-c]x', ['ax', 'bx', 'cx'], ['dx', 'x', 'aax']],
    ['[!a-c]x', ['dx', '-x'], ['ax', 'x']],
    ['[]-]x', [']x', '-x'], ['ax']],
    ['[!]]x', ['ax'], [']x']],
    ['[a-]x', ['ax', '-x'], ['bx']],
    ['[z-a]x', [], ['ax', 'zx', '-x']],
    ['[ab', ['[ab'], ['a']],
    ['a.b(c)+', ['a.b(c)+'], ['axb(c)+', 'a.bcc']],
    ['\\*', ['\\', '\\a'], ['*']],
  ])('%s', (pattern, fits, fitsNot) => {
    expect(fits.filter((name) => !glob(pattern)(name))).toEqual([]);
    expect(fitsNot.filter((name) => glob(pattern)(name))).toEqual([]);
  });

  it('take no longer for many stars', () => {
    expect(glob(`${'*a'.repeat(100)}b`)('a'.repeat(255))).toBe(false);
    expect(glob(`${'*a'.repeat(100)}*`)('a'.repeat(255))).toBe(true);
  });
});
