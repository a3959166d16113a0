/** The methods of strings, lists, dictionaries and sets that templates may call, by type and name. */
import { Fault } from './errors.js';
import { formatBraces } from './format.js';
import {
  type Arguments,
  Callable,
  compare,
  Dict,
  equal,
  integer,
  isSequence,
  iterate,
  type Meter,
  numeric,
  PySet,
  plain,
  repr,
  Tuple,
  truth,
  typeName,
  type Value,
} from './values.js';

type Method<T> = (self: T, args: Value[], meter: Meter, named: ReadonlyMap<string, Value>) => Value;

function text(value: Value | undefined, method: string): string {
  const given = plain(value ?? null);
  if (typeof given !== 'string') throw new Fault('type', `${method}() needs a string, got ${typeName(given)}`);
  return given;
}

function count(value: Value | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  const number = numeric(plain(value));
  if (number === undefined || !Number.isInteger(number)) throw new Fault('type', 'a whole number is needed');
  return number;
}

const SPACE = ' \t\n\r\f\v';

function stripped(self: string, args: Value[], left: boolean, right: boolean): string {
  const chars = args.length === 0 || args[0] === null ? SPACE : text(args[0], 'strip');
  let from = 0;
  let to = self.length;
  while (left && from < to && chars.includes(self[from] ?? '')) from++;
  while (right && to > from && chars.includes(self[to - 1] ?? '')) to--;
  return self.slice(from, to);
}

function split(self: string, args: Value[], named: ReadonlyMap<string, Value>, fromRight: boolean): Value[] {
  const separator = args[0] ?? named.get('sep') ?? null;
  const most = count(args[1] ?? named.get('maxsplit'), -1);
  const parts =
    separator === null ? self.split(/[ \t\n\r\f\v]+/).filter((part) => part !== '') : splitBy(self, separator);
  if (most < 0 || parts.length <= most + 1) return parts;
  if (separator === null) return splitSpaceAtMost(self, most, fromRight);
  const by = text(separator, 'split');
  return fromRight
    ? [parts.slice(0, parts.length - most).join(by), ...parts.slice(parts.length - most)]
    : [...parts.slice(0, most), parts.slice(most).join(by)];
}

function splitBy(self: string, separator: Value): string[] {
  const by = text(separator, 'split');
  if (by === '') throw new Fault('type', 'split() with an empty separator');
  return self.split(by);
}

function splitSpaceAtMost(self: string, most: number, fromRight: boolean): string[] {
  const parts: string[] = [];
  let rest = stripped(self, [], true, true);
  while (parts.length < most) {
    const found = (
      fromRight ? /^(.*?)[ \t\n\r\f\v]+([^ \t\n\r\f\v]+)$/s : /^([^ \t\n\r\f\v]+)[ \t\n\r\f\v]+(.*)$/s
    ).exec(rest);
    if (!found) break;
    parts.push((fromRight ? found[2] : found[1]) ?? '');
    rest = (fromRight ? found[1] : found[2]) ?? '';
  }
  return fromRight ? [rest, ...parts.reverse()] : [...parts, rest];
}

function slicedFor(self: string, args: Value[]): string {
  const at = (value: Value | undefined, otherwise: number) => {
    const index = value === null ? otherwise : count(value, otherwise);
    return index < 0 ? Math.max(0, self.length + index) : index;
  };
  return self.slice(at(args[1], 0), at(args[2], self.length));
}

function matches(self: string, args: Value[], test: (self: string, part: string) => boolean, method: string): boolean {
  const part = plain(args[0] ?? null);
  const parts = part instanceof Tuple ? part.items : [part];
  return parts.some((one) => test(slicedFor(self, args), text(one, method)));
}

function find(self: string, args: Value[], last: boolean): number {
  const part = text(args[0], 'find');
  const from = count(args[1], 0);
  const to = count(args[2], self.length);
  const hay = self.slice(0, to < 0 ? Math.max(0, self.length + to) : to);
  const start = from < 0 ? Math.max(0, self.length + from) : from;
  const index = last ? hay.lastIndexOf(part) : hay.indexOf(part, start);
  return index >= start ? index : -1;
}

function replace(self: string, args: Value[], meter: Meter): string {
  const [from, to] = [text(args[0], 'replace'), text(args[1], 'replace')];
  const most = count(args[2], -1);
  const parts = from === '' ? ['', ...self, ''] : self.split(from);
  const times = most < 0 ? parts.length - 1 : Math.min(most, parts.length - 1);
  meter.size(self.length + times * to.length);
  let out = parts[0] ?? '';
  for (let i = 1; i < parts.length; i++) out += (i <= times ? to : from) + parts[i];
  return out;
}

function padded(self: string, args: Value[], meter: Meter, side: 'left' | 'right' | 'both'): string {
  const width = count(args[0], 0);
  meter.size(width);
  const fill = args[1] === undefined ? ' ' : text(args[1], 'just');
  if (fill.length !== 1) throw new Fault('type', 'the fill character must be one character');
  const lack = Math.max(0, width - self.length);
  if (side === 'left') return fill.repeat(lack) + self;
  if (side === 'right') return self + fill.repeat(lack);
  const left = Math.floor(lack / 2) + (lack & width & 1);
  return fill.repeat(left) + self + fill.repeat(lack - left);
}

