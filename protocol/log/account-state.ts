/**
 * One account in memory: its view, its clock and where each of its segments stands. Memory runs ahead of the disk by what
 * is being committed; when a commit fails the whole state is forgotten, never repaired.
 *
 * `stage` is the only way in: it folds entries into the view and gives the store operations that make the same change on
 * disk, so the two cannot part.
 */
import { patchesOf } from '../account/entries.js';
import type { StoreOp } from '../runtime/store.js';
import { deepFreeze } from './canonical.js';
import { type HybridTime, type SegmentKey, segmentKeyText, stampOf } from './entry.js';
import { REDUCER_VERSION } from './fold.js';
import type { HybridClock } from './hybrid-clock.js';
import { entryKey, LOG_NAMESPACE } from './namespaces.js';
import type { StoredRecord } from './patch.js';
import { type AccountRow, type PositionRow, putJson, putRecord, type SegmentRow } from './rows.js';
import { type ChainedEntry, type ChainState, headerHash, toHex } from './segment.js';
import type { FoldedView } from './view.js';

/**
 * A reader of a segment can be served only up to a head that its writer signed. Of the heads that arrived, enough are
 * kept that two neighbours lie at most this far apart, or as far as one run did.
 */
export const HEAD_SPACING_BYTES = 256 * 1024;

interface HeadMark {
  seq: number;
  bytes: number;
}

export interface SegmentState extends SegmentRow {
  readonly key: SegmentKey;
  readonly text: string;
  /** `seq` 0 and the header's hash while it is empty. */
  chain: ChainState;
  bytes: number;
  head?: HeadMark;
  checkpoint?: HeadMark;
  /** The last commit that touched it: what is here is on disk once this has resolved. */
  committed: Promise<void>;
}

export interface AccountState {
  readonly account: string;
  /** Of the log when this was loaded; another one means: forgotten. */
  readonly generation: number;
  readonly view: FoldedView;
  readonly clock: HybridClock;
  readonly segments: Map<string, SegmentState>;
  /** Operations that hold it; while there are any it is not evicted. */
  users: number;
  /** What the cache counts for it. */
  weight: number;
}

export function newSegment(key: SegmentKey, row: SegmentRow): SegmentState {
  const hash = headerHash({ key, lease: row.lease, base: row.base });
  return {
    key,
    text: segmentKeyText(key),
    ...row,
    chain: { seq: 0, hash, time: '' },
    bytes: 0,
    committed: Promise.resolve(),
  };
}

export function loadedSegment(key: SegmentKey, row: SegmentRow, position: PositionRow): SegmentState {
  const segment = newSegment(key, row);
  segment.chain = { seq: position.seq, hash: Buffer.from(position.hash, 'hex'), time: position.time };
  segment.bytes = position.bytes;
  segment.head = position.head;
  segment.checkpoint = position.checkpoint;
  return segment;
}

/**
 * Takes entries that continue `segment` into memory and returns the operations for the disk. `head` is the signed head
 * that covers the last of them, for segments of other nodes. Synchronous, so that nothing of the account runs between.
 */
export function stage(
  state: AccountState,
  segment: SegmentState,
  entries: readonly ChainedEntry[],
  applied: number,
  head?: string,
): StoreOp[] {
  const ops: StoreOp[] = [];
  if (!state.segments.has(segment.text)) {
    state.segments.set(segment.text, segment);
    const row: SegmentRow = { lease: segment.lease, node: segment.node, base: segment.base };
    ops.push(putJson(LOG_NAMESPACE.segment, segment.text, row));
  }
  const changed = new Map<string, StoredRecord>();
  for (const { entry, bytes, hash } of entries) {
    ops.push({
      ns: LOG_NAMESPACE.entry,
      key: entryKey(segment.text, entry.seq),
      value: Buffer.concat([hash, bytes]),
    });
    segment.chain = { seq: entry.seq, hash, time: entry.time };
    segment.bytes += bytes.byteLength;
    const stamp = stampOf(entry);
    for (const patch of patchesOf(entry.type, deepFreeze(entry.payload))) {
      const record = state.view.apply(patch, stamp, applied);
      if (record) changed.set(`${record.kind}/${record.id}`, record);
    }
  }
  if (head !== undefined) ops.push(...keepHead(segment, head));
  for (const record of changed.values()) ops.push(putRecord(state.account, record));
  ops.push(putPosition(segment), putAccount(state.account, state.clock.last, applied));
  return ops;
}

export function putAccount(account: string, clock: HybridTime, applied: number): StoreOp {
  const row: AccountRow = { reducer: REDUCER_VERSION, clock, applied };
  return putJson(LOG_NAMESPACE.account, account, row);
}

function putPosition(segment: SegmentState): StoreOp {
  const row: PositionRow = {
    seq: segment.chain.seq,
    hash: toHex(segment.chain.hash),
    time: segment.chain.time,
    bytes: segment.bytes,
    ...(segment.head ? { head: segment.head } : {}),
    ...(segment.checkpoint ? { checkpoint: segment.checkpoint } : {}),
  };
  return putJson(LOG_NAMESPACE.position, segment.text, row);
}

function keepHead(segment: SegmentState, token: string): StoreOp[] {
  const { seq } = segment.chain;
  const ops: StoreOp[] = [{ ns: LOG_NAMESPACE.head, key: entryKey(segment.text, seq), value: token }];
  const before = segment.head;
  if (before && before.seq !== seq) {
    if (segment.bytes - (segment.checkpoint?.bytes ?? 0) <= HEAD_SPACING_BYTES) {
      ops.push({ ns: LOG_NAMESPACE.head, key: entryKey(segment.text, before.seq), delete: true });
    } else segment.checkpoint = before;
  }
  segment.head = { seq, bytes: segment.bytes };
  return ops;
}
