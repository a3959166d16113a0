/** The methods of Python's types, bound to a value or taken from the type: `"a".upper()` and `map(str.upper, names)`. */
import { DICT_METHODS } from './dict-methods.js';
import { typeError } from './errors.js';
import { take } from './functions.js';
import { LIST_METHODS } from './list-methods.js';
import { NUMBER_METHODS } from './number-methods.js';
import { SET_METHODS } from './set-methods.js';
import { STRING_METHODS } from './string-methods.js';
import {
  type Arguments,
  Callable,
  Dict,
  Float,
  type Meter,
  PyIterator,
  PySet,
  plain,
  Range,
  Tuple,
  typeName,
  type Value,
} from './values.js';

export type Method<T> = (self: T, args: Arguments, meter: Meter) => Value;
export type Methods<T> = ReadonlyMap<string, Method<T>>;

/** The methods of a value's type. */
function methodsOf(value: Value): Methods<never> | undefined {
  if (typeof value === 'string') return STRING_METHODS;
  if (Array.isArray(value)) return LIST_METHODS;
  if (value instanceof Dict) return DICT_METHODS;
  if (value instanceof PySet) return SET_METHODS;
  if (value instanceof Tuple || value instanceof Range) return SEQUENCE_METHODS;
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof Float) return NUMBER_METHODS;
  if (value instanceof PyIterator) return ITERATOR_METHODS;
  return undefined;
}

/** The bound method, or undefined when the type has none of that name. */
export function methodOf(value: Value, name: string, meter: Meter): Callable | undefined {
  const method = methodsOf(value)?.get(name);
  if (!method || !speaks(name, meter.python)) return undefined;
  return new Callable(name, (args, inner) => {
    inner.step();
    return method(value as never, args, inner);
  });
}

const OLD: ReadonlySet<string> = new Set([
  ...['has_key', 'iteritems', 'iterkeys', 'itervalues', 'viewitems', 'viewkeys', 'viewvalues'],
]);
const NEW: ReadonlySet<string> = new Set(['casefold', 'isidentifier', 'removeprefix', 'removesuffix', 'format_map']);

function speaks(name: string, python: 2 | 3): boolean {
  return python === 2 ? !NEW.has(name) : !OLD.has(name);
}

/** `str.upper`: a method that is given its value with the call. */
export function unboundMethod(type: string, methods: Methods<never>, name: string): Callable | undefined {
  const method = methods.get(name);
  if (!method) return undefined;
  return new Callable(name, ({ positional: [given, ...positional], named }, meter) => {
    const self = plain(given ?? null);
    if (given === undefined || (methodsOf(self) as Methods<never> | undefined) !== methods) {
      throw typeError(`descriptor '${name}' for '${type}' objects doesn't apply to a '${typeName(self)}' object`);
    }
    meter.step();
    return method(self as never, { positional, named }, meter);
  });
}

const SEQUENCE_METHODS: Methods<never> = new Map<string, Method<never>>(
  ['index', 'count'].map((name): [string, Method<Tuple | Range>] => [
    name,
    (self, args, meter) => {
      const items =
        self instanceof Tuple ? [...self.items] : Array.from({ length: self.length }, (_, i): Value => self.at(i));
      meter.step(items.length);
      return (LIST_METHODS as Methods<Value[]>).get(name)?.(items, args, meter) ?? null;
    },
  ]) as [string, Method<never>][],
);

const ITERATOR_METHODS: Methods<never> = new Map<string, Method<never>>([
  [
    'next',
    ((self: PyIterator, args: Arguments) => {
      take('next', args, [], 0);
      return self.next() ?? null;
    }) as Method<never>,
  ],
]);
