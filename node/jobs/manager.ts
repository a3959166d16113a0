/**
 * The jobs of this node: accepts them, takes them over from other homes, ends them. A job is accepted when its entries
 * and its note are fsynced in one batch; from then on it ends with exactly one visible outcome, whatever crashes.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { AccountView, JobRecord } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { AccountLog, LeaseSource } from '../../protocol/log/account-log.js';
import type { Draft, JsonObject } from '../../protocol/log/entry.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Store } from '../../protocol/runtime/store.js';
import type { DataTables } from '../toolbox/data-tables/data-tables.js';
import type { Tool, Toolbox } from '../toolbox/tool.js';
import { ownTool } from '../toolbox/user-tool/user-tools.js';
import { AcrossHomes, withElsewhereNamed } from './across-homes.js';
import { jobErrors } from './errors.js';
import { GiveUps } from './give-ups.js';
import type {
  FetchSubmission,
  ImplicitCollection,
  JobService,
  LocalJobState,
  Submission,
  SubmittedJob,
} from './job.js';
import { type JobChange, Keeper } from './keeper.js';
import { type HomeLine, Outbox } from './outbox.js';
import { withoutRun } from './outcome.js';
import { sweep } from './process-sweep.js';
import { type JobNote, JobQueue } from './queue.js';
import type { Programs } from './run-place.js';
import type { Executor } from './run-spec.js';
import { type FetchFile, Spool } from './spool.js';
import {
  BATCH_JOBS,
  checkSizes,
  FETCH_ITEMS_MAX,
  type Identity,
  type ImplicitPlan,
  type PlannedJob,
  planFetch,
  planImplicit,
  planSubmission,
} from './submission.js';
import type { Phase, TrackedJob } from './tracked.js';

export interface JobManagerDeps {
  log: AccountLog;
  store: Store;
  leases: LeaseSource;
  blobs: Pick<BlobStore, 'has' | 'adopt' | 'path' | 'read' | 'put' | 'onAdded'>;
  toolbox: Pick<Toolbox, 'tool' | 'plan' | 'planCollections' | 'prepare' | 'evaluate' | 'ofUser'>;
  tables: Pick<DataTables, 'table'>;
  /** What decides where tools run, and refuses those whose programs are not here. */
  programs?: Programs;
  executor: Executor;
  home: HomeLine;
  /** Brings a blob of the account to this node; rejects when no holder can be reached now. */
  bringBlob: (account: string, blob: string, signal: AbortSignal) => Promise<void>;
  clock: Clock;
  logger: Logger;
  ids: { next(): string };
  /** Id of a thing made by a job, from the job's id and the thing's name. */
  derivedId: (parent: string, name: string) => string;
}

export interface JobManagerOptions {
  dataFolder: string;
  /** PeerId of this node. */
  peerId: string;
  queueMax: number;
  coresPerJob: number;
  memoryMbPerJob: number;
  walltimeMs: number | null;
  logBytesMax: number;
  killGraceMs: number;
  fetchBytesMax: number;
  /** Pause before an outcome or a blob that could not be moved is tried again; doubles up to the second. */
  retryMs: number;
  retryMaxMs: number;
  /** How long `stop` waits for outcomes that are being recorded. */
  stopMs: number;
  /** Nothing starts before `open`: in a network an account may have moved while this node was off. */
  startsClosed: boolean;
}

export const JOB_DEFAULTS = {
  coresPerJob: 1,
  walltimeMs: null,
  logBytesMax: 16 * 2 ** 20,
  killGraceMs: 5_000,
  retryMs: 1_000,
  retryMaxMs: 60_000,
  stopMs: 10_000,
  startsClosed: false,
} as const;

export interface RunningJob {
  account: string;
  job: string;
  attempt: number;
  phase: Phase;
  isUpload: boolean;
}

type PlanWith = (identity: Identity, hid: number, now: number) => PlannedJob;

interface Wanted {
  plan: PlanWith;
  history: string;
  job?: string;
  fetch?: FetchFile[];
}

export class JobManager implements JobService, Part {
  /** What follows when accounts change their home. */
  readonly across: AcrossHomes;
  private readonly queue: JobQueue<TrackedJob>;
  private readonly outbox: Outbox;
  private readonly giveUps: GiveUps;
  private readonly keeper: Keeper;
  private readonly spool: Spool;
  private readonly background: Background;
  private readonly jobsFolder: string;

