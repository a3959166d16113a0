import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LoadedTool } from '../../../node/toolbox/loaded.js';
import type { Tool, Toolbox } from '../../../node/toolbox/tool.js';
import { fakeContext, id } from './fake-context.js';
import { runTool, temporaryFolder, toolboxOf } from './run-tool.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const wrapper = (inside: string, attributes = 'profile="21.05"') =>
  `<tool id="t" name="T" version="1.0" ${attributes}>\n${inside}\n</tool>`;
const command = '<command>true</command>';

async function load(inside: string, attributes?: string): Promise<LoadedTool> {
  const toolbox = await toolboxOf(folder.path, { 't.xml': wrapper(inside, attributes) });
  expect(toolbox.problems()).toEqual([]);
  return toolbox.tool('t') as Tool as LoadedTool;
}
async function problem(inside: string, attributes?: string) {
  const toolbox = await toolboxOf(folder.path, { 't.xml': wrapper(inside, attributes) });
  expect(toolbox.tools()).toEqual([]);
  expect(toolbox.problems()).toHaveLength(1);
  return toolbox.problems()[0]!;
}
function prepare(toolbox: Toolbox, inputs = {}, data: Parameters<typeof fakeContext>[0] = []) {
  const tool = toolbox.tool('t')!;
  const context = fakeContext(data);
  const [job] = toolbox.expand(tool, inputs, context).jobs;
  return toolbox.prepare(tool, job!, context, {
    inputPath: (dataset) => `/data/${dataset}`,
    outputPath: (name) => `/out/${name}`,
    workFolder: '/w',
  });
}

describe('requirements', () => {
  it('packages with their versions', async () => {
    const tool = await load(
      `${command}<requirements><requirement type="package" version=" 1.9 ">samtools</requirement><requirement>awk</requirement></requirements>`,
    );
    expect(tool.requirements).toEqual([
      { name: 'samtools', version: '1.9', type: 'package' },
      { name: 'awk', type: 'package' },
    ]);
  });

  it('set_environment is left out with a note', async () => {
    const tool = await load(
      `${command}<requirements>\n<requirement type="set_environment">R_SCRIPT_PATH</requirement></requirements>`,
    );
    expect(tool.requirements).toEqual([]);
    expect(tool.notes).toMatchObject([{ line: 3, message: expect.stringContaining('R_SCRIPT_PATH') }]);
  });

  it('containers for docker and singularity', async () => {
    const tool = await load(
      `${command}<requirements><container type="docker">quay.io/x/y:1--0</container><container type="singularity">/opt/y.sif</container></requirements>`,
    );
    expect(tool.containers).toEqual([
      { type: 'docker', image: 'quay.io/x/y:1--0' },
      { type: 'singularity', image: '/opt/y.sif' },
    ]);
    expect(tool.requirements.map(({ type }) => type)).toEqual(['docker', 'singularity']);
  });

  it('resources, with a note for one that is not known', async () => {
    const tool = await load(
      `${command}<requirements><resource type="cores_min">4</resource><resource type="ram_min">1024.5</resource><resource type="moon">full</resource></requirements>`,
    );
    expect(tool.resources).toEqual({ cores_min: 4, ram_min: 1024.5, moon: 'full' });
    expect(tool.notes.map(({ message }) => message)).toEqual(['the resource "moon" is not known']);
  });

  it.each([
    ['<requirement type="spell">abracadabra</requirement>', 'the requirement type "spell" is not known', 1],
    ['<requirement type="package"/>', 'names nothing', 0],
    ['<container type="lxc">x</container>', 'a container of type "lxc" is left out', 0],
    ['<container type="docker"> </container>', 'names no image', 0],
    ['<widget/>', '<widget> in <requirements> is not known', 0],
  ])('%s is noted', async (inside, message, kept) => {
    const tool = await load(`${command}<requirements>\n${inside}</requirements>`);
    expect(tool.notes).toMatchObject([{ line: 3, message: expect.stringContaining(message) }]);
    expect(tool.requirements).toHaveLength(kept);
  });

  it('credentials that must be given are refused', async () => {
    const said = await problem(`${command}<requirements>\n<credentials name="x" version="1"/></requirements>`);
    expect(said).toMatchObject({ line: 3, message: expect.stringContaining('uses <credentials>') });
  });

  it('optional credentials are left out with a note', async () => {
    const tool = await load(
      `${command}<requirements><credentials name="x" version="1" optional="true"/></requirements>`,
    );
    expect(tool.notes).toHaveLength(1);
  });
});

