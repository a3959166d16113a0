/** The entries that say what is in a new collection, however deep. Pure. */
import type { AccountView, CollectionRecord } from '../../protocol/account/records.js';
import type { Draft, JsonValue } from '../../protocol/log/entry.js';
import { elementDrafts, innerCollectionId } from '../jobs/found.js';
import { NESTING_MAX, placesIn } from './places.js';

export type Level = ({ identifier: string } & ({ dataset: string } | { inner: Level }))[];
type InnerBase = { history: string; hid: number; createdAt: number; collectionType: string };

/** The elements, in entries small enough for the log, and the collections among them. */
export function levelDrafts(id: string, level: Level, base: InnerBase): Draft[] {
  const inner = { ...base, collectionType: base.collectionType.split(':').slice(1).join(':') };
  const drafts: Draft[] = [];
  const elements = level.map((one): JsonValue => {
    const { identifier } = one;
    if ('dataset' in one) return { identifier, kind: 'dataset', id: one.dataset };
    const innerId = innerCollectionId(id, identifier);
    const payload = { ...inner, id: innerId, name: identifier, elements: [], parent: id };
    drafts.push({ type: 'collection.created', payload }, ...levelDrafts(innerId, one.inner, inner));
    return { identifier, kind: 'collection', id: innerId };
  });
  return [...drafts, ...elementDrafts(id, elements, { epoch: 0, attempt: 0 })];
}

/** What is in a collection, with other datasets in its places; undefined when one of them has none. */
export function levelOf(
  view: AccountView,
  record: CollectionRecord,
  instead: (dataset: string) => string | undefined,
  depth = 0,
): Level | undefined {
  const level: Level = [];
  for (const { identifier, dataset, collection } of placesIn(view, record)) {
    const other = dataset && instead(dataset.id);
    const inner = collection && depth < NESTING_MAX ? levelOf(view, collection, instead, depth + 1) : undefined;
    if (other !== undefined) level.push({ identifier, dataset: other });
    else if (inner) level.push({ identifier, inner });
    else return undefined;
  }
  return level;
}
