import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestData } from '../../../node/tool-test/test-data.js';
import { placeTestTables, testTableFiles } from '../../../node/tool-test/test-tables.js';
import { createDataTables } from '../../../node/toolbox/data-tables/data-tables.js';

let root: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'test-data-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text = path): string {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  return join(root, path);
}

describe('files of a test', () => {
  it('are beside the wrapper, or beside a folder above it, the nearest first', () => {
    mkdirSync(join(root, '.git'));
    const wrapper = write('tools/one/t.xml');
    const near = write('tools/one/test-data/a');
    write('test-data/a');
    const far = write('test-data/b');
    const data = new TestData(wrapper, join(root, 'tools/one'));
    expect(data.find('a')).toBe(near);
    expect(data.find('b')).toBe(far);
    expect(data.find('c')).toBeUndefined();
  });

  it('never lead out of test-data', () => {
    const wrapper = write('t.xml');
    write('test-data/a');
    const data = new TestData(wrapper, root);
    expect(data.find('../t.xml')).toBeUndefined();
    expect(data.find(wrapper)).toBeUndefined();
    expect(data.find('a\0')).toBeUndefined();
  });

  it('below a folder are listed with their way to it; links are not followed', () => {
    const wrapper = write('t.xml');
    write('test-data/d/one');
    write('test-data/d/e/two');
    symlinkSync(wrapper, join(root, 'test-data/d/link'));
    const data = new TestData(wrapper, root);
    expect(data.filesBelow(data.find('d')!)).toEqual(['e/two', 'one']);
  });
});

describe('data tables of a test', () => {
  const TABLES =
    '<tables><table name="mine" comment_char="#"><columns>value, name, path</columns><file path="${' +
    '__HERE__}/test-data/mine.loc"/></table></tables>';

  it('are those of the configurations below a folder and above a wrapper', () => {
    mkdirSync(join(root, '.git'));
    const wrapper = write('tools/one/sub/t.xml');
    const one = write('tools/one/tool_data_table_conf.xml.test');
    const two = write('tools/two/tool_data_table_conf.xml.test');
    expect(testTableFiles([join(root, 'tools')])).toEqual([one, two]);
    expect(testTableFiles([wrapper])).toEqual([one]);
  });

  it('are read by the node, with the files beside the wrapper', () => {
    const wrapper = write('one/t.xml');
    write('one/tool_data_table_conf.xml.test', TABLES);
    write('one/test-data/mine.loc', 'v\tName\t/p\n');
    const folder = join(root, 'tool-data');
    placeTestTables([wrapper], folder);
    expect(createDataTables({ folder }).table('mine')?.rows).toEqual([['v', 'Name', '/p']]);
    expect(readFileSync(join(root, 'one/tool_data_table_conf.xml.test'), 'utf8')).toBe(TABLES);
  });
});
