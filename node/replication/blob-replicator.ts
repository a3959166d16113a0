/**
 * Brings every tracked blob to `copies` confirmed holders. A blob is looked at when something about it changed: it was
 * tracked, confirmed, refused, or the holders are others; never because something else happened. Looking at it means
 * placing what it lacks (placement.ts) into the queues of holders. One push at a time runs per holder, many small blobs
 * to a push; a holder that failed rests for a while.
 *
 *   waiting → queued → on its way → confirmed          (each change of the ledger: waiting again, if copies still lack)
 *   waiting → parked (no holder fits now) → waiting    (holders changed, one has more room, or a minute passed)
 *
 * Rejected: looking at all blobs at each change, which made every confirmation cost as much as there are blobs.
 */
import type { BlobId, BlobStore } from '../../protocol/blobs/blob.js';
import { type Clock, nextTurn, startDeadline } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Random } from '../../protocol/runtime/random.js';
import { BlobFinder } from './blob-finder.js';
import type { BlobLane, Holder, Holders } from './holders.js';
import { domainsOf, type Ledger } from './ledger.js';
import { place } from './placement.js';
import { type PushLimits, PushQueue } from './push-queue.js';
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
const PUSH: PushLimits = { blobsMax: BLOBS_PER_PUSH, bytesMax: BYTES_PER_PUSH };
/** Placed in one go; then everything else has its turn. */
const BLOBS_PER_ROUND = 1000;
/** What no holder takes is offered again after this, if nothing changes before. */
const PARKED_MS = 60_000;
/** Refusals remembered of one holder; one that refuses more is left alone until they are forgotten. */
const REFUSALS_MAX = 10_000;
/** A holder that failed so often in a row is passed over while it rests. */
const FAILURES_PATIENCE = 3;
/** More room than before by so much is worth another look. */
const ROOM_STEP_BYTES = 2 ** 20;
/** It is coming to the holder from somebody else: no refusal, soon to be seen as held. */
const BUSY = 'blobs/busy';
const BUSY_MS = 2000;

/** What is the same for all blobs of one round. */
interface Round {
  holders: Holder[];
  domainOf: (peer: string) => string | undefined;
}

export class BlobReplicator implements Part {
  private readonly background: Background;
  private readonly wakeup: Wakeup;
  private readonly finder: BlobFinder;
  private readonly waiting = new PushQueue();
  private readonly parked = new Set<BlobId>();
  private parkedUntil = Number.POSITIVE_INFINITY;
  private readonly queues = new Map<string, PushQueue>();
  /** Blob → holders that it is queued for or on its way to. */
  private readonly placed = new Map<BlobId, Set<string>>();
  private readonly busy = new Set<string>();
  /** Holders that failed; no more than there are holders. */
  private readonly resting = new Map<string, { failures: number; until: number }>();
  /** Holder → blobs that it refused, until it changes or a minute passed. */
  private readonly refused = new Map<string, Map<BlobId, string>>();
  /** Who is there, and how much room each had when it was last looked at. */
  private known = '';
  private readonly room = new Map<string, number>();
  private readonly releases: (() => void)[] = [];
  private paused: boolean;
  private copies: number;
  /** Confirmed since the start, and the time that pushing it took. */
  private readonly sent = { bytes: 0, ms: 0 };

  constructor(
    private readonly deps: {
      blobs: Pick<BlobStore, 'has'>;
      ledger: Ledger;
      lane: BlobLane;
      holders: Holders;
      clock: Clock;
      random: Random;
      logger: Logger;
    },
    private readonly options: BlobReplicatorOptions & { paused: boolean },
  ) {
    const { domain, pushDeadlineMs } = options;
    this.paused = options.paused;
    this.copies = options.copies;
    this.background = new Background({ log: deps.logger });
    this.wakeup = new Wakeup(deps.clock);
    this.finder = new BlobFinder(
      {
        ...deps,
        background: this.background,
        isWanted: (blob) => this.lacks(blob, this.round().domainOf),
        onFound: (blobs) => this.changed(blobs),
      },
      { domain, fetchDeadlineMs: pushDeadlineMs },
    );
  }

