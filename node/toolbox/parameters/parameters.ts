/**
 * A request's inputs → one complete state per job. Both of Galaxy's forms are read: flat (`queries_0|input2`) and
 * nested, mixed as clients mix them. Batches (and collections given to a parameter that takes one dataset) are axes:
 * linked ones advance together, the others multiply.
 */
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import type { Effort } from '../cheetah/pattern.js';
import type { LoadedParameter } from '../loaded.js';
import type { ExpandedJob, Expansion, ToolContext } from '../tool.js';
import { isObject, parseJson, type Reference, readReferences, referenceState } from './data-reference.js';
import { type Dataset, wrongWith } from './dataset-check.js';
import { type Axis, axisOf, collectionOf, combine } from './map-over.js';
import { checkValue, shown } from './parameter-value.js';
import { datasetsIn, requestEffort, Scope } from './scope.js';

export { JOBS_MAX } from './map-over.js';

const REPEATS_MAX = 1000;
/**
 * Values of all jobs of one request together: each is looked up, checked and kept. As many jobs as may be started of a
 * tool with 250 parameters, which is more than any wrapper has, take some tenths of a second.
 */
const VALUES_MAX = 250_000;

/** Where a group's values may be found: nested in an object, or flat under a prefix. */
export interface Given {
  nested: JsonObject | undefined;
  flat: JsonObject;
  /** Prefixes that a flat key begins with: `queries_0|`. */
  groups: ReadonlySet<string>;
  prefix: string;
}

const DEPTH_MAX = 100;

/** A request's inputs, with what its flat keys name found once. */
export function givenOf(inputs: JsonObject): Given {
  const groups = new Set<string>();
  for (const key of Object.keys(inputs)) {
    let depth = 0;
    for (let at = key.indexOf('|'); at >= 0 && depth < DEPTH_MAX; at = key.indexOf('|', at + 1)) {
      groups.add(key.slice(0, at + 1));
      depth += 1;
    }
  }
  return { nested: undefined, flat: inputs, groups, prefix: '' };
}

/** What was said of `name`, in either form; undefined when nothing was. */
export function lookUp(given: Given, name: string): JsonValue | undefined {
  if (given.nested && Object.hasOwn(given.nested, name)) return given.nested[name];
  const key = given.prefix + name;
  return Object.hasOwn(given.flat, key) ? given.flat[key] : undefined;
}

/** The values of a conditional, section or one repeat instance inside `given`. */
export function inside(given: Given, name: string, raw: JsonValue | undefined): Given {
  const nested = typeof raw === 'string' ? parseJson(raw) : raw;
  return {
    nested: isObject(nested) ? nested : undefined,
    flat: given.flat,
    groups: given.groups,
    prefix: `${given.prefix}${name}|`,
  };
}

/** Nested instances of a repeat, or how many the flat form names. */
export function repeatsIn(given: Given, name: string): Given[] | undefined {
  const found = lookUp(given, name);
  const raw = typeof found === 'string' ? parseJson(found) : found;
  if (Array.isArray(raw)) {
    return raw.slice(0, REPEATS_MAX + 1).map((item, index) => inside(given, `${name}_${index}`, item));
  }
  const instances: Given[] = [];
  while (instances.length <= REPEATS_MAX) {
    const instance = `${name}_${instances.length}`;
    if (!given.groups.has(`${given.prefix}${instance}|`)) break;
    instances.push(inside(given, instance, undefined));
  }
  return instances.length > 0 ? instances : undefined;
}

/** The case that a conditional's test chooses; undefined when no `<when>` fits. */
export function chosenCase(conditional: LoadedParameter, value: JsonValue): number | undefined {
  const test = conditional.test;
  const texts = [value === null ? '' : String(value)];
  if (test?.type === 'boolean')
    texts.push((value === true ? test.attributes.truevalue : test.attributes.falsevalue) ?? '');
  const index = (conditional.cases ?? []).findIndex((one) => texts.includes(one.value));
  return index < 0 ? undefined : index;
}

export function expand(parameters: readonly LoadedParameter[], inputs: JsonObject, context: ToolContext): Expansion {
  const given = givenOf(inputs);
  const effort = requestEffort();
  const axes: Axis[] = [];
  const first = new Resolver(context, effort, (path, parameter, raw) => {
    const axis = axisOf(path, parameter, raw, context);
    if (!axis) return raw;
    axes.push(axis);
    return axis.values[0];
  });
  const state = first.group(parameters, given, '');
  if (first.values > VALUES_MAX) return tooMany(first.last, 1, first.values);
  for (const { path, values } of axes) if (values.length === 0) first.errors[path] = 'Nothing was chosen to run over.';
  if (Object.keys(first.errors).length > 0) return { jobs: [], errors: first.errors };
  if (axes.length === 0) return { jobs: [{ state, inputs: first.inputs }], errors: {} };
  const combined = combine(axes);
  if ('wrong' in combined) return { jobs: [], errors: { [combined.path]: combined.wrong } };
  const { mapOver, chosen } = combined;
  // Known before any of them is made; cases that differ from job to job are counted as they are resolved.
  if (first.values * chosen.length > VALUES_MAX) {
    return tooMany(axes[0]?.path ?? first.last, chosen.length, first.values);
  }
  const expansion = resolveAll(parameters, given, { context, effort }, chosen);
  return mapOver && expansion.jobs.length > 0 ? { ...expansion, mapOver } : expansion;
}

