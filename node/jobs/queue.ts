/**
 * The queue of jobs that could run now, and the durable note of each job that this node has not ended.
 *
 * Durable: `record` and `forget` give store operations, which the caller commits in one batch with the log entries they
 * go with. In memory: accounts take turns, first come first served within one; whoever pushes wakes the dispatcher, so
 * nothing here polls. The turn order is not saved: after a restart it starts anew, the order within an account stays.
 *
 * Rejected: a priority heap over (share used, time): fairer over hours, but no person can predict their place in it.
 */
import { counted } from '../../protocol/runtime/amounts.js';
import { readJson, type Store, type StoreOp } from '../../protocol/runtime/store.js';
import { jobErrors } from './errors.js';
import { JOB_NAMESPACES } from './namespaces.js';
import type { FetchFile } from './spool.js';

/** What this node remembers of a job until its outcome is recorded. */
export interface JobNote {
  account: string;
  job: string;
  /** Order of acceptance on this node. */
  order: number;
  /** Of the lease under which this node accepted or adopted it. */
  epoch: number;
  /** Starts that ended because the node was stopped, not because the job failed it. */
  forgiven: number;
  /** PeerId of the account's former home, where it runs on and which will report; `true` in notes of earlier versions. */
  elsewhere?: string | true;
  /** The boot of that node in which it runs, when known: see elsewhere.ts. */
  elsewhereBoot?: number;
  /** An upload: every source is a file of this node. */
  fetch?: FetchFile[];
}

export interface Queued {
  account: string;
  job: string;
  order: number;
}

export class JobQueue<T extends Queued = Queued> {
  /** In the order of their turns; each list is not empty and ordered by `order`. */
  private readonly lines = new Map<string, T[]>();
  private readonly byJob = new Map<string, T>();
  private unfinished = 0;
  private lastOrder = 0;

  constructor(
    private readonly deps: { store: Store },
    private readonly options: { queueMax: number },
  ) {}

  /** Every job noted by an earlier start, in order of acceptance. */
  async load(): Promise<JobNote[]> {
    const notes: JobNote[] = [];
    for await (const [, bytes] of this.deps.store.iterate(JOB_NAMESPACES.queue)) {
      const note = readJson<JobNote>(bytes);
      if (note) notes.push(note);
    }
    notes.sort((a, b) => a.order - b.order);
    this.lastOrder = Math.max(this.lastOrder, notes.at(-1)?.order ?? 0);
    return notes;
  }

  /**
   * Makes room for `count` jobs or throws `jobs/queue-full`. Each is given back by `finished`, or by calling what this
   * returns when they were not accepted after all.
   */
  reserve(count: number): (unused: number) => void {
    if (this.unfinished + count > this.options.queueMax) {
      throw jobErrors('queue-full', { waiting: this.unfinished, max: this.options.queueMax, wanted: count });
    }
    this.unfinished += count;
    return (unused) => {
      this.unfinished -= unused;
    };
  }

  /** Counts jobs that are there already: recovered or adopted ones are never refused. */
  admit(count: number): void {
    this.unfinished += count;
  }

  finished(count = 1): void {
    this.unfinished -= count;
  }

  nextOrder(): number {
    this.lastOrder += 1;
    return this.lastOrder;
  }

  record(note: JobNote): StoreOp {
    return { ns: JOB_NAMESPACES.queue, key: note.job, value: JSON.stringify(note) };
  }

  forget(job: string): StoreOp {
    return { ns: JOB_NAMESPACES.queue, key: job, delete: true };
  }

  /** Puts a job where its order belongs within its account: a job that is started again is not sent to the end. */
  push(item: T): void {
    if (this.byJob.has(item.job)) return;
    this.byJob.set(item.job, item);
    const line = this.lines.get(item.account);
    if (line === undefined) this.lines.set(item.account, [item]);
    else if ((line.at(-1) as T).order < item.order) line.push(item);
    else line.splice(indexOfOrder(line, item.order), 0, item);
  }

  /** The next job of the account whose turn it is; with `fits`, the next that fits. */
  take(fits?: (item: T) => boolean): T | undefined {
    for (const [account, line] of this.lines) {
      const index = fits === undefined ? 0 : line.findIndex(fits);
      if (index < 0) continue;
      const [item] = line.splice(index, 1) as [T];
      this.lines.delete(account);
      if (line.length > 0) this.lines.set(account, line);
      this.byJob.delete(item.job);
      return item;
    }
    return undefined;
  }

  remove(job: string): boolean {
    const item = this.byJob.get(job);
    if (item === undefined) return false;
    this.byJob.delete(job);
    const line = this.lines.get(item.account) as T[];
    line.splice(indexOfOrder(line, item.order), 1);
    if (line.length === 0) this.lines.delete(item.account);
    return true;
  }

  has(job: string): boolean {
    return this.byJob.has(job);
  }

  /** Jobs that could run now. */
  get size(): number {
    return this.byJob.size;
  }

  /** How many jobs are taken before this one, plus one; undefined when it is not in the queue. */
  position(job: string): number | undefined {
    const item = this.byJob.get(job);
    if (item === undefined) return undefined;
    const own = this.lines.get(item.account) as T[];
    const index = indexOfOrder(own, item.order);
    let ahead = index;
    let isBefore = true;
    for (const [account, line] of this.lines) {
      if (account === item.account) isBefore = false;
      else ahead += Math.min(line.length, index + (isBefore ? 1 : 0));
    }
    return ahead + 1;
  }
}

/** The first place whose order is not below `order`. */
function indexOfOrder(line: readonly Queued[], order: number): number {
  let low = 0;
  let high = line.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((line[middle] as Queued).order < order) low = middle + 1;
    else high = middle;
  }
  return low;
}

const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth'];

/** "second in the queue; 2 jobs run, 2 slots" */
export function describePosition(position: number, running: number, slots: number): string {
  const place = ORDINALS[position - 1] ?? `number ${position}`;
  const runs = `${counted(running, 'job')} ${running === 1 ? 'runs' : 'run'}`;
  return `${place} in the queue; ${runs}, ${counted(slots, 'slot')}`;
}
