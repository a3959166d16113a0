import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type ControlHandler, ControlServer, callControl } from '../../../protocol/runtime/control.js';
import { DataFolder } from '../../../protocol/runtime/data-folder.js';
import { defineErrors } from '../../../protocol/runtime/errors.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { scratchFolder } from '../../support/processes.js';

const testErrors = defineErrors('control-test', {
  refused: { kind: 'conflict', say: 'Not now: {why}.', mend: 'Later.' },
});
const scratch = scratchFolder();
const running: ControlServer[] = [];
const fakes: Server[] = [];
const undo: (() => void)[] = [];
let count = 0;

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
  for (const fake of fakes.splice(0)) fake.close();
  for (const one of undo.splice(0)) one();
});
afterAll(() => scratch.remove());

function makeFolder(path = join(scratch.path, `c${count++}`)): DataFolder {
  const identity = { kind: 'node' as const, peerId: 'peer', storeId: 'ab'.repeat(16), createdAt: 'now' };
  const folder = DataFolder.create(path, identity);
  folder.lock('now');
  return folder;
}

async function serve(handlers: Record<string, ControlHandler>, folder = makeFolder()) {
  const server = new ControlServer({ folder, log: silentLogger }, handlers);
  running.push(server);
  await server.start();
  const path = DataFolder.running(folder.path)?.control as string;
  return { server, folder, path };
}

