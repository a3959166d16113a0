/**
 * `<actions>` of an output: a datatype, a build or other metadata that a wrapper gives it, often by what was chosen. All
 * of it follows from the parameters, so it is decided with the outputs, before the job runs.
 */
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import type { RenderOptions, Template } from '../cheetah/template.js';
import type { Value } from '../cheetah/values.js';
import { malformed, unsupported } from '../errors.js';
import { isObject } from '../parameters/data-reference.js';
import { type Accepts, DatasetValue, extensionOf, genomeBuildOf } from '../rendering/template-values.js';
import type { ExpandedJob, ToolContext, ToolDataset } from '../tool.js';
import { type Rendering, templateAt } from '../wrapper/source-template.js';
import { elements, flag, type XmlElement } from '../wrapper/wrapper-xml.js';

export type OutputAction =
  | {
      kind: 'set';
      what: 'metadata' | 'format';
      name: string;
      default: Template | undefined;
      option: ActionOption | undefined;
    }
  | { kind: 'case'; parameter: string; whens: ActionWhen[] };

interface ActionWhen {
  /** Undefined: a dataset's datatype decides. */
  value: string | undefined;
  datatype: string[] | undefined;
  actions: OutputAction[];
}

interface ActionOption {
  source: { from: 'param'; name: string; attribute: string | undefined } | { from: 'table'; name: string };
  column: number;
  offset: number;
  filters: ActionFilter[];
}

type Rows = (readonly string[])[];
type ActionFilter = (rows: Rows, facts: ActionFacts) => Rows;

export interface ActionFacts {
  job: ExpandedJob;
  context: ToolContext;
  accepts: Accepts;
  /** Of templates in them. */
  bounds?: RenderOptions;
}

export interface ActionsResult {
  format: string | undefined;
  genomeBuild: string | undefined;
  metadata: JsonObject;
}

const DEPTH_MAX = 20;

export function parseActions(parent: XmlElement, rendering: Rendering, depth = 0): OutputAction[] {
  if (depth > DEPTH_MAX) throw malformed('<actions> are nested too deeply', parent);
  return elements(parent).map((child) => {
    if (child.name === 'action') return parseAction(child, rendering);
    if (child.name === 'conditional') return parseCase(child, rendering, depth);
    throw unsupported(`<${child.name}> in <actions>`, child);
  });
}

function parseAction(given: XmlElement, rendering: Rendering): OutputAction {
  const { type, name = '', default: otherwise } = given.attributes;
  if (type !== 'metadata' && type !== 'format') throw unsupported(`the action "${type ?? ''}"`, given);
  if (type === 'metadata' && name === '') throw malformed('an <action> on metadata without a name', given);
  const [option, more] = elements(given);
  if (more) throw malformed('an <action> with more than one <option>', more);
  if (option && option.name !== 'option') throw unsupported(`<${option.name}> in an <action>`, option);
  const place = { file: given.file, line: given.line };
  return {
    kind: 'set',
    what: type,
    name,
    default: otherwise === undefined ? undefined : templateAt(otherwise, place, rendering),
    option: option && parseOption(option),
  };
}

function parseCase(given: XmlElement, rendering: Rendering, depth: number): OutputAction {
  const { name } = given.attributes;
  if (!name) throw malformed('a <conditional> in <actions> without a name', given);
  const whens = elements(given).map((when): ActionWhen => {
    if (when.name !== 'when') throw unsupported(`<${when.name}> in a <conditional> of <actions>`, when);
    const { value, datatype_isinstance: datatype } = when.attributes;
    if (value === undefined && datatype === undefined) throw malformed('a <when> in <actions> without value', when);
    return {
      value,
      datatype: datatype?.split(',').map((one) => one.trim()),
      actions: parseActions(when, rendering, depth + 1),
    };
  });
  return { kind: 'case', parameter: name, whens };
}

