import { afterEach, expect, it } from 'vitest';
import { closeTestApis, openTestApi } from './data-api.js';

afterEach(closeTestApis);

async function withDatasets(...texts: string[]) {
  const api = await openTestApi();
  const ana = await api.user('ana');
  const history = (await ana.post('/api/histories', { name: 'data' })).body.id as string;
  const ids: string[] = [];
  for (const text of texts) ids.push((await ana.paste(history, text)).body.outputs[0].id);
  return { ...api, ana, history, contents: `/api/histories/${history}/contents`, ids };
}

it('a dataset is listed with its summary, and shown with its details', async () => {
  const { ana, contents, history, ids } = await withDatasets('one\n<b>two</b>\n');
  const [summary] = (
    await ana.get(`${contents}?v=dev&order=hid&offset=0&limit=100&q=deleted&qv=false&q=visible&qv=true`)
  ).body;
  expect(summary).toMatchObject({
    id: ids[0],
    hid: 1,
    name: 'Pasted Entry',
    history_id: history,
    history_content_type: 'dataset',
    type_id: `dataset-${ids[0]}`,
    extension: 'txt',
    state: 'ok',
    deleted: false,
    visible: true,
  });
  const detailed = (await ana.get(`/api/datasets/${ids[0]}?view=detailed&hda_ldda=hda`)).body;
  expect(detailed).toMatchObject({
    file_size: 15,
    file_ext: 'txt',
    data_type: 'galaxy.datatypes.data.Text',
    download_url: `${contents}/${ids[0]}/display`,
    metadata_dbkey: '?',
    metadata_data_lines: 1,
    creating_job: expect.stringMatching(/^[0-9a-f]{16}$/),
    genome_build: '?',
  });
  expect(detailed.peek).toContain('&lt;b&gt;two&lt;/b&gt;');
  expect(detailed.peek).not.toContain('<b>');
  expect((await ana.get(`${contents}?details=${ids[0]}`)).body[0].file_size).toBe(15);
  expect((await ana.get(`${contents}/datasets/${ids[0]}`)).body).toEqual(detailed);
  const some = (await ana.get(`${contents}/${ids[0]}?keys=file_size,nonsense`)).body;
  expect(some).toEqual({ id: ids[0], file_size: 15 });
  expect((await ana.get(`${contents}?view=detailed`)).body[0].peek).toBe(detailed.peek);
});

it('contents are filtered, ordered, paged and counted', async () => {
  const { ana, contents, ids } = await withDatasets('a', 'b', 'c');
  const found = async (query: string) =>
    (await ana.get(`${contents}?v=dev&${query}`)).body.map((d: { hid: number }) => d.hid);
  await ana.put(`${contents}/${ids[1]}`, { visible: false, tags: ['x'], name: 'Renamed.bam' });
  await ana.delete(`${contents}/${ids[2]}`);
  expect(await found('')).toEqual([1, 2, 3]);
  expect(await found('order=hid')).toEqual([3, 2, 1]);
  expect(await found('order=hid-asc&limit=1&offset=1')).toEqual([2]);
  expect(await found('q=deleted&qv=false&q=visible&qv=true')).toEqual([1]);
  expect(await found('q=name-contains&qv=BAM')).toEqual([2]);
  expect(await found('q=name-like&qv=%25named%25')).toEqual([2]);
  expect(await found('q=tag&qv=x')).toEqual([2]);
  expect(await found('q=hid-ge&qv=2&q=hid-lt&qv=3')).toEqual([2]);
  expect(await found('q=state-in&qv=ok,queued')).toEqual([1, 2, 3]);
  expect(await found('q=extension-in&qv=bam,txt')).toEqual([1, 2, 3]);
  expect(await found('q=history_content_type-eq&qv=dataset_collection')).toEqual([]);
  expect(await found(`q=type_id-in&qv=dataset-${ids[0]}`)).toEqual([1]);
  expect(await found('q=update_time-ge&qv=2100-01-01T00:00:00')).toEqual([]);
  expect((await ana.get(`${contents}?v=dev&q=state&qv=nonexistent`)).status).toBe(400);
  expect((await ana.get(`${contents}?deleted=true`)).body).toHaveLength(1);
  const stats = await ana.get(`${contents}?v=dev&limit=1`, {
    accept: 'application/vnd.galaxy.history.contents.stats+json',
  });
  expect(stats.body).toMatchObject({ stats: { total_matches: 3 }, contents: [{ hid: 1 }] });
});

