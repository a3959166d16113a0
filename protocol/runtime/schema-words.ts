/**
 * What a zod schema refuses, in plain words: `must be text, got a number`, to stand after the name of the field. zod's own
 * messages are written for programmers ("Too big: expected string to have <=3 characters"). A message that a schema gives
 * itself is kept, so such a message is written to stand after the name as well.
 *
 * Rejected: zod's global error map, which would make what is said depend on which module was loaded first.
 */
import type { z } from 'zod';
import { printable } from './errors.js';

export interface Problem {
  /** Where in the value: `items.0.name`; empty for the value as a whole. */
  path: string;
  keys: readonly PropertyKey[];
  /** `must be text, got a number`: without the name and without a full stop. */
  reason: string;
}

export type Checked<T> = { data: T; problem?: undefined } | { data?: undefined; problem: Problem };

/** The value as the schema has it, or the first thing that is wrong with it. */
export function check<S extends z.ZodType>(schema: S, value: unknown): Checked<z.output<S>> {
  const parsed = schema.safeParse(value, { error: wordsFor });
  if (parsed.success) return { data: parsed.data };
  const { keys, message } = deepest(parsed.error.issues);
  const path = keys.map(String).join('.');
  return { problem: { path, keys, reason: printable(message).replace(/\.+$/, '') } };
}

/** `name must be text, got a number`; `whole` is what the value as a whole is called. */
export function sentenceOf({ path, reason }: Problem, whole = 'it'): string {
  return `${path || whole} ${reason}`;
}

type Issue = z.core.$ZodIssue;
type RawIssue = Parameters<z.core.$ZodErrorMap>[0];

const NO_FORM_FITS = 'has none of the forms that are possible here';
const SHOWN_CHARS_MAX = 40;
const VALUES_SHOWN_MAX = 20;

/** The first issue; of a union the one of the form that fitted best. */
function deepest(issues: readonly Issue[]): { keys: PropertyKey[]; message: string } {
  const [issue] = issues;
  if (issue === undefined) return { keys: [], message: 'is not valid' };
  if (issue.code !== 'invalid_union' || issue.message !== NO_FORM_FITS) {
    return { keys: [...issue.path], message: issue.message };
  }
  const forms = issue.errors.map(deepest).sort((a, b) => b.keys.length - a.keys.length);
  const [best] = forms;
  if (best === undefined || best.keys.length === 0) return { keys: [...issue.path], message: issue.message };
  return { keys: [...issue.path, ...best.keys], message: best.message };
}

const wordsFor: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType([issue.expected], issue.input);
    case 'too_big':
      return bound(issue, issue.inclusive === false ? 'less than' : 'at most', Number(issue.maximum));
    case 'too_small':
      return bound(issue, issue.inclusive === false ? 'more than' : 'at least', Number(issue.minimum));
    case 'invalid_format':
      return FORMATS[issue.format] ?? 'does not have the expected form';
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'unrecognized_keys':
      return `has the unknown ${issue.keys.length > 1 ? 'fields' : 'field'} ${quoted(issue.keys)}`;
    case 'invalid_value': {
      const values = quoted(issue.values.map(String));
      const got = typeof issue.input === 'string' ? quoted([issue.input]) : nameOf(issue.input);
      if (issue.input === undefined) return 'is missing';
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${values}, got ${got}`;
    }
    case 'invalid_union':
      return noForm(issue);
    case 'invalid_key':
      return 'is not allowed as a name';
    case 'invalid_element':
      return 'is not valid';
    default:
      return 'is not valid';
  }
};

function wrongType(expected: readonly string[], input: unknown): string {
  if (input === undefined) return 'is missing';
  const names = [...new Set(expected.map((type) => TYPES[type] ?? type))].join(' or ');
  // A text that was to be read as a number, and was none.
  if (Number.isNaN(input)) return `must be ${names}`;
  const got = expected.includes('int') && typeof input === 'number' ? String(input) : nameOf(input);
  return `must be ${names}, got ${got}`;
}

function noForm(issue: RawIssue & { code: 'invalid_union' }): string {
  const { discriminator, options } = issue as { discriminator?: string; options?: readonly unknown[] };
  if (discriminator !== undefined && options !== undefined) return `must be one of ${quoted(options.map(String))}`;
  const expected: string[] = [];
  for (const [first] of issue.errors) {
    if (first?.code !== 'invalid_type' || first.path.length > 0) return NO_FORM_FITS;
    expected.push(first.expected);
  }
  return wrongType(expected, issue.input);
}

function bound(issue: { origin: string; input?: unknown }, how: string, limit: number): string {
  const { input } = issue;
  if (typeof input === 'number' || typeof input === 'bigint') return `must be ${how} ${limit}, got ${input}`;
  const unit = typeof input === 'string' ? 'character' : typeof input === 'object' ? 'item' : undefined;
  if (unit === undefined) return `must be ${how} ${limit}`;
  const size = sizeOf(input);
  if (how === 'at least' && limit === 1) return 'must not be empty';
  return `must have ${how} ${limit} ${unit}${limit === 1 ? '' : 's'}${size === undefined ? '' : `, got ${size}`}`;
}

function sizeOf(input: unknown): number | undefined {
  if (typeof input === 'string' || Array.isArray(input)) return input.length;
  return typeof input === 'object' && input !== null ? Object.keys(input).length : undefined;
}

const TYPES: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  set: 'a list',
  object: 'an object',
  record: 'an object',
  map: 'an object',
  null: 'null',
  date: 'a date',
};

const FORMATS: Record<string, string> = {
  url: 'must be a web address',
  email: 'must be an e-mail address',
  uuid: 'must be a UUID',
  datetime: 'must be a date and time',
  date: 'must be a date, YYYY-MM-DD',
  json_string: 'must be valid JSON',
  base64: 'must be base64',
  ipv4: 'must be an IP address',
  ipv6: 'must be an IP address',
};

function nameOf(input: unknown): string {
  if (input === undefined) return 'nothing';
  if (input === null) return 'null';
  if (Array.isArray(input)) return 'a list';
  return TYPES[typeof input] ?? 'something else';
}

function quoted(texts: readonly string[]): string {
  const shown = texts.slice(0, VALUES_SHOWN_MAX).map((text) => `"${printable(text).slice(0, SHOWN_CHARS_MAX)}"`);
  return `${shown.join(', ')}${texts.length > shown.length ? ', …' : ''}`;
}
