/** Python's types as functions that make values, and isinstance(). */

import { DICT_METHODS, update } from './dict-methods.js';
import { typeError, unsupported, valueError } from './errors.js';
import { derives, EXCEPTIONS } from './exceptions.js';
import { take, wholeOf } from './functions.js';
import { iterate } from './iterate.js';
import { LIST_METHODS } from './list-methods.js';
import { type Methods, unboundMethod } from './methods.js';
import { NUMBER_METHODS } from './number-methods.js';
import { integer, parseFloatText, parseInteger } from './numbers.js';
import { SET_METHODS } from './set-methods.js';
import { makeTranslation, STRING_METHODS } from './string-methods.js';
import { quote, str } from './text.js';
import {
  type Arguments,
  Callable,
  Dict,
  Float,
  isSequence,
  itemsOf,
  type Meter,
  numeric,
  PySet,
  plain,
  Range,
  TemplateObject,
  Tuple,
  truth,
  typeName,
  type Value,
  WEIGHT,
} from './values.js';

const NO_METHODS: Methods<never> = new Map();

function type(
  name: string,
  make: (args: Arguments, meter: Meter) => Value,
  methods: Methods<never> = NO_METHODS,
  more: (name: string) => Value | undefined = () => undefined,
): Callable {
  const counted = (args: Arguments, meter: Meter) => {
    meter.step();
    return make(args, meter);
  };
  return new Callable(name, counted, true, (attribute) => more(attribute) ?? unboundMethod(name, methods, attribute));
}

/** Types made of their items. */
function collection(
  name: string,
  make: (items: readonly Value[], meter: Meter) => Value,
  methods: Methods<never> = NO_METHODS,
): Callable {
  return type(
    name,
    (args, meter) => {
      const [items] = take(name, args, ['iterable'], 0);
      return make(items === undefined ? [] : iterate(items, meter), meter);
    },
    methods,
  );
}

function toInteger(args: Arguments): Value {
  const [given = 0, radix] = take('int', args, ['x', 'base'], 0);
  const value = plain(given, 0);
  if (radix === undefined) {
    if (value instanceof Float) {
      if (Number.isNaN(value.value)) throw valueError('cannot convert float NaN to integer');
      if (!Number.isFinite(value.value)) throw valueError('cannot convert float infinity to integer');
      return integer(Math.trunc(value.value));
    }
    const number = numeric(value);
    if (number !== undefined) return number;
  }
  if (typeof value !== 'string') {
    if (radix !== undefined) throw typeError("int() can't convert non-string with explicit base");
    throw typeError(`int() argument must be a string, a bytes-like object or a real number, not '${typeName(value)}'`);
  }
  const base = radix === undefined ? 10 : wholeOf(radix, 'int()');
  if (base !== 0 && (base < 2 || base > 36)) throw valueError('int() base must be >= 2 and <= 36, or 0');
  const found = parseInteger(value, base);
  if (found === undefined) throw valueError(`invalid literal for int() with base ${base}: ${quote(value)}`);
  return found;
}

function toFloat(args: Arguments): Value {
  const [given = 0] = take('float', args, ['x'], 0);
  const value = plain(given, new Float(0));
  const number = numeric(value);
  if (number !== undefined) return new Float(Number(number));
  if (typeof value !== 'string') {
    throw typeError(`float() argument must be a string or a real number, not '${typeName(value)}'`);
  }
  const found = parseFloatText(value);
  if (!found) throw valueError(`could not convert string to float: ${quote(value)}`);
  return found;
}

function rangeOf({ positional, named }: Arguments, meter: Meter): Value {
  if (named.size > 0) throw typeError('range() takes no keyword arguments');
  if (positional.length < 1 || positional.length > 3) {
    throw typeError(`range expected 1 to 3 arguments, got ${positional.length}`);
  }
  const [first = 0, second = 0, step = 1] = positional.map((one) => wholeOf(one, 'range()'));
  if (step === 0) throw valueError('range() arg 3 must not be zero');
  const range = positional.length === 1 ? new Range(0, first, 1) : new Range(first, second, step);
  return meter.python === 2 ? [...iterate(range, meter)] : range;
}

