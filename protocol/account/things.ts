/**
 * What a person would say an entry changed: a dataset, a collection, a history, a job, her settings. An upload is one
 * dataset and not the four entries that make it; that a job started, or an item got another number, is nothing of its own.
 */
import type { Entry } from '../log/entry.js';
import { derivedId } from '../wire/ids.js';

export const THING_KINDS = ['dataset', 'collection', 'history', 'job', 'settings'] as const;
export type ThingKind = (typeof THING_KINDS)[number];

/** How many of each. */
export type ThingCounts = Record<ThingKind, number>;

export interface Thing {
  kind: ThingKind;
  id: string;
}

const KINDS: Record<string, ThingKind | undefined> = {
  'history.created': 'history',
  'history.updated': 'history',
  'history.purged': 'history',
  'dataset.created': 'dataset',
  'dataset.updated': 'dataset',
  'dataset.files': 'dataset',
  'dataset.purged': 'dataset',
  'collection.created': 'collection',
  'collection.updated': 'collection',
  'collection.elements': 'collection',
  'job.cancelled': 'job',
  'account.created': 'settings',
  'key.created': 'settings',
  'key.revoked': 'settings',
  'user_tool.created': 'settings',
  'user_tool.updated': 'settings',
};

export function thingsOf({ account, type, payload }: Pick<Entry, 'account' | 'type' | 'payload'>): Thing[] {
  const id = typeof payload.id === 'string' ? payload.id : '';
  // A job is its outputs; only one without any is counted itself.
  if (type === 'job.submitted') return outputNames(payload.outputs).length > 0 ? [] : [{ kind: 'job', id }];
  if (type === 'job.outcome') {
    const names = outputNames(payload.outputs);
    if (names.length === 0) return [{ kind: 'job', id }];
    return names.map((name) => ({ kind: 'dataset', id: derivedId(id, name) }));
  }
  // Which history is open is no change that anybody would miss.
  if (type === 'account.updated') {
    const isMore = Object.keys(payload).some((field) => field !== 'id' && field !== 'currentHistory');
    return isMore ? [{ kind: 'settings', id: account }] : [];
  }
  const kind = KINDS[type];
  if (kind === undefined) return [];
  return [{ kind, id: kind === 'settings' ? account : id }];
}

export function countThings(things: Iterable<Thing>): ThingCounts {
  const counts: ThingCounts = { dataset: 0, collection: 0, history: 0, job: 0, settings: 0 };
  const seen = new Set<string>();
  for (const { kind, id } of things) {
    const name = `${kind}/${id}`;
    if (!seen.has(name)) counts[kind] += 1;
    seen.add(name);
  }
  return counts;
}

const PLURALS: Record<ThingKind, [one: string, many: string]> = {
  dataset: ['1 dataset', 'datasets'],
  collection: ['1 collection', 'collections'],
  history: ['1 history', 'histories'],
  job: ['1 job', 'jobs'],
  settings: ['1 change of your settings', 'changes of your settings'],
};

/** "2 datasets and 1 history"; empty when there is nothing. */
export function describeThings(counts: ThingCounts): string {
  const parts = THING_KINDS.filter((kind) => counts[kind] > 0).map((kind) => {
    const [one, many] = PLURALS[kind];
    return counts[kind] === 1 ? one : `${counts[kind]} ${many}`;
  });
  const last = parts.pop() ?? '';
  return parts.length > 0 ? `${parts.join(', ')} and ${last}` : last;
}

function outputNames(outputs: unknown): string[] {
  return typeof outputs === 'object' && outputs !== null ? Object.keys(outputs) : [];
}
