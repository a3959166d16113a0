import { blake3 as portable } from '@noble/hashes/blake3.js';
import { describe, expect, it } from 'vitest';
import { blake3, blake3Engine, createBlake3, createPortableBlake3 } from '../../../protocol/runtime/blake3.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
/** The input of the official test vectors: 0 to 250, again and again. */
const input = (length: number) => Uint8Array.from({ length }, (_, index) => index % 251);

describe('BLAKE3', () => {
  it('gives the official test vectors, natively where this machine has it', () => {
    expect(hex(blake3(input(0)))).toBe('af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262');
    expect(hex(blake3(input(1)))).toBe('2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213');
    if (process.platform === 'linux' && process.arch === 'x64') expect(blake3Engine).toBe('native');
  });

  it('is the same in pieces, and in both engines', () => {
    for (const length of [0, 1, 1023, 1024, 1025, 5000, 100_000]) {
      const bytes = input(length);
      const expected = hex(portable(bytes));
      expect(hex(blake3(bytes))).toBe(expected);
      for (const create of [createBlake3, createPortableBlake3]) {
        const hasher = create();
        for (let at = 0; at < length; at += 777) hasher.update(bytes.subarray(at, at + 777));
        expect(hex(hasher.digest())).toBe(expected);
      }
    }
  });
});
