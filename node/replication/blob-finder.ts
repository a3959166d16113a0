/**
 * Blobs that this node became answerable for without having had them in its hands: an account taken over. First holders
 * are asked what they have, because the former home has placed its copies; only what then lacks copies is brought here to
 * be placed anew. Asking costs one question for thousands of blobs, bringing costs the bytes.
 */
import type { BlobId } from '../../protocol/blobs/blob.js';
import { type Clock, startDeadline } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import type { Background } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Random } from '../../protocol/runtime/random.js';
import type { BlobLane, Holder, Holders } from './holders.js';
import type { Ledger } from './ledger.js';
import { backoffMs } from './wakeup.js';

const ASKED_AT_ONCE = 4096;
const ASK_MS = 20_000;
/** The repository, and as many others: in a network of thousands most have nothing of it. */
const HOLDERS_ASKED_MAX = 32;
const FETCHES_AT_ONCE = 4;

export interface BlobFinderDeps {
  blobs: { has(blob: BlobId): boolean };
  ledger: Pick<Ledger, 'confirmBlobs'>;
  lane: Pick<BlobLane, 'have' | 'fetch'>;
  holders: Holders;
  clock: Clock;
  random: Random;
  logger: Logger;
  background: Background;
  /** Still lacks copies, and this node is answerable for it. */
  isWanted: (blob: BlobId) => boolean;
  /** Asked for, or brought: to be looked at again. */
  onFound: (blobs: readonly BlobId[]) => void;
}

export class BlobFinder {
  private readonly toAsk = new Set<BlobId>();
  private asking = false;
  /** Asked for since the holders last changed, and not here. */
  private readonly asked = new Set<BlobId>();
  private readonly toBring = new Set<BlobId>();
  private readonly fetching = new Set<BlobId>();
  /** Could not be fetched; tried again by and by. */
  private readonly resting = new Map<BlobId, { failures: number; until: number }>();
  private restsUntil = Number.POSITIVE_INFINITY;

  constructor(
    private readonly deps: BlobFinderDeps,
    /** `domain`: this node's institution, whose other machines count for nothing. */
    private readonly options: { domain: string; fetchDeadlineMs: number },
  ) {}

  /** Whether what holders have of it is just being found out. */
  isAsking(blob: BlobId): boolean {
    return this.toAsk.has(blob);
  }

  ask(blobs: Iterable<BlobId>): void {
    for (const blob of blobs) this.toAsk.add(blob);
  }

  /** Not here: holders are asked first, then it is brought. */
  find(blob: BlobId): void {
    if (this.fetching.has(blob) || this.resting.has(blob)) return;
    if (this.asked.has(blob)) this.toBring.add(blob);
    else this.toAsk.add(blob);
  }

  /** Other holders are there now. */
  forgetAsked(): void {
    this.asked.clear();
    this.toBring.clear();
    this.resting.clear();
    this.restsUntil = Number.POSITIVE_INFINITY;
  }

  /** Begins what can be begun. Milliseconds until there is something to begin by itself; undefined: nothing waits. */
  step(): number | undefined {
    if (this.toAsk.size > 0 && !this.asking) {
      this.asking = true;
      this.deps.background.run('ask holders for blobs', (signal) => this.askAll(signal));
    }
    this.wakeRested();
    for (const blob of this.toBring) {
      if (this.fetching.size >= FETCHES_AT_ONCE) break;
      this.toBring.delete(blob);
      if (this.deps.blobs.has(blob)) this.deps.onFound([blob]);
      else if (this.deps.isWanted(blob)) this.bring(blob);
      else this.resting.delete(blob);
    }
    return Number.isFinite(this.restsUntil) ? Math.max(0, this.restsUntil - this.deps.clock.monotonic()) : undefined;
  }

  private async askAll(signal: AbortSignal): Promise<void> {
    try {
      while (this.toAsk.size > 0 && !signal.aborted) {
        const blobs = firstOf(this.toAsk, ASKED_AT_ONCE);
        await Promise.all(this.others().map((holder) => this.askOne(holder.peer, blobs, signal)));
        for (const blob of blobs) {
          this.toAsk.delete(blob);
          if (!this.deps.blobs.has(blob)) this.asked.add(blob);
        }
        this.deps.onFound(blobs);
      }
    } finally {
      this.asking = false;
    }
  }

  private async askOne(peer: string, blobs: readonly BlobId[], signal: AbortSignal): Promise<void> {
    const limit = startDeadline(this.deps.clock, ASK_MS, signal);
    try {
      const { storeId, held } = await this.deps.lane.have(peer, blobs, limit.signal);
      await this.deps.ledger.confirmBlobs(peer, storeId, held);
    } catch (error) {
      if (!signal.aborted) {
        this.deps.logger.info({ peer, reason: describeError(error) }, 'a holder could not be asked what it has');
      }
    } finally {
      limit.cancel();
    }
  }

  private others(): Holder[] {
    return this.deps.holders
      .list()
      .filter(({ serving, connected, domain }) => serving && connected && domain !== this.options.domain)
      .sort((a, b) => Number(b.kind === 'repository') - Number(a.kind === 'repository') || (a.peer < b.peer ? -1 : 1))
      .slice(0, HOLDERS_ASKED_MAX);
  }

  private bring(blob: BlobId): void {
    this.fetching.add(blob);
    this.deps.background.run(`fetch ${blob}`, async (signal) => {
      const limit = startDeadline(this.deps.clock, this.options.fetchDeadlineMs, signal);
      try {
        await this.deps.lane.fetch(blob, limit.signal);
        this.asked.delete(blob);
        this.resting.delete(blob);
      } catch (error) {
        if (signal.aborted) return;
        const failures = (this.resting.get(blob)?.failures ?? 0) + 1;
        const until = this.deps.clock.monotonic() + backoffMs(failures, this.deps.random.float());
        this.resting.set(blob, { failures, until });
        this.restsUntil = Math.min(this.restsUntil, until);
        this.deps.logger.warn({ blob, reason: describeError(error), failures }, 'a blob could not be fetched');
      } finally {
        limit.cancel();
        this.fetching.delete(blob);
        this.deps.onFound([blob]);
      }
    });
  }

  private wakeRested(): void {
    const now = this.deps.clock.monotonic();
    if (this.restsUntil > now) return;
    this.restsUntil = Number.POSITIVE_INFINITY;
    for (const [blob, { until }] of this.resting) {
      if (until > now) this.restsUntil = Math.min(this.restsUntil, until);
      else if (!this.fetching.has(blob)) this.toBring.add(blob);
    }
  }
}

function firstOf<T>(all: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const one of all) {
    if (first.length >= count) break;
    first.push(one);
  }
  return first;
}
