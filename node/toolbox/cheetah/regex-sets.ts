/** Sets of characters in regular expressions: asked for each character of a text, so that their size must not matter. */

/** Whether a code point belongs. */
export type Test = (code: number) => boolean;

const negations = new Map<Test, Test>();

/** Of the few classes (`\w`) only, which live as long: the same function each time, so that a set holds it once. */
export function negated(test: Test): Test {
  const held = negations.get(test) ?? ((code: number) => !test(code));
  negations.set(test, held);
  return held;
}

/** Found by halving, because a set may list thousands and is asked for each character. */
export function withinOne(ranges: [low: number, high: number][]): Test {
  const lows: number[] = [];
  const highs: number[] = [];
  for (const [low, high] of ranges.sort((a, b) => a[0] - b[0])) {
    const last = highs.at(-1);
    if (last !== undefined && low <= last + 1) highs[highs.length - 1] = Math.max(last, high);
    else {
      lows.push(low);
      highs.push(high);
    }
  }
  return (code) => {
    let [from, to] = [0, lows.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((highs[middle] as number) < code) from = middle + 1;
      else to = middle;
    }
    return from < lows.length && (lows[from] as number) <= code;
  };
}
