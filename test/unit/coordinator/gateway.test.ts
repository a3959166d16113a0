import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { signToken } from '../../../protocol/trust/signed.js';
import { checkTicket, nonceHash } from '../../../protocol/trust/ticket.js';
import { issueWayBack } from '../../../protocol/trust/way-back.js';
import { directoryCalls } from '../../../protocol/wire/calls/directory.js';
import { acceptTunnel } from '../../../protocol/wire/http-tunnel.js';
import { LIMITS, PROTOCOLS } from '../../../protocol/wire/limits.js';
import { call } from '../../../protocol/wire/rpc.js';
import {
  eventually,
  joinPeer,
  serveAsNode,
  startCoordinator,
  type TestCoordinator,
  type TestPeer,
  temporaryFolder,
} from './support.js';

const HASH = '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG';
const MiB = 1024 * 1024;

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

/** One request on a connection of its own; redirects are not followed. */
function ask(
  url: string,
  options: { method?: string; headers?: http.OutgoingHttpHeaders; body?: Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, {
      agent: false,
      method: options.method ?? 'GET',
      headers: options.headers ?? {},
    });
    request.once('error', reject);
    request.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    request.end(options.body);
  });
}

/** What a node is to the gateway: an HTTP server behind the tunnel, and one of its own when it has a URL. */
class FakeNode {
  readonly seen: { method: string; url: string; headers: http.IncomingHttpHeaders; bytes: number }[] = [];
  streams = 0;
  sent = 0;
  aborted = 0;
  onRequest: ((request: http.IncomingMessage, response: http.ServerResponse) => boolean) | undefined;
  readonly server = http.createServer((request, response) => this.answer(request, response));

  constructor(
    readonly peer: TestPeer,
    readonly name: string,
  ) {}

  async serve(): Promise<void> {
    await this.peer.host.handle(PROTOCOLS.http, LIMITS.http, (stream) => {
      this.streams++;
      return acceptTunnel(this.server, stream, { clock: systemClock });
    });
  }

  listen(): Promise<string> {
    return new Promise((resolve) => {
      this.server.listen(0, '127.0.0.1', () => {
        const address = this.server.address();
        resolve(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
      });
    });
  }

  private answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const url = request.url ?? '';
    const hash = createHash('sha256');
    const seen = { method: request.method ?? '', url, headers: request.headers, bytes: 0 };
    this.seen.push(seen);
    response.setHeader('x-galaxy-node', this.name);
    if (this.onRequest?.(request, response)) return;
    if (url.startsWith('/galaxy-node/reachability')) {
      const nonce = new URL(url, 'http://node').searchParams.get('nonce') ?? '';
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ token: signToken(this.peer.key, 'reachability', { nonce }) }));
    } else if (url.startsWith('/api/big')) {
      response.once('close', () => {
        if (!response.writableFinished) this.aborted++;
      });
      const mebibytes = Number(new URL(url, 'http://node').searchParams.get('mib'));
      response.setHeader('content-length', mebibytes * MiB);
      const chunk = Buffer.alloc(256 * 1024, 7);
      let left = mebibytes * 4;
      const more = () => {
        while (left > 0) {
          left--;
          this.sent += chunk.length;
          if (!response.write(chunk)) {
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
    } else {
      request.on('data', (chunk: Buffer) => {
        seen.bytes += chunk.length;
        hash.update(chunk);
      });
      request.on('end', () => {
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({ node: this.name, url, method: request.method, bytes: seen.bytes, sha: hash.digest('hex') }),
        );
      });
    }
  }
}

