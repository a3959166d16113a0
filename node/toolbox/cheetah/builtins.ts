/** Python's functions that templates may call. Each checks its own arguments; none reaches outside. */
import { formatValue } from './brace-format.js';
import { compare, sorted } from './compare.js';
import { fixedText, scaled } from './decimal.js';
import { attributeError, PythonError, typeError, valueError } from './errors.js';
import { EXCEPTIONS } from './exceptions.js';
import { type Body, call, define, textOf, wholeOf } from './functions.js';
import { iterate, iterator, lazily, type Next } from './iterate.js';
import { integer } from './numbers.js';
import { arithmetic } from './operators.js';
import { lengthOf } from './string-methods.js';
import { characterOf, repr } from './text.js';
import { BASESTRING, INT, isInstance, STR, TYPES, typeOf } from './types.js';
import {
  Callable,
  Dict,
  Float,
  firstOf,
  identity,
  type Meter,
  numeric,
  PyIterator,
  plain,
  TemplateObject,
  Tuple,
  truth,
  typeName,
  type Value,
  WEIGHT,
} from './values.js';

/** A name of Python's; `python`: the only version that has it. */
export interface Builtin {
  value: Value;
  python?: 2 | 3;
}

const table = new Map<string, Builtin>();

function add(name: string, signature: string, body: Body, python?: 2 | 3): void {
  table.set(name, { value: define(name, signature, body), ...(python ? { python } : {}) });
}

/** Functions that take any number of values before the named ones. */
function addOpen(
  name: string,
  body: (values: Value[], named: ReadonlyMap<string, Value>, meter: Meter) => Value,
): void {
  const value = new Callable(name, ({ positional, named }, meter) => {
    meter.step(1 + positional.length);
    return body(positional, named, meter);
  });
  table.set(name, { value });
}

function extreme(name: string, sign: number) {
  return (values: Value[], named: ReadonlyMap<string, Value>, meter: Meter): Value => {
    for (const key of named.keys()) {
      if (key !== 'key' && key !== 'default') throw typeError(`${name}() got an unexpected keyword argument '${key}'`);
    }
    if (values.length === 0) throw typeError(`${name} expected at least 1 argument, got 0`);
    const key = named.get('key') ?? null;
    const items = values.length === 1 ? iterate(values[0] ?? null, meter) : values;
    const [first, ...rest] = items;
    if (first === undefined) {
      const otherwise = named.get('default');
      if (otherwise === undefined) throw valueError(`${name}() arg is an empty sequence`);
      return otherwise;
    }
    const keyOf = (value: Value) => (key === null ? value : call(key, [value], meter));
    let best = first;
    let bestKey = keyOf(first);
    for (const item of rest) {
      const itemKey = keyOf(item);
      meter.step();
      if (compare(itemKey, bestKey, meter, sign < 0 ? '<' : '>') * sign <= 0) continue;
      [best, bestKey] = [item, itemKey];
    }
    return best;
  };
}

function rounded(value: Value, digits: Value, python: 2 | 3): Value {
  const number = numeric(plain(value, 0));
  if (number === undefined) throw typeError(`type ${typeName(value)} doesn't define __round__ method`);
  const isFloat = plain(value) instanceof Float || python === 2;
  const places = digits === null ? 0 : wholeOf(digits, 'round()');
  if (!isFloat && places >= 0) return number;
  const x = Number(number);
  if (!Number.isFinite(x)) {
    if (digits !== null || python === 2) return new Float(x);
    throw valueError(`cannot convert float ${Number.isNaN(x) ? 'NaN' : 'infinity'} to integer`);
  }
  const size = Math.abs(x);
  if (python === 2 || (isFloat && digits !== null)) {
    if (places > 400 || (places > 0 && size >= 2 ** 53)) return new Float(x);
    const result = python === 2 ? halfUp(size, places) : decimalRound(size, places);
    return new Float(x < 0 || Object.is(x, -0) ? -result : result);
  }
  if (places < -4300) return 0;
  const result = scaled(size, places) * 10n ** BigInt(-places);
  return integer(x < 0 ? -result : result);
}

function decimalRound(size: number, places: number): number {
  return places >= 0
    ? Number(fixedText(size, places))
    : Number(scaled(size, places) * 10n ** BigInt(Math.min(400, -places)));
}

/** Python 2 rounds a half away from zero. */
function halfUp(size: number, places: number): number {
  const even = decimalRound(size, places);
  if (places < 0 || places > 15) return even;
  const twice = size * 10 ** places * 2;
  return Number.isInteger(twice) && twice % 2 === 1 ? (twice + 1) / 2 / 10 ** places : even;
}

function absolute(given: Value): Value {
  const value = plain(given, 0);
  const number = numeric(value);
  if (number === undefined) throw typeError(`bad operand type for abs(): '${typeName(value)}'`);
  if (value instanceof Float) return new Float(Math.abs(value.value));
  return integer(number < 0 ? -number : number);
}

