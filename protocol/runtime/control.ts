/**
 * How a command reaches the process that runs on a data folder: a Unix socket beside the data, which only the folder's
 * owner can open. One request a connection; the answer is lines of JSON: progress, then one result or error. Rejected:
 * a port with a token, because a file's permissions are simpler to reason about than a secret in a file.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { DataFolder } from './data-folder.js';
import { DomainError, defineErrors, describeError, type ErrorData, errorFromCode } from './errors.js';
import type { Part } from './lifecycle.js';
import type { Logger } from './logger.js';

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
  z.object({ result: z.unknown() }),
  z.object({ error: z.object({ code: z.string(), message: z.string(), data: z.record(z.string(), z.unknown()) }) }),
]);

const REQUEST_BYTES_MAX = 64 * 1024;
const CONNECTIONS_MAX = 16;
/** sun_path holds 108 bytes on Linux, 104 on macOS. */
const SOCKET_PATH_MAX = 100;

export class ControlServer implements Part {
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();

  constructor(
    private readonly deps: { folder: DataFolder; log: Logger },
    private readonly handlers: Record<string, ControlHandler>,
  ) {}

  async start(): Promise<void> {
    const path = socketPath(this.deps.folder.path);
    // The folder's lock is held, so a socket that is there was left by a process that was killed.
    rmSync(path, { force: true });
    const server = createServer((socket) => this.accept(socket));
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const mask = process.umask(0o177);
      server.listen(path, () => resolve());
      process.umask(mask);
    });
    this.server = server;
    this.deps.folder.announceControl(path);
  }

  async stop(): Promise<void> {
    const server = this.server;
    if (server === undefined) return;
    this.server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.sockets) socket.end();
    for (const socket of this.sockets) socket.destroySoon();
    await closed;
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    const aborted = new AbortController();
    socket.on('close', () => {
      this.sockets.delete(socket);
      aborted.abort(new Error('the command went away'));
    });
    socket.on('error', () => socket.destroy());
    const say = (line: object) => {
      if (socket.writable) socket.write(`${JSON.stringify(line)}\n`);
    };
    let text = '';
    let begun = false;
    socket.on('data', (chunk: Buffer) => {
      if (begun) return;
      text += chunk.toString('utf8');
      if (text.length > REQUEST_BYTES_MAX) return socket.destroy();
      if (!text.includes('\n')) return;
      begun = true;
      void this.answer(text, say, aborted.signal).finally(() => socket.end());
    });
  }

  private async answer(text: string, say: (line: object) => void, signal: AbortSignal): Promise<void> {
    try {
      const { command, args } = parseRequest(text);
      const handler = Object.hasOwn(this.handlers, command) ? this.handlers[command] : undefined;
      if (handler === undefined) throw controlErrors('unknown-command', { command });
      say({ result: (await handler(args, (progress) => say({ progress }), signal)) ?? null });
    } catch (error) {
      if (!(error instanceof DomainError)) this.deps.log.error({ err: error }, 'a command failed');
      const code = error instanceof DomainError ? error.code : 'control/internal';
      say({ error: { code, message: describeError(error), data: error instanceof DomainError ? error.data : {} } });
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
    let settled = false;
    const settle = (act: () => void) => {
      settled = true;
      socket.destroy();
      act();
    };
    socket.once('connect', () => socket.write(`${JSON.stringify({ command, args })}\n`));
    socket.once('error', () => settle(() => reject(controlErrors('not-running', { folder }))));
    socket.once('close', () => {
      if (!settled) reject(controlErrors('broken'));
    });
    createInterface({ input: socket }).on('line', (line) => {
      if (settled) return;
      const parsed = answer.safeParse(JSON.parse(line));
      if (!parsed.success) return settle(() => reject(controlErrors('malformed', { reason: 'an unexpected answer' })));
      if ('progress' in parsed.data) return onProgress(parsed.data.progress);
      if ('error' in parsed.data) {
        const { code, message, data } = parsed.data.error;
        return settle(() => reject(errorFromCode(code, data as ErrorData, message)));
      }
      const { result } = parsed.data;
      settle(() => resolve(result));
    });
  });
}

function parseRequest(text: string): z.output<typeof request> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw controlErrors('malformed', { reason: 'it is not JSON' }, { cause: error });
  }
  const parsed = request.safeParse(value);
  if (!parsed.success)
    throw controlErrors('malformed', { reason: parsed.error.issues[0]?.message ?? 'unexpected shape' });
  return parsed.data;
}

/** In the folder; in a private folder under the system's temporary one where the path would be too long for a socket. */
function socketPath(folder: string): string {
  const inside = join(folder, 'control.sock');
  if (Buffer.byteLength(inside) <= SOCKET_PATH_MAX) return inside;
  const outside = join(tmpdir(), `galaxy-${userInfo().uid}`);
  mkdirSync(outside, { recursive: true, mode: 0o700 });
  return join(outside, `${createHash('sha256').update(folder).digest('hex').slice(0, 24)}.sock`);
}