describe('what is refused, by name, file and line', () => {
  it.each([
    ['<code file="x.py"/>', '<code>'],
    ['<action module="a" class="b"/>', '<action>'],
    ['<type module="a" class="b"/>', '<type>'],
    ['<expression type="ecma5.1">1</expression>', '<expression>'],
    ['<entry_points><entry_point><port>80</port></entry_point></entry_points>', '<entry_points>'],
    ['<request_param_translation/>', '<request_param_translation>'],
    ['<inputs><param name="a" type="directory_uri"/></inputs>', 'the parameter type "directory_uri"'],
  ])('%s', async (inside, name) => {
    const said = await problem(`${command}\n${inside}`);
    expect(said).toMatchObject({ file: join(folder.path, 't.xml'), line: 3 });
    expect(said.message).toContain(`uses ${name}, which this node does not support.`);
    expect(said.message).toContain('run the tool on a Galaxy server');
  });

  it.each(['interactive', 'manage_data', 'data_source', 'data_source_async', 'expression', 'set_metadata', 'whatever'])(
    'tool_type="%s"',
    async (type) => {
      expect((await problem(command, `tool_type="${type}"`)).message).toContain(`tool_type="${type}"`);
    },
  );

  it('a profile newer than all we know', async () => {
    expect((await problem(command, 'profile="99.9"')).message).toContain('Update this node');
  });

  it('no version where the profile asks for one', async () => {
    const text = '<tool id="t" name="T" profile="16.04"><command>x</command></tool>';
    const toolbox = await toolboxOf(folder.path, { 't.xml': text });
    expect(toolbox.problems()[0]?.message).toContain('the tool has no version');
    const older = await toolboxOf(folder.path, { 't.xml': text.replace(' profile="16.04"', '') });
    expect(older.tool('t')?.version).toBe('1.0.0');
  });

  it('a template error inside a token names the macro file and the line there', async () => {
    const toolbox = await toolboxOf(folder.path, {
      'm.xml': '<macros>\n<token name="@T@"><![CDATA[\n  fine\n  #if $x\n]]></token></macros>',
      't.xml': wrapper('<macros><import>m.xml</import></macros>\n<command>a\n@T@\nb</command>'),
    });
    expect(toolbox.problems()[0]).toMatchObject({ file: join(folder.path, 'm.xml'), line: 4 });
  });
});

describe('what says nothing to a node is left out', () => {
  it('elements that no tool has, with a note', async () => {
    const tool = await load(`${command}\n<wibble/>`);
    expect(tool.notes).toMatchObject([{ line: 3, message: expect.stringContaining('<wibble>') }]);
  });

  it('trackster_conf, uihints, icon, parallelism and required_files load', async () => {
    const tool = await load(
      `${command}<trackster_conf><action type="set_param" name="a"/></trackster_conf><uihints minwidth="800"/><icon src="a.png"/>
       <parallelism method="multi" split_size="10"/><required_files><include path="a.py"/><exclude type="glob" path="*.o"/></required_files>`,
    );
    expect(tool.parallelism).toEqual({ method: 'multi', split_size: '10' });
    expect(tool.requiredFiles).toEqual({
      extendDefaultExcludes: true,
      include: [{ path: 'a.py', type: 'literal' }],
      exclude: [{ path: '*.o', type: 'glob' }],
    });
    expect(tool.notes).toEqual([]);
  });
});

