/** How far this node wrote each account since the coordinator was last told; see coordinator/heads.ts. */
import type { AccountLog } from '../../protocol/log/account-log.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import type { AccountHead } from '../../protocol/wire/calls/register.js';

/** Told oldest first; past this many accounts the oldest news is dropped, and told again with the account's next change. */
const ACCOUNTS_MAX = 50_000;

export class WrittenHeads implements Part {
  private readonly changed = new Map<string, AccountHead>();
  private release: (() => void) | undefined;

  constructor(private readonly deps: { accountLog: Pick<AccountLog, 'onApplied'> }) {}

  async start(): Promise<void> {
    this.release = this.deps.accountLog.onApplied(({ account, entries, own }) => {
      const last = entries.at(-1);
      if (!own || last === undefined) return;
      const { epoch, writer, seq } = last;
      this.changed.set(account, { account, epoch, writer, seq });
      if (this.changed.size > ACCOUNTS_MAX) this.changed.delete(this.changed.keys().next().value as string);
    });
  }

  async stop(): Promise<void> {
    this.release?.();
  }

  take(max: number): AccountHead[] {
    const heads = [...this.changed.values()].slice(0, max);
    for (const { account } of heads) this.changed.delete(account);
    return heads;
  }
}
