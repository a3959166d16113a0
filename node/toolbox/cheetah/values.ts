/**
 * Python's values as templates see them. Integers are JavaScript numbers while they are exact and bigints beyond,
 * floats are a class of their own because `1` and `1.0` print differently; dictionaries and sets are Maps, so that no
 * key can reach a prototype. What the node hands in (datasets, parameters) extends `TemplateObject` and answers
 * attributes by name, never by JavaScript property.
 */
import { limitFault, typeError } from './errors.js';

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Float
  | Value[]
  | Tuple
  | Dict
  | PySet
  | Range
  | PyIterator
  | DictView
  | Callable
  | TemplateObject;

export class Float {
  constructor(readonly value: number) {}
}

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** What a dictionary is indexed by inside: equal values give equal keys. */
export type Key = string | number | bigint | null | object;

export class Dict {
  readonly entries = new Map<Key, [key: Value, value: Value]>();
  /** collections.defaultdict and Counter: what a missing key becomes. */
  missing: ((meter: Meter) => Value) | undefined;
  /** What type() and repr() say, when it is not a plain dictionary. */
  kind: 'dict' | 'OrderedDict' | 'defaultdict' | 'Counter' = 'dict';

  constructor(pairs: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of pairs) this.set(key, value);
  }
  get size(): number {
    return this.entries.size;
  }
  get(key: Value): Value | undefined {
    return this.entries.get(keyOf(key))?.[1];
  }
  has(key: Value): boolean {
    return this.entries.has(keyOf(key));
  }
  set(key: Value, value: Value): void {
    const inner = keyOf(key);
    const held = this.entries.get(inner);
    if (held) held[1] = value;
    else this.entries.set(inner, [key, value]);
  }
  delete(key: Value): boolean {
    return this.entries.delete(keyOf(key));
  }
  keys(): Value[] {
    return Array.from(this.entries.values(), ([key]) => key);
  }
  values(): Value[] {
    return Array.from(this.entries.values(), ([, value]) => value);
  }
  items(): Tuple[] {
    return Array.from(this.entries.values(), ([key, value]) => new Tuple([key, value]));
  }
}

export class PySet {
  readonly items = new Map<Key, Value>();
  constructor(
    items: Iterable<Value> = [],
    readonly frozen = false,
  ) {
    for (const item of items) this.add(item);
  }
  add(item: Value): void {
    const key = keyOf(item);
    if (!this.items.has(key)) this.items.set(key, item);
  }
  has(item: Value): boolean {
    return this.items.has(keyOf(item));
  }
}

/** range(): never spread out unless somebody asks for its items. */
export class Range {
  readonly length: number;
  constructor(
    readonly start: number,
    readonly stop: number,
    readonly step: number,
  ) {
    this.length = Math.max(0, Math.ceil((stop - start) / step));
  }
  at(index: number): number {
    return this.start + index * this.step;
  }
}

/** Something that can be run through once: what map(), zip() and a generator expression give. */
export class PyIterator {
  constructor(
    readonly kind: string,
    /** The next item, or undefined at the end. */
    readonly next: () => Value | undefined,
  ) {}
}

/** `d.keys()` and its like under Python 3: follows its dictionary and cannot be indexed. */
export class DictView {
  constructor(
    readonly kind: 'keys' | 'values' | 'items',
    readonly dict: Dict,
  ) {}
  list(): Value[] {
    return this.dict[this.kind]();
  }
}

export type Arguments = { positional: Value[]; named: Map<string, Value> };

/** A function or a type. `isType`: isinstance() may compare with it, and a `$` does not call it by itself. */
export class Callable {
  constructor(
    readonly name: string,
    readonly call: (args: Arguments, meter: Meter) => Value,
    readonly isType = false,
    readonly attribute?: (name: string) => Value | undefined,
  ) {}
}

/** What `os.path.exists` and its like may know of the machine: nothing, unless they are told. */
export interface FileFacts {
  exists(path: string): boolean;
  isFile(path: string): boolean;
  isFolder(path: string): boolean;
}

/** Counts what evaluation costs and throws when a limit is passed; also says what functions need to know around them. */
export interface Meter {
  readonly python: 2 | 3;
  readonly files: FileFacts;
  /** An attribute or method as Python sees it; undefined when there is none. */
  attribute(value: Value, name: string): Value | undefined;
  step(count?: number): void;
  /**
   * Refuses a value (string, list) of that many units before it is built, and counts the building. `weight`: the memory
   * of a unit, where that of an item in a list is 1.
   */
  size(units: number, weight?: number): void;
  /** The same for one that grew by a single item. */
  fits(units: number): void;
}

/** What a character, an entry of a set or dictionary, and a text of its own weigh beside an item of a list. */
export const WEIGHT = { character: 1 / 8, entry: 6, text: 4 } as const;

/** Going through a text costs a step for every hundred characters. */
export function chargeText(length: number, meter: Meter): void {
  if (length >= 100) meter.step(Math.floor(length / 100));
}

