/**
 * A user's histories. Every change is an entry of her account's log; what is read is the folded view. Whether something
 * may be changed is decided here, shapes are the door's business.
 */
import type { EntryPayload } from '../../protocol/account/entries.js';
import { type AccountView, type HistoryRecord, hidOf } from '../../protocol/account/records.js';
import type { AccountLog } from '../../protocol/log/account-log.js';
import type { Draft, JsonObject } from '../../protocol/log/entry.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import { levelDrafts, levelOf } from '../datasets/collection-drafts.js';
import { copyDraft } from '../datasets/copies.js';
import type { JobActivity } from '../datasets/facts.js';
import { historyErrors } from './errors.js';
import { HistoryOwners, isShared, type OwnedHistory } from './owners.js';
import { compileFilters, compileOrder, type Fields, page } from './query.js';
import { checkedSlug, freeSlug } from './slugs.js';
import { type HistoryStats, historyChangedAt, historyStats } from './stats.js';

export interface IdSource {
  /** A new entity id; see docs/PROTOCOL.md. */
  next(): string;
}

export interface HistoriesDeps {
  log: Pick<AccountLog, 'append' | 'view' | 'accounts' | 'onApplied'>;
  ids: IdSource;
  clock: Clock;
  activity: JobActivity;
}

export type HistoryChange = Omit<EntryPayload<'history.updated'>, 'id'>;

export interface HistoryQuery {
  q?: readonly string[];
  qv?: readonly string[];
  /** Undefined: not deleted, unless a filter speaks of it. */
  deleted?: boolean;
  order?: string;
  limit?: number;
  offset?: number;
  /** Free text over name, annotation and tags. */
  search?: string;
}

/** Who reads. */
export interface Reader {
  view: AccountView | undefined;
  admin: boolean;
}

const DEFAULT_NAME = 'Unnamed history';
/** What one copy may bring along. */
const COPY_ITEMS_MAX = 10_000;

export class Histories {
  private readonly owners: HistoryOwners;

  constructor(private readonly deps: HistoriesDeps) {
    this.owners = new HistoryOwners(deps);
  }

  async create(account: string, given: HistoryChange & { name?: string | undefined } = {}): Promise<HistoryRecord> {
    const id = this.deps.ids.next();
    const { view } = await this.deps.log.append(account, (now) => [
      this.creation(id, { ...given, name: given.name || DEFAULT_NAME }),
      // The first history of an account is its current one.
      ...(this.pickCurrent(now) === undefined ? [currentDraft(account, id)] : []),
    ]);
    return own(view, id);
  }

  /** A new history that is the current one from now on. */
  async createCurrent(account: string): Promise<HistoryRecord> {
    const id = this.deps.ids.next();
    const { view } = await this.deps.log.append(account, () => [
      this.creation(id, { name: DEFAULT_NAME }),
      currentDraft(account, id),
    ]);
    return own(view, id);
  }

  async update(account: string, id: string, change: HistoryChange): Promise<HistoryRecord> {
    const { view } = await this.deps.log.append(account, (now) => {
      const record = own(now, id);
      if (record.purged) throw historyErrors('purged', { name: record.name });
      const fields: JsonObject = {};
      for (const [field, value] of Object.entries(change)) if (value !== undefined) fields[field] = value;
      const sharing = change.published === true || change.importable === true;
      if (sharing && change.slug === undefined && !record.slug) fields.slug = freeSlug(now, record);
      // What is published can be opened by its link, as in Galaxy.
      if (change.published === true && change.importable === undefined) fields.importable = true;
      if (typeof change.slug === 'string') fields.slug = checkedSlug(now, record, change.slug);
      return Object.keys(fields).length === 0 ? [] : [{ type: 'history.updated', payload: { ...fields, id } }];
    });
    return own(view, id);
  }

  delete(account: string, id: string, options: { purge: boolean }): Promise<HistoryRecord> {
    return this.changeEach(account, [id], (record, now) => deletion(now, record, options.purge)).then(
      ([record]) => record!,
    );
  }