function dictOf(kind: Dict['kind']): (args: Arguments, meter: Meter) => Value {
  return (args, meter) => {
    const dict = new Dict();
    dict.kind = kind;
    if (kind === 'Counter') dict.missing = () => 0;
    update(dict, args, meter);
    return dict;
  };
}

function setFrom(items: readonly Value[], meter: Meter, frozen: boolean): PySet {
  meter.size(items.length, WEIGHT.entry);
  return new PySet(items, frozen);
}

function fromKeys({ positional: [keys = null, value = null] }: Arguments, meter: Meter): Value {
  const items = iterate(keys, meter);
  meter.size(items.length, WEIGHT.entry);
  return new Dict(items.map((key): [Value, Value] => [key, value]));
}

export const STR = type(
  'str',
  (args, meter) => {
    const [value, encoding] = take('str', args, ['object', 'encoding', 'errors'], 0);
    if (encoding !== undefined && typeof plain(value ?? null) !== 'string')
      throw typeError('decoding str is not supported');
    if (value === undefined) return '';
    const text = str(value, meter.python);
    meter.size(text.length, WEIGHT.character);
    return text;
  },
  STRING_METHODS,
  (name) =>
    name === 'maketrans' ? new Callable('maketrans', ({ positional }) => makeTranslation(positional)) : undefined,
);
export const INT = type('int', toInteger, NUMBER_METHODS);
export const DICT = type('dict', dictOf('dict'), DICT_METHODS, (name) =>
  name === 'fromkeys' ? new Callable('fromkeys', fromKeys) : undefined,
);
export const BASESTRING = type('basestring', () => {
  throw typeError('The basestring type cannot be instantiated');
});
export const ORDERED_DICT = type('OrderedDict', dictOf('OrderedDict'), DICT_METHODS);
export const COUNTER = type('Counter', dictOf('Counter'), DICT_METHODS);
export const DEFAULT_DICT = type(
  'defaultdict',
  ({ positional: [factory = null, ...positional], named }, meter) => {
    const dict = new Dict();
    dict.kind = 'defaultdict';
    if (factory !== null) {
      if (!(factory instanceof Callable)) throw typeError('first argument must be callable or None');
      dict.missing = (inner) => factory.call({ positional: [], named: new Map() }, inner);
    }
    update(dict, { positional, named }, meter);
    return dict;
  },
  DICT_METHODS,
);

export const TYPES: ReadonlyMap<string, Callable> = new Map(
  [
    STR,
    INT,
    DICT,
    ORDERED_DICT,
    COUNTER,
    DEFAULT_DICT,
    type('float', toFloat, NUMBER_METHODS),
    type('bool', (args) => truth(take('bool', args, ['x'], 0)[0] ?? false), NUMBER_METHODS),
    collection('list', (items) => [...items], LIST_METHODS),
    collection('tuple', (items) => new Tuple([...items])),
    collection('set', (items, meter) => setFrom(items, meter, false), SET_METHODS),
    collection('frozenset', (items, meter) => setFrom(items, meter, true), SET_METHODS),
    type('range', rangeOf),
  ].map((one) => [one.name, one]),
);

const others = new Map<string, Callable>();

/** `type(value)`: the same object each time. */
export function typeOf(value: Value): Callable {
  const name = typeName(value);
  const known = TYPES.get(name) ?? EXCEPTIONS.get(name) ?? others.get(name);
  if (known) return known;
  const made = type(name, () => {
    throw unsupported(`making a value of the type ${name}`);
  });
  if (others.size < 100) others.set(name, made);
  return made;
}

export function isInstance(value: Value, types: Value): boolean {
  if (isSequence(types)) return itemsOf(types).some((one) => isInstance(value, one));
  if (!(types instanceof Callable) || !types.isType) {
    throw typeError('isinstance() arg 2 must be a type, a tuple of types, or a union');
  }
  if (types === BASESTRING) return isInstance(value, STR);
  if (EXCEPTIONS.get(types.name) === types) return derives(typeName(value), types.name);
  if (value instanceof TemplateObject && value.is(types.name)) return true;
  const own = typeName(value);
  return own === types.name || (own === 'bool' && types === INT) || (value instanceof Dict && types === DICT);
}
