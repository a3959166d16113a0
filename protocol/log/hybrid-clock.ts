/**
 * A hybrid logical clock per account (Kulkarni et al. 2014): near the wall clock, and above everything seen, so that a
 * change made after seeing another wins over it, whatever the clocks of the two machines say.
 *
 * Why a foreign time far ahead is followed and not refused: the entry is already accepted somewhere. Refusing it would
 * block its segment for as long as the clock was off, and that data could never become safe; taking it without following
 * it would make every later change of the same field lose against it, so that a user renames a history and nothing
 * happens. The harm is bounded: the clock is kept per account, only orders writes and is never shown as a time (`observe`
 * says how far ahead it was, for the log), and a node whose clock is off by over CLOCK_SKEW_MAX_MS does not register in
 * the first place. Refused is only what leaves no room to rise: a time past HYBRID_MS_MAX (the year 6429).
 */
import type { Clock } from '../runtime/clock.js';
import type { HybridTime } from './entry.js';

const COUNTER_MAX = 0xffff;
/** Half of what 48 bits hold. */
export const HYBRID_MS_MAX = 2 ** 47 - 1;
export const HYBRID_TIME_ZERO: HybridTime = '0000000000000000';

export function hybridTime(ms: number, counter: number): HybridTime {
  return ms.toString(16).padStart(12, '0') + counter.toString(16).padStart(4, '0');
}

/** Undefined when it is none, or past HYBRID_MS_MAX. */
export function parseHybridTime(time: string): { ms: number; counter: number } | undefined {
  if (!/^[0-9a-f]{16}$/.test(time)) return undefined;
  const ms = Number.parseInt(time.slice(0, 12), 16);
  return ms > HYBRID_MS_MAX ? undefined : { ms, counter: Number.parseInt(time.slice(12), 16) };
}

export class HybridClock {
  private ms = 0;
  private counter = 0;

  constructor(
    private readonly deps: { clock: Pick<Clock, 'now'> },
    last: HybridTime = HYBRID_TIME_ZERO,
  ) {
    this.rise(last);
  }

  /** The highest time given out or seen. */
  get last(): HybridTime {
    return hybridTime(this.ms, this.counter);
  }

  get lastMs(): number {
    return this.ms;
  }

  /** Strictly above everything given out or seen, also when the wall clock went back. */
  tick(): HybridTime {
    const now = Math.min(Math.max(0, Math.floor(this.deps.clock.now())), HYBRID_MS_MAX);
    if (now > this.ms) {
      this.ms = now;
      this.counter = 0;
    } else if (this.counter < COUNTER_MAX) this.counter++;
    else {
      this.ms++;
      this.counter = 0;
    }
    return this.last;
  }

  /** Takes note of a time from elsewhere. Returns how many milliseconds it is ahead of the wall clock, 0 when it is not. */
  observe(time: HybridTime): number {
    const ms = this.rise(time);
    return Math.max(0, ms - this.deps.clock.now());
  }

  private rise(time: HybridTime): number {
    const parsed = parseHybridTime(time);
    if (parsed === undefined) throw new Error(`not a hybrid time: ${time}`);
    if (parsed.ms > this.ms || (parsed.ms === this.ms && parsed.counter > this.counter)) {
      this.ms = parsed.ms;
      this.counter = parsed.counter;
    }
    return parsed.ms;
  }
}
