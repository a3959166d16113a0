/**
 * One account's folded state in memory. It holds every record, shows those whose creation has arrived, and keeps the few
 * indexes that the API reads by.
 *
 * `applied` of a shown record is when anything it is derived from last changed here: its own fields, the outcome of its
 * job, for a collection its elements, for a history everything in it. Only a record's own change is stored; the rest is
 * derived again on loading. Rejected: storing the derived times, which would rewrite a collection of a thousand elements
 * a thousand times.
 */
import type { AccountView, CollectionRecord, DatasetRecord, RecordKind, Records } from '../account/records.js';
import { canonicalJson, deepFreeze } from './canonical.js';
import type { JsonObject, JsonValue, Stamp } from './entry.js';
import { listsOf, mergePatch, toPlain } from './merge.js';
import type { Patch, StoredRecord } from './patch.js';

interface Slot {
  record: StoredRecord;
  /** Effective: own change or that of what it is derived from. */
  applied: number;
  plain?: Records[RecordKind];
}

/** Shown records of one kind by id, in order of creation. */
class Shown {
  private ids: string[] = [];
  private sorted = true;

  add(id: string): void {
    const last = this.ids.at(-1);
    if (last !== undefined && id < last) {
      // A new list: one that is being walked keeps its order.
      if (this.sorted) this.ids = this.ids.slice();
      this.sorted = false;
    }
    this.ids.push(id);
  }

  inOrder(): readonly string[] {
    if (!this.sorted) {
      this.ids = this.ids.slice().sort();
      this.sorted = true;
    }
    return this.ids;
  }
}

interface HistoryIndex {
  datasets: Set<string>;
  collections: Set<string>;
  hidMax: number;
  /** The largest `applied` of anything in it, shown or not. */
  applied: number;
}

const RECORD_KINDS: readonly RecordKind[] = [
  'account',
  'key',
  'session',
  'history',
  'dataset',
  'collection',
  'job',
  'userTool',
];

export class FoldedView implements AccountView {
  private readonly slots = new Map<string, Map<string, Slot>>();
  private readonly shown = new Map<string, Shown>();
  private readonly histories = new Map<string, HistoryIndex>();
  /** What is derived from a record: job → its outputs, element → the collections that hold it. By `kind/id`. */
  private readonly dependents = new Map<string, Set<string>>();
  private count = 0;
  private highestApplied = 0;

  constructor(
    readonly account: string,
    records: Iterable<StoredRecord> = [],
  ) {
    for (const record of records) this.put(deepFreeze(record));
    for (const slots of this.slots.values()) {
      for (const slot of slots.values()) this.touch(slot, slot.record.applied, new Set());
    }
  }

  /** Records held, shown or not. */
  get size(): number {
    return this.count;
  }

  /** The largest `applied` of any record. */
  get appliedMax(): number {
    return this.highestApplied;
  }

  get<K extends RecordKind>(kind: K, id: string): Records[K] | undefined {
    const slot = this.slots.get(kind)?.get(id);
    return slot && (this.plain(slot) as Records[K] | undefined);
  }

  *list<K extends RecordKind>(kind: K): Iterable<Records[K]> {
    const ids = this.shown.get(kind)?.inOrder() ?? [];
    const length = ids.length;
    for (let index = 0; index < length; index++) yield this.get(kind, ids[index] as string) as Records[K];
  }

  items(history: string): { datasets: DatasetRecord[]; collections: CollectionRecord[] } {
    const index = this.histories.get(history);
    const pick = <K extends 'dataset' | 'collection'>(kind: K, ids: Iterable<string>) =>
      Array.from(ids, (id) => this.get(kind, id)).filter((item) => item !== undefined);
    return {
      datasets: pick('dataset', index?.datasets ?? []),
      collections: pick('collection', index?.collections ?? []),
    };
  }

  changedAt(history: string): number {
    return this.get('history', history) ? (this.histories.get(history)?.applied ?? 0) : 0;
  }

  nextHid(history: string): number {
    return (this.histories.get(history)?.hidMax ?? 0) + 1;
  }

  /** Every record with its stamps, in no order. */
  *stored(): Iterable<StoredRecord> {
    for (const slots of this.slots.values()) for (const slot of slots.values()) yield slot.record;
  }

  /** Merges a patch. Returns the record when the patch changed it. */
  apply(patch: Patch, stamp: Stamp, applied: number): StoredRecord | undefined {
    const before = this.slots.get(patch.kind)?.get(patch.id)?.record;
    const merged = mergePatch(before, patch, stamp);
    if (merged === before) return undefined;
    return this.replace({ ...merged, applied });
  }

  /** Sets a record as it is, and what is derived from it as changed. */
  replace(record: StoredRecord): StoredRecord {
    const slot = this.put(deepFreeze(record));
    this.touch(slot, record.applied, new Set());
    return record;
  }

