import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DirectoryAccount } from '../../../node/accounts/directory.js';
import { addressHere } from '../../../node/api/hand-off.js';
import { nonceHash } from '../../../protocol/trust/ticket.js';
import { openWayBack } from '../../../protocol/trust/way-back.js';
import { type Browser, ORIGIN } from '../api-auth/door.js';
import { ada, HAND_OFF, json, NETWORK, openWorld, type World } from './world.js';

let world: World;

beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

const STATE = 'a'.repeat(64);
/** An address that leads through the network, with a way back to this node, as `<network>?to=…`. */
const wayOf = (address: unknown) => {
  const url = new URL(String(address));
  const back = openWayBack(url.searchParams.get('back') ?? '', world.clock.now());
  expect(back).toEqual({ url: ORIGIN, node: world.node.peerId });
  expect([url.origin + url.pathname, url.searchParams.has('token')]).toEqual([`${NETWORK}/network/signed-in`, false]);
  return url.searchParams.get('to');
};
const whoami = async (browser: Browser) =>
  (await browser.send({ method: 'GET', url: '/api/whoami', headers: json })).json()?.username;

async function signIn(browser: Browser, redirect: string | null = null, password = ada.password) {
  const payload = { login: 'ada', password, redirect, session_csrf_token: await browser.csrf() };
  return browser.send({ method: 'POST', url: '/user/login', payload, headers: json });
}

describe('sign-up in a network', () => {
  it('names the way through the network’s address, and the next page takes it: the client asks for a page only', async () => {
    const browser = world.browser();
    const answer = await browser.signUp(ada);
    expect(wayOf(answer.json().redirect)).toBe('/');
    expect(answer.cookies.find(({ name }) => name === 'galaxyhandoff')).toMatchObject({
      httpOnly: true,
      maxAge: 60,
      path: '/galaxy-node/hand-off',
      sameSite: 'Lax',
    });
    expect(await whoami(browser)).toBe('ada');
    const page = await browser.get('/?a=1&b=2');
    expect([page.statusCode, wayOf(page.headers.location)]).toEqual([303, '/?a=1&b=2']);
    expect(page.headers['referrer-policy']).toBe('no-referrer');
    expect((await browser.get('/')).statusCode).toBe(200);
  });

  it('does not take the way twice when she has come in by it', async () => {
    const browser = world.browser();
    const account = await world.signUp(browser);
    await browser.get('/galaxy-node/enter?to=/');
    const hash = nonceHash(browser.cookies.get('galaxynonce') as string);
    await browser.get(`/galaxy-node/enter?to=/&ticket=${world.ticket(account, { nonceHash: hash })}`);
    expect((await browser.get('/')).statusCode).toBe(200);
  });

  it('goes to no page of sign-in afterwards, and takes nothing that is no token', async () => {
    const browser = world.browser();
    await world.signUp(browser);
    expect(wayOf((await browser.get('/login/start?redirect=/x')).headers.location)).toBe('/');
    browser.cookies.set('galaxyhandoff', 'x&to=https://evil.example');
    const back = await browser.get(`/galaxy-node/hand-off?state=${STATE}&to=/`);
    expect(back.headers.location).toBe(`${NETWORK}/network/go?to=%2F`);
  });

  it('is refused while the directory is away', async () => {
    world.directory.away = true;
    const answer = await world.browser().signUp(ada);
    expect([answer.statusCode, answer.json().err_code]).toEqual([503, 503001]);
  });
});

