/** Lists and pairs of datasets, and such of lists and pairs. An inner one is a record of its own, with the hid of the outer. */
import type { EntryPayload } from '../../protocol/account/entries.js';
import type { AccountView } from '../../protocol/account/records.js';
import type { AccountLog } from '../../protocol/log/account-log.js';
import type { Draft, JsonObject } from '../../protocol/log/entry.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { IdSource } from '../histories/histories.js';
import { type Level, levelDrafts } from './collection-drafts.js';
import { copyDraft } from './copies.js';
import { datasetErrors } from './errors.js';
import { type CollectionFacts, collectionFacts, type DatasetFacts, datasetFacts, type JobActivity } from './facts.js';
import { elementsOf, type NewElement, type PlainElement, plainElements } from './new-collection.js';
import { collectionsIn, datasetsIn, findPlace, NESTING_MAX, type Place, placesIn } from './places.js';

export interface CollectionsDeps {
  log: Pick<AccountLog, 'append'>;
  ids: IdSource;
  clock: Clock;
  activity: JobActivity;
}

export interface NewCollection {
  history: string;
  name: string;
  type: string;
  elements: readonly NewElement[];
  /** Galaxy copies the elements, so that deleting an original does not empty the collection. */
  copyElements: boolean;
  hideSource: boolean;
  tags?: readonly string[];
}

export interface ElementFacts {
  identifier: string;
  index: number;
  /** Of this place in this collection; derived, since an element is no record of its own. */
  id: string;
  dataset?: DatasetFacts;
  collection?: CollectionFacts;
  /** Of the inner collection, when they were asked for. */
  elements?: ElementFacts[];
}

export class Collections {
  constructor(private readonly deps: CollectionsDeps) {}

  /** Errors: `datasets/collection-not-found`, `datasets/not-in-history`. */
  get(view: AccountView | undefined, id: string, history?: string): CollectionFacts {
    const record = view?.get('collection', id);
    if (view === undefined || record === undefined) throw datasetErrors('collection-not-found', { id });
    if (history !== undefined && record.history !== history) throw datasetErrors('not-in-history', { id });
    return collectionFacts(view, record, this.deps.activity);
  }

  /** The collection itself, or one that is in it at any depth. Errors: `datasets/collection-not-found`. */
  within(view: AccountView | undefined, outer: string, id: string): CollectionFacts {
    const { record } = this.get(view, outer);
    for (const one of collectionsIn(view as AccountView, record)) {
      if (one.id === id) return collectionFacts(view as AccountView, one, this.deps.activity);
    }
    throw datasetErrors('collection-not-found', { id });
  }

  /** `depth`: how many levels of inner collections are opened; all unless told. */
  elements(view: AccountView, { record }: Pick<CollectionFacts, 'record'>, depth = NESTING_MAX): ElementFacts[] {
    return placesIn(view, record).map((place) => this.describe(view, place, depth));
  }

  /** A place in some collection; `outer` is the one in the history. Errors: `datasets/element-not-found`. */
  element(view: AccountView, id: string): { element: ElementFacts; outer: string } {
    const found = findPlace(view, id);
    if (found === undefined) throw datasetErrors('element-not-found', { id });
    return { element: this.describe(view, found.place, NESTING_MAX), outer: found.outer.id };
  }

  private describe(
    view: AccountView,
    { id, index, identifier, dataset, collection }: Place,
    depth: number,
  ): ElementFacts {
    const { activity } = this.deps;
    const place = { id, index, identifier };
    if (dataset) return { ...place, dataset: datasetFacts(view, dataset, activity) };
    if (collection === undefined) return place;
    const facts = collectionFacts(view, collection, activity);
    return depth > 0
      ? { ...place, collection: facts, elements: this.elements(view, facts, depth - 1) }
      : { ...place, collection: facts };
  }

