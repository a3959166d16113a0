/**
 * Brings one account from disk into memory. The first time in a process every entry is read and its chain followed, so
 * that a store with a hole in it is refused and not served, merged or copied to others; later loads (after an eviction)
 * read the records alone. When the records were folded by another version of the reducers, they are folded anew.
 */
import type { Clock } from '../runtime/clock.js';
import { printable } from '../runtime/errors.js';
import type { Store, StoreOp } from '../runtime/store.js';
import { type AccountState, loadedSegment, putAccount, type SegmentState } from './account-state.js';
import { canonicalJson } from './canonical.js';
import type { Entry, JsonValue } from './entry.js';
import { foldInto, REDUCER_VERSION } from './fold.js';
import { HYBRID_TIME_ZERO, HybridClock } from './hybrid-clock.js';
import { below, entryKey, LOG_NAMESPACE, parseSegmentKey, recordKey } from './namespaces.js';
import type { StoredRecord } from './patch.js';
import { accountRow, positionRow, putRecord, type RowReader, segmentRow } from './rows.js';
import { chainHash, decodeEntry, headerHash } from './segment.js';
import { FoldedView } from './view.js';

export interface LoaderDeps {
  store: Pick<Store, 'get' | 'iterate' | 'commit'>;
  clock: Pick<Clock, 'now'>;
  rows: RowReader;
}

export interface LoadRequest {
  account: string;
  generation: number;
  /** Follow every chain. */
  verify: boolean;
  /** An apply time above all given out so far: what folding anew changes gets this one, or a higher one if stored ones are. */
  applied: number;
}

/** Errors: `log/corrupt`, the store's. `refolded` says how many records a newer reducer changed. */
export async function loadAccount(
  deps: LoaderDeps,
  request: LoadRequest,
): Promise<{ state: AccountState; refolded: number | undefined; applied: number }> {
  const { account, generation } = request;
  const bytes = await deps.store.get(LOG_NAMESPACE.account, account);
  const row = bytes && deps.rows.json(accountRow, LOG_NAMESPACE.account, account, bytes);
  const segments = await loadSegments(deps, account);
  const isCurrent = row?.reducer === REDUCER_VERSION || (row === undefined && segments.size === 0);
  const held = await loadRecords(deps, account);
  if (segments.size === 0 && (row !== undefined || held.size > 0)) {
    throw deps.rows.corrupt(LOG_NAMESPACE.segment, account, 'the account has records and no segment');
  }
  let records = held;
  let clockLast = row?.clock ?? HYBRID_TIME_ZERO;
  let refolded: number | undefined;
  if (request.verify || !isCurrent) {
    const folded = new Map<string, StoredRecord>();
    const refold = (entry: Entry) => {
      if (entry.time > clockLast) clockLast = entry.time;
      foldInto(folded, entry);
    };
    await walkEntries(deps, account, segments, isCurrent ? undefined : refold);
    if (!isCurrent) {
      let applied = Math.max(request.applied, (row?.applied ?? 0) + 1);
      for (const record of held.values()) if (record.applied >= applied) applied = record.applied + 1;
      const ops = replaceRecords(account, held, folded, applied);
      refolded = ops.length;
      await deps.store.commit([...ops, putAccount(account, clockLast, applied)]);
      records = folded;
    }
  }
  const view = new FoldedView(account, records.values());
  const clock = new HybridClock(deps, clockLast);
  return {
    state: { account, generation, view, clock, segments, users: 0, weight: 0 },
    refolded,
    applied: Math.max(row?.applied ?? 0, view.appliedMax),
  };
}

