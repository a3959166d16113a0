import { describe, expect, it } from 'vitest';
import { merkleRoot } from '../../../protocol/blobs/inventory.js';
import { blake3 } from '../../../protocol/runtime/blake3.js';

/** Straight from the text of RFC 9162: split at the largest power of two below the count. */
function rootByTheBook(leaves: readonly string[]): Uint8Array {
  if (leaves.length === 0) return blake3(new Uint8Array());
  if (leaves.length === 1) return blake3(Buffer.concat([Uint8Array.of(0), Buffer.from(leaves[0] as string)]));
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const halves = [rootByTheBook(leaves.slice(0, split)), rootByTheBook(leaves.slice(split))];
  return blake3(Buffer.concat([Uint8Array.of(1), ...halves]));
}

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
