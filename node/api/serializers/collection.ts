/** Collections as Galaxy's clients read them. */
import type { components } from '@galaxyproject/galaxy-api-client';
import type { ElementFacts } from '../../datasets/collections.js';
import type { CollectionFacts, ItemFacts } from '../../datasets/facts.js';
import { type DatasetFacts, SETTLED } from '../../datasets/facts.js';
import { datasetSummary, type HDASummary } from './dataset.js';
import { galaxyTime } from './time.js';

export type HDCASummary = components['schemas']['HDCASummary'];
export type HDCADetailed = components['schemas']['HDCADetailed'];
type Element = components['schemas']['DCESummary'];
type JobStateSummary = components['schemas']['HDCJobStateSummary'];

export function collectionSummary(facts: CollectionFacts): HDCASummary {
  const { record, population } = facts;
  const url = `/api/histories/${record.history}/contents/dataset_collections/${facts.id}`;
  return {
    id: facts.id,
    // One collection, one place in a history: nothing here shares a collection under two ids.
    collection_id: facts.id,
    model_class: 'HistoryDatasetCollectionAssociation',
    history_content_type: 'dataset_collection',
    type: 'collection',
    type_id: `dataset_collection-${facts.id}`,
    hid: facts.hid,
    name: record.name,
    history_id: record.history,
    collection_type: record.collectionType,
    element_count: record.elements.length,
    elements_datatypes: facts.extensions,
    elements_deleted: facts.elementsDeleted,
    elements_states: facts.states,
    populated_state: population.is,
    populated_state_message: population.is === 'failed' ? population.reason : null,
    ...jobSource(facts),
    job_state_summary: jobStateSummary(facts),
    store_times_summary: null,
    deleted: facts.deleted,
    visible: facts.visible,
    tags: [...facts.tags],
    create_time: galaxyTime(record.createdAt),
    update_time: galaxyTime(facts.updatedAt),
    url,
    contents_url: contentsUrl(facts.id, facts.id),
  };
}

/** The jobs of an implicit collection are known by the id of the collection; `GET /api/jobs` takes it. */
function jobSource({ record }: CollectionFacts): Pick<HDCASummary, 'job_source_id' | 'job_source_type'> {
  if (record.implicit) return { job_source_id: record.id, job_source_type: 'ImplicitCollectionJobs' };
  return { job_source_id: record.job ?? null, job_source_type: record.job === undefined ? null : 'Job' };
}

function jobStateSummary({ jobs }: CollectionFacts): JobStateSummary {
  const summary: JobStateSummary = { ...NO_JOBS };
  for (const [state, count] of Object.entries(jobs)) {
    summary.all_jobs += count;
    // Galaxy has no count for jobs that somebody stopped: they ended, and what they left is kept.
    const key = state === 'stopped' ? 'ok' : state;
    if (key in summary) summary[key as keyof JobStateSummary] += count;
  }
  return summary;
}

const NO_JOBS: JobStateSummary = {
  all_jobs: 0,
  deleted: 0,
  deleted_new: 0,
  error: 0,
  failed: 0,
  new: 0,
  ok: 0,
  paused: 0,
  queued: 0,
  resubmitted: 0,
  running: 0,
  skipped: 0,
  upload: 0,
  waiting: 0,
};

export function collectionDetailed(facts: CollectionFacts, elements: readonly ElementFacts[]): HDCADetailed {
  return {
    ...collectionSummary(facts),
    populated: isPopulated(facts),
    implicit_collection_jobs_id: facts.record.implicit ? facts.id : null,
    elements: elements.map((element) => collectionElement(element, facts.id)),
  };
}

/** `outer`: the collection of the history that it is in. */
export function collectionElement(element: ElementFacts, outer: string): Element {
  const { dataset, collection } = element;
  return {
    id: element.id,
    model_class: 'DatasetCollectionElement',
    element_identifier: element.identifier,
    element_index: element.index,
    element_type: collection ? 'dataset_collection' : 'hda',
    object: collection
      ? innerCollection(collection, element.elements ?? [], outer)
      : dataset === undefined
        ? null
        : elementObject(dataset),
  };
}

function innerCollection(
  facts: CollectionFacts,
  elements: readonly ElementFacts[],
  outer: string,
): components['schemas']['DCObject'] {
  return {
    id: facts.id,
    model_class: 'DatasetCollection',
    collection_type: facts.record.collectionType,
    populated: isPopulated(facts),
    element_count: facts.record.elements.length,
    elements_datatypes: facts.extensions,
    elements_deleted: facts.elementsDeleted,
    elements_states: facts.states,
    contents_url: contentsUrl(outer, facts.id),
    elements: elements.map((element) => collectionElement(element, outer)),
  };
}

function contentsUrl(outer: string, id: string): string {
  return `/api/dataset_collections/${outer}/contents/${id}`;
}

function isPopulated({ population, states }: CollectionFacts): boolean {
  return population.is === 'ok' && Object.keys(states).every((state) => SETTLED.has(state as DatasetFacts['state']));
}

function elementObject(facts: DatasetFacts): NonNullable<Element['object']> {
  return {
    ...datasetSummary(facts),
    model_class: 'HistoryDatasetAssociation',
    hda_ldda: 'hda',
    accessible: true,
    file_ext: facts.extension,
    file_size: facts.size,
    peek: null,
  };
}

export function itemSummary(item: ItemFacts): HDASummary | HDCASummary {
  return item.kind === 'dataset' ? datasetSummary(item) : collectionSummary(item);
}
