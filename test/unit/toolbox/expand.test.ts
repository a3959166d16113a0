import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Toolbox, ToolContext } from '../../../node/toolbox/tool.js';
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import { fakeContext, id } from './fake-context.js';
import { temporaryFolder, testToolbox, toolboxOf } from './run-tool.js';

const COLLECTION = 'c'.repeat(16);
let bundled: Toolbox;
let toolbox: Toolbox;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const context: ToolContext = fakeContext(
  [
    { id: id(1), hid: 1, extension: 'bed', metadata: { columns: 3, column_types: ['str', 'int', 'int'] } },
    { id: id(2), hid: 2 },
    { id: id(3), hid: 3 },
    { id: id(4), hid: 4, extension: 'auto', pending: true },
    { id: id(5), hid: 5, state: 'error' },
    { id: id(6), hid: 6, deleted: true },
  ],
  {
    [COLLECTION]: {
      name: 'list',
      hid: 9,
      type: 'list',
      elements: [
        ['first', id(2)],
        ['second', id(3)],
      ],
    },
  },
);

beforeAll(async () => {
  bundled = await testToolbox([], true);
  folder = await temporaryFolder();
  toolbox = await toolboxOf(folder.path, {
    't.xml': `<tool id="t" name="T" version="1"><command>x</command>
      <inputs>
        <param name="n" type="integer" value="3" min="1" max="9"/>
        <param name="f" type="float" optional="true"/>
        <param name="word" type="text" value="w"><validator type="length" min="1" max="5"/><validator type="regex">[a-z]*$</validator></param>
        <param name="must" type="text" value="x"><validator type="empty_field" message="say something"/></param>
        <param name="b" type="boolean" truevalue="-b" falsevalue=""/>
        <param name="one" type="select"><option value="a">A</option><option value="b" selected="true">B</option></param>
        <param name="some" type="select" multiple="true" optional="true"><option value="a">A</option><option value="b">B</option></param>
        <param name="colour" type="color" value="#aabbcc"/>
        <section name="s" title="S">
          <conditional name="c">
            <param name="sel" type="boolean" truevalue="yes" falsevalue="no"/>
            <when value="yes"><param name="inner" type="integer" value="7"/></when>
            <when value="no"/>
          </conditional>
          <repeat name="r" title="R" min="1" max="2"><param name="v" type="text" value="d"/></repeat>
        </section>
      </inputs></tool>`,
    'numbers.xml': `<tool id="numbers" name="N" version="1"><command>x</command>
      <inputs><param name="data" type="data" format="tabular"/>
      <param name="one" type="data_column" data_ref="data" numerical="true"/>
      <param name="some" type="data_column" data_ref="data" numerical="true" multiple="true"/>
      <param name="none" type="data_column" data_ref="data" optional="true"/></inputs></tool>`,
    'col.xml': `<tool id="col" name="C" version="1"><command>x</command>
      <inputs><param name="data" type="data" format="tabular"/><param name="column" type="data_column" data_ref="data"/>
      <param name="list" type="data_collection" collection_type="list" optional="true"/></inputs></tool>`,
  });
  expect(toolbox.problems()).toEqual([]);
});
afterAll(() => folder.remove());

const expand = (tool: string, inputs: JsonObject) => {
  const box = toolbox.tool(tool) ? toolbox : bundled;
  return box.expand(box.tool(tool)!, inputs, context);
};
const hda = (number: number): JsonObject => ({ src: 'hda', id: id(number) });
const dataset = (number: number) => ({ kind: 'dataset', id: id(number) });

