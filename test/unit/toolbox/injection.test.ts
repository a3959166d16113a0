/**
 * Whatever a user writes stays a word: for every place that takes text, and for names that come with data, hostile texts
 * are put through the real shell, inside single quotes, double quotes and bare as wrappers have them. A file named
 * `canary` is what each of them would make if it got out.
 */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { collectOutputs } from '../../../node/jobs/collect.js';
import { discover } from '../../../node/jobs/discover.js';
import { readProvided } from '../../../node/jobs/provided-metadata.js';
import { runPaths } from '../../../node/jobs/run-spec.js';
import type { DiscoverRule } from '../../../node/toolbox/tool.js';
import { parseXml } from '../../../node/toolbox/wrapper/wrapper-xml.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import {
  contextOf,
  errorsOf,
  hda,
  hdca,
  line,
  out,
  problemsOf,
  run,
  tables,
  type World,
} from './constructs/construct.js';
import { id } from './fake-context.js';
import { temporaryFolder } from './run-tool.js';

const HOSTILE = [
  "'; touch canary; '",
  '"; touch canary; "',
  '$(touch canary)',
  '${IFS}$(touch${IFS}canary)',
  '`touch canary`',
  'a; touch canary',
  'a\ntouch canary\n',
  'a\r\ntouch canary\r\n',
  'a & touch canary &',
  '| touch canary',
  '> canary',
  '>> ../canary',
  '<(touch canary)',
  "a' && touch canary && echo 'b",
  '\\"; touch canary; \\"',
  "\\'; touch canary; \\'",
  '$HOME/../canary',
  '~/canary',
  '{a,canary}',
  '#$(touch canary)',
  '$touch ${canary} #set $x = 1',
  "$__import__('os').system('touch canary')",
  '\u2028touch canary\u2029',
  '!! touch canary',
  '\u0001\u0007\u001b[2Jcanary',
];
/** As the sanitizer leaves a text: nothing that any shell reads. */
const HARMLESS = /^[\w \-=.()/+*^,:?!@]*$/;

/** Each value between single and between double quotes, a line each; by value what the shell made of it. */
async function words(inputs: string, values: string[], given: Record<string, unknown>, world: World = {}) {
  const quoted = values.map((value) => `'${value}' "${value}"`).join(' ');
  const command = `printf '%s\\n' ${quoted} > '$out'`;
  const ran = await run({ inputs, command }, given as JsonObject, world);
  const lines = (ran.outputs.out ?? '').split('\n').slice(0, -1);
  expect({ left: ran.left, exitCode: ran.exitCode, count: lines.length }).toEqual({
    left: [],
    exitCode: 0,
    count: 2 * values.length,
  });
  for (const one of lines) expect(one).toMatch(HARMLESS);
  const single = lines.filter((_, index) => index % 2 === 0);
  expect(lines.filter((_, index) => index % 2 === 1)).toEqual(single);
  return single;
}

it('the trap works: a wrapper that turns the sanitizer off lets a text out', async () => {
  const inputs = '<param name="v" type="text"><sanitizer sanitize="false"/></param>';
  const ran = await run({ inputs, command: "echo '$v' > '$out'" }, { v: "'; touch canary; '" });
  expect(ran.left).toEqual(['canary']);
});

