/**
 * A parameter as Galaxy's client and BioBlend read it (`model_class`, `value`, `options`, …). Used by the form, which
 * has a history to choose from, and by the description, which has none.
 */
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';
import type { Datatypes } from '../datasets/datatypes.js';
import { isObject, readReferences } from './data-reference.js';
import type { LoadedParameter } from './loaded.js';
import { checkValue, defaultValue } from './parameter-value.js';
import { chosenCase, type Given, inside, lookUp, repeatsIn } from './parameters.js';
import { extensionOf } from './template-values.js';
import type { ToolContext, ToolDataset } from './tool.js';

const MODEL_CLASSES: Record<LoadedParameter['type'], string> = {
  data: 'DataToolParameter',
  data_collection: 'DataCollectionToolParameter',
  text: 'TextToolParameter',
  integer: 'IntegerToolParameter',
  float: 'FloatToolParameter',
  boolean: 'BooleanToolParameter',
  select: 'SelectToolParameter',
  hidden: 'HiddenToolParameter',
  data_column: 'ColumnListParameter',
  color: 'ColorToolParameter',
  conditional: 'Conditional',
  repeat: 'Repeat',
  section: 'Section',
  baseurl: 'BaseURLToolParameter',
  hidden_data: 'HiddenDataToolParameter',
  genomebuild: 'GenomeBuildParameter',
};

/** Choices offered for one parameter. */
const CHOICES_MAX = 500;

export interface ModelDeps {
  datatypes: Pick<Datatypes, 'accepts' | 'get'>;
  /** Absent for a description: no history, so nothing to choose. */
  context?: ToolContext;
}

/** What the client posts back: `queries_0|input2` → value. */
export type StateInputs = Record<string, JsonValue>;

export class ParameterModels {
  /** `path` → sentence, for what the user has filled in wrongly. */
  readonly errors: Record<string, string> = {};
  private readonly choices: ToolDataset[];

  constructor(private readonly deps: ModelDeps) {
    const usable = (deps.context?.choices() ?? []).filter(({ content }) => content?.state !== 'error');
    this.choices = usable.slice(0, CHOICES_MAX);
  }

  group(parameters: readonly LoadedParameter[], given: Given, prefix = '', outer: JsonObject[] = []): JsonObject[] {
    const state: JsonObject = {};
    const scopes = [...outer, state];
    return parameters.map((parameter) => this.one(parameter, given, prefix, scopes));
  }

  private one(parameter: LoadedParameter, given: Given, prefix: string, scopes: JsonObject[]): JsonObject {
    const { name } = parameter;
    const base = {
      model_class: MODEL_CLASSES[parameter.type],
      name,
      type: parameter.type,
      help: parameter.help,
    };
    const path = prefix + name;
    switch (parameter.type) {
      case 'conditional':
        return { ...base, ...this.conditional(parameter, inside(given, name, lookUp(given, name)), path, scopes) };
      case 'section':
        return {
          ...base,
          title: parameter.label,
          expanded: parameter.attributes.expanded?.toLowerCase() === 'true',
          inputs: this.group(parameter.inputs ?? [], inside(given, name, lookUp(given, name)), `${path}|`, scopes),
        };
      case 'repeat':
        return { ...base, ...this.repeat(parameter, given, path, scopes) };
      default: {
        const said = lookUp(given, name);
        const { state, model } = this.simple(parameter, said, path, scopes);
        const scope = scopes.at(-1);
        if (scope) scope[name] = state;
        return { ...base, ...model };
      }
    }
  }

  private conditional(parameter: LoadedParameter, given: Given, path: string, scopes: JsonObject[]): JsonObject {
    const { test, cases = [] } = parameter;
    if (!test) return {};
    const state: JsonObject = {};
    const testModel = this.one(test, given, `${path}|`, [...scopes, state]);
    const current = chosenCase(parameter, state[test.name] ?? null);
    const empty: Given = { nested: undefined, flat: {}, prefix: '' };
    return {
      test_param: { ...testModel, refresh_on_change: true },
      cases: cases.map(({ value, inputs }, index) => ({
        model_class: 'ConditionalWhen',
        value,
        // Only the chosen case holds what the user said; the others show their defaults.
        inputs: this.group(inputs, index === current ? given : empty, `${path}|`, [...scopes, state]),
      })),
    };
  }