  constructor(
    private readonly deps: JobManagerDeps,
    private readonly options: JobManagerOptions,
  ) {
    const { log, store, leases, blobs, clock, logger, home } = deps;
    const { queueMax, retryMs, retryMaxMs, walltimeMs, logBytesMax, killGraceMs, fetchBytesMax, startsClosed } =
      options;
    this.jobsFolder = join(resolve(options.dataFolder), 'jobs');
    this.spool = new Spool(join(this.jobsFolder, 'spool'));
    this.background = new Background({ log: logger });
    this.queue = new JobQueue({ store }, { queueMax });
    this.outbox = new Outbox({ log, leases, store, blobs, clock, logger, home }, { retryMs, retryMaxMs });
    this.giveUps = new GiveUps({ home, clock, logger }, { retryMs, retryMaxMs });
    const tellGaveUp = (account: string, job: string, reason: string) => this.giveUps.tell(account, job, reason);
    this.keeper = new Keeper(
      { ...deps, queue: this.queue, outbox: this.outbox, background: this.background, onGaveUp: tellGaveUp },
      {
        jobsFolder: this.jobsFolder,
        executor: options.peerId,
        cores: options.coresPerJob,
        memoryMb: options.memoryMbPerJob,
        limits: { walltimeMs, logBytesMax, killGraceMs, fetchBytesMax },
        retryMs,
        retryMaxMs,
        startsClosed,
      },
    );
    const { queue, outbox, keeper } = this;
    this.across = new AcrossHomes({ ...deps, queue, outbox, keeper, tellGaveUp });
  }

  /** Takes up every job that an earlier start accepted and did not end. */
  async start(): Promise<void> {
    const notes = await this.queue.load();
    await this.clearLeftovers(notes);
    this.keeper.listen();
    await this.outbox.start();
    for (const note of notes) {
      const view = await this.deps.log.view(note.account);
      const record = view.get('job', note.job);
      this.keeper.consider(this.keeper.track(withElsewhereNamed(note, record), record), view);
    }
    this.background.run('looking for jobs without a note', (signal) => this.adoptAll(signal));
  }

  /** Which accounts are at home here has been asked: jobs start from now on. */
  open(): void {
    this.keeper.dispatcher.open();
  }

  /** Runs end without a word and start again at the next start, which does not count against them. */
  async stop(): Promise<void> {
    const { dispatcher } = this.keeper;
    this.keeper.unlisten();
    dispatcher.stop();
    const notes = dispatcher
      .running()
      .filter(({ phase }) => phase === 'starting' || phase === 'running')
      .map(({ note }) => this.queue.record({ ...note, forgiven: note.forgiven + 1 }));
    await this.deps.store.commit(notes).catch((error: unknown) => {
      this.deps.logger.warn(
        { err: error },
        'the jobs that still ran could not be noted; they start again all the same',
      );
    });
    await this.settled(this.options.stopMs);
    await this.outbox.stop();
    await this.giveUps.stop();
    await this.background.stop();
  }

  /**
   * Errors: `jobs/queue-full`, `jobs/too-large`, `jobs/partly-accepted`, those of the log and the store, and of the toolbox
   * for a tool whose programs are not here.
   */
  async submit(
    account: string,
    submissions: Submission[],
    implicit: ImplicitCollection[] = [],
  ): Promise<SubmittedJob[]> {
    checkSizes(submissions);
    await this.refuseUnrunnable(account, submissions);
    const giveBack = this.queue.reserve(submissions.length);
    const accepted: SubmittedJob[] = [];
    // Known before the first is accepted: the collections around all outputs go into the log with the first batch.
    const identities = submissions.map(() => this.identityOf(this.deps.ids.next()));
    let around: ImplicitPlan | undefined;
    const opening = (hid: number, now: number) => {
      around ??= planImplicit(implicit, submissions, identities, hid, now);
      return around;
    };
    try {
      for (let first = 0; first < submissions.length; first += BATCH_JOBS) {
        const batch = submissions.slice(first, first + BATCH_JOBS).map(
          (submission, index): Wanted => ({
            history: submission.history,
            job: identities[first + index]?.job ?? '',
            plan: (identity, hid, now) => {
              const isFirst = first + index === 0;
              const outer = isFirst ? opening(hid, now) : around;
              const skipped = isFirst ? (outer?.hids ?? 0) : 0;
              const made = planSubmission(submission, identity, hid + skipped, now, outer?.around[first + index]);
              if (outer && implicit.length > 0) made.submitted.implicit = outer.ids;
              return isFirst
                ? { ...made, drafts: [...(outer?.drafts ?? []), ...made.drafts], hids: made.hids + skipped }
                : made;
            },
          }),
        );
        accepted.push(...(await this.accept(account, batch)));
      }
    } catch (error) {
      giveBack(submissions.length - accepted.length);
      if (accepted.length === 0) throw error;
      const data = { accepted: accepted.length, total: submissions.length, reason: describeError(error) };
      throw jobErrors('partly-accepted', data, { cause: error });
    }
    return accepted;
  }

