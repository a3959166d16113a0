/** A job's state → the names that its templates and filters see. */
import { dirname } from 'node:path';
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import { Dict, Float, type Value } from '../cheetah/values.js';
import type { LoadedParameter, LoadedTool } from '../loaded.js';
import { isObject, readReferences } from '../parameters/data-reference.js';
import { collectionOf } from '../parameters/map-over.js';
import { nameSanitize, noSanitize } from '../parameters/sanitizer.js';
import { Scope } from '../parameters/scope.js';
import { chosenInputs } from '../parameters/state-map.js';
import type { ExpandedJob, ToolContext, ToolDataset, ToolElement } from '../tool.js';
import { type CollectionElement, CollectionValue, DatasetsValue, NoCollection } from './collection-value.js';
import { ParameterValue } from './parameter-text.js';
import {
  type Accepts,
  type DatasetFiles,
  DatasetValue,
  genomeBuildOf,
  NoDataset,
  ToolValue,
  UserValue,
} from './template-values.js';

export interface NamesOptions extends DatasetFiles {
  /** `command`: sanitized, datasets are paths. `label`: names as the user wrote them. `filter`: bare Python values. */
  purpose: 'command' | 'label' | 'filter';
  inputPath(dataset: string): string;
}

export interface NamesDeps {
  context: ToolContext;
  accepts: Accepts;
}

export function namesOf(
  tool: LoadedTool,
  job: ExpandedJob,
  deps: NamesDeps,
  options: NamesOptions,
): Map<string, Value> {
  const builder = new Builder(deps, options);
  const names = new Map<string, Value>(builder.group(tool.inputs, job.state).map(([key, value]) => [key, value]));
  const [first] = datasetsOf(job, deps.context);
  const genomeBuild = first ? genomeBuildOf(first) : '?';
  names.set('tool', new ToolValue(tool));
  names.set('on_string', onString(job, deps.context));
  names.set('dbkey', nameSanitize(genomeBuild));
  names.set('chromInfo', chromosomeLengths(genomeBuild, deps.context));
  names.set('__tool_directory__', dirname(tool.file));
  names.set('__tool_version__', nameSanitize(tool.version));
  names.set('__history_id__', deps.context.historyId);
  const user = new UserValue(deps.context.user);
  names.set('__user__', user);
  names.set('__user_email__', user.attribute('email'));
  names.set('__user_name__', user.attribute('username'));
  names.set('__user_id__', user.attribute('id'));
  // Where this Galaxy is reached is no business of a command line; the name exists because wrappers mention it.
  names.set('__galaxy_url__', '');
  return names;
}

/** The file of a genome's chromosome lengths, as its line in the table of builds says. */
function chromosomeLengths(build: string, { tables }: ToolContext): string {
  const table = tables?.table('__dbkeys__');
  const [value, path] = [table?.columns.get('value'), table?.columns.get('len_path')];
  if (!table || value === undefined || path === undefined) return '';
  return table.rows.find((row) => row[value] === build)?.[path] ?? '';
}

/** The datasets of a job in order, each once. */
export function datasetsOf(job: ExpandedJob, context: ToolContext): ToolDataset[] {
  const seen = new Map<string, ToolDataset>();
  for (const { kind, id } of Object.values(job.inputs).flat()) {
    const found =
      kind === 'dataset' ? [context.dataset(id)] : context.collection(id)?.elements.map(({ dataset }) => dataset);
    for (const dataset of found ?? []) if (dataset) seen.set(dataset.record.id, dataset);
  }
  return [...seen.values()];
}

/** `data 1`, `data 1 and data 2`, `data 1, data 2, and data 3`, `data 1, data 2, and others`. */
export function onString(job: ExpandedJob, context: ToolContext): string {
  const names = new Set<string>();
  for (const { kind, id } of Object.values(job.inputs).flat()) {
    const hid = kind === 'dataset' ? context.dataset(id)?.hid : context.collection(id)?.hid;
    if (hid !== undefined) names.add(`${kind === 'dataset' ? 'data' : 'collection'} ${hid}`);
  }
  const [first = '', second = '', third = ''] = names;
  if (names.size <= 1) return first;
  if (names.size === 2) return `${first} and ${second}`;
  return `${first}, ${second}, and ${names.size === 3 ? third : 'others'}`;
}

