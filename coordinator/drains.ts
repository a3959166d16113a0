/**
 * Drains as the coordinator sees them: it is the coordinator, not the leaver, that declares one complete.
 *
 *   announced → (accounts re-homed, one by one) → inventory sent, page by page → compared → receipt
 *
 * The comparison asks holders that serve now, each for everything it may hold, and reads whole chunks by chance to see
 * that what is held can also be read. Receipts are issued strictly one at a time, because two leavers could otherwise be
 * each other's second copy. The receipt and the state `drained` are one write.
 *
 * An announced drain lives in memory beside the state on disk: after a restart of the coordinator the node announces and
 * sends again.
 */
import { merkleRoot } from '../protocol/blobs/inventory.js';
import { chunkCount } from '../protocol/blobs/manifest.js';
import { type Clock, startDeadline } from '../protocol/runtime/clock.js';
import { describeError } from '../protocol/runtime/errors.js';
import type { Logger } from '../protocol/runtime/logger.js';
import type { Random } from '../protocol/runtime/random.js';
import type { Store } from '../protocol/runtime/store.js';
import type { Signer } from '../protocol/trust/signed.js';
import { type InventoryItem, inventoryLines } from '../protocol/wire/calls/handover.js';
import { handoverErrors } from '../protocol/wire/calls/handover-errors.js';
import type { Counters } from './counters.js';
import type { Directory } from './directory.js';
import { Locks } from './locks.js';
import { NAMESPACES } from './namespaces.js';
import type { PeerRecord } from './peer.js';
import { covers, judgeInventory, orderProblem, signReceipt, type Unsafe, verifyReceipt } from './receipts.js';
import type { Registry } from './registry.js';

/** How holders are asked: the door's, and the repository's own. */
export interface HolderQueries {
  /** Which of these it holds, complete. */
  held(peer: string, ids: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** Reads one whole chunk and checks it against the blob's id; throws when it is wrong. */
  checkChunk(peer: string, id: string, chunk: number, signal: AbortSignal): Promise<void>;
  /** Segment key → last seq. */
  vector(peer: string, account: string, signal: AbortSignal): Promise<Readonly<Record<string, number>>>;
}

export interface Holder {
  peerId: string;
  name: string;
  /** The institution; the repository is one of its own. */
  domain: string;
}

interface Drain {
  /** The node's start that announced it; another start has another inventory. */
  start: string;
  copies: number;
  items: InventoryItem[];
  nextPage: number;
  complete: boolean;
}

export interface DrainsDeps {
  registry: Registry;
  directory: Directory;
  counters: Counters;
  store: Store;
  queries: HolderQueries;
  signer: Signer;
  clock: Clock;
  random: Random;
  log: Logger;
}

const ITEMS_MAX = 1_000_000;
const UNSAFE_TOLD_MAX = 1000;
/** One whole chunk by chance for so many blobs of a holder, at least one. */
const BLOBS_PER_SAMPLE = 500;
const SAMPLES_MAX = 20;
const VECTORS_AT_ONCE = 16;
const REPOSITORY_DOMAIN = 'the repository';
/** Of one question to a holder; one that is slower does not count. */
const QUESTION_MS = 15_000;
const IDS_PER_QUESTION = 32_768;

export interface Comparison {
  receipt: string | null;
  unsafe: { objects: number; bytes: number; first: Omit<Unsafe, 'bytes'>[] };
}

export class Drains {
  private readonly drains = new Map<string, Drain>();
  private readonly locks = new Locks();

  constructor(
    private readonly deps: DrainsDeps,
    private readonly options: { network: string; copies: number },
  ) {}

  /** Error: `handover/too-few-domains`. */
  announce(peer: string, acceptCopies: number | undefined): { copies: number; domains: number; accounts: number } {
    const copies = Math.min(acceptCopies ?? this.options.copies, this.options.copies);
    const domains = new Set(this.holders(peer).map(({ domain }) => domain)).size;
    if (domains < copies) throw handoverErrors('too-few-domains', { domains, copies });
    const { record } = this.deps.registry.find(peer);
    if (record.state === 'joined') throw handoverErrors('not-registered');
    if (record.state !== 'drained') this.deps.registry.draining(peer);
    const before = this.drains.get(peer);
    const start = startOf(record);
    if (before?.start === start) before.copies = copies;
    else this.drains.set(peer, { start, copies, items: [], nextPage: 0, complete: false });
    return { copies, domains, accounts: this.deps.directory.homes(peer) };
  }

  cancel(peer: string): void {
    this.drains.delete(peer);
    this.deps.registry.drainCancelled(peer);
  }

  /** Error: `handover/not-draining`. */
  assertDraining(peer: string): void {
    this.required(peer);
  }

