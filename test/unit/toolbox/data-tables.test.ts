import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listTable, listTables } from '../../../node/toolbox/data-tables/data-table-list.js';
import { addDataTableRow } from '../../../node/toolbox/data-tables/data-table-row.js';
import { createDataTables } from '../../../node/toolbox/data-tables/data-tables.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'data-tables-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const rows = (table: string) => createDataTables({ folder }).table(table)?.rows;

function configure(tables: string): void {
  write('tool_data_table_conf.xml', `<tables>${tables}</tables>`);
}

describe('lines of a .loc file', () => {
  it('are fields between tabs; comments and empty lines are none, whatever ends a line', () => {
    write('all_fasta.loc', '# a comment\n\na\tb\tName A\t/a.fa\r\n#x\ty\tz\tw\nc\td\tName C\t/c.fa');
    expect(rows('all_fasta')).toEqual([
      ['a', 'b', 'Name A', '/a.fa'],
      ['c', 'd', 'Name C', '/c.fa'],
    ]);
  });

  it('with too few fields are left out and told with file and line', () => {
    write('all_fasta.loc', 'a\tb\tName A\t/a.fa\nshort\tline\n');
    const tables = createDataTables({ folder });
    expect(tables.table('all_fasta')?.rows).toHaveLength(1);
    expect(tables.problems()).toMatchObject([
      { file: join(folder, 'all_fasta.loc'), message: expect.stringMatching(/it has 2 fields, and 4 are needed/) },
    ]);
    expect(tables.problems()[0]?.message).toContain('Line 2');
  });

  it('are read again when the file has changed, and problems go with what caused them', () => {
    write('twobit.loc', 'broken\n');
    const tables = createDataTables({ folder });
    expect(tables.table('twobit')?.rows).toEqual([]);
    expect(tables.problems()).toHaveLength(1);
    write('twobit.loc', 'hg38\t/srv/hg38.2bit\n');
    expect(tables.table('twobit')?.rows).toEqual([['hg38', '/srv/hg38.2bit']]);
    expect(tables.problems()).toEqual([]);
    rmSync(join(folder, 'twobit.loc'));
    expect(tables.table('twobit')?.rows).toEqual([]);
  });

  it('name their own folder as ${' + '__HERE__}', () => {
    write('twobit.loc', 'x\t${' + '__HERE__}/x.2bit\n');
    expect(rows('twobit')).toEqual([['x', join(folder, 'x.2bit')]]);
  });
});

describe('a configuration', () => {
  it('defines tables with their columns, separator, comment sign and what an empty field stands for', () => {
    configure(`<table name="mine" separator=";" comment_char="%">
      <column name="value" index="1"/><column name="path" index="0" empty_field_value="nowhere"/>
      <file path="mine.txt"/></table>`);
    const tables = createDataTables({ folder });
    expect(tables.definition('mine')?.files).toEqual([join(folder, 'mine.txt')]);
    write('mine.txt', '%no\n;first\n#/p;second\n');
    expect(tables.table('mine')).toMatchObject({
      rows: [
        ['nowhere', 'first'],
        ['#/p', 'second'],
      ],
    });
    expect(Object.fromEntries(tables.table('mine')?.columns ?? [])).toEqual({ value: 1, path: 0, name: 1 });
  });

  it('keeps equal lines once when duplicates are not allowed, and twice when they are', () => {
    const table = (name: string, allow: string) =>
      `<table name="${name}" allow_duplicate_entries="${allow}"><columns>value, path</columns><file path="two.loc"/></table>`;
    configure(table('once', 'False') + table('twice', 'True'));
    write('two.loc', 'a\t/a\na\t/a\na\t/other\n');
    expect(rows('once')).toEqual([
      ['a', '/a'],
      ['a', '/other'],
    ]);
    expect(rows('twice')).toHaveLength(3);
  });

  it('that names no value column, or leaves the folder, is told and the others count', () => {
    configure('<table name="bad"><columns>name, path</columns><file path="x.loc"/></table>');
    write(
      'other_tool_data_table_conf.xml',
      '<tables><table name="out"><columns>value</columns><file path="../x"/></table></tables>',
    );
    write(
      'good_tool_data_table_conf.xml',
      '<tables><table name="good"><columns>value</columns><file path="g"/></table></tables>',
    );
    const tables = createDataTables({ folder });
    expect(tables.names()).toContain('good');
    expect(tables.names()).not.toContain('bad');
    const messages = tables.problems().map(({ message }) => message);
    expect(messages).toHaveLength(2);
    expect(messages.join()).toMatch(/needs a column "value"/);
    expect(messages.join()).toMatch(/leaves the folder/);
  });

  it('added to one of the same table gives it more files', () => {
    configure('<table name="both"><columns>value</columns><file path="one.loc"/></table>');
    write(
      'b_tool_data_table_conf.xml',
      '<tables><table name="both"><columns>value</columns><file path="two.loc"/></table></tables>',
    );
    write('one.loc', '1\n');
    write('two.loc', '2\n');
    expect(rows('both')?.flat().sort()).toEqual(['1', '2']);
  });
});