const every = (pattern: RegExp) => (self: string) => pattern.test(self);
const cased = (self: string, wanted: string) => self === wanted && self.toLowerCase() !== self.toUpperCase();
const capital = (self: string) => self.charAt(0).toUpperCase() + self.slice(1).toLowerCase();

function partition(self: string, args: Value[], last: boolean): Value {
  const by = text(args[0], 'partition');
  const index = last ? self.lastIndexOf(by) : self.indexOf(by);
  if (index < 0) return new Tuple(last ? ['', '', self] : [self, '', '']);
  return new Tuple([self.slice(0, index), by, self.slice(index + by.length)]);
}

function join(self: string, args: Value[], meter: Meter): string {
  const parts = iterate(args[0] ?? null).map((item, index) => {
    const part = plain(item);
    // A parameter or dataset joins as its text; anything else must be a string, as in Python.
    if (typeof part === 'string') return part;
    throw new Fault('type', `join(): item ${index} is ${typeName(part)}, not a string (write str(…))`);
  });
  meter.size(parts.reduce((sum, part) => sum + part.length + self.length, 0));
  return parts.join(self);
}

const STRING_METHODS: ReadonlyMap<string, Method<string>> = new Map<string, Method<string>>([
  ['upper', (self) => self.toUpperCase()],
  ['lower', (self) => self.toLowerCase()],
  ['capitalize', capital],
  ['title', (self) => self.replace(/[A-Za-z]+/g, capital)],
  ['swapcase', (self) => self.replace(/[a-zA-Z]/g, (c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase()))],
  ['strip', (self, args) => stripped(self, args, true, true)],
  ['lstrip', (self, args) => stripped(self, args, true, false)],
  ['rstrip', (self, args) => stripped(self, args, false, true)],
  ['split', (self, args, _, named) => split(self, args, named, false)],
  ['rsplit', (self, args, _, named) => split(self, args, named, true)],
  [
    'splitlines',
    (self) =>
      self
        .replace(/(?:\r\n|\r|\n)$/, '')
        .split(/\r\n|\r|\n/)
        .filter((line) => self !== '' || line !== ''),
  ],
  ['partition', (self, args) => partition(self, args, false)],
  ['rpartition', (self, args) => partition(self, args, true)],
  ['join', join],
  ['replace', replace],
  ['startswith', (self, args) => matches(self, args, (hay, part) => hay.startsWith(part), 'startswith')],
  ['endswith', (self, args) => matches(self, args, (hay, part) => hay.endsWith(part), 'endswith')],
  ['find', (self, args) => find(self, args, false)],
  ['rfind', (self, args) => find(self, args, true)],
  [
    'index',
    (self, args) => {
      const at = find(self, args, false);
      if (at < 0) throw new Fault('missing', 'substring not found');
      return at;
    },
  ],
  [
    'count',
    (self, args) => {
      const part = text(args[0], 'count');
      return part === '' ? self.length + 1 : self.split(part).length - 1;
    },
  ],
  ['isdigit', every(/^\d+$/)],
  ['isalpha', every(/^\p{L}+$/u)],
  ['isalnum', every(/^[\p{L}\p{N}]+$/u)],
  ['isnumeric', every(/^\p{N}+$/u)],
  ['isdecimal', every(/^\p{Nd}+$/u)],
  ['isspace', every(/^\s+$/)],
  ['isupper', (self) => cased(self, self.toUpperCase())],
  ['islower', (self) => cased(self, self.toLowerCase())],
  [
    'zfill',
    (self, args, meter) => {
      const sign = /^[+-]/.exec(self)?.[0] ?? '';
      return sign + padded(self.slice(sign.length), [count(args[0], 0) - sign.length, '0'], meter, 'left');
    },
  ],
  ['ljust', (self, args, meter) => padded(self, args, meter, 'right')],
  ['rjust', (self, args, meter) => padded(self, args, meter, 'left')],
  ['center', (self, args, meter) => padded(self, args, meter, 'both')],
  ['format', (self, args, meter, named) => formatBraces(self, args, named, meter)],
]);

function position(self: Value[], value: Value): number {
  const at = self.findIndex((item) => equal(item, value));
  if (at < 0) throw new Fault('missing', `${repr(value)} is not in list`);
  return at;
}

