import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import type { Toolbox } from '../../../node/toolbox/tool.js';
import { collectionTools, removeCollectionTools, TABLE_CONFIGURATION } from './collection-tools.js';
import { type Answer, type Body, closeTestApis, openTestApi } from './data-api.js';

let toolbox: Toolbox;

beforeAll(async () => {
  toolbox = await collectionTools();
});
afterEach(closeTestApis);
afterAll(removeCollectionTools);

async function world() {
  const api = await openTestApi({}, createDatatypes(), toolbox);
  const ana = await api.user('ana');
  const history = (await ana.post('/api/histories', { name: 'collections' })).body.id;
  const paste = async (text: string, ext = 'txt') =>
    (await ana.paste(history, text, { file_type: ext })).body.outputs[0].id;
  const make = (type: string, elements: object[], more: object = {}) =>
    ana.post('/api/dataset_collections', {
      name: `a ${type}`,
      collection_type: type,
      history_id: history,
      element_identifiers: elements,
      ...more,
    });
  const run = (tool: string, inputs: object, more: object = {}) =>
    ana.post('/api/tools', { history_id: history, tool_id: tool, inputs, ...more });
  const contents = `/api/histories/${history}/contents`;
  return { ...api, ana, history, paste, make, run, contents };
}

type World = Awaited<ReturnType<typeof world>>;

const hda = (name: string, id: string) => ({ name, src: 'hda', id });

async function listOfTwo({ paste, make }: World): Promise<{ list: string; ids: string[] }> {
  const ids = [await paste('first\n'), await paste('second\n')];
  const made = await make('list', [hda('a', ids[0] as string), hda('b', ids[1] as string)]);
  expect(made.status).toBe(200);
  return { list: made.body.id, ids };
}

async function listOfPairs(here: World): Promise<string> {
  const { paste, make } = here;
  const pair = async (name: string) => ({
    name,
    src: 'new_collection',
    collection_type: 'paired',
    element_identifiers: [
      hda('forward', await paste(`${name} forward\n`)),
      hda('reverse', await paste(`${name} reverse\n`)),
    ],
  });
  const made = await make('list:paired', [await pair('s1'), await pair('s2')]);
  expect(made.status, made.text).toBe(200);
  return made.body.id;
}

/** What tests read of an element. */
interface Element {
  element_identifier: string;
  element_type: string;
  object: { id: string; elements?: Element[]; element_count?: number };
}
const elementsIn = (body: Body) => body.elements as unknown as Element[];
const elementsOf = ({ body }: Answer) => elementsIn(body);
const names = (elements: readonly Element[] | undefined) => elements?.map((one) => one.element_identifier);

