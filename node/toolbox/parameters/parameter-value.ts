/** One plain (not data) parameter: what a request said → what the state holds, or a sentence that says what is wrong. */

import type { JsonValue } from '../../../protocol/log/entry.js';
import { withoutControlCharacters } from '../../../protocol/runtime/text.js';
import type { LoadedParameter } from '../loaded.js';
import type { ToolDataset, ToolOption, ToolOptionNode } from '../tool.js';
import { choicesOf, type OptionSource } from './dynamic-options.js';
import { datasetsIn, NO_SCOPE } from './scope.js';

export type Checked = { value: JsonValue } | { wrong: string };

const TEXT_CHARS_MAX = 32_768;
const CHOICES_SHOWN_MAX = 10;
const CHOICES_MAX = 20_000;
/** Columns offered. */
const COLUMNS_MAX = 500;
const TRUE = new Set(['true', 'yes', 'on', '1']);
const FALSE = new Set(['false', 'no', 'off', '0', '', 'none']);

/** For who knows of no history and no tables. */
export const NO_SOURCE: OptionSource = { context: undefined, scope: NO_SCOPE };

/** What a parameter holds when nothing is said; undefined when something must be. */
export function defaultValue(parameter: LoadedParameter, source: OptionSource = NO_SOURCE): JsonValue | undefined {
  switch (parameter.type) {
    case 'select':
      return defaultChoice(parameter, choicesOf(parameter, source).options);
    case 'group_tag':
      return defaultChoice(parameter, groupTags(parameter, source));
    case 'drill_down':
      return defaultChoice({ ...parameter, optional: true }, flatTree(parameter.tree ?? [])) ?? noChoice(parameter);
    case 'data_column': {
      if (parameter.value !== undefined)
        return parameter.multiple ? String(parameter.value).split(',') : String(parameter.value);
      if (parameter.optional) return null;
      const first = firstColumn(parameter, source);
      return parameter.multiple ? [first] : first;
    }
    case 'integer':
    case 'float':
      return parameter.value ?? (parameter.optional ? null : undefined);
    case 'genomebuild':
      if (parameter.optional && !parameter.value) return null;
      return parameter.multiple ? [String(parameter.value || '?')] : parameter.value || '?';
    case 'text':
      return parameter.value ?? (parameter.emptyIsNone ? null : '');
    default:
      return parameter.value ?? (parameter.optional ? null : '');
  }
}

/** As in Galaxy: of the dataset that the parameter speaks of, the first that may be chosen. */
function firstColumn({ attributes }: LoadedParameter, { scope, context }: OptionSource): string {
  const [dataset] = datasetsIn(scope.find(attributes.data_ref ?? ''), context);
  const isNumerical = attributes.numerical?.toLowerCase() === 'true';
  return String((dataset ? columnNumbers(dataset, isNumerical)[0] : undefined) ?? 1);
}

export function columnNumbers({ content }: ToolDataset, numerical: boolean): number[] {
  const { columns, column_types: given } = content?.metadata ?? {};
  const count = typeof columns === 'number' ? columns : 0;
  const types = Array.isArray(given) ? given : [];
  return Array.from({ length: Math.min(count, COLUMNS_MAX) }, (_, index) => index + 1).filter(
    (number) => !numerical || types.length === 0 || types[number - 1] === 'int' || types[number - 1] === 'float',
  );
}

function noChoice({ optional }: LoadedParameter): JsonValue | undefined {
  return optional ? null : undefined;
}

function defaultChoice(parameter: LoadedParameter, options: readonly ToolOption[]): JsonValue | undefined {
  const selected = options.filter((option) => option.selected).map(({ value }) => value);
  if (parameter.multiple) return selected.length > 0 ? selected : parameter.optional ? null : [];
  return selected.at(-1) ?? (parameter.optional ? null : options[0]?.value);
}

/** Every choice of a drill_down, parents before their children. */
export function flatTree(tree: readonly ToolOptionNode[]): ToolOption[] {
  return tree.flatMap(({ children, ...option }) => [option, ...flatTree(children)]);
}

/** `group:` tags of the datasets that the parameter speaks of. */
export function groupTags(parameter: LoadedParameter, { context, scope }: OptionSource): ToolOption[] {
  const datasets = datasetsIn(scope.find(parameter.attributes.data_ref ?? ''), context);
  const names = datasets.flatMap(({ record }) =>
    (record.tags ?? []).flatMap((tag) => (tag.startsWith('group:') ? [tag.slice('group:'.length)] : [])),
  );
  return [...new Set(names)].sort().map((name) => ({ value: name, label: name, selected: false }));
}

