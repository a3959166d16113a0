import { expect, it } from 'vitest';
import { counted, inBytes, inTime } from '../../../protocol/runtime/amounts.js';

it('sizes have at most three digits before the point, and the unit that fits', () => {
  expect([0, 1, 999, 1000, 1500, 999_949, 999_951, 48_507_640, 2e12, 5e15, 5e18].map(inBytes)).toEqual([
    '0 B',
    '1 B',
    '999 B',
    '1.0 kB',
    '1.5 kB',
    '999.9 kB',
    '1.0 MB',
    '48.5 MB',
    '2.0 TB',
    '5.0 PB',
    '5000.0 PB',
  ]);
});

it('lengths of time are never nothing', () => {
  expect([0, 400, 89_000, 120_000, 5_399_000, 5_400_000].map(inTime)).toEqual([
    '1 s',
    '1 s',
    '89 s',
    '2 min',
    '90 min',
    '1.5 h',
  ]);
});

it('one of a thing is one thing', () => {
  expect([0, 1, 2].map((n) => counted(n, 'dataset'))).toEqual(['0 datasets', '1 dataset', '2 datasets']);
  expect([1, 3].map((n) => counted(n, 'copy', 'copies'))).toEqual(['1 copy', '3 copies']);
});
