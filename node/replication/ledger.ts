/**
 * Who has confirmed what. A rebuildable cache, kept in the store so that counts survive a restart; the truth is each
 * holder's own inventory. A confirmation names the holder's store id: a holder that was restored or set up anew has
 * another one, and what its old store confirmed lapses.
 *
 * The disk comes first: memory shows a change when it is fsynced, so a full disk makes this forget nothing and promise
 * nothing. Each confirmation is a row of its own; two holders that confirm one blob at once do not meet.
 *
 * | namespace        | key           | value                           |
 * |------------------|---------------|---------------------------------|
 * | ledger.blobs     | blob          | JSON: size, since               |
 * | ledger.confirmed | blob/peer     | JSON: storeId, at               |
 * | ledger.log       | writer/peer   | JSON: position, storeId, at     |
 * | ledger.foreign   | account/peer  | JSON: storeId, digest, entries  |
 * | ledger.cursor    | writer        | position looked through         |
 */
import { z } from 'zod';
import type { BlobId } from '../../protocol/blobs/blob.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import { readJson, type Store, type StoreOp } from '../../protocol/runtime/store.js';

export interface Confirmation {
  peer: string;
  storeId: string;
  at: number;
}

/** A blob this node is answerable for, because it is home of an account that uses it. */
export interface TrackedBlob {
  size: number;
  /** When it was accepted here. */
  since: number;
  confirmations: Confirmation[];
}

export interface DurabilityCount {
  safe: { blobs: number; bytes: number };
  atRisk: { blobs: number; bytes: number; oldestAgeMs: number };
}

export interface LogConfirmation {
  position: number;
  storeId: string;
  at: number;
}

/** What a change was about, so that nobody has to look at everything. */
export interface LedgerChange {
  /** Tracked now, confirmed, or lapsed. */
  blobs: readonly BlobId[];
  /** Whether a log confirmation changed. */
  log: boolean;
}

const size = z.number().int().nonnegative();
const blobShape = z.object({ size, since: z.number() });
const confirmedShape = z.object({ storeId: z.string(), at: z.number() });
const logShape = z.object({ position: z.number().int().nonnegative(), storeId: z.string(), at: z.number() });
const foreignShape = z.object({ storeId: z.string(), digest: z.string(), entries: size });
type Foreign = z.output<typeof foreignShape>;

const NS_BLOBS = 'ledger.blobs';
const NS_CONFIRMED = 'ledger.confirmed';
const NS_LOG = 'ledger.log';
const NS_FOREIGN = 'ledger.foreign';
const NS_CURSOR = 'ledger.cursor';

export class Ledger implements Part {
  private readonly blobs = new Map<BlobId, TrackedBlob>();
  /** writer → holder → position. */
  private readonly logs = new Map<string, Map<string, LogConfirmation>>();
  /** holder → account → what it has of what others wrote. */
  private readonly foreign = new Map<string, Map<string, Foreign>>();
  private readonly cursors = new Map<string, number>();
  /** holder → the store that everything it confirmed is in; '' for more than one, until the older ones lapse. */
  private readonly stores = new Map<string, string>();
  private readonly listeners = new Set<(change: LedgerChange) => void>();

  constructor(private readonly deps: { store: Store; clock: Clock }) {}

  async start(): Promise<void> {
    const { store } = this.deps;
    for await (const [blob, bytes] of store.iterate(NS_BLOBS))
      this.blobs.set(blob, { ...blobShape.parse(readJson(bytes)), confirmations: [] });
    for await (const [key, bytes] of store.iterate(NS_CONFIRMED)) {
      const [blob, peer] = key.split('/') as [string, string];
      const confirmed = confirmedShape.parse(readJson(bytes));
      this.blobs.get(blob)?.confirmations.push({ peer, ...confirmed });
      this.note(peer, confirmed.storeId);
    }
    for await (const [key, bytes] of store.iterate(NS_LOG)) {
      const [writer, peer] = key.split('/') as [string, string];
      const confirmed = logShape.parse(readJson(bytes));
      inner(this.logs, writer).set(peer, confirmed);
      this.note(peer, confirmed.storeId);
    }
    for await (const [key, bytes] of store.iterate(NS_FOREIGN)) {
      const [account, peer] = key.split('/') as [string, string];
      const { success, data: confirmed } = foreignShape.safeParse(readJson(bytes));
      // Written before entries were counted: it is asked once more.
      if (!success) continue;
      inner(this.foreign, peer).set(account, confirmed);
      this.note(peer, confirmed.storeId);
    }
    for await (const [writer, bytes] of store.iterate(NS_CURSOR))
      this.cursors.set(writer, z.number().parse(readJson(bytes)));
  }

