/**
 * A test's inputs → the nested state that a request would carry, with the files it needs named. Pure. Names are looked
 * up as Galaxy does: `a|b|c` first, then with fewer groups in front (`b|c`, `c`), so that old tests, which name a nested
 * parameter alone, work. Of several inputs with one name the last counts, and each counts once: two parameters `c` in
 * two groups do not share one value, and a bare name that is there twice fills two instances of a repeat.
 */
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';
import type { LoadedParameter } from '../toolbox/loaded.js';
import type { TestCollection, TestInput } from '../toolbox/wrapper/test-case.js';

/** A dataset that must be there before the tool runs. */
export interface WantedFile {
  /** Relative to test-data. */
  file: string;
  name: string;
  ftype: string | undefined;
  dbkey: string | undefined;
  location: string | undefined;
  tags: string[];
  metadata: Record<string, string>;
  edits: { type: string; value: string }[];
}

export interface WantedCollection {
  type: string;
  name: string;
  elements: { identifier: string; file?: WantedFile; collection?: WantedCollection }[];
}

/** The state with placeholders: `{__file: 0}` stands for the first of `files`. */
export interface PlannedInputs {
  state: JsonObject;
  files: WantedFile[];
  collections: WantedCollection[];
  /** What makes the test impossible here, in a sentence. */
  notRun: string[];
  /** Inputs that name no parameter. */
  unknown: string[];
}

const FILE = '__test_file';
const COLLECTION = '__test_collection';
const DATA = new Set(['data', 'hidden_data']);
/** More than a node takes. */
const INSTANCES_MAX = 1001;

export function planInputs(parameters: readonly LoadedParameter[], inputs: readonly TestInput[]): PlannedInputs {
  const planner = new Planner(inputs);
  const state = planner.group(parameters, []);
  return {
    state,
    files: planner.files,
    collections: planner.collections,
    notRun: planner.notRun,
    unknown: unknownOf(inputs, planner.used),
  };
}

/** One that a later one of its name replaces is known all the same. */
function unknownOf(inputs: readonly TestInput[], used: ReadonlySet<TestInput>): string[] {
  const known = new Set([...used].map(({ path }) => path));
  return inputs.filter(({ path }) => !known.has(path)).map(({ path }) => path);
}

/** Puts what was uploaded into the state. */
export function settle(
  value: JsonValue,
  placed: { file(index: number): JsonValue; collection(index: number): JsonValue },
): JsonValue {
  if (Array.isArray(value)) return value.map((item) => settle(item, placed));
  if (typeof value !== 'object' || value === null) return value;
  const { [FILE]: file, [COLLECTION]: collection } = value;
  if (typeof file === 'number') return placed.file(file);
  if (typeof collection === 'number') return placed.collection(collection);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, settle(inner, placed)]));
}

class Planner {
  readonly files: WantedFile[] = [];
  readonly collections: WantedCollection[] = [];
  readonly notRun: string[] = [];
  readonly used = new Set<TestInput>();

  constructor(private readonly inputs: readonly TestInput[]) {}

  group(parameters: readonly LoadedParameter[], path: readonly string[]): JsonObject {
    const state: JsonObject = {};
    for (const parameter of parameters) {
      const value = this.one(parameter, [...path, parameter.name]);
      if (value !== undefined) state[parameter.name] = value;
    }
    return state;
  }

  private one(parameter: LoadedParameter, path: readonly string[]): JsonValue | undefined {
    switch (parameter.type) {
      case 'section':
        return this.group(parameter.inputs ?? [], path);
      case 'conditional':
        return this.conditional(parameter, path);
      case 'repeat':
        return this.repeat(parameter, path);
      default: {
        const input = this.take(path);
        return input && this.value(parameter, input);
      }
    }
  }

  private conditional(parameter: LoadedParameter, path: readonly string[]): JsonValue {
    const { test, cases = [] } = parameter;
    if (!test) return {};
    const said = this.one(test, [...path, test.name]);
    const chosen = said === undefined ? defaultCase(test) : caseTexts(test, said);
    const found = cases.find(({ value }) => chosen.includes(value)) ?? this.caseOf(parameter, path, said);
    const state: JsonObject = {};
    if (said !== undefined) state[test.name] = said;
    else if (found && !chosen.includes(found.value)) state[test.name] = found.value;
    return { ...state, ...this.group(found?.inputs ?? [], path) };
  }

  /** Nothing was said of the choice, and its default is not known: the case that has what the test names. */
  private caseOf(parameter: LoadedParameter, path: readonly string[], said: JsonValue | undefined) {
    if (said !== undefined) return undefined;
    const prefix = `${path.join('|')}|`;
    const named = this.inputs.filter((input) => input.path.startsWith(prefix));
    return parameter.cases?.find(({ inputs }) =>
      named.some((input) => inputs.some(({ name }) => input.path.slice(prefix.length).split('|')[0] === name)),
    );
  }

