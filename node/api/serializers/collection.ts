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

export function collectionSummary(facts: CollectionFacts): HDCASummary {
  const { record } = facts;
  const url = `/api/histories/${record.history}/contents/dataset_collections/${facts.id}`;
  return {
    id: facts.id,
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
    populated_state: 'ok',
    populated_state_message: null,
    job_source_id: record.job ?? null,
    job_source_type: record.job === undefined ? null : 'Job',
    job_state_summary: null,
    store_times_summary: null,
    deleted: facts.deleted,
    visible: facts.visible,
    tags: [...facts.tags],
    create_time: galaxyTime(record.createdAt),
    update_time: galaxyTime(facts.updatedAt),
    url,
    contents_url: `/api/dataset_collections/${facts.id}/contents/${facts.id}`,
  };
}

export function collectionDetailed(facts: CollectionFacts, elements: readonly ElementFacts[]): HDCADetailed {
  return {
    ...collectionSummary(facts),
    populated: Object.keys(facts.states).every((state) => SETTLED.has(state as DatasetFacts['state'])),
    implicit_collection_jobs_id: null,
    elements: elements.map(collectionElement),
  };
}

export function collectionElement(element: ElementFacts): Element {
  return {
    id: element.id,
    model_class: 'DatasetCollectionElement',
    element_identifier: element.identifier,
    element_index: element.index,
    element_type: 'hda',
    object: element.dataset === undefined ? null : elementObject(element.dataset),
  };
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
