/**
 * Jobs whose account changes its home, as seen from either side: taken up and forgotten with the account, and what the
 * nodes concerned say to each other about a run. The executor reports an outcome (outbox.ts), or that there will be none
 * (give-ups.ts); the home asks about what it has not heard of (elsewhere.ts).
 */

import { entrySchemas, type JobOutcome } from '../../protocol/account/entries.js';
import type { JobRecord } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { AccountLog, LeaseSource } from '../../protocol/log/account-log.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { check, sentenceOf } from '../../protocol/runtime/schema-words.js';
import type { Store } from '../../protocol/runtime/store.js';
import type { ElsewhereJob, JobWord, RunsElsewhere } from './elsewhere.js';
import { jobErrors } from './errors.js';
import { blobsOfFound, readFound } from './found.js';
import type { Keeper } from './keeper.js';
import { appendOutcome, type Outbox } from './outbox.js';
import type { JobNote, JobQueue } from './queue.js';
import type { TrackedJob } from './tracked.js';

export interface AcrossHomesDeps {
  log: AccountLog;
  store: Pick<Store, 'commit'>;
  leases: LeaseSource;
  blobs: Pick<BlobStore, 'has' | 'read'>;
  bringBlob: (account: string, blob: string, signal: AbortSignal) => Promise<void>;
  queue: JobQueue<TrackedJob>;
  keeper: Keeper;
  outbox: Outbox;
  /** Tells the account's home that a job of it will not be reported. */
  tellGaveUp: (account: string, job: string, reason: string) => void;
  logger: Logger;
}

export class AcrossHomes {
  constructor(private readonly deps: AcrossHomesDeps) {}

  /**
   * This node became the account's home: every job without outcome is taken up, except those that still run at another
   * node, which reports them or is asked. Call it again when more of the log has arrived.
   */
  async adopt(account: string, running?: RunsElsewhere): Promise<void> {
    const { log, leases, outbox, queue, keeper, store } = this.deps;
    outbox.kick();
    const view = await log.view(account);
    const epoch = leases.current(account)?.epoch;
    if (epoch === undefined) return;
    const notes: JobNote[] = [];
    for (const { id, outcome } of view.list('job')) {
      if (outcome !== undefined || keeper.get(id) !== undefined || outbox.holds(id)) continue;
      const note: JobNote = { account, job: id, order: queue.nextOrder(), epoch, forgiven: 0 };
      const executor = running?.get(id);
      if (executor !== undefined) {
        note.elsewhere = executor.peer;
        if (executor.boot !== undefined) note.elsewhereBoot = executor.boot;
      }
      notes.push(note);
    }
    await store.commit(notes.map((note) => queue.record(note)));
    const after = await log.view(account);
    for (const note of notes) keeper.track(note, after.get('job', note.job));
    for (const item of keeper.of(account)) keeper.consider(item, after);
  }

  /** Jobs of accounts at home here that another node runs, or whose uploaded bytes it has. */
  elsewhere(): ElsewhereJob[] {
    return this.deps.keeper.jobsElsewhere();
  }

  /**
   * Jobs that another node will not report, because of `cause`: they start again here. An upload cannot, because its
   * bytes were there alone: it ends, and says so.
   */
  async reclaim(account: string, jobs: Iterable<string>, cause: string): Promise<void> {
    const { log, store, queue, keeper } = this.deps;
    if (!keeper.isHome(account)) return;
    const view = await log.view(account);
    const lost = Array.from(jobs, (job) => keeper.get(job)).filter(
      (item) => item !== undefined && item.account === account && item.phase === 'elsewhere',
    ) as TrackedJob[];
    const back = lost.filter(({ note }) => note.elsewhere !== undefined);
    await store.commit(back.map(({ note }) => queue.record(withoutElsewhere(note))));
    for (const item of back) item.note = withoutElsewhere(item.note);
    for (const item of back) keeper.consider(item, view, cause);
    for (const item of lost) {
      if (back.includes(item) || item.phase !== 'elsewhere') continue;
      const message = `The uploaded bytes cannot be had any more: ${cause}. Upload them again.`;
      await keeper.dispatcher.endWithout(item, 'error', message);
    }
  }

  /** This node is no longer the account's home: what waits here is forgotten, what runs goes on and reports. */
  async release(account: string): Promise<void> {
    const { keeper, queue, store } = this.deps;
    const leaving = keeper
      .of(account)
      .filter(({ job, note }) => !keeper.dispatcher.holds(job) && note.fetch === undefined);
    for (const item of leaving) {
      queue.remove(item.job);
      keeper.forget(item);
    }
    await store.commit(leaving.map(({ job }) => queue.forget(job)));
    // The log says that they were started here; only this node knows that they do not run.
    for (const { job, attempt, note } of leaving) {
      if (attempt > 0 && note.elsewhere === undefined) {
        this.deps.tellGaveUp(account, job, 'it waited to be started again when its account left the node that ran it');
      }
    }
  }

