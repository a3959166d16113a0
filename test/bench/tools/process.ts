/** Programs of which one line is awaited: a loading that has ended, a node that is ready. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { Running } from '../transfer/programs.js';

export interface Begun {
  program: Running;
  /** The first line that it printed. */
  line: string;
  /** From its start to that line. */
  seconds: number;
}

/** Rejects when it ends without a line. */
export async function firstLine(script: string, args: readonly string[], signal: AbortSignal): Promise<Begun> {
  signal.throwIfAborted();
  const from = systemClock.monotonic();
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const program = new Running(script, child, true);
  const stop = () => program.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve);
      void program.exited.then(() => reject(program.failure('ended before it said anything')));
    });
    return { program, line, seconds: (systemClock.monotonic() - from) / 1000 };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
