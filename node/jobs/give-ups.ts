/**
 * Tells an account's home that a job which this node was running will not be reported, so that nobody waits for it.
 *
 * Kept in memory and tried a bounded number of times: the home asks about jobs it does not hear of (elsewhere.ts), so
 * this word only makes it sooner. Rejected: a second durable outbox for it, which would promise nothing more.
 */
import { type Clock, sleep } from '../../protocol/runtime/clock.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { HomeLine } from './outbox.js';

export interface GiveUpsDeps {
  home: Pick<HomeLine, 'gaveUp'>;
  clock: Clock;
  logger: Logger;
}

export interface GiveUpsOptions {
  retryMs: number;
  retryMaxMs: number;
}

const TRIES_MAX = 8;
const WORDS_MAX = 1000;
export const REASON_CHARS_MAX = 300;

export class GiveUps implements Part {
  private readonly background: Background;
  private telling = 0;

  constructor(
    private readonly deps: GiveUpsDeps,
    private readonly options: GiveUpsOptions,
  ) {
    this.background = new Background({ log: deps.logger });
  }

  stop(): Promise<void> {
    return this.background.stop();
  }

  tell(account: string, job: string, reason: string): void {
    if (this.telling >= WORDS_MAX) return;
    this.telling += 1;
    this.background.run('telling that a job was given up', async (signal) => {
      try {
        await this.deliver(account, job, reason.slice(0, REASON_CHARS_MAX), signal);
      } finally {
        this.telling -= 1;
      }
    });
  }

  private async deliver(account: string, job: string, reason: string, signal: AbortSignal): Promise<void> {
    let pause = this.options.retryMs;
    for (let tries = 1; tries <= TRIES_MAX; tries++) {
      try {
        await this.deps.home.gaveUp(account, job, reason, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        this.deps.logger.debug({ job, err: error }, 'the home was not told yet that a job was given up');
      }
      if (tries < TRIES_MAX) await sleep(this.deps.clock, pause, signal);
      pause = Math.min(pause * 2, this.options.retryMaxMs);
    }
  }
}