function parseOption(given: XmlElement): ActionOption {
  const { type, name = '', param_attribute: attribute, column, offset } = given.attributes;
  const numbers = { column: Number(column ?? 0), offset: Number(offset ?? 0) };
  if (!Number.isInteger(numbers.column) || !Number.isInteger(numbers.offset)) {
    throw malformed('column and offset of an <option> are whole numbers', given);
  }
  const filters = elements(given).map(parseFilter);
  switch (type) {
    case 'from_param':
      return { source: { from: 'param', name, attribute }, ...numbers, filters };
    case 'from_data_table':
      return { source: { from: 'table', name }, ...numbers, filters };
    default:
      throw unsupported(`<option type="${type ?? ''}"> in an <action>`, given);
  }
}

function parseFilter(given: XmlElement): ActionFilter {
  if (given.name !== 'filter') throw unsupported(`<${given.name}> in an <option>`, given);
  const { type = '', column: written, ref, value, compare = 'eq', strip, old, new: changed } = given.attributes;
  const column = written === undefined ? undefined : Number(written);
  if (column !== undefined && !Number.isInteger(column)) throw malformed(`column="${written}" is no number`, given);
  const each = (change: (text: string) => string): ActionFilter => {
    return (rows) =>
      rows.map((row) => row.map((text, index) => (column === undefined || index === column ? change(text) : text)));
  };
  switch (type) {
    case 'param_value': {
      const keep = flag(given.attributes.keep, true);
      const test = COMPARES[compare];
      if (!test || column === undefined) throw unsupported(`the filter "${type}" with compare="${compare}"`, given);
      return (rows, facts) => {
        const wanted = value ?? namedValue(ref ?? '', given.attributes.param_attribute, facts);
        if (wanted === undefined) return [];
        return rows.filter((row) => test(row[column] ?? '', wanted) === keep);
      };
    }
    case 'insert_column':
      return (rows, facts) => {
        const text = value ?? namedValue(ref ?? '', undefined, facts) ?? '';
        return rows.map((row) => (column === undefined ? [...row, text] : row.toSpliced(column, 0, text)));
      };
    case 'column_strip':
      return each((text) => stripped(text, strip));
    case 'column_replace':
      return each((text) => text.replaceAll(old ?? '', changed ?? ''));
    case 'string_function': {
      const change = FUNCTIONS[given.attributes.name ?? ''];
      if (!change) throw unsupported(`the string function "${given.attributes.name ?? ''}"`, given);
      return each(change);
    }
    case 'multiple_splitter': {
      const separator = given.attributes.separator ?? ',';
      return (rows) => rows.flatMap((row) => (row[column ?? 0] ?? '').split(separator).map((part) => [part]));
    }
    default:
      throw unsupported(`the filter "${type}" in an <option>`, given);
  }
}

const COMPARES: Readonly<Record<string, (text: string, wanted: string) => boolean>> = {
  eq: (text, wanted) => text === wanted,
  ne: (text, wanted) => text !== wanted,
  startswith: (text, wanted) => text.startsWith(wanted),
  endswith: (text, wanted) => text.endsWith(wanted),
  in: (text, wanted) => wanted.includes(text),
};

const FUNCTIONS: Readonly<Record<string, (text: string) => string>> = {
  lower: (text) => text.toLowerCase(),
  upper: (text) => text.toUpperCase(),
  strip: (text) => text.trim(),
};

function stripped(text: string, characters: string | undefined): string {
  if (!characters) return text.trim();
  const set = new Set(characters);
  let [from, to] = [0, text.length];
  while (from < to && set.has(text[from] ?? '')) from += 1;
  while (to > from && set.has(text[to - 1] ?? '')) to -= 1;
  return text.slice(from, to);
}

/** In order: a later action overrides an earlier one. `names`: what defaults, which are templates, may say. */
export function runActions(
  actions: readonly OutputAction[],
  facts: ActionFacts,
  names: () => Map<string, Value>,
  into: ActionsResult = { format: undefined, genomeBuild: undefined, metadata: {} },
): ActionsResult {
  for (const action of actions) {
    if (action.kind === 'case') {
      const chosen = action.whens.find((when) => fits(when, action.parameter, facts));
      if (chosen) runActions(chosen.actions, facts, names, into);
      continue;
    }
    const value = (action.option && optionValue(action.option, facts)) ?? action.default?.render(names(), facts.bounds);
    if (value === undefined || value === '') continue;
    if (action.what === 'format') into.format = value;
    else if (action.name === 'dbkey') into.genomeBuild = value;
    else into.metadata[action.name] = typed(action.name, value);
  }
  return into;
}

