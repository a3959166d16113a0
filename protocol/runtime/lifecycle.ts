/**
 * Starting in order, stopping in reverse. A part is anything with optional `start` and `stop`; a start that fails stops
 * what had started; both are idempotent. After `stop` nothing of the process runs: background work is tracked here and
 * awaited, never left to a sleep or an exit.
 */
import type { Logger } from './logger.js';

export interface Part {
  start?(): Promise<void>;
  stop?(): Promise<void>;
}

export class Lifecycle {
  private readonly started: { name: string; part: Part }[] = [];
  private parts: { name: string; part: Part }[] = [];
  private starting: Promise<void> = Promise.resolve();
  private stopping: Promise<void> | undefined;

  constructor(private readonly deps: { log: Logger }) {}

  /** Registers a part; parts start in the order of registration. */
  add<T extends Part>(name: string, part: T): T {
    this.parts.push({ name, part });
    return part;
  }

  /** Starts what was added since; one start at a time. A `stop` meanwhile ends it after the part that is just starting. */
  start(): Promise<void> {
    const run = this.starting.then(() => this.startWaiting());
    this.starting = run.catch(() => {});
    return run;
  }

  stop(): Promise<void> {
    this.stopping ??= this.starting.then(() => this.stopAll());
    return this.stopping;
  }

  private async startWaiting(): Promise<void> {
    for (;;) {
      if (this.stopping !== undefined) throw new Error('what was stopped does not start again');
      const next = this.parts.shift();
      if (next === undefined) return;
      try {
        await next.part.start?.();
        this.started.push(next);
      } catch (error) {
        // Not through `stop`, which waits for this very start.
        const undone = this.stopAll();
        this.stopping ??= undone;
        await undone;
        throw error;
      }
    }
  }

  private async stopAll(): Promise<void> {
    this.parts = [];
    for (const { name, part } of this.started.splice(0).reverse()) {
      try {
        await part.stop?.();
      } catch (error) {
        this.deps.log.error({ part: name, err: error }, 'a part failed to stop');
      }
    }
  }
}

/** Background work that a part must await before it has stopped. Errors go to the log, with the work's name. */
export class Background {
  private readonly running = new Set<Promise<void>>();
  private readonly controller = new AbortController();

  constructor(private readonly deps: { log: Logger }) {}

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  run(name: string, work: (signal: AbortSignal) => Promise<void>): void {
    if (this.controller.signal.aborted) return;
    const promise: Promise<void> = (async () => work(this.controller.signal))()
      .catch((error: unknown) => {
        if (!this.controller.signal.aborted) this.deps.log.error({ work: name, err: error }, 'background work failed');
      })
      .finally(() => this.running.delete(promise));
    this.running.add(promise);
  }

  async stop(): Promise<void> {
    this.controller.abort(new Error('stopping'));
    while (this.running.size > 0) await Promise.allSettled([...this.running]);
  }
}
