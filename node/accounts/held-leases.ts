/**
 * The leases of this node: which accounts are at home here, by whose word. Alone, every account is (epoch 0, signed by
 * this node itself). In a network the coordinator grants; what it granted is persisted before it is used, and a higher
 * epoch for another node, once heard of, is never forgotten.
 *
 * An account made before joining stays at home here under epoch 0 until the directory has taken it (`grant`), also when
 * its e-mail address is taken elsewhere: accounts are never merged by address.
 */
import { z } from 'zod';
import type { LeaseSource, WriteLease } from '../../protocol/log/account-log.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import { readJson, type Store } from '../../protocol/runtime/store.js';

const NS_HELD = 'lease.held';
const NS_GONE = 'lease.gone';

const held = z.object({ epoch: z.number().int().nonnegative(), token: z.string() });
const gone = z.object({ epoch: z.number().int().nonnegative(), home: z.string() });
export type Gone = z.output<typeof gone>;

export class HeldLeases implements LeaseSource, Part {
  private readonly held = new Map<string, WriteLease>();
  private readonly gone = new Map<string, Gone>();
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
  movedTo(account: string): Gone | undefined {
    return this.held.has(account) ? undefined : this.gone.get(account);
  }

  /** Accounts held by the coordinator's grant. */
  accounts(): string[] {
    return [...this.held.keys()];
  }

  /** The coordinator made this node the home. An epoch that is not above what is known is ignored. */
  async grant(account: string, epoch: number, token: string): Promise<boolean> {
    const known = Math.max(this.held.get(account)?.epoch ?? -1, this.gone.get(account)?.epoch ?? -1);
    if (epoch < known) return false;
    if (epoch === known && this.held.has(account)) return true;
    if (epoch === known) return false;
    await this.deps.store.commit([
      { ns: NS_HELD, key: account, value: JSON.stringify({ epoch, token }) },
      { ns: NS_GONE, key: account, delete: true },
    ]);
    this.gone.delete(account);
    this.held.set(account, { account, epoch, token });
    this.emit(account);
    return true;
  }

  /** Another node is the home since `epoch`: this one writes no more. */
  async lose(account: string, epoch: number, home: string): Promise<boolean> {
    const known = Math.max(this.held.get(account)?.epoch ?? -1, this.gone.get(account)?.epoch ?? -1);
    if (epoch <= known) return false;
    // In memory first: from this moment on nothing is written here, whatever the disk does.
    this.held.delete(account);
    this.gone.set(account, { epoch, home });
    await this.deps.store.commit([
      { ns: NS_HELD, key: account, delete: true },
      { ns: NS_GONE, key: account, value: JSON.stringify({ epoch, home }) },
    ]);
    this.emit(account);
    return true;
  }

  onChange(listener: (account: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private emit(account: string): void {
    for (const listener of this.listeners) listener(account);
  }
}
