/**
 * What one page of an inventory has of holders that serve now: the repository first, then nodes, each asked only for what
 * still lacks copies. A holder that does not answer is left in peace for a minute; one that has not the bytes that it says
 * it has is named to the caller, and nothing of it counts.
 */
import { chunkCount } from '../protocol/blobs/manifest.js';
import { type Clock, startDeadline } from '../protocol/runtime/clock.js';
import { describeError, isDomainError } from '../protocol/runtime/errors.js';
import type { Logger } from '../protocol/runtime/logger.js';
import type { Random } from '../protocol/runtime/random.js';
import type { InventoryItem } from '../protocol/wire/calls/handover.js';
import { covers } from './receipts.js';

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
  /** What it says is about this store; another one has to be asked anew. */
  storeId: string;
}

export interface Chunk {
  id: string;
  chunk: number;
}

export interface Asked {
  found: ReadonlyMap<InventoryItem, ReadonlySet<string>>;
  /** Whose word counted. */
  holders: Holder[];
  sampled: number;
  /** Holders that do not have what they say, each with the chunk that was wrong. */
  wrong: Map<string, Chunk>;
}

/** One whole chunk by chance for so many blobs that a holder has of a page, at least one. */
const BLOBS_PER_SAMPLE = 500;
const SAMPLES_PER_PAGE_MAX = 2;
const VECTORS_AT_ONCE = 16;
/** Of one question to a holder; one that is slower does not count. */
const QUESTION_MS = 15_000;
/** A holder that gave no answer is not asked again before this. */
const REST_MS = 60_000;

export class HolderQuestions {
  /** No more than there are members. */
  private readonly resting = new Map<string, number>();

  constructor(private readonly deps: { queries: HolderQueries; clock: Clock; random: Random; log: Logger }) {}

  async ask(
    items: readonly InventoryItem[],
    copies: number,
    holders: readonly Holder[],
    signal: AbortSignal,
  ): Promise<Asked> {
    const found = new Map<InventoryItem, Set<string>>(items.map((item) => [item, new Set()]));
    const asked: Asked = { found, holders: [], sampled: 0, wrong: new Map() };
    for (const holder of holders) {
      const lacking = items.filter((item) => (found.get(item)?.size ?? 0) < copies);
      if (lacking.length === 0) break;
      if (this.rests(holder.peerId)) continue;
      try {
        const { has, sampled } = await this.askOne(holder, lacking, signal);
        for (const item of has) found.get(item)?.add(holder.domain);
        asked.sampled += sampled;
        if (has.length > 0) asked.holders.push(holder);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof WrongChunk) asked.wrong.set(holder.peerId, error.where);
        else this.resting.set(holder.peerId, this.deps.clock.monotonic() + REST_MS);
        this.deps.log.warn(
          { peer: holder.peerId, reason: describeError(error) },
          'a holder does not count for a drain',
        );
      }
    }
    return asked;
  }

  /** Whether the holder has that chunk right by now. */
  async isRight(peer: string, { id, chunk }: Chunk, signal: AbortSignal): Promise<boolean> {
    try {
      await this.check(peer, id, chunk, signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      this.deps.log.warn({ peer, blob: id, chunk, reason: describeError(error) }, 'a chunk is still not right');
      return false;
    }
  }

  private rests(peer: string): boolean {
    const until = this.resting.get(peer);
    if (until === undefined) return false;
    if (this.deps.clock.monotonic() < until) return true;
    this.resting.delete(peer);
    return false;
  }

  private async askOne(
    { peerId }: Holder,
    items: readonly InventoryItem[],
    signal: AbortSignal,
  ): Promise<{ has: InventoryItem[]; sampled: number }> {
    const { queries, random } = this.deps;
    const blobs = items.filter(({ kind }) => kind === 'blob');
    const ids = blobs.map(({ id }) => id);
    const held = await this.inTime(signal, (limit) => queries.held(peerId, ids, limit));
    const has = blobs.filter(({ id }) => held.has(id));
    const sampled = Math.min(SAMPLES_PER_PAGE_MAX, Math.ceil(has.length / BLOBS_PER_SAMPLE));
    for (let sample = 0; sample < sampled; sample++) {
      const { id, bytes } = has[Math.floor(random.float() * has.length)] as InventoryItem;
      await this.check(peerId, id, Math.floor(random.float() * chunkCount(bytes)), signal);
    }
    has.push(...(await this.accountsOf(peerId, items, signal)));
    return { has, sampled };
  }

  private async accountsOf(
    peer: string,
    items: readonly InventoryItem[],
    signal: AbortSignal,
  ): Promise<InventoryItem[]> {
    const has: InventoryItem[] = [];
    const accounts = items.filter(({ kind }) => kind === 'account').values();
    // One question without an answer ends the others: such a holder would cost its deadline for each account.
    const silent = new AbortController();
    const asked = AbortSignal.any([signal, silent.signal]);
    const asking = Array.from({ length: VECTORS_AT_ONCE }, async () => {
      for (const item of accounts) {
        // A holder that follows other accounts does not serve this one: that is no fault of it.
        const question = this.inTime(asked, (limit) => this.deps.queries.vector(peer, item.id, limit));
        const vector = await question.catch((error: unknown) => {
          signal.throwIfAborted();
          if (asked.aborted || isTimeout(error)) throw error;
          this.deps.log.debug({ peer, account: item.id, err: error }, 'no vector of an account');
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
    return has;
  }

  private async check(peer: string, id: string, chunk: number, signal: AbortSignal): Promise<void> {
    try {
      await this.inTime(signal, (limit) => this.deps.queries.checkChunk(peer, id, chunk, limit));
    } catch (error) {
      // A connection that broke says nothing about the bytes.
      if (isDomainError(error) && /^(holder|blobs)\//.test(error.code)) throw new WrongChunk({ id, chunk }, error);
      throw error;
    }
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

class WrongChunk extends Error {
  constructor(
    readonly where: Chunk,
    cause: unknown,
  ) {
    super(describeError(cause), { cause });
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}
