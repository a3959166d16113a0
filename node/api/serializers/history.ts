/** Histories as Galaxy's clients read them. */
import { createHash } from 'node:crypto';
import type { components } from '@galaxyproject/galaxy-api-client';
import type { AccountView, HistoryRecord } from '../../../protocol/account/records.js';
import type { HistoryStats } from '../../histories/stats.js';
import { galaxyTime, niceSize } from './time.js';

export type HistorySummary = components['schemas']['HistorySummary'];
export type HistoryDetailed = components['schemas']['HistoryDetailed'];
export type SharingStatus = components['schemas']['ShareHistoryWithStatus'];

/** What the client reads beyond the documented shape. */
interface ClientHistory {
  nice_size: string;
  hid_counter: number;
  empty: boolean;
  owner: boolean;
  email_hash: string;
  contents_active: { active: number; hidden: number; deleted: number };
  contents_states: Record<string, number>;
  non_ready_jobs: string[] | null;
}

export function historyUrl(id: string): string {
  return `/api/histories/${id}`;
}

export function historySummary(record: HistoryRecord, stats: HistoryStats): HistorySummary {
  return {
    model_class: 'History',
    id: record.id,
    name: record.name,
    deleted: record.purged || (record.deleted ?? false),
    purged: record.purged,
    archived: record.archived ?? false,
    published: record.published ?? false,
    annotation: record.annotation ?? null,
    tags: record.tags ?? [],
    count: stats.count,
    update_time: galaxyTime(stats.updatedAt),
    url: historyUrl(record.id),
    preferred_object_store_id: null,
  };
}

/** `reader` is the account that asks. */
export function historyDetailed(
  view: AccountView,
  record: HistoryRecord,
  stats: HistoryStats,
  reader: string | undefined,
): HistoryDetailed & ClientHistory {
  const owner = view.get('account', view.account);
  const username = owner?.username ?? null;
  const slug = record.slug ?? null;
  return {
    ...historySummary(record, stats),
    contents_url: `${historyUrl(record.id)}/contents`,
    create_time: galaxyTime(record.createdAt),
    genome_build: record.genomeBuild ?? '?',
    importable: record.importable ?? false,
    slug,
    size: stats.size,
    nice_size: niceSize(stats.size),
    user_id: view.account,
    username,
    username_and_slug: username !== null && slug !== null ? `u/${username}/h/${slug}` : null,
    owner: view.account === reader,
    email_hash: emailHash(owner?.email),
    state: stats.state,
    state_details: stats.states,
    state_ids: Object.fromEntries(Object.keys(stats.states).map((state) => [state, idsIn(stats, state)])),
    hid_counter: stats.hidCounter,
    empty: stats.empty,
    contents_active: { active: stats.active, hidden: stats.hidden, deleted: stats.deleted },
    contents_states: Object.fromEntries(Object.entries(stats.states).filter(([, count]) => count > 0)),
    non_ready_jobs: null,
  };
}

export function historySharing(view: AccountView, record: HistoryRecord): SharingStatus {
  const owner = view.get('account', view.account);
  const username = owner?.username ?? null;
  return {
    id: record.id,
    title: record.name,
    importable: record.importable ?? false,
    published: record.published ?? false,
    username,
    username_and_slug: username !== null && record.slug ? `u/${username}/h/${record.slug}` : null,
    email_hash: emailHash(owner?.email),
    users_shared_with: [],
    extra: { can_share: true, can_change: [], cannot_change: [], accessible_count: 0 },
    errors: [],
  };
}

function idsIn(stats: HistoryStats, state: string): string[] {
  return (stats.ids as Record<string, string[] | undefined>)[state] ?? [];
}

/** For the little picture beside a name; MD5 is what the picture services take. */
function emailHash(email: string | undefined): string {
  return createHash('md5')
    .update((email ?? '').trim().toLowerCase())
    .digest('hex');
}
