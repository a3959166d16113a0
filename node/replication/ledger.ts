/**
 * Who has confirmed what. A rebuildable cache, kept in the store so that counts survive a restart; the truth is each
 * holder's own inventory. A confirmation names the holder's store id: a holder that was restored or set up anew has
 * another one, and what its old store confirmed lapses.
 */
import { z } from 'zod';
import type { BlobId } from '../../protocol/blobs/blob.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import type { Store, StoreOp } from '../../protocol/runtime/store.js';

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

const trackedShape = z.object({
  size: z.number().int().nonnegative(),
  since: z.number(),
  confirmations: z.array(z.object({ peer: z.string(), storeId: z.string(), at: z.number() })),
});
const logShape = z.object({ position: z.number().int().nonnegative(), storeId: z.string(), at: z.number() });

const NS_BLOBS = 'ledger.blobs';
const NS_LOG = 'ledger.log';
const NS_CURSOR = 'ledger.cursor';

export interface LogConfirmation {
  position: number;
  storeId: string;
  at: number;
}

export class Ledger implements Part {
  private readonly blobs = new Map<BlobId, TrackedBlob>();
  /** writer → holder → position. */
  private readonly logs = new Map<string, Map<string, LogConfirmation>>();
  private readonly cursors = new Map<string, number>();
  private readonly listeners = new Set<() => void>();

  constructor(private readonly deps: { store: Store; clock: Clock }) {}

  async start(): Promise<void> {
    for await (const [blob, bytes] of this.deps.store.iterate(NS_BLOBS))
      this.blobs.set(blob, trackedShape.parse(parse(bytes)));
    for await (const [key, bytes] of this.deps.store.iterate(NS_LOG)) {
      const [writer, peer] = key.split('/') as [string, string];
      this.logsOf(writer).set(peer, logShape.parse(parse(bytes)));
    }
    for await (const [writer, bytes] of this.deps.store.iterate(NS_CURSOR))
      this.cursors.set(writer, z.number().parse(parse(bytes)));
  }

  /** How far a writer's journal has been looked through for blobs to track. */
  cursor(writer: string): number {
    return this.cursors.get(writer) ?? 0;
  }

  /** Answerable from now on for these blobs; `cursor` moves in the same batch. */
  async track(
    blobs: readonly { blob: BlobId; size: number }[],
    cursor?: { writer: string; position: number },
  ): Promise<void> {
    const ops: StoreOp[] = [];
    for (const { blob, size } of blobs) {
      if (this.blobs.has(blob)) continue;
      const tracked: TrackedBlob = { size, since: this.deps.clock.now(), confirmations: [] };
      this.blobs.set(blob, tracked);
      ops.push(json(NS_BLOBS, blob, tracked));
    }
    if (cursor) {
      this.cursors.set(cursor.writer, cursor.position);
      ops.push(json(NS_CURSOR, cursor.writer, cursor.position));
    }
    await this.deps.store.commit(ops);
    this.emit();
  }

  async confirmBlobs(peer: string, storeId: string, blobs: readonly BlobId[]): Promise<void> {
    const ops: StoreOp[] = [];
    const at = this.deps.clock.now();
    for (const blob of blobs) {
      const tracked = this.blobs.get(blob);
      if (tracked === undefined) continue;
      tracked.confirmations = [...tracked.confirmations.filter((known) => known.peer !== peer), { peer, storeId, at }];
      ops.push(json(NS_BLOBS, blob, tracked));
    }
    await this.deps.store.commit(ops);
    this.emit();
  }

  /** A holder that answers with another store id has forgotten everything; one that lost a blob says so. */
  async lapse(peer: string, keepStoreId?: string, only?: BlobId): Promise<number> {
    const ops: StoreOp[] = [];
    for (const blob of only === undefined ? this.blobs.keys() : [only]) {
      const tracked = this.blobs.get(blob);
      if (tracked === undefined) continue;
      const kept = tracked.confirmations.filter((known) => known.peer !== peer || known.storeId === keepStoreId);
      if (kept.length === tracked.confirmations.length) continue;
      tracked.confirmations = kept;
      ops.push(json(NS_BLOBS, blob, tracked));
    }
    if (only === undefined) {
      for (const [writer, holders] of this.logs) {
        const known = holders.get(peer);
        if (known === undefined || known.storeId === keepStoreId) continue;
        holders.delete(peer);
        ops.push({ ns: NS_LOG, key: `${writer}/${peer}`, delete: true });
      }
    }
    await this.deps.store.commit(ops);
    if (ops.length > 0) this.emit();
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

  async confirmLog(writer: string, peer: string, position: number, storeId: string): Promise<void> {
    const confirmation: LogConfirmation = { position, storeId, at: this.deps.clock.now() };
    this.logsOf(writer).set(peer, confirmation);
    await this.deps.store.commit([json(NS_LOG, `${writer}/${peer}`, confirmation)]);
    this.emit();
  }

  /** The journal position that `copies` distinct domains have confirmed; 0 when there are fewer. */
  safeLogPosition(writer: string, copies: number, domainOf: (peer: string) => string | undefined): number {
    const best = new Map<string, number>();
    for (const [peer, { position }] of this.logs.get(writer) ?? []) {
      const domain = domainOf(peer);
      if (domain !== undefined) best.set(domain, Math.max(best.get(domain) ?? 0, position));
    }
    return [...best.values()].sort((a, b) => b - a)[copies - 1] ?? 0;
  }

  count(copies: number, domainOf: (peer: string) => string | undefined): DurabilityCount {
    const count: DurabilityCount = { safe: { blobs: 0, bytes: 0 }, atRisk: { blobs: 0, bytes: 0, oldestAgeMs: 0 } };
    const now = this.deps.clock.now();
    for (const tracked of this.blobs.values()) {
      const safe = domainsOf(tracked, domainOf).size >= copies;
      const side = safe ? count.safe : count.atRisk;
      side.blobs += 1;
      side.bytes += tracked.size;
      if (!safe) count.atRisk.oldestAgeMs = Math.max(count.atRisk.oldestAgeMs, now - tracked.since);
    }
    return count;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private logsOf(writer: string): Map<string, LogConfirmation> {
    let holders = this.logs.get(writer);
    if (holders === undefined) {
      holders = new Map();
      this.logs.set(writer, holders);
    }
    return holders;
  }

  private emit(): void {
    for (const listener of this.listeners) listener();
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

function json(ns: string, key: string, value: unknown): StoreOp {
  return { ns, key, value: JSON.stringify(value) };
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString('utf8'));
}