  /** As many instances as something is said of. */
  private repeat(parameter: LoadedParameter, path: readonly string[]): JsonValue | undefined {
    const head = path.slice(0, -1);
    const name = path.at(-1) as string;
    const instances: JsonObject[] = [];
    while (instances.length < INSTANCES_MAX) {
      const before = this.used.size;
      const state = this.group(parameter.inputs ?? [], [...head, `${name}_${instances.length}`]);
      if (this.used.size === before) break;
      instances.push(state);
    }
    return instances.length > 0 ? instances : undefined;
  }

  private take(path: readonly string[]): TestInput | undefined {
    for (const name of suffixes(path)) {
      const found = this.inputs.findLast((input) => input.path === name && !this.used.has(input));
      if (!found) continue;
      this.used.add(found);
      return found;
    }
    return undefined;
  }

  private value(parameter: LoadedParameter, input: TestInput): JsonValue {
    if (input.json !== undefined) return input.json;
    if (input.collection) return this.collection(input.collection);
    if (DATA.has(parameter.type)) return this.data(parameter, input);
    if (parameter.type === 'data_collection') {
      return input.value === undefined || input.value === '' ? null : this.refuse('a collection named by a value');
    }
    if (input.values) return input.values;
    const value = input.value ?? '';
    switch (parameter.type) {
      case 'boolean':
        return booleanOf(parameter, value);
      case 'select':
        return choiceOf(parameter, input.value);
      case 'data_column':
        if (parameter.multiple) return value === '' ? [] : value.split(',').map((one) => one.trim());
        return value;
      default:
        return value;
    }
  }

  private data(parameter: LoadedParameter, input: TestInput): JsonValue {
    if (input.attributes.class === 'Directory') return this.refuse('a directory as input');
    if (input.compositeData.length > 0) return this.refuse('a composite dataset as input');
    const name = input.value ?? input.location?.split('/').at(-1) ?? '';
    if (name === '') return parameter.multiple ? [] : null;
    const names = parameter.multiple ? name.split(',').map((one) => one.trim()) : [name];
    const references = names.filter((one) => one !== '').map((file) => ({ [FILE]: this.file(input, file) }));
    return parameter.multiple ? references : (references[0] ?? null);
  }

  private collection(given: TestCollection): JsonValue {
    this.collections.push(this.wanted(given));
    return { [COLLECTION]: this.collections.length - 1 };
  }

  private wanted({ type, name, elements }: TestCollection): WantedCollection {
    return {
      type,
      name,
      elements: elements.map(({ identifier, input, collection }) => {
        if (collection) return { identifier, collection: this.wanted(collection) };
        const file = input?.value ?? input?.location?.split('/').at(-1) ?? '';
        if (!input || file === '') this.notRun.push(`the element ${identifier} names no file`);
        return input ? { identifier, file: wantedFile(input, file) } : { identifier };
      }),
    };
  }

  private file(input: TestInput, file: string): number {
    this.files.push(wantedFile(input, file));
    return this.files.length - 1;
  }

  private refuse(what: string): null {
    this.notRun.push(`it needs ${what}`);
    return null;
  }
}

function wantedFile({ ftype, dbkey, location, attributes, metadata, edits }: TestInput, file: string): WantedFile {
  const tags = (attributes.tags ?? '').split(',').filter((tag) => tag.trim() !== '');
  const named = edits.find(({ type }) => type === 'name')?.value;
  const name = attributes.name ?? named ?? file.split('/').at(-1) ?? file;
  return { file, name, ftype, dbkey, location, tags, metadata, edits };
}

/** `a|b|c`, `b|c`, `c`. */
function suffixes(path: readonly string[]): string[] {
  return path.map((_, index) => path.slice(index).join('|'));
}

function booleanOf(parameter: LoadedParameter, value: string): JsonValue {
  const { truevalue, falsevalue } = parameter.attributes;
  // Older tests say what the template gets.
  if (truevalue !== undefined && value === truevalue && value !== falsevalue) return true;
  if (falsevalue !== undefined && value === falsevalue && value !== truevalue) return false;
  return ['true', 'yes', 'on', '1', 'checked'].includes(value.trim().toLowerCase());
}

/** By value, or by what people read. */
function choiceOf({ options = [], multiple }: LoadedParameter, given: string | undefined): JsonValue {
  const known = (text: string) =>
    options.some(({ value }) => value === text) ? text : (options.find(({ label }) => label === text)?.value ?? text);
  if (!multiple) return given === undefined ? null : known(given);
  if (given === undefined || given === '') return [];
  if (options.some(({ value }) => value === given)) return [given];
  return given.split(',').map((one) => known(one.trim()));
}

function caseTexts(test: LoadedParameter, said: JsonValue): string[] {
  const { truevalue = 'true', falsevalue = 'false' } = test.attributes;
  if (said === true) return ['true', truevalue];
  if (said === false) return ['false', falsevalue];
  return [String(said ?? '')];
}

function defaultCase(test: LoadedParameter): string[] {
  if (test.type === 'boolean') return caseTexts(test, test.value === true || test.value === 'true');
  const options = test.options ?? [];
  const chosen = options.filter(({ selected }) => selected).at(-1) ?? options[0];
  return chosen ? [chosen.value] : [];
}
