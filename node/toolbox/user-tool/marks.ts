/**
 * How it is known which characters of an expression's result somebody else wrote. Each expression is evaluated again with
 * inputs in which characters of users' texts are moved to a private place of Unicode. When such a result says the same as
 * the real one, the moved characters in it are the user's and all others the author's. First all characters are moved;
 * an expression that looks at letters then says something else, and only those that could mean something to a shell are
 * moved; when that changes the result too, the whole of it is the user's.
 */

/** Means nothing to a shell, wherever it stands. All that is not ASCII means nothing to it either. */
const HARMLESS = /^[\w./:,@+-]$/;
const BASE = 0xe000;

/** `all`: every ASCII character. `special`: those that are not harmless. */
export type Marking = 'all' | 'special';
export const MARKINGS: readonly Marking[] = ['all', 'special'];

export function mark(text: string, marking: Marking): string {
  return text.replace(/\p{ASCII}/gu, (char) =>
    marking === 'special' && HARMLESS.test(char) ? char : String.fromCharCode(BASE + char.charCodeAt(0)),
  );
}

export function unmark(text: string): string {
  return text.replace(/[\ue000-\ue07f]/g, (char) => String.fromCharCode(char.charCodeAt(0) - BASE));
}

/** `author`: text of the tool, to be read by the shell. `user`: data, whatever it looks like. */
export type Piece = { by: 'author' | 'user'; text: string };

/** `marked`: the results with marks, the most exact one first. `isText`: the expression gave a text; anything else is written as JSON. */
export function piecesOf(plain: string, marked: readonly string[], isText: boolean): Piece[] {
  if (plain === '') return [];
  if (!isText) return [{ by: /^[\w.+-]+$/.test(plain) ? 'author' : 'user', text: plain }];
  const same = marked.find((one) => unmark(one) === plain);
  if (same === undefined) return [{ by: 'user', text: plain }];
  // What stands beside a user's character without a meaning of its own is one word with it.
  const runs = same.matchAll(/(?:[\w./:,@+-]|\P{ASCII})+|[\s\S]/gu);
  const pieces: Piece[] = [];
  for (const [run] of runs) {
    const by = /[\ue000-\ue07f]/.test(run) ? 'user' : 'author';
    const text = unmark(run);
    const last = pieces.at(-1);
    if (last?.by === by) last.text += text;
    else pieces.push({ by, text });
  }
  return pieces;
}
