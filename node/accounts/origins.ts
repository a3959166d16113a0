/**
 * Which node made an account, by the coordinator's signed leases: entries of epoch 0 of any other node do not count here.
 * Noted before a take-over fetches anything; afterwards the lease that is held says it.
 */
import type { LeaseSource } from '../../protocol/log/account-log.js';
import { isDomainError } from '../../protocol/runtime/errors.js';
import { checkLease, type Lease } from '../../protocol/trust/lease.js';

const NOTED_MAX = 10_000;

export class Origins {
  private readonly noted = new Map<string, string>();

  constructor(private readonly deps: { leases: LeaseSource; coordinator: () => string | undefined }) {}

  /** Of a lease whose signature was checked. It never changes, so the order does not matter. */
  note({ account, origin }: Lease): void {
    if (origin === undefined) return;
    // Noted anew, it is the last to be forgotten.
    this.noted.delete(account);
    this.noted.set(account, origin);
    const [oldest] = this.noted.keys();
    if (this.noted.size > NOTED_MAX && oldest !== undefined) this.noted.delete(oldest);
  }

  /** Undefined when nothing is known here. */
  of(account: string): string | undefined {
    const noted = this.noted.get(account);
    if (noted !== undefined) return noted;
    const held = this.deps.leases.current(account);
    if (held === undefined || held.epoch === 0) return undefined;
    try {
      const lease = checkLease(held.token, { coordinator: this.deps.coordinator() });
      this.note(lease);
      return lease.origin;
    } catch (error) {
      if (isDomainError(error)) return undefined;
      throw error;
    }
  }
}
