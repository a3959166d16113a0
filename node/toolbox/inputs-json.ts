/**
 * `<configfiles><inputs/>`: the state of all parameters as a JSON file, for tools that read their parameters
 * themselves. Values are what the user chose, typed and not sanitized: no shell reads them. Datasets are left out
 * unless the wrapper says how they shall stand there.
 */
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';
import { isObject, readReferences } from './data-reference.js';
import type { ConfigFile, LoadedParameter, LoadedTool } from './loaded.js';
import { extensionOf } from './template-values.js';
import type { ExpandedJob, ToolContext, ToolDataset } from './tool.js';

type InputsFile = Extract<ConfigFile, { kind: 'inputs' }>;
type InputPath = (dataset: string) => string;

export function inputsJson(
  tool: Pick<LoadedTool, 'inputs' | 'rules'>,
  job: ExpandedJob,
  file: InputsFile,
  context: ToolContext,
  inputPath: InputPath,
): string {
  return JSON.stringify(
    new Wrapper(tool.rules.typedJson, file.dataStyle, context, inputPath).group(tool.inputs, job.state),
  );
}

class Wrapper {
  constructor(
    private readonly typed: boolean,
    private readonly dataStyle: InputsFile['dataStyle'],
    private readonly context: ToolContext,
    private readonly inputPath: InputPath,
  ) {}

  group(parameters: readonly LoadedParameter[], state: JsonObject): JsonObject {
    const result: [string, JsonValue][] = [];
    for (const parameter of parameters) {
      const value = this.one(parameter, state[parameter.name] ?? null);
      if (value !== undefined) result.push([parameter.name, value]);
    }
    return Object.fromEntries(result);
  }

  private one(parameter: LoadedParameter, held: JsonValue): JsonValue | undefined {
    switch (parameter.type) {
      case 'conditional': {
        const state = isObject(held) ? held : {};
        const current = typeof state.__current_case__ === 'number' ? state.__current_case__ : -1;
        const inner = parameter.cases?.[current]?.inputs ?? [];
        return this.group([...(parameter.test ? [parameter.test] : []), ...inner], state);
      }
      case 'section':
        return this.group(parameter.inputs ?? [], isObject(held) ? held : {});
      case 'repeat':
        return (Array.isArray(held) ? held : []).map((one) =>
          this.group(parameter.inputs ?? [], isObject(one) ? one : {}),
        );
      case 'data':
      case 'hidden_data':
      case 'data_collection':
        return this.dataStyle === 'none' ? undefined : this.data(parameter, held);
      default:
        return this.simple(parameter, held);
    }
  }

  private simple(parameter: LoadedParameter, held: JsonValue): JsonValue {
    switch (parameter.type) {
      case 'integer':
      case 'float':
        return held === null || held === '' ? null : Number(held);
      case 'boolean':
        return held === true || held === 'true' || held === parameter.attributes.truevalue;
      case 'select':
      case 'data_column': {
        if (parameter.multiple) {
          const values = Array.isArray(held) ? held.map(String) : held === null || held === '' ? [] : [String(held)];
          if (this.typed) return values;
          return values.length > 0 ? values.join(',') : 'None';
        }
        if (held === null || held === '') return this.typed ? null : 'None';
        return String(held);
      }
      default:
        return held;
    }
  }

  private data(parameter: LoadedParameter, held: JsonValue): JsonValue {
    const read = readReferences(held);
    const found = ('references' in read ? read.references : []).flatMap(({ src, id, elementIdentifier }) => {
      const datasets: { dataset: ToolDataset | undefined; identifier: string | undefined }[] =
        src === 'hda'
          ? [{ dataset: this.context.dataset(id), identifier: elementIdentifier }]
          : (this.context.collection(id)?.elements ?? []);
      return datasets.flatMap(({ dataset, identifier }) => (dataset ? [this.file(dataset, identifier)] : []));
    });
    return parameter.multiple || parameter.type === 'data_collection' ? found : (found[0] ?? null);
  }

  private file(dataset: ToolDataset, identifier: string | undefined): JsonValue {
    const path = this.inputPath(dataset.record.id);
    if (this.dataStyle === 'paths') return path;
    const name = identifier ?? dataset.record.name;
    const extension = extensionOf(dataset);
    return {
      element_identifier: name,
      ext: extension,
      source_path: path,
      staging_path: `${name.replace(/[^\w.-]/g, '_')}.${extension}`,
    };
  }
}
