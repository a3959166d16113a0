/**
 * Python's values as templates see them. Integers are JavaScript numbers (exact up to 2**53, beyond that an error),
 * floats are a class of their own because `1` and `1.0` print differently; dictionaries and sets are Maps, so that no
 * key can reach a prototype. What the node hands in (datasets, parameters) extends `TemplateObject` and answers
 * attributes by name, never by JavaScript property.
 */
import { Fault } from './errors.js';

export type Value =
  | null
  | boolean
  | number
  | string
  | Float
  | Value[]
  | Tuple
  | Dict
  | PySet
  | Callable
  | TemplateObject;

export class Float {
  constructor(readonly value: number) {}
}

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

export class Dict {
  readonly entries = new Map<string, [Value, Value]>();
  constructor(pairs: Iterable<[Value, Value]> = []) {
    for (const [key, value] of pairs) this.set(key, value);
  }
  get(key: Value): Value | undefined {
    return this.entries.get(keyOf(key))?.[1];
  }
  set(key: Value, value: Value): void {
    this.entries.set(keyOf(key), [key, value]);
  }
  keys(): Value[] {
    return [...this.entries.values()].map(([key]) => key);
  }
  values(): Value[] {
    return [...this.entries.values()].map(([, value]) => value);
  }
}

export class PySet {
  readonly items = new Map<string, Value>();
  constructor(items: Iterable<Value> = []) {
    for (const item of items) this.items.set(keyOf(item), item);
  }
}

export type Arguments = { positional: Value[]; named: Map<string, Value> };

/** A function or a type. `isType` is what isinstance() compares. */
export class Callable {
  constructor(
    readonly name: string,
    readonly call: (args: Arguments, meter: Meter) => Value,
    readonly isType = false,
  ) {}
}

/** Counts what evaluation costs; throws when a limit is passed. */
export interface Meter {
  step(count?: number): void;
  /** Refuses a value (string, list) of that many units before it is built. */
  size(units: number): void;
}

/** A value of the node's. Every method that is not overridden answers as a plain, true, opaque object does. */
export abstract class TemplateObject {
  abstract readonly typeName: string;
  abstract text(): string;
  abstract attribute(name: string): Value | undefined;
  truth(): boolean {
    return true;
  }
  /** The plain value that operators and conversions use; `other` is the other operand, where there is one. */
  plain(_other?: Value): Value {
    return this.text();
  }
  item(_key: Value): Value | undefined {
    return undefined;
  }
  iterate(): Value[] | undefined {
    return undefined;
  }
}

export function isSequence(value: Value): value is Value[] | Tuple {
  return Array.isArray(value) || value instanceof Tuple;
}

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return 'int';
  if (typeof value === 'string') return 'str';
  if (value instanceof Float) return 'float';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Dict) return 'dict';
  if (value instanceof PySet) return 'set';
  if (value instanceof Callable) return value.isType ? 'type' : 'function';
  return value.typeName;
}

/** The operators' view of a value: a parameter becomes what it holds. */
export function plain(value: Value, other?: Value): Value {
  return value instanceof TemplateObject ? value.plain(other) : value;
}

export function truth(value: Value): boolean {
  if (value === null) return false;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (typeof value === 'string') return value.length > 0;
  if (value instanceof Float) return value.value !== 0;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Dict) return value.entries.size > 0;
  if (value instanceof PySet) return value.items.size > 0;
  if (value instanceof Callable) return true;
  return value.truth();
}

/** Numbers as JavaScript numbers; undefined for anything else. Booleans count, as in Python. */
export function numeric(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value instanceof Float ? value.value : undefined;
}

export function integer(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Fault('limit', 'an integer is larger than 2**53');
  return value === 0 ? 0 : value;
}

/** `str(value)`. */
export function str(value: Value): string {
  if (typeof value === 'string') return value;
  return value instanceof TemplateObject ? value.text() : repr(value);
}

export function repr(value: Value, depth = 0): string {
  if (depth > 50) throw new Fault('limit', 'a value is nested more than 50 levels deep');
  const inner = (items: readonly Value[]) => items.map((item) => repr(item, depth + 1)).join(', ');
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return quote(value);
  if (value instanceof Float) return floatText(value.value);
  if (Array.isArray(value)) return `[${inner(value)}]`;
  if (value instanceof Tuple) return value.items.length === 1 ? `(${inner(value.items)},)` : `(${inner(value.items)})`;
  if (value instanceof Dict) {
    const pairs = [...value.entries.values()].map(([k, v]) => `${repr(k, depth + 1)}: ${repr(v, depth + 1)}`);
    return `{${pairs.join(', ')}}`;
  }
  if (value instanceof PySet) return value.items.size === 0 ? 'set()' : `{${inner([...value.items.values()])}}`;
  if (value instanceof Callable) return value.isType ? `<class '${value.name}'>` : `<function ${value.name}>`;
  return quote(value.text());
}

