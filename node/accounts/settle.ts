/**
 * What order-free folding cannot settle: two items of one history with the same number. The client keys its history by
 * hid and would hide the second. Pure: the home writes what this returns.
 */
import type { AccountView } from '../../protocol/account/records.js';
import { hidOf } from '../../protocol/account/records.js';
import type { Draft } from '../../protocol/log/entry.js';

/**
 * `item.hid` entries that end every collision in the given histories. Who had the number here before `cameIn` arrived
 * keeps it, because it is on a screen; then who was settled before, then who was created first. The others get numbers
 * above all, in that order. Applying them makes the result empty. Ids do not tell the order of creation: that of a job's
 * output is a hash.
 */
export function settleHids(
  view: AccountView,
  histories: Iterable<string>,
  cameIn: ReadonlySet<string> = new Set(),
): Draft[] {
  const drafts: Draft[] = [];
  for (const history of histories) {
    const { datasets, collections } = view.items(history);
    const items = [
      ...datasets.map((item) => ({ kind: 'dataset', item })),
      ...collections.map((item) => ({ kind: 'collection', item })),
    ].sort(
      (a, b) =>
        Number(cameIn.has(a.item.id)) - Number(cameIn.has(b.item.id)) ||
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
