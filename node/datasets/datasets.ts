/**
 * A user's datasets: reading, listing, changing, and opening their content. Every change is an entry of her log; the
 * content is opened from the blob store, and fetched from another holder first when this node does not have it yet.
 */
import type { ContentFile, EntryPayload, Inspected } from '../../protocol/account/entries.js';
import { type AccountView, contentOf, type DatasetRecord } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { AccountLog } from '../../protocol/log/account-log.js';
import type { Draft, JsonObject } from '../../protocol/log/entry.js';
import { type Clock, deadline } from '../../protocol/runtime/clock.js';
import type { IdSource } from '../histories/histories.js';
import type { JobService } from '../jobs/job.js';
import { type BulkOperation, type BulkResult, bulkDrafts, deletion, type ItemRef } from './bulk.js';
import { type ContentsPage, type ContentsQuery, selectItems } from './contents.js';
import { copyDraft } from './copies.js';
import type { Datatypes } from './datatypes.js';
import { datasetErrors } from './errors.js';
import { type DatasetFacts, datasetFacts, historyItems, type ItemFacts, type JobActivity } from './facts.js';
import { look, primaryBlob, seenFields, sniff } from './looks.js';

export interface DatasetsDeps {
  log: Pick<AccountLog, 'append' | 'view'>;
  ids: IdSource;
  clock: Clock;
  activity: JobActivity;
  /** A job whose outputs are all deleted is not worth running. */
  jobs: Pick<JobService, 'cancel'>;
  blobs: Pick<BlobStore, 'has' | 'path' | 'read'>;
  datatypes: Pick<Datatypes, 'get' | 'inspect' | 'sniff'>;
  /** Brings a blob of the account from another holder; absent on a stand-alone node. Resolves when it is here. */
  bringBlob?: ((account: string, blob: string, signal: AbortSignal) => Promise<void>) | undefined;
}

export type DatasetChange = Omit<EntryPayload<'dataset.updated'>, 'id' | 'inspected'>;

/** Content ready to be sent. */
export interface OpenDataset {
  facts: DatasetFacts;
  file: ContentFile;
  size: number;
  mimetype: string;
  /** From `start` up to and without `end`. */
  stream(range?: { start: number; end: number }): AsyncIterable<Uint8Array>;
}

/** Items one request may change. */
export const BULK_ITEMS_MAX = 10_000;
/** How long a download waits for bytes that are only elsewhere. */
const FETCH_DEADLINE_MS = 60_000;
/** A change of datatype waits for them this long, if they are no more than so many: it works without them, too. */
const LOOK_FETCH_DEADLINE_MS = 10_000;
const LOOK_FETCH_BYTES_MAX = 64 * 1024 ** 2;
/** What a change of many datatypes may spend on looking at the bytes; the rest keeps what was seen before. */
const BULK_LOOK_MS = 20_000;

export class Datasets {
  constructor(private readonly deps: DatasetsDeps) {}

  facts(view: AccountView, record: DatasetRecord): DatasetFacts {
    return datasetFacts(view, record, this.deps.activity);
  }

  /** Errors: `datasets/not-found`, `datasets/not-in-history`. */
  get(view: AccountView | undefined, id: string, history?: string): DatasetFacts {
    const record = view?.get('dataset', id);
    if (view === undefined || record === undefined) throw datasetErrors('not-found', { id });
    if (history !== undefined && record.history !== history) throw datasetErrors('not-in-history', { id });
    return this.facts(view, record);
  }

  /** The view itself, when the dataset is in it. Errors: `datasets/not-found`. */
  held(view: AccountView | undefined, id: string): AccountView {
    if (view?.get('dataset', id) === undefined) throw datasetErrors('not-found', { id });
    return view;
  }

  find(view: AccountView, id: string): DatasetFacts | undefined {
    const record = view.get('dataset', id);
    return record === undefined ? undefined : this.facts(view, record);
  }

