import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  boundConnections,
  CONNECTION_LIMITS,
  type ConnectionLimits,
  clientOf,
  serverOptions,
} from '../../../coordinator/http/connections.js';
import type { Gateway } from '../../../coordinator/http/gateway.js';
import { HttpDoor } from '../../../coordinator/http/server.js';
import { type Cidr, parseCidr } from '../../../protocol/runtime/addresses.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { systemRandom } from '../../../protocol/runtime/random.js';

describe('connections to the network address', () => {
  const sockets: Socket[] = [];
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const end of ends.splice(0)) await end();
  });

  async function listening(change: Partial<ConnectionLimits>, trusted: Cidr[] = []): Promise<Server> {
    const limits = { ...CONNECTION_LIMITS, ...change };
    const server = createServer(serverOptions(limits), (_request, response) => {
      response.end('served');
    });
    boundConnections(server, limits, trusted);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ends.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return server;
  }

  /** Connected, as the client sees it: whether it is kept is another question. */
  async function open(server: Server, localAddress = '127.0.0.1'): Promise<Socket> {
    const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', localAddress });
    socket.on('error', () => {});
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  }

  async function asked(socket: Socket): Promise<string> {
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    let text = '';
    for await (const chunk of socket) {
      text += chunk;
      if (text.includes('served')) break;
    }
    return text;
  }

  it('are bounded for one client, not for the next, and free again when one is closed', async () => {
    const server = await listening({ perClientMax: 3 });
    const accepted: Socket[] = [];
    server.on('connection', (socket: Socket) => accepted.push(socket));
    const kept = [await open(server), await open(server), await open(server)];
    const refused = await open(server);
    await once(refused, 'close');
    expect(await asked(await open(server, '127.0.0.2'))).toContain('served');
    const freed = once(accepted[0] as Socket, 'close');
    kept[0]?.destroy();
    await freed;
    expect(await asked(await open(server))).toContain('served');
    expect(await asked(kept[1] as Socket)).toContain('served');
  });

  it('are not bounded for a trusted proxy, behind which there are many', async () => {
    const server = await listening({ perClientMax: 1 }, [parseCidr('127.0.0.0/8')]);
    const many = [await open(server), await open(server), await open(server)];
    for (const socket of many) expect(await asked(socket)).toContain('served');
  });

  it('are bounded in all', async () => {
    const server = await listening({ connectionsMax: 2 });
    await open(server);
    await open(server, '127.0.0.2');
    await once(await open(server, '127.0.0.3'), 'close');
  });

  it('count a machine of IPv6 by its /64, and IPv4 the same in both ways of writing it', () => {
    expect(clientOf('2001:db8:1:2:3:4:5:6')).toBe(clientOf('2001:db8:1:2::1'));
    expect(clientOf('2001:db8:1:2::1')).not.toBe(clientOf('2001:db8:1:3::1'));
    expect(clientOf('::ffff:192.0.2.1')).toBe(clientOf('192.0.2.1'));
  });

  async function door(listen: string, limits: Partial<ConnectionLimits> = {}): Promise<HttpDoor> {
    const gateway = { refuse: () => {} } as unknown as Gateway;
    const deps = {
      gateway,
      sessions: {} as never,
      registry: { list: () => [] } as never,
      random: systemRandom,
      clock: systemClock,
      status: () => ({ network: 'testnet' }),
      pages: () => {},
    };
    const made = new HttpDoor(deps, { listen, trustedProxies: [], limits: { ...CONNECTION_LIMITS, ...limits } });
    ends.push(() => made.stop());
    return made;
  }

  it('that say nothing, or do not end their headers, are closed by the door after a short time', async () => {
    const made = await door('127.0.0.1:0', { headersTimeoutMs: 200 });
    await made.start();
    const port = Number(new URL(made.address ?? '').port);
    const [silent, slow] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    sockets.push(silent, slow);
    slow.write('GET /api/network/status HTTP/1.1\r\nHost: x\r\n');
    const ended = [silent, slow].map(async (socket) => {
      let text = '';
      for await (const chunk of socket) text += chunk;
      return text;
    });
    for (const text of await Promise.all(ended)) expect(text).toMatch(/^(HTTP\/1\.1 408 |$)/);
    expect((await fetch(`${made.address}/api/network/status`)).status).toBe(200);
  });

  it('cannot be taken on a port that another program has: it is named, with what to do', async () => {
    const server = await listening({});
    const taken = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const made = await door(taken);
    await expect(made.start()).rejects.toMatchObject({
      code: 'http/port-taken',
      message: `${taken} is used by another program.`,
      mend: expect.stringContaining('option listen'),
    });
  });
});