describe('adding a line', () => {
  it('gives the columns their places, the value as name and "?" as build, and a running node sees it', async () => {
    const tables = createDataTables({ folder });
    expect(tables.table('bwa_mem_indexes')?.rows).toEqual([]);
    await addDataTableRow(folder, 'bwa_mem_indexes', { value: 'hg38', path: '/srv/hg38.fa' });
    await addDataTableRow(folder, 'bwa_mem_indexes', {
      value: 'mm10',
      dbkey: 'mm10',
      name: 'Mouse',
      path: '/srv/mm10.fa',
    });
    expect(tables.table('bwa_mem_indexes')?.rows).toEqual([
      ['hg38', '?', 'hg38', '/srv/hg38.fa'],
      ['mm10', 'mm10', 'Mouse', '/srv/mm10.fa'],
    ]);
    expect(readdirSync(folder)).toEqual(['bwa_mem_indexes.loc']);
  });

  it('keeps what an editor left without a last line end', async () => {
    write('twobit.loc', '#value\tpath\na\t/a');
    await addDataTableRow(folder, 'twobit', { value: 'b', path: '/b' });
    expect(readFileSync(join(folder, 'twobit.loc'), 'utf8')).toBe('#value\tpath\na\t/a\nb\t/b\n');
  });

  it.each([
    ['nothing', { value: 'x' }, 'toolbox/table-unknown'],
    ['twobit', { path: '/x' }, 'toolbox/table-row'],
    ['twobit', { value: 'x' }, 'toolbox/table-row'],
    ['twobit', { value: 'x', path: '/x', color: 'red' }, 'toolbox/table-row'],
    ['twobit', { value: 'x', path: 'two\tfields' }, 'toolbox/table-row'],
    ['twobit', { value: 'x\ny', path: '/x' }, 'toolbox/table-row'],
    ['twobit', { value: '#x', path: '/x' }, 'toolbox/table-row'],
    ['twobit', { value: 'x', path: `/${'x'.repeat(5000)}` }, 'toolbox/table-row'],
  ])('to %s of %j is refused and nothing is written', async (table, row, code) => {
    await expect(addDataTableRow(folder, table, row as Record<string, string>)).rejects.toMatchObject({ code });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('with a value that is there is refused', async () => {
    await addDataTableRow(folder, 'twobit', { value: 'x', path: '/x' });
    await expect(addDataTableRow(folder, 'twobit', { value: 'x', path: '/y' })).rejects.toThrow(/has a value "x"/);
  });
});

describe('listing', () => {
  it('tells every table with its size, one table with its lines, and what was left out', () => {
    write('twobit.loc', 'a\t/a\nbroken\n');
    const listed = listTables(folder);
    expect(listed.tables.find(({ name }) => name === 'twobit')).toMatchObject({
      columns: ['value', 'name', 'path'],
      rows: 1,
    });
    expect(listed.problems).toHaveLength(1);
    expect(listTable(folder, 'twobit')).toMatchObject({
      rows: [{ value: 'a', name: 'a', path: '/a' }],
      problems: [{ file: join(folder, 'twobit.loc') }],
    });
    expect(() => listTable(folder, 'nothing')).toThrow(/no data table nothing/);
  });
});
