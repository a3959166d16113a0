import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compileFilters, compileOrder, type Fields, like, page, parseTime } from '../../../node/histories/query.js';

interface Thing {
  name: string;
  n: number;
  at: number;
  on: boolean;
  tags: string[];
}

const FIELDS: Fields<Thing> = {
  name: { kind: 'text', of: (thing) => thing.name, order: 'asc' },
  n: { kind: 'number', of: (thing) => thing.n, order: 'dsc' },
  at: { kind: 'time', of: (thing) => thing.at, slackMs: 1000 },
  on: { kind: 'flag', of: (thing) => thing.on },
  tag: { kind: 'texts', of: (thing) => thing.tags },
  kind: { kind: 'text', of: () => 'a', values: ['a', 'b'] },
};
const thing: Thing = { name: 'Reads.fastq', n: 5, at: Date.UTC(2026, 0, 1), on: true, tags: ['x', 'y'] };
const fits = (q: string, qv: string) => compileFilters(FIELDS, [q], [qv])(thing);

it('each operation compares as its name says', () => {
  const truths: [string, string, boolean][] = [
    ['name', 'Reads.fastq', true],
    ['name-ne', 'Reads.fastq', false],
    ['name-contains', 'FASTQ', true],
    ['name-in', 'other, Reads.fastq', true],
    ['n-ge', '5', true],
    ['n-gt', '5', false],
    ['n-le', '5', true],
    ['n-lt', '5', false],
    ['n-in', '4,5', true],
    ['on', 'True', true],
    ['on', 'false', false],
    ['tag', 'y', true],
    ['tag-contains', 'z', false],
    ['kind-in', 'a,b', true],
    ['at-ge', '2026-01-01T00:00:01', true],
    ['at-ge', '2026-01-01T00:00:01.001Z', false],
    ['at-le', '2025-12-31T23:59:59.999', false],
  ];
  for (const [q, qv, truth] of truths) expect([q, qv, fits(q, qv)]).toEqual([q, qv, truth]);
});

it('a filter that means nothing is refused with its name', () => {
  const wrong = [
    ['colour', 'red'],
    ['name-ge', 'a'],
    ['n', 'many'],
    ['on', 'perhaps'],
    ['kind', 'c'],
    ['at-ge', 'soon'],
    ['constructor', 'x'],
  ] as const;
  for (const [q, qv] of wrong) expect(() => fits(q, qv)).toThrow(q);
  expect(() => compileFilters(FIELDS, ['name'], [])).toThrow('1 q and 0 qv');
});

it('times without a zone are UTC', () => {
  const at = Date.UTC(2026, 10, 22, 4, 9, 12, 319);
  for (const text of ['2026-11-22T04:09:12.319000', '2026-11-22 04:09:12.319', '2026-11-22T04:09:12.319Z']) {
    expect(parseTime(text)).toBe(at);
  }
  expect(parseTime('2026-11-22T05:09:12.319+01:00')).toBe(at);
  expect(parseTime('2026-11-22')).toBe(Date.UTC(2026, 10, 22));
  expect(parseTime('22')).toBeUndefined();
});

it('a % in a pattern stands for anything, as the regular expression says', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '%'), maxLength: 8 });
  fc.assert(
    fc.property(text, pattern, (one, wanted) => {
      const expression = wanted
        .split('%')
        .map((part) => part.replaceAll('.', '\\.'))
        .join('.*');
      expect(like(one, wanted)).toBe(new RegExp(`^${expression}$`).test(one));
    }),
  );
});

it('orders are read from left to right, with a direction of their own', () => {
  const things = [
    { ...thing, name: 'b', n: 1 },
    { ...thing, name: 'a', n: 1 },
    { ...thing, name: 'c', n: 2 },
  ];
  const names = (order: string) => [...things].sort(compileOrder(FIELDS, order)).map(({ name }) => name);
  expect(names('n,name')).toEqual(['c', 'a', 'b']);
  expect(names('n-asc,name-dsc')).toEqual(['b', 'a', 'c']);
  expect(() => names('tag')).toThrow('cannot be ordered by tag');
});

it('pages put together are the list', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 5 }), (list, size) => {
      const pages: number[] = [];
      for (let offset = 0; offset < list.length; offset += size) pages.push(...page(list, offset, size));
      expect(pages).toEqual(list);
    }),
  );
});