describe('stdio', () => {
  const rules = async (stdio: string, said = command, attributes?: string) =>
    (await load(`${said}${stdio}`, attributes)).failureRules;
  const [high, low] = [
    { when: 'exit-code', from: 1, to: 2147483647, level: 'fatal', description: '' },
    { when: 'exit-code', from: -2147483648, to: -1, level: 'fatal', description: '' },
  ];
  const stderr = [expect.objectContaining({ when: 'output', source: 'stderr', level: 'fatal' })];

  it.each([
    ['1:', 1, 2147483647],
    [':-1', -2147483648, -1],
    ['2:5', 2, 5],
    [' 3 ', 3, 3],
    [':', -2147483648, 2147483647],
  ])('exit_code range "%s"', async (range, from, to) => {
    expect(await rules(`<stdio><exit_code range="${range}" level="warning" desc="d"/></stdio>`)).toEqual([
      { when: 'exit-code', from, to, level: 'warning', description: 'd' },
    ]);
  });

  it('exit_code value, where there is no range', async () => {
    expect(await rules('<stdio><exit_code value="4"/></stdio>')).toMatchObject([{ from: 4, to: 4, level: 'fatal' }]);
  });

  it.each([
    ['source="stdout"', 'stdout'],
    ['source="output"', 'stdout'],
    ['src="stderr"', 'stderr'],
    ['sources="error"', 'stderr'],
    ['source="stdout, stderr"', 'both'],
    ['source="both"', 'both'],
    ['source="elsewhere"', 'both'],
    ['', 'both'],
  ])('regex %s', async (source, expected) => {
    expect(await rules(`<stdio><regex match="Err(or)?:" ${source}/></stdio>`)).toMatchObject([
      { when: 'output', source: expected, pattern: 'Err(or)?:' },
    ]);
  });

  it.each([
    ['log', 'log'],
    ['qc', 'log'],
    ['warning', 'warning'],
    ['FATAL', 'fatal'],
    ['fatal_oom', 'fatal_oom'],
    ['odd', 'fatal'],
  ])('level "%s" is %s', async (level, expected) => {
    expect(await rules(`<stdio><regex match="x" level="${level}"/></stdio>`)).toMatchObject([{ level: expected }]);
  });

  it('several stdio elements are read one after the other', async () => {
    const both = await rules('<stdio><exit_code range="1"/></stdio><stdio><exit_code range="2"/></stdio>');
    expect(both).toMatchObject([{ from: 1 }, { from: 2 }]);
  });

  it('stands alone where detect_errors says nothing', async () => {
    expect(await rules('<stdio><regex match="x"/></stdio>')).toHaveLength(1);
    expect(await rules('<stdio/>')).toEqual(stderr);
  });

  it('detect_errors="exit_code" adds to it', async () => {
    const said = '<command detect_errors="exit_code">x</command>';
    expect(await rules('<stdio><regex match="x"/></stdio>', said)).toMatchObject([{ pattern: 'x' }, high, low]);
  });

  it('oom_exit_code comes first', async () => {
    const said = '<command detect_errors="exit_code" oom_exit_code="42">x</command>';
    expect(await rules('', said)).toMatchObject([{ from: 42, to: 42, level: 'fatal_oom' }, high, low]);
    const wrong = await problem('<command detect_errors="exit_code" oom_exit_code="many">x</command>');
    expect(wrong.message).toContain('oom_exit_code="many"');
  });

  it('detect_errors="aggressive" looks for what errors look like', async () => {
    const found = await rules('', '<command detect_errors="aggressive">x</command>');
    const patterns = found.flatMap((rule) => (rule.when === 'output' ? [[rule.pattern, rule.level]] : []));
    expect(patterns).toEqual([
      ['MemoryError', 'fatal_oom'],
      ['std::bad_alloc', 'fatal_oom'],
      ['java.lang.OutOfMemoryError', 'fatal_oom'],
      ['Out of memory', 'fatal_oom'],
      ['exception:', 'fatal'],
      ['error:', 'fatal'],
    ]);
    expect(found).toEqual(expect.arrayContaining([high, low]));
  });

  it('what is no rule is left out with a note', async () => {
    const tool = await load(`${command}<stdio>\n<regexp match="x"/><exit_code range="1"/></stdio>`);
    expect(tool.notes).toMatchObject([{ line: 3 }]);
    expect(tool.failureRules).toHaveLength(1);
  });
});

