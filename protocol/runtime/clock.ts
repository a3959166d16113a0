/** Time as an argument. The only place that touches Date.now and timers, so that tests and the simulator can own them. */

export type Cancel = () => void;

export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonic(): number;
  after(delayMs: number, run: () => void): Cancel;
  every(intervalMs: number, run: () => void): Cancel;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
  every(intervalMs, run) {
    const timer = setInterval(run, intervalMs);
    return () => clearInterval(timer);
  },
};

/** Resolves after `delayMs`, rejects with the signal's reason when aborted first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Lets everything else that is ready run first: long work in memory is cut by it. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A signal that aborts after `ms`, or with any of the given signals. */
export function deadline(ms: number, ...signals: (AbortSignal | undefined)[]): AbortSignal {
  const given = signals.filter((signal): signal is AbortSignal => signal !== undefined);
  return AbortSignal.any([AbortSignal.timeout(ms), ...given]);
}

export interface Deadline {
  /** Aborts with a TimeoutError after the time, or with a given signal's reason. */
  readonly signal: AbortSignal;
  /** Ends the watch; nothing of it stays behind, which matters where there are thousands a second. */
  cancel(): void;
}

/** Like `deadline`, on a given clock, and cancelled by its owner when the wait is over. */
export function startDeadline(clock: Clock, ms: number, ...signals: (AbortSignal | undefined)[]): Deadline {
  const controller = new AbortController();
  const undo: (() => void)[] = [];
  const end = (reason: unknown) => {
    cancel();
    controller.abort(reason);
  };
  const cancel = () => {
    for (const one of undo.splice(0)) one();
  };
  undo.push(clock.after(ms, () => end(new DOMException(`no answer within ${ms} ms`, 'TimeoutError'))));
  for (const signal of signals) {
    if (signal === undefined) continue;
    const onAbort = () => end(signal.reason);
    if (signal.aborted) onAbort();
    else {
      signal.addEventListener('abort', onAbort, { once: true });
      undo.push(() => signal.removeEventListener('abort', onAbort));
    }
  }
  return { signal: controller.signal, cancel };
}