  items(view: AccountView, history: string): ItemFacts[] {
    return historyItems(view, history, this.deps.activity);
  }

  list(view: AccountView, history: string, query: ContentsQuery): ContentsPage {
    return selectItems(this.items(view, history), query, view);
  }

  /** Datasets and collections of every history. */
  listAll(view: AccountView, query: ContentsQuery): ContentsPage {
    const items: ItemFacts[] = [];
    for (const history of view.list('history')) items.push(...this.items(view, history.id));
    return selectItems(items, query, view);
  }

  async update(account: string, id: string, change: DatasetChange): Promise<DatasetFacts> {
    if (change.extension === undefined) return this.write(account, id, change, undefined);
    this.knownDatatype(change.extension);
    const facts = this.get(await this.deps.log.view(account), id);
    return this.write(account, id, change, await this.lookAs(account, facts, change.extension));
  }

  /**
   * Gives it the datatype that its bytes speak for.
   * Errors: `datasets/not-ready`, `datasets/no-content`, `datasets/is-purged`, `datasets/elsewhere`.
   */
  async detectDatatype(account: string, id: string): Promise<DatasetFacts> {
    const { blob } = await this.looked(account, id);
    const extension = await sniff(this.deps, blob);
    return this.write(account, id, { extension }, await look(this.deps, blob, extension));
  }

  /** Forgets what was said of its metadata by hand: its bytes say it. Errors: as `detectDatatype`. */
  async detectMetadata(account: string, id: string): Promise<DatasetFacts> {
    const { blob, facts } = await this.looked(account, id);
    return this.write(account, id, {}, await look(this.deps, blob, facts.extension));
  }

  private async write(
    account: string,
    id: string,
    change: DatasetChange,
    seen: Inspected | undefined,
  ): Promise<DatasetFacts> {
    const { view } = await this.deps.log.append(account, (now) => {
      const record = existing(now, id);
      if (record.purged && (change.deleted === false || change.visible !== undefined)) {
        throw datasetErrors('is-purged', { name: record.name });
      }
      const fields: JsonObject = {};
      for (const [field, value] of Object.entries({ ...seenFields(record, seen), ...change })) {
        if (value !== undefined) fields[field] = value as JsonObject;
      }
      return Object.keys(fields).length === 0 ? [] : [{ type: 'dataset.updated', payload: { ...fields, id } }];
    });
    return this.get(view, id);
  }

  /** What its bytes look like as that datatype; undefined when they cannot be had soon, or say nothing of their own. */
  private async lookAs(account: string, facts: DatasetFacts, extension: string): Promise<Inspected | undefined> {
    const blob = primaryBlob(facts.content);
    if (blob === undefined || facts.purged || extension === 'auto') return undefined;
    if (!this.deps.blobs.has(blob)) {
      if (facts.size > LOOK_FETCH_BYTES_MAX) return undefined;
      try {
        await this.here(account, blob, facts.record.name, LOOK_FETCH_DEADLINE_MS);
      } catch {
        return undefined;
      }
    }
    return look(this.deps, blob, extension);
  }

  /** With its bytes here. */
  private async looked(account: string, id: string): Promise<{ facts: DatasetFacts; blob: string }> {
    const facts = this.get(await this.deps.log.view(account), id);
    const { name } = facts.record;
    if (facts.purged) throw datasetErrors('is-purged', { name });
    if (facts.content === undefined) throw withoutContent(facts);
    const blob = primaryBlob(facts.content);
    if (blob === undefined) throw noContent(facts);
    await this.here(account, blob, name, FETCH_DEADLINE_MS);
    return { facts, blob };
  }

  async delete(account: string, id: string, options: { purge: boolean }): Promise<DatasetFacts> {
    const { view } = await this.deps.log.append(account, (now) => deletion(existing(now, id), options.purge));
    await this.cancelUseless(account, view, [id]);
    return this.get(view, id);
  }

