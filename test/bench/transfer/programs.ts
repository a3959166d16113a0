/** Programs that a benchmark starts, ends and weighs. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { sleep, startDeadline, systemClock } from '../../../protocol/runtime/clock.js';

const STOP_MS = 10_000;
const SAMPLE_MS = 50;
const ERRORS_KEPT = 20;

export function programPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

const all = new Set<Running>();

/** For a benchmark that is interrupted: whoever waits for one of them goes on, and cleans up. */
export function endAllPrograms(): void {
  for (const program of all) program.kill('SIGTERM');
}

export class Running {
  readonly exited: Promise<number | null>;
  private readonly errors: string[] = [];

  constructor(
    readonly name: string,
    readonly child: ChildProcess,
    /** It leads a process group of its own, in which its children are. */
    private readonly hasGroup = false,
  ) {
    all.add(this);
    this.exited = new Promise<number | null>((resolve) => {
      child.once('error', (error) => {
        this.errors.push(error.message);
        resolve(null);
      });
      child.once('exit', (code) => resolve(code));
    }).finally(() => all.delete(this));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors.push(...text.split('\n').filter((line) => line !== ''));
      this.errors.splice(0, this.errors.length - ERRORS_KEPT);
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.hasGroup || this.child.pid === undefined) {
      this.child.kill(signal);
      return;
    }
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }

  failure(what: string): Error {
    return new Error(`${this.name} ${what}: ${this.errors.join(' | ') || 'it gave no reason'}`);
  }

  async done(): Promise<void> {
    const code = await this.exited;
    if (code !== 0) throw this.failure(`ended with ${code}`);
  }

  /** Given time to end by itself, asked, then killed. */
  async stop(graceMs = 0): Promise<void> {
    if (graceMs > 0) {
      const limit = startDeadline(systemClock, graceMs);
      await Promise.race([this.exited, aborted(limit.signal)]);
      limit.cancel();
    }
    if (!this.isRunning) return;
    this.kill('SIGTERM');
    const cancel = systemClock.after(STOP_MS, () => this.kill('SIGKILL'));
    await this.exited;
    cancel();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

export function run(path: string, args: readonly string[], environment: NodeJS.ProcessEnv = process.env): Running {
  const options = { stdio: ['ignore', 'ignore', 'pipe'], env: environment, detached: true } satisfies SpawnOptions;
  return new Running(path, spawn(path, [...args], options), true);
}

/** One that nobody listens on now; another program may take it first, so a failed start is tried again. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

/** Polls until it answers true; the limit is for a program that hangs. */
export async function until(what: string, isTrue: () => Promise<boolean>, limitMs: number, pollMs = 20): Promise<void> {
  const end = systemClock.monotonic() + limitMs;
  while (!(await isTrue())) {
    if (systemClock.monotonic() > end) throw new Error(`${what} did not happen within ${limitMs / 1000} s`);
    await sleep(systemClock, pollMs);
  }
}

/** The largest process of those given and their children, at its largest. Where there is no /proc: 0. */
export class Scales {
  private readonly roots: number[];
  private peak = 0;
  private readonly cancel: () => void;

  constructor(...programs: readonly Running[]) {
    this.roots = programs.map(({ pid }) => pid);
    this.cancel = systemClock.every(SAMPLE_MS, () => this.look());
  }

  /** The peak so far; weighing ends. */
  end(): number {
    this.look();
    this.cancel();
    return this.peak;
  }

  private look(): void {
    const children = childrenByParent();
    const pids = [...this.roots];
    for (let pid = pids.pop(); pid !== undefined; pid = pids.pop()) {
      this.peak = Math.max(this.peak, peakOf(pid));
      pids.push(...(children.get(pid) ?? []));
    }
  }
}

/** Linux keeps each process's highest mark itself. */
export function peakOf(pid: number | 'self'): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function childrenByParent(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  let pids: string[] = [];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return children;
  }
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(pid)]);
    } catch {
      // It has ended meanwhile.
    }
  }
  return children;
}
