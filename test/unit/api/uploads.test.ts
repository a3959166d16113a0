import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { Uploads } from '../../../node/datasets/uploads.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { closeTestApis, openTestApi, type TestUser } from './data-api.js';

afterEach(closeTestApis);

const TUS = '/api/upload/resumable_upload';
const RESUMABLE = { 'tus-resumable': '1.0.0' };

/** TUS needs real sockets: it reads the connection itself. */
async function listening(change: Parameters<typeof openTestApi>[0] = {}) {
  const api = await openTestApi(change);
  const { url } = await api.server.start();
  const ana = await api.user('ana');
  const history = (await ana.post('/api/histories', { name: 'uploads' })).body.id as string;
  const send = (who: TestUser, method: string, path: string, headers: Record<string, string>, body?: Buffer) =>
    fetch(url + path, {
      method,
      headers: { ...RESUMABLE, ...(who.key ? { 'x-api-key': who.key } : {}), ...headers },
      ...(body ? { body: new Uint8Array(body) } : {}),
    });
  const create = (who: TestUser, size: number, name = 'data.txt', path = TUS) =>
    send(who, 'POST', path, {
      'upload-length': String(size),
      'upload-metadata': `filename ${Buffer.from(name).toString('base64')}`,
    });
  const patch = (who: TestUser, at: string, offset: number, bytes: Buffer) =>
    send(
      who,
      'PATCH',
      at,
      { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' },
      bytes,
    );
  const fetchTargets = (session: string, element: object = {}) => ({
    history_id: history,
    targets: [{ destination: { type: 'hdas' }, elements: [{ src: 'files', ext: 'auto', name: 'up', ...element }] }],
    'files_0|file_data': { session_id: session, name: 'up' },
  });
  return { ...api, url, ana, history, send, create, patch, fetchTargets };
}

function sessionOf(location: string | null): string {
  return location?.split('/').at(-1) ?? '';
}

it('a file comes in pieces, is resumed where it stopped, and becomes a dataset with exactly its bytes', async () => {
  const { ana, create, patch, send, fetchTargets, jobs } = await listening();
  const bytes = Buffer.from('first piece, second piece\n');
  const created = await create(ana, bytes.length, 'reads.txt', `${TUS}/`);
  expect(created.status).toBe(201);
  const location = created.headers.get('location') ?? '';
  expect(location).toMatch(new RegExp(`^${TUS}/[0-9a-f]{32}$`));
  expect(created.headers.get('x-galaxy-node')).toContain('test node');

  expect((await patch(ana, location, 0, bytes.subarray(0, 12))).status).toBe(204);
  const early = await ana.post('/api/tools/fetch', fetchTargets(sessionOf(location)));
  expect(early).toMatchObject({ status: 409, body: { err_msg: expect.stringContaining('12 of 26 bytes') } });
  const head = await send(ana, 'HEAD', location, {});
  expect(head.headers.get('upload-offset')).toBe('12');
  expect((await patch(ana, location, 5, bytes.subarray(5))).status).toBe(409);
  expect((await patch(ana, location, 12, bytes.subarray(12))).status).toBe(204);

  const made = await ana.post('/api/tools/fetch', fetchTargets(sessionOf(location)));
  expect(made).toMatchObject({
    status: 200,
    body: {
      outputs: [{ name: 'up', output_name: 'output0', hid: 1, model_class: 'HistoryDatasetAssociation' }],
      jobs: [{ tool_id: '__DATA_FETCH__', model_class: 'Job' }],
      output_collections: [],
      implicit_collections: [],
      produces_entry_points: false,
    },
  });
  expect(jobs.fetched[0]?.items[0]).toMatchObject({ name: 'up', extension: 'auto', toPosixLines: false });
  expect((await ana.get(`/api/datasets/${made.body.outputs[0].id}/display`)).text).toBe(bytes.toString());
  const again = await ana.post('/api/tools/fetch', fetchTargets(sessionOf(location)));
  expect(again).toMatchObject({ status: 404, body: { err_code: 404001 } });
});

it('an upload is seen, written and used by its owner alone', async () => {
  const { ana, user, anonymous, create, patch, send, fetchTargets } = await listening();
  const bob = await user('bob');
  expect((await create(anonymous, 5)).status).toBe(403);
  const location = (await create(ana, 5)).headers.get('location') ?? '';
  expect((await send(bob, 'HEAD', location, {})).status).toBe(404);
  expect((await patch(bob, location, 0, Buffer.from('mine!'))).status).toBe(404);
  expect((await send(bob, 'DELETE', location, {})).status).toBe(404);
  expect((await patch(ana, location, 0, Buffer.from('mine!'))).status).toBe(204);
  const history = (await bob.post('/api/histories', { name: 'bobs' })).body.id;
  const stolen = await bob.post('/api/tools/fetch', { ...fetchTargets(sessionOf(location)), history_id: history });
  expect(stolen.status).toBe(404);
  expect((await ana.post('/api/tools/fetch', fetchTargets(sessionOf(location)))).status).toBe(200);
});

it('an upload that was refused by the jobs can be used again', async () => {
  const { ana, create, patch, fetchTargets, jobs } = await listening();
  const location = (await create(ana, 5)).headers.get('location') ?? '';
  await patch(ana, location, 0, Buffer.from('bytes'));
  jobs.refusal = new Error('the queue is full');
  expect((await ana.post('/api/tools/fetch', fetchTargets(sessionOf(location)))).status).toBe(500);
  jobs.refusal = undefined;
  expect((await ana.post('/api/tools/fetch', fetchTargets(sessionOf(location)))).status).toBe(200);
});

it('an upload without metadata, as tuspy sends it, is taken', async () => {
  const { ana, send, patch, fetchTargets } = await listening();
  const created = await send(ana, 'POST', TUS, { 'upload-length': '3', 'upload-metadata': '' });
  expect(created.status).toBe(201);
  const location = created.headers.get('location') ?? '';
  await patch(ana, location, 0, Buffer.from('abc'));
  const made = await ana.post('/api/tools/fetch', fetchTargets(sessionOf(location), { name: undefined }));
  expect(made.body.outputs).toMatchObject([{ name: 'up', file_size: 3 }]);
});

it('a file over the limit is refused before its first byte', async () => {
  const { ana, create } = await listening({ 'uploads.sizeMaxBytes': 1000 });
  const refused = await create(ana, 1001);
  expect([refused.status, refused.headers.get('tus-resumable')]).toEqual([413, '1.0.0']);
  expect(await refused.json()).toEqual({
    err_msg: expect.stringContaining('The file is larger than this node takes (1000 bytes).'),
    err_code: 413001,
  });
  expect((await create(ana, 1000)).status).toBe(201);
});

it('what the protocol refuses has Galaxy’s shape as well, and HEAD no body', async () => {
  const { ana, send, create } = await listening();
  const location = (await create(ana, 10)).headers.get('location') ?? '';
  const wrongOffset = { 'upload-offset': '5', 'content-type': 'application/offset+octet-stream' };
  const refused = await send(ana, 'PATCH', location, wrongOffset, Buffer.from('x'));
  expect([refused.status, await refused.json()]).toEqual([409, { err_msg: expect.any(String), err_code: 409001 }]);
  const noLength = await send(ana, 'POST', TUS, {});
  expect([noLength.status, ((await noLength.json()) as { err_code: number }).err_code]).toEqual([400, 400008]);
  const head = await send(ana, 'HEAD', `${TUS}/${'0'.repeat(32)}`, {});
  expect([head.status, await head.text()]).toEqual([404, '']);
});

it('a full disk refuses uploads in words, keeps what was there, and goes on when there is space', async () => {
  const { ana, create, patch, disk, history } = await listening();
  const location = (await create(ana, 10)).headers.get('location') ?? '';
  await patch(ana, location, 0, Buffer.from('01234'));
  disk.free = 100;
  const refused = await create(ana, 10);
  expect(refused.status).toBe(507);
  expect(refused.headers.get('content-type')).toMatch(/^application\/json/);
  expect(await refused.json()).toEqual({
    err_msg: expect.stringContaining('too full for this upload (100 bytes free)'),
    err_code: 507001,
  });
  expect((await patch(ana, location, 5, Buffer.from('56789'))).status).toBe(507);
  const boundary = 'xx';
  const form = multipart(
    boundary,
    { history_id: history, tool_id: 'upload1', inputs: '{}' },
    'files_0|file_data',
    'f',
    'x',
  );
  const formRefused = await ana.request('POST', '/api/tools', form, type(boundary));
  expect(formRefused).toMatchObject({ status: 507, body: { err_code: 507001 } });
  disk.free = 10 ** 12;
  expect((await patch(ana, location, 5, Buffer.from('56789'))).status).toBe(204);
});

it('what was declared and has not come counts as taken, for resumable uploads and forms, until it is removed', async () => {
  const { ana, user, create, send, disk, uploads } = await listening({ 'uploads.sizeMaxBytes': 50_000_000 });
  const bob = await user('bob');
  disk.free = 83_000_000;
  // All at once: what one has taken, the next finds taken.
  const answers = await Promise.all(Array.from({ length: 5 }, (_, n) => create(n % 2 ? ana : bob, 50_000_000)));
  const [begun, ...more] = answers.filter(({ status }) => status === 201);
  expect(more).toEqual([]);
  const refused = answers.filter(({ status }) => status === 507);
  expect(refused).toHaveLength(4);
  expect(await refused[0]?.json()).toEqual({
    err_msg: expect.stringContaining('needed for uploads that have begun (50000000 bytes to come)'),
    err_code: 507001,
  });
  disk.free = 50_000_000;
  const form = async function* () {
    yield Buffer.from('x');
  };
  await expect(uploads.receive('f', form())).rejects.toMatchObject({ code: 'uploads/space-taken' });
  const location = begun?.headers.get('location') ?? '';
  const statuses = [await send(ana, 'DELETE', location, {}), await send(bob, 'DELETE', location, {})].map(
    (a) => a.status,
  );
  expect(statuses).toContain(204);
  await (await uploads.receive('f', form())).release();
});

it('one account has only so many bytes declared, another its own, and a restart forgets none', async () => {
  const { ana, user, create, patch, fetchTargets, folder } = await listening({ 'uploads.sizeMaxBytes': 1000 });
  const bob = await user('bob');
  const first = (await create(ana, 1000)).headers.get('location') ?? '';
  for (let n = 0; n < 3; n++) expect((await create(ana, 1000)).status).toBe(201);
  const refused = await create(ana, 1);
  expect([refused.status, await refused.json()]).toEqual([
    429,
    {
      err_msg:
        'Your uploads that are not finished or not used yet would come to 4001 bytes; 4000 are taken. Finish, use or remove some of them first.',
      err_code: 429001,
    },
  ]);
  expect((await create(bob, 1000)).status).toBe(201);
  // As a new process finds the folder: 5000 bytes are to come.
  const restarted = (free: number) =>
    new Uploads(
      { clock: systemClock, random: systemRandom, log: silentLogger, freeBytes: async () => free },
      { folder: join(folder, 'uploads'), sizeMaxBytes: 1000, minFreeBytes: 0 },
    );
  const form = async function* () {
    yield Buffer.from('x');
  };
  for (const [free, isTaken] of [
    [4999, false],
    [5000, true],
  ] as const) {
    const again = restarted(free);
    await again.start();
    const received = again.receive('f', form());
    if (isTaken) await (await received).release();
    else await expect(received).rejects.toMatchObject({ code: 'uploads/space-taken', data: { toCome: 5000 } });
    await again.stop();
  }
  // Used, it counts no more.
  await patch(ana, first, 0, Buffer.alloc(1000, 'x'));
  expect((await ana.post('/api/tools/fetch', fetchTargets(sessionOf(first)))).status).toBe(200);
  expect((await create(ana, 1000)).status).toBe(201);
});

it('a node that is closing takes no new upload and lets a begun one end', async () => {
  const { ana, create, patch, uploads } = await listening();
  const location = (await create(ana, 4)).headers.get('location') ?? '';
  uploads.close('it is draining');
  const refused = await create(ana, 4);
  expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('draining')]);
  expect((await patch(ana, location, 0, Buffer.from('last'))).status).toBe(204);
  uploads.reopen();
  expect((await create(ana, 4)).status).toBe(201);
});

