import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { addDataCommands } from '../../../bin/data-commands.js';
import type { NodeOptions } from '../../../node/options.js';
import { initFolder } from '../../../protocol/trust/init-folder.js';

let folder: string;

beforeEach(async () => {
  folder = join(mkdtempSync(join(tmpdir(), 'data-commands-')), 'node');
  await initFolder('node', folder, { name: 'node.yml', text: '' }, new Date(0));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

class Exit extends Error {
  constructor(readonly code: number) {
    super(`exit ${code}`);
  }
}

/** The command as the program runs it; `exit` ends it there. */
async function galaxyNode(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const program = new Command('galaxy-node').exitOverride();
  addDataCommands(program, () => ({ options: {} as NodeOptions, folder }));
  const said = { out: '', err: '' };
  let code: number | undefined;
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    if (code === undefined) said.out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    if (code === undefined) said.err += String(text);
    return true;
  });
  vi.spyOn(process, 'exit').mockImplementation((given) => {
    // The process ends with the first; what is said after it is the way out of this test.
    code ??= Number(given ?? 0);
    throw new Exit(code);
  });
  try {
    await program.parseAsync(['data', ...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
  } finally {
    vi.restoreAllMocks();
  }
  return { ...said, code: code ?? -1 };
}

describe('galaxy-node data', () => {
  it('adds a line and lists it, for people and for scripts', async () => {
    const added = await galaxyNode(
      ...['add', 'bwa_mem_indexes', '--column', 'value=hg38', '--column', 'name=Human = hg38'],
      ...['--column', `path=${folder}`],
    );
    expect(added.out).toBe(`bwa_mem_indexes has hg38 now (${join(folder, 'tool-data', 'bwa_mem_indexes.loc')}).\n`);
    expect(added.code).toBe(0);
    const listed = await galaxyNode('list', 'bwa_mem_indexes');
    expect(listed.out).toBe(`value\tdbkey\tname\tpath\nhg38\t?\tHuman = hg38\t${folder}\n`);
    const json = JSON.parse((await galaxyNode('list', '--json')).out);
    expect(json.tables).toContainEqual(expect.objectContaining({ name: 'bwa_mem_indexes', rows: 1 }));
  });

  it('says when the file of a line is not there, and adds it all the same', async () => {
    const added = await galaxyNode('add', 'twobit', '--column', 'value=x', '--column', 'path=/nowhere/x.2bit');
    expect(added.out).toContain('There is no file /nowhere/x.2bit on this machine');
    const json = await galaxyNode('add', 'twobit', '--column', 'value=y', '--column', 'path=/nowhere', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ table: 'twobit', fields: ['y', '/nowhere'], pathMissing: true });
  });

  it.each([
    [['add', 'nothing', '--column', 'value=x'], 'There is no data table nothing'],
    [['add', 'twobit', '--column', 'value'], '"value" does not say what a column holds'],
    [['add', 'twobit', '--column', 'value=x', '--column', 'value=y'], 'The column value was given twice'],
    [['add', 'twobit', '--column', 'value=x'], 'a path is needed'],
    [['list', 'nothing'], 'There is no data table nothing'],
  ])('%j is refused in one line', async (args, sentence) => {
    const refused = await galaxyNode(...args);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(sentence);
    expect(refused.err.trim().split('\n')).toHaveLength(1);
  });

  it('makes no folder for tables where there is no node', async () => {
    rmSync(folder, { recursive: true });
    expect(await galaxyNode('list')).toMatchObject({ code: 1, err: expect.stringContaining('There is no node in') });
  });
});
