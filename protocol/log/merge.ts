/**
 * Merging a patch into a record, by the four rules of patch.ts. Every rule takes a maximum (or a minimum, or a union)
 * under a total order, which is why merging is commutative, associative and idempotent. Stamps are unique within an
 * account unless a writer is broken; then the canonical JSON decides, so that even broken entries fold alike everywhere.
 */
import { canonicalJson } from './canonical.js';
import type { JsonObject, JsonValue, Stamp } from './entry.js';
import type { Patch, StoredRecord } from './patch.js';

/**
 * The record with the patch merged in: a new object, or `record` itself when the patch changes nothing. `applied` is
 * carried over; whoever applies sets it.
 */
export function mergePatch(record: StoredRecord | undefined, patch: Patch, stamp: Stamp): StoredRecord {
  const next: StoredRecord = record
    ? { ...record }
    : { kind: patch.kind, id: patch.id, last: {}, keys: {}, once: {}, best: {}, applied: 0 };
  let changed = record === undefined;
  if (patch.creates && (next.created === undefined || stamp < next.created)) {
    next.created = stamp;
    changed = true;
  }
  const last = patch.last && mergeLast(next.last, patch.last, stamp);
  if (last && last !== next.last) {
    next.last = last;
    changed = true;
  }
  for (const [field, values] of Object.entries(patch.keys ?? {})) {
    if (field === UNNAMEABLE) continue;
    const before = own(next.keys, field) ?? {};
    const merged = mergeLast(before, values, stamp);
    // An empty object is no news: it must not make a record differ from one that never saw it.
    if (merged === before) continue;
    next.keys = { ...next.keys, [field]: merged };
    changed = true;
  }
  for (const field of patch.once ?? []) {
    if (field === UNNAMEABLE || own(next.once, field)) continue;
    next.once = { ...next.once, [field]: true };
    changed = true;
  }
  for (const [field, offered] of Object.entries(patch.best ?? {})) {
    if (field === UNNAMEABLE) continue;
    const candidate = { rank: offered.rank, stamp, value: offered.value };
    const held = own(next.best, field);
    if (held && !isBetter(candidate, held)) continue;
    next.best = { ...next.best, [field]: candidate };
    changed = true;
  }
  return changed ? next : (record as StoredRecord);
}

/** The one name that an assignment would not store but obey. */
const UNNAMEABLE = '__proto__';

/** Users name keys: `constructor` is a name like any other. */
function own<T>(fields: { [field: string]: T }, field: string): T | undefined {
  return Object.hasOwn(fields, field) ? fields[field] : undefined;
}

type Stamped = { [field: string]: [Stamp, JsonValue] };

function mergeLast(held: Stamped, offered: JsonObject, stamp: Stamp): Stamped {
  let merged: Stamped | undefined;
  for (const [field, value] of Object.entries(offered)) {
    if (value === undefined || field === UNNAMEABLE) continue;
    const before = own(held, field);
    if (before && !isLater(stamp, value, before)) continue;
    merged ??= { ...held };
    merged[field] = [stamp, value];
  }
  return merged ?? held;
}

function isLater(stamp: Stamp, value: JsonValue, [heldStamp, heldValue]: [Stamp, JsonValue]): boolean {
  if (stamp !== heldStamp) return stamp > heldStamp;
  return canonicalJson(value) > canonicalJson(heldValue);
}

type Best = StoredRecord['best'][string];

/** Higher [epoch, attempt]; among equals the earlier, because that is what was shown. */
function isBetter(candidate: Best, held: Best): boolean {
  if (candidate.rank[0] !== held.rank[0]) return candidate.rank[0] > held.rank[0];
  if (candidate.rank[1] !== held.rank[1]) return candidate.rank[1] > held.rank[1];
  if (candidate.stamp !== held.stamp) return candidate.stamp < held.stamp;
  return canonicalJson(candidate.value) > canonicalJson(held.value);
}

/** Fields that a record has although no entry named them. */
const DEFAULTS: { [kind: string]: { [field: string]: JsonValue } } = {
  account: { preferences: {} },
  key: { revoked: false },
  session: { revoked: false },
  history: { purged: false },
  dataset: { purged: false, metadata: {} },
  job: { attempts: {}, cancelled: false },
};

/** `elements.3`: part 3 of the list `elements`. */
const PART = /^(.+)\.(\d+)$/;

/** Lists that were written in parts, in order. Parts of another rank than the highest are of a list that lost. */
export function listsOf(record: Pick<StoredRecord, 'best'>): { [field: string]: JsonValue[] } {
  const found: { field: string; number: number; best: Best }[] = [];
  for (const [name, best] of Object.entries(record.best)) {
    const [, field, number] = PART.exec(name) ?? [];
    if (field !== undefined) found.push({ field, number: Number(number), best });
  }
  const lists: { [field: string]: JsonValue[] } = {};
  for (const { field, best } of found.sort((a, b) => a.number - b.number)) {
    const isOutdone = found.some((other) => other.field === field && compareRanks(other.best.rank, best.rank) > 0);
    if (isOutdone || !Array.isArray(best.value)) continue;
    lists[field] = [...(lists[field] ?? []), ...best.value];
  }
  return lists;
}

function compareRanks(a: [number, number], b: [number, number]): number {
  return a[0] - b[0] || a[1] - b[1];
}

/** What AccountView gives: plain values. Undefined while the creation has not arrived. */
export function toPlain(record: StoredRecord): JsonObject | undefined {
  if (record.created === undefined) return undefined;
  const plain: JsonObject = structuredClone(DEFAULTS[record.kind] ?? {});
  for (const [field, [, value]] of Object.entries(record.last)) plain[field] = value;
  for (const [field, entries] of Object.entries(record.keys)) {
    const values: JsonObject = {};
    for (const [key, [, value]] of Object.entries(entries)) if (value !== null) values[key] = value;
    plain[field] = values;
  }
  for (const field of Object.keys(record.once)) plain[field] = true;
  for (const [field, best] of Object.entries(record.best)) if (!PART.test(field)) plain[field] = best.value;
  for (const [field, items] of Object.entries(listsOf(record))) {
    const before = plain[field];
    plain[field] = [...(Array.isArray(before) ? before : []), ...items];
  }
  plain.id = record.id;
  plain.applied = record.applied;
  return plain;
}
