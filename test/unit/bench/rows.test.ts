import { describe, expect, it } from 'vitest';
import { Figures, percentile, table } from '../../bench/rows.js';

describe('the figures of a benchmark', () => {
  it('are the medians of what each run measured, in the order in which they came', () => {
    const figures = new Figures();
    for (const value of [300.4, 100, 200.2]) figures.add({ case: 'ours', metric: 'large', value, unit: 'MB/s' });
    figures.add({ case: 'ours', metric: 'rss', value: 7.2749, unit: 'MB' });
    expect(figures.medians()).toEqual([
      { case: 'ours', metric: 'large', value: 200, unit: 'MB/s' },
      { case: 'ours', metric: 'rss', value: 7.27, unit: 'MB' },
    ]);
  });

  it('show as a table with cases down and metrics across, and a dash for what was not measured', () => {
    const rows = [
      { case: 'ours', metric: 'large', value: 200, unit: 'MB/s' },
      { case: 'ours', metric: 'small', value: 1500, unit: 'files/s' },
      { case: 'rsync', metric: 'large', value: 7, unit: 'MB/s' },
    ];
    expect(table(rows)).toEqual([
      '       large (MB/s)  small (files/s)',
      'ours            200             1500',
      'rsync             7                –',
    ]);
  });

  it('take a percentile of any number of values', () => {
    const values = Array.from({ length: 100 }, (_, index) => 99 - index);
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile([3], 0.99)]).toEqual([50, 99, 3]);
    expect(percentile([], 0.5)).toBe(0);
  });
});
