/**
 * Numbers that only a coordinator hands out: epochs of leases, revocations. The coordinator's term stands before the
 * count, `term * 2 ** 32 + n`, so that one restored from an old backup, after taking the next term, repeats none.
 */

const COUNT = 2 ** 32;
/** Terms beyond this would pass the safe integers of JSON. */
export const TERM_MAX = 2 ** 20;

export function epochOf(term: number, count: number): number {
  if (!Number.isSafeInteger(term) || term < 0 || term > TERM_MAX) throw new Error(`term ${term} is out of range`);
  if (!Number.isSafeInteger(count) || count < 0 || count >= COUNT) throw new Error(`count ${count} is out of range`);
  return term * COUNT + count;
}
