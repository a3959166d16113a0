/** The choices of a parameter as the wrapper writes them: `<option>`s, nested ones, and `<options>` from elsewhere. */
import { malformed, unsupported } from '../errors.js';
import type { ToolOption, ToolOptionNode } from '../tool.js';
import { element, elements, flag, textOf, type XmlElement } from '../wrapper/wrapper-xml.js';
import { type OptionFilter, parseFilter } from './option-filters.js';

/** Where choices come from when they are not written in the wrapper. */
export interface DynamicOptions {
  source:
    | { kind: 'table'; table: string }
    /** A file of `tool-data`, from before there were tables. */
    | { kind: 'file'; file: string }
    | { kind: 'dataset'; reference: string }
    | { kind: 'filters' };
  /** As `<column>` says; a table's own columns count besides. */
  columns: ReadonlyMap<string, number>;
  separator: string;
  /** Only lines that begin so. */
  startsWith: string | undefined;
  filters: OptionFilter[];
  /** Names of parameters that decide: when one changes, the form is asked again. */
  depends: string[];
  /** `<options>` of a data parameter: what of a dataset must be among the values. */
  datasetAttribute: string | undefined;
}

const TREE_DEPTH_MAX = 20;
const TREE_OPTIONS_MAX = 10_000;
const COLUMN_MAX = 1000;

export function optionsOf(child: XmlElement): ToolOption[] {
  return elements(child, 'option').map((option) => {
    const label = textOf(option).trim();
    const value = option.attributes.value ?? label;
    return { value, label: label || value, selected: flag(option.attributes.selected, false) };
  });
}

/** `<options>` of a drill_down: `<option name value>` within each other. */
export function optionTreeOf(child: XmlElement): ToolOptionNode[] {
  const parent = element(child, 'options');
  const source = parent && Object.keys(parent.attributes).find((name) => name.startsWith('from_'));
  if (source) throw unsupported(`<options ${source}="${parent.attributes[source]}"> in a drill_down`, parent);
  let count = 0;
  const read = (at: XmlElement, depth: number): ToolOptionNode[] => {
    if (depth > TREE_DEPTH_MAX) throw malformed(`choices are nested more than ${TREE_DEPTH_MAX} deep`, at);
    return elements(at, 'option').map((option) => {
      if (++count > TREE_OPTIONS_MAX) throw malformed(`there are more than ${TREE_OPTIONS_MAX} choices`, option);
      const { value, name } = option.attributes;
      if (value === undefined) throw malformed('an <option> of a drill_down needs a value', option);
      return {
        value,
        label: name ?? value,
        selected: flag(option.attributes.selected, false),
        children: read(option, depth + 1),
      };
    });
  };
  return parent ? read(parent, 0) : [];
}

/** `<options>`; undefined when it holds nothing but `<option>`s, which then are the choices. */
export function dynamicOptionsOf(given: XmlElement): DynamicOptions | undefined {
  const { attributes } = given;
  for (const refused of ['from_parameter', 'from_url', 'meta_file_key', 'transform_lines']) {
    if (attributes[refused] !== undefined) throw unsupported(`<options ${refused}="${attributes[refused]}">`, given);
  }
  const unknown = Object.keys(attributes).find((name) => name.startsWith('from_') && !KNOWN_SOURCES.has(name));
  if (unknown) throw unsupported(`<options ${unknown}="${attributes[unknown]}">`, given);
  const { from_data_table: table, from_dataset: dataset } = attributes;
  const file = attributes.from_file?.trim();
  const filters = elements(given, 'filter').map(parseFilter);
  if (!table && !file && !dataset && filters.length === 0) return undefined;
  for (const child of elements(given)) {
    if (!INSIDE.has(child.name)) throw unsupported(`<${child.name}> in <options>`, child);
  }
  const startsWith = attributes.startswith;
  return {
    source: sourceOf(table, file, dataset),
    columns: columnsOf(given),
    separator: separatorOf(attributes.separator),
    startsWith,
    filters,
    depends: [
      ...new Set([...(dataset ? [dataset] : []), ...filters.flatMap(({ depends }) => (depends ? [depends] : []))]),
    ],
    datasetAttribute: attributes.options_filter_attribute,
  };
}

function sourceOf(table?: string, file?: string, dataset?: string): DynamicOptions['source'] {
  if (table) return { kind: 'table', table };
  if (dataset) return { kind: 'dataset', reference: dataset };
  return file ? { kind: 'file', file } : { kind: 'filters' };
}

const KNOWN_SOURCES = new Set(['from_data_table', 'from_dataset', 'from_file']);
const INSIDE = new Set(['column', 'filter', 'validator', 'option']);

function columnsOf(given: XmlElement): Map<string, number> {
  const columns = new Map<string, number>();
  for (const column of elements(given, 'column')) {
    const { name, index } = column.attributes;
    const place = Number(index);
    if (!name || !index || !Number.isInteger(place) || place < 0 || place > COLUMN_MAX) {
      throw malformed('a <column> needs a name and an index', column);
    }
    columns.set(name, place);
  }
  return columns;
}

/** `\t` may be written in words. */
function separatorOf(written: string | undefined): string {
  if (written === undefined || written === '') return '\t';
  return written === '\\t' ? '\t' : written;
}
