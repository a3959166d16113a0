import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { homeErrors } from '../../../node/accounts/home-errors.js';
import { makeClientFolder } from '../web/client-folder.js';
import { type Door, openDoor } from './door.js';

const ada = { email: 'Ada@example.org', username: 'ada', password: 'correct horse' };

let door: Door;
let client: string;

beforeEach(async () => {
  client = await makeClientFolder(await mkdtemp(join(tmpdir(), 'galaxy-client-')));
  door = await openDoor({ clientFolder: client });
});
afterEach(async () => {
  await door.close();
  await rm(client, { recursive: true, force: true });
});

describe('sign-up', () => {
  it('answers as the client expects, signs in, and gives the account its first history in one append', async () => {
    const browser = door.browser();
    const answer = await browser.signUp(ada);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ message: 'Success.', redirect: null });
    const current = (await browser.get('/api/users/current')).json();
    expect(current).toMatchObject({ email: ada.email, username: 'ada', is_admin: false, quota: 'unlimited' });
    const view = await door.accounts.viewOf(current.id);
    const histories = [...view.list('history')];
    expect(histories.map(({ name }) => name)).toEqual(['Unnamed history']);
    expect(view.get('account', current.id)?.currentHistory).toBe(histories[0]?.id);
  });

  it('sets a cookie that scripts cannot read and other sites do not get', async () => {
    const answer = await door.browser().signUp(ada);
    const cookie = answer.cookies.find(({ name }) => name === 'galaxysession');
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/', maxAge: 12 * 3600 });
    expect(cookie?.secure).toBeUndefined();
  });

  it('marks the cookie Secure when the page came over https', async () => {
    const browser = door.browser();
    const session_csrf_token = await browser.csrf();
    const payload = { ...ada, confirm: ada.password, session_csrf_token };
    const headers = { 'x-forwarded-proto': 'https' };
    const answer = await browser.send({ method: 'POST', url: '/user/create', payload, headers });
    expect(answer.cookies.find(({ name }) => name === 'galaxysession')?.secure).toBe(true);
  });

  it.each([
    [{ ...ada, email: 'nobody' }, 'The format of the email address is not correct.'],
    [{ ...ada, username: 'A' }, 'Public name must be at least 3 characters in length.'],
    [{ ...ada, username: 'Ada L' }, "Public name must contain only lower-case letters, numbers, '.', '_' and '-'."],
    [{ ...ada, password: '12345' }, 'Use a password of at least 6 characters.'],
  ])('refuses %o with Galaxy’s sentence', async (person, sentence) => {
    const answer = await door.browser().signUp(person);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toEqual({ err_msg: sentence, err_code: 400008 });
  });

  it('refuses a taken e-mail address and a taken name in any case of letters', async () => {
    await door.browser().signUp(ada);
    const email = await door.browser().signUp({ ...ada, email: 'ADA@example.org', username: 'ada2' });
    expect(email.json().err_msg).toBe("User with email 'ADA@example.org' already exists.");
    const name = await door.browser().signUp({ ...ada, email: 'ada2@example.org' });
    expect(name.json().err_msg).toBe('Public name is taken; please choose another.');
  });

  it('lets only one of two win who claim the same name at once', async () => {
    const tries = [1, 2, 3, 4].map((n) => door.browser().signUp({ ...ada, email: `ada${n}@example.org` }));
    const statuses = (await Promise.all(tries)).map(({ statusCode }) => statusCode).sort();
    expect(statuses).toEqual([200, 400, 400, 400]);
  });

  it('can be switched off', async () => {
    const closed = await openDoor({ clientFolder: client, options: { allowRegistration: false } });
    const answer = await closed.browser().signUp(ada);
    expect(answer.statusCode).toBe(403);
    expect(answer.json().err_msg).toMatch(/registration is disabled/);
    await closed.close();
  });
});

