/**
 * Reads the tokens of an expression straight from the template's text, so that the template parser can go on exactly
 * where the expression ended. Outside brackets an expression ends at the end of the line or at `#`.
 */
import { Fault } from './errors.js';
import { Float, type Value } from './values.js';

export type Token = { start: number; end: number; spaced: boolean } & (
  | { kind: 'end' }
  | { kind: 'name'; name: string; dollar: boolean }
  | { kind: 'literal'; value: Value; isString: boolean }
  | { kind: 'operator'; text: string }
);

const OPERATORS = [
  '**=',
  '//=',
  '==',
  '!=',
  '<=',
  '>=',
  '**',
  '//',
  '+=',
  '-=',
  '*=',
  '/=',
  '%=',
  '<>',
  '<<',
  '>>',
  '->',
  ':=',
  '+',
  '-',
  '*',
  '/',
  '%',
  '<',
  '>',
  '=',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '.',
  ';',
  '|',
  '&',
  '^',
  '~',
  '`',
  '@',
  '!',
];
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?/y;
const STRING_START = /([A-Za-z]{0,2})("""|'''|"|')/y;

export class Lexer {
  private ahead: Token | undefined;
  private depth = 0;
  /** End of the last token that was taken: where the template goes on. */
  position: number;

  constructor(
    readonly source: string,
    start: number,
    readonly limit: number,
  ) {
    this.position = start;
  }

  peek(): Token {
    this.ahead ??= this.read();
    return this.ahead;
  }

  take(): Token {
    const token = this.peek();
    this.ahead = undefined;
    this.position = token.end;
    return token;
  }

  /** Between `enter` and `leave`, line ends are white space and `#` ends nothing. */
  enter(): void {
    this.depth++;
    this.ahead = undefined;
  }

  leave(): void {
    this.depth--;
    this.ahead = undefined;
  }

  isOperator(text: string): boolean {
    const token = this.peek();
    return token.kind === 'operator' && token.text === text;
  }

  isWord(name: string): boolean {
    const token = this.peek();
    return token.kind === 'name' && !token.dollar && token.name === name;
  }

  accept(text: string): boolean {
    if (!this.isOperator(text)) return false;
    this.take();
    return true;
  }

  acceptWord(name: string): boolean {
    if (!this.isWord(name)) return false;
    this.take();
    return true;
  }

  expect(text: string, why: string): Token {
    const token = this.peek();
    if (!this.isOperator(text))
      throw new Fault('syntax', `expected '${text}' ${why}, found ${this.found()}`, token.start);
    return this.take();
  }

  /** The next token as a person would name it. */
  found(): string {
    const token = this.peek();
    if (token.kind === 'end') return 'the end of the expression';
    const text = this.source.slice(token.start, token.end);
    return `'${text.length > 40 ? `${text.slice(0, 40)}…` : text}'`;
  }

  private read(): Token {
    const from = this.position;
    const start = this.skipSpace(from);
    const spaced = start > from;
    const char = this.source[start] ?? '';
    if (start >= this.limit || (this.depth === 0 && (char === '\n' || char === '\r' || char === '#'))) {
      return { kind: 'end', start, end: start, spaced };
    }
    const text = this.match(STRING_START, start);
    if (text) return this.readString(start, text, spaced);
    if (char === '$') {
      const name = this.match(NAME, start + 1)?.[0];
      if (name !== undefined) {
        return { kind: 'name', name, dollar: true, start, end: start + 1 + name.length, spaced };
      }
      const bracket = this.source[start + 1] ?? '';
      if ('{(['.includes(bracket) && bracket !== '') {
        return { kind: 'operator', text: `$${bracket}`, start, end: start + 2, spaced };
      }
      throw new Fault('syntax', "a '$' without a name", start);
    }
    const name = this.match(NAME, start)?.[0];
    if (name !== undefined) return { kind: 'name', name, dollar: false, start, end: start + name.length, spaced };
    const digits = this.match(NUMBER, start)?.[0];
    if (digits !== undefined) return this.readNumber(start, digits, spaced);
    const operator = OPERATORS.find((candidate) => this.source.startsWith(candidate, start));
    if (operator === undefined) throw new Fault('syntax', `unexpected character '${char}'`, start);
    return { kind: 'operator', text: operator, start, end: start + operator.length, spaced };
  }

  private match(pattern: RegExp, at: number): RegExpExecArray | null {
    pattern.lastIndex = at;
    const found = pattern.exec(this.source);
    return found && at + found[0].length <= this.limit ? found : null;
  }

  private skipSpace(from: number): number {
    let at = from;
    while (at < this.limit) {
      const char = this.source[at];
      if (char === ' ' || char === '\t' || char === '\f') at++;
      else if (this.depth > 0 && (char === '\n' || char === '\r')) at++;
      else if (char === '\\' && this.source[at + 1] === '\n') at += 2;
      else if (char === '\\' && this.source.startsWith('\r\n', at + 1)) at += 3;
      else break;
    }
    return at;
  }

  private readNumber(start: number, digits: string, spaced: boolean): Token {
    const end = start + digits.length;
    if (/[A-Za-z_0-9]/.test(this.source[end] ?? '')) {
      throw new Fault('unsupported', `the number '${digits}${this.source[end]}…'`, start);
    }
    if (/^0\d+$/.test(digits)) throw new Fault('unsupported', `the octal number ${digits}`, start);
    const isFloat = !/^0[xXoObB]/.test(digits) && /[.eE]/.test(digits);
    const number = Number(digits);
    if (!isFloat && !Number.isSafeInteger(number)) throw new Fault('unsupported', `the integer ${digits}`, start);
    return { kind: 'literal', value: isFloat ? new Float(number) : number, isString: false, start, end, spaced };
  }

  private readString(start: number, opening: RegExpExecArray, spaced: boolean): Token {
    const prefix = (opening[1] ?? '').toLowerCase();
    const quote = opening[2] ?? '"';
    if (!['', 'r', 'u'].includes(prefix)) throw new Fault('unsupported', `${prefix}-strings`, start);
    let at = start + opening[0].length;
    let value = '';
    while (true) {
      if (at >= this.limit) throw new Fault('syntax', 'a string that does not end', start);
      if (this.source.startsWith(quote, at)) break;
      const char = this.source[at] ?? '';
      if (char === '\n' && quote.length === 1)
        throw new Fault('syntax', 'a string that does not end on its line', start);
      if (char === '\\') {
        const escaped = readEscape(this.source, at);
        value += prefix === 'r' ? this.source.slice(at, at + 2) : escaped.text;
        at += prefix === 'r' ? 2 : escaped.length;
      } else {
        value += char;
        at++;
      }
    }
    return { kind: 'literal', value, isString: true, start, end: at + quote.length, spaced };
  }
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['v', '\v'],
  ['\n', ''],
]);

function readEscape(source: string, at: number): { text: string; length: number } {
  const char = source[at + 1] ?? '';
  const simple = ESCAPES.get(char);
  if (simple !== undefined) return { text: simple, length: 2 };
  const code = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{1,3}))/.exec(source.slice(at, at + 6));
  if (code) {
    const number = code[3] === undefined ? Number.parseInt(code[1] ?? code[2] ?? '0', 16) : Number.parseInt(code[3], 8);
    return { text: String.fromCharCode(number), length: code[0].length };
  }
  return { text: `\\${char}`, length: 2 };
}
