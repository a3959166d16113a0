/**
 * Keeps every job without outcome where it belongs: waiting, paused, in the queue, with the dispatcher, at another node.
 * Everything moves by events: an outcome wakes the jobs that wait for it, a blob the jobs that need its bytes.
 */
import type { AccountView, JobRecord } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { Applied } from '../../protocol/log/account-log.js';
import { sleep } from '../../protocol/runtime/clock.js';
import type { Store } from '../../protocol/runtime/store.js';
import { Dispatcher, type DispatcherDeps, type DispatcherOptions } from './dispatcher.js';
import type { ElsewhereJob } from './elsewhere.js';
import { type JobState, jobState, type LocalJobState } from './job.js';
import { type Place, placeOf } from './placement.js';
import type { JobNote } from './queue.js';
import { describeTracked, newTracked, type Phase, stateOf, type TrackedJob } from './tracked.js';
import { Waiters } from './waiters.js';

export interface KeeperDeps extends DispatcherDeps {
  store: Store;
  blobs: Pick<BlobStore, 'has' | 'adopt' | 'path' | 'put' | 'onAdded'>;
  /** Brings a blob of the account to this node; rejects when no holder can be reached now. */
  bringBlob: (account: string, blob: string, signal: AbortSignal) => Promise<void>;
  /** A job that this node was running for an account at home elsewhere will not be reported. */
  onGaveUp: (account: string, job: string, reason: string) => void;
}

export interface KeeperOptions extends DispatcherOptions {
  retryMs: number;
  retryMaxMs: number;
}

export interface JobChange {
  account: string;
  job: string;
  state: JobState;
}

export class Keeper {
  readonly dispatcher: Dispatcher;
  private readonly table = new Map<string, TrackedJob>();
  /** With the node that has the run, or the bytes. */
  private readonly elsewhere = new Map<TrackedJob, string>();
  private readonly waiters = new Waiters();
  private readonly listeners = new Set<(change: JobChange) => void>();
  private readonly unsubscribe: (() => void)[] = [];
  private runningCount = 0;

  constructor(
    private readonly deps: KeeperDeps,
    private readonly options: KeeperOptions,
  ) {
    this.dispatcher = new Dispatcher(deps, options, {
      moved: (item, phase, reason) => this.move(item, phase, reason),
      mayRun: (item, view) => this.placeOf(item, view).in === 'queue',
      refused: (item, view) => this.consider(item, view),
      ended: (item) => this.forget(item),
      gaveUp: ({ account, job }, reason) => {
        if (!this.isHome(account)) this.deps.onGaveUp(account, job, reason);
      },
    });
  }

  /** Begins to follow the log and the blobs. */
  listen(): void {
    this.unsubscribe.push(
      this.deps.log.onApplied((applied) => this.onApplied(applied)),
      this.deps.blobs.onAdded(({ blob }) => this.wake(this.waiters.of('blob', blob))),
    );
  }

  unlisten(): void {
    for (const unsubscribe of this.unsubscribe.splice(0)) unsubscribe();
  }

  get(job: string): TrackedJob | undefined {
    return this.table.get(job);
  }

  /** Of one account, in order of acceptance. */
  of(account: string): TrackedJob[] {
    return [...this.table.values()].filter((item) => item.account === account);
  }

  local(job: string): LocalJobState | undefined {
    const item = this.table.get(job);
    return item && describeTracked(item, this.deps.queue, { ...this.counts(), hindrance: this.hindrance() });
  }

  /** Jobs that another node runs, or whose uploaded bytes it has. */
  jobsElsewhere(): ElsewhereJob[] {
    return Array.from(this.elsewhere, ([{ account, job, note }, peer]) => ({
      account,
      job,
      peer,
      boot: note.elsewhereBoot,
      isUpload: note.elsewhere === undefined,
    }));
  }

  /** Uploads without an outcome. */
  get uploads(): number {
    let count = 0;
    for (const { note } of this.table.values()) if (note.fetch !== undefined) count += 1;
    return count;
  }

  counts(): { queued: number; running: number; slots: number } {
    const slots = this.deps.executor.slots();
    return { queued: this.table.size - this.runningCount, running: this.runningCount, slots };
  }

  /** Why nothing in the queue starts, whatever its place. */
  private hindrance(): string | undefined {
    if (!this.dispatcher.isTaking) return 'this node starts no jobs at the moment';
    return this.runningCount === 0 && this.deps.executor.free() === 0 ? 'no job handler is ready' : undefined;
  }

