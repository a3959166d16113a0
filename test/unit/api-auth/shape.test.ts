import { connect } from 'node:net';
import { duplexPair } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineErrors } from '../../../protocol/runtime/errors.js';
import { type Door, MASTER_KEY, openDoor } from './door.js';

const errors = defineErrors('test-door', {
  busy: { kind: 'unavailable', say: 'Busy with {what}.', mend: 'Wait.' },
  full: { kind: 'no-space', say: 'The disk is full.', mend: '' },
  broken: { kind: 'internal', say: 'The secret is {secret}.', mend: '' },
});

let door: Door;
const headers = { 'x-api-key': MASTER_KEY };

beforeAll(async () => {
  door = await openDoor({
    options: { name: 'Universität Uppsala' },
    server: {
      routes: [
        (app) => {
          app.get('/api/test/busy', async () => Promise.reject(errors('busy', { what: 'a test' })));
          app.get('/api/test/full', async () => Promise.reject(errors('full')));
          app.get('/api/test/broken', async () => Promise.reject(errors('broken', { secret: 'hunter2' })));
          app.get('/api/test/bug', async () => Promise.reject(new Error('/home/ada/secret is not a function')));
          app.post('/api/test/echo', async (request) => ({ body: request.body ?? null }));
        },
      ],
    },
  });
});
afterAll(() => door.close());

describe('every failure has Galaxy’s shape', () => {
  it.each([
    ['GET', '/api/nonsense', 404, 404001],
    ['GET', '/api', 404, 404001],
    ['POST', '/nonsense', 404, 404001],
    ['GET', '/api/roles', 501, 501001],
    ['POST', '/api/groups', 501, 501001],
    ['GET', '/api/quotas', 501, 501001],
    ['GET', '/api/users/xyz', 400, 400009],
    ['GET', '/api/users/0123456789abcdef', 404, 404001],
    ['GET', '/api/users/0123456789ABCDEF', 400, 400009],
    ['GET', '/api/users?limit=many', 400, 400008],
    ['GET', '/api/datatypes/nonsense', 404, 404001],
    ['GET', '/api/users/%00', 400, 400009],
    ['GET', '/api/users/%zz', 400, 400008],
    ['GET', '/api/test/busy', 503, 503001],
    ['GET', '/api/test/full', 507, 507001],
    ['GET', '/api/test/bug', 500, 500001],
    ['POST', '/user/reset_password', 501, 501001],
  ] as const)('%s %s: %i, %i', async (method, url, status, code) => {
    const answer = await door.inject({ method, url, headers });
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect([answer.statusCode, answer.json().err_code]).toEqual([status, code]);
    expect(answer.json().err_msg).toMatch(/\S/);
    expect(answer.headers['x-galaxy-node']).toBe(`Universit?t Uppsala (${door.peerId})`);
  });

  it('says when to come again', async () => {
    const answer = await door.inject({ method: 'GET', url: '/api/test/busy' });
    expect(answer.headers['retry-after']).toBe('5');
    expect(answer.json().err_msg).toBe('Busy with a test. Wait.');
  });

  it('tells nothing of the inside, and logs it', async () => {
    for (const url of ['/api/test/bug', '/api/test/broken']) {
      const answer = await door.inject({ method: 'GET', url });
      expect(answer.statusCode).toBe(500);
      expect(answer.body).not.toMatch(/secret|hunter2/);
    }
    expect(door.logged.filter((line) => line.startsWith('request failed'))).toHaveLength(3);
  });

  it.each([
    ['{"a":', 'application/json'],
    ['{"__proto__": {"admin": true}}', 'application/json'],
    ['a=1', 'application/x-unknown'],
  ])('a body of %s as %s is refused with a reason', async (payload, type) => {
    const sent = { method: 'POST' as const, url: '/api/test/echo', payload, headers: { 'content-type': type } };
    const answer = await door.inject(sent);
    expect([answer.statusCode, answer.json().err_code]).toEqual([400, 400008]);
  });

  it('an empty body with the JSON type is no body', async () => {
    const sent = {
      method: 'POST' as const,
      url: '/api/test/echo',
      payload: '',
      headers: { 'content-type': 'application/json' },
    };
    expect((await door.inject(sent)).json()).toEqual({ body: null });
  });

  it('a body over the limit is refused', async () => {
    const payload = JSON.stringify({ a: 'x'.repeat(17 * 2 ** 20) });
    const sent = {
      method: 'POST' as const,
      url: '/api/test/echo',
      payload,
      headers: { 'content-type': 'application/json' },
    };
    const answer = await door.inject(sent);
    expect([answer.statusCode, answer.json().err_code]).toEqual([413, 413001]);
  });
});