describe('the command', () => {
  const interpreted = `<command interpreter="bash">run.sh '$x'</command><inputs><param name="x" type="text" value="v"/></inputs>`;

  it('interpreter= runs a file beside the wrapper, for a tool of that time', async () => {
    const toolbox = await toolboxOf(folder.path, { 't.xml': wrapper(interpreted, '') });
    expect(prepare(toolbox).script).toContain(`bash '${join(folder.path, 'run.sh')}' 'v'`);
  });

  it('interpreter= is left out from profile 16.04 on, with a note', async () => {
    const toolbox = await toolboxOf(folder.path, { 't.xml': wrapper(interpreted, 'profile="16.04"') });
    expect(prepare(toolbox).script).toContain("run.sh 'v'");
    expect(prepare(toolbox).script).not.toContain("bash '");
    expect((toolbox.tool('t') as LoadedTool).notes).toMatchObject([
      { message: expect.stringContaining('interpreter') },
    ]);
  });

  it.each([
    ['20.05', '', false],
    ['20.09', '', true],
    ['20.09', ' strict="false"', false],
    ['16.01', ' strict="true"', true],
  ])('profile %s%s: strict shell is %s', async (profile, strict, expected) => {
    const toolbox = await toolboxOf(folder.path, {
      't.xml': wrapper(`<command${strict}>a; b</command>`, `profile="${profile}"`),
    });
    expect(prepare(toolbox).script.includes('set -e')).toBe(expected);
  });

  it.each([
    ['17.09', '', 'shared'],
    ['18.01', '', 'job'],
    ['18.01', ' use_shared_home="true"', 'shared'],
    ['16.01', ' use_shared_home="false"', 'job'],
  ])('profile %s%s: the home folder is %s', async (profile, shared, expected) => {
    expect((await load(`<command${shared}>x</command>`, `profile="${profile}"`)).home).toBe(expected);
  });

  it('version_command is kept, with its interpreter and place', async () => {
    const tool = await load(`${command}\n<version_command interpreter="python">v.py 2&gt;&amp;1</version_command>`);
    expect(tool.versionCommand).toMatchObject({ text: 'v.py 2>&1', interpreter: 'python', spot: { line: 3 } });
  });

  it('template macros are names that templates see', async () => {
    const toolbox = await toolboxOf(folder.path, {
      't.xml': wrapper('<macros><template name="params">-a 1</template></macros><command>echo $params</command>'),
    });
    expect(prepare(toolbox).script).toContain('echo -a 1');
  });
});

describe('the Python of templates', () => {
  const halves = async (attributes: string) => {
    const inside =
      '<command>echo ${7 / 2}</command><outputs><data name="out" format="txt" label="${7 / 2}"/></outputs>';
    const toolbox = await toolboxOf(folder.path, { 't.xml': wrapper(inside, attributes) });
    const tool = toolbox.tool('t')!;
    const [job] = toolbox.expand(tool, {}, fakeContext([])).jobs;
    return [prepare(toolbox).commandLine, toolbox.plan(tool, job!, fakeContext([]))[0]?.label];
  };

  it.each([
    ['', ['echo 3', '3']],
    ['profile="19.01"', ['echo 3', '3']],
    ['profile="19.05"', ['echo 3.5', '3.5']],
    ['python_template_version="3.5"', ['echo 3.5', '3.5']],
    ['profile="21.05" python_template_version="2.7"', ['echo 3', '3']],
  ])('of <tool %s> is that of its time, or the one it names', async (attributes, said) => {
    expect(await halves(attributes)).toEqual(said);
  });
});