describe('sign-in', () => {
  beforeEach(async () => {
    await door.browser().signUp(ada);
  });

  it.each(['ada', 'ADA@example.org', 'ada@EXAMPLE.org'])('works with %s', async (login) => {
    const browser = door.browser();
    expect((await browser.signIn(login, ada.password)).json()).toEqual({ message: 'Success.', redirect: null });
    expect((await browser.get('/api/users/current')).json().username).toBe('ada');
  });

  it('says the same of an unknown user and of a wrong password', async () => {
    const wrong = await door.browser().signIn('ada', 'wrong password');
    const unknown = await door.browser().signIn('nobody', 'wrong password');
    expect(wrong.statusCode).toBe(401);
    expect(wrong.json()).toEqual({ err_msg: 'No such user or invalid password.', err_code: 401001 });
    expect(unknown.json()).toEqual(wrong.json());
  });

  it('refuses further tries after ten failures from one address, until the window is over', async () => {
    const browser = door.browser();
    for (let n = 0; n < 10; n++) expect((await browser.signIn('ada', 'wrong password')).statusCode).toBe(401);
    const refused = await browser.signIn('ada', ada.password);
    expect(refused.statusCode).toBe(429);
    expect(refused.headers['retry-after']).toBeDefined();
    door.clock.advance(5 * 60_000 + 1);
    expect((await browser.signIn('ada', ada.password)).statusCode).toBe(200);
  });

  it('goes back only to a path of this server', async () => {
    const browser = door.browser();
    const signIn = async (redirect: string) => {
      const payload = { login: 'ada', password: ada.password, redirect, session_csrf_token: await browser.csrf() };
      return (await browser.send({ method: 'POST', url: '/user/login', payload })).json().redirect;
    };
    expect(await signIn('/?tool_id=cat1')).toBe('/?tool_id=cat1');
    for (const evil of ['//evil.example', '/\\evil.example', 'https://evil.example', '/\t/evil.example']) {
      expect(await signIn(evil)).toBeNull();
    }
  });

  it('finishes an account whose claim was made and whose first entries were not written', async () => {
    const { accounts } = door;
    const hashed = (await accounts.byLogin('ada'))?.passwordHash as string;
    const claim = { account: 'f'.repeat(16), email: 'b@example.org', username: 'bob', passwordHash: hashed };
    await door.directory.claim(claim);
    const browser = door.browser();
    expect((await browser.signIn('bob', ada.password)).statusCode).toBe(200);
    expect((await browser.get('/api/users/current')).json().username).toBe('bob');
  });
});

describe('a session', () => {
  it('ends with sign-out, on this device and for copies of the cookie', async () => {
    const browser = door.browser();
    await browser.signUp(ada);
    const thief = door.browser();
    for (const [name, value] of browser.cookies) thief.cookies.set(name, value);
    expect((await thief.get('/api/whoami')).json()?.username).toBe('ada');
    expect((await browser.get('/user/logout')).json()).toEqual({ message: 'Success.' });
    expect(browser.cookies.has('galaxysession')).toBe(false);
    expect((await thief.get('/api/whoami')).json()).toBeNull();
  });

  it('is not ended by a link on another site', async () => {
    const browser = door.browser();
    await browser.signUp(ada);
    const answer = await browser.send({
      method: 'GET',
      url: '/user/logout',
      headers: { 'sec-fetch-site': 'cross-site' },
    });
    expect(answer.statusCode).toBe(403);
    const bare = await browser.send({ method: 'GET', url: '/user/logout', headers: { 'sec-fetch-site': '' } });
    expect(bare.statusCode).toBe(403);
    expect((await browser.get('/api/whoami')).json()?.username).toBe('ada');
  });

  it('is renewed in silence while she works, and ends 12 hours after the last request', async () => {
    const browser = door.browser();
    await browser.signUp(ada);
    const first = browser.cookies.get('galaxysession');
    door.clock.advance(2 * 3_600_000);
    await browser.get('/api/users/current');
    expect(browser.cookies.get('galaxysession')).toBe(first);
    door.clock.advance(2 * 3_600_000);
    await browser.get('/api/users/current');
    expect(browser.cookies.get('galaxysession')).not.toBe(first);
    door.clock.advance(11 * 3_600_000);
    expect((await browser.get('/api/whoami')).json()?.username).toBe('ada');
    door.clock.advance(12 * 3_600_000 + 1);
    expect((await browser.get('/api/whoami')).json()).toBeNull();
  });

  it('does not hold when its signature is another node’s, or one character is changed', async () => {
    const browser = door.browser();
    await browser.signUp(ada);
    const other = await openDoor({ clientFolder: client });
    const stranger = other.browser();
    await stranger.signUp(ada);
    const foreign = door.browser();
    foreign.cookies.set('galaxysession', stranger.cookies.get('galaxysession') as string);
    expect((await foreign.get('/api/whoami')).json()).toBeNull();
    await other.close();
    const token = browser.cookies.get('galaxysession') as string;
    const middle = Math.floor(token.length / 2);
    const changed = token.slice(0, middle) + (token[middle] === 'A' ? 'B' : 'A') + token.slice(middle + 1);
    foreign.cookies.set('galaxysession', changed);
    expect((await foreign.get('/api/whoami')).json()).toBeNull();
  });
});

