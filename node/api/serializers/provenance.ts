/** Where a dataset comes from: its job, that job's inputs, and so on. */
import type { AccountView } from '../../../protocol/account/records.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import { jobParams } from './job.js';

/** Datasets followed in one answer: a long chain is asked for in parts. */
const DEPTH_MAX = 50;
const STEPS_MAX = 1000;

export function provenanceOf(view: AccountView, dataset: string, follow: boolean): JsonObject {
  const budget = { steps: STEPS_MAX };
  return describe(view, dataset, follow ? DEPTH_MAX : 1, budget);
}

function describe(view: AccountView, id: string, depth: number, budget: { steps: number }): JsonObject {
  const dataset = view.get('dataset', id);
  const job = dataset?.job === undefined ? undefined : view.get('job', dataset.job);
  const brief: JsonObject = { id, uuid: dataset?.uuid ?? null };
  budget.steps -= 1;
  if (depth === 0 || budget.steps <= 0) return brief;
  const parameters: JsonObject = job === undefined ? {} : { ...jobParams(job.params) };
  for (const [name, inputs] of Object.entries(job?.inputs ?? {})) {
    const followed = inputs
      .filter(({ kind }) => kind === 'dataset')
      .map((input) => describe(view, input.id, depth - 1, budget));
    if (followed[0] !== undefined) parameters[name] = followed.length === 1 ? followed[0] : followed;
  }
  return {
    ...brief,
    job_id: job?.id ?? null,
    tool_id: job?.tool ?? null,
    parameters,
    stderr: job?.outcome?.stderr ?? '',
    stdout: job?.outcome?.stdout ?? '',
  };
}
