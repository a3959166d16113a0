/**
 * `*`, `?` and `[…]` of one name in a path, as a shell reads them. Not made into a regular expression: that of `*a*a*a*b`
 * would go through a name again for each way to divide it, where this goes back to the last star only.
 */

type Part = '*' | ((code: number) => boolean);

export function glob(pattern: string): (name: string) => boolean {
  const parts = parse(codesOf(pattern));
  return (name) => fits(parts, codesOf(name));
}

const codesOf = (text: string): number[] => Array.from(text, (char) => char.codePointAt(0) ?? 0);
const [STAR, MARK, OPEN, CLOSE, NOT, CARET, DASH] = codesOf('*?[]!^-') as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];

function fits(parts: readonly Part[], name: readonly number[]): boolean {
  let [part, at] = [0, 0];
  let last: { part: number; at: number } | undefined;
  while (at < name.length) {
    const wanted = parts[part];
    if (wanted === '*') {
      last = { part, at };
      part += 1;
    } else if (wanted?.(name[at] as number)) {
      part += 1;
      at += 1;
    } else {
      if (last === undefined) return false;
      // The star takes one character more.
      last.at += 1;
      part = last.part + 1;
      at = last.at;
    }
  }
  while (parts[part] === '*') part += 1;
  return part === parts.length;
}

function parse(pattern: readonly number[]): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const code = pattern[at] as number;
    const from = pattern[at + 1] === NOT || pattern[at + 1] === CARET ? at + 2 : at + 1;
    // A bracket that comes first is one of the set, and one that is never closed is itself.
    const close = code === OPEN ? pattern.indexOf(CLOSE, from + 1) : -1;
    if (code === STAR) {
      if (parts.at(-1) !== '*') parts.push('*');
    } else if (code === MARK) parts.push(() => true);
    else if (close > 0) {
      parts.push(oneOf(pattern.slice(from, close), from > at + 1));
      at = close;
    } else parts.push((other) => other === code);
  }
  return parts;
}

function oneOf(members: readonly number[], negated: boolean): (code: number) => boolean {
  const ranges: [low: number, high: number][] = [];
  for (let at = 0; at < members.length; at++) {
    const low = members[at] as number;
    const high = members[at + 2];
    if (members[at + 1] === DASH && high !== undefined) {
      ranges.push([low, high]);
      at += 2;
    } else ranges.push([low, low]);
  }
  return (code) => ranges.some(([low, high]) => code >= low && code <= high) !== negated;
}
