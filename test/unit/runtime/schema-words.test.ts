import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { check, sentenceOf } from '../../../protocol/runtime/schema-words.js';
import { hasControlCharacters } from '../../../protocol/runtime/text.js';

const said = (schema: z.ZodType, value: unknown) => {
  const { problem } = check(schema, value);
  return problem === undefined ? undefined : sentenceOf(problem);
};

describe('what a schema refuses, in plain words', () => {
  it.each<[z.ZodType, unknown, string]>([
    [z.object({ history_id: z.string() }), { history_id: 5 }, 'history_id must be text, got a number'],
    [z.object({ history_id: z.string() }), {}, 'history_id is missing'],
    [
      z.object({ a: z.object({ b: z.array(z.boolean()) }) }),
      { a: { b: [true, 'x'] } },
      'a.b.1 must be true or false, got text',
    ],
    [z.object({}), [1], 'it must be an object, got a list'],
    [z.object({}), null, 'it must be an object, got null'],
    [z.coerce.number(), 'abc', 'it must be a number'],
    [z.number().int(), 1.5, 'it must be a whole number, got 1.5'],
    [z.number().min(0), -1, 'it must be at least 0, got -1'],
    [z.coerce.number().max(5), '6', 'it must be at most 5, got 6'],
    [z.number().positive(), 0, 'it must be more than 0, got 0'],
    [z.number().multipleOf(3), 4, 'it must be a multiple of 3'],
    [z.string().max(3), 'abcd', 'it must have at most 3 characters, got 4'],
    [z.string().min(1), '', 'it must not be empty'],
    [z.array(z.string()).max(1), ['a', 'b'], 'it must have at most 1 item, got 2'],
    [z.enum(['hda', 'ldda']), 'x', 'it must be one of "hda", "ldda", got "x"'],
    [z.enum(['hda', 'ldda']), 4, 'it must be one of "hda", "ldda", got a number'],
    [z.literal('hda'), undefined, 'it is missing'],
    [z.url(), 'x', 'it must be a web address'],
    [z.string().regex(/^a/), 'b', 'it does not have the expected form'],
    [z.string().regex(/^a/, 'must begin with a.'), 'b', 'it must begin with a'],
    [z.strictObject({}), { b: 1, c: 2 }, 'it has the unknown fields "b", "c"'],
    [z.union([z.string(), z.array(z.string())]), 4, 'it must be text or a list, got a number'],
    [z.union([z.object({ a: z.string() }), z.literal(4)]), 'long', 'it has none of the forms that are possible here'],
    [
      z.union([z.string(), z.object({ a: z.object({ b: z.number() }) })]),
      { a: { b: 'x' } },
      'a.b must be a number, got text',
    ],
    [z.union([z.string(), z.number()], 'must be a name'), null, 'it must be a name'],
    [z.discriminatedUnion('kind', [z.object({ kind: z.literal('a') })]), { kind: 'b' }, 'kind must be one of "a"'],
    [z.record(z.string().max(2), z.string()), { long: 'x' }, 'long is not allowed as a name'],
  ])('%#: %j', (schema, value, words) => {
    expect(said(schema, value)).toBe(words);
  });

  it('what fits is given as the schema has it', () => {
    expect(check(z.object({ a: z.coerce.number().default(3) }), {})).toEqual({ data: { a: 3 } });
  });

  it('is one line without control characters, and never zod’s own words, whatever is sent', () => {
    const schema = z.object({
      id: z.string().regex(/^[0-9a-f]{16}$/),
      limit: z.coerce.number().int().min(0).max(10),
      tags: z.array(z.string().max(4)).max(2),
      view: z.enum(['summary', 'detailed']),
      q: z.union([z.string(), z.array(z.string())]),
    });
    fc.assert(
      fc.property(fc.object({ key: fc.constantFrom('id', 'limit', 'tags', 'view', 'q') }), (value) => {
        // Without what was sent, which is quoted.
        const words = (said(schema, value) ?? '').replace(/"[^"]*"/g, '');
        expect(words).not.toMatch(/: expected|received|Invalid|Too (big|small)|undefined|NaN|>=|<=/);
        expect(hasControlCharacters(words)).toBe(false);
      }),
    );
  });
});
