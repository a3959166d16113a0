/** What stands between the quotes of a string: escapes, and the fields of an f-string by their place in the source. */
import { syntaxFault, unsupported } from './errors.js';

/** A plain string, or an f-string's pieces; a field is kept as the range of its source. */
export type StringBody = string | (string | FieldRange)[];

export interface FieldRange {
  start: number;
  end: number;
  conversion: string | undefined;
  spec: (string | FieldRange)[];
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

export function readStringBody(
  source: string,
  from: number,
  limit: number,
  prefix: string,
  quote: string,
  start: number,
): { body: StringBody; end: number } {
  const close = closingQuote(source, from, limit, quote, start);
  const raw = prefix.includes('r');
  const body = prefix.includes('f')
    ? new Fields(source, raw).read(from, close, 0)
    : raw
      ? source.slice(from, close)
      : unescaped(source.slice(from, close), from);
  return { body, end: close + quote.length };
}

function closingQuote(source: string, from: number, limit: number, quote: string, start: number): number {
  const long = quote.length === 3;
  const stop = long ? /\\[\s\S]|"""|'''/g : /\\(?:\r\n|[\s\S])|["'\n]/g;
  stop.lastIndex = from;
  for (let found = stop.exec(source); found; found = stop.exec(source)) {
    if (found.index + found[0].length > limit) break;
    if (found[0] === quote) return found.index;
    if (found[0] === '\n') throw syntaxFault('a string that does not end on its line', start);
    // Three of the other kind, of which some may begin ours.
    if (long && found[0].length === 3) stop.lastIndex = found.index + 1;
  }
  throw syntaxFault('a string that does not end', start);
}

function unescaped(text: string, from: number): string {
  if (!text.includes('\\')) return text;
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|(\r\n|[\s\S]))/g,
    (all, x, u, long, octal, char, at: number) => {
      const hex = x ?? u ?? long;
      if (hex !== undefined || octal !== undefined) {
        const code = hex === undefined ? Number.parseInt(octal, 8) : Number.parseInt(hex, 16);
        if (code > 0x10ffff) throw syntaxFault('illegal Unicode character', from + at);
        return String.fromCodePoint(code);
      }
      if (char === '\r\n') return '';
      if (char === 'N') throw unsupported('characters by their Unicode name', from + at);
      if (char === 'x' || char === 'u' || char === 'U') throw syntaxFault(`truncated \\${char} escape`, from + at);
      return ESCAPES.get(char) ?? all;
    },
  );
}

class Fields {
  constructor(
    private readonly source: string,
    private readonly raw: boolean,
  ) {}

  /** The pieces between `from` and `to`; within a format spec a doubled brace is none. */
  read(from: number, to: number, depth: number): (string | FieldRange)[] {
    if (depth > 2) throw syntaxFault('f-string: expressions nested too deeply', from);
    const parts: (string | FieldRange)[] = [];
    let text = '';
    let at = from;
    const flush = () => {
      if (text !== '') parts.push(this.raw ? text : unescaped(text, from));
      text = '';
    };
    while (at < to) {
      const char = this.source[at] ?? '';
      if (char === '\\' && !this.raw) {
        text += this.source.slice(at, at + 2);
        at += 2;
      } else if ((char === '{' || char === '}') && this.source[at + 1] === char && depth === 0) {
        text += char;
        at += 2;
      } else if (char === '}') throw syntaxFault("f-string: single '}' is not allowed", at);
      else if (char === '{') {
        flush();
        const { field, end } = this.field(at, to, depth);
        parts.push(field);
        at = end;
      } else {
        text += char;
        at++;
      }
    }
    flush();
    return parts;
  }

  private field(open: number, to: number, depth: number): { field: FieldRange; end: number } {
    let at = this.skip(open + 1, to, /[!:}]/y);
    const field: FieldRange = { start: open + 1, end: at, conversion: undefined, spec: [] };
    if (this.source.slice(open + 1, at).trim() === '') throw syntaxFault('f-string: empty expression', open);
    if (this.source[at] === '!') {
      field.conversion = this.source[at + 1] ?? '';
      if (!['s', 'r', 'a'].includes(field.conversion)) throw syntaxFault('f-string: invalid conversion', at);
      at += 2;
    }
    if (this.source[at] === ':') {
      const from = at + 1;
      at = this.skipSpec(from, to);
      field.spec = this.read(from, at, depth + 1);
    }
    if (at >= to || this.source[at] !== '}') throw syntaxFault("f-string: expecting '}'", open);
    return { field, end: at + 1 };
  }

  /** The end of an expression: brackets and strings within it do not count. */
  private skip(from: number, to: number, stop: RegExp): number {
    let depth = 0;
    let at = from;
    while (at < to) {
      const char = this.source[at] ?? '';
      stop.lastIndex = at;
      if (char === '\\') throw syntaxFault('f-string expression part cannot include a backslash', at);
      if (char === '"' || char === "'") {
        const close = this.source.indexOf(char, at + 1);
        if (close < 0 || close >= to) throw syntaxFault('f-string: unterminated string', at);
        at = close + 1;
      } else if ('([{'.includes(char)) {
        depth++;
        at++;
      } else if (depth > 0 && ')]}'.includes(char)) {
        depth--;
        at++;
      } else if (depth === 0 && (char === '!' || char === '=') && this.source[at + 1] === '=') at += 2;
      else if (depth === 0 && stop.test(this.source)) return at;
      else at++;
    }
    throw syntaxFault("f-string: expecting '}'", from - 1);
  }

  private skipSpec(from: number, to: number): number {
    let depth = 0;
    for (let at = from; at < to; at++) {
      if (this.source[at] === '{') depth++;
      else if (this.source[at] === '}' && depth-- === 0) return at;
    }
    return to;
  }
}
