/**
 * From the queue to a handler to the outcome. Woken by whoever pushes a job or frees a slot; it never looks by itself.
 *
 * A job's run is decided by the log as it is at that moment: inputs, parameters, cancellation. The start is in the log
 * (`job.started`, fsynced under this home's lease) before any process is: a home that takes over meanwhile either finds
 * it, and leaves the run to this node, or has refused it, and nothing runs here. A crash in between costs one attempt.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobOutcome } from '../../protocol/account/entries.js';
import type { AccountView } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { AccountLog, LeaseSource } from '../../protocol/log/account-log.js';
import { type Clock, sleep } from '../../protocol/runtime/clock.js';
import { describeError, isDomainError } from '../../protocol/runtime/errors.js';
import type { Background } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Store } from '../../protocol/runtime/store.js';
import type { DataTables } from '../toolbox/data-tables/data-tables.js';
import type { Toolbox } from '../toolbox/tool.js';
import type { Outbox } from './outbox.js';
import { fromRun, withoutRun } from './outcome.js';
import { type PreparedRun, prepareRun } from './prepared-run.js';
import type { JobQueue } from './queue.js';
import type { Programs } from './run-place.js';
import { type Executor, type RunLimits, type RunResult, type RunSpec, runPaths } from './run-spec.js';
import { fetchOutput } from './submission.js';
import { takeOutputs } from './take-outputs.js';
import { CRASHES_MAX, type TrackedJob } from './tracked.js';

export interface DispatcherDeps {
  queue: JobQueue<TrackedJob>;
  executor: Executor;
  log: AccountLog;
  leases: LeaseSource;
  toolbox: Pick<Toolbox, 'tool' | 'plan' | 'planCollections' | 'prepare' | 'evaluate' | 'ofUser'>;
  tables: Pick<DataTables, 'table'>;
  /** What decides where tools run; absent where none needs anything. */
  programs?: Programs;
  blobs: Pick<BlobStore, 'adopt' | 'path' | 'put'>;
  outbox: Outbox;
  store: Pick<Store, 'commit'>;
  clock: Clock;
  logger: Logger;
  background: Background;
}

export interface DispatcherOptions {
  /** Absolute. Each attempt has a folder in it. */
  jobsFolder: string;
  /** PeerId of this node. */
  executor: string;
  cores: number;
  memoryMb: number;
  limits: RunLimits;
  /** Nothing starts before `open`. */
  startsClosed: boolean;
  /** Pause before a start that could not be recorded is tried again; doubles up to the second. */
  retryMs: number;
  retryMaxMs: number;
}

/** What the dispatcher tells its owner. */
export interface DispatcherEvents {
  /** Phase or reason changed. */
  moved(item: TrackedJob, phase: TrackedJob['phase'], reason: string): void;
  /** May it run at this moment? */
  mayRun(item: TrackedJob, view: AccountView): boolean;
  /** It may not: the owner puts it where it belongs. */
  refused(item: TrackedJob, view: AccountView): void;
  /** Its outcome is durable, or it needs none. */
  ended(item: TrackedJob): void;
  /** It will not be run to its end here, and its account is at home elsewhere. Followed by `ended`. */
  gaveUp(item: TrackedJob, reason: string): void;
}

/** With the epoch under which its outcome counts. */
type Ready = PreparedRun & { epoch: number };

/** `failed`: it cannot be written now. `refused`: the job must not start here. */
type StartRecord = 'recorded' | 'refused' | 'failed';

const GIVEN_UP = 'the node that ran it gave it up because it is leaving';
/** The pause between tries has long reached its longest then. */
const START_FAILURES_COUNTED_MAX = 30;

export class Dispatcher {
  private readonly held = new Map<string, TrackedJob>();
  private readonly lessListeners = new Set<() => void>();
  private preparing = 0;
  private taking: 'all' | 'uploads' | 'none' = 'all';
  private stopped = false;
  private closed: boolean;

  constructor(
    private readonly deps: DispatcherDeps,
    private readonly options: DispatcherOptions,
    private readonly events: DispatcherEvents,
  ) {
    this.closed = options.startsClosed;
    deps.executor.onFree(() => this.pump());
  }

