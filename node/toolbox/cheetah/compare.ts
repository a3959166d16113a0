/** Equality, order and membership, by Python's rules. */
import { limitFault, typeError } from './errors.js';
import { iterate, iterator } from './iterate.js';
import type { Comparison } from './syntax.js';
import {
  chargeText,
  Dict,
  DictView,
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
  typeName,
  type Value,
  WEIGHT,
} from './values.js';

const DEPTH_MAX = 200;

export function equal(givenLeft: Value, givenRight: Value, meter: Meter, depth = 0): boolean {
  if (givenLeft === givenRight) return true;
  const left = plain(givenLeft, givenRight);
  const right = plain(givenRight, givenLeft);
  if (typeof left === 'string' && typeof right === 'string') {
    if (left.length !== right.length) return false;
    chargeText(left.length, meter);
    return left === right;
  }
  if (typeof left === 'string' || left === null) return left === right;
  const a = numeric(left);
  const b = numeric(right);
  if (a !== undefined || b !== undefined) return a !== undefined && b !== undefined && sameNumber(a, b);
  if (depth > DEPTH_MAX) throw limitFault(`values nested more than ${DEPTH_MAX} levels deep cannot be compared`);
  meter.step();
  if (isSequence(left) && isSequence(right)) {
    if (Array.isArray(left) !== Array.isArray(right)) return false;
    const [x, y] = [itemsOf(left), itemsOf(right)];
    if (x.length !== y.length) return false;
    meter.step(Math.floor(x.length / 100));
    return x.every((item, i) => equal(item, y[i] ?? null, meter, depth + 1));
  }
  if (left instanceof Dict && right instanceof Dict) {
    if (left.size !== right.size) return false;
    meter.step(Math.floor(left.size / 20));
    for (const [key, [, value]] of left.entries) {
      const other = right.entries.get(key);
      if (other === undefined || !equal(value, other[1], meter, depth + 1)) return false;
    }
    return true;
  }
  const [x, y] = [asSet(left, meter), asSet(right, meter)];
  if (x && y) return x.items.size === y.items.size && isSubset(x, y, meter);
  if (left instanceof Range && right instanceof Range) {
    if (left.length !== right.length) return false;
    return left.length === 0 || (left.start === right.start && (left.length === 1 || left.step === right.step));
  }
  return left === right;
}

function sameNumber(a: number | bigint, b: number | bigint): boolean {
  return a === b || (typeof a !== typeof b && a >= b && a <= b);
}

function asSet(value: Value, meter: Meter): PySet | undefined {
  if (value instanceof PySet) return value;
  if (!(value instanceof DictView) || value.kind === 'values') return undefined;
  meter.size(value.dict.size, WEIGHT.entry);
  return new PySet(value.list());
}

export function isSubset(left: PySet, right: PySet, meter: Meter): boolean {
  meter.step(Math.floor(left.items.size / 20));
  for (const key of left.items.keys()) if (!right.items.has(key)) return false;
  return true;
}

/** Negative, zero or positive, or NaN; throws for types that Python does not order. */
export function compare(givenLeft: Value, givenRight: Value, meter: Meter, operator = '<', depth = 0): number {
  const left = plain(givenLeft, givenRight);
  const right = plain(givenRight, givenLeft);
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right, meter);
  const a = numeric(left);
  const b = numeric(right);
  if (a !== undefined && b !== undefined) return a < b ? -1 : a > b ? 1 : sameNumber(a, b) ? 0 : Number.NaN;
  if (depth > DEPTH_MAX) throw limitFault(`values nested more than ${DEPTH_MAX} levels deep cannot be compared`);
  meter.step();
  if (isSequence(left) && isSequence(right) && Array.isArray(left) === Array.isArray(right)) {
    const [x, y] = [itemsOf(left), itemsOf(right)];
    meter.step(Math.floor(Math.min(x.length, y.length) / 100));
    for (let i = 0; i < Math.min(x.length, y.length); i++) {
      const [one, other] = [x[i] ?? null, y[i] ?? null];
      if (!equal(one, other, meter, depth + 1)) return compare(one, other, meter, operator, depth + 1);
    }
    return x.length - y.length;
  }
  if (meter.python === 2) return compareForeign(left, right);
  throw typeError(`'${operator}' not supported between instances of '${typeName(left)}' and '${typeName(right)}'`);
}

