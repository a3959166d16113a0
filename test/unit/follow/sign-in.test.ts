import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DirectoryAccount } from '../../../node/accounts/directory.js';
import { nonceHash } from '../../../protocol/trust/ticket.js';
import type { Browser } from '../api-auth/door.js';
import { ada, HAND_OFF, json, NETWORK, openWorld, type World } from './world.js';

let world: World;

beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

const signedIn = (to: string) => `${NETWORK}/network/signed-in?token=${HAND_OFF}&to=${to}`;
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
    expect(answer.json()).toEqual({ message: 'Success.', redirect: signedIn('/') });
    expect(answer.cookies.find(({ name }) => name === 'galaxyhandoff')).toMatchObject({ httpOnly: true, maxAge: 60 });
    expect(await whoami(browser)).toBe('ada');
    const page = await browser.get('/?a=1&b=2');
    expect([page.statusCode, page.headers.location]).toEqual([303, signedIn(encodeURIComponent('/?a=1&b=2'))]);
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
    expect((await browser.get('/login/start?redirect=/x')).headers.location).toBe(signedIn(encodeURIComponent('/')));
    browser.cookies.set('galaxyhandoff', 'x&to=https://evil.example');
    expect((await browser.get('/')).statusCode).toBe(200);
    expect(browser.cookies.has('galaxyhandoff')).toBe(false);
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
    expect((await signIn(browser)).json()).toEqual({ message: 'Success.', redirect: signedIn('/') });
    expect(browser.cookies.has('galaxyhandoff')).toBe(false);
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
    expect((await browser.get(wish)).headers.location).toBe(signedIn(encodeURIComponent(wish)));
    expect((await signIn(world.browser(), 'https://evil.example/')).json().redirect).toBe(signedIn('/'));
  });

  it('of an account at home elsewhere gives no session here, only the way', async () => {
    const record = world.directory.accounts.get(account) as DirectoryAccount;
    world.directory.accounts.set(account, { ...record, home: world.coordinator.peerId, epoch: 2 });
    await world.leases.lose(account, 2, world.coordinator.peerId);
    const browser = world.browser();
    expect((await signIn(browser)).json().redirect).toBe(signedIn('/'));
    expect(browser.cookies.has('galaxysession')).toBe(false);
    const other = world.browser();
    await signIn(other, '/tool?a=1&b=2');
    expect((await other.get('/tool?a=1&b=2')).headers.location).toContain(`token=${HAND_OFF}`);
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
    const key = await world.accounts.createKey(account);
    const call = () => world.inject({ method: 'GET', url: '/api/whoami', headers: { 'x-api-key': key } });
    world.directory.away = true;
    expect((await call()).json().username).toBe('ada');
    world.directory.away = false;
    await world.accounts.revokeKeys(account);
    world.directory.away = true;
    expect((await call()).statusCode).toBe(401);
  });

  it('still counts failures here', async () => {
    const browser = world.browser();
    for (let time = 0; time < 10; time++) await signIn(browser, null, 'wrong password');
    expect((await signIn(browser)).statusCode).toBe(429);
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
    const key = await world.accounts.createKey(id);
    const byKey = await world.inject({ method: 'GET', url: '/api/whoami', headers: { 'x-api-key': key } });
    expect(byKey.json().username).toBe('local');
    world.directory.away = true;
    const again = await browser.send({ method: 'POST', url: '/user/login', payload: right, headers: json });
    expect(again.statusCode).toBe(200);
  });
});
