/** From what was asked for to log entries: the job and a dataset for each of its outputs. Pure, ids are handed in. */
import type { Draft, JsonObject } from '../../protocol/log/entry.js';
import { ENTRY_PAYLOAD_BYTES_MAX } from '../../protocol/wire/limits.js';
import { uuidOf } from '../datasets/uuid.js';
import { jobErrors } from './errors.js';
import type { FetchSubmission, Submission, SubmittedJob } from './job.js';
import { jsonBytes } from './outcome.js';

/** Jobs that go to the log in one batch. */
export const BATCH_JOBS = 200;
/** One upload request; what its outcome says of each file must fit into one entry. */
export const FETCH_ITEMS_MAX = 100;
/** Room for ids and names beside the parameters. */
const PARAMS_BYTES_MAX = ENTRY_PAYLOAD_BYTES_MAX - 4 * 1024;

export interface Identity {
  job: string;
  /** The id of a dataset from its job and output name. */
  output(name: string): string;
}

export interface PlannedJob {
  submitted: SubmittedJob;
  drafts: Draft[];
}

/** Errors: `jobs/too-large` for the first one that would not fit into an entry. */
export function checkSizes(submissions: readonly Submission[]): void {
  for (const [index, { state, inputs, outputs }] of submissions.entries()) {
    const bytes = jsonBytes({ state, inputs, outputs });
    if (bytes > PARAMS_BYTES_MAX) throw jobErrors('too-large', { index: index + 1, bytes, max: PARAMS_BYTES_MAX });
  }
}

export function planSubmission(submission: Submission, identity: Identity, hid: number, now: number): PlannedJob {
  const datasets = submission.outputs.map((output) => ({
    output: output.name,
    name: output.label,
    extension: output.extension,
    ...(output.hidden ? { visible: false } : {}),
  }));
  const job: JsonObject = {
    tool: submission.tool,
    toolVersion: submission.toolVersion,
    params: submission.state,
    inputs: submission.inputs,
  };
  return plan(submission.history, job, datasets, identity, hid, now);
}

/** `node`: where the uploaded bytes are; only that node can run the job. */
export function planFetch(
  fetch: FetchSubmission,
  identity: Identity,
  hid: number,
  now: number,
  node: string,
): PlannedJob {
  const datasets = fetch.items.map((item, index) => ({
    output: fetchOutput(index),
    name: item.name,
    extension: item.extension,
    genomeBuild: item.genomeBuild,
    ...(item.tags.length > 0 ? { tags: item.tags } : {}),
  }));
  const job: JsonObject = {
    tool: fetch.tool,
    toolVersion: fetch.tool === 'upload1' ? '1.1.7' : '0.1.0',
    params: { upload_node: node, file_count: fetch.items.length, files: fetch.items.slice(0, 20).map(describeItem) },
    inputs: {},
  };
  return plan(fetch.history, job, datasets, identity, hid, now);
}

export function fetchOutput(index: number): string {
  return `output${index}`;
}

/** The node that holds the bytes of an upload; undefined for any other job. */
export function uploadNode(job: { tool: string; params: JsonObject }): string | undefined {
  if (job.tool !== 'upload1' && job.tool !== '__DATA_FETCH__') return undefined;
  const node = job.params.upload_node;
  return typeof node === 'string' ? node : undefined;
}

function plan(
  history: string,
  job: JsonObject,
  datasets: (JsonObject & { output: string })[],
  identity: Identity,
  hid: number,
  now: number,
): PlannedJob {
  const outputs: Record<string, string> = {};
  const drafts: Draft[] = [];
  for (const [index, fields] of datasets.entries()) {
    const id = identity.output(fields.output);
    outputs[fields.output] = id;
    const place = { id, history, hid: hid + index, uuid: uuidOf(id), createdAt: now, job: identity.job };
    drafts.push({ type: 'dataset.created', payload: { ...place, ...fields } });
  }
  drafts.unshift({ type: 'job.submitted', payload: { id: identity.job, history, outputs, createdAt: now, ...job } });
  return { submitted: { job: identity.job, outputs }, drafts };
}

function describeItem(item: FetchSubmission['items'][number]): JsonObject {
  return { name: item.name.slice(0, 255), ext: item.extension, dbkey: item.genomeBuild };
}
