/** The proxy alone: a client on a real socket, a real HTTP server as the node, and between them streams in memory. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type ProxyOptions, type ProxyOutcome, proxy } from '../../../coordinator/http/proxy.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { readRestOfBody } from '../../../protocol/runtime/rest-of-body.js';
import { acceptTunnel, Places, TunnelAgent } from '../../../protocol/wire/http-tunnel.js';
import { LIMITS, PROTOCOLS } from '../../../protocol/wire/limits.js';
import { MemoryNetwork } from '../../support/memory-streams.js';

const MIB = 2 ** 20;
type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function open(node: Handler, options: { proxy?: ProxyOptions; placesMax?: number } = {}) {
  const network = new MemoryNetwork();
  const clock = systemClock;
  const nodeServer = http.createServer(node);
  await network
    .host('node')
    .handle(PROTOCOLS.http, LIMITS.http, (stream) => acceptTunnel(nodeServer, stream, { clock }));
  const agent = new TunnelAgent({ host: network.host('coordinator'), clock }, { streamsPerPeerMax: 8 });
  const places = new Places({ placesMax: options.placesMax ?? 8, waitingMax: 1 });
  const outcomes: ProxyOutcome[] = [];
  let settled = () => {};
  const front = http.createServer((request, response) => {
    readRestOfBody(request, response, clock);
    const forwarded = { client: '192.0.2.1', proto: 'https', host: 'net.example' };
    const target = { peerId: 'node', name: 'Uppsala Ü' };
    void proxy({ agent, places, clock }, request, response, target, forwarded, options.proxy).then((outcome) => {
      outcomes.push(outcome);
      if (outcome.kind !== 'answered') response.writeHead(599).end(outcome.kind);
      settled();
    });
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  const { port } = front.address() as AddressInfo;
  closers.push(() => {
    front.closeAllConnections();
    front.close();
    nodeServer.closeAllConnections();
    agent.destroy();
  });
  return {
    network,
    places,
    outcomes,
    port,
    /** When one more request is over. */
    over: () => new Promise<void>((resolve) => (settled = resolve)),
    ask: (request: http.RequestOptions = {}, body?: Buffer) => ask(port, request, body),
  };
}

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