  /** The files of an accepted upload belong to its job, which removes them; those of a refused one stay the caller's. */
  async submitFetch(account: string, fetch: FetchSubmission): Promise<SubmittedJob> {
    const count = fetch.items.length;
    if (count === 0) throw jobErrors('nothing-to-upload');
    if (count > FETCH_ITEMS_MAX) throw jobErrors('too-many-files', { count, max: FETCH_ITEMS_MAX });
    const giveBack = this.queue.reserve(1);
    const job = this.deps.ids.next();
    const spooled: string[] = [];
    try {
      const files: FetchFile[] = [];
      for (const [index, item] of fetch.items.entries()) {
        const { source } = item;
        const isText = source.kind === 'text';
        const path = isText ? await this.spool.write(`${job}-${index}`, source.text) : resolve(source.path);
        if (isText) spooled.push(path);
        files.push({ ...item, source: { kind: 'file', path } });
      }
      const plan: PlanWith = (identity, hid, now) => planFetch(fetch, identity, hid, now, this.options.peerId);
      const [submitted] = await this.accept(account, [{ plan, history: fetch.history, job, fetch: files }]);
      return submitted as SubmittedJob;
    } catch (error) {
      giveBack(1);
      for (const path of spooled) await rm(path, { force: true });
      throw error;
    }
  }

  /** A running job is killed with all its processes; its outcome follows. Ended ones stay as they are. */
  async cancel(account: string, job: string, reason?: string): Promise<void> {
    const { dispatcher } = this.keeper;
    let ended: TrackedJob | undefined;
    try {
      await this.deps.log.append(account, (view) => {
        const record = view.get('job', job);
        if (record === undefined) throw jobErrors('not-found', { job });
        const item = this.keeper.get(job);
        if (record.outcome || record.cancelled || item?.phase === 'ending') return [];
        const drafts: Draft[] = [
          { type: 'job.cancelled', payload: { id: job, ...(reason ? { reason } : {}) } },
          ...Object.values(record.outputs).map((id) => ({ type: 'dataset.updated', payload: { id, deleted: true } })),
        ];
        // Once this entry is there, the keeper has its run killed.
        if (dispatcher.holds(job)) return drafts;
        // Out of the queue before the write, so that it cannot start in between.
        this.queue.remove(job);
        ended = item;
        const outcome = this.deletedOutcome(view, record, item, reason);
        drafts.push({ type: 'job.outcome', payload: outcome as unknown as JsonObject });
        return { drafts, also: [this.queue.forget(job)] };
      });
    } catch (error) {
      this.keeper.wake([job]);
      throw error;
    }
    if (ended === undefined) return;
    this.keeper.forget(ended);
    for (const { source } of ended.note.fetch ?? []) await rm(source.path, { force: true });
  }

  local(job: string): LocalJobState | undefined {
    return this.keeper.local(job);
  }

  counts(): { queued: number; running: number; slots: number } {
    return this.keeper.counts();
  }

  onChange(listener: (change: JobChange) => void): () => void {
    return this.keeper.onChange(listener);
  }

  /** A drain begins: nothing is given to handlers any more, with `keepUploads` but uploads, whose bytes are only here. */
  stopTaking(options: { keepUploads?: boolean } = {}): void {
    this.keeper.dispatcher.stopTaking(options);
  }

  /** The drain was called off. */
  resumeTaking(): void {
    this.keeper.dispatcher.resumeTaking();
  }

  /** Kills a run without an outcome: another node was told to start it again. */
  async abandon(job: string): Promise<void> {
    const { keeper, queue } = this;
    const item = keeper.get(job);
    if (item === undefined || !keeper.dispatcher.holds(job) || item.phase === 'ending') return;
    await this.deps.store.commit([queue.forget(job)]);
    keeper.dispatcher.abandon(item);
  }

  running(): RunningJob[] {
    return this.keeper.dispatcher.running().map(({ account, job, attempt, phase, note }) => ({
      account,
      job,
      attempt,
      phase,
      isUpload: note.fetch !== undefined,
    }));
  }

