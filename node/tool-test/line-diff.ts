/**
 * What differs between two texts, line by line: how many lines, counted as Galaxy counts them (a changed line is one
 * that went and one that came), and the first of them to look at. Myers' algorithm; two texts that differ in more lines
 * than it is worth counting are compared roughly, which can only say too many, never too few.
 */

export interface LineDiff {
  /** Lines with + or -. */
  changed: number;
  /** Those lines, without their sign. */
  edits: string[];
  /** The first of them, as a diff shows them. */
  excerpt: string[];
}

/** Edits beyond which the exact number does not matter to anybody. */
const EDITS_MAX = 1000;
const EXCERPT_LINES = 12;
const LINE_CHARS = 160;

export function diffLines(before: readonly string[], after: readonly string[]): LineDiff {
  let start = 0;
  const shorter = Math.min(before.length, after.length);
  while (start < shorter && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < shorter - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const left = before.slice(start, before.length - end);
  const right = after.slice(start, after.length - end);
  const edits = script(left, right) ?? rough(left, right);
  const shown = edits.slice(0, EXCERPT_LINES).map(({ sign, line }) => `${sign}${cut(line)}`);
  if (edits.length > EXCERPT_LINES) shown.push(`… and ${edits.length - EXCERPT_LINES} more`);
  const lines = edits.map(({ line }) => line);
  return {
    changed: edits.length,
    edits: lines,
    excerpt: shown.length === 0 ? [] : [`@@ line ${start + 1} @@`, ...shown],
  };
}

interface Edit {
  sign: '+' | '-';
  line: string;
}

/** The shortest list of edits; undefined when it is too long to look for: what is remembered grows with its square. */
function script(left: readonly string[], right: readonly string[]): Edit[] | undefined {
  const [n, m] = [left.length, right.length];
  const most = Math.min(n + m, EDITS_MAX);
  let reach = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let d = 0; d <= most; d++) {
    const next = new Map<number, number>();
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
      let x = down ? (reach.get(k + 1) ?? 0) : (reach.get(k - 1) ?? 0) + 1;
      let y = x - k;
      while (x < n && y < m && left[x] === right[y]) {
        x += 1;
        y += 1;
      }
      next.set(k, x);
      if (x >= n && y >= m) return walkBack(left, right, [...trace, reach], d);
    }
    trace.push(reach);
    reach = next;
  }
  return undefined;
}

function walkBack(left: readonly string[], right: readonly string[], trace: Map<number, number>[], last: number) {
  const edits: Edit[] = [];
  let [x, y] = [left.length, right.length];
  for (let d = last; d > 0; d--) {
    const reach = trace[d] as Map<number, number>;
    const k = x - y;
    const down = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    const from = down ? k + 1 : k - 1;
    const startX = reach.get(from) ?? 0;
    const startY = startX - from;
    if (down) edits.push({ sign: '+', line: right[startY] ?? '' });
    else edits.push({ sign: '-', line: left[startX] ?? '' });
    x = startX;
    y = startY;
  }
  return edits.reverse();
}

/** As if no line were kept. */
function rough(left: readonly string[], right: readonly string[]): Edit[] {
  return [...left.map((line): Edit => ({ sign: '-', line })), ...right.map((line): Edit => ({ sign: '+', line }))];
}

function cut(line: string): string {
  return line.length > LINE_CHARS ? `${line.slice(0, LINE_CHARS)}…` : line;
}
