/** Figures as they are printed: one row per case and metric, the median of all runs. */
export interface Row {
  case: string;
  metric: string;
  value: number;
  unit: string;
}

/** Collects what each run measured. */
export class Figures {
  private readonly found = new Map<string, Omit<Row, 'value'> & { values: number[] }>();

  add(row: Row): void {
    const key = `${row.case} ${row.metric}`;
    const figure = this.found.get(key) ?? { case: row.case, metric: row.metric, unit: row.unit, values: [] };
    figure.values.push(row.value);
    this.found.set(key, figure);
  }

  /** In the order in which they first came. */
  medians(): Row[] {
    return [...this.found.values()].map(({ values, unit, ...row }) => ({
      ...row,
      value: rounded(percentile(values, 0.5)),
      unit,
    }));
  }
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function rounded(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 100) / 100;
}

/** Cases down, metrics across. */
export function table(rows: readonly Row[]): string[] {
  const metrics = [...new Map(rows.map(({ metric, unit }) => [metric, unit]))];
  const cases = [...new Set(rows.map((row) => row.case))];
  const lines = [
    ['', ...metrics.map(([metric, unit]) => `${metric} (${unit})`)],
    ...cases.map((name) => [name, ...metrics.map(([metric]) => cell(rows, name, metric))]),
  ];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => (line[column] as string).length))) ?? [];
  return lines.map((line) =>
    line
      .map((text, column) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('  '),
  );
}

function cell(rows: readonly Row[], name: string, metric: string): string {
  const row = rows.find((one) => one.case === name && one.metric === metric);
  return row === undefined ? '–' : String(row.value);
}
