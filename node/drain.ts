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
import { Pace } from './drain/pace.js';
import type { Drainable, Left, StepContext } from './drain/part.js';
import { QUIET_AT_MOST_MS } from './drain/quiet.js';
import type { ReceiptKeeper } from './drain/receipt-file.js';
import { type DrainProgress, type DrainStatus, describeLeft, statusText } from './drain/report.js';
import { backoffMs, Wakeup } from './replication/wakeup.js';

export type DrainState = 'serving' | 'draining' | 'drained';

export interface DrainRequest {
  acceptCopies?: number;
  abandon?: boolean;
}

/** `unsafe` is there when the drain was abandoned: the process ends with a failure. */
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

/** What whoever asked for a drain is told in the end, once. */
export type DrainOutcome =
  | { is: 'drained'; receipt: string }
  /** The deadline has passed. */
  | { is: 'unsafe'; unsafe: Unsafe; doing: string; waiting: string | undefined; abandoned: boolean }
  | { is: 'called-off' }
  | { is: 'stopped' }
  | { is: 'refused'; error: unknown };

const LEGAL: Record<DrainState, readonly DrainState[]> = {
  serving: ['draining'],
  draining: ['serving', 'drained'],
  drained: [],
};
const CANCEL_MS = 10_000;
const TELL_EACH_MS = 500;
/** The longest that a timer takes. */
const TIMER_MAX_MS = 2 ** 30;
const LISTENERS_MAX = 1000;

export class Drain implements Part {
  private readonly journal: DrainJournal;
  private readonly wakeup: Wakeup;
  private readonly pace = new Pace();
  private readonly waiters = new Set<(outcome: DrainOutcome) => void>();
  private readonly listeners = new Set<() => void>();
  private current: DrainState = 'serving';
  private run: { controller: AbortController; ended: Promise<void> } | undefined;
  /** Begin, cancel and stop happen one after the other. */
  private turn: Promise<unknown> = Promise.resolve();
  private step: Drainable | undefined;
  private left: Left | undefined;
  private problem: string | undefined;
  private notSafe: Unsafe | undefined;
  private overdue = false;
  private isRefusing = false;
  private cancelDeadline: Cancel | undefined;
  private offered: string | undefined;
  private toldAt = Number.NEGATIVE_INFINITY;
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
    this.wakeup = new Wakeup(deps.clock);
    this.done = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  get state(): DrainState {
    return this.current;
  }

