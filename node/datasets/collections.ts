/** Lists and pairs of datasets. Nested collections are not offered yet: an inner one would need a hid of its own. */
import { createHash } from 'node:crypto';
import type { EntryPayload } from '../../protocol/account/entries.js';
import type { AccountView } from '../../protocol/account/records.js';
import type { AccountLog } from '../../protocol/log/account-log.js';
import type { Draft, JsonObject } from '../../protocol/log/entry.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { IdSource } from '../histories/histories.js';
import { copyDraft } from './copies.js';
import { datasetErrors } from './errors.js';
import { type CollectionFacts, collectionFacts, type DatasetFacts, datasetFacts, type JobActivity } from './facts.js';

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
  elements: readonly { identifier: string; dataset: string }[];
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
  dataset: DatasetFacts | undefined;
}

export const ELEMENTS_MAX = 10_000;
const TYPES = new Set(['list', 'paired']);

export class Collections {
  constructor(private readonly deps: CollectionsDeps) {}

  /** Errors: `datasets/collection-not-found`, `datasets/not-in-history`. */
  get(view: AccountView | undefined, id: string, history?: string): CollectionFacts {
    const record = view?.get('collection', id);
    if (view === undefined || record === undefined) throw datasetErrors('collection-not-found', { id });
    if (history !== undefined && record.history !== history) throw datasetErrors('not-in-history', { id });
    return collectionFacts(view, record, this.deps.activity);
  }

  elements(view: AccountView, facts: CollectionFacts): ElementFacts[] {
    return facts.record.elements.map((element, index) => {
      const dataset = element.kind === 'dataset' ? view.get('dataset', element.id) : undefined;
      return {
        identifier: element.identifier,
        index,
        id: elementId(facts.id, index),
        dataset: dataset && datasetFacts(view, dataset, this.deps.activity),
      };
    });
  }

  async create(account: string, wanted: NewCollection): Promise<CollectionFacts> {
    checkShape(wanted);
    const id = this.deps.ids.next();
    const { view } = await this.deps.log.append(account, (now) => {
      const at = this.deps.clock.now();
      const drafts: Draft[] = [];
      let hid = now.nextHid(wanted.history);
      const members = wanted.elements.map(({ identifier, dataset }) => {
        const record = now.get('dataset', dataset);
        if (record === undefined) throw datasetErrors('not-found', { id: dataset });
        if (record.purged) throw datasetErrors('purged', { name: record.name });
        let member = dataset;
        if (wanted.copyElements) {
          member = this.deps.ids.next();
          const draft = copyDraft(now, record, { id: member, history: wanted.history, hid, at, sharesJob: true });
          if (draft === undefined) throw datasetErrors('not-ready', { name: record.name, state: 'new' });
          drafts.push({ ...draft, payload: { ...draft.payload, visible: false, name: identifier } });
          hid += 1;
        }
        if (wanted.hideSource) drafts.push({ type: 'dataset.updated', payload: { id: dataset, visible: false } });
        return { identifier, kind: 'dataset', id: member };
      });
      const payload: JsonObject = {
        id,
        history: wanted.history,
        hid,
        name: wanted.name,
        collectionType: wanted.type,
        elements: members,
        createdAt: at,
        ...(wanted.tags ? { tags: [...wanted.tags] } : {}),
      };
      return [...drafts, { type: 'collection.created', payload }];
    });
    return this.get(view, id);
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
      for (const element of record.elements) {
        if (element.kind !== 'dataset' || now.get('dataset', element.id) === undefined) continue;
        drafts.push({ type: 'dataset.updated', payload: { id: element.id, deleted: true } });
        if (options.purge) drafts.push({ type: 'dataset.purged', payload: { id: element.id } });
      }
      return drafts;
    });
    return this.get(view, id);
  }
}

function checkShape(wanted: NewCollection): void {
  if (!TYPES.has(wanted.type)) throw datasetErrors('collection-type', { type: wanted.type });
  const identifiers = wanted.elements.map(({ identifier }) => identifier);
  const refuse = (reason: string) => datasetErrors('bad-collection', { reason });
  if (identifiers.length > ELEMENTS_MAX) throw refuse(`it would have more than ${ELEMENTS_MAX} elements`);
  if (new Set(identifiers).size !== identifiers.length) throw refuse('two elements have the same identifier');
  if (identifiers.some((identifier) => identifier.trim() === '')) throw refuse('an element has no identifier');
  if (wanted.type === 'paired' && identifiers.slice().sort().join() !== 'forward,reverse') {
    throw refuse('a pair has exactly the elements "forward" and "reverse"');
  }
}

function elementId(collection: string, index: number): string {
  return createHash('sha256').update(`element:${collection}:${index}`).digest('hex').slice(0, 16);
}
