/**
 * A node leaves its network:
 *
 *   serving → draining (the steps of drain/leaving.ts, in order) → drained (redirects only, until no page polls) → the end
 *   draining → serving: called off while no receipt can have been issued, or refused at its very beginning
 *
 * Knows its steps through `Drainable` alone. Each step is journalled before the next begins. After a restart the doors of
 * the steps that were done are shut at once, and then every step is run again from the first: a step is a statement that
 * must hold, finding that it holds is cheap, and so nothing depends on where exactly the process died. Rejected: going
 * on at the step after the last journalled one, because what held before a crash need not hold after it (leases that came
 * back, a coordinator that forgot).
 *
 * What cannot go on now (coordinator away, peers full) waits and says why; at the deadline it says what is not safe, and
 * goes on. Only `--abandon` ends the process then, with a failure.
 */
import type { Cancel, Clock } from '../protocol/runtime/clock.js';
import { startDeadline } from '../protocol/runtime/clock.js';
import { describeError } from '../protocol/runtime/errors.js';
import type { Part } from '../protocol/runtime/lifecycle.js';
import type { Logger } from '../protocol/runtime/logger.js';
import type { Random } from '../protocol/runtime/random.js';
import type { Store } from '../protocol/runtime/store.js';
import { drainErrors } from './drain/errors.js';
import type { Unsafe } from './drain/handover.js';
import { DrainJournal, type JournalRecord } from './drain/journal.js';
import type { Leaving } from './drain/leaving.js';
import { QUIET_AT_MOST_MS } from './drain/quiet.js';
import type { ReceiptKeeper } from './drain/receipt-file.js';
import type { DrainProgress, DrainStatus } from './drain/report.js';
import { DrainView } from './drain/view.js';
import { shutDoors, type WalkDeps, walk } from './drain/walk.js';
import { Wakeup } from './replication/wakeup.js';

export type DrainState = 'serving' | 'draining' | 'drained';

export interface DrainRequest {
  acceptCopies?: number;
  abandon?: boolean;
}

/** What whoever asked for a drain is told in the end, once. */
export type DrainOutcome =
  | { is: 'drained'; receipt: string }
  /** The deadline has passed. `unsafe` by the coordinator's word; undefined: it has not compared anything. */
  | { is: 'unsafe'; unsafe: Unsafe | undefined; doing: string; waiting: string | undefined; abandoned: boolean }
  | { is: 'called-off' }
  | { is: 'stopped' }
  | { is: 'refused'; error: unknown };

/** Not safe: the drain was abandoned, and the process ends with a failure. */
export interface DrainEnd {
  safe: boolean;
  unsafe?: Unsafe;
}

export interface DrainDeps {
  store: Pick<Store, 'get' | 'commit'>;
  /** Undefined while the node belongs to no network. */
  leaving: () => Leaving | undefined;
  receipts: ReceiptKeeper;
  /** Resolves when no session polls any more; never waited for longer than a minute. */
  quiet: (signal: AbortSignal) => Promise<void>;
  /** The state changed: the coordinator hears of it with the next digest. */
  onState?: (state: DrainState) => void;
  clock: Clock;
  random: Random;
  logger: Logger;
}

export interface DrainOptions {
  deadlineMs: number;
}

const LEGAL: Record<DrainState, readonly DrainState[]> = {
  serving: ['draining'],
  draining: ['serving', 'drained'],
  drained: [],
};
const CANCEL_MS = 10_000;
/** The longest that a timer takes. */
const TIMER_MAX_MS = 2 ** 30;
const WAITERS_MAX = 1000;

export class Drain implements Part {
  private readonly journal: DrainJournal;
  private readonly view: DrainView;
  private readonly wakeup: Wakeup;
  private readonly waiters = new Set<(outcome: DrainOutcome) => void>();
  private current: DrainState = 'serving';
  private run: { controller: AbortController; ended: Promise<void> } | undefined;
  /** Begin, cancel and stop happen one after the other. */
  private turn: Promise<unknown> = Promise.resolve();
  private isRefusing = false;
  private cancelDeadline: Cancel | undefined;
  private finish: (end: DrainEnd) => void = () => {};
  /** Resolves when the process should end: drained and quiet, abandoned, or nothing to hand over. */
  readonly done: Promise<DrainEnd>;

  /** Reads the journal, so that the state is right before anybody is told it. */
  static async open(deps: DrainDeps, options: DrainOptions): Promise<Drain> {
    const drain = new Drain(deps, options);
    await drain.load();
    return drain;
  }