it('what changed within the last minute before the asked time is answered too, for clocks that differ', async () => {
  const { ana, contents } = await withDatasets('a');
  const [{ update_time }] = (await ana.get(contents)).body;
  const at = Date.parse(`${update_time}Z`);
  const since = (ms: number) => ana.get(`${contents}?v=dev&q=update_time-ge&qv=${new Date(at + ms).toISOString()}`);
  expect((await since(30_000)).body).toHaveLength(1);
  expect((await since(61_000)).body).toHaveLength(0);
});

it('a dataset is deleted, undeleted and purged; a purged one stays purged', async () => {
  const { ana, contents, ids } = await withDatasets('a');
  const url = `${contents}/${ids[0]}`;
  expect((await ana.delete(url)).body).toMatchObject({ deleted: true, purged: false });
  expect((await ana.put(url, { deleted: false })).body).toMatchObject({ deleted: false });
  expect((await ana.delete(url, { purge: true })).body).toMatchObject({ deleted: true, purged: true });
  expect((await ana.put(url, { deleted: false })).status).toBe(409);
  expect((await ana.get(`/api/datasets/${ids[0]}/display`)).status).toBe(404);
  expect((await ana.get('/api/datasets?q=purged&qv=True')).body).toHaveLength(1);
});

it('a datatype that does not exist is refused, a known one is set', async () => {
  const { ana, contents, ids } = await withDatasets('a');
  const url = `${contents}/${ids[0]}`;
  expect((await ana.put(url, { datatype: 'tabular' })).body).toMatchObject({
    extension: 'tabular',
    file_ext: 'tabular',
  });
  expect(await ana.put(url, { datatype: 'nonsense' })).toMatchObject({ status: 400, body: { err_code: 400008 } });
  expect((await ana.put(url, { genome_build: 'hg19' })).body).toMatchObject({
    genome_build: 'hg19',
    metadata_dbkey: 'hg19',
  });
});

it('bulk operations change what they can and say what they could not', async () => {
  const { ana, contents, ids } = await withDatasets('a', 'b');
  const items = [...ids, '00000000000000ff'].map((id) => ({ id, history_content_type: 'dataset' }));
  const hidden = await ana.put(`${contents}/bulk`, { operation: 'hide', items });
  expect(hidden.body).toMatchObject({ success_count: 2, errors: [{ item: { id: '00000000000000ff' } }] });
  const all = await ana.put(`${contents}/bulk?q=visible&qv=false`, { operation: 'add_tags', params: { tags: ['t'] } });
  expect(all.body).toEqual({ success_count: 2, errors: [] });
  const purged = await ana.put(`${contents}/bulk`, { operation: 'purge', items: items.slice(0, 1) });
  expect(purged.body.success_count).toBe(1);
  const undeleted = await ana.put(`${contents}/bulk`, { operation: 'undelete', items: items.slice(0, 1) });
  expect(undeleted.body).toMatchObject({ success_count: 0, errors: [{ error: expect.stringContaining('purged') }] });
  expect((await ana.put(`${contents}/bulk`, { operation: 'change_datatype', items })).status).toBe(400);
  expect((await ana.get(contents)).body).toMatchObject([
    { visible: false, tags: ['t'], purged: true },
    { visible: false, tags: ['t'], purged: false },
  ]);
});

it('a copy has a new id and hid and the same bytes, also when the original is not finished', async () => {
  const { ana, contents, ids, jobs, history } = await withDatasets('a\n');
  const copy = await ana.post(contents, { type: 'dataset', source: 'hda', content: ids[0] });
  expect(copy.body).toMatchObject({ hid: 2, state: 'ok', copied_from_history_dataset_association_id: ids[0] });
  expect((await ana.get(`/api/datasets/${copy.body.id}/display`)).text).toBe('a\n');
  jobs.endsUploads = false;
  const upload = (await ana.paste(history, 'later')).body;
  const early = (await ana.post(contents, { source: 'hda', content: upload.outputs[0].id })).body;
  expect(early.state).toBe('new');
  await jobs.finish(ana.account, upload.jobs[0].id, { output0: 'later' });
  expect((await ana.get(`/api/datasets/${early.id}/display`)).text).toBe('later');
  expect((await ana.get(`/api/datasets/${copy.body.id}/inheritance_chain`)).body).toMatchObject([
    { id: ids[0], dep: 'data' },
  ]);
});

