import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { lintFile } from '../../../node/toolbox/lint/lint.js';
import type { LoadedTool } from '../../../node/toolbox/loaded.js';
import type { Toolbox, ToolContext } from '../../../node/toolbox/tool.js';
import { createToolbox } from '../../../node/toolbox/toolbox.js';
import { readUserTool } from '../../../node/toolbox/user-tool/user-tool.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { fakeContext, id } from '../toolbox/fake-context.js';
import { temporaryFolder } from '../toolbox/run-tool.js';
import { hereIsolate } from './here-isolate.js';

const TOOL = `class: GalaxyUserTool
id: pick-lines
version: 0.1
name: Pick lines
description: of a text
container: docker.io/library/busybox:1.36
requirements:
  - type: javascript
    expression_lib:
      - |
        function flag(on, name) {
          return on ? name : '';
        }
  - type: resource
    cores_min: 2
    ram_min: 512
shell_command: |
  cat pattern.txt > used.txt
  grep $(flag(inputs.options.invert, '-v')) -e '$(inputs.pattern)' '$(inputs.text.path)' | head -n $(inputs.lines) > out.txt
configfiles:
  - filename: pattern.txt
    content: |
      $(inputs.pattern)
inputs:
  - name: text
    type: data
    format: [txt, tabular]
  - name: pattern
    type: text
    value: a
    validators:
      - type: length
        min: 1
        max: 30
  - name: lines
    type: integer
    value: 10
    min: 1
  - name: options
    type: section
    parameters:
      - name: invert
        type: boolean
outputs:
  - name: picked
    type: data
    format_source: text
    from_work_dir: out.txt
    label: \${tool.name} on \${on_string}
  - name: used
    type: data
    format: txt
    from_work_dir: used.txt
license: MIT
edam_operations: [operation_3695]
citations:
  - type: doi
    content: https://doi.org/10.1093/bioinformatics/btp352
help:
  format: markdown
  content: Picks **lines**.
tests:
  - doc: as it is
    inputs:
      text: {class: File, path: fruit.txt, filetype: txt, name: my fruit}
      options: {invert: true}
    outputs:
      picked:
        ftype: txt
        asserts:
          - {that: has_n_lines, n: 1}
          - has_line: {line: cherry}
  - inputs: {nothing: 1}
    expect_exit_code: 1
    outputs: {}
`;

const minimal = (more: string) =>
  `class: GalaxyUserTool\nid: small\nversion: "1"\nname: Small tool\nshell_command: echo 1\n${more}`;
const load = (text: string) => readUserTool(text, { file: 'tool.yml', check: true });

