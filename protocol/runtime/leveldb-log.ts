/** Records of LevelDB's logs and manifests, for looking at them without it. Format: LevelDB's doc/log_format.md. */
import { crc32c, masked } from './crc32c.js';

const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4];

/** Where the first unreadable record of a log begins, if a whole record begins after it; undefined for a torn end. */
export function damagedAt(log: Uint8Array): number | undefined {
  let bad: number | undefined;
  for (const { at, valid, type } of fragments(log)) {
    // What a record begins was written after everything before it was on the disk.
    if (valid && bad !== undefined && (type === FULL || type === FIRST)) return bad;
    if (!valid) bad ??= at;
  }
  return undefined;
}

/** The whole records of a log, in order, up to the first that is not. */
export function* recordsOf(log: Uint8Array): Generator<Uint8Array> {
  let parts: Uint8Array[] = [];
  for (const { valid, type, bytes } of fragments(log)) {
    if (!valid) return;
    if (type === FULL || type === FIRST) parts = [];
    parts.push(bytes);
    if (type === FULL || type === LAST) yield parts.length === 1 ? bytes : Buffer.concat(parts);
  }
}

interface Fragment {
  at: number;
  valid: boolean;
  type: number;
  bytes: Uint8Array;
}

function* fragments(log: Uint8Array): Generator<Fragment> {
  for (let block = 0; block < log.length; block += BLOCK_BYTES) {
    const end = Math.min(block + BLOCK_BYTES, log.length);
    let at = block;
    while (end - at >= HEADER_BYTES) {
      const view = new DataView(log.buffer, log.byteOffset + at, HEADER_BYTES);
      const [checksum, length, type] = [view.getUint32(0, true), view.getUint16(4, true), view.getUint8(6)];
      const next = at + HEADER_BYTES + length;
      const fits = next <= end;
      const bytes = fits ? log.subarray(at + HEADER_BYTES, next) : new Uint8Array();
      const isKnown = type === FULL || type === FIRST || type === MIDDLE || type === LAST;
      const valid = fits && isKnown && masked(crc32c(log.subarray(at + HEADER_BYTES - 1, next))) === checksum;
      yield { at, valid, type, bytes };
      // The rest of the block cannot be walked.
      if (!fits) break;
      at = next;
    }
  }
}
