import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { createToolbox } from '../../../node/toolbox/toolbox.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { runTool, temporaryFolder } from './run-tool.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder.path, 'tools'));
});
afterEach(() => folder.remove());

const file = (name: string) => join(folder.path, 'tools', name);
const cache = () => join(folder.path, 'cache', 'tools');
const said: string[] = [];
const log = { ...silentLogger, info: (_: object, message: string) => void said.push(message) };
/** A start of the node. */
function start() {
  said.length = 0;
  const options = { folders: [join(folder.path, 'tools')], bundled: false, cache: cache() };
  return createToolbox({ datatypes: createDatatypes(), log: log as typeof silentLogger }, options);
}
const wrapper = (id: string, macros = '', text = 'hello') =>
  `<tool id="${id}" name="@NAME@" version="1">${macros || '<macros><token name="@NAME@">Own</token></macros>'}
   <command><![CDATA[echo '${text}' > '$out']]></command><outputs><data name="out" format="txt"/></outputs><help>*x*</help></tool>`;
const imported = '<macros><import>m.xml</import></macros>';
const macros = (name: string) => `<macros><token name="@NAME@">${name}</token></macros>`;

/** Changes what the cache says, as only the node itself would. */
async function rewrite(
  change: (records: { file: string; verdict: { head?: { name: string } } }[]) => void,
): Promise<void> {
  const [first = '', body = ''] = (await readFile(cache(), 'utf8')).split('\n');
  const records = JSON.parse(body);
  change(records);
  const text = JSON.stringify(records);
  const sha256 = createHash('sha256').update(text).digest('base64url');
  await writeFile(cache(), `${JSON.stringify({ ...JSON.parse(first), sha256 })}\n${text}`);
}

describe('what a start finds out, the next one knows', () => {
  it('a tool is listed from the cache, and made from its wrapper when it is used', async () => {
    await writeFile(file('a.xml'), wrapper('a'));
    await start();
    await rewrite(([record]) => {
      record!.verdict.head!.name = 'From the cache';
    });
    const toolbox = await start();
    expect(toolbox.tool('a')?.name).toBe('From the cache');
    expect((await runTool(toolbox, 'a', {})).outputs).toEqual({ out: 'hello\n' });
    expect(toolbox.tool('a')?.source).toBe(wrapper('a'));
  });

  it('a refusal is remembered, a folder of other XML as well', async () => {
    await writeFile(file('bad.xml'), '<tool id="b" version="1">\n<code file="x.py"/></tool>');
    await writeFile(file('other.xml'), '<tables><table/></tables>');
    const first = (await start()).problems();
    expect(first).toMatchObject([{ line: 2 }]);
    const before = await readFile(cache(), 'utf8');
    expect((await start()).problems()).toEqual(first);
    expect(await readFile(cache(), 'utf8')).toBe(before);
  });

  it('the same tool comes from the wrapper and from the cache', async () => {
    await writeFile(file('a.xml'), wrapper('a', imported));
    await writeFile(file('m.xml'), macros('Imported'));
    const shown = (toolbox: Awaited<ReturnType<typeof start>>) =>
      toolbox.describe(toolbox.tool('a')!, { ioDetails: true, linkDetails: true });
    const first = shown(await start());
    expect(shown(await start())).toEqual(first);
  });
});

describe('nothing is believed of files that have changed', () => {
  it('a wrapper', async () => {
    await writeFile(file('a.xml'), wrapper('a'));
    await start();
    await writeFile(file('a.xml'), wrapper('a').replace('Own', 'New'));
    expect((await start()).tool('a')?.name).toBe('New');
  });

  it('a macro file, of the same length and for all wrappers that import it', async () => {
    await writeFile(file('m.xml'), macros('One'));
    for (const id of ['a', 'b']) await writeFile(file(`${id}.xml`), wrapper(id, imported));
    expect((await start()).tools().map(({ name }) => name)).toEqual(['One', 'One']);
    await writeFile(file('m.xml'), macros('Two'));
    expect((await start()).tools().map(({ name }) => name)).toEqual(['Two', 'Two']);
  });

  it('a macro file that is gone, and one that comes', async () => {
    await writeFile(file('a.xml'), wrapper('a', imported));
    expect((await start()).problems()[0]?.message).toContain('there is no such file');
    await writeFile(file('m.xml'), macros('Come'));
    expect((await start()).tool('a')?.name).toBe('Come');
    await rm(file('m.xml'));
    expect((await start()).tools()).toEqual([]);
  });

  it('a macro file that now stands where it is looked for first', async () => {
    await mkdir(file('sub'));
    await writeFile(file('a.xml'), wrapper('a', '<macros><import>sub/n.xml</import></macros>'));
    await writeFile(file('sub/n.xml'), '<macros><import>m.xml</import></macros>');
    await writeFile(file('sub/m.xml'), macros('Beside the macros'));
    expect((await start()).tool('a')?.name).toBe('Beside the macros');
    await writeFile(file('m.xml'), macros('Beside the wrapper'));
    expect((await start()).tool('a')?.name).toBe('Beside the wrapper');
  });

  it('a wrapper that is gone is forgotten', async () => {
    await writeFile(file('a.xml'), wrapper('a'));
    await writeFile(file('b.xml'), wrapper('b'));
    await start();
    await rm(file('a.xml'));
    expect((await start()).tools().map(({ id }) => id)).toEqual(['b']);
    expect(await readFile(cache(), 'utf8')).not.toContain('a.xml');
  });
});