  /** Goes on with a drain that an earlier start did not end. Call it when the network is there. */
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
    this.launch();
  }

  async stop(): Promise<void> {
    await this.inTurn(async () => {
      await this.halt();
      this.settle({ is: 'stopped' });
    });
  }

  /** Begins a drain, or changes the terms of the one under way. */
  async begin({ acceptCopies, abandon = false }: DrainRequest = {}): Promise<void> {
    await this.inTurn(async () => {
      const before = this.journal.record;
      const isSame =
        before !== undefined && before.acceptCopies === acceptCopies && this.run !== undefined && !this.isRefusing;
      if (!isSame) await this.halt();
      if (this.journal.record?.phase === 'drained') return this.lingerAgain();
      const now = this.deps.clock.now();
      await this.journal.update((known) => ({
        phase: 'draining',
        startedAt: known?.startedAt ?? now,
        deadlineAt: now + this.options.deadlineMs,
        abandon,
        done: known?.done ?? [],
        begun: known?.begun ?? {},
        ...(acceptCopies === undefined ? {} : { acceptCopies }),
      }));
      if (this.current === 'serving') this.transition('draining');
      this.overdue = false;
      if (isSame) this.armDeadline();
      else this.launch();
    });
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
      if (leaving.steps.some((step) => step.binding?.() === true)) {
        this.launch();
        throw drainErrors('receipt-pending');
      }
      const limit = startDeadline(this.deps.clock, CANCEL_MS);
      await leaving
        .cancel(limit.signal)
        .catch((error: unknown) => {
          // The next digest says that this node serves, which is as good.
          this.deps.logger.warn({ reason: describeError(error) }, 'the coordinator was not told that the drain is off');
        })
        .finally(() => limit.cancel());
      await this.reopen();
      this.settle({ is: 'called-off' });
    });
  }

  /** Nobody to hand anything over to: the process may end. */
  endAlone(): void {
    this.finish({ safe: true });
  }

  /** The coordinator told the receipt by another way than the answer to the question. */
  issued(receipt: string): void {
    if (this.current !== 'draining' || this.run === undefined) return;
    try {
      this.leaving().checkReceipt(receipt);
    } catch (error) {
      this.deps.logger.warn({ reason: describeError(error) }, 'a receipt was not accepted');
      return;
    }
    this.offered = receipt;
    this.wake();
  }

  /** Something changed that a drain may wait for: the coordinator is back, a peer has room. */
  wake(): void {
    this.wakeup.wake();
  }

  onChange(listener: () => void): () => void {
    if (this.listeners.size >= LISTENERS_MAX) throw new Error('too many follow the drain');
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  status(): DrainStatus {
    const { record } = this.journal;
    const { left } = this;
    const bytesPerSecond = this.pace.bytesPerSecond();
    const status: Omit<DrainStatus, 'text'> = {
      state: this.current,
      step: this.step?.name ?? null,
      say: this.step?.say ?? null,
      steps: this.deps.leaving()?.steps.map(({ name }) => ({ name, done: record?.done.includes(name) ?? false })) ?? [],
      startedAt: record?.startedAt ?? null,
      deadlineAt: record?.deadlineAt ?? null,
      overdue: this.overdue,
      left: left === undefined ? null : { objects: left.objects, bytes: left.bytes ?? 0 },
      bytesDone: left?.bytesDone ?? null,
      bytesTotal: left?.bytesTotal ?? null,
      bytesPerSecond: bytesPerSecond ?? null,
      estimateMs: left?.bytes && bytesPerSecond ? Math.ceil((left.bytes * 1000) / bytesPerSecond) : null,
      waiting: this.problem ?? null,
      unsafe: this.notSafe ?? null,
      receipt: record?.receipt ?? null,
    };
    return { ...status, text: statusText(status, left) };
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
    const { steps } = this.leaving();
    for (const step of steps) {
      if (!this.record.done.includes(step.name)) continue;
      await step.begin?.(this.context(step, signal)).catch((error: unknown) => {
        // It is run again below, and tried until it can.
        this.deps.logger.warn({ step: step.name, reason: describeError(error) }, 'a step of the drain did not resume');
      });
    }
    let receipt: string | undefined;
    let index = 0;
    let setbacks = 0;
    while (receipt === undefined) {
      signal.throwIfAborted();
      const step = steps[index];
      if (step === undefined) throw new Error('the last step of a drain gave no receipt');
      try {
        if (this.offered !== undefined) receipt = await this.complete(this.offered);
        else {
          const result = await this.take(step, signal);
          if (result !== undefined && 'receipt' in result) receipt = await this.complete(result.receipt);
          else if (result !== undefined) {
            index = indexOf(steps, result.backTo);
            setbacks += 1;
            await this.wakeup.wait(signal, backoffMs(setbacks, this.deps.random.float()));
          } else {
            index += 1;
            // A round of copying and comparing is no new beginning; only what could not be asked at all is forgotten.
            if (this.notSafe === undefined) setbacks = 0;
          }
        }
      } catch (error) {
        signal.throwIfAborted();
        if (this.record.done.length === 0 && step.refuses?.(error)) return this.refuse(error);
        setbacks += 1;
        this.waitsFor(describeError(error));
        this.deps.logger.warn({ step: step.name, reason: describeError(error), setbacks }, 'a drain waits');
        await this.wakeup.wait(signal, backoffMs(setbacks, this.deps.random.float()));
      }
    }
    await this.linger(receipt, signal);
  }

  private async take(step: Drainable, signal: AbortSignal) {
    if (this.step !== step) {
      this.step = step;
      this.left = undefined;
      this.pace.clear();
      this.problem = undefined;
      this.tell(true);
    }
    if (this.record.begun[step.name] === undefined) {
      const now = this.deps.clock.now();
      await this.journal.update(() => ({ ...this.record, begun: { ...this.record.begun, [step.name]: now } }));
    }
    const context = this.context(step, signal);
    await step.begin?.(context);
    const result = await step.run(context);
    // What was halted meanwhile is not written down: a later word may have undone it.
    signal.throwIfAborted();
    this.problem = undefined;
    if (result !== undefined) return result;
    if (!this.record.done.includes(step.name)) {
      await this.journal.update(() => ({ ...this.record, done: [...this.record.done, step.name] }));
    }
    this.deps.logger.info({ step: step.name }, 'a step of the drain holds');
    return undefined;
  }

  private context(step: Drainable, signal: AbortSignal): StepContext {
    const { acceptCopies, begun } = this.record;
    return {
      signal,
      acceptCopies,
      since: begun[step.name] ?? this.deps.clock.now(),
      report: (left) => {
        if (signal.aborted || this.step !== step) return;
        this.left = left;
        this.problem = undefined;
        if (left.bytesDone !== undefined) this.pace.record(this.deps.clock.monotonic(), left.bytesDone);
        this.tell(false);
      },
      unsafe: (unsafe) => {
        if (signal.aborted) return;
        this.notSafe = unsafe;
        this.tell(true);
      },
    };
  }

  /** The receipt is beside the data before the journal says so: a crash in between asks for it once more. */
  private async complete(receipt: string): Promise<string> {
    this.deps.receipts.save(receipt);
    await this.journal.update(() => ({ ...this.record, phase: 'drained', receipt }));
    return receipt;
  }

  private async linger(receipt: string, signal: AbortSignal): Promise<void> {
    this.cancelDeadline?.();
    this.notSafe = undefined;
    this.problem = undefined;
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

  private async refuse(error: unknown): Promise<void> {
    this.cancelDeadline?.();
    this.isRefusing = true;
    try {
      await this.reopen();
    } finally {
      this.isRefusing = false;
      this.run = undefined;
    }
    this.settle({ is: 'refused', error });
  }

  /** Back to serving: doors open in reverse order, then the journal forgets. */
  private async reopen(): Promise<void> {
    for (const step of [...this.leaving().steps].reverse()) {
      await step.undo?.().catch((error: unknown) => {
        this.deps.logger.error({ step: step.name, err: error }, 'a step of the drain could not be undone');
      });
    }
    await this.journal.clear();
    this.step = undefined;
    this.left = undefined;
    this.problem = undefined;
    this.notSafe = undefined;
    this.overdue = false;
    this.transition('serving');
  }

  private armDeadline(): void {
    this.cancelDeadline?.();
    const { clock } = this.deps;
    const remaining = this.record.deadlineAt - clock.now();
    this.cancelDeadline = clock.after(Math.max(0, Math.min(remaining, TIMER_MAX_MS)), () => {
      if (clock.now() < this.record.deadlineAt) this.armDeadline();
      else this.late();
    });
  }

  private late(): void {
    if (this.current !== 'draining') return;
    this.overdue = true;
    const unsafe = this.whatIsNotSafe();
    this.deps.logger.warn({ objects: unsafe.objects, bytes: unsafe.bytes }, 'the deadline of the drain has passed');
    this.tell(true);
    const more = describeLeft(this.left, this.pace.bytesPerSecond());
    const doing = `${this.step?.say ?? 'beginning'}${more === undefined ? '' : `: ${more}`}`;
    const { abandon } = this.record;
    this.settle({ is: 'unsafe', unsafe, doing, waiting: this.problem, abandoned: abandon });
    if (!abandon) return;
    void this.inTurn(async () => {
      await this.halt();
      if (this.current === 'draining') this.finish({ safe: false, unsafe });
    });
  }

  /** By the coordinator's word when it was asked; otherwise what this node knows to be left. */
  private whatIsNotSafe(): Unsafe {
    return this.notSafe ?? { objects: this.left?.objects ?? 0, bytes: this.left?.bytes ?? 0, first: [] };
  }

  /** How the drain under way, or about to begin, ends. Rejects when the signal aborts; the drain goes on. */
  outcome(signal: AbortSignal): Promise<DrainOutcome> {
    if (this.waiters.size >= LISTENERS_MAX) throw new Error('too many wait for the drain');
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
      signal.addEventListener('abort', gone, { once: true });
    });
  }

  private settle(outcome: DrainOutcome): void {
    for (const waiter of [...this.waiters]) waiter(outcome);
  }

  private waitsFor(problem: string): void {
    const isNew = this.problem !== problem;
    this.problem = problem;
    this.tell(isNew);
  }

  /** Now, in one line. */
  progress(): DrainProgress {
    const bytesPerSecond = this.pace.bytesPerSecond();
    const name = this.step?.name ?? 'begin';
    const say = this.step?.say ?? 'beginning';
    const { left, problem } = this;
    return {
      step: problem === undefined ? name : `${name}: ${problem}`,
      say: problem === undefined ? say : `${say}; waiting: ${problem}`,
      ...(left === undefined ? {} : { objectsLeft: left.objects, bytesLeft: left.bytes ?? 0 }),
      ...(left?.bytesTotal === undefined ? {} : { bytesDone: left.bytesDone ?? 0, bytesTotal: left.bytesTotal }),
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    };
  }

  private tell(now: boolean): void {
    const at = this.deps.clock.monotonic();
    if (!now && at - this.toldAt < TELL_EACH_MS) return;
    this.toldAt = at;
    for (const listener of this.listeners) listener();
  }

  private transition(next: DrainState): void {
    if (!LEGAL[this.current].includes(next)) throw new Error(`a drain cannot go from ${this.current} to ${next}`);
    this.current = next;
    this.deps.logger.info({ state: next }, 'the state of this node changed');
    this.deps.onState?.(next);
    this.tell(true);
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

function indexOf(steps: readonly Drainable[], name: string): number {
  const index = steps.findIndex((step) => step.name === name);
  if (index < 0) throw new Error(`a drain has no step ${name}`);
  return index;
}
