import { describe, expect, it } from 'vitest';
import { diffLines } from '../../../node/tool-test/line-diff.js';

const lines = (text: string) => text.split(' ').filter((one) => one !== '');

describe('two texts, line by line', () => {
  it.each([
    ['a b c', 'a b c', 0],
    ['a b c', 'a x c', 2],
    ['a b c', 'a c', 1],
    ['a c', 'a b c', 1],
    ['', 'a b', 2],
    ['a b c d e', 'b c d e f', 2],
    ['a b a b', 'b a b a', 2],
  ])('%s and %s differ in as few lines as can be said', (before, after, changed) => {
    const found = diffLines(lines(before), lines(after));
    expect(found.changed).toBe(changed);
    expect(found.edits).toHaveLength(changed);
  });

  it('shows where the first difference is, what went and what came, and how much more there is', () => {
    expect(diffLines(lines('a b c'), lines('a x c')).excerpt).toEqual(['@@ line 2 @@', '-b', '+x']);
    const long = diffLines(
      [],
      Array.from({ length: 20 }, (_, index) => String(index)),
    );
    expect(long.excerpt).toHaveLength(14);
    expect(long.excerpt.at(-1)).toBe('… and 8 more');
  });

  it('cuts long lines', () => {
    const [, shown = ''] = diffLines([], ['x'.repeat(1000)]).excerpt;
    expect(shown).toBe(`+${'x'.repeat(160)}…`);
  });

  it('says at least the truth of texts that have nothing in common', () => {
    const left = Array.from({ length: 2000 }, (_, index) => `l${index}`);
    const right = Array.from({ length: 2000 }, (_, index) => `r${index}`);
    expect(diffLines(left, right).changed).toBe(4000);
  });
});