  /** How far a writer's journal has been looked through for blobs to track. */
  cursor(writer: string): number {
    return this.cursors.get(writer) ?? 0;
  }

  /** Answerable from now on for these blobs; `cursor` moves in the same batch. Returns those that are new here. */
  async track(
    blobs: readonly { blob: BlobId; size: number }[],
    cursor?: { writer: string; position: number },
  ): Promise<BlobId[]> {
    const since = this.deps.clock.now();
    const fresh = new Map<BlobId, { size: number; since: number }>();
    for (const { blob, size } of blobs) if (!this.blobs.has(blob)) fresh.set(blob, { size, since });
    const ops: StoreOp[] = [...fresh].map(([blob, row]) => json(NS_BLOBS, blob, row));
    if (cursor) ops.push(json(NS_CURSOR, cursor.writer, cursor.position));
    await this.deps.store.commit(ops);
    const added: BlobId[] = [];
    for (const [blob, row] of fresh) {
      // Another call may have been a moment faster; its row says the same.
      if (this.blobs.has(blob)) continue;
      this.blobs.set(blob, { ...row, confirmations: [] });
      added.push(blob);
    }
    if (cursor) this.cursors.set(cursor.writer, Math.max(cursor.position, this.cursor(cursor.writer)));
    if (added.length > 0) this.emit({ blobs: added, log: false });
    return added;
  }

  /** Blobs that are not tracked are passed over. */
  async confirmBlobs(peer: string, storeId: string, blobs: readonly BlobId[]): Promise<void> {
    const known = blobs.filter((blob) => this.blobs.has(blob));
    if (known.length === 0) return;
    await this.lapse(peer, storeId);
    const at = this.deps.clock.now();
    await this.deps.store.commit(known.map((blob) => json(NS_CONFIRMED, `${blob}/${peer}`, { storeId, at })));
    this.note(peer, storeId);
    for (const blob of known) {
      const tracked = this.blobs.get(blob) as TrackedBlob;
      tracked.confirmations = [...tracked.confirmations.filter((one) => one.peer !== peer), { peer, storeId, at }];
    }
    this.emit({ blobs: known, log: false });
  }

  /**
   * A holder that answers with another store id has forgotten everything (at no cost when it has not); one that lost a
   * blob says so. Returns how many confirmations went.
   */
  async lapse(peer: string, keepStoreId?: string, only?: BlobId): Promise<number> {
    const known = this.stores.get(peer);
    if (known === undefined || (keepStoreId !== undefined && known === keepStoreId)) return 0;
    const isGone = (one: { storeId: string } | undefined) => one !== undefined && one.storeId !== keepStoreId;
    const isGoneHere = (one: Confirmation) => one.peer === peer && isGone(one);
    const blobs: BlobId[] = [];
    for (const blob of only === undefined ? this.blobs.keys() : [only]) {
      if (this.blobs.get(blob)?.confirmations.some(isGoneHere)) blobs.push(blob);
    }
    const ops: StoreOp[] = blobs.map((blob) => ({ ns: NS_CONFIRMED, key: `${blob}/${peer}`, delete: true }));
    const all = only === undefined;
    const writers = all ? [...this.logs].filter(([, holders]) => isGone(holders.get(peer))) : [];
    for (const [writer] of writers) ops.push({ ns: NS_LOG, key: `${writer}/${peer}`, delete: true });
    const accounts = all ? [...(this.foreign.get(peer) ?? [])].filter(([, one]) => isGone(one)) : [];
    for (const [account] of accounts) ops.push({ ns: NS_FOREIGN, key: `${account}/${peer}`, delete: true });
    await this.deps.store.commit(ops);
    for (const blob of blobs) {
      const tracked = this.blobs.get(blob) as TrackedBlob;
      tracked.confirmations = tracked.confirmations.filter((one) => !isGoneHere(one));
    }
    for (const [, holders] of writers) holders.delete(peer);
    for (const [account] of accounts) this.foreign.get(peer)?.delete(account);
    if (all && keepStoreId === undefined) this.stores.delete(peer);
    else if (all) this.stores.set(peer, keepStoreId as string);
    if (ops.length > 0) this.emit({ blobs, log: writers.length > 0 });
    return ops.length;
  }

  blob(blob: BlobId): TrackedBlob | undefined {
    return this.blobs.get(blob);
  }

  tracked(): IterableIterator<[BlobId, TrackedBlob]> {
    return this.blobs.entries();
  }

  logConfirmation(writer: string, peer: string): LogConfirmation | undefined {
    return this.logs.get(writer)?.get(peer);
  }

