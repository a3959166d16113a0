import { describe, expect, it } from 'vitest';
import { parseTests } from '../../../node/toolbox/wrapper/test-xml.js';
import { parseXml } from '../../../node/toolbox/wrapper/wrapper-xml.js';

const read = (inside: string, attributes = '') =>
  parseTests([parseXml(`<tests>\n<test${attributes}>${inside}</test>\n</tests>`, '/t.xml')])[0]!;
const problems = (inside: string) => read(inside).problems.map(({ message }) => message);

describe('inputs of a test', () => {
  it('by path and nested in conditional, section and repeat become paths', () => {
    const { inputs, problems: wrong } = read(`
      <param name="a|b|c" value="1"/>
      <conditional name="mode"><param name="kind" value="x"/><section name="adv"><param name="n" value="2"/></section></conditional>
      <repeat name="r"><param name="q" value="3"/></repeat>
      <repeat name="r"><param name="q" value="4"/><repeat name="s"><param name="p" value="5"/></repeat></repeat>`);
    expect(wrong).toEqual([]);
    expect(inputs.map(({ path, value }) => `${path}=${value}`)).toEqual([
      'a|b|c=1',
      'mode|kind=x',
      'mode|adv|n=2',
      'r_0|q=3',
      'r_1|q=4',
      'r_1|s_0|p=5',
    ]);
  });

  it('values, JSON, type, build, address, metadata, composite data and edits', () => {
    const { inputs } = read(`
      <param name="a" values="x,y"/><param name="b" value_json="[1, null]"/><param name="c" value=""/>
      <param name="d" value="f.bam" ftype="bam" dbkey="hg19" location="https://example.org/f.bam" tags="t" class="File">
        <metadata name="column" value="3"/><composite_data value="one"/><composite_data value="two"/><edit_attributes type="name" value="N"/>
      </param>`);
    expect(inputs).toMatchObject([
      { values: ['x', 'y'] },
      { json: [1, null] },
      { value: '' },
      {
        value: 'f.bam',
        ftype: 'bam',
        dbkey: 'hg19',
        location: 'https://example.org/f.bam',
        attributes: { tags: 't', class: 'File' },
        metadata: { column: '3' },
        compositeData: ['one', 'two'],
        edits: [{ type: 'name', value: 'N' }],
      },
    ]);
  });

  it('collections, nested ones too', () => {
    const { inputs } = read(`<param name="l"><collection type="list:paired" name="L">
      <element name="s1"><collection type="paired"><element name="forward" value="1.fq" ftype="fastqsanger"/><element name="reverse" value="2.fq"/></collection></element>
    </collection></param>`);
    expect(inputs[0]?.collection).toMatchObject({
      type: 'list:paired',
      name: 'L',
      elements: [
        {
          identifier: 's1',
          collection: {
            type: 'paired',
            elements: [
              { identifier: 'forward', input: { value: '1.fq', ftype: 'fastqsanger' } },
              { identifier: 'reverse', input: { value: '2.fq' } },
            ],
          },
        },
      ],
    });
  });
});

