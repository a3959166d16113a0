/** Running over values: one by one for loops, all at once for what needs a list. */
import { PythonError, typeError, valueError } from './errors.js';
import { characters } from './text.js';
import {
  Dict,
  DictView,
  isSequence,
  itemsOf,
  type Meter,
  PyIterator,
  PySet,
  Range,
  TemplateObject,
  Tuple,
  typeName,
  type Value,
} from './values.js';

export type Next = () => Value | undefined;

/** A list that grows while it is run over is seen to grow, as in Python. */
export function iterator(value: Value): Next {
  if (typeof value === 'string') return over(characters(value));
  if (isSequence(value)) return over(itemsOf(value));
  if (value instanceof PyIterator) return value.next;
  if (value instanceof Range) {
    let i = 0;
    return () => (i < value.length ? value.at(i++) : undefined);
  }
  if (value instanceof Dict) return overDict(value, 'keys');
  if (value instanceof DictView) return overDict(value.dict, value.kind);
  if (value instanceof PySet) return over([...value.items.values()]);
  if (value instanceof TemplateObject) {
    const items = value.iterate();
    if (items) return over(items);
    const held = value.plain();
    if (!(held instanceof TemplateObject) && held !== null) return iterator(held);
  }
  throw typeError(`'${typeName(value)}' object is not iterable`);
}

function over(items: readonly Value[] | string): Next {
  let i = 0;
  return () => (i < items.length ? items[i++] : undefined);
}

function overDict(dict: Dict, kind: 'keys' | 'values' | 'items'): Next {
  const inner = dict.entries.values();
  const { size } = dict;
  return () => {
    if (dict.size !== size) throw new PythonError('RuntimeError', 'dictionary changed size during iteration');
    const { done, value } = inner.next();
    if (done) return undefined;
    return kind === 'keys' ? value[0] : kind === 'values' ? value[1] : new Tuple(value);
  };
}

/** All items; counted, so that what has no end stops. Not to be changed: it may be the list itself. */
export function iterate(value: Value, meter: Meter): readonly Value[] {
  if (isSequence(value)) {
    const items = itemsOf(value);
    // Whoever asks for all items keeps a list of them, as a rule.
    meter.step();
    meter.size(items.length);
    return items;
  }
  if (value instanceof Range) meter.fits(value.length);
  const next = iterator(value);
  const items: Value[] = [];
  for (let item = next(); item !== undefined; item = next()) {
    items.push(item);
    if (items.length % 64 === 0) meter.step(64);
    if (items.length % 8192 === 0) meter.fits(items.length);
  }
  meter.size(items.length);
  return items;
}

/** The values of a generator, which must not ask itself for the next one. */
export function pulled(generator: Generator<Value, undefined>): Next {
  let running = false;
  return () => {
    if (running) throw valueError('generator already executing');
    running = true;
    try {
      const { done, value } = generator.next();
      return done ? undefined : value;
    } finally {
      running = false;
    }
  };
}

/** What map(), filter() and zip() give: under Python 2 a list, at once. */
export function lazily(kind: string, meter: Meter, next: Next): Value {
  const result = new PyIterator(kind, next);
  return meter.python === 2 ? [...iterate(result, meter)] : result;
}