it('a download has a name, a length, an entity tag and ranges', async () => {
  const { ana, contents, ids } = await withDatasets('0123456789');
  await ana.put(`${contents}/${ids[0]}`, { name: 'a "b" ü/c' });
  const whole = await ana.get(`${contents}/${ids[0]}/display?to_ext=txt`);
  expect(whole.text).toBe('0123456789');
  expect(whole.headers['content-length']).toBe('10');
  expect(whole.headers['content-disposition']).toBe(
    'attachment; filename="Galaxy1-[a _b_ __c].txt"; filename*=UTF-8\'\'Galaxy1-%5Ba%20%22b%22%20%C3%BC_c%5D.txt',
  );
  const range = (value: string, extra = {}) => ana.get(`/datasets/${ids[0]}/display`, { range: value, ...extra });
  expect(await range('bytes=2-4')).toMatchObject({ status: 206, text: '234' });
  expect((await range('bytes=2-4')).headers['content-range']).toBe('bytes 2-4/10');
  expect(await range('bytes=-3')).toMatchObject({ status: 206, text: '789' });
  expect(await range('bytes=8-')).toMatchObject({ status: 206, text: '89' });
  expect(await range('bytes=10-')).toMatchObject({ status: 416 });
  expect(await range('bytes=0-1', { 'if-range': '"another"' })).toMatchObject({ status: 200, text: '0123456789' });
  const etag = String(whole.headers.etag);
  expect(await ana.get(`/datasets/${ids[0]}/display`, { 'if-none-match': etag })).toMatchObject({
    status: 304,
    text: '',
  });
  const head = await ana.request('HEAD', `/datasets/${ids[0]}/display/?preview=True`, undefined);
  expect(head).toMatchObject({ status: 200, text: '' });
  expect(head.headers['content-length']).toBe('10');
});

it('a page inside a dataset can run nothing in our origin', async () => {
  const { ana, ids } = await withDatasets('<html><script>alert(1)</script></html>');
  const shown = await ana.get(`/datasets/${ids[0]}/display/?preview=True`);
  expect(shown.headers['content-type']).toBe('text/html; charset=utf-8');
  expect(shown.headers['content-security-policy']).toMatch(/^sandbox; default-src 'none'/);
  expect(shown.headers['content-security-policy']).not.toContain('allow-scripts');
  expect(shown.headers['x-content-type-options']).toBe('nosniff');
});

it('a long text is previewed in part, and what is no text is not shown as one', async () => {
  const { ana, contents, ids } = await withDatasets('line of text\n'.repeat(100_000));
  const preview = await ana.get(`/datasets/${ids[0]}/display/?preview=True`);
  expect(preview.text.length).toBe(1_000_000);
  expect(preview.headers['x-content-truncated']).toBe('1000000');
  const text = (await ana.get(`/api/datasets/${ids[0]}/get_content_as_text`)).body;
  expect(text.truncated).toBe(true);
  expect(text.item_data.endsWith('text\n')).toBe(true);
  const first = (await ana.get(`/datasets/${ids[0]}/display?offset=0&ck_size=20`)).body;
  expect(first).toEqual({ ck_data: 'line of text\n', offset: 13, data_line_offset: 0 });
  expect((await ana.get(`/dataset/display?dataset_id=${ids[0]}&offset=13`)).body.ck_data.slice(0, 5)).toBe('line ');
  await ana.put(`${contents}/${ids[0]}`, { datatype: 'data' });
  expect((await ana.get(`/datasets/${ids[0]}/display/?preview=True`)).text).toContain('cannot be shown as text');
});

it('a dataset without content says why', async () => {
  const { ana, history, jobs } = await withDatasets();
  jobs.endsUploads = false;
  const running = (await ana.paste(history, 'x')).body;
  const url = `/api/datasets/${running.outputs[0].id}`;
  expect(await ana.get(`${url}/display`)).toMatchObject({ status: 409, body: { err_code: 409001 } });
  await jobs.finish(ana.account, running.jobs[0].id, {}, { message: 'The disk was full.' });
  expect((await ana.get(url)).body).toMatchObject({ state: 'error', misc_info: 'The disk was full.' });
  const display = await ana.get(`${url}/display`);
  expect(display).toMatchObject({ status: 404, body: { err_msg: expect.stringContaining('The disk was full.') } });
});

it('what this node does with a job shows as the state of its outputs', async () => {
  const { ana, history, jobs } = await withDatasets();
  jobs.endsUploads = false;
  const { outputs, jobs: made } = (await ana.paste(history, 'x')).body;
  const state = async () => (await ana.get(`/api/datasets/${outputs[0].id}`)).body.state;
  expect(await state()).toBe('new');
  for (const local of ['queued', 'running', 'paused'] as const) {
    jobs.setLocal(ana.account, made[0].id, { state: local, reason: local });
    expect(await state()).toBe(local);
  }
  await jobs.cancel(ana.account, made[0].id);
  expect(await state()).toBe('discarded');
});

