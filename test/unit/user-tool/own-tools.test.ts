/** Users' own tools through the API, as Galaxy's client and scripts use it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { prepareRun } from '../../../node/jobs/prepared-run.js';
import { RequirementResolver } from '../../../node/toolbox/requirements/requirements.js';
import { createToolbox } from '../../../node/toolbox/toolbox.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { closeTestApis, openTestApi } from '../api/data-api.js';
import { temporaryFolder } from '../toolbox/run-tool.js';
import { hereIsolate } from './here-isolate.js';

const opened: { remove(): Promise<void> }[] = [];
afterEach(async () => {
  for (const folder of opened.splice(0)) await folder.remove();
  await closeTestApis();
});

const REPRESENTATION = {
  class: 'GalaxyUserTool',
  id: 'count-lines',
  version: '1.0',
  name: 'Count lines',
  container: 'docker.io/library/busybox:1.36',
  shell_command: "wc -l < '$(inputs.text.path)' > out.txt\necho '$(inputs.note)' >> out.txt\n",
  inputs: [
    { name: 'text', type: 'data', format: 'txt' },
    { name: 'note', type: 'text', value: 'none' },
  ],
  outputs: [{ name: 'lines', type: 'data', format: 'txt', from_work_dir: 'out.txt' }],
};

async function open(who: 'nobody' | 'admins' | 'everyone') {
  const deps = { datatypes: createDatatypes(), log: silentLogger, isolate: hereIsolate() };
  const toolbox = await createToolbox(deps, { folders: [], bundled: false, userTools: who !== 'nobody' });
  const api = await openTestApi({ 'tools.userTools': who }, createDatatypes(), toolbox);
  const ana = await api.user('ana');
  const add = (change: object = {}, user = ana) =>
    user.post('/api/unprivileged_tools', { src: 'representation', representation: { ...REPRESENTATION, ...change } });
  return { ...api, toolbox, ana, add };
}

type Told = Record<string, unknown> & { uuid: string };
const told = (answer: { text: string }) => JSON.parse(answer.text) as Told;

describe('a tool of a user', () => {
  it('is added, listed, shown and put away, in the shapes of Galaxy', async () => {
    const { ana, add } = await open('everyone');
    const added = await add();
    expect(added.status).toBe(200);
    const { uuid } = told(added);
    expect(told(added)).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      active: true,
      hidden: false,
      tool_id: 'count-lines',
      tool_format: 'GalaxyUserTool',
      representation: REPRESENTATION,
      representation_status: 'ok',
    });
    expect((await ana.get('/api/unprivileged_tools')).body.map((one) => (one as unknown as Told).uuid)).toEqual([uuid]);
    expect(told(await ana.get(`/api/unprivileged_tools/${uuid}`))).toEqual(told(added));
    expect((await ana.delete(`/api/unprivileged_tools/${uuid}`)).status).toBe(200);
    expect((await ana.get('/api/unprivileged_tools')).body).toEqual([]);
    expect((await ana.get('/api/unprivileged_tools?active=false')).body).toHaveLength(1);
    const history_id = (await ana.post('/api/histories', {})).body.id;
    expect((await ana.post('/api/tools', { history_id, tool_uuid: uuid, inputs: {} })).status).toBe(404);
  });

  it('is nobody else’s: not listed, not shown, not run and not put away', async () => {
    const { add, user } = await open('everyone');
    const { uuid } = told(await add());
    const ben = await user('ben', { admin: true });
    expect((await ben.get('/api/unprivileged_tools')).body).toEqual([]);
    expect((await ben.get(`/api/unprivileged_tools/${uuid}`)).status).toBe(404);
    expect((await ben.delete(`/api/unprivileged_tools/${uuid}`)).status).toBe(404);
    expect((await ben.get(`/api/tools/${uuid}/build`)).status).toBe(404);
    const history_id = (await ben.post('/api/histories', {})).body.id;
    expect((await ben.post('/api/tools', { history_id, tool_uuid: uuid, inputs: {} })).status).toBe(404);
    expect((await ben.get('/api/tools?in_panel=false')).body).toEqual([]);
  });

  it('has a form and runs, and its job is prepared for a place that confines it, and for no other', async () => {
    const { ana, add, toolbox, core } = await open('everyone');
    const { uuid } = told(await add());
    const history = (await ana.post('/api/histories', { name: 'mine' })).body.id;
    const input = (await ana.paste(history, 'a\nb\n')).body.outputs[0].id;
    const form = await ana.post(`/api/tools/${uuid}/build`, { tool_uuid: uuid, history_id: history, inputs: {} });
    expect(form.body).toMatchObject({ id: uuid, name: 'Count lines', inputs: [{ name: 'text' }, { name: 'note' }] });
    const note = `it's $(id)`;
    const run = await ana.post('/api/tools', {
      history_id: history,
      tool_uuid: uuid,
      inputs: { text: { src: 'hda', id: input }, note },
    });
    expect(run).toMatchObject({
      status: 200,
      body: { outputs: [{ output_name: 'lines', name: 'Count lines on data 1' }] },
    });
    const view = await core.log.view(ana.account);
    const job = view.get('job', run.body.jobs[0].id);
    if (!job) throw new Error('there is no job');
    expect(job.tool).toBe(uuid);
    const prepared = (path: string) => {
      const resolver = new RequirementResolver({ clock: systemClock }, { path, environment: null, container: null });
      const tables = { table: () => undefined };
      const limits = { walltimeMs: null, logBytesMax: 1, killGraceMs: 1, fetchBytesMax: 1 };
      const folder = '/data/jobs/1';
      return prepareRun(
        { toolbox, blobs: core.blobs, tables, programs: resolver },
        { job, view, fetch: undefined, sharedHome: '/x', run: { attempt: 1, folder, limits, cores: 2, memoryMb: 1 } },
      );
    };
    const programs = await temporaryFolder();
    opened.push(programs);
    writeFileSync(join(programs.path, 'bwrap'), '#!/bin/sh\n', { mode: 0o755 });
    await expect(prepared('/nowhere')).rejects.toMatchObject({ code: 'toolbox/unconfined' });
    const { spec, commandLine } = await prepared(programs.path);
    const { work } = spec;
    if (work.kind !== 'command') throw new Error('it is no command');
    expect(work.place).toMatchObject({ kind: 'sandbox' });
    expect(work.command.confine).toBe('sandbox');
    expect(work.command.script).toContain(`galaxy_value_1='it'\\''s $(id)'\n`);
    expect(commandLine).toContain(`echo 'it'\\''s $(id)' >> out.txt`);
  });

  it('is shown as a form before it is kept', async () => {
    const { ana } = await open('everyone');
    const built = await ana.post('/api/unprivileged_tools/build', { representation: REPRESENTATION });
    expect(built.body).toMatchObject({ name: 'Count lines', inputs: [{ name: 'text' }, { name: 'note' }] });
    expect((await ana.get('/api/unprivileged_tools')).body).toEqual([]);
  });

  it.each<[string, object, number, string]>([
    ['an unknown field', { comand: 'x' }, 400, '"comand"'],
    ['no container', { container: undefined }, 400, 'names no container'],
    ['an expression that is no JavaScript', { shell_command: 'echo $(1 +)' }, 400, 'SyntaxError'],
    ['an expression without end', { shell_command: 'echo $(1' }, 400, 'does not end'],
    ['another class', { class: 'GalaxyTool' }, 400, 'class'],
    ['more than an entry can hold', { help: 'x'.repeat(70_000) }, 413, 'bytes'],
  ])('is refused for %s', async (_, change, status, words) => {
    const { ana, add } = await open('everyone');
    const refused = await add(change);
    expect(refused.status).toBe(status);
    expect(refused.body.err_msg).toContain(words);
    expect((await ana.get('/api/unprivileged_tools')).body).toEqual([]);
  });

  it('is for administrators alone where the option says so, and for nobody where it says that', async () => {
    const admins = await open('admins');
    expect((await admins.add()).status).toBe(403);
    const boss = await admins.user('boss', { admin: true });
    expect((await admins.add({}, boss)).status).toBe(200);
    const nobody = await open('nobody');
    expect((await nobody.add({}, await nobody.user('boss', { admin: true }))).status).toBe(403);
  });
});
