/**
 * The bytes of a segment and its hash chain: `hash 0 = H(header)`, `hash n = H(hash n-1 ‖ bytes of entry n)`, BLAKE3.
 * The header holds the key, the lease and the base, so an entry needs to repeat none of them: moved to another segment
 * it breaks the chain. The bytes that are hashed are the bytes that are stored and sent; nothing is ever re-encoded.
 */
import { z } from 'zod';
import { blake3 } from '../runtime/blake3.js';
import { printable } from '../runtime/errors.js';
import { ENTRY_PAYLOAD_BYTES_MAX, LIMITS } from '../wire/limits.js';
import { LogEntry, SegmentHeader as SegmentHeaderMessage } from '../wire/messages/log.pb.js';
import type { SegmentPosition, SegmentRun, Vector } from './account-log.js';
import type { Entry, HybridTime, JsonObject, SegmentKey } from './entry.js';
import { segmentKeyText } from './entry.js';
import { parseHybridTime } from './hybrid-clock.js';
import { parseSegmentKey } from './namespaces.js';

/** Payload plus what surrounds it. */
export const ENTRY_BYTES_MAX = ENTRY_PAYLOAD_BYTES_MAX + 1024;
export const TYPE_LENGTH_MAX = 128;
export const PAYLOAD_DEPTH_MAX = 100;
/** What one run may hold: it has to fit into one message, also in base64, beside lease, base and head. */
export const RUN_BYTES_MAX = (LIMITS.log.messageBytesMax / 8) * 5;
/** Entries of one run: a bound for many empty ones. */
export const RUN_ENTRIES_MAX = 100_000;
export const BASE_SEGMENTS_MAX = 1000;
export const TOKEN_LENGTH_MAX = 16 * 1024;

export interface SegmentHeader {
  key: SegmentKey;
  lease: string;
  base: Vector;
}

/** What a head says; the payload of a token of kind `head`. */
export interface SegmentHead extends SegmentKey, SegmentPosition {}

const hex16 = z.string().regex(/^[0-9a-f]{16}$/);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

export const segmentKeySchema = z.object({
  account: hex16,
  epoch: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  writer: hex16,
});

export const segmentHeadSchema: z.ZodType<SegmentHead> = segmentKeySchema.extend({
  seq: z.number().int().positive(),
  hash,
});

export const vectorSchema: z.ZodType<Vector> = z.record(
  z.string().refine((text) => parseSegmentKey(text) !== undefined, 'not a segment key'),
  z.object({ seq: z.number().int().positive(), hash }),
);

export const segmentRunSchema: z.ZodType<SegmentRun> = z.object({
  key: segmentKeySchema,
  lease: z.string().min(1).max(TOKEN_LENGTH_MAX),
  base: vectorSchema.refine((base) => Object.keys(base).length <= BASE_SEGMENTS_MAX, 'too many segments in the base'),
  from: z.number().int().positive(),
  entries: z.array(z.instanceof(Uint8Array<ArrayBufferLike>)).max(RUN_ENTRIES_MAX),
  head: z.string().min(1).max(TOKEN_LENGTH_MAX),
});

export function headerHash(header: SegmentHeader): Uint8Array {
  const base = Object.keys(header.base)
    .sort()
    .map((segment) => ({ segment, ...(header.base[segment] as SegmentPosition) }));
  return blake3(SegmentHeaderMessage.encode({ ...header.key, lease: header.lease, base }));
}

export function chainHash(previous: Uint8Array, entryBytes: Uint8Array): Uint8Array {
  return blake3(Buffer.concat([previous, entryBytes]));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** The payload as it will be read back, and its size: what a caller passed is never kept. */
export function payloadBytes(payload: JsonObject): Uint8Array {
  return Buffer.from(JSON.stringify(payload));
}

export function encodeEntry(entry: Omit<Entry, keyof SegmentKey | 'payload'>, payload: Uint8Array): Uint8Array {
  return LogEntry.encode({
    seq: entry.seq,
    time: entry.time,
    type: entry.type,
    version: entry.version,
    payload: payload as Uint8Array<ArrayBuffer>,
  });
}

/** Throws an Error that says what is wrong with the bytes. */
export function decodeEntry(key: SegmentKey, bytes: Uint8Array): Entry {
  if (bytes.byteLength > ENTRY_BYTES_MAX) throw new Error(`it has ${bytes.byteLength} bytes`);
  const { seq, time, type, version, payload } = LogEntry.decode(bytes);
  if (!Number.isSafeInteger(seq) || seq < 1) throw new Error('its seq is not a positive number');
  if (parseHybridTime(time) === undefined) throw new Error('its time is not a hybrid time');
  if (type.length === 0 || type.length > TYPE_LENGTH_MAX) throw new Error('its type is empty or too long');
  const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('its payload is no object');
  if (!isShallow(value)) throw new Error(`its payload is nested deeper than ${PAYLOAD_DEPTH_MAX}`);
  return { ...key, seq, time, type, version, payload: value as JsonObject };
}

/** Folding walks values recursively: a payload of nothing but brackets must not end the stack. */
export function isShallow(value: unknown, depthLeft = PAYLOAD_DEPTH_MAX): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depthLeft === 0) return false;
  return Object.values(value).every((inner) => isShallow(inner, depthLeft - 1));
}

/** Where a chain is: what the next entry must continue. */
export interface ChainState {
  seq: number;
  hash: Uint8Array;
  /** Of the last entry; '' before the first. */
  time: HybridTime;
}

export interface ChainedEntry {
  entry: Entry;
  bytes: Uint8Array;
  hash: Uint8Array;
}

/**
 * Follows `bytes` from `state` on. Returns the entries with their hashes, or why they cannot continue it: undecodable,
 * misnumbered, or not above the time before (a stamp must be unique in an account).
 */
export function followChain(
  key: SegmentKey,
  state: ChainState,
  list: readonly Uint8Array[],
): { entries: ChainedEntry[] } | { reason: string } {
  const entries: ChainedEntry[] = [];
  let { seq, hash: previous, time } = state;
  for (const bytes of list) {
    seq++;
    let entry: Entry;
    try {
      entry = decodeEntry(key, bytes);
    } catch (error) {
      return { reason: `entry ${seq} cannot be read: ${printable((error as Error).message)}` };
    }
    if (entry.seq !== seq) return { reason: `entry ${seq} is numbered ${entry.seq}` };
    if (entry.time <= time) return { reason: `entry ${seq} is not later than the one before it` };
    time = entry.time;
    previous = chainHash(previous, bytes);
    entries.push({ entry, bytes, hash: previous });
  }
  return { entries };
}

/**
 * What a new segment is opened on: of everything here, only what no other listed segment's base covers already, as a
 * commit names its parents. Listing everything would make each restart of a node repeat all the restarts before it.
 */
export function reduceBase(segments: Iterable<{ key: SegmentKey; base: Vector; position: SegmentPosition }>): Vector {
  const all = [...segments];
  const covered = new Map<string, number>();
  for (const { base } of all) {
    for (const [segment, { seq }] of Object.entries(base)) {
      if (seq > (covered.get(segment) ?? 0)) covered.set(segment, seq);
    }
  }
  const frontier: [string, SegmentPosition][] = [];
  for (const { key, position } of all) {
    const text = segmentKeyText(key);
    if (position.seq > (covered.get(text) ?? 0)) frontier.push([text, { seq: position.seq, hash: position.hash }]);
  }
  // By key, so by epoch: should there ever be too many, the newest count.
  frontier.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(frontier.slice(-BASE_SEGMENTS_MAX));
}
