/** One plain (not data) parameter: what a request said → what the state holds, or a sentence that says what is wrong. */
import type { JsonValue } from '../../protocol/log/entry.js';
import type { LoadedParameter } from './loaded.js';

export type Checked = { value: JsonValue } | { wrong: string };

const TEXT_CHARS_MAX = 32_768;
const CHOICES_SHOWN_MAX = 10;
const TRUE = new Set(['true', 'yes', 'on', '1']);
const FALSE = new Set(['false', 'no', 'off', '0', '', 'none']);

/** What a parameter holds when nothing is said; undefined when something must be. */
export function defaultValue(parameter: LoadedParameter): JsonValue | undefined {
  switch (parameter.type) {
    case 'select':
      return defaultChoice(parameter);
    case 'data_column': {
      if (parameter.value !== undefined)
        return parameter.multiple ? String(parameter.value).split(',') : String(parameter.value);
      if (parameter.optional) return null;
      if (parameter.attributes.accept_default === 'true') return parameter.multiple ? ['1'] : '1';
      return undefined;
    }
    case 'integer':
    case 'float':
      return parameter.value ?? (parameter.optional ? null : undefined);
    case 'genomebuild':
      return parameter.value || '?';
    default:
      return parameter.value ?? (parameter.optional ? null : '');
  }
}

function defaultChoice(parameter: LoadedParameter): JsonValue | undefined {
  const options = parameter.options ?? [];
  const selected = options.filter((option) => option.selected).map(({ value }) => value);
  if (parameter.multiple) return selected.length > 0 ? selected : parameter.optional ? null : [];
  return selected.at(-1) ?? (parameter.optional ? null : options[0]?.value);
}

/** Type and validators. `raw` undefined: the default. */
export function checkValue(parameter: LoadedParameter, raw: JsonValue | undefined): Checked {
  const given = raw === undefined ? defaultValue(parameter) : raw;
  if (given === undefined) return { wrong: `“${parameter.label || parameter.name}” needs a value.` };
  const typed = checkType(parameter, given);
  if ('wrong' in typed) return typed;
  const { value } = typed;
  const probe = Array.isArray(value) ? value.join(',') : value;
  for (const validate of parameter.validators) {
    if (value === null && parameter.optional) break;
    const wrong = validate(
      typeof probe === 'string' || typeof probe === 'number' || probe === null ? probe : String(probe),
    );
    if (wrong !== undefined) return { wrong };
  }
  return typed;
}

function checkType(parameter: LoadedParameter, given: JsonValue): Checked {
  switch (parameter.type) {
    case 'integer':
    case 'float':
      return checkNumber(parameter, given);
    case 'boolean':
      return checkBoolean(parameter, given);
    case 'select':
      return checkChoice(parameter, given);
    case 'data_column':
      return checkColumn(parameter, given);
    case 'color':
      if (typeof given === 'string' && /^#[0-9a-fA-F]{6}$/.test(given)) return { value: given };
      if ((given === null || given === '') && parameter.optional) return { value: null };
      return { wrong: `${shown(given)} is not a colour: write it as #rrggbb.` };
    case 'genomebuild':
      if (typeof given === 'string' && /^[\w.?+-]{1,255}$/.test(given)) return { value: given };
      return { wrong: `${shown(given)} is not a genome build.` };
    default:
      return checkText(parameter, given);
  }
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

function checkChoice(parameter: LoadedParameter, given: JsonValue): Checked {
  const options = parameter.options ?? [];
  const legal = (value: JsonValue) => options.some((option) => option.value === String(value));
  const wrong = (value: JsonValue) => {
    const names = options.slice(0, CHOICES_SHOWN_MAX).map(({ value: name }) => name);
    const more = options.length > CHOICES_SHOWN_MAX ? ', …' : '';
    return { wrong: `${shown(value)} is not among the choices: ${names.join(', ')}${more}.` };
  };
  if (!parameter.multiple) {
    const value = Array.isArray(given) && given.length === 1 ? (given[0] ?? null) : given;
    if (value === null || (value === '' && !legal(''))) {
      if (parameter.optional) return { value: null };
      return { wrong: 'Choose one of the options.' };
    }
    if (typeof value === 'object') return { wrong: 'This takes one of its choices.' };
    return legal(value) ? { value: String(value) } : wrong(value);
  }
  if (given === null || given === '') return parameter.optional ? { value: null } : chooseSome();
  const values = Array.isArray(given) ? given : legal(given) ? [given] : String(given).split(',');
  if (values.length === 0) return parameter.optional ? { value: null } : chooseSome();
  for (const value of values) if (value === null || typeof value === 'object' || !legal(value)) return wrong(value);
  return { value: values.map(String) };
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
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
  return `“${clean.length > 60 ? `${clean.slice(0, 60)}…` : clean}”`;
}
