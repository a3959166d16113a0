/**
 * Third step: accounts go to their new homes, one by one: sealed here, tail pushed, new home named by the coordinator,
 * lease given up. One that could not go is opened again at once: its user goes on here until it is tried again. If the
 * coordinator had moved it all the same and only its answer was lost, what is written meanwhile is merged at the new
 * home, as after a node was cut off.
 */
import type { AccountLog, LeaseSource } from '../../protocol/log/account-log.js';
import { describeError, isDomainError } from '../../protocol/runtime/errors.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { whileAnnounced } from './announce.js';
import { drainErrors } from './errors.js';
import type { Handover, NewHome } from './handover.js';
import type { Drainable, StepContext, StepResult } from './part.js';

export interface LeavingHomes {
  /** Nothing more is written to the account here; resolves when its tail is with the log partners, as far as they answer. */
  seal(account: string, signal: AbortSignal): Promise<void>;
  /** It stays for now. */
  unseal(account: string): void;
  leave(account: string, epoch: number, home: string): Promise<void>;
}

export interface AccountsDeps {
  log: Pick<AccountLog, 'accounts'>;
  leases: LeaseSource & { accounts(): string[] };
  homes: LeavingHomes;
  handover: Pick<Handover, 'rehome' | 'reachable'>;
  /** Accounts that the directory has at home here, whether or not this node knows of it. */
  assigned: () => AsyncIterable<string>;
  logger: Logger;
}

export class AccountsStep implements Drainable {
  readonly name = 'accounts';
  readonly say = 'handing accounts over to their new homes';
  /** Accounts of this node alone, which the directory does not know: made before joining, their name taken elsewhere. */
  private readonly locals = new Set<string>();

  constructor(private readonly deps: AccountsDeps) {}

  run(context: StepContext): Promise<StepResult> {
    return whileAnnounced(async () => {
      await this.handOver(context);
      return undefined;
    });
  }

  async undo(): Promise<void> {
    for (const account of this.locals) this.deps.homes.unseal(account);
    this.locals.clear();
  }

  /** Accounts that cannot have another home; their data is copied like everything else. */
  local(): readonly string[] {
    return [...this.locals];
  }

  /** Errors: `drain/away`, `drain/accounts-stay` when some could not go. */
  async handOver({ signal, report }: StepContext): Promise<void> {
    const waiting = await this.here();
    let left = waiting.length;
    report({ objects: left });
    let failed = 0;
    let failure: unknown;
    for (const account of waiting) {
      signal.throwIfAborted();
      try {
        await this.handOverOne(account, signal);
        left -= 1;
        report({ objects: left });
      } catch (error) {
        signal.throwIfAborted();
        if (isDomainError(error, 'drain/away') || isDomainError(error, 'handover/not-draining')) throw error;
        failed += 1;
        failure ??= error;
        this.deps.logger.warn({ account, reason: describeError(error) }, 'an account could not be handed over yet');
      }
    }
    if (failed > 0) {
      throw drainErrors('accounts-stay', { count: failed, reason: describeError(failure) }, { cause: failure });
    }
  }

  /** At home here by the word of either side. */
  private async here(): Promise<string[]> {
    const accounts = new Set(this.deps.leases.accounts());
    for await (const account of this.deps.log.accounts()) {
      if (this.deps.leases.current(account) !== undefined) accounts.add(account);
    }
    for await (const account of this.deps.assigned()) accounts.add(account);
    return [...accounts].filter((account) => !this.locals.has(account)).sort();
  }

  private async handOverOne(account: string, signal: AbortSignal): Promise<void> {
    const { homes, handover, leases, logger } = this.deps;
    // Asked before the seal: an account is not closed to its user for a call that cannot be made.
    if (!handover.reachable()) throw drainErrors('away');
    let next: NewHome;
    try {
      await homes.seal(account, signal);
      next = await handover.rehome(account, signal);
    } catch (error) {
      if (isDomainError(error, 'directory/not-found') && leases.current(account)?.epoch === 0) {
        this.locals.add(account);
        logger.warn({ account }, 'an account of this node alone stays: the directory does not know it');
        return;
      }
      homes.unseal(account);
      throw error;
    }
    await homes.leave(account, next.epoch, next.home);
    if (leases.current(account) !== undefined) {
      homes.unseal(account);
      throw drainErrors('account-stays', { account, home: next.name || next.home });
    }
    logger.info({ account, home: next.home, epoch: next.epoch, reasons: next.reasons }, 'an account was handed over');
  }
}
