import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashApiKey } from '../../../node/accounts/api-keys.js';
import { type Door, MASTER_KEY, openDoor } from './door.js';

const ada = { email: 'ada@example.org', username: 'ada', password: 'correct horse' };
const bob = { email: 'bob@example.org', username: 'bob', password: 'battery staple' };

let door: Door;
let adaId: string;
let bobId: string;

const asMaster = { 'x-api-key': MASTER_KEY };
const get = (url: string, headers: Record<string, string> = {}) => door.inject({ method: 'GET', url, headers });
const post = (url: string, headers: Record<string, string>, payload?: object) =>
  door.inject({ method: 'POST', url, headers, ...(payload ? { payload } : {}) });
const basic = (login: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`,
});

beforeEach(async () => {
  door = await openDoor();
  adaId = (await post('/api/users', asMaster, ada)).json().id;
  bobId = (await post('/api/users', asMaster, bob)).json().id;
});
afterEach(() => door.close());

describe('an API key', () => {
  it('begins with the account’s id, works in the header and in the query, and is shown again', async () => {
    const key: string = (await post(`/api/users/${adaId}/api_key`, asMaster)).json();
    expect(key).toMatch(/^[0-9a-f]{48}$/);
    expect(key.slice(0, 16)).toBe(adaId);
    expect((await get('/api/whoami', { 'x-api-key': key })).json().username).toBe('ada');
    expect((await get(`/api/whoami?key=${key}`)).json().username).toBe('ada');
    expect((await get('/api/users/current/api_key', { 'x-api-key': key })).json()).toBe(key);
    const inputs = (await get(`/api/users/${adaId}/api_key/inputs`, { 'x-api-key': key })).json();
    expect(inputs.inputs[0].value).toBe(key);
    const detailed = (await get(`/api/users/${adaId}/api_key/detailed`, { 'x-api-key': key })).json();
    expect(detailed.key).toBe(key);
    expect(detailed.create_time).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}$/);
  });

  it('is not stored as such: log and store hold its hash and a sealed copy', async () => {
    const key = await door.accounts.keys.create(adaId);
    const records = [...(await door.accounts.viewOf(adaId)).list('key')];
    expect(records).toHaveLength(1);
    expect(JSON.stringify(records)).not.toContain(key.slice(16));
  });

  it('does not hold when only the directory knows that it was revoked, nor do sign-ins from before a password', async () => {
    const [gone, good] = [await door.accounts.keys.create(adaId), await door.accounts.keys.create(adaId)];
    for (const key of [gone, good]) expect((await get('/api/whoami', { 'x-api-key': key })).statusCode).toBe(200);
    const sessionsNotBefore = door.clock.now() + 1;
    const asked: string[][] = [];
    const ask = async (hashes: string[]) => {
      asked.push(hashes);
      return { revoked: [hashApiKey(gone), 'f'.repeat(64)], sessionsNotBefore };
    };
    const { token } = door.accounts.sessions.issue(adaId);
    expect(await door.accounts.sessionOf(token)).toBeDefined();
    await door.accounts.takeBack(adaId, ask);
    await door.accounts.takeBack(adaId, ask);
    expect(asked.map((hashes) => hashes.sort())).toEqual([
      [hashApiKey(gone), hashApiKey(good)].sort(),
      [hashApiKey(good)],
    ]);
    expect(await door.accounts.keys.accountOf(gone)).toBeUndefined();
    expect((await door.accounts.keys.accountOf(good))?.account).toBe(adaId);
    expect(await door.accounts.sessionOf(token)).toBeUndefined();
    expect((await door.accounts.record(adaId)).sessionsNotBefore).toBe(sessionsNotBefore);
  });

  it('does not hold after it was revoked, also when it was in use', async () => {
    const key = await door.accounts.keys.create(adaId);
    const headers = { 'x-api-key': key };
    expect((await get('/api/whoami', headers)).statusCode).toBe(200);
    expect((await door.inject({ method: 'DELETE', url: `/api/users/${adaId}/api_key`, headers })).statusCode).toBe(204);
    const refused = await get('/api/whoami', headers);
    expect(refused.statusCode).toBe(401);
    expect(refused.json().err_code).toBe(401001);
    expect((await get(`/api/users/${adaId}/api_key/inputs`, asMaster)).json().inputs[0].value).toBe('Not available.');
  });

  it.each(['x', 'f'.repeat(48), 'a'.repeat(500), "' OR 1=1"])('%s is refused', async (key) => {
    const answer = await get('/api/version', { 'x-api-key': key });
    expect(answer.statusCode).toBe(401);
    expect(answer.json().err_code).toBe(401001);
  });

  it('of a deleted account does not hold until the account is back', async () => {
    const headers = { 'x-api-key': await door.accounts.keys.create(adaId) };
    const gone = await door.inject({ method: 'DELETE', url: `/api/users/${adaId}`, headers: asMaster });
    expect(gone.json()).toMatchObject({ email: ada.email, deleted: true });
    expect((await get('/api/whoami', headers)).statusCode).toBe(401);
    expect((await get('/api/authenticate/baseauth', basic('ada', ada.password))).json().err_msg).toMatch(/deleted/);
    expect((await post(`/api/users/deleted/${adaId}/undelete`, asMaster)).json().deleted).toBe(false);
    expect((await get('/api/whoami', headers)).json().username).toBe('ada');
  });

  it('needs no origin: scripts have none', async () => {
    const headers = { 'x-api-key': await door.accounts.keys.create(adaId), origin: 'https://notebook.example' };
    expect((await post('/api/users/current/api_key', headers)).statusCode).toBe(200);
  });
});

describe('HTTP Basic', () => {
  it('gives a key at authenticate/baseauth, the same one each time', async () => {
    const first = (await get('/api/authenticate/baseauth', basic('ada@example.org', ada.password))).json();
    expect(first.api_key).toMatch(/^[0-9a-f]{48}$/);
    expect((await get('/api/authenticate/baseauth', basic('ada', ada.password))).json()).toEqual(first);
    // As BioBlend sends it.
    const bare = { authorization: basic('ada', ada.password).authorization.replace('Basic ', '') };
    expect((await get('/api/authenticate/baseauth', bare)).json()).toEqual(first);
  });

  it('is nothing anywhere else', async () => {
    expect((await get('/api/whoami', basic('ada', ada.password))).json()).toBeNull();
  });

  it.each([
    {},
    basic('ada', 'wrong'),
    basic('nobody', 'wrong'),
    { authorization: 'Basic %%%' },
    { authorization: 'Bearer x' },
  ])('refuses %o', async (headers) => {
    const answer = await get('/api/authenticate/baseauth', headers as Record<string, string>);
    expect(answer.statusCode).toBe(401);
    expect(answer.json().err_code).toBe(401001);
  });
});

describe('the master key', () => {
  it('is an administrator without an account, and any user by run_as', async () => {
    expect((await get('/api/whoami', asMaster)).json()).toBeNull();
    expect((await get('/api/users', asMaster)).json()).toHaveLength(2);
    expect((await get('/api/whoami', { ...asMaster, 'run-as': adaId })).json().username).toBe('ada');
    expect((await get(`/api/whoami?run_as=${bobId}`, asMaster)).json().username).toBe('bob');
    expect((await get('/api/whoami', { ...asMaster, 'run-as': '0123456789abcdef' })).statusCode).toBe(400);
    expect((await get('/api/whoami', { ...asMaster, 'run-as': 'ada' })).json().err_code).toBe(400009);
  });

  it('is none when none is configured', async () => {
    const without = await openDoor({ options: { masterApiKey: null } });
    expect((await without.inject({ method: 'GET', url: '/api/users', headers: asMaster })).statusCode).toBe(401);
    await without.close();
  });

  it('appears in no line of the log, nor does any other key or password', async () => {
    const key = await door.accounts.keys.create(adaId);
    await get(`/api/whoami?key=${key}`);
    await get(`/api/nonsense?a=1&key=${MASTER_KEY}`);
    await get('/api/authenticate/baseauth', basic('ada', ada.password));
    const text = door.logged.join('\n');
    expect(text).toContain('/api/whoami?key=[redacted]');
    for (const secret of [key, MASTER_KEY, ada.password]) expect(text).not.toContain(secret);
  });
});

describe('who may do what', () => {
  it('an ordinary user sees and changes herself only', async () => {
    const headers = { 'x-api-key': await door.accounts.keys.create(adaId) };
    expect((await get('/api/users', headers)).json().map((user: { id: string }) => user.id)).toEqual([adaId]);
    expect((await get('/api/users?f_any=bob', headers)).json()).toEqual([]);
    for (const path of ['', '/api_key', '/usage', '/information/inputs', '/password/inputs']) {
      const answer = await get(`/api/users/${bobId}${path}`, headers);
      expect([path, answer.statusCode, answer.json().err_code]).toEqual([path, 403, 403002]);
    }
    const create = await post('/api/users', headers, { ...ada, email: 'x@example.org', username: 'xxx' });
    expect([create.statusCode, create.json().err_code]).toEqual([403, 403006]);
    const runAs = await get('/api/whoami', { ...headers, 'run-as': bobId });
    expect(runAs.json().err_code).toBe(403006);
  });

  it('nobody needs to sign in first, in Galaxy’s words', async () => {
    const answer = await get('/api/users');
    expect([answer.statusCode, answer.json().err_code]).toEqual([403, 403001]);
    expect((await get('/api/users/current')).json()).toEqual({
      total_disk_usage: 0,
      nice_total_disk_usage: '0 bytes',
      quota_percent: null,
    });
  });

  it('admin rights are this node’s own and can be taken back', async () => {
    const headers = { 'x-api-key': await door.accounts.keys.create(adaId) };
    await door.accounts.grantAdmin(adaId);
    expect((await get('/api/users/current', headers)).json().is_admin).toBe(true);
    expect((await get('/api/users?f_email=BOB', headers)).json()).toHaveLength(1);
    await door.accounts.revokeAdmin(adaId);
    expect((await get('/api/users/current', headers)).json().is_admin).toBe(false);
  });

  it('an administrator may set a password without knowing the old one', async () => {
    const url = `/api/users/${bobId}/password/inputs`;
    const answer = await door.inject({ method: 'PUT', url, headers: asMaster, payload: { password: 'new secret' } });
    expect(answer.statusCode).toBe(200);
    expect((await get('/api/authenticate/baseauth', basic('bob', 'new secret'))).statusCode).toBe(200);
  });
});

describe('what the client keeps with a user', () => {
  let headers: Record<string, string>;
  beforeEach(async () => {
    headers = { 'x-api-key': await door.accounts.keys.create(adaId) };
  });
  const put = (url: string, payload?: object) =>
    door.inject({ method: 'PUT', url, headers, ...(payload ? { payload } : {}) });

  it('favorites, as Galaxy’s text of JSON in the preferences', async () => {
    await put(`/api/users/${adaId}/favorites/tools`, { object_id: 'cat1' });
    await put(`/api/users/${adaId}/favorites/tools`, { object_id: 'cat1' });
    const added = await put(`/api/users/${adaId}/favorites/tools`, { object_id: 'shed/repos/a/b/c/1.0' });
    expect(added.json()).toEqual({ tools: ['cat1', 'shed/repos/a/b/c/1.0'] });
    const url = `/api/users/${adaId}/favorites/tools/shed/repos/a/b/c/1.0`;
    expect((await door.inject({ method: 'DELETE', url, headers })).json()).toEqual({ tools: ['cat1'] });
    const { preferences } = (await get(`/api/users/${adaId}`, headers)).json();
    expect(JSON.parse(preferences.favorites)).toEqual({ tools: ['cat1'] });
  });

  it('favorites added at the same time are all kept', async () => {
    const tools = ['a', 'b', 'c', 'd', 'e'];
    await Promise.all(tools.map((object_id) => put('/api/users/current/favorites/tools', { object_id })));
    expect((await get('/api/users/current/favorites', headers)).json().tools.sort()).toEqual(tools);
  });

  it('theme, name and address', async () => {
    expect((await put(`/api/users/${adaId}/theme/dark`)).json()).toBe('dark');
    expect((await put(`/api/users/${adaId}/theme/%3Cscript%3E`)).statusCode).toBe(400);
    const saved = await put(`/api/users/${adaId}/information/inputs`, { email: 'new@example.org', username: 'newada' });
    expect(saved.statusCode).toBe(200);
    expect((await get(`/api/users/${adaId}`, headers)).json()).toMatchObject({
      email: 'new@example.org',
      username: 'newada',
      preferences: { theme: 'dark' },
    });
    expect((await get('/api/authenticate/baseauth', basic('newada', ada.password))).statusCode).toBe(200);
    expect((await get('/api/authenticate/baseauth', basic('ada', ada.password))).statusCode).toBe(401);
    const taken = await put(`/api/users/${adaId}/information/inputs`, { username: 'bob' });
    expect(taken.json().err_msg).toBe('Public name is taken; please choose another.');
  });
});
