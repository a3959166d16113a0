/**
 * Tables of reStructuredText as rows of cells. Cells that reach over several rows are not understood: such a table
 * is shown as it was drawn.
 */

export interface Cell {
  lines: string[];
  columns: number;
}

export interface Table {
  head: Cell[][];
  body: Cell[][];
}

const COLUMNS_MAX = 100;
const ROWS_MAX = 5000;

export const SIMPLE_BORDER = /^={2,}(?: +={2,})* *$/;
export const GRID_BORDER = /^\+(?:[-=]+\+)+$/;

/** `====  ====`, rows, `====  ====`. Undefined when the lines are no such table. `used`: how many lines it takes. */
export function simpleTable(lines: readonly string[]): { table: Table; used: number } | undefined {
  const columns = [...(lines[0] ?? '').matchAll(/=+/g)].map(({ index, 0: run }) => ({
    from: index,
    to: index + run.length,
  }));
  if (columns.length < 2 || columns.length > COLUMNS_MAX) return undefined;
  const borders: number[] = [0];
  for (let at = 1; at < lines.length && borders.length < 3; at++) {
    const line = lines[at] as string;
    if (SIMPLE_BORDER.test(line) && line.includes('=')) {
      borders.push(at);
      // The last border has a blank line or nothing after it.
      if ((lines[at + 1] ?? '').trim() === '') break;
    }
  }
  const [, second, third] = borders;
  if (second === undefined) return undefined;
  const head = third === undefined ? [] : simpleRows(lines.slice(1, second), columns);
  const body =
    third === undefined
      ? simpleRows(lines.slice(1, second), columns)
      : simpleRows(lines.slice(second + 1, third), columns);
  if (!head || !body) return undefined;
  return { table: { head, body }, used: (third ?? second) + 1 };
}

function simpleRows(lines: readonly string[], columns: readonly { from: number; to: number }[]): Cell[][] | undefined {
  const rows: Cell[][] = [];
  for (const line of lines) {
    if (line.trim() === '' || /^-+(?: +-+)* *$/.test(line)) continue;
    const texts = columns.map(({ from }, index) => line.slice(from, columns[index + 1]?.from ?? line.length));
    // Text in the gap between two columns: no table after all.
    const broken = columns.some(({ to }, index) => {
      const next = columns[index + 1];
      return next !== undefined && line.slice(to, next.from).trim() !== '';
    });
    if (broken) return undefined;
    const last = rows.at(-1);
    if ((texts[0] ?? '').trim() === '' && last) {
      for (const [index, text] of texts.entries()) last[index]?.lines.push(text.trimEnd());
    } else rows.push(texts.map((text) => ({ lines: [text.trimEnd()], columns: 1 })));
    if (rows.length > ROWS_MAX) return undefined;
  }
  return rows;
}

/** `+---+---+`. */
export function gridTable(lines: readonly string[]): { table: Table; used: number } | undefined {
  let used = 0;
  while (used < lines.length && /^[+|]/.test(lines[used] as string)) used++;
  const drawn = lines.slice(0, used).map((line) => line.trimEnd());
  const width = drawn[0]?.length ?? 0;
  if (used < 3 || !GRID_BORDER.test(drawn.at(-1) ?? '') || drawn.some((line) => line.length !== width))
    return undefined;
  const edges = new Set<number>();
  for (const line of drawn) {
    if (GRID_BORDER.test(line)) for (const { index } of line.matchAll(/\+/g)) edges.add(index);
    // A border that ends inside a row: a cell over several rows.
    else if (/\+[-=]{2,}\+|\+[-=]{2,}\||\|[-=]{2,}\+/.test(line)) return undefined;
  }
  const sorted = [...edges].sort((a, b) => a - b);
  if (sorted.length - 1 > COLUMNS_MAX) return undefined;
  const head: Cell[][] = [];
  let rows: Cell[][] = [];
  let block: string[] = [];
  for (const line of drawn.slice(1)) {
    if (!GRID_BORDER.test(line)) {
      block.push(line);
      continue;
    }
    rows.push(gridRow(block, sorted));
    block = [];
    if (line.includes('=') && head.length === 0) {
      head.push(...rows);
      rows = [];
    }
  }
  return { table: { head, body: rows }, used };
}

function gridRow(block: readonly string[], edges: readonly number[]): Cell[] {
  const cells: Cell[] = [];
  let from = 0;
  for (let index = 1; index < edges.length; index++) {
    const edge = edges[index] as number;
    if (index < edges.length - 1 && !block.every((line) => line[edge] === '|')) continue;
    const start = (edges[from] as number) + 1;
    cells.push({ lines: block.map((line) => line.slice(start, edge).trimEnd()), columns: index - from });
    from = index;
  }
  return cells;
}
