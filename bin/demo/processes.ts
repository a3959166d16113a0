/**
 * Real processes for the demo and the end-to-end tests: started from dist/, each on its own loopback address and data folder, awaited by
 * their JSON `ready` line. Everything started here is ended here, by its process group.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../../protocol/runtime/package.js';

const root = packageRoot();

export interface Ready {
  ready: true;
  url: string;
  peerId: string;
  addresses: string[];
  pid: number;
  [more: string]: unknown;
}

export class Program {
  readonly output: string[] = [];
  readonly errors: string[] = [];
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(
    readonly child: ChildProcess,
    readonly ready: Promise<Ready>,
  ) {
    this.exited = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
  }

  /** The whole process group, as a machine that loses power. */
  killGroup(): Promise<unknown> {
    return this.end(() => process.kill(-(this.child.pid as number), 'SIGKILL'));
  }

  /** The main process alone; its children must notice by themselves. */
  killAlone(): Promise<unknown> {
    return this.end(() => this.child.kill('SIGKILL'));
  }

  stop(signal: NodeJS.Signals = 'SIGINT'): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.exited;
  }

  private async end(kill: () => void): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) kill();
    await this.exited;
  }
}

export interface RunOptions {
  environment?: Record<string, string>;
  cwd?: string;
  /** On standard input; without it there is none. */
  input?: string;
  /** For Node itself, before the program. */
  nodeFlags?: string[];
  /** What it writes to standard error goes there as well. */
  logFile?: string;
}

/** Handed on, so that whoever started all this finds what is left of it (test/run.ts). */
const RUN_MARK = 'GALAXY_TEST_RUN';
/** Of the output that is kept in memory. */
const LINES_MAX = 20_000;

const running = new Set<Program>();

export function runProgram(
  name: 'galaxy-node' | 'galaxy-coordinator' | 'demo',
  args: string[],
  options: RunOptions = {},
): Program {
  const child = spawn(process.execPath, [...(options.nodeFlags ?? []), join(root, 'dist/bin', `${name}.js`), ...args], {
    cwd: options.cwd ?? root,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '/',
      ...(process.env[RUN_MARK] === undefined ? {} : { [RUN_MARK]: process.env[RUN_MARK] }),
      ...options.environment,
    },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  // A command that refuses before it reads its input closes the pipe.
  child.stdin?.once('error', () => {});
  child.stdin?.end(options.input);
  let announce: (ready: Ready) => void = () => {};
  let refuse: (error: Error) => void = () => {};
  const ready = new Promise<Ready>((resolve, reject) => {
    announce = resolve;
    refuse = reject;
  });
  ready.catch(() => {});
  const program = new Program(child, ready);
  running.add(program);
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    keep(program.output, line);
    if (line.startsWith('{"ready":true')) announce(JSON.parse(line) as Ready);
  });
  if (options.logFile !== undefined) child.stderr?.pipe(createWriteStream(options.logFile, { flags: 'a' }));
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => keep(program.errors, line));
  void program.exited.then(({ code, signal }) => {
    running.delete(program);
    refuse(
      new Error(`${name} ended (${code ?? signal}) before it was ready:\n${program.errors.slice(-20).join('\n')}`),
    );
  });
  return program;
}

function keep(lines: string[], line: string): void {
  lines.push(line);
  if (lines.length > LINES_MAX) lines.shift();
}

// Nothing outlives whoever started it, even when that ends by a fault of its own.
process.once('exit', () => {
  for (const { child } of running) {
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
});

/** Runs a command to its end. */
export async function runToEnd(
  name: 'galaxy-node' | 'galaxy-coordinator' | 'demo',
  args: string[],
  options: RunOptions = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const program = runProgram(name, args, options);
  const { code } = await program.exited;
  return { code, stdout: program.output.join('\n'), stderr: program.errors.join('\n') };
}

/** Ends whatever a test left running; call it in afterAll. */
export async function endAllPrograms(): Promise<void> {
  await Promise.all([...running].map((program) => program.killGroup()));
}
