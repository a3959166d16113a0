/**
 * What waits at a node that is gone: changes of accounts at home here that only their former home has. The coordinator
 * knows it from the heads that each home told it. Asked when an account arrives from a node that does not answer, and
 * again while anything waits; told to the user instead of a silent gap.
 */
import { describeThings, type ThingCounts } from '../../protocol/account/things.js';
import type { Cancel, Clock } from '../../protocol/runtime/clock.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';

export interface WaitingChanges {
  /** The institution that has them. */
  name: string;
  changes: number;
  /** How many of each; undefined when that is not known. */
  things: ThingCounts | undefined;
}

/** "2 datasets and 1 history" */
export function describeWaiting({ changes, things }: WaitingChanges): string {
  const named = things === undefined ? '' : describeThings(things);
  const unnamed = changes - Object.values(things ?? {}).reduce((sum, count) => sum + count, 0);
  const more = unnamed === 1 ? '1 change' : `${unnamed} changes`;
  if (named === '') return more;
  return unnamed > 0 ? `${named}, and ${more} more` : named;
}

const ASK_AGAIN_MS = 3000;
const ACCOUNTS_MAX = 10_000;

export class Waiting implements Part {
  private readonly accounts = new Map<string, WaitingChanges[]>();
  private readonly background: Background;
  private cancel: Cancel | undefined;
  private isAsking = false;

  constructor(
    private readonly deps: {
      /** Of the network's directory. Errors: `directory/away`, `directory/not-home`. */
      ask: (account: string) => Promise<WaitingChanges[]>;
      /** Some of it has come to the repository: it can be brought from there, whoever may reach whom. */
      onCame: (account: string) => Promise<void>;
      clock: Clock;
      logger: Logger;
    },
  ) {
    this.background = new Background({ log: deps.logger });
  }

  async start(): Promise<void> {
    this.cancel = this.deps.clock.every(ASK_AGAIN_MS, () => this.askAll());
  }

  async stop(): Promise<void> {
    this.cancel?.();
    await this.background.stop();
  }

  of(account: string): WaitingChanges[] {
    return this.accounts.get(account) ?? [];
  }

  /** The account has just come here: something may have stayed behind. Resolves when that is known. */
  async look(account: string): Promise<void> {
    try {
      const waiting = await this.deps.ask(account);
      if (total(waiting) < total(this.of(account))) await this.deps.onCame(account);
      if (waiting.length > 0 && this.accounts.size < ACCOUNTS_MAX) this.accounts.set(account, waiting);
      else this.accounts.delete(account);
    } catch (error) {
      // What was known stays known until the directory can be asked again.
      if (this.accounts.size < ACCOUNTS_MAX) this.accounts.set(account, this.of(account));
      this.deps.logger.debug({ account, err: error }, 'what waits elsewhere could not be asked');
    }
  }

  private askAll(): void {
    if (this.isAsking || this.accounts.size === 0) return;
    this.isAsking = true;
    this.background.run('ask what waits', async (signal) => {
      try {
        for (const account of [...this.accounts.keys()]) {
          if (signal.aborted) return;
          await this.look(account);
        }
      } finally {
        this.isAsking = false;
      }
    });
  }
}

function total(waiting: readonly WaitingChanges[]): number {
  return waiting.reduce((sum, { changes }) => sum + changes, 0);
}
