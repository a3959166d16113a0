/** Python's functions and types that templates may call. Each checks its own arguments; none reaches outside. */
import { Fault } from './errors.js';
import { parseFloatText } from './format.js';
import { lengthOf } from './methods.js';
import {
  type Arguments,
  Callable,
  compare,
  Dict,
  Float,
  integer,
  isSequence,
  iterate,
  type Meter,
  numeric,
  PySet,
  plain,
  repr,
  str,
  TemplateObject,
  Tuple,
  truth,
  typeName,
  type Value,
} from './values.js';

type Body = (args: Value[], meter: Meter, named: ReadonlyMap<string, Value>) => Value;
const table = new Map<string, Callable>();

function define(
  name: string,
  arity: [least: number, most: number],
  body: Body,
  options: { named?: string[]; isType?: boolean } = {},
) {
  const call = ({ positional, named }: Arguments, meter: Meter): Value => {
    if (positional.length < arity[0] || positional.length > arity[1]) {
      throw new Fault('type', `${name}() does not take ${positional.length} arguments`);
    }
    for (const key of named.keys()) {
      if (!options.named?.includes(key)) throw new Fault('unsupported', `${name}(${key}=…)`);
    }
    meter.step();
    return body(positional, meter, named);
  };
  table.set(name, new Callable(name, call, options.isType ?? false));
}

function numberOf(value: Value, what: string): number {
  const number = numeric(plain(value));
  if (number === undefined) throw new Fault('type', `${what} needs a number, got ${typeName(value)}`);
  return number;
}

function whole(value: Value, what: string): number {
  const number = plain(value);
  if (typeof number !== 'number' && typeof number !== 'boolean') {
    throw new Fault('type', `${what} needs an integer, got ${typeName(value)}`);
  }
  return Number(number);
}

/** Keeps integers integers and floats floats. */
function sameKind(example: Value, result: number): Value {
  return plain(example) instanceof Float ? new Float(result) : integer(result);
}

function toInteger(args: Value[]): Value {
  const value = plain(args[0] ?? 0);
  const number = numeric(value);
  if (number !== undefined) {
    if (!Number.isFinite(number)) throw new Fault('type', `cannot convert ${repr(value)} to an integer`);
    return integer(Math.trunc(number));
  }
  if (typeof value !== 'string') throw new Fault('type', `int() cannot convert ${typeName(value)}`);
  const base = args[1] === undefined ? 10 : whole(args[1], 'int()');
  const digits = value.trim().replace(/_/g, '');
  const pattern = base === 16 ? /^[+-]?(?:0[xX])?[0-9a-fA-F]+$/ : base === 2 ? /^[+-]?(?:0[bB])?[01]+$/ : /^[+-]?\d+$/;
  if (![2, 8, 10, 16].includes(base)) throw new Fault('unsupported', `int() with base ${base}`);
  if (!pattern.test(digits)) {
    throw new Fault('type', `invalid literal for int() with base ${base}: ${repr(value)}`);
  }
  return integer(Number.parseInt(digits.replace(/^([+-]?)0[bB]/, '$1'), base));
}

function extreme(args: Value[], named: ReadonlyMap<string, Value>, sign: number, name: string): Value {
  const items = args.length === 1 ? iterate(args[0] ?? null) : args;
  const [first, ...rest] = items;
  if (first === undefined) {
    const otherwise = named.get('default');
    if (otherwise === undefined) throw new Fault('type', `${name}() of an empty sequence`);
    return otherwise;
  }
  return rest.reduce((best, item) => (compare(item, best) * sign > 0 ? item : best), first);
}

function range(args: Value[], meter: Meter): Value {
  const numbers = args.map((arg) => whole(arg, 'range()'));
  const [start, stop] = args.length === 1 ? [0, numbers[0] ?? 0] : [numbers[0] ?? 0, numbers[1] ?? 0];
  const step = numbers[2] ?? 1;
  if (step === 0) throw new Fault('type', 'range() step must not be zero');
  const length = Math.max(0, Math.ceil((stop - start) / step));
  meter.size(length);
  return Array.from({ length }, (_, i) => start + i * step);
}

function rounded(args: Value[]): Value {
  const number = numberOf(args[0] ?? null, 'round()');
  const digits = args[1] === undefined || args[1] === null ? 0 : whole(args[1], 'round()');
  if (Math.abs(digits) > 300) throw new Fault('limit', 'round() to more than 300 digits');
  if (args.length === 1 || args[1] === null) return integer(halfEven(number));
  if (!(plain(args[0] ?? null) instanceof Float)) {
    return integer(digits >= 0 ? number : halfEven(number / 10 ** -digits) * 10 ** -digits);
  }
  return new Float(
    digits >= 0 ? Number(number.toFixed(Math.min(100, digits))) : halfEven(number / 10 ** -digits) * 10 ** -digits,
  );
}

function halfEven(number: number): number {
  const floor = Math.floor(number);
  const rest = number - floor;
  if (rest !== 0.5) return Math.round(number);
  return floor % 2 === 0 ? floor : floor + 1;
}

function isInstance(value: Value, type: Value): boolean {
  const types = isSequence(type) ? iterate(type) : [type];
  return types.some((one) => {
    if (!(one instanceof Callable) || !one.isType) throw new Fault('type', 'isinstance() needs a type');
    const own = typeName(value);
    return own === one.name || (own === 'bool' && one.name === 'int') || (own === 'str' && one.name === 'unicode');
  });
}

function called(callee: Value | undefined, args: Value[], meter: Meter): Value {
  if (!(callee instanceof Callable)) throw new Fault('type', 'a function is needed');
  meter.step();
  return callee.call({ positional: args, named: new Map() }, meter);
}

