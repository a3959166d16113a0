/** Whether a dataset can be an input at all, and of this parameter. */

import type { LoadedParameter } from '../loaded.js';
import type { ToolContext, ToolDataset } from '../tool.js';
import type { Reference } from './data-reference.js';

export type Dataset = { reference: Reference } | { wrong: string };

/** The sentence that says what is wrong, or undefined. */
export function wrongWith(dataset: ToolDataset, parameter: LoadedParameter, context: ToolContext): string | undefined {
  const { record, content, hid } = dataset;
  if (record.purged || record.deleted) return `Dataset ${hid} was deleted.`;
  if (content?.state === 'error') return `Dataset ${hid} is in error and cannot be used.`;
  if (content?.state === 'discarded') return `Dataset ${hid} was discarded and cannot be used.`;
  for (const validate of parameter.datasetValidators ?? []) {
    const wrong = validate(dataset, context);
    if (wrong !== undefined) return `Dataset ${hid}: ${wrong}`;
  }
  return undefined;
}