  /** Of any history; each succeeds or fails for itself. */
  async deleteAll(account: string, ids: readonly string[], options: { purge: boolean }): Promise<BulkResult> {
    if (ids.length > BULK_ITEMS_MAX) throw datasetErrors('bulk-too-large', { max: BULK_ITEMS_MAX });
    const errors: BulkResult['errors'] = [];
    const { view } = await this.deps.log.append(account, (now) =>
      ids.flatMap((id) => {
        const record = now.get('dataset', id);
        if (record) return deletion(record, options.purge);
        errors.push({ item: { kind: 'dataset', id }, message: 'There is no such dataset.' });
        return [];
      }),
    );
    await this.cancelUseless(account, view, ids);
    return { successes: ids.length - errors.length, errors };
  }

  /** Errors: `datasets/is-purged`. */
  undelete(account: string, id: string): Promise<DatasetFacts> {
    return this.update(account, id, { deleted: false });
  }

  /** Into one of the account's histories; `source` is the view that holds the original. */
  async copy(account: string, source: AccountView, id: string, history: string): Promise<DatasetFacts> {
    const original = existing(source, id);
    if (original.purged) throw datasetErrors('purged', { name: original.name });
    const copy = this.deps.ids.next();
    const { view } = await this.deps.log.append(account, (now) => {
      const draft = copyDraft(source, original, {
        id: copy,
        history,
        hid: now.nextHid(history),
        at: this.deps.clock.now(),
        sharesJob: source.account === account,
      });
      if (draft === undefined) {
        throw datasetErrors('not-ready', { name: original.name, state: this.facts(source, original).state });
      }
      return [draft];
    });
    return this.get(view, copy);
  }

  /** Each item succeeds or fails for itself; what succeeds is one atomic change. */
  async bulk(account: string, history: string, items: readonly ItemRef[], action: BulkOperation): Promise<BulkResult> {
    if (items.length > BULK_ITEMS_MAX) throw datasetErrors('bulk-too-large', { max: BULK_ITEMS_MAX });
    const seen = new Map<string, Inspected>();
    if (action.operation === 'change_datatype') {
      this.knownDatatype(action.datatype);
      await this.lookAtAll(account, items, action.datatype, seen);
    }
    const errors: BulkResult['errors'] = [];
    let successes = 0;
    const { view } = await this.deps.log.append(account, (now) => {
      const drafts: Draft[] = [];
      for (const item of items) {
        const outcome = bulkDrafts(now, history, item, action, seen.get(item.id));
        if (typeof outcome === 'string') errors.push({ item, message: outcome });
        else {
          drafts.push(...outcome);
          successes += 1;
        }
      }
      return drafts;
    });
    if (action.operation === 'delete' || action.operation === 'purge') {
      await this.cancelUseless(
        account,
        view,
        items.map(({ id }) => id),
      );
    }
    return { successes, errors };
  }

  /**
   * The content, or one of its extra files. Waits for bytes that are only elsewhere.
   * Errors: `datasets/purged`, `datasets/not-ready`, `datasets/no-content`, `datasets/no-such-file`, `datasets/elsewhere`.
   */
  async open(
    view: AccountView,
    id: string,
    options: { file?: string; signal?: AbortSignal } = {},
  ): Promise<OpenDataset> {
    const facts = this.get(view, id);
    const name = facts.record.name;
    if (facts.purged) throw datasetErrors('purged', { name });
    if (facts.content === undefined) throw withoutContent(facts);
    const { files } = facts.content;
    const file =
      options.file === undefined
        ? files.find(({ role }) => role === 'primary')
        : files.find(({ role, path }) => role !== 'primary' && path === options.file);
    if (file === undefined) {
      if (options.file !== undefined) throw datasetErrors('no-such-file', { name, file: options.file });
      throw noContent(facts);
    }
    await this.here(view.account, file.blob, name, FETCH_DEADLINE_MS, options.signal);
    const { blobs, datatypes } = this.deps;
    return {
      facts,
      file,
      size: file.size,
      mimetype:
        file.role === 'primary'
          ? (datatypes.get(facts.extension)?.mimetype ?? 'application/octet-stream')
          : 'application/octet-stream',
      stream: (range) => (file.size === 0 ? nothing() : blobs.read(file.blob, range)),
    };
  }

