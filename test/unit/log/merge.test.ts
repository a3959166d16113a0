import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import { mergePatch, toPlain } from '../../../protocol/log/merge.js';
import type { Patch, StoredRecord } from '../../../protocol/log/patch.js';

const field = fc.constantFrom('a', 'b', '__proto__', 'constructor');
const value = fc.oneof(fc.constantFrom<JsonValue>(1, 2, 'x', null, true), fc.constant<JsonValue>({ deep: [1] }));
const values = fc.dictionary(field, value, { maxKeys: 3 }) as fc.Arbitrary<JsonObject>;
const ranks = fc.tuple(fc.nat(2), fc.nat(2));

/** Stamps from a pool so small that different patches share one: a broken writer must not part the nodes. */
const patch: fc.Arbitrary<[Patch, string]> = fc.tuple(
  fc.record(
    {
      kind: fc.constant('thing'),
      id: fc.constant('1'),
      creates: fc.boolean(),
      last: values,
      keys: fc.dictionary(field, values, { maxKeys: 2 }),
      once: fc.array(field, { maxLength: 2 }),
      best: fc.dictionary(field, fc.record({ rank: ranks, value }), { maxKeys: 2 }),
    },
    { requiredKeys: ['kind', 'id'] },
  ) as fc.Arbitrary<Patch>,
  fc.constantFrom('s1', 's2', 's3'),
);

const mergeAll = (patches: [Patch, string][]) =>
  patches.reduce<StoredRecord | undefined>((record, [next, stamp]) => mergePatch(record, next, stamp), undefined);

describe('merging patches', () => {
  it('gives the same for any order and repetition, also when stamps are equal', () => {
    fc.assert(
      fc.property(
        fc
          .array(patch, { minLength: 1, maxLength: 8 })
          .chain((patches) =>
            fc.tuple(
              fc.constant(patches),
              fc.shuffledSubarray([...patches, ...patches], { minLength: patches.length * 2 }),
            ),
          ),
        ([patches, other]) => {
          expect(mergeAll(other)).toEqual(mergeAll(patches));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('gives the record itself back when a patch brings nothing new, and never changes one', () => {
    fc.assert(
      fc.property(fc.array(patch, { minLength: 1, maxLength: 6 }), (patches) => {
        const record = mergeAll(patches) as StoredRecord;
        const before = structuredClone(record);
        for (const [again, stamp] of patches) expect(mergePatch(record, again, stamp)).toBe(record);
        expect(record).toEqual(before);
      }),
    );
  });

  it('obeys no field name', () => {
    const hostile = JSON.parse('{"__proto__": {"polluted": true}}') as JsonObject;
    const merged = mergePatch(
      undefined,
      { kind: 'thing', id: '1', creates: true, last: hostile, keys: { k: hostile } },
      's1',
    );
    const plain = toPlain(merged) as JsonObject;
    expect(plain.polluted).toBeUndefined();
    expect(({} as JsonObject).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(plain.k ?? {})).toBe(Object.prototype);
  });
});
