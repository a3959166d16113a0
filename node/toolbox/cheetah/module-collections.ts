/** `collections`, `copy`, `functools` and `operator`: what of them wrappers use. */

import { reduced } from './builtins.js';
import { holds } from './compare.js';
import { attributeError, limitFault, typeError } from './errors.js';
import { call, define } from './functions.js';
import { arithmetic, unary } from './operators.js';
import { itemOf } from './subscript.js';
import type { BinaryOperator, Comparison } from './syntax.js';
import { COUNTER, DEFAULT_DICT, ORDERED_DICT } from './types.js';
import { Callable, Dict, type Meter, PySet, Tuple, truth, typeName, type Value } from './values.js';

export const COLLECTIONS: readonly [string, Value][] = [
  ['OrderedDict', ORDERED_DICT],
  ['defaultdict', DEFAULT_DICT],
  ['Counter', COUNTER],
];

function copied(value: Value, depth: number, meter: Meter): Value {
  if (depth > 100) throw limitFault('a value nested too deeply to be copied');
  meter.step();
  const inner = (one: Value) => (depth === 0 ? one : copied(one, depth + 1, meter));
  if (Array.isArray(value)) {
    meter.size(value.length);
    return value.map(inner);
  }
  if (value instanceof Tuple) return new Tuple(value.items.map(inner));
  if (value instanceof PySet) return new PySet(value.items.values(), value.frozen);
  if (!(value instanceof Dict)) return value;
  meter.size(value.size);
  const made = new Dict([...value.entries.values()].map(([key, held]): [Value, Value] => [key, inner(held)]));
  made.kind = value.kind;
  made.missing = value.missing;
  return made;
}

export const COPY: readonly [string, Value][] = [
  ['copy', define('copy', 'x', ([value = null], meter) => copied(value, 0, meter))],
  ['deepcopy', define('deepcopy', 'x', ([value = null], meter) => copied(value, 1, meter))],
];

export const FUNCTOOLS: readonly [string, Value][] = [
  [
    'reduce',
    define('reduce', 'function iterable initial?', ([callee = null, items = null, start], meter) =>
      reduced(callee, items, start, meter),
    ),
  ],
  [
    'partial',
    new Callable('partial', ({ positional: [callee = null, ...before], named }) => {
      if (!(callee instanceof Callable)) throw typeError('the first argument must be callable');
      return new Callable('partial', (args, meter) =>
        callee.call({ positional: [...before, ...args.positional], named: new Map([...named, ...args.named]) }, meter),
      );
    }),
  ],
];

function getter(name: string, one: (object: Value, key: Value, meter: Meter) => Value): [string, Value] {
  return [
    name,
    new Callable(name, ({ positional: keys }) => {
      if (keys.length === 0) throw typeError(`${name} expected 1 argument, got 0`);
      return define(`operator.${name}`, 'object', ([object = null], meter) => {
        const found = keys.map((key) => one(object, key, meter));
        return found.length === 1 ? (found[0] ?? null) : new Tuple(found);
      });
    }),
  ];
}

const ARITHMETIC: readonly [string, BinaryOperator][] = [
  ['add', '+'],
  ['concat', '+'],
  ['sub', '-'],
  ['mul', '*'],
  ['truediv', '/'],
  ['floordiv', '//'],
  ['mod', '%'],
  ['pow', '**'],
  ['and_', '&'],
  ['or_', '|'],
  ['xor', '^'],
];
const COMPARISONS: readonly [string, Comparison][] = [
  ['eq', '=='],
  ['ne', '!='],
  ['lt', '<'],
  ['le', '<='],
  ['gt', '>'],
  ['ge', '>='],
  ['is_', 'is'],
  ['is_not', 'is not'],
];

export const OPERATOR: readonly [string, Value][] = [
  getter('itemgetter', itemOf),
  getter('attrgetter', (object, key, meter) => {
    let value = object;
    for (const part of String(key).split('.')) {
      const found = meter.attribute(value, part);
      if (found === undefined) throw attributeError(`'${typeName(value)}' object has no attribute '${part}'`);
      value = found;
    }
    return value;
  }),
  [
    'methodcaller',
    new Callable('methodcaller', ({ positional: [name = null, ...args] }) =>
      define('operator.methodcaller', 'object', ([object = null], meter) =>
        call(meter.attribute(object, String(name)) ?? null, args, meter),
      ),
    ),
  ],
  ...ARITHMETIC.map(([name, operator]): [string, Value] => [
    name,
    define(name, 'a b', ([a = null, b = null], meter) => arithmetic(operator, a, b, meter)),
  ]),
  ...COMPARISONS.map(([name, operator]): [string, Value] => [
    name,
    define(name, 'a b', ([a = null, b = null], meter) => holds(operator, a, b, meter)),
  ]),
  ['contains', define('contains', 'a b', ([a = null, b = null], meter) => holds('in', b, a, meter))],
  ['getitem', define('getitem', 'a b', ([a = null, b = null], meter) => itemOf(a, b, meter))],
  ['not_', define('not_', 'a', ([a = null]) => !truth(a))],
  ['truth', define('truth', 'a', ([a = null]) => truth(a))],
  ['neg', define('neg', 'a', ([a = null]) => unary('-', a))],
];
