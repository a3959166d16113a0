/**
 * Places in collections: what stands where, however deep, and the id by which Galaxy's clients name a place (`dce`). A
 * place is no record of its own; its id follows from the collection's and its number, so it is the same on every node.
 */
import { createHash } from 'node:crypto';
import type { AccountView, CollectionRecord, DatasetRecord } from '../../protocol/account/records.js';

export interface Place {
  id: string;
  index: number;
  identifier: string;
  /** Undefined, both: its record has not arrived. */
  dataset?: DatasetRecord;
  collection?: CollectionRecord;
}

/** Lists in lists, as deep as collections are made; what goes deeper is not followed. */
export const NESTING_MAX = 8;

export function placesIn(view: AccountView, record: CollectionRecord): Place[] {
  const ids = idsOf(record);
  return record.elements.map(({ identifier, kind, id }, index) => {
    const place: Place = { id: ids[index] as string, index, identifier };
    if (kind === 'dataset') {
      const dataset = view.get('dataset', id);
      if (dataset) place.dataset = dataset;
    } else {
      const collection = view.get('collection', id);
      if (collection) place.collection = collection;
    }
    return place;
  });
}

/** Every dataset of a collection in order, those of inner collections included; one that stands in two places twice. */
export function* datasetsIn(view: AccountView, record: CollectionRecord, depth = 0): Iterable<DatasetRecord> {
  for (const { kind, id } of record.elements) {
    if (kind === 'dataset') {
      const dataset = view.get('dataset', id);
      if (dataset) yield dataset;
    } else if (depth < NESTING_MAX) {
      const inner = view.get('collection', id);
      if (inner) yield* datasetsIn(view, inner, depth + 1);
    }
  }
}

/** The collection itself, then those in it. */
export function* collectionsIn(view: AccountView, record: CollectionRecord, depth = 0): Iterable<CollectionRecord> {
  yield record;
  if (depth >= NESTING_MAX) return;
  for (const { kind, id } of record.elements) {
    const inner = kind === 'collection' ? view.get('collection', id) : undefined;
    if (inner) yield* collectionsIn(view, inner, depth + 1);
  }
}

/** A place by its id, in whichever collection of the account it is, and the one in the history that it is part of. */
export function findPlace(view: AccountView, id: string): { place: Place; outer: CollectionRecord } | undefined {
  for (const record of view.list('collection')) {
    const index = idsOf(record).indexOf(id);
    const place = index < 0 ? undefined : placesIn(view, record)[index];
    if (place) return { place, outer: outermost(view, record) };
  }
  return undefined;
}

function outermost(view: AccountView, record: CollectionRecord): CollectionRecord {
  let outer = record;
  for (let depth = 0; depth < NESTING_MAX && outer.parent !== undefined; depth += 1) {
    const next = view.get('collection', outer.parent);
    if (next === undefined) break;
    outer = next;
  }
  return outer;
}

/** The jobs that make it: of an implicit one those of its elements, of a tool's output that one, of a user's own none. */
export function jobsMaking(view: AccountView, record: CollectionRecord): Set<string> {
  const jobs = new Set<string>();
  for (const { job } of collectionsIn(view, record)) if (job !== undefined) jobs.add(job);
  if (record.implicit) for (const { job } of datasetsIn(view, record)) if (job !== undefined) jobs.add(job);
  return jobs;
}

export type Population = { is: 'ok' } | { is: 'new' } | { is: 'failed'; reason: string };

/** Whether it is known what is in a collection: of one that a job discovers, when the job has ended. */
export function populationOf(view: AccountView, record: CollectionRecord): Population {
  let failed: Population | undefined;
  for (const one of collectionsIn(view, record)) {
    if (!one.discovered || one.elements.length > 0 || one.job === undefined) continue;
    const job = view.get('job', one.job);
    if (job === undefined || (job.outcome === undefined && !job.cancelled)) return { is: 'new' };
    if (job.outcome?.state === 'ok') continue;
    failed ??= {
      is: 'failed',
      reason: job.outcome?.message || 'The job that was to make its elements did not succeed.',
    };
  }
  return failed ?? { is: 'ok' };
}

/** Records are frozen and replaced when they change: what was made of one stays true of it. */
const known = new WeakMap<CollectionRecord, readonly string[]>();

function idsOf(record: CollectionRecord): readonly string[] {
  let ids = known.get(record);
  if (ids === undefined) {
    ids = record.elements.map((_, index) => placeId(record.id, index));
    known.set(record, ids);
  }
  return ids;
}

function placeId(collection: string, index: number): string {
  return createHash('sha256').update(`element:${collection}:${index}`).digest('hex').slice(0, 16);
}