describe('texts that users write', () => {
  it.each(HOSTILE)('%j as a text stays one word', async (text) => {
    const lines = await words('<param name="v" type="text"/>', ['$v'], { v: text });
    // The words arrive: only what a shell would read is another.
    for (const word of text.match(/[a-z]{4,}/g) ?? []) expect(lines[0]).toContain(word);
  });

  it.each(HOSTILE)('%j through methods and functions of a template stays one word', async (text) => {
    const what = [
      "${$v.replace('zz', 'z')}",
      '${$v.strip()}',
      "${','.join($v.split())}",
      "${'%s' % $v}",
      "${'{}'.format($v)}",
      '${str($v)[0:]}',
      "${'' + $v}",
      '${$v.value}',
      '${list([$v])[0]}',
      "${str($v).replace('X', '')}",
      "${$v.partition('q')[0]}${$v.partition('q')[2]}",
    ];
    await words('<param name="v" type="text"/>', what, { v: text });
  });

  it.each(HOSTILE)('%j as a bare text may be several words, and none of them is a command', async (text) => {
    const command = "set -f; printf '%s\\n' x $v > '$out'";
    const ran = await run({ inputs: '<param name="v" type="text"/>', command }, { v: text });
    expect(ran.left).toEqual([]);
    // Brackets are allowed in texts, as in Galaxy: bare they are a mistake of the shell's grammar, and nothing runs.
    if (ran.exitCode !== 0) expect(ran.stderr).toContain('syntax error');
  });

  it.each(HOSTILE)('%j as a hidden value stays one word', async (text) => {
    await words('<param name="v" type="hidden" value="x"/>', ['$v'], { v: text });
  });

  it('NUL is refused everywhere', async () => {
    for (const type of ['text', 'hidden']) {
      expect(
        Object.values(await errorsOf({ inputs: `<param name="v" type="${type}"/>`, command: 'x' }, { v: 'a\0b' }))[0],
      ).toContain('NUL');
    }
    const list = { inputs: '<param name="v" type="select"><option value="a">A</option></param>', command: 'x' };
    expect(await errorsOf(list, { v: 'a\0' })).toHaveProperty('v');
  });

  it('a text that looks like an option stays a text: it is for the wrapper to put -- before it', async () => {
    expect(await words('<param name="v" type="text"/>', ['$v'], { v: '--output=canary' })).toEqual(['--output=canary']);
  });

  it('what is a number, a truth value, a colour, a column or a genome is nothing else', async () => {
    const inputs: [string, string][] = [
      ['integer', '<param name="v" type="integer" value="1"/>'],
      ['float', '<param name="v" type="float" value="1"/>'],
      ['boolean', '<param name="v" type="boolean"/>'],
      ['color', '<param name="v" type="color"/>'],
      ['data_column', '<param name="v" type="data_column" data_ref="in"/>'],
      ['genomebuild', '<param name="v" type="genomebuild"/>'],
    ];
    for (const [type, xml] of inputs) {
      for (const text of [...HOSTILE, `1 ${HOSTILE[2]}`, `#aabbcc${HOSTILE[0]}`, 'hg38;ls', 'hg 38']) {
        expect([type, text, Object.keys(await refusals(xml, text))]).toEqual([type, text, ['v']]);
      }
    }
  });

  it('what is not offered is not chosen: select, several, drill_down, group_tag, a table, a dataset', async () => {
    const tree = '<options><option name="A" value="a"/></options>';
    const inputs: [string, World][] = [
      ['<param name="v" type="select"><option value="a">A</option></param>', {}],
      ['<param name="v" type="select" multiple="true"><option value="a">A</option></param>', {}],
      [`<param name="v" type="drill_down" hierarchy="exact">${tree}</param>`, {}],
      ['<param name="in" type="data" format="txt"/><param name="v" type="group_tag" data_ref="in"/>', { data: [''] }],
      [
        '<param name="v" type="select"><options from_data_table="g"/></param>',
        tables({ g: { columns: ['value'], rows: [['a']] } }),
      ],
      [
        '<param name="in" type="data" format="txt"/><param name="v" type="select"><options from_dataset="in"><column name="value" index="0"/></options></param>',
        { data: [''], context: { lines: () => ['a\tb'] } },
      ],
    ];
    for (const [xml, world] of inputs) {
      for (const text of HOSTILE) {
        const errors = await errorsOf({ inputs: xml, command: 'x' }, { in: hda(1), v: text } as never, world);
        expect([xml, text, Object.keys(errors)]).toEqual([xml, text, ['v']]);
      }
    }
  });

  async function refusals(xml: string, text: string) {
    return errorsOf(
      { inputs: `<param name="in" type="data" format="txt"/>${xml}`, command: 'x' },
      { in: hda(1), v: text },
      { data: [''] },
    );
  }
});