  async start(): Promise<void> {
    this.noteHolders();
    this.recount();
    this.releases.push(
      this.deps.ledger.onChange(({ blobs }) => this.changed(blobs)),
      this.deps.holders.onChange(() => this.holdersChanged()),
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

  /** Who refused what, for the status page. */
  refusals(): { peer: string; blob: BlobId; reason: string }[] {
    return [...this.refused].flatMap(([peer, blobs]) => [...blobs].map(([blob, reason]) => ({ peer, blob, reason })));
  }

  /** Blobs of an account that came here: who has them is asked before anything is sent. */
  survey(blobs: Iterable<BlobId>): void {
    this.finder.ask(blobs);
    this.wakeup.wake();
  }

  /** Looks at everything again: the holders are others, or the wanted number. What nobody else has comes first. */
  recount(): void {
    this.refused.clear();
    this.parked.clear();
    this.waiting.clear();
    for (const [peer, queue] of this.queues) for (const blob of queue) this.unplace(blob, peer);
    this.queues.clear();
    this.finder.forgetAsked();
    const { domainOf } = this.round();
    for (const [blob, tracked] of this.deps.ledger.tracked()) {
      const copies = domainsOf(tracked, domainOf).size;
      if (copies < this.copies) this.waiting.add(blob, copies === 0);
    }
    this.wakeup.wake();
  }

  private changed(blobs: readonly BlobId[]): void {
    const { domainOf } = this.round();
    for (const blob of blobs) {
      const copies = this.copiesOf(blob, domainOf);
      if (copies === undefined || copies >= this.copies) this.forget(blob);
      else this.waiting.add(blob, copies === 0);
    }
    this.wakeup.wake();
  }

  private forget(blob: BlobId): void {
    this.waiting.delete(blob);
    this.parked.delete(blob);
  }

  /** The peer book speaks each second; only who is there and whom it can be given to matters, and room that came free. */
  private holdersChanged(): void {
    const isSame = this.noteHolders();
    if (!isSame) {
      this.resting.clear();
      this.recount();
    } else if (this.noteRoom()) this.unpark();
  }

  private noteHolders(): boolean {
    const before = this.known;
    this.known = this.deps.holders
      .list()
      .map(({ peer, domain, kind, serving, connected }) => JSON.stringify([peer, domain, kind, serving, connected]))
      .sort()
      .join();
    if (this.known !== before) this.noteRoom();
    return this.known === before;
  }

  private noteRoom(): boolean {
    let isMore = false;
    for (const { peer, freeBytes } of this.deps.holders.list()) {
      const before = this.room.get(peer);
      if (before !== undefined && freeBytes > before * 1.1 + ROOM_STEP_BYTES) isMore = true;
      if (before === undefined || freeBytes < before || isMore) this.room.set(peer, freeBytes);
    }
    return isMore;
  }

  private unpark(): void {
    this.parkedUntil = Number.POSITIVE_INFINITY;
    this.refused.clear();
    const parked = [...this.parked];
    this.parked.clear();
    this.changed(parked);
  }

  private async schedule(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let next: number | undefined;
      if (!this.paused) {
        if (this.parkedUntil <= this.deps.clock.monotonic()) this.unpark();
        const isDone = this.placeSome();
        next = earliest(this.finder.step(), this.pushAll(), this.parkedUntil - this.deps.clock.monotonic());
        if (!isDone) {
          await nextTurn();
          continue;
        }
      }
      await this.wakeup.wait(signal, next);
    }
  }

  /** True when everything that waited was looked at. */
  private placeSome(): boolean {
    if (this.waiting.size === 0) return true;
    const round = this.round();
    let looked = 0;
    for (const blob of this.waiting) {
      if (looked >= BLOBS_PER_ROUND) return false;
      looked += 1;
      this.waiting.delete(blob);
      this.place(blob, round);
    }
    return true;
  }

  private place(blob: BlobId, { holders, domainOf }: Round): void {
    const tracked = this.deps.ledger.blob(blob);
    if (tracked === undefined || this.finder.isAsking(blob)) return;
    const confirmed = domainsOf(tracked, domainOf);
    if (confirmed.size >= this.copies) return;
    if (!this.deps.blobs.has(blob)) {
      this.finder.find(blob);
      return;
    }
    const domains = new Set(confirmed);
    for (const peer of this.placed.get(blob) ?? []) {
      const domain = domainOf(peer);
      if (domain !== undefined) domains.add(domain);
    }
    if (domains.size >= this.copies) return;
    const { chosen, missing } = place(
      {
        key: blob,
        sizeBytes: tracked.size,
        copies: this.copies,
        ownDomain: this.options.domain,
        placedDomains: domains,
        maySendTo: this.options.maySendTo,
      },
      holders.filter(({ peer }) => !this.isClosed(peer, blob)),
    );
    for (const { peer } of chosen) this.enqueue(peer, blob, confirmed.size === 0);
    if (missing > 0) this.park(blob);
  }

  private isClosed(peer: string, blob: BlobId): boolean {
    const refused = this.refused.get(peer);
    if (refused !== undefined && (refused.has(blob) || refused.size >= REFUSALS_MAX)) return true;
    // Placed over everybody, so that a busy holder is waited for rather than passed over; but not for ever.
    const rest = this.resting.get(peer);
    return rest !== undefined && rest.failures >= FAILURES_PATIENCE && rest.until > this.deps.clock.monotonic();
  }

  private park(blob: BlobId): void {
    this.parked.add(blob);
    this.parkedUntil = Math.min(this.parkedUntil, this.deps.clock.monotonic() + PARKED_MS);
  }

  private enqueue(peer: string, blob: BlobId, isFirst: boolean): void {
    const queue = this.queues.get(peer) ?? new PushQueue();
    queue.add(blob, isFirst);
    this.queues.set(peer, queue);
    const holders = this.placed.get(blob) ?? new Set();
    holders.add(peer);
    this.placed.set(blob, holders);
  }

  private unplace(blob: BlobId, peer: string): void {
    const holders = this.placed.get(blob);
    holders?.delete(peer);
    if (holders?.size === 0) this.placed.delete(blob);
  }

  /** Begins a push to each holder that is free. Milliseconds until the next one has rested. */
  private pushAll(): number | undefined {
    const now = this.deps.clock.monotonic();
    let next: number | undefined;
    for (const [peer, queue] of this.queues) {
      if (this.busy.has(peer)) continue;
      const until = this.resting.get(peer)?.until ?? 0;
      if (until > now) {
        next = earliest(next, until - now);
        continue;
      }
      const blobs = this.nextPush(peer, queue);
      if (queue.size === 0) this.queues.delete(peer);
      if (blobs.length === 0) continue;
      this.busy.add(peer);
      this.background.run(`blobs to ${peer}`, (signal) => this.push(peer, blobs, signal));
    }
    return next;
  }

  private nextPush(peer: string, queue: PushQueue): BlobId[] {
    const { domainOf } = this.round();
    const { blobs } = queue.take(PUSH, (blob) => {
      if (this.lacks(blob, domainOf) && this.deps.blobs.has(blob)) return this.deps.ledger.blob(blob)?.size;
      // Another holder has confirmed it meanwhile, or it was moved aside as damaged.
      this.unplace(blob, peer);
      if (this.lacks(blob, domainOf)) this.changed([blob]);
      return undefined;
    });
    return blobs;
  }

  private async push(peer: string, blobs: BlobId[], signal: AbortSignal): Promise<void> {
    const { lane, ledger, clock, logger } = this.deps;
    const begun = clock.monotonic();
    const limit = startDeadline(clock, this.options.pushDeadlineMs, signal);
    const busy: BlobId[] = [];
    try {
      const result = await lane.send(peer, blobs, limit.signal);
      await ledger.confirmBlobs(peer, result.storeId, result.confirmed);
      this.sent.ms += clock.monotonic() - begun;
      for (const blob of result.confirmed) this.sent.bytes += ledger.blob(blob)?.size ?? 0;
      for (const { blob, code, reason } of result.refused) {
        if (code === BUSY) busy.push(blob);
        else this.refuse(peer, blob, reason);
      }
      this.resting.delete(peer);
      if (busy.length > 0) this.resting.set(peer, { failures: 0, until: clock.monotonic() + BUSY_MS });
    } catch (error) {
      if (signal.aborted) return;
      const failures = (this.resting.get(peer)?.failures ?? 0) + 1;
      this.resting.set(peer, { failures, until: clock.monotonic() + backoffMs(failures, this.deps.random.float()) });
      logger.warn({ peer, reason: describeError(error), failures }, 'blobs could not be sent');
    } finally {
      limit.cancel();
      this.busy.delete(peer);
      for (const blob of blobs) this.unplace(blob, peer);
      this.changed(blobs);
    }
  }

  private refuse(peer: string, blob: BlobId, reason: string): void {
    const blobs = this.refused.get(peer) ?? new Map<BlobId, string>();
    if (blobs.size === 0) this.deps.logger.warn({ peer, blob, reason }, 'a holder refuses blobs');
    if (blobs.size < REFUSALS_MAX) blobs.set(blob, reason);
    this.refused.set(peer, blobs);
    this.parkedUntil = Math.min(this.parkedUntil, this.deps.clock.monotonic() + PARKED_MS);
  }

  private lacks(blob: BlobId, domainOf: Round['domainOf']): boolean {
    return (this.copiesOf(blob, domainOf) ?? this.copies) < this.copies;
  }

  /** Undefined: not tracked. */
  private copiesOf(blob: BlobId, domainOf: Round['domainOf']): number | undefined {
    const tracked = this.deps.ledger.blob(blob);
    return tracked === undefined ? undefined : domainsOf(tracked, domainOf).size;
  }

  /** A machine of this very institution is no other failure domain. */
  private round(): Round {
    const holders = this.deps.holders.list();
    const domains = new Map(
      holders
        .filter(({ serving, domain }) => serving && domain !== this.options.domain)
        .map(({ peer, domain }) => [peer, domain]),
    );
    return { holders, domainOf: (peer) => domains.get(peer) };
  }
}

function earliest(...delays: (number | undefined)[]): number | undefined {
  const least = Math.min(...delays.map((delay) => delay ?? Number.POSITIVE_INFINITY));
  return Number.isFinite(least) ? Math.max(0, least) : undefined;
}
