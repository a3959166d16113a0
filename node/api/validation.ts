/** What comes in, checked once at the edge. The message names the parameter, as Galaxy's do. */
import { z } from 'zod';
import { check } from '../../protocol/runtime/schema-words.js';
import { apiErrors } from './errors.js';

/** The value as the schema has it, or `api/bad-parameter` naming what is wrong. */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const { data, problem } = check(schema, value ?? {});
  if (problem === undefined) return data;
  const { path, keys, reason } = problem;
  const given = valueAt(value, keys);
  if (reason === MALFORMED_ID && typeof given === 'string') throw apiErrors('malformed-id', { id: shown(given) });
  throw apiErrors('bad-parameter', { parameter: path || 'The request', reason });
}

const MALFORMED_ID = 'malformed-id';

/** An entity id inside a body or query; through `parse` it fails as `api/malformed-id`. */
export const entityId = z.string().regex(/^[0-9a-f]{16}$/, MALFORMED_ID);

/** The id in a path: `entityIdParam(request.params)`, or another parameter's by name. */
export function entityIdParam(params: unknown, name = 'id'): string {
  const id = (params as Record<string, unknown> | undefined)?.[name];
  if (typeof id !== 'string' || !/^[0-9a-f]{16}$/.test(id)) throw apiErrors('malformed-id', { id: shown(id) });
  return id;
}

/** Galaxy reads booleans in queries and forms generously: true, True, 1, yes, on. */
export const flag = z.union([z.boolean(), z.string(), z.number()]).transform((value, context) => {
  const text = String(value).toLowerCase();
  if (['true', '1', 'yes', 'on', 't', 'y'].includes(text)) return true;
  if (['false', '0', 'no', 'off', 'f', 'n', '', 'none', 'null'].includes(text)) return false;
  context.addIssue({ code: 'custom', message: 'must be true or false' });
  return z.NEVER;
});

/** A whole number in a query. */
export function whole(bounds: { min: number; max: number }) {
  return z.coerce.number().int().min(bounds.min).max(bounds.max);
}

/** `?q=a&q=b` and `?q=a` alike. */
export const texts = z
  .union([z.string(), z.array(z.string()).max(100)])
  .transform((value) => (typeof value === 'string' ? [value] : value));

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) at = (at as Record<PropertyKey, unknown> | undefined)?.[key];
  return at;
}

function shown(value: unknown): string {
  return String(value).slice(0, 64);
}
