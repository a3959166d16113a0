/**
 * Which accounts are in memory. Bounded by the records of their views: the least recently used go first, one in use
 * never. A view that somebody still holds when it was evicted is taken back as it is, because two views of one account
 * would each see only the appends made through themselves.
 *
 * A generation ends with each failed write; what belongs to an older one is never used again.
 */
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import type { Store } from '../runtime/store.js';
import { CLOCK_SKEW_MAX_MS } from '../wire/limits.js';
import { loadAccount } from './account-loader.js';
import type { AccountState } from './account-state.js';
import type { RowReader } from './rows.js';
import type { FoldedView } from './view.js';

/** An account without a record takes memory too: that of about so many records. */
const ACCOUNT_WEIGHT = 20;

export interface AccountCacheDeps {
  store: Pick<Store, 'get' | 'iterate' | 'commit'>;
  clock: Pick<Clock, 'now'>;
  log: Logger;
  rows: RowReader;
  /** Resolves when the disk may be believed. */
  ready: () => Promise<void>;
}

export class AccountCache {
  private generation = 0;
  /** In order of use, the latest last. */
  private readonly states = new Map<string, AccountState>();
  private readonly loading = new Map<string, Promise<void>>();
  private readonly evicted = new Map<string, WeakRef<FoldedView>>();
  private readonly stateOf = new WeakMap<FoldedView, AccountState>();
  private readonly collected = new FinalizationRegistry<string>((account) => {
    if (this.evicted.get(account)?.deref() === undefined) this.evicted.delete(account);
  });
  /** Accounts whose chains were followed since the process began. */
  private readonly verified = new Set<string>();
  private lastApplied = 0;
  /** Of all states in memory. */
  private weight = 0;

  constructor(
    private readonly deps: AccountCacheDeps,
    private readonly options: { viewRecordsMax: number },
  ) {}

  /** Loads when needed. Each call is answered by one `release`. */
  async acquire(account: string): Promise<AccountState> {
    for (;;) {
      await this.deps.ready();
      const state = this.states.get(account) ?? this.revive(account);
      if (state) {
        this.states.delete(account);
        this.states.set(account, state);
        state.users++;
        return state;
      }
      let loading = this.loading.get(account);
      if (!loading) {
        loading = this.load(account);
        this.loading.set(account, loading);
      }
      await loading;
    }
  }

  release(state: AccountState): void {
    state.users--;
    if (this.states.get(state.account) !== state) return;
    this.weigh(state);
    if (this.weight > this.options.viewRecordsMax) this.evict();
  }

  isCurrent(state: AccountState): boolean {
    return state.generation === this.generation;
  }

  /** Everything in memory may be ahead of the disk, or beside it. */
  forget(): number {
    this.states.clear();
    this.loading.clear();
    this.evicted.clear();
    this.weight = 0;
    // A failed write may have left anything.
    this.verified.clear();
    return ++this.generation;
  }

  get currentGeneration(): number {
    return this.generation;
  }

  /**
   * Milliseconds, strictly above all that this process gave out or found stored. Also above the writers' own clocks as
   * far as they are plausible, so that a page that followed its user here from a machine with a faster clock sees changes.
   */
  nextApplied(state?: AccountState): number {
    const now = Math.floor(this.deps.clock.now());
    const seen = state?.clock.lastMs ?? 0;
    const near = seen <= now + CLOCK_SKEW_MAX_MS ? Math.max(now, seen) : now;
    this.lastApplied = Math.max(near, this.lastApplied + 1);
    return this.lastApplied;
  }

  private async load(account: string): Promise<void> {
    const { generation } = this;
    try {
      const loaded = await loadAccount(this.deps, {
        account,
        generation,
        verify: !this.verified.has(account),
        applied: this.nextApplied(),
      });
      // Also when it is of no use any more: later times must be above all that is stored.
      this.lastApplied = Math.max(this.lastApplied, loaded.applied);
      if (loaded.refolded !== undefined) {
        this.deps.log.info({ account, changes: loaded.refolded }, 'an account was folded anew');
      }
      if (generation !== this.generation) return;
      this.verified.add(account);
      this.states.set(account, loaded.state);
      this.weigh(loaded.state);
      this.stateOf.set(loaded.state.view, loaded.state);
    } finally {
      if (generation === this.generation) this.loading.delete(account);
    }
  }

  private revive(account: string): AccountState | undefined {
    const view = this.evicted.get(account)?.deref();
    this.evicted.delete(account);
    const state = view && this.stateOf.get(view);
    if (!state) return undefined;
    this.collected.unregister(view);
    this.weigh(state);
    return state;
  }

  private weigh(state: AccountState): void {
    const weight = state.view.size + ACCOUNT_WEIGHT;
    this.weight += weight - state.weight;
    state.weight = weight;
  }

  private evict(): void {
    for (const [account, state] of this.states) {
      if (this.weight <= this.options.viewRecordsMax) return;
      if (state.users > 0) continue;
      this.weight -= state.weight;
      state.weight = 0;
      this.states.delete(account);
      this.evicted.set(account, new WeakRef(state.view));
      this.collected.register(state.view, account, state.view);
    }
  }
}
