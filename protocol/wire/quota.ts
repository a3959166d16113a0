/** How many calls a peer may still make: a bucket per peer that refills evenly. Pure but for its own memory. */
import { PEERS_MAX } from './limits.js';

export class Quota {
  private readonly buckets = new Map<string, { left: number; at: number }>();

  constructor(private readonly options: { perMinute: number; peersMax?: number }) {}

  /** Takes one call of the peer's allowance; false when there is none left. `nowMs` never goes back. */
  take(peer: string, nowMs: number): boolean {
    const { perMinute } = this.options;
    const bucket = this.buckets.get(peer) ?? { left: perMinute, at: nowMs };
    const left = Math.min(perMinute, bucket.left + ((nowMs - bucket.at) / 60_000) * perMinute);
    const allowed = left >= 1;
    // Taken out and put back, so that the map stays in order of use and the oldest is the first.
    this.buckets.delete(peer);
    this.buckets.set(peer, { left: allowed ? left - 1 : left, at: nowMs });
    if (this.buckets.size > (this.options.peersMax ?? PEERS_MAX)) {
      const oldest = this.buckets.keys().next().value;
      if (oldest !== undefined) this.buckets.delete(oldest);
    }
    return allowed;
  }
}
