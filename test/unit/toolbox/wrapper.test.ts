import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fakeContext, id } from './fake-context.js';
import { runTool, temporaryFolder, testToolbox, toolboxOf } from './run-tool.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const wrapper = (inside: string, attributes = 'id="t" name="T" version="1.0"') =>
  `<tool ${attributes}>\n${inside}\n</tool>`;
const simple = (inputs: string, command = "echo > '$out'") =>
  wrapper(
    `<command detect_errors="exit_code"><![CDATA[${command}]]></command>\n<inputs>${inputs}</inputs>\n<outputs><data name="out" format="txt"/></outputs>`,
  );

describe('a wrapper written while the node runs', () => {
  it('is there after a reload, runs, and gives the bytes it says', async () => {
    const toolbox = await testToolbox([folder.path], false);
    expect(toolbox.tools()).toEqual([]);
    const toolId = `made_${randomBytes(6).toString('hex')}`;
    const text = wrapper(
      `<description>made now</description>
       <command detect_errors="exit_code"><![CDATA[
         #if $shape.kind == "box"
           printf '%s %s\\n' '$greeting' '\${shape.width}x\${shape.height}' > '$out'
         #else
           printf '%s round\\n' '$greeting' > '$out'
         #end if
       ]]></command>
       <inputs>
         <param name="greeting" type="text" value="hello" label="Greeting"/>
         <conditional name="shape">
           <param name="kind" type="select" label="Kind">
             <option value="round">Round</option>
             <option value="box">Box</option>
           </param>
           <when value="round"/>
           <when value="box">
             <param name="width" type="integer" value="2" label="Width"/>
             <param name="height" type="float" value="1.5" label="Height"/>
           </when>
         </conditional>
       </inputs>
       <outputs><data name="out" format="txt" label="\${tool.name}: $greeting"/></outputs>`,
      `id="${toolId}" name="Made" version="0.1"`,
    );
    await writeFile(join(folder.path, 'made.xml'), text);
    await toolbox.reload();
    expect(toolbox.problems()).toEqual([]);
    const box = { greeting: 'good day', 'shape|kind': 'box', 'shape|width': '7' };
    expect((await runTool(toolbox, toolId, box)).outputs).toEqual({ out: 'good day 7x1.5\n' });
    expect((await runTool(toolbox, toolId, {})).outputs).toEqual({ out: 'hello round\n' });
    const tool = toolbox.tool(toolId)!;
    const context = fakeContext([]);
    const { jobs } = toolbox.expand(tool, { greeting: 'hi' }, context);
    expect(toolbox.plan(tool, jobs[0]!, context)).toEqual([
      { name: 'out', label: 'Made: hi', extension: 'txt', hidden: false, fromWorkDir: undefined },
    ]);
    expect(tool.section).toEqual({ id: 'tools', name: 'Tools' });
  });

  it('that goes away is gone after a reload, and a tool held from before still works', async () => {
    const toolbox = await toolboxOf(folder.path, { 'a.xml': simple('') });
    const tool = toolbox.tool('t')!;
    await rm(join(folder.path, 'a.xml'));
    await toolbox.reload();
    expect(toolbox.tool('t')).toBeUndefined();
    expect(toolbox.expand(tool, {}, fakeContext([])).jobs).toHaveLength(1);
  });

  it('in several versions answers with the newest unless one is named', async () => {
    const toolbox = await toolboxOf(folder.path, {
      'a.xml': simple('').replace('"1.0"', '"1.9.0"'),
      'b/b.xml': simple('').replace('"1.0"', '"1.10.0"'),
    });
    expect(toolbox.tool('t')?.version).toBe('1.10.0');
    expect(toolbox.tool('t', '1.9.0')?.version).toBe('1.9.0');
    expect(toolbox.tool('t', '2')).toBeUndefined();
  });
});

