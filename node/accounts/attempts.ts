/**
 * Failed sign-ins, counted per login and per address in a window; past the limit further tries are refused unread.
 * A login alone is not locked for everyone (that would let anyone lock her out): it is counted together with the address,
 * and the address by itself with a higher limit.
 */
import type { Clock } from '../../protocol/runtime/clock.js';

const WINDOW_MS = 5 * 60_000;
const PER_LOGIN_MAX = 10;
const PER_ADDRESS_MAX = 60;
const TRACKED_MAX = 10_000;

export class Attempts {
  private readonly failures = new Map<string, { count: number; until: number }>();

  constructor(private readonly deps: { clock: Clock }) {}

  allowed(login: string, address: string): boolean {
    return (
      this.count(`login ${login.toLowerCase()} ${address}`) < PER_LOGIN_MAX &&
      this.count(`address ${address}`) < PER_ADDRESS_MAX
    );
  }

  failed(login: string, address: string): void {
    this.add(`login ${login.toLowerCase()} ${address}`);
    this.add(`address ${address}`);
  }

  succeeded(login: string, address: string): void {
    this.failures.delete(`login ${login.toLowerCase()} ${address}`);
    // Only what this try added: who has an account of her own must not wipe out her guesses at others.
    const entry = this.failures.get(`address ${address}`);
    if (entry !== undefined && entry.count > 0) entry.count -= 1;
  }

  private count(key: string): number {
    const entry = this.failures.get(key);
    if (entry === undefined) return 0;
    if (entry.until > this.deps.clock.monotonic()) return entry.count;
    this.failures.delete(key);
    return 0;
  }

  private add(key: string): void {
    const entry = this.failures.get(key);
    const now = this.deps.clock.monotonic();
    if (entry !== undefined && entry.until > now) {
      entry.count += 1;
      return;
    }
    // The oldest goes: it is the nearest to its end anyway.
    if (this.failures.size >= TRACKED_MAX) {
      const oldest = this.failures.keys().next();
      if (!oldest.done) this.failures.delete(oldest.value);
    }
    this.failures.set(key, { count: 1, until: now + WINDOW_MS });
  }
}