function tooMany(path: string, jobs: number, values: number): Expansion {
  const said = jobs === 1 ? `more than ${VALUES_MAX} values` : `${jobs} jobs of ${values} values each`;
  return {
    jobs: [],
    errors: {
      [path]: `One request may hold at most ${VALUES_MAX} values in all its jobs; this one asks for ${said}. Run it in several smaller requests.`,
    },
  };
}

function resolveAll(
  parameters: readonly LoadedParameter[],
  given: Given,
  { context, effort }: { context: ToolContext; effort: Effort },
  combinations: readonly ReadonlyMap<string, JsonValue>[],
): Expansion {
  const jobs: ExpandedJob[] = [];
  const errors: Record<string, string> = {};
  let values = 0;
  for (const chosen of combinations) {
    const resolver = new Resolver(context, effort, (path, _parameter, raw) =>
      chosen.has(path) ? chosen.get(path) : raw,
    );
    jobs.push({ state: resolver.group(parameters, given, ''), inputs: resolver.inputs });
    Object.assign(errors, resolver.errors);
    values += resolver.values;
    if (values > VALUES_MAX) return tooMany(resolver.last, 1, values);
  }
  return Object.keys(errors).length > 0 ? { jobs: [], errors } : { jobs, errors };
}

type Pick = (path: string, parameter: LoadedParameter, raw: JsonValue | undefined) => JsonValue | undefined;

/** Walks the parameters once, for one job. */
class Resolver {
  readonly errors: Record<string, string> = {};
  readonly inputs: ExpandedJob['inputs'] = {};
  /** How many values were resolved, datasets of one parameter each for itself, and where the last one is. */
  values = 0;
  last = '';
  private readonly scope: Scope;

  constructor(
    private readonly context: ToolContext,
    effort: Effort,
    private readonly pick: Pick,
  ) {
    this.scope = new Scope(effort);
  }

  group(parameters: readonly LoadedParameter[], given: Given, prefix: string): JsonObject {
    const state: JsonObject = {};
    this.scope.enter(state, (name) => lookUp(given, name));
    for (const parameter of parameters) this.one(parameter, given, prefix, state);
    this.scope.leave();
    return state;
  }

  private one(parameter: LoadedParameter, given: Given, prefix: string, state: JsonObject): void {
    const { name } = parameter;
    const path = prefix + name;
    // Nothing of what is beyond the bound is looked at: the request is refused.
    if (this.values > VALUES_MAX) return;
    this.values += 1;
    this.last = path;
    switch (parameter.type) {
      case 'conditional':
        state[name] = this.conditional(parameter, inside(given, name, lookUp(given, name)), path);
        return;
      case 'section':
        state[name] = this.group(parameter.inputs ?? [], inside(given, name, lookUp(given, name)), `${path}|`);
        return;
      case 'repeat':
        state[name] = this.repeat(parameter, given, path);
        return;
      case 'data':
      case 'hidden_data':
      case 'data_collection':
        state[name] = this.data(parameter, this.pick(path, parameter, lookUp(given, name)), path);
        return;
      default:
        state[name] = this.plain(parameter, this.pick(path, parameter, lookUp(given, name)), path);
    }
  }

  private plain(parameter: LoadedParameter, raw: JsonValue | undefined, path: string): JsonValue {
    const checked = checkValue(parameter, raw, { context: this.context, scope: this.scope });
    if ('wrong' in checked) {
      this.errors[path] = checked.wrong;
      return null;
    }
    if (parameter.type === 'data_column') this.checkColumns(parameter, checked.value, path);
    return checked.value;
  }

  private conditional(parameter: LoadedParameter, given: Given, path: string): JsonObject {
    const { test } = parameter;
    if (!test) return {};
    const state: JsonObject = {};
    this.one(test, given, `${path}|`, state);
    const index = chosenCase(parameter, state[test.name] ?? null);
    const chosen = index === undefined ? undefined : parameter.cases?.[index];
    this.scope.enter(state);
    Object.assign(state, this.group(chosen?.inputs ?? [], given, `${path}|`));
    this.scope.leave();
    state.__current_case__ = index ?? null;
    return state;
  }