function based(name: string, radix: number, prefix: string): void {
  add(name, 'number', ([given], meter) => {
    const value = plain(given ?? null, 0);
    const number = value instanceof Float ? undefined : numeric(value);
    if (number === undefined) throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
    const lead = name === 'oct' && meter.python === 2 ? '0' : prefix;
    return `${number < 0 ? '-' : ''}${lead}${(number < 0 ? -number : number).toString(radix)}`;
  });
}

function character(given: Value | undefined): string {
  return characterOf(wholeOf(given, 'chr()'), 'chr()');
}

function attribute(object: Value, given: Value | undefined, name: string, meter: Meter): Value | undefined {
  const key = plain(given ?? null);
  if (typeof key !== 'string') throw typeError(`${name}(): attribute name must be string`);
  return meter.attribute(object, key);
}

function together(sources: readonly Value[]): () => Value[] | undefined {
  const nexts = sources.map((source) => iterator(source));
  return () => {
    const items: Value[] = [];
    for (const next of nexts) {
      const item = next();
      if (item === undefined) return undefined;
      items.push(item);
    }
    return nexts.length === 0 ? undefined : items;
  };
}

/** `map(f, a, b)`: Python 2 fills up the shorter ones with None and takes None for f. */
function mapped([callee = null, ...sources]: Value[], meter: Meter): Value {
  if (sources.length === 0) throw typeError('map() must have at least two arguments.');
  const next = together(sources);
  return lazily('map', meter, () => {
    const items = next();
    if (!items) return undefined;
    meter.step();
    if (callee === null && meter.python === 2) return items.length === 1 ? items[0] : new Tuple(items);
    return call(callee, items, meter);
  });
}

function filtered(callee: Value, source: Value, meter: Meter): Value {
  const next = iterator(source);
  const kept: Next = () => {
    for (let item = next(); item !== undefined; item = next()) {
      meter.step();
      if (truth(callee === null ? item : call(callee, [item], meter))) return item;
    }
    return undefined;
  };
  const found = lazily('filter', meter, kept);
  // Python 2 keeps the type of texts and tuples.
  const held = plain(source);
  if (Array.isArray(found) && typeof held === 'string') return found.map(String).join('');
  return Array.isArray(found) && held instanceof Tuple ? new Tuple(found) : found;
}

export function reduced(callee: Value, source: Value, start: Value | undefined, meter: Meter): Value {
  const next = iterator(source);
  let total = start === undefined ? next() : start;
  if (total === undefined) throw typeError('reduce() of empty iterable with no initial value');
  for (let item = next(); item !== undefined; item = next()) total = call(callee, [total, item], meter);
  return total;
}