  private repeat(parameter: LoadedParameter, given: Given, path: string, scopes: JsonObject[]): JsonObject {
    const { min = 0, max, inputs = [], name } = parameter;
    const fallback = Math.max(min, Number(parameter.attributes.default ?? 0) || 0);
    const blank = (index: number): Given => inside(given, `${name}_${index}`, undefined);
    const instances = repeatsIn(given, name) ?? Array.from({ length: fallback }, (_, index) => blank(index));
    const empty: Given = { nested: undefined, flat: {}, prefix: '' };
    return {
      title: parameter.label,
      min,
      max: max ?? null,
      default: fallback,
      inputs: this.group(inputs, empty, `${path}_0|`, scopes),
      cache: instances.map((instance, index) => this.group(inputs, instance, `${path}_${index}|`, scopes)),
    };
  }

  private simple(
    parameter: LoadedParameter,
    said: JsonValue | undefined,
    path: string,
    scopes: JsonObject[],
  ): { state: JsonValue; model: JsonObject } {
    const common: JsonObject = {
      argument: parameter.attributes.argument ?? null,
      label: parameter.label,
      help_format: 'html',
      refresh_on_change: parameter.attributes.refresh_on_change?.toLowerCase() === 'true',
      optional: parameter.optional,
      hidden: ['hidden', 'hidden_data', 'baseurl'].includes(parameter.type),
      is_dynamic: false,
    };
    if (parameter.type === 'data' || parameter.type === 'hidden_data' || parameter.type === 'data_collection') {
      return this.data(parameter, said, path, common);
    }
    const checked = said === undefined ? undefined : checkValue(parameter, said);
    if (checked && 'wrong' in checked) this.errors[path] = checked.wrong;
    const fallback = defaultValue(parameter) ?? null;
    const value = checked && 'value' in checked ? checked.value : checked ? (said ?? null) : fallback;
    const shown = this.typed(parameter, value, scopes);
    const held = shown.value ?? value;
    return {
      state: held,
      model: { ...common, value: formValue(parameter, value), default_value: formValue(parameter, fallback), ...shown },
    };
  }

  /** What only this type shows. */
  private typed(parameter: LoadedParameter, value: JsonValue, scopes: JsonObject[]): JsonObject {
    switch (parameter.type) {
      case 'integer':
      case 'float':
        return { min: parameter.min ?? null, max: parameter.max ?? null, datalist: [] };
      case 'text':
        return {
          area: parameter.attributes.area?.toLowerCase() === 'true',
          datalist: (parameter.options ?? []).map((option) => ({ value: option.value, label: option.label })),
        };
      case 'boolean':
        return {
          truevalue: parameter.attributes.truevalue ?? 'true',
          falsevalue: parameter.attributes.falsevalue ?? 'false',
        };
      case 'select': {
        const options = (parameter.options ?? []).map(
          (option): JsonValue => [option.label, option.value, option.selected],
        );
        return { ...selectModel(parameter), options };
      }
      case 'data_column':
        return this.columns(parameter, value, scopes);
      case 'genomebuild':
        return { ...selectModel(parameter), options: [['unspecified (?)', '?', true]] };
      default:
        return {};
    }
  }

  private columns(parameter: LoadedParameter, value: JsonValue, scopes: JsonObject[]): JsonObject {
    const reference = parameter.attributes.data_ref ?? '';
    const held = scopes.findLast((scope) => Object.hasOwn(scope, reference))?.[reference];
    const read = readReferences(held);
    const [first] = 'references' in read ? read.references : [];
    const metadata = first && this.deps.context?.dataset(first.id)?.content?.metadata;
    const count = typeof metadata?.columns === 'number' ? metadata.columns : 0;
    const types = Array.isArray(metadata?.column_types) ? metadata.column_types : [];
    const numerical = parameter.attributes.numerical?.toLowerCase() === 'true';
    const numbers = Array.from({ length: Math.min(count, CHOICES_MAX) }, (_, index) => index + 1).filter(
      (number) => !numerical || types.length === 0 || types[number - 1] === 'int' || types[number - 1] === 'float',
    );
    const chosen = value ?? (parameter.optional || numbers[0] === undefined ? null : String(numbers[0]));
    return {
      ...selectModel(parameter),
      data_ref: reference,
      numerical,
      options: numbers.map((number): JsonValue => [`Column: ${number}`, String(number), false]),
      value: parameter.multiple && typeof chosen === 'string' ? [chosen] : chosen,
    };
  }

