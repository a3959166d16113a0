/**
 * Regular expressions as Python writes them → a tree. They are not translated to JavaScript's: its engine cannot be
 * stopped once an evil pattern runs, and its groups, classes and anchors differ. See regex-machine.ts.
 */
import { limitFault, PythonError, unsupported } from './errors.js';
import { negated, type Test, withinOne } from './regex-sets.js';

export const FLAGS = { A: 256, I: 2, L: 4, M: 8, S: 16, U: 32, X: 64 } as const;

export type { Test } from './regex-sets.js';

export type Node =
  | { kind: 'set'; test: Test }
  | { kind: 'sequence'; items: Node[] }
  | { kind: 'choice'; items: Node[] }
  | { kind: 'group'; index: number; body: Node }
  | { kind: 'repeat'; body: Node; least: number; most: number; mode: 'greedy' | 'lazy' | 'possessive' }
  | { kind: 'anchor'; at: 'start' | 'end' | 'line-start' | 'line-end' | 'final' | 'word' | 'no-word'; ascii: boolean }
  | { kind: 'look'; behind: boolean; negative: boolean; body: Node }
  | { kind: 'atomic'; body: Node }
  | { kind: 'back'; index: number; fold: boolean }
  | { kind: 'condition'; index: number; yes: Node; no: Node };

export interface Syntax {
  root: Node;
  groups: number;
  names: ReadonlyMap<string, number>;
  flags: number;
}

const DEPTH_MAX = 100;
export const REPEAT_MAX = 1_000_000;
export const regexError = (reason: string) => new PythonError('error', reason);

const isDigit: Test = (code) => (code < 128 ? code >= 48 && code <= 57 : /\p{Nd}/u.test(String.fromCodePoint(code)));
const isAsciiDigit: Test = (code) => code >= 48 && code <= 57;
const isSpace: Test = (code) =>
  (code >= 9 && code <= 13) ||
  (code >= 28 && code <= 32) ||
  (code > 127 && /[\s\u0085]/.test(String.fromCodePoint(code)));
const isAsciiSpace: Test = (code) => (code >= 9 && code <= 13) || code === 32;
const isAsciiWord: Test = (code) =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95;
export const isWord: Test = (code) =>
  code < 128 ? isAsciiWord(code) : /[\p{L}\p{N}]/u.test(String.fromCodePoint(code));
export const isAsciiWordCode = isAsciiWord;

function lower(code: number): number {
  if (code < 128) return code >= 65 && code <= 90 ? code + 32 : code;
  const text = String.fromCodePoint(code).toLowerCase();
  return text.codePointAt(0) ?? code;
}

function upper(code: number): number {
  const text = String.fromCodePoint(code).toUpperCase();
  return Array.from(text).length === 1 ? (text.codePointAt(0) ?? code) : code;
}

export const folded = lower;

export function parseRegex(pattern: string, flags: number): Syntax {
  return new Parser(Array.from(pattern), flags).parse();
}

class Parser {
  private at = 0;
  private depth = 0;
  private groups = 0;
  private readonly names = new Map<string, number>();
  private readonly open = new Set<number>();

  constructor(
    private readonly chars: readonly string[],
    private flags: number,
  ) {}

  parse(): Syntax {
    const root = this.choice();
    if (this.at < this.chars.length) throw regexError(`unbalanced parenthesis at position ${this.at}`);
    return { root, groups: this.groups, names: this.names, flags: this.flags };
  }

  private has(flag: keyof typeof FLAGS): boolean {
    return (this.flags & FLAGS[flag]) !== 0;
  }

  private peek(): string | undefined {
    return this.chars[this.at];
  }

