/** What the client draws for a parameter of choices: `[label, value, selected]`, or choices within choices. */
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import type { LoadedParameter } from '../loaded.js';
import type { ToolDataset, ToolOption, ToolOptionNode } from '../tool.js';
import { choicesOf, type OptionSource } from './dynamic-options.js';
import { columnNumbers, groupTags } from './parameter-value.js';
import { datasetsIn } from './scope.js';

/** Choices offered for one parameter. */
export const CHOICES_MAX = 500;
/** A table of genomes is longer than a history is worth showing. */
const OPTIONS_MAX = 10_000;

export function selectModel(parameter: LoadedParameter): JsonObject {
  return {
    multiple: parameter.multiple ?? false,
    display: parameter.attributes.display ?? null,
    textable: false,
  };
}

/** Choices with the current value marked; `missing` says why there are none. */
export function selectOptions(
  parameter: LoadedParameter,
  value: JsonValue,
  source: OptionSource,
): { model: JsonObject; missing: string | undefined } {
  const { options, missing } =
    parameter.type === 'group_tag'
      ? { options: groupTags(parameter, source), missing: undefined }
      : parameter.type === 'genomebuild'
        ? { options: genomeBuilds(value, source), missing: undefined }
        : choicesOf(parameter, source);
  const dynamic = parameter.dynamic !== undefined || parameter.type === 'group_tag';
  return { model: { ...selectModel(parameter), options: listed(options, value, dynamic) }, missing };
}

function listed(options: readonly ToolOption[], value: JsonValue, dynamic: boolean): JsonValue[] {
  const chosen = new Set((Array.isArray(value) ? value : [value]).map(String));
  return options
    .slice(0, OPTIONS_MAX)
    .map((option): JsonValue => [option.label, option.value, dynamic ? chosen.has(option.value) : option.selected]);
}

/** The builds that this node has a table of, "?" first; what was chosen is always among them. */
function genomeBuilds(value: JsonValue, { context }: OptionSource): ToolOption[] {
  const builds = new Map([['?', 'unspecified (?)']]);
  const table = context?.tables?.table('__dbkeys__');
  const [place, label] = [table?.columns.get('value') ?? 0, table?.columns.get('name') ?? 1];
  for (const row of table?.rows ?? []) if (row[place]) builds.set(row[place], row[label] || row[place]);
  const chosen = new Set((Array.isArray(value) ? value : [value]).map(String));
  for (const one of chosen) if (one !== 'null' && one !== '' && !builds.has(one)) builds.set(one, one);
  return [...builds].map(([build, name]) => ({ value: build, label: name, selected: chosen.has(build) }));
}

export function treeModel(parameter: LoadedParameter): JsonObject {
  const nodes = (tree: readonly ToolOptionNode[]): JsonObject[] =>
    tree.map(({ value, label, selected, children }) => ({ name: label, value, selected, options: nodes(children) }));
  return {
    ...selectModel(parameter),
    hierarchy: parameter.attributes.hierarchy ?? null,
    options: nodes(parameter.tree ?? []),
  };
}

/** The columns that all datasets of `data_ref` have. */
export function columnsModel(parameter: LoadedParameter, value: JsonValue, source: OptionSource): JsonObject {
  const { attributes } = parameter;
  const reference = attributes.data_ref ?? '';
  const datasets = datasetsIn(source.scope.find(reference), source.context);
  const isTrue = (name: string) => attributes[name]?.toLowerCase() === 'true';
  const numerical = isTrue('numerical');
  const [first, ...others] = datasets.map((dataset) => columnNumbers(dataset, numerical));
  const numbers = (first ?? []).filter((number) => others.every((list) => list.includes(number)));
  const names = isTrue('use_header_names') && datasets[0] ? columnNames(datasets[0], source) : [];
  const options = numbers.map((number): JsonValue => {
    const name = names[number - 1];
    return [name ? `c${number}: ${name}` : `Column: ${number}`, String(number), false];
  });
  const chosen = value ?? (parameter.optional || numbers[0] === undefined ? null : String(numbers[0]));
  return {
    ...selectModel(parameter),
    data_ref: reference,
    numerical,
    options,
    value: parameter.multiple && typeof chosen === 'string' ? [chosen] : chosen,
  };
}

function columnNames({ record, content }: ToolDataset, { context }: OptionSource): string[] {
  const known = content?.metadata.column_names;
  if (Array.isArray(known) && known.length > 0) return known.map((name) => String(name ?? ''));
  const [first] = context?.lines?.(record.id) ?? [];
  return first === undefined ? [] : first.replace(/^#/, '').split('\t');
}