  undelete(account: string, id: string): Promise<HistoryRecord> {
    return this.changeEach(account, [id], undeletion).then(([record]) => record!);
  }

  /** All or none: one unknown id refuses the whole batch. */
  deleteAll(account: string, ids: readonly string[], options: { purge: boolean }): Promise<HistoryRecord[]> {
    return this.changeEach(account, ids, (record, now) => deletion(now, record, options.purge));
  }

  undeleteAll(account: string, ids: readonly string[]): Promise<HistoryRecord[]> {
    return this.changeEach(account, ids, undeletion);
  }

  async addTags(account: string, id: string, tags: readonly string[]): Promise<HistoryRecord> {
    const { view } = await this.deps.log.append(account, (now) => {
      const record = own(now, id);
      const merged = [...new Set([...(record.tags ?? []), ...tags])];
      return [{ type: 'history.updated', payload: { id, tags: merged } }];
    });
    return own(view, id);
  }

  /**
   * Copies a readable history with its items into the account. A copy shares the content: of a finished dataset its
   * blobs, of an unfinished one the job that decides.
   */
  async copy(
    account: string,
    source: OwnedHistory,
    options: { name?: string | undefined; includeDeleted: boolean },
  ): Promise<HistoryRecord> {
    const id = this.deps.ids.next();
    const sharesJob = source.account === account;
    const { view } = await this.deps.log.append(account, () => {
      const { name: old, annotation, tags, genomeBuild } = source.record;
      const drafts: Draft[] = [
        this.creation(id, {
          name: options.name || `Copy of '${old}'`,
          ...(annotation ? { annotation } : {}),
          ...(tags ? { tags } : {}),
          ...(genomeBuild ? { genomeBuild } : {}),
        }),
      ];
      const items = source.view.items(source.record.id);
      const wanted = items.datasets
        .filter((dataset) => !dataset.purged && (options.includeDeleted || !dataset.deleted))
        .sort((a, b) => hidOf(a) - hidOf(b));
      if (wanted.length > COPY_ITEMS_MAX) throw historyErrors('too-large', { name: old, max: COPY_ITEMS_MAX });
      const copies = new Map<string, string>();
      for (const dataset of wanted) {
        const copy = copyDraft(source.view, dataset, {
          id: this.deps.ids.next(),
          history: id,
          hid: hidOf(dataset),
          at: this.deps.clock.now(),
          sharesJob,
        });
        if (copy === undefined) continue;
        copies.set(dataset.id, String(copy.payload.id));
        drafts.push(copy);
      }
      for (const collection of items.collections) {
        if (collection.deleted && !options.includeDeleted) continue;
        const level = levelOf(source.view, collection, (dataset) => copies.get(dataset));
        if (level === undefined) continue;
        const { name, collectionType } = collection;
        const copy = this.deps.ids.next();
        const base = { history: id, hid: hidOf(collection), createdAt: this.deps.clock.now(), collectionType };
        drafts.push({
          type: 'collection.created',
          payload: {
            ...base,
            id: copy,
            name,
            elements: [],
            ...(collection.tags ? { tags: collection.tags } : {}),
            ...(collection.visible === undefined ? {} : { visible: collection.visible }),
          },
        });
        drafts.push(...levelDrafts(copy, level, base));
      }
      return drafts;
    });
    return own(view, id);
  }

  /** The history the user works in; made when she has none. */
  async current(account: string): Promise<HistoryRecord> {
    const view = await this.deps.log.view(account);
    const record = this.pickCurrent(view);
    return record ?? this.createCurrent(account);
  }

  /** The current history of a view, if there is one. */
  pickCurrent(view: AccountView): HistoryRecord | undefined {
    const id = view.get('account', view.account)?.currentHistory;
    const chosen = id ? view.get('history', id) : undefined;
    if (chosen && !chosen.deleted && !chosen.purged) return chosen;
    return this.mostRecent(view);
  }

  async setCurrent(account: string, id: string): Promise<HistoryRecord> {
    const { view } = await this.deps.log.append(account, (now) => {
      const record = own(now, id);
      if (record.purged) throw historyErrors('purged', { name: record.name });
      return [currentDraft(account, id)];
    });
    return own(view, id);
  }