  private data(
    parameter: LoadedParameter,
    said: JsonValue | undefined,
    path: string,
    common: JsonObject,
  ): { state: JsonValue; model: JsonObject } {
    const formats = parameter.formats ?? ['data'];
    const isCollection = parameter.type === 'data_collection';
    const fitting = isCollection
      ? []
      : this.choices.filter((dataset) => this.deps.datatypes.accepts(formats, extensionOf(dataset)));
    const offered = fitting.map((dataset) => choice(dataset));
    const values = this.chosen(parameter, said, path) ?? (parameter.optional || !offered[0] ? [] : [offered[0]]);
    const value: JsonValue = values.length > 0 ? { values } : null;
    return {
      state: value,
      model: {
        ...common,
        refresh_on_change: true,
        value,
        default_value: null,
        extensions: formats,
        edam: this.edam(formats),
        multiple: parameter.multiple ?? false,
        tag: parameter.attributes.tag ?? null,
        options: { hda: offered, hdca: [], dce: [], ldda: [] },
        min: parameter.min ?? null,
        max: parameter.max ?? null,
        ...(isCollection
          ? { collection_types: (parameter.attributes.collection_type ?? '').split(',').filter((type) => type !== '') }
          : {}),
      },
    };
  }

  /** What the user has chosen, in the client's words; undefined when nothing was said. */
  private chosen(parameter: LoadedParameter, said: JsonValue | undefined, path: string): JsonObject[] | undefined {
    if (said === undefined) return undefined;
    const read = readReferences(said);
    if ('wrong' in read) {
      this.errors[path] = read.wrong;
      return undefined;
    }
    const values = read.references.flatMap(({ src, id }): JsonObject[] => {
      const dataset = src === 'hda' ? this.deps.context?.dataset(id) : undefined;
      if (dataset) return [choice(dataset)];
      const collection = src === 'hdca' ? this.deps.context?.collection(id) : undefined;
      if (collection) return [{ id, hid: collection.hid, name: collection.name, tags: [], src, keep: true }];
      this.errors[path] = 'What was chosen is not here any more.';
      return [];
    });
    return values.length > 0 || parameter.optional ? values : undefined;
  }

  private edam(formats: readonly string[]): JsonObject {
    const types = formats.map((format) => this.deps.datatypes.get(format));
    return {
      edam_formats: types.map((type) => type?.edamFormat ?? null),
      edam_data: types.map((type) => type?.edamData ?? null),
    };
  }
}

function selectModel(parameter: LoadedParameter): JsonObject {
  return {
    multiple: parameter.multiple ?? false,
    display: parameter.attributes.display ?? null,
    textable: false,
  };
}

function choice({ record, hid }: ToolDataset): JsonObject {
  return { id: record.id, hid, name: record.name, tags: record.tags ?? [], src: 'hda', keep: false };
}

/** The client keeps numbers in its text fields as text. */
function formValue(parameter: LoadedParameter, value: JsonValue): JsonValue {
  if (parameter.type === 'integer' || parameter.type === 'float') return value === null ? '' : String(value);
  return value;
}

/** `queries_0|input2` → value, of a whole form. */
export function stateInputs(models: readonly JsonObject[], prefix = ''): StateInputs {
  const state: StateInputs = {};
  for (const model of models) {
    const path = `${prefix}${String(model.name)}`;
    if (isObject(model.test_param)) Object.assign(state, conditionalState(model, model.test_param, path));
    else if (model.type === 'repeat') {
      for (const [index, instance] of listOf(model.cache).entries()) {
        Object.assign(state, stateInputs(listOf(instance) as JsonObject[], `${path}_${index}|`));
      }
    } else if (model.type === 'section')
      Object.assign(state, stateInputs(listOf(model.inputs) as JsonObject[], `${path}|`));
    else state[path] = model.value ?? null;
  }
  return state;
}

function conditionalState(model: JsonObject, test: JsonObject, path: string): StateInputs {
  const state = stateInputs([test], `${path}|`);
  const said = test.value;
  const texts = [String(said ?? '')];
  if (said === true) texts.push(String(test.truevalue ?? ''));
  if (said === false) texts.push(String(test.falsevalue ?? ''));
  const chosen = listOf(model.cases).find((one) => isObject(one) && texts.includes(String(one.value)));
  if (isObject(chosen)) Object.assign(state, stateInputs(listOf(chosen.inputs) as JsonObject[], `${path}|`));
  return state;
}

function listOf(value: JsonValue | undefined): JsonValue[] {
  return Array.isArray(value) ? value : [];
}
