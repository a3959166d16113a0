import { afterEach, expect, it } from 'vitest';
import { closeTestApis, openTestApi } from './data-api.js';

afterEach(closeTestApis);

async function withInput() {
  const api = await openTestApi();
  const ana = await api.user('ana');
  const history = (await ana.post('/api/histories', { name: 'runs' })).body.id as string;
  const input = (await ana.paste(history, 'in\n')).body.outputs[0].id as string;
  const run = (inputs: object, extra: object = {}) =>
    ana.post('/api/tools', { history_id: history, tool_id: 'cat1', inputs, ...extra });
  return { ...api, ana, history, input, run };
}

it('the toolbox is told as a panel, as a list, by search and one by one', async () => {
  const { ana } = await withInput();
  const ids = (list: { id: string }[]) => list.map(({ id }) => id);
  const all = ['cat1', 'Show beginning1', 'shed/repos/x/tool/1.0'];
  const panel = (await ana.get('/api/tools')).body;
  expect(panel).toMatchObject([{ model_class: 'ToolSection', id: 'text', name: 'Text' }]);
  expect(ids(panel[0].elems)).toEqual(all);
  expect(ids((await ana.get('/api/tools?in_panel=False')).body)).toEqual(all);
  expect((await ana.get('/api/tools?q=beginning')).body).toEqual(['Show beginning1']);
  expect((await ana.get('/api/tool_panels')).body.default_panel_view).toBe('default');
  expect((await ana.get('/api/tool_panels/default')).body).toMatchObject({ text: { tools: all } });
  expect((await ana.get('/api/tool_panels/other')).status).toBe(404);
  expect((await ana.get('/api/tools/cat1?io_details=true')).body).toMatchObject({ id: 'cat1', inputs: [] });
  expect((await ana.get('/api/tools/nothing')).body).toMatchObject({ err_code: 404001 });
});

it('ids with spaces and slashes name their tools', async () => {
  const { ana, history } = await withInput();
  expect((await ana.get('/api/tools/Show%20beginning1')).body.id).toBe('Show beginning1');
  for (const id of ['shed/repos/x/tool/1.0', encodeURIComponent('shed/repos/x/tool/1.0')]) {
    expect((await ana.get(`/api/tools/${id}`)).body.id).toBe('shed/repos/x/tool/1.0');
    const form = await ana.post(`/api/tools/${id}/build`, { history_id: history, inputs: {} });
    expect(form.body).toMatchObject({ id: 'shed/repos/x/tool/1.0', history_id: history });
    expect((await ana.get(`/api/tools/${id}/citations`)).body).toEqual([]);
  }
  expect((await ana.get('/api/tools/cat1/raw_tool_source')).text).toBe('<tool/>');
  expect((await ana.get('/api/tools/cat1/requirements')).body).toMatchObject([{ name: 'coreutils', version: '9.1' }]);
});

it('the form is built for the current history, with what the user has chosen', async () => {
  const { ana, history, input } = await withInput();
  const form = await ana.get('/api/tools/cat1/build?version=latest&tool_version=latest');
  expect(form.body).toMatchObject({ id: 'cat1', history_id: history, choices: [input] });
  const chosen = { input1: { batch: false, values: [{ id: input, src: 'hda' }] } };
  const filled = await ana.post('/api/tools/cat1/build', { tool_id: 'cat1', inputs: chosen, history_id: null });
  expect(filled.body.state_inputs).toEqual(chosen);
});

it('a run answers with its outputs and jobs, and the job with its inputs, outputs and details', async () => {
  const { ana, input, run, jobs, history } = await withInput();
  const made = await run({ input1: { batch: false, values: [{ id: input, src: 'hda', map_over_type: null }] } });
  expect(made).toMatchObject({
    status: 200,
    body: {
      outputs: [{ output_name: 'out_file1', name: 'cat1 on data 1', hid: 2, state: 'new' }],
      jobs: [{ model_class: 'Job', tool_id: 'cat1', state: 'new' }],
      errors: [],
    },
  });
  const [output, job] = [made.body.outputs[0].id, made.body.jobs[0].id];
  const ends = (part: string) => ana.get(`/api/jobs/${job}${part}`);
  expect((await ends('/inputs')).body).toEqual([{ name: 'input1', dataset: { src: 'hda', id: input } }]);
  expect((await ends('/outputs')).body).toEqual([{ name: 'out_file1', dataset: { src: 'hda', id: output } }]);
  await jobs.finish(ana.account, job, { out_file1: 'out\n' });
  expect((await ends('')).body).toMatchObject({
    id: job,
    state: 'ok',
    exit_code: 0,
    history_id: history,
    inputs: { input1: { id: input, src: 'hda', uuid: expect.any(String) } },
    outputs: { out_file1: { id: output, src: 'hda' } },
    user_id: ana.account,
  });
  expect((await ends('?full=True')).body).toMatchObject({
    stdout: 'said this',
    command_line: 'true',
    job_messages: [],
  });
  expect((await ends('/metrics')).body).toContainEqual(
    expect.objectContaining({ name: 'runtime_seconds', raw_value: '1.5' }),
  );
  expect((await ends('/destination_params')).body).toMatchObject({ Runner: 'local', Handler: 'this node' });
  expect((await ends('/common_problems')).body).toEqual({ has_empty_inputs: false, has_duplicate_inputs: false });
  expect((await ends('/parameters_display')).body.parameters).toMatchObject([
    { text: 'Concatenate', depth: 1, value: [{ id: input, hid: 1, name: 'Pasted Entry' }] },
  ]);
  expect((await ends('/build_for_rerun')).body).toMatchObject({ id: 'cat1', job_id: job, history_id: history });
  const prov = await ana.get(`/api/histories/${history}/contents/${output}/provenance?follow=True`);
  expect(prov.body).toMatchObject({ job_id: job, tool_id: 'cat1', parameters: { input1: { tool_id: 'upload1' } } });
  expect((await ana.get('/api/invocations?job_id=x')).body).toEqual([]);
});