  /** The history that changed last, of those not deleted. */
  mostRecent(view: AccountView): HistoryRecord | undefined {
    let best: HistoryRecord | undefined;
    let bestAt = -1;
    for (const record of view.list('history')) {
      if (record.deleted || record.purged) continue;
      const at = this.changedAt(view, record);
      if (at > bestAt) [best, bestAt] = [record, at];
    }
    return best;
  }

  /** One of the caller's own. Errors: `histories/not-found`. */
  own(view: AccountView, id: string): HistoryRecord {
    return own(view, id);
  }

  /** One of the caller's own that takes new items. Errors: `histories/not-found`, `histories/deleted`, `histories/purged`. */
  target(view: AccountView, id: string | undefined): HistoryRecord {
    const record = id === undefined ? this.pickCurrent(view) : own(view, id);
    if (record === undefined) throw historyErrors('none');
    if (record.purged) throw historyErrors('purged', { name: record.name });
    if (record.deleted) throw historyErrors('deleted', { name: record.name });
    return record;
  }

  /**
   * One that the caller may read: her own, a shared one, any for an administrator.
   * Errors: `histories/not-found`, `histories/not-accessible`.
   */
  async readable(reader: Reader, id: string): Promise<OwnedHistory> {
    const mine = reader.view?.get('history', id);
    if (reader.view && mine) return { account: reader.view.account, view: reader.view, record: mine };
    const found = await this.owners.find(id);
    if (found === undefined) throw historyErrors('not-found', { id });
    if (reader.admin || isShared(found.record)) return found;
    throw historyErrors('not-accessible');
  }

  /** The view to read a dataset from: the caller's, or one that holds it in a shared history. Undefined: none. */
  async holderOf(reader: Reader, dataset: string): Promise<AccountView | undefined> {
    if (reader.view?.get('dataset', dataset)) return reader.view;
    return this.owners.holderOf(dataset, reader.admin);
  }

  /** For changes: her own or an error that says whose it is not. */
  async changeable(reader: Reader, id: string): Promise<HistoryRecord> {
    const mine = reader.view?.get('history', id);
    if (mine) return mine;
    const found = await this.owners.find(id);
    throw found === undefined ? historyErrors('not-found', { id }) : historyErrors('not-owner');
  }

  list(view: AccountView, query: HistoryQuery): { histories: HistoryRecord[]; total: number } {
    const owned = [...view.list('history')].map((record) => ({ account: view.account, view, record }));
    const { histories, total } = this.select(owned, query);
    return { histories: histories.map(({ record }) => record), total };
  }

  async published(query: HistoryQuery): Promise<{ histories: OwnedHistory[]; total: number }> {
    const shown = await this.owners.all((record) => Boolean(record.published) && isShared(record));
    return this.select(shown, query);
  }

  /** Every user's, for administrators. */
  async everyones(query: HistoryQuery): Promise<{ histories: OwnedHistory[]; total: number }> {
    return this.select(await this.owners.all(() => true), query);
  }

  count(view: AccountView): number {
    let count = 0;
    for (const record of view.list('history')) if (!record.deleted && !record.purged) count += 1;
    return count;
  }

  stats(view: AccountView, record: HistoryRecord): HistoryStats {
    return historyStats(view, record, this.deps.activity);
  }

  /** Milliseconds; strictly rising with every change of the history or of anything in it. */
  changedAt(view: AccountView, record: HistoryRecord): number {
    return historyChangedAt(view, record, this.deps.activity);
  }

  private select(owned: OwnedHistory[], query: HistoryQuery): { histories: OwnedHistory[]; total: number } {
    const fields = this.fields();
    const names = [...(query.q ?? [])];
    const values = [...(query.qv ?? [])];
    const speaksOfDeletion = names.some((name) => /^(deleted|purged)(-|$)/.test(name));
    if (query.deleted !== undefined || !speaksOfDeletion) {
      names.push('deleted');
      values.push(String(query.deleted ?? false));
    }
    if (!names.some((name) => /^archived(-|$)/.test(name))) {
      names.push('archived');
      values.push('false');
    }
    const kept = owned.filter(compileFilters(fields, names, values)).filter(searched(query.search));
    kept.sort(compileOrder(fields, query.order ?? 'create_time-dsc'));
    return { histories: page(kept, query.offset, query.limit), total: kept.length };
  }