describe('making collections', () => {
  it('a list of pairs is made in one request and shown with its pairs in it, as one item of the history', async () => {
    const here = await world();
    const id = await listOfPairs(here);
    const { ana, contents } = here;
    const shown = await ana.get(`/api/dataset_collections/${id}`);
    expect(shown.body).toMatchObject({
      collection_type: 'list:paired',
      element_count: 2,
      populated: true,
      populated_state: 'ok',
      elements_states: { ok: 4 },
      elements_datatypes: ['txt'],
      job_source_id: null,
      job_state_summary: { all_jobs: 0, ok: 0 },
    });
    const [first] = elementsOf(shown);
    expect(first).toMatchObject({
      element_identifier: 's1',
      element_type: 'dataset_collection',
      object: { model_class: 'DatasetCollection', collection_type: 'paired', element_count: 2, populated: true },
    });
    expect(names(first?.object.elements)).toEqual(['forward', 'reverse']);
    const item = await ana.get(`${contents}/dataset_collections/${id}`);
    expect(item.body).toEqual(shown.body);
    const list = (await ana.get(`${contents}?v=dev`)).body;
    expect(list.filter(({ history_content_type: type }) => type === 'dataset_collection')).toHaveLength(1);
  });

  it('the client opens an inner collection by the id that the outer one tells, and no other', async () => {
    const here = await world();
    const id = await listOfPairs(here);
    const { ana } = here;
    const outer = (await ana.get(`/api/dataset_collections/${id}/contents/${id}?limit=1&offset=1`)).body;
    expect(outer).toHaveLength(1);
    const one = outer[0] as unknown as Element;
    expect(one).toMatchObject({ element_identifier: 's2', object: { element_count: 2, elements: [] } });
    const inside = (await ana.get(`/api/dataset_collections/${id}/contents/${one.object.id}`)).body;
    expect(names(inside as unknown as Element[])).toEqual(['forward', 'reverse']);
    const place = (await ana.get(`/api/dataset_collection_element/${inside[0].id}`)).body;
    expect(place).toEqual(inside[0]);
    const { list } = await listOfTwo(here);
    expect((await ana.get(`/api/dataset_collections/${list}/contents/${one.object.id}`)).status).toBe(404);
    expect((await ana.get(`/api/dataset_collections/${id}?view=collection`)).body.elements).toBeUndefined();
    expect((await ana.get(`/api/dataset_collections/${id}/attributes`)).body).toMatchObject({
      dbkeys: ['?'],
      extensions: ['txt'],
    });
  });

  it('a list of lists takes collections that are there, which stay as they are', async () => {
    const here = await world();
    const { list } = await listOfTwo(here);
    const { ana, make, contents } = here;
    const made = await make('list:list', [{ name: 'outer', src: 'hdca', id: list }]);
    const [only] = elementsOf(made);
    expect(names(only?.object.elements)).toEqual(['a', 'b']);
    expect(only?.object.id).not.toBe(list);
    expect((await ana.get(`${contents}/dataset_collections/${list}`)).body.visible).toBe(true);
  });

  it('elements that do not fit the type are refused with what is wrong, and nothing is made', async () => {
    const here = await world();
    const { ana, make, paste, contents } = here;
    const id = await paste('x\n');
    const inner = (elements: object[], type?: string) => ({
      name: 'inner',
      src: 'new_collection',
      element_identifiers: elements,
      ...(type ? { collection_type: type } : {}),
    });
    const refused: [string, object[], RegExp][] = [
      ['list:paired', [hda('a', id)], /"a" must be a collection of type paired/],
      ['list', [inner([hda('a', id)])], /"inner" must be a dataset/],
      ['list:paired', [inner([hda('forward', id)])], /exactly the elements "forward" and "reverse"/],
      ['list:paired', [inner([], 'list')], /and is a list/],
      ['paired_or_unpaired', [hda('single', id)], /or one element "unpaired"/],
      ['list', [hda('a', id), hda('a', id)], /same identifier/],
      ['list', [{ name: 'a', src: 'hda' }], /needs its id/],
    ];
    for (const [type, elements, reason] of refused) {
      const answer = await make(type, elements);
      expect([answer.status, answer.body.err_msg]).toEqual([400, expect.stringMatching(reason)]);
    }
    expect((await make('list:list:list:list:list', [])).status).toBe(501);
    let deep: object = hda('end', id);
    for (let depth = 0; depth < 6; depth += 1) deep = inner([deep]);
    expect((await make('list:list', [deep])).status).toBe(400);
    expect((await make('list', [{ name: 'a', src: 'hdca', id: '00000000000000ff' }])).status).toBe(404);
    expect((await ana.get(contents)).body).toHaveLength(1);
  });

  it('a thousand elements are kept, in order', async () => {
    const here = await world();
    const { ana, make, paste } = here;
    const id = await paste('x\n');
    const elements = Array.from({ length: 1500 }, (_, index) => hda(`element ${index}`, id));
    const made = await make('list', elements);
    expect(made.body).toMatchObject({ element_count: 1500 });
    const shown = await ana.get(`/api/dataset_collections/${made.body.id}/contents/${made.body.id}?offset=1499`);
    expect(names(shown.body as unknown as Element[])).toEqual(['element 1499']);
  });

  it('a collection is copied with copies of its datasets, and deleted with all that is in it', async () => {
    const here = await world();
    const id = await listOfPairs(here);
    const { ana, contents } = here;
    const copied = await ana.post(`${contents}/dataset_collections`, {
      type: 'dataset_collection',
      source: 'hdca',
      content: id,
    });
    expect(copied.body).toMatchObject({ collection_type: 'list:paired', element_count: 2 });
    const datasets = (answer: Answer) =>
      elementsOf(answer).flatMap(({ object }) => (object.elements ?? []).map((one) => one.object.id));
    const original = datasets(await ana.get(`/api/dataset_collections/${id}`));
    expect(datasets(copied)).toHaveLength(4);
    expect(datasets(copied).some((one) => original.includes(one))).toBe(false);
    await ana.delete(`${contents}/dataset_collections/${copied.body.id}?recursive=true`);
    for (const one of datasets(copied)) expect((await ana.get(`/api/datasets/${one}`)).body.deleted).toBe(true);
    expect((await ana.get(`/api/datasets/${original[0]}`)).body.deleted).toBe(false);
  });
});

