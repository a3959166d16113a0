/**
 * The order-free fold: an entry becomes patches, patches merge into records, and merging is commutative, associative
 * and idempotent, so any permutation and duplication of entries gives the same record.
 *
 * Per field one of four rules:
 * - `last`: the highest stamp wins;
 * - `keys`: an object, each key with the rule `last` (null removes);
 * - `once`: true for ever after it was true once;
 * - `best`: the value with the highest rank [epoch, attempt] wins, among equals the earliest stamp (what was shown stays).
 */
import type { JsonObject, JsonValue, Stamp } from './entry.js';

export type MergeRule = 'last' | 'keys' | 'once' | 'best';

export interface Patch {
  kind: string;
  id: string;
  /** This entry creates the record. A record without a creation is kept, and not shown. */
  creates?: boolean;
  last?: JsonObject;
  keys?: { [field: string]: JsonObject };
  once?: string[];
  best?: { [field: string]: { rank: [number, number]; value: JsonValue } };
}

/** A record as it is stored: each value with the stamp that decides over it. */
export interface StoredRecord {
  kind: string;
  id: string;
  /** Stamp of the earliest creation; absent while only later entries have arrived. */
  created?: Stamp;
  last: { [field: string]: [Stamp, JsonValue] };
  keys: { [field: string]: { [key: string]: [Stamp, JsonValue] } };
  once: { [field: string]: true };
  best: { [field: string]: { rank: [number, number]; stamp: Stamp; value: JsonValue } };
  /** Local and outside the view's equality: when this node applied the last change, milliseconds, strictly rising. */
  applied: number;
}
