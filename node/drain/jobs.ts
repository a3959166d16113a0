/**
 * Fourth step: what runs here ends here and is reported to the accounts' new homes. Jobs that only waited went with their
 * accounts. At the deadline runs are given up, and their homes start them again; never an upload, whose bytes are only
 * here, and never an outcome that no home has acknowledged.
 */

import { counted } from '../../protocol/runtime/amounts.js';
import { type Clock, sleep } from '../../protocol/runtime/clock.js';
import type { Drainable, Left, StepContext, StepResult } from './part.js';
import { type LeavingJobs, LOOK_MS } from './uploads.js';

export class JobsStep implements Drainable {
  readonly name = 'jobs';
  readonly say = 'waiting for running jobs to end';
  private readonly givenUp = new Set<string>();

  constructor(
    private readonly deps: { jobs: LeavingJobs; clock: Clock },
    private readonly options: { jobsMs: number },
  ) {}

  async begin(): Promise<void> {
    this.deps.jobs.stopTaking({ keepUploads: true });
  }

  async run({ since, signal, report }: StepContext): Promise<StepResult> {
    const { jobs, clock } = this.deps;
    for (;;) {
      const left = leftOf(jobs);
      report(left);
      if (left.objects === 0) return undefined;
      if (clock.now() >= since + this.options.jobsMs) {
        for (const { job, isUpload } of jobs.running()) {
          if (isUpload || this.givenUp.has(job)) continue;
          await jobs.abandon(job);
          this.givenUp.add(job);
        }
      }
      await sleep(clock, LOOK_MS, signal);
    }
  }

  async undo(): Promise<void> {
    this.givenUp.clear();
  }
}

/** Nothing of this may be left when the inventory is taken: it is neither in the log nor in a blob yet. */
export function leftOf(jobs: Pick<LeavingJobs, 'running' | 'uploadsLeft' | 'undelivered'>): Left {
  const running = jobs.running().filter(({ isUpload }) => !isUpload).length;
  const { uploadsLeft, undelivered } = jobs;
  const parts: string[] = [];
  if (running > 0) parts.push(`${counted(running, 'job')} ${running === 1 ? 'runs' : 'run'}`);
  if (uploadsLeft > 0) parts.push(`${counted(uploadsLeft, 'upload')} ${uploadsLeft === 1 ? 'is' : 'are'} taken in`);
  if (undelivered > 0) parts.push(`${counted(undelivered, 'outcome')} not yet acknowledged by the new homes`);
  return {
    objects: running + uploadsLeft + undelivered,
    ...(parts.length > 0 ? { say: parts.join(', ') } : {}),
  };
}