  /** Gives jobs to handlers while there are both. */
  pump(): void {
    const { queue, executor } = this.deps;
    while (
      this.taking !== 'none' &&
      !this.closed &&
      !this.stopped &&
      queue.size > 0 &&
      executor.free() > this.preparing
    ) {
      const item = queue.take(this.taking === 'all' ? undefined : isUpload);
      if (item === undefined) return;
      this.held.set(item.job, item);
      this.preparing += 1;
      this.deps.background.run('starting a job', () => this.begin(item));
    }
  }

  /** False while it is neither being prepared nor running nor ending here. */
  holds(job: string): boolean {
    return this.held.has(job);
  }

  running(): TrackedJob[] {
    return [...this.held.values()];
  }

  get isTaking(): boolean {
    return this.taking === 'all' && !this.closed;
  }

  /** Apart from `resumeTaking`: a drain that goes on after a restart still takes nothing when the node has opened. */
  open(): void {
    this.closed = false;
    this.pump();
  }

  /** With `keepUploads` uploads still start: their bytes are on this node and nowhere else. */
  stopTaking({ keepUploads = false }: { keepUploads?: boolean } = {}): void {
    this.taking = keepUploads ? 'uploads' : 'none';
    this.pump();
  }

  resumeTaking(): void {
    this.taking = 'all';
    this.pump();
  }

  /** From here on nothing starts, and nothing that a handler says changes anything. */
  stop(): void {
    this.taking = 'none';
    this.stopped = true;
  }