describe('sign-in in a network', () => {
  let account: string;
  beforeEach(async () => {
    account = await world.signUp(world.browser());
  });

  it('is checked by the directory, works here at once, and goes by way of the network’s address', async () => {
    const browser = world.browser();
    expect(wayOf((await signIn(browser)).json().redirect)).toBe('/');
    expect(browser.cookies.has('galaxyhandoffdue')).toBe(false);
    expect(await whoami(browser)).toBe('ada');
    expect(world.directory.asked).toContain('signIn');
    const wrong = await signIn(world.browser(), null, 'wrong password');
    expect([wrong.statusCode, wrong.json().err_msg]).toEqual([401, 'No such user or invalid password.']);
  });

  it('keeps where she wanted to go, although the client encodes what it is told once more', async () => {
    const plain = (await signIn(world.browser(), '/histories/view?id=0123456789abcdef')).json().redirect as string;
    expect(encodeURI(plain)).toBe(plain);
    expect(new URL(plain).searchParams.get('to')).toBe('/histories/view?id=0123456789abcdef');
    const browser = world.browser();
    const wish = '/tool?a=1&b=%20';
    expect((await signIn(browser, wish)).json().redirect).toBe(wish);
    expect(wayOf((await browser.get(wish)).headers.location)).toBe(wish);
    expect(wayOf((await signIn(world.browser(), 'https://evil.example/')).json().redirect)).toBe('/');
  });

  it('of an account at home elsewhere gives no session here, only the way', async () => {
    const record = world.directory.accounts.get(account) as DirectoryAccount;
    world.directory.accounts.set(account, { ...record, home: world.coordinator.peerId, epoch: 2 });
    await world.leases.lose(account, 2, world.coordinator.peerId);
    const browser = world.browser();
    expect(wayOf((await signIn(browser)).json().redirect)).toBe('/');
    expect(browser.cookies.has('galaxysession')).toBe(false);
    const other = world.browser();
    await signIn(other, '/tool?a=1&b=2');
    expect(wayOf((await other.get('/tool?a=1&b=2')).headers.location)).toBe('/tool?a=1&b=2');
  });

  it('goes on at her home while the directory is away: by her own log’s word', async () => {
    world.directory.away = true;
    const browser = world.browser();
    expect((await signIn(browser)).json()).toEqual({ message: 'Success.', redirect: null });
    expect(await whoami(browser)).toBe('ada');
    expect((await browser.send({ method: 'GET', url: `/api/users/${account}`, headers: json })).statusCode).toBe(200);
    expect((await signIn(world.browser(), null, 'wrong password')).statusCode).toBe(401);
    await world.leases.lose(account, 2, world.coordinator.peerId);
    expect((await signIn(world.browser())).statusCode).toBe(503);
  });

  it('her API key goes on as well, and one that was revoked does not', async () => {
    const key = await world.accounts.keys.create(account);
    const call = () => world.inject({ method: 'GET', url: '/api/whoami', headers: { 'x-api-key': key } });
    world.directory.away = true;
    expect((await call()).json().username).toBe('ada');
    world.directory.away = false;
    await world.accounts.keys.revokeAll(account);
    world.directory.away = true;
    expect((await call()).statusCode).toBe(401);
  });

  it('still counts failures here', async () => {
    const browser = world.browser();
    for (let time = 0; time < 10; time++) await signIn(browser, null, 'wrong password');
    expect((await signIn(browser)).statusCode).toBe(429);
  });
});

describe('the way through the network and back', () => {
  beforeEach(() => world.signUp(world.browser()));

  const come = (browser: Browser, more = '') =>
    browser.get(`/galaxy-node/hand-off?node=${world.node.peerId}&state=${STATE}&to=/histories/list${more}`);

  it('gives the hand-off to the browser that signed in here, once, together with the network’s state', async () => {
    const browser = world.browser();
    await signIn(browser);
    const answer = await come(browser);
    const to = new URL(String(answer.headers.location));
    expect([answer.statusCode, to.origin + to.pathname]).toEqual([303, `${NETWORK}/network/signed-in`]);
    expect(Object.fromEntries(to.searchParams)).toEqual({ token: HAND_OFF, state: STATE, to: '/histories/list' });
    expect([answer.headers['referrer-policy'], answer.headers['cache-control']]).toEqual(['no-referrer', 'no-store']);
    expect((await come(browser)).headers.location).toBe(`${NETWORK}/network/go?to=%2Fhistories%2Flist`);
  });

  it('gives another browser nothing', async () => {
    await signIn(world.browser());
    const answer = await come(world.browser());
    expect(answer.headers.location).toBe(`${NETWORK}/network/go?to=%2Fhistories%2Flist`);
    expect(answer.cookies).toEqual([]);
  });

  it('gives nothing on the way to another node, nor without a state', async () => {
    const browser = world.browser();
    await signIn(browser);
    const other = await browser.get(`/galaxy-node/hand-off?node=${world.coordinator.peerId}&state=${STATE}&to=/`);
    expect(other.headers.location).toBe(`${NETWORK}/network/go?to=%2F`);
    expect((await browser.get('/galaxy-node/hand-off?to=/')).statusCode).toBe(400);
    expect(browser.cookies.get('galaxyhandoff')).toBe(HAND_OFF);
  });

  it('leads back to no address that only the request says is ours: she stays', async () => {
    const browser = world.browser();
    const session_csrf_token = await browser.csrf();
    const answer = await browser.send({
      method: 'POST',
      url: '/user/login',
      payload: { login: 'ada', password: ada.password, redirect: '/tool', session_csrf_token },
      headers: { ...json, host: 'evil.example', origin: 'http://evil.example' },
    });
    expect(answer.json()).toEqual({ message: 'Success.', redirect: '/tool' });
    expect(browser.cookies.has('galaxyhandoff')).toBe(false);
    expect(await whoami(browser)).toBe('ada');
  });
});

