/**
 * Reads the tokens of an expression straight from the template's text, so that the template parser can go on exactly
 * where the expression ended. Outside brackets an expression ends at the end of the line or at `#`.
 */
import { syntaxFault, unsupported } from './errors.js';
import { readStringBody, type StringBody } from './literals.js';
import { parseInteger } from './numbers.js';
import { Float, type Value } from './values.js';

export type Token = { start: number; end: number } & (
  | { kind: 'end' }
  | { kind: 'name'; name: string; dollar: boolean }
  | { kind: 'number'; value: Value }
  | { kind: 'string'; body: StringBody }
  | { kind: 'operator'; text: string }
);

const OPERATOR = /\*\*=?|\/\/=?|<<=?|>>=?|<>|[-+*/%&|^=!<>]=|->|:=|[-+*/%&|^~<>=()[\]{},:.;`@]/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER =
  /0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:\d(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?/y;
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
    readonly python: 2 | 3,
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

  /** Goes on reading at `position`. */
  moveTo(position: number): void {
    this.position = position;
    this.ahead = undefined;
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
    if (!this.isOperator(text)) throw syntaxFault(`expected '${text}' ${why}, found ${this.found()}`, token.start);
    return this.take();
  }

  expectWord(name: string): void {
    if (!this.acceptWord(name)) {
      throw syntaxFault(`expected '${name}', found ${this.found()}`, this.peek().start);
    }
  }

  /** A name without a `$`. */
  takeName(what: string): string {
    const token = this.peek();
    if (token.kind !== 'name') throw syntaxFault(`expected ${what}, found ${this.found()}`, token.start);
    this.take();
    return token.name;
  }

  /** Takes everything up to the end of the expression. */
  skipRest(): void {
    let open = 0;
    for (let token = this.peek(); token.kind !== 'end'; token = this.peek()) {
      this.take();
      if (token.kind !== 'operator') continue;
      if ('([{'.includes(token.text)) {
        open++;
        this.enter();
      } else if (')]}'.includes(token.text) && open > 0) {
        open--;
        this.leave();
      }
    }
  }

  /** The next token as a person would name it. */
  found(): string {
    const token = this.peek();
    if (token.kind === 'end') return 'the end of the expression';
    const text = this.source.slice(token.start, token.end);
    return `'${text.length > 40 ? `${text.slice(0, 40)}…` : text}'`;
  }

  private read(): Token {
    const start = this.skipSpace(this.position);
    const char = this.source[start] ?? '';
    if (start >= this.limit || (this.depth === 0 && (char === '\n' || char === '\r' || char === '#'))) {
      return { kind: 'end', start, end: start };
    }
    if (char === '$') return this.readDollar(start);
    const text = this.match(STRING_START, start);
    if (text) return this.readString(start, text);
    const name = this.match(NAME, start)?.[0];
    if (name !== undefined) return { kind: 'name', name, dollar: false, start, end: start + name.length };
    const digits = this.match(NUMBER, start)?.[0];
    if (digits !== undefined) return this.readNumber(start, digits);
    const operator = this.match(OPERATOR, start)?.[0];
    if (operator === undefined) throw syntaxFault(`unexpected character '${char}'`, start);
    return { kind: 'operator', text: operator, start, end: start + operator.length };
  }

  private readDollar(start: number): Token {
    const name = this.match(NAME, start + 1)?.[0];
    if (name !== undefined) return { kind: 'name', name, dollar: true, start, end: start + 1 + name.length };
    const bracket = this.source[start + 1] ?? '';
    if (bracket !== '' && '{(['.includes(bracket)) {
      throw syntaxFault(`'$${bracket}' within an expression (write $name, without brackets)`, start);
    }
    throw syntaxFault("a '$' without a name", start);
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
      else if (char === '\\' && this.source[at + 1] === '\r') at += this.source[at + 2] === '\n' ? 3 : 2;
      else break;
    }
    return at;
  }

  private readNumber(start: number, digits: string): Token {
    let end = start + digits.length;
    const isFloat = !/^0[xXoObB]/.test(digits) && /[.eE]/.test(digits);
    const old = this.python === 2;
    if (old && !isFloat && /[lL]/.test(this.source[end] ?? '')) end++;
    if (/[A-Za-z_0-9]/.test(this.source[end] ?? '')) {
      if (/[jJ]/.test(this.source[end] ?? '')) throw unsupported('complex numbers', start);
      throw syntaxFault(`'${digits}${this.source[end]}…' is no number`, start);
    }
    if (isFloat) return { kind: 'number', value: new Float(Number(digits.replace(/_/g, ''))), start, end };
    const isOctal = /^0[0-7]+$/.test(digits) && /[1-7]/.test(digits);
    if (isOctal && !old) throw unsupported(`the octal number ${digits} (write 0o${digits.slice(1)})`, start);
    const value = isOctal ? Number.parseInt(digits, 8) : parseInteger(digits, /^0+$/.test(digits) ? 10 : 0);
    if (value === undefined) throw syntaxFault(`'${digits}' is no number`, start);
    return { kind: 'number', value, start, end };
  }

  private readString(start: number, opening: RegExpExecArray): Token {
    const prefix = (opening[1] ?? '').toLowerCase();
    if (!['', 'r', 'u', 'ur', 'f', 'rf', 'fr'].includes(prefix)) throw unsupported(`${prefix}-strings`, start);
    const from = start + opening[0].length;
    const { body, end } = readStringBody(this.source, from, this.limit, prefix, opening[2] ?? '"', start);
    return { kind: 'string', body, start, end };
  }
}
