/** Choices that come from a data table, from a dataset's lines or from other parameters, as they are now. */

import { metadataOf } from '../../../protocol/account/records.js';
import type { JsonValue } from '../../../protocol/log/entry.js';
import { describeError, isDomainError } from '../../../protocol/runtime/errors.js';
import type { LoadedParameter } from '../loaded.js';
import { extensionOf, genomeBuildOf } from '../rendering/template-values.js';
import type { ToolContext, ToolDataset, ToolOption } from '../tool.js';
import { isObject } from './data-reference.js';
import type { FilterWorld, OptionColumns, Row } from './option-filters.js';
import type { DynamicOptions } from './options-xml.js';
import { datasetsIn, type Find } from './scope.js';

export interface OptionSource {
  context: ToolContext | undefined;
  scope: Find;
}

export interface Choices {
  options: ToolOption[];
  /** False while they cannot be known: a dataset is still being made, or its bytes are elsewhere. */
  known: boolean;
  /** Why there are none, for the form. */
  missing?: string;
}

export interface Rows {
  rows: readonly Row[];
  columns: OptionColumns;
  known: boolean;
  missing?: string;
}

const OPTIONS_MAX = 20_000;

/** Of a select: what the wrapper wrote, or what its `<options>` give now. */
export function choicesOf(parameter: LoadedParameter, source: OptionSource): Choices {
  const { dynamic, options = [] } = parameter;
  if (!dynamic) return { options, known: true };
  let found: Rows;
  try {
    found = rowsOf(dynamic, source);
  } catch (error) {
    // The wrapper names a column that the table of this node has not: nothing to choose, and the reason with it.
    if (!isDomainError(error)) throw error;
    return { options, known: true, missing: describeError(error) };
  }
  const { rows, columns, known, missing } = found;
  const made = rows.slice(0, OPTIONS_MAX).map((row) => {
    const value = row[columns.value] ?? '';
    return { value, label: row[columns.name] ?? value, selected: false };
  });
  return { options: [...options, ...made], known, ...(missing === undefined ? {} : { missing }) };
}

export function rowsOf(dynamic: DynamicOptions, source: OptionSource, filtered = true): Rows {
  const { rows, tableColumns, known, missing } = sourceRows(dynamic, source);
  const columns = columnsOf(dynamic, tableColumns);
  const world = filterWorld(source);
  let result = rows.filter(
    (row) => row.length > Math.max(columns.value, columns.name) || dynamic.source.kind === 'filters',
  );
  if (filtered) for (const filter of dynamic.filters) result = [...filter.apply(result, columns, world)];
  return { rows: result, columns, known, ...(missing === undefined ? {} : { missing }) };
}

function sourceRows(
  { source, separator, startsWith }: DynamicOptions,
  { context, scope }: OptionSource,
): { rows: readonly Row[]; tableColumns?: ReadonlyMap<string, number>; known: boolean; missing?: string } {
  if (source.kind === 'filters') return { rows: [], known: true };
  if (source.kind === 'table') {
    const table = context?.tables?.table(source.table);
    if (!table) {
      return { rows: [], known: true, missing: `There is no data table ${source.table} on this node.` };
    }
    const nothing = `The data table ${source.table} of this node is empty.`;
    const { rows, columns } = table;
    return { rows, tableColumns: columns, known: true, ...(rows.length === 0 ? { missing: nothing } : {}) };
  }
  if (source.kind === 'file') {
    const rows = context?.tables?.file?.(source.file, separator);
    return rows ? { rows, known: true } : { rows: [], known: true, missing: `This node has no file ${source.file}.` };
  }
  const datasets = datasetsIn(scope.find(source.reference), context);
  const rows: Row[] = [];
  let known = true;
  for (const dataset of datasets) {
    const lines = context?.lines?.(dataset.record.id);
    if (!lines) {
      known = false;
      continue;
    }
    for (const line of lines) {
      if (line === '' || line.startsWith('#') || (startsWith !== undefined && !line.startsWith(startsWith))) continue;
      rows.push(line.split(separator));
    }
  }
  return { rows, known };
}

function columnsOf(
  { columns, source }: DynamicOptions,
  tableColumns: ReadonlyMap<string, number> | undefined,
): OptionColumns {
  const all = new Map([...(tableColumns ?? []), ...columns]);
  const bare = all.size === 0 && source.kind === 'filters';
  const value = all.get('value') ?? (bare ? 1 : 0);
  const name = all.get('name') ?? (bare ? 0 : value);
  return {
    place: (column) => all.get(column) ?? (/^\d+$/.test(column) ? Number(column) : undefined),
    value,
    name,
    width: Math.max(value, name, ...all.values()) + 1,
  };
}

function filterWorld({ context, scope }: OptionSource): FilterWorld {
  return {
    effort: scope.effort,
    texts(reference, attributes) {
      const held = scope.find(reference);
      if (held === undefined || held === null) return undefined;
      const datasets = datasetsIn(isObject(held) || Array.isArray(held) ? held : undefined, context);
      if (datasets.length > 0) return datasets.flatMap((dataset) => datasetTexts(dataset, attributes));
      if (isObject(held)) return undefined;
      return (Array.isArray(held) ? held : [held]).map(textOf);
    },
    metadata(reference, key) {
      const datasets = datasetsIn(scope.find(reference), context);
      if (datasets.length === 0) return undefined;
      const texts = datasets.flatMap((dataset) => datasetTexts(dataset, ['metadata', key]));
      // "?" is how a genome build that nobody has said is written.
      return key === 'dbkey' ? texts.filter((text) => text !== '?') : texts;
    },
    table: (name) => context?.tables?.table(name),
  };
}

function textOf(value: JsonValue): string {
  if (value === true) return 'True';
  if (value === false) return 'False';
  return String(value ?? '');
}

/** An attribute of a dataset as `ref_attribute` and `options_filter_attribute` write it. */
export function datasetTexts(dataset: ToolDataset, attributes: readonly string[]): string[] {
  const [first, second] = attributes[0] === 'dataset' ? attributes.slice(1) : attributes;
  switch (first) {
    case undefined:
      return [dataset.record.name];
    case 'ext':
    case 'extension':
    case 'file_ext':
      return [extensionOf(dataset)];
    case 'dbkey':
    case 'genome_build':
      return [genomeBuildOf(dataset)];
    case 'name':
      return [dataset.record.name];
    case 'id':
      return [dataset.record.id];
    case 'metadata': {
      if (second === undefined) return [];
      if (second === 'dbkey') return [genomeBuildOf(dataset)];
      const value = metadataOf(dataset.content, dataset.record)[second];
      if (value === undefined || value === null) return [];
      return Array.isArray(value) ? value.map(textOf) : isObject(value) ? Object.keys(value) : [textOf(value)];
    }
    default:
      return [];
  }
}
