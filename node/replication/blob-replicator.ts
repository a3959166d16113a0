/**
 * Brings every tracked blob to `copies` confirmed holders. One scheduler decides what goes where (placement.ts), one
 * push at a time runs per holder, many small blobs to a push. Woken by changes; a holder that failed rests for a while.
 */
import type { BlobId, BlobStore } from '../../protocol/blobs/blob.js';
import { type Clock, deadline } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Random } from '../../protocol/runtime/random.js';
import { type BlobLane, type Holder, type Holders, servingDomains } from './holders.js';
import { domainsOf, type Ledger } from './ledger.js';
import { place } from './placement.js';
import { backoffMs, Wakeup } from './wakeup.js';

export interface BlobReplicatorOptions {
  copies: number;
  domain: string;
  maySendTo: readonly string[] | null;
  /** One push, whatever its size. */
  pushDeadlineMs: number;
}

export const BLOBS_PER_PUSH = 256;
export const BYTES_PER_PUSH = 64 * 2 ** 20;
/** Looked at in one round of placing: bounds the work between two pushes. */
const BLOBS_PER_ROUND = 4096;
const FETCHES_AT_ONCE = 4;

export class BlobReplicator implements Part {
  private readonly background: Background;
  private readonly wakeup: Wakeup;
  private readonly waiting = new Set<BlobId>();
  private readonly busy = new Map<string, Set<BlobId>>();
  private readonly resting = new Map<string, { failures: number; until: number }>();
  /** holder → blobs it refused, until it changes. */
  private readonly refused = new Map<string, Map<BlobId, string>>();
  private readonly fetching = new Set<BlobId>();
  private readonly releases: (() => void)[] = [];
  private paused: boolean;
  private copies: number;
  /** Confirmed since the start, and the time that pushing it took. */
  private readonly sent = { bytes: 0, ms: 0 };

  constructor(
    private readonly deps: {
      blobs: BlobStore;
      ledger: Ledger;
      lane: BlobLane;
      holders: Holders;
      clock: Clock;
      random: Random;
      logger: Logger;
    },
    private readonly options: BlobReplicatorOptions & { paused: boolean },
  ) {
    this.paused = options.paused;
    this.copies = options.copies;
    this.background = new Background({ log: deps.logger });
    this.wakeup = new Wakeup(deps.clock);
  }

  async start(): Promise<void> {
    this.recount();
    this.releases.push(
      this.deps.ledger.onChange(() => this.wakeup.wake()),
      this.deps.holders.onChange(() => {
        this.refused.clear();
        this.recount();
      }),
    );
    this.background.run('replicate blobs', (signal) => this.schedule(signal));
  }

  async stop(): Promise<void> {
    for (const release of this.releases.splice(0)) release();
    await this.background.stop();
  }

  setPaused(paused: boolean): void {
    this.paused = paused;
    this.wakeup.wake();
  }

  isPaused(): boolean {
    return this.paused;
  }

  /** A drain may be agreed with more or fewer copies than this node wants otherwise. */
  setCopies(copies: number): void {
    this.copies = copies;
    this.recount();
  }

  /** What one holder takes, measured since the start; undefined before anything was sent. */
  bytesPerSecond(): number | undefined {
    const { bytes, ms } = this.sent;
    return ms > 0 && bytes > 0 ? Math.round((bytes * 1000) / ms) : undefined;
  }

  /** Blobs became tracked, or a holder was lost: look at everything again. What nobody else has comes first. */
  recount(): void {
    const domainOf = servingDomains(this.deps.holders);
    const later: BlobId[] = [];
    this.waiting.clear();
    for (const [blob, tracked] of this.deps.ledger.tracked()) {
      const copies = domainsOf(tracked, domainOf).size;
      if (copies === 0) this.waiting.add(blob);
      else if (copies < this.copies) later.push(blob);
    }
    for (const blob of later) this.waiting.add(blob);
    this.wakeup.wake();
  }

  /** Who refused what, for the status page. */
  refusals(): { peer: string; blob: BlobId; reason: string }[] {
    return [...this.refused].flatMap(([peer, blobs]) => [...blobs].map(([blob, reason]) => ({ peer, blob, reason })));
  }

  private lacks(blob: BlobId): boolean {
    const tracked = this.deps.ledger.blob(blob);
    return tracked !== undefined && domainsOf(tracked, servingDomains(this.deps.holders)).size < this.copies;
  }