describe('environment_variables', () => {
  it('are rendered for the job', async () => {
    const toolbox = await toolboxOf(folder.path, {
      't.xml': wrapper(
        `${command}<environment_variables><environment_variable name="A">$n b</environment_variable><environment_variable name="B" strip="true"> x </environment_variable></environment_variables><inputs><param name="n" type="integer" value="3"/></inputs>`,
      ),
    });
    expect(prepare(toolbox).environment).toEqual({ A: '3 b', B: 'x' });
  });

  it.each(['api_key', 'entry_point_path_for_label', 'oidc_access_token_x'])(
    'inject="%s" is refused',
    async (inject) => {
      const said = await problem(
        `${command}<environment_variables>\n<environment_variable name="A" inject="${inject}"/></environment_variables>`,
      );
      expect(said).toMatchObject({ line: 3, message: expect.stringContaining(`inject="${inject}"`) });
    },
  );

  it('a name that no shell knows is refused', async () => {
    const said = await problem(
      `${command}<environment_variables><environment_variable name="A-B">x</environment_variable></environment_variables>`,
    );
    expect(said.message).toContain('"A-B"');
  });
});

describe('configfiles', () => {
  const inputs = `<inputs>
    <param name="n" type="integer" value="3"/><param name="f" type="float" value="0.5"/><param name="b" type="boolean" truevalue="--b" falsevalue=""/>
    <param name="text" type="text" value="it's &quot;x&quot; \${y}"/>
    <param name="one" type="select" optional="true"><option value="a">A</option></param>
    <param name="many" type="select" multiple="true"><option value="a" selected="true">A</option><option value="b" selected="true">B</option></param>
    <conditional name="c"><param name="k" type="select"><option value="x">x</option><option value="y">y</option></param><when value="x"><param name="v" type="integer" value="1"/></when><when value="y"/></conditional>
    <repeat name="r" title="R" default="1"><param name="q" type="text" value="z"/></repeat>
    <param name="d" type="data" format="txt"/><param name="ds" type="data" format="txt" multiple="true"/>
  </inputs>`;
  const given = {
    d: { src: 'hda', id: id(1) },
    ds: [
      { src: 'hda', id: id(1) },
      { src: 'hda', id: id(2) },
    ],
  };
  const data = [
    { id: id(1), hid: 1, name: 'a b.txt' },
    { id: id(2), hid: 2 },
  ];
  const json = async (style: string, profile = '21.05') => {
    const toolbox = await toolboxOf(folder.path, {
      't.xml': wrapper(
        `<command>cat '$j'</command><configfiles><inputs name="j"${style}/></configfiles>${inputs}`,
        `profile="${profile}"`,
      ),
    });
    const { configFiles, script } = prepare(toolbox, given, data);
    expect(script).toContain(`cat '${configFiles[0]?.path}'`);
    return JSON.parse(configFiles[0]?.text ?? '') as Record<string, unknown>;
  };

  it('configfile: by name, by file name, and the two together', async () => {
    const toolbox = await toolboxOf(folder.path, {
      't.xml': wrapper(
        `<command>cat '$one' two.txt '$three'</command><configfiles><configfile name="one">1 $n</configfile><configfile filename="two.txt">2</configfile><configfile name="three" filename="3.txt">3</configfile></configfiles>${inputs}`,
      ),
    });
    const { configFiles } = prepare(toolbox, given, data);
    expect(configFiles).toEqual([
      { path: '/w/.configs/one', text: '1 3' },
      { path: '/w/two.txt', text: '2' },
      { path: '/w/3.txt', text: '3' },
    ]);
  });

  it('inputs: typed values and sanitized texts, without datasets', async () => {
    expect(await json('')).toEqual({
      n: 3,
      f: 0.5,
      b: false,
      text: 'it__sq__s __dq__x__dq__ X__oc__y__cc__',
      one: null,
      many: ['a', 'b'],
      c: { k: 'x', v: 1 },
      r: [{ q: 'z' }],
    });
  });

  it('inputs of an older profile: texts instead of null and lists', async () => {
    expect(await json('', '20.01')).toMatchObject({ one: 'None', many: 'a,b' });
  });

  it('inputs data_style="paths"', async () => {
    expect(await json(' data_style="paths"')).toMatchObject({
      d: `/data/${id(1)}`,
      ds: [`/data/${id(1)}`, `/data/${id(2)}`],
    });
  });

  it('inputs data_style="staging_path_and_source_path"', async () => {
    expect((await json(' data_style="staging_path_and_source_path"')).d).toEqual({
      element_identifier: ['a b.txt'],
      ext: 'txt',
      source_path: `/data/${id(1)}`,
      staging_path: 'a b.txt.txt',
      metadata_files: [],
    });
  });

  it('inputs data_style="staging_path_and_source_path" lists the index, and [null] for several that are not given', async () => {
    const toolbox = await toolboxOf(folder.path, {
      't.xml': wrapper(
        `<command>cat '$j'</command><configfiles><inputs name="j" data_style="staging_path_and_source_path"/></configfiles>
        <inputs><param name="d" type="data" format="bam"/><param name="ds" type="data" format="bam" multiple="true" optional="true"/>
        <param name="o" type="data" format="bam" optional="true"/></inputs>`,
      ),
    });
    const tool = toolbox.tool('t')!;
    const context = fakeContext([{ id: id(1), hid: 1, name: 'a', extension: 'bam' }]);
    const { jobs } = toolbox.expand(tool, { d: { src: 'hda', id: id(1) } }, context);
    const { configFiles } = toolbox.prepare(tool, jobs[0]!, context, {
      inputPath: (dataset) => `/data/${dataset}`,
      outputPath: (name) => `/out/${name}`,
      workFolder: '/w',
      metadataPath: (dataset, name) => (name === 'bam_index' ? `/index/${dataset}` : undefined),
    });
    expect(JSON.parse(configFiles[0]?.text ?? '')).toMatchObject({
      d: { metadata_files: [{ staging_path: 'a.bam.bai', source_path: `/index/${id(1)}` }] },
      ds: [null],
      o: null,
    });
  });

  it.each([
    ['<inputs data_style="odd"/>', 'data_style="odd"'],
    ['<file_sources name="x"/>', '<file_sources> in <configfiles>'],
    ['<configfile name="../x">1</configfile>', '"../x" cannot be'],
    ['<configfile filename="a/b">1</configfile>', '"a/b" cannot be'],
  ])('%s is refused', async (inside, reason) => {
    expect((await problem(`${command}<configfiles>${inside}</configfiles>`)).message).toContain(reason);
  });
});