/** What a program that is not ours says, and everything it hears. */
async function raw(path: string, ...texts: (string | Buffer)[]): Promise<string> {
  const socket = createConnection(path);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  await once(socket, 'connect');
  for (const text of texts) {
    socket.write(text);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('utf8');
}

describe('the control socket', () => {
  it('carries a command, its progress and its result, and only its owner may open it', async () => {
    const { folder, path } = await serve({
      greet: async (args, progress) => {
        progress({ step: 1 });
        progress({ step: 2 });
        return { hello: args.name };
      },
    });
    const steps: unknown[] = [];
    const result = await callControl(folder.path, 'greet', { name: 'Åsa\n"quoted"' }, (step) => steps.push(step));
    expect(result).toEqual({ hello: 'Åsa\n"quoted"' });
    expect(steps).toEqual([{ step: 1 }, { step: 2 }]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('gives a result of nothing as null', async () => {
    const { folder } = await serve({ quiet: async () => undefined });
    expect(await callControl(folder.path, 'quiet', {})).toBeNull();
  });

  it('reports errors by code with their data, and an unforeseen one as internal', async () => {
    const { folder } = await serve({
      refuse: () => Promise.reject(testErrors('refused', { why: 'busy' })),
      break: () => Promise.reject(new Error('a fault')),
    });
    await expect(callControl(folder.path, 'refuse', {})).rejects.toMatchObject({
      code: 'control-test/refused',
      message: 'Not now: busy.',
      mend: 'Later.',
    });
    await expect(callControl(folder.path, 'break', {})).rejects.toMatchObject({ code: 'control/internal' });
    await expect(callControl(folder.path, 'toString', {})).rejects.toMatchObject({ code: 'control/unknown-command' });
  });

  it('answers what is not JSON, or not a request, with one clear error', async () => {
    const { path } = await serve({});
    expect(await raw(path, 'no json\n')).toContain('"control/malformed"');
    expect(await raw(path, '{"command": 7}\n')).toContain('"control/malformed"');
    expect(await raw(path, '\n')).toContain('"control/malformed"');
  });

  it('refuses a request that is too long and says so', async () => {
    const { path } = await serve({ greet: async () => 'never' });
    expect(await raw(path, 'x'.repeat(70_000))).toContain('more than 65536 bytes');
  });

  it('reads a request that comes in pieces, also through the middle of a letter', async () => {
    const { path } = await serve({ greet: async ({ name }) => name });
    const bytes = Buffer.from('{"command":"greet","args":{"name":"Åsa"}}\n{"ignored": true}\n');
    const middle = bytes.indexOf(Buffer.from('Å')) + 1;
    expect(JSON.parse(await raw(path, bytes.subarray(0, middle), bytes.subarray(middle)))).toEqual({ result: 'Åsa' });
  });

  it('tells a handler that its caller has gone', async () => {
    let told: () => void = () => {};
    const gone = new Promise<void>((resolve) => {
      told = resolve;
    });
    let begun: () => void = () => {};
    const began = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const { path } = await serve({
      wait: async (_args, _progress, signal) => {
        begun();
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        told();
      },
    });
    const socket = createConnection(path);
    socket.write('{"command":"wait","args":{}}\n');
    await began;
    socket.destroy();
    await gone;
  });

  it('ends its commands when it stops: the caller hears that the process ended, and nothing is left', async () => {
    let ended = false;
    let begun: () => void = () => {};
    const began = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const { server, folder, path } = await serve({
      wait: async (_args, _progress, signal) => {
        begun();
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        await Promise.resolve();
        ended = true;
      },
    });
    const called = callControl(folder.path, 'wait', {});
    called.catch(() => {});
    await began;
    await server.stop();
    await server.stop();
    expect(ended).toBe(true);
    await expect(called).rejects.toMatchObject({ code: 'control/broken' });
    expect(existsSync(path)).toBe(false);
  });

  it('takes the place of a socket that a killed process left', async () => {
    const folder = makeFolder();
    writeFileSync(folder.file('control.sock'), '');
    await serve({ greet: async () => 'here' }, folder);
    expect(await callControl(folder.path, 'greet', {})).toBe('here');
  });

  it('stands in a private folder elsewhere when the path is too long, and refuses one that is not private', async () => {
    const before = process.env.TMPDIR;
    process.env.TMPDIR = scratch.path;
    undo.push(() => {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    });
    const deep = join(scratch.path, 'x'.repeat(110));
    const { folder, path, server } = await serve({ greet: async () => 'far' }, makeFolder(deep));
    expect(path.startsWith(deep)).toBe(false);
    expect(await callControl(folder.path, 'greet', {})).toBe('far');
    const outside = join(scratch.path, `galaxy-${userInfo().uid}`);
    expect(path.startsWith(outside)).toBe(true);
    expect(statSync(outside).mode & 0o777).toBe(0o700);
    await server.stop();
    chmodSync(outside, 0o755);
    const second = new ControlServer({ folder, log: silentLogger }, {});
    await expect(second.start()).rejects.toMatchObject({ code: 'control/cannot-listen' });
  });

  it('says why it cannot listen', async () => {
    const folder = makeFolder();
    mkdirSync(join(folder.path, 'control.sock'));
    const server = new ControlServer({ folder, log: silentLogger }, {});
    await expect(server.start()).rejects.toMatchObject({ code: 'control/cannot-listen' });
  });
});

describe('a command', () => {
  it('says that no process runs', async () => {
    await expect(callControl(join(scratch.path, 'none'), 'x', {})).rejects.toMatchObject({
      code: 'control/not-running',
    });
    const folder = makeFolder();
    folder.announceControl(folder.file('control.sock'));
    // The process is there, its socket is not.
    await expect(callControl(folder.path, 'x', {})).rejects.toMatchObject({ code: 'control/not-running' });
  });

  it('is not brought down by an answer that is no JSON, no answer, or has no end', async () => {
    const folder = makeFolder();
    const path = join(scratch.path, `f${count++}`);
    folder.announceControl(path);
    const replies: ((socket: Socket) => void)[] = [
      (socket) => socket.end('not json\n'),
      (socket) => socket.end('{"other": 1}\n'),
      (socket) => socket.end(),
      (socket) => {
        const block = Buffer.alloc(1024 * 1024, 'x');
        const pour = () => {
          while (!socket.destroyed && socket.write(block));
        };
        socket.on('drain', pour);
        pour();
      },
    ];
    const fake = createServer((socket) => {
      socket.on('error', () => {});
      socket.resume();
      replies.shift()?.(socket);
    });
    fakes.push(fake);
    await new Promise<void>((resolve) => fake.listen(path, resolve));
    for (const code of ['control/malformed', 'control/malformed', 'control/broken', 'control/malformed']) {
      await expect(callControl(folder.path, 'x', {})).rejects.toMatchObject({ code });
    }
    rmSync(path, { force: true });
  });
});
