/** The user's things as the API reads them: what folding the entries gives. Only records whose creation has arrived. */
import type { JsonObject } from '../log/entry.js';
import type { Content, ContentFile, EntryPayload, Inspected, JobOutcome } from './entries.js';

interface Folded {
  id: string;
  /** Milliseconds; when this node applied the last change to this record; strictly rising within a node. */
  applied: number;
}

type Payload<T extends Parameters<typeof Object.keys>[0]> = Omit<T, 'id'>;

export interface AccountRecord extends Folded, Payload<EntryPayload<'account.created'>> {
  currentHistory?: string | null;
  deleted?: boolean;
  sessionsNotBefore?: number;
  preferences: JsonObject;
}

export interface KeyRecord extends Folded, Payload<EntryPayload<'key.created'>> {
  revoked: boolean;
}

export interface SessionRecord extends Folded {
  expiresAt: number;
  revoked: boolean;
}

export interface HistoryRecord extends Folded, Payload<EntryPayload<'history.created'>> {
  purged: boolean;
}

export interface DatasetRecord extends Folded, Payload<EntryPayload<'dataset.created'>> {
  purged: boolean;
  /** Set by the home after a merge; wins over `hid`. */
  settledHid?: number;
  /** What users changed of the datatype's metadata; an empty text: they said that there is none. */
  metadata: JsonObject;
  /** See `contentOf`. */
  inspected?: Inspected;
  /** Of its content, after those that stand there. */
  moreFiles?: ContentFile[];
}

export interface CollectionRecord extends Folded, Payload<EntryPayload<'collection.created'>> {
  settledHid?: number;
  deleted?: boolean;
}

export interface JobRecord extends Folded, Payload<EntryPayload<'job.submitted'>> {
  /** Attempt number → who started it and when. */
  attempts: Record<string, { executor: string; startedAt: number }>;
  cancelled: boolean;
  cancelReason?: string;
  outcome?: Omit<JobOutcome, 'id'>;
}

export interface UserToolRecord extends Folded, Payload<EntryPayload<'user_tool.created'>> {}

export interface Records {
  account: AccountRecord;
  key: KeyRecord;
  session: SessionRecord;
  history: HistoryRecord;
  dataset: DatasetRecord;
  collection: CollectionRecord;
  job: JobRecord;
  userTool: UserToolRecord;
}

export type RecordKind = keyof Records;

/** One account's folded state, in memory. Reads are synchronous and see every append that was begun on this node. */
export interface AccountView {
  readonly account: string;
  get<K extends RecordKind>(kind: K, id: string): Records[K] | undefined;
  /** In order of creation (id). */
  list<K extends RecordKind>(kind: K): Iterable<Records[K]>;
  /** Datasets and collections of one history, without order. */
  items(history: string): { datasets: DatasetRecord[]; collections: CollectionRecord[] };
  /** The largest `applied` of the history and everything in it: what the client's poll compares. 0 when unknown. */
  changedAt(history: string): number;
  /** The largest hid seen in that history + 1. */
  nextHid(history: string): number;
}

/**
 * What a dataset holds now: the outcome's word, or its own when it is a copy; undefined while a job is under way. Peek,
 * words and metadata are those of the datatype that it was given since.
 */
export function contentOf(view: AccountView, dataset: DatasetRecord): Content | undefined {
  const made = withMoreFiles(madeContent(view, dataset), dataset.moreFiles);
  const seen = dataset.inspected;
  if (made === undefined || seen === undefined || seen.extension !== dataset.extension) return made;
  if (made.files.find(({ role }) => role === 'primary')?.blob !== seen.blob) return made;
  return { ...made, peek: seen.peek, blurb: seen.blurb, metadata: seen.metadata };
}

/** The datatype's metadata: what the bytes say, and over it what users say. */
export function metadataOf(content: Content | undefined, record: Pick<DatasetRecord, 'metadata'>): JsonObject {
  const all: JsonObject = { ...content?.metadata, ...record.metadata };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
}

function withMoreFiles(content: Content | undefined, more: readonly ContentFile[] | undefined): Content | undefined {
  return content === undefined || !more?.length ? content : { ...content, files: [...content.files, ...more] };
}

function madeContent(view: AccountView, dataset: DatasetRecord): Content | undefined {
  if (dataset.content) return dataset.content;
  if (dataset.job === undefined || dataset.output === undefined) return undefined;
  return view.get('job', dataset.job)?.outcome?.outputs[dataset.output];
}

export function hidOf(item: { hid: number; settledHid?: number }): number {
  return item.settledHid ?? item.hid;
}
