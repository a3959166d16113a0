/**
 * Galaxy's filters (`q=name-contains&qv=bam`) and orders (`hid-dsc,create_time-asc`) as pure functions over any kind of
 * item. A list of fields says what each can be compared by. Rejected: one hand-written filter per resource, which is how
 * the two lists of a client come to disagree.
 */
import { historyErrors } from './errors.js';

export type Operation = 'eq' | 'ne' | 'contains' | 'like' | 'in' | 'ge' | 'gt' | 'le' | 'lt';

type Reader<T> =
  | { kind: 'text'; of: (item: T) => string | null | undefined }
  | { kind: 'texts'; of: (item: T) => readonly string[] }
  | { kind: 'flag'; of: (item: T) => boolean }
  | { kind: 'number'; of: (item: T) => number }
  /** `slackMs` is taken off the lower bound: see `update_time-ge` in docs/PROTOCOL.md. */
  | { kind: 'time'; of: (item: T) => number; slackMs?: number };

export type Field<T> = Reader<T> & {
  /** Allowed values, where Galaxy refuses others. */
  values?: readonly string[];
  /** Direction when an order names none; absent: the field is not for ordering. */
  order?: 'asc' | 'dsc';
};

export type Fields<T> = Record<string, Field<T>>;

const OPERATIONS: Record<Reader<never>['kind'], readonly Operation[]> = {
  text: ['eq', 'ne', 'contains', 'like', 'in'],
  texts: ['eq', 'contains', 'like', 'in'],
  flag: ['eq'],
  number: ['eq', 'ne', 'in', 'ge', 'gt', 'le', 'lt'],
  time: ['eq', 'ge', 'gt', 'le', 'lt'],
};

const TRUE = new Set(['true', 't', 'yes', 'y', '1', 'on']);
const FALSE = new Set(['false', 'f', 'no', 'n', '0', 'off']);

/** All pairs must hold. Errors: `histories/bad-filter`. */
export function compileFilters<T>(
  fields: Fields<T>,
  names: readonly string[],
  values: readonly string[],
): (item: T) => boolean {
  if (names.length !== values.length) {
    throw historyErrors('bad-filter', {
      filter: names.join(', ') || 'qv',
      reason: `there are ${names.length} q and ${values.length} qv`,
    });
  }
  const tests = names.map((name, index) => compileOne(fields, name, values[index] as string));
  return (item) => tests.every((test) => test(item));
}

function compileOne<T>(fields: Fields<T>, filter: string, value: string): (item: T) => boolean {
  const refuse = (reason: string) => historyErrors('bad-filter', { filter, reason });
  const cut = filter.lastIndexOf('-');
  const name = cut > 0 ? filter.slice(0, cut) : filter;
  const operation = (cut > 0 ? filter.slice(cut + 1) : 'eq') as Operation;
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field === undefined) throw refuse(`there is no field "${name}"`);
  if (!OPERATIONS[field.kind].includes(operation)) throw refuse(`"${name}" is not compared with "${operation}"`);
  const wanted = operation === 'in' ? value.split(',').map((part) => part.trim()) : [value];
  for (const one of wanted) {
    if (field.values && !field.values.includes(one)) throw refuse(`"${one}" is not one of ${field.values.join(', ')}`);
  }
  switch (field.kind) {
    case 'flag': {
      const word = value.toLowerCase();
      if (!TRUE.has(word) && !FALSE.has(word)) throw refuse(`"${value}" is neither true nor false`);
      const expected = TRUE.has(word);
      return (item) => field.of(item) === expected;
    }
    case 'number': {
      const numbers = wanted.map(Number);
      if (numbers.some((number) => !Number.isFinite(number))) throw refuse(`"${value}" is not a number`);
      return (item) => compare(operation, field.of(item), numbers);
    }
    case 'time': {
      const at = parseTime(value);
      if (at === undefined) throw refuse(`"${value}" is not a time`);
      const bound = operation === 'ge' || operation === 'gt' ? at - (field.slackMs ?? 0) : at;
      return (item) => compare(operation, field.of(item), [bound]);
    }
    case 'text':
      return (item) => matches(operation, field.of(item) ?? '', wanted);
    case 'texts':
      return (item) => field.of(item).some((text) => matches(operation, text, wanted));
  }
}

function compare(operation: Operation, value: number, wanted: readonly number[]): boolean {
  const [first = 0] = wanted;
  switch (operation) {
    case 'ge':
      return value >= first;
    case 'gt':
      return value > first;
    case 'le':
      return value <= first;
    case 'lt':
      return value < first;
    case 'ne':
      return value !== first;
    default:
      return wanted.includes(value);
  }
}

function matches(operation: Operation, text: string, wanted: readonly string[]): boolean {
  const [first = ''] = wanted;
  switch (operation) {
    case 'contains':
      return text.toLowerCase().includes(first.toLowerCase());
    case 'like':
      return like(text.toLowerCase(), first.toLowerCase());
    case 'ne':
      return text !== first;
    default:
      return wanted.includes(text);
  }
}

/** SQL's LIKE with `%` alone; no regular expression is built, so no pattern can make it slow. */
export function like(text: string, pattern: string): boolean {
  const parts = pattern.split('%');
  const first = parts.shift() as string;
  if (parts.length === 0) return text === first;
  const last = parts.pop() as string;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
  let from = first.length;
  const end = text.length - last.length;
  for (const part of parts) {
    const at = text.indexOf(part, from);
    if (at < 0 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}

/** Galaxy's times carry no zone and are UTC; clients also send `Z` and offsets. */
export function parseTime(text: string): number | undefined {
  const clean = text.trim().replace(' ', 'T');
  if (!/^\d{4}-\d{2}-\d{2}(T|$)/.test(clean)) return undefined;
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(clean) || !clean.includes('T') ? clean : `${clean}Z`;
  const at = Date.parse(zoned);
  return Number.isNaN(at) ? undefined : at;
}

/** `hid-dsc,name`: the first that tells two items apart decides. Errors: `histories/bad-order`. */
export function compileOrder<T>(fields: Fields<T>, order: string): (a: T, b: T) => number {
  const keys = order
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const found = /^(.+?)(?:-(asc|dsc|desc))?$/.exec(part);
      const name = found?.[1] ?? part;
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (field?.order === undefined) {
        const known = Object.keys(fields).filter((key) => fields[key]?.order !== undefined);
        throw historyErrors('bad-order', { order: part, known: known.join(', ') });
      }
      const direction = found?.[2] === undefined ? field.order : found[2] === 'asc' ? 'asc' : 'dsc';
      return { field, sign: direction === 'asc' ? 1 : -1 };
    });
  return (a, b) => {
    for (const { field, sign } of keys) {
      const difference = compareField(field, a, b);
      if (difference !== 0) return sign * difference;
    }
    return 0;
  };
}

function compareField<T>(field: Field<T>, a: T, b: T): number {
  switch (field.kind) {
    case 'text': {
      const left = field.of(a) ?? '';
      const right = field.of(b) ?? '';
      return left < right ? -1 : left > right ? 1 : 0;
    }
    case 'texts':
      return field.of(a).length - field.of(b).length;
    case 'flag':
      return Number(field.of(a)) - Number(field.of(b));
    default:
      return field.of(a) - field.of(b);
  }
}

/** A page of a list that is already in order. */
export function page<T>(items: readonly T[], offset: number | undefined, limit: number | undefined): T[] {
  const start = offset ?? 0;
  return items.slice(start, limit === undefined ? undefined : start + limit);
}
