/** What a tool's parameters may ask of a user's things, read from her view. */
import type { AccountView, DatasetRecord } from '../../protocol/account/records.js';
import { contentOf, hidOf } from '../../protocol/account/records.js';
import type { ToolContext, ToolDataset } from '../toolbox/tool.js';

/** Choices that a form offers; a longer history is searched by the client through the contents list. */
const CHOICES_MAX = 5_000;

export function toolContext(view: AccountView, historyId: string): ToolContext {
  const describe = (record: DatasetRecord): ToolDataset => ({
    record,
    content: contentOf(view, record),
    hid: hidOf(record),
  });
  return {
    historyId,
    dataset(id) {
      const record = view.get('dataset', id);
      return record === undefined || record.purged ? undefined : describe(record);
    },
    collection(id) {
      const record = view.get('collection', id);
      if (record === undefined) return undefined;
      const elements = record.elements.flatMap((element) => {
        const dataset = element.kind === 'dataset' ? view.get('dataset', element.id) : undefined;
        return dataset === undefined ? [] : [{ identifier: element.identifier, dataset: describe(dataset) }];
      });
      const { name, collectionType } = record;
      return { id, name, hid: hidOf(record), collectionType, elements };
    },
    choices() {
      return view
        .items(historyId)
        .datasets.filter((record) => !record.deleted && !record.purged && record.visible !== false)
        .map(describe)
        .sort((a, b) => b.hid - a.hid)
        .slice(0, CHOICES_MAX);
    },
  };
}