it('parameters that do not fit are refused with their names, and nothing runs', async () => {
  const { run, ana, history, user } = await withInput();
  const refused = await run({ input1: { src: 'hda', id: '00000000000000ff' } });
  expect(refused).toMatchObject({
    status: 400,
    body: {
      err_code: 400008,
      err_data: { input1: 'Please choose a dataset.' },
      err_msg: expect.stringContaining('input1'),
    },
  });
  expect((await run('nonsense' as unknown as object)).status).toBe(400);
  expect((await run({}, { tool_id: 'nothing' })).status).toBe(404);
  expect((await run({}, { history_id: 'x' })).body.err_code).toBe(400009);
  expect((await run({}, { tool_id: '' })).status).toBe(400);
  expect((await ana.post('/api/tools', [])).status).toBe(400);
  const bob = await user('bob');
  expect((await bob.post('/api/tools', { history_id: history, tool_id: 'cat1', inputs: {} })).status).toBe(404);
  expect((await ana.get(`/api/histories/${history}/contents`)).body).toHaveLength(1);
});

it('jobs are listed by tool, history, state and day, newest first', async () => {
  const { ana, input, run, jobs, history, user } = await withInput();
  const first = (await run({ input1: { src: 'hda', id: input } })).body.jobs[0].id;
  const second = (await run({ input1: { src: 'hda', id: input } })).body.jobs[0].id;
  await jobs.finish(ana.account, first, { out_file1: 'x' });
  const listed = async (query: string) => (await ana.get(`/api/jobs?${query}`)).body.map((j: { id: string }) => j.id);
  expect(await listed('tool_id=cat1&order_by=create_time')).toEqual([second, first]);
  expect(await listed('tool_id=cat1')).toEqual([first, second]);
  expect(await listed('tool_id=cat1&state=ok')).toEqual([first]);
  expect(await listed('tool_id=cat1&state=ok&state=new&limit=1&offset=1')).toEqual([second]);
  expect(await listed(`history_id=${history}`)).toHaveLength(3);
  expect(await listed('date_range_min=2100-01-01')).toEqual([]);
  expect(await listed('date_range_max=2001-01-01')).toEqual([]);
  const today = new Date((await ana.get(`/api/jobs/${first}`)).body.update_time).toISOString().slice(0, 10);
  expect(await listed(`date_range_min=${today}&date_range_max=2100-01-01`)).toHaveLength(3);
  expect((await ana.get('/api/jobs?date_range_min=yesterday')).status).toBe(400);
  expect((await (await user('bob')).get(`/api/jobs/${first}`)).status).toBe(404);
});

it('a job is cancelled once, and a finished one not at all', async () => {
  const { ana, input, run, jobs } = await withInput();
  const made = (await run({ input1: { src: 'hda', id: input } })).body;
  const url = `/api/jobs/${made.jobs[0].id}`;
  expect((await ana.delete(url)).body).toBe(true);
  expect((await ana.get(url)).body.state).toBe('deleted');
  expect((await ana.delete(url)).body).toBe(false);
  expect(jobs.cancelled).toEqual([made.jobs[0].id]);
  expect((await ana.put(`${url}/resume`)).body).toMatchObject([{ name: 'out_file1' }]);
  expect(jobs.resumed).toEqual([made.jobs[0].id]);
});

it('a job with the same inputs is found, nested or flat', async () => {
  const { ana, input, run } = await withInput();
  const nested = { input1: { src: 'hda', id: input }, seed: { kind: 'set', value: 'asdf' }, queries: [{ n: 1 }] };
  const made = (await run(nested)).body.jobs[0].id;
  const find = async (inputs: object) =>
    (await ana.post('/api/jobs/search', { tool_id: 'cat1', inputs })).body.map((j: { id: string }) => j.id);
  expect(await find(nested)).toEqual([made]);
  expect(
    await find({ 'seed|value': 'asdf', 'queries_0|n': '1', input1: { values: [{ src: 'hda', id: input }] } }),
  ).toEqual([made]);
  expect(await find({ 'seed|value': 'other' })).toEqual([]);
  expect((await ana.post('/api/jobs/search', { tool_id: 'wc_gnu', inputs: {} })).body).toEqual([]);
});

it('a job whose outputs are all deleted is cancelled, and a finished one is left alone', async () => {
  const { ana, input, run, jobs } = await withInput();
  const made = (await run({ input1: { src: 'hda', id: input } })).body;
  await ana.delete(`/api/datasets/${input}`);
  expect(jobs.cancelled).toEqual([]);
  await ana.delete(`/api/datasets/${made.outputs[0].id}`);
  expect(jobs.cancelled).toEqual([made.jobs[0].id]);
});
