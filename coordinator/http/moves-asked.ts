/**
 * How often strangers may have accounts moved. A page whose node is gone asks without a cookie where its account is now,
 * because browsers do not send one across sites; a key that its home has not told of yet, and the name of a sign-in, say
 * whose a request is and prove nothing. All of them must get an answer, but whoever names accounts at will must not keep
 * them moving. Rejected: asking only with what proves it, which would leave every such page and program behind its dead
 * node.
 */
import type { Clock } from '../../protocol/runtime/clock.js';

const WINDOW_MS = 2000;
/** In a window: behind one address there may be a whole institute whose node has just died. */
const PER_CLIENT_MAX = 20;
const TRACKED_MAX = 10_000;

export class MovesAsked {
  private readonly windows = new Map<string, { untilMs: number; count: number }>();

  constructor(private readonly deps: { clock: Clock }) {}

  /** Counts one when it may. */
  take(account: string, client: string): boolean {
    const [byAccount, byClient] = [`account ${account}`, `client ${client}`];
    if (this.count(byAccount) >= 1 || this.count(byClient) >= PER_CLIENT_MAX) return false;
    this.add(byAccount);
    this.add(byClient);
    return true;
  }

  private count(key: string): number {
    const window = this.windows.get(key);
    if (window === undefined) return 0;
    if (window.untilMs > this.deps.clock.monotonic()) return window.count;
    this.windows.delete(key);
    return 0;
  }

  private add(key: string): void {
    const window = this.windows.get(key);
    if (window !== undefined) {
      window.count++;
      return;
    }
    // The oldest is the nearest to its end.
    if (this.windows.size >= TRACKED_MAX) this.windows.delete(this.windows.keys().next().value as string);
    this.windows.set(key, { untilMs: this.deps.clock.monotonic() + WINDOW_MS, count: 1 });
  }
}