function ask(port: number, options: http.RequestOptions, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', agent: false, ...options });
    request.once('error', reject);
    request.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    request.end(body);
  });
}

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('bodies', () => {
  it('go up and come down byte for byte, with their length and without', async () => {
    const down = randomBytes(5 * MIB);
    const { ask: send } = await open((request, response) => {
      const hash = createHash('sha256');
      request.on('data', (chunk: Buffer) => hash.update(chunk));
      request.on('end', () => {
        response.setHeader('x-sha', hash.digest('hex'));
        if (request.url === '/length') response.setHeader('content-length', down.length);
        response.write(down.subarray(0, 1000));
        response.end(down.subarray(1000));
      });
    });
    const up = randomBytes(5 * MIB);
    for (const [path, headers] of [
      ['/length', { 'content-length': up.length }],
      ['/chunked', { 'transfer-encoding': 'chunked' }],
    ] as const) {
      const answer = await send({ method: 'POST', path, headers }, up);
      expect([answer.headers['x-sha'], sha(answer.body)]).toEqual([sha(up), sha(down)]);
      expect(answer.headers['content-length']).toBe(path === '/length' ? String(down.length) : undefined);
    }
  });

  it('are streamed: the first part of an answer comes before the node has written the next', async () => {
    let goOn = () => {};
    const { port } = await open((_request, response) => {
      response.write('first');
      goOn = () => response.end('second');
    });
    const request = http.request({ port, host: '127.0.0.1', agent: false }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(String((await once(response, 'data'))[0])).toBe('first');
    goOn();
    expect(String((await once(response, 'data'))[0])).toBe('second');
  });

  it('of a request are held back while the node does not read', async () => {
    let reached: IncomingMessage | undefined;
    const arrived = new Promise<void>((resolve) => {
      void open((request) => {
        reached = request;
        request.pause();
        resolve();
      }).then(({ port }) => {
        const request = http.request({ port, host: '127.0.0.1', method: 'POST', agent: false });
        request.on('error', () => {});
        closers.push(() => request.destroy());
        request.write(Buffer.alloc(64 * MIB));
      });
    });
    await arrived;
    await new Promise((resolve) => setImmediate(resolve));
    expect(reached?.readableLength).toBeLessThan(MIB);
  });
});

describe('headers', () => {
  it('of one hop stay on it, in both directions, and so do those that Connection names', async () => {
    let seen: http.IncomingHttpHeaders = {};
    const { ask: send } = await open((request, response) => {
      seen = request.headers;
      response.writeHead(200, {
        connection: 'keep-alive, X-Hop',
        'keep-alive': 'timeout=5',
        'proxy-authenticate': 'Basic',
        'x-hop': '1',
        'x-kept': '1',
        'set-cookie': ['a=1', 'b=2'],
      });
      response.end();
    });
    const answer = await send({
      headers: {
        connection: 'close, X-Mine',
        'keep-alive': '1',
        te: 'trailers',
        upgrade: 'h2c',
        'proxy-authorization': 'Basic x',
        'x-mine': '1',
        'x-kept': '1',
        'x-forwarded-for': '203.0.113.9',
        'x-forwarded-host': 'evil.example',
        forwarded: 'for=203.0.113.9',
        'x-real-ip': '203.0.113.9',
        cookie: 'mine=1; galaxy_network=secret; galaxy_network_node=x; galaxy_network_state=y',
        host: 'net.example',
      },
    });
    for (const name of ['keep-alive', 'te', 'upgrade', 'proxy-authorization', 'x-mine', 'forwarded', 'x-real-ip']) {
      expect([name, seen[name]]).toEqual([name, undefined]);
    }
    expect(seen).toMatchObject({
      'x-kept': '1',
      'x-forwarded-for': '192.0.2.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'net.example',
      cookie: 'mine=1',
      host: 'net.example',
    });
    expect(answer.headers).toMatchObject({ 'x-kept': '1', 'set-cookie': ['a=1', 'b=2'] });
    expect(answer.headers).not.toHaveProperty('x-hop');
    expect(answer.headers).not.toHaveProperty('proxy-authenticate');
    expect(answer.headers['x-galaxy-node']).toBe('Uppsala%20%C3%9C');
  });

  it('are added to those of the answer, cookies beside its own', async () => {
    const { ask: send } = await open((_request, response) => response.setHeader('set-cookie', 'a=1').end(), {
      proxy: { extra: { 'set-cookie': 'b=2' } },
    });
    expect((await send()).headers['set-cookie']).toEqual(['a=1', 'b=2']);
  });
});

describe('what happened is told apart', () => {
  it('a node that cannot be reached has got nothing', async () => {
    const { ask: send, outcomes, network, places } = await open(() => {});
    network.cutOff('node');
    expect((await send({ method: 'POST' }, Buffer.from('x'))).body.toString()).toBe('unreached');
    expect(outcomes).toMatchObject([{ kind: 'unreached' }]);
    expect(places.taken('node')).toBe(0);
  });

  it('a line that is full has got nothing either', async () => {
    const { ask: send, places } = await open(() => {}, { placesMax: 1 });
    const give = await places.take('node', AbortSignal.timeout(10_000));
    const waiting = places.take('node', AbortSignal.timeout(10_000));
    expect((await send()).body.toString()).toBe('unreached');
    give();
    (await waiting)();
  });

  it('a node that breaks off before its answer may have done something', async () => {
    const { ask: send, outcomes } = await open((request) => {
      request.socket.destroy();
    });
    expect((await send({ method: 'POST' }, Buffer.from('x'))).body.toString()).toBe('broken');
    expect(outcomes).toMatchObject([{ kind: 'broken' }]);
  });

  it.each([
    ['with its length', { 'content-length': '1000' }],
    ['without', {}],
  ])(
    'an answer that breaks off in its middle (%s) breaks off for the client, too: it never looks whole',
    async (_what, headers) => {
      let breakOff = () => {};
      const { port, outcomes, places, over } = await open((_request, response) => {
        response.writeHead(200, headers).write('half');
        breakOff = () => response.destroy();
      });
      const request = http.request({ port, host: '127.0.0.1', agent: false }).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      expect(String((await once(response, 'data'))[0])).toBe('half');
      const ended = over();
      const broken = once(response, 'error');
      breakOff();
      await Promise.all([broken, ended]);
      expect(response.complete).toBe(false);
      expect(outcomes).toEqual([{ kind: 'answered' }]);
      expect(places.taken('node')).toBe(0);
    },
  );

  it('a node’s word that the account has moved is kept back when that is wanted', async () => {
    const moved: Handler = (_request, response) =>
      void response.writeHead(410, { 'x-galaxy-moved': 'https://net.example/network/go' }).end('moved');
    const held = await open(moved, { proxy: { holdMoved: true } });
    expect((await held.ask()).body.toString()).toBe('moved');
    expect(held.outcomes).toEqual([{ kind: 'moved' }]);
    const passed = await open(moved);
    expect((await passed.ask()).status).toBe(410);
    // Only together with the header: 410 alone is Galaxy's own.
    const gone = await open((_request, response) => void response.writeHead(410).end(), { proxy: { holdMoved: true } });
    expect((await gone.ask()).status).toBe(410);
  });
});

describe('who goes away', () => {
  it('a client in the middle of an answer ends the node’s work, and gives the place back', async () => {
    let closed = Promise.resolve<unknown>(undefined);
    const { port, over, places } = await open((_request, response) => {
      closed = once(response, 'close');
      response.write('first');
    });
    const request = http.request({ port, host: '127.0.0.1', agent: false }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.on('error', () => {});
    await once(response, 'data');
    const ended = over();
    request.destroy();
    await Promise.all([closed, ended]);
    expect(places.taken('node')).toBe(0);
  });

  it('a client in the middle of its body breaks the node’s request off: it is never taken for whole', async () => {
    const seen: string[] = [];
    let arrived = () => {};
    let aborted = () => {};
    const isArrived = new Promise<void>((resolve) => (arrived = resolve));
    const isAborted = new Promise<void>((resolve) => (aborted = resolve));
    const { port, over } = await open((request) => {
      request.on('data', () => arrived());
      request.on('end', () => seen.push('end'));
      request.on('error', () => aborted());
    });
    const socket = connect(port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf');
    await isArrived;
    const ended = over();
    socket.destroy();
    await Promise.all([isAborted, ended]);
    expect(seen).toEqual([]);
  });
});

it('a body that the node refuses before it has come is answered, however large, to who sends first and reads then', async () => {
  const { port, outcomes, places } = await open((_request, response) => {
    response.writeHead(413, { 'content-type': 'application/json' });
    response.end('{"err_code":413001}');
  });
  const socket = connect(port, '127.0.0.1');
  closers.push(() => socket.destroy());
  const body = Buffer.alloc(17 * MIB, 65);
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
  await new Promise<void>((resolve, reject) => socket.write(body, (error) => (error ? reject(error) : resolve())));
  const got: string[] = [];
  for await (const chunk of socket) {
    got.push(String(chunk));
    if (got.join('').includes('413001')) break;
  }
  expect(got.join('')).toMatch(/^HTTP\/1\.1 413 /);
  expect(outcomes).toEqual([{ kind: 'answered' }]);
  expect(places.taken('node')).toBe(0);
});
