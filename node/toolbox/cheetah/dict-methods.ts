/** The methods of dictionaries, OrderedDict, defaultdict and Counter. */
import { chargeKey, compare } from './compare.js';
import { typeError, valueError } from './errors.js';
import { keyError } from './exceptions.js';
import { readSignature, take, wholeOf } from './functions.js';
import { iterate, iterator } from './iterate.js';
import type { Method, Methods } from './methods.js';
import {
  type Arguments,
  Dict,
  DictView,
  firstOf,
  type Meter,
  PyIterator,
  plain,
  truth,
  type Value,
  WEIGHT,
} from './values.js';

const table = new Map<string, Method<Dict>>();

function method(
  name: string,
  signature: string,
  body: (self: Dict, args: (Value | undefined)[], meter: Meter) => Value,
): void {
  const { names, required } = readSignature(signature);
  table.set(name, (self, args, meter) => body(self, take(name, args, names, required), meter));
}

/** Under Python 3 a view, under Python 2 a list. */
function view(self: Dict, kind: 'keys' | 'values' | 'items', meter: Meter): Value {
  if (meter.python === 3) return new DictView(kind, self);
  meter.size(self.size);
  return self[kind]();
}

for (const kind of ['keys', 'values', 'items'] as const) {
  method(kind, '', (self, _, meter) => view(self, kind, meter));
  method(`iter${kind}`, '', (self) => new PyIterator(`dictionary-${kind}iterator`, iterator(new DictView(kind, self))));
  method(`view${kind}`, '', (self) => new DictView(kind, self));
}
method('get', 'key default?', (self, [key = null, otherwise = null], meter) => {
  chargeKey(key, meter);
  return firstOf(self.get(key), otherwise) as Value;
});
method('has_key', 'key', (self, [key = null], meter) => {
  chargeKey(key, meter);
  return self.has(key);
});
method('copy', '', (self, _, meter) => {
  meter.size(self.size, WEIGHT.entry);
  const copy = new Dict(self.entries.values());
  copy.kind = self.kind;
  copy.missing = self.missing;
  return copy;
});
method('clear', '', (self) => {
  self.entries.clear();
  return null;
});
method('setdefault', 'key default?', (self, [key = null, otherwise = null], meter) => {
  chargeKey(key, meter);
  const held = self.get(key);
  if (held !== undefined) return held;
  meter.fits(self.size + 1);
  self.set(key, otherwise);
  return otherwise;
});
method('pop', 'key default?', (self, [key = null, otherwise]) => {
  const held = firstOf(self.get(key), otherwise);
  if (held === undefined) throw keyError(key);
  self.delete(key);
  return held;
});
method('popitem', 'last?', (self, [last], meter) => {
  meter.step(Math.ceil(self.size / 20));
  const items = self.items();
  const item = truth(last ?? true) ? items.at(-1) : items[0];
  if (!item) throw keyError('popitem(): dictionary is empty');
  self.delete(item.items[0] ?? null);
  return item;
});
method('move_to_end', 'key last?', (self, [key = null, last], meter) => {
  meter.step(Math.ceil(self.size / 20));
  const value = self.get(key);
  if (value === undefined) throw keyError(key);
  self.delete(key);
  const others = truth(last ?? true) ? [] : [...self.entries];
  if (others.length > 0) self.entries.clear();
  self.set(key, value);
  for (const [inner, entry] of others) self.entries.set(inner, entry);
  return null;
});
table.set('update', (self, args, meter) => {
  update(self, args, meter);
  return null;
});
method('most_common', 'n?', (self, [count], meter) => {
  meter.size(self.size, WEIGHT.entry);
  meter.step(Math.ceil(self.size * Math.log2(self.size + 1)));
  const items = self.items();
  items.sort((a, b) => compare(b.items[1] ?? null, a.items[1] ?? null, meter));
  return count === undefined || count === null ? items : items.slice(0, wholeOf(count, 'most_common()'));
});
method('elements', '', (self, _, meter) => {
  const all: Value[] = [];
  for (const [key, count] of self.entries.values()) {
    const times = wholeOf(count, 'elements()');
    meter.size(all.length + Math.max(0, times));
    for (let i = 0; i < times; i++) all.push(key);
  }
  return all;
});

/** `dict(…)` and `update(…)`: pairs or a dictionary, then names. */
export function update(self: Dict, { positional, named }: Arguments, meter: Meter): void {
  if (positional.length > 1) throw typeError(`expected at most 1 argument, got ${positional.length}`);
  const source = positional[0] === undefined ? null : plain(positional[0]);
  if (self.kind === 'Counter' && !(source instanceof Dict) && source !== null) {
    for (const item of iterate(source, meter)) self.set(item, wholeOf(self.get(item) ?? 0, 'Counter') + 1);
  } else if (source instanceof Dict) {
    meter.size(self.size + source.size, WEIGHT.entry);
    for (const [key, value] of source.entries.values()) self.set(key, value);
  } else if (positional[0] !== undefined) {
    for (const [index, pair] of iterate(source, meter).entries()) {
      const items = iterate(pair, meter);
      if (items.length !== 2) {
        throw valueError(`dictionary update sequence element #${index} has length ${items.length}; 2 is required`);
      }
      self.set(items[0] ?? null, items[1] ?? null);
    }
  }
  for (const [key, value] of named) self.set(key, value);
}

export const DICT_METHODS = table as unknown as Methods<never>;
