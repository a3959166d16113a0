/**
 * From the queue to a handler to the outcome. Woken by whoever pushes a job or frees a slot; it never looks by itself.
 *
 * A job's run is decided by the log as it is at that moment: inputs, parameters, cancellation. The start is recorded
 * (`job.started`) beside the run, not before it: it counts attempts after a crash, and what runs twice ends once.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobOutcome } from '../../protocol/account/entries.js';
import type { AccountView, JobRecord } from '../../protocol/account/records.js';
import { contentOf } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { AccountLog, LeaseSource } from '../../protocol/log/account-log.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import type { Background } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { toolContext } from '../datasets/tool-context.js';
import type { Toolbox } from '../toolbox/tool.js';
import type { Outbox } from './outbox.js';
import { type AdoptedOutput, fromRun, withoutRun } from './outcome.js';
import type { JobQueue } from './queue.js';
import { inputDatasets } from './readiness.js';
import { type Executor, type RunLimits, type RunOutput, type RunResult, type RunSpec, runPaths } from './run-spec.js';
import { fetchOutput } from './submission.js';
import { CRASHES_MAX, type TrackedJob } from './tracked.js';

export interface DispatcherDeps {
  queue: JobQueue<TrackedJob>;
  executor: Executor;
  log: AccountLog;
  leases: LeaseSource;
  toolbox: Pick<Toolbox, 'tool' | 'plan' | 'prepare'>;
  blobs: Pick<BlobStore, 'adopt' | 'path'>;
  outbox: Outbox;
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
}

interface Prepared {
  spec: RunSpec;
  epoch: number;
  commandLine: string;
  inputBlobs: Record<string, string>;
}

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
        if (item.abandoned) await this.clean(item);
        this.letGo(item);
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
      let ready: Prepared;
      try {
        ready = this.prepare(item, view, job);
      } catch (error) {
        prepared();
        await this.endWithout(item, 'error', describeError(error));
        return;
      }
      prepared();
      this.give(item, ready);
    } finally {
      prepared();
      this.pump();
    }
  }

  private give(item: TrackedJob, ready: Prepared): void {
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
    if (!taken) {
      item.attempt -= 1;
      this.again(item, '');
      return;
    }
    if (this.deps.leases.current(item.account) === undefined) return;
    this.deps.background.run('recording a start', () => this.recordStart(item, spec.attempt));
  }

  private async recordStart(item: TrackedJob, attempt: number): Promise<void> {
    const startedAt = this.deps.clock.now();
    const payload = { id: item.job, attempt, executor: this.options.executor, startedAt };
    await this.deps.log
      .append(item.account, () => [{ type: 'job.started', payload }])
      .catch((error: unknown) => {
        this.deps.logger.debug({ job: item.job, err: error }, 'the start of a job was not recorded');
      });
  }

  private async finish(item: TrackedJob, ready: Prepared, result: RunResult): Promise<void> {
    if (result.state === 'stopped' || item.cancelled || item.abandoned) {
      if (item.abandoned) {
        await this.clean(item);
        this.letGo(item);
      } else await this.endWithout(item, 'deleted', 'The job was cancelled while it ran.');
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
    if (item.abandoned) {
      await this.clean(item);
      this.letGo(item);
    } else if (item.cancelled) await this.endWithout(item, 'deleted', 'The job was cancelled while it ran.');
    else if (item.crashes >= CRASHES_MAX) await this.endWithout(item, 'error', crashedTooOften(item.crashes, reason));
    else this.again(item, `attempt ${item.attempt} was lost: ${reason}`);
  }

  private again(item: TrackedJob, reason: string): void {
    this.release(item);
    this.events.moved(item, 'queued', reason);
    this.deps.queue.push(item);
    this.pump();
  }

  private async takeIn(item: TrackedJob, ready: Prepared, result: RunResult): Promise<JobOutcome> {
    const { spec } = ready;
    const allowed = new Map(outputsOf(spec).map((output) => [output.name, output.file]));
    const adopted = new Map<string, AdoptedOutput>();
    for (const { name, file } of result.outputs) {
      if (file === undefined || allowed.get(name) !== file) continue;
      adopted.set(name, await this.deps.blobs.adopt(file));
    }
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

  private outcomeBase(item: TrackedJob, attempt: number) {
    const epoch = this.deps.leases.current(item.account)?.epoch ?? item.note.epoch;
    return { id: item.job, epoch, attempt, executor: this.options.executor, endedAt: this.deps.clock.now() };
  }

  private prepare(item: TrackedJob, view: AccountView, job: JobRecord): Prepared {
    const { cores, memoryMb, limits } = this.options;
    const folder = this.folderOf(item);
    const base = { job: item.job, attempt: item.attempt, folder, cores, memoryMb, limits };
    const epoch = this.deps.leases.current(item.account)?.epoch ?? item.note.epoch;
    const outputFile = (name: string) => {
      const id = job.outputs[name];
      if (id === undefined) throw new Error(`the job has no output named ${name}`);
      return join(runPaths(folder).outputs, `dataset_${id}.dat`);
    };
    const extensionOf = (name: string) => view.get('dataset', job.outputs[name] ?? '')?.extension ?? 'data';
    if (item.note.fetch !== undefined) {
      const items = item.note.fetch.map((fetch, index) => {
        const name = fetchOutput(index);
        const output = { name, file: outputFile(name), extension: fetch.extension };
        const { toPosixLines, spaceToTab, autoDecompress } = fetch;
        return { name: fetch.name, source: fetch.source.path, toPosixLines, spaceToTab, autoDecompress, output };
      });
      return { spec: { ...base, work: { kind: 'fetch', items } }, epoch, commandLine: '', inputBlobs: {} };
    }
    const tool = this.deps.toolbox.tool(job.tool, job.toolVersion);
    if (tool === undefined) throw new Error(`The tool ${job.tool} (version ${job.toolVersion}) is not installed here.`);
    const inputBlobs: Record<string, string> = {};
    for (const { id, dataset } of inputDatasets(view, job)) {
      const blob = dataset && contentOf(view, dataset)?.files[0]?.blob;
      if (blob !== undefined) inputBlobs[id] = blob;
    }
    const context = toolContext(view, job.history);
    const expanded = { state: job.params, inputs: job.inputs };
    const planned = new Map(this.deps.toolbox.plan(tool, expanded, context).map((output) => [output.name, output]));
    const command = this.deps.toolbox.prepare(tool, expanded, context, {
      inputPath: (dataset) => {
        const blob = inputBlobs[dataset];
        if (blob === undefined) throw new Error(`dataset ${dataset} is not an input of this job, or has no content`);
        return this.deps.blobs.path(blob);
      },
      outputPath: outputFile,
      workFolder: runPaths(folder).working,
    });
    const outputs = Object.keys(job.outputs).map((name): RunOutput => {
      const fromWorkDir = planned.get(name)?.fromWorkDir;
      return { name, file: outputFile(name), extension: extensionOf(name), ...(fromWorkDir ? { fromWorkDir } : {}) };
    });
    return {
      spec: { ...base, work: { kind: 'command', command, outputs } },
      epoch,
      commandLine: command.commandLine ?? command.script,
      inputBlobs,
    };
  }
}

function isUpload({ note }: TrackedJob): boolean {
  return note.fetch !== undefined;
}

function outputsOf(spec: RunSpec): RunOutput[] {
  return spec.work.kind === 'command' ? spec.work.outputs : spec.work.items.map(({ output }) => output);
}

export function crashedTooOften(crashes: number, reason: string): string {
  return `The job was started ${crashes} times and each time its handler died; it was given up. The last time ${reason}.`;
}