describe('what is not supported is refused by name and line, and the other tools load', () => {
  it.each([
    ['<param name="a" type="file"/>', 'the parameter type "file"'],
    ['<param name="a" type="directory_uri"/>', 'the parameter type "directory_uri"'],
    ['<param name="a" type="drill_down"><options><option name="x"/></options></param>', 'drill_down needs a value'],
    ['<param name="a" type="select"><options from_parameter="b"/></param>', '<options from_parameter="b">'],
    ['<param name="a" type="select"><options from_url="b"/></param>', '<options from_url="b">'],
    [
      '<param name="a" type="select"><options from_dataset="b"><filter type="any"/></options></param>',
      '<filter type="any">',
    ],
    ['<param name="a" type="select" dynamic_options="f()"/>', 'dynamic_options'],
    ['<param name="a" type="text"><validator type="expression">open(value)</validator></param>', 'uses open()'],
    ['<param name="a" type="text"><validator type="any"/></param>', 'the validator "any"'],
    ['<param name="a" type="data"><conversion name="x" type="y"/></param>', '<conversion> in a data parameter'],
    ['<upload_dataset name="a"/>', '<upload_dataset> among the inputs'],
    [
      '<conditional name="a" value_from="x"><param name="b" type="text"/></conditional>',
      'a conditional with value_from',
    ],
  ])('%s', async (input, what) => {
    const toolbox = await toolboxOf(folder.path, {
      'bad.xml': simple(`\n${input}`),
      'good.xml': simple('').replace('"t"', '"good"'),
    });
    expect(toolbox.tools().map((tool) => tool.id)).toEqual(['good']);
    const [problem, ...more] = toolbox.problems();
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ file: join(folder.path, 'bad.xml'), line: 4 });
    expect(problem?.message).toContain(what);
  });

  it.each([
    [wrapper('<command>x</command>\n<code file="x.py"/>'), 3, '<code>'],
    [wrapper('<action module="a" class="b"/>\n<command>x</command>'), 2, '<action>'],
    [wrapper('<command>\n#include "x"\n</command>'), 3, 'the directive #include'],
    [wrapper('<command detect_errors="maybe">x</command>'), 2, 'detect_errors="maybe"'],
    [
      wrapper('<command>x</command><outputs>\n<collection name="c"/></outputs>'),
      3,
      'neither type, type_source nor structured_like',
    ],
    [wrapper('<command>x</command><outputs>\n<collection name="c" type="sets"/></outputs>'), 3, '"sets" is no type'],
    [
      wrapper('<command>x</command><outputs><data name="o">\n<discover_datasets pattern="__any__"/></data></outputs>'),
      3,
      'the pattern "__any__" of <discover_datasets>',
    ],
    [
      wrapper('<command>x</command><outputs><data name="o">\n<discover_datasets pattern="("/></data></outputs>'),
      3,
      'the regular expression "("',
    ],
    [
      wrapper('<command>x</command><outputs><data name="o">\n<actions><action type="any"/></actions></data></outputs>'),
      3,
      'the action "any"',
    ],
    [wrapper('<command>x</command>', 'id="t" name="T" tool_type="data_source"'), 1, 'tool_type="data_source"'],
    [wrapper('<command>x</command>', 'id="t" name="T" tool_type="node"'), 1, 'tool_type="node"'],
    [wrapper('<command>x</command>\n<entry_points/>'), 3, '<entry_points>'],
    [wrapper('<command>x</command><stdio>\n<regex match="(" /></stdio>'), 3, 'the regular expression "("'],
  ])('%s', async (text, line, what) => {
    const toolbox = await toolboxOf(folder.path, { 'bad.xml': text });
    expect(toolbox.problems()).toHaveLength(1);
    expect(toolbox.problems()[0]).toMatchObject({ line });
    expect(toolbox.problems()[0]?.message).toContain(what);
  });
});

