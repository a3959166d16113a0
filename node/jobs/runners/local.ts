/**
 * Runs one script as a process group of its own, with bounded logs and a bounded time. The only importer of child_process
 * in a handler process.
 *
 * The script comes from a file, never from a command line, and file names reach it only as the toolbox quoted them.
 * Logs go through this process: it is the one place that can count them and stop a tool that floods.
 * Rejected: RLIMIT_FSIZE, which would bound the outputs as well.
 */
import { spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { type Cancel, type Clock, sleep } from '../../../protocol/runtime/clock.js';

/** How long output is still read after the tool's process has ended: something may have kept the pipe. */
const DRAIN_MS = 2000;

export interface LocalOptions {
  /** Program and arguments. */
  argv: readonly string[];
  /** Ends what a service started for the program, and ending the program does not. */
  end?: readonly string[] | undefined;
  cwd: string;
  environment: Record<string, string>;
  stdoutFile: string;
  stderrFile: string;
  logBytesMax: number;
  walltimeMs: number | null;
  killGraceMs: number;
}

export interface LocalEnd {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** Why we ended it, in plain words; absent when it ended by itself. */
  stopped?: { by: 'cancel' | 'limit'; message: string };
  stdoutBytes: number;
  stderrBytes: number;
}

export interface LocalRun {
  /** Leader of the process group; undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly ended: Promise<LocalEnd>;
  /** SIGTERM to the group, SIGKILL after the grace. */
  stop(): void;
  /** SIGKILL at once: for a handler that is itself ending. */
  kill(): void;
}

export function runLocal(deps: { clock: Clock }, options: LocalOptions): LocalRun {
  const [program = '/bin/sh', ...args] = options.argv;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.environment,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timers: Cancel[] = [];
  let stopped: LocalEnd['stopped'];
  const stop = (reason: LocalEnd['stopped']) => {
    if (stopped !== undefined) return;
    stopped = reason;
    signalGroup(child.pid, 'SIGTERM');
    timers.push(deps.clock.after(options.killGraceMs, kill));
  };
  const kill = () => {
    if (options.end !== undefined) runAside(options.end, options.environment);
    signalGroup(child.pid, 'SIGKILL');
  };
  const limit = (message: string) => stop({ by: 'limit', message });
  if (options.walltimeMs !== null) {
    const { walltimeMs } = options;
    timers.push(
      deps.clock.after(walltimeMs, () => limit(`The job ran longer than the ${describeMs(walltimeMs)} it may take.`)),
    );
  }
  const bounded = { bytesMax: options.logBytesMax, limit };
  const stdout = record(child.stdout, options.stdoutFile, 'standard output', bounded);
  const stderr = record(child.stderr, options.stderrFile, 'standard error', bounded);
  const exited = new Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
    child.once('error', (error) => {
      const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const reason = isAbsent ? `${program} is not there` : error.message;
      stopped ??= { by: 'limit', message: `The job could not be started: ${reason}.` };
      resolve({ exitCode: null, signal: null });
    });
  });
  const finish = async (): Promise<LocalEnd> => {
    const end = await exited;
    // Nothing of a job outlives it: what it left in the background would write into files that are already taken.
    if (stopped === undefined) signalGroup(child.pid, 'SIGKILL');
    else kill();
    for (const cancel of timers) cancel();
    const patience = new AbortController();
    const logs = Promise.all([stdout, stderr]);
    const late = sleep(deps.clock, DRAIN_MS, patience.signal).then(
      () => {
        child.stdout.destroy();
        child.stderr.destroy();
      },
      () => {},
    );
    const [stdoutBytes, stderrBytes] = await logs;
    patience.abort();
    await late;
    return { ...end, ...(stopped ? { stopped } : {}), stdoutBytes, stderrBytes };
  };
  return {
    pid: child.pid,
    ended: finish(),
    stop: () => stop({ by: 'cancel', message: 'The job was cancelled.' }),
    kill,
  };
}

/** Nobody waits for it, and it may fail: what it is to end may be gone. */
function runAside([program = '', ...args]: readonly string[], env: Record<string, string>): void {
  spawn(program, args, { env, detached: true, stdio: 'ignore' }).on('error', () => {});
}

export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone, which is what was wanted.
  }
}

/** Writes a stream to a file, made with the first byte; says so and drops the rest when it grows past the bound. */
async function record(
  stream: Readable,
  file: string,
  name: string,
  bound: { bytesMax: number; limit: (message: string) => void },
): Promise<number> {
  let handle: FileHandle | undefined;
  let bytes = 0;
  let dropping = false;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (dropping) continue;
      const room = bound.bytesMax - bytes;
      try {
        handle ??= await open(file, 'w', 0o600);
        await handle.writeFile(chunk.length > room ? chunk.subarray(0, room) : chunk);
      } catch (error) {
        dropping = true;
        const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
        bound.limit(
          full ? 'The disk of the node is full.' : `The ${name} could not be kept: ${(error as Error).message}.`,
        );
        continue;
      }
      bytes += Math.min(chunk.length, room);
      if (chunk.length > room) {
        dropping = true;
        bound.limit(`The tool wrote more than ${bound.bytesMax} bytes to its ${name} and was stopped.`);
      }
    }
  } catch {
    // Destroyed after the deadline above; what was written is kept.
  } finally {
    await handle?.close().catch(() => {});
  }
  return bytes;
}

function describeMs(ms: number): string {
  return ms >= 120_000 ? `${Math.round(ms / 60_000)} minutes` : `${ms / 1000} seconds`;
}
