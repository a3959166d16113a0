/**
 * Accounts coming home and leaving. In a network the coordinator decides who is home; this carries it out on the node:
 *
 *   elsewhere → arriving (the whole log is brought, requests wait) → here → leaving (tail pushed) → elsewhere
 *
 * A drain seals before it asks for the new home, while requests wait; when none can be named, the account is here again.
 * A take-over that fails is tried again until it is done or somebody else is the home; one that a crash cut in two is
 * finished at the next start.
 *
 * A node that comes back from a crash or from being cut off learns here that accounts went elsewhere meanwhile, seals
 * what it had and hands the new homes what only it has: nothing is discarded, it is merged. That is owed until it is
 * done, however often this node or the new home restarts.
 *
 * Coming back, it does not know which accounts went elsewhere until the coordinator has said so, which takes a while where
 * there are many: until then an account is `checking`, and nobody is served an old view of it. Each is here as soon as the
 * coordinator has confirmed it. While the coordinator is away, what this node has is what counts.
 */
import type { AccountView } from '../../protocol/account/records.js';
import { Gate } from '../../protocol/blobs/gate.js';
import type { AccountLog, Applied } from '../../protocol/log/account-log.js';
import { type Clock, sleep, startDeadline } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Holders } from '../replication/holders.js';
import { Gathering, type LogCourier } from './gathering.js';
import type { HeldLeases } from './held-leases.js';
import { homeErrors } from './home-errors.js';
import { Merges } from './merges.js';
import { Tails } from './tails.js';

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
  | { at: 'checking' }
  | { at: 'elsewhere'; home: string | undefined };

/** Requests wait this long for an account that is arriving; then 503 with Retry-After. */
export const ARRIVAL_WAIT_MS = 10_000;
const TAKE_OVERS_AT_ONCE = 32;
const RETRY_MS = 2000;
/** Of a seal before a hand-over, while a user waits; the coordinator compares everything at the end. */
const SEAL_FLUSH_MS = 10_000;
const LEAVE_FLUSH_MS = 60_000;

export interface HomesDeps {
  /** PeerId of this node. */
  self: string;
  /** Whether a lease is for an account that this node itself claimed. */
  isOwnClaim: (leaseToken: string) => boolean;
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

interface Lease {
  epoch: number;
  token: string;
}

interface Waited {
  ended: Promise<void>;
  end: () => void;
}

interface Arrival extends Waited {
  lease: Lease;
  /** How the first try ended. */
  tried: Promise<void>;
}

export class Homes implements Part {
  private readonly background: Background;
  private readonly takeOvers = new Gate(TAKE_OVERS_AT_ONCE);
  private readonly arrivals = new Map<string, Arrival>();
  /** Sealed before a hand-over; requests wait for its end. */
  private readonly sealing = new Map<string, Waited>();
  /** Lost, and what follows from it has not all been done: a repeated word does it. */
  private readonly halfGone = new Set<string>();
  private readonly leaving = new Map<string, { epoch: number; left: Promise<void> }>();
  private readonly gathering: Gathering;
  private readonly merges: Merges;
  private readonly tails: Tails;
  private readonly releases: (() => void)[] = [];
  /** Since this node came back: what the coordinator has confirmed, and who waits for the rest. */
  private check: { confirmed: Set<string>; waiting: Map<string, Waited> } | undefined;
  private readonly checked = waited();

  constructor(private readonly deps: HomesDeps) {
    this.background = new Background({ log: deps.logger });
    const { log, leases, courier, followers } = deps;
    this.gathering = new Gathering({ ...deps, background: this.background });
    this.merges = new Merges({
      ...deps,
      // Two nodes that both settle numbers would give each other's items new ones: not before the coordinator was heard.
      isHere: (account) =>
        leases.current(account) !== undefined && !this.arrivals.has(account) && !this.isUnchecked(account),
      onMerged: async (account) => {
        const view = await log.view(account);
        for (const follower of followers) await follower.adopted(account, view, undefined);
      },
    });
    this.tails = new Tails({
      ...deps,
      offerAccount: (peer, account, signal) => courier.offerAccount(peer, account, signal),
      isBusy: (account) => this.leaving.has(account),
    });
  }

