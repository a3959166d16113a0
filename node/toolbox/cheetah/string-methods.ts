/** The methods of text. */
import { formatBraces } from './brace-format.js';
import { attributeError, typeError, valueError } from './errors.js';
import { readSignature, take, textOf, wholeOf } from './functions.js';
import { iterate } from './iterate.js';
import type { Method, Methods } from './methods.js';
import { itemOf } from './subscript.js';
import { characterOf, characters, lengthOfText } from './text.js';
import {
  chargeText,
  Dict,
  type Meter,
  PyObject,
  plain,
  TemplateObject,
  Tuple,
  truth,
  typeName,
  type Value,
  WEIGHT,
} from './values.js';

const table = new Map<string, Method<string>>();

function method(
  name: string,
  signature: string,
  body: (self: string, args: (Value | undefined)[], meter: Meter) => Value,
): void {
  const { names, required } = readSignature(signature);
  table.set(name, (self, args, meter) => {
    meter.step(1 + Math.floor(self.length / (SLOW.has(name) ? 10 : 100)));
    return body(self, take(name, args, names, required), meter);
  });
}

/** They go through a text character by character, in small pieces. */
const SLOW: ReadonlySet<string> = new Set(['capitalize', 'expandtabs', 'istitle', 'swapcase', 'title', 'translate']);

/** Python's white space has four separators and a line end more than JavaScript's. */
const SPACE = '[\\s\\u001c-\\u001f\\u0085]';
const SPACES = new RegExp(`${SPACE}+`, 'g');
const ONE_SPACE = new RegExp(SPACE);
const ALL_SPACE = new RegExp(`^${SPACE}+$`);
const LINE_END = '(?:\\r\\n|[\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029])';
const LINE_END_LAST = new RegExp(`${LINE_END}$`);
const LINES = new RegExp(
  `[^\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]*${LINE_END}|[^\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]+$`,
  'g',
);

/** As Python's `splitlines(keepends=True)`, which knows more line ends than files have. */
export function splitLines(text: string): string[] {
  return [...(text.match(LINES) ?? [])];
}

function stripped(self: string, given: Value | undefined, left: boolean, right: boolean): string {
  const chars = given === undefined || plain(given) === null ? undefined : new Set(textOf(given, 'strip arg'));
  const goes = chars ? (char: string) => chars.has(char) : (char: string) => ONE_SPACE.test(char);
  let [from, to] = [0, self.length];
  while (left && from < to && goes(self[from] ?? '')) from++;
  while (right && to > from && goes(self[to - 1] ?? '')) to--;
  return self.slice(from, to);
}

function split(
  self: string,
  given: Value | undefined,
  most: Value | undefined,
  fromRight: boolean,
  meter: Meter,
): Value {
  const limit = most === undefined ? -1 : wholeOf(most, 'maxsplit');
  const bare = given === undefined || plain(given) === null;
  const separator = bare ? '' : textOf(given, 'must be str or None, separator');
  if (!bare && separator === '') throw valueError('empty separator');
  const pieces = bare ? words(self) : self.split(separator).map((text) => ({ text, start: 0, end: 0 }));
  meter.size(pieces.length, WEIGHT.text);
  if (limit < 0 || pieces.length <= limit + (bare ? 0 : 1)) return pieces.map(({ text }) => text);
  if (bare) return splitWords(self, pieces, limit, fromRight);
  const texts = pieces.map(({ text }) => text);
  if (!fromRight) return [...texts.slice(0, limit), texts.slice(limit).join(separator)];
  const kept = texts.length - limit;
  return [texts.slice(0, kept).join(separator), ...texts.slice(kept)];
}

interface Word {
  text: string;
  start: number;
  end: number;
}

function words(text: string): Word[] {
  const found: Word[] = [];
  let start = 0;
  SPACES.lastIndex = 0;
  const add = (end: number) => {
    if (end > start) found.push({ text: text.slice(start, end), start, end });
  };
  for (const space of text.matchAll(SPACES)) {
    add(space.index);
    start = space.index + space[0].length;
  }
  add(text.length);
  return found;
}

function splitWords(self: string, pieces: readonly Word[], limit: number, fromRight: boolean): Value {
  if (!fromRight) {
    const rest = pieces[limit];
    const before = pieces.slice(0, limit).map(({ text }) => text);
    return rest ? [...before, self.slice(rest.start)] : before;
  }
  const last = pieces[pieces.length - limit - 1];
  const after = pieces.slice(pieces.length - limit).map(({ text }) => text);
  return last ? [self.slice(0, last.end), ...after] : after;
}