  /** Resolves when `isDone`, which is asked each time one job less is held; rejects with the signal's reason before. */
  until(isDone: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (isDone()) return resolve();
      if (signal.aborted) return reject(signal.reason);
      const end = (settle: () => void) => {
        this.lessListeners.delete(onLess);
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const onLess = () => {
        if (isDone()) end(resolve);
      };
      const onAbort = () => end(() => reject(signal.reason));
      this.lessListeners.add(onLess);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  cancel(item: TrackedJob): void {
    item.cancelled = true;
    this.deps.executor.cancel(item.job, item.attempt);
  }

  abandon(item: TrackedJob): void {
    item.abandoned = true;
    this.deps.executor.cancel(item.job, item.attempt);
  }

  /** Another node's outcome is in the log: what runs here is for nothing. */
  overtake(item: TrackedJob): void {
    item.overtaken = true;
    this.abandon(item);
  }

  /** Ends a job that does not run, or runs no more. */
  async endWithout(item: TrackedJob, state: 'deleted' | 'error', message: string): Promise<void> {
    this.held.set(item.job, item);
    this.events.moved(item, 'ending', message);
    const view = await this.deps.log.view(item.account);
    const job = view.get('job', item.job);
    if (job !== undefined) {
      const base = this.outcomeBase(item, Math.max(1, item.attempt));
      await this.post(item, withoutRun(view, job, base, state, message));
    }
    await this.clean(item);
    this.letGo(item);
  }

  private async begin(item: TrackedJob): Promise<void> {
    let isPreparing = true;
    const prepared = () => {
      if (isPreparing) this.preparing -= 1;
      isPreparing = false;
    };
    try {
      const view = await this.deps.log.view(item.account);
      const job = view.get('job', item.job);
      if (this.stopped) return;
      if (item.abandoned || job === undefined) {
        prepared();
        if (item.abandoned) await this.giveUp(item, GIVEN_UP);
        else this.letGo(item);
        return;
      }
      if (!item.cancelled && !this.events.mayRun(item, view)) {
        prepared();
        this.release(item);
        this.events.refused(item, view);
        return;
      }
      if (item.cancelled) {
        prepared();
        await this.endWithout(item, 'deleted', 'The job was cancelled before it started.');
        return;
      }
      item.attempt += 1;
      let ready: Ready;
      try {
        const { cores, memoryMb, limits } = this.options;
        const run = { attempt: item.attempt, folder: this.folderOf(item), cores, memoryMb, limits };
        const sharedHome = join(this.options.jobsFolder, 'home');
        const asked = { job, view, fetch: item.note.fetch, run, sharedHome };
        ready = { ...(await prepareRun(this.deps, asked)), epoch: this.epochOf(item) };
      } catch (error) {
        prepared();
        await this.endWithout(item, 'error', describeError(error));
        return;
      }
      if (this.stopped) return;
      this.events.moved(item, 'starting', 'its start is recorded');
      const start = await this.recordStart(item, ready);
      prepared();
      if (this.stopped) return;
      if (start === 'recorded' && !item.abandoned && !item.cancelled) this.give(item, ready);
      else await this.notStarted(item, start);
    } finally {
      prepared();
      this.pump();
    }
  }

  private give(item: TrackedJob, ready: Ready): void {
    const { spec } = ready;
    this.events.moved(item, 'starting', 'given to a handler');
    const isCurrent = () => !this.stopped && item.attempt === spec.attempt && this.held.get(item.job) === item;
    const taken = this.deps.executor.run(spec, {
      started: () => {
        if (isCurrent()) this.events.moved(item, 'running', 'running');
      },
      finished: (result) => {
        if (!isCurrent()) return;
        this.events.moved(item, 'ending', 'its outputs are taken in');
        this.deps.background.run('ending a job', () => this.finish(item, ready, result));
      },
      lost: (reason) => {
        if (isCurrent()) this.deps.background.run('taking up a lost job', () => this.lost(item, spec, reason));
      },
    });
    if (taken) {
      item.startFailures = 0;
      return;
    }
    // The slot was gone: the attempt is in the log, and its number is not used again.
    this.deps.background.run('taking up a job that no handler took', async () => {
      const note = { ...item.note, forgiven: item.note.forgiven + 1 };
      await this.deps.store.commit([this.deps.queue.record(note)]);
      item.note = note;
    });
    this.again(item, '');
  }

  /** An upload of an account that is elsewhere starts without a record: the home knows that its bytes are here. */
  private async recordStart(item: TrackedJob, { spec }: Ready): Promise<StartRecord> {
    if (item.note.fetch !== undefined && this.deps.leases.current(item.account) === undefined) return 'recorded';
    const startedAt = this.deps.clock.now();
    const payload = { id: item.job, attempt: spec.attempt, executor: this.options.executor, startedAt };
    try {
      const { entries } = await this.deps.log.append(item.account, (view) =>
        this.events.mayRun(item, view) ? [{ type: 'job.started', payload }] : [],
      );
      return entries.length > 0 ? 'recorded' : 'refused';
    } catch (error) {
      if (isDomainError(error, 'log/not-home')) return 'refused';
      if (!this.stopped) {
        const data = { job: item.job, reason: describeError(error) };
        this.deps.logger.info(data, 'a job was not started: its start could not be recorded');
      }
      return 'failed';
    }
  }

  /** It goes where it belongs now; after a failure not at once: a sealed account may leave, or go on here. */
  private async notStarted(item: TrackedJob, start: StartRecord): Promise<void> {
    if (item.abandoned) return this.giveUp(item, GIVEN_UP);
    if (item.cancelled) return this.endWithout(item, 'deleted', 'The job was cancelled before it started.');
    this.events.moved(item, 'queued', 'its start could not be recorded yet');
    this.release(item);
    if (start === 'failed') {
      const { retryMs, retryMaxMs } = this.options;
      const pause = Math.min(retryMs * 2 ** item.startFailures, retryMaxMs);
      item.startFailures = Math.min(item.startFailures + 1, START_FAILURES_COUNTED_MAX);
      await sleep(this.deps.clock, pause, this.deps.background.signal).catch(() => {});
    }
    if (this.stopped) return;
    const view = await this.deps.log.view(item.account);
    if (this.stopped || this.held.has(item.job)) return;
    // Whether a write that failed is there after all is known only now.
    item.attempt = Math.max(item.attempt - 1, ...Object.keys(view.get('job', item.job)?.attempts ?? {}).map(Number));
    this.events.refused(item, view);
  }

  private async finish(item: TrackedJob, ready: Ready, result: RunResult): Promise<void> {
    if (result.state === 'stopped' || item.cancelled || item.abandoned) {
      if (item.abandoned) await this.giveUp(item, GIVEN_UP);
      else await this.endWithout(item, 'deleted', 'The job was cancelled while it ran.');
      return;
    }
    let outcome: JobOutcome;
    try {
      outcome = await this.takeIn(item, ready, result);
    } catch (error) {
      await this.endWithout(item, 'error', `The outputs could not be saved: ${describeError(error)}`);
      return;
    }
    await this.post(item, outcome);
    await this.clean(item);
    this.letGo(item);
  }

  private async lost(item: TrackedJob, spec: RunSpec, reason: string): Promise<void> {
    await rm(spec.folder, { recursive: true, force: true });
    item.crashes += 1;
    this.deps.logger.warn({ job: item.job, attempt: item.attempt, reason }, 'a run was lost');
    const isHome = this.deps.leases.current(item.account) !== undefined;
    if (item.abandoned) await this.giveUp(item, GIVEN_UP);
    else if (item.cancelled) await this.endWithout(item, 'deleted', 'The job was cancelled while it ran.');
    else if (item.crashes >= CRASHES_MAX) await this.endWithout(item, 'error', crashedTooOften(item.crashes, reason));
    else if (!isHome && !isUpload(item)) await this.giveUp(item, `attempt ${item.attempt} was lost: ${reason}`);
    else this.again(item, `attempt ${item.attempt} was lost: ${reason}`);
  }

  /** Its note goes with it; the account's home runs it again. */
  private async giveUp(item: TrackedJob, reason: string): Promise<void> {
    await this.deps.store.commit([this.deps.queue.forget(item.job)]).catch((error: unknown) => {
      this.deps.logger.warn({ job: item.job, err: error }, 'the note of a job that was given up could not be removed');
    });
    await this.clean(item);
    if (!item.overtaken) this.events.gaveUp(item, reason);
    this.letGo(item);
  }

  private again(item: TrackedJob, reason: string): void {
    this.release(item);
    this.events.moved(item, 'queued', reason);
    this.deps.queue.push(item);
    this.pump();
  }

  private async takeIn(item: TrackedJob, ready: Ready, result: RunResult): Promise<JobOutcome> {
    const { spec } = ready;
    const { adopted, found } = await takeOutputs(this.deps, spec, result);
    const paths = runPaths(spec.folder);
    const takeLog = async (file: string, isLong: boolean) =>
      isLong ? (await this.deps.blobs.adopt(file)).blob : undefined;
    const names = item.note.fetch?.map(({ name }, index) => [fetchOutput(index), name] as const) ?? [];
    const base = { ...this.outcomeBase(item, spec.attempt), epoch: ready.epoch };
    return fromRun(base, result, {
      commandLine: ready.commandLine,
      cores: spec.cores,
      memoryMb: spec.memoryMb,
      inputBlobs: ready.inputBlobs,
      adopted,
      stdoutBlob: await takeLog(paths.stdout, result.stdout.file !== undefined),
      stderrBlob: await takeLog(paths.stderr, result.stderr.file !== undefined),
      createdFrom: new Map(names),
      found,
    });
  }

  private async post(item: TrackedJob, outcome: JobOutcome): Promise<void> {
    await this.deps.outbox.post(item.account, outcome, [this.deps.queue.forget(item.job)]);
  }

  /** The run's folder and an upload's source: needed no more once the outcome is durable. */
  private async clean(item: TrackedJob): Promise<void> {
    const sources = item.abandoned && !item.overtaken ? [] : (item.note.fetch ?? []).map(({ source }) => source.path);
    const paths = item.attempt > 0 ? [this.folderOf(item), ...sources] : sources;
    for (const path of paths) {
      await rm(path, { recursive: true, force: true }).catch((error: unknown) => {
        this.deps.logger.warn({ job: item.job, path, err: error }, 'what a job left could not be removed');
      });
    }
  }

  private release(item: TrackedJob): void {
    if (this.held.get(item.job) === item) this.held.delete(item.job);
    for (const listener of [...this.lessListeners]) listener();
  }

  private letGo(item: TrackedJob): void {
    this.events.ended(item);
    this.release(item);
    this.pump();
  }

  private folderOf(item: TrackedJob): string {
    return join(this.options.jobsFolder, `${item.job}-${item.attempt}`);
  }

  private epochOf(item: TrackedJob): number {
    return this.deps.leases.current(item.account)?.epoch ?? item.note.epoch;
  }

  private outcomeBase(item: TrackedJob, attempt: number) {
    return {
      id: item.job,
      epoch: this.epochOf(item),
      attempt,
      executor: this.options.executor,
      endedAt: this.deps.clock.now(),
    };
  }
}

function isUpload({ note }: TrackedJob): boolean {
  return note.fetch !== undefined;
}

export function crashedTooOften(crashes: number, reason: string): string {
  return `The job was started ${crashes} times and each time its handler died; it was given up. The last time ${reason}.`;
}
