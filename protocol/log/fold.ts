/**
 * Entries to records, as a pure function: what a view is rebuilt from, and what tests compare with. The order of the
 * entries does not matter, and neither does their repetition.
 */
import { patchesOf } from '../account/entries.js';
import { deepFreeze } from './canonical.js';
import { type Entry, stampOf } from './entry.js';
import { mergePatch } from './merge.js';
import type { StoredRecord } from './patch.js';

/**
 * Raised whenever folding the same entries gives other records than before: a stored view of another version is folded
 * anew from its entries.
 */
export const REDUCER_VERSION = 3;

export type FoldedEntry = Pick<Entry, 'time' | 'writer' | 'type' | 'payload'>;

/** By `kind/id`, including records whose creation has not arrived. `into` is what was folded before. */
export function fold(
  entries: Iterable<FoldedEntry>,
  into: ReadonlyMap<string, StoredRecord> = new Map(),
): Map<string, StoredRecord> {
  const records = new Map(into);
  for (const entry of entries) foldInto(records, entry);
  return records;
}

/** One entry; changes `records`. For callers that stream entries from disk. */
export function foldInto(records: Map<string, StoredRecord>, entry: FoldedEntry): void {
  const stamp = stampOf(entry);
  for (const patch of patchesOf(entry.type, deepFreeze(entry.payload))) {
    const name = `${patch.kind}/${patch.id}`;
    records.set(name, mergePatch(records.get(name), patch, stamp));
  }
}