function partition(self: string, given: Value | undefined, fromRight: boolean): Value {
  const separator = textOf(given, 'separator');
  if (separator === '') throw valueError('empty separator');
  const at = fromRight ? self.lastIndexOf(separator) : self.indexOf(separator);
  if (at < 0) return new Tuple(fromRight ? ['', '', self] : [self, '', '']);
  return new Tuple([self.slice(0, at), separator, self.slice(at + separator.length)]);
}

function replace(self: string, args: (Value | undefined)[], meter: Meter): string {
  const [from, to] = [textOf(args[0], 'replace() argument 1'), textOf(args[1], 'replace() argument 2')];
  const limit = args[2] === undefined ? -1 : wholeOf(args[2], 'replace()');
  const pieces = from === '' ? ['', ...characters(self), ''] : self.split(from);
  const times = limit < 0 ? pieces.length - 1 : Math.min(limit, pieces.length - 1);
  meter.size(self.length + times * Math.max(0, to.length - from.length), WEIGHT.character);
  meter.size(pieces.length, WEIGHT.text);
  if (times === pieces.length - 1) return pieces.join(to);
  return [...pieces.slice(0, times), pieces.slice(times).join(from)].join(to);
}

/** The part of a text that a start and an end choose; undefined when the start lies behind it. */
function range(
  self: string,
  start: Value | undefined,
  end: Value | undefined,
): { text: string; from: number } | undefined {
  const all = characters(self);
  const clip = (given: Value | undefined, otherwise: number) => {
    const value = plain(given ?? null);
    if (value === null) return otherwise;
    const index = wholeOf(value, 'slice indices');
    return Math.max(0, index < 0 ? index + all.length : index);
  };
  const [from, to] = [clip(start, 0), Math.min(all.length, clip(end, all.length))];
  if (from > all.length || from > to) return undefined;
  const text = typeof all === 'string' ? all.slice(from, to) : all.slice(from, to).join('');
  return { text, from };
}

function begins(
  self: string,
  args: (Value | undefined)[],
  name: string,
  test: (text: string, part: string) => boolean,
): boolean {
  const part = range(self, args[1], args[2]);
  const given = plain(args[0] ?? null);
  const all = given instanceof Tuple ? given.items : [given];
  return all.some((one) => {
    const text = plain(one);
    if (typeof text !== 'string') {
      throw typeError(`${name} first arg must be str or a tuple of str, not ${typeName(given)}`);
    }
    return part !== undefined && test(part.text, text);
  });
}

function find(self: string, args: (Value | undefined)[], fromRight: boolean): number {
  const part = textOf(args[0], 'must be str, the text to find');
  const within = range(self, args[1], args[2]);
  if (!within) return -1;
  const at = fromRight ? within.text.lastIndexOf(part) : within.text.indexOf(part);
  return at < 0 ? -1 : within.from + lengthOfText(within.text.slice(0, at));
}

function counted(self: string, args: (Value | undefined)[]): number {
  const part = textOf(args[0], 'must be str, the text to count');
  const within = range(self, args[1], args[2]);
  if (!within) return 0;
  return part === '' ? lengthOfText(within.text) + 1 : within.text.split(part).length - 1;
}

function padding(self: string, args: (Value | undefined)[], meter: Meter): { missing: number; fill: string } {
  const width = wholeOf(args[0], 'width');
  const fill = args[1] === undefined ? ' ' : textOf(args[1], 'The fill character');
  if (lengthOfText(fill) !== 1) throw typeError('The fill character must be exactly one character long');
  meter.size(Math.max(0, width), WEIGHT.character);
  return { missing: Math.max(0, width - lengthOfText(self)), fill };
}

function join(self: string, given: Value, meter: Meter): string {
  const items = iterate(given, meter);
  let length = 0;
  const parts = items.map((item, index) => {
    const part = plain(item, self);
    if (typeof part !== 'string') {
      throw typeError(`sequence item ${index}: expected str instance, ${typeName(item)} found`);
    }
    length += part.length + self.length;
    meter.fits(length);
    return part;
  });
  meter.size(length, WEIGHT.character);
  return parts.join(self);
}

