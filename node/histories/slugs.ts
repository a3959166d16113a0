/** The last part of a shared history's address, unique among its owner's. Settled by the home, in one append. */
import type { AccountView, HistoryRecord } from '../../protocol/account/records.js';
import { historyErrors } from './errors.js';

function slugOf(name: string): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return (slug || 'history').slice(0, 200);
}

function slugsTaken(view: AccountView, record: HistoryRecord): Set<string> {
  const taken = new Set<string>();
  for (const other of view.list('history')) if (other.id !== record.id && other.slug) taken.add(other.slug);
  return taken;
}

export function freeSlug(view: AccountView, record: HistoryRecord): string {
  const taken = slugsTaken(view, record);
  const base = slugOf(record.name);
  for (let n = 1; ; n += 1) {
    const slug = n === 1 ? base : `${base}-${n}`;
    if (!taken.has(slug)) return slug;
  }
}

export function checkedSlug(view: AccountView, record: HistoryRecord, slug: string): string {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(slug)) throw historyErrors('bad-slug', { slug });
  if (slugsTaken(view, record).has(slug)) throw historyErrors('slug-taken', { slug });
  return slug;
}
