/** Comparisons and arithmetic, by Python's rules. */
import { Fault } from './errors.js';
import { formatPercent } from './format.js';
import type { BinaryOperator, Comparison } from './syntax.js';
import {
  compare,
  Dict,
  equal,
  Float,
  integer,
  isSequence,
  iterate,
  keyOf,
  type Meter,
  numeric,
  PySet,
  plain,
  TemplateObject,
  Tuple,
  typeName,
  type Value,
} from './values.js';

export function holds(operator: Comparison, left: Value, right: Value, meter: Meter): boolean {
  switch (operator) {
    case '==':
      return equal(left, right);
    case '!=':
      return !equal(left, right);
    case 'in':
      return contains(right, left, meter);
    case 'not in':
      return !contains(right, left, meter);
    case 'is':
      return left === right;
    case 'is not':
      return left !== right;
    case '<':
      return compare(left, right) < 0;
    case '<=':
      return compare(left, right) <= 0;
    case '>':
      return compare(left, right) > 0;
    default:
      return compare(left, right) >= 0;
  }
}

function contains(given: Value, item: Value, meter: Meter): boolean {
  const container = given instanceof TemplateObject ? (given.iterate() ?? given.plain()) : given;
  if (typeof container === 'string') {
    const part = plain(item);
    if (typeof part !== 'string') throw new Fault('type', `'in' a string needs a string, got '${typeName(part)}'`);
    return container.includes(part);
  }
  if (container instanceof Dict) return container.entries.has(keyOf(item));
  if (container instanceof PySet) return container.items.has(keyOf(item));
  const items = iterate(container);
  meter.step(items.length);
  return items.some((one) => equal(one, item));
}

export function arithmetic(operator: BinaryOperator, givenLeft: Value, givenRight: Value, meter: Meter): Value {
  const left = plain(givenLeft, givenRight);
  const right = operator === '%' && typeof left === 'string' ? givenRight : plain(givenRight, givenLeft);
  if (operator === '%' && typeof left === 'string') return formatPercent(left, right, meter);
  const [a, b] = [numeric(left), numeric(right)];
  if (a !== undefined && b !== undefined)
    return calculate(operator, a, b, left instanceof Float || right instanceof Float);
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') {
      meter.size(left.length + right.length);
      return left + right;
    }
    if (isSequence(left) && isSequence(right) && Array.isArray(left) === Array.isArray(right)) {
      const joined = [...iterate(left), ...iterate(right)];
      meter.size(joined.length);
      return Array.isArray(left) ? joined : new Tuple(joined);
    }
  }
  if (operator === '*') {
    const [repeated, times] = typeof right === 'number' ? [left, right] : [right, left];
    if (typeof times === 'number' && (typeof repeated === 'string' || Array.isArray(repeated))) {
      meter.size(repeated.length * Math.max(0, times));
      if (typeof repeated === 'string') return repeated.repeat(Math.max(0, times));
      return Array.from({ length: Math.max(0, times) }, () => repeated).flat();
    }
  }
  throw new Fault('type', `'${operator}' does not work on '${typeName(left)}' and '${typeName(right)}'`);
}

function calculate(operator: BinaryOperator, a: number, b: number, float: boolean): Value {
  const result = (value: number) => (float ? new Float(value) : integer(value));
  if (['/', '//', '%'].includes(operator) && b === 0) throw new Fault('type', 'division by zero');
  switch (operator) {
    case '+':
      return result(a + b);
    case '-':
      return result(a - b);
    case '*':
      return result(a * b);
    case '/':
      return new Float(a / b);
    case '//':
      return result(Math.floor(a / b));
    case '%':
      return result(a - Math.floor(a / b) * b);
    case '**':
      return b < 0 ? new Float(a ** b) : result(a ** b);
  }
}
