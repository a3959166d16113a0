/**
 * What both programs share at their edge: one place that ends the process, prints an error as one plain line with what
 * to do next, and turns signals into an orderly stop. The second signal of a kind forces.
 */
import { describeError, isDomainError } from '../protocol/runtime/errors.js';

export interface Running {
  /** Orderly stop: SIGINT, `stop`. */
  stop(): Promise<void>;
  /** SIGTERM; without it the same as `stop`. */
  terminate?(): Promise<void>;
  /** Resolves when the process has nothing left to do (a `stop`, a finished drain), rejects when it must not go on. */
  done?: Promise<void>;
}

/** Whoever read the output has gone (`… | head`): there is nobody to tell anything more. */
function endWithReader(): void {
  if (process.stdout.listenerCount('error') > 0) return;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

/** Runs a command to its end and exits with its code: 0, or 1 with one line on standard error. */
export async function runCommand(
  command: () => Promise<number | undefined>,
  options: { json?: boolean } = {},
): Promise<never> {
  endWithReader();
  let code: number;
  try {
    code = (await command()) ?? 0;
  } catch (error) {
    return fail(error, options.json ?? false);
  }
  return end(code);
}

/** Runs a long-lived process until it is told to stop. Told while it still starts, it stops when it has started. */
export async function runUntilStopped(start: () => Promise<Running>, options: { json?: boolean } = {}): Promise<never> {
  let started: (running: Running) => void = () => {};
  const running = new Promise<Running>((resolve) => {
    started = resolve;
  });
  const asked = new Set<string>();
  const ended = new Promise<Error | undefined>((resolve) => {
    const finish = (work: Promise<void>) => work.then(() => resolve(undefined), resolve);
    // Before the start: whoever reads the line `ready` may signal at once.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (asked.has(signal)) {
          process.stderr.write(`${signal} a second time: stopping at once.\n`);
          process.exit(130);
        }
        asked.add(signal);
        void running.then((it) => finish(signal === 'SIGTERM' && it.terminate ? it.terminate() : it.stop()));
      });
    }
    void running.then((it) => it.done && finish(it.done.then(() => it.stop())));
  });
  try {
    started(await start());
  } catch (error) {
    return fail(error, options.json ?? false);
  }
  const error = await ended;
  return error ? fail(error, options.json ?? false) : end(0);
}

/** Runs a command that cleans up behind itself when it is interrupted; a second signal does not wait for that. */
export async function runInterruptible(
  command: (signal: AbortSignal) => Promise<number>,
  options: { json?: boolean } = {},
): Promise<never> {
  const controller = new AbortController();
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(code);
      controller.abort(new Interrupted(code));
    });
  }
  endWithReader();
  let code: number;
  try {
    code = await command(controller.signal);
  } catch (error) {
    const { reason } = controller.signal;
    if (!(reason instanceof Interrupted)) return fail(error, options.json ?? false);
    process.stderr.write('Interrupted; everything was cleaned up.\n');
    return end(reason.code);
  }
  return end(code);
}

class Interrupted extends Error {
  constructor(readonly code: number) {
    super('interrupted');
  }
}

/** What was written into a pipe may still be on its way: a long answer would end in the middle. */
async function end(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0) await new Promise<void>((resolve) => stream.write('', () => resolve()));
  }
  process.exit(code);
}

function fail(error: unknown, json: boolean): Promise<never> {
  if (json) {
    const body = isDomainError(error)
      ? { error: { code: error.code, message: error.message, mend: error.mend } }
      : { error: { code: 'internal', message: describeError(error), mend: '' } };
    process.stdout.write(`${JSON.stringify(body)}\n`);
  }
  process.stderr.write(`${describeError(error)}\n`);
  if (!isDomainError(error) && error instanceof Error && process.env.GALAXY_TRACE)
    process.stderr.write(`${error.stack}\n`);
  return end(1);
}
