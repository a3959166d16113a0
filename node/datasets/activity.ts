/**
 * When this node last did something to a job that is not in the log (queued, waiting, paused). Without it an open page
 * would not learn that a dataset is paused before something else in the history changes.
 */
import type { Clock } from '../../protocol/runtime/clock.js';
import { type JobService, type LocalJobState, TERMINAL } from '../jobs/job.js';
import type { JobActivity } from './facts.js';

export class LocalJobActivity implements JobActivity {
  /** Job → milliseconds. Holds only jobs that have not ended, so the queue's bound is its bound. */
  private readonly touched = new Map<string, number>();

  constructor(private readonly deps: { jobs: Pick<JobService, 'local' | 'onChange'>; clock: Clock }) {
    deps.jobs.onChange(({ job, state }) => {
      if (TERMINAL.has(state)) this.touched.delete(job);
      else this.touched.set(job, this.deps.clock.now());
    });
  }

  local(job: string): LocalJobState | undefined {
    return this.deps.jobs.local(job);
  }

  touchedAt(job: string): number {
    return this.touched.get(job) ?? 0;
  }
}
