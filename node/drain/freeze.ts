/**
 * Fifth step: from here on nothing may write, so that the inventory is one of everything. Accounts that came in spite of
 * the announcement go first; those of this node alone are sealed.
 */
import type { AccountsStep, LeavingHomes } from './accounts.js';
import { whileAnnounced } from './announce.js';
import { drainErrors } from './errors.js';
import type { DrainGate } from './gate.js';
import { leftOf } from './jobs.js';
import type { Drainable, StepContext, StepResult } from './part.js';
import type { LeavingJobs } from './uploads.js';

export interface FreezeDeps {
  gate: DrainGate;
  accounts: Pick<AccountsStep, 'handOver' | 'local'>;
  homes: Pick<LeavingHomes, 'seal'>;
  /** Accounts that an append would still be accepted for. */
  writable: () => AsyncIterable<string>;
  jobs: Pick<LeavingJobs, 'running' | 'uploadsLeft' | 'undelivered'>;
}

export class FreezeStep implements Drainable {
  readonly name = 'freeze';
  readonly say = 'closing this node to every change';

  constructor(private readonly deps: FreezeDeps) {}

  async begin(): Promise<void> {
    this.deps.gate.freeze();
  }

  run(context: StepContext): Promise<StepResult> {
    return whileAnnounced(() => this.close(context));
  }

  async undo(): Promise<void> {
    this.deps.gate.open();
  }

  private async close(context: StepContext): Promise<StepResult> {
    const { accounts, homes, jobs, writable } = this.deps;
    // A seal is not on disk: after a restart they are sealed anew.
    for (const account of accounts.local()) await homes.seal(account, context.signal);
    await accounts.handOver(context);
    if (leftOf(jobs).objects > 0) return { backTo: 'jobs' };
    const sealed = new Set(accounts.local());
    for await (const account of writable()) {
      if (!sealed.has(account)) throw drainErrors('still-writing', { account });
    }
    return undefined;
  }
}
