/** Changes of many items at once: for each the entries that make it, or why it cannot be made. Pure. */
import type { Inspected } from '../../protocol/account/entries.js';
import type { AccountView, DatasetRecord } from '../../protocol/account/records.js';
import type { Draft, JsonObject } from '../../protocol/log/entry.js';
import { seenFields } from './looks.js';
import { datasetsIn } from './places.js';

export type BulkOperation =
  | { operation: 'hide' | 'unhide' | 'delete' | 'undelete' | 'purge' }
  | { operation: 'change_datatype'; datatype: string }
  | { operation: 'change_dbkey'; dbkey: string }
  | { operation: 'add_tags' | 'remove_tags'; tags: readonly string[] };

export interface BulkResult {
  successes: number;
  errors: { item: { kind: 'dataset' | 'collection'; id: string }; message: string }[];
}

export interface ItemRef {
  kind: 'dataset' | 'collection';
  id: string;
}

export function deletion(record: DatasetRecord, purge: boolean): Draft[] {
  const drafts: Draft[] = [];
  if (!record.deleted) drafts.push({ type: 'dataset.updated', payload: { id: record.id, deleted: true } });
  if (purge && !record.purged) drafts.push({ type: 'dataset.purged', payload: { id: record.id } });
  return drafts;
}

/** The entries, or why not. */
export function bulkDrafts(
  view: AccountView,
  history: string,
  item: ItemRef,
  action: BulkOperation,
  seen: Inspected | undefined,
): Draft[] | string {
  const record = view.get(item.kind, item.id);
  if (record === undefined || record.history !== history) return 'It is not in this history.';
  const change = (fields: JsonObject): Draft[] => [
    { type: item.kind === 'dataset' ? 'dataset.updated' : 'collection.updated', payload: { id: item.id, ...fields } },
  ];
  const purged = 'purged' in record && record.purged;
  switch (action.operation) {
    case 'hide':
      return change({ visible: false });
    case 'unhide':
      return change({ visible: true });
    case 'delete':
      return change({ deleted: true });
    case 'undelete':
      return purged ? 'It was purged and cannot be undeleted.' : change({ deleted: false });
    case 'purge':
      if (item.kind === 'dataset') return deletion(record as DatasetRecord, true);
      return [
        ...change({ deleted: true }),
        ...('elements' in record ? [...datasetsIn(view, record)] : []).flatMap((dataset) => deletion(dataset, true)),
      ];
    case 'change_datatype':
      if (item.kind === 'collection') return 'The datatype of a collection cannot be changed as a whole.';
      if (purged) return 'It was purged.';
      return change({ ...seenFields(record as DatasetRecord, seen), extension: action.datatype });
    case 'change_dbkey':
      if (item.kind === 'collection') return 'The build of a collection cannot be changed as a whole.';
      return purged ? 'It was purged.' : change({ genomeBuild: action.dbkey });
    case 'add_tags':
      return change({ tags: [...new Set([...(record.tags ?? []), ...action.tags])] });
    case 'remove_tags':
      return change({ tags: (record.tags ?? []).filter((tag) => !action.tags.includes(tag)) });
  }
}