describe('one state comes of both forms', () => {
  const state = {
    num_lines: 2,
    input: hda(1),
    seed_source: { seed_source_selector: 'set_seed', seed: 'asdf', __current_case__: 1 },
  };
  it.each<[string, JsonObject]>([
    [
      'flat',
      { num_lines: '2', input: hda(1), 'seed_source|seed_source_selector': 'set_seed', 'seed_source|seed': 'asdf' },
    ],
    ['nested', { num_lines: '2', input: hda(1), seed_source: { seed_source_selector: 'set_seed', seed: 'asdf' } }],
    [
      'mixed',
      { num_lines: 2, input: hda(1), seed_source: { seed_source_selector: 'set_seed' }, 'seed_source|seed': 'asdf' },
    ],
    ['its own output', state],
    [
      'groups as JSON text',
      { num_lines: '2', input: hda(1), seed_source: '{"seed_source_selector": "set_seed", "seed": "asdf"}' },
    ],
  ])('%s', (_name, inputs) => {
    expect(expand('random_lines1', inputs)).toEqual({ jobs: [{ state, inputs: { input: [dataset(1)] } }], errors: {} });
  });

  it('repeats, flat and nested', () => {
    const jobs = [
      {
        state: {
          input1: hda(1),
          queries: [
            { __index__: 0, input2: hda(2) },
            { __index__: 1, input2: hda(3) },
          ],
        },
        inputs: { input1: [dataset(1)], 'queries_0|input2': [dataset(2)], 'queries_1|input2': [dataset(3)] },
      },
    ];
    expect(expand('cat1', { input1: hda(1), 'queries_0|input2': hda(2), 'queries_1|input2': hda(3) }).jobs).toEqual(
      jobs,
    );
    expect(expand('cat1', { input1: hda(1), queries: [{ input2: hda(2) }, { input2: hda(3) }] }).jobs).toEqual(jobs);
    expect(expand('cat1', { input1: hda(1), queries: '[]' }).jobs[0]?.state).toEqual({ input1: hda(1), queries: [] });
  });

  it.each<[JsonValue]>([
    [hda(1)],
    [id(1)],
    [{ id: id(1) }],
    [{ values: [hda(1)] }],
    [{ batch: false, product: false, values: [{ ...hda(1), map_over_type: null }] }],
    [[hda(1)]],
    [JSON.stringify({ values: [hda(1)] })],
  ])('a dataset named as %j', (named) => {
    expect(expand('cat1', { input1: named }).jobs).toEqual([
      { state: { input1: hda(1), queries: [] }, inputs: { input1: [dataset(1)] } },
    ]);
  });

  it('what is missing gets its default', () => {
    expect(expand('t', {}).jobs[0]?.state).toEqual({
      n: 3,
      f: null,
      word: 'w',
      must: 'x',
      b: false,
      one: 'b',
      some: null,
      colour: '#aabbcc',
      s: { c: { sel: false, __current_case__: 1 }, r: [{ __index__: 0, v: 'd' }] },
    });
  });

  it('what is given is read by its type', () => {
    const inputs = {
      n: '5',
      f: '1e-3',
      word: 'ab',
      b: '-b',
      one: 'a',
      some: 'a,b',
      's|c|sel': true,
      's|r_0|v': 'x',
      's|r_1|v': 'y',
    };
    expect(expand('t', inputs).jobs[0]?.state).toMatchObject({
      n: 5,
      f: 0.001,
      word: 'ab',
      b: true,
      one: 'a',
      some: ['a', 'b'],
      s: { c: { sel: true, inner: 7, __current_case__: 0 }, r: [{ v: 'x' }, { v: 'y' }] },
    });
  });

  it('several datasets, and a collection for several, are one job', () => {
    const first = expand('cat_list', { input1: { values: [hda(3), hda(1)] } });
    expect(first.jobs).toEqual([{ state: { input1: [hda(3), hda(1)] }, inputs: { input1: [dataset(3), dataset(1)] } }]);
    const reduced = expand('cat_list', { input1: { src: 'hdca', id: COLLECTION } });
    expect(reduced.jobs[0]?.inputs).toEqual({ input1: [dataset(2), dataset(3)] });
    expect(
      expand('col', { data: hda(1), column: '1', list: { values: [{ src: 'hdca', id: COLLECTION }] } }).jobs[0],
    ).toEqual({
      state: { data: hda(1), column: '1', list: { src: 'hdca', id: COLLECTION } },
      inputs: { data: [dataset(1)], list: [{ kind: 'collection', id: COLLECTION }] },
    });
  });
});

describe('several jobs', () => {
  const ids = (inputs: JsonObject) =>
    expand('cat1', inputs).jobs.map((job) => Object.values(job.inputs).map(([first]) => Number(first?.id)));
  const batch = (numbers: number[], more: JsonObject = {}): JsonObject => ({
    batch: true,
    values: numbers.map(hda),
    ...more,
  });

  it('a batch is one job a value', () => {
    expect(ids({ input1: batch([1, 2, 3]) })).toEqual([[1], [2], [3]]);
  });

  it('linked batches advance together', () => {
    expect(ids({ input1: batch([1, 2]), 'queries_0|input2': batch([2, 3]) })).toEqual([
      [1, 2],
      [2, 3],
    ]);
  });

  it('products multiply', () => {
    const product = { product: true };
    expect(ids({ input1: batch([1, 2], product), 'queries_0|input2': batch([2, 3], product) })).toEqual([
      [1, 2],
      [1, 3],
      [2, 2],
      [2, 3],
    ]);
    expect(ids({ input1: { __class__: 'Batch', values: [hda(1), hda(2)], linked: false } })).toEqual([[1], [2]]);
  });

  it('a collection where one dataset is taken is mapped over, and its identifiers stay', () => {
    const mapped = expand('cat1', { input1: { src: 'hdca', id: COLLECTION } }).jobs;
    expect(mapped.map((job) => job.state.input1)).toEqual([
      { ...hda(2), element_identifier: 'first' },
      { ...hda(3), element_identifier: 'second' },
    ]);
    expect(ids({ input1: { batch: true, values: [{ src: 'hdca', id: COLLECTION }] } })).toEqual([[2], [3]]);
  });

  it('a batch of plain values works too', () => {
    expect(expand('t', { n: { batch: true, values: ['1', '2'] } }).jobs.map((job) => job.state.n)).toEqual([1, 2]);
  });

  it('linked batches of different length are refused', () => {
    expect(expand('cat1', { input1: batch([1, 2]), 'queries_0|input2': batch([1, 2, 3]) }).errors).toEqual({
      'queries_0|input2': '3 values cannot be matched one by one with 2.',
    });
  });

  it('more jobs than one request may start are refused', () => {
    const many = batch(new Array(40).fill(1) as number[], { product: true });
    expect(expand('cat1', { input1: many, 'queries_0|input2': many }).errors).toEqual({
      input1: 'One request may start at most 1000 jobs.',
    });
  });

  it('an empty batch is refused', () => {
    expect(expand('cat1', { input1: batch([]) }).errors).toHaveProperty('input1');
  });

  it('one wrong value of a batch refuses all', () => {
    const { jobs, errors } = expand('cat1', { input1: batch([1, 5]) });
    expect(jobs).toEqual([]);
    expect(errors).toEqual({ input1: 'Dataset 5 is in error and cannot be used.' });
  });
});

