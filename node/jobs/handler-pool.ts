/**
 * The handler processes of a node. The only importer of child_process in the node's own process.
 *
 * A handler: starting → serving ⇄ late → dead, and a new one takes its place after a delay that grows while they keep
 * dying. `late` (no heartbeat within the lease) is given nothing; late for a whole lease more, it is killed. A dead
 * handler's runs are reported lost, after every process of theirs was killed: nothing of an attempt runs on while the
 * next one starts.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Cancel, type Clock, sleep } from '../../protocol/runtime/clock.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger, LogLevel } from '../../protocol/runtime/logger.js';
import { sweep } from './process-sweep.js';
import {
  type Executor,
  type FromHandler,
  fromHandler,
  type RunEvents,
  type RunSpec,
  type ToHandler,
} from './run-spec.js';

export interface HandlerPoolOptions {
  handlers: number;
  slots: number;
  heartbeatMs: number;
  /** Silence after which a handler is given nothing; after twice that it is ended. */
  leaseMs: number;
  /** How long a handler may take until its first word. */
  startMs: number;
  /** First delay before a dead handler is replaced; doubles up to `restartMaxMs`. */
  restartMs: number;
  restartMaxMs: number;
  /** How long a handler may take to end when its channel has closed. */
  stopMs: number;
  logLevel: LogLevel;
  /** The forked script; by default handler-main.js beside this file. */
  entry?: string;
}

export const HANDLER_DEFAULTS = {
  heartbeatMs: 1_000,
  leaseMs: 10_000,
  startMs: 30_000,
  restartMs: 100,
  restartMaxMs: 30_000,
  stopMs: 10_000,
} as const;

interface ActiveRun {
  spec: RunSpec;
  events: RunEvents;
  /** Leader of its process group, once told. */
  pid: number | null;
}

interface HandlerProcess {
  place: number;
  child: ChildProcess;
  state: 'starting' | 'serving' | 'late' | 'dead';
  heardAt: number;
  startedAt: number;
  runs: Map<string, ActiveRun>;
  cancelLease: Cancel;
  ended: Promise<void>;
}

export class HandlerPool implements Executor, Part {
  private handlers: HandlerProcess[] = [];
  private readonly listeners = new Set<() => void>();
  private readonly restarts = new Map<number, Cancel>();
  /** How often each place lost its handler without a stable stretch in between. */
  private readonly failures = new Map<number, number>();
  private stopped = true;

  constructor(
    private readonly deps: { clock: Clock; log: Logger },
    private readonly options: HandlerPoolOptions,
  ) {}

