/** A store in memory and a clock that tests turn by hand. */
import type { Cancel, Clock } from '../../../protocol/runtime/clock.js';
import type { Random } from '../../../protocol/runtime/random.js';
import type { Range, Store, StoreOp } from '../../../protocol/runtime/store.js';

export class MemoryStore implements Store {
  /** Set: the next commits wait for it. */
  hold: Promise<void> | undefined;
  failing = false;
  commits = 0;
  private readonly data = new Map<string, Uint8Array>();

  async get(ns: string, key: string): Promise<Uint8Array | undefined> {
    return this.data.get(`${ns}\u0000${key}`);
  }

  async *iterate(ns: string, _range?: Range): AsyncIterable<[string, Uint8Array]> {
    const prefix = `${ns}\u0000`;
    for (const key of [...this.data.keys()].sort()) {
      if (key.startsWith(prefix)) yield [key.slice(prefix.length), this.data.get(key) as Uint8Array];
    }
  }

  async commit(ops: readonly StoreOp[]): Promise<void> {
    await this.hold;
    if (this.failing) throw new Error('disk gone');
    this.commits++;
    for (const op of ops) {
      const key = `${op.ns}\u0000${op.key}`;
      if ('delete' in op) this.data.delete(key);
      else this.data.set(key, typeof op.value === 'string' ? Buffer.from(op.value) : op.value);
    }
  }

  onFailure(): () => void {
    return () => {};
  }

  async close(): Promise<void> {}
}

export class HandClock implements Clock {
  private timers: { at: number; run: () => void; every: number | undefined }[] = [];

  /** `wall` and `mono` may be set apart, as when somebody sets the clock. */
  constructor(
    public wall = Date.UTC(2025, 5, 1),
    public mono = 0,
  ) {}

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.mono;
  }

  after(delayMs: number, run: () => void): Cancel {
    return this.add(delayMs, run, undefined);
  }

  every(intervalMs: number, run: () => void): Cancel {
    return this.add(intervalMs, run, intervalMs);
  }

  pass(ms: number): void {
    const end = this.mono + ms;
    while (true) {
      const due = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.move(due.at);
      if (due.every === undefined) this.timers.splice(this.timers.indexOf(due), 1);
      else due.at += due.every;
      due.run();
    }
    this.move(end);
  }

  private move(to: number): void {
    this.wall += to - this.mono;
    this.mono = to;
  }

  private add(delayMs: number, run: () => void, every: number | undefined): Cancel {
    const timer = { at: this.mono + delayMs, run, every };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }
}

/** The same draws each time. */
export function seededRandom(seed = 1): Random {
  let state = seed;
  const float = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  return { float, bytes: (length) => Uint8Array.from({ length }, () => Math.floor(float() * 256)) };
}

/** Lets everything that is ready run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((given) => {
    resolve = given;
  });
  return { promise, resolve };
}