  onChange(listener: (change: JobChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** `isReserved`: its place in the queue was counted before. */
  track(note: JobNote, record: JobRecord | undefined, isReserved = false): TrackedJob {
    const known = this.table.get(note.job);
    if (known !== undefined) return known;
    const attempts = Object.entries(record?.attempts ?? {});
    const attempt = Math.max(0, ...attempts.map(([number]) => Number(number)));
    const here = attempts.filter(([, { executor }]) => executor === this.options.executor).length;
    const item = newTracked(note, { attempt, crashes: Math.max(0, here - note.forgiven) });
    this.table.set(note.job, item);
    if (!isReserved) this.deps.queue.admit(1);
    return item;
  }

  /** Puts a job that is not held by the dispatcher where it belongs now; `why` is said of it while it is in the queue. */
  consider(item: TrackedJob, view: AccountView, why = ''): void {
    if (this.table.get(item.job) !== item || this.dispatcher.holds(item.job)) return;
    this.waiters.leave(item.job);
    const place = this.placeOf(item, view);
    if (place.in === 'queue') {
      this.deps.queue.push(item);
      this.move(item, 'queued', why);
      this.dispatcher.pump();
      return;
    }
    this.deps.queue.remove(item.job);
    if (place.in === 'nowhere') {
      this.deps.background.run('forgetting a job', () => this.deps.store.commit([this.deps.queue.forget(item.job)]));
      this.forget(item);
    } else if (place.in === 'outcome') {
      this.deps.background.run('ending a job', () => this.dispatcher.endWithout(item, place.state, place.reason));
    } else if (place.in === 'elsewhere') {
      this.elsewhere.set(item, place.peer);
      this.move(item, 'elsewhere', place.reason);
    } else {
      this.waiters.wait(item.job, 'job', place.jobs);
      this.waiters.wait(item.job, 'blob', place.blobs);
      this.move(item, place.in, place.reason);
      for (const blob of new Set(place.blobs)) this.bring(item.account, blob);
    }
  }

  private placeOf(item: TrackedJob, view: AccountView): Place {
    return placeOf(item, view.get('job', item.job), view, {
      peerId: this.options.executor,
      isHome: this.isHome(item.account),
      hasBlob: (blob) => this.deps.blobs.has(blob),
      isPaused: (upstream) => this.table.get(upstream)?.phase === 'paused',
    });
  }

  move(item: TrackedJob, phase: Phase, reason: string): void {
    const before = item.phase;
    if (phase === before && reason === item.reason) return;
    item.phase = phase;
    if (phase !== 'elsewhere') this.elsewhere.delete(item);
    item.reason = reason;
    this.runningCount += Number(isRunning(phase)) - Number(isRunning(before));
    this.emit(item.account, item.job, stateOf(phase));
    if (phase === 'paused' || before === 'paused') this.wake(this.waiters.of('job', item.job));
  }

  forget(item: TrackedJob): void {
    if (!this.table.delete(item.job)) return;
    this.elsewhere.delete(item);
    this.waiters.leave(item.job);
    if (isRunning(item.phase)) this.runningCount -= 1;
    this.deps.queue.finished();
  }

  private onApplied({ account, entries, own }: Applied): void {
    const woken = new Set<string>();
    for (const { type, payload } of entries) {
      const job = payload.id;
      if (typeof job !== 'string') continue;
      if (type === 'job.outcome') {
        for (const waiter of this.waiters.of('job', job)) woken.add(waiter);
        if (this.dispatcher.holds(job)) this.yieldTo(job, payload.executor);
        else woken.add(job);
        if (this.isHome(account)) this.announce(account, job);
      } else if (type === 'job.cancelled') {
        const item = this.table.get(job);
        if (item !== undefined && this.dispatcher.holds(job) && item.phase !== 'ending') this.dispatcher.cancel(item);
        else if (!own) woken.add(job);
      }
    }
    this.wake(woken);
  }

  /** A job that runs here has ended by another node's word: its run, and its note, are given up. */
  private yieldTo(job: string, executor: unknown): void {
    const item = this.table.get(job);
    // One that is ending sees the other outcome when it records its own.
    if (item === undefined || executor === this.options.executor || item.phase === 'ending') return;
    this.dispatcher.overtake(item);
    this.deps.background.run('forgetting a job', () => this.deps.store.commit([this.deps.queue.forget(job)]));
  }

  wake(jobs: Iterable<string>): void {
    for (const job of jobs) {
      const item = this.table.get(job);
      if (item === undefined) continue;
      this.deps.background.run('looking at a waiting job again', async () => {
        this.consider(item, await this.deps.log.view(item.account));
      });
    }
  }

  isHome(account: string): boolean {
    return this.deps.leases.current(account) !== undefined;
  }

  private announce(account: string, job: string): void {
    this.deps.background.run('announcing the end of a job', async () => {
      const record = (await this.deps.log.view(account)).get('job', job);
      if (record !== undefined) this.emit(account, job, jobState(record, this.local(job)));
    });
  }

  private emit(account: string, job: string, state: JobState): void {
    for (const listener of this.listeners) listener({ account, job, state });
  }

  /** Asks for a blob until it is here or nobody waits for it. */
  private bring(account: string, blob: string): void {
    if (!this.waiters.begin(blob)) return;
    this.deps.background.run('fetching an input', async (signal) => {
      let pause = this.options.retryMs;
      while (this.waiters.isAwaited('blob', blob) && !this.deps.blobs.has(blob)) {
        try {
          await this.deps.bringBlob(account, blob, signal);
        } catch (error) {
          signal.throwIfAborted();
          this.deps.logger.debug({ blob, err: error }, 'an input could not be fetched yet');
          await sleep(this.deps.clock, pause, signal);
          pause = Math.min(pause * 2, this.options.retryMaxMs);
        }
      }
      this.waiters.finish(blob);
      this.wake(this.waiters.of('blob', blob));
    });
  }
}

function isRunning(phase: Phase): boolean {
  return phase === 'starting' || phase === 'running' || phase === 'ending';
}
