/** `<filter>`s of `<options>`: each takes the rows of a table or file and gives other rows. Pure. */
import { Effort, PatternExhausted } from '../cheetah/pattern.js';
import { malformed, type Spot, unsupported } from '../errors.js';
import { flag, type XmlElement } from '../wrapper/wrapper-xml.js';
import { pythonPattern } from './python-pattern.js';

export type Row = readonly string[];

/** What filters ask of the world around a parameter. */
export interface FilterWorld {
  /** Text of another parameter; several when several were chosen; undefined when it is not known yet. */
  texts(reference: string, attributes: readonly string[]): string[] | undefined;
  /** A metadatum of the datasets that a data parameter holds; undefined when it holds none. */
  metadata(reference: string, key: string): string[] | undefined;
  /** What the whole request may take. */
  effort?: Effort | undefined;
  table(name: string): { columns: ReadonlyMap<string, number>; rows: readonly Row[] } | undefined;
}

export interface OptionColumns {
  /** Column name or number → place; undefined when there is none of that name. */
  place(column: string): number | undefined;
  value: number;
  name: number;
  /** Fields of a row that a filter makes. */
  width: number;
}

export interface OptionFilter {
  /** Another parameter decides: the form is asked again when that changes. */
  depends: string | undefined;
  apply(rows: readonly Row[], columns: OptionColumns, world: FilterWorld): readonly Row[];
}

const ROWS_MAX = 100_000;
/** Of one filter over all rows: some tenths of a second. */
const STEPS_MAX = 1_000_000;

export function parseFilter(given: XmlElement): OptionFilter {
  const { type = '', ref } = given.attributes;
  const depends = ref?.split('.')[0];
  const make = MAKERS.get(type);
  if (type === '') throw malformed('a <filter> without a type', given);
  if (!make) throw unsupported(`<filter type="${type}">`, given);
  return { depends, apply: make(given) };
}

type Apply = OptionFilter['apply'];

const MAKERS: ReadonlyMap<string, (given: XmlElement) => Apply> = new Map([
  ['static_value', staticValue],
  ['regexp', regexp],
  ['param_value', paramValue],
  ['data_meta', dataMeta],
  ['unique_value', uniqueValue],
  ['multiple_splitter', multipleSplitter],
  ['attribute_value_splitter', attributeValueSplitter],
  ['add_value', addValue],
  ['remove_value', removeValue],
  ['sort_by', sortBy],
  ['data_table', dataTable],
]);

function required(given: XmlElement, name: string): string {
  const value = given.attributes[name];
  if (value === undefined) throw malformed(`<filter type="${given.attributes.type}"> needs ${name}`, given);
  return value;
}

/** The field of a row that a filter looks at. */
function fieldOf(given: XmlElement, column: string): (row: Row, columns: OptionColumns) => string {
  return (row, columns) => row[placeOf(column, columns, given)] ?? '';
}

function placeOf(column: string, columns: OptionColumns, { file, line }: Spot): number {
  const place = columns.place(column);
  if (place === undefined) throw malformed(`there is no column "${column}" to filter by`, { file, line });
  return place;
}

function staticValue(given: XmlElement): Apply {
  const value = required(given, 'value');
  const field = fieldOf(given, required(given, 'column'));
  const keep = flag(given.attributes.keep, true);
  return (rows, columns) => rows.filter((row) => (field(row, columns) === value) === keep);
}

function regexp(given: XmlElement): Apply {
  const pattern = pythonPattern(required(given, 'value'), given);
  const field = fieldOf(given, required(given, 'column'));
  const keep = flag(given.attributes.keep, true);
  const { file, line } = given;
  return (rows, columns, world) => {
    const effort = new Effort(STEPS_MAX, world.effort);
    try {
      return rows.filter((row) => (pattern.match(field(row, columns), effort) !== undefined) === keep);
    } catch (error) {
      if (!(error instanceof PatternExhausted)) throw error;
      throw malformed(`the regular expression "${pattern.source}" of a <filter> takes too many steps`, { file, line });
    }
  };
}

function paramValue(given: XmlElement): Apply {
  const reference = required(given, 'ref');
  const attributes = (given.attributes.ref_attribute ?? '').split('.').filter(Boolean);
  const field = fieldOf(given, required(given, 'column'));
  const keep = flag(given.attributes.keep, true);
  return (rows, columns, world) => {
    // Of what is not known nothing is equal: all is left out, or nothing.
    const texts = world.texts(reference, attributes) ?? [];
    return rows.filter((row) => texts.includes(field(row, columns)) === keep);
  };
}

