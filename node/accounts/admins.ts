/**
 * Who administers this node. Kept in the node's own store and in no log: admin rights never travel.
 * Namespace `admin`: account → JSON {grantedAt}.
 */
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Store } from '../../protocol/runtime/store.js';

const NS = 'admin';

export class Admins {
  private readonly accounts = new Set<string>();

  constructor(private readonly deps: { store: Store; clock: Clock }) {}

  async start(): Promise<void> {
    this.accounts.clear();
    for await (const [account] of this.deps.store.iterate(NS)) this.accounts.add(account);
  }

  has(account: string): boolean {
    return this.accounts.has(account);
  }

  async grant(account: string): Promise<void> {
    const value = JSON.stringify({ grantedAt: this.deps.clock.now() });
    await this.deps.store.commit([{ ns: NS, key: account, value }]);
    this.accounts.add(account);
  }

  async revoke(account: string): Promise<void> {
    this.accounts.delete(account);
    await this.deps.store.commit([{ ns: NS, key: account, delete: true }]);
  }
}