  async start(): Promise<void> {
    const { log, leases } = this.deps;
    this.releases.push(
      log.onApplied((applied) => this.onApplied(applied)),
      // What is granted just now is the coordinator's word of just now.
      leases.onChange((account) => this.confirm(account, leases.current(account)?.epoch)),
    );
    this.beginCheck();
    for (const { account, epoch, token } of this.deps.leases.arriving())
      this.arrive(account, undefined, { epoch, token });
    await this.tails.start();
  }

  async stop(): Promise<void> {
    for (const release of this.releases.splice(0)) release();
    await this.background.stop();
    await this.merges.stop();
    await this.tails.stop();
  }

  status(account: string): HomeStatus {
    if (this.arrivals.has(account)) return { at: 'arriving' };
    if (this.deps.leases.current(account) !== undefined) {
      if (this.sealing.has(account)) return { at: 'leaving' };
      return { at: this.isUnchecked(account) ? 'checking' : 'here' };
    }
    return { at: 'elsewhere', home: this.deps.leases.movedTo(account)?.home };
  }

  /** Resolves when the account is here. Errors: `homes/moved`; `homes/arriving`, `…/leaving`, `…/checking` after 10 s. */
  async whenHere(account: string): Promise<void> {
    const { clock } = this.deps;
    const end = clock.monotonic() + ARRIVAL_WAIT_MS;
    // One wait may be followed by another: checked, it turns out to be arriving.
    for (let isOver = false; !isOver; ) {
      const waited = this.arrivals.get(account) ?? this.sealing.get(account) ?? this.waitedCheck(account);
      if (waited === undefined) break;
      isOver = await new Promise<boolean>((resolve) => {
        const cancel = clock.after(Math.max(0, end - clock.monotonic()), () => resolve(true));
        void waited.ended.then(() => {
          cancel();
          resolve(false);
        });
      });
    }
    const { at } = this.status(account);
    if (at === 'arriving') throw homeErrors('arriving');
    if (at === 'leaving') throw homeErrors('leaving');
    if (at === 'checking') throw homeErrors('checking');
    if (at === 'elsewhere') throw homeErrors('moved');
  }

  /**
   * The coordinator's word: this node is the home from now on. Resolves when the account is served here, rejects when the
   * first try failed; it is tried again. Errors: `homes/no-holder`, `homes/superseded`, and what a follower throws.
   */
  adopt(account: string, from: string | undefined, lease: Lease): Promise<void> {
    const { leases } = this.deps;
    const before = this.arrivals.get(account);
    if (before?.lease.epoch === lease.epoch) return before.tried;
    if (leases.knownEpoch(account) > lease.epoch || (before !== undefined && before.lease.epoch > lease.epoch)) {
      return Promise.reject(homeErrors('superseded', { account, epoch: lease.epoch }));
    }
    const isHere = leases.current(account)?.epoch === lease.epoch;
    if (isHere && !leases.isArriving(account)) return Promise.resolve();
    return this.arrive(account, from, lease);
  }

  /** The coordinator's word: `home` is the home from `epoch` on. Resolves when the tail is there, as far as they answer. */
  leave(account: string, epoch: number, home: string): Promise<void> {
    // The coordinator may say so on two ways at once: as the answer to a hand-over, and as a command.
    const before = this.leaving.get(account);
    if (before !== undefined && before.epoch >= epoch) return before.left;
    const left = (before?.left ?? Promise.resolve())
      .catch(() => {})
      .then(() => this.giveUp(account, epoch, home))
      .finally(() => {
        if (this.leaving.get(account)?.left === left) this.leaving.delete(account);
        this.tails.wake();
      });
    this.leaving.set(account, { epoch, left });
    return left;
  }

  /**
   * Before a hand-over: nothing more is written here, and requests wait. Resolves when everything accepted is fsynced
   * and with the log partners, as far as they answer. Followed by `leave`, or by `unseal`.
   */
  async seal(account: string, signal: AbortSignal): Promise<void> {
    if (this.deps.leases.current(account) === undefined) return;
    if (!this.sealing.has(account)) this.sealing.set(account, waited());
    await this.deps.log.seal(account);
    await this.flush(account, SEAL_FLUSH_MS, signal);
  }

  /** The hand-over did not come about: the account goes on here. */
  unseal(account: string): void {
    if (this.deps.leases.current(account) !== undefined) this.deps.log.unseal(account);
    this.endSealing(account);
    this.merges.go(account);
  }