function dataMeta(given: XmlElement): Apply {
  const [reference, key] = [required(given, 'ref'), required(given, 'key')];
  const { column, separator = ',' } = given.attributes;
  const multiple = flag(given.attributes.multiple, false);
  return (rows, columns, world) => {
    const values = world.metadata(reference, key);
    if (values === undefined) return [];
    // A metadatum that is not set says nothing: every choice stays.
    if (values.length === 0) return rows;
    if (column === undefined) return [...rows, ...[...new Set(values)].map((value) => made(columns, value, value))];
    const place = placeOf(column, columns, given);
    return rows.filter((row) => {
      const field = row[place] ?? '';
      if (!multiple) return values.includes(field);
      const listed = field.split(separator);
      return values.every((value) => listed.includes(value));
    });
  };
}

/** A row with nothing but value and name. */
function made({ value, name, width }: OptionColumns, text: string, label: string): Row {
  const row: string[] = new Array(width).fill('');
  row[name] = label;
  row[value] = text;
  return row;
}

function uniqueValue(given: XmlElement): Apply {
  const field = fieldOf(given, required(given, 'column'));
  return (rows, columns) => {
    const seen = new Set<string>();
    return rows.filter((row) => {
      const text = field(row, columns);
      if (seen.has(text)) return false;
      seen.add(text);
      return true;
    });
  };
}

function listed(given: XmlElement): string[] {
  return required(given, 'column')
    .split(',')
    .map((column) => column.trim());
}

function multipleSplitter(given: XmlElement): Apply {
  const columns = listed(given);
  const separator = given.attributes.separator ?? ',';
  return (rows, places) =>
    bounded(rows, (row) =>
      columns.flatMap((column) => {
        const place = placeOf(column, places, given);
        return (row[place] ?? '').split(separator).map((part) => row.with(place, part));
      }),
    );
}

/** `gene_id "a"; transcript_id "b"`: the names, each once, in a field before the one that is split. */
function attributeValueSplitter(given: XmlElement): Apply {
  const columns = listed(given);
  const { pair_separator: pairs = ',', name_val_separator: between } = given.attributes;
  return (rows, places) => {
    const seen = new Set<string>();
    return bounded(rows, (row) =>
      columns.flatMap((column) => {
        const place = placeOf(column, places, given);
        return (row[place] ?? '').split(pairs).flatMap((pair): Row[] => {
          // Without a separator of its own a pair is divided as Python's split() does it.
          const [name = '', ...rest] = between ? pair.split(between) : pair.trim().split(/\s+/);
          if (rest.length !== 1 || seen.has(name)) return [];
          seen.add(name);
          return [[...row.slice(0, place), name, ...row.slice(place)]];
        });
      }),
    );
  };
}

function bounded(rows: readonly Row[], split: (row: Row) => Row[]): Row[] {
  const result: Row[] = [];
  for (const row of rows) {
    result.push(...split(row));
    if (result.length > ROWS_MAX) return result.slice(0, ROWS_MAX);
  }
  return result;
}

function addValue(given: XmlElement): Apply {
  const value = required(given, 'value');
  const name = given.attributes.name ?? value;
  const index = given.attributes.index === undefined ? undefined : Number(given.attributes.index);
  if (index !== undefined && !Number.isInteger(index)) throw malformed('index is not a whole number', given);
  return (rows, columns) => rows.toSpliced(index ?? rows.length, 0, made(columns, value, name));
}

function removeValue(given: XmlElement): Apply {
  const { value, ref, meta_ref: metaRef, key, separator = ',' } = given.attributes;
  const multiple = flag(given.attributes.multiple, false);
  if (value === undefined && ref === undefined && (metaRef === undefined || key === undefined)) {
    throw malformed('<filter type="remove_value"> needs value, ref, or meta_ref and key', given);
  }
  return (rows, columns, world) => {
    const texts =
      value !== undefined
        ? [value]
        : ref !== undefined
          ? world.texts(ref, [])
          : world.metadata(metaRef ?? '', key ?? '');
    if (texts === undefined) return rows;
    return rows.filter((row) => {
      const field = row[columns.value] ?? '';
      if (!multiple) return !texts.includes(field);
      const listed = field.split(separator);
      return !(texts.length > 0 && texts.every((text) => listed.includes(text)));
    });
  };
}

function sortBy(given: XmlElement): Apply {
  const field = fieldOf(given, required(given, 'column'));
  const direction = flag(given.attributes.reverse_sort_order, false) ? -1 : 1;
  return (rows, columns) =>
    [...rows].sort((a, b) => {
      const [left, right] = [field(a, columns), field(b, columns)];
      return left === right ? 0 : left < right ? -direction : direction;
    });
}

function dataTable(given: XmlElement): Apply {
  const table = required(given, 'table_name');
  const tableColumn = required(given, 'data_table_column');
  const field = fieldOf(given, required(given, 'column'));
  const keep = flag(given.attributes.keep, true);
  return (rows, columns, world) => {
    const held = world.table(table);
    const place = held?.columns.get(tableColumn) ?? (/^\d+$/.test(tableColumn) ? Number(tableColumn) : undefined);
    if (!held || place === undefined) return rows;
    const values = new Set(held.rows.map((row) => row[place] ?? ''));
    return rows.filter((row) => values.has(field(row, columns)) === keep);
  };
}
