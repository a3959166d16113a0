/** What a history adds up to now: sizes, counts and states. Derived at each reading and never stored. */
import type { AccountView, HistoryRecord } from '../../protocol/account/records.js';
import { DATASET_STATES, type DatasetState, historyItems, type JobActivity } from '../datasets/facts.js';

export type HistoryState = 'new' | 'queued' | 'running' | 'ok' | 'error' | 'paused';

export interface HistoryStats {
  /** Bytes of datasets that are not purged; copies count once. */
  size: number;
  /** Items that are not deleted. */
  count: number;
  empty: boolean;
  active: number;
  hidden: number;
  deleted: number;
  state: HistoryState;
  /** Datasets by state, without deleted ones. */
  states: Record<DatasetState, number>;
  ids: Partial<Record<DatasetState, string[]>>;
  /** Datasets whose job has not ended. */
  unfinished: number;
  hidCounter: number;
  updatedAt: number;
}

const MOVING: readonly DatasetState[] = ['running', 'setting_metadata', 'upload'];
const WAITING: readonly DatasetState[] = ['new', 'queued'];

export function historyStats(view: AccountView, history: HistoryRecord, activity: JobActivity): HistoryStats {
  const states = Object.fromEntries(DATASET_STATES.map((state) => [state, 0])) as Record<DatasetState, number>;
  const ids: Partial<Record<DatasetState, string[]>> = {};
  const contents = new Set<string>();
  const stats = { size: 0, count: 0, active: 0, hidden: 0, deleted: 0 };
  let total = 0;
  let updatedAt = Math.max(view.changedAt(history.id), history.applied);
  for (const item of historyItems(view, history.id, activity)) {
    total += 1;
    updatedAt = Math.max(updatedAt, item.updatedAt);
    if (item.deleted) stats.deleted += 1;
    else {
      stats.count += 1;
      if (item.visible) stats.active += 1;
      else stats.hidden += 1;
    }
    if (item.kind === 'collection') continue;
    if (!item.purged) {
      for (const file of item.content?.files ?? []) {
        if (contents.has(file.blob)) continue;
        contents.add(file.blob);
        stats.size += file.size;
      }
    }
    if (item.deleted) continue;
    states[item.state] += 1;
    const list = ids[item.state] ?? [];
    list.push(item.id);
    ids[item.state] = list;
  }
  return {
    ...stats,
    empty: total === 0,
    state: stateOf(states),
    states,
    ids,
    unfinished: [...MOVING, ...WAITING, 'paused' as const].reduce((sum, state) => sum + states[state], 0),
    hidCounter: view.nextHid(history.id),
    updatedAt,
  };
}

function stateOf(states: Record<DatasetState, number>): HistoryState {
  const any = (names: readonly DatasetState[]) => names.some((name) => states[name] > 0);
  if (!any(DATASET_STATES)) return 'new';
  if (any(MOVING)) return 'running';
  if (any(WAITING)) return 'queued';
  if (any(['error', 'failed_metadata'])) return 'error';
  if (any(['paused'])) return 'paused';
  return 'ok';
}

/** When the history or anything in it last changed here: what the client's poll compares with. */
export function historyChangedAt(view: AccountView, history: HistoryRecord, activity: JobActivity): number {
  let at = Math.max(view.changedAt(history.id), history.applied);
  for (const dataset of view.items(history.id).datasets) {
    if (dataset.job === undefined) continue;
    const job = view.get('job', dataset.job);
    at = Math.max(at, job?.applied ?? 0, activity.touchedAt(dataset.job));
  }
  return at;
}