async function loadSegments(deps: LoaderDeps, account: string): Promise<Map<string, SegmentState>> {
  const { store, rows } = deps;
  const headers = new Map<string, Uint8Array>();
  for await (const [text, bytes] of store.iterate(LOG_NAMESPACE.segment, below(account))) headers.set(text, bytes);
  const segments = new Map<string, SegmentState>();
  for await (const [text, bytes] of store.iterate(LOG_NAMESPACE.position, below(account))) {
    const key = parseSegmentKey(text);
    if (key === undefined) throw rows.corrupt(LOG_NAMESPACE.position, text, 'its key is not that of a segment');
    const header = headers.get(text);
    if (header === undefined) throw rows.corrupt(LOG_NAMESPACE.segment, text, 'it is missing');
    headers.delete(text);
    const position = rows.json(positionRow, LOG_NAMESPACE.position, text, bytes);
    const segment = rows.json(segmentRow, LOG_NAMESPACE.segment, text, header);
    segments.set(text, loadedSegment(key, segment, position));
  }
  for (const text of headers.keys()) throw rows.corrupt(LOG_NAMESPACE.position, text, 'it is missing');
  return segments;
}

async function loadRecords(deps: LoaderDeps, account: string): Promise<Map<string, StoredRecord>> {
  const records = new Map<string, StoredRecord>();
  for await (const [key, bytes] of deps.store.iterate(LOG_NAMESPACE.record, below(account))) {
    const record = deps.rows.record(key, bytes);
    records.set(`${record.kind}/${record.id}`, record);
  }
  return records;
}

/** Visits every entry in the order of keys (decoding them only then), and checks that each segment is whole and leads to the hash noted for it. */
async function walkEntries(
  deps: LoaderDeps,
  account: string,
  segments: ReadonlyMap<string, SegmentState>,
  visit: ((entry: Entry) => void) | undefined,
): Promise<void> {
  const { rows } = deps;
  const ns = LOG_NAMESPACE.entry;
  const reached = new Map<string, { seq: number; hash: Uint8Array }>();
  for (const segment of segments.values()) reached.set(segment.text, { seq: 0, hash: headerHash(segment) });
  for await (const [key, row] of deps.store.iterate(ns, below(account))) {
    const text = key.slice(0, key.lastIndexOf('/'));
    const segment = segments.get(text);
    const at = reached.get(text);
    if (segment === undefined || at === undefined) throw rows.corrupt(LOG_NAMESPACE.segment, text, 'it is missing');
    const expected = entryKey(text, at.seq + 1);
    if (key !== expected) throw rows.corrupt(ns, expected, 'it is missing');
    if (at.seq >= segment.chain.seq) throw rows.corrupt(ns, key, 'it lies past the end of its segment');
    const { hash, bytes } = rows.entry(key, row);
    if (Buffer.compare(hash, chainHash(at.hash, bytes)) !== 0) throw rows.corrupt(ns, key, 'its hash does not fit');
    at.seq++;
    at.hash = hash;
    if (visit === undefined) continue;
    try {
      visit(decodeEntry(segment.key, bytes));
    } catch (error) {
      throw rows.corrupt(ns, key, printable((error as Error).message), error);
    }
  }
  for (const segment of segments.values()) {
    const at = reached.get(segment.text) as { seq: number; hash: Uint8Array };
    if (at.seq < segment.chain.seq) throw rows.corrupt(ns, entryKey(segment.text, at.seq + 1), 'it is missing');
    if (Buffer.compare(at.hash, segment.chain.hash) !== 0) {
      throw rows.corrupt(LOG_NAMESPACE.position, segment.text, 'its hash does not fit the entries');
    }
  }
}

/** What to write so that `folded` is what is stored; sets `applied` in `folded`: kept where nothing changed. */
function replaceRecords(
  account: string,
  held: ReadonlyMap<string, StoredRecord>,
  folded: Map<string, StoredRecord>,
  applied: number,
): StoreOp[] {
  const ops: StoreOp[] = [];
  for (const [name, record] of folded) {
    const before = held.get(name);
    if (before && sameContent(before, record)) folded.set(name, before);
    else {
      const changed = { ...record, applied };
      folded.set(name, changed);
      ops.push(putRecord(account, changed));
    }
  }
  for (const [name, record] of held) {
    if (folded.has(name)) continue;
    ops.push({ ns: LOG_NAMESPACE.record, key: recordKey(account, record.kind, record.id), delete: true });
  }
  return ops;
}

function sameContent(a: StoredRecord, b: StoredRecord): boolean {
  const text = (record: StoredRecord) => canonicalJson({ ...record, applied: 0 } as unknown as JsonValue);
  return text(a) === text(b);
}
