/**
 * Second step: files on their way in arrive, and what has arrived becomes datasets here, because its bytes are nowhere
 * else. Nothing new is begun; jobs that wait go with their accounts. What is not finished at the deadline is not waited
 * for: an unfinished transfer is told to its sender by the broken request, an accepted upload goes on beside the next
 * steps and is waited for in `jobs`.
 */
import { type Clock, sleep } from '../../protocol/runtime/clock.js';
import type { Drainable, StepContext, StepResult } from './part.js';

export interface LeavingUploads {
  close(reason: string): void;
  reopen(): void;
  readonly inProgress: number;
}

export interface LeavingJobs {
  /** Nothing is started any more; with `keepUploads` only what turns uploaded files of this node into datasets. */
  stopTaking(options: { keepUploads: boolean }): void;
  resumeTaking(): void;
  running(): { job: string; isUpload: boolean }[];
  /** Accepted uploads without an outcome; their bytes are here and nowhere else. */
  readonly uploadsLeft: number;
  /** Outcomes that no home has acknowledged. */
  readonly undelivered: number;
  /** Gives a run up without an outcome: the account's home starts the job again. */
  abandon(job: string): Promise<void>;
}

export const LOOK_MS = 250;

export class UploadsStep implements Drainable {
  readonly name = 'uploads';
  readonly say = 'waiting for uploads to finish';

  constructor(
    private readonly deps: { uploads: LeavingUploads; jobs: LeavingJobs; clock: Clock },
    private readonly options: { uploadsMs: number },
  ) {}

  async begin(): Promise<void> {
    this.deps.uploads.close('this node is leaving the network; try again in a minute, on your new home');
    this.deps.jobs.stopTaking({ keepUploads: true });
  }

  async run({ since, signal, report }: StepContext): Promise<StepResult> {
    const { uploads, jobs, clock } = this.deps;
    for (;;) {
      const left = uploads.inProgress + jobs.uploadsLeft;
      report({ objects: left });
      if (left === 0 || clock.now() >= since + this.options.uploadsMs) return undefined;
      await sleep(clock, LOOK_MS, signal);
    }
  }

  async undo(): Promise<void> {
    this.deps.uploads.reopen();
    this.deps.jobs.resumeTaking();
  }
}
