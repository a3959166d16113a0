import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loaded } from '../../../node/tool-test/shown.js';
import { planInputs, settle } from '../../../node/tool-test/test-inputs.js';
import { temporaryFolder, toolboxOf } from '../toolbox/run-tool.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const SELECT = '<option value="a">Letter A</option><option value="b">Letter B</option>';
const DATA = '<param name="in" type="data" format="txt"/>';

/** What a wrapper with these inputs makes of these inputs of a test. */
async function planned(inputs: string, test: string) {
  const toolbox = await toolboxOf(folder.path, {
    't.xml': `<tool id="t" name="T" version="1"><command>x</command><inputs>${inputs}</inputs><outputs/>
      <tests><test>${test}</test></tests></tool>`,
  });
  expect(toolbox.problems()).toEqual([]);
  const tool = loaded(toolbox.tool('t')!);
  const plan = planInputs(tool.inputs, tool.tests[0]!.inputs);
  const state = settle(plan.state, {
    file: (index) => plan.files[index]!.file,
    collection: (index) => plan.collections[index]!.type,
  });
  return { ...plan, state };
}

const stateOf = async (inputs: string, test: string) => (await planned(inputs, test)).state;

describe('plain values', () => {
  it.each([
    ['<param name="n" type="integer" value="1"/>', '<param name="n" value="7"/>', { n: '7' }],
    ['<param name="t" type="text"/>', '<param name="t" value="a, b"/>', { t: 'a, b' }],
    ['<param name="t" type="text"/>', '<param name="t" value_json="[1]"/>', { t: [1] }],
    ['<param name="f" type="boolean" truevalue="--f" falsevalue=""/>', '<param name="f" value="true"/>', { f: true }],
    ['<param name="f" type="boolean" truevalue="--f" falsevalue=""/>', '<param name="f" value="--f"/>', { f: true }],
    ['<param name="f" type="boolean" truevalue="--f" falsevalue=""/>', '<param name="f" value=""/>', { f: false }],
    [`<param name="s" type="select">${SELECT}</param>`, '<param name="s" value="b"/>', { s: 'b' }],
    [`<param name="s" type="select">${SELECT}</param>`, '<param name="s" value="Letter B"/>', { s: 'b' }],
    [
      `<param name="s" type="select" multiple="true">${SELECT}</param>`,
      '<param name="s" value="a,Letter B"/>',
      { s: ['a', 'b'] },
    ],
    [`<param name="s" type="select" multiple="true">${SELECT}</param>`, '<param name="s" value=""/>', { s: [] }],
    [
      `${DATA}<param name="c" type="data_column" data_ref="in" multiple="true"/>`,
      '<param name="c" value="1, 3"/>',
      { c: ['1', '3'] },
    ],
  ])('%s with %s', async (inputs, test, state) => {
    expect(await stateOf(inputs, test)).toEqual(state);
  });

  it('of a name that is there twice the last counts', async () => {
    const { state, unknown } = await planned(
      '<param name="n" type="integer" value="1"/>',
      '<param name="n" value="2"/><param name="n" value="3"/>',
    );
    expect(state).toEqual({ n: '3' });
    expect(unknown).toEqual([]);
  });

  it('names that are no parameters are told', async () => {
    expect((await planned('<param name="n" type="text"/>', '<param name="m" value="2"/>')).unknown).toEqual(['m']);
  });
});

describe('parameters in groups', () => {
  const GROUPS = `<section name="s" title="S"><conditional name="c">
      <param name="mode" type="select"><option value="x">X</option><option value="y" selected="true">Y</option></param>
      <when value="x"><param name="v" type="text"/></when><when value="y"><param name="w" type="text"/></when>
    </conditional></section><section name="other" title="O"><param name="v" type="text"/></section>`;

  it('are named by elements, by their whole path, by its end, or alone', async () => {
    const nested =
      '<section name="s"><conditional name="c"><param name="mode" value="x"/><param name="v" value="1"/></conditional></section>';
    const expected = { s: { c: { mode: 'x', v: '1' } }, other: {} };
    expect(await stateOf(GROUPS, nested)).toEqual(expected);
    expect(await stateOf(GROUPS, '<param name="s|c|mode" value="x"/><param name="s|c|v" value="1"/>')).toEqual(
      expected,
    );
    expect(await stateOf(GROUPS, '<param name="c|mode" value="x"/><param name="c|v" value="1"/>')).toEqual(expected);
    expect(await stateOf(GROUPS, '<param name="mode" value="x"/><param name="v" value="1"/>')).toEqual(expected);
  });

  it('do not share one value: a bare name goes to the first that takes it, a second one to the next', async () => {
    expect(
      await stateOf(GROUPS, '<param name="mode" value="x"/><param name="v" value="1"/><param name="v" value="2"/>'),
    ).toEqual({
      s: { c: { mode: 'x', v: '2' } },
      other: { v: '1' },
    });
  });

  it('of a case that was not said are those of the default', async () => {
    expect(await stateOf(GROUPS, '<param name="w" value="1"/>')).toEqual({ s: { c: { w: '1' } }, other: {} });
  });

  it('of a truth value are chosen by what the test says of it in any of its words', async () => {
    const inputs = `<conditional name="c"><param name="on" type="boolean" truevalue="yes" falsevalue="no"/>
      <when value="yes"><param name="v" type="text"/></when><when value="no"/></conditional>`;
    for (const word of ['true', 'yes', 'True']) {
      expect(await stateOf(inputs, `<param name="on" value="${word}"/><param name="v" value="1"/>`)).toEqual({
        c: { on: true, v: '1' },
      });
    }
  });
});