describe('texts that come with data', () => {
  const DATA = '<param name="in" type="data" format="data"/>';

  it.each(HOSTILE)('a dataset named %j', async (name) => {
    const what = ['$in.name', '$in.element_identifier', '$in.display_name', '$in.info', '$in.name_and_ext'];
    await words(DATA, what, { in: hda(1) }, { data: [{ name }] });
  });

  it.each(HOSTILE)('an element called %j of a collection that is called so as well', async (name) => {
    const inputs = '<param name="in" type="data_collection" collection_type="list" format="data"/>';
    const collections = { l: { name, hid: 2, type: 'list', elements: [[name, id(1)]] as [string, string][] } };
    const what = ['$in.name', '$in.element_identifier', '${list($in)[0].element_identifier}', '${list($in.keys())[0]}'];
    await words(inputs, what, { in: hdca('l') }, { data: ['x'], collections });
    // A batch over the collection, where the job has the name of its own element; the element is found by what keys() gives.
    await words(
      DATA,
      ['$in.element_identifier'],
      { in: { batch: true, values: [hdca('l')] } },
      { data: ['x'], collections },
    );
    const found = await out(
      { inputs, command: "#for $key in $in.keys()\ncat '${in[$key]}' > '$out'\n#end for" },
      { in: hdca('l') },
      { data: ['held'], collections },
    );
    expect(found).toBe('held');
  });

  it.each(HOSTILE)('metadata, a tag, a genome and a datatype that say %j', async (text) => {
    const metadata = { dbkey: text, column_names: [text, 'b'], other: text };
    const what = [
      '$in.metadata.dbkey',
      '$in.dbkey',
      '$in.metadata.column_names',
      '$in.metadata.other',
      '$in.ext',
      '$dbkey',
      '$chromInfo',
    ];
    await words(DATA, what, { in: hda(1) }, { data: [{ extension: text, metadata }] });
  });

  it.each(HOSTILE)('a group that is called %j', async (text) => {
    const inputs = '<param name="in" type="data" format="txt"/><param name="g" type="group_tag" data_ref="in"/>';
    const context = contextOf({ data: [''] });
    const record = context.dataset(id(1))?.record;
    if (record) record.tags = [`group:${text}`];
    const world: World = { data: [''], context: { dataset: context.dataset } };
    await words(
      inputs,
      ['$g', '${list($in.groups)[0]}', '${list($in.tags)[0]}', '$g.value_label'],
      { in: hda(1), g: text },
      world,
    );
  });

  it.each(HOSTILE)('a line %j of a dataset that gives the choices', async (text) => {
    if (text.startsWith('#')) return;
    const inputs = `${DATA}<param name="v" type="select"><options from_dataset="in"><column name="value" index="0"/><column name="name" index="1"/></options></param>`;
    const world: World = { data: [''], context: { lines: () => [`${text}\t${text}`] } };
    await words(inputs, ['$v', '$v.value', '$v.value_label', '$v.fields.name'], { in: hda(1), v: text }, world);
  });

  it.each(HOSTILE)('a label of an output made of %j', async (name) => {
    const outputs = '<data name="out" format="txt" label="$in.name on $on_string"/>';
    const ran = await run(
      { inputs: DATA, outputs, command: "printf '%s' '$out.name' \"$out.label\" > '$out'" },
      { in: hda(1) },
      { data: [{ name }] },
    );
    expect({ left: ran.left, exitCode: ran.exitCode }).toEqual({ left: [], exitCode: 0 });
    expect(ran.outputs.out).toMatch(HARMLESS);
  });

  it.each(HOSTILE)('a user who is called %j', async (text) => {
    const context = { user: { id: text, email: text, name: text } };
    await words('', ['$__user_email__', '$__user_name__', '$__user_id__', '$__user__.email'], {}, { context });
  });
});

describe('beside the command', () => {
  it.each(HOSTILE)('a variable of the environment and a configuration file hold %j and run nothing', async (text) => {
    const before = `<environment_variables><environment_variable name="MINE">$v</environment_variable></environment_variables>
      <configfiles><configfile name="conf">$v</configfile><configfile name="script">echo '$v' "$v"
</configfile><inputs name="json"/></configfiles>`;
    const command = `printf '%s' "\\$MINE" > '$out' && cat '$conf' '$json' > /dev/null && sh '$script' > /dev/null`;
    const ran = await run({ before, inputs: '<param name="v" type="text"/>', command }, { v: text });
    expect({ left: ran.left, exitCode: ran.exitCode }).toEqual({ left: [], exitCode: 0 });
    expect(ran.outputs.out).toMatch(HARMLESS);
    expect(ran.prepared.configFiles[0]?.text).toBe(ran.outputs.out);
    expect(JSON.parse(ran.prepared.configFiles[2]?.text ?? '')).toEqual({ v: ran.outputs.out });
  });

  it('no template reaches the machine: no file, no module, nothing of JavaScript', async () => {
    for (const command of [
      '#import os\n${os.system("touch canary")}',
      '${open("/etc/hostname").read()}',
      '#import subprocess\nx',
      "${eval('1')}",
      "${exec('1')}",
      "${__import__('os')}",
      '#import os\n${os.environ}',
      '#include "/etc/hostname"',
      '${$out.constructor}',
      '${$out.__proto__}',
      '${$out.toString()}',
      "${getattr($out, 'constructor')}",
      '${().__class__.__bases__}',
      "${'{0.__class__}'.format(1)}",
      '#extends x',
    ]) {
      await expect(line({ command }), command).rejects.toThrow();
    }
  });

  it('names of outputs, configuration files and folders cannot leave the working folder', async () => {
    const cases = [
      { command: 'x', before: '<configfiles><configfile filename="../canary">x</configfile></configfiles>' },
      { command: 'x', before: '<configfiles><configfile name="a/b">x</configfile></configfiles>' },
      { command: 'x', outputs: '<data name="out" format="txt" from_work_dir="a/../../canary"/>' },
      { command: 'x', outputs: '<data name="out" format="txt" from_work_dir="/etc/hostname"/>' },
      { command: 'x', outputs: '<data name="../out" format="txt"/>' },
      {
        command: 'x',
        outputs: '<data name="out" format="txt"><discover_datasets pattern="__name__" directory="../.."/></data>',
      },
      {
        command: 'x',
        outputs:
          '<collection name="out" type="list"><discover_datasets pattern="__name__" directory="/etc"/></collection>',
      },
    ];
    for (const one of cases) expect([one, (await problemsOf(one)).length]).toEqual([one, 1]);
  });
});

