/**
 * What this node does with a job that has no outcome yet.
 *
 * waiting (inputs' jobs run, or their bytes are fetched) → queued → starting → running → ending → gone
 *        ↘ paused (an input failed)        ↖ a handler died ↙
 * elsewhere: the run, or the uploaded bytes, are at another node, which will report.
 */
import type { JobState, LocalJobState } from './job.js';
import { describePosition, type JobNote, type JobQueue, type Queued } from './queue.js';

export type Phase = 'waiting' | 'paused' | 'queued' | 'starting' | 'running' | 'ending' | 'elsewhere';

export interface TrackedJob extends Queued {
  phase: Phase;
  reason: string;
  /** The last attempt that was started, by anyone; 0 before the first. */
  attempt: number;
  /** Attempts on this node that ended without a word. */
  crashes: number;
  /** Starts in a row that could not be recorded. */
  startFailures: number;
  cancelled: boolean;
  /** Killed without an outcome: another node runs it again. */
  abandoned: boolean;
  /** Abandoned because another node's outcome is there: nobody runs it again. */
  overtaken: boolean;
  note: JobNote;
}

/** Attempts that may end with the death of their handler before the job is given up. */
export const CRASHES_MAX = 3;

export function newTracked(note: JobNote, history: { attempt: number; crashes: number }): TrackedJob {
  const { account, job, order } = note;
  const fresh = { phase: 'waiting', reason: 'new', cancelled: false, abandoned: false, overtaken: false } as const;
  return { account, job, order, note, startFailures: 0, ...fresh, ...history };
}

const STATES: Record<Phase, LocalJobState['state']> = {
  waiting: 'waiting',
  paused: 'paused',
  queued: 'queued',
  starting: 'queued',
  running: 'running',
  ending: 'running',
  elsewhere: 'waiting',
};

export function stateOf(phase: Phase): JobState {
  return STATES[phase];
}

export function describeTracked(
  job: TrackedJob,
  queue: Pick<JobQueue<TrackedJob>, 'position'>,
  now: { running: number; slots: number; hindrance?: string | undefined },
): LocalJobState {
  const position = job.phase === 'queued' ? queue.position(job.job) : undefined;
  const reason =
    position === undefined
      ? job.reason
      : [describePosition(position, now.running, now.slots), now.hindrance, job.reason].filter(Boolean).join('; ');
  return { state: STATES[job.phase], reason };
}
