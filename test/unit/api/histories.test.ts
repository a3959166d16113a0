import { afterEach, expect, it } from 'vitest';
import { closeTestApis, MASTER_KEY, openTestApi } from './data-api.js';

afterEach(closeTestApis);

it('a history is made, renamed, deleted, undeleted and purged', async () => {
  const { user } = await openTestApi();
  const ana = await user('ana');
  const made = await ana.post('/api/histories', { name: 'first' });
  expect(made).toMatchObject({ status: 200, body: { name: 'first', state: 'new', model_class: 'History', count: 0 } });
  const url = `/api/histories/${made.body.id}`;
  expect(made.body.url).toBe(url);

  const renamed = await ana.put(url, { name: 'second', annotation: 'why', tags: ['b', 'a'] });
  expect(renamed.body).toMatchObject({ name: 'second', annotation: 'why', tags: ['b', 'a'] });
  expect((await ana.delete(url)).body).toMatchObject({ deleted: true, purged: false });
  expect((await ana.get('/api/histories')).body).toEqual([]);
  expect((await ana.get('/api/histories?q=deleted&qv=True&q=purged&qv=False')).body).toHaveLength(1);
  expect((await ana.post(`/api/histories/deleted/${made.body.id}/undelete`)).body).toMatchObject({ deleted: false });
  expect((await ana.get('/api/histories')).body).toHaveLength(1);
  expect((await ana.delete(url, { purge: true })).body).toMatchObject({ deleted: true, purged: true });
  const undeleted = await ana.post(`/api/histories/deleted/${made.body.id}/undelete`);
  expect(undeleted).toMatchObject({ status: 409, body: { err_code: 409001 } });
});

it('lists are filtered, ordered and paged, and say how many there are', async () => {
  const { user } = await openTestApi();
  const ana = await user('ana');
  for (const name of ['cherry', 'apple', 'banana']) await ana.post('/api/histories', { name });
  const names = async (query: string) =>
    (await ana.get(`/api/histories?${query}`)).body.map((h: { name: string }) => h.name);
  expect(await names('order=name-asc')).toEqual(['apple', 'banana', 'cherry']);
  expect(await names('order=create_time')).toEqual(['banana', 'apple', 'cherry']);
  expect(await names('q=name-contains&qv=an')).toEqual(['banana']);
  expect(await names('q=name-in&qv=apple,cherry&order=name')).toEqual(['apple', 'cherry']);
  expect(await names('order=name&limit=1&offset=1')).toEqual(['banana']);
  expect(await names('search=CHER')).toEqual(['cherry']);
  expect((await ana.get('/api/histories?limit=1')).headers.total_matches).toBe('3');
  expect((await ana.get('/api/histories/count')).body).toBe(3);
  expect((await ana.get('/api/histories?keys=name')).body[0]).toEqual({ id: expect.any(String), name: 'banana' });
  const grid = (await ana.get('/api/histories?view=summary&keys=username,nice_size&limit=1')).body[0];
  expect(grid).toMatchObject({ name: 'banana', username: 'ana', nice_size: '0 bytes' });
  for (const bad of [
    'q=colour&qv=red',
    'q=name',
    'order=colour',
    'q=deleted&qv=perhaps',
    'q=update_time-ge&qv=today',
  ]) {
    expect(await ana.get(`/api/histories?${bad}`)).toMatchObject({ status: 400, body: { err_code: 400008 } });
  }
});