function fits(when: ActionWhen, parameter: string, facts: ActionFacts): boolean {
  if (when.datatype !== undefined) {
    const dataset = datasetAt(parameter, facts);
    return dataset !== undefined && facts.accepts(when.datatype, extensionOf(dataset));
  }
  const held = stateAt(parameter, facts.job.state);
  const text = pythonText(held);
  // Old wrappers write a truth value as Python prints it, newer ones as XML does.
  return text === when.value || (typeof held === 'boolean' && String(held) === when.value?.toLowerCase());
}

function optionValue(option: ActionOption, facts: ActionFacts): string | undefined {
  let rows: Rows;
  if (option.source.from === 'table') {
    rows = [...(facts.context.tables?.table(option.source.name)?.rows ?? [])];
  } else {
    const value = namedValue(option.source.name, option.source.attribute, facts);
    rows = value === undefined ? [] : [[value]];
  }
  for (const filter of option.filters) rows = filter(rows, facts);
  return rows.at(option.offset)?.[option.column];
}

/** A parameter's text, or an attribute of the dataset that it names. */
function namedValue(name: string, attribute: string | undefined, facts: ActionFacts): string | undefined {
  const held = stateAt(name, facts.job.state);
  if (attribute === undefined) return held === undefined || held === null ? undefined : pythonText(held);
  // `forward.ext`: of an element of a collection.
  const [first = '', ...rest] = attribute.split('.');
  const element = rest.length > 0 ? elementAt(name, first, facts) : undefined;
  if (element) return attributeOf(element, rest.join('.'), facts);
  const dataset = datasetAt(name, facts);
  return dataset && attributeOf(dataset, attribute, facts);
}

function attributeOf(dataset: ToolDataset, attribute: string, facts: ActionFacts): string | undefined {
  if (attribute === 'dbkey' || attribute === 'metadata.dbkey') return genomeBuildOf(dataset);
  const value = new DatasetValue(dataset, '', undefined, facts.accepts, (text) => text);
  const direct = attribute.startsWith('metadata.') ? undefined : value.attribute(attribute);
  if (direct !== undefined && direct !== null) return String(direct);
  const metadata = dataset.content?.metadata[attribute.replace(/^metadata\./, '')];
  return metadata === undefined ? undefined : pythonText(metadata);
}

export function stateAt(path: string, state: JsonObject): JsonValue | undefined {
  let held: JsonValue | undefined = state;
  for (const name of path.split(/[.|]/)) held = isObject(held) && Object.hasOwn(held, name) ? held[name] : undefined;
  return held;
}

function datasetAt(name: string, { job, context }: ActionFacts): ToolDataset | undefined {
  const held = stateAt(name, job.state);
  const [first] = Array.isArray(held) ? held : [held];
  if (!isObject(first) || typeof first.id !== 'string') return undefined;
  return first.src === 'hdca' ? context.collection(first.id)?.elements[0]?.dataset : context.dataset(first.id);
}

function elementAt(name: string, identifier: string, { job, context }: ActionFacts): ToolDataset | undefined {
  const held = stateAt(name, job.state);
  if (!isObject(held) || held.src !== 'hdca' || typeof held.id !== 'string') return undefined;
  return context.collection(held.id)?.elements.find((element) => element.identifier === identifier)?.dataset;
}

function pythonText(value: JsonValue | undefined): string {
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (value === null || value === undefined) return 'None';
  if (Array.isArray(value)) return value.map(pythonText).join(',');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

const LISTS = new Set(['column_names', 'column_types']);

function typed(name: string, value: string): JsonValue {
  if (LISTS.has(name)) return value.split(',').map((one) => one.trim());
  return /^\d{1,15}$/.test(value) && (name === 'columns' || name.endsWith('Col')) ? Number(value) : value;
}