class Builder {
  private readonly scope = new Scope();

  constructor(
    private readonly deps: NamesDeps,
    private readonly options: NamesOptions,
  ) {}

  group(parameters: readonly LoadedParameter[], state: JsonObject): [string, Value][] {
    this.scope.enter(state);
    const names = parameters.map((parameter): [string, Value] => [
      parameter.name,
      this.one(parameter, state[parameter.name] ?? null),
    ]);
    this.scope.leave();
    return names;
  }

  private one(parameter: LoadedParameter, held: JsonValue): Value {
    switch (parameter.type) {
      case 'conditional': {
        const state = isObject(held) ? held : {};
        const current = typeof state.__current_case__ === 'number' ? state.__current_case__ : undefined;
        return new Dict([...this.group(chosenInputs(parameter, state), state), ['__current_case__', current ?? null]]);
      }
      case 'section':
        return new Dict(this.group(parameter.inputs ?? [], isObject(held) ? held : {}));
      case 'repeat':
        return (Array.isArray(held) ? held : []).map((instance, index) => {
          const state = isObject(instance) ? instance : {};
          return new Dict([...this.group(parameter.inputs ?? [], state), ['__index__', index]]);
        });
      case 'data':
      case 'hidden_data':
        return this.data(parameter, held);
      case 'data_collection':
        return this.collection(held);
      default:
        return this.options.purpose === 'filter' ? bare(parameter, held) : this.plain(parameter, held);
    }
  }

  private data(parameter: LoadedParameter, held: JsonValue): Value {
    const read = readReferences(held);
    const references = 'references' in read ? read.references : [];
    const values = references.flatMap(({ id, elementIdentifier }) => {
      const dataset = this.deps.context.dataset(id);
      return dataset ? [this.dataset(dataset, elementIdentifier)] : [];
    });
    if (parameter.multiple && (values.length > 0 || this.options.purpose === 'filter'))
      return new DatasetsValue(values);
    // Galaxy's list of none holds one None: templates ask for the text "None", or of each whether it is there.
    if (parameter.multiple) return new DatasetsValue([new NoDataset()]);
    return values[0] ?? (this.options.purpose === 'filter' ? null : new NoDataset());
  }

  private plain(parameter: LoadedParameter, held: JsonValue): ParameterValue {
    const { context } = this.deps;
    const groups = this.scope.copy();
    return new ParameterValue(parameter, held, { context, scope: groups });
  }

  private dataset(dataset: ToolDataset, identifier: string | undefined): DatasetValue {
    const { inputPath } = this.options;
    const { accepts } = this.deps;
    return new DatasetValue(dataset, inputPath(dataset.record.id), identifier, accepts, this.clean, this.options);
  }

  private get clean() {
    return this.options.purpose === 'command' ? nameSanitize : noSanitize;
  }

  private collection(held: JsonValue): Value {
    const read = readReferences(held);
    const [reference] = 'references' in read ? read.references : [];
    const collection = reference && reference.src !== 'hda' ? collectionOf(reference, this.deps.context) : undefined;
    if (!collection) return this.options.purpose === 'filter' ? null : new NoCollection();
    const { name, hid, collectionType: type } = collection;
    const facts = { name, hid, type, identifier: reference?.elementIdentifier };
    return new CollectionValue(facts, this.elements(collection.tree ?? collection.elements, hid), this.clean);
  }

  private elements(elements: readonly ToolElement[], hid: number): CollectionElement[] {
    return elements.map((element) => {
      const { identifier } = element;
      if ('dataset' in element) return { identifier, value: this.dataset(element.dataset, identifier) };
      const facts = { name: identifier, hid, type: element.collectionType, identifier };
      return { identifier, value: new CollectionValue(facts, this.elements(element.elements, hid), this.clean) };
    });
  }
}

/** What an output's filter sees: no wrapping, no sanitizing, because no shell reads it. */
function bare(parameter: LoadedParameter, held: JsonValue): Value {
  if (Array.isArray(held)) return held.map((item) => String(item ?? ''));
  if (held === null || typeof held === 'object') return null;
  return parameter.type === 'float' ? new Float(Number(held)) : held;
}
