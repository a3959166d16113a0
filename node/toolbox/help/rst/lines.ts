/** Indentation, which is what reStructuredText is made of. */

export interface Indented {
  /** Without their common indentation and the blank lines around them. */
  lines: string[];
  used: number;
  /** Blank lines come first. */
  gap: boolean;
}

/** Lines from `at` on that are indented, blank lines between them included. */
export function indentedFrom(lines: readonly string[], at: number): Indented {
  let used = countWhile(lines, at, (one) => one.trim() === '' || one.startsWith(' '));
  while (used > 0 && (lines[at + used - 1] as string).trim() === '') used--;
  const own = lines.slice(at, at + used);
  let indent = Number.POSITIVE_INFINITY;
  for (const line of own) if (line.trim() !== '') indent = Math.min(indent, line.length - line.trimStart().length);
  const cut = own.map((line) => (line.trim() === '' ? '' : line.slice(indent)));
  const gap = cut[0] === '';
  return { lines: gap ? cut.slice(cut.findIndex((line) => line !== '')) : cut, used, gap };
}

/** An item's own line and what is indented below it. */
export function withRest(own: string, { lines, gap }: Indented): string[] {
  if (own.trim() === '') return lines;
  return gap ? [own, '', ...lines] : [own, ...lines];
}

export function countWhile(
  lines: readonly string[],
  at: number,
  belongs: (line: string, index: number) => boolean,
): number {
  let count = 0;
  while (at + count < lines.length && belongs(lines[at + count] as string, count)) count++;
  return count;
}

/** What stands on the directive's line, its `:options:`, and the lines after them. */
export function directiveParts(
  first: string,
  { lines, gap }: Indented,
): { args: string; options: Map<string, string>; content: string[] } {
  const args = [first.trim()];
  const options = new Map<string, string>();
  let at = 0;
  for (; !gap && at < lines.length; at++) {
    const line = lines[at] as string;
    if (line.trim() === '') {
      at++;
      break;
    }
    const option = /^:([\w-]+):\s*(.*)$/.exec(line);
    if (option) options.set((option[1] ?? '').toLowerCase(), option[2] ?? '');
    else if (options.size > 0) break;
    else args.push(line.trim());
  }
  return { args: args.join(' ').trim(), options, content: lines.slice(at) };
}