describe('what a test expects', () => {
  it('of an output: defaults', () => {
    expect(read('<output name="o" file="x"/>').outputs[0]).toMatchObject({
      name: 'o',
      file: 'x',
      compare: 'diff',
      linesDiff: 0,
      delta: 10_000,
      deltaFrac: undefined,
      sort: false,
      decompress: false,
      assertions: undefined,
      discovered: [],
    });
  });

  it('of an output: every way of comparing', () => {
    const { outputs, problems: wrong } = read(`
      <output name="a" value="x" compare="re_match_multiline" lines_diff="4" sort="true" decompress="True" ftype="vcf"/>
      <output name="b" file="x" compare="sim_size" delta="10" delta_frac="0.1"/>
      <output name="c" md5="abc"/><output name="d" checksum="sha1$abc"/><output name="e" value_json='{"a":1}'/>
      <output name="f" location="https://example.org/dir/out.txt"/>
      <output name="g"><metadata name="columns" value="3"/><extra_files type="file" name="m.txt" value="m"/><extra_files type="directory" value="dir"/></output>
      <output name="h" count="2"><discovered_dataset designation="s1" file="1"/><discovered_dataset designation="s2"><assert_contents><has_size value="3"/></assert_contents></discovered_dataset></output>`);
    expect(wrong).toEqual([]);
    expect(outputs).toMatchObject([
      { compare: 're_match_multiline', linesDiff: 4, sort: true, decompress: true, ftype: 'vcf', file: 'x' },
      { compare: 'sim_size', delta: 10, deltaFrac: 0.1 },
      { md5: 'abc' },
      { checksum: 'sha1$abc' },
      { json: { a: 1 } },
      { file: 'out.txt', location: 'https://example.org/dir/out.txt' },
      {
        metadata: { columns: '3' },
        extraFiles: [
          { kind: 'file', name: 'm.txt', file: 'm' },
          { kind: 'directory', file: 'dir' },
        ],
      },
      {
        count: 2,
        discovered: [
          { designation: 's1', file: '1' },
          { designation: 's2', assertions: [{ name: 'has_size' }] },
        ],
      },
    ]);
  });

  it('of a collection, with elements in elements', () => {
    const { collections } = read(`<output_collection name="l" type="list" count="2">
      <element name="a" file="1" ftype="txt"/><element name="b"><element name="forward"><assert_contents><has_text text="x"/></assert_contents></element></element>
    </output_collection>`);
    expect(collections).toMatchObject([
      {
        name: 'l',
        type: 'list',
        count: 2,
        elements: [
          { identifier: 'a', file: '1' },
          { identifier: 'b', elements: [{ identifier: 'forward', assertions: [{ name: 'has_text' }] }] },
        ],
      },
    ]);
  });

  it('assertions as a tree, with attributes as written', () => {
    const { outputs } = read(`<output name="o"><assert_contents>
      <has_text text="a&#9;b" n="2" delta="1"/>
      <has_archive_member path="x.*"><has_line line="y"/><not_has_text text="z"/></has_archive_member>
    </assert_contents></output>`);
    expect(outputs[0]?.assertions).toMatchObject([
      { name: 'has_text', attributes: { text: 'a\tb', n: '2', delta: '1' }, children: [] },
      {
        name: 'has_archive_member',
        attributes: { path: 'x.*' },
        children: [{ name: 'has_line' }, { name: 'not_has_text', attributes: { text: 'z' } }],
      },
    ]);
  });

  it('of the run: failure, exit code, number of outputs, time, streams and command', () => {
    const test = read(
      '<assert_stdout><has_text text="a"/></assert_stdout><assert_stderr/><assert_command><has_text text="-x"/></assert_command><assert_command_version><has_text text="1"/></assert_command_version>',
      ' expect_failure="true" expect_exit_code="2" expect_num_outputs="3" maxseconds="60" expect_test_failure="true"',
    );
    expect(test).toMatchObject({
      number: 1,
      spot: { file: '/t.xml', line: 2 },
      problems: [],
      expectFailure: true,
      expectExitCode: 2,
      expectNumOutputs: 3,
      maxSeconds: 60,
      expectTestFailure: true,
      stdout: [{ name: 'has_text' }],
      stderr: [],
      command: [{ attributes: { text: '-x' } }],
      commandVersion: [{ name: 'has_text' }],
    });
  });
});

describe('a test that cannot be understood says why, and the others stand', () => {
  it.each([
    ['<param value="1"/>', 'a <param> without a name'],
    ['<conditional><param name="a" value="1"/></conditional>', 'a <conditional> without a name'],
    ['<param name="a" value_json="{"/>', 'value_json is not JSON'],
    ['<output file="x"/>', 'a <output> without a name'],
    ['<output name="o"/>', 'nothing is expected of <output name="o">'],
    ['<output name="o" file="x" compare="by_eye"/>', 'compare="by_eye" is not known'],
    ['<output name="o" file="x" lines_diff="few"/>', 'lines_diff="few" is not a whole number'],
    ['<output_collection name="l"><element file="x"/></output_collection>', 'an <element> without a name'],
    ['<param name="l"><collection><element name="a" value="x"/></collection></param>', 'a <collection> without a type'],
    ['<output name="o" file="x"><extra_files value="y"/></output>', 'an <extra_files> without a name'],
    ['<credentials name="x"/>', 'it needs <credentials>, which this node does not support'],
  ])('%s', (inside, message) => {
    expect(problems(inside)).toEqual([message]);
  });

  it('numbers go on', () => {
    const tests = parseTests([parseXml('<tests><test><output/></test><test/></tests>', '/t.xml')]);
    expect(tests.map(({ number, problems: wrong }) => [number, wrong.length])).toEqual([
      [1, 1],
      [2, 0],
    ]);
  });

  it('inputs nested beyond the bound', () => {
    const deep = `${'<section name="s">'.repeat(30)}<param name="a" value="1"/>${'</section>'.repeat(30)}`;
    expect(problems(deep)).toEqual(['inputs are nested more than 20 deep']);
  });
});
