/**
 * What other nodes wrote for an account that is at home here now: after a take-over or a merge this node's log partners
 * may have none of it, and it would be with the repository alone once the former home has gone. A journal holds only what
 * this node wrote, so these segments are compared and offered account by account.
 *
 * What is to do follows from what is here and from what the ledger says a partner has; nothing is lost by a crash. Until
 * enough partners have it, it counts as at risk like what this node wrote itself.
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
  ledger: Pick<Ledger, 'foreignConfirmation' | 'confirmForeign' | 'safeForeignEntries'>;
  lane: SegmentLane;
  clock: Clock;
}

export class ForeignSegments {
  /** Partner → accounts to be looked at. Kept while a partner is away; it holds no more than the accounts here. */
  private readonly waiting = new Map<string, Set<string>>();
  /** Account at home here → entries of other nodes; and accounts to be counted. */
  private readonly entries = new Map<string, number>();
  private readonly uncounted = new Set<string>();

  constructor(private readonly deps: ForeignSegmentsDeps) {}

  /** The account came home, or another node's entries for it came in. */
  changed(account: string): void {
    this.uncounted.add(account);
    for (const accounts of this.waiting.values()) accounts.add(account);
  }

  /** At the start. */
  async countAll(signal: AbortSignal): Promise<void> {
    for await (const account of this.deps.log.accounts()) this.uncounted.add(account);
    await this.count(signal);
  }

  /** What changed since the last time. */
  async count(signal: AbortSignal): Promise<void> {
    for (const account of this.uncounted) {
      signal.throwIfAborted();
      this.uncounted.delete(account);
      const here = this.deps.leases.current(account) === undefined ? undefined : await this.describe(account);
      if (here === undefined) this.entries.delete(account);
      else this.entries.set(account, here.entries);
    }
  }

  /** Entries that fewer than `copies` other domains have. */
  atRisk(copies: number, domainOf: (peer: string) => string | undefined): number {
    let atRisk = 0;
    for (const [account, entries] of this.entries) {
      // Elsewhere by now: the home there is answerable for it.
      if (this.deps.leases.current(account) === undefined) continue;
      atRisk += Math.max(0, entries - this.deps.ledger.safeForeignEntries(account, copies, domainOf));
    }
    return atRisk;
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
    const here = await this.describe(account);
    if (here === undefined || ledger.foreignConfirmation(account, peer) === here.digest) return false;
    const limit = startDeadline(clock, OFFER_MS, signal);
    try {
      const { storeId } = await lane.offerAccount(peer, account, limit.signal);
      await ledger.confirmForeign(account, peer, here, storeId);
    } finally {
      limit.cancel();
    }
    return true;
  }

  /** Of the segments that are not this node's own; undefined when there are none. */
  private async describe(account: string): Promise<{ digest: string; entries: number } | undefined> {
    const own = new Set((await this.deps.log.writers()).map(({ writer }) => writer));
    const vector = await this.deps.log.vector(account);
    const foreign = Object.keys(vector)
      .filter((name) => !own.has(parseSegmentKey(name)?.writer ?? ''))
      .sort();
    if (foreign.length === 0) return undefined;
    const digest = createHash('sha256');
    let entries = 0;
    for (const name of foreign) {
      digest.update(`${name} ${vector[name]?.seq} ${vector[name]?.hash}\n`);
      entries += vector[name]?.seq ?? 0;
    }
    return { digest: digest.digest('hex'), entries };
  }
}
