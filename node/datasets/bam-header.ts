/**
 * The sequences that a BAM file's alignments lie on, by Galaxy's names: tools offer them as choices. The header is a
 * binary block at the beginning of what the blocks of gzip hold:
 * "BAM\1", the length of a text, the text, the number of sequences, and of each the name and its length.
 */
import type { JsonObject } from '../../protocol/log/entry.js';
import { replaceControlCharacters } from '../../protocol/runtime/text.js';

/** What of a file is unpacked to find its header. */
export const BAM_HEADER_BYTES = 1024 * 1024;
/** Of each of the two lists, as JSON: they travel in the account log. */
const LIST_BYTES_MAX = 8 * 1024;
const MAGIC = Buffer.from('BAM\u0001', 'latin1');

/** `bytes`: the unpacked beginning. A header that is longer, or broken, says nothing: a part would look like all. */
export function bamMetadata(bytes: Buffer): JsonObject {
  const sequences = sequencesIn(bytes);
  if (sequences === undefined) return {};
  const names = sequences.map(({ name }) => name);
  const lengths = sequences.map(({ length }) => length);
  return { ...bounded('reference_names', names), ...bounded('reference_lengths', lengths) };
}

function sequencesIn(bytes: Buffer): { name: string; length: number }[] | undefined {
  const has = (at: number, count: number) => at + count <= bytes.length;
  if (!has(0, 8) || !bytes.subarray(0, 4).equals(MAGIC)) return undefined;
  let at = 8 + bytes.readUInt32LE(4);
  if (!has(at, 4)) return undefined;
  const count = bytes.readUInt32LE(at);
  at += 4;
  const sequences: { name: string; length: number }[] = [];
  while (sequences.length < count) {
    if (!has(at, 4)) return undefined;
    const size = bytes.readUInt32LE(at);
    if (size === 0 || !has(at + 4, size + 4)) return undefined;
    // A NUL ends the name.
    const name = bytes.toString('utf8', at + 4, at + 3 + size);
    sequences.push({ name: replaceControlCharacters(name, '?', ''), length: bytes.readUInt32LE(at + 4 + size) });
    at += 8 + size;
  }
  return sequences;
}

function bounded(field: string, list: readonly (string | number)[]): JsonObject {
  return Buffer.byteLength(JSON.stringify(list)) > LIST_BYTES_MAX ? {} : { [field]: [...list] };
}