function dictOf(args: Value[], named: ReadonlyMap<string, Value>): Value {
  const source = args[0];
  const result =
    source instanceof Dict
      ? new Dict(source.entries.values())
      : new Dict(
          (source === undefined ? [] : iterate(source)).map((pair): [Value, Value] => {
            const [key, value, ...more] = iterate(pair);
            if (key === undefined || value === undefined || more.length > 0) {
              throw new Fault('type', 'dict() needs pairs');
            }
            return [key, value];
          }),
        );
  for (const [key, value] of named) result.set(key, value);
  return result;
}

const type = { isType: true };
define('str', [0, 1], (args) => (args.length === 0 ? '' : str(args[0] ?? null)), type);
define('unicode', [0, 1], (args) => (args.length === 0 ? '' : str(args[0] ?? null)), type);
define('repr', [1, 1], (args) => repr(args[0] ?? null));
define('int', [0, 2], toInteger, type);
define(
  'float',
  [0, 1],
  (args) => {
    const value = plain(args[0] ?? 0);
    const number = numeric(value);
    if (number !== undefined) return new Float(number);
    if (typeof value !== 'string') throw new Fault('type', `float() cannot convert ${typeName(value)}`);
    return parseFloatText(value);
  },
  type,
);
define('bool', [0, 1], (args) => truth(args[0] ?? false), type);
define('list', [0, 1], (args) => (args[0] === undefined ? [] : [...iterate(args[0])]), type);
define('tuple', [0, 1], (args) => new Tuple(args[0] === undefined ? [] : [...iterate(args[0])]), type);
define('set', [0, 1], (args) => new PySet(args[0] === undefined ? [] : iterate(args[0])), type);
table.set('dict', new Callable('dict', ({ positional, named }) => dictOf(positional, named), true));
define('len', [1, 1], (args) => lengthOf(args[0] ?? null));
define('range', [1, 3], range);
define('xrange', [1, 3], range);
define(
  'enumerate',
  [1, 2],
  (args, meter, named) => {
    const start = whole(args[1] ?? named.get('start') ?? 0, 'enumerate()');
    const items = iterate(args[0] ?? null);
    meter.size(items.length);
    return items.map((item, i) => new Tuple([start + i, item]));
  },
  { named: ['start'] },
);
define('zip', [0, 20], (args) => {
  const lists = args.map((arg) => iterate(arg));
  const length = lists.length === 0 ? 0 : Math.min(...lists.map((list) => list.length));
  return Array.from({ length }, (_, i) => new Tuple(lists.map((list) => list[i] ?? null)));
});
define(
  'sorted',
  [1, 1],
  (args, meter, named) => {
    const items = [...iterate(args[0] ?? null)];
    meter.step(items.length);
    const key = named.get('key');
    const keyed = items.map((item) => ({ item, key: key === undefined ? item : called(key, [item], meter) }));
    keyed.sort((a, b) => compare(a.key, b.key));
    const ordered = keyed.map(({ item }) => item);
    return truth(named.get('reverse') ?? false) ? ordered.reverse() : ordered;
  },
  { named: ['reverse', 'key'] },
);
define('reversed', [1, 1], (args) => [...iterate(args[0] ?? null)].reverse());
define('map', [2, 2], (args, meter) => iterate(args[1] ?? null).map((item) => called(args[0], [item], meter)));
define('filter', [2, 2], (args, meter) =>
  iterate(args[1] ?? null).filter((item) => truth(args[0] === null ? item : called(args[0], [item], meter))));
define('min', [1, 100], (args, _, named) => extreme(args, named, -1, 'min'), { named: ['default'] });
define('max', [1, 100], (args, _, named) => extreme(args, named, 1, 'max'), { named: ['default'] });
define('sum', [1, 2], (args) => {
  const items = [...(args[1] === undefined ? [] : [args[1]]), ...iterate(args[0] ?? null)];
  const total = items.reduce<number>((sum, item) => sum + numberOf(item, 'sum()'), 0);
  return items.some((item) => plain(item) instanceof Float) ? new Float(total) : integer(total);
});
define('any', [1, 1], (args) => iterate(args[0] ?? null).some(truth));
define('all', [1, 1], (args) => iterate(args[0] ?? null).every(truth));
define('abs', [1, 1], (args) => sameKind(args[0] ?? null, Math.abs(numberOf(args[0] ?? null, 'abs()'))));
define('round', [1, 2], rounded);
define('isinstance', [2, 2], (args) => isInstance(args[0] ?? null, args[1] ?? null));
define('type', [1, 1], (args) =>
  table.get(typeName(args[0] ?? null)) ?? new Callable(typeName(args[0] ?? null), refuse, true));
define('ord', [1, 1], (args) => {
  const char = plain(args[0] ?? null);
  if (typeof char !== 'string' || [...char].length !== 1) throw new Fault('type', 'ord() needs one character');
  return char.codePointAt(0) ?? 0;
});
define('chr', [1, 1], (args) => {
  const code = whole(args[0] ?? null, 'chr()');
  if (code < 0 || code > 0x10ffff) throw new Fault('type', 'chr() argument is out of range');
  return String.fromCodePoint(code);
});
table.set('basestring', new Callable('str', refuse, true));
table.set(
  'hasattr',
  new Callable('hasattr', ({ positional: [object, name] }) => {
    if (typeof name !== 'string' || object === undefined)
      throw new Fault('type', 'hasattr() needs an object and a name');
    return object instanceof TemplateObject && object.attribute(name) !== undefined;
  }),
);

function refuse(): Value {
  throw new Fault('unsupported', 'making a value of this type');
}

export const BUILTINS: ReadonlyMap<string, Callable> = table;