describe('what is wrong is said with file and line', () => {
  it.each([
    ['<tool id="t">\n<command>', 'it is not well-formed XML', undefined],
    ['<!DOCTYPE tool [<!ENTITY a "b">]><tool id="t"/>', 'entities of its own', 1],
    [wrapper('<command>x</command>', 'name="T"'), 'the tool has no id', 1],
    [wrapper('<inputs/>'), 'the tool has no <command>', 1],
    [wrapper('<command>\n\n#if $x\n</command>'), "'#if' without '#end if'", 4],
    [simple('<param type="text"/>'), 'a <param> without a name', 3],
    [simple('<param name="a|b" type="text"/>'), "cannot be a parameter's name", 3],
    [simple('<param name="__proto__" type="text"/>'), "cannot be a parameter's name", 3],
    [simple('<param name="a" type="integer" value="x"/>'), 'value="x" is not a whole number', 3],
    [
      wrapper('<command>x</command><outputs><data name="o" from_work_dir="../x"/></outputs>'),
      'leaves the working folder',
      2,
    ],
    [wrapper('<command>x</command><stdio><exit_code range="a"/></stdio>'), 'exit code range "a"', 2],
    [wrapper('<macros><import>../../etc/x.xml</import></macros><command>x</command>'), 'leaves the tool folder', 2],
    [wrapper('<macros><import>none.xml</import></macros><command>x</command>'), 'there is no such file', 2],
    [wrapper('<command>x</command><expand macro="m"/><macros/>'), 'there is no macro "m"', 2],
    [
      wrapper('<macros><xml name="m"><expand macro="m"/></xml></macros><command>x</command><expand macro="m"/>'),
      'uses a macro inside itself: m → m',
      2,
    ],
  ])('%s', async (text, reason, line) => {
    const toolbox = await toolboxOf(folder.path, { 'bad.xml': text });
    expect(toolbox.tools()).toEqual([]);
    expect(toolbox.problems()[0]?.message).toContain(reason);
    if (line !== undefined) expect(toolbox.problems()[0]?.line).toBe(line);
  });

  it('a folder that is not there is a problem of that folder alone', async () => {
    const toolbox = await testToolbox([join(folder.path, 'none')], true);
    expect(toolbox.problems()).toHaveLength(1);
    expect(toolbox.tool('cat1')).toBeDefined();
  });

  it('a sections file with an unknown key is refused', async () => {
    await writeFile(join(folder.path, 'sections.yml'), '- id: a\n  name: A\n  tolls: []\n');
    expect((await testToolbox([folder.path], false)).problems()[0]?.message).toContain('sections.yml');
  });
});

describe('macros', () => {
  it("are imported, expanded with tokens and yields, and a wrapper's own win", async () => {
    const toolbox = await toolboxOf(folder.path, {
      'macros.xml': `<macros>
        <token name="@VERSION@">2.1</token>
        <token name="@FULL@">@VERSION@+x</token>
        <xml name="number" token_label="none" token_default="1">
          <param name="n" type="integer" value="@DEFAULT@" label="@LABEL@"/>
          <yield/>
        </xml>
        <xml name="body"><inputs><expand macro="number" label="How many" default="4"><yield/></expand></inputs></xml>
      </macros>`,
      'sub/tool.xml': wrapper(
        `<macros><import>../macros.xml</import><token name="@VERSION@">3.0</token></macros>
         <command><![CDATA[echo @FULL@ $n $extra > '$out']]></command>
         <expand macro="body"><param name="extra" type="text" value="e"/></expand>
         <outputs><data name="out" format="txt"/></outputs>`,
        'id="t" name="T" version="@FULL@"',
      ),
    });
    expect(toolbox.problems()).toEqual([]);
    expect(toolbox.tool('t')?.version).toBe('3.0+x');
    expect(toolbox.tool('t')?.inputs.map(({ name, label, value }) => [name, label, value])).toEqual([
      ['n', 'How many', 4],
      ['extra', '', 'e'],
    ]);
    expect((await runTool(toolbox, 't', {})).outputs.out).toBe('3.0+x 4 e\n');
  });

  it('a refusal inside an imported file names that file', async () => {
    const toolbox = await toolboxOf(folder.path, {
      'macros.xml': '<macros>\n<xml name="m">\n<param name="a" type="file"/></xml></macros>',
      'tool.xml': wrapper(
        '<macros><import>macros.xml</import></macros><command>x</command><inputs><expand macro="m"/></inputs>',
      ),
    });
    expect(toolbox.problems()[0]).toMatchObject({ file: join(folder.path, 'macros.xml'), line: 3 });
  });
});

