/**
 * A text with expressions: `$(…)` holds a JavaScript expression and `${…}` the body of a function; `\$(` and `\${` stand
 * for themselves, so that the shell's own reach the shell. Where an expression ends is found by reading JavaScript's
 * texts, patterns and comments; what is in it is the business of the isolate.
 */
import { malformed, type Spot } from '../errors.js';

export interface Expression {
  kind: 'expression' | 'body';
  code: string;
  spot: Spot;
}

export type Part = { text: string } | { expression: Expression };

const EXPRESSIONS_MAX = 200;
const CLOSES: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
/** After these a slash begins a pattern and does not divide. */
const BEFORE_PATTERN = /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|void|delete))\s*$/;

/** `isBlock`: the text's lines are the file's lines. Throws `toolbox/wrapper` for an expression without end. */
export function parseExpressions(text: string, start: Spot, isBlock: boolean): Part[] {
  const parts: Part[] = [];
  let literal = '';
  let count = 0;
  const spotAt = (index: number): Spot => {
    if (!isBlock) return { file: start.file, line: start.line };
    return { file: start.file, line: start.line + (text.slice(0, index).match(/\n/g)?.length ?? 0) };
  };
  for (let at = 0; at < text.length; ) {
    const two = text.slice(at, at + 2);
    if (two === '\\\\' && /^\$[({]/.test(text.slice(at + 2, at + 4))) {
      literal += '\\';
      at += 2;
    } else if (two === '\\$' && /[({]/.test(text[at + 2] ?? '')) {
      literal += text.slice(at + 1, at + 3);
      at += 3;
    } else if (two === '$(' || two === '${') {
      const spot = spotAt(at);
      const end = endOf(text, at + 1, spot);
      count += 1;
      if (count > EXPRESSIONS_MAX) throw malformed(`more than ${EXPRESSIONS_MAX} expressions in one text`, spot);
      if (literal !== '') parts.push({ text: literal });
      literal = '';
      const code = text.slice(at + 2, end);
      if (code.trim() === '') throw malformed('an expression that holds nothing', spot);
      parts.push({ expression: { kind: two === '$(' ? 'expression' : 'body', code, spot } });
      at = end + 1;
    } else {
      literal += text[at];
      at += 1;
    }
  }
  if (literal !== '') parts.push({ text: literal });
  return parts;
}

/** The place of the bracket that closes the one at `open`. */
function endOf(text: string, open: number, spot: Spot): number {
  const closers: string[] = [];
  for (let at = open; at < text.length; at++) {
    const char = text[at] as string;
    const closer = CLOSES[char];
    if (closer !== undefined) closers.push(closer);
    else if (char === ')' || char === ']' || char === '}') {
      const expected = closers.pop();
      if (expected !== char) throw malformed(`an expression in which "${char}" closes nothing`, spot);
      if (closers.length === 0) return at;
      // The text of a template goes on after the value in it.
      if (char === '}' && closers.at(-1) === '`') at = endOfTemplate(text, at, closers, spot);
    } else if (char === '"' || char === "'") at = endOfText(text, at, spot);
    else if (char === '`') {
      closers.push('`');
      at = endOfTemplate(text, at, closers, spot);
    } else if (char === '/') at = endOfSlash(text, at, open, spot);
  }
  throw malformed('an expression that does not end', spot);
}

function endOfText(text: string, open: number, spot: Spot): number {
  for (let at = open + 1; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === text[open]) return at;
  }
  throw malformed('a text in an expression that does not end', spot);
}

/** From a back quote, or the brace after a value: to the back quote that ends it, or to the brace of the next value. */
function endOfTemplate(text: string, from: number, closers: string[], spot: Spot): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '`') {
      closers.pop();
      return at;
    } else if (text[at] === '$' && text[at + 1] === '{') {
      closers.push('}');
      return at + 1;
    }
  }
  throw malformed('a template text in an expression that does not end', spot);
}

/** A comment, a pattern, or a division, which ends where it stands. */
function endOfSlash(text: string, at: number, open: number, spot: Spot): number {
  const next = text[at + 1];
  if (next === '/') {
    const end = text.indexOf('\n', at);
    if (end < 0) throw malformed('an expression that ends in a comment', spot);
    return end;
  }
  if (next === '*') {
    const end = text.indexOf('*/', at + 2);
    if (end < 0) throw malformed('a comment in an expression that does not end', spot);
    return end + 1;
  }
  if (!BEFORE_PATTERN.test(text.slice(Math.max(open + 1, at - 40), at))) return at;
  let inClass = false;
  for (let to = at + 1; to < text.length && text[to] !== '\n'; to++) {
    const char = text[to];
    if (char === '\\') to += 1;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '/' && !inClass) return to;
  }
  throw malformed('a pattern in an expression that does not end', spot);
}

/** `inputs.NAME` at the top of what is read, for `lint` and the loader: what is computed is not followed. */
export function inputNames(code: string): string[] {
  return [...code.matchAll(/(?<![\w$.])inputs\.([A-Za-z_]\w*)/g)].map(([, found]) => found as string);
}