describe('what a run left behind', () => {
  const rule = (more: Partial<DiscoverRule> = {}): DiscoverRule => ({
    ...{
      pattern: '(?P<name>.*)',
      directory: '',
      recurse: true,
      matchRelativePath: false,
      format: 'txt',
    },
    ...{ visible: true, assignPrimary: false, sortBy: 'filename', sortReverse: false, sortNumeric: false },
    ...{ fromProvidedMetadata: false, ...more },
  });

  async function inRun<T>(
    prepare: (folder: string, secret: string) => Promise<void>,
    work: (folder: string) => Promise<T>,
  ) {
    const outer = await temporaryFolder();
    try {
      const folder = join(outer.path, 'run');
      const secret = join(outer.path, 'secret');
      for (const one of [runPaths(folder).working, runPaths(folder).outputs]) await mkdir(one, { recursive: true });
      await writeFile(secret, 'not for you\n');
      await prepare(folder, secret);
      return await work(folder);
    } finally {
      await outer.remove();
    }
  }
  const deps = { datatypes: createDatatypes() };
  const output = (folder: string, more: object) => ({
    name: 'out',
    file: join(runPaths(folder).outputs, 'dataset_0.dat'),
    extension: 'txt',
    ...more,
  });
  const none = new Map();

  it('discovery follows no link out of the folder, of a file or of a folder', async () => {
    const prepare = async (folder: string, secret: string) => {
      await symlink(secret, join(folder, 'working', 'link'));
      await symlink(join(secret, '..'), join(folder, 'working', 'folder'));
      await symlink('/etc', join(folder, 'working', 'etc'));
      await writeFile(join(folder, 'working', 'own'), 'own\n');
    };
    await inRun(prepare, async (folder) => {
      const found = await discover(
        deps,
        folder,
        { outputs: [output(folder, { discover: [rule()] })], collections: [] },
        none,
      );
      expect(found.files.map(({ name }) => name)).toEqual(['own']);
      expect(found.notes.join(' ')).toContain("a link out of the job's folder");
    });
  });

  it('a folder of discovery that the tool made a link is not entered', async () => {
    const prepare = (folder: string, secret: string) => symlink(join(secret, '..'), join(folder, 'working', 'd'));
    await inRun(prepare, async (folder) => {
      const found = await discover(
        deps,
        folder,
        { outputs: [output(folder, { discover: [rule({ directory: 'd' })] })], collections: [] },
        none,
      );
      expect(found.files).toEqual([]);
    });
  });

  it('galaxy.json names nothing outside, is not followed as a link, and is bounded', async () => {
    const told = (files: string[]) =>
      JSON.stringify({ out: { elements: files.map((filename) => ({ filename, name: 'x', ext: 'txt' })) } });
    const prepare = async (folder: string, secret: string) => {
      await symlink(secret, join(folder, 'working', 'link'));
      await writeFile(
        join(folder, 'working', 'galaxy.json'),
        told(['../../secret', secret, '/etc/hostname', 'link', 'a/../../../secret', `${folder}/working/../../secret`]),
      );
    };
    await inRun(prepare, async (folder) => {
      const provided = await readProvided(folder, 'galaxy.json', () => undefined);
      const found = await discover(
        deps,
        folder,
        { outputs: [output(folder, { discover: [rule({ fromProvidedMetadata: true })] })], collections: [] },
        provided,
      );
      expect(found.files).toEqual([]);
      expect(found.notes.length).toBeGreaterThan(0);
    });
    await inRun(
      async (folder, secret) => symlink(secret, join(folder, 'working', 'galaxy.json')),
      async (folder) => {
        expect((await readProvided(folder, 'galaxy.json', () => undefined)).size).toBe(0);
        expect((await readProvided(folder, '../../secret', () => undefined)).size).toBe(0);
      },
    );
  });

  it('extra files and files of from_work_dir are not followed out of the folder either', async () => {
    const prepare = async (folder: string, secret: string) => {
      await writeFile(join(folder, 'outputs', 'dataset_0.dat'), 'page\n');
      await mkdir(join(folder, 'outputs', 'dataset_0.dat_files'));
      await symlink(secret, join(folder, 'outputs', 'dataset_0.dat_files', 'stolen'));
    };
    await inRun(prepare, async (folder) => {
      const [result] = await collectOutputs(deps, folder, [output(folder, {})]);
      expect(result?.extra ?? []).toEqual([]);
      expect(result?.info).toContain("out of the job's folder");
    });
    await inRun(
      async (folder, secret) => symlink(join(secret, '..'), join(folder, 'working', 'd')),
      async (folder) => {
        const [result] = await collectOutputs(deps, folder, [output(folder, { fromWorkDir: 'd/sec*' })]);
        expect(result).toMatchObject({ state: 'error', info: expect.stringContaining("out of the job's folder") });
      },
    );
  });

  it('identifiers that a tool makes are names and no paths, and are short', async () => {
    const long = 'n'.repeat(200);
    const prepare = async (folder: string) => {
      await writeFile(join(folder, 'working', `..canary$(touch canary)${long}`), '');
    };
    await inRun(prepare, async (folder) => {
      const found = await discover(
        deps,
        folder,
        { outputs: [], collections: [{ name: 'c', collectionType: 'list', discover: [rule()] }] },
        none,
      );
      expect(found.files).toHaveLength(1);
      expect(found.files[0]?.file.startsWith(join(runPaths(folder).outputs, 'found'))).toBe(true);
      expect(found.files[0]?.name.length).toBeLessThanOrEqual(255);
    });
  });
});

