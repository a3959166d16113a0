import { beforeAll, describe, expect, it } from 'vitest';
import { helpHtml } from '../../../node/toolbox/help/help.js';
import type { Toolbox } from '../../../node/toolbox/tool.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import { fakeContext, HISTORY, id } from './fake-context.js';
import { testToolbox } from './run-tool.js';

let toolbox: Toolbox;
beforeAll(async () => {
  toolbox = await testToolbox([], true);
});
const context = fakeContext([
  { id: id(1), hid: 1, name: 'table', extension: 'tabular', metadata: { columns: 2, column_types: ['str', 'int'] } },
  { id: id(2), hid: 2, name: 'image', extension: 'png' },
  { id: id(3), hid: 3, name: 'coming', extension: 'auto', pending: true },
  { id: id(4), hid: 4, name: 'broken', state: 'error' },
]);
type Model = JsonObject & {
  inputs: JsonObject[];
  options: { hda: JsonObject[] };
  cases: JsonObject[];
  cache: JsonObject[][];
};
const form = (tool: string, inputs: JsonObject = {}) => toolbox.form(toolbox.tool(tool)!, context, inputs) as Model;
const hda = (number: number): JsonObject => ({ src: 'hda', id: id(number) });

describe('the form', () => {
  it('of random_lines1 has its three inputs in the shape that the client draws', () => {
    const model = form('random_lines1');
    expect(model.inputs.map((input) => [input.model_class, input.name, input.type])).toEqual([
      ['IntegerToolParameter', 'num_lines', 'integer'],
      ['DataToolParameter', 'input', 'data'],
      ['Conditional', 'seed_source', 'conditional'],
    ]);
    expect(model).toMatchObject({
      id: 'random_lines1',
      history_id: HISTORY,
      versions: ['2.0.2'],
      errors: {},
      state_inputs: { num_lines: '1', 'seed_source|seed_source_selector': 'no_seed' },
    });
    const conditional = model.inputs[2] as Model;
    expect(conditional.test_param).toMatchObject({
      model_class: 'SelectToolParameter',
      value: 'no_seed',
      options: [
        ["Don't set seed", 'no_seed', true],
        ['Set seed', 'set_seed', false],
      ],
    });
    expect(conditional.cases.map((one) => [one.value, (one.inputs as JsonObject[]).map(({ name }) => name)])).toEqual([
      ['no_seed', []],
      ['set_seed', ['seed']],
    ]);
  });

  it('offers the datasets that fit, newest first, and chooses the newest', () => {
    const input = form('sort1').inputs[0] as Model;
    expect(input.options.hda.map(({ hid, name, src }) => [hid, name, src])).toEqual([
      [3, 'coming', 'hda'],
      [1, 'table', 'hda'],
    ]);
    expect(input.value).toMatchObject({ values: [{ id: id(3) }] });
    expect(input.extensions).toEqual(['tabular']);
    expect(input.edam).toEqual({ edam_formats: ['format_3475'], edam_data: ['data_1234'] });
  });

  it('keeps what the user has filled in, and offers the columns of the chosen dataset', () => {
    const inputs = {
      input: { values: [hda(1)] },
      column: '2',
      'column_set_0|other_column': '1',
      'column_set_0|other_order': 'ASC',
    };
    const model = form('sort1', inputs);
    const [input, column, , , repeat] = model.inputs as Model[];
    expect(input?.value).toMatchObject({ values: [{ id: id(1), hid: 1 }] });
    expect(column).toMatchObject({
      value: '2',
      options: [
        ['Column: 1', '1', false],
        ['Column: 2', '2', false],
      ],
    });
    expect(repeat?.cache).toHaveLength(1);
    expect(repeat?.cache[0]?.map(({ name, value }) => [name, value])).toEqual([
      ['other_column', '1'],
      ['other_style', 'num'],
      ['other_order', 'ASC'],
    ]);
    expect(model.state_inputs).toMatchObject({ column: '2', 'column_set_0|other_order': 'ASC' });
  });

  it('says at the parameter what is wrong so far', () => {
    expect(form('random_lines1', { num_lines: 'x' }).errors).toEqual({
      num_lines: 'A whole number is needed here; “x” is not one.',
    });
  });

  it('what it holds can be posted back and is understood', () => {
    const posted = form('random_lines1', {
      input: { values: [hda(1)] },
      'seed_source|seed_source_selector': 'set_seed',
    });
    const expanded = toolbox.expand(toolbox.tool('random_lines1')!, posted.state_inputs as JsonObject, context);
    expect(expanded.errors).toEqual({});
    expect(expanded.jobs[0]?.state).toMatchObject({ input: hda(1), seed_source: { seed_source_selector: 'set_seed' } });
  });
});

describe('the description', () => {
  it('has what lists show', () => {
    const tool = toolbox.tool('Show beginning1')!;
    expect(toolbox.describe(tool, { ioDetails: false, linkDetails: true })).toMatchObject({
      model_class: 'Tool',
      id: 'Show beginning1',
      name: 'Select first',
      version: '1.0.2',
      panel_section_id: 'textutil',
      panel_section_name: 'Text Manipulation',
      link: '/tool_runner?tool_id=Show%20beginning1',
      hidden: '',
      edam_operations: ['operation_3695'],
    });
    const plain = toolbox.describe(tool, { ioDetails: false, linkDetails: false });
    expect(plain).not.toHaveProperty('inputs');
    expect(plain).not.toHaveProperty('link');
  });

  it('has inputs and outputs when they are asked for', () => {
    const described = toolbox.describe(toolbox.tool('cat1')!, { ioDetails: true, linkDetails: false });
    expect(described.inputs).toMatchObject([
      { model_class: 'DataToolParameter', name: 'input1' },
      { model_class: 'Repeat', name: 'queries', inputs: [{ name: 'input2' }], cache: [] },
    ]);
    expect(described.outputs).toMatchObject([{ name: 'out_file1', format_source: 'input1', output_type: 'data' }]);
  });
});

describe('help', () => {
  it("becomes HTML in which the wrapper's own markup is text", () => {
    const help = `
      Title
      =====

      Some **bold**, *soft* and \`\`code <b>\`\` <script>alert(1)</script>::

        literal <x>
          deeper

      - one
      - two
        goes on

      -----

      [click](javascript:alert(1)) \`ok <https://example.org/a>\`_ \`bad <javascript:alert(1)>\`_
    `;
    const html = helpHtml(help, 'restructuredtext');
    expect(html).toContain('<h2>Title</h2>');
    expect(html).toContain('<strong>bold</strong>, <em>soft</em> and <code>code &lt;b&gt;</code>');
    expect(html).toContain('<pre>literal &lt;x&gt;\n  deeper</pre>');
    expect(html).toContain('<ul><li>one</li><li>two goes on</li></ul>');
    expect(html).toContain('<hr>');
    expect(html).toContain('<a href="https://example.org/a" target="_blank" rel="noopener noreferrer">ok</a>');
    expect(html).not.toMatch(/<script|href="javascript/);
  });
});