/** Type and validators. `raw` undefined: the default. */
export function checkValue(
  parameter: LoadedParameter,
  raw: JsonValue | undefined,
  source: OptionSource = NO_SOURCE,
): Checked {
  const given = raw === undefined ? defaultValue(parameter, source) : raw;
  if (given === undefined) return { wrong: missingValue(parameter, source) };
  const typed = checkType(parameter, given, source);
  if ('wrong' in typed) return typed;
  const wrong = refused(parameter, typed.value, source);
  return wrong === undefined ? typed : { wrong };
}

function missingValue(parameter: LoadedParameter, source: OptionSource): string {
  const missing = parameter.type === 'select' ? choicesOf(parameter, source).missing : undefined;
  return `“${parameter.label || parameter.name}” needs a value.${missing ? ` ${missing}` : ''}`;
}

/** What the first validator says that refuses the value, or one of several. */
function refused(parameter: LoadedParameter, value: JsonValue, { context, scope }: OptionSource): string | undefined {
  // Galaxy asks them of a choice that may be none as well: that is what no_options is for.
  if ((value === null || value === '') && parameter.optional && !CHOSEN.has(parameter.type)) return undefined;
  const values = Array.isArray(value) && value.length > 0 ? value : [Array.isArray(value) ? null : value];
  for (const validate of parameter.validators) {
    for (const one of values) {
      const wrong = validate(typeof one === 'object' ? null : one, context, scope.effort);
      if (wrong !== undefined) return wrong;
    }
  }
  return undefined;
}

const CHOSEN: ReadonlySet<string> = new Set(['select', 'drill_down', 'group_tag']);

function checkType(parameter: LoadedParameter, given: JsonValue, source: OptionSource): Checked {
  switch (parameter.type) {
    case 'integer':
    case 'float':
      return checkNumber(parameter, given);
    case 'boolean':
      return checkBoolean(parameter, given);
    case 'select':
      return checkSelect(parameter, given, source);
    case 'group_tag':
      return checkChoice(parameter, given, groupTags(parameter, source));
    case 'drill_down':
      return checkChoice(parameter, given, flatTree(parameter.tree ?? []));
    case 'data_column':
      return checkColumn(parameter, given);
    case 'color':
      if (typeof given === 'string' && /^#[0-9a-fA-F]{6}$/.test(given)) return { value: given };
      if ((given === null || given === '') && parameter.optional) return { value: null };
      return { wrong: `${shown(given)} is not a colour: write it as #rrggbb.` };
    case 'genomebuild':
      return checkBuild(parameter, given);
    default:
      return checkText(parameter, given);
  }
}

function checkBuild(parameter: LoadedParameter, given: JsonValue): Checked {
  const isBuild = (one: JsonValue) => typeof one === 'string' && /^[\w.?+-]{1,255}$/.test(one);
  if (given === null && parameter.optional) return { value: null };
  const values = Array.isArray(given) ? given : [given];
  const wrong = values.find((one) => !isBuild(one));
  if (wrong !== undefined) return { wrong: `${shown(wrong)} is not a genome build.` };
  if (parameter.multiple) return { value: values };
  return values.length === 1 ? { value: values[0] ?? null } : { wrong: 'This takes one genome build.' };
}

function checkText(parameter: LoadedParameter, given: JsonValue): Checked {
  if (given === null) return { value: parameter.optional ? null : '' };
  if (typeof given === 'object') return { wrong: 'A text is needed here.' };
  const text = String(given);
  if (text.length > TEXT_CHARS_MAX) return { wrong: `The text is longer than ${TEXT_CHARS_MAX} characters.` };
  if (text.includes('\u0000')) return { wrong: 'The text holds a NUL character.' };
  return { value: text };
}

function checkNumber(parameter: LoadedParameter, given: JsonValue): Checked {
  const whole = parameter.type === 'integer';
  const text = typeof given === 'number' ? String(given) : typeof given === 'string' ? given.trim() : given;
  if (text === null || text === '') {
    if (parameter.optional) return { value: null };
    return { wrong: `A ${whole ? 'whole ' : ''}number is needed here.` };
  }
  const pattern = whole ? /^[+-]?\d+(?:\.0*)?$/ : /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
  const number = typeof text === 'string' && pattern.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(number) || (whole && !Number.isSafeInteger(number))) {
    return { wrong: `A ${whole ? 'whole ' : ''}number is needed here; ${shown(given)} is not one.` };
  }
  const { min, max } = parameter;
  if (min !== undefined && number < min) return { wrong: `The value must be at least ${min}; it is ${number}.` };
  if (max !== undefined && number > max) return { wrong: `The value must be at most ${max}; it is ${number}.` };
  return { value: number };
}

