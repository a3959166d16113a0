import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bucketOf,
  differingBuckets,
  inventoryOf,
  inventoryOfRefs,
  merkleRoot,
} from '../../../protocol/blobs/inventory.js';
import { encodeManifest, manifestId } from '../../../protocol/blobs/manifest.js';
import { blake3 } from '../../../protocol/runtime/blake3.js';
import { BlobFixture, put, someBytes } from './fixture.js';

const idOf = (text: string) => manifestId(encodeManifest(1, blake3(Buffer.from(text))));
const refs = (count: number) => Array.from({ length: count }, (_, index) => ({ blob: idOf(`${index}`), size: index }));

/** Straight from the text of RFC 9162: split at the largest power of two below the count. */
function rootByTheBook(leaves: readonly string[]): Uint8Array {
  if (leaves.length === 0) return blake3(new Uint8Array());
  if (leaves.length === 1) return blake3(Buffer.concat([Uint8Array.of(0), Buffer.from(leaves[0] as string)]));
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const halves = [rootByTheBook(leaves.slice(0, split)), rootByTheBook(leaves.slice(split))];
  return blake3(Buffer.concat([Uint8Array.of(1), ...halves]));
}

describe('an inventory', () => {
  it('is the same for the same blobs in any order', () => {
    const all = refs(300);
    const inventory = inventoryOfRefs(all);
    expect(inventoryOfRefs([...all].reverse())).toEqual(inventory);
    expect(inventory).toMatchObject({ blobs: 300, bytes: (299 * 300) / 2 });
  });

  it('differs exactly in the buckets where a blob lacks', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(199), { maxLength: 20 }), (lacking) => {
        const all = refs(200);
        const fewer = all.filter((_, index) => !lacking.includes(index));
        const expected = new Set(lacking.map((index) => bucketOf(all[index]!.blob)));
        const differing = differingBuckets(inventoryOfRefs(all).buckets, inventoryOfRefs(fewer).buckets);
        expect(differing).toEqual([...expected].sort((a, b) => a - b));
      }),
      { numRuns: 20 },
    );
  });

  it('spreads blobs over all its buckets', () => {
    const buckets = new Set(refs(5000).map(({ blob }) => bucketOf(blob)));
    expect(buckets.size).toBe(256);
    expect(Math.max(...buckets)).toBe(255);
  });

  it('of a store is that of what it lists', async () => {
    const fixture = await BlobFixture.create();
    try {
      const blobs = await fixture.open();
      const stored = await Promise.all([1, 2, 3, 4, 5].map((seed) => put(blobs, someBytes(100, seed))));
      expect(await inventoryOf(blobs)).toEqual(inventoryOfRefs(stored));
    } finally {
      await fixture.remove();
    }
  });
});

describe('a Merkle root', () => {
  it('is that of RFC 9162 for any number of leaves', () => {
    for (let count = 0; count <= 40; count++) {
      const leaves = Array.from({ length: count }, (_, index) => String(index).padStart(4, '0'));
      expect(Buffer.compare(merkleRoot(leaves), rootByTheBook(leaves))).toBe(0);
    }
  });

  it('refuses leaves out of order and repeated ones', () => {
    expect(() => merkleRoot(['b', 'a'])).toThrow(RangeError);
    expect(() => merkleRoot(['a', 'a'])).toThrow(RangeError);
  });
});