  /** From now on an account is served only when the coordinator has confirmed it. */
  beginCheck(): void {
    this.check ??= { confirmed: new Set(), waiting: new Map() };
  }

  /** The coordinator's word: this node is its home under that epoch. */
  confirm(account: string, epoch: number | undefined): void {
    if (this.check === undefined || epoch === undefined) return;
    if (this.deps.leases.current(account)?.epoch !== epoch) return;
    this.check.confirmed.add(account);
    this.lookAgain(account);
    this.merges.go(account);
  }

  /** Everything was asked; or the coordinator is away, and what this node has is what counts. */
  endCheck(): void {
    const { check } = this;
    this.check = undefined;
    for (const { end } of check?.waiting.values() ?? []) end();
    this.checked.end();
    this.merges.goAll();
  }

  /** Resolves when accounts were checked for the first time since the start. */
  whenChecked(): Promise<void> {
    return this.checked.ended;
  }

  /**
   * After a time away: `held` are this node's leases by the coordinator's own word. What is missing there went elsewhere.
   * Resolves when nothing is written any more that belongs elsewhere; handing over and taking over go on behind it.
   */
  async reconcile(
    held: ReadonlyMap<string, Lease>,
    homeOf: (account: string) => Promise<{ home: string; epoch: number } | undefined>,
  ): Promise<void> {
    for (const account of this.deps.leases.accounts()) {
      if (held.has(account)) continue;
      const now = await homeOf(account);
      // It came back meanwhile: the command to adopt it is on its way, or the next page of leases names it.
      if (now?.home === this.deps.self) continue;
      if (now !== undefined) await this.letGo(account, now.epoch, now.home);
      this.lookAgain(account);
    }
    this.tails.wake();
    for (const [account, lease] of held) {
      this.adopt(account, undefined, lease).catch((error: unknown) =>
        this.deps.logger.warn({ account, reason: describeError(error) }, 'an account could not be taken over yet'),
      );
    }
    this.endCheck();
  }

  /** Holders have more of an account that is at home here: it is brought, and merged. */
  async catchUp(account: string): Promise<void> {
    if (this.deps.leases.current(account) === undefined || this.arrivals.has(account)) return;
    await this.gathering.bring(account, undefined, this.background.signal);
  }

  /** Granted by the coordinator and not confirmed since it was away; what this node made by itself is its own. */
  private isUnchecked(account: string): boolean {
    const { check } = this;
    return check !== undefined && !check.confirmed.has(account) && this.deps.leases.current(account)?.epoch !== 0;
  }

  private lookAgain(account: string): void {
    const waited = this.check?.waiting.get(account);
    this.check?.waiting.delete(account);
    waited?.end();
  }

  private waitedCheck(account: string): Waited | undefined {
    const { check } = this;
    if (check === undefined || this.status(account).at !== 'checking') return undefined;
    const before = check.waiting.get(account);
    if (before !== undefined) return before;
    const mine = waited();
    check.waiting.set(account, mine);
    return mine;
  }

  /** Lost: nothing more is written, requests go elsewhere. False when that was known and everything was done. */
  private async letGo(account: string, epoch: number, home: string): Promise<boolean> {
    try {
      if (await this.deps.leases.lose(account, epoch, home)) this.halfGone.add(account);
      // It may have come back meanwhile; then an old word undoes nothing.
      else if (this.deps.leases.current(account) !== undefined) this.halfGone.delete(account);
      if (!this.halfGone.has(account)) return false;
      await this.deps.log.seal(account);
    } finally {
      this.endSealing(account);
    }
    for (const follower of this.deps.followers) await follower.released(account);
    this.halfGone.delete(account);
    return true;
  }

  private async giveUp(account: string, epoch: number, home: string): Promise<void> {
    if (!(await this.letGo(account, epoch, home))) return;
    // Side by side: a log partner that hangs must not keep the new home from what it lacks.
    await Promise.all([this.flush(account, LEAVE_FLUSH_MS), this.tails.give(account, epoch, home)]);
  }

  private endSealing(account: string): void {
    this.sealing.get(account)?.end();
    this.sealing.delete(account);
  }