it('half of a form that a dead process was receiving is gone at the next start', async () => {
  const { uploads, folder } = await listening();
  const claimed = join(folder, 'uploads', 'claimed');
  const whole = await uploads.receive(
    'f',
    (async function* () {
      yield Buffer.from('whole');
    })(),
  );
  await writeFile(join(claimed, '00112233445566778899aabbccddeeff.part'), 'half');
  await uploads.stop();
  await uploads.start();
  expect((await readdir(claimed)).map((name) => join(claimed, name))).toEqual([whole.path]);
});

it('abandoned uploads are removed after their time, others stay', async () => {
  const { ana, create, patch, uploads, folder } = await listening();
  const old = (await create(ana, 4)).headers.get('location') ?? '';
  const fresh = (await create(ana, 4)).headers.get('location') ?? '';
  await patch(ana, fresh, 0, Buffer.from('ab'));
  const incoming = join(folder, 'uploads', 'incoming');
  const longAgo = new Date('2020-01-01');
  await utimes(join(incoming, sessionOf(old)), longAgo, longAgo);
  await utimes(join(incoming, `${sessionOf(old)}.json`), longAgo, longAgo);
  await utimes(join(incoming, `${sessionOf(fresh)}.json`), longAgo, longAgo);
  expect(await uploads.sweep()).toBe(2);
  expect((await readdir(incoming)).sort()).toEqual([sessionOf(fresh), `${sessionOf(fresh)}.json`].sort());
});

