/**
 * Accounts coming home and leaving. In a network the coordinator decides who is home; this carries it out on the node:
 *
 *   elsewhere → adopting (the whole log is brought, requests wait) → here → sealing (tail pushed) → elsewhere
 *
 * A drain seals before it asks for the new home, while requests wait; when none can be named, the account is here again.
 *
 * A node that comes back from a crash or from being cut off learns here that accounts went elsewhere meanwhile, seals
 * what it had and hands the new homes what only it has: nothing is discarded, it is merged.
 */
import type { AccountView } from '../../protocol/account/records.js';
import type { AccountLog, Applied } from '../../protocol/log/account-log.js';
import { type Clock, deadline } from '../../protocol/runtime/clock.js';
import { defineErrors, describeError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Holders } from '../replication/holders.js';
import type { HeldLeases } from './held-leases.js';
import { settleHids } from './settle.js';

export const homeErrors = defineErrors('homes', {
  moved: {
    kind: 'moved',
    say: 'Your account is at home on another node now.',
    mend: "Open the network's address; it leads to your home.",
  },
  arriving: {
    kind: 'unavailable',
    say: 'Your account is just arriving on this node.',
    mend: 'Try again in a few seconds.',
  },
  leaving: {
    kind: 'unavailable',
    say: 'Your account is just moving to another node.',
    mend: 'Try again in a few seconds.',
  },
  'no-holder': {
    kind: 'unavailable',
    say: 'No holder of the log of account {account} can be reached now.',
    mend: 'It is tried again by itself as soon as one can.',
  },
});

/** How entries travel between nodes; the root hands in the door. */
export interface LogCourier {
  /** Brings what the peer has of the account and this node lacks; number of entries. */
  pull(peer: string, account: string, signal: AbortSignal): Promise<number>;
  /** Gives the peer what it lacks of the account. */
  offerAccount(peer: string, account: string, signal: AbortSignal): Promise<unknown>;
}

/** What must follow when an account comes or goes. */
export interface HomeFollower {
  /** `from`: the former home, when it handed the account over; undefined after a merge. */
  adopted(account: string, view: AccountView, from: string | undefined): Promise<void>;
  released(account: string): Promise<void>;
}

export type HomeStatus =
  | { at: 'here' }
  | { at: 'leaving' }
  | { at: 'arriving' }
  | { at: 'elsewhere'; home: string | undefined };

/** Requests wait this long for an account that is arriving; then 503 with Retry-After. */
export const ARRIVAL_WAIT_MS = 10_000;
const TAKE_OVER_MS = 30_000;
const OFFER_MS = 60_000;
/** Of a seal before a hand-over, while a user waits; the coordinator compares everything at the end. */
const SEAL_FLUSH_MS = 10_000;

export interface HomesDeps {
  log: AccountLog;
  leases: HeldLeases;
  courier: LogCourier;
  holders: Holders;
  followers: readonly HomeFollower[];
  /** Everything this node wrote is with its log partners (or the deadline passed). */
  flushLog: (signal: AbortSignal) => Promise<void>;
  clock: Clock;
  logger: Logger;
}

export class Homes implements Part {
  private readonly background: Background;
  private readonly arriving = new Map<string, Promise<void>>();
  /** Sealed before a hand-over; requests wait for its end. */
  private readonly sealing = new Map<string, { ended: Promise<void>; end: () => void }>();
  private readonly leaving = new Map<string, Promise<void>>();
  private readonly toSettle = new Map<string, Set<string>>();
  private release: (() => void) | undefined;

  constructor(private readonly deps: HomesDeps) {
    this.background = new Background({ log: deps.logger });
  }

  async start(): Promise<void> {
    this.release = this.deps.log.onApplied((applied) => this.onApplied(applied));
  }

  async stop(): Promise<void> {
    this.release?.();
    await this.background.stop();
  }

  status(account: string): HomeStatus {
    if (this.arriving.has(account)) return { at: 'arriving' };
    if (this.deps.leases.current(account) !== undefined) return { at: this.sealing.has(account) ? 'leaving' : 'here' };
    return { at: 'elsewhere', home: this.deps.leases.movedTo(account)?.home };
  }

  /** Resolves when the account is here. Errors: `homes/moved`; `homes/arriving`, `homes/leaving` after 10 s. */
  async whenHere(account: string): Promise<void> {
    const arrival = this.arriving.get(account) ?? this.sealing.get(account)?.ended;
    if (arrival !== undefined) {
      const wait = deadline(ARRIVAL_WAIT_MS);
      await Promise.race([
        arrival.catch(() => {}),
        new Promise<void>((resolve) => wait.addEventListener('abort', () => resolve(), { once: true })),
      ]);
    }
    const { at } = this.status(account);
    if (at === 'arriving') throw homeErrors('arriving');
    if (at === 'leaving') throw homeErrors('leaving');
    if (at === 'elsewhere') throw homeErrors('moved');
  }

  /** The coordinator's word: this node is the home from now on. Resolves when the account is served here. */
  adopt(account: string, from: string | undefined, lease: { epoch: number; token: string }): Promise<void> {
    const before = this.arriving.get(account);
    if (before !== undefined) return before;
    const work = this.takeOver(account, from, lease).finally(() => this.arriving.delete(account));
    this.arriving.set(account, work);
    work.catch(() => {});
    return work;
  }