describe('what the client asks at its start', () => {
  it('is answered in the right shape', async () => {
    const json = async (url: string) => (await door.inject({ method: 'GET', url })).json();
    expect(await json('/api/version')).toEqual({ version_major: '25.1', version_minor: '2', extra: {} });
    expect(await json('/api/configuration')).toMatchObject({ brand: 'Universität Uppsala', require_login: true });
    expect((await json('/api/genomes'))[0]).toEqual(['unspecified (?)', '?']);
    for (const path of [
      'webhooks',
      'unprivileged_tools',
      'object_stores?selectable=true',
      'entry_points?running=true',
    ]) {
      expect([path, await json(`/api/${path}`)]).toEqual([path, []]);
    }
    expect(await json('/api/notifications/status')).toEqual({
      total_unread_count: 0,
      notifications: [],
      broadcasts: [],
    });
  });

  it('datatypes as names, as details and as classes', async () => {
    const json = async (url: string) => (await door.inject({ method: 'GET', url })).json();
    expect(await json('/api/datatypes')).toEqual(['bed', 'txt']);
    expect(await json('/api/datatypes?upload_only=False')).toEqual(['bed', 'data', 'txt']);
    expect((await json('/api/datatypes?extension_only=false'))[0]).toMatchObject({
      extension: 'bed',
      display_in_upload: true,
    });
    const { datatypes_mapping } = await json('/api/datatypes/types_and_mapping?upload_only=false');
    expect(datatypes_mapping.ext_to_class_name.bed).toBe('galaxy.datatypes.interval.Bed');
    expect(Object.keys(datatypes_mapping.class_to_classes['galaxy.datatypes.interval.Bed'])).toEqual([
      'galaxy.datatypes.interval.Bed',
      'galaxy.datatypes.data.Text',
      'galaxy.datatypes.data.Data',
    ]);
    expect(await json('/api/datatypes/edam_formats')).toMatchObject({ txt: 'format_1915' });
    expect(await json('/api/datatypes/txt')).toMatchObject({ extension: 'txt' });
  });

  it('ids are decoded for administrators only', async () => {
    const url = '/api/configuration/decode/0123456789abcdef';
    expect((await door.inject({ method: 'GET', url })).json().err_code).toBe(403001);
    expect((await door.inject({ method: 'GET', url, headers })).json()).toEqual({ decoded_id: '0123456789abcdef' });
  });
});

describe('connections', () => {
  it('a port that is taken is named', async () => {
    const { port } = await door.server.start();
    const second = await openDoor({ server: { listen: `127.0.0.1:${port}` } });
    await expect(second.server.start()).rejects.toMatchObject({ code: 'http/port-taken' });
    await second.close();
    const address = door.server.httpServer.address();
    expect(address).toMatchObject({ port });
  });

  it('what is not HTTP is answered in the same shape', async () => {
    const { port } = door.server.httpServer.address() as { port: number };
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    socket.write('NONSENSE\r\n\r\n');
    let text = '';
    for await (const chunk of socket) text += chunk;
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('"err_code":400008');
  });

  it('a request may arrive on any stream of bytes', async () => {
    const [ours, theirs] = duplexPair();
    door.server.httpServer.emit('connection', theirs);
    ours.setEncoding('utf8').write('GET /api/version HTTP/1.1\r\nHost: net.example\r\nConnection: close\r\n\r\n');
    let text = '';
    for await (const chunk of ours) text += chunk;
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).toContain('"version_major":"25.1"');
  });
});
