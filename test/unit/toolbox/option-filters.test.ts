import { describe, expect, it } from 'vitest';
import { Effort } from '../../../node/toolbox/cheetah/pattern.js';
import { type FilterWorld, type OptionColumns, parseFilter } from '../../../node/toolbox/parameters/option-filters.js';
import { parseXml } from '../../../node/toolbox/wrapper/wrapper-xml.js';

const columns: OptionColumns = {
  place: (name) => ({ value: 0, name: 1, dbkey: 2 })[name] ?? (/^\d+$/.test(name) ? Number(name) : undefined),
  value: 0,
  name: 1,
  width: 3,
};
const rows = [
  ['hg', 'Human', 'hg38'],
  ['mm', 'Mouse', 'mm10,mm9'],
  ['dm', 'A fly', 'dm6'],
];
const world = (given: Partial<FilterWorld> = {}): FilterWorld => ({
  texts: () => undefined,
  metadata: () => undefined,
  table: () => undefined,
  ...given,
});
const filtered = (attributes: string, given: Partial<FilterWorld> = {}, table: string[][] = rows) =>
  parseFilter(parseXml(`<filter ${attributes}/>`, 't.xml')).apply(table, columns, world(given));
const values = (...given: Parameters<typeof filtered>) => filtered(...given).map(([value]) => value);

describe('filters of choices', () => {
  it('static_value and regexp keep or leave out', () => {
    expect(values('type="static_value" column="dbkey" value="hg38"')).toEqual(['hg']);
    expect(values('type="static_value" column="2" value="hg38" keep="false"')).toEqual(['mm', 'dm']);
    expect(values('type="regexp" column="name" value="[HM]"')).toEqual(['hg', 'mm']);
    // From the beginning, as Python's match() has it.
    expect(values('type="regexp" column="name" value="fly"')).toEqual([]);
  });

  it('a regexp that would take years is an error with a name, and a repeated one shares what a request may take', () => {
    const evil = [[`${'a'.repeat(60)}!`, 'x', 'y']];
    const filter = 'type="regexp" column="value" value="(\\w+,?)+$"';
    expect(() => filtered(filter, {}, evil)).toThrow('takes too many steps');
    const effort = new Effort(10);
    const many = Array.from({ length: 8 }, () => ['a', 'A', '']);
    expect(filtered(filter, { effort }, many)).toHaveLength(8);
    expect(() => filtered(filter, { effort }, many)).toThrow('takes too many steps');
  });

  it('param_value compares with another parameter; of one that is not known nothing is equal', () => {
    const filter = 'type="param_value" ref="r" column="value"';
    expect(values(filter, { texts: () => ['mm', 'dm'] })).toEqual(['mm', 'dm']);
    expect(values(`${filter} keep="false"`, { texts: () => ['mm'] })).toEqual(['hg', 'dm']);
    expect(values(filter)).toEqual([]);
    expect(values(`${filter} keep="false"`)).toEqual(['hg', 'mm', 'dm']);
  });

  it('data_meta compares with metadata; without a dataset there is nothing, without the metadatum there is all', () => {
    const filter = 'type="data_meta" ref="in" key="dbkey" column="dbkey"';
    expect(values(filter, { metadata: () => ['hg38'] })).toEqual(['hg']);
    expect(values(`${filter} multiple="true"`, { metadata: () => ['mm9'] })).toEqual(['mm']);
    expect(values(`${filter} multiple="true"`, { metadata: () => ['mm9', 'hg38'] })).toEqual([]);
    expect(values(filter)).toEqual([]);
    expect(values(filter, { metadata: () => [] })).toEqual(['hg', 'mm', 'dm']);
    expect(filtered('type="data_meta" ref="in" key="names"', { metadata: () => ['a', 'b', 'a'] }, [])).toEqual([
      ['a', 'a', ''],
      ['b', 'b', ''],
    ]);
  });

  it('unique_value, sort_by, add_value and remove_value', () => {
    expect(values('type="unique_value" column="name"', {}, [...rows, ['hg2', 'Human', 'x']])).toEqual([
      'hg',
      'mm',
      'dm',
    ]);
    expect(values('type="sort_by" column="name"')).toEqual(['dm', 'hg', 'mm']);
    expect(values('type="sort_by" column="value" reverse_sort_order="true"')).toEqual(['mm', 'hg', 'dm']);
    expect(filtered('type="add_value" value="new" name="New" index="0"')[0]).toEqual(['new', 'New', '']);
    expect(values('type="add_value" value="new"')).toEqual(['hg', 'mm', 'dm', 'new']);
    expect(values('type="remove_value" value="mm"')).toEqual(['hg', 'dm']);
    expect(values('type="remove_value" ref="r"', { texts: () => ['hg', 'dm'] })).toEqual(['mm']);
    expect(values('type="remove_value" meta_ref="in" key="k"', { metadata: () => ['dm'] })).toEqual(['hg', 'mm']);
    expect(values('type="remove_value" ref="r"')).toEqual(['hg', 'mm', 'dm']);
    // `multiple`: the value of a choice is itself a list.
    const lists = [
      ['a,b', 'AB', ''],
      ['c', 'C', ''],
    ];
    expect(values('type="remove_value" value="b" multiple="true"', {}, lists)).toEqual(['c']);
  });

  it('multiple_splitter makes a row of each part, attribute_value_splitter of each name once', () => {
    expect(filtered('type="multiple_splitter" column="dbkey"').map((row) => row.join())).toEqual([
      'hg,Human,hg38',
      'mm,Mouse,mm10',
      'mm,Mouse,mm9',
      'dm,A fly,dm6',
    ]);
    const gtf = [
      ['x', 'gene_id "a"; transcript_id "b"', ''],
      ['y', 'gene_id "c"; alone; tag = 1 2', ''],
    ];
    const split = 'type="attribute_value_splitter" pair_separator=";" column="name"';
    // Only what is a name and a value: two words.
    expect(filtered(split, {}, gtf).map((row) => row[1])).toEqual(['gene_id', 'transcript_id']);
    expect(
      filtered(`${split} name_val_separator="="`, {}, [['x', 'ID=1;Name=2;ID=3', '']]).map((row) => row[1]),
    ).toEqual(['ID', 'Name']);
  });

  it('data_table keeps what another table has, and all when there is no such table or column', () => {
    const table = { columns: new Map([['value', 0]]), rows: [['dm'], ['hg']] };
    const filter = 'type="data_table" column="value" table_name="t" data_table_column="value"';
    expect(values(filter, { table: () => table })).toEqual(['hg', 'dm']);
    expect(values(`${filter} keep="false"`, { table: () => table })).toEqual(['mm']);
    expect(values(filter)).toEqual(['hg', 'mm', 'dm']);
  });

  it.each([
    ['type="odd"', 'odd'],
    ['type="static_value" column="0"', 'value'],
    ['type="regexp" column="0" value="("', '('],
    ['type="remove_value"', 'remove_value'],
    ['type="add_value" value="x" index="first"', 'index'],
  ])('%s is refused by name when the wrapper is read', (attributes, word) => {
    expect(() => parseFilter(parseXml(`<filter ${attributes}/>`, 't.xml'))).toThrow(word);
  });
});