const LIST_METHODS: ReadonlyMap<string, Method<Value[]>> = new Map<string, Method<Value[]>>([
  [
    'append',
    (self, args, meter) => {
      meter.size(self.length + 1);
      self.push(args[0] ?? null);
      return null;
    },
  ],
  [
    'extend',
    (self, args, meter) => {
      const more = [...iterate(args[0] ?? null)];
      meter.size(self.length + more.length);
      self.push(...more);
      return null;
    },
  ],
  [
    'insert',
    (self, args, meter) => {
      meter.size(self.length + 1);
      self.splice(count(args[0], 0), 0, args[1] ?? null);
      return null;
    },
  ],
  [
    'pop',
    (self, args) => {
      const [removed] = self.splice(count(args[0], -1), 1);
      if (removed === undefined) throw new Fault('missing', 'pop from an empty list');
      return removed;
    },
  ],
  [
    'remove',
    (self, args) => {
      self.splice(position(self, args[0] ?? null), 1);
      return null;
    },
  ],
  ['index', (self, args) => position(self, args[0] ?? null)],
  ['count', (self, args) => self.filter((item) => equal(item, args[0] ?? null)).length],
  [
    'reverse',
    (self) => {
      self.reverse();
      return null;
    },
  ],
  [
    'sort',
    (self, _args, meter, named) => {
      meter.step(self.length);
      self.sort(compare);
      if (truth(named.get('reverse') ?? false)) self.reverse();
      return null;
    },
  ],
  ['copy', (self) => [...self]],
  [
    'clear',
    (self) => {
      self.length = 0;
      return null;
    },
  ],
]);

const DICT_METHODS: ReadonlyMap<string, Method<Dict>> = new Map<string, Method<Dict>>([
  ['get', (self, args) => self.get(args[0] ?? null) ?? args[1] ?? null],
  ['keys', (self) => self.keys()],
  ['values', (self) => self.values()],
  ['items', (self) => [...self.entries.values()].map(([key, value]) => new Tuple([key, value]))],
  ['has_key', (self, args) => self.get(args[0] ?? null) !== undefined],
  ['copy', (self) => new Dict(self.entries.values())],
  [
    'update',
    (self, args, meter) => {
      const other = args[0] ?? null;
      if (!(other instanceof Dict)) throw new Fault('type', 'update() needs a dictionary');
      meter.size(self.entries.size + other.entries.size);
      for (const [key, value] of other.entries.values()) self.set(key, value);
      return null;
    },
  ],
  [
    'setdefault',
    (self, args) => {
      const held = self.get(args[0] ?? null);
      if (held === undefined) self.set(args[0] ?? null, args[1] ?? null);
      return held ?? args[1] ?? null;
    },
  ],
  [
    'pop',
    (self, args) => {
      const held = self.get(args[0] ?? null) ?? args[1];
      if (held === undefined) throw new Fault('missing', `no key ${repr(args[0] ?? null)}`);
      removeKey(self, args[0] ?? null);
      return held;
    },
  ],
]);

function removeKey(dict: Dict, key: Value): void {
  for (const [text, [held]] of dict.entries) if (equal(held, key)) dict.entries.delete(text);
}

const setOf = (value: Value | undefined) => new PySet(iterate(value ?? null));
const SET_METHODS: ReadonlyMap<string, Method<PySet>> = new Map<string, Method<PySet>>([
  [
    'add',
    (self, args, meter) => {
      meter.size(self.items.size + 1);
      for (const [key, value] of new PySet([args[0] ?? null]).items) self.items.set(key, value);
      return null;
    },
  ],
  ['union', (self, args) => new PySet([...self.items.values(), ...iterate(args[0] ?? null)])],
  [
    'intersection',
    (self, args) => {
      const other = setOf(args[0]);
      return new PySet([...self.items].filter(([key]) => other.items.has(key)).map(([, value]) => value));
    },
  ],
  [
    'difference',
    (self, args) => {
      const other = setOf(args[0]);
      return new PySet([...self.items].filter(([key]) => !other.items.has(key)).map(([, value]) => value));
    },
  ],
]);

function bind<T>(self: T, methods: ReadonlyMap<string, Method<T>>, name: string): Callable | undefined {
  const method = methods.get(name);
  if (!method) return undefined;
  return new Callable(name, (args: Arguments, meter) => {
    for (const key of args.named.keys()) {
      const known = name === 'format' || (name === 'sort' && key === 'reverse') || /^r?split$/.test(name);
      if (!known) throw new Fault('unsupported', `${name}(${key}=…)`);
    }
    return method(self, args.positional, meter, args.named);
  });
}

/** The bound method, or undefined when the type has none of that name. */
export function methodOf(value: Value, name: string): Callable | undefined {
  if (typeof value === 'string') return bind(value, STRING_METHODS, name);
  if (Array.isArray(value)) return bind(value, LIST_METHODS, name);
  if (value instanceof Tuple)
    return name === 'index' || name === 'count' ? bind([...value.items], LIST_METHODS, name) : undefined;
  if (value instanceof Dict) return bind(value, DICT_METHODS, name);
  if (value instanceof PySet) return bind(value, SET_METHODS, name);
  return undefined;
}

/** `len(value)`. */
export function lengthOf(given: Value): number {
  const value = given;
  if (typeof value === 'string') return [...value].length;
  if (isSequence(value) || value instanceof Dict || value instanceof PySet) return integer(iterate(value).length);
  if (value !== null && typeof value === 'object' && 'iterate' in value) {
    const items = value.iterate();
    if (items) return items.length;
    const held = value.plain();
    if (typeof held === 'string' || isSequence(held)) return lengthOf(held);
  }
  throw new Fault('type', `object of type '${typeName(value)}' has no len()`);
}
