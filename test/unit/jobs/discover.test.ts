import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { discover } from '../../../node/jobs/discover.js';
import type { Provided } from '../../../node/jobs/provided-metadata.js';
import { runPaths } from '../../../node/jobs/run-spec.js';
import type { DiscoverRule } from '../../../node/toolbox/tool.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'galaxy-discover-'));
  for (const part of ['working', 'outputs']) mkdirSync(join(folder, part));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const left = (...paths: string[]) => {
  for (const path of paths) {
    mkdirSync(dirname(join(folder, 'working', path)), { recursive: true });
    writeFileSync(join(folder, 'working', path), `${path}\n`);
  }
};

const rule = (pattern: string, more: Partial<DiscoverRule> = {}): DiscoverRule => ({
  pattern,
  directory: '',
  recurse: false,
  matchRelativePath: false,
  format: 'txt',
  visible: true,
  assignPrimary: false,
  sortBy: 'filename',
  sortReverse: false,
  sortNumeric: false,
  fromProvidedMetadata: false,
  ...more,
});

const deps = { datatypes: createDatatypes() };
const none: Provided = new Map();
const output = (name: string, id: string, ...rules: DiscoverRule[]) => ({
  name,
  file: join(runPaths(folder).outputs, `dataset_${id}.dat`),
  extension: 'txt',
  label: name.toUpperCase(),
  discover: rules,
});
const list = (collectionType: string, ...rules: DiscoverRule[]) => ({ name: 'c', collectionType, discover: rules });
const ofData = (...outputs: ReturnType<typeof output>[]) => discover(deps, folder, { outputs, collections: [] }, none);
const ofList = (...collections: ReturnType<typeof list>[]) =>
  discover(deps, folder, { outputs: [], collections }, none);

describe('datasets that a tool made without having said so', () => {
  it('are taken away from the tool: moved, or copied when they have a second name', async () => {
    left('a.txt', 'b.txt');
    linkSync(join(folder, 'working', 'b.txt'), join(folder, 'working', 'kept'));
    const { files } = await ofData(output('out', '01', rule('(?P<name>.+)\\.txt')));
    expect(files.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(files.map(({ file }) => readFileSync(file, 'utf8'))).toEqual(['a.txt\n', 'b.txt\n']);
    for (const { file } of files) expect(statSync(file).nlink).toBe(1);
    expect(() => statSync(join(folder, 'working', 'a.txt'))).toThrow();
  });

  it('are told apart by the id of the output in their names', async () => {
    left('primary_0a_x_visible_txt', 'primary_0b_y_visible_txt');
    const pattern = rule('primary_DATASET_ID_(?P<designation>[^_]+)_(?P<visible>[^_]+)_(?P<ext>[^_]+)');
    const { files } = await ofData(output('one', '0a', pattern), output('two', '0b', pattern));
    expect(files.map(({ key }) => key)).toEqual(['one/x', 'two/y']);
  });

  it('have keys of their own, also when two rules give one name', async () => {
    left('a.txt', 'a.bed');
    const { files } = await ofData(output('out', '01', rule('(?P<name>.+)\\.(?:txt|bed)')));
    expect(files.map(({ key }) => key)).toEqual(['out/a', 'out/a#2']);
  });

  it('a file of a datatype that there is not is what its bytes say', async () => {
    writeFileSync(join(folder, 'working', 'x.weird'), '>seq\nACGT\n');
    const { files } = await ofData(output('out', '01', rule('(?P<name>.+)\\.(?P<ext>\\w+)')));
    expect(files).toMatchObject([{ name: 'x', extension: 'fasta' }]);
  });

  it('are of the genome that their name says, else of that of the rule', async () => {
    left('a_mm10', 'b');
    const { files } = await ofData(
      output('out', '01', rule('(?P<name>[^_]+)(?:_(?P<dbkey>\\w+))?', { genomeBuild: 'hg38' })),
    );
    expect(files.map(({ name, genomeBuild }) => [name, genomeBuild])).toEqual([
      ['a', 'mm10'],
      ['b', 'hg38'],
    ]);
  });

  it.each([
    [{}, ['1', '10', '9']],
    [{ sortBy: 'name', sortNumeric: true }, ['1', '9', '10']],
    [{ sortBy: 'name', sortNumeric: true, sortReverse: true }, ['10', '9', '1']],
  ] as const)('in the order %j', async (order, names) => {
    left('9.txt', '10.txt', '1.txt');
    const { files } = await ofData(output('out', '01', rule('(?P<name>.+)\\.txt', order)));
    expect(files.map(({ name }) => name)).toEqual(names);
  });

  it('the first takes the place of the output where the rule says so', async () => {
    left('a.bed', 'b.bed');
    const { files, primaries } = await ofData(
      output('out', '01', rule('(?P<name>.+)\\.(?P<ext>bed)', { assignPrimary: true })),
    );
    expect(primaries.get('out')).toEqual({ extension: 'bed', name: 'a', genomeBuild: undefined });
    expect(readFileSync(join(folder, 'outputs', 'dataset_01.dat'), 'utf8')).toBe('a.bed\n');
    expect(files.map(({ name }) => name)).toEqual(['b']);
  });
});

describe('elements of collections', () => {
  it('are as deep as the collection, and others are left out and told', async () => {
    left('s1_forward', 's1_reverse', 's2');
    const { elements, notes } = await ofList(
      list('list:paired', rule('(?P<identifier_0>[^_]+)(?:_(?P<identifier_1>.+))?')),
    );
    expect(elements.c?.map(({ identifiers }) => identifiers)).toEqual([
      ['s1', 'forward'],
      ['s1', 'reverse'],
    ]);
    expect(notes).toEqual(['s2 was left out: c is a list:paired.']);
  });

  it('of one place the first is taken', async () => {
    left('a.bed', 'a.txt');
    const { elements, notes } = await ofList(list('list', rule('(?P<designation>\\w+)\\.(?P<ext>\\w+)')));
    expect(elements.c).toEqual([{ identifiers: ['a'], key: 'c/a' }]);
    expect(notes).toEqual(['a.txt was left out: there is another a in c.']);
  });

  it('may be named by their path below a folder', async () => {
    left('d/x/1.txt', 'd/y/1.txt', 'other/z/1.txt');
    const path = { directory: 'd', recurse: true, matchRelativePath: true };
    const { elements } = await ofList(
      list('list:list', rule('(?P<identifier_0>\\w+)/(?P<identifier_1>\\w+)\\.txt', path)),
    );
    expect(elements.c?.map(({ identifiers }) => identifiers.join('/'))).toEqual(['x/1', 'y/1']);
  });

  it('a folder that is not there has none, and the collection is empty', async () => {
    expect((await ofList(list('list', rule('.*', { directory: 'gone' })))).elements).toEqual({ c: [] });
  });

  it('are left out with a word when their names would take years to match', async () => {
    const evil = `${'a'.repeat(60)}!`;
    left(evil, 'bb');
    const { files, notes } = await ofData(output('out', '01', rule('(?P<name>(?:\\w+,?)+)$')));
    expect(files.map(({ name }) => name)).toEqual(['bb']);
    expect(notes).toEqual([`${evil} was left out: to match it with (?P<name>(?:\\w+,?)+)$ takes too many steps.`]);
  });

  it('are matched from the beginning and with the groups of Python', async () => {
    left('ab.txt', 'xab.txt');
    const { files } = await ofData(output('out', '01', rule('(?i)A(?P<name>[^.]+)\\.(?P<ext>txt)\\Z')));
    expect(files.map(({ name, extension }) => [name, extension])).toEqual([['b', 'txt']]);
  });
});