  /** The holder's own word, also when it is less than before. */
  async confirmLog(writer: string, peer: string, position: number, storeId: string): Promise<void> {
    const known = this.logConfirmation(writer, peer);
    if (known?.position === position && known.storeId === storeId) return;
    await this.lapse(peer, storeId);
    const confirmation: LogConfirmation = { position, storeId, at: this.deps.clock.now() };
    await this.deps.store.commit([json(NS_LOG, `${writer}/${peer}`, confirmation)]);
    this.note(peer, storeId);
    inner(this.logs, writer).set(peer, confirmation);
    this.emit({ blobs: [], log: true });
  }

  /** Which segments of other nodes the holder has of an account, as a digest of the list; undefined: none that is known. */
  foreignConfirmation(account: string, peer: string): string | undefined {
    return this.foreign.get(peer)?.get(account)?.digest;
  }

  /** `entries`: how many these segments had together. */
  async confirmForeign(
    account: string,
    peer: string,
    { digest, entries }: { digest: string; entries: number },
    storeId: string,
  ): Promise<void> {
    await this.lapse(peer, storeId);
    const confirmation: Foreign = { storeId, digest, entries };
    await this.deps.store.commit([json(NS_FOREIGN, `${account}/${peer}`, confirmation)]);
    this.note(peer, storeId);
    inner(this.foreign, peer).set(account, confirmation);
  }

  /** Of an account's entries that other nodes wrote: how many `copies` distinct domains have. */
  safeForeignEntries(account: string, copies: number, domainOf: (peer: string) => string | undefined): number {
    const best = new Map<string, number>();
    for (const [peer, accounts] of this.foreign) {
      const domain = domainOf(peer);
      const entries = accounts.get(account)?.entries;
      if (domain !== undefined && entries !== undefined) best.set(domain, Math.max(best.get(domain) ?? 0, entries));
    }
    return reachedBy(best, copies);
  }

  /** The journal position that `copies` distinct domains have confirmed; 0 when there are fewer. */
  safeLogPosition(writer: string, copies: number, domainOf: (peer: string) => string | undefined): number {
    const best = new Map<string, number>();
    for (const [peer, { position }] of this.logs.get(writer) ?? []) {
      const domain = domainOf(peer);
      if (domain !== undefined) best.set(domain, Math.max(best.get(domain) ?? 0, position));
    }
    return reachedBy(best, copies);
  }

  count(copies: number, domainOf: (peer: string) => string | undefined): DurabilityCount {
    const count: DurabilityCount = { safe: { blobs: 0, bytes: 0 }, atRisk: { blobs: 0, bytes: 0, oldestAgeMs: 0 } };
    const now = this.deps.clock.now();
    for (const tracked of this.blobs.values()) {
      const safe = hasCopies(tracked, copies, domainOf);
      const side = safe ? count.safe : count.atRisk;
      side.blobs += 1;
      side.bytes += tracked.size;
      if (!safe) count.atRisk.oldestAgeMs = Math.max(count.atRisk.oldestAgeMs, now - tracked.since);
    }
    return count;
  }

  onChange(listener: (change: LedgerChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private note(peer: string, storeId: string): void {
    const known = this.stores.get(peer);
    this.stores.set(peer, known === undefined || known === storeId ? storeId : '');
  }

  private emit(change: LedgerChange): void {
    for (const listener of [...this.listeners]) listener(change);
  }
}

/** Distinct domains with a confirmed copy; a peer whose domain is not known (revoked, draining) counts for none. */
export function domainsOf(tracked: TrackedBlob, domainOf: (peer: string) => string | undefined): Set<string> {
  const domains = new Set<string>();
  for (const { peer } of tracked.confirmations) {
    const domain = domainOf(peer);
    if (domain !== undefined) domains.add(domain);
  }
  return domains;
}

/** What so many domains have at least. */
function reachedBy(best: ReadonlyMap<string, number>, copies: number): number {
  return [...best.values()].sort((a, b) => b - a)[copies - 1] ?? 0;
}

function hasCopies(tracked: TrackedBlob, copies: number, domainOf: (peer: string) => string | undefined): boolean {
  // Counting every blob each second must not make a set for those that cannot have enough.
  return tracked.confirmations.length >= copies && domainsOf(tracked, domainOf).size >= copies;
}

function inner<K, V>(maps: Map<string, Map<K, V>>, name: string): Map<K, V> {
  let found = maps.get(name);
  if (found === undefined) {
    found = new Map();
    maps.set(name, found);
  }
  return found;
}

function json(ns: string, key: string, value: unknown): StoreOp {
  return { ns, key, value: JSON.stringify(value) };
}
