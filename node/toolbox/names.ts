/** A job's state → the names that its templates and filters see. */
import { dirname } from 'node:path';
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';
import { Dict, Float, type Value } from './cheetah/values.js';
import { isObject, readReferences } from './data-reference.js';
import type { LoadedParameter, LoadedTool } from './loaded.js';
import { defaultSanitize, noSanitize } from './sanitizer.js';
import { type Accepts, DatasetsValue, DatasetValue, NoDataset, ParameterValue, ToolValue } from './template-values.js';
import type { ExpandedJob, ToolContext, ToolDataset } from './tool.js';

export interface NamesOptions {
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
  const genomeBuild = first?.record.genomeBuild ?? '?';
  names.set('tool', new ToolValue(tool));
  names.set('on_string', onString(job, deps.context));
  names.set('dbkey', defaultSanitize(genomeBuild));
  names.set('__tool_directory__', dirname(tool.file));
  names.set('__history_id__', deps.context.historyId);
  // Who runs it is no business of a command line; the names exist because wrappers mention them.
  for (const name of ['__user_email__', '__user_name__', '__user_id__', '__galaxy_url__']) names.set(name, '');
  return names;
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
  constructor(
    private readonly deps: NamesDeps,
    private readonly options: NamesOptions,
  ) {}

  group(parameters: readonly LoadedParameter[], state: JsonObject): [string, Value][] {
    return parameters.map((parameter) => [parameter.name, this.one(parameter, state[parameter.name] ?? null)]);
  }

  private one(parameter: LoadedParameter, held: JsonValue): Value {
    switch (parameter.type) {
      case 'conditional': {
        const state = isObject(held) ? held : {};
        const current = typeof state.__current_case__ === 'number' ? state.__current_case__ : undefined;
        const chosen = current === undefined ? undefined : parameter.cases?.[current];
        const inner = [...(parameter.test ? [parameter.test] : []), ...(chosen?.inputs ?? [])];
        return new Dict([...this.group(inner, state), ['__current_case__', current ?? null]]);
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
        return this.options.purpose === 'filter' ? bare(parameter, held) : new ParameterValue(parameter, held);
    }
  }

  private data(parameter: LoadedParameter, held: JsonValue): Value {
    const read = readReferences(held);
    const references = 'references' in read ? read.references : [];
    const values = references.flatMap(({ id, elementIdentifier }) => {
      const dataset = this.deps.context.dataset(id);
      return dataset ? [this.dataset(dataset, elementIdentifier)] : [];
    });
    if (parameter.multiple) return new DatasetsValue(values);
    return values[0] ?? (this.options.purpose === 'filter' ? null : new NoDataset());
  }

  private dataset(dataset: ToolDataset, identifier: string | undefined): DatasetValue {
    const clean = this.options.purpose === 'command' ? defaultSanitize : noSanitize;
    return new DatasetValue(dataset, this.options.inputPath(dataset.record.id), identifier, this.deps.accepts, clean);
  }

  private collection(held: JsonValue): Value {
    const id = isObject(held) && typeof held.id === 'string' ? held.id : undefined;
    const collection = id === undefined ? undefined : this.deps.context.collection(id);
    if (!collection) return new NoDataset();
    const datasets = collection.elements.map(({ identifier, dataset }) => this.dataset(dataset, identifier));
    return new DatasetsValue(datasets, {
      name: collection.name,
      hid: collection.hid,
      type: collection.collectionType,
      identifiers: collection.elements.map(({ identifier }) => identifier),
    });
  }
}

/** What an output's filter sees: no wrapping, no sanitizing, because no shell reads it. */
function bare(parameter: LoadedParameter, held: JsonValue): Value {
  if (Array.isArray(held)) return held.map((item) => String(item ?? ''));
  if (held === null || typeof held === 'object') return null;
  return parameter.type === 'float' ? new Float(Number(held)) : held;
}
