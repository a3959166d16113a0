/** `json`: Python's spacing, escapes and numbers. */
import { floatText } from './decimal.js';
import { limitFault, PythonError, typeError, unsupported } from './errors.js';
import { define, textOf, wholeOf } from './functions.js';
import { parseInteger } from './numbers.js';
import {
  Dict,
  Float,
  isSequence,
  itemsOf,
  type Meter,
  numeric,
  plain,
  TemplateObject,
  truth,
  typeName,
  type Value,
  WEIGHT,
} from './values.js';

const DEPTH_MAX = 200;

interface Style {
  indent: string | undefined;
  item: string;
  pair: string;
  ascii: boolean;
  sort: boolean;
}

function quoted(text: string, ascii: boolean): string {
  const plainly = JSON.stringify(text);
  if (!ascii) return plainly;
  return plainly.replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

class Writer {
  private chars = 0;

  constructor(
    private readonly style: Style,
    private readonly meter: Meter,
  ) {}

  write(given: Value, depth: number): string {
    if (depth > DEPTH_MAX) throw limitFault(`a value nested more than ${DEPTH_MAX} levels deep, or within itself`);
    this.meter.step();
    const text = this.one(given, depth);
    this.chars += text.length;
    this.meter.fits(Math.ceil(this.chars / (depth + 1)));
    return text;
  }

  private one(given: Value, depth: number): string {
    const value = given instanceof TemplateObject ? (given.iterate() ?? given.plain()) : given;
    if (value === null) return 'null';
    if (typeof value === 'string') return quoted(value, this.style.ascii);
    if (typeof value === 'boolean') return String(value);
    if (typeof value === 'number' || typeof value === 'bigint') return String(value);
    if (value instanceof Float) return floatJson(value.value);
    if (isSequence(value)) {
      return this.wrapped(
        '[',
        ']',
        itemsOf(value).map((item) => this.write(item, depth + 1)),
        depth,
      );
    }
    if (value instanceof Dict) return this.wrapped('{', '}', this.pairs(value, depth), depth);
    throw typeError(`Object of type ${typeName(given)} is not JSON serializable`);
  }

  private pairs(dict: Dict, depth: number): string[] {
    const entries = [...dict.entries.values()].map(([key, value]) => ({ key: keyText(key), value }));
    if (this.style.sort) entries.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    return entries.map(
      ({ key, value }) => `${quoted(key, this.style.ascii)}${this.style.pair}${this.write(value, depth + 1)}`,
    );
  }

  private wrapped(open: string, close: string, parts: readonly string[], depth: number): string {
    if (parts.length === 0) return open + close;
    const { indent, item } = this.style;
    if (indent === undefined) return open + parts.join(item) + close;
    const [inner, outer] = [indent.repeat(depth + 1), indent.repeat(depth)];
    return `${open}\n${inner}${parts.join(`${item}\n${inner}`)}\n${outer}${close}`;
  }
}

function floatJson(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  return floatText(value);
}

function keyText(given: Value): string {
  const key = plain(given);
  if (typeof key === 'string') return key;
  if (key === null) return 'null';
  if (typeof key === 'boolean') return String(key);
  if (key instanceof Float) return floatJson(key.value);
  if (numeric(key) !== undefined) return String(key);
  throw typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

const dumps = define(
  'dumps',
  'obj skipkeys? ensure_ascii? check_circular? allow_nan? cls? indent? separators? default? sort_keys? encoding?',
  ([value = null, , ascii, , , cls, indent, separators, otherwise, sort], meter) => {
    if ((cls ?? null) !== null || (otherwise ?? null) !== null) throw unsupported('json.dumps() with cls or default');
    const level = plain(indent ?? null);
    const text =
      level === null
        ? undefined
        : typeof level === 'string'
          ? level
          : ' '.repeat(Math.min(100, Math.max(0, wholeOf(level, 'indent'))));
    const given = separators === undefined || separators === null ? undefined : separators;
    const [item, pair] = isSequence(given ?? null) ? itemsOf(given as Value[]) : [];
    const style: Style = {
      indent: text,
      item: item === undefined ? (text === undefined ? ', ' : ',') : textOf(item, 'separator'),
      pair: pair === undefined ? ': ' : textOf(pair, 'separator'),
      ascii: truth(ascii ?? true),
      sort: truth(sort ?? false),
    };
    const out = new Writer(style, meter).write(value, 0);
    meter.size(out.length, WEIGHT.character);
    return out;
  },
);

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
/** RFC 8259, section 7: neither quotes, backslashes nor control characters stand there as they are. */
const STRING = /"((?:[ !#-[\]-\uffff]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*)"/y;
const WORD = /null|true|false|NaN|-?Infinity/y;
const WORDS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', new Float(Number.NaN)],
  ['Infinity', new Float(Number.POSITIVE_INFINITY)],
  ['-Infinity', new Float(Number.NEGATIVE_INFINITY)],
]);

class Reader {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly meter: Meter,
  ) {}

  all(): Value {
    const value = this.value(0);
    this.match(SPACE);
    if (this.at < this.text.length) throw this.error('Extra data');
    return value;
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at += found[0].length;
    return found;
  }

  private error(what: string): PythonError {
    const before = this.text.slice(0, this.at).split('\n');
    const place = `line ${before.length} column ${(before.at(-1)?.length ?? 0) + 1} (char ${this.at})`;
    return new PythonError('JSONDecodeError', `${what}: ${place}`);
  }

  private accept(char: string): boolean {
    this.match(SPACE);
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  private string(what: string): string {
    this.match(SPACE);
    const found = this.match(STRING);
    if (!found) throw this.error(what);
    return JSON.parse(found[0]) as string;
  }

  private value(depth: number): Value {
    if (depth > DEPTH_MAX) throw limitFault(`JSON nested more than ${DEPTH_MAX} levels deep`);
    this.meter.step();
    this.match(SPACE);
    const char = this.text[this.at];
    if (char === '"') return this.string('Unterminated string starting at');
    if (char === '[') return this.list(depth);
    if (char === '{') return this.dict(depth);
    const word = this.match(WORD);
    if (word) return WORDS.get(word[0]) ?? null;
    const number = this.match(NUMBER);
    if (!number) throw this.error('Expecting value');
    if (number[1] === undefined && number[2] === undefined) return parseInteger(number[0], 10) ?? null;
    return new Float(Number(number[0]));
  }

  private list(depth: number): Value {
    this.at++;
    const items: Value[] = [];
    if (this.accept(']')) return items;
    do items.push(this.value(depth + 1));
    while (this.accept(','));
    if (!this.accept(']')) throw this.error("Expecting ',' delimiter");
    return items;
  }

  private dict(depth: number): Value {
    this.at++;
    const dict = new Dict();
    if (this.accept('}')) return dict;
    do {
      const key = this.string('Expecting property name enclosed in double quotes');
      if (!this.accept(':')) throw this.error("Expecting ':' delimiter");
      dict.set(key, this.value(depth + 1));
    } while (this.accept(','));
    if (!this.accept('}')) throw this.error("Expecting ',' delimiter");
    return dict;
  }
}

const loads = define('loads', 's encoding?', ([given], meter) => {
  const text = plain(given ?? null);
  if (typeof text !== 'string') {
    throw typeError(`the JSON object must be str, bytes or bytearray, not ${typeName(given ?? null)}`);
  }
  meter.size(text.length, WEIGHT.character);
  return new Reader(text, meter).all();
});

export const JSON_MEMBERS: readonly [string, Value][] = [
  ['dumps', dumps],
  ['loads', loads],
];
