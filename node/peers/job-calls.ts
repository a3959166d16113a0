/**
 * Words between nodes about jobs whose account has changed its home, over `/galaxy/handover/1`: outcomes, jobs that were
 * given up, and the home's question about what it has not heard of.
 */
import type { JobOutcome } from '../../protocol/account/entries.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Host } from '../../protocol/runtime/host.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { withoutControlCharacters } from '../../protocol/runtime/text.js';
import { gaveUpCall, jobWordsCall } from '../../protocol/wire/calls/job-words.js';
import { outcomeCall } from '../../protocol/wire/calls/outcome.js';
import { answer, call, serveCalls } from '../../protocol/wire/rpc.js';
import type { AcrossHomes } from '../jobs/across-homes.js';
import type { ElsewhereJob, JobWord } from '../jobs/elsewhere.js';
import type { HomeLine } from '../jobs/outbox.js';

export class JobCalls implements HomeLine {
  constructor(
    private readonly deps: {
      host: Pick<Host, 'handle' | 'openStream'>;
      across: Pick<AcrossHomes, 'acceptOutcome' | 'acceptGaveUp' | 'wordsOn'>;
      /** Of the account; rejects or gives undefined while it is not known. */
      homeOf: (account: string) => Promise<string | undefined>;
      clock: Clock;
      log: Logger;
    },
  ) {}

  async serve(): Promise<void> {
    const { across } = this.deps;
    await serveCalls(this.deps, 'handover', [
      answer(outcomeCall, async ({ account, outcome }, { peer, signal }) => {
        await across.acceptOutcome(account, outcome, peer, signal);
        return {};
      }),
      answer(gaveUpCall, async ({ account, job, reason }, { peer }) => {
        await across.acceptGaveUp(account, job, peer, withoutControlCharacters(reason));
        return {};
      }),
      answer(jobWordsCall, async ({ jobs }) => {
        const words = new Map<string, ReadonlyMap<string, JobWord>>();
        for (const account of new Set(jobs.map((item) => item.account))) {
          const ids = jobs.filter((item) => item.account === account).map(({ job }) => job);
          words.set(account, await across.wordsOn(account, ids));
        }
        return { words: jobs.map(({ account, job }) => words.get(account)?.get(job) ?? 'unknown') };
      }),
    ]);
  }

  async deliver(account: string, outcome: JobOutcome, signal: AbortSignal): Promise<void> {
    await call(this.deps.host, await this.home(account), outcomeCall, { account, outcome: outcome as never }, signal);
  }

  async gaveUp(account: string, job: string, reason: string, signal: AbortSignal): Promise<void> {
    await call(this.deps.host, await this.home(account), gaveUpCall, { account, job, reason }, signal);
  }

  async ask(peer: string, jobs: readonly ElsewhereJob[], signal: AbortSignal): Promise<Map<string, JobWord>> {
    const asked = jobs.map(({ account, job }) => ({ account, job }));
    const { words } = await call(this.deps.host, peer, jobWordsCall, { jobs: asked }, signal);
    return new Map(jobs.flatMap(({ job }, index) => (words[index] ? [[job, words[index]] as const] : [])));
  }

  private async home(account: string): Promise<string> {
    const home = await this.deps.homeOf(account);
    if (home === undefined) throw new Error(`the home of ${account} is not known`);
    return home;
  }
}
