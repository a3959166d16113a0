import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Toolbox } from '../../../node/toolbox/tool.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import { fakeContext, id } from './fake-context.js';
import { temporaryFolder, toolboxOf } from './run-tool.js';

let toolbox: Toolbox;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const context = fakeContext([
  { id: id(1), hid: 1, name: "one's", extension: 'bed' },
  { id: id(2), hid: 2, extension: 'fasta' },
  { id: id(3), hid: 3 },
  { id: id(4), hid: 4 },
  { id: id(5), hid: 5, extension: 'auto', pending: true },
]);
const hda = (number: number): JsonObject => ({ src: 'hda', id: id(number) });

beforeAll(async () => {
  folder = await temporaryFolder();
  toolbox = await toolboxOf(folder.path, {
    'list.xml': `<tool id="list" name="Many" version="1"><command>x</command>
      <inputs><param name="in" type="data" format="data" multiple="true" optional="true"/></inputs>
      <outputs><data name="out" format="input"/></outputs></tool>`,
    'found.xml': `<tool id="found" name="Found" version="1"><command>x</command>
      <inputs><param name="in" type="data" format="data"/></inputs>
      <outputs>
        <data name="same" format_source="in"><discover_datasets pattern="__name__"/><discover_datasets pattern="__name__" format="csv"/></data>
        <data name="first" format="input"><discover_datasets pattern="__name__"/></data>
        <data name="own" format="txt"><discover_datasets pattern="__name__"/></data>
        <collection name="list" type="list" format_source="in"><discover_datasets pattern="__name__"/></collection>
      </outputs></tool>`,
    't.xml': `<tool id="t" name="Tool" version="1"><command>x</command>
      <inputs>
        <param name="a" type="data" format="data"/>
        <conditional name="c">
          <param name="mode" type="select"><option value="short">S</option><option value="long">L</option></param>
          <when value="short"/>
          <when value="long"><param name="b" type="data" format="data"/></when>
        </conditional>
        <param name="kind" type="select"><option value="tabular">T</option><option value="csv">C</option></param>
        <param name="flag" type="boolean" truevalue="--f" falsevalue=""/>
        <param name="many" type="select" multiple="true"><option value="x" selected="true">X</option><option value="y">Y</option></param>
      </inputs>
      <outputs>
        <data name="same" format_source="a" label="\${tool.name} on \${on_string}: \${a.name} ($c.mode)"/>
        <data name="deep" format_source="c|b" format="txt"><filter>c['mode'] == 'long'</filter></data>
        <data name="changed" format="txt" hidden="true" from_work_dir="sub/x.txt">
          <change_format><when input="kind" value="csv" format="csv"/><when input="c.mode" value="long" format="json"/></change_format>
        </data>
        <data name="by_dataset" format="tabular"><change_format><when input_dataset="a" attribute="ext" value="bed" format="interval"/></change_format></data>
        <data name="flagged" format="txt"><filter>flag</filter><filter>"x" in many</filter></data>
        <data name="odd" format="txt"><filter>nothing['here']</filter></data>
        <data name="sniffed" auto_format="true"/>
      </outputs></tool>`,
  });
  expect(toolbox.problems()).toEqual([]);
});
afterAll(() => folder.remove());

function plan(tool: string, inputs: JsonObject) {
  const found = toolbox.tool(tool)!;
  const { jobs, errors } = toolbox.expand(found, inputs, context);
  expect(errors).toEqual({});
  return toolbox.plan(found, jobs[0]!, context);
}

describe("the label says what it was made from, in Galaxy's words", () => {
  it.each<[number[], string]>([
    [[], 'Many'],
    [[1], 'Many on data 1'],
    [[1, 2], 'Many on data 1 and data 2'],
    [[1, 2, 3], 'Many on data 1, data 2, and data 3'],
    [[1, 2, 3, 4], 'Many on data 1, data 2, and others'],
    [[1, 1], 'Many on data 1'],
  ])('%j', (numbers, label) => {
    expect(plan('list', { in: { values: numbers.map(hda) } })[0]?.label).toBe(label);
  });

  it("a template of the wrapper's own is rendered, with names as the user wrote them", () => {
    const [same] = plan('t', { a: hda(1) });
    expect(same).toEqual({
      name: 'same',
      label: "Tool on data 1: one's (short)",
      extension: 'bed',
      hidden: false,
      fromWorkDir: undefined,
    });
  });
});

describe('formats', () => {
  const extension = (inputs: JsonObject, name: string) =>
    plan('t', inputs).find((output) => output.name === name)?.extension;

  it('follow an input, in a conditional too', () => {
    expect(extension({ a: hda(1), 'c|mode': 'long', 'c|b': hda(2) }, 'deep')).toBe('fasta');
    expect(plan('list', { in: [hda(2), hda(1)] })[0]?.extension).toBe('fasta');
    expect(plan('list', {})[0]?.extension).toBe('data');
  });

  it('of a dataset that is not there yet are decided from the bytes', () => {
    expect(extension({ a: hda(5) }, 'same')).toBe('auto');
    expect(extension({ a: hda(1) }, 'sniffed')).toBe('_sniff_');
  });

  it('change with a parameter or with a dataset', () => {
    expect(extension({ a: hda(1) }, 'changed')).toBe('txt');
    expect(extension({ a: hda(1), kind: 'csv' }, 'changed')).toBe('csv');
    expect(extension({ a: hda(1), kind: 'csv', 'c|mode': 'long', 'c|b': hda(2) }, 'changed')).toBe('json');
    expect(extension({ a: hda(1) }, 'by_dataset')).toBe('interval');
    expect(extension({ a: hda(2) }, 'by_dataset')).toBe('tabular');
  });

  it('of files that are found are those of their output, where the rule says nothing', () => {
    const made = plan('found', { in: hda(1) }).map(({ name, discover = [] }) => [
      name,
      discover.map((one) => one.format),
    ]);
    expect(made).toEqual([
      ['same', ['bed', 'csv']],
      ['first', ['bed']],
      ['own', ['txt']],
    ]);
    const found = toolbox.tool('found')!;
    const { jobs } = toolbox.expand(found, { in: hda(1) }, context);
    const [list] = toolbox.planCollections?.(found, jobs[0]!, context) ?? [];
    expect(list?.discover.map((one) => one.format)).toEqual(['bed']);
  });

  it('hidden and from_work_dir are passed on', () => {
    expect(plan('t', { a: hda(1) }).find((output) => output.name === 'changed')).toMatchObject({
      hidden: true,
      fromWorkDir: 'sub/x.txt',
    });
  });
});

describe('filters', () => {
  const names = (inputs: JsonObject) => plan('t', inputs).map((output) => output.name);

  it('leave outputs out, and one that cannot be evaluated keeps its output', () => {
    expect(names({ a: hda(1) })).toEqual(['same', 'changed', 'by_dataset', 'odd', 'sniffed']);
    expect(names({ a: hda(1), flag: true })).toContain('flagged');
    expect(names({ a: hda(1), flag: true, many: ['y'] })).not.toContain('flagged');
    expect(names({ a: hda(1), 'c|mode': 'long', 'c|b': hda(2) })).toContain('deep');
  });
});