function checkBoolean(parameter: LoadedParameter, given: JsonValue): Checked {
  if (typeof given === 'boolean') return { value: given };
  const text = given === null ? '' : typeof given === 'object' ? undefined : String(given);
  const { truevalue, falsevalue } = parameter.attributes;
  if (text !== undefined) {
    if (text === truevalue && text !== falsevalue) return { value: true };
    if (TRUE.has(text.toLowerCase())) return { value: true };
    if (text === falsevalue || FALSE.has(text.toLowerCase())) return { value: false };
  }
  return { wrong: `true or false is needed here; ${shown(given)} is neither.` };
}

function checkSelect(parameter: LoadedParameter, given: JsonValue, source: OptionSource): Checked {
  const { options, known, missing } = choicesOf(parameter, source);
  const checked = checkChoice(parameter, given, options);
  if (!('wrong' in checked)) return checked;
  // Its choices are in a dataset that cannot be read yet: the tool will say whether the value is right.
  if (!known && given !== null && given !== '') return unjudged(parameter, given);
  return missing === undefined ? checked : { wrong: `${checked.wrong} ${missing}` };
}

function unjudged(parameter: LoadedParameter, given: JsonValue): Checked {
  const values = Array.isArray(given) ? given : parameter.multiple ? String(given).split(',') : [given];
  if (values.length > CHOICES_MAX) return { wrong: `More than ${CHOICES_MAX} choices.` };
  for (const value of values) {
    if (typeof value === 'object') return { wrong: 'This takes its choices as texts.' };
    const checked = checkText(parameter, value);
    if ('wrong' in checked) return checked;
  }
  if (parameter.multiple) return { value: values.map(String) };
  return values.length === 1 ? { value: String(values[0]) } : { wrong: 'This takes one of its choices.' };
}

function checkChoice(parameter: LoadedParameter, given: JsonValue, options: readonly ToolOption[]): Checked {
  const values = new Set(options.map(({ value }) => value));
  // Older requests may say what is shown instead of what is meant.
  const legal = (said: JsonValue) =>
    values.has(String(said)) ? String(said) : options.find(({ label }) => label === said)?.value;
  const wrong = (value: JsonValue) => {
    const names = options.slice(0, CHOICES_SHOWN_MAX).map(({ value: name }) => name);
    const more = options.length > CHOICES_SHOWN_MAX ? ', …' : '';
    return { wrong: `${shown(value)} is not among the choices: ${names.join(', ')}${more}.` };
  };
  const isNothing = (said: JsonValue) =>
    said === null || ((said === '' || (said === 'None' && parameter.optional)) && !values.has(said));
  if (!parameter.multiple) {
    const value = Array.isArray(given) && given.length <= 1 ? (given[0] ?? null) : given;
    if (isNothing(value)) return parameter.optional ? { value: null } : { wrong: 'Choose one of the options.' };
    if (typeof value === 'object') return { wrong: 'This takes one of its choices.' };
    const meant = legal(value);
    return meant === undefined ? wrong(value) : { value: meant };
  }
  if (isNothing(given)) return parameter.optional ? { value: null } : chooseSome();
  const said = Array.isArray(given) ? given : legal(given) !== undefined ? [given] : String(given).split(',');
  if (said.length === 0) return parameter.optional ? { value: null } : chooseSome();
  const meant: string[] = [];
  for (const value of said) {
    const one = value === null || typeof value === 'object' ? undefined : legal(value);
    if (one === undefined) return wrong(value);
    meant.push(one);
  }
  return { value: meant };
}

function chooseSome(): Checked {
  return { wrong: 'Choose at least one of the options.' };
}

function checkColumn(parameter: LoadedParameter, given: JsonValue): Checked {
  const values = Array.isArray(given) ? given : given === null || given === '' ? [] : String(given).split(',');
  if (values.length === 0) return parameter.optional ? { value: null } : { wrong: 'Choose a column.' };
  if (values.length > 1 && !parameter.multiple) return { wrong: 'This takes one column.' };
  const columns: string[] = [];
  for (const value of values) {
    const number = /^c?(\d+)$/i.exec(String(value).trim())?.[1];
    if (number === undefined || Number(number) < 1) return { wrong: `${shown(value)} is not a column number.` };
    columns.push(String(Number(number)));
  }
  return { value: parameter.multiple ? columns : (columns[0] ?? null) };
}

/** A foreign value, quoted and short, for a sentence. */
export function shown(value: JsonValue): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const clean = withoutControlCharacters(text);
  return `“${clean.length > 60 ? `${clean.slice(0, 60)}…` : clean}”`;
}