  private repeat(parameter: LoadedParameter, given: Given, path: string): JsonValue[] {
    const said = repeatsIn(given, parameter.name);
    const { min = 0, max = REPEATS_MAX } = parameter;
    const count = Math.max(min, Number(parameter.attributes.default ?? 0) || 0);
    const instances =
      said ?? Array.from({ length: count }, (_, index) => inside(given, `${parameter.name}_${index}`, undefined));
    if (instances.length < min) this.errors[path] = `At least ${min} are needed; there are ${instances.length}.`;
    else if (instances.length > Math.min(max, REPEATS_MAX)) {
      this.errors[path] = `At most ${Math.min(max, REPEATS_MAX)} are taken.`;
      return [];
    }
    return instances.map((instance, index) => ({
      __index__: index,
      ...this.group(parameter.inputs ?? [], instance, `${path}_${index}|`),
    }));
  }

  private data(parameter: LoadedParameter, raw: JsonValue | undefined, path: string): JsonValue {
    const read = readReferences(raw);
    if ('wrong' in read) return this.fail(path, read.wrong);
    if (read.references.length === 0) {
      if (parameter.optional) return null;
      const what = parameter.type === 'data_collection' ? 'dataset collection' : 'dataset';
      return this.fail(path, `Choose a ${what} for “${parameter.label || parameter.name}”.`);
    }
    if (parameter.type === 'data_collection') return this.collection(parameter, read.references, path);
    const references = parameter.multiple ? read.references.flatMap((one) => this.reduced(one)) : read.references;
    if (!parameter.multiple && references.length > 1) return this.fail(path, 'This takes one dataset.');
    const { min, max } = parameter;
    if (min !== undefined && references.length < min) return this.fail(path, `At least ${min} datasets are needed.`);
    if (max !== undefined && references.length > max) return this.fail(path, `At most ${max} datasets are taken.`);
    this.values += references.length;
    const states: JsonObject[] = [];
    for (const reference of references) {
      const dataset = this.dataset(parameter, reference);
      if ('wrong' in dataset) return this.fail(path, dataset.wrong);
      states.push(referenceState(dataset.reference));
    }
    this.inputs[path] = states.map(({ id }) => ({ kind: 'dataset', id: String(id) }));
    return parameter.multiple ? states : (states[0] ?? null);
  }

  private dataset(parameter: LoadedParameter, given: Reference): Dataset {
    const element = given.src === 'dce' ? this.context.element?.(given.id) : undefined;
    // A place in a collection that holds a dataset stands for it.
    const reference: Reference =
      element && 'dataset' in element
        ? {
            src: 'hda',
            id: element.dataset.record.id,
            elementIdentifier: given.elementIdentifier ?? element.identifier,
          }
        : given;
    if (reference.src !== 'hda') return { wrong: `There is no dataset collection ${shown(reference.id)} here.` };
    const dataset = this.context.dataset(reference.id);
    if (!dataset) return { wrong: `There is no dataset ${shown(reference.id)} here.` };
    const wrong = wrongWith(dataset, parameter, this.context);
    return wrong === undefined ? { reference } : { wrong };
  }

  private fail(path: string, sentence: string): null {
    this.errors[path] = sentence;
    return null;
  }

  /** A collection given to a parameter of many datasets stands for its elements. */
  private reduced(reference: Reference): Reference[] {
    const collection = reference.src === 'hda' ? undefined : collectionOf(reference, this.context);
    if (!collection) return [reference];
    return collection.elements.map(({ identifier, dataset }) => ({
      src: 'hda',
      id: dataset.record.id,
      elementIdentifier: identifier,
    }));
  }

  private collection(parameter: LoadedParameter, references: readonly Reference[], path: string): JsonValue {
    const [only] = references;
    if (!only || references.length > 1) return this.fail(path, 'This takes one dataset collection.');
    const collection = only.src === 'hda' ? undefined : collectionOf(only, this.context);
    if (!collection) return this.fail(path, `There is no dataset collection ${shown(only.id)} here.`);
    const taken = parameter.collectionTypes ?? [];
    const type = collection.collectionType;
    if (taken.length > 0 && !taken.includes(type)) {
      return this.fail(
        path,
        `This takes a collection of the type ${taken.join(' or ')}; ${shown(collection.name)} is a ${type}.`,
      );
    }
    for (const { dataset } of collection.elements) {
      const wrong = wrongWith(dataset, parameter, this.context);
      if (wrong !== undefined) return this.fail(path, wrong);
    }
    this.inputs[path] = [{ kind: 'collection', id: collection.id }];
    return referenceState({ ...only, id: collection.id });
  }

  private checkColumns(parameter: LoadedParameter, value: JsonValue, path: string): void {
    const reference = parameter.attributes.data_ref ?? '';
    for (const dataset of datasetsIn(this.scope.find(reference), this.context)) {
      const columns = dataset.content?.metadata.columns;
      if (typeof columns !== 'number') continue;
      const missing = (Array.isArray(value) ? value : [value]).find((column) => Number(column) > columns);
      if (missing === undefined) continue;
      this.errors[path] = `There is no column ${String(missing)}: dataset ${dataset.hid} has ${columns}.`;
      return;
    }
  }
}
