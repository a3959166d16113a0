/**
 * Every entry type of the account log: its schema and what it changes. They are protocol: nodes and the repository both
 * fold, and a node must read what a newer one wrote. So a type is never changed, only added to (new optional fields) or
 * superseded by a new type; unknown types are stored, replicated and skipped.
 *
 * Not here: anything derived (sizes, counts, dataset states), anything local to a node (queue state, admins).
 */
import { z } from 'zod';
import type { JsonObject, JsonValue } from '../log/entry.js';
import type { Patch } from '../log/patch.js';

/** 16 lower-case hex digits; see protocol/wire/ids.ts. */
export const entityId = z.string().regex(/^[0-9a-f]{16}$/);
const time = z.number().int().nonnegative();
const name = z.string().max(1024);
const json: z.ZodType<JsonValue> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(json), z.record(z.string(), json)]),
);
const jsonObject: z.ZodType<JsonObject> = z.record(z.string(), json);
const tags = z.array(z.string().max(255)).max(200);

/** One file of a dataset's content. `path` is relative and only for extra and metadata files. */
export const contentFile = z.object({
  role: z.enum(['primary', 'extra', 'metadata']),
  path: z.string().max(4096),
  blob: z.string().max(128),
  size: z.number().int().nonnegative(),
});

/** What a dataset holds: decided by a job's outcome, or fixed at creation for a copy. Safe when all its files are. */
export const content = z.object({
  state: z.enum(['ok', 'empty', 'error', 'failed_metadata', 'discarded']),
  extension: z.string().max(255),
  /** The primary file first. Empty when the job failed before it wrote anything. */
  files: z.array(contentFile).max(1000),
  size: z.number().int().nonnegative(),
  /** The first lines as plain text, at most 4 KiB; the door makes HTML of it. */
  peek: z.string().max(8192),
  blurb: z.string().max(1024),
  info: z.string().max(4096),
  /** Datatype metadata by Galaxy's names: data_lines, columns, column_types, sequences, … */
  metadata: jsonObject,
  /** The original name, when the content was an upload. */
  createdFrom: z.string().max(1024).optional(),
});

/**
 * What looking at a dataset's bytes again gave, by a node, when its datatype was changed. It stands for the same parts of
 * the content as long as both are as they were then: the dataset of this extension, the bytes this blob.
 */
export const inspected = z.object({
  extension: z.string().max(255),
  blob: z.string().max(128),
  peek: z.string().max(8192),
  blurb: z.string().max(1024),
  metadata: jsonObject,
});

/** Which run of its job made a thing. What several runs said of one thing is settled as outcomes are: the highest wins. */
const madeBy = z.object({ epoch: z.number().int().nonnegative(), attempt: z.number().int().nonnegative() });
/** A long list is written in parts, from 0, because an entry is short. */
const part = { part: z.number().int().nonnegative().max(9999), ...madeBy.shape };

const datasetFields = {
  name: name.optional(),
  extension: z.string().max(255).optional(),
  genomeBuild: z.string().max(255).optional(),
  info: z.string().max(4096).optional(),
  annotation: z.string().max(65535).nullable().optional(),
  tags: tags.optional(),
  deleted: z.boolean().optional(),
  visible: z.boolean().optional(),
};

const historyFields = {
  name: name.optional(),
  annotation: z.string().max(65535).nullable().optional(),
  tags: tags.optional(),
  deleted: z.boolean().optional(),
  archived: z.boolean().optional(),
  published: z.boolean().optional(),
  importable: z.boolean().optional(),
  slug: z.string().max(255).nullable().optional(),
  genomeBuild: z.string().max(255).optional(),
};

export const collectionElement = z.object({
  identifier: z.string().max(1024),
  kind: z.enum(['dataset', 'collection']),
  id: entityId,
});

export const jobOutcomeState = z.enum(['ok', 'error', 'deleted', 'failed', 'stopped', 'skipped']);