const cased = (char: string) => char.toLowerCase() !== char.toUpperCase();
function titled(self: string): string {
  let inside = false;
  return Array.from(self, (char) => {
    const out = !cased(char) ? char : inside ? char.toLowerCase() : char.toUpperCase();
    inside = cased(char);
    return out;
  }).join('');
}

const isCased = (self: string, same: string) => self === same && self.toLowerCase() !== self.toUpperCase();

method('upper', '', (self) => self.toUpperCase());
method('lower', '', (self) => self.toLowerCase());
method('casefold', '', (self) => self.toLowerCase().replaceAll('ß', 'ss'));
method('capitalize', '', (self) => {
  const [first = '', ...rest] = self;
  return first.toUpperCase() + rest.join('').toLowerCase();
});
method('title', '', titled);
method('swapcase', '', (self) =>
  Array.from(self, (char) => (char === char.toUpperCase() ? char.toLowerCase() : char.toUpperCase())).join(''),
);
method('strip', 'chars?', (self, [chars]) => stripped(self, chars, true, true));
method('lstrip', 'chars?', (self, [chars]) => stripped(self, chars, true, false));
method('rstrip', 'chars?', (self, [chars]) => stripped(self, chars, false, true));
method('split', 'sep? maxsplit?', (self, [by, most], meter) => split(self, by, most, false, meter));
method('rsplit', 'sep? maxsplit?', (self, [by, most], meter) => split(self, by, most, true, meter));
method('splitlines', 'keepends?', (self, [keep], meter) => {
  const lines = splitLines(self);
  meter.size(lines.length, WEIGHT.text);
  return truth(keep ?? false) ? lines : lines.map((line) => line.replace(LINE_END_LAST, ''));
});
method('partition', 'sep', (self, [separator]) => partition(self, separator, false));
method('rpartition', 'sep', (self, [separator]) => partition(self, separator, true));
method('join', 'iterable', (self, [items], meter) => join(self, items ?? null, meter));
method('replace', 'old new count?', (self, args, meter) => replace(self, args, meter));
method('startswith', 'prefix start? end?', (self, args) =>
  begins(self, args, 'startswith', (text, part) => text.startsWith(part)),
);
method('endswith', 'suffix start? end?', (self, args) =>
  begins(self, args, 'endswith', (text, part) => text.endsWith(part)),
);
method('removeprefix', 'prefix', (self, [given]) => {
  const part = textOf(given, 'removeprefix() argument');
  return self.startsWith(part) ? self.slice(part.length) : self;
});
method('removesuffix', 'suffix', (self, [given]) => {
  const part = textOf(given, 'removesuffix() argument');
  return part !== '' && self.endsWith(part) ? self.slice(0, -part.length) : self;
});
method('find', 'sub start? end?', (self, args) => find(self, args, false));
method('rfind', 'sub start? end?', (self, args) => find(self, args, true));
for (const [name, fromRight] of [
  ['index', false],
  ['rindex', true],
] as const) {
  method(name, 'sub start? end?', (self, args) => {
    const at = find(self, args, fromRight);
    if (at < 0) throw valueError('substring not found');
    return at;
  });
}
method('count', 'sub start? end?', (self, args) => counted(self, args));
for (const [name, pattern] of [
  ['isdigit', /^[\p{Nd}²³¹⁰⁴-⁹₀-₉]+$/u],
  ['isdecimal', /^\p{Nd}+$/u],
  ['isnumeric', /^\p{N}+$/u],
  ['isalpha', /^\p{L}+$/u],
  ['isalnum', /^[\p{L}\p{N}]+$/u],
  ['isspace', ALL_SPACE],
  ['isidentifier', /^[\p{L}_][\p{L}\p{Nd}_]*$/u],
] as const) {
  method(name, '', (self) => pattern.test(self));
}
method('isupper', '', (self) => isCased(self, self.toUpperCase()));
method('islower', '', (self) => isCased(self, self.toLowerCase()));
method('istitle', '', (self) => self === titled(self) && self.toLowerCase() !== self.toUpperCase());
method('zfill', 'width', (self, args, meter) => {
  const { missing } = padding(self, [args[0]], meter);
  const sign = /^[+-]/.exec(self)?.[0] ?? '';
  return sign + '0'.repeat(missing) + self.slice(sign.length);
});
method('ljust', 'width fillchar?', (self, args, meter) => {
  const { missing, fill } = padding(self, args, meter);
  return self + fill.repeat(missing);
});
method('rjust', 'width fillchar?', (self, args, meter) => {
  const { missing, fill } = padding(self, args, meter);
  return fill.repeat(missing) + self;
});
method('center', 'width fillchar?', (self, args, meter) => {
  const { missing, fill } = padding(self, args, meter);
  const width = wholeOf(args[0], 'width');
  const before = Math.floor(missing / 2) + (missing & width & 1);
  return fill.repeat(before) + self + fill.repeat(missing - before);
});
method('expandtabs', 'tabsize?', (self, [given], meter) => {
  const size = given === undefined ? 8 : wholeOf(given, 'tabsize');
  meter.size(self.length + (self.split('\t').length - 1) * Math.max(0, size), WEIGHT.character);
  let column = 0;
  return Array.from(self, (char) => {
    if (char === '\n' || char === '\r') column = 0;
    else if (char !== '\t') column++;
    else {
      const blanks = size > 0 ? size - (column % size) : 0;
      column += blanks;
      return ' '.repeat(blanks);
    }
    return char;
  }).join('');
});
method('translate', 'table', (self, [given], meter) => {
  if (!(given instanceof Dict)) throw typeError('translate() needs a dictionary, as str.maketrans() makes it');
  let length = 0;
  return Array.from(self, (char) => {
    const found = given.get(char.codePointAt(0) ?? 0);
    const out =
      found === undefined
        ? char
        : found === null
          ? ''
          : typeof found === 'number'
            ? characterOf(found, 'translate()')
            : textOf(found, 'translation');
    length += out.length;
    meter.fits(length);
    return out;
  }).join('');
});
// Text is Unicode already; bytes are not among the values of a template.
method('encode', 'encoding? errors?', (self) => self);
method('decode', 'encoding? errors?', (self) => self);
method('format_map', 'mapping', (self, [given], meter) => {
  if (!(given instanceof Dict)) throw typeError('format_map() needs a dictionary');
  const named = new Map([...given.entries.values()].map(([key, value]) => [String(plain(key)), value]));
  return formatBraces(self, [], named, lookupOf(meter), meter);
});
table.set('format', (self, { positional, named }, meter) => {
  meter.step();
  return formatBraces(self, positional, named, lookupOf(meter), meter);
});