describe('an address of this node', () => {
  const at = (host: string, socket: object = {}, forwarded?: string) =>
    addressHere(
      { headers: { host, ...(forwarded ? { 'x-forwarded-host': forwarded } : {}) }, raw: { socket } } as never,
      NETWORK,
      'https://uppsala.example/',
    );

  it('is its public one, the network’s, or the one that it listens on', () => {
    expect(at('uppsala.example')).toBe('https://uppsala.example');
    expect(at('Uppsala.example:443')).toBe('https://uppsala.example');
    expect(at('10.0.0.1:8080', {}, 'uppsala.example')).toBe('https://uppsala.example');
    expect(at('net.example')).toBe(NETWORK);
    expect(at('127.0.0.1:8080', { localAddress: '127.0.0.1', localPort: 8080 })).toBe('http://127.0.0.1:8080');
    expect(at('localhost:8080', { localAddress: '::ffff:127.0.0.1', localPort: 8080 })).toBe('http://localhost:8080');
    expect(at('[::1]:8080', { localAddress: '::1', localPort: 8080 })).toBe('http://[::1]:8080');
  });

  it('is no other', () => {
    expect(at('evil.example', { localAddress: '127.0.0.1', localPort: 8080 })).toBeUndefined();
    expect(at('localhost:8081', { localAddress: '127.0.0.1', localPort: 8080 })).toBeUndefined();
    expect(at('localhost:8080', { localAddress: '192.0.2.1', localPort: 8080 })).toBeUndefined();
    expect(at('uppsala.example.evil.example')).toBeUndefined();
  });
});

describe('sign-out in a network', () => {
  it('ends the session here and leads by way of the network’s address, which forgets her too', async () => {
    const browser = world.browser();
    await world.signUp(browser);
    const answer = await browser.send({ method: 'GET', url: '/user/logout', headers: json });
    expect(answer.json()).toEqual({ message: 'Success.', redirect_uri: `${NETWORK}/network/signed-out?to=/` });
    expect([...browser.cookies.keys()]).toEqual(['galaxyvisit']);
  });
});

describe('an account whose name was taken in the network when its node joined', () => {
  it('stays with its node: sign-in, its page and its key work, with nobody asked to hand it on', async () => {
    const passwordHash = '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAA';
    const id = 'abcdefabcdef0123';
    await world.local.claim({ account: id, email: 'local@example.org', username: 'local', passwordHash });
    const browser = world.browser();
    const payload = { login: 'local', password: 'wrong password', session_csrf_token: await browser.csrf() };
    expect((await browser.send({ method: 'POST', url: '/user/login', payload, headers: json })).statusCode).toBe(401);
    await world.accounts.changePassword(id, { password: 'of her own', confirm: 'of her own' });
    const right = { ...payload, password: 'of her own' };
    const answer = await browser.send({ method: 'POST', url: '/user/login', payload: right, headers: json });
    expect(answer.json()).toEqual({ message: 'Success.', redirect: null });
    expect(await whoami(browser)).toBe('local');
    const key = await world.accounts.keys.create(id);
    const byKey = await world.inject({ method: 'GET', url: '/api/whoami', headers: { 'x-api-key': key } });
    expect(byKey.json().username).toBe('local');
    world.directory.away = true;
    const again = await browser.send({ method: 'POST', url: '/user/login', payload: right, headers: json });
    expect(again.statusCode).toBe(200);
  });
});
