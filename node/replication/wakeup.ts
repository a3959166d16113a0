/** A loop that sleeps until something changed, or until a delay has passed: no polling, and no change is missed. */
import type { Cancel, Clock } from '../../protocol/runtime/clock.js';

export class Wakeup {
  private pending = false;
  private release: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  wake(): void {
    this.pending = true;
    this.release?.();
  }

  /** Resolves at the next `wake` (at once, when one came since the last wait), after `delayMs`, or on abort. */
  wait(signal: AbortSignal, delayMs?: number): Promise<void> {
    if (this.pending || signal.aborted) {
      this.pending = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      let cancel: Cancel | undefined;
      const done = () => {
        cancel?.();
        signal.removeEventListener('abort', done);
        this.release = undefined;
        this.pending = false;
        resolve();
      };
      if (delayMs !== undefined) cancel = this.clock.after(delayMs, done);
      signal.addEventListener('abort', done, { once: true });
      this.release = done;
    });
  }
}

/** Exponential, from 250 ms to 15 s, with the full jitter that keeps a crowd from retrying in step. */
export function backoffMs(failures: number, random: number): number {
  const ceiling = Math.min(15_000, 250 * 2 ** Math.min(10, failures));
  return Math.round(ceiling * (0.5 + random / 2));
}
