/** A history made up for tests: datasets and collections by id. */

import type { ToolContext, ToolDataset } from '../../../node/toolbox/tool.js';
import type { Content } from '../../../protocol/account/entries.js';
import type { JsonObject } from '../../../protocol/log/entry.js';

export interface FakeDataset {
  id: string;
  hid: number;
  name?: string;
  extension?: string;
  state?: Content['state'];
  metadata?: JsonObject;
  deleted?: boolean;
  pending?: boolean;
}

export const HISTORY = 'f'.repeat(16);

/** Dataset number 3 is `0000000000000003`. */
export function id(number: number): string {
  return String(number).padStart(16, '0');
}

export function fakeDataset(given: FakeDataset): ToolDataset {
  const extension = given.extension ?? 'txt';
  return {
    hid: given.hid,
    record: {
      id: given.id,
      applied: 0,
      history: HISTORY,
      hid: given.hid,
      uuid: '',
      createdAt: 0,
      name: given.name ?? `dataset ${given.hid}`,
      extension,
      purged: false,
      metadata: {},
      deleted: given.deleted ?? false,
    },
    content: given.pending
      ? undefined
      : {
          state: given.state ?? 'ok',
          extension,
          files: [],
          size: 10,
          peek: '',
          blurb: '',
          info: '',
          metadata: given.metadata ?? {},
        },
  };
}

export function fakeContext(
  given: FakeDataset[],
  collections: Record<
    string,
    { name: string; hid: number; type: string; elements: [identifier: string, dataset: string][] }
  > = {},
): ToolContext {
  const datasets = new Map(given.map((one) => [one.id, fakeDataset(one)]));
  return {
    historyId: HISTORY,
    dataset: (wanted) => datasets.get(wanted),
    collection(wanted) {
      const found = collections[wanted];
      return (
        found && {
          id: wanted,
          name: found.name,
          hid: found.hid,
          collectionType: found.type,
          elements: found.elements.flatMap(([identifier, dataset]) => {
            const held = datasets.get(dataset);
            return held ? [{ identifier, dataset: held }] : [];
          }),
        }
      );
    },
    choices: () => [...datasets.values()].sort((a, b) => b.hid - a.hid),
  };
}
