/**
 * A parameter as Galaxy's client and BioBlend read it (`model_class`, `value`, `options`, …). Used by the form, which
 * has a history to choose from, and by the description, which has none.
 */
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import type { Datatypes } from '../../datasets/datatypes.js';
import type { LoadedParameter } from '../loaded.js';
import type { ToolCollection, ToolContext, ToolDataset } from '../tool.js';
import { collectionChoice, datasetChoice, fittingCollections, fittingDatasets } from './data-model.js';
import { isObject, type Reference, readReferences } from './data-reference.js';
import { wrongWith } from './dataset-check.js';
import type { OptionSource } from './dynamic-options.js';
import { collectionOf } from './map-over.js';
import { columnsModel, selectOptions, treeModel } from './option-model.js';
import { checkValue, defaultValue } from './parameter-value.js';
import { chosenCase, type Given, givenOf, inside, lookUp, repeatsIn } from './parameters.js';
import { Scope } from './scope.js';

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
  drill_down: 'DrillDownSelectToolParameter',
  group_tag: 'SelectTagParameter',
};

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
  private readonly collections: ToolCollection[];
  private readonly scope = new Scope();
  private decisive: ReadonlySet<string> | undefined;

  constructor(private readonly deps: ModelDeps) {
    this.choices = (deps.context?.choices() ?? []).filter(({ content }) => content?.state !== 'error');
    this.collections = deps.context?.collections?.() ?? [];
  }

  group(parameters: readonly LoadedParameter[], given: Given, prefix = ''): JsonObject[] {
    this.decisive ??= namesAsked(parameters);
    const state: JsonObject = {};
    this.scope.enter(state, (name) => lookUp(given, name));
    const models = parameters.map((parameter) => this.one(parameter, given, prefix, state));
    this.scope.leave();
    return models;
  }

  private one(parameter: LoadedParameter, given: Given, prefix: string, group: JsonObject): JsonObject {
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
        return { ...base, ...this.conditional(parameter, inside(given, name, lookUp(given, name)), path) };
      case 'section':
        return {
          ...base,
          title: parameter.label,
          expanded: parameter.attributes.expanded?.toLowerCase() === 'true',
          inputs: this.group(parameter.inputs ?? [], inside(given, name, lookUp(given, name)), `${path}|`),
        };
      case 'repeat':
        return { ...base, ...this.repeat(parameter, given, path) };
      default: {
        const said = lookUp(given, name);
        const { state, model } = this.simple(parameter, said, path);
        group[name] = state;
        return { ...base, ...model };
      }
    }
  }

  private conditional(parameter: LoadedParameter, given: Given, path: string): JsonObject {
    const { test, cases = [] } = parameter;
    if (!test) return {};
    const state: JsonObject = {};
    this.scope.enter(state);
    const testModel = this.one(test, given, `${path}|`, state);
    const current = chosenCase(parameter, state[test.name] ?? null);
    const models = cases.map(({ value, inputs }, index) => ({
      model_class: 'ConditionalWhen',
      value,
      // Only the chosen case holds what the user said, and only its mistakes count.
      inputs: index === current ? this.group(inputs, given, `${path}|`) : this.blank(inputs, `${path}|`),
    }));
    this.scope.leave();
    return { test_param: { ...testModel, refresh_on_change: true }, cases: models };
  }

  private repeat(parameter: LoadedParameter, given: Given, path: string): JsonObject {
    const { min = 0, max, inputs = [], name } = parameter;
    const fallback = Math.max(min, Number(parameter.attributes.default ?? 0) || 0);
    const blank = (index: number): Given => inside(given, `${name}_${index}`, undefined);
    const instances = repeatsIn(given, name) ?? Array.from({ length: fallback }, (_, index) => blank(index));
    return {
      title: parameter.label,
      min,
      max: max ?? null,
      default: fallback,
      inputs: this.blank(inputs, `${path}_0|`),
      cache: instances.map((instance, index) => this.group(inputs, instance, `${path}_${index}|`)),
    };
  }

  /** Parameters as nobody has filled them in: what is wrong with their defaults is not the user's mistake. */
  private blank(parameters: readonly LoadedParameter[], prefix: string): JsonObject[] {
    const before = { ...this.errors };
    const models = this.group(parameters, givenOf({}), prefix);
    for (const path of Object.keys(this.errors)) if (!Object.hasOwn(before, path)) delete this.errors[path];
    Object.assign(this.errors, before);
    return models;
  }

  private simple(
    parameter: LoadedParameter,
    said: JsonValue | undefined,
    path: string,
  ): { state: JsonValue; model: JsonObject } {
    const source: OptionSource = { context: this.deps.context, scope: this.scope };
    const common: JsonObject = {
      argument: parameter.attributes.argument ?? null,
      label: parameter.label,
      help_format: 'html',
      refresh_on_change:
        parameter.attributes.refresh_on_change?.toLowerCase() === 'true' ||
        (this.decisive?.has(parameter.name) ?? false),
      optional: parameter.optional,
      hidden: ['hidden', 'hidden_data', 'baseurl'].includes(parameter.type),
      is_dynamic: parameter.dynamic !== undefined || ASKING.has(parameter.type),
    };
    if (parameter.type === 'data' || parameter.type === 'hidden_data' || parameter.type === 'data_collection') {
      return this.data(parameter, said, path, common, source);
    }
    const checked = said === undefined ? undefined : checkValue(parameter, said, source);
    if (checked && 'wrong' in checked) this.errors[path] = checked.wrong;
    const fallback = defaultValue(parameter, source) ?? null;
    const value = checked && 'value' in checked ? checked.value : checked ? (said ?? null) : fallback;
    const shown = this.typed(parameter, value, path, source);
    const held = shown.value ?? value;
    return {
      state: held,
      model: { ...common, value: formValue(parameter, value), default_value: formValue(parameter, fallback), ...shown },
    };
  }

  /** What only this type shows. */
  private typed(parameter: LoadedParameter, value: JsonValue, path: string, source: OptionSource): JsonObject {
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
      case 'select':
      case 'group_tag':
      case 'genomebuild': {
        const { model, missing } = selectOptions(parameter, value, source);
        if (missing !== undefined && !parameter.optional) this.errors[path] ??= missing;
        return model;
      }
      case 'drill_down':
        return treeModel(parameter);
      case 'data_column':
        return columnsModel(parameter, value, source);
      default:
        return {};
    }
  }

  private data(
    parameter: LoadedParameter,
    said: JsonValue | undefined,
    path: string,
    common: JsonObject,
    source: OptionSource,
  ): { state: JsonValue; model: JsonObject } {
    const formats = parameter.formats ?? ['data'];
    const isCollection = parameter.type === 'data_collection';
    const { datatypes } = this.deps;
    const datasets = isCollection ? [] : fittingDatasets(parameter, this.choices, datatypes, source).map(datasetChoice);
    const collections = fittingCollections(parameter, this.collections, datatypes);
    const offered = collections.map(({ collection, mapOver }) => collectionChoice(collection, mapOver));
    const [first] = isCollection ? [offered.find((one) => one.map_over_type === null) ?? offered[0]] : datasets;
    const values = this.chosen(parameter, said, path) ?? (parameter.optional || !first ? [] : [first]);
    const batch = batchKeys(said);
    const value: JsonValue = values.length > 0 ? { ...batch, values } : null;
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
        options: { hda: datasets, hdca: offered, dce: dceAmong(values), ldda: [] },
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
    const values = read.references
      .map((reference) => this.choice(parameter, reference, path))
      .filter((choice) => choice !== undefined);
    return values.length > 0 || parameter.optional ? values : undefined;
  }

  private choice(parameter: LoadedParameter, reference: Reference, path: string): JsonObject | undefined {
    const { context } = this.deps;
    const dataset = reference.src === 'hda' ? context?.dataset(reference.id) : undefined;
    if (dataset && context) {
      const wrong = wrongWith(dataset, parameter, context);
      if (wrong !== undefined) this.errors[path] = wrong;
      return datasetChoice(dataset);
    }
    const { src, id, mapOver = null } = reference;
    if (src === 'hda' || !context) return this.gone(path);
    const element = src === 'dce' ? context.element?.(id) : undefined;
    if (element && 'dataset' in element) {
      return { ...datasetChoice(element.dataset), id, name: element.identifier, src, map_over_type: mapOver };
    }
    const collection = collectionOf(reference, context);
    if (!collection) return this.gone(path);
    return { ...collectionChoice({ ...collection, id }, mapOver, src), keep: true };
  }

  private gone(path: string): undefined {
    this.errors[path] = 'What was chosen is not here any more.';
    return undefined;
  }

  private edam(formats: readonly string[]): JsonObject {
    const types = formats.map((format) => this.deps.datatypes.get(format));
    return {
      edam_formats: types.map((type) => type?.edamFormat ?? null),
      edam_data: types.map((type) => type?.edamData ?? null),
    };
  }
}

/** Their choices follow from other parameters. */
const ASKING: ReadonlySet<string> = new Set(['data_column', 'group_tag']);

/** Names of the parameters that others ask: when they change, the form has to be made again. */
function namesAsked(parameters: readonly LoadedParameter[]): Set<string> {
  const names = new Set<string>();
  const note = (reference: string | undefined) => {
    const name = reference?.split('|').at(-1);
    if (name) names.add(name);
  };
  for (const { attributes, dynamic, inputs = [], cases = [], test } of parameters) {
    note(attributes.data_ref);
    for (const reference of dynamic?.depends ?? []) note(reference);
    const inner = [...inputs, ...(test ? [test] : []), ...cases.flatMap((one) => one.inputs)];
    for (const name of namesAsked(inner)) names.add(name);
  }
  return names;
}

/** That a value is to be run over one by one stays with it. */
function batchKeys(said: JsonValue | undefined): JsonObject {
  if (!isObject(said) || said.batch !== true) return {};
  return { batch: true, product: said.product === true };
}

function dceAmong(values: readonly JsonObject[]): JsonObject[] {
  return values.filter(({ src }) => src === 'dce');
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
