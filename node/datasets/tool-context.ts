/** What a tool's parameters may ask: of a user's things, read from her view, and of what this node has for its tools. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { AccountView, CollectionRecord, DatasetRecord } from '../../protocol/account/records.js';
import { contentOf, hidOf } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { isDomainError } from '../../protocol/runtime/errors.js';
import type { DataTables } from '../toolbox/data-tables/data-tables.js';
import type { ToolCollection, ToolContext, ToolDataset, ToolElement } from '../toolbox/tool.js';
import { findPlace, NESTING_MAX, type Place, placesIn, populationOf } from './places.js';

export interface ToolContextDeps {
  blobs: Pick<BlobStore, 'path'>;
  tables: Pick<DataTables, 'table'>;
}

/** Choices that a form offers; a longer history is searched by the client through the contents list. */
const CHOICES_MAX = 5_000;
/** Of a dataset whose lines are choices; Galaxy reads as much. */
const LINES_BYTES_MAX = 1024 * 1024;
const LINES_MAX = 50_000;

export function toolContext(view: AccountView, historyId: string, { blobs, tables }: ToolContextDeps): ToolContext {
  const describe = (record: DatasetRecord): ToolDataset => ({
    record,
    content: contentOf(view, record),
    hid: hidOf(record),
  });
  const elementAt = ({ id, identifier, dataset, collection }: Place, depth: number): ToolElement | undefined => {
    if (dataset) return { id, identifier, dataset: describe(dataset) };
    if (collection === undefined || depth > NESTING_MAX) return undefined;
    const { collectionType } = collection;
    return { id: collection.id, identifier, collectionType, elements: elementsOf(collection, depth + 1) };
  };
  const elementsOf = (record: CollectionRecord, depth: number): ToolElement[] =>
    placesIn(view, record).flatMap((place) => elementAt(place, depth) ?? []);
  const describeCollection = (record: CollectionRecord): ToolCollection => {
    const { id, name, collectionType, tags } = record;
    const tree = elementsOf(record, 0);
    const isNested = tree.some((element) => !('dataset' in element));
    return {
      id,
      name,
      hid: hidOf(record),
      collectionType,
      elements: leavesOf(tree),
      ...(isNested ? { tree } : {}),
      ...(tags ? { tags } : {}),
    };
  };
  const read = new Map<string, readonly string[] | undefined>();
  const account = view.get('account', view.account);
  return {
    historyId,
    tables,
    ...(account ? { user: { id: account.id, email: account.email, name: account.username } } : {}),
    dataset(id) {
      const record = view.get('dataset', id);
      return record === undefined || record.purged ? undefined : describe(record);
    },
    collection(id) {
      const record = view.get('collection', id);
      return record && describeCollection(record);
    },
    element(id) {
      const found = findPlace(view, id);
      return found && elementAt(found.place, 0);
    },
    choices() {
      return view
        .items(historyId)
        .datasets.filter((record) => !record.deleted && !record.purged && record.visible !== false)
        .map(describe)
        .sort((a, b) => b.hid - a.hid)
        .slice(0, CHOICES_MAX);
    },
    collections() {
      return view
        .items(historyId)
        .collections.filter((record) => !record.deleted && record.visible !== false)
        .filter((record) => populationOf(view, record).is === 'ok')
        .sort((a, b) => hidOf(b) - hidOf(a))
        .slice(0, CHOICES_MAX)
        .map(describeCollection);
    },
    lines(id) {
      if (read.has(id)) return read.get(id);
      const record = view.get('dataset', id);
      const content = record === undefined || record.purged ? undefined : contentOf(view, record);
      const blob = content?.files.find(({ role }) => role === 'primary')?.blob;
      const lines = content?.size === 0 ? [] : blob === undefined ? undefined : firstLines(blobs, blob);
      read.set(id, lines);
      return lines;
    },
  };
}

function leavesOf(tree: readonly ToolElement[]): ToolCollection['elements'] {
  return tree.flatMap((element) =>
    'dataset' in element ? [{ identifier: element.identifier, dataset: element.dataset }] : leavesOf(element.elements),
  );
}

/** Undefined: the bytes are elsewhere, or are no text. */
function firstLines(blobs: Pick<BlobStore, 'path'>, blob: string): string[] | undefined {
  let path: string;
  try {
    path = blobs.path(blob);
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return undefined;
  }
  const buffer = Buffer.alloc(LINES_BYTES_MAX);
  const file = openSync(path, 'r');
  let length = 0;
  try {
    for (let count = -1; count !== 0 && length < buffer.length; length += count) {
      count = readSync(file, buffer, length, buffer.length - length, length);
    }
  } finally {
    closeSync(file);
  }
  const bytes = buffer.subarray(0, length);
  if (bytes.includes(0) || (bytes[0] === 0x1f && bytes[1] === 0x8b)) return undefined;
  const lines = bytes.toString('utf8').split(/\r?\n/);
  // What follows the last line end is nothing, or a line that was cut.
  const last = lines.pop();
  if (last && length < LINES_BYTES_MAX) lines.push(last);
  return lines.slice(0, LINES_MAX);
}
