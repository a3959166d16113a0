/**
 * How a command reaches the process that runs on a data folder: a Unix socket beside the data, which only the folder's
 * owner can open. One request a connection; the answer is lines of JSON: progress, then one result or error. Rejected:
 * a port with a token, because a file's permissions are simpler to reason about than a secret in a file.
 */

import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { deadline } from './clock.js';
import { DataFolder } from './data-folder.js';
import { DomainError, defineErrors, describeError, type ErrorData, toldError } from './errors.js';
import type { Part } from './lifecycle.js';
import type { Logger } from './logger.js';
import { check, sentenceOf } from './schema-words.js';

export const controlErrors = defineErrors('control', {
  'not-running': {
    kind: 'unavailable',
    say: 'No process runs on {folder}.',
    mend: 'Start it first, with `start --data {folder}`.',
  },
  'unknown-command': {
    kind: 'bad-request',
    say: 'The running process does not know "{command}".',
    mend: 'Is it an older version? Restart it.',
  },
  malformed: {
    kind: 'bad-request',
    say: 'A request to the running process was malformed: {reason}.',
    mend: 'Use the command-line program.',
  },
  'cannot-listen': {
    kind: 'bad-request',
    say: 'The control socket {path} cannot be opened: {reason}.',
    mend: 'Choose a data folder with a shorter path, or set TMPDIR to a folder that is yours.',
  },
  broken: {
    kind: 'unavailable',
    say: 'The running process ended before it answered.',
    mend: 'Look at its log, and start it again.',
  },
});

export type Progress = (progress: Record<string, unknown>) => void;
export type ControlHandler = (
  args: Record<string, unknown>,
  progress: Progress,
  signal: AbortSignal,
) => Promise<unknown>;

const request = z.object({ command: z.string().max(64), args: z.record(z.string(), z.unknown()) });
const answer = z.union([
  z.object({ progress: z.record(z.string(), z.unknown()) }),
  z.object({ result: z.unknown() }).refine((line) => 'result' in line),
  z.object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      mend: z.string(),
      data: z.record(z.string(), z.unknown()),
    }),
  }),
]);

const REQUEST_BYTES_MAX = 64 * 1024;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const CONNECTIONS_MAX = 16;
/** Who connects says what it wants within this time. */
const REQUEST_MS = 10_000;
/** Progress is dropped for somebody who does not read. */
const UNREAD_BYTES_MAX = 1024 * 1024;
/** Commands still under way at a stop are told, and waited for no longer than this. */
const STOP_WAIT_MS = 5000;
/** sun_path holds 108 bytes on Linux, 104 on macOS. */
const SOCKET_PATH_MAX = 100;
const NEWLINE = 0x0a;

export class ControlServer implements Part {
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();
  private readonly answering = new Set<Promise<void>>();

  constructor(
    private readonly deps: { folder: DataFolder; log: Logger },
    private readonly handlers: Record<string, ControlHandler>,
  ) {}

  /** Errors: `control/cannot-listen`. */
  async start(): Promise<void> {
    if (this.server !== undefined) return;
    const { folder, log } = this.deps;
    const path = socketPath(folder.path);
    const server = createServer((socket) => this.accept(socket));
    server.maxConnections = CONNECTIONS_MAX;
    try {
      // The folder's lock is held, so a socket that is there was left by a process that was killed.
      rmSync(path, { force: true });
      await listen(server, path);
    } catch (cause) {
      throw controlErrors('cannot-listen', { path, reason: (cause as Error).message }, { cause });
    }
    server.on('error', (error) => log.error({ err: error }, 'the control socket had an error'));
    this.server = server;
    folder.announceControl(path);
  }

  async stop(): Promise<void> {
    const server = this.server;
    if (server === undefined) return;
    this.server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.sockets) {
      // What was said is still sent; whoever does not take it is not waited for.
      socket.setTimeout(STOP_WAIT_MS, () => socket.destroy());
      socket.destroySoon();
    }
    await closed;
    const all = Promise.allSettled([...this.answering]).then(() => true);
    const limit = deadline(STOP_WAIT_MS);
    const late = new Promise<false>((resolve) => limit.addEventListener('abort', () => resolve(false), { once: true }));
    if (!(await Promise.race([all, late]))) {
      this.deps.log.warn({ commands: this.answering.size }, 'commands did not end in time');
    }
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    const aborted = new AbortController();
    socket.on('close', () => {
      this.sockets.delete(socket);
      aborted.abort(new Error('the command went away'));
    });
    socket.on('error', () => socket.destroy());
    socket.setTimeout(REQUEST_MS, () => socket.destroy());
    const say = (line: object) => {
      if (!socket.writable || ('progress' in line && socket.writableLength > UNREAD_BYTES_MAX)) return;
      socket.write(`${JSON.stringify(line)}\n`);
    };
    const chunks: Buffer[] = [];
    let bytes = 0;
    const take = (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      const isTooLong = bytes > REQUEST_BYTES_MAX;
      if (!isTooLong && !chunk.includes(NEWLINE)) return;
      socket.off('data', take);
      socket.setTimeout(0);
      // Read on, so that the other side's going away is noticed; what it still says is nobody's.
      socket.resume();
      const answered: Promise<void> = this.answer(isTooLong ? undefined : firstLine(chunks), say, aborted.signal)
        .catch((error: unknown) => this.deps.log.error({ err: error }, 'an answer could not be written'))
        .finally(() => {
          this.answering.delete(answered);
          socket.end();
        });
      this.answering.add(answered);
    };
    socket.on('data', take);
  }

  /** `text` undefined: it was too long. */
  private async answer(text: string | undefined, say: (line: object) => void, signal: AbortSignal): Promise<void> {
    try {
      if (text === undefined)
        throw controlErrors('malformed', { reason: `it has more than ${REQUEST_BYTES_MAX} bytes` });
      const { command, args } = parseRequest(text);
      const handler = Object.hasOwn(this.handlers, command) ? this.handlers[command] : undefined;
      if (handler === undefined) throw controlErrors('unknown-command', { command });
      say({ result: (await handler(args, (progress) => say({ progress }), signal)) ?? null });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof DomainError)) this.deps.log.error({ err: error }, 'a command failed');
      const told =
        error instanceof DomainError
          ? { code: error.code, message: error.message, mend: error.mend, data: error.data }
          : { code: 'control/internal', message: describeError(error), mend: 'See the log of the process.', data: {} };
      say({ error: told });
    }
  }
}