  /** The first bytes as text, cut at a line where there is one. */
  async text(view: AccountView, id: string, bytesMax: number): Promise<{ text: string; truncated: boolean }> {
    const open = await this.open(view, id);
    if (open.size === 0) return { text: '', truncated: false };
    const wanted = Math.min(bytesMax, open.size);
    const chunks: Uint8Array[] = [];
    for await (const chunk of open.stream({ start: 0, end: wanted })) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    const truncated = open.size > wanted;
    const lastLine = truncated ? text.lastIndexOf('\n') : -1;
    return { text: lastLine > 0 ? text.slice(0, lastLine + 1) : text, truncated };
  }

  private async cancelUseless(account: string, view: AccountView, deleted: readonly string[]): Promise<void> {
    const jobs = new Set(deleted.map((id) => view.get('dataset', id)?.job));
    for (const id of jobs) {
      const job = id === undefined ? undefined : view.get('job', id);
      if (job === undefined || job.outcome || job.cancelled) continue;
      const outputs = Object.values(job.outputs).map((output) => view.get('dataset', output));
      if (outputs.every((output) => output === undefined || output.deleted || output.purged)) {
        await this.deps.jobs.cancel(account, job.id, 'All its outputs were deleted.');
      }
    }
  }

  private async here(account: string, blob: string, name: string, ms: number, signal?: AbortSignal): Promise<void> {
    if (this.deps.blobs.has(blob)) return;
    if (this.deps.bringBlob === undefined) throw datasetErrors('elsewhere', { name });
    try {
      await this.deps.bringBlob(account, blob, deadline(ms, signal));
    } catch (cause) {
      throw datasetErrors('elsewhere', { name }, { cause });
    }
    if (!this.deps.blobs.has(blob)) throw datasetErrors('elsewhere', { name });
  }

  /** Those whose bytes are here, one after the other, as long as there is time. */
  private async lookAtAll(
    account: string,
    items: readonly ItemRef[],
    extension: string,
    seen: Map<string, Inspected>,
  ): Promise<void> {
    const view = await this.deps.log.view(account);
    const until = this.deps.clock.monotonic() + BULK_LOOK_MS;
    for (const { id } of items) {
      if (this.deps.clock.monotonic() > until) return;
      const record = view.get('dataset', id);
      const blob = record && !record.purged ? primaryBlob(contentOf(view, record)) : undefined;
      if (blob !== undefined && this.deps.blobs.has(blob)) seen.set(id, await look(this.deps, blob, extension));
    }
  }

  private knownDatatype(extension: string): void {
    if (extension !== 'auto' && this.deps.datatypes.get(extension) === undefined) {
      throw datasetErrors('unknown-datatype', { extension });
    }
  }
}

async function* nothing(): AsyncIterable<Uint8Array> {}

function withoutContent({ record: { name }, info, state }: DatasetFacts) {
  const hasEnded = state === 'error' || state === 'discarded';
  if (hasEnded) return datasetErrors('no-content', { name, reason: info || `its state is ${state}` });
  return datasetErrors('not-ready', { name, state });
}

function noContent({ record: { name }, info }: DatasetFacts) {
  return datasetErrors('no-content', { name, reason: info || 'its job wrote nothing' });
}

function existing(view: AccountView, id: string): DatasetRecord {
  const record = view.get('dataset', id);
  if (record === undefined) throw datasetErrors('not-found', { id });
  return record;
}
