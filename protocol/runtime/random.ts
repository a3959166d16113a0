/** Chance as an argument. Identities, nonces and tie-breaks draw from here; tests pass a seeded one. */
import { randomBytes } from 'node:crypto';

export interface Random {
  bytes(length: number): Uint8Array;
  /** Uniform in [0, 1). */
  float(): number;
}

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  float: () => {
    const view = randomBytes(6);
    return view.readUIntBE(0, 6) / 2 ** 48;
  },
};

export function randomHex(random: Random, bytes: number): string {
  return Buffer.from(random.bytes(bytes)).toString('hex');
}
