import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bitmap } from '../../../protocol/blobs/bitmap.js';
import {
  BLOB_BYTES_MAX,
  chunkCount,
  isBlobId,
  manifestId,
  manifestToBytes,
  parseManifest,
  verifyManifest,
} from '../../../protocol/blobs/manifest.js';
import { blake3, createBlake3, createPortableBlake3 } from '../../../protocol/runtime/blake3.js';
import { CHUNK_BYTES } from '../../../protocol/wire/limits.js';

const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 });
const manifests = fc.array(hashes, { maxLength: 40 }).chain((chunks) =>
  fc.record({
    size:
      chunks.length === 0
        ? fc.constant(0)
        : fc.integer({ min: 1, max: CHUNK_BYTES }).map((last) => (chunks.length - 1) * CHUNK_BYTES + last),
    chunkSize: fc.constant(CHUNK_BYTES),
    chunks: fc.constant(chunks),
  }),
);

describe('BLAKE3', () => {
  it('gives the hash of the published test vector for no bytes', () => {
    const hex = Buffer.from(blake3(new Uint8Array())).toString('hex');
    expect(hex).toBe('af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262');
  });

  it('is the same natively, portably and in pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat(5000), (bytes, cut) => {
        const pieces = createBlake3().update(bytes.subarray(0, cut)).update(bytes.subarray(cut)).digest();
        expect(Buffer.compare(pieces, blake3(bytes))).toBe(0);
        const portable = createPortableBlake3().update(bytes).digest();
        expect(Buffer.compare(portable, blake3(bytes))).toBe(0);
      }),
    );
  });
});

describe('a manifest', () => {
  it('survives the way to bytes and back, and names itself', () => {
    fc.assert(
      fc.property(manifests, (manifest) => {
        const bytes = manifestToBytes(manifest);
        const id = manifestId(bytes);
        expect(isBlobId(id)).toBe(true);
        expect(verifyManifest(id, bytes)).toEqual(manifest);
        expect(manifestToBytes(parseManifest(bytes))).toEqual(bytes);
      }),
    );
  });

  it('is refused when any byte of it is another', () => {
    fc.assert(
      fc.property(manifests, fc.nat(), fc.integer({ min: 1, max: 255 }), (manifest, position, change) => {
        const bytes = manifestToBytes(manifest);
        const id = manifestId(bytes);
        const at = position % bytes.length;
        bytes[at] = (bytes[at] as number) ^ change;
        expect(() => verifyManifest(id, bytes)).toThrow(expect.objectContaining({ code: 'blobs/bad-manifest' }));
      }),
    );
  });

  it('is refused when arbitrary bytes pretend to be one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => parseManifest(bytes)).toThrow(expect.objectContaining({ code: 'blobs/bad-manifest' }));
      }),
    );
  });

  it('may not declare more than 16 TiB', () => {
    const bytes = manifestToBytes({ size: 0, chunkSize: CHUNK_BYTES, chunks: [] });
    new DataView(bytes.buffer).setBigUint64(4, BigInt(BLOB_BYTES_MAX) + 1n);
    expect(() => parseManifest(bytes)).toThrow('more than 16 TiB');
  });

  it('has one hash per chunk of 1 MiB, and none for an empty blob', () => {
    expect([0, 1, CHUNK_BYTES, CHUNK_BYTES + 1].map(chunkCount)).toEqual([0, 1, 1, 2]);
  });
});

describe('the id of a blob', () => {
  it('is not what merely looks like one', () => {
    const id = manifestId(manifestToBytes({ size: 0, chunkSize: CHUNK_BYTES, chunks: [] }));
    expect(isBlobId(id)).toBe(true);
    for (const wrong of ['', id.slice(1), `${id}a`, id.toUpperCase(), `../${id}`, `${id.slice(0, -1)}b`]) {
      expect(isBlobId(wrong)).toBe(false);
    }
  });
});

describe('a bitmap', () => {
  const bits = fc
    .integer({ min: 0, max: 300 })
    .chain((length) => fc.tuple(fc.constant(length), length === 0 ? fc.constant([]) : fc.array(fc.nat(length - 1))));

  it('says of each chunk what was said to it, also after the way through bytes', () => {
    fc.assert(
      fc.property(bits, ([length, set]) => {
        const bitmap = Bitmap.empty(length);
        for (const index of set) bitmap.add(index);
        const read = Bitmap.parse(length, bitmap.bytes);
        const expected = [...new Set(set)].sort((a, b) => a - b);
        expect([...(read?.present() ?? [])]).toEqual(expected);
        expect(read?.count).toBe(expected.length);
        expect([...bitmap.inverted().missing()]).toEqual(expected);
        expect(bitmap.count + bitmap.inverted().count).toBe(length);
      }),
    );
  });

  it('is refused with a wrong length or with bits past its end', () => {
    expect(Bitmap.parse(9, new Uint8Array(1))).toBeUndefined();
    expect(Bitmap.parse(9, Uint8Array.of(255, 2))).toBeUndefined();
    expect(Bitmap.parse(9, Uint8Array.of(255, 1))?.isFull).toBe(true);
  });
});