  /** A partner that does not answer in time gets it later; what matters is checked where it is counted. */
  private async flush(account: string, ms: number, signal?: AbortSignal): Promise<void> {
    const limit = startDeadline(this.deps.clock, ms, this.background.signal, signal);
    try {
      await this.deps.flushLog(limit.signal);
    } catch (error) {
      const reason = describeError(error);
      this.deps.logger.info({ account, reason }, 'a log partner has not confirmed the tail yet');
    } finally {
      limit.cancel();
    }
  }

  /** Tries until the account is here, or is another's. Returns how the first try ended. */
  private arrive(account: string, from: string | undefined, lease: Lease): Promise<void> {
    const first = outcome();
    const arrival: Arrival = { ...waited(), lease, tried: first.ended };
    this.arrivals.set(account, arrival);
    const isOver = () => this.arrivals.get(account) !== arrival || this.deps.leases.knownEpoch(account) > lease.epoch;
    const work = async (signal: AbortSignal) => {
      try {
        while (!signal.aborted && !isOver()) {
          try {
            await this.takeOvers.run(() => this.takeOver(account, from, lease, signal));
            first.succeed();
            return;
          } catch (error) {
            first.fail(error);
            if (signal.aborted || isOver()) return;
            this.deps.logger.warn({ account, reason: describeError(error) }, 'a take-over failed and is tried again');
            await sleep(this.deps.clock, RETRY_MS, signal).catch(() => {});
          }
        }
      } finally {
        first.fail(homeErrors('superseded', { account, epoch: lease.epoch }));
        if (this.arrivals.get(account) === arrival) this.arrivals.delete(account);
        arrival.end();
        this.merges.go(account);
      }
    };
    this.background.run('take an account over', work);
    if (this.background.signal.aborted) {
      this.arrivals.delete(account);
      first.fail(homeErrors('arriving'));
      arrival.end();
    }
    return first.ended;
  }

  private async takeOver(account: string, from: string | undefined, lease: Lease, signal: AbortSignal): Promise<void> {
    const { log, leases, followers, logger } = this.deps;
    // Granted before and cut in two by a crash: the log was whole when it was granted.
    const wasWhole = leases.knownEpoch(account) === lease.epoch;
    const brought = await this.gathering.bring(account, from, signal);
    const isEmpty = Object.keys(await log.vector(account)).length === 0;
    // Claimed by this node and never written: the answer to the claim was lost. Its first sign-in creates it.
    const isNew = isEmpty && from === undefined && brought.repositoryAnswered && this.deps.isOwnClaim(lease.token);
    if (!isNew && (isEmpty || (brought.knowing === 0 && !wasWhole))) throw homeErrors('no-holder', { account });
    // Never a half-empty Galaxy: what is known to exist and can be reached comes first.
    if (!brought.isWhole) throw homeErrors('incomplete', { account });
    if (!(await leases.grant(account, lease.epoch, lease.token, true))) {
      throw homeErrors('superseded', { account, epoch: lease.epoch });
    }
    // An open page asks for what changed since its last look at the former home: everything counts as changed here.
    await log.adopted(account);
    // What comes in from here on is a merge.
    this.merges.forget(account);
    const view = await log.view(account);
    await this.merges.settle(account, new Set([...view.list('history')].map(({ id }) => id)));
    for (const follower of followers) await follower.adopted(account, view, from);
    await leases.arrived(account, lease.epoch);
    logger.info({ account, epoch: lease.epoch, holders: brought.answered }, 'an account came home');
  }

  private onApplied({ account, entries, own }: Applied): void {
    if (own) return;
    const { leases } = this.deps;
    if (leases.current(account) === undefined && !this.arrivals.has(account)) {
      // Older than its present home: it may have come here because this node was thought to be the home still.
      const moved = leases.movedTo(account);
      if (moved !== undefined && entries.some(({ epoch }) => epoch < moved.epoch)) this.tails.owe(account, moved.epoch);
      return;
    }
    this.merges.cameIn(account, entries);
  }
}

function waited(): Waited {
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { ended, end };
}

function outcome(): { ended: Promise<void>; succeed: () => void; fail: (error: unknown) => void } {
  let succeed: () => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const ended = new Promise<void>((resolve, reject) => {
    succeed = resolve;
    fail = reject;
  });
  // Whoever wants to know asks; nobody has to.
  ended.catch(() => {});
  return { ended, succeed, fail };
}