describe('a copy of a history', () => {
  it('has its collections with their pairs in them, made of the copies', async () => {
    const here = await world();
    const id = await listOfPairs(here);
    const { ana, history } = here;
    const copy = (await ana.post('/api/histories', { history_id: history, name: 'copied' })).body.id;
    const [made] = (await ana.get(`/api/histories/${copy}/contents/dataset_collections`)).body;
    const shown = await ana.get(`/api/dataset_collections/${made?.id}`);
    expect(shown.body).toMatchObject({ history_id: copy, element_count: 2, elements_states: { ok: 4 } });
    const forward = (answer: Answer) => elementsOf(answer)[0]?.object.elements?.[0];
    const original = await ana.get(`/api/dataset_collections/${id}`);
    expect(forward(shown)?.element_identifier).toBe('forward');
    expect(forward(shown)?.object.id).not.toBe(forward(original)?.object.id);
  });
});

describe('running a tool over collections', () => {
  it('a list is run over by one job for each element, whose outputs are a list in the history', async () => {
    const here = await world();
    const { list } = await listOfTwo(here);
    const { ana, run, contents, jobs } = here;
    const answer = await run('double', {
      one: { batch: true, product: false, values: [{ id: list, src: 'hdca', map_over_type: null }] },
      label: 'x',
    });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.jobs).toHaveLength(2);
    expect(answer.body.outputs).toMatchObject([
      { output_name: 'out', visible: false },
      { output_name: 'out', visible: false },
    ]);
    expect(answer.body.output_collections).toEqual([]);
    expect(answer.body.implicit_collections).toMatchObject([
      {
        output_name: 'out',
        collection_type: 'list',
        name: 'double on collection 3',
        populated_state: 'ok',
        populated: false,
        visible: true,
        job_source_type: 'ImplicitCollectionJobs',
        job_state_summary: { all_jobs: 2, new: 2, ok: 0 },
        elements: [{ element_identifier: 'a' }, { element_identifier: 'b' }],
      },
    ]);
    const { id } = answer.body.implicit_collections[0];
    const shown = (await ana.get(`${contents}?v=dev&q=visible&qv=true`)).body;
    expect(shown.map(({ id: one }) => one)).toContain(id);
    expect(shown.map(({ id: one }) => one)).not.toContain(answer.body.outputs[0].id);
    for (const { id: job } of answer.body.jobs) await jobs.finish(ana.account, job, { out: 'doubled\n' });
    expect((await ana.get(`/api/dataset_collections/${id}`)).body).toMatchObject({
      populated: true,
      elements_states: { ok: 2 },
      job_state_summary: { all_jobs: 2, ok: 2, new: 0 },
    });
    const together = (await ana.get(`/api/jobs?implicit_collection_jobs_id=${id}`)).body;
    expect(together.map((job) => job.id).sort()).toEqual(answer.body.jobs.map((job) => job.id).sort());
    expect((await ana.get(`/api/jobs?implicit_collection_jobs_id=${list}`)).body).toEqual([]);
  });

  it('the nested form of 21.01 does the same as the flat one', async () => {
    const here = await world();
    const { list } = await listOfTwo(here);
    const { run } = here;
    const batch = { __class__: 'Batch', values: [{ id: list, src: 'hdca' }] };
    const answer = await run('double', { one: batch, label: 'x' }, { input_format: '21.01' });
    expect(answer.body.jobs).toHaveLength(2);
    expect(answer.body.implicit_collections).toMatchObject([{ output_name: 'out', collection_type: 'list' }]);
  });

  it('two lists are matched one by one, or each with each when they are not linked', async () => {
    const here = await world();
    const { list, ids } = await listOfTwo(here);
    const { run } = here;
    const values = [{ id: list, src: 'hdca' }];
    const linked = await run('both', { left: { batch: true, values }, right: { batch: true, values } });
    expect(linked.body.jobs).toHaveLength(2);
    expect(linked.body.implicit_collections).toMatchObject([{ collection_type: 'list', element_count: 2 }]);
    const each = await run('both', {
      left: { batch: true, product: true, values },
      right: { batch: true, product: true, values },
    });
    expect(each.body.jobs).toHaveLength(4);
    const [made] = each.body.implicit_collections;
    expect(made).toMatchObject({ collection_type: 'list:list', element_count: 2, elements_states: { new: 4 } });
    const separate = await run('double', {
      one: { batch: true, values: ids.map((id) => ({ id, src: 'hda' })) },
      label: 'x',
    });
    expect(separate.body.jobs).toHaveLength(2);
    expect(separate.body.implicit_collections).toEqual([]);
    expect(separate.body.outputs).toMatchObject([{ visible: true }, { visible: true }]);
  });

  it('of a list of pairs each pair is one job, or each file', async () => {
    const here = await world();
    const id = await listOfPairs(here);
    const { run } = here;
    const pairs = await run('join_pair', {
      pair: { batch: true, values: [{ id, src: 'hdca', map_over_type: 'paired' }] },
    });
    expect(pairs.body.jobs).toHaveLength(2);
    expect(pairs.body.implicit_collections).toMatchObject([
      { collection_type: 'list', elements: [{ element_identifier: 's1' }, { element_identifier: 's2' }] },
    ]);
    const files = await run('double', { one: { batch: true, values: [{ id, src: 'hdca' }] }, label: 'x' });
    expect(files.body.jobs).toHaveLength(4);
    const made = files.body.implicit_collections[0];
    expect(made).toMatchObject({ collection_type: 'list:paired', element_count: 2 });
    const [first] = elementsIn(made);
    expect(names(first?.object.elements)).toEqual(['forward', 'reverse']);
    const whole = await run('all_of', { many: { values: [{ id, src: 'hdca' }] } });
    expect(whole.body.jobs).toHaveLength(1);
  });

  it('one pair of a list is chosen by its place', async () => {
    const here = await world();
    const id = await listOfPairs(here);
    const { ana, run } = here;
    const places = (await ana.get(`/api/dataset_collections/${id}/contents/${id}`)).body;
    const answer = await run('join_pair', { pair: { values: [{ id: places[1].id, src: 'dce' }] } });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.jobs).toHaveLength(1);
    const job = (await ana.get(`/api/jobs/${answer.body.jobs[0].id}`)).body as unknown as { inputs: object };
    const inner = (places[1] as unknown as Element).object.id;
    expect(job.inputs).toMatchObject({ pair: { id: inner } });
  });

  it('what a job is yet to find is told as a collection that is not populated', async () => {
    const here = await world();
    const { ana, run, paste, contents, jobs } = here;
    const one = await paste('1\n2\n');
    const answer = await run('pieces', { one: { src: 'hda', id: one } });
    expect(answer.body.outputs).toEqual([]);
    expect(answer.body.implicit_collections).toEqual([]);
    expect(answer.body.output_collections).toMatchObject([
      { output_name: 'parts', collection_type: 'list', element_count: 0, populated_state: 'new', populated: false },
    ]);
    const { id } = answer.body.output_collections[0];
    const job = answer.body.jobs[0].id;
    expect((await ana.get(`/api/jobs/${job}`)).body).toMatchObject({ output_collections: { parts: { id } } });
    expect((await ana.get(`/api/jobs/${job}/outputs`)).body).toEqual([
      { name: 'parts', dataset_collection_instance: { src: 'hdca', id } },
    ]);
    const form = (await ana.get(`/api/tools/all_of/build?history_id=${here.history}`)).body;
    expect(form).toMatchObject({ inputs: [{ options: { hdca: [] } }] });
    await jobs.finish(ana.account, job, {}, { message: 'no space left' });
    expect((await ana.get(`${contents}/dataset_collections/${id}`)).body).toMatchObject({
      populated_state: 'failed',
      populated_state_message: 'no space left',
      job_source_type: 'Job',
      job_state_summary: { all_jobs: 1, error: 1 },
    });
  });
});