/**
 * A value of the node's: a dataset, a parameter. The interpreter asks it for its text (`str()` and placeholders), its
 * truth, its attributes, its items and its elements, and for the plain value that operators, methods and functions
 * work on. Every method that is not overridden answers as a true, opaque object does.
 */
export abstract class TemplateObject {
  abstract readonly typeName: string;
  abstract text(): string;
  /** Undefined: there is none of that name, and a method of the plain value is tried. */
  abstract attribute(name: string): Value | undefined;
  truth(): boolean {
    return true;
  }
  /** The plain value that operators and conversions use; `other` is the other operand, where there is one. */
  plain(_other?: Value): Value {
    return this.text();
  }
  /** `value[key]`; undefined: its elements or its plain value are asked. */
  item(_key: Value): Value | undefined {
    return undefined;
  }
  /** What a `for` runs over; undefined: its plain value is asked. */
  iterate(): Value[] | undefined {
    return undefined;
  }
  /** `isinstance(value, type)`, by the name of the type. */
  is(type: string): boolean {
    return type === this.typeName;
  }
  /** `repr()`; undefined: that of its text. */
  repr(): string | undefined {
    return undefined;
  }
}

/** An object of the interpreter's own (an exception, a module, a match): it is its own plain value. */
export abstract class PyObject extends TemplateObject {
  override plain(): Value {
    return this;
  }
  text(): string {
    return this.repr();
  }
  override repr(): string {
    return `<${this.typeName} object>`;
  }
}

export function isSequence(value: Value): value is Value[] | Tuple {
  return Array.isArray(value) || value instanceof Tuple;
}

export function itemsOf(value: Value[] | Tuple): readonly Value[] {
  return Array.isArray(value) ? value : value.items;
}

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'number':
    case 'bigint':
      return 'int';
    case 'string':
      return 'str';
    default:
  }
  if (value instanceof Float) return 'float';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Dict) return value.kind;
  if (value instanceof PySet) return value.frozen ? 'frozenset' : 'set';
  if (value instanceof Range) return 'range';
  if (value instanceof PyIterator) return value.kind;
  if (value instanceof DictView) return `dict_${value.kind}`;
  if (value instanceof Callable) return value.isType ? 'type' : 'function';
  return value.typeName;
}

/** The operators' view of a value: a parameter becomes what it holds. */
export function plain(value: Value, other?: Value): Value {
  return value instanceof TemplateObject ? value.plain(other) : value;
}

export function truth(value: Value): boolean {
  if (value === null) return false;
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'number':
      return value !== 0;
    case 'bigint':
      return true;
    case 'string':
      return value.length > 0;
    default:
  }
  if (value instanceof Float) return value.value !== 0;
  if (Array.isArray(value) || value instanceof Range) return value.length > 0;
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof PySet) return value.items.size > 0;
  if (value instanceof DictView) return value.dict.size > 0;
  if (value instanceof TemplateObject) return value.truth();
  return true;
}

/** The first that is there. `??` would take None for nothing. */
export function firstOf(...values: (Value | undefined)[]): Value | undefined {
  for (const value of values) if (value !== undefined) return value;
  return undefined;
}

/** Numbers as JavaScript has them; undefined for anything else. Booleans count, as in Python. */
export function numeric(value: Value): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value instanceof Float ? value.value : undefined;
}

const identities = new WeakMap<object, number>();
let identityLast = 0;

/** A number of its own for each object: for keys within tuples, and for id(). */
export function identity(value: object): number {
  const held = identities.get(value) ?? ++identityLast;
  identities.set(value, held);
  return held;
}

const KEY_DEPTH_MAX = 50;
const KEY_CHARS_MAX = 20_000;

/**
 * The key of a value. Strings stand for themselves, so that a dictionary costs no copying; the few that begin as the
 * keys of tuples do are set apart.
 */
export function keyOf(given: Value, depth = 0): Key {
  const value = plain(given);
  if (typeof value === 'string') return value.startsWith('\u0000') ? `\u0000s${value}` : value;
  if (value === null) return null;
  const number = numeric(value);
  if (number !== undefined) {
    if (typeof number === 'bigint' || Number.isSafeInteger(number) || !Number.isInteger(number)) return number;
    return BigInt(number);
  }
  if (value instanceof Tuple || (value instanceof PySet && value.frozen)) {
    if (depth > KEY_DEPTH_MAX) throw limitFault(`a key nested more than ${KEY_DEPTH_MAX} levels deep`);
    const items = value instanceof Tuple ? value.items : [...value.items.values()];
    const parts = items.map((item) => {
      const key = keyOf(item, depth + 1);
      return typeof key === 'object' && key !== null ? `o${identity(key)}` : `${(typeof key)[0]}${String(key)}`;
    });
    if (value instanceof PySet) parts.sort();
    if (parts.reduce((sum, part) => sum + part.length, 0) > KEY_CHARS_MAX) throw limitFault('a key that is too large');
    return `\u0000${value instanceof Tuple ? 't' : 'f'}${JSON.stringify(parts)}`;
  }
  if (Array.isArray(value) || value instanceof Dict || value instanceof PySet) {
    throw typeError(`unhashable type: '${typeName(value)}'`);
  }
  return value as object;
}
