/**
 * Random entries of every type. The record is complete by its type: an entry type without a generator does not compile.
 * Ids, stamps and values come from small pools, because what has to be tested is what happens when entries meet.
 */
import fc from 'fast-check';
import { type Content, ENTRY_VERSION, type EntryPayload, type EntryType } from '../../../protocol/account/entries.js';
import type { Entry, JsonObject, JsonValue } from '../../../protocol/log/entry.js';
import { hybridTime } from '../../../protocol/log/hybrid-clock.js';

export const ACCOUNT = '00000000000000a1';

const id = (kind: number) => fc.integer({ min: 1, max: 3 }).map((n) => (kind * 16 + n).toString(16).padStart(16, '0'));
const account = fc.constant(ACCOUNT);
const key = id(2);
const history = id(3);
const dataset = id(4);
const collection = id(5);
const job = id(6);
const time = fc.integer({ min: 0, max: 5 });
const name = fc.constantFrom('', 'a', 'b', 'ü');
const hid = fc.integer({ min: 1, max: 6 });
const json = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>;
// Names that an object already has by birth are ordinary names here.
const fieldName = fc.constantFrom('x', 'y', '__proto__', 'constructor', 'toString');
const jsonObject = fc.dictionary(fieldName, fc.oneof(json, fc.constant(null)), {
  maxKeys: 3,
}) as fc.Arbitrary<JsonObject>;
const tags = fc.array(name, { maxLength: 2 });
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const run = { epoch: fc.integer({ min: 0, max: 2 }), attempt: fc.integer({ min: 0, max: 2 }) };
const made = fc.record(run);
const part = { part: fc.integer({ min: 0, max: 2 }), ...run };
const files = fc.array(
  fc.record({ role: fc.constantFrom('primary' as const, 'extra' as const), path: name, blob: name, size: time }),
  { maxLength: 2 },
);

const content: fc.Arbitrary<Content> = fc.record({
  state: fc.constantFrom('ok', 'empty', 'error', 'failed_metadata', 'discarded'),
  extension: name,
  files,
  size: time,
  peek: name,
  blurb: name,
  info: name,
  metadata: jsonObject,
  createdFrom: optional(name),
});

const elements = fc.array(
  fc.oneof(
    fc.record({ identifier: name, kind: fc.constant('dataset' as const), id: dataset }),
    // Also itself and each other: nothing may go round for ever.
    fc.record({ identifier: name, kind: fc.constant('collection' as const), id: collection }),
  ),
  { maxLength: 3 },
);

const datasetFields = {
  name: optional(name),
  extension: optional(name),
  genomeBuild: optional(name),
  info: optional(name),
  annotation: optional(fc.option(name)),
  tags: optional(tags),
  deleted: optional(fc.boolean()),
  visible: optional(fc.boolean()),
};

const historyFields = {
  name: optional(name),
  annotation: optional(fc.option(name)),
  tags: optional(tags),
  deleted: optional(fc.boolean()),
  archived: optional(fc.boolean()),
  published: optional(fc.boolean()),
  importable: optional(fc.boolean()),
  slug: optional(fc.option(name)),
  genomeBuild: optional(name),
};

