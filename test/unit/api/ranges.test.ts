import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseRange } from '../../../node/api/ranges.js';

it('a range is what RFC 9110 says', () => {
  expect(parseRange('bytes=0-0', 10)).toEqual({ start: 0, end: 1 });
  expect(parseRange('bytes=5-', 10)).toEqual({ start: 5, end: 10 });
  expect(parseRange('bytes=-4', 10)).toEqual({ start: 6, end: 10 });
  expect(parseRange('bytes=-40', 10)).toEqual({ start: 0, end: 10 });
  expect(parseRange('bytes=5-99', 10)).toEqual({ start: 5, end: 10 });
  expect(parseRange('bytes=10-', 10)).toBe('unsatisfiable');
  expect(parseRange('bytes=-0', 10)).toBe('unsatisfiable');
  expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable');
});

it('what is no single byte range is answered with the whole', () => {
  for (const header of [undefined, 'bytes=', 'bytes=-', 'lines=1-2', 'bytes=1-2,4-5', 'bytes=5-2', 'bytes=a-b']) {
    expect(parseRange(header, 10)).toBeUndefined();
  }
});

it('no header reaches outside the file', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(), fc.nat(), fc.nat(100), (noise, a, b, size) => {
      for (const header of [noise, `bytes=${a}-${b}`, `bytes=-${a}`, `bytes=${a}-`]) {
        const range = parseRange(header, size);
        if (range === undefined || range === 'unsatisfiable') continue;
        expect(range.start >= 0 && range.start < range.end && range.end <= size).toBe(true);
      }
    }),
  );
});