export const entrySchemas = {
  'account.created': z.object({
    id: entityId,
    email: z.string().max(255),
    username: z.string().max(255),
    passwordHash: z.string().max(512),
    createdAt: time,
  }),
  'account.updated': z.object({
    id: entityId,
    email: z.string().max(255).optional(),
    username: z.string().max(255).optional(),
    passwordHash: z.string().max(512).optional(),
    currentHistory: entityId.nullable().optional(),
    deleted: z.boolean().optional(),
    /** Sign-ins issued before this are over: the password was changed. */
    sessionsNotBefore: time.optional(),
    preferences: z.record(z.string().max(255), json).optional(),
  }),
  'key.created': z.object({
    id: entityId,
    /** SHA-256 of the key, hex. */
    hash: z.string().length(64),
    /** The key itself, sealed under the network's (or the stand-alone node's) key, so that Galaxy's key page can show it. */
    sealed: z.string().max(1024),
    createdAt: time,
  }),
  'key.revoked': z.object({ id: entityId }),
  'session.revoked': z.object({ id: entityId, expiresAt: time }),
  'history.created': z.object({ id: entityId, createdAt: time, ...historyFields, name }),
  'history.updated': z.object({ id: entityId, ...historyFields }),
  'history.purged': z.object({ id: entityId }),
  'dataset.created': z.object({
    id: entityId,
    history: entityId,
    /** A proposal: the largest seen + 1. The home settles collisions after a merge with `item.hid`. */
    hid: z.number().int().positive(),
    uuid: z.string().max(64),
    createdAt: time,
    /** The job whose outcome decides the content, and the name of that job's output. */
    job: entityId.optional(),
    output: z.string().max(255).optional(),
    copiedFrom: entityId.optional(),
    /** Only for what no outcome tells: a copy, or what was found after a run, which then says which one. */
    content: content.optional(),
    made: madeBy.optional(),
    ...datasetFields,
    name,
    extension: z.string().max(255),
  }),
  'dataset.updated': z.object({
    id: entityId,
    ...datasetFields,
    metadata: jsonObject.optional(),
    inspected: inspected.optional(),
  }),
  /** More files of its content than the entry that decides it has room for. */
  'dataset.files': z.object({ id: entityId, ...part, files: z.array(contentFile).max(1000) }),
  'dataset.purged': z.object({ id: entityId }),
  'collection.created': z.object({
    id: entityId,
    history: entityId,
    hid: z.number().int().positive(),
    name,
    collectionType: z.string().max(255),
    elements: z.array(collectionElement).max(10_000),
    job: entityId.optional(),
    output: z.string().max(255).optional(),
    createdAt: time,
    visible: z.boolean().optional(),
    tags: tags.optional(),
    /** The collection that it is an element of: it is no item of the history, and its hid is that one's. */
    parent: entityId.optional(),
    /** Its elements are known when its job has ended. */
    discovered: z.boolean().optional(),
    /** Made of the outputs of many jobs, one for each element of what the tool was run over. */
    implicit: z.boolean().optional(),
  }),
  /** More elements, after those it was created with: found after a run, or too many for one entry. */
  'collection.elements': z.object({ id: entityId, ...part, elements: z.array(collectionElement).max(1000) }),
  'collection.updated': z.object({
    id: entityId,
    name: name.optional(),
    tags: tags.optional(),
    deleted: z.boolean().optional(),
    visible: z.boolean().optional(),
  }),
  /** A tool that its owner wrote (GalaxyUserTool), as JSON. It is not changed: another one takes its place. */
  'user_tool.created': z.object({
    id: entityId,
    createdAt: time,
    representation: jsonObject,
    active: z.boolean(),
    hidden: z.boolean(),
  }),
  'user_tool.updated': z.object({ id: entityId, active: z.boolean().optional(), hidden: z.boolean().optional() }),
  'item.hid': z.object({ kind: z.enum(['dataset', 'collection']), id: entityId, hid: z.number().int().positive() }),
  'job.submitted': z.object({
    id: entityId,
    tool: z.string().max(255),
    toolVersion: z.string().max(255),
    history: entityId,
    /** The tool's parameter state, nested as Galaxy nests it; datasets as {src: "hda", id}. */
    params: jsonObject,
    /** Parameter name (`queries_0|input2`) → datasets, in order. */
    inputs: z.record(
      z.string(),
      z.array(z.object({ kind: z.enum(['dataset', 'collection']), id: entityId })).max(10_000),
    ),
    /** Output name → dataset. */
    outputs: z.record(z.string(), entityId),
    outputCollections: z.record(z.string(), entityId).optional(),
    createdAt: time,
  }),
  'job.started': z.object({
    id: entityId,
    attempt: z.number().int().positive(),
    /** PeerId of the node that executes. */
    executor: z.string().max(128),
    startedAt: time,
  }),
  'job.cancelled': z.object({ id: entityId, reason: z.string().max(1024).optional() }),
  'job.outcome': z.object({
    id: entityId,
    epoch: z.number().int().nonnegative(),
    attempt: z.number().int().positive(),
    state: jobOutcomeState,
    executor: z.string().max(128),
    exitCode: z.number().int().nullable(),
    /** Why it failed, in one plain sentence. */
    message: z.string().max(4096).optional(),
    commandLine: z.string().max(16_384),
    /** The first 8 KiB; the rest is a blob. */
    stdout: z.string().max(8192),
    stderr: z.string().max(8192),
    stdoutBlob: z.string().max(128).optional(),
    stderrBlob: z.string().max(128).optional(),
    startedAt: time.nullable(),
    endedAt: time,
    outputs: z.record(z.string(), content),
    /** What the tool called its version. */
    toolVersion: z.string().max(1024).optional(),
    /** A list, as a blob, of what was found after the run beside the outputs: node/jobs/found.ts. */
    found: z.object({ blob: z.string().max(128), size: z.number().int().nonnegative() }).optional(),
    /** The blobs the inputs had, by dataset. */
    inputBlobs: z.record(z.string(), z.string().max(128)).optional(),
    metrics: jsonObject.optional(),
  }),
} as const;