/** What a placeholder prints: None prints nothing. */
export function printed(value: Value): string {
  return value === null ? '' : str(value);
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa = '0', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  if (exponent >= 0) {
    const text = value.toString();
    return text.includes('.') ? text : `${text}.0`;
  }
  const digits = mantissa.replace('-', '').replace('.', '');
  return `${value < 0 ? '-' : ''}0.${'0'.repeat(-exponent - 1)}${digits}`;
}

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = mark;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (char === mark || char === '\\') out += `\\${char}`;
    else if (char === '\n') out += '\\n';
    else if (char === '\r') out += '\\r';
    else if (char === '\t') out += '\\t';
    else if (code < 32 || code === 127) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else out += char;
  }
  return out + mark;
}

/** A dictionary key as text; equal values give equal keys. */
export function keyOf(given: Value): string {
  const value = plain(given);
  if (value === null) return 'none';
  if (typeof value === 'string') return `s:${value}`;
  const number = numeric(value);
  if (number !== undefined) return `n:${number}`;
  if (value instanceof Tuple) return `t:${JSON.stringify(value.items.map(keyOf))}`;
  throw new Fault('type', `unhashable type: '${typeName(value)}'`);
}

export function equal(givenLeft: Value, givenRight: Value): boolean {
  if (givenLeft === givenRight) return true;
  const left = plain(givenLeft, givenRight);
  const right = plain(givenRight, givenLeft);
  const a = numeric(left);
  const b = numeric(right);
  if (a !== undefined || b !== undefined) return a === b;
  if (isSequence(left) && isSequence(right)) {
    if (Array.isArray(left) !== Array.isArray(right)) return false;
    const [x, y] = [itemsOf(left), itemsOf(right)];
    return x.length === y.length && x.every((item, i) => equal(item, y[i] ?? null));
  }
  if (left instanceof Dict && right instanceof Dict) {
    if (left.entries.size !== right.entries.size) return false;
    return [...left.entries].every(([key, [, value]]) => {
      const other = right.entries.get(key);
      return other !== undefined && equal(value, other[1]);
    });
  }
  if (left instanceof PySet && right instanceof PySet) {
    return left.items.size === right.items.size && [...left.items.keys()].every((key) => right.items.has(key));
  }
  return left === right;
}

/** Negative, zero or positive, as for `<`; throws for types that Python does not order. */
export function compare(givenLeft: Value, givenRight: Value): number {
  const left = plain(givenLeft, givenRight);
  const right = plain(givenRight, givenLeft);
  const a = numeric(left);
  const b = numeric(right);
  if (a !== undefined && b !== undefined) return a < b ? -1 : a > b ? 1 : a === b ? 0 : Number.NaN;
  if (typeof left === 'string' && typeof right === 'string') return left < right ? -1 : left > right ? 1 : 0;
  if (isSequence(left) && isSequence(right) && Array.isArray(left) === Array.isArray(right)) {
    const [x, y] = [itemsOf(left), itemsOf(right)];
    for (let i = 0; i < Math.min(x.length, y.length); i++) {
      const order = compare(x[i] ?? null, y[i] ?? null);
      if (order !== 0) return order;
    }
    return x.length - y.length;
  }
  throw new Fault('type', `'${typeName(left)}' and '${typeName(right)}' cannot be ordered`);
}

function itemsOf(value: Value[] | Tuple): readonly Value[] {
  return Array.isArray(value) ? value : value.items;
}

/** The items that a `for` runs over; throws when it cannot be iterated. */
export function iterate(value: Value): readonly Value[] {
  if (typeof value === 'string') return [...value];
  if (isSequence(value)) return itemsOf(value);
  if (value instanceof Dict) return value.keys();
  if (value instanceof PySet) return [...value.items.values()];
  if (value instanceof TemplateObject) {
    const items = value.iterate();
    if (items) return items;
  }
  throw new Fault('type', `'${typeName(value)}' object is not iterable`);
}