  /**
   * An outcome that another node (`peer`) reports for an account at home here. Fsynced when it resolves, its blobs
   * included. Errors: `jobs/bad-outcome`, `jobs/foreign-outcome`, `jobs/later-epoch`, `jobs/not-found`, and the log's.
   */
  async acceptOutcome(account: string, reported: unknown, peer: string, signal: AbortSignal): Promise<void> {
    const { log, leases, blobs } = this.deps;
    const { data, problem } = check(entrySchemas['job.outcome'], reported);
    if (problem !== undefined) throw jobErrors('bad-outcome', { reason: sentenceOf(problem) });
    const outcome: JobOutcome = data;
    const { id: job, executor, epoch } = outcome;
    if (executor !== peer) throw jobErrors('foreign-outcome', { job, executor, peer });
    // Without a lease the log refuses it below; above the lease's it would win over everything this home can still say.
    const current = leases.current(account)?.epoch;
    if (current !== undefined && epoch > current) throw jobErrors('later-epoch', { job, epoch, current });
    const view = await log.view(account);
    if (view.get('job', job) === undefined) throw jobErrors('not-found', { job });
    const outputs = Object.values(outcome.outputs).flatMap(({ files }) => files.map(({ blob }) => blob));
    const logs = [outcome.stdoutBlob, outcome.stderrBlob].filter((blob) => blob !== undefined);
    const bring = async (wanted: readonly string[]) => {
      for (const blob of wanted) if (!blobs.has(blob)) await this.deps.bringBlob(account, blob, signal);
    };
    await bring([...outputs, ...logs, ...(outcome.found ? [outcome.found.blob] : [])]);
    const found = await readFound(blobs, outcome);
    await bring(blobsOfFound(found));
    await appendOutcome(log, account, outcome, found, []);
  }

  /**
   * Another node (`peer`) says that it will not report a job of an account at home here. A word about a job that this
   * node does not wait for from that peer changes nothing. Errors: `jobs/not-home`.
   */
  async acceptGaveUp(account: string, job: string, peer: string, reason: string): Promise<void> {
    const { keeper, logger } = this.deps;
    if (!keeper.isHome(account)) throw jobErrors('not-home', { job });
    const isAwaited = keeper.jobsElsewhere().some((item) => item.job === job && item.peer === peer);
    if (!isAwaited) return;
    logger.info({ account, job, peer, reason }, 'a job was given up by the node that ran it');
    await this.reclaim(account, [job], `the node that had it gave it up (${reason})`);
  }

  /** What this node has to say of jobs that another one believes to be here. */
  async wordsOn(account: string, jobs: readonly string[]): Promise<Map<string, JobWord>> {
    const { keeper, outbox, log } = this.deps;
    const view = await log.view(account);
    const words = new Map<string, JobWord>();
    for (const job of jobs) words.set(job, this.wordOn(account, view.get('job', job), keeper.get(job)) ?? 'unknown');
    for (const job of jobs) if (words.get(job) === 'unknown' && outbox.holds(job)) words.set(job, 'finished');
    // Somebody waits for them.
    if ([...words.values()].includes('finished')) outbox.kick();
    return words;
  }

  private wordOn(account: string, record: JobRecord | undefined, item: TrackedJob | undefined): JobWord | undefined {
    const { keeper } = this.deps;
    // It is in a segment of this node, and comes with the log.
    if (record?.outcome !== undefined) return 'finished';
    if (item === undefined || item.account !== account) return undefined;
    const isMine = keeper.dispatcher.holds(item.job) || item.note.fetch !== undefined;
    // Two nodes that both hold themselves for the home: it is this one's until it hears better.
    return isMine || (keeper.isHome(account) && item.phase !== 'elsewhere') ? 'running' : undefined;
  }
}

export function withoutElsewhere({ elsewhere: _, elsewhereBoot: __, ...note }: JobNote): JobNote {
  return note;
}

/** A note of an earlier version says only that it runs elsewhere: the log knows who started it last. */
export function withElsewhereNamed(note: JobNote, job: JobRecord | undefined): JobNote {
  if (note.elsewhere !== true) return note;
  const peer = lastExecutor(job?.attempts ?? {});
  return peer === undefined ? withoutElsewhere(note) : { ...note, elsewhere: peer };
}

/** Who started a job last, by the log. */
export function lastExecutor(attempts: JobRecord['attempts']): string | undefined {
  const last = Math.max(0, ...Object.keys(attempts).map(Number));
  return attempts[String(last)]?.executor;
}
