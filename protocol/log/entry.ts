/**
 * What the account log is made of. See docs/PROTOCOL.md, "The account log".
 *
 * A *segment* is written by one process of one node under one lease; nothing else ever continues it. Entries of a
 * segment are numbered from 1 and hash-chained; entries of different segments may be applied in any order, because
 * folding is order-free (protocol/account/).
 */

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** 16 lower-case hex digits: 48 bits milliseconds since 1970, 16 bits counter. Compares as a string. */
export type HybridTime = string;

/** 16 lower-case hex digits, random, drawn at each start of a process. */
export type WriterId = string;

/**
 * Which lease: `term * 2 ** 32 + n`. A coordinator's term prefixes the number, so that a restored coordinator never
 * repeats one. 0 is a node that is its own directory.
 */
export type Epoch = number;

export interface SegmentKey {
  account: string;
  epoch: Epoch;
  writer: WriterId;
}

export interface Entry extends SegmentKey {
  /** From 1, without gaps. */
  seq: number;
  time: HybridTime;
  type: string;
  /** Version of the payload's schema. */
  version: number;
  /** At most 64 KiB as JSON; more is a blob. */
  payload: JsonObject;
}

/** An entry before the log gives it its place. */
export interface Draft {
  type: string;
  payload: JsonObject;
}

/** Orders two writes of one field: hybrid time, then writer. 32 hex digits; unique within an account. */
export type Stamp = string;

export function stampOf(entry: Pick<Entry, 'time' | 'writer'>): Stamp {
  return entry.time + entry.writer;
}

export function segmentKeyText(key: SegmentKey): string {
  return `${key.account}/${String(key.epoch).padStart(16, '0')}/${key.writer}`;
}
