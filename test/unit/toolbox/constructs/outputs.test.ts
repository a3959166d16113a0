/** What a tool makes: what is said before it runs, and what is found afterwards. The numbers are how many real tools use it. */
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../../protocol/log/entry.js';
import { id } from '../fake-context.js';
import { contextOf, hda, hdca, problemsOf, run, tables, type World, withTool } from './construct.js';

const DATA = '<param name="in" type="data" format="data"/>';
const KIND = '<param name="kind" type="select"><option value="bam">B</option><option value="sam">S</option></param>';
const FLAG = '<param name="flag" type="boolean" truevalue="--f" falsevalue=""/>';

const plan = (outputs: string, inputs: string, given: JsonObject = {}, world: World = {}) =>
  withTool({ inputs, outputs, command: 'x' }, async ({ toolbox, tool, expand }) => {
    const { jobs, errors } = expand(given, world);
    expect(errors).toEqual({});
    const context = contextOf(world);
    return {
      outputs: toolbox.plan(tool, jobs[0]!, context),
      collections: toolbox.planCollections?.(tool, jobs[0]!, context) ?? [],
    };
  });
const names = async (...given: Parameters<typeof plan>) => (await plan(...given)).outputs.map(({ name }) => name);
const formats = async (...given: Parameters<typeof plan>) =>
  (await plan(...given)).outputs.map(({ extension }) => extension);
const labels = async (...given: Parameters<typeof plan>) => (await plan(...given)).outputs.map(({ label }) => label);