  /** Errors: `handover/not-draining`, `handover/inventory-order`, `handover/inventory-too-large`. */
  addPage(peer: string, page: number, items: readonly InventoryItem[], last: boolean): number {
    const drain = this.required(peer);
    if (page === 0) Object.assign(drain, { items: [], nextPage: 0, complete: false });
    if (page !== drain.nextPage || drain.complete) {
      throw handoverErrors('inventory-order', { reason: `page ${page} came where page ${drain.nextPage} was due` });
    }
    const problem = orderProblem(drain.items.at(-1), items);
    if (problem !== undefined) throw handoverErrors('inventory-order', { reason: problem });
    if (drain.items.length + items.length > ITEMS_MAX) throw handoverErrors('inventory-too-large', { max: ITEMS_MAX });
    for (const item of items) drain.items.push(item);
    drain.nextPage++;
    drain.complete = last;
    return drain.items.length;
  }

  /** Errors: `handover/not-draining`, `handover/accounts-left`, `handover/inventory-order`. */
  receipt(peer: string, root: string, signal: AbortSignal): Promise<Comparison> {
    return this.locks.hold(['receipt'], () => this.compare(peer, root, signal));
  }

  private async compare(peer: string, root: string, signal: AbortSignal): Promise<Comparison> {
    const { registry, directory, counters, store, signer, clock } = this.deps;
    const { record, location } = registry.find(peer);
    const nothing = { objects: 0, bytes: 0, first: [] };
    if (record.state === 'drained') {
      const issued = await this.issued(record, root);
      if (issued !== undefined) return { receipt: issued, unsafe: nothing };
      // What is there now is not what the receipt speaks of: the node announces and sends anew.
      this.drains.delete(peer);
      registry.drainReopened(peer);
      throw handoverErrors('not-draining');
    }
    const drain = this.required(peer);
    const { items, copies, complete } = drain;
    if (!complete) throw handoverErrors('inventory-order', { reason: 'the last page has not come' });
    const computed = Buffer.from(merkleRoot(inventoryLines(items))).toString('hex');
    if (computed !== root) throw handoverErrors('inventory-order', { reason: 'it is not what the node computed' });
    const left = directory.homes(peer);
    if (left > 0) throw handoverErrors('accounts-left', { count: left });

    const found = new Map<InventoryItem, Set<string>>(items.map((item) => [item, new Set()]));
    const holders: Holder[] = [];
    let sampled = 0;
    for (const holder of this.holders(peer)) {
      try {
        // Whoever is asked later is asked only for what still lacks copies; the repository is here and comes first.
        const lacking = items.filter((item) => (found.get(item)?.size ?? 0) < copies);
        if (lacking.length === 0) break;
        const asked = await this.ask(holder, lacking, found, signal);
        sampled += asked.sampled;
        if (asked.any) holders.push(holder);
      } catch (error) {
        signal.throwIfAborted();
        this.deps.log.warn(
          { peer: holder.peerId, reason: describeError(error) },
          'a holder does not count for a drain',
        );
      }
    }
    // Holders were asked for minutes: what was compared must still be what is declared safe. No wait from here to the
    // commit.
    signal.throwIfAborted();
    if (this.required(peer) !== drain || registry.find(peer).record.state !== 'draining') {
      throw handoverErrors('not-draining');
    }
    if (drain.items !== items || !drain.complete || drain.copies !== copies) {
      throw handoverErrors('inventory-order', { reason: 'it changed while it was compared' });
    }
    const arrived = directory.homes(peer);
    if (arrived > 0) throw handoverErrors('accounts-left', { count: arrived });
    const judged = judgeInventory(items, (item) => found.get(item) ?? new Set(), copies);
    if (judged.unsafe.length > 0) {
      return {
        receipt: null,
        unsafe: {
          objects: judged.unsafe.length,
          bytes: judged.unsafe.reduce((sum, { bytes }) => sum + bytes, 0),
          first: judged.unsafe.slice(0, UNSAFE_TOLD_MAX).map(({ kind, id, reason }) => ({ kind, id, reason })),
        },
      };
    }
    const blobs = items.filter(({ kind }) => kind === 'blob');
    const { number, op } = counters.nextReceipt();
    const receipt = signReceipt(signer, {
      number,
      network: this.options.network,
      node: peer,
      name: record.name,
      location: location ?? null,
      boot: record.last?.boot ?? 0,
      accounts: items.length - blobs.length,
      blobs: blobs.length,
      bytes: blobs.reduce((sum, { bytes }) => sum + bytes, 0),
      copiesAsked: copies,
      copiesLeast: judged.copiesLeast,
      root,
      holders,
      sampled,
      issuedAt: clock.now(),
    });
    const drained = registry.drainedOp(peer, String(number));
    await store.commit([op, { ns: NAMESPACES.receipts, key: String(number), value: receipt }, drained.op]);
    const isDrained = drained.done();
    if (this.drains.get(peer) === drain) this.drains.delete(peer);
    // Started anew while this was written: the receipt speaks of the start before, and is given to nobody.
    if (!isDrained) throw handoverErrors('not-draining');
    return { receipt, unsafe: nothing };
  }