describe('the form', () => {
  it('offers collections, choices of a data table, columns, trees, builds and groups of this history', async () => {
    const here = await world();
    const { ana, paste, make, history, folder, contents } = here;
    const tables = join(folder, 'tool-data');
    mkdirSync(tables, { recursive: true });
    writeFileSync(join(tables, 'tool_data_table_conf.xml'), TABLE_CONFIGURATION);
    const build = async (inputs: object = {}) =>
      (await ana.post('/api/tools/choose/build', { history_id: history, inputs })).body as unknown as {
        inputs: { name: string; options: unknown; value: unknown }[];
        errors: Record<string, string>;
      };
    const of = (form: Awaited<ReturnType<typeof build>>, name: string) =>
      form.inputs.find((one) => one.name === name) ?? { options: undefined };
    expect((await build()).errors.genome).toMatch(/my_genomes/);

    writeFileSync(join(tables, 'my_genomes.loc'), 'phage\tlambda\tPhage lambda\t/srv/lambda.fa\n');
    writeFileSync(join(tables, '__dbkeys__.loc'), 'lambda\tPhage lambda\t/srv/lambda.len\n');
    const table = await paste('a\t1\t2.5\nb\t2\t3.5\n', 'tabular');
    await here.datasets.detectMetadata(ana.account, table);
    const { list, ids } = await listOfTwo(here);
    await ana.put(`${contents}/${ids[0]}`, { tags: ['group:treated'] });
    const hidden = await make('list', [hda('x', ids[0] as string)]);
    await ana.put(`${contents}/dataset_collections/${hidden.body.id}`, { visible: false });
    const form = await build({
      table: { values: [{ src: 'hda', id: table }] },
      samples: { values: [{ src: 'hdca', id: list }] },
    });
    expect(of(form, 'genome').options).toEqual([['Phage lambda', 'phage', expect.any(Boolean)]]);
    expect(of(form, 'column').options).toEqual([
      ['Column: 2', '2', false],
      ['Column: 3', '3', false],
    ]);
    expect(of(form, 'leaves').options).toMatchObject([
      { name: 'Plants', value: 'plants', options: [{ name: 'Rice', value: 'rice' }] },
    ]);
    expect(of(form, 'build').options).toEqual([
      ['unspecified (?)', '?', expect.any(Boolean)],
      ['Phage lambda', 'lambda', expect.any(Boolean)],
    ]);
    expect(of(form, 'samples').options).toMatchObject({ hdca: [{ id: list, name: 'a list', src: 'hdca' }] });
    expect(of(form, 'group').options).toMatchObject([['treated', 'treated', expect.any(Boolean)]]);
    expect(form.errors).toEqual({});
  });
});