describe('about a tool', () => {
  it('citations are DOIs in their plain form and BibTeX; the rest is left out with a note', async () => {
    const tool = await load(
      `${command}<citations>
        <citation type="doi">https://doi.org/10.1093/bioinformatics/btp352</citation>
        <citation type="doi">doi:10.1000/1</citation>
        <citation type="bibtex">@misc{a, title = {B\u0085}}</citation>
        <citation type="doi">not one</citation><citation type="odd">x</citation><citation type="doi"/>
      </citations>`,
    );
    expect(tool.citations).toEqual([
      { type: 'doi', content: '10.1093/bioinformatics/btp352' },
      { type: 'doi', content: '10.1000/1' },
      { type: 'bibtex', content: '@misc{a, title = {B}}' },
    ]);
    expect(tool.notes).toHaveLength(3);
  });

  it('cross references, EDAM terms, creators and licence', async () => {
    const tool = await load(
      `${command}<xrefs><xref type="bio.tools">bwa</xref><xref type="bioconductor">deseq2</xref><xref type="biii">x</xref><xref>y</xref></xrefs>
       <edam_topics><edam_topic>topic_0102</edam_topic></edam_topics><edam_operations><edam_operation>operation_3198</edam_operation><edam_operation/></edam_operations>
       <creator><person givenName="A" familyName="B" url="javascript:alert(1)" onclick="x"/><organization name="C" url="https://example.org"/><robot name="D"/></creator>`,
      'profile="21.05" license="MIT"',
    );
    expect(tool.xrefs.map(({ reftype }) => reftype)).toEqual(['bio.tools', 'bioconductor', 'biii']);
    expect([tool.edamTopics, tool.edamOperations]).toEqual([['topic_0102'], ['operation_3198']]);
    expect(tool.creators).toEqual([
      { kind: 'person', attributes: { givenName: 'A', familyName: 'B' } },
      { kind: 'organization', attributes: { name: 'C', url: 'https://example.org' } },
    ]);
    expect(tool.license).toBe('MIT');
  });
});