describe("the network's address", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let coordinator: TestCoordinator;
  let base: string;
  /** Without a URL, near Stockholm; with one, near Melbourne. */
  let near: FakeNode;
  let far: FakeNode;
  let farUrl: string;
  const stops: (() => Promise<void>)[] = [];
  const json = (answer: Answer) => JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>;
  const PAGE = { accept: 'text/html,*/*', 'sec-fetch-dest': 'document' };

  const account = async (node: FakeNode, id: string, name: string) => {
    const claim = { account: id, email: `${name}@example.org`, username: name, passwordHash: HASH };
    return call(node.peer.host, coordinator.key.peerId, directoryCalls.claim, claim);
  };
  const putKey = async (node: FakeNode, id: string) => {
    const key = id + randomBytes(16).toString('hex');
    const hash = createHash('sha256').update(key).digest('hex');
    await call(node.peer.host, coordinator.key.peerId, directoryCalls.putKey, { account: id, hash, revoked: false });
    return key;
  };
  const cookieOf = (answer: Answer) => String(answer.headers['set-cookie']?.[0]).split(';')[0] as string;
  /** The first half of a browser's sign-in: with a node's way back it gets its value, and is sent back with the hash. */
  const begin = async (node: FakeNode, url: string, now = systemClock.now()) => {
    const back = issueWayBack(node.peer.key, url, now);
    const answer = await ask(`${base}/network/signed-in?back=${back}&to=/histories/list`, { headers: PAGE });
    const location = String(answer.headers.location);
    const state = new URL(location, base).searchParams.get('state') ?? '';
    return { answer, location, state, cookie: cookieOf(answer) };
  };
  const finish = (handOff: string, state: string, cookie = '') =>
    ask(`${base}/network/signed-in?token=${handOff}&state=${state}&to=/histories/list`, {
      headers: { ...PAGE, ...(cookie ? { cookie } : {}) },
    });
  const signInCookie = async (handOff: string) => {
    const { state, cookie } = await begin(far, farUrl);
    const answer = await finish(handOff, state, cookie);
    expect(answer.status).toBe(307);
    expect(answer.headers.location).toBe('/network/go?to=%2Fhistories%2Flist');
    return cookieOf(answer);
  };

  beforeAll(async () => {
    folder = await temporaryFolder();
    coordinator = await startCoordinator(folder.path, {
      locations: { '192.0.2.0/24': '59.3,18.1', '198.51.100.0/24': '-37.8,145.0' },
      trustedProxies: ['127.0.0.1'],
    });
    base = coordinator.addresses().http;
    near = new FakeNode(await joinPeer(coordinator, { name: 'Uppsala', at: '59.86,17.64' }), 'Uppsala');
    far = new FakeNode(await joinPeer(coordinator, { name: 'Melbourne', at: '-37.81,144.96' }), 'Melbourne');
    farUrl = await far.listen();
    for (const [node, publicUrl] of [
      [near, null],
      [far, farUrl],
    ] as const) {
      await node.serve();
      const line = await serveAsNode(node.peer, { publicUrl });
      stops.push(async () => {
        await line.stop();
        await node.peer.host.stop();
        node.server.closeAllConnections();
        node.server.close();
      });
    }
    await eventually(() => {
      const { peers } = coordinator.peers();
      return peers.every((peer) => peer.state === 'serving') && peers.some((peer) => peer.urlVerified);
    });
  });

  afterAll(async () => {
    for (const stop of stops.splice(0)) await stop();
    await coordinator.stop();
    await folder.remove();
  });

  const from = (address: string) => ({ 'x-forwarded-for': address });

  it('sends an anonymous page load to the nearest node: by redirect where its URL was verified, else through itself', async () => {
    const south = await ask(`${base}/histories/list?a=1`, { headers: { ...PAGE, ...from('198.51.100.9') } });
    expect(south).toMatchObject({ status: 307, headers: { location: `${farUrl}/histories/list?a=1` } });
    const north = await ask(`${base}/histories/list`, { headers: { ...PAGE, ...from('192.0.2.9') } });
    expect(north.status).toBe(200);
    expect(json(north)).toMatchObject({ node: 'Uppsala', url: '/histories/list' });
    expect(north.headers['x-galaxy-node']).toBe('Uppsala');
    expect(north.headers['set-cookie']?.[0]).toContain(`galaxy_network_node=${near.peer.key.peerId}`);
  });

  it('keeps a client without account at the node it was at', async () => {
    const headers = { cookie: `galaxy_network_node=${far.peer.key.peerId}; mine=1`, ...from('192.0.2.9') };
    const answer = await ask(`${base}/api/version`, { headers });
    expect(json(answer)).toMatchObject({ node: 'Melbourne' });
    expect(far.seen.at(-1)?.headers.cookie).toBe('mine=1');
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  it('proxies an API key to its home, in a header and in the query, from wherever it comes', async () => {
    await account(far, '00000000000000a1', 'keyed');
    const key = await putKey(far, '00000000000000a1');
    const headers = { 'x-api-key': key, ...from('192.0.2.9') };
    expect(json(await ask(`${base}/api/whoami`, { headers }))).toMatchObject({ node: 'Melbourne' });
    const query = await ask(`${base}/api/whoami?key=${key}`, { headers: { ...PAGE, ...from('192.0.2.9') } });
    expect(json(query)).toMatchObject({ node: 'Melbourne' });
    // A key that the directory has not heard of yet goes to the account that it names.
    const fresh = { 'x-api-key': `00000000000000a1${'0'.repeat(32)}`, ...from('192.0.2.9') };
    expect(json(await ask(`${base}/api/whoami`, { headers: fresh }))).toMatchObject({ node: 'Melbourne' });
    expect(far.seen.at(-1)?.headers).toMatchObject({ 'x-forwarded-for': '192.0.2.9', host: new URL(base).host });
  });

  it('answers a revoked API key by itself, and tells the home of the account what is revoked', async () => {
    const id = '00000000000000a9';
    await account(far, id, 'revoker');
    const keys = [await putKey(far, id), await putKey(far, id)];
    const [gone, good] = keys.map((key) => createHash('sha256').update(key).digest('hex')) as [string, string];
    const { host } = far.peer;
    await call(host, coordinator.key.peerId, directoryCalls.putKey, { account: id, hash: gone, revoked: true });
    const before = far.seen.length;
    const refused = await ask(`${base}/api/whoami`, { headers: { 'x-api-key': keys[0], ...from('192.0.2.9') } });
    expect([refused.status, json(refused).err_code, far.seen.length]).toEqual([401, 401001, before]);
    const taken = await ask(`${base}/api/whoami`, { headers: { 'x-api-key': keys[1], ...from('192.0.2.9') } });
    expect(json(taken)).toMatchObject({ node: 'Melbourne' });
    const question = { account: id, hashes: [gone, good, 'f'.repeat(64)] };
    expect(await call(host, coordinator.key.peerId, directoryCalls.revocations, question)).toEqual({
      revoked: [gone],
      sessionsNotBefore: 0,
    });
    const other = call(near.peer.host, coordinator.key.peerId, directoryCalls.revocations, question);
    await expect(other).rejects.toMatchObject({ code: 'directory/not-home' });
  });

  it('routes HTTP Basic at baseauth by the name in it', async () => {
    await account(far, '00000000000000a2', 'basic');
    const authorization = `Basic ${Buffer.from('basic@example.org:secret').toString('base64')}`;
    const answer = await ask(`${base}/api/authenticate/baseauth`, { headers: { authorization, ...from('192.0.2.9') } });
    expect(json(answer)).toMatchObject({ node: 'Melbourne' });
  });

  it('takes a signed-in browser to its home with a ticket for that node and that browser only', async () => {
    const { handOff } = await account(far, '00000000000000b1', 'traveller');
    const cookie = await signInCookie(handOff);
    const again = await begin(far, farUrl);
    const used = await finish(handOff, again.state, again.cookie);
    expect([used.status, used.headers['set-cookie']]).toEqual([401, undefined]);

    const go = await ask(`${base}/datasets/x?tab=1`, { headers: { ...PAGE, cookie, ...from('192.0.2.9') } });
    const enter = new URL(String(go.headers.location));
    expect(go.status).toBe(307);
    expect(enter.origin + enter.pathname).toBe(`${farUrl}/galaxy-node/enter`);
    expect(Object.fromEntries(enter.searchParams)).toEqual({ node: far.peer.key.peerId, to: '/datasets/x?tab=1' });
    // The node has set its nonce cookie and sends the browser back for the ticket.
    const query = new URLSearchParams({
      node: far.peer.key.peerId,
      nonce: nonceHash('n0nce'),
      to: '/datasets/x?tab=1',
    });
    const ticketed = await ask(`${base}/network/ticket?${query}`, { headers: { ...PAGE, cookie } });
    expect(ticketed.headers['referrer-policy']).toBe('no-referrer');
    const ticket = new URL(String(ticketed.headers.location)).searchParams.get('ticket') ?? '';
    const expected = {
      issuedBy: (signer: string) => signer === coordinator.key.peerId,
      node: far.peer.key.peerId,
      nonce: 'n0nce',
      now: systemClock.now(),
    };
    expect(checkTicket(ticket, expected).account).toBe('00000000000000b1');
    expect(() => checkTicket(ticket, { ...expected, nonce: 'another' })).toThrow('another browser');
    expect(() => checkTicket(ticket, { ...expected, node: near.peer.key.peerId })).toThrow('another node');
    // For another node than her home there is none.
    const wrong = new URLSearchParams({ node: near.peer.key.peerId, nonce: nonceHash('n0nce'), to: '/' });
    const refused = await ask(`${base}/network/ticket?${wrong}`, { headers: { cookie } });
    expect(refused.headers.location).toBe('/network/go?to=%2F');
  });

  it('sends a browser that signs in back to its node, with the hash of what it has here as a cookie', async () => {
    const { answer, location, state, cookie } = await begin(far, farUrl);
    const to = new URL(location);
    expect([answer.status, to.origin, to.pathname]).toEqual([307, farUrl, '/galaxy-node/hand-off']);
    expect(Object.fromEntries(to.searchParams)).toEqual({ node: far.peer.key.peerId, state, to: '/histories/list' });
    expect(answer.headers['set-cookie']?.[0]).toMatch(
      /^galaxy_network_state=[0-9a-f]{32}; Path=\/network\/signed-in; HttpOnly; SameSite=Lax; Max-Age=300$/,
    );
    expect(location).not.toContain(cookie.split('=')[1]);
    expect([answer.headers['referrer-policy'], answer.headers['cache-control']]).toEqual(['no-referrer', 'no-store']);
    // Two tabs that come at once do not spoil each other's.
    const back = issueWayBack(far.peer.key, farUrl, systemClock.now());
    const second = await ask(`${base}/network/signed-in?back=${back}`, { headers: { ...PAGE, cookie } });
    expect(cookieOf(second)).toBe(cookie);
    expect(String(second.headers.location)).toContain(state);
  });

  it("sends it back under the network's own address to a node that is reached there, and by the tunnel to that node", async () => {
    const { location } = await begin(near, base);
    expect(location).toMatch(/^\/galaxy-node\/hand-off\?node=/);
    const back = await ask(`${base}${location}`, {
      headers: { ...PAGE, cookie: 'galaxyhandoff=h', ...from('198.51.100.9') },
    });
    expect(json(back)).toMatchObject({ node: 'Uppsala', url: location });
    expect(near.seen.at(-1)?.headers.cookie).toBe('galaxyhandoff=h');
  });

  it('signs in no browser in which the sign-in was not begun, says so plainly, and leaves it as it was', async () => {
    const { handOff } = await account(far, '00000000000000d1', 'mallory');
    const { state, cookie } = await begin(far, farUrl);
    const victim = await begin(far, farUrl);
    const attacks = {
      'a link without more': await ask(`${base}/network/signed-in?token=${handOff}&to=/`, { headers: PAGE }),
      'in a browser without the cookie': await finish(handOff, state),
      'in a browser with a cookie of its own': await finish(handOff, state, victim.cookie),
      'with the cookie and no state': await ask(`${base}/network/signed-in?token=${handOff}`, {
        headers: { ...PAGE, cookie: victim.cookie },
      }),
      'with the value in place of its hash': await finish(handOff, cookie.split('=')[1] as string, victim.cookie),
      'with an empty cookie': await finish(handOff, createHash('sha256').digest('hex'), 'galaxy_network_state='),
    };
    for (const [what, answer] of Object.entries(attacks)) {
      expect([what, answer.status, answer.headers['set-cookie']]).toEqual([what, 403, undefined]);
      expect(answer.headers['content-type'], what).toContain('text/html');
      expect(answer.body.toString(), what).toContain('This sign-in was not begun in this browser');
      expect(answer.body.toString(), what).not.toContain('<meta http-equiv="refresh"');
    }
    // Nothing of it was used up: where it was begun it goes on.
    expect((await finish(handOff, state, cookie)).status).toBe(307);
  });

  it('sends no browser back by a way that no member signed just now', async () => {
    const stranger = await NodeKey.generate();
    const ways = [
      issueWayBack(stranger, 'http://evil.example', systemClock.now()),
      issueWayBack(far.peer.key, farUrl, systemClock.now() - 10 * 60_000),
      issueWayBack(far.peer.key, farUrl, systemClock.now() + 10 * 60_000),
      signToken(far.peer.key, 'reachability', { nonce: 'http://evil.example' }),
      'http://evil.example',
    ];
    for (const back of ways) {
      const answer = await ask(`${base}/network/signed-in?back=${encodeURIComponent(back)}`, { headers: PAGE });
      expect([answer.status, answer.headers.location, answer.headers['set-cookie']]).toEqual([
        401,
        undefined,
        undefined,
      ]);
    }
  });

  it("takes a signed-in browser into a node without URL under the network's own address", async () => {
    const { handOff } = await account(near, '00000000000000b2', 'homebody');
    const cookie = await signInCookie(handOff);
    const go = await ask(`${base}/`, { headers: { ...PAGE, cookie } });
    expect(go.headers.location).toBe(`/galaxy-node/enter?node=${near.peer.key.peerId}&to=%2F`);
    const entered = await ask(`${base}${go.headers.location}`, { headers: { ...PAGE, cookie } });
    expect(json(entered)).toMatchObject({ node: 'Uppsala', url: go.headers.location });
    const affinity = String(entered.headers['set-cookie']?.[0]).split(';')[0];
    const page = await ask(`${base}/`, { headers: { ...PAGE, cookie: `${cookie}; ${affinity}` } });
    expect(json(page)).toMatchObject({ node: 'Uppsala', url: '/' });
    expect(near.seen.at(-1)?.headers.cookie).toBeUndefined();
  });

  it('signs out: the cookie is gone', async () => {
    const answer = await ask(`${base}/network/signed-out?to=/login`);
    expect(answer.headers['set-cookie']?.[0]).toMatch(/^galaxy_network=; .*Max-Age=0/);
    expect(answer.headers.location).toBe('/login');
  });

  it('redirects nowhere outside the network', async () => {
    for (const to of ['//evil.example', 'https://evil.example', '/\\evil.example', '/%09/x\n']) {
      const answer = await ask(`${base}/network/go?to=${encodeURIComponent(to)}`);
      expect(answer.status, to).toBe(400);
    }
  });

  it('tells a page where its home is now, only to pages of its own nodes', async () => {
    await account(far, '00000000000000b3', 'follower');
    const url = `${base}/api/network/home?account=00000000000000b3&to=/histories/list`;
    const answer = await ask(url, { headers: { origin: farUrl } });
    expect(json(answer)).toMatchObject({
      ready: true,
      node: 'Melbourne',
      url: `${base}/network/go?to=%2Fhistories%2Flist`,
      retryAfterMs: 0,
    });
    expect(answer.headers['access-control-allow-origin']).toBe(farUrl);
    const stranger = await ask(url, { headers: { origin: 'https://evil.example' } });
    expect(stranger.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('streams 64 MiB up and down, byte for byte', async () => {
    const key = await putKey(far, '00000000000000a1');
    const body = randomBytes(64 * MiB);
    const up = await ask(`${base}/api/up`, { method: 'POST', headers: { 'x-api-key': key }, body });
    expect(json(up)).toMatchObject({ bytes: body.length, sha: createHash('sha256').update(body).digest('hex') });
    const down = await ask(`${base}/api/big?mib=64`, { headers: { 'x-api-key': key } });
    expect(down.body.length).toBe(64 * MiB);
    expect(down.body.equals(Buffer.alloc(64 * MiB, 7))).toBe(true);
  });

  it('does not take more from a node than a slow client takes from it', async () => {
    const key = await putKey(far, '00000000000000a1');
    far.sent = 0;
    const request = http.request(`${base}/api/big?mib=256`, { agent: false, headers: { 'x-api-key': key } });
    request.end();
    const response = await new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve));
    response.pause();
    // Nobody reads: the node comes to rest far from the end.
    let before = -1;
    await eventually(async () => {
      const settled = far.sent === before;
      before = far.sent;
      await new Promise<void>((resolve) => systemClock.after(300, resolve));
      return settled && far.sent > 0;
    });
    expect(far.sent).toBeLessThan(32 * MiB);
    const aborted = far.aborted;
    request.destroy();
    await eventually(() => far.aborted === aborted + 1);
  });

  it('uses streams again, and never more at once than it may', async () => {
    const key = await putKey(near, '00000000000000b2');
    const before = near.streams;
    for (let n = 0; n < 20; n++) await ask(`${base}/api/n${n}`, { headers: { 'x-api-key': key } });
    expect(near.streams - before).toBeLessThan(5);
    const many = Array.from({ length: 60 }, (_, n) => ask(`${base}/api/m${n}`, { headers: { 'x-api-key': key } }));
    expect((await Promise.all(many)).every(({ status }) => status === 200)).toBe(true);
  });

  it('repeats what is safe to repeat, and says 503 for what may have been done', async () => {
    const key = await putKey(near, '00000000000000b2');
    let broken = 0;
    near.onRequest = (request) => {
      if (!request.url?.startsWith('/api/flaky') || broken >= 1) return false;
      broken++;
      request.socket.destroy();
      return true;
    };
    expect((await ask(`${base}/api/flaky`, { headers: { 'x-api-key': key } })).status).toBe(200);
    broken = 0;
    const post = await ask(`${base}/api/flaky`, {
      method: 'POST',
      headers: { 'x-api-key': key },
      body: Buffer.from('x'),
    });
    near.onRequest = undefined;
    expect(post.status).toBe(503);
    expect(post.headers['retry-after']).toBeDefined();
    expect(json(post)).toMatchObject({ err_code: 503001 });
    expect(String(json(post).err_msg)).toContain('broke the connection');
  });

  it('asks again while a new home does not know of its account yet, and leaves the answer to a change as it is', async () => {
    const key = await putKey(near, '00000000000000b2');
    let refused = 0;
    near.onRequest = (request, response) => {
      if (!request.url?.startsWith('/api/early') || refused >= 2) return false;
      refused++;
      response.writeHead(410, { 'x-galaxy-moved': `${base}/network/go` }).end('{}');
      return true;
    };
    const headers = { 'x-api-key': key };
    const answer = await ask(`${base}/api/early`, { headers });
    expect(answer).toMatchObject({ status: 200 });
    expect(json(answer)).toMatchObject({ node: 'Uppsala', url: '/api/early' });
    expect(refused).toBe(2);
    refused = 0;
    const post = await ask(`${base}/api/early`, { method: 'POST', headers, body: Buffer.from('x') });
    near.onRequest = undefined;
    expect(post.status).toBe(410);
    expect(post.headers['x-galaxy-moved']).toBe(`${base}/network/go`);
    expect(refused).toBe(1);
  });

  it('limits the requests of one client address', async () => {
    const key = await putKey(near, '00000000000000b2');
    const held: http.ServerResponse[] = [];
    near.onRequest = (request, response) => {
      if (!request.url?.startsWith('/api/hold')) return false;
      held.push(response);
      return true;
    };
    const headers = { 'x-api-key': key, ...from('203.0.113.1') };
    const waiting = Array.from({ length: 64 }, () => ask(`${base}/api/hold`, { headers }));
    await eventually(() => held.length === 64);
    const refused = await ask(`${base}/api/hold`, { headers });
    expect(refused.status).toBe(429);
    expect(json(refused)).toMatchObject({ err_code: 429001 });
    for (const path of ['/network/go', '/api/network/home']) {
      expect((await ask(`${base}${path}`, { headers: from('203.0.113.1') })).status, path).toBe(429);
    }
    for (const response of held) response.end('{}');
    expect((await Promise.all(waiting)).every(({ status }) => status === 200)).toBe(true);
    near.onRequest = undefined;
  });

  it('shows the peers, and what the network is', async () => {
    const page = await ask(`${base}/peers`, { headers: PAGE });
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.body.toString()).toContain('/network/peers.js');
    const list = json(await ask(`${base}/api/network/peers.json`)) as { peers: { name: string; accounts: number }[] };
    expect(list.peers.map(({ name }) => name)).toEqual(['Uppsala', 'Melbourne']);
    expect(json(await ask(`${base}/api/network/status`))).toMatchObject({ network: 'testnet', nodes: 2, serving: 2 });
  });

  it('gives a user another home when hers is gone for good, and not before', async () => {
    const key = await putKey(near, '00000000000000b2');
    const headers = { 'x-api-key': key };
    expect(json(await ask(`${base}/api/x`, { headers }))).toMatchObject({ node: 'Uppsala' });
    const stop = stops.shift();
    await stop?.();
    const lostAt = performance.now();
    const answer = await ask(`${base}/api/x`, { headers });
    // It waited while her home was being given up, instead of failing.
    expect(json(answer)).toMatchObject({ node: 'Melbourne' });
    expect(performance.now() - lostAt).toBeGreaterThan(coordinator.options['liveness.deadMs'] / 2);
    const found = await call(far.peer.host, coordinator.key.peerId, directoryCalls.byId, {
      account: '00000000000000b2',
    });
    expect(found.account?.home).toBe(far.peer.key.peerId);
  });
});
