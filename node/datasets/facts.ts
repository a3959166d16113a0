/**
 * What can be said of a dataset now. Nothing of it is stored: state, size and content come from the outcome of its job
 * (or from itself, when it is a copy), so a merge of two logs can never leave a state that contradicts the content.
 */
import type { Content } from '../../protocol/account/entries.js';
import {
  type AccountView,
  type CollectionRecord,
  contentOf,
  type DatasetRecord,
  hidOf,
  type JobRecord,
  metadataOf,
} from '../../protocol/account/records.js';
import type { JsonObject } from '../../protocol/log/entry.js';
import { type JobState, jobState, type LocalJobState } from '../jobs/job.js';
import { datasetsIn, jobsMaking, type Population, populationOf } from './places.js';

export const DATASET_STATES = [
  'new',
  'upload',
  'queued',
  'running',
  'ok',
  'empty',
  'error',
  'paused',
  'setting_metadata',
  'failed_metadata',
  'deferred',
  'discarded',
] as const;

export type DatasetState = (typeof DATASET_STATES)[number];

/** States after which a dataset changes no more by itself. */
export const SETTLED: ReadonlySet<DatasetState> = new Set([
  'ok',
  'empty',
  'error',
  'failed_metadata',
  'deferred',
  'discarded',
]);

/** What this node knows of the jobs it works on. */
export interface JobActivity {
  local(job: string): LocalJobState | undefined;
  /** When the local state last changed, milliseconds; 0 when it has not. */
  touchedAt(job: string): number;
}

export interface DatasetFacts {
  kind: 'dataset';
  record: DatasetRecord;
  id: string;
  hid: number;
  state: DatasetState;
  content: Content | undefined;
  extension: string;
  genomeBuild: string;
  size: number;
  info: string;
  metadata: JsonObject;
  job: JobRecord | undefined;
  deleted: boolean;
  purged: boolean;
  visible: boolean;
  tags: readonly string[];
  updatedAt: number;
}

export interface CollectionFacts {
  kind: 'collection';
  record: CollectionRecord;
  id: string;
  hid: number;
  /** Of the datasets in it, however deep: how many are in which state. */
  states: Partial<Record<DatasetState, number>>;
  /** Of the jobs that make it: how many are in which state. */
  jobs: Partial<Record<JobState, number>>;
  population: Population;
  state: DatasetState;
  extensions: string[];
  genomeBuilds: string[];
  elementsDeleted: number;
  deleted: boolean;
  visible: boolean;
  tags: readonly string[];
  updatedAt: number;
}

export type ItemFacts = DatasetFacts | CollectionFacts;

export function datasetState(view: AccountView, dataset: DatasetRecord, activity: JobActivity): DatasetState {
  const content = contentOf(view, dataset);
  if (content) return content.state;
  const job = dataset.job === undefined ? undefined : view.get('job', dataset.job);
  if (job === undefined) return dataset.job === undefined ? 'empty' : 'new';
  return stateWithoutContent(jobState(job, activity.local(job.id)));
}

/** Of what a job is to make, and has said nothing of. */
function stateWithoutContent(state: JobState): DatasetState {
  switch (state) {
    case 'new':
    case 'waiting':
      return 'new';
    case 'queued':
    case 'running':
    case 'paused':
      return state;
    case 'deleted':
    case 'stopped':
    case 'skipped':
      return 'discarded';
    // The job has ended and said nothing of this output.
    case 'ok':
    case 'error':
    case 'failed':
      return 'error';
  }
}

const UNDECIDED = new Set(['auto', '_sniff_', '']);

export function datasetFacts(view: AccountView, record: DatasetRecord, activity: JobActivity): DatasetFacts {
  const content = contentOf(view, record);
  const job = record.job === undefined ? undefined : view.get('job', record.job);
  return {
    kind: 'dataset',
    record,
    id: record.id,
    hid: hidOf(record),
    state: datasetState(view, record, activity),
    content,
    extension: UNDECIDED.has(record.extension) ? (content?.extension ?? record.extension) : record.extension,
    genomeBuild: record.genomeBuild ?? '?',
    size: content?.size ?? 0,
    info: record.info ?? (job?.outcome?.message || content?.info || ''),
    metadata: metadataOf(content, record),
    job,
    deleted: record.purged || (record.deleted ?? false),
    purged: record.purged,
    visible: record.visible ?? true,
    tags: record.tags ?? [],
    updatedAt: Math.max(record.applied, job?.applied ?? 0, job ? activity.touchedAt(job.id) : 0),
  };
}

export function collectionFacts(view: AccountView, record: CollectionRecord, activity: JobActivity): CollectionFacts {
  const states: Partial<Record<DatasetState, number>> = {};
  const extensions = new Set<string>();
  const genomeBuilds = new Set<string>();
  let elementsDeleted = 0;
  let updatedAt = record.applied;
  for (const dataset of datasetsIn(view, record)) {
    const facts = datasetFacts(view, dataset, activity);
    states[facts.state] = (states[facts.state] ?? 0) + 1;
    extensions.add(facts.extension);
    genomeBuilds.add(facts.genomeBuild);
    if (facts.deleted) elementsDeleted += 1;
    updatedAt = Math.max(updatedAt, facts.updatedAt);
  }
  const jobStates: Partial<Record<JobState, number>> = {};
  for (const id of jobsMaking(view, record)) {
    const job = view.get('job', id);
    if (job === undefined) continue;
    const state = jobState(job, activity.local(id));
    jobStates[state] = (jobStates[state] ?? 0) + 1;
    updatedAt = Math.max(updatedAt, job.applied, activity.touchedAt(id));
  }
  const population = populationOf(view, record);
  return {
    kind: 'collection',
    record,
    id: record.id,
    hid: hidOf(record),
    states,
    jobs: jobStates,
    population,
    state: worst(population.is === 'ok' ? states : { ...states, ...stillWithout(jobStates) }),
    extensions: [...extensions].sort(),
    genomeBuilds: [...genomeBuilds].sort(),
    elementsDeleted,
    deleted: record.deleted ?? false,
    visible: record.visible ?? true,
    tags: record.tags ?? [],
    updatedAt,
  };
}

/** What the datasets will be in that nobody knows of yet. */
function stillWithout(jobs: Partial<Record<JobState, number>>): Partial<Record<DatasetState, number>> {
  return Object.fromEntries(
    (Object.keys(jobs) as JobState[]).filter((state) => state !== 'ok').map((state) => [stateWithoutContent(state), 1]),
  );
}

/** What a set of datasets is in together: what still moves first, then what failed. */
const RANK: readonly DatasetState[] = [
  'error',
  'failed_metadata',
  'paused',
  'running',
  'setting_metadata',
  'upload',
  'queued',
  'new',
  'discarded',
];

function worst(states: Partial<Record<DatasetState, number>>): DatasetState {
  return RANK.find((state) => (states[state] ?? 0) > 0) ?? 'ok';
}

/** Every item of a history, with what can be said of it. */
export function historyItems(view: AccountView, history: string, activity: JobActivity): ItemFacts[] {
  const { datasets, collections } = view.items(history);
  return [
    ...datasets.map((record) => datasetFacts(view, record, activity)),
    ...collections.map((record) => collectionFacts(view, record, activity)),
  ];
}