describe('a user tool', () => {
  it('has the same head and body as a wrapper', () => {
    const { head, body } = load(TOOL);
    expect(head).toMatchObject({
      id: 'pick-lines',
      version: '0.1',
      name: 'Pick lines',
      description: 'of a text',
      license: 'MIT',
      helpFormat: 'markdown',
      help: 'Picks **lines**.',
      edamOperations: ['operation_3695'],
      citations: [{ type: 'doi', content: '10.1093/bioinformatics/btp352' }],
      containers: [{ type: 'docker', image: 'docker.io/library/busybox:1.36' }],
      resources: { cores_min: 2, ram_min: 512 },
      action: 'command',
    });
    expect(body.inputs.map(({ name, type, label }) => [name, type, label])).toEqual([
      ['text', 'data', 'text'],
      ['pattern', 'text', 'pattern'],
      ['lines', 'integer', 'lines'],
      ['options', 'section', 'options'],
    ]);
    expect(body.inputs[0]?.formats).toEqual(['txt', 'tabular']);
    expect(body.inputs[1]?.validators[0]?.('')).toContain('1 to 30');
    expect(body.inputs[3]?.inputs?.[0]).toMatchObject({ name: 'invert', type: 'boolean', value: false });
    expect(body.outputs.map(({ name, fromWorkDir, formatSource }) => [name, fromWorkDir, formatSource])).toEqual([
      ['picked', 'out.txt', 'text'],
      ['used', 'used.txt', undefined],
    ]);
    expect(body.failureRules).toContainEqual(expect.objectContaining({ when: 'exit-code', level: 'fatal' }));
  });

  it('has its tests, and says what is wrong with one of them', () => {
    const { tests } = load(TOOL).body;
    expect(tests[0]).toMatchObject({
      problems: [],
      inputs: [
        { path: 'text', value: 'fruit.txt', ftype: 'txt', edits: [{ type: 'name', value: 'my fruit' }] },
        { path: 'options|invert', value: 'true' },
      ],
      outputs: [
        {
          name: 'picked',
          ftype: 'txt',
          assertions: [
            { name: 'has_n_lines', attributes: { n: '1' } },
            { name: 'has_line', attributes: { line: 'cherry' } },
          ],
        },
      ],
    });
    expect(tests[1]).toMatchObject({
      expectExitCode: 1,
      problems: [{ line: 73, message: 'there is no input "nothing"' }],
    });
  });

  it('may have conditionals, repeats, selects, collections and found outputs', () => {
    const { body } = load(
      minimal(`inputs:
  - name: mode
    type: conditional
    test_parameter:
      name: how
      type: select
      options:
        - {label: Fast, value: fast}
        - {label: Slow, value: slow, selected: true}
    whens:
      - discriminator: fast
        parameters: []
      - discriminator: slow
        parameters:
          - {name: rounds, type: integer, value: 3, validators: [{type: in_range, min: 1, max: 9}]}
  - {name: many, type: repeat, min: 1, max: 3, parameters: [{name: file, type: data, format: "bam,sam"}]}
  - {name: pair, type: data_collection, collection_type: paired}
  - {name: tint, type: color, value: "#ff0000"}
  - {name: share, type: float, value: 0.5}
outputs:
  parts:
    type: collection
    collection_type: list
    discover_datasets:
      - {pattern: '(?P<name>.+)\\.txt', format: txt, directory: parts, sort_key: name, sort_reverse: true}
`),
    );
    const [mode, many, pair] = body.inputs;
    expect(mode?.cases?.map(({ value, inputs }) => [value, inputs.length])).toEqual([
      ['fast', 0],
      ['slow', 1],
    ]);
    expect(mode?.test?.options?.map(({ value, selected }) => [value, selected])).toEqual([
      ['fast', false],
      ['slow', true],
    ]);
    expect(many).toMatchObject({ min: 1, max: 3, inputs: [{ name: 'file', formats: ['bam', 'sam'] }] });
    expect(pair?.collectionTypes).toEqual(['paired']);
    expect(body.outputs[0]).toMatchObject({
      kind: 'collection',
      collectionType: 'list',
      discover: [{ directory: 'parts', format: 'txt', sortBy: 'name', sortReverse: true }],
    });
  });

  it.each<[what: string, text: string, line: number, reason: string]>([
    ['an unknown field', minimal('shel: x\n'), 6, 'unknown field "shel"'],
    [
      'an unknown field of an input',
      minimal('inputs:\n  - name: a\n    type: text\n    area: true\n    size: 3\n'),
      10,
      '"size"',
    ],
    ['an unknown type', minimal('inputs:\n  - name: a\n    type: drill_down\n'), 8, 'inputs.0.type'],
    ['a missing command', 'class: GalaxyUserTool\nid: abc\nversion: 1\nname: Tool\n', 1, 'shell_command is missing'],
    ['no id', 'class: GalaxyUserTool\nversion: 1\nname: Tool\nshell_command: x\n', 1, 'no id'],
    ['an output that nothing claims', minimal('outputs:\n  - name: o\n    type: data\n'), 7, 'neither from_work_dir'],
    [
      'a way out of the folder',
      minimal('outputs:\n  - {name: o, type: data, from_work_dir: ../x}\n'),
      7,
      'leaves the working folder',
    ],
    [
      'a source that is not there',
      minimal('outputs:\n  - {name: o, type: data, from_work_dir: x, format_source: y}\n'),
      7,
      'no such input',
    ],
    [
      'an input that is not there',
      minimal('configfiles:\n  - filename: a\n    content: |\n      x\n      $(inputs.y)\n'),
      10,
      'inputs.y',
    ],
    [
      'two inputs of one name',
      minimal('inputs:\n  - {name: a, type: text}\n  - {name: a, type: text}\n'),
      8,
      'there twice',
    ],
    [
      'a pattern that cannot be one',
      minimal('inputs:\n  - {name: a, type: text, validators: [{type: regex, expression: "("}]}\n'),
      7,
      'regular expression',
    ],
    ['YAML that is none', minimal('inputs: [\n'), 7, 'not well-formed YAML'],
    ['a key that is there twice', minimal('name: b\n'), 6, 'not well-formed YAML'],
    ['an alias', minimal('help: &a x\nlicense: *a\n'), 1, 'alias'],
    ['deep nesting', minimal(`help: ${'['.repeat(3000)}${']'.repeat(3000)}\n`), 6, 'nested too deeply'],
    ['a list', '- class: GalaxyUserTool\n', 1, 'no map'],
  ])('is refused for %s, by name and line', (_, text, line, reason) => {
    expect(() => load(text)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^toolbox\/(?:wrapper|unsupported)$/),
        message: expect.stringContaining(reason),
        data: expect.objectContaining({ file: 'tool.yml', line }),
      }),
    );
  });
});

