/**
 * A dataset's UUID, derived from its id (RFC 9562, version 8), because an id is already unique network-wide and two
 * random sources for one thing would have to be kept in step.
 */
import { createHash } from 'node:crypto';

export function uuidOf(id: string): string {
  const bytes = createHash('sha256').update(`galaxy-dataset-uuid:${id}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
