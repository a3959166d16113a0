/** The methods of sets. */
import { isSubset } from './compare.js';
import { attributeError, typeError } from './errors.js';
import { keyError } from './exceptions.js';
import { take } from './functions.js';
import { iterate } from './iterate.js';
import type { Method, Methods } from './methods.js';
import { arithmetic } from './operators.js';
import { type Arguments, type Meter, PySet, type Value, WEIGHT } from './values.js';

const table = new Map<string, Method<PySet>>();

function setOf(value: Value, meter: Meter): PySet {
  if (value instanceof PySet) return value;
  const items = iterate(value, meter);
  meter.size(items.length, WEIGHT.entry);
  return new PySet(items);
}

/** Over all the arguments, one after the other. */
function folded(operator: '|' | '&' | '-') {
  return (self: PySet, { positional }: Arguments, meter: Meter): PySet => {
    meter.size(self.items.size, WEIGHT.entry);
    let result = new PySet(self.items.values(), self.frozen);
    for (const other of positional) {
      const next = arithmetic(operator, result, setOf(other, meter), meter);
      if (next instanceof PySet) result = next;
    }
    return result;
  };
}

function changing(name: string, body: (self: PySet, args: Value[], meter: Meter) => Value): void {
  table.set(name, (self, { positional }, meter) => {
    if (self.frozen) throw attributeError(`'frozenset' object has no attribute '${name}'`);
    return body(self, positional, meter);
  });
}

function become(self: PySet, other: PySet): null {
  const items = [...other.items.values()];
  self.items.clear();
  for (const item of items) self.add(item);
  return null;
}

for (const [name, operator] of [
  ['union', '|'],
  ['intersection', '&'],
  ['difference', '-'],
] as const) {
  table.set(name, folded(operator));
}
for (const [name, operator] of [
  ['update', '|'],
  ['intersection_update', '&'],
  ['difference_update', '-'],
] as const) {
  changing(name, (self, positional, meter) =>
    become(self, folded(operator)(self, { positional, named: new Map() }, meter)),
  );
}
table.set('symmetric_difference', (self, args, meter) => {
  const [other = null] = take('symmetric_difference', args, ['other'], 1);
  return arithmetic('^', self, setOf(other, meter), meter);
});
table.set('issubset', (self, args, meter) => {
  const [other = null] = take('issubset', args, ['other'], 1);
  return isSubset(self, setOf(other, meter), meter);
});
table.set('issuperset', (self, args, meter) => {
  const [other = null] = take('issuperset', args, ['other'], 1);
  return isSubset(setOf(other, meter), self, meter);
});
table.set('isdisjoint', (self, args, meter) => {
  const [other = null] = take('isdisjoint', args, ['other'], 1);
  return iterate(other, meter).every((item) => !self.has(item));
});
table.set('copy', (self, _, meter) => {
  meter.size(self.items.size, WEIGHT.entry);
  return new PySet(self.items.values(), self.frozen);
});
changing('add', (self, [item], meter) => {
  if (item === undefined) throw typeError('set.add() takes exactly one argument (0 given)');
  meter.fits(self.items.size + 1);
  self.add(item);
  return null;
});
changing('discard', (self, [item = null]) => {
  remove(self, item);
  return null;
});
changing('remove', (self, [item = null]) => {
  if (!remove(self, item)) throw keyError(item);
  return null;
});
changing('pop', (self) => {
  for (const [key, item] of self.items) {
    self.items.delete(key);
    return item;
  }
  throw keyError('pop from an empty set');
});
changing('clear', (self) => {
  self.items.clear();
  return null;
});

function remove(self: PySet, item: Value): boolean {
  const [key] = new PySet([item]).items.keys();
  return key !== undefined && self.items.delete(key);
}

export const SET_METHODS = table as unknown as Methods<never>;
