/** The entry that copies a dataset: pure, used by single copies and by copies of whole histories. */
import type { AccountView, DatasetRecord } from '../../protocol/account/records.js';
import { contentOf, metadataOf } from '../../protocol/account/records.js';
import type { Draft, JsonObject, JsonValue } from '../../protocol/log/entry.js';
import { uuidOf } from './uuid.js';

/**
 * Undefined when there is nothing to copy: an unfinished dataset of another account, whose outcome will stand in a log
 * that is not ours.
 */
export function copyDraft(
  source: AccountView,
  dataset: DatasetRecord,
  to: { id: string; history: string; hid: number; at: number; sharesJob: boolean },
): Draft | undefined {
  const content = contentOf(source, dataset);
  const decided: JsonObject | undefined = content
    ? { content: { ...content, metadata: metadataOf(content, dataset) } as unknown as JsonValue }
    : to.sharesJob && dataset.job !== undefined && dataset.output !== undefined
      ? { job: dataset.job, output: dataset.output }
      : undefined;
  if (decided === undefined) return undefined;
  const payload: JsonObject = {
    id: to.id,
    history: to.history,
    hid: to.hid,
    uuid: uuidOf(to.id),
    createdAt: to.at,
    copiedFrom: dataset.id,
    name: dataset.name,
    extension: dataset.extension,
    ...decided,
  };
  for (const field of ['genomeBuild', 'info', 'annotation', 'tags', 'visible', 'deleted'] as const) {
    const value = dataset[field];
    if (value !== undefined) payload[field] = value;
  }
  return { type: 'dataset.created', payload };
}
