/**
 * Every namespace of the store that the account log writes, and the keys in it. `also` operations of an append may not
 * name them.
 *
 * | namespace       | key                          | value                                                     |
 * |-----------------|------------------------------|-----------------------------------------------------------|
 * | log.segment     | account/epoch/writer         | JSON: lease, node, base. Written once                     |
 * | log.position    | account/epoch/writer         | JSON: seq, hash, time, and where its signed heads are      |
 * | log.entry       | account/epoch/writer/seq     | 32 bytes chain hash, then the entry's bytes               |
 * | log.head        | account/epoch/writer/seq     | signed head of a segment that another node wrote          |
 * | log.record      | account/kind/id              | JSON: the folded record with its stamps                   |
 * | log.account     | account                      | JSON: reducer version, hybrid clock, last apply time      |
 * | log.journal     | writer/position              | JSON: account, epoch, seq                                 |
 * | log.writer      | writer                       | JSON: last position                                       |
 *
 * Numbers in keys are decimal with 16 digits, so that keys sort as numbers do.
 */
import { type SegmentKey, segmentKeyText } from './entry.js';

export const LOG_NAMESPACE = {
  segment: 'log.segment',
  position: 'log.position',
  entry: 'log.entry',
  head: 'log.head',
  record: 'log.record',
  account: 'log.account',
  journal: 'log.journal',
  writer: 'log.writer',
} as const;

export const LOG_NAMESPACES: ReadonlySet<string> = new Set(Object.values(LOG_NAMESPACE));

export function numberKey(value: number): string {
  return String(value).padStart(16, '0');
}

export function entryKey(segment: string, seq: number): string {
  return `${segment}/${numberKey(seq)}`;
}

export function recordKey(account: string, kind: string, id: string): string {
  return `${account}/${kind}/${id}`;
}

/** Everything below `parent/`. */
export function below(parent: string): { gte: string; lt: string } {
  return { gte: `${parent}/`, lt: `${parent}0` };
}

/** The reverse of `segmentKeyText`; undefined when it is not one. */
export function parseSegmentKey(text: string): SegmentKey | undefined {
  const match = /^([0-9a-f]{16})\/(\d{16})\/([0-9a-f]{16})$/.exec(text);
  if (!match) return undefined;
  const key: SegmentKey = { account: match[1] as string, epoch: Number(match[2]), writer: match[3] as string };
  return segmentKeyText(key) === text ? key : undefined;
}