/** By code points, where JavaScript goes by UTF-16 units. */
function compareText(left: string, right: string, meter: Meter): number {
  const length = Math.min(left.length, right.length);
  chargeText(length, meter);
  let at = 0;
  while (at < length && left.charCodeAt(at) === right.charCodeAt(at)) at++;
  if (at === length) return left.length - right.length;
  // Two characters that differ in their second halves only begin one unit before.
  if (at > 0 && isHalf(left.charCodeAt(at)) && isHalf(right.charCodeAt(at)) && isFirstHalf(left.charCodeAt(at - 1)))
    at--;
  return (left.codePointAt(at) ?? 0) - (right.codePointAt(at) ?? 0);
}

const isHalf = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;
const isFirstHalf = (unit: number) => unit >= 0xd800 && unit <= 0xdbff;

/** Python 2 orders everything: None, then numbers, then by the name of the type. */
function compareForeign(left: Value, right: Value): number {
  const rank = (value: Value) =>
    value === null ? '' : numeric(value) !== undefined ? ' ' : value instanceof Float ? ' ' : typeName(value);
  const [x, y] = [rank(left), rank(right)];
  return x < y ? -1 : x > y ? 1 : 0;
}

export function contains(container: Value, item: Value, meter: Meter): boolean {
  const held = container instanceof TemplateObject ? (container.iterate() ?? container.plain(item)) : container;
  if (typeof held === 'string') {
    const part = plain(item, held);
    if (typeof part !== 'string') {
      throw typeError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    }
    meter.step(1 + Math.floor(held.length / 1000));
    return held.includes(part);
  }
  chargeKey(item, meter);
  if (held instanceof Dict) return held.has(item);
  if (held instanceof PySet) return held.has(item);
  if (held instanceof DictView && held.kind === 'keys') return held.dict.has(item);
  if (held instanceof Range) {
    const number = numeric(plain(item));
    if (typeof number !== 'number' || !Number.isInteger(number)) return false;
    const index = (number - held.start) / held.step;
    return Number.isInteger(index) && index >= 0 && index < held.length;
  }
  if (held !== null && typeof held === 'object') {
    const next = iterator(held);
    for (let one = next(); one !== undefined; one = next()) {
      meter.step();
      if (equal(one, item, meter)) return true;
    }
    return false;
  }
  throw typeError(`argument of type '${typeName(container)}' is not iterable`);
}

export function holds(operator: Comparison, left: Value, right: Value, meter: Meter): boolean {
  switch (operator) {
    case '==':
      return equal(left, right, meter);
    case '!=':
      return !equal(left, right, meter);
    case 'in':
      return contains(right, left, meter);
    case 'not in':
      return !contains(right, left, meter);
    case 'is':
      return left === right;
    case 'is not':
      return left !== right;
    default:
  }
  const [x, y] = [asSet(left, meter), asSet(right, meter)];
  if (x && y) return setOrder(operator, x, y, meter);
  const order = compare(left, right, meter, operator);
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

function setOrder(operator: '<' | '<=' | '>' | '>=', left: PySet, right: PySet, meter: Meter): boolean {
  if (operator === '<=') return isSubset(left, right, meter);
  if (operator === '>=') return isSubset(right, left, meter);
  if (operator === '<') return left.items.size < right.items.size && isSubset(left, right, meter);
  return right.items.size < left.items.size && isSubset(right, left, meter);
}

/** A key is compared as a whole, and that of a tuple is made of all its items. */
export function chargeKey(key: Value, meter: Meter): void {
  if (typeof key === 'string') chargeText(key.length, meter);
  else if (key instanceof Tuple) meter.step(1 + Math.floor(key.items.length / 10));
}

/** A sorted copy: stable, and equal keys stay in order when reversed, as in Python. */
export function sorted(
  given: Value,
  options: { key?: (value: Value) => Value; reverse: boolean; order?: (a: Value, b: Value) => number },
  meter: Meter,
): Value[] {
  const items = iterate(given, meter);
  meter.step(Math.ceil(items.length * Math.log2(items.length + 1)));
  const keyed = items.map((item) => ({ item, key: options.key ? options.key(item) : item }));
  const order = options.order ?? ((a: Value, b: Value) => compare(a, b, meter) || 0);
  keyed.sort((a, b) => (options.reverse ? order(b.key, a.key) : order(a.key, b.key)));
  return keyed.map(({ item }) => item);
}
