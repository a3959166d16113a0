/** Whether a job's inputs are there. Pure: the view and what this node holds in, a word with its reason out. */
import type { Content } from '../../protocol/account/entries.js';
import type { AccountView, DatasetRecord, JobRecord } from '../../protocol/account/records.js';
import { contentOf, hidOf } from '../../protocol/account/records.js';
import { collectionsIn, populationOf } from '../datasets/places.js';

export type Readiness =
  | { is: 'ready' }
  /** For the outcomes of these jobs. */
  | { is: 'waiting'; reason: string; jobs: string[] }
  /** The inputs are decided; their bytes are on other nodes. */
  | { is: 'fetching'; reason: string; blobs: string[] }
  /** An input failed, or will not come while another job is paused. */
  | { is: 'paused'; reason: string; jobs: string[] }
  /** It can never run. */
  | { is: 'failed'; reason: string };

export interface ReadinessFacts {
  hasBlob(blob: string): boolean;
  isPaused(job: string): boolean;
}

const LIST_MAX = 3;

export function readiness(view: AccountView, job: JobRecord, facts: ReadinessFacts): Readiness {
  const waiting: DatasetRecord[] = [];
  const paused: DatasetRecord[] = [];
  const failed: DatasetRecord[] = [];
  const absent: { dataset: DatasetRecord; blobs: string[] }[] = [];
  const unfilled = unfilledCollections(view, job);
  for (const { id, dataset } of inputDatasets(view, job)) {
    if (dataset === undefined) return { is: 'failed', reason: `An input of this job (${id}) does not exist.` };
    if (dataset.purged || dataset.deleted) {
      return { is: 'failed', reason: `${named(dataset)} was deleted before the job started.` };
    }
    const content = contentOf(view, dataset);
    if (content === undefined) {
      if (dataset.job !== undefined && facts.isPaused(dataset.job)) paused.push(dataset);
      else waiting.push(dataset);
    } else if (isUsable(content)) {
      const blobs = content.files.map(({ blob }) => blob).filter((blob) => !facts.hasBlob(blob));
      if (blobs.length > 0) absent.push({ dataset, blobs });
    } else failed.push(dataset);
  }
  if (unfilled) return unfilled;
  if (failed.length > 0) {
    return {
      is: 'paused',
      reason: `${list(failed)} failed; the job waits for it to be made again`,
      jobs: jobsOf(failed),
    };
  }
  if (paused.length > 0) {
    return { is: 'paused', reason: `waiting for ${list(paused, false)}, whose job is paused`, jobs: jobsOf(paused) };
  }
  if (waiting.length > 0) {
    return { is: 'waiting', reason: `waiting for ${list(waiting, false)}`, jobs: jobsOf(waiting) };
  }
  if (absent.length > 0) {
    const names = list(
      absent.map(({ dataset }) => dataset),
      false,
    );
    return {
      is: 'fetching',
      reason: `fetching ${names} from other nodes`,
      blobs: absent.flatMap(({ blobs }) => blobs),
    };
  }
  return { is: 'ready' };
}

/** Of collections whose elements a job discovers: they are known when it has ended. */
function unfilledCollections(view: AccountView, job: JobRecord): Readiness | undefined {
  for (const { kind, id } of Object.values(job.inputs).flat()) {
    const record = kind === 'collection' ? view.get('collection', id) : undefined;
    const population = record && populationOf(view, record);
    if (record === undefined || population === undefined || population.is === 'ok') continue;
    const jobs = [...collectionsIn(view, record)].flatMap((one) => one.job ?? []);
    const named = `collection ${hidOf(record)}`;
    return population.is === 'new'
      ? { is: 'waiting', reason: `waiting for ${named}`, jobs }
      : { is: 'paused', reason: `${named} could not be made: ${population.reason}`, jobs };
  }
  return undefined;
}

/** Every dataset that the job reads, those inside collections included. */
export function inputDatasets(
  view: AccountView,
  job: Pick<JobRecord, 'inputs'>,
): { id: string; dataset: DatasetRecord | undefined }[] {
  const found = new Map<string, DatasetRecord | undefined>();
  const seen = new Set<string>();
  const visit = (kind: 'dataset' | 'collection', id: string) => {
    if (kind === 'dataset') {
      found.set(id, view.get('dataset', id));
      return;
    }
    if (seen.has(id)) return;
    seen.add(id);
    const collection = view.get('collection', id);
    if (collection === undefined) found.set(id, undefined);
    else for (const element of collection.elements) visit(element.kind, element.id);
  };
  for (const inputs of Object.values(job.inputs)) for (const { kind, id } of inputs) visit(kind, id);
  return Array.from(found, ([id, dataset]) => ({ id, dataset }));
}

function isUsable(content: Content): boolean {
  return content.state === 'ok' || content.state === 'empty' || content.state === 'failed_metadata';
}

function jobsOf(datasets: readonly DatasetRecord[]): string[] {
  return [...new Set(datasets.flatMap(({ job }) => (job === undefined ? [] : [job])))];
}

function named(dataset: DatasetRecord): string {
  return `Dataset ${hidOf(dataset)} (${dataset.name})`;
}

function list(datasets: readonly DatasetRecord[], capital = true): string {
  const numbers = datasets.slice(0, LIST_MAX).map((dataset) => String(hidOf(dataset)));
  const more = datasets.length - numbers.length;
  const word = datasets.length === 1 ? 'ataset' : 'atasets';
  return `${capital ? 'D' : 'd'}${word} ${numbers.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