/** Asks the process that runs on a data folder. Errors: `control/not-running`, and whatever the command throws. */
export function callControl(
  folder: string,
  command: string,
  args: Record<string, unknown>,
  onProgress: Progress = () => {},
): Promise<unknown> {
  const lock = DataFolder.running(folder);
  if (lock?.control === undefined) return Promise.reject(controlErrors('not-running', { folder }));
  const path = lock.control;
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let connected = false;
    let settled = false;
    const settle = (act: () => void) => {
      if (settled) return;
      settled = true;
      socket.destroy();
      act();
    };
    const take = (line: Buffer) => {
      if (settled) return;
      const parsed = answer.safeParse(asJson(line));
      if (!parsed.success) return settle(() => reject(controlErrors('malformed', { reason: 'an unexpected answer' })));
      if ('progress' in parsed.data) return onProgress(parsed.data.progress);
      if ('error' in parsed.data) {
        const { code, message, mend, data } = parsed.data.error;
        return settle(() => reject(toldError({ code, message, mend, data: data as ErrorData })));
      }
      const { result } = parsed.data;
      settle(() => resolve(result));
    };
    let rest: Buffer[] = [];
    let bytes = 0;
    socket.on('connect', () => {
      connected = true;
      socket.write(`${JSON.stringify({ command, args })}\n`);
    });
    socket.on('error', (cause) =>
      settle(() =>
        reject(connected ? controlErrors('broken', {}, { cause }) : controlErrors('not-running', { folder })),
      ),
    );
    socket.on('close', () => settle(() => reject(controlErrors('broken'))));
    socket.on('data', (chunk: Buffer) => {
      let from = 0;
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
        take(Buffer.concat([...rest, chunk.subarray(from, at)]));
        rest = [];
        bytes = 0;
        from = at + 1;
      }
      rest.push(chunk.subarray(from));
      bytes += chunk.byteLength - from;
      if (bytes > ANSWER_BYTES_MAX)
        settle(() => reject(controlErrors('malformed', { reason: 'an answer without end' })));
    });
  });
}

/** Only the folder's owner may connect: the socket is made with its final permissions, not changed afterwards. */
async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const mask = process.umask(0o177);
    try {
      // The socket is bound before this returns.
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

function firstLine(chunks: Buffer[]): string {
  const all = Buffer.concat(chunks);
  return all.subarray(0, all.indexOf(NEWLINE)).toString('utf8');
}

function asJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    return undefined;
  }
}

function parseRequest(text: string): z.output<typeof request> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw controlErrors('malformed', { reason: 'it is not JSON' }, { cause: error });
  }
  const { data, problem } = check(request, value);
  if (problem !== undefined) throw controlErrors('malformed', { reason: sentenceOf(problem) });
  return data;
}

/**
 * In the folder; in a private folder under the system's temporary one where the path would be too long for a socket.
 * Errors: `control/cannot-listen`.
 */
function socketPath(folder: string): string {
  const inside = join(folder, 'control.sock');
  if (Buffer.byteLength(inside) <= SOCKET_PATH_MAX) return inside;
  const { uid } = userInfo();
  const outside = join(tmpdir(), `galaxy-${uid}`);
  const path = join(outside, `${createHash('sha256').update(folder).digest('hex').slice(0, 24)}.sock`);
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX) {
    throw controlErrors('cannot-listen', { path, reason: 'it is too long; so is the path of the data folder' });
  }
  try {
    mkdirSync(outside, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw controlErrors('cannot-listen', { path, reason: (cause as Error).message }, { cause });
  }
  // Anybody may make folders there: one that is not ours alone could be a trap.
  const made = lstatSync(outside);
  if (!made.isDirectory() || made.uid !== uid || (made.mode & 0o077) !== 0) {
    throw controlErrors('cannot-listen', { path, reason: `${outside} is not a private folder of this user` });
  }
  return path;
}
