/**
 * What other nodes wrote for an account that is at home here now: after a take-over or a merge this node's log partners
 * may have none of it, and it would be with the repository alone once the former home has gone. A journal holds only what
 * this node wrote, so these segments are compared and offered account by account.
 *
 * What is to do follows from what is here and from what the ledger says a partner has; nothing is lost by a crash.
 */
import { createHash } from 'node:crypto';
import type { AccountLog, LeaseSource } from '../../protocol/log/account-log.js';
import { parseSegmentKey } from '../../protocol/log/namespaces.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import { startDeadline } from '../../protocol/runtime/clock.js';
import type { SegmentLane } from './holders.js';
import type { Ledger } from './ledger.js';

/** One account may have a long past. */
const OFFER_MS = 10 * 60_000;

export interface ForeignSegmentsDeps {
  log: Pick<AccountLog, 'accounts' | 'vector' | 'writers'>;
  leases: LeaseSource;
  ledger: Pick<Ledger, 'foreignConfirmation' | 'confirmForeign'>;
  lane: SegmentLane;
  clock: Clock;
}

export class ForeignSegments {
  /** Partner → accounts to be looked at. Kept while a partner is away; it holds no more than the accounts here. */
  private readonly waiting = new Map<string, Set<string>>();

  constructor(private readonly deps: ForeignSegmentsDeps) {}

  /** The account came home, or another node's entries for it came in. */
  changed(account: string): void {
    for (const accounts of this.waiting.values()) accounts.add(account);
  }

  /** The partner is asked about every account anew: it has another store. */
  forget(peer: string): void {
    this.waiting.delete(peer);
  }

  /** True when something was sent and there may be more. Errors: the lane's; the account stays to do. */
  async sendNext(peer: string, signal: AbortSignal): Promise<boolean> {
    const accounts = this.waiting.get(peer) ?? (await this.all(peer));
    for (const account of accounts) {
      signal.throwIfAborted();
      // Taken out first: what changes while it is sent is to do again.
      accounts.delete(account);
      try {
        if (await this.send(peer, account, signal)) return true;
      } catch (error) {
        accounts.add(account);
        throw error;
      }
    }
    return false;
  }

  private async all(peer: string): Promise<Set<string>> {
    const accounts = new Set<string>();
    // In place before it is complete, so that no change is missed.
    this.waiting.set(peer, accounts);
    try {
      for await (const account of this.deps.log.accounts()) accounts.add(account);
    } catch (error) {
      this.waiting.delete(peer);
      throw error;
    }
    return accounts;
  }

  private async send(peer: string, account: string, signal: AbortSignal): Promise<boolean> {
    const { leases, ledger, lane, clock } = this.deps;
    if (leases.current(account) === undefined) return false;
    const digest = await this.digest(account);
    if (digest === undefined || ledger.foreignConfirmation(account, peer) === digest) return false;
    const limit = startDeadline(clock, OFFER_MS, signal);
    try {
      const { storeId } = await lane.offerAccount(peer, account, limit.signal);
      await ledger.confirmForeign(account, peer, digest, storeId);
    } finally {
      limit.cancel();
    }
    return true;
  }

  /** Of the segments that are not this node's own; undefined when there are none. */
  private async digest(account: string): Promise<string | undefined> {
    const own = new Set((await this.deps.log.writers()).map(({ writer }) => writer));
    const vector = await this.deps.log.vector(account);
    const foreign = Object.keys(vector)
      .filter((name) => !own.has(parseSegmentKey(name)?.writer ?? ''))
      .sort();
    if (foreign.length === 0) return undefined;
    const digest = createHash('sha256');
    for (const name of foreign) digest.update(`${name} ${vector[name]?.seq} ${vector[name]?.hash}\n`);
    return digest.digest('hex');
  }
}
