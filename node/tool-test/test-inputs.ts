/**
 * A test's inputs → the nested state that a request would carry, with the files it needs named. Pure. Names are looked
 * up as Galaxy does: `a|b|c` first, then with fewer groups in front (`b|c`, `c`), so that old tests, which name a nested
 * parameter alone, work.
 */
import type { JsonObject, JsonValue } from '../../protocol/log/entry.js';
import type { LoadedParameter } from '../toolbox/loaded.js';
import type { TestCollection, TestInput } from '../toolbox/test-case.js';

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

export function planInputs(parameters: readonly LoadedParameter[], inputs: readonly TestInput[]): PlannedInputs {
  const planner = new Planner(inputs);
  const state = planner.group(parameters, [], false);
  return {
    state,
    files: planner.files,
    collections: planner.collections,
    notRun: planner.notRun,
    unknown: inputs.filter((input) => !planner.used.has(input)).map(({ path }) => path),
  };
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

  /** `own`: inside a repeat instance other than the first, where a bare name would mean the first one's. */
  group(parameters: readonly LoadedParameter[], path: readonly string[], own: boolean): JsonObject {
    const state: JsonObject = {};
    for (const parameter of parameters) {
      const value = this.one(parameter, [...path, parameter.name], own);
      if (value !== undefined) state[parameter.name] = value;
    }
    return state;
  }

  private one(parameter: LoadedParameter, path: readonly string[], own: boolean): JsonValue | undefined {
    switch (parameter.type) {
      case 'section':
        return this.group(parameter.inputs ?? [], path, own);
      case 'conditional':
        return this.conditional(parameter, path, own);
      case 'repeat':
        return this.repeat(parameter, path);
      default: {
        const input = this.find(path, own);
        if (!input) return undefined;
        this.used.add(input);
        return this.value(parameter, input);
      }
    }
  }

  private conditional(parameter: LoadedParameter, path: readonly string[], own: boolean): JsonValue {
    const { test, cases = [] } = parameter;
    if (!test) return {};
    const said = this.one(test, [...path, test.name], own);
    const chosen = said === undefined ? defaultCase(test) : caseTexts(test, said);
    const found = cases.find(({ value }) => chosen.includes(value)) ?? this.caseOf(parameter, path, said);
    const state: JsonObject = {};
    if (said !== undefined) state[test.name] = said;
    else if (found && !chosen.includes(found.value)) state[test.name] = found.value;
    return { ...state, ...this.group(found?.inputs ?? [], path, own) };
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

  private repeat(parameter: LoadedParameter, path: readonly string[]): JsonValue | undefined {
    const inner = parameter.inputs ?? [];
    let count = 0;
    for (const from of suffixes(path)) {
      const start = `${from}_`;
      for (const input of this.inputs) {
        if (!input.path.startsWith(start)) continue;
        const index = /^(\d+)\|/.exec(input.path.slice(start.length))?.[1];
        if (index !== undefined) count = Math.max(count, Number(index) + 1);
      }
      if (count > 0) break;
    }
    // Old tests: the same bare name so often as there are instances.
    const bare = count === 0 ? Math.max(0, ...inner.map(({ name }) => this.bare(name).length)) : 0;
    const instances = Math.max(count, bare);
    if (instances === 0) return undefined;
    const head = path.slice(0, -1);
    const name = path.at(-1) as string;
    return Array.from({ length: instances }, (_, index) =>
      bare > 0 && index > 0
        ? this.bareInstance(inner, index)
        : this.group(inner, [...head, `${name}_${index}`], index > 0),
    );
  }

  private bareInstance(inner: readonly LoadedParameter[], index: number): JsonObject {
    const state: JsonObject = {};
    for (const parameter of inner) {
      const input = this.bare(parameter.name)[index];
      if (!input) continue;
      this.used.add(input);
      state[parameter.name] = this.value(parameter, input);
    }
    return state;
  }

  private bare(name: string): TestInput[] {
    return this.inputs.filter(({ path }) => path === name);
  }

  private find(path: readonly string[], own: boolean): TestInput | undefined {
    for (const name of suffixes(path)) {
      if (own && !/_\d+\|/.test(name)) return undefined;
      const found = this.inputs.find((input) => input.path === name);
      if (found) return found;
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