add('abs', 'x', ([value = null]) => absolute(value));
add('all', 'iterable', ([items = null], meter) => {
  const next = iterator(items);
  for (let item = next(); item !== undefined; item = next()) {
    meter.step();
    if (!truth(item)) return false;
  }
  return true;
});
add('any', 'iterable', ([items = null], meter) => {
  const next = iterator(items);
  for (let item = next(); item !== undefined; item = next()) {
    meter.step();
    if (truth(item)) return true;
  }
  return false;
});
based('bin', 2, '0b');
based('hex', 16, '0x');
based('oct', 8, '0o');
add('callable', 'object', ([value]) => value instanceof Callable);
add('chr', 'i', ([code]) => character(code));
add('unichr', 'i', ([code]) => character(code), 2);
add('cmp', 'a b', ([a = null, b = null], meter) => Math.sign(compare(a, b, meter)), 2);
add(
  'divmod',
  'a b',
  ([a = null, b = null], meter) => new Tuple([arithmetic('//', a, b, meter), arithmetic('%', a, b, meter)]),
);
add('enumerate', 'iterable start?', ([items = null, start], meter) => {
  const next = iterator(items);
  let index = start === undefined ? 0 : wholeOf(start, 'enumerate()');
  return new PyIterator('enumerate', () => {
    const item = next();
    if (item !== undefined) meter.step();
    return item === undefined ? undefined : new Tuple([index++, item]);
  });
});
add('filter', 'function iterable', ([callee = null, items = null], meter) => filtered(callee, items, meter));
add('format', 'value spec?', ([value = null, spec], meter) =>
  formatValue(value, spec === undefined ? '' : textOf(spec, 'spec'), meter),
);
add('getattr', 'object name default?', ([object = null, name, otherwise], meter) => {
  const found = firstOf(attribute(object, name, 'getattr', meter), otherwise);
  if (found === undefined) throw attributeError(`'${typeName(object)}' object has no attribute '${String(name)}'`);
  return found;
});
add(
  'hasattr',
  'object name',
  ([object = null, name], meter) => attribute(object, name, 'hasattr', meter) !== undefined,
);
add('id', 'object', ([value = null]) => (typeof value === 'object' && value !== null ? identity(value) : 0));
add('isinstance', 'object classinfo', ([value = null, types = null]) => isInstance(value, types));
add('issubclass', 'class classinfo', ([one = null, other = null]) => {
  if (!(one instanceof Callable) || !one.isType) throw typeError('issubclass() arg 1 must be a class');
  return one === other;
});
add('iter', 'object', ([value = null]) =>
  value instanceof PyIterator ? value : new PyIterator(`${typeName(value)}_iterator`, iterator(value)),
);
add('len', 'object', ([value = null], meter) => lengthOf(value, meter));
addOpen('map', (values, _, meter) => mapped(values, meter));
addOpen('max', extreme('max', 1));
addOpen('min', extreme('min', -1));
add('next', 'iterator default?', ([given = null, otherwise]) => {
  if (!(given instanceof PyIterator)) throw typeError(`'${typeName(given)}' object is not an iterator`);
  const item = firstOf(given.next(), otherwise);
  if (item === undefined) throw new PythonError('StopIteration', '');
  return item;
});
add('ord', 'c', ([given]) => {
  const chars = Array.from(textOf(given, 'ord() expected string of length 1; it'));
  if (chars.length !== 1) throw typeError(`ord() expected a character, but string of length ${chars.length} found`);
  return chars[0]?.codePointAt(0) ?? 0;
});
add('pow', 'base exp mod?', ([base = null, exponent = null, modulus], meter) => {
  const power = arithmetic('**', base, exponent, meter);
  return modulus === undefined || modulus === null ? power : arithmetic('%', power, modulus, meter);
});
add(
  'reduce',
  'function iterable initial?',
  ([callee = null, items = null, start], meter) => reduced(callee, items, start, meter),
  2,
);
add('repr', 'object', ([value = null], meter) => {
  const text = repr(value);
  meter.size(text.length, WEIGHT.character);
  return text;
});
add('reversed', 'sequence', ([given = null], meter) => {
  const value = given instanceof TemplateObject ? (given.iterate() ?? given.plain()) : given;
  const isOrdered =
    typeof value === 'string' || Array.isArray(value) || value instanceof Tuple || value instanceof Dict;
  if (!isOrdered && typeName(value) !== 'range' && !typeName(value).startsWith('dict_')) {
    throw typeError(`'${typeName(given)}' object is not reversible`);
  }
  return new PyIterator('reversed', iterator([...iterate(value, meter)].reverse()));
});
add('round', 'number ndigits?', ([value = null, digits = null], meter) => rounded(value, digits, meter.python));
table.set('sorted', {
  value: new Callable('sorted', ({ positional, named }, meter) => {
    const [items = null, ...old] = positional;
    if (positional.length === 0 || (old.length > 0 && meter.python === 3)) {
      throw typeError(`sorted expected 1 argument, got ${positional.length}`);
    }
    const order = old[0] ?? (meter.python === 2 ? named.get('cmp') : undefined) ?? null;
    const key = old[1] ?? named.get('key') ?? null;
    return sorted(
      items,
      {
        reverse: truth(old[2] ?? named.get('reverse') ?? false),
        ...(key === null ? {} : { key: (value: Value) => call(key, [value], meter) }),
        ...(order === null ? {} : { order: (a: Value, b: Value) => wholeOf(call(order, [a, b], meter), 'cmp') }),
      },
      meter,
    );
  }),
});
add('sum', 'iterable start?', ([items = null, start = 0], meter) => {
  if (typeof start === 'string') throw typeError("sum() can't sum strings [use ''.join(seq) instead]");
  const next = iterator(items);
  let total: Value = start;
  for (let item = next(); item !== undefined; item = next()) {
    meter.step();
    total = arithmetic('+', total, item, meter);
  }
  return total;
});
add('type', 'object', ([value = null]) => typeOf(value));
addOpen('zip', (sources, _, meter) => {
  const next = together(sources);
  return lazily('zip', meter, () => {
    const items = next();
    if (items) meter.step();
    return items && new Tuple(items);
  });
});

for (const [name, value] of [...TYPES, ...EXCEPTIONS]) {
  if (['OrderedDict', 'Counter', 'defaultdict', 'error', 'JSONDecodeError'].includes(name)) continue;
  if (!table.has(name)) table.set(name, { value });
}
for (const name of ['IOError', 'EnvironmentError']) table.set(name, { value: EXCEPTIONS.get('OSError') ?? null });
table.set('StandardError', { value: EXCEPTIONS.get('Exception') ?? null, python: 2 });
// Cheetah's own modules import it, so it is there under Python 3 as well.
table.set('unicode', { value: STR });
table.set('basestring', { value: BASESTRING, python: 2 });
table.set('long', { value: INT, python: 2 });
table.set('xrange', { value: TYPES.get('range') ?? null, python: 2 });
for (const [name, value] of [
  ['None', null],
  ['True', true],
  ['False', false],
] as const) {
  table.set(name, { value });
}

export const BUILTINS: ReadonlyMap<string, Builtin> = table;
