import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import { REST_BYTES_MAX, REST_MS_MAX, readRestOfBody } from '../../../protocol/runtime/rest-of-body.js';
import { ManualClock } from '../../support/manual-clock.js';

/** Counts what it still has to do. */
class WatchedClock extends ManualClock {
  pending = 0;
  private waiting: (() => void)[] = [];

  /** Until nothing is left to do. */
  async quiet(): Promise<void> {
    while (this.pending > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  override every(intervalMs: number, run: () => void) {
    const cancel = super.every(intervalMs, run);
    this.pending += 1;
    let isOver = false;
    return () => {
      if (!isOver) this.pending -= 1;
      isOver = true;
      cancel();
      for (const wake of this.waiting.splice(0)) wake();
    };
  }
}

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const clock = new WatchedClock();
  const server = http.createServer((request, response) => {
    readRestOfBody(request, response, clock);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  open.push({
    close() {
      socket.destroy();
      server.closeAllConnections();
      server.close();
    },
  });
  return { clock, socket };
}

/** Until the text has come. */
async function received(socket: Socket, text: string): Promise<void> {
  let got = '';
  for (;;) {
    got += String((await once(socket, 'data'))[0]);
    if (got.includes(text)) return;
  }
}

/** Also when it is reset. */
function closing(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

const head = (bytes: number) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`;

it('the rest is read, and the connection is good for the next request', async () => {
  const { socket, clock } = await serve((_request, response) => response.writeHead(413).end('no'));
  const body = Buffer.alloc(2 ** 20, 65);
  socket.write(head(body.length));
  await received(socket, 'no');
  socket.write(body);
  socket.write(head(0));
  await received(socket, '413');
  await clock.quiet();
});

it('even when somebody held it back', async () => {
  const { socket } = await serve((request, response) => {
    if (request.headers['content-length'] === '0') return response.end();
    request.once('data', () => {
      request.pause();
      response.end('enough');
    });
  });
  const body = Buffer.alloc(8 * 2 ** 20, 65);
  socket.write(head(body.length));
  socket.write(body);
  await received(socket, 'enough');
  socket.write(head(0));
  await received(socket, 'HTTP/1.1 200');
});

it('even when a web stream around it holds it back at every chunk', async () => {
  const { socket } = await serve((request, response) => {
    if (request.headers['content-length'] === '0') return response.end();
    const reader = Readable.toWeb(request).getReader();
    void reader.read().then(() => response.end('enough'));
  });
  const body = Buffer.alloc(8 * 2 ** 20, 65);
  socket.write(head(body.length));
  socket.write(body);
  await received(socket, 'enough');
  socket.write(head(0));
  await received(socket, 'HTTP/1.1 200');
});

it('who does not send it is waited for a while only', async () => {
  const { socket, clock } = await serve((_request, response) => response.end('no'));
  socket.write(head(1000));
  await received(socket, 'no');
  const closed = closing(socket);
  clock.advance(REST_MS_MAX);
  await closed;
  expect(clock.pending).toBe(0);
});

it('who sends without end is cut off, long before that while is over', async () => {
  const { socket, clock } = await serve((_request, response) => response.end('no'));
  const began = clock.monotonic();
  socket.write(head(REST_BYTES_MAX * 4));
  await received(socket, 'no');
  const closed = closing(socket);
  const piece = Buffer.alloc(4 * 2 ** 20, 65);
  while (!socket.destroyed && clock.monotonic() < began + REST_MS_MAX - 1000) {
    await new Promise((resolve) => socket.write(piece, resolve));
    clock.advance(250);
  }
  await closed;
  expect(clock.pending).toBe(0);
});