describe('a wrapper as public ones are written', () => {
  it('loads with its macro file and runs', async () => {
    const toolbox = await toolboxOf(folder.path, {
      'macros.xml': `<macros>
        <token name="@TOOL_VERSION@">1.2</token>
        <token name="@VERSION_SUFFIX@">3</token>
        <token name="@LINK@">
<![CDATA[
    ln -s '$input' input.\${input.ext} &&
]]>
        </token>
        <xml name="requirements"><requirements><requirement type="package" version="@TOOL_VERSION@">coreutils</requirement><yield/></requirements></xml>
        <xml name="count" token_name="n" token_value="1"><param name="@NAME@" type="integer" value="@VALUE@" min="0" label="How many"/></xml>
        <xml name="citations"><citations><citation type="doi">10.1000/182</citation><yield/></citations></xml>
      </macros>`,
      'tool.xml': `<tool id="t" name="First lines" version="@TOOL_VERSION@+galaxy@VERSION_SUFFIX@" profile="21.05">
        <description>of a text</description>
        <macros><import>macros.xml</import></macros>
        <expand macro="requirements"><requirement type="package">sed</requirement></expand>
        <version_command>head --version</version_command>
        <command detect_errors="exit_code"><![CDATA[
          @LINK@
          head -n \${mode.lines}
          #if $mode.kind == 'quiet':
            -q
          #end if
          input.\${input.ext} > '$out'
        ]]></command>
        <inputs>
          <param name="input" type="data" format="txt" label="Text"/>
          <conditional name="mode">
            <param name="kind" type="select" label="Mode"><option value="loud">Loud</option><option value="quiet">Quiet</option></param>
            <when value="loud"><expand macro="count" name="lines" value="2"/></when>
            <when value="quiet"><expand macro="count" name="lines"/></when>
          </conditional>
        </inputs>
        <outputs><data name="out" format="txt" label="\${tool.name} of \${on_string}"/></outputs>
        <tests><test expect_num_outputs="1"><param name="input" value="a.txt"/><output name="out" file="b.txt"/></test></tests>
        <help format="markdown"><![CDATA[**What it does**]]></help>
        <expand macro="citations"/>
      </tool>`,
    });
    expect(toolbox.problems()).toEqual([]);
    const tool = toolbox.tool('t') as LoadedTool;
    expect(tool.version).toBe('1.2+galaxy3');
    expect(tool.requirements.map(({ name, version }) => [name, version])).toEqual([
      ['coreutils', '1.2'],
      ['sed', undefined],
    ]);
    expect(tool.tests).toHaveLength(1);
    const inputs = { input: { src: 'hda', id: id(1) } };
    expect((await runTool(toolbox, 't', inputs, ['1\n2\n3\n'])).outputs.out).toBe('1\n2\n');
    expect((await runTool(toolbox, 't', { ...inputs, 'mode|kind': 'quiet' }, ['1\n2\n3\n'])).outputs.out).toBe('1\n');
  });
});