it('ids of others are refused by what they are: malformed, unknown, not accessible, not owned', async () => {
  const { user, anonymous } = await openTestApi();
  const [ana, bob, root] = [await user('ana'), await user('bob'), await user('root', { admin: true })];
  const { id } = (await ana.post('/api/histories', { name: 'mine' })).body;
  expect(await bob.get('/api/histories/not-an-id')).toMatchObject({ status: 400, body: { err_code: 400009 } });
  expect(await bob.get('/api/histories/00000000000000ff')).toMatchObject({ status: 404, body: { err_code: 404001 } });
  expect(await bob.get(`/api/histories/${id}`)).toMatchObject({ status: 403, body: { err_code: 403002 } });
  expect(await bob.put(`/api/histories/${id}`, { name: 'x' })).toMatchObject({
    status: 403,
    body: { err_code: 403003 },
  });
  expect(await bob.delete(`/api/histories/${id}`)).toMatchObject({ status: 403 });
  expect(await anonymous.get('/api/histories')).toMatchObject({ status: 200, body: [] });
  expect(await anonymous.get('/api/histories/count')).toMatchObject({ status: 200, body: 0 });
  expect(await anonymous.post('/api/histories', {})).toMatchObject({ status: 403, body: { err_code: 403001 } });
  expect(await bob.get('/api/histories?all=true')).toMatchObject({ status: 403, body: { err_code: 403006 } });
  expect((await root.get(`/api/histories/${id}`)).body).toMatchObject({ name: 'mine', owner: false });
  expect((await root.get('/api/histories?all=true')).body.map((h: { id: string }) => h.id)).toContain(id);
  const master = await anonymous.post('/api/histories', {}, { 'x-api-key': MASTER_KEY });
  expect(master).toMatchObject({ status: 403, body: { err_code: 403001 } });
});

it('a published history can be found and read by everybody, and copied by a user', async () => {
  const { user, anonymous } = await openTestApi();
  const [ana, bob] = [await user('ana'), await user('bob')];
  const { id } = (await ana.post('/api/histories', { name: 'For All!' })).body;
  const { id: other } = (await ana.post('/api/histories', { name: 'for all' })).body;
  const dataset = (await ana.paste(id, 'shared text\n')).body.outputs[0];
  expect((await anonymous.get('/api/histories/published')).body).toEqual([]);
  const shared = (await ana.put(`/api/histories/${id}`, { published: true })).body;
  expect(shared).toMatchObject({
    published: true,
    importable: true,
    slug: 'for-all',
    username_and_slug: 'u/ana/h/for-all',
  });
  expect((await ana.put(`/api/histories/${other}/publish`)).body).toMatchObject({ published: true, username: 'ana' });
  expect((await ana.get(`/api/histories/${other}`)).body.slug).toBe('for-all-2');
  expect((await anonymous.get('/api/histories/published?q=slug&qv=for-all')).body).toMatchObject([{ id }]);
  expect((await anonymous.get(`/api/histories/${id}/contents`)).body).toHaveLength(1);
  expect((await anonymous.get(`/api/datasets/${dataset.id}/display`)).text).toBe('shared text\n');
  expect((await bob.put(`/api/histories/${id}/slug`, { new_slug: 'mine' })).status).toBe(403);

  const copy = (await bob.post('/api/histories', { history_id: id })).body;
  expect(copy).toMatchObject({ name: "Copy of 'For All!'", user_id: bob.account, count: 1 });
  const [item] = (await bob.get(`/api/histories/${copy.id}/contents`)).body;
  expect(item).toMatchObject({ state: 'ok', hid: 1 });
  expect(item.id).not.toBe(dataset.id);
  expect((await bob.get(`/api/datasets/${item.id}/display`)).text).toBe('shared text\n');

  await ana.put(`/api/histories/${id}`, { published: false, importable: false });
  expect((await anonymous.get(`/api/datasets/${dataset.id}/display`)).status).toBe(404);
  expect((await bob.get(`/api/datasets/${item.id}/display`)).text).toBe('shared text\n');
});

it('a purged history takes its datasets with it', async () => {
  const { user } = await openTestApi();
  const ana = await user('ana');
  const { id } = (await ana.post('/api/histories', { name: 'a' })).body;
  const dataset = (await ana.paste(id, 'some bytes')).body.outputs[0].id;
  expect((await ana.get(`/api/histories/${id}`)).body.size).toBe(10);
  await ana.delete(`/api/histories/${id}?purge=true`);
  expect((await ana.get(`/api/histories/${id}`)).body.size).toBe(0);
  expect((await ana.get(`/api/datasets/${dataset}`)).body).toMatchObject({ purged: true, deleted: true });
});

