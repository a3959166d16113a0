/**
 * Options of a process: one YAML file, the environment over it, flags over both. Each option is declared once, with its
 * schema, default and documentation; what is not declared is refused by name, because a misspelt limit is no limit.
 */
import { readFileSync, statSync } from 'node:fs';
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { defineErrors } from './errors.js';
import { check, sentenceOf } from './schema-words.js';

export const configErrors = defineErrors('config', {
  unreadable: {
    kind: 'bad-request',
    say: 'The configuration file {file} cannot be read: {reason}.',
    mend: 'Check the path and its permissions, or run `init` to write a new one.',
  },
  'not-yaml': {
    kind: 'bad-request',
    say: '{file} is not valid YAML: {reason}.',
    mend: 'Mend the line named; `config show` prints every option with its documentation.',
  },
  'unknown-option': {
    kind: 'bad-request',
    say: 'Unknown option "{option}" in {source}.{hint}',
    mend: '`config show` lists every option.',
  },
  twice: {
    kind: 'bad-request',
    say: 'Option "{option}" stands twice in {file}, nested and dotted.',
    mend: 'Remove one of the two.',
  },
  'bad-value': {
    kind: 'bad-request',
    say: 'Option "{option}" in {source}: {reason}.',
    mend: '`config show` says what it takes.',
  },
});

export interface OptionSpec<S extends z.ZodType = z.ZodType> {
  schema: S;
  default: z.output<S>;
  /** One or two plain sentences, shown by `config show` and written into a new configuration file. */
  doc: string;
  /** Never shown by `config show`, never taken from the command line. */
  secret?: boolean;
}

export type OptionSpecs = Record<string, OptionSpec>;

export type OptionValues<T extends OptionSpecs> = { -readonly [K in keyof T]: z.output<T[K]['schema']> };

export function option<S extends z.ZodType>(
  schema: S,
  value: z.output<S>,
  doc: string,
  extra: { secret?: boolean } = {},
): OptionSpec<S> {
  return { schema, default: value, doc, ...extra };
}

export interface ConfigSources {
  file?: string;
  environment: Record<string, string | undefined>;
  environmentPrefix: string;
  /** Dotted option → value, from the command line. */
  flags: Record<string, unknown>;
}

/** Merges the sources and checks every value. The first thing wrong is thrown, with its source and option. */
export function loadConfig<T extends OptionSpecs>(specs: T, sources: ConfigSources): OptionValues<T> {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(specs)) values[name] = structuredClone(spec.default);
  const take = (name: string, raw: unknown, source: string) => {
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (spec === undefined) {
      const near = nearest(name, Object.keys(specs));
      throw configErrors('unknown-option', { option: name, source, hint: near ? ` Did you mean "${near}"?` : '' });
    }
    const { data, problem } = check(spec.schema, raw);
    if (problem !== undefined) {
      throw configErrors('bad-value', { option: name, source, reason: sentenceOf(problem, '').trim() });
    }
    values[name] = data;
  };
  if (sources.file !== undefined) {
    for (const [name, raw] of readYaml(sources.file, specs)) take(name, raw, sources.file);
  }
  for (const [variable, text] of Object.entries(sources.environment)) {
    if (!variable.startsWith(sources.environmentPrefix) || text === undefined) continue;
    const name = Object.keys(specs).find((known) => environmentName(sources.environmentPrefix, known) === variable);
    if (name === undefined)
      throw configErrors('unknown-option', { option: variable, source: 'the environment', hint: '' });
    take(name, fromText(specs[name] as OptionSpec, text), `the environment variable ${variable}`);
  }
  for (const [name, raw] of Object.entries(sources.flags)) {
    if (raw !== undefined) take(name, raw, 'the command line');
  }
  return values as OptionValues<T>;
}

/** `jobs.slots` → `GALAXY_NODE_JOBS_SLOTS`; `masterApiKey` → `GALAXY_NODE_MASTER_API_KEY`. */
export function environmentName(prefix: string, name: string): string {
  return (
    prefix +
    name
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
      .replace(/\./g, '_')
      .toUpperCase()
  );
}

