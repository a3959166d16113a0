/**
 * BLAKE3, 32 bytes. The native module where there is one for this machine, else the one in JavaScript: same result, some
 * ten times slower. Only place that knows which.
 */
import { createRequire } from 'node:module';
import { blake3 as portableBlake3 } from '@noble/hashes/blake3.js';

export const BLAKE3_BYTES = 32;

/** For content that arrives in pieces. `digest` ends it. */
export interface Blake3 {
  update(bytes: Uint8Array): Blake3;
  digest(): Uint8Array;
}

interface NativeHasher {
  update(bytes: Uint8Array): unknown;
  digestBuffer(): Buffer;
}

interface Native {
  blake3(bytes: Uint8Array): Buffer;
  Blake3Hasher: new () => NativeHasher;
}

const native = loadNative();

/** `native` or `portable`: for the start-up log and for benchmarks. */
export const blake3Engine: 'native' | 'portable' = native ? 'native' : 'portable';

export function blake3(bytes: Uint8Array): Uint8Array {
  return native ? native.blake3(bytes) : portableBlake3(bytes);
}

export function createBlake3(): Blake3 {
  return native ? new NativeBlake3(new native.Blake3Hasher()) : createPortableBlake3();
}

export function createPortableBlake3(): Blake3 {
  const hasher = portableBlake3.create();
  const self: Blake3 = {
    update(bytes) {
      hasher.update(bytes);
      return self;
    },
    digest: () => hasher.digest(),
  };
  return self;
}

class NativeBlake3 implements Blake3 {
  constructor(private readonly hasher: NativeHasher) {}

  update(bytes: Uint8Array): this {
    this.hasher.update(bytes);
    return this;
  }

  digest(): Uint8Array {
    return this.hasher.digestBuffer();
  }
}

/** The package throws on platforms it has no binary for; that is not an error here. */
function loadNative(): Native | undefined {
  try {
    return createRequire(import.meta.url)('@napi-rs/blake-hash') as Native;
  } catch {
    return undefined;
  }
}
