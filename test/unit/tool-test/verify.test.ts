import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestData } from '../../../node/tool-test/test-data.js';
import { type ProducedDataset, verifyDataset } from '../../../node/tool-test/verify.js';
import type { TestExpectation } from '../../../node/toolbox/wrapper/test-case.js';
import { parseTests } from '../../../node/toolbox/wrapper/test-xml.js';
import { parseXml } from '../../../node/toolbox/wrapper/wrapper-xml.js';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'verify-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): string {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  return join(root, path);
}

/** `<output …>` of a test. */
function expectation(output: string): TestExpectation {
  const [test] = parseTests([parseXml(Buffer.from(`<tests><test>${output}</test></tests>`), 't.xml')]);
  expect(test?.problems).toEqual([]);
  return test!.outputs[0]!;
}

async function verdict(output: string, text: string | undefined, more: Partial<ProducedDataset> = {}) {
  const produced: ProducedDataset = {
    name: 'Made',
    extension: 'txt',
    path: text === undefined ? undefined : write('out.dat', text),
    state: 'ok',
    info: '',
    metadata: {},
    genomeBuild: '?',
    tags: [],
    extraFiles: new Map(),
    ...more,
  };
  const data = new TestData(write('t.xml', ''), root);
  return verifyDataset('out', expectation(output), produced, { data, signal: new AbortController().signal });
}

const problems = async (...given: Parameters<typeof verdict>) => (await verdict(...given)).problems;

describe('a dataset that came out', () => {
  it('is compared with its file, by its datatype and its sums', async () => {
    write('test-data/e.txt', 'a\n');
    expect(await problems('<output name="o" file="e.txt" ftype="txt"/>', 'a\n')).toEqual([]);
    expect(await problems('<output name="o" file="e.txt" ftype="bed"/>', 'b\n')).toEqual([
      'out: its datatype is txt, not bed',
      'out differs from e.txt in 2 lines\n@@ line 1 @@\n-a\n+b',
    ]);
    expect(await problems('<output name="o" md5="60b725f10c9c85c70d97880dfe8191b3"/>', 'a\n')).toEqual([]);
    expect(await problems('<output name="o" file="none"/>', 'a\n')).toEqual(['out: test-data has no file none']);
  });

  it('is compared with JSON whatever the order of its keys', async () => {
    const output = `<output name="o" value_json='{"a": 1, "b": [2]}'/>`;
    expect(await problems(output, '{"b": [2], "a": 1}')).toEqual([]);
    expect(await problems(output, '{"b": [3], "a": 1}')).toEqual(['out: it is not the JSON that was expected']);
  });

  it('has the metadata that the test names', async () => {
    const more = {
      metadata: { columns: 3, column_names: ['a', 'b'] },
      genomeBuild: 'hg38',
      tags: ['x', 'y'],
      info: 'i',
    };
    const said = (pairs: [string, string][]) =>
      `<output name="o">${pairs.map(([name, value]) => `<metadata name="${name}" value="${value}"/>`).join('')}</output>`;
    const right: [string, string][] = [
      ['columns', '3'],
      ['column_names', 'a,b'],
      ['dbkey', 'hg38'],
      ['name', 'Made'],
      ['tags', 'x,y'],
      ['info', 'i'],
    ];
    expect(await problems(said(right), 'a\n', more)).toEqual([]);
    expect(await problems(said([['columns', '4']]), 'a\n', more)).toEqual(['out: columns is "3", not "4"']);
  });

  it('of which nothing was kept fails with what its job said', async () => {
    const output = '<output name="o"><assert_contents><has_text text="a"/></assert_contents></output>';
    expect(await problems(output, undefined, { info: 'no room' })).toEqual(['out: there is no file (no room)']);
  });

  it('of a remote file is not run', async () => {
    const output = '<output name="o" location="https://example.org/e.txt"/>';
    expect(await verdict(output, 'a\n')).toEqual({ problems: [], notRun: ['the file e.txt is remote (location=)'] });
  });
});

describe('extra files', () => {
  const extra = () =>
    new Map([
      ['one', write('x/one', '1\n')],
      ['d/two', write('x/d/two', '2\n')],
    ]);

  it('are compared by name', async () => {
    write('test-data/e', '1\n');
    const output =
      '<output name="o"><extra_files type="file" name="one" value="e"/><extra_files type="file" name="no" value="e"/></output>';
    expect(await problems(output, 'a', { extraFiles: extra() })).toEqual(['out: there is no extra file no']);
  });

  it('are compared with all that is in a folder', async () => {
    write('test-data/folder/one', '1\n');
    write('test-data/folder/d/two', '3\n');
    const output = '<output name="o"><extra_files type="directory" value="folder"/></output>';
    const [wrong, ...more] = await problems(output, 'a', { extraFiles: extra() });
    expect(wrong).toContain('out/d/two differs from folder/d/two in 2 lines');
    expect(more).toEqual([]);
    write('test-data/folder/missing', '');
    expect(await problems(output, 'a', { extraFiles: extra() })).toContain('out: there is no extra file missing');
  });

  it('of a folder that is not there fail', async () => {
    const output = '<output name="o"><extra_files type="directory" value="none"/></output>';
    expect(await problems(output, 'a')).toEqual(['out: test-data has no files in a folder none']);
  });
});