  /** Accepted uploads without an outcome, waiting and running. */
  get uploadsLeft(): number {
    return this.keeper.uploads;
  }

  /** Outcomes that no home has acknowledged yet. */
  get undelivered(): number {
    return this.outbox.size;
  }

  /** Resolves when nothing runs here; `jobs/still-running` when the signal aborts first. */
  async idle(signal: AbortSignal): Promise<void> {
    const { dispatcher } = this.keeper;
    await dispatcher
      .until(() => dispatcher.running().length === 0, signal)
      .catch((cause: unknown) => {
        throw jobErrors('still-running', { running: dispatcher.running().length }, { cause });
      });
  }

  /** Entries and notes of some jobs in one batch; then each goes where it belongs. */
  private async accept(account: string, wanted: Wanted[]): Promise<SubmittedJob[]> {
    const notes: JobNote[] = [];
    const planned: PlannedJob[] = [];
    const { view } = await this.deps.log.append(account, (before) => {
      const epoch = this.deps.leases.current(account)?.epoch ?? 0;
      const hids = new Map<string, number>();
      const now = this.deps.clock.now();
      for (const { plan, history, job: given, fetch } of wanted) {
        const job = given ?? this.deps.ids.next();
        const hid = hids.get(history) ?? before.nextHid(history);
        const made = plan(this.identityOf(job), hid, now);
        hids.set(history, hid + made.hids);
        planned.push(made);
        notes.push({ account, job, order: this.queue.nextOrder(), epoch, forgiven: 0, ...(fetch ? { fetch } : {}) });
      }
      return { drafts: planned.flatMap(({ drafts }) => drafts), also: notes.map((note) => this.queue.record(note)) };
    });
    for (const note of notes) this.keeper.consider(this.keeper.track(note, undefined, true), view);
    return planned.map(({ submitted }) => submitted);
  }

  /** Nothing is begun that could only end with a shell's "not found", or must not run here at all. */
  private async refuseUnrunnable(account: string, submissions: readonly Submission[]): Promise<void> {
    const { toolbox, programs, log } = this.deps;
    if (programs === undefined) return;
    const known = new Set<Tool>();
    for (const { tool, toolVersion } of submissions) {
      const found = toolbox.tool(tool, toolVersion) ?? ownTool(toolbox, await log.view(account), tool);
      if (found !== undefined) known.add(found);
    }
    for (const tool of known) programs.refuse(tool);
  }

  private identityOf(job: string): Identity {
    return { job, output: (name) => this.deps.derivedId(job, name) };
  }

  /** Jobs of accounts at home here that the log has and no note names: they came from another node. */
  private async adoptAll(signal: AbortSignal): Promise<void> {
    for await (const account of this.deps.log.accounts()) {
      signal.throwIfAborted();
      if (this.deps.leases.current(account) !== undefined) await this.across.adopt(account);
    }
  }

  private async clearLeftovers(notes: readonly JobNote[]): Promise<void> {
    await mkdir(this.jobsFolder, { recursive: true, mode: 0o700 });
    const ended = sweep(this.jobsFolder);
    if (ended > 0) this.deps.logger.warn({ processes: ended }, 'processes of jobs of an earlier start were ended');
    for (const name of await readdir(this.jobsFolder)) {
      if (name !== 'spool') await rm(join(this.jobsFolder, name), { recursive: true, force: true });
    }
    await this.spool.open(new Set(notes.flatMap(({ fetch }) => fetch?.map(({ source }) => source.path) ?? [])));
  }

  private deletedOutcome(view: AccountView, job: JobRecord, item: TrackedJob | undefined, reason: string | undefined) {
    const epoch = this.deps.leases.current(view.account)?.epoch ?? 0;
    const attempt = Math.max(1, item?.attempt ?? 0, ...Object.keys(job.attempts).map(Number));
    const base = { id: job.id, epoch, attempt, executor: this.options.peerId, endedAt: this.deps.clock.now() };
    return withoutRun(view, job, base, 'deleted', reason ?? 'The job was cancelled before it started.');
  }

  /** Waits until no outcome is being recorded, not longer than `ms`. */
  private async settled(ms: number): Promise<void> {
    const { dispatcher } = this.keeper;
    const patience = new AbortController();
    const cancel = this.deps.clock.after(ms, () => patience.abort());
    const isSettled = () => !dispatcher.running().some(({ phase }) => phase === 'ending');
    await dispatcher.until(isSettled, patience.signal).catch(() => {});
    cancel();
  }
}