  /** The coordinator's word: `home` is the home from `epoch` on. Resolves when the tail is with the log partners. */
  leave(account: string, epoch: number, home: string): Promise<void> {
    // The coordinator may say so on two ways at once: as the answer to a hand-over, and as a command.
    const before = this.leaving.get(account);
    if (before !== undefined) return before;
    const work = this.giveUp(account, epoch, home).finally(() => this.leaving.delete(account));
    this.leaving.set(account, work);
    return work;
  }

  /**
   * Before a hand-over: nothing more is written here, and requests wait. Resolves when everything accepted is fsynced
   * and with the log partners, as far as they answer. Followed by `leave`, or by `unseal`.
   */
  async seal(account: string, signal: AbortSignal): Promise<void> {
    if (this.deps.leases.current(account) === undefined) return;
    if (!this.sealing.has(account)) {
      let end: () => void = () => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      this.sealing.set(account, { ended, end });
    }
    await this.deps.log.seal(account);
    await this.flush(account, deadline(SEAL_FLUSH_MS, signal));
  }

  /** The hand-over did not come about: the account goes on here. */
  unseal(account: string): void {
    if (this.deps.leases.current(account) !== undefined) this.deps.log.unseal(account);
    this.endSealing(account);
  }

  private async giveUp(account: string, epoch: number, home: string): Promise<void> {
    if (!(await this.deps.leases.lose(account, epoch, home))) return;
    await this.deps.log.seal(account);
    this.endSealing(account);
    for (const follower of this.deps.followers) await follower.released(account);
    const limit = deadline(OFFER_MS);
    await this.flush(account, limit);
    await this.deps.courier.offerAccount(home, account, limit).catch((error: unknown) => {
      // The new home takes it from the log partners; this was the shorter way only.
      this.deps.logger.info(
        { account, home, reason: describeError(error) },
        'the tail goes by way of the log partners',
      );
    });
  }

  /**
   * After a time away: `held` are this node's leases by the coordinator's own word. What is missing there went elsewhere.
   */
  async reconcile(
    held: ReadonlyMap<string, { epoch: number; token: string }>,
    homeOf: (account: string) => Promise<{ home: string; epoch: number } | undefined>,
  ): Promise<void> {
    for (const account of this.deps.leases.accounts()) {
      if (held.has(account)) continue;
      const now = await homeOf(account);
      if (now !== undefined) await this.leave(account, now.epoch, now.home);
    }
    for (const [account, lease] of held) {
      const epoch = this.deps.leases.current(account)?.epoch;
      if (epoch === lease.epoch) continue;
      await this.adopt(account, undefined, lease).catch((error: unknown) =>
        this.deps.logger.warn({ account, reason: describeError(error) }, 'an account could not be taken over yet'),
      );
    }
  }

  private endSealing(account: string): void {
    this.sealing.get(account)?.end();
    this.sealing.delete(account);
  }

  /** A partner that does not answer in time gets it later; what matters is checked where it is counted. */
  private async flush(account: string, limit: AbortSignal): Promise<void> {
    await this.deps.flushLog(limit).catch((error: unknown) => {
      this.deps.logger.info({ account, reason: describeError(error) }, 'a log partner has not confirmed the tail yet');
    });
  }

  private async takeOver(
    account: string,
    from: string | undefined,
    lease: { epoch: number; token: string },
  ): Promise<void> {
    const limit = deadline(TAKE_OVER_MS, this.background.signal);
    const connected = this.deps.holders.list().filter((holder) => holder.connected);
    const peers = new Set(connected.map((holder) => holder.peer));
    if (from !== undefined) peers.add(from);
    const results = await Promise.allSettled([...peers].map((peer) => this.deps.courier.pull(peer, account, limit)));
    const reached = results.filter((result) => result.status === 'fulfilled').length;
    const vector = await this.deps.log.vector(account);
    if (reached === 0 && Object.keys(vector).length === 0) throw homeErrors('no-holder', { account });
    await this.deps.leases.grant(account, lease.epoch, lease.token);
    // An open page asks for what changed since its last look at the former home: everything counts as changed here.
    await this.deps.log.adopted(account);
    const view = await this.deps.log.view(account);
    await this.settle(account, new Set([...view.list('history')].map(({ id }) => id)));
    for (const follower of this.deps.followers) await follower.adopted(account, view, from);
    this.deps.logger.info({ account, epoch: lease.epoch, holders: reached }, 'an account came home');
  }

  /** Entries of another node for an account at home here: a merge. */
  private onApplied({ account, entries, own }: Applied): void {
    if (own || this.deps.leases.current(account) === undefined || this.arriving.has(account)) return;
    const waiting = this.toSettle.get(account);
    const histories = waiting ?? new Set<string>();
    for (const { payload } of entries) if (typeof payload.history === 'string') histories.add(payload.history);
    if (waiting !== undefined) return;
    this.toSettle.set(account, histories);
    this.background.run('merge', async () => {
      this.toSettle.delete(account);
      await this.settle(account, histories);
      const view = await this.deps.log.view(account);
      for (const follower of this.deps.followers) await follower.adopted(account, view, undefined);
      this.deps.logger.info({ account, entries: entries.length }, 'what another node had of an account was merged');
    });
  }

  private async settle(account: string, histories: ReadonlySet<string>): Promise<void> {
    if (histories.size === 0) return;
    await this.deps.log.append(account, (view) => settleHids(view, histories));
  }
}