  private accept(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.chars[this.at + i] !== text[i]) return false;
    this.at += text.length;
    return true;
  }

  private until(end: string, what: string): string {
    const stop = this.chars.indexOf(end, this.at);
    if (stop < 0) throw regexError(`missing ${end}, unterminated name at position ${this.at}`);
    const text = this.chars.slice(this.at, stop).join('');
    if (text === '') throw regexError(`missing ${what} at position ${this.at}`);
    this.at = stop + 1;
    return text;
  }

  private choice(): Node {
    if (++this.depth > DEPTH_MAX) throw limitFault(`a regular expression nested more than ${DEPTH_MAX} levels deep`);
    const items = [this.sequence()];
    while (this.accept('|')) items.push(this.sequence());
    this.depth--;
    return items.length === 1 ? (items[0] as Node) : { kind: 'choice', items };
  }

  private sequence(): Node {
    const items: Node[] = [];
    for (let char = this.peek(); char !== undefined && char !== '|' && char !== ')'; char = this.peek()) {
      if (this.has('X') && this.skipVerbose(char)) continue;
      const item = this.item(char);
      if (item) items.push(this.repeated(item));
    }
    return items.length === 1 ? (items[0] as Node) : { kind: 'sequence', items };
  }

  private skipVerbose(char: string): boolean {
    if (/\s/.test(char)) this.at++;
    else if (char === '#') while (this.at < this.chars.length && this.chars[this.at] !== '\n') this.at++;
    else return false;
    return true;
  }

  private item(char: string): Node | undefined {
    const start = this.at++;
    switch (char) {
      case '.': {
        const all = this.has('S');
        return { kind: 'set', test: all ? () => true : (code) => code !== 10 };
      }
      case '^':
        return { kind: 'anchor', at: this.has('M') ? 'line-start' : 'start', ascii: false };
      case '$':
        return { kind: 'anchor', at: this.has('M') ? 'line-end' : 'final', ascii: false };
      case '[':
        return this.set(start);
      case '(':
        return this.group(start);
      case '\\':
        return this.escape(start);
      case '*':
      case '+':
      case '?':
        throw regexError(`nothing to repeat at position ${start}`);
      default:
        if (char === '{' && this.bounds(start)) throw regexError(`nothing to repeat at position ${start}`);
        return this.literal(char.codePointAt(0) ?? 0);
    }
  }

  private literal(code: number): Node {
    if (!this.has('I')) return { kind: 'set', test: (other) => other === code };
    const low = lower(code);
    return { kind: 'set', test: (other) => other === code || lower(other) === low };
  }

  /** `{2}`, `{2,}`, `{,3}` at `start`; anything else is text. */
  private bounds(start: number): { least: number; most: number; end: number } | undefined {
    const found = /^\{(\d*)(?:(,)(\d*))?\}/.exec(this.chars.slice(start, start + 24).join(''));
    if (!found || (found[1] === '' && found[2] === undefined)) return undefined;
    const least = Number(found[1] || 0);
    const most = found[2] === undefined ? least : found[3] === '' ? Number.POSITIVE_INFINITY : Number(found[3]);
    if (found[1] === '' && found[3] === '') return undefined;
    return { least, most, end: start + found[0].length };
  }

  private repeated(given: Node): Node {
    let body = given;
    for (let first = true; ; first = false) {
      if (this.has('X')) for (let char = this.peek(); char !== undefined && this.skipVerbose(char); char = this.peek());
      const char = this.peek();
      const start = this.at;
      let range: { least: number; most: number };
      if (char === '*') range = { least: 0, most: Number.POSITIVE_INFINITY };
      else if (char === '+') range = { least: 1, most: Number.POSITIVE_INFINITY };
      else if (char === '?') range = { least: 0, most: 1 };
      else {
        const bounds = char === '{' ? this.bounds(start) : undefined;
        if (!bounds) return body;
        range = bounds;
        this.at = bounds.end - 1;
      }
      this.at++;
      if (!first) throw regexError(`multiple repeat at position ${start}`);
      if (body.kind === 'anchor') throw regexError(`nothing to repeat at position ${start}`);
      if (range.most < range.least) throw regexError(`min repeat greater than max repeat at position ${start}`);
      if (range.least > REPEAT_MAX) throw limitFault('a repetition in a regular expression is too large');
      const mode = this.accept('?') ? 'lazy' : this.accept('+') ? 'possessive' : 'greedy';
      body = { kind: 'repeat', body, ...range, mode };
    }
  }

  private group(start: number): Node | undefined {
    if (!this.accept('?')) return this.capture(start, undefined);
    if (this.accept('P<')) return this.capture(start, this.until('>', 'group name'));
    if (this.accept('P=')) {
      const name = this.until(')', 'group name');
      const index = this.names.get(name);
      if (index === undefined) throw regexError(`unknown group name '${name}' at position ${start + 4}`);
      return { kind: 'back', index, fold: this.has('I') };
    }
    if (this.accept('#')) {
      this.until(')', 'comment');
      return undefined;
    }
    if (this.accept(':')) return this.closed(start, this.choice());
    if (this.accept('>')) return { kind: 'atomic', body: this.closed(start, this.choice()) };
    for (const [mark, behind, negative] of [
      ['=', false, false],
      ['!', false, true],
      ['<=', true, false],
      ['<!', true, true],
    ] as const) {
      if (this.accept(mark)) return { kind: 'look', behind, negative, body: this.closed(start, this.choice()) };
    }
    if (this.accept('(')) return this.condition(start);
    return this.inlineFlags(start);
  }

  private closed(start: number, body: Node): Node {
    if (!this.accept(')')) throw regexError(`missing ), unterminated subpattern at position ${start}`);
    return body;
  }

  private capture(start: number, name: string | undefined): Node {
    const index = ++this.groups;
    if (index > 200) throw limitFault('more than 200 groups in a regular expression');
    if (name !== undefined) {
      if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) throw regexError(`bad character in group name '${name}'`);
      if (this.names.has(name)) throw regexError(`redefinition of group name '${name}' at position ${start}`);
      this.names.set(name, index);
    }
    this.open.add(index);
    const body = this.closed(start, this.choice());
    this.open.delete(index);
    return { kind: 'group', index, body };
  }

  private condition(start: number): Node {
    const name = this.until(')', 'group name');
    const index = /^\d+$/.test(name) ? Number(name) : this.names.get(name);
    if (index === undefined) throw regexError(`unknown group name '${name}' at position ${start + 3}`);
    const yes = this.sequence();
    const no: Node = this.accept('|') ? this.sequence() : { kind: 'sequence', items: [] };
    return this.closed(start, { kind: 'condition', index, yes, no });
  }

  private inlineFlags(start: number): Node | undefined {
    const found = /^([aiLmsux]*)(?:-([imsx]+))?([:)])/.exec(this.chars.slice(this.at, this.at + 20).join(''));
    if (!found) throw regexError(`unknown extension ?${this.peek() ?? ''} at position ${start + 1}`);
    const bits = (letters: string) =>
      [...letters].reduce((sum, letter) => sum | (FLAGS[letter.toUpperCase() as keyof typeof FLAGS] ?? 0), 0);
    const next = (this.flags | bits(found[1] ?? '')) & ~bits(found[2] ?? '');
    this.at += found[0].length;
    if (found[3] === ')') {
      if (start !== 0) throw regexError(`global flags not at the start of the expression at position ${start}`);
      this.flags = next;
      return undefined;
    }
    const before = this.flags;
    this.flags = next;
    const body = this.closed(start, this.choice());
    this.flags = before;
    return body;
  }

  private classTest(letter: string): Test | undefined {
    const ascii = this.has('A');
    const tests: Record<string, Test> = {
      d: ascii ? isAsciiDigit : isDigit,
      s: ascii ? isAsciiSpace : isSpace,
      w: ascii ? isAsciiWord : isWord,
    };
    if (!'dDsSwW'.includes(letter)) return undefined;
    const test = tests[letter.toLowerCase()] as Test;
    return letter === letter.toLowerCase() ? test : negated(test);
  }

  private escape(start: number): Node {
    const char = this.chars[this.at];
    if (char === undefined) throw regexError(`bad escape (end of pattern) at position ${start}`);
    const test = this.classTest(char);
    const ascii = this.has('A');
    if (test) {
      this.at++;
      return { kind: 'set', test };
    }
    const anchors = { A: 'start', Z: 'end', b: 'word', B: 'no-word' } as const;
    if (char === 'A' || char === 'Z' || char === 'b' || char === 'B') {
      this.at++;
      return { kind: 'anchor', at: anchors[char], ascii };
    }
    const digits = /^[1-9]\d?/.exec(this.chars.slice(this.at, this.at + 2).join(''))?.[0];
    if (digits !== undefined && !/^[0-3][0-7][0-7]/.test(this.chars.slice(this.at, this.at + 3).join(''))) {
      this.at += digits.length;
      const index = Number(digits);
      if (index > this.groups) throw regexError(`invalid group reference ${index} at position ${start + 1}`);
      if (this.open.has(index)) throw regexError(`cannot refer to an open group at position ${start}`);
      return { kind: 'back', index, fold: this.has('I') };
    }
    return this.literal(this.escapedCode(start));
  }

  /** The character of an escape, after its backslash. */
  private escapedCode(start: number): number {
    const rest = this.chars.slice(this.at, this.at + 9).join('');
    const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(rest);
    if (hex) {
      this.at += hex[0].length;
      const code = Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? '0', 16);
      if (code > 0x10ffff) throw regexError(`bad escape at position ${start}`);
      return code;
    }
    const octal = /^(?:0[0-7]{0,2}|[0-3][0-7]{2})/.exec(rest)?.[0];
    if (octal !== undefined) {
      this.at += octal.length;
      return Number.parseInt(octal, 8);
    }
    const char = this.chars[this.at++] ?? '';
    const known = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 }[char];
    if (known !== undefined) return known;
    if (char === 'N') throw unsupported('characters by their Unicode name in a regular expression');
    if (/[A-Za-z0-9]/.test(char)) throw regexError(`bad escape \\${char} at position ${start}`);
    return char.codePointAt(0) ?? 0;
  }

  private set(start: number): Node {
    const isNegated = this.accept('^');
    const ranges: [low: number, high: number][] = [];
    const classes = new Set<Test>();
    for (let first = true; first || this.peek() !== ']'; first = false) {
      if (this.at >= this.chars.length) throw regexError(`unterminated character set at position ${start}`);
      const low = this.setItem();
      if (typeof low === 'number' && this.peek() === '-' && this.chars[this.at + 1] !== ']') {
        const dash = this.at++;
        if (this.at >= this.chars.length) throw regexError(`unterminated character set at position ${start}`);
        const high = this.setItem();
        if (typeof high !== 'number') throw regexError(`bad character range at position ${dash - 1}`);
        if (high < low) throw regexError(`bad character range at position ${dash - 1}`);
        ranges.push([low, high]);
      } else if (typeof low === 'number') ranges.push([low, low]);
      else classes.add(low);
    }
    this.at++;
    const listed = withinOne(ranges);
    const named = [...classes];
    const within: Test = (code) => listed(code) || named.some((test) => test(code));
    const test: Test = this.has('I') ? (code) => within(code) || within(lower(code)) || within(upper(code)) : within;
    return { kind: 'set', test: isNegated ? (code) => !test(code) : test };
  }

  private setItem(): number | Test {
    const start = this.at;
    const char = this.chars[this.at++] ?? '';
    if (char !== '\\') return char.codePointAt(0) ?? 0;
    const letter = this.peek() ?? '';
    if (letter === '') throw regexError(`bad escape (end of pattern) at position ${start}`);
    const test = this.classTest(letter);
    if (test || letter === 'b') {
      this.at++;
      return test ?? 8;
    }
    return this.escapedCode(start);
  }
}
