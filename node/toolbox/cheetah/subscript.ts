/** `value[index]` and `value[start:stop:step]`, read and written. */
import { chargeKey } from './compare.js';
import { indexError, typeError, valueError } from './errors.js';
import { keyError } from './exceptions.js';
import { characters } from './text.js';
import {
  Callable,
  chargeText,
  Dict,
  isSequence,
  itemsOf,
  type Meter,
  plain,
  Range,
  TemplateObject,
  Tuple,
  typeName,
  type Value,
  WEIGHT,
} from './values.js';

export function itemOf(object: Value, key: Value, meter: Meter): Value {
  if (object instanceof Dict) {
    chargeKey(key, meter);
    const held = object.get(key);
    if (held !== undefined) return held;
    if (object.missing) {
      const made = object.missing(meter);
      if (object.kind === 'defaultdict') object.set(key, made);
      return made;
    }
    throw keyError(key);
  }
  if (object instanceof TemplateObject) {
    const held = object.item(key);
    if (held !== undefined) return held;
    const inner = object.iterate() ?? object.plain();
    if (inner instanceof TemplateObject) throw typeError(`'${typeName(object)}' object is not subscriptable`);
    return itemOf(inner, key, meter);
  }
  if (typeof object === 'string') {
    chargeText(object.length, meter);
    const all = characters(object);
    return all[indexIn(all.length, key, 'string', typeName(object))] ?? '';
  }
  if (isSequence(object)) {
    const items = itemsOf(object);
    return items[indexIn(items.length, key, typeName(object), typeName(object))] ?? null;
  }
  if (object instanceof Range) return object.at(indexIn(object.length, key, 'range object', 'range'));
  throw typeError(`'${object instanceof Callable ? object.name : typeName(object)}' object is not subscriptable`);
}

function indexIn(length: number, given: Value, what: string, type: string): number {
  const index = plain(given, 0);
  const number = typeof index === 'boolean' ? Number(index) : index;
  if (typeof number === 'bigint') throw indexError(`cannot fit 'int' into an index-sized integer`);
  if (typeof number !== 'number') throw typeError(`${type} indices must be integers or slices, not ${typeName(index)}`);
  const at = number < 0 ? number + length : number;
  if (at < 0 || at >= length) throw indexError(`${what} index out of range`);
  return at;
}

/** The indexes that a slice picks. */
function picks(length: number, bounds: readonly Value[]): { start: number; count: number; step: number } {
  const read = (given: Value | undefined): number | undefined => {
    const value = plain(given ?? null, 0);
    if (value === null) return undefined;
    if (typeof value === 'boolean') return Number(value);
    if (typeof value === 'bigint') return value > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
    if (typeof value !== 'number')
      throw typeError('slice indices must be integers or None or have an __index__ method');
    return value;
  };
  const step = read(bounds[2]) ?? 1;
  if (step === 0) throw valueError('slice step cannot be zero');
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const clip = (index: number) => Math.min(high, Math.max(low, index < 0 ? index + length : index));
  const [from, to] = [read(bounds[0]), read(bounds[1])];
  const start = from === undefined ? (step > 0 ? 0 : length - 1) : clip(from);
  const stop = to === undefined ? (step > 0 ? length : -1) : clip(to);
  return { start, count: Math.max(0, Math.ceil((stop - start) / step)), step };
}

export function sliceOf(given: Value, bounds: readonly Value[], meter: Meter): Value {
  const object = given instanceof TemplateObject ? (given.iterate() ?? given.plain()) : given;
  if (object instanceof Range) {
    const { start, count, step } = picks(object.length, bounds);
    return new Range(object.at(start), object.at(start + count * step), object.step * step);
  }
  if (typeof object !== 'string' && !isSequence(object)) {
    if (object instanceof Dict) throw typeError("unhashable type: 'slice'");
    throw typeError(`'${typeName(object)}' object is not subscriptable`);
  }
  if (typeof object === 'string') chargeText(object.length, meter);
  const all = typeof object === 'string' ? characters(object) : itemsOf(object);
  const { start, count, step } = picks(all.length, bounds);
  meter.size(count, typeof object === 'string' ? WEIGHT.character : 1);
  if (typeof all === 'string' && step === 1) return all.slice(start, start + count);
  const picked: Value[] = [];
  for (let i = 0; i < count; i++) picked.push(all[start + i * step] ?? null);
  if (typeof object === 'string') return picked.join('');
  return Array.isArray(object) ? picked : new Tuple(picked);
}

export function storeItem(object: Value, key: Value, value: Value, meter: Meter): void {
  if (object instanceof Dict) {
    chargeKey(key, meter);
    meter.fits(object.size + 1);
    object.set(key, value);
  } else if (Array.isArray(object)) {
    object[indexIn(object.length, key, 'list assignment', 'list')] = value;
  } else throw typeError(`'${typeName(object)}' object does not support item assignment`);
}

export function deleteItem(object: Value, key: Value, meter: Meter): void {
  meter.step(Array.isArray(object) ? 1 + Math.floor(object.length / 100) : 1);
  if (object instanceof Dict) {
    if (!object.delete(key)) throw keyError(key);
  } else if (Array.isArray(object)) object.splice(indexIn(object.length, key, 'list assignment', 'list'), 1);
  else throw typeError(`'${typeName(object)}' object doesn't support item deletion`);
}
