/** A clock that goes on only when a test says so. */
import type { Cancel, Clock } from '../../protocol/runtime/clock.js';

interface Timer {
  at: number;
  run: () => void;
  everyMs: number | undefined;
}

export class ManualClock implements Clock {
  private readonly timers = new Set<Timer>();

  constructor(private time = 1_750_000_000_000) {}

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  after(delayMs: number, run: () => void): Cancel {
    return this.add({ at: this.time + delayMs, run, everyMs: undefined });
  }

  every(intervalMs: number, run: () => void): Cancel {
    return this.add({ at: this.time + intervalMs, run, everyMs: intervalMs });
  }

  /** Runs what is due on the way, in order of time. */
  advance(ms: number): void {
    const end = this.time + ms;
    while (true) {
      const [next] = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.time = next.at;
      if (next.everyMs === undefined) this.timers.delete(next);
      else next.at += next.everyMs;
      next.run();
    }
    this.time = end;
  }

  private add(timer: Timer): Cancel {
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }
}