  private async schedule(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const [blob] of this.deps.ledger.tracked())
        if (!this.waiting.has(blob) && this.lacks(blob)) this.waiting.add(blob);
      if (!this.paused) this.assign();
      const rest = [...this.resting.values()].map(({ until }) => until - this.deps.clock.now()).filter((ms) => ms > 0);
      await this.wakeup.wait(signal, rest.length > 0 ? Math.min(...rest) : undefined);
    }
  }

  private assign(): void {
    const now = this.deps.clock.now();
    const free = this.deps.holders
      .list()
      .filter((holder) => !this.busy.has(holder.peer) && (this.resting.get(holder.peer)?.until ?? 0) <= now);
    if (free.length === 0) return;
    const domainOf = servingDomains(this.deps.holders);
    const loads = new Map<string, { holder: Holder; blobs: BlobId[]; bytes: number }>();
    let looked = 0;
    for (const blob of this.waiting) {
      if (looked++ >= BLOBS_PER_ROUND) break;
      const tracked = this.deps.ledger.blob(blob);
      const placedDomains = tracked ? domainsOf(tracked, domainOf) : new Set<string>();
      if (tracked === undefined || placedDomains.size >= this.copies) {
        this.waiting.delete(blob);
        continue;
      }
      if (!this.deps.blobs.has(blob)) {
        this.bring(blob);
        continue;
      }
      const { chosen } = place(
        {
          key: blob,
          sizeBytes: tracked.size,
          copies: this.copies,
          ownDomain: this.options.domain,
          placedDomains,
          maySendTo: this.options.maySendTo,
        },
        // Placed over everybody, so that a busy holder is waited for rather than passed over; sent to those free.
        this.deps.holders.list().filter((holder) => !this.refused.get(holder.peer)?.has(blob)),
      );
      for (const holder of chosen) {
        if (!free.some(({ peer }) => peer === holder.peer)) continue;
        const load = loads.get(holder.peer) ?? { holder, blobs: [], bytes: 0 };
        if (load.blobs.length >= BLOBS_PER_PUSH || (load.bytes > 0 && load.bytes + tracked.size > BYTES_PER_PUSH))
          continue;
        load.blobs.push(blob);
        load.bytes += tracked.size;
        loads.set(holder.peer, load);
      }
    }
    for (const { holder, blobs } of loads.values()) {
      this.busy.set(holder.peer, new Set(blobs));
      this.background.run(`blobs to ${holder.peer}`, (signal) => this.push(holder.peer, blobs, signal));
    }
  }

  private async push(peer: string, blobs: BlobId[], signal: AbortSignal): Promise<void> {
    const begun = this.deps.clock.monotonic();
    try {
      const result = await this.deps.lane.send(peer, blobs, deadline(this.options.pushDeadlineMs, signal));
      if (result.confirmed.length > 0) await this.deps.ledger.lapse(peer, result.storeId);
      await this.deps.ledger.confirmBlobs(peer, result.storeId, result.confirmed);
      this.sent.ms += this.deps.clock.monotonic() - begun;
      for (const blob of result.confirmed) this.sent.bytes += this.deps.ledger.blob(blob)?.size ?? 0;
      for (const refusal of result.refused) this.refuse(peer, refusal.blob, refusal.reason);
      this.resting.delete(peer);
    } catch (error) {
      if (signal.aborted) return;
      const failures = (this.resting.get(peer)?.failures ?? 0) + 1;
      const until = this.deps.clock.now() + backoffMs(failures, this.deps.random.float());
      this.resting.set(peer, { failures, until });
      this.deps.logger.warn({ peer, reason: describeError(error), failures }, 'blobs could not be sent');
    } finally {
      this.busy.delete(peer);
      this.wakeup.wake();
    }
  }

  private refuse(peer: string, blob: BlobId, reason: string): void {
    const blobs = this.refused.get(peer) ?? new Map<BlobId, string>();
    blobs.set(blob, reason);
    this.refused.set(peer, blobs);
    this.deps.logger.warn({ peer, blob, reason }, 'a holder refused a blob');
  }

  /** Answerable for bytes that are elsewhere (an account taken over): first fetched, then placed. */
  private bring(blob: BlobId): void {
    if (this.fetching.has(blob) || this.fetching.size >= FETCHES_AT_ONCE) return;
    if ((this.resting.get(blob)?.until ?? 0) > this.deps.clock.now()) return;
    this.fetching.add(blob);
    this.background.run(`fetch ${blob}`, async (signal) => {
      try {
        await this.deps.lane.fetch(blob, deadline(this.options.pushDeadlineMs, signal));
        this.resting.delete(blob);
      } catch (error) {
        if (signal.aborted) return;
        const failures = (this.resting.get(blob)?.failures ?? 0) + 1;
        this.resting.set(blob, {
          failures,
          until: this.deps.clock.now() + backoffMs(failures, this.deps.random.float()),
        });
        this.deps.logger.warn({ blob, reason: describeError(error) }, 'a blob could not be fetched');
      } finally {
        this.fetching.delete(blob);
        this.wakeup.wake();
      }
    });
  }
}
