/** What Galaxy's client and BioBlend see of a tool whose programs are not on this node: a list, a form, a refusal. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { RequirementResolver } from '../../../node/toolbox/requirements/requirements.js';
import { createToolbox } from '../../../node/toolbox/toolbox.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { closeTestApis, openTestApi } from './data-api.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'galaxy-missing-'));
});

afterEach(async () => {
  await closeTestApis();
  rmSync(folder, { recursive: true, force: true });
});

const LACK = 'galaxy-test-aligner 1.2 is not installed';

it('it is listed, its form opens, both say why, and a run is refused in the shape of Galaxy', async () => {
  mkdirSync(join(folder, 'tools'));
  writeFileSync(
    join(folder, 'tools', 'it.xml'),
    `<tool id="it" name="Align" version="1" profile="23.0"><description>reads</description>
    <requirements><requirement type="package" version="1.2">galaxy-test-aligner</requirement></requirements>
    <command>galaxy-test-aligner > '$out'</command><inputs/><outputs><data name="out" format="txt"/></outputs>
    <help>How to align.</help></tool>`,
  );
  const programs = new RequirementResolver(
    { clock: { monotonic: () => 0 } },
    { path: folder, environment: null, container: null },
  );
  const datatypes = createDatatypes();
  const toolbox = await createToolbox(
    { datatypes, log: silentLogger, programs },
    { folders: [join(folder, 'tools')], bundled: false },
  );
  const api = await openTestApi({}, datatypes, toolbox);
  const { jobs } = api;
  const submit = jobs.submit.bind(jobs);
  jobs.submit = async (account, submissions) => {
    // As the job manager does it.
    for (const { tool } of submissions) {
      const found = toolbox.tool(tool);
      if (found !== undefined) programs.refuse(found);
    }
    return submit(account, submissions);
  };
  const ana = await api.user('ana');
  const { id: history } = (await ana.post('/api/histories', { name: 'runs' })).body;
  const description = `reads (cannot run here: ${LACK})`;
  expect((await ana.get('/api/tools')).body).toMatchObject([{ elems: [{ id: 'it', description }] }]);
  expect((await ana.get('/api/tools?in_panel=False')).body).toMatchObject([{ id: 'it', description }]);
  const form = (await ana.get(`/api/tools/it/build?history_id=${history}`)).body;
  const message = `This tool cannot run on this node: ${LACK}.`;
  expect(form).toMatchObject({ description, message, help: expect.stringContaining(message) });
  const run = await ana.post('/api/tools', { history_id: history, tool_id: 'it', inputs: {} });
  expect(run.status).toBe(400);
  expect(run.body).toEqual({
    err_code: 400008,
    err_msg: expect.stringContaining(
      'The tool it cannot run on this node: galaxy-test-aligner 1.2 is not installed here.',
    ),
  });
  expect((await ana.get(`/api/histories/${history}/contents`)).body).toEqual([]);
});