function type(boundary: string) {
  return { 'content-type': `multipart/form-data; boundary=${boundary}` };
}

function multipart(boundary: string, fields: Record<string, string>, name: string, filename: string, content: string) {
  const parts = Object.entries(fields).map(
    ([key, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${key}"\r\n\r\n${value}\r\n`,
  );
  const file = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${filename}"\r\nContent-Type: application/octet-stream\r\n\r\n${content}\r\n`;
  return Buffer.from(`${parts.join('')}${file}--${boundary}--\r\n`);
}

it('a file inside a form is taken by both of Galaxy’s upload calls', async () => {
  const { ana, history, jobs, folder } = await listening();
  const targets = JSON.stringify([{ destination: { type: 'hdas' }, elements: [{ src: 'files', ext: 'txt' }] }]);
  const viaFetch = multipart(
    'b1',
    { history_id: history, targets },
    'files_0|file_data',
    'in form.txt',
    'from a form\n',
  );
  const fetched = await ana.request('POST', '/api/tools/fetch', viaFetch, type('b1'));
  expect(fetched).toMatchObject({ status: 200, body: { outputs: [{ name: 'in form.txt', file_ext: 'txt' }] } });
  const inputs = JSON.stringify({
    file_type: 'txt',
    dbkey: 'hg19',
    'files_0|NAME': 'named',
    'files_0|type': 'upload_dataset',
  });
  const legacy = multipart(
    'b2',
    { history_id: history, tool_id: 'upload1', inputs },
    'files_0|file_data',
    'x',
    'second\n',
  );
  const made = await ana.request('POST', '/api/tools', legacy, type('b2'));
  expect(made.body).toMatchObject({
    outputs: [{ name: 'named', genome_build: 'hg19' }],
    jobs: [{ tool_id: 'upload1' }],
  });
  expect((await ana.get(`/api/datasets/${made.body.outputs[0].id}/display`)).text).toBe('second\n');
  const source = jobs.fetched[0]?.items[0]?.source;
  expect(source?.kind === 'file' && (await readFile(source.path, 'utf8'))).toBe('from a form\n');

  const broken = viaFetch.subarray(0, viaFetch.length - 20);
  const before = await readdir(join(folder, 'uploads', 'claimed'));
  expect((await ana.request('POST', '/api/tools/fetch', broken, type('b1'))).status).toBeGreaterThanOrEqual(400);
  expect(await readdir(join(folder, 'uploads', 'claimed'))).toEqual(before);
});

it('a form that is refused leaves no file behind', async () => {
  const { ana, history, folder } = await listening({ 'uploads.sizeMaxBytes': 100 });
  const claimed = join(folder, 'uploads', 'claimed');
  await writeFile(join(claimed, 'kept'), '');
  const unknown = multipart('b', { history_id: history, tool_id: 'nothing' }, 'files_0|file_data', 'x', 'y');
  expect((await ana.request('POST', '/api/tools', unknown, type('b'))).status).toBe(404);
  const targets = JSON.stringify([{ destination: { type: 'hdas' }, elements: [{ src: 'files' }] }]);
  const large = multipart('b', { history_id: history, targets }, 'files_0|file_data', 'x', 'y'.repeat(101));
  expect(await ana.request('POST', '/api/tools/fetch', large, type('b'))).toMatchObject({ status: 413 });
  expect(await readdir(claimed)).toEqual(['kept']);
});

it('pasted text becomes a dataset, with the wishes for its lines', async () => {
  const { ana, history, jobs } = await listening();
  const element = { src: 'pasted', paste_content: 'a b\nc d', space_to_tab: true, to_posix_lines: true, dbkey: 'hg19' };
  const body = {
    history_id: history,
    targets: [{ destination: { type: 'hdas' }, elements: [element] }],
    auto_decompress: true,
  };
  const made = await ana.post('/api/tools/fetch', body);
  expect(made.body.outputs).toMatchObject([{ name: 'Pasted Entry', state: 'ok' }]);
  expect(jobs.fetched[0]?.items[0]).toEqual({
    name: 'Pasted Entry',
    extension: 'auto',
    genomeBuild: 'hg19',
    toPosixLines: true,
    spaceToTab: true,
    autoDecompress: true,
    tags: [],
    source: { kind: 'text', text: 'a b\nc d' },
  });
  await ana.paste(history, 'x', { 'files_0|space_to_tab': 'Yes' });
  expect(jobs.fetched[1]?.items[0]).toMatchObject({ toPosixLines: true, spaceToTab: true, autoDecompress: false });
});

it('what is not offered is refused by name', async () => {
  const { ana, history } = await listening();
  const fetchWith = (element: object, destination: object = { type: 'hdas' }) =>
    ana.post('/api/tools/fetch', { history_id: history, targets: [{ destination, elements: [element] }] });
  const url = await fetchWith({ src: 'url', url: 'https://example.org/a.bed' });
  expect(url).toMatchObject({
    status: 400,
    body: { err_msg: expect.stringContaining('Fetching by URL is not offered yet') },
  });
  const pasted = await fetchWith({
    src: 'pasted',
    paste_content: ' https://example.org/a.bed\nhttps://example.org/b.bed',
  });
  expect(pasted.body.err_msg).toContain('https://example.org/a.bed');
  expect((await ana.paste(history, 'ftp://example.org/x')).status).toBe(400);
  expect((await fetchWith({ src: 'ftp_import', ftp_path: 'x' })).status).toBe(501);
  expect((await fetchWith({ src: 'pasted', paste_content: 'x' }, { type: 'library' })).status).toBe(501);
  expect((await ana.post('/api/tools/fetch', { history_id: history, targets: [] })).status).toBe(400);
  expect((await ana.post('/api/tools/fetch', { history_id: history, targets: 'nonsense' })).status).toBe(400);
  expect((await fetchWith({ src: 'files' })).status).toBe(400);
  const deleted = await ana.delete(`/api/histories/${history}`);
  expect(deleted.status).toBe(200);
  expect((await fetchWith({ src: 'pasted', paste_content: 'x' })).status).toBe(409);
});