describe('a cache that is odd is thrown away and made again', () => {
  it.each([
    ['cut off', (text: string) => text.slice(0, -10)],
    ['a changed byte', (text: string) => text.replace('"Own"', '"Owm"')],
    ['empty', () => ''],
    ['something else', () => 'hello\nworld'],
    ['another format', (text: string) => text.replace('"format":1', '"format":99')],
    ['records of another shape', (text: string) => `${text.split('\n')[0]}\n[{"file":1}]`],
  ])('%s', async (_, spoil) => {
    await writeFile(file('a.xml'), wrapper('a'));
    await start();
    const good = await readFile(cache(), 'utf8');
    await writeFile(cache(), spoil(good));
    const toolbox = await start();
    expect(toolbox.problems()).toEqual([]);
    expect(toolbox.tool('a')?.name).toBe('Own');
    expect(said).toContain('the tool cache is damaged, and is made again');
    expect(await readFile(cache(), 'utf8')).toBe(good);
  });

  it('of another version of the program', async () => {
    await writeFile(file('a.xml'), wrapper('a'));
    await start();
    const good = await readFile(cache(), 'utf8');
    await writeFile(cache(), good.replace(/"fingerprint":"[^"]*"/, '"fingerprint":"other"'));
    expect((await start()).tool('a')?.name).toBe('Own');
    expect(said).toContain('the tool cache is of another version, and is made again');
  });

  it('where it cannot be written the tools are there all the same', async () => {
    await writeFile(file('a.xml'), wrapper('a'));
    await writeFile(join(folder.path, 'cache'), 'a file where the folder should be');
    expect((await start()).tool('a')?.name).toBe('Own');
  });
});

describe('a reload', () => {
  it('sees what has changed, and a tool from before goes on working', async () => {
    await writeFile(file('a.xml'), wrapper('a', imported));
    await writeFile(file('m.xml'), macros('One'));
    const toolbox = await start();
    const before = toolbox.tool('a')!;
    await writeFile(file('m.xml'), macros('Two'));
    await toolbox.reload();
    expect(toolbox.tool('a')?.name).toBe('Two');
    expect(before.name).toBe('One');
    await rm(file('a.xml'));
    await rm(file('m.xml'));
    await toolbox.reload();
    expect(toolbox.tools()).toEqual([]);
    expect(before.outputs.map(({ name }) => name)).toEqual(['out']);
  });
});

describe('folders', () => {
  it('test data is not looked into, and XML of other kinds is no problem', async () => {
    await mkdir(file('test-data'));
    await writeFile(file('test-data/broken.xml'), '<tool id="x"');
    await writeFile(file('tool_conf.xml'), '<?xml version="1.0"?>\n<!-- c -->\n<toolbox><section/></toolbox>');
    const toolbox = await start();
    expect([toolbox.tools(), toolbox.problems()]).toEqual([[], []]);
  });

  it('a wrapper that cannot be read is a problem of its own', async () => {
    await writeFile(file('a.xml'), Buffer.from('<tool id="é" version="1"><command/></tool>', 'latin1'));
    await writeFile(file('b.xml'), wrapper('b'));
    const toolbox = await start();
    expect(toolbox.tools().map(({ id }) => id)).toEqual(['b']);
    expect(toolbox.problems()).toMatchObject([
      { file: file('a.xml'), message: expect.stringContaining('its bytes are not utf-8') },
    ]);
  });
});
