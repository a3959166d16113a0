/** From what was asked for to log entries: the job and a dataset for each of its outputs. Pure, ids are handed in. */
import type { Draft, JsonObject } from '../../protocol/log/entry.js';
import { ENTRY_PAYLOAD_BYTES_MAX } from '../../protocol/wire/limits.js';
import { uuidOf } from '../datasets/uuid.js';
import { jobErrors } from './errors.js';
import { innerCollectionId, nestedDrafts } from './found.js';
import type { FetchSubmission, ImplicitCollection, Submission, SubmittedCollection, SubmittedJob } from './job.js';
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
  /** Numbers of the history that it takes. */
  hids: number;
}

/** Output names of a job that is one of many → the collection around what it makes. */
export type Around = ReadonlyMap<string, { id: string; hid: number }>;

/** Errors: `jobs/too-large` for the first one that would not fit into an entry. */
export function checkSizes(submissions: readonly Submission[]): void {
  for (const [index, { state, inputs, outputs, collections }] of submissions.entries()) {
    const names = [...outputs, ...(collections ?? [])].map(({ name }) => [name, '0123456789abcdef']);
    const bytes = jsonBytes({ state, inputs, names });
    if (bytes > PARAMS_BYTES_MAX) throw jobErrors('too-large', { index: index + 1, bytes, max: PARAMS_BYTES_MAX });
  }
}

export function planSubmission(
  submission: Submission,
  identity: Identity,
  hid: number,
  now: number,
  around: Around = new Map(),
): PlannedJob {
  const datasets = submission.outputs.map((output) => ({
    output: output.name,
    name: output.label,
    extension: output.extension,
    ...(output.genomeBuild === undefined ? {} : { genomeBuild: output.genomeBuild }),
    ...(output.hidden || around.has(output.name) ? { visible: false } : {}),
  }));
  const job: JsonObject = {
    tool: submission.tool,
    toolVersion: submission.toolVersion,
    params: submission.state,
    inputs: submission.inputs,
  };
  const { history, collections = [] } = submission;
  const ids = new Map(collections.map(({ name }) => [name, identity.output(`collection/${name}`)]));
  if (ids.size > 0) job.outputCollections = Object.fromEntries(ids);
  const planned = plan(history, job, datasets, identity, hid + collections.length, now);
  const place = { history, createdAt: now, job: identity.job };
  for (const [index, collection] of collections.entries()) {
    const outer = around.get(collection.name);
    const members = submission.outputs.flatMap(({ name, element }) =>
      element?.collection === collection.name
        ? [{ identifiers: element.identifiers, id: planned.submitted.outputs[name] ?? '', kind: 'dataset' as const }]
        : [],
    );
    const at = { ...place, id: ids.get(collection.name) ?? '', hid: outer?.hid ?? hid + index };
    planned.drafts.push(...collectionDrafts(collection, at, members, outer?.id));
  }
  planned.hids += collections.length;
  if (ids.size > 0) planned.submitted.collections = Object.fromEntries(ids);
  return planned;
}

type Place = { id: string; history: string; hid: number; createdAt: number; job?: string };
type Member = Parameters<typeof nestedDrafts>[1][number];

function collectionDrafts(
  collection: SubmittedCollection & { isImplicit?: boolean },
  place: Place,
  members: readonly Member[],
  parent: string | undefined,
): Draft[] {
  const { id, ...base } = place;
  const { collectionType } = collection;
  const payload: JsonObject = {
    ...base,
    id,
    name: collection.label,
    collectionType,
    elements: [],
    ...(collection.isImplicit ? { implicit: true } : { output: collection.name }),
    ...(collection.hidden ? { visible: false } : {}),
    ...(parent === undefined ? {} : { parent }),
    ...(collection.discovered ? { discovered: true } : {}),
  };
  const inside = collection.discovered ? [] : nestedDrafts(id, members, { ...base, collectionType });
  return [{ type: 'collection.created', payload }, ...inside];
}

export interface ImplicitPlan {
  drafts: Draft[];
  hids: number;
  /** Of each job, in order. */
  around: Around[];
  /** Output name → collection. */
  ids: Record<string, string>;
}

/** The collections around the outputs of many jobs. `jobs`: who they are, in the order of the submissions. */
export function planImplicit(
  implicit: readonly ImplicitCollection[],
  submissions: readonly Submission[],
  jobs: readonly Identity[],
  hid: number,
  now: number,
): ImplicitPlan {
  const around = submissions.map(() => new Map<string, { id: string; hid: number }>());
  const ids: Record<string, string> = {};
  const drafts: Draft[] = [];
  const [first] = jobs;
  const history = submissions[0]?.history ?? '';
  for (const [index, { output, label, collectionType, hidden, identifiers }] of implicit.entries()) {
    const id = first?.output(`implicit/${output}`) ?? '';
    ids[output] = id;
    const place = { id, history, hid: hid + index, createdAt: now };
    const members = identifiers.flatMap((names, number): Member[] => {
      const job = jobs[number];
      if (names === undefined || job === undefined) return [];
      const parent = names.slice(0, -1).reduce(innerCollectionId, id);
      around[number]?.set(output, { id: parent, hid: place.hid });
      const isCollection = submissions[number]?.collections?.some(({ name }) => name === output) ?? false;
      const member = isCollection ? job.output(`collection/${output}`) : job.output(output);
      return [{ identifiers: names, id: member, kind: isCollection ? 'collection' : 'dataset' }];
    });
    const collection = { name: output, label, collectionType, hidden, discovered: false, isImplicit: true };
    drafts.push(...collectionDrafts(collection, place, members, undefined));
  }
  return { drafts, hids: implicit.length, around, ids };
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
  return { submitted: { job: identity.job, outputs }, drafts, hids: datasets.length };
}

function describeItem(item: FetchSubmission['items'][number]): JsonObject {
  return { name: item.name.slice(0, 255), ext: item.extension, dbkey: item.genomeBuild };
}
