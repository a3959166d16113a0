/**
 * What new homes are owed: everything that is here of accounts which went elsewhere. Given at the hand-over where that is
 * possible; else as soon as the new home can be reached, also after restarts of either side (held-leases.ts keeps what is
 * still owed). The log partners have this node's entries too; this is what makes the new home hear of them.
 */
import { type Clock, sleep, startDeadline } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Holders } from '../replication/holders.js';
import { Wakeup } from '../replication/wakeup.js';
import type { HeldLeases } from './held-leases.js';

const GIVE_MS = 60_000;
const GIVE_AGAIN_MS = 10_000;

export interface TailsDeps {
  leases: Pick<HeldLeases, 'toGive' | 'given'>;
  /** Gives the peer what it lacks of the account. */
  offerAccount: (peer: string, account: string, signal: AbortSignal) => Promise<unknown>;
  holders: Holders;
  /** Somebody is at it already. */
  isBusy: (account: string) => boolean;
  clock: Clock;
  logger: Logger;
}

export class Tails implements Part {
  private readonly background: Background;
  private readonly wakeup: Wakeup;
  private release: (() => void) | undefined;

  constructor(private readonly deps: TailsDeps) {
    this.background = new Background({ log: deps.logger });
    this.wakeup = new Wakeup(deps.clock);
  }

  async start(): Promise<void> {
    this.release = this.deps.holders.onChange(() => this.wakeup.wake());
    this.background.run('give new homes what they lack', (signal) => this.giveWhatIsOwed(signal));
  }

  async stop(): Promise<void> {
    this.release?.();
    await this.background.stop();
  }

  wake(): void {
    this.wakeup.wake();
  }

  /** Something more came in for an account whose home is elsewhere. */
  owe(account: string, epoch: number): void {
    this.background.run('note what a new home lacks', async () => {
      await this.deps.leases.given(account, epoch, false);
      this.wakeup.wake();
    });
  }

  /** False when it could not be given now; it is tried again. */
  async give(account: string, epoch: number, home: string): Promise<boolean> {
    const limit = startDeadline(this.deps.clock, GIVE_MS, this.background.signal);
    try {
      await this.deps.offerAccount(home, account, limit.signal);
      await this.deps.leases.given(account, epoch);
      return true;
    } catch (error) {
      const reason = describeError(error);
      this.deps.logger.info({ account, home, reason }, 'a new home could not be given what is here yet');
      return false;
    } finally {
      limit.cancel();
    }
  }

  private async giveWhatIsOwed(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const connected = new Set(connectedPeers(this.deps.holders));
      let failed = false;
      for (const { account, epoch, home } of this.deps.leases.toGive()) {
        if (signal.aborted) return;
        if (this.deps.isBusy(account) || !connected.has(home)) continue;
        if (!(await this.give(account, epoch, home))) failed = true;
      }
      // Holders change each second: that must not become a knock each second.
      if (failed) await sleep(this.deps.clock, GIVE_AGAIN_MS, signal).catch(() => {});
      else await this.wakeup.wait(signal);
    }
  }
}

export function connectedPeers(holders: Holders): string[] {
  return holders
    .list()
    .filter((holder) => holder.connected)
    .map((holder) => holder.peer);
}