  /** Marks what the holder has. Nothing of it counts when a sample is wrong. */
  private async ask(
    holder: Holder,
    items: readonly InventoryItem[],
    found: ReadonlyMap<InventoryItem, Set<string>>,
    signal: AbortSignal,
  ): Promise<{ any: boolean; sampled: number }> {
    const { queries, random } = this.deps;
    const has: InventoryItem[] = [];
    const blobs = items.filter(({ kind }) => kind === 'blob');
    const held = new Set<string>();
    for (let first = 0; first < blobs.length; first += IDS_PER_QUESTION) {
      const ids = blobs.slice(first, first + IDS_PER_QUESTION).map(({ id }) => id);
      for (const id of await this.inTime(signal, (limit) => queries.held(holder.peerId, ids, limit))) held.add(id);
    }
    const heldBlobs = blobs.filter(({ id }) => held.has(id));
    const samples = Math.min(SAMPLES_MAX, Math.ceil(heldBlobs.length / BLOBS_PER_SAMPLE));
    for (let sample = 0; sample < samples; sample++) {
      const { id, bytes } = heldBlobs[Math.floor(random.float() * heldBlobs.length)] as InventoryItem;
      const chunk = Math.floor(random.float() * chunkCount(bytes));
      await this.inTime(signal, (limit) => queries.checkChunk(holder.peerId, id, chunk, limit));
    }
    has.push(...heldBlobs);
    const accounts = items.filter(({ kind }) => kind === 'account').values();
    // One question without an answer ends the others: such a holder would cost its deadline for each account.
    const silent = new AbortController();
    const asked = AbortSignal.any([signal, silent.signal]);
    const asking = Array.from({ length: VECTORS_AT_ONCE }, async () => {
      for (const item of accounts) {
        // A holder that follows other accounts does not serve this one: that is no fault of it.
        const question = this.inTime(asked, (limit) => queries.vector(holder.peerId, item.id, limit));
        const vector = await question.catch((error: unknown) => {
          signal.throwIfAborted();
          if (asked.aborted || isTimeout(error)) throw error;
          this.deps.log.debug({ peer: holder.peerId, account: item.id, err: error }, 'no vector of an account');
          return undefined;
        });
        if (vector !== undefined && covers(vector, item.vector ?? {})) has.push(item);
      }
    });
    try {
      await Promise.all(asking);
    } catch (error) {
      silent.abort(error);
      await Promise.allSettled(asking);
      throw error;
    }
    for (const item of has) found.get(item)?.add(holder.domain);
    return { any: has.length > 0, sampled: samples };
  }

  /** Who may be asked now: nodes that serve and answer, and the repository. */
  private holders(leaver: string): Holder[] {
    const { registry, signer } = this.deps;
    const nodes = registry
      .list()
      .filter((peer) => peer.record.state === 'serving' && peer.routable && peer.record.peerId !== leaver)
      .map(({ record: { peerId, name } }) => ({ peerId, name, domain: name }));
    const domain = registry.get(leaver)?.record.name;
    const repository = { peerId: signer.peerId, name: REPOSITORY_DOMAIN, domain: REPOSITORY_DOMAIN };
    // Another machine of the same institution goes down with it.
    return [repository, ...nodes.filter((node) => node.domain !== domain)];
  }

  private required(peer: string): Drain {
    const drain = this.drains.get(peer);
    const record = this.deps.registry.get(peer)?.record;
    if (drain === undefined || record === undefined || drain.start !== startOf(record)) {
      this.drains.delete(peer);
      throw handoverErrors('not-draining');
    }
    return drain;
  }

  /** The receipt of a drained node when it speaks of this very inventory, in this very start. */
  private async issued({ receipt: number, last }: PeerRecord, root: string): Promise<string | undefined> {
    if (number === undefined) return undefined;
    const bytes = await this.deps.store.get(NAMESPACES.receipts, number);
    if (bytes === undefined) return undefined;
    const text = Buffer.from(bytes).toString('utf8');
    const { receipt } = verifyReceipt(text, this.deps.signer.peerId);
    return receipt.root === root && receipt.boot === (last?.boot ?? 0) ? text : undefined;
  }

  private async inTime<T>(signal: AbortSignal, question: (limit: AbortSignal) => Promise<T>): Promise<T> {
    const limit = startDeadline(this.deps.clock, QUESTION_MS, signal);
    try {
      return await question(limit.signal);
    } catch (error) {
      // Whatever broke because of the deadline: what counts is that there was no answer in time.
      throw limit.signal.aborted ? limit.signal.reason : error;
    } finally {
      limit.cancel();
    }
  }
}

function startOf({ last }: PeerRecord): string {
  return last === undefined ? '' : `${last.boot} ${last.bootNonce}`;
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}