export const payloads: { [T in EntryType]: fc.Arbitrary<EntryPayload<T>> } = {
  'account.created': fc.record({ id: account, email: name, username: name, passwordHash: name, createdAt: time }),
  'account.updated': fc.record({
    id: account,
    email: optional(name),
    username: optional(name),
    passwordHash: optional(name),
    currentHistory: optional(fc.option(history)),
    deleted: optional(fc.boolean()),
    preferences: optional(jsonObject),
  }),
  'key.created': fc.record({
    id: key,
    hash: fc.constantFrom('a'.repeat(64), 'b'.repeat(64)),
    sealed: name,
    createdAt: time,
  }),
  'key.revoked': fc.record({ id: key }),
  'session.revoked': fc.record({ id: id(7), expiresAt: time }),
  'history.created': fc.record({ id: history, createdAt: time, ...historyFields, name }),
  'history.updated': fc.record({ id: history, ...historyFields }),
  'history.purged': fc.record({ id: history }),
  'dataset.created': fc.record({
    id: dataset,
    history,
    hid,
    uuid: name,
    createdAt: time,
    job: optional(job),
    output: optional(fc.constantFrom('out', 'log')),
    copiedFrom: optional(dataset),
    content: optional(content),
    made: optional(made),
    ...datasetFields,
    name,
    extension: name,
  }),
  'dataset.files': fc.record({ id: dataset, ...part, files }),
  'dataset.updated': fc.record({ id: dataset, ...datasetFields, metadata: optional(jsonObject) }),
  'dataset.purged': fc.record({ id: dataset }),
  'collection.created': fc.record({
    id: collection,
    history,
    hid,
    name,
    collectionType: fc.constantFrom('list', 'paired', 'list:paired'),
    elements,
    parent: optional(collection),
    discovered: optional(fc.boolean()),
    implicit: optional(fc.boolean()),
    job: optional(job),
    output: optional(name),
    createdAt: time,
    visible: optional(fc.boolean()),
    tags: optional(tags),
  }),
  'collection.elements': fc.record({ id: collection, ...part, elements }),
  'collection.updated': fc.record({
    id: collection,
    name: optional(name),
    tags: optional(tags),
    deleted: optional(fc.boolean()),
    visible: optional(fc.boolean()),
  }),
  'user_tool.created': fc.record({
    id: id(8),
    createdAt: time,
    representation: jsonObject,
    active: fc.boolean(),
    hidden: fc.boolean(),
  }),
  'user_tool.updated': fc.record({ id: id(8), active: optional(fc.boolean()), hidden: optional(fc.boolean()) }),
  'item.hid': fc.oneof(
    fc.record({ kind: fc.constant('dataset' as const), id: dataset, hid }),
    fc.record({ kind: fc.constant('collection' as const), id: collection, hid }),
  ),
  'job.submitted': fc.record({
    id: job,
    tool: name,
    toolVersion: name,
    history,
    params: jsonObject,
    inputs: fc.dictionary(
      fieldName,
      fc.array(fc.record({ kind: fc.constantFrom('dataset' as const, 'collection' as const), id: dataset }), {
        maxLength: 2,
      }),
      { maxKeys: 2 },
    ),
    outputs: fc.dictionary(fieldName, dataset, { maxKeys: 2 }),
    outputCollections: optional(fc.dictionary(fieldName, collection, { maxKeys: 1 })),
    createdAt: time,
  }),
  'job.started': fc.record({ id: job, attempt: fc.integer({ min: 1, max: 3 }), executor: name, startedAt: time }),
  'job.cancelled': fc.record({ id: job, reason: optional(name) }),
  'job.outcome': fc.record({
    id: job,
    epoch: fc.integer({ min: 0, max: 2 }),
    attempt: fc.integer({ min: 1, max: 2 }),
    state: fc.constantFrom('ok', 'error', 'deleted', 'failed', 'stopped', 'skipped'),
    executor: name,
    exitCode: fc.option(time),
    message: optional(name),
    commandLine: name,
    stdout: name,
    stderr: name,
    stdoutBlob: optional(name),
    stderrBlob: optional(name),
    startedAt: fc.option(time),
    endedAt: time,
    outputs: fc.dictionary(fc.constantFrom('out', 'log'), content, { maxKeys: 2 }),
    inputBlobs: optional(fc.dictionary(fieldName, name, { maxKeys: 2 })),
    metrics: optional(jsonObject),
  }),
};

export type FreeEntry = Pick<Entry, 'type' | 'version' | 'payload'>;

/** Type and payload, as it reads after a journey as JSON. */
export const freeEntry: fc.Arbitrary<FreeEntry> = fc.oneof(
  ...(Object.keys(payloads) as EntryType[]).map((type) =>
    (payloads[type] as fc.Arbitrary<object>).map((payload) => ({
      type,
      version: ENTRY_VERSION,
      payload: JSON.parse(JSON.stringify(payload)) as JsonObject,
    })),
  ),
  fc.record({ type: fc.constant('of.tomorrow'), version: fc.constant(2), payload: jsonObject }),
);

const WRITERS = ['1111111111111111', '2222222222222222', '3333333333333333'];

/** Entries of a few segments of one account: in each, seqs without gaps and times that rise; between them, times meet. */
export const segments: fc.Arbitrary<Entry[][]> = fc
  .array(fc.array(fc.record({ step: fc.integer({ min: 1, max: 3 }), entry: freeEntry }), { maxLength: 12 }), {
    minLength: 1,
    maxLength: WRITERS.length,
  })
  .map((lists) =>
    lists.map((list, index) => {
      let counter = 0;
      return list.map(({ step, entry }, position) => {
        counter += step;
        const writer = WRITERS[index] as string;
        return { account: ACCOUNT, epoch: index, writer, seq: position + 1, time: hybridTime(1000, counter), ...entry };
      });
    }),
  );
