/**
 * The leases of this node: which accounts are at home here, by whose word. Alone, every account is (epoch 0, signed by
 * this node itself). In a network the coordinator grants; what it granted is persisted before it is used, and a higher
 * epoch for another node, once heard of, is never forgotten.
 *
 * An account made before joining stays at home here under epoch 0 until the directory has taken it (`grant`), also when
 * its e-mail address is taken elsewhere: accounts are never merged by address.
 *
 * Two things that must be done also after a crash stand in the same rows: what follows a take-over (`arriving`), and that
 * a new home gets what only this node has (`given`). homes.ts does them.
 */
import { z } from 'zod';
import type { LeaseSource, WriteLease } from '../../protocol/log/account-log.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import { readJson, type Store } from '../../protocol/runtime/store.js';

const NS_HELD = 'lease.held';
const NS_GONE = 'lease.gone';

const held = z.object({
  epoch: z.number().int().nonnegative(),
  token: z.string(),
  arriving: z.boolean().default(false),
});
const gone = z.object({
  epoch: z.number().int().nonnegative(),
  home: z.string(),
  /** The new home has everything that is here. */
  given: z.boolean().default(false),
});
type Gone = z.output<typeof gone>;
type Held = WriteLease & { arriving: boolean };

export class HeldLeases implements LeaseSource, Part {
  private readonly held = new Map<string, Held>();
  private readonly gone = new Map<string, Gone>();
  /** Grants on their way to the disk. */
  private readonly granting = new Map<string, { epoch: number; granted: Promise<boolean> }>();
  /** Lost, and the disk did not take it. */
  private readonly unsaved = new Set<string>();
  private readonly listeners = new Set<(account: string) => void>();

  constructor(
    private readonly deps: {
      store: Store;
      /** What this node grants itself. */
      own: LeaseSource;
      /** Whether accounts without any word of the coordinator are at home here: alone, or made here before joining. */
      isOwn: (account: string) => boolean;
    },
  ) {}

  async start(): Promise<void> {
    for await (const [account, bytes] of this.deps.store.iterate(NS_HELD)) {
      this.held.set(account, { account, ...held.parse(readJson(bytes)) });
    }
    for await (const [account, bytes] of this.deps.store.iterate(NS_GONE))
      this.gone.set(account, gone.parse(readJson(bytes)));
  }

  current(account: string): WriteLease | undefined {
    const lease = this.held.get(account);
    if (lease !== undefined) return lease;
    if (this.gone.has(account) || !this.deps.isOwn(account)) return undefined;
    return this.deps.own.current(account);
  }

  /** Where the account went, as far as this node knows. */
  movedTo(account: string): { epoch: number; home: string } | undefined {
    const known = this.held.has(account) ? undefined : this.gone.get(account);
    return known && { epoch: known.epoch, home: known.home };
  }

  /** Accounts held by the coordinator's grant. */
  accounts(): string[] {
    return [...this.held.keys()];
  }

  /** The highest epoch heard of; -1 when none was. */
  knownEpoch(account: string): number {
    return Math.max(
      this.held.get(account)?.epoch ?? -1,
      this.gone.get(account)?.epoch ?? -1,
      this.granting.get(account)?.epoch ?? -1,
    );
  }

  /**
   * The coordinator made this node the home. False for an epoch that is not above what is known; true also when this very
   * lease is held already. `arriving`: what follows a take-over is still to be done, see `arrived`.
   */
  async grant(account: string, epoch: number, token: string, arriving = false): Promise<boolean> {
    if (this.held.get(account)?.epoch === epoch && this.knownEpoch(account) === epoch) return true;
    const before = this.granting.get(account);
    if (before?.epoch === epoch) return before.granted;
    if (epoch <= this.knownEpoch(account)) return false;
    const mine = { epoch, granted: this.grantNow(account, epoch, token, arriving) };
    this.granting.set(account, mine);
    try {
      return await mine.granted;
    } finally {
      if (this.granting.get(account) === mine) this.granting.delete(account);
    }
  }

  private async grantNow(account: string, epoch: number, token: string, arriving: boolean): Promise<boolean> {
    await this.deps.store.commit([
      { ns: NS_HELD, key: account, value: JSON.stringify({ epoch, token, arriving }) },
      { ns: NS_GONE, key: account, delete: true },
    ]);
    // Heard meanwhile that somebody else is the home under a higher epoch: that is on its way to the disk behind this.
    if (this.knownEpoch(account) > epoch) return false;
    this.gone.delete(account);
    this.unsaved.delete(account);
    this.held.set(account, { account, epoch, token, arriving });
    this.emit(account);
    return true;
  }

  /** Accounts whose take-over was begun and not finished. */
  arriving(): WriteLease[] {
    return [...this.held.values()].filter(({ arriving }) => arriving);
  }

  isArriving(account: string): boolean {
    return this.held.get(account)?.arriving ?? false;
  }

  /** Everything that follows a take-over under this epoch is done. */
  async arrived(account: string, epoch: number): Promise<void> {
    const lease = this.held.get(account);
    if (lease?.epoch !== epoch || !lease.arriving) return;
    lease.arriving = false;
    const { token } = lease;
    await this.deps.store.commit([{ ns: NS_HELD, key: account, value: JSON.stringify({ epoch, token }) }]);
  }

  /** Another node is the home since `epoch`: this one writes no more. False for an epoch not above what is known. */
  async lose(account: string, epoch: number, home: string): Promise<boolean> {
    const isAgain = this.unsaved.has(account) && this.knownEpoch(account) === epoch;
    if (epoch <= this.knownEpoch(account) && !isAgain) return false;
    this.unsaved.delete(account);
    // In memory first: from this moment on nothing is written here, whatever the disk does.
    this.held.delete(account);
    this.gone.set(account, { epoch, home, given: false });
    if (!isAgain) this.emit(account);
    try {
      await this.deps.store.commit([
        { ns: NS_HELD, key: account, delete: true },
        { ns: NS_GONE, key: account, value: JSON.stringify({ epoch, home, given: false }) },
      ]);
    } catch (error) {
      if (this.knownEpoch(account) === epoch) this.unsaved.add(account);
      throw error;
    }
    return true;
  }

  /** Accounts that went elsewhere, whose new home may lack something that is here. */
  toGive(): { account: string; epoch: number; home: string }[] {
    return [...this.gone]
      .filter(([, { given }]) => !given)
      .map(([account, { epoch, home }]) => ({ account, epoch, home }));
  }

  /** The home of that epoch has everything that is here; `given` false: something more has come. */
  async given(account: string, epoch: number, given = true): Promise<void> {
    const known = this.gone.get(account);
    if (known?.epoch !== epoch || known.given === given) return;
    known.given = given;
    await this.deps.store.commit([{ ns: NS_GONE, key: account, value: JSON.stringify(known) }]);
  }

  onChange(listener: (account: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private emit(account: string): void {
    for (const listener of [...this.listeners]) listener(account);
  }
}
