/** What real wrappers hold that no author would write today: it has to work, because Galaxy lets it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDataTables } from '../../../node/toolbox/data-tables/data-tables.js';
import type { ToolContext } from '../../../node/toolbox/tool.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import { fakeContext, id } from './fake-context.js';
import { temporaryFolder, toolboxOf } from './run-tool.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let context: ToolContext;

beforeAll(async () => {
  folder = await temporaryFolder();
  context = fakeContext([{ id: id(1), hid: 1, extension: 'bed' }]);
});
afterAll(() => folder.remove());

interface Parts {
  command?: string;
  inputs?: string;
  outputs?: string;
}

async function toolOf({ command = 'x', inputs = '', outputs = '' }: Parts) {
  const toolbox = await toolboxOf(folder.path, {
    't.xml': `<tool id="t" name="T" version="1"><command><![CDATA[${command}]]></command>
      <inputs>${inputs}</inputs><outputs>${outputs}</outputs></tool>`,
  });
  expect(toolbox.problems()).toEqual([]);
  return { toolbox, tool: toolbox.tool('t')! };
}

async function planned(parts: Parts, inputs: JsonObject = {}, from = context) {
  const { toolbox, tool } = await toolOf(parts);
  const { jobs, errors } = toolbox.expand(tool, inputs, from);
  return { toolbox, tool, job: jobs[0], errors };
}

async function commandOf(parts: Parts, inputs: JsonObject = {}, metadata?: (dataset: string, name: string) => string) {
  const { toolbox, tool, job, errors } = await planned(parts, inputs);
  expect(errors).toEqual({});
  const files = {
    inputPath: (dataset: string) => `/in/${Number(dataset)}`,
    outputPath: (name: string) => `/out/${name.replaceAll('|__part__|', '.')}`,
    workFolder: '/w',
    ...(metadata ? { metadataPath: metadata } : {}),
  };
  return toolbox.prepare(tool, job!, context, files).commandLine;
}

describe('elements that Galaxy does not read are left out', () => {
  it.each([
    [
      'a <sanitizer> beside the parameters',
      '<sanitizer><valid/></sanitizer><param name="a" type="text" value="1"/>',
      '',
    ],
    ['an <option> in a number', '<param name="a" type="integer" value="1"><option value="2">2</option></param>', ''],
    [
      'an unknown element in a conditional and in a case',
      '<conditional name="a"><param name="b" type="select"><option value="1">1</option></param><note/><when value="1"><validator type="regex">x</validator></when></conditional>',
      '',
    ],
    ['an unknown element among the outputs and in one', '', '<note/><data name="o" format="txt"><note/></data>'],
  ])('%s', async (_, inputs, outputs) => {
    const { errors } = await planned({ inputs, outputs });
    expect(errors).toEqual({});
  });
});

describe('of two with one name the later counts', () => {
  it('among the parameters, at the place of the first', async () => {
    const inputs =
      '<param name="a" type="text" value="1"/><param name="b" type="text" value="2"/><param name="a" type="text" value="3"/>';
    expect(await commandOf({ inputs, command: '$a $b' })).toBe('3 2');
  });

  it('among the outputs', async () => {
    const { toolbox, tool, job } = await planned({
      outputs: '<data name="o" format="txt"/><data name="o" format="bed"/>',
    });
    expect(toolbox.plan(tool, job!, context).map(({ name, extension }) => [name, extension])).toEqual([['o', 'bed']]);
  });
});

describe('names that templates cannot reach', () => {
  it('are names of parameters and outputs all the same', async () => {
    const { toolbox, tool, job, errors } = await planned({
      inputs: '<param name="2nd value" type="text" value="1"/>',
      outputs: '<data name="454-out.txt" format="txt" from_work_dir="x"/>',
    });
    expect(errors).toEqual({});
    expect(toolbox.plan(tool, job!, context)[0]?.name).toBe('454-out.txt');
  });
});

describe('an optional parameter that takes several datasets and got none', () => {
  const inputs = '<param name="in" type="data" format="bed" multiple="true" optional="true"/>';
  it('is false, prints None, and holds one that is nothing', async () => {
    const command =
      "#if $in#yes#else#no#end if# $in #echo ','.join(map(str, $in))# #for $one in $in##if $one#$one#else#nothing#end if##end for#";
    expect(await commandOf({ inputs, command })).toBe('no None None nothing');
    expect(await commandOf({ inputs, command }, { in: [{ src: 'hda', id: id(1) }] })).toBe('yes /in/1 /in/1 /in/1');
  });
});

describe('an optional dataset that was not given', () => {
  it('is nothing however deep a template looks into it', async () => {
    const inputs = '<param name="in" type="data" format="bed" optional="true"/>';
    expect(await commandOf({ inputs, command: '$in.a.b $in.ext #if $in.metadata.x#yes#else#no#end if#' })).toBe(
      'None data no',
    );
  });
});

describe('metadata that is a file', () => {
  const inputs = '<param name="in" type="data" format="bam,bed"/>';
  const given = { in: { src: 'hda', id: id(1) } };
  it('is its path, and None without one', async () => {
    const command = '#if $in.metadata.bam_index#$in.metadata.bam_index#else#none#end if#';
    const path = (dataset: string, name: string) => `/meta/${Number(dataset)}/${name}`;
    expect(await commandOf({ inputs, command }, given, path)).toBe('/meta/1/bam_index');
    expect(await commandOf({ inputs, command }, given)).toBe('none');
  });
});

describe('a command', () => {
  it('is one line, and indentation is no part of it', async () => {
    expect(await commandOf({ command: '\n    a\n        --b  c\n\n    d\n' })).toBe('a --b  c  d');
  });

  it('may speak of places of the server, which are in its own folder', async () => {
    expect(await commandOf({ command: '$__new_file_path__ $__tool_data_path__ $GALAXY_DATA_INDEX_DIR' })).toBe(
      '/w /w/tool-data /w/tool-data',
    );
  });

  it('may ask whether an output is there that a filter left out', async () => {
    const outputs = '<data name="o" format="txt"><filter>flag</filter></data>';
    const inputs = '<param name="flag" type="boolean"/>';
    const command = '#if $o#-o $o#else#nothing#end if#';
    expect(await commandOf({ inputs, outputs, command })).toBe('nothing');
    expect(await commandOf({ inputs, outputs, command }, { flag: true })).toBe('-o /out/o');
  });

  it('may name an element of a collection alone', async () => {
    const outputs =
      '<collection name="pair" type="paired"><data name="forward" format="txt"/><data name="reverse" format="txt"/></collection>';
    expect(await commandOf({ outputs, command: '$forward $pair.reverse' })).toBe('/out/pair.forward /out/pair.reverse');
  });
});

describe('<change_format>', () => {
  it('by a parameter of a case that was not chosen changes nothing', async () => {
    const inputs =
      '<conditional name="c"><param name="m" type="select"><option value="x">X</option><option value="y">Y</option></param><when value="x"/><when value="y"><param name="f" type="text" value="bed"/></when></conditional>';
    const outputs =
      '<data name="o" format="txt"><change_format><when input="c.f" value="bed" format="bed"/></change_format></data>';
    const extension = async (given: JsonObject) => {
      const { toolbox, tool, job } = await planned({ inputs, outputs }, given);
      return toolbox.plan(tool, job!, context)[0]?.extension;
    };
    expect(await extension({})).toBe('txt');
    expect(await extension({ c: { m: 'y' } })).toBe('bed');
  });
});

describe('<options from_file>', () => {
  const inputs =
    '<param name="g" type="select"><options from_file="genomes.loc"><column name="name" index="1"/><column name="value" index="0"/></options></param>';

  it('are lines of a file in tool-data', async () => {
    const data = join(folder.path, 'tool-data');
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'genomes.loc'), '# comment\nhg38\tHuman\nmm10\tMouse\n');
    const tables = createDataTables({ folder: data });
    expect((await planned({ inputs }, { g: 'Mouse' }, { ...context, tables })).job?.state).toEqual({ g: 'mm10' });
    expect(tables.file('../t.xml', '\t')).toBeUndefined();
  });

  it('without that file there are none, which is said', async () => {
    const tables = createDataTables({ folder: join(folder.path, 'none') });
    const { errors } = await planned({ inputs }, { g: 'hg38' }, { ...context, tables });
    expect(errors.g).toContain('This node has no file genomes.loc.');
  });
});

describe('defaults', () => {
  it('of an optional genome build is none', async () => {
    expect((await planned({ inputs: '<param name="b" type="genomebuild" optional="true"/>' })).job?.state).toEqual({
      b: null,
    });
  });

  it('a drill_down without hierarchy gives what was chosen, not what is below it', async () => {
    const inputs =
      '<param name="d" type="drill_down" multiple="true"><options><option name="A" value="a"><option name="B" value="b"/></option></options></param>';
    expect(await commandOf({ inputs, command: '$d' }, { d: ['a'] })).toBe('a');
  });

  it('an empty text that may be empty is asked of no validator', async () => {
    const inputs =
      '<param name="f" type="text" optional="true"><validator type="expression">0 &lt; float(value)</validator></param>';
    expect((await planned({ inputs }, { f: '' })).errors).toEqual({});
    expect((await planned({ inputs }, { f: '-1' })).errors.f).toBeDefined();
  });
});

describe('an <action> on the format', () => {
  it('may take that of an element of a collection', async () => {
    const list = 'e'.repeat(16);
    const from = fakeContext([{ id: id(1), hid: 1, extension: 'bed' }], {
      [list]: { name: 'pair', hid: 2, type: 'paired', elements: [['forward', id(1)]] },
    });
    const { toolbox, tool, job } = await planned(
      {
        inputs: '<param name="in" type="data_collection" collection_type="paired" format="data"/>',
        outputs:
          '<data name="o"><actions><action type="format"><option type="from_param" name="in" param_attribute="forward.ext"/></action></actions></data>',
      },
      { in: { src: 'hdca', id: list } },
      from,
    );
    expect(toolbox.plan(tool, job!, from)[0]?.extension).toBe('bed');
  });
});