describe('requests that another site makes her browser send', () => {
  it.each([{ origin: 'https://evil.example' }, { origin: 'null' }])('are refused with %o', async (headers) => {
    const browser = door.browser();
    await browser.signUp(ada);
    const id = (await browser.get('/api/users/current')).json().id;
    const answer = await browser.send({ method: 'POST', url: `/api/users/${id}/api_key`, headers });
    expect(answer.statusCode).toBe(403);
    expect(answer.json().err_code).toBe(403002);
    expect(await door.accounts.keys.newest(id)).toBeUndefined();
  });

  it('are refused by Sec-Fetch-Site alone, and for Galaxy’s GETs that change something', async () => {
    const browser = door.browser();
    await browser.signUp(ada);
    const headers = { 'sec-fetch-site': 'cross-site' };
    const url = '/history/create_new_current';
    expect((await browser.send({ method: 'GET', url, headers })).statusCode).toBe(403);
  });

  it('cannot sign her in as somebody else: the form’s token is bound to the browser', async () => {
    await door.browser().signUp(ada);
    const victim = door.browser();
    await victim.csrf();
    const attacker = door.browser();
    const payload = { login: 'ada', password: ada.password, session_csrf_token: await attacker.csrf() };
    const answer = await victim.send({ method: 'POST', url: '/user/login', payload });
    expect(answer.statusCode).toBe(403);
    expect(victim.cookies.has('galaxysession')).toBe(false);
  });

  it('are allowed from pages of the network’s address', async () => {
    const networked = await openDoor({ clientFolder: client, server: { origins: () => ['https://net.example'] } });
    const browser = networked.browser();
    await browser.signUp(ada);
    const headers = { origin: 'https://net.example' };
    const answer = await browser.send({ method: 'POST', url: '/api/users/current/api_key', headers });
    expect(answer.statusCode).toBe(200);
    await networked.close();
  });
});

describe('a changed password', () => {
  const change = (payload: object) => ({ method: 'PUT' as const, url: '/api/users/current/password/inputs', payload });

  it('ends every other sign-in, keeps this one, and is asked for from then on', async () => {
    const browser = door.browser();
    await browser.signUp(ada);
    const other = door.browser();
    await other.signIn('ada', ada.password);
    door.clock.advance(1000);
    const answer = await browser.send(change({ current: ada.password, password: 'a new one', confirm: 'a new one' }));
    expect(answer.json()).toEqual({ message: 'Password has been changed.' });
    expect((await other.get('/api/whoami')).json()).toBeNull();
    expect((await browser.get('/api/whoami')).json()?.username).toBe('ada');
    expect((await door.browser().signIn('ada', ada.password)).statusCode).toBe(401);
    expect((await door.browser().signIn('ada', 'a new one')).statusCode).toBe(200);
  });

  it('needs the current one, and both new ones alike', async () => {
    const browser = door.browser();
    await browser.signUp(ada);
    const wrong = await browser.send(change({ current: 'wrong', password: 'a new one', confirm: 'a new one' }));
    expect(wrong.json()).toEqual({ err_msg: 'Invalid current password.', err_code: 400008 });
    const missing = await browser.send(change({ password: 'a new one', confirm: 'a new one' }));
    expect(missing.statusCode).toBe(400);
    const unlike = await browser.send(change({ current: ada.password, password: 'a new one', confirm: 'another' }));
    expect(unlike.json().err_msg).toBe("Passwords don't match.");
  });
});

describe('in a network', () => {
  const network = 'https://net.example';

  it('an account that moved: 410 to programs, the way to its home to pages, and the cookie stays', async () => {
    let moved = false;
    const whenHere = async () => {
      if (moved) throw homeErrors('moved');
    };
    const networked = await openDoor({ clientFolder: client, server: { whenHere, networkUrl: () => network } });
    const browser = networked.browser();
    await browser.signUp(ada);
    const key = await networked.accounts.keys.create((await browser.get('/api/users/current')).json().id);
    moved = true;
    const headers = { 'x-api-key': key };
    const program = await networked.inject({ method: 'GET', url: '/api/whoami', headers });
    expect([program.statusCode, program.json().err_code]).toEqual([410, 410001]);
    const poll = await browser.send({
      method: 'GET',
      url: '/api/users/current',
      headers: { accept: 'application/json' },
    });
    expect(poll.statusCode).toBe(410);
    const page = await browser.get('/datasets/list?a=1');
    expect(page.statusCode).toBe(307);
    expect(page.headers.location).toBe(`${network}/network/go?to=${encodeURIComponent('/datasets/list?a=1')}`);
    expect((await browser.get('/login/start')).headers.location).toContain('/network/go?to=');
    moved = false;
    expect((await browser.get('/api/whoami')).json()?.username).toBe('ada');
    await networked.close();
  });
});