export type EntryType = keyof typeof entrySchemas;
export type EntryPayload<T extends EntryType> = z.output<(typeof entrySchemas)[T]>;
export type Content = z.output<typeof content>;
export type ContentFile = z.output<typeof contentFile>;
export type Inspected = z.output<typeof inspected>;
export type JobOutcome = EntryPayload<'job.outcome'>;

/** Version written with each type. */
export const ENTRY_VERSION = 1;

export function isEntryType(type: string): type is EntryType {
  return Object.hasOwn(entrySchemas, type);
}

type Patcher<T extends EntryType> = (payload: EntryPayload<T>) => Patch[];

/** Everything but the id of a payload becomes fields with the rule `last`. Undefined means "not said". */
function upsert(kind: string, payload: { id: string }, options: { creates?: boolean; omit?: string[] } = {}): Patch {
  const last: JsonObject = {};
  for (const [field, value] of Object.entries(payload)) {
    if (field === 'id' || value === undefined || options.omit?.includes(field)) continue;
    last[field] = value as JsonValue;
  }
  return { kind, id: payload.id, last, ...(options.creates ? { creates: true } : {}) };
}

const patchers: { [T in EntryType]: Patcher<T> } = {
  'account.created': (payload) => [upsert('account', payload, { creates: true })],
  'account.updated': (payload) => [
    {
      ...upsert('account', payload, { omit: ['preferences'] }),
      ...(payload.preferences ? { keys: { preferences: payload.preferences } } : {}),
    },
  ],
  'key.created': (payload) => [upsert('key', payload, { creates: true })],
  'key.revoked': ({ id }) => [{ kind: 'key', id, once: ['revoked'] }],
  'session.revoked': (payload) => [{ ...upsert('session', payload, { creates: true }), once: ['revoked'] }],
  'history.created': (payload) => [upsert('history', payload, { creates: true })],
  'history.updated': (payload) => [upsert('history', payload)],
  'history.purged': ({ id }) => [{ kind: 'history', id, once: ['purged'] }],
  'dataset.created': ({ made, ...payload }) => {
    const { content, ...rest } = payload;
    if (made === undefined) return [upsert('dataset', payload, { creates: true })];
    const rank: [number, number] = [made.epoch, made.attempt];
    const best = {
      made: { rank, value: made },
      ...(content ? { content: { rank, value: content as JsonObject } } : {}),
    };
    return [{ ...upsert('dataset', rest, { creates: true }), best }];
  },
  'dataset.updated': (payload) => [
    {
      ...upsert('dataset', payload, { omit: ['metadata'] }),
      ...(payload.metadata ? { keys: { metadata: payload.metadata } } : {}),
    },
  ],
  'dataset.files': ({ id, part, epoch, attempt, files }) => [
    { kind: 'dataset', id, best: { [`moreFiles.${part}`]: { rank: [epoch, attempt], value: files } } },
  ],
  'dataset.purged': ({ id }) => [{ kind: 'dataset', id, once: ['purged'] }],
  'collection.created': (payload) => [upsert('collection', payload, { creates: true })],
  'collection.elements': ({ id, part, epoch, attempt, elements }) => [
    { kind: 'collection', id, best: { [`elements.${part}`]: { rank: [epoch, attempt], value: elements } } },
  ],
  'collection.updated': (payload) => [upsert('collection', payload)],
  'user_tool.created': (payload) => [upsert('userTool', payload, { creates: true })],
  'user_tool.updated': (payload) => [upsert('userTool', payload)],
  // A field of its own: a proposal in a late creation entry must not undo what the home settled.
  'item.hid': ({ kind, id, hid }) => [{ kind, id, last: { settledHid: hid } }],
  'job.submitted': (payload) => [upsert('job', payload, { creates: true })],
  'job.started': ({ id, attempt, ...rest }) => [{ kind: 'job', id, keys: { attempts: { [String(attempt)]: rest } } }],
  'job.cancelled': ({ id, reason }) => [
    { kind: 'job', id, once: ['cancelled'], ...(reason ? { last: { cancelReason: reason } } : {}) },
  ],
  'job.outcome': ({ id, ...outcome }) => [
    { kind: 'job', id, best: { outcome: { rank: [outcome.epoch, outcome.attempt], value: outcome as JsonObject } } },
  ],
};

/** What an entry changes. An unknown type, or a payload that its schema refuses, changes nothing. */
export function patchesOf(type: string, payload: JsonObject): Patch[] {
  if (!isEntryType(type)) return [];
  const parsed = entrySchemas[type].safeParse(payload);
  if (!parsed.success) return [];
  return (patchers[type] as Patcher<EntryType>)(parsed.data as EntryPayload<EntryType>);
}