  private fields(): Fields<OwnedHistory> {
    return {
      id: { kind: 'text', of: ({ record }) => record.id },
      name: { kind: 'text', of: ({ record }) => record.name, order: 'asc' },
      annotation: { kind: 'text', of: ({ record }) => record.annotation },
      slug: { kind: 'text', of: ({ record }) => record.slug },
      genome_build: { kind: 'text', of: ({ record }) => record.genomeBuild },
      username: { kind: 'text', of: ({ view }) => view.get('account', view.account)?.username, order: 'asc' },
      user_id: { kind: 'text', of: ({ account }) => account },
      tag: { kind: 'texts', of: ({ record }) => record.tags ?? [] },
      deleted: { kind: 'flag', of: ({ record }) => record.purged || (record.deleted ?? false) },
      purged: { kind: 'flag', of: ({ record }) => record.purged },
      published: { kind: 'flag', of: ({ record }) => record.published ?? false },
      importable: { kind: 'flag', of: ({ record }) => record.importable ?? false },
      archived: { kind: 'flag', of: ({ record }) => record.archived ?? false },
      create_time: { kind: 'time', of: ({ record }) => record.createdAt, order: 'dsc' },
      update_time: { kind: 'time', of: ({ view, record }) => this.changedAt(view, record), order: 'dsc' },
      size: { kind: 'number', of: ({ view, record }) => this.stats(view, record).size, order: 'dsc' },
    };
  }

  private creation(id: string, fields: HistoryChange & { name: string }): Draft {
    const payload: JsonObject = { id, createdAt: this.deps.clock.now(), name: fields.name };
    for (const [field, value] of Object.entries(fields)) if (value !== undefined) payload[field] = value;
    return { type: 'history.created', payload };
  }

  private async changeEach(
    account: string,
    ids: readonly string[],
    drafts: (record: HistoryRecord, now: AccountView) => Draft[],
  ): Promise<HistoryRecord[]> {
    const { view } = await this.deps.log.append(account, (now) =>
      [...new Set(ids)].flatMap((id) => drafts(own(now, id), now)),
    );
    return ids.map((id) => own(view, id));
  }
}

function own(view: AccountView, id: string): HistoryRecord {
  const record = view.get('history', id);
  if (record === undefined) throw historyErrors('not-found', { id });
  return record;
}

function currentDraft(account: string, history: string): Draft {
  return { type: 'account.updated', payload: { id: account, currentHistory: history } };
}

function deletion(view: AccountView, record: HistoryRecord, purge: boolean): Draft[] {
  const drafts: Draft[] = [];
  if (!record.deleted) drafts.push({ type: 'history.updated', payload: { id: record.id, deleted: true } });
  if (!purge || record.purged) return drafts;
  drafts.push({ type: 'history.purged', payload: { id: record.id } });
  // What is in it no longer counts as used either.
  for (const dataset of view.items(record.id).datasets) {
    if (!dataset.purged) drafts.push({ type: 'dataset.purged', payload: { id: dataset.id } });
  }
  return drafts;
}

function undeletion(record: HistoryRecord): Draft[] {
  if (record.purged) throw historyErrors('purged', { name: record.name });
  return record.deleted ? [{ type: 'history.updated', payload: { id: record.id, deleted: false } }] : [];
}

function searched(search: string | undefined): (owned: OwnedHistory) => boolean {
  const words = (search ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return () => true;
  return ({ record }) => {
    const text = [record.name, record.annotation ?? '', ...(record.tags ?? [])].join('\n').toLowerCase();
    return words.every((word) => text.includes(word.replace(/^(name|tag|annotation):/, '').replaceAll("'", '')));
  };
}
