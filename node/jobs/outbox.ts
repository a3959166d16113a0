/**
 * Brings each outcome to its account's home, once, whatever fails meanwhile.
 *
 * Here at home: appended to the log, in one batch with the removal of the job's note. Elsewhere: kept in the store
 * first, then delivered until it is acknowledged; what is kept survives a restart. Delivered twice is harmless: the
 * outcome with the highest (epoch, attempt) wins, and the same one is not appended again.
 */
import type { JobOutcome } from '../../protocol/account/entries.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { AccountLog, LeaseSource } from '../../protocol/log/account-log.js';
import type { JsonObject } from '../../protocol/log/entry.js';
import { type Clock, sleep } from '../../protocol/runtime/clock.js';
import { isDomainError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { readJson, type Store, type StoreOp } from '../../protocol/runtime/store.js';
import { jobErrors } from './errors.js';
import { type FoundList, foundDrafts, readFound } from './found.js';
import { JOB_NAMESPACES } from './namespaces.js';

/** The way to the node that is an account's home; the root injects the door. */
export interface HomeLine {
  /** Resolves when the home has the outcome fsynced. */
  deliver(account: string, outcome: JobOutcome, signal: AbortSignal): Promise<void>;
  /** Resolves when the home has heard that there will be none from this node. */
  gaveUp(account: string, job: string, reason: string, signal: AbortSignal): Promise<void>;
}

/** A node that knows no other: an outcome of a foreign account stays until it is home again. */
export const noOtherHome: HomeLine = {
  deliver: (_account, outcome) => Promise.reject(jobErrors('no-home', { job: outcome.id })),
  gaveUp: (_account, job) => Promise.reject(jobErrors('no-home', { job })),
};

export interface OutboxDeps {
  log: AccountLog;
  leases: LeaseSource;
  store: Store;
  blobs: Pick<BlobStore, 'read'>;
  clock: Clock;
  logger: Logger;
  home: Pick<HomeLine, 'deliver'>;
}

export interface OutboxOptions {
  retryMs: number;
  retryMaxMs: number;
}

type Rank = Pick<JobOutcome, 'epoch' | 'attempt'>;

interface Kept {
  account: string;
  outcome: JobOutcome;
}

export class Outbox implements Part {
  private readonly background: Background;
  private readonly kept = new Map<string, Kept>();
  /** Ends the pause before the next try. */
  private wake = new AbortController();

  constructor(
    private readonly deps: OutboxDeps,
    private readonly options: OutboxOptions,
  ) {
    this.background = new Background({ log: deps.logger });
  }

  async start(): Promise<void> {
    for await (const [key, bytes] of this.deps.store.iterate(JOB_NAMESPACES.outbox)) {
      const kept = readJson<Kept>(bytes);
      if (kept) this.keep(key, kept);
    }
  }

  stop(): Promise<void> {
    return this.background.stop();
  }

  /** Outcomes that no home has acknowledged. */
  get size(): number {
    return this.kept.size;
  }

  holds(job: string): boolean {
    return [...this.kept.values()].some(({ outcome }) => outcome.id === job);
  }

  /**
   * Resolves when the outcome and `also` are durable: in the log, or kept here for delivery; one that loses against the
   * outcome in the log is dropped. A store that cannot write
   * (full disk) is tried again until it can; rejects only when the node stops.
   */
  async post(account: string, outcome: JobOutcome, also: readonly StoreOp[]): Promise<void> {
    let pause = this.options.retryMs;
    for (;;) {
      try {
        if (this.deps.leases.current(account) !== undefined) {
          const found = await readFound(this.deps.blobs, outcome);
          await appendOutcome(this.deps.log, account, outcome, found, also);
          return;
        }
      } catch (error) {
        if (!isElsewhere(error)) {
          this.deps.logger.warn({ job: outcome.id, err: error }, 'an outcome could not be recorded yet');
          await this.pause(pause);
          pause = Math.min(pause * 2, this.options.retryMaxMs);
          continue;
        }
      }
      const key = `${outcome.id}-${outcome.attempt}`;
      const kept: Kept = { account, outcome };
      try {
        const known = (await this.deps.log.view(account)).get('job', outcome.id)?.outcome;
        if (isOutranked(outcome, known)) {
          await this.deps.store.commit([...also]);
          return;
        }
        await this.deps.store.commit([{ ns: JOB_NAMESPACES.outbox, key, value: JSON.stringify(kept) }, ...also]);
        this.keep(key, kept);
        return;
      } catch (error) {
        this.deps.logger.warn({ job: outcome.id, err: error }, 'an outcome could not be kept for delivery yet');
        await this.pause(pause);
        pause = Math.min(pause * 2, this.options.retryMaxMs);
      }
    }
  }

  /** The way to a home may have changed: try again now. */
  kick(): void {
    this.wake.abort();
    this.wake = new AbortController();
  }

  private keep(key: string, kept: Kept): void {
    if (this.kept.has(key)) return;
    this.kept.set(key, kept);
    this.background.run('delivering an outcome', (signal) => this.deliver(key, kept, signal));
  }

  private async deliver(key: string, { account, outcome }: Kept, signal: AbortSignal): Promise<void> {
    const remove: StoreOp = { ns: JOB_NAMESPACES.outbox, key, delete: true };
    let pause = this.options.retryMs;
    for (;;) {
      signal.throwIfAborted();
      try {
        if (this.deps.leases.current(account) !== undefined) {
          const found = await readFound(this.deps.blobs, outcome);
          await appendOutcome(this.deps.log, account, outcome, found, [remove]);
        } else {
          await this.deps.home.deliver(account, outcome, signal);
          await this.deps.store.commit([remove]);
        }
        this.kept.delete(key);
        return;
      } catch (error) {
        signal.throwIfAborted();
        this.deps.logger.debug({ job: outcome.id, err: error }, 'an outcome was not delivered yet');
      }
      await this.pause(pause);
      pause = Math.min(pause * 2, this.options.retryMaxMs);
    }
  }

  private async pause(ms: number): Promise<void> {
    const { signal } = this.background;
    signal.throwIfAborted();
    await sleep(this.deps.clock, ms, AbortSignal.any([signal, this.wake.signal])).catch(() => signal.throwIfAborted());
  }
}

/**
 * Appends an outcome, with the things that its run found, unless one that wins over it is there; `also` is committed in
 * any case.
 */
export async function appendOutcome(
  log: AccountLog,
  account: string,
  outcome: JobOutcome,
  found: FoundList | undefined,
  also: readonly StoreOp[],
): Promise<void> {
  await log.append(account, (view) => {
    if (isOutranked(outcome, view.get('job', outcome.id)?.outcome)) return { drafts: [], also: [...also] };
    const payload = outcome as unknown as JsonObject;
    return { drafts: [{ type: 'job.outcome', payload }, ...foundDrafts(view, outcome, found)], also: [...also] };
  });
}

/** Whether the outcome that is shown stays when this one comes. */
function isOutranked(outcome: Rank, known: Rank | undefined): boolean {
  if (known === undefined) return false;
  return known.epoch > outcome.epoch || (known.epoch === outcome.epoch && known.attempt >= outcome.attempt);
}

function isElsewhere(error: unknown): boolean {
  return isDomainError(error, 'log/not-home') || isDomainError(error, 'log/sealed');
}
