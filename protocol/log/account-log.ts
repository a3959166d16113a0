/**
 * The account log of a process: appends entries under leases, takes segments from others, keeps the folded views in the
 * same atomic batch as the entries. Used by nodes and by the repository alike.
 */
import type { AccountView } from '../account/records.js';
import type { Part } from '../runtime/lifecycle.js';
import type { StoreOp } from '../runtime/store.js';
import type { Draft, Entry, SegmentKey, WriterId } from './entry.js';

/** A lease this process may write under. `token` is the signed lease (protocol/trust/lease.ts) that goes with the segment. */
export interface WriteLease {
  account: string;
  epoch: number;
  token: string;
}

/** Who may write: asked synchronously at each append. */
export interface LeaseSource {
  /** Undefined: this process is not the account's home; the append fails with `log/not-home`. */
  current(account: string): WriteLease | undefined;
}

export interface SegmentPosition {
  seq: number;
  /** Hash of the chain at `seq`, 64 hex digits. */
  hash: string;
}

/** `segmentKeyText` → how far this process has it, contiguous and fsynced. */
export type Vector = Record<string, SegmentPosition>;

/** A run of entries of one segment, as it travels. Bytes of entries are exactly what was hashed. */
export interface SegmentRun {
  key: SegmentKey;
  /** The lease it was opened under, signed by the coordinator (epoch 0: by the node itself). */
  lease: string;
  /** What the segment was opened on top of. */
  base: Vector;
  /** Seq of the first entry in `entries`, ≥ 1. */
  from: number;
  entries: Uint8Array[];
  /** Signed by the writing node over key, seq and hash of the last entry here (with no entries: of the one before `from`). */
  head: string;
}

/** One line of a writer's journal: the order in which a process wrote, over all accounts. What log partners follow. */
export interface JournalItem {
  position: number;
  key: SegmentKey;
  seq: number;
}

export interface Applied {
  account: string;
  /** Entries that were new here, in the order applied. */
  entries: Entry[];
  /** True when they were written by this process. */
  own: boolean;
}

export interface AccountLog extends Part {
  /** This process's writer id. Another one after a failed write: what is in doubt on disk is never continued. */
  readonly writer: WriterId;
  /** Loads the view when needed. Ask again after a failed append: that view may show what was not saved. */
  view(account: string): Promise<AccountView>;
  /**
   * Read, decide, write: `build` sees the current view and returns drafts (or none). Nothing else of the account runs
   * between its read and its write. Resolves when entries, views and `also` are fsynced in one batch.
   * Errors: `log/not-home`, `log/invalid-entry`, `log/too-large`, `log/sealed`, and the store's.
   */
  append(
    account: string,
    build: (view: AccountView) => Draft[] | { drafts: Draft[]; also: StoreOp[] },
  ): Promise<{ entries: Entry[]; view: AccountView }>;
  /** Every account with at least one segment here. */
  accounts(): AsyncIterable<string>;
  vector(account: string): Promise<Vector>;
  /**
   * About `maxBytes` of entries of a segment from `from` on, as far as a signed head covers them (so at least one step,
   * at most one message); no entries when there are none after `from`; undefined when this process has none of it.
   * `through`: the last seq wanted; of a segment that another node wrote, the next signed head may lie beyond it.
   */
  read(key: SegmentKey, from: number, maxBytes: number, through?: number): Promise<SegmentRun | undefined>;
  /**
   * Takes a run from a peer: verifies lease, head and chain, appends what is new, folds it. Idempotent.
   * Errors: `log/untrusted`, `log/chain-broken` (an alarm: same key and seq, another hash), `log/gap` (with what it has).
   */
  receive(run: SegmentRun): Promise<SegmentPosition>;
  /** One entry, decoded. */
  entry(key: SegmentKey, seq: number): Promise<Entry | undefined>;
  /** The journal of one writer, from `position` on (1 is the first). */
  journal(writer: WriterId, position: number, limit: number): Promise<JournalItem[]>;
  /** Writers with a journal here (this process's and those of earlier starts), with the last position of each. */
  writers(): Promise<{ writer: WriterId; last: number }[]>;
  /** Ends this process's segment of the account: later appends fail with `log/sealed` until a newer lease is current. */
  seal(account: string): Promise<SegmentPosition | undefined>;
  /** A seal before a hand-over that did not come about: the same segment goes on under the same lease. */
  unseal(account: string): void;
  /**
   * On becoming the account's home: bumps every history's `applied` above the largest time known, so that a page that
   * polled the former home sees what changes from here on.
   */
  adopted(account: string): Promise<void>;
  /** Called after the batch is fsynced. */
  onApplied(listener: (applied: Applied) => void): () => void;
}