  private constructor(
    private readonly deps: DrainDeps,
    private readonly options: DrainOptions,
  ) {
    this.journal = new DrainJournal(deps);
    this.view = new DrainView(deps);
    this.wakeup = new Wakeup(deps.clock);
    this.done = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  get state(): DrainState {
    return this.current;
  }

  /** Goes on with a drain that an earlier start did not end. Before the node lets anybody in. */
  async start(): Promise<void> {
    const { record } = this.journal;
    if (record === undefined || this.current !== 'draining' || this.run !== undefined) return;
    if (this.deps.leaving() === undefined) {
      this.deps.logger.warn({}, 'a drain is noted, but this node belongs to no network: it serves');
      await this.journal.clear();
      this.transition('serving');
      return;
    }
    const now = this.deps.clock.now();
    if (record.deadlineAt <= now) {
      const deadlineAt = now + this.options.deadlineMs;
      await this.journal.update(() => ({ ...record, deadlineAt, abandon: false }));
    }
    this.deps.logger.info({ done: record.done }, 'a drain goes on');
    await shutDoors(this.walkDeps());
    this.launch();
  }

  async stop(): Promise<void> {
    await this.inTurn(async () => {
      await this.halt();
      this.settle({ is: 'stopped' });
    });
  }

  /** Begins a drain, or changes those terms of the one under way that are given; its deadline begins anew. */
  async begin(request: DrainRequest = {}): Promise<void> {
    await this.inTurn(() => this.beginNow(request));
  }

  /** Begins a drain unless one is under way, whose terms and deadline stand as they are: SIGTERM. */
  async ensure(): Promise<void> {
    await this.inTurn(async () => {
      if (this.journal.record === undefined || this.run === undefined) await this.beginNow({});
    });
  }

  private async beginNow(request: DrainRequest): Promise<void> {
    const before = this.journal.record;
    const acceptCopies = request.acceptCopies ?? before?.acceptCopies;
    const abandon = request.abandon ?? before?.abandon ?? false;
    const isSame =
      before !== undefined && before.acceptCopies === acceptCopies && this.run !== undefined && !this.isRefusing;
    if (!isSame) await this.halt();
    if (this.journal.record?.phase === 'drained') return this.lingerAgain();
    const now = this.deps.clock.now();
    try {
      await this.journal.update((known) => ({
        phase: 'draining',
        startedAt: known?.startedAt ?? now,
        deadlineAt: now + this.options.deadlineMs,
        abandon,
        done: known?.done ?? [],
        begun: known?.begun ?? {},
        ...(acceptCopies === undefined ? {} : { acceptCopies }),
      }));
    } catch (error) {
      if (!isSame && this.current === 'draining') this.launch();
      throw error;
    }
    if (this.current === 'serving') this.transition('draining');
    this.view.late(false);
    if (isSame) this.armDeadline();
    else this.launch();
  }

  /** Errors: `drain/not-draining`, `drain/receipt-issued`, `drain/receipt-pending`. */
  async cancel(): Promise<void> {
    await this.inTurn(async () => {
      if (this.current === 'serving') throw drainErrors('not-draining');
      if (this.current === 'drained') throw drainErrors('receipt-issued');
      const leaving = this.leaving();
      await this.halt();
      // It may have got its receipt at the last moment, or been refused.
      if (this.journal.record?.phase === 'drained') {
        this.lingerAgain();
        throw drainErrors('receipt-issued');
      }
      if (this.journal.record === undefined) return;
      try {
        if (leaving.steps.some((step) => step.binding?.() === true)) throw drainErrors('receipt-pending');
        await this.tellCancelled(leaving);
        await this.reopen();
      } catch (error) {
        this.launch();
        throw error;
      }
      this.settle({ is: 'called-off' });
    });
  }

  /** Nobody to hand anything over to: the process may end. */
  endAlone(): void {
    this.finish({ safe: true });
  }

  /** Something changed that a drain may wait for: the coordinator is back. */
  wake(): void {
    this.wakeup.wake();
  }

  /** How the drain under way, or about to begin, ends. Rejects when the signal aborts; the drain goes on. */
  outcome(signal: AbortSignal): Promise<DrainOutcome> {
    if (this.waiters.size >= WAITERS_MAX) throw new Error('too many wait for the drain');
    return new Promise((resolve, reject) => {
      const gone = () => {
        this.waiters.delete(take);
        reject(signal.reason);
      };
      const take = (outcome: DrainOutcome) => {
        signal.removeEventListener('abort', gone);
        this.waiters.delete(take);
        resolve(outcome);
      };
      this.waiters.add(take);
      if (signal.aborted) gone();
      else signal.addEventListener('abort', gone, { once: true });
    });
  }

  onChange(listener: () => void): () => void {
    return this.view.onChange(listener);
  }

  /** Now, in one line. */
  progress(): DrainProgress {
    return this.view.progress();
  }

  status(): DrainStatus {
    return this.view.status(this.current, this.deps.leaving()?.steps ?? [], this.journal.record);
  }

  private async load(): Promise<void> {
    await this.journal.load();
    const { record } = this.journal;
    if (record === undefined) return;
    // Saved and not journalled, or of an earlier start: it does not speak of what is here from now on.
    this.deps.receipts.retire();
    if (record.phase === 'drained') await this.journal.clear();
    else this.current = 'draining';
  }

  private launch(): void {
    const controller = new AbortController();
    this.armDeadline();
    const ended = this.go(controller.signal).catch((error: unknown) => {
      if (!controller.signal.aborted) this.deps.logger.error({ err: error }, 'a drain ended by a fault of its own');
    });
    this.run = { controller, ended };
  }

  private async halt(): Promise<void> {
    this.cancelDeadline?.();
    const { run } = this;
    this.run = undefined;
    run?.controller.abort(new Error('the drain was halted'));
    await run?.ended;
  }

  private async go(signal: AbortSignal): Promise<void> {
    const end = await walk(this.walkDeps(), signal);
    if ('receipt' in end) return this.linger(end.receipt, signal);
    this.cancelDeadline?.();
    this.run = undefined;
    this.settle({ is: 'refused', error: end.refused });
  }

  private walkDeps(): WalkDeps {
    const { journal, view, wakeup } = this;
    const { clock, random, logger } = this.deps;
    return {
      steps: this.leaving().steps,
      journal,
      view,
      wakeup,
      complete: async (receipt) => {
        // Beside the data before the journal says so: a crash in between asks for it once more.
        this.deps.receipts.save(receipt);
        await journal.update(() => ({ ...this.record, phase: 'drained', receipt }));
      },
      refuse: async () => {
        this.isRefusing = true;
        await this.reopen().finally(() => {
          this.isRefusing = false;
        });
      },
      clock,
      random,
      logger,
    };
  }

  private async linger(receipt: string, signal: AbortSignal): Promise<void> {
    this.cancelDeadline?.();
    this.view.clear();
    if (this.current !== 'drained') this.transition('drained');
    this.settle({ is: 'drained', receipt });
    const limit = startDeadline(this.deps.clock, QUIET_AT_MOST_MS, signal);
    await this.deps
      .quiet(limit.signal)
      .catch((error: unknown) => {
        if (!limit.signal.aborted) this.deps.logger.warn({ err: error }, 'open pages were not waited for');
      })
      .finally(() => limit.cancel());
    if (!signal.aborted) this.finish({ safe: true });
  }

  /** Halted for a wish that came too late: what was issued stands. */
  private lingerAgain(): void {
    const controller = new AbortController();
    const ended = this.linger(this.record.receipt ?? '', controller.signal);
    this.run = { controller, ended };
  }

  private async tellCancelled(leaving: Leaving): Promise<void> {
    const limit = startDeadline(this.deps.clock, CANCEL_MS);
    try {
      await leaving.cancel(limit.signal);
    } catch (error) {
      // The next digest says that this node serves, which is as good.
      this.deps.logger.warn({ reason: describeError(error) }, 'the coordinator was not told that the drain is off');
    } finally {
      limit.cancel();
    }
  }

  /** Back to serving. Once the journal has forgotten, doors open in reverse order; a crash in between opens them too. */
  private async reopen(): Promise<void> {
    await this.journal.clear();
    for (const step of [...this.leaving().steps].reverse()) {
      await step.undo?.().catch((error: unknown) => {
        this.deps.logger.error({ step: step.name, err: error }, 'a step of the drain could not be undone');
      });
    }
    this.view.clear();
    this.transition('serving');
  }

  private armDeadline(): void {
    this.cancelDeadline?.();
    const { clock } = this.deps;
    const { deadlineAt } = this.record;
    const remaining = deadlineAt - clock.now();
    this.cancelDeadline = clock.after(Math.max(0, Math.min(remaining, TIMER_MAX_MS)), () => {
      if (clock.now() < deadlineAt) this.armDeadline();
      else this.late();
    });
  }

  private late(): void {
    const { record } = this.journal;
    if (this.current !== 'draining' || record?.phase !== 'draining') return;
    const unsafe = this.view.notSafe;
    this.view.late(true);
    this.deps.logger.warn(
      { objects: unsafe?.objects, bytes: unsafe?.bytes, doing: this.view.doing() },
      'the deadline of the drain has passed',
    );
    const { doing, waiting } = { doing: this.view.doing(), waiting: this.view.waiting };
    this.settle({ is: 'unsafe', unsafe, doing, waiting, abandoned: record.abandon });
    if (!record.abandon) return;
    void this.inTurn(async () => {
      await this.halt();
      if (this.journal.record?.phase === 'drained') this.lingerAgain();
      else this.finish({ safe: false, ...(unsafe === undefined ? {} : { unsafe }) });
    });
  }

  private settle(outcome: DrainOutcome): void {
    for (const waiter of [...this.waiters]) waiter(outcome);
  }

  private transition(next: DrainState): void {
    if (!LEGAL[this.current].includes(next)) throw new Error(`a drain cannot go from ${this.current} to ${next}`);
    this.current = next;
    this.deps.logger.info({ state: next }, 'the state of this node changed');
    this.deps.onState?.(next);
    this.view.tell();
  }

  private leaving(): Leaving {
    const leaving = this.deps.leaving();
    if (leaving === undefined) throw new Error('a node in no network does not drain');
    return leaving;
  }

  private get record(): Readonly<JournalRecord> {
    const { record } = this.journal;
    if (record === undefined) throw new Error('no drain is journalled');
    return record;
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work, work);
    this.turn = mine.catch(() => {});
    return mine;
  }
}