it('the poll answers null until something in the history has changed', async () => {
  const { user, anonymous, jobs } = await openTestApi();
  expect(await anonymous.get('/history/current_history_json')).toMatchObject({ status: 200, text: 'null' });
  const ana = await user('ana');
  const first = await ana.get('/history/current_history_json');
  expect(first).toMatchObject({ status: 200, body: { state: 'new', contents_active: { active: 0 }, owner: true } });
  const poll = (since: string) => ana.get(`/history/current_history_json?since=${encodeURIComponent(since)}`);
  expect(await poll(first.body.update_time)).toMatchObject({ status: 200, text: 'null' });

  jobs.endsUploads = false;
  const run = await ana.paste(first.body.id, 'text');
  const second = await poll(first.body.update_time);
  expect(second.body).toMatchObject({ state: 'queued', contents_active: { active: 1 }, contents_states: { new: 1 } });
  expect((await poll(second.body.update_time)).text).toBe('null');

  await jobs.finish(ana.account, run.body.jobs[0].id, { output0: 'text\n' });
  const third = await poll(second.body.update_time);
  expect(third.body).toMatchObject({ state: 'ok', size: 5, nice_size: '5 bytes', contents_states: { ok: 1 } });
  await ana.put(`/api/datasets/${run.body.outputs[0].id}`, { name: 'renamed' });
  expect((await poll(third.body.update_time)).body).toMatchObject({ id: first.body.id });
});

it('another history becomes the current one, and a deleted one is current no more', async () => {
  const { user } = await openTestApi();
  const ana = await user('ana');
  const first = (await ana.get('/history/current_history_json')).body;
  const second = (await ana.get('/history/create_new_current')).body;
  expect(second.id).not.toBe(first.id);
  expect((await ana.get('/history/current_history_json')).body.id).toBe(second.id);
  expect((await ana.get(`/history/set_as_current?id=${first.id}`)).body.id).toBe(first.id);
  expect((await ana.get('/history/current_history_json')).body.id).toBe(first.id);
  await ana.put(`/api/histories/${second.id}/set_as_current`);
  await ana.delete(`/api/histories/${second.id}`);
  expect((await ana.get('/history/current_history_json')).body.id).toBe(first.id);
  expect((await ana.get('/api/histories/most_recently_used')).body.id).toBe(first.id);
});

it('a batch is deleted whole or not at all', async () => {
  const { user } = await openTestApi();
  const ana = await user('ana');
  const ids: string[] = [];
  for (const name of ['a', 'b']) ids.push((await ana.post('/api/histories', { name })).body.id);
  const unknown = await ana.put('/api/histories/batch/delete', { ids: [...ids, '00000000000000ff'] });
  expect(unknown.status).toBe(404);
  expect((await ana.get('/api/histories/count')).body).toBe(2);
  expect((await ana.put('/api/histories/batch/delete', { ids })).body).toMatchObject([
    { deleted: true },
    { deleted: true },
  ]);
  expect((await ana.put('/api/histories/batch/undelete', { ids: [ids[0]] })).body).toMatchObject([{ deleted: false }]);
  expect((await ana.get('/api/histories/count')).body).toBe(1);
});

it('tags are added one by one, and an archived history leaves the list', async () => {
  const { user } = await openTestApi();
  const ana = await user('ana');
  const { id } = (await ana.post('/api/histories', { name: 'a' })).body;
  await ana.post(`/api/histories/${id}/tags/tag1`);
  await ana.post(`/api/histories/${id}/tags/tag2`);
  expect((await ana.get(`/api/histories/${id}`)).body.tags).toEqual(['tag1', 'tag2']);
  await ana.post(`/api/histories/${id}/archive`);
  expect((await ana.get('/api/histories')).body).toEqual([]);
  expect((await ana.get('/api/histories/archived')).body).toMatchObject([{ id, archived: true }]);
  expect((await ana.put(`/api/histories/${id}/archive/restore`)).body.archived).toBe(false);
});