  /** The record with a new apply time, and nothing else changed. */
  bump(kind: RecordKind, id: string, applied: number): StoredRecord {
    const slot = this.slots.get(kind)?.get(id);
    if (!slot) throw new Error(`no ${kind} ${id}`);
    return this.replace({ ...slot.record, applied });
  }

  private put(record: StoredRecord): Slot {
    let ofKind = this.slots.get(record.kind);
    if (!ofKind) {
      ofKind = new Map();
      this.slots.set(record.kind, ofKind);
    }
    const before = ofKind.get(record.id);
    const slot: Slot = { record, applied: Math.max(record.applied, before?.applied ?? 0) };
    ofKind.set(record.id, slot);
    if (!before) this.count++;
    this.index(before?.record, record);
    return slot;
  }

  private index(before: StoredRecord | undefined, record: StoredRecord): void {
    const { kind, id } = record;
    if (record.created !== undefined && before?.created === undefined) {
      let shown = this.shown.get(kind);
      if (!shown) {
        shown = new Shown();
        this.shown.set(kind, shown);
      }
      shown.add(id);
    }
    if (kind === 'history') this.historyIndex(id);
    if (kind !== 'dataset' && kind !== 'collection') return;
    const name = `${kind}/${id}`;
    for (const source of sourcesOf(before)) this.dependents.get(source)?.delete(name);
    for (const source of sourcesOf(record)) {
      const known = this.dependents.get(source);
      if (known) known.add(name);
      else this.dependents.set(source, new Set([name]));
    }
    const members = kind === 'dataset' ? 'datasets' : 'collections';
    const previous = before && text(before, 'history');
    const history = text(record, 'history');
    if (previous !== undefined && previous !== history) this.histories.get(previous)?.[members].delete(id);
    if (history === undefined) return;
    const index = this.historyIndex(history);
    // A collection inside another is no item.
    if (text(record, 'parent') === undefined) index[members].add(id);
    else index[members].delete(id);
    for (const field of ['hid', 'settledHid']) {
      const hid = record.last[field]?.[1];
      if (typeof hid === 'number' && hid > index.hidMax) index.hidMax = hid;
    }
  }

  private historyIndex(id: string): HistoryIndex {
    let index = this.histories.get(id);
    if (!index) {
      index = { datasets: new Set(), collections: new Set(), hidMax: 0, applied: 0 };
      this.histories.set(id, index);
    }
    return index;
  }

  /** `seen` ends a collection that holds itself. */
  private touch(slot: Slot, applied: number, seen: Set<string>): void {
    const { kind, id } = slot.record;
    const name = `${kind}/${id}`;
    if (seen.has(name)) return;
    seen.add(name);
    if (applied > this.highestApplied) this.highestApplied = applied;
    if (applied > slot.applied) slot.applied = applied;
    slot.plain = undefined;
    const history = kind === 'history' ? id : text(slot.record, 'history');
    // A submitted job belongs to a history too, but is not one of its items: its outputs are.
    if (history !== undefined && kind !== 'job') {
      const index = this.historyIndex(history);
      if (applied > index.applied) index.applied = applied;
      const owner = this.slots.get('history')?.get(history);
      if (owner && owner !== slot && applied > owner.applied) {
        owner.applied = applied;
        owner.plain = undefined;
      }
    }
    for (const dependent of this.dependents.get(name) ?? []) {
      const [dependentKind, dependentId] = dependent.split('/') as [string, string];
      const target = this.slots.get(dependentKind)?.get(dependentId);
      if (target) this.touch(target, applied, seen);
    }
  }

  private plain(slot: Slot): Records[RecordKind] | undefined {
    if (slot.plain === undefined && slot.record.created !== undefined) {
      const plain = toPlain(slot.record) as JsonObject;
      plain.applied = slot.applied;
      // Entries are checked against their schemas before they are folded, so a created record has its kind's shape.
      slot.plain = deepFreeze(plain) as unknown as Records[RecordKind];
    }
    return slot.plain;
  }
}

/** What a dataset's or a collection's state is derived from. */
function sourcesOf(record: StoredRecord | undefined): string[] {
  if (!record) return [];
  const job = text(record, 'job');
  const sources = job === undefined ? [] : [`job/${job}`];
  const elements = record.last.elements?.[1];
  for (const element of [...(Array.isArray(elements) ? elements : []), ...(listsOf(record).elements ?? [])]) {
    if (isObject(element) && typeof element.id === 'string') sources.push(`${element.kind}/${element.id}`);
  }
  return sources;
}

function text(record: StoredRecord, field: string): string | undefined {
  const value = record.last[field]?.[1];
  return typeof value === 'string' ? value : undefined;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Canonical JSON of everything shown, without `applied`: equal on every node that has the same entries. */
export function canonicalView(view: AccountView): string {
  const shown: JsonObject = {};
  for (const kind of RECORD_KINDS) {
    const records: JsonObject = {};
    for (const { applied: _, ...record } of view.list(kind)) records[record.id] = record as unknown as JsonObject;
    shown[kind] = records;
  }
  return canonicalJson(shown);
}
