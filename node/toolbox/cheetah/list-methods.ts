/** The methods of lists. */
import { equal, sorted } from './compare.js';
import { indexError, valueError } from './errors.js';
import { call, readSignature, take, wholeOf } from './functions.js';
import { iterate } from './iterate.js';
import type { Method, Methods } from './methods.js';
import { repr } from './text.js';
import { type Meter, plain, truth, type Value } from './values.js';

const table = new Map<string, Method<Value[]>>();

function method(
  name: string,
  signature: string,
  body: (self: Value[], args: (Value | undefined)[], meter: Meter) => Value,
): void {
  const { names, required } = readSignature(signature);
  table.set(name, (self, args, meter) => body(self, take(name, args, names, required), meter));
}

function position(self: readonly Value[], [item = null, start, stop]: (Value | undefined)[], meter: Meter): number {
  const clip = (given: Value | undefined, otherwise: number) => {
    if (given === undefined) return otherwise;
    const index = wholeOf(given, 'index()');
    return Math.max(0, index < 0 ? index + self.length : index);
  };
  const end = Math.min(self.length, clip(stop, self.length));
  for (let i = clip(start, 0); i < end; i++) {
    meter.step();
    if (equal(self[i] ?? null, item, meter)) return i;
  }
  throw valueError(`${repr(plain(item))} is not in list`);
}

method('append', 'object', (self, [item = null], meter) => {
  meter.fits(self.length + 1);
  self.push(item);
  return null;
});
method('extend', 'iterable', (self, [items = null], meter) => {
  const more = [...iterate(items, meter)];
  meter.size(self.length + more.length);
  for (const item of more) self.push(item);
  return null;
});
method('insert', 'index object', (self, [index, item = null], meter) => {
  meter.fits(self.length + 1);
  meter.step(1 + Math.floor(self.length / 100));
  self.splice(wholeOf(index, 'insert()'), 0, item);
  return null;
});
method('pop', 'index?', (self, [given], meter) => {
  if (self.length === 0) throw indexError('pop from empty list');
  const index = given === undefined ? -1 : wholeOf(given, 'pop()');
  const at = index < 0 ? index + self.length : index;
  if (at < 0 || at >= self.length) throw indexError('pop index out of range');
  meter.step(1 + Math.floor((self.length - at) / 100));
  const [removed = null] = self.splice(at, 1);
  return removed;
});
method('remove', 'value', (self, [item = null], meter) => {
  for (const [index, held] of self.entries()) {
    meter.step();
    if (!equal(held, item, meter)) continue;
    meter.step(Math.floor((self.length - index) / 100));
    self.splice(index, 1);
    return null;
  }
  throw valueError('list.remove(x): x not in list');
});
method('index', 'value start? stop?', position);
method('count', 'value', (self, [item = null], meter) => {
  meter.step(self.length);
  return self.filter((held) => equal(held, item, meter)).length;
});
method('reverse', '', (self, _, meter) => {
  meter.size(self.length);
  self.reverse();
  return null;
});
table.set('sort', (self, args, meter) => {
  const old = meter.python === 2;
  const [first, key, reverse] = old
    ? take('sort', args, ['cmp', 'key', 'reverse'], 0)
    : [undefined, ...take('sort', { ...args, positional: args.positional.slice(0, 0) }, ['key', 'reverse'], 0)];
  const inOrder = sorted(
    self,
    {
      reverse: truth(reverse ?? false),
      ...(key !== undefined && key !== null ? { key: (value: Value) => call(key, [value], meter) } : {}),
      ...(first !== undefined && first !== null
        ? { order: (a: Value, b: Value) => wholeOf(call(first, [a, b], meter), 'cmp') }
        : {}),
    },
    meter,
  );
  for (const [index, item] of inOrder.entries()) self[index] = item;
  return null;
});
method('copy', '', (self, _, meter) => {
  meter.size(self.length);
  return [...self];
});
method('clear', '', (self) => {
  self.length = 0;
  return null;
});

export const LIST_METHODS = table as unknown as Methods<never>;