describe('failure rules follow profile, detect_errors and stdio', () => {
  const rulesOf = async (command: string, stdio: string, profile: string) => {
    const toolbox = await toolboxOf(folder.path, {
      't.xml': wrapper(`${command}${stdio}`, `id="t" name="T" version="1"${profile ? ` profile="${profile}"` : ''}`),
    });
    expect(toolbox.problems()).toEqual([]);
    const tool = toolbox.tool('t')!;
    const context = fakeContext([]);
    const [job] = toolbox.expand(tool, {}, context).jobs;
    const files = { inputPath: () => '/i', outputPath: () => '/o', workFolder: '/w' };
    return toolbox.prepare(tool, job!, context, files).failureRules;
  };
  const codes = [
    { when: 'exit-code', from: 1, to: 2147483647, level: 'fatal', description: '' },
    { when: 'exit-code', from: -2147483648, to: -1, level: 'fatal', description: '' },
  ];

  it('a legacy tool that says nothing fails on anything on stderr', async () => {
    const rules = await rulesOf('<command>x</command>', '', '');
    expect(rules).toMatchObject([{ when: 'output', source: 'stderr', level: 'fatal' }]);
  });

  it('a newer profile fails on the exit code', async () => {
    expect(await rulesOf('<command>x</command>', '', '16.04')).toEqual(codes);
    expect(await rulesOf('<command>x</command>', '', '21.05')).toEqual(codes);
  });

  it('detect_errors wins over the profile', async () => {
    expect(await rulesOf('<command detect_errors="exit_code">x</command>', '', '')).toEqual(codes);
    const aggressive = await rulesOf('<command detect_errors="aggressive">x</command>', '', '');
    expect(aggressive).toEqual(
      expect.arrayContaining([...codes, expect.objectContaining({ pattern: 'MemoryError', level: 'fatal_oom' })]),
    );
  });

  it('stdio is read as it stands', async () => {
    const stdio = `<stdio><exit_code range="3:5" level="warning" description="odd"/><exit_code range=":-1"/><exit_code range="9" level="fatal_oom"/>
      <regex match="(?i)fail\\w+" source="stderr" level="fatal" description="failed"/></stdio>`;
    expect(await rulesOf('<command>x</command>', stdio, '')).toEqual([
      { when: 'exit-code', from: 3, to: 5, level: 'warning', description: 'odd' },
      { when: 'exit-code', from: -2147483648, to: -1, level: 'fatal', description: '' },
      { when: 'exit-code', from: 9, to: 9, level: 'fatal_oom', description: '' },
      { when: 'output', source: 'stderr', pattern: '(?i)fail\\w+', level: 'fatal', description: 'failed' },
    ]);
  });
});