describe('outputs', () => {
  it('output <data> (2936 tools)', async () => {
    const outputs = `<data name="out" format="txt" label="\${tool.name} on \${on_string}: $kind"/><data name="hidden" format="bed" hidden="true"/><data name="plain" format="tabular"/>`;
    const world = { data: [{ name: "it's" }] };
    const made = await plan(outputs, DATA + KIND, { in: hda(1) }, world);
    expect(made.outputs.map(({ name, label, extension, hidden }) => [name, label, extension, hidden])).toEqual([
      ['out', 'Tool on data 1: bam', 'txt', false],
      ['hidden', 'Tool on data 1', 'bed', true],
      ['plain', 'Tool on data 1', 'tabular', false],
    ]);
    // A label is read by nobody but people: names stand in it as they are.
    expect(
      await labels(
        '<data name="out" format="txt" label="$in.name $in.element_identifier"/>',
        DATA,
        { in: hda(1) },
        world,
      ),
    ).toEqual(["it's it's"]);
    const ran = await run({
      command: "printf 'a\\tb\\n1\\t2\\n' > '$out'",
      outputs: '<data name="out" format="tabular"/>',
    });
    expect(ran.results).toMatchObject([{ name: 'out', state: 'ok', extension: 'tabular', metadata: { columns: 2 } }]);
  });

  it('output <filter> (915 tools)', async () => {
    const outputs = `<data name="a" format="txt"><filter>flag</filter></data><data name="b" format="txt"><filter>kind == 'bam' and not flag</filter></data>
      <data name="c" format="txt"><filter>kind in ['sam', 'cram']</filter><filter>flag is True</filter></data>
      <data name="d" format="txt"><filter>c['k'] == 'y' and c['n'] > 1</filter></data><data name="e" format="txt"><filter>len(many) == 2 or 'p' in many</filter></data><data name="f" format="txt"><filter>no['such']</filter></data>`;
    const inputs = `${KIND}${FLAG}<conditional name="c"><param name="k" type="select"><option value="x">X</option><option value="y">Y</option></param><when value="x"/><when value="y"><param name="n" type="integer" value="2"/></when></conditional>
      <param name="many" type="select" multiple="true"><option value="p">P</option><option value="q">Q</option></param>`;
    expect(await names(outputs, inputs, { many: ['q'] })).toEqual(['b', 'f']);
    expect(await names(outputs, inputs, { flag: true, kind: 'sam', c: { k: 'y' }, many: ['p'] })).toEqual([
      'a',
      'c',
      'd',
      'e',
      'f',
    ]);
  });

  it('output from_work_dir (914 tools)', async () => {
    const outputs =
      '<data name="a" format="txt" from_work_dir="sub/result.txt"/><data name="b" format="txt" from_work_dir="*.log"/><data name="gone" format="txt" from_work_dir="not.there"/>';
    const ran = await run({ command: 'mkdir sub && echo one > sub/result.txt && echo two > run.log', outputs });
    expect(ran.outputs).toEqual({ a: 'one\n', b: 'two\n', gone: '' });
    expect(ran.results.find(({ name }) => name === 'gone')?.info).toContain('did not write not.there');
    const [problem] = await problemsOf({
      command: 'x',
      outputs: '<data name="a" format="txt" from_work_dir="../up"/>',
    });
    expect(problem?.message).toContain('leaves the working folder');
  });

  it('output <discover_datasets> (316 tools): each pattern that has a name', async () => {
    const found = async (pattern: string, files: string, more = '') => {
      const outputs = `<data name="out" format="txt" label="Made"><discover_datasets pattern="${pattern}" directory="d" ${more}/></data>`;
      const ran = await run({
        command: `mkdir d && cd d && for f in ${files}; do echo "\\$f" > "\\$f"; done`,
        outputs,
      });
      return ran.found.files.map(({ key, name, extension, visible, genomeBuild }) => [
        key,
        name,
        extension,
        visible,
        genomeBuild,
      ]);
    };
    expect(await found('__name__', 'x.bed')).toEqual([['out/x.bed', 'x.bed', 'txt', false, undefined]]);
    expect(await found('__name_and_ext__', 'a.b.bed z.fasta', 'visible="true"')).toEqual([
      ['out/a.b', 'a.b', 'bed', true, undefined],
      ['out/z', 'z', 'fasta', true, undefined],
    ]);
    expect(await found('__designation__', 'one')).toEqual([['out/one', 'Made (one)', 'txt', false, undefined]]);
    expect(await found('__designation_and_ext__', 'one.bed two.odd-ext', 'format="tabular"')).toMatchObject([
      ['out/one', 'Made (one)', 'bed', false, undefined],
      // What is called like no datatype is what its bytes say.
      ['out/two', 'Made (two)', 'txt', false, undefined],
    ]);
    expect(
      await found(
        '__default__',
        'primary_0_part_visible_bed_hg38 primary_0_more_hidden_txt primary_1_x_visible_txt other',
      ),
    ).toEqual([
      ['out/more', 'Made (more)', 'txt', false, undefined],
      ['out/part', 'Made (part)', 'bed', true, 'hg38'],
    ]);
    expect(
      await found('(?P&lt;designation&gt;.+)\\.(?P&lt;ext&gt;bed|txt)\\.(?P&lt;dbkey&gt;\\w+)', 'q.bed.mm10 q.fa.mm10'),
    ).toEqual([['out/q', 'Made (q)', 'bed', false, 'mm10']]);
    expect(
      await problemsOf({
        command: 'x',
        outputs: '<data name="o" format="txt"><discover_datasets pattern="__odd__"/></data>',
      }),
    ).toHaveLength(1);
  });

  it('output <discover_datasets> (316 tools): folders, order, the first in place of the output, the genome of the input', async () => {
    const outputs = `<data name="out" format="txt" label="First"><discover_datasets pattern="(?P&lt;name&gt;.+)\\.txt" directory="d" recurse="true" sort_by="reverse_numeric_name" assign_primary_output="true" visible="true"/></data>
      <data name="deep" format="txt"><discover_datasets pattern="(?P&lt;designation&gt;.+/.+)\\.txt" directory="d" recurse="true" match_relative_path="true" dbkey="mm10"/></data>`;
    const command = 'mkdir -p d/e && for n in 2 10 9; do echo $n > d/$n.txt; done && echo 1 > d/e/1.txt'.replaceAll(
      '$',
      '\\$',
    );
    const ran = await run(
      { inputs: DATA, command, outputs },
      { in: hda(1) },
      { data: [{ metadata: { dbkey: 'hg38' } }] },
    );
    expect(ran.outputs.out).toBe('10\n');
    expect(ran.found.primaries.get('out')).toMatchObject({ name: '10' });
    expect(ran.found.files.map(({ key, name, genomeBuild }) => [key, name, genomeBuild])).toEqual([
      ['out/9', '9', 'hg38'],
      ['out/2', '2', 'hg38'],
      ['out/1', '1', 'hg38'],
      // One file may be found for several outputs.
      ['deep/e/1', 'Tool on data 1 (e/1)', 'mm10'],
    ]);
  });

  it('output <discover_datasets> (316 tools) whose tool says itself what it made, in galaxy.json', async () => {
    const outputs =
      '<data name="out" format="txt"><discover_datasets from_provided_metadata="true" visible="true"/></data>';
    const json = {
      out: { name: 'Mine', ext: 'tabular', elements: [{ filename: 'p.bed', name: 'part', ext: 'bed', dbkey: 'hg38' }] },
    };
    const before = `<configfiles><configfile name="j">${JSON.stringify(json)}</configfile></configfiles>`;
    const ran = await run({
      before,
      command: "echo part > p.bed && cp '$j' galaxy.json && echo own > '$out'",
      outputs,
    });
    expect(ran.found.files).toMatchObject([{ name: 'part', extension: 'bed', genomeBuild: 'hg38', visible: true }]);
    expect(Object.values(ran.foundTexts)).toEqual(['part\n']);
  });

  it('output <discover_datasets> whose tool says in galaxy.json what the files are that a pattern finds', async () => {
    const said = {
      out: {
        datasets: [
          {
            filename: 'a.txt',
            name: 'First',
            ext: 'tabular',
            dbkey: 'mm10',
            info: 'as asked',
            metadata: { mine: 7 },
            extra_files: 'a_files',
            created_from_basename: 'a.csv',
          },
          { filename: 'b.txt', extra_files: '../outside' },
        ],
      },
    };
    const ran = await run({
      command:
        "mkdir -p a_files/in ../outside && echo x > a_files/in/x.png && echo y > ../outside/y && printf '1\\t2\\n' > a.txt && echo b > b.txt && cp '$j' galaxy.json && echo own > '$out'",
      before: `<configfiles><configfile name="j">${JSON.stringify(said)}</configfile></configfiles>`,
      outputs:
        '<data name="out" format="txt"><discover_datasets pattern="(?P&lt;name&gt;[ab])\\.txt" visible="true"/></data>',
    });
    expect(ran.stderr).toBe('');
    const [first, second] = ran.found.files;
    expect(first).toMatchObject({
      name: 'First',
      extension: 'tabular',
      genomeBuild: 'mm10',
      info: 'as asked',
      metadata: { columns: 2, mine: 7 },
      createdFrom: 'a.csv',
      extra: [{ path: 'in/x.png', file: expect.stringContaining('/outputs/found/0_files/in/x.png') }],
    });
    expect(second).toMatchObject({ name: 'b', extension: 'txt' });
    expect(second?.extra).toBeUndefined();
    expect(ran.found.notes).toEqual([expect.stringContaining('../outside is outside the working folder')]);
  });

  it('output <collection> (310 tools): static, paired, discovered, nested and like another one', async () => {
    const pair =
      '<collection name="pair" type="paired" format="fastq" label="P"><data name="forward" from_work_dir="f"/><data name="reverse" format="txt"/></collection>';
    const ran = await run({
      command: "echo f > f && echo r > '$pair.reverse' && echo '${pair.reverse.ext}'",
      outputs: pair,
    });
    expect(ran.planned.map(({ name, extension, element }) => [name, extension, element])).toEqual([
      ['pair|__part__|forward', 'fastq', { collection: 'pair', identifiers: ['forward'] }],
      ['pair|__part__|reverse', 'txt', { collection: 'pair', identifiers: ['reverse'] }],
    ]);
    expect(Object.values(ran.outputs)).toEqual(['f\n', 'r\n']);
    expect(ran.stdout).toBe('txt\n');
    expect(ran.collections).toMatchObject([{ name: 'pair', collectionType: 'paired', label: 'P' }]);

    const list =
      '<collection name="list" type="list"><discover_datasets pattern="__name_and_ext__" directory="parts"/></collection>';
    const found = await run({ command: 'mkdir parts && touch parts/b.bed && echo a > parts/a.txt', outputs: list });
    expect(found.found.elements).toEqual({
      list: [
        { identifiers: ['a'], key: 'list/a' },
        { identifiers: ['b'], key: 'list/b' },
      ],
    });
    expect(found.found.files.map(({ extension, state }) => [extension, state])).toEqual([
      ['txt', 'ok'],
      ['bed', 'empty'],
    ]);

    const nested =
      '<collection name="n" type="list:paired"><discover_datasets pattern="(?P&lt;identifier_0&gt;[^_]+)_(?P&lt;identifier_1&gt;forward|reverse)\\.(?P&lt;ext&gt;.+)"/></collection>';
    const deep = await run({
      command:
        'for s in x y; do for d in forward reverse; do echo 1 > "\\${s}_\\$d.txt"; done; done; echo 1 > other.txt',
      outputs: nested,
    });
    expect(deep.found.elements.n?.map(({ identifiers }) => identifiers)).toEqual([
      ['x', 'forward'],
      ['x', 'reverse'],
      ['y', 'forward'],
      ['y', 'reverse'],
    ]);

    const inputs = '<param name="c" type="data_collection" collection_type="list" format="data"/>';
    const collections = {
      l: {
        name: 'L',
        hid: 3,
        type: 'list',
        elements: [
          ['s1', id(1)],
          ['s2', id(2)],
        ] as [string, string][],
      },
    };
    const world = { data: [{ extension: 'bed' }, { extension: 'fasta' }], collections };
    const like = await plan(
      '<collection name="o" type="list" structured_like="c" inherit_format="true"/>',
      inputs,
      { c: hdca('l') },
      world,
    );
    expect(like.outputs.map(({ name, extension }) => [name, extension])).toEqual([
      ['o|__part__|s1', 'bed'],
      ['o|__part__|s2', 'fasta'],
    ]);
    const typed = await plan(
      '<collection name="o" type_source="c"><discover_datasets pattern="__name__"/></collection>',
      inputs,
      { c: hdca('l') },
      world,
    );
    expect(typed.collections).toMatchObject([{ collectionType: 'list' }]);
  });

  it('output <change_format> (244 tools)', async () => {
    const outputs =
      '<data name="out" format="bam"><change_format><when input="kind" value="sam" format="sam"/><when input="s.deep" value="yes" format="txt"/></change_format></data>';
    const inputs = `${KIND}<section name="s" title="S"><param name="deep" type="select"><option value="no">N</option><option value="yes">Y</option></param></section>`;
    expect(await formats(outputs, inputs)).toEqual(['bam']);
    expect(await formats(outputs, inputs, { kind: 'sam' })).toEqual(['sam']);
    expect(await formats(outputs, inputs, { kind: 'sam', s: { deep: 'yes' } })).toEqual(['txt']);
    const byData =
      '<data name="out" format="txt"><change_format><when input_dataset="in" attribute="ext" value="bed" format="interval"/></change_format></data>';
    expect(await formats(byData, DATA, { in: hda(1) }, { data: [{ extension: 'bed' }] })).toEqual(['interval']);
  });

  it('output format_source (208 tools), metadata_source and format="input"', async () => {
    const inputs = `${DATA}<conditional name="c"><param name="k" type="select"><option value="x">X</option></param><when value="x"><param name="deep" type="data" format="data"/></when></conditional>`;
    const world = { data: [{ extension: 'fastqsanger.gz' }, { extension: 'bed', metadata: { dbkey: 'mm10' } }] };
    const outputs = `<data name="a" format_source="in"/><data name="b" format_source="c|deep" format="txt"/><data name="c2" format="input"/><data name="d" format="txt" metadata_source="deep"/><data name="e" format_source="nowhere" format="bam"/><data name="f" auto_format="true"/>`;
    const made = await plan(outputs, inputs, { in: hda(1), c: { k: 'x', deep: hda(2) } }, world);
    expect(made.outputs.map(({ extension }) => extension)).toEqual([
      'fastqsanger.gz',
      'bed',
      'fastqsanger.gz',
      'txt',
      'bam',
      '_sniff_',
    ]);
    expect(made.outputs[3]?.genomeBuild).toBe('mm10');
  });

  it('output <actions> (91 tools)', async () => {
    const outputs = `<data name="out" format="tabular"><actions>
      <action name="column_names" type="metadata" default="Chrom,Start,$kind"/>
      <conditional name="kind"><when value="sam"><action type="format" default="sam"/></when><when value="bam"><action type="format"><option type="from_param" name="in" param_attribute="ext"/></action></when></conditional>
      <action type="metadata" name="dbkey"><option type="from_data_table" name="genomes" column="1"><filter type="param_value" column="0" ref="ref" compare="eq"/></option></action>
      <conditional name="flag"><when value="true"><action name="columns" type="metadata" default="3"/></when></conditional>
      </actions></data>`;
    const inputs = `${DATA}${KIND}${FLAG}<param name="ref" type="select"><options from_data_table="genomes"/></param>`;
    const world = {
      data: [{ extension: 'bed' }],
      ...tables({
        genomes: {
          columns: ['value', 'dbkey'],
          rows: [
            ['hg', 'hg38'],
            ['mm', 'mm10'],
          ],
        },
      }),
    };
    const made = async (given: JsonObject) =>
      (await plan(outputs, inputs, { in: hda(1), ref: 'mm', ...given }, world)).outputs[0];
    expect(await made({})).toMatchObject({
      extension: 'bed',
      genomeBuild: 'mm10',
      metadata: { column_names: ['Chrom', 'Start', 'bam'] },
    });
    expect(await made({ kind: 'sam', flag: true })).toMatchObject({ extension: 'sam', metadata: { columns: 3 } });
  });

  it('output labels follow what the job was made from', async () => {
    const inputs = '<param name="in" type="data" format="data" multiple="true"/>';
    const on = (count: number) =>
      labels(
        '<data name="out" format="txt" label="$on_string"/>',
        inputs,
        { in: Array.from({ length: count }, (_, i) => hda(i + 1)) },
        { data: ['', '', '', ''] },
      );
    expect(await on(1)).toEqual(['data 1']);
    expect(await on(2)).toEqual(['data 1 and data 2']);
    expect(await on(3)).toEqual(['data 1, data 2, and data 3']);
    expect(await on(4)).toEqual(['data 1, data 2, and others']);
  });

  it('output files beside an HTML page are kept with it', async () => {
    const command =
      "mkdir -p '$out.files_path/img' && echo png > '$out.files_path/img/a.png' && echo '<html></html>' > '$out'";
    const ran = await run({ command, outputs: '<data name="out" format="html"/>' });
    expect(ran.results[0]?.extra?.map(({ path }) => path)).toEqual(['img/a.png']);
  });
});
