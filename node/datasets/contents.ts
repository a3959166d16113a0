/** Lists of items: what the contents of a history and the list of all datasets can be filtered and ordered by. */
import type { AccountView } from '../../protocol/account/records.js';
import { compileFilters, compileOrder, type Fields, page } from '../histories/query.js';
import { DATASET_STATES, type ItemFacts } from './facts.js';

/**
 * Bounds of `update_time-ge` and `-gt` are taken this much earlier. The client asks for what changed since its last
 * answer by its own clock; what arrives by replication or is settled after a merge would else never appear in an open
 * page.
 */
export const UPDATE_TIME_SLACK_MS = 60_000;

export interface ContentsQuery {
  q?: readonly string[];
  qv?: readonly string[];
  order?: string;
  limit?: number;
  offset?: number;
  /** Galaxy's older filters. */
  ids?: readonly string[];
  types?: readonly ('dataset' | 'dataset_collection')[];
  deleted?: boolean;
  visible?: boolean;
}

export interface ContentsPage {
  items: ItemFacts[];
  /** Before limit and offset. */
  total: number;
  /** Bytes of all matches. */
  size: number;
}

export function typeOf(item: ItemFacts): 'dataset' | 'dataset_collection' {
  return item.kind === 'dataset' ? 'dataset' : 'dataset_collection';
}

export function typeId(item: ItemFacts): string {
  return `${typeOf(item)}-${item.id}`;
}

const FIELDS: Fields<ItemFacts> = {
  id: { kind: 'text', of: (item) => item.id },
  dataset_id: { kind: 'text', of: (item) => item.id },
  history_id: { kind: 'text', of: (item) => item.record.history, order: 'asc' },
  hid: { kind: 'number', of: (item) => item.hid, order: 'dsc' },
  name: { kind: 'text', of: (item) => item.record.name, order: 'asc' },
  history_content_type: { kind: 'text', of: typeOf, values: ['dataset', 'dataset_collection'], order: 'asc' },
  type: { kind: 'text', of: typeOf },
  type_id: { kind: 'text', of: typeId },
  collection_type: { kind: 'text', of: (item) => (item.kind === 'collection' ? item.record.collectionType : '') },
  state: { kind: 'text', of: (item) => item.state, values: DATASET_STATES, order: 'asc' },
  extension: {
    kind: 'text',
    of: (item) => (item.kind === 'dataset' ? item.extension : item.extensions.join(',')),
    order: 'asc',
  },
  genome_build: { kind: 'text', of: (item) => (item.kind === 'dataset' ? item.genomeBuild : '?') },
  dbkey: { kind: 'text', of: (item) => (item.kind === 'dataset' ? item.genomeBuild : '?') },
  annotation: { kind: 'text', of: (item) => (item.kind === 'dataset' ? item.record.annotation : '') },
  tag: { kind: 'texts', of: (item) => item.tags },
  tool_id: { kind: 'text', of: (item) => (item.kind === 'dataset' ? item.job?.tool : '') },
  copied_from: { kind: 'text', of: (item) => (item.kind === 'dataset' ? item.record.copiedFrom : '') },
  deleted: { kind: 'flag', of: (item) => item.deleted },
  purged: { kind: 'flag', of: (item) => item.kind === 'dataset' && item.purged },
  visible: { kind: 'flag', of: (item) => item.visible },
  size: { kind: 'number', of: (item) => (item.kind === 'dataset' ? item.size : 0), order: 'dsc' },
  create_time: { kind: 'time', of: (item) => item.record.createdAt, order: 'dsc' },
  update_time: { kind: 'time', of: (item) => item.updatedAt, slackMs: UPDATE_TIME_SLACK_MS, order: 'dsc' },
};

export function selectItems(items: readonly ItemFacts[], query: ContentsQuery, view?: AccountView): ContentsPage {
  const filtered = items.filter(compileFilters(fieldsFor(items, query, view), query.q ?? [], query.qv ?? []));
  const ids = query.ids ? new Set(query.ids) : undefined;
  const kept = filtered.filter(
    (item) =>
      (ids === undefined || ids.has(item.id)) &&
      (query.types === undefined || query.types.includes(typeOf(item))) &&
      (query.deleted === undefined || item.deleted === query.deleted) &&
      (query.visible === undefined || item.visible === query.visible),
  );
  const order = compileOrder(FIELDS, query.order ?? 'hid-asc');
  // Ids rise with time: they settle what the order leaves open, so that pages never overlap.
  kept.sort((a, b) => order(a, b) || (a.id < b.id ? -1 : 1));
  return {
    items: page(kept, query.offset, query.limit),
    total: kept.length,
    size: kept.reduce((sum, item) => sum + (item.kind === 'dataset' ? item.size : 0), 0),
  };
}

/** `related-eq=HID` asks for what an item was made from and what was made of it; it needs the jobs. */
function fieldsFor(
  items: readonly ItemFacts[],
  query: ContentsQuery,
  view: AccountView | undefined,
): Fields<ItemFacts> {
  const wanted = (query.q ?? []).findIndex((name) => name === 'related' || name === 'related-eq');
  if (wanted < 0 || view === undefined) return FIELDS;
  const hid = query.qv?.[wanted] ?? '';
  const related = relatedTo(items, Number(hid));
  return { ...FIELDS, related: { kind: 'text', of: (item) => (related.has(item.id) ? hid : '') } };
}

function relatedTo(items: readonly ItemFacts[], hid: number): Set<string> {
  const related = new Set<string>();
  const roots = new Set(items.filter((item) => item.hid === hid).map((item) => item.id));
  for (const item of items) {
    if (roots.has(item.id)) related.add(item.id);
    if (item.kind !== 'dataset') continue;
    const inputs = Object.values(item.job?.inputs ?? {}).flatMap((list) => list.map(({ id }) => id));
    if (inputs.some((id) => roots.has(id))) related.add(item.id);
    if (roots.has(item.id)) for (const id of inputs) related.add(id);
  }
  return related;
}