describe('a folder with user tools', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());

  const toolbox = (files: Record<string, string>): Promise<Toolbox> => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder.path, name), text);
    const deps = { datatypes: createDatatypes(), log: silentLogger, isolate: hereIsolate() };
    return createToolbox(deps, { folders: [folder.path], bundled: false });
  };

  async function run(
    box: Toolbox,
    name: string,
    inputs: JsonObject,
    context: ToolContext,
  ): Promise<{ script: string; commandLine: string | undefined; files: Record<string, string> }> {
    const tool = box.tool(name) as LoadedTool;
    const { jobs, errors } = box.expand(tool, inputs, context);
    const [job] = jobs;
    if (!job) throw new Error(JSON.stringify(errors));
    const workFolder = join(folder.path, 'work');
    mkdirSync(workFolder, { recursive: true });
    const prepared = await box.evaluate?.(tool, job, context, {
      inputPath: (one) => join(folder.path, one),
      workFolder,
    });
    if (!prepared) throw new Error('it was not evaluated');
    const files = Object.fromEntries(
      prepared.configFiles.map(({ path, text }) => [path.slice(workFolder.length + 1), text]),
    );
    for (const { path, text } of prepared.configFiles) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    writeFileSync(join(folder.path, 'script.sh'), prepared.script);
    execFileSync('sh', [join(folder.path, 'script.sh')], { cwd: workFolder });
    for (const output of box.plan(tool, job, context)) {
      if (output.fromWorkDir)
        files[output.name] = execFileSync('cat', [join(workFolder, output.fromWorkDir)], { encoding: 'utf8' });
    }
    return { script: prepared.script, commandLine: prepared.commandLine, files };
  }

  it('has them beside wrappers, passes over other YAML, and tells of what cannot be used', async () => {
    const box = await toolbox({
      'pick.yml': TOOL,
      'sections.yml': '- {id: mine, name: Mine, tools: [pick-lines]}\n',
      'other.yaml': 'a: 1\n',
      'broken.yml': minimal('inputs: [\n'),
    });
    expect(box.tools().map(({ id: one, section }) => [one, section.name])).toEqual([['pick-lines', 'Mine']]);
    expect(box.problems()).toEqual([
      expect.objectContaining({
        file: join(folder.path, 'broken.yml'),
        line: 7,
        message: expect.stringContaining('YAML'),
      }),
    ]);
    const tool = box.tool('pick-lines') as LoadedTool;
    expect(tool.source).toBe(TOOL);
    expect(box.describe(tool, { ioDetails: true, linkDetails: false })).toMatchObject({
      id: 'pick-lines',
      inputs: [{ name: 'text' }, { name: 'pattern' }, { name: 'lines' }, { name: 'options' }],
      outputs: [{ name: 'picked' }, { name: 'used' }],
    });
    const form = box.form(tool, fakeContext([{ id: id(1), hid: 1 }]), {});
    expect(form).toMatchObject({ errors: {}, help: expect.stringContaining('<strong>lines</strong>') });
  });

  it('runs their jobs: values, functions, configuration files and labels', async () => {
    const box = await toolbox({ 'pick.yml': TOOL, [id(1)]: 'apple\nbanana\ncherry\nit\'s $HOME; "x"\n' });
    const context = fakeContext([{ id: id(1), hid: 1, name: 'fruit.txt' }]);
    const text = { src: 'hda', id: id(1) };
    const ran = await run(box, 'pick-lines', { text, 'options|invert': true }, context);
    expect(ran.files.picked).toBe('cherry\nit\'s $HOME; "x"\n'.replace(/it.*\n/, (line) => line));
    expect(ran.commandLine).toContain(`grep -v -e 'a' '${join(folder.path, id(1))}' | head -n 10 > out.txt`);
    const strange = await run(box, 'pick-lines', { text, pattern: `it's $HOME; "x"` }, context);
    expect(strange.files).toMatchObject({
      picked: 'it\'s $HOME; "x"\n',
      used: 'it\'s $HOME; "x"\n',
      'pattern.txt': 'it\'s $HOME; "x"\n',
    });
    const tool = box.tool('pick-lines') as LoadedTool;
    const [job] = box.expand(tool, { text }, context).jobs;
    expect(job && box.plan(tool, job, context).map(({ label, extension }) => [label, extension])).toEqual([
      ['Pick lines on data 1', 'txt'],
      ['Pick lines on data 1', 'txt'],
    ]);
  });

  it('lets expressions make words for the shell of paths, names of datasets and elements being data', async () => {
    const box = await toolbox({
      'join.yml': `class: GalaxyUserTool
id: join-all
version: "1"
name: Join all
shell_command: |
  cat $(inputs.files.map((one) => \`'\${one.path}'\`).join(' ')) > out.txt
  printf '%s\\n' $(inputs.files.map((one) => '"' + one.basename + '"').join(' ')) >> out.txt
  printf '%s\\n' '$(inputs.pair.elements.forward.element_identifier) $(inputs.pair.collection_type)' >> out.txt
  printf '%s\\n' '$(inputs.files[0].nameroot)|$(inputs.files[0].nameext)|$(inputs.files[0].format)|$(inputs.chosen)' >> out.txt
  printf '%s\\n' \\$(echo $(runtime.cores)) >> out.txt
inputs:
  - {name: files, type: data, multiple: true}
  - {name: pair, type: data_collection, collection_type: paired}
  - {name: chosen, type: select, multiple: true, options: [{label: A, value: a}, {label: B, value: b, selected: true}]}
outputs:
  - {name: out, type: data, format: txt, from_work_dir: out.txt}
`,
      [id(1)]: 'one\n',
      [id(2)]: 'two\n',
    });
    const strange = `it's "$(touch escaped)" \`touch escaped\`; touch escaped.tar.gz`;
    const context = fakeContext(
      [
        { id: id(1), hid: 1, name: strange },
        { id: id(2), hid: 2, name: '-rf *' },
      ],
      {
        [id(9)]: {
          name: 'a pair',
          hid: 9,
          type: 'paired',
          elements: [
            ['forward', id(1)],
            ['reverse', id(2)],
          ],
        },
      },
    );
    const values = [1, 2].map((n) => ({ src: 'hda', id: id(n) }));
    const { files, script } = await run(
      box,
      'join-all',
      { files: { values }, pair: { values: [{ src: 'hdca', id: id(9) }] } },
      context,
    );
    expect(files.out).toBe(
      ['one', 'two', strange, '-rf *', 'forward paired', `${strange.replace(/\.gz$/, '')}|.gz|txt|["b"]`, '1', ''].join(
        '\n',
      ),
    );
    expect(script).toContain(`cat '${join(folder.path, id(1))}' '${join(folder.path, id(2))}' > out.txt`);
  });

  it('says the file and line of an expression that fails when its job is made', async () => {
    const box = await toolbox({
      'fail.yml': minimal('').replace('echo 1', '|\n  echo 1\n  echo ${\n    const a = 1;\n    return a.b.c;\n  }'),
    });
    await expect(run(box, 'small', {}, fakeContext([]))).rejects.toMatchObject({
      code: 'toolbox/expression',
      data: { file: join(folder.path, 'fail.yml'), line: 9, reason: expect.stringContaining('TypeError') },
    });
  });

  it('is looked through by lint, its expressions and tests included', async () => {
    const lint = async (text: string) => {
      writeFileSync(join(folder.path, 'tool.yml'), text);
      const found = await lintFile(join(folder.path, 'tool.yml'), hereIsolate());
      return found.map(({ level, code, line }) => [level, code, line]);
    };
    expect(await lint(TOOL)).toEqual([['warning', 'test', 73]]);
    expect(await lint(minimal(''))).toEqual([
      ['warning', 'help', 1],
      ['warning', 'container', 1],
      ['warning', 'tests', 1],
    ]);
    expect(await lint(minimal('inputs: 3\n'))).toEqual([['error', 'wrapper', 6]]);
    expect(await lint(minimal('').replace('echo 1', '|\n  echo\n  echo $(1 +)'))).toEqual([['error', 'expression', 7]]);
    expect(await lint('a: 1\n')).toEqual([['error', 'no-tool', 1]]);
  });
});