function lookupOf(meter: Meter) {
  return {
    attribute: (value: Value, name: string) => {
      const found = meter.attribute(value, name);
      if (found === undefined) throw attributeError(`'${typeName(value)}' object has no attribute '${name}'`);
      return found;
    },
    item: (value: Value, key: Value) => itemOf(value, key, meter),
  };
}

export const STRING_METHODS = table as unknown as Methods<never>;

/** `str.maketrans(…)`. */
export function makeTranslation(args: readonly Value[]): Value {
  const [first = null, second, third] = args;
  const table = new Dict();
  const code = (char: string) => char.codePointAt(0) ?? 0;
  if (second === undefined) {
    if (!(first instanceof Dict)) throw typeError('if you give only one argument to maketrans it must be a dict');
    for (const [key, value] of first.entries.values()) table.set(typeof key === 'string' ? code(key) : key, value);
    return table;
  }
  const [from, to] = [Array.from(textOf(first, 'maketrans()')), Array.from(textOf(second, 'maketrans()'))];
  if (from.length !== to.length) throw valueError('the first two maketrans arguments must have equal length');
  for (const [index, char] of from.entries()) table.set(code(char), code(to[index] ?? ''));
  for (const char of third === undefined ? '' : textOf(third, 'maketrans()')) table.set(code(char), null);
  return table;
}

/** What has no length says so. */
export function lengthOf(given: Value, meter: Meter): number {
  const value = given instanceof TemplateObject ? (given.iterate() ?? given.plain('')) : given;
  if (typeof value === 'string') {
    chargeText(value.length, meter);
    return lengthOfText(value);
  }
  if (Array.isArray(value)) return value.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof Tuple) return value.items.length;
  if (value !== null && typeof value === 'object') {
    if ('items' in value && value.items instanceof Map) return value.items.size;
    if ('dict' in value && value.dict instanceof Dict) return value.dict.size;
    if ('start' in value && 'length' in value) return value.length;
    if (value instanceof PyObject) throw typeError(`object of type '${typeName(given)}' has no len()`);
  }
  meter.step();
  throw typeError(`object of type '${typeName(given)}' has no len()`);
}