  /** Errors: those of `plainElements`, `datasets/not-found`, `datasets/purged`, `datasets/not-ready`. */
  async create(account: string, wanted: NewCollection): Promise<CollectionFacts> {
    const id = this.deps.ids.next();
    const { view } = await this.deps.log.append(account, (now) => this.drafts(now, id, wanted));
    return this.get(view, id);
  }

  /** With copies of its datasets unless they are to be shared. Errors: as `create`. */
  async copy(
    account: string,
    source: string,
    options: { history: string; copyElements: boolean },
  ): Promise<CollectionFacts> {
    const id = this.deps.ids.next();
    const { view } = await this.deps.log.append(account, (now) => {
      const { record } = this.get(now, source);
      const { name, collectionType: type, tags } = record;
      const elements = elementsOf(now, source);
      return this.drafts(now, id, { ...options, name, type, elements, hideSource: false, ...(tags ? { tags } : {}) });
    });
    return this.get(view, id);
  }

  private drafts(now: AccountView, id: string, wanted: NewCollection): Draft[] {
    const { history, name, type } = wanted;
    const at = this.deps.clock.now();
    const plain = plainElements(now, type, wanted.elements);
    const drafts: Draft[] = [];
    let hid = now.nextHid(history);
    const member = (identifier: string, dataset: string): string => {
      const record = now.get('dataset', dataset);
      if (record === undefined) throw datasetErrors('not-found', { id: dataset });
      if (record.purged) throw datasetErrors('purged', { name: record.name });
      if (wanted.hideSource) drafts.push({ type: 'dataset.updated', payload: { id: dataset, visible: false } });
      if (!wanted.copyElements) return dataset;
      const copy = this.deps.ids.next();
      const draft = copyDraft(now, record, { id: copy, history, hid, at, sharesJob: true });
      if (draft === undefined) throw datasetErrors('not-ready', { name: record.name, state: 'new' });
      drafts.push({ ...draft, payload: { ...draft.payload, visible: false, name: identifier } });
      hid += 1;
      return copy;
    };
    const level = (elements: readonly PlainElement[]): Level =>
      elements.map((element) =>
        'dataset' in element
          ? { identifier: element.identifier, dataset: member(element.identifier, element.dataset) }
          : { identifier: element.identifier, inner: level(element.elements) },
      );
    const members = level(plain);
    const payload: JsonObject = {
      id,
      history,
      hid,
      name,
      collectionType: type,
      elements: [],
      createdAt: at,
      ...(wanted.tags ? { tags: [...wanted.tags] } : {}),
    };
    drafts.push({ type: 'collection.created', payload });
    return [...drafts, ...levelDrafts(id, members, { history, hid, createdAt: at, collectionType: type })];
  }

  async update(
    account: string,
    id: string,
    change: Omit<EntryPayload<'collection.updated'>, 'id'>,
  ): Promise<CollectionFacts> {
    const { view } = await this.deps.log.append(account, (now) => {
      this.get(now, id);
      const fields: JsonObject = {};
      for (const [field, value] of Object.entries(change)) if (value !== undefined) fields[field] = value;
      return Object.keys(fields).length === 0 ? [] : [{ type: 'collection.updated', payload: { ...fields, id } }];
    });
    return this.get(view, id);
  }

  /** `recursive` deletes the datasets in it too; `purge` purges them. */
  async delete(account: string, id: string, options: { recursive: boolean; purge: boolean }): Promise<CollectionFacts> {
    const { view } = await this.deps.log.append(account, (now) => {
      const { record } = this.get(now, id);
      const drafts: Draft[] = [{ type: 'collection.updated', payload: { id, deleted: true } }];
      if (!options.recursive && !options.purge) return drafts;
      for (const dataset of datasetsIn(now, record)) {
        drafts.push({ type: 'dataset.updated', payload: { id: dataset.id, deleted: true } });
        if (options.purge) drafts.push({ type: 'dataset.purged', payload: { id: dataset.id } });
      }
      return drafts;
    });
    return this.get(view, id);
  }
}