describe('the command', () => {
  it('is one line, with configuration files, environment and interpreter', async () => {
    const toolbox = await toolboxOf(folder.path, {
      'count.awk': 'END { print NR }',
      't.xml': wrapper(`<command interpreter="awk -f"><![CDATA[
          count.awk
          '$settings' > '$out'
        ]]></command>
        <environment_variables><environment_variable name="MODE" strip="true"> $mode </environment_variable></environment_variables>
        <configfiles>
          <configfile name="settings">mode=$mode
second line
</configfile>
          <configfile name="other" filename="fixed.txt">$__tool_directory__</configfile>
        </configfiles>
        <inputs><param name="mode" type="text" value="m'x"/></inputs>
        <outputs><data name="out" format="txt"/></outputs>`),
    });
    const ran = await runTool(toolbox, 't', {});
    expect(ran.outputs.out).toBe('2\n');
    const tool = toolbox.tool('t')!;
    const context = fakeContext([]);
    const [job] = toolbox.expand(tool, {}, context).jobs;
    const prepared = toolbox.prepare(tool, job!, context, {
      inputPath: () => '',
      outputPath: () => '/o',
      workFolder: '/w',
    });
    expect(prepared.environment).toEqual({ MODE: 'm__sq__x' });
    expect(prepared.configFiles).toEqual([
      { path: '/w/.configs/settings', text: 'mode=m__sq__x\nsecond line\n' },
      { path: '/w/fixed.txt', text: folder.path },
    ]);
    expect(prepared.script).toContain(prepared.commandLine);
    expect(prepared.commandLine).toMatch(/^awk -f '.*\/count\.awk' '\/w\/\.configs\/settings' > '\/o'$/);
  });

  it('is refused when a path could break out of its quotes', async () => {
    const toolbox = await toolboxOf(folder.path, { 't.xml': simple('') });
    const tool = toolbox.tool('t')!;
    const context = fakeContext([]);
    const [job] = toolbox.expand(tool, {}, context).jobs;
    const files = { inputPath: () => '', outputPath: () => "/it's", workFolder: '/w' };
    expect(() => toolbox.prepare(tool, job!, context, files)).toThrow(
      /holds a character that no command line can carry/,
    );
  });

  it('that cannot be rendered fails with file and line', async () => {
    const toolbox = await toolboxOf(folder.path, { 't.xml': simple('', '\n\n$nothing') });
    const tool = toolbox.tool('t')!;
    const context = fakeContext([]);
    const [job] = toolbox.expand(tool, {}, context).jobs;
    const files = { inputPath: () => '', outputPath: () => '/o', workFolder: '/w' };
    expect(() => toolbox.prepare(tool, job!, context, files)).toThrow(
      expect.objectContaining({
        code: 'toolbox/template',
        data: { file: join(folder.path, 't.xml'), line: 4, reason: "NotFound: cannot find 'nothing'" },
      }),
    );
  });
});

describe('what templates see of datasets', () => {
  it('paths, names, types, metadata and collections of them', async () => {
    const toolbox = await toolboxOf(folder.path, {
      't.xml': simple(
        `<param name="one" type="data" format="txt"/><param name="none" type="data" format="txt" optional="true"/>
         <param name="many" type="data" format="txt" multiple="true"/>
         <repeat name="r" title="R"><param name="x" type="data" format="txt"/></repeat>
         <section name="s" title="S"><param name="deep" type="boolean" truevalue="--deep" falsevalue=""/></section>
         <param name="pick" type="select" multiple="true"><option value="a">A</option><option value="b">B</option></param>
         <param name="ratio" type="float" value="2"/>`,
        `
        printf '%s\\n' '$one.ext' '$one.name' '$one.element_identifier' '$one.hid' '$one.metadata.columns' '$one.metadata.column_types' '$one.dbkey'
        #if $one.is_of_type('txt')
          istxt
        #end if
        #if $one.is_of_type('fasta', 'bam')
          never
        #end if
        #if not $none
          '$none'
        #end if
        #for $i, $m in enumerate($many)
          '$i=$m.hid'
        #end for
        '\${len($many)}' '\${many[0].ext}' '\${",".join([str($q.x.hid) for $q in $r])}' $s.deep '$pick' '\${",".join($pick.value)}' '$ratio'
        #if 'b' in $pick.value and $ratio == 2 and $one.is_collection == False
          both
        #end if
        > '$out'`,
      ),
    });
    expect(toolbox.problems()).toEqual([]);
    const data = [
      {
        text: '',
        name: 'my "first" data',
        extension: 'bed',
        metadata: { columns: 3, column_types: ['str', 'int', 'int'] },
      },
      { text: '' },
    ];
    const inputs = {
      one: { src: 'hda', id: id(1) },
      many: [
        { src: 'hda', id: id(2) },
        { src: 'hda', id: id(1) },
      ],
      r: [{ x: { src: 'hda', id: id(2) } }, { x: { src: 'hda', id: id(1) } }],
      's|deep': 'true',
      pick: 'a,b',
    };
    const ran = await runTool(toolbox, 't', inputs, data);
    expect(ran.outputs.out?.trimEnd().split('\n')).toEqual([
      'bed',
      'my __dq__first__dq__ data',
      'my __dq__first__dq__ data',
      '1',
      '3',
      'str,int,int',
      '?',
      'istxt',
      'None',
      '0=2',
      '1=1',
      '2',
      'txt',
      '2,1',
      '--deep',
      'a,b',
      'a,b',
      '2.0',
      'both',
    ]);
  });
});