  async start(): Promise<void> {
    if (!this.stopped) return;
    this.stopped = false;
    for (let place = 0; place < this.options.handlers; place++) this.spawn(place);
  }

  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    for (const cancel of this.restarts.values()) cancel();
    this.restarts.clear();
    const ending = [...this.handlers];
    for (const handler of ending) {
      handler.cancelLease();
      if (handler.child.connected) handler.child.disconnect();
    }
    const patience = new AbortController();
    const force = sleep(this.deps.clock, this.options.stopMs, patience.signal).then(
      () => {
        for (const handler of ending) handler.child.kill('SIGKILL');
      },
      () => {},
    );
    await Promise.all(ending.map((handler) => handler.ended));
    patience.abort();
    await force;
  }

  /** Process ids, for `status` and tests. */
  pids(): number[] {
    return this.handlers.flatMap(({ child, state }) =>
      child.pid === undefined || state === 'dead' ? [] : [child.pid],
    );
  }

  slots(): number {
    return this.options.slots;
  }

  free(): number {
    if (!this.handlers.some((handler) => this.holdsLease(handler))) return 0;
    return Math.max(0, this.options.slots - this.handlers.reduce((sum, { runs }) => sum + runs.size, 0));
  }

  run(spec: RunSpec, events: RunEvents): boolean {
    if (this.stopped || this.free() === 0) return false;
    const handler = this.handlers
      .filter((candidate) => this.holdsLease(candidate))
      .reduce<HandlerProcess | undefined>(
        (best, next) => (best && best.runs.size <= next.runs.size ? best : next),
        undefined,
      );
    if (handler === undefined) return false;
    handler.runs.set(runKey(spec), { spec, events, pid: null });
    this.send(handler, { type: 'run', spec });
    return true;
  }

  cancel(job: string, attempt: number): void {
    const handler = this.handlers.find(({ runs }) => runs.has(runKey({ job, attempt })));
    if (handler) this.send(handler, { type: 'cancel', job, attempt });
  }

  onFree(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private holdsLease(handler: HandlerProcess): boolean {
    return (
      handler.state === 'serving' &&
      handler.child.connected &&
      this.deps.clock.monotonic() - handler.heardAt <= this.options.leaseMs
    );
  }

  private spawn(place: number): void {
    const { clock, log } = this.deps;
    this.restarts.delete(place);
    const entry = this.options.entry ?? fileURLToPath(new URL('./handler-main.js', import.meta.url));
    const child = fork(entry, [], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // Not the node's environment: a handler starts tools, and the node's may hold secrets.
      env: {
        ...(process.env.PATH === undefined ? {} : { PATH: process.env.PATH }),
        ...(process.env.TZ === undefined ? {} : { TZ: process.env.TZ }),
        GALAXY_HANDLER_HEARTBEAT_MS: String(this.options.heartbeatMs),
        GALAXY_HANDLER_LOG_LEVEL: this.options.logLevel,
      },
    });
    let ended: () => void = () => {};
    const handler: HandlerProcess = {
      place,
      child,
      state: 'starting',
      heardAt: clock.monotonic(),
      startedAt: clock.monotonic(),
      runs: new Map(),
      cancelLease: () => {},
      ended: new Promise((resolve) => {
        ended = resolve;
      }),
    };
    this.handlers.push(handler);
    child.on('message', (message) => {
      const parsed = fromHandler.safeParse(message);
      if (parsed.success) this.heard(handler, parsed.data);
      else
        log.error({ handler: child.pid, problem: parsed.error.issues[0] }, 'a handler said something not understood');
    });
    child.once('error', (error) => {
      log.error({ err: error }, 'a job handler process could not be started or reached');
      this.gone(handler, `its handler failed: ${error.message}`);
      ended();
    });
    child.once('exit', (code, signal) => {
      this.gone(handler, `its handler process ended (${signal ?? `exit code ${code}`})`);
      ended();
    });
    this.watch(handler);
  }

  private heard(handler: HandlerProcess, message: FromHandler): void {
    if (handler.state === 'dead') return;
    handler.heardAt = this.deps.clock.monotonic();
    const wasServing = handler.state === 'serving';
    handler.state = 'serving';
    this.watch(handler);
    if (message.type === 'started' || message.type === 'finished') {
      const run = handler.runs.get(runKey(message));
      if (run !== undefined && message.type === 'started') {
        run.pid = message.pid;
        run.events.started(message.at);
      } else if (run !== undefined && message.type === 'finished') {
        handler.runs.delete(runKey(message));
        run.events.finished(message.result);
        this.announce();
      }
    }
    if (!wasServing) this.announce();
  }

  /** Re-armed by each heartbeat. Two steps, so that a node that itself stood still hears what waits before it judges. */
  private watch(handler: HandlerProcess): void {
    const { clock, log } = this.deps;
    handler.cancelLease();
    const patienceMs = handler.state === 'starting' ? this.options.startMs : this.options.leaseMs;
    handler.cancelLease = clock.after(patienceMs, () => {
      if (handler.state !== 'starting') handler.state = 'late';
      handler.cancelLease = clock.after(this.options.leaseMs, () => {
        log.warn({ handler: handler.child.pid }, 'a job handler was not heard in time and is ended');
        handler.child.kill('SIGKILL');
      });
    });
  }

  private gone(handler: HandlerProcess, reason: string): void {
    if (handler.state === 'dead') return;
    const { clock, log } = this.deps;
    handler.state = 'dead';
    handler.cancelLease();
    this.handlers = this.handlers.filter((other) => other !== handler);
    const lost = [...handler.runs.values()];
    handler.runs.clear();
    for (const { pid, spec } of lost) endRun(pid, spec.folder);
    if (!this.stopped) {
      log.warn({ handler: handler.child.pid, runs: lost.length, reason }, 'a job handler ended; it is replaced');
      const wasStable = clock.monotonic() - handler.startedAt > this.options.restartMaxMs;
      const failures = wasStable ? 0 : (this.failures.get(handler.place) ?? 0);
      this.failures.set(handler.place, failures + 1);
      const delay =
        failures === 0 ? 0 : Math.min(this.options.restartMs * 2 ** (failures - 1), this.options.restartMaxMs);
      this.restarts.set(
        handler.place,
        clock.after(delay, () => this.spawn(handler.place)),
      );
    }
    for (const { events } of lost) events.lost(reason);
    this.announce();
  }

  private send(handler: HandlerProcess, message: ToHandler): void {
    // A failure here means that the process is going; its exit tells the rest.
    if (handler.child.connected) handler.child.send(message, () => {});
  }

  private announce(): void {
    for (const listener of this.listeners) listener();
  }
}

function runKey(run: { job: string; attempt: number }): string {
  return `${run.job}-${run.attempt}`;
}

function endRun(pid: number | null, folder: string): void {
  if (pid !== null) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Its group is gone already.
    }
  }
  sweep(folder);
}
