/**
 * What order-free folding cannot settle: two items of one history with the same number. The client keys its history by
 * hid and would hide the second. Pure: the home writes what this returns.
 */
import type { AccountView } from '../../protocol/account/records.js';
import { hidOf } from '../../protocol/account/records.js';
import type { Draft } from '../../protocol/log/entry.js';

/**
 * `item.hid` entries that end every collision in the given histories. Who was settled before keeps the number, then who
 * was created first; the others get numbers above all, in order of creation. Applying them makes the result empty.
 * Ids do not tell the order: that of a job's output is a hash.
 */
export function settleHids(view: AccountView, histories: Iterable<string>): Draft[] {
  const drafts: Draft[] = [];
  for (const history of histories) {
    const { datasets, collections } = view.items(history);
    const items = [
      ...datasets.map((item) => ({ kind: 'dataset', item })),
      ...collections.map((item) => ({ kind: 'collection', item })),
    ].sort(
      (a, b) =>
        Number(b.item.settledHid !== undefined) - Number(a.item.settledHid !== undefined) ||
        a.item.createdAt - b.item.createdAt ||
        (a.item.id < b.item.id ? -1 : 1),
    );
    const taken = new Set<number>();
    let next = view.nextHid(history);
    for (const { kind, item } of items) {
      const hid = hidOf(item);
      if (!taken.has(hid)) {
        taken.add(hid);
        continue;
      }
      drafts.push({ type: 'item.hid', payload: { kind, id: item.id, hid: next } });
      taken.add(next);
      next += 1;
    }
  }
  return drafts;
}