describe('what is wrong is a sentence at its parameter', () => {
  it.each<[string, JsonObject, Record<string, string>]>([
    ['t', { n: 'x' }, { n: 'A whole number is needed here; “x” is not one.' }],
    ['t', { n: '1.5' }, { n: 'A whole number is needed here; “1.5” is not one.' }],
    ['t', { n: 0 }, { n: 'The value must be at least 1; it is 0.' }],
    ['t', { n: '10' }, { n: 'The value must be at most 9; it is 10.' }],
    ['t', { n: '' }, { n: 'A whole number is needed here.' }],
    ['t', { f: 'NaN' }, { f: 'A number is needed here; “NaN” is not one.' }],
    ['t', { word: 'toolong' }, { word: 'The text must be 1 to 5 characters long.' }],
    ['t', { word: 'AB' }, { word: 'The value must match [a-z]*$.' }],
    ['t', { must: '' }, { must: 'say something' }],
    ['t', { b: 'maybe' }, { b: 'true or false is needed here; “maybe” is neither.' }],
    ['t', { one: 'c' }, { one: '“c” is not among the choices: a, b.' }],
    ['t', { some: ['a', 'z'] }, { some: '“z” is not among the choices: a, b.' }],
    ['t', { colour: 'red' }, { colour: '“red” is not a colour: write it as #rrggbb.' }],
    ['t', { word: { a: 1 } }, { word: 'A text is needed here.' }],
    ['t', { s: { c: { sel: true, inner: 'q' } } }, { 's|c|inner': 'A whole number is needed here; “q” is not one.' }],
    ['t', { s: { r: [{}, {}, {}] } }, { 's|r': 'At most 2 are taken.' }],
    ['t', { s: { r: [] } }, { 's|r': 'At least 1 are needed; there are 0.' }],
    ['cat1', {}, { input1: 'Choose a dataset for “Concatenate Dataset”.' }],
    ['cat1', { input1: id(77) }, { input1: `There is no dataset “${id(77)}” here.` }],
    ['cat1', { input1: hda(6) }, { input1: 'Dataset 6 was deleted.' }],
    ['cat1', { input1: { values: [hda(1), hda(2)] } }, { input1: 'This takes one dataset.' }],
    [
      'cat1',
      { input1: { src: 'ldda', id: id(1) } },
      { input1: '"ldda" is not a source that this node knows: use hda or hdca.' },
    ],
    ['cat1', { input1: { src: 'hdca', id: id(1) } }, { input1: `There is no dataset collection “${id(1)}” here.` }],
    ['cat1', { input1: hda(1), 'queries_0|input2': null }, { 'queries_0|input2': 'Choose a dataset for “Select”.' }],
    ['col', { data: hda(1), column: '4' }, { column: 'There is no column 4: dataset 1 has 3.' }],
    ['col', { data: hda(1), column: 'x' }, { column: '“x” is not a column number.' }],
    ['wc_gnu', { input1: hda(1), options: [] }, { options: 'You must pick at least one attribute to count.' }],
  ])('%s %j', (tool, inputs, errors) => {
    expect(expand(tool, inputs)).toEqual({ jobs: [], errors });
  });

  it('keys that mean something to JavaScript mean nothing here', () => {
    const inputs = JSON.parse('{"__proto__": {"n": 99}, "constructor": 1, "s": {"__proto__": {"x": 1}}}') as JsonObject;
    expect(expand('t', inputs).jobs[0]?.state.n).toBe(3);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});

describe('a column of which nothing is said', () => {
  it('is the first that may be chosen', () => {
    expect(expand('col', { data: hda(1) }).jobs[0]?.state.column).toBe('1');
    expect(expand('numbers', { data: hda(1) }).jobs[0]?.state).toMatchObject({ one: '2', some: null, none: null });
  });
});

describe('a dataset that is still being made', () => {
  it('may be used, and its columns are not checked yet', () => {
    expect(expand('col', { data: hda(4), column: '12' }).errors).toEqual({});
  });
});