describe('repeats', () => {
  const REPEAT = '<repeat name="r" title="R"><param name="v" type="text"/><param name="w" type="text"/></repeat>';

  it('have as many instances as elements or numbered names say', async () => {
    const two = { r: [{ v: '1' }, { v: '2', w: '3' }] };
    expect(
      await stateOf(
        REPEAT,
        '<repeat name="r"><param name="v" value="1"/></repeat><repeat name="r"><param name="v" value="2"/><param name="w" value="3"/></repeat>',
      ),
    ).toEqual(two);
    expect(
      await stateOf(
        REPEAT,
        '<param name="r_1|v" value="2"/><param name="r_0|v" value="1"/><param name="r_1|w" value="3"/>',
      ),
    ).toEqual(two);
  });

  it('have an instance for each time that a bare name is there', async () => {
    expect(await stateOf(REPEAT, '<param name="v" value="1"/><param name="v" value="1"/>')).toEqual({
      r: [{ v: '1' }, { v: '1' }],
    });
    expect(await stateOf(REPEAT, '')).toEqual({});
  });

  it('two repeats with parameters of one name are told apart by their own', async () => {
    const two = `${REPEAT}<repeat name="q" title="Q"><param name="v" type="text"/></repeat>`;
    expect(await stateOf(two, '<param name="q_0|v" value="1"/>')).toEqual({ q: [{ v: '1' }] });
  });
});

describe('datasets', () => {
  it('are files of test-data, with all that is said of them', async () => {
    const { state, files } = await planned(
      DATA,
      '<param name="in" value="dir/a.bed" ftype="bed" dbkey="hg38" tags="group:x"><metadata name="columns" value="3"/></param>',
    );
    expect(state).toEqual({ in: 'dir/a.bed' });
    expect(files).toEqual([
      {
        file: 'dir/a.bed',
        name: 'a.bed',
        ftype: 'bed',
        dbkey: 'hg38',
        location: undefined,
        tags: ['group:x'],
        metadata: { columns: '3' },
        edits: [],
      },
    ]);
  });

  it('of a parameter that takes several are told apart by commas', async () => {
    const inputs = '<param name="in" type="data" format="txt" multiple="true" optional="true"/>';
    expect(await stateOf(inputs, '<param name="in" value="a,b"/>')).toEqual({ in: ['a', 'b'] });
    expect(await stateOf(inputs, '<param name="in" value=""/>')).toEqual({ in: [] });
  });

  it('in a collection keep its shape', async () => {
    const { state, collections } = await planned(
      '<param name="in" type="data_collection" collection_type="list:paired" format="txt"/>',
      `<param name="in"><collection type="list:paired"><element name="s"><collection type="paired">
        <element name="forward" value="f"/><element name="reverse" value="r"/></collection></element></collection></param>`,
    );
    expect(state).toEqual({ in: 'list:paired' });
    expect(collections).toMatchObject([
      {
        type: 'list:paired',
        elements: [
          {
            identifier: 's',
            collection: { elements: [{ identifier: 'forward', file: { file: 'f' } }, { identifier: 'reverse' }] },
          },
        ],
      },
    ]);
  });

  it('that cannot be made here are said, and the test is not run', async () => {
    const composite = '<param name="in"><composite_data value="a"/></param>';
    expect((await planned(DATA, composite)).notRun).toEqual(['it needs a composite dataset as input']);
    expect((await planned(DATA, '<param name="in" class="Directory" value="d"/>')).notRun).toEqual([
      'it needs a directory as input',
    ]);
  });
});
