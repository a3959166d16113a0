/** Operators on values: numbers first, then text, lists, sets and dictionaries. */
import { typeError } from './errors.js';
import { calculate, signed } from './numbers.js';
import { formatPercent } from './percent.js';
import type { BinaryOperator } from './syntax.js';
import {
  Dict,
  DictView,
  isSequence,
  itemsOf,
  type Meter,
  PySet,
  plain,
  Tuple,
  typeName,
  type Value,
  WEIGHT,
} from './values.js';

export function arithmetic(operator: BinaryOperator, givenLeft: Value, givenRight: Value, meter: Meter): Value {
  if (typeof givenLeft === 'number' && typeof givenRight === 'number') {
    const result = calculate(operator, givenLeft, givenRight, meter.python);
    if (result !== undefined) return result;
  }
  const left = plain(givenLeft, givenRight);
  if (operator === '%' && typeof left === 'string') return formatPercent(left, givenRight, meter);
  const right = plain(givenRight, givenLeft);
  const number = calculate(operator, left, right, meter.python);
  if (number !== undefined) return number;
  const found =
    operator === '+'
      ? joined(left, right, meter)
      : operator === '*'
        ? repeated(left, right, meter)
        : ofSets(operator, left, right, meter);
  if (found !== undefined) return found;
  if (operator === '+' && typeof left === 'string') {
    throw typeError(`can only concatenate str (not "${typeName(right)}") to str`);
  }
  throw typeError(
    `unsupported operand type(s) for ${operator === '**' ? '** or pow()' : operator}: '${typeName(left)}' and '${typeName(right)}'`,
  );
}

function joined(left: Value, right: Value, meter: Meter): Value | undefined {
  if (typeof left === 'string' && typeof right === 'string') {
    meter.size(left.length + right.length, WEIGHT.character);
    return left + right;
  }
  if (!isSequence(left) || !isSequence(right) || Array.isArray(left) !== Array.isArray(right)) return undefined;
  const [x, y] = [itemsOf(left), itemsOf(right)];
  meter.size(x.length + y.length);
  return Array.isArray(left) ? [...x, ...y] : new Tuple([...x, ...y]);
}

function repeated(left: Value, right: Value, meter: Meter): Value | undefined {
  const isCount = typeof right === 'number' || typeof right === 'bigint' || typeof right === 'boolean';
  const [unit, given] = isCount ? [left, right] : [right, left];
  if (typeof given !== 'number' && typeof given !== 'bigint' && typeof given !== 'boolean') return undefined;
  const times = Math.max(0, Number(given));
  if (typeof unit === 'string') {
    meter.size(unit.length * times, WEIGHT.character);
    return unit.repeat(times);
  }
  if (!isSequence(unit)) return undefined;
  const items = itemsOf(unit);
  meter.size(items.length * times);
  const out: Value[] = [];
  for (let i = 0; i < times; i++) for (const item of items) out.push(item);
  return Array.isArray(unit) ? out : new Tuple(out);
}

function ofSets(operator: BinaryOperator, left: Value, right: Value, meter: Meter): Value | undefined {
  if (operator === '|' && left instanceof Dict && right instanceof Dict) {
    meter.size(left.size + right.size, WEIGHT.entry);
    return new Dict([...left.entries.values(), ...right.entries.values()]);
  }
  const [x, y] = [setOf(left, meter), setOf(right, meter)];
  if (!x || !y) return undefined;
  meter.size(x.items.size + y.items.size, WEIGHT.entry);
  switch (operator) {
    case '|':
      return new PySet([...x.items.values(), ...y.items.values()], x.frozen);
    case '&':
      return new PySet(
        [...x.items.values()].filter((item) => y.has(item)),
        x.frozen,
      );
    case '-':
      return new PySet(
        [...x.items.values()].filter((item) => !y.has(item)),
        x.frozen,
      );
    case '^':
      return new PySet(
        [
          ...[...x.items.values()].filter((item) => !y.has(item)),
          ...[...y.items.values()].filter((item) => !x.has(item)),
        ],
        x.frozen,
      );
    default:
      return undefined;
  }
}

function setOf(value: Value, meter: Meter): PySet | undefined {
  if (value instanceof PySet) return value;
  if (!(value instanceof DictView) || value.kind === 'values') return undefined;
  meter.size(value.dict.size, WEIGHT.entry);
  return new PySet(value.list());
}

export function unary(operator: '-' | '+' | '~', given: Value): Value {
  const value = plain(given);
  const result = signed(operator, value);
  if (result === undefined) throw typeError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  return result;
}

/** `+=` on a list changes the list itself, which others may hold as well. */
export function augmented(
  operator: BinaryOperator,
  before: Value,
  value: Value,
  meter: Meter,
  all: () => readonly Value[],
): Value {
  if (operator === '+' && Array.isArray(before)) {
    const more = [...all()];
    meter.size(before.length + more.length);
    for (const item of more) before.push(item);
    return before;
  }
  if (operator === '|' && before instanceof Dict && value instanceof Dict) {
    meter.size(before.size + value.size, WEIGHT.entry);
    for (const [key, held] of value.entries.values()) before.set(key, held);
    return before;
  }
  return arithmetic(operator, before, value, meter);
}