it('nobody reaches a dataset through another history or another account', async () => {
  const { ana, user, ids } = await withDatasets('secret');
  const other = (await ana.post('/api/histories', { name: 'other' })).body.id;
  expect((await ana.get(`/api/histories/${other}/contents/${ids[0]}`)).status).toBe(404);
  expect((await ana.put(`/api/histories/${other}/contents/${ids[0]}`, { name: 'x' })).status).toBe(404);
  const bob = await user('bob');
  for (const path of ['', '/display', '/get_content_as_text', '/storage', '/parameters_display']) {
    const refused = await bob.get(`/api/datasets/${ids[0]}${path}`);
    expect([refused.status, refused.text.includes('secret')]).toEqual([404, false]);
  }
  expect((await bob.put(`/api/datasets/${ids[0]}`, { name: 'x' })).status).toBe(404);
  expect((await bob.delete(`/api/datasets/${ids[0]}`)).status).toBe(404);
  const bobs = (await bob.post('/api/histories', { name: 'bobs' })).body.id;
  expect((await bob.post(`/api/histories/${bobs}/contents`, { source: 'hda', content: ids[0] })).status).toBe(404);
  expect((await bob.get('/api/datasets/nonexistent_id')).body).toMatchObject({ err_code: 400009 });
});

it('datasets of all histories are listed, newest first', async () => {
  const { ana, ids, history } = await withDatasets('a', 'b');
  const other = (await ana.post('/api/histories', { name: 'other' })).body.id;
  const third = (await ana.paste(other, 'c')).body.outputs[0].id;
  const listed = async (query: string) =>
    (await ana.get(`/api/datasets?${query}`)).body.map((d: { id: string }) => d.id);
  expect(await listed('')).toEqual([third, ids[1], ids[0]]);
  expect(await listed(`history_id=${history}&order=hid-asc`)).toEqual([ids[0], ids[1]]);
  expect(await listed(`history_id=${history}&offset=2`)).toEqual([]);
  expect(await listed('q=tool_id&qv=upload1&limit=1')).toEqual([third]);
  expect(await listed('q=tool_id&qv=cat1')).toEqual([]);
});

it('lists and pairs are made, shown, changed and deleted', async () => {
  const { ana, contents, ids, history } = await withDatasets('f', 'r');
  const pair = {
    type: 'dataset_collection',
    collection_type: 'paired',
    name: 'MyTestPair',
    element_identifiers: [
      { name: 'forward', src: 'hda', id: ids[0] },
      { name: 'reverse', src: 'hda', id: ids[1] },
    ],
  };
  const made = await ana.post(contents, pair);
  expect(made).toMatchObject({
    status: 200,
    body: {
      hid: 3,
      collection_type: 'paired',
      element_count: 2,
      elements: [
        { element_index: 0, element_identifier: 'forward', object: { id: ids[0], state: 'ok' } },
        { element_index: 1, element_identifier: 'reverse', object: { id: ids[1] } },
      ],
    },
  });
  const { id } = made.body;
  expect((await ana.get(contents)).body[2]).toMatchObject({ id, history_content_type: 'dataset_collection' });
  expect((await ana.get(`/api/dataset_collections/${id}?instance_type=history`)).body).toEqual(made.body);
  expect((await ana.get(`/api/dataset_collections/${id}/contents/${id}`)).body).toHaveLength(2);
  expect((await ana.put(`${contents}/dataset_collections/${id}`, { visible: false })).body.visible).toBe(false);
  expect((await ana.delete(`${contents}/dataset_collections/${id}`)).body.deleted).toBe(true);
  expect((await ana.get(`/api/datasets/${ids[0]}`)).body.deleted).toBe(false);
  await ana.delete(`${contents}/dataset_collections/${id}?recursive=true`);
  expect((await ana.get(`/api/datasets/${ids[0]}`)).body.deleted).toBe(true);

  const list = { ...pair, collection_type: 'list', history_id: history, copy_elements: true, name: 'copied' };
  const copied = (await ana.post('/api/dataset_collections', list)).body;
  expect(copied.elements[0].object.id).not.toBe(ids[0]);
  expect((await ana.post(contents, { ...pair, collection_type: 'sample_sheet' })).status).toBe(501);
  expect((await ana.post(contents, { ...pair, collection_type: 'list:paired' })).status).toBe(400);
  const twins = [pair.element_identifiers[0], pair.element_identifiers[0]];
  expect((await ana.post(contents, { ...list, type: 'dataset_collection', element_identifiers: twins })).status).toBe(
    400,
  );
});