/** A text from the environment or a flag, as the option's type: YAML's own reading, unless the option is a text. */
export function fromText(spec: OptionSpec, text: string): unknown {
  if (spec.schema.safeParse(text).success) return text;
  const document = parseDocument(text);
  // The schema says best what it wants; half of a broken text must not pass for the whole.
  if (document.errors.length > 0) return text;
  const value: unknown = document.toJS();
  // Neither fits: what is said of a text is clearer than that it is a number.
  return typeof spec.default === 'string' && !spec.schema.safeParse(value).success ? text : value;
}

/** The configuration as a commented YAML file. Secrets are shown as set or not. */
export function renderConfig<T extends OptionSpecs>(specs: T, values: OptionValues<T>, showSecrets = false): string {
  const lines: string[] = [];
  for (const [name, spec] of Object.entries(specs)) {
    const value = values[name];
    for (const line of spec.doc.split('\n')) lines.push(`# ${line}`);
    const hidden = spec.secret && !showSecrets && value !== null;
    lines.push(hidden ? `# ${name}: (set, not shown)` : `${name}: ${JSON.stringify(value)}`, '');
  }
  return lines.join('\n');
}

/**
 * The file's text with one option set, everything else (comments too) as it was. The value is checked first.
 * Errors: as `loadConfig`.
 */
export function setInConfig<T extends OptionSpecs>(specs: T, text: string, name: string, value: unknown): string {
  loadConfig(specs, { environment: {}, environmentPrefix: '-', flags: { [name]: value } });
  const document = parseDocument(text);
  const nested = name.split('.');
  // Where the option stands already, in either spelling; else as one dotted line.
  const path = !document.has(name) && nested.length > 1 && document.hasIn(nested) ? nested : [name];
  // An empty document has no map to set anything in; its comments stay.
  if (document.contents === null) (document as { contents: unknown }).contents = document.createNode({});
  document.setIn(path, value);
  return document.toString({ lineWidth: 0 });
}

/** Nested or dotted keys alike: `jobs: {slots: 4}` is `jobs.slots: 4`. */
function readYaml(file: string, specs: OptionSpecs): [string, unknown][] {
  let text: string;
  try {
    if (statSync(file).size > 1_000_000) throw new Error('it is larger than 1 MB');
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw configErrors('unreadable', { file, reason: (error as Error).message }, { cause: error });
  }
  const document = parseDocument(text, { prettyErrors: true });
  const problem = document.errors[0];
  if (problem) throw configErrors('not-yaml', { file, reason: problem.message.split('\n')[0] });
  const root: unknown = document.toJS();
  if (root === null || root === undefined) return [];
  if (typeof root !== 'object' || Array.isArray(root)) {
    throw configErrors('not-yaml', { file, reason: 'it must be a list of `option: value`' });
  }
  const found = new Map<string, unknown>();
  const walk = (prefix: string, node: Record<string, unknown>) => {
    for (const [key, value] of Object.entries(node)) {
      const name = prefix + key;
      const isGroup = Object.keys(specs).some((known) => known.startsWith(`${name}.`));
      if (
        !Object.hasOwn(specs, name) &&
        isGroup &&
        typeof value === 'object' &&
        value !== null &&
        !Array.isArray(value)
      ) {
        walk(`${name}.`, value as Record<string, unknown>);
      } else if (found.has(name)) {
        throw configErrors('twice', { option: name, file });
      } else found.set(name, value);
    }
  };
  walk('', root as Record<string, unknown>);
  return [...found];
}

function nearest(name: string, known: readonly string[]): string | undefined {
  const scored = known.map((candidate) => ({
    candidate,
    distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
  }));
  scored.sort((a, b) => a.distance - b.distance);
  const best = scored[0];
  return best && best.distance <= Math.max(2, name.length / 4) ? best.candidate : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1);
    }
    row = next;
  }
  return row[b.length] as number;
}
