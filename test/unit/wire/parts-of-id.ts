/** What an id of `IdSource` is made of. */
import { ID_EPOCH_MS } from '../../../protocol/wire/ids.js';

export function partsOfId(id: string): { at: number; nodeNumber: number; sequence: number } {
  const value = BigInt(`0x${id}`);
  return {
    /** Milliseconds since 1970. */
    at: Number(value >> 23n) + ID_EPOCH_MS,
    nodeNumber: Number((value >> 5n) & 0x3ffffn),
    sequence: Number(value & 31n),
  };
}