describe('templates and wrappers without end', () => {
  it.each([
    ['#while True\nx\n#end while'],
    ['#set $a = "x"\n#while True\n#set $a = $a + $a\n#end while'],
    ['#set $l = []\n#while True\n#silent $l.append(1)\n#end while'],
    ['${"x" * 10**10}'],
    ['${[0] * 10**10}'],
    ['${2 ** (10**9)}'],
    ['#for $i in range(10**12)\n$i\n#end for'],
    ['#def f($n)\n#return $f($n)\n#end def\n$f(1)'],
    ['${"%1000000000d" % 1}'],
    ['${"x".zfill(10**10)}'],
    ['#import re\n${re.match("(a+)+$", "a" * 40 + "b")}'],
    ['#import itertools\n${list(itertools.count())}'],
    ['${list(range(10**9))}'],
  ])(
    '%j is stopped with a named error',
    async (command) => {
      await expect(line({ command })).rejects.toMatchObject({
        code: 'toolbox/template',
        data: { reason: expect.any(String) },
      });
    },
    20_000,
  );

  it('XML with entities, with an external reference, and with megabytes of nesting is refused by name', async () => {
    const bomb = '<!DOCTYPE t [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><tool>&b;</tool>';
    const outside = '<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><tool>&x;</tool>';
    const dtd = '<!DOCTYPE tool SYSTEM "http://127.0.0.1:9/x.dtd" [<!ELEMENT tool ANY>]><tool/>';
    for (const text of [
      bomb,
      outside,
      dtd,
      '<tool>&unknown;</tool>',
      '<a>'.repeat(3_400_000),
      `<tool>${'<a>'.repeat(500_000)}${'</a>'.repeat(500_000)}</tool>`,
    ]) {
      expect(() => parseXml(text, 't.xml')).toThrow(expect.objectContaining({ code: 'toolbox/wrapper' }));
    }
  });
});
