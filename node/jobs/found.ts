/**
 * What a run left beside its declared outputs: discovered datasets, the elements of collections, and more extra files
 * than an outcome has room for. The list is a blob that the outcome names, so that an outcome stays one small entry
 * however much was found and whoever is the account's home; the home makes entries of it in the commit of the outcome.
 *
 * Ids follow from the job and the place of a thing, never from the attempt: an outcome that comes twice, or two runs of
 * one job, make each thing once, and the run whose outcome wins decides what it holds.
 * Rejected: everything in the outcome, which an entry's 64 KiB end at some two hundred datasets; datasets created by the
 * executor, which is not always the home and so must not write.
 */

import { z } from 'zod';
import { type ContentFile, content, contentFile, type JobOutcome } from '../../protocol/account/entries.js';
import type { AccountView, JobRecord } from '../../protocol/account/records.js';
import { hidOf } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { Draft, JsonObject, JsonValue } from '../../protocol/log/entry.js';
import { check, sentenceOf } from '../../protocol/runtime/schema-words.js';
import { derivedId } from '../../protocol/wire/ids.js';
import { uuidOf } from '../datasets/uuid.js';
import { jobErrors } from './errors.js';

/** Datasets that one job may bring forth; what goes beyond is left out, and the job says so. */
export const FOUND_MAX = 10_000;
/** Extra files of all outputs of one job. */
export const EXTRA_FILES_MAX = 10_000;
/** Room for that many datasets with what is said of each. */
export const LIST_BYTES_MAX = 64 * 2 ** 20;
/** Nested lists as deep as Galaxy's tools make them. */
export const DEPTH_MAX = 4;
/** As many as the schemas of entries.ts take. */
const ELEMENTS_PER_PART = 1000;
const FILES_PER_PART = 1000;
/** Of what one content says of its files; the rest goes into entries of their own. */
const FILES_INLINE = 50;
const ENTRY_BYTES = 48 * 1024;

const key = z.string().min(1).max(4096);

export const foundDataset = z.object({
  /** `output/designation`: what tells it from the others of the job. */
  key,
  name: z.string().max(1024),
  extension: z.string().max(255),
  genomeBuild: z.string().max(255).optional(),
  visible: z.boolean(),
  content,
});

export const foundElement = z.object({
  /** From the outermost list to the innermost. */
  identifiers: z.array(z.string().max(1024)).min(1).max(DEPTH_MAX),
  /** Of the dataset in the same list. */
  key,
});

export const foundList = z.object({
  version: z.literal(1),
  datasets: z.array(foundDataset).max(FOUND_MAX),
  /** By the name of the output. */
  collections: z.record(z.string(), z.array(foundElement).max(FOUND_MAX)),
  /** Of declared outputs, by name. */
  files: z.record(z.string(), z.array(contentFile).max(EXTRA_FILES_MAX)),
  /** What the tool called its outputs. */
  said: z.record(z.string(), z.object({ name: z.string().max(255), genomeBuild: z.string().max(255) }).partial()),
});

export type FoundDataset = z.output<typeof foundDataset>;
export type FoundElement = z.output<typeof foundElement>;
export type FoundList = z.output<typeof foundList>;

export function isNothing(list: FoundList): boolean {
  const { datasets, collections, files, said } = list;
  return datasets.length === 0 && [collections, files, said].every((one) => Object.keys(one).length === 0);
}

/** The list that an outcome names, which must be here; undefined when it names none. Errors: `jobs/bad-outcome`. */
export async function readFound(
  blobs: Pick<BlobStore, 'read'>,
  outcome: Pick<JobOutcome, 'found'>,
): Promise<FoundList | undefined> {
  if (outcome.found === undefined) return undefined;
  if (outcome.found.size > LIST_BYTES_MAX) throw jobErrors('bad-outcome', { reason: 'its list of files is too long' });
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of blobs.read(outcome.found.blob)) {
    length += chunk.length;
    if (length > LIST_BYTES_MAX) throw jobErrors('bad-outcome', { reason: 'its list of files is too long' });
    chunks.push(chunk);
  }
  let read: unknown;
  try {
    read = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw jobErrors('bad-outcome', { reason: 'its list of files is not JSON' });
  }
  const { data, problem } = check(foundList, read);
  if (problem !== undefined) throw jobErrors('bad-outcome', { reason: sentenceOf(problem, 'its list of files') });
  return data;
}

/** Every blob that the list names. */
export function blobsOfFound(list: FoundList | undefined): string[] {
  if (list === undefined) return [];
  const contents = list.datasets.flatMap((dataset) => dataset.content.files);
  return [...contents, ...Object.values(list.files).flat()].map(({ blob }) => blob);
}

export function foundId(job: string, datasetKey: string): string {
  return derivedId(job, `found/${datasetKey}`);
}

/** The entries that go with an outcome. Pure. */
export function foundDrafts(view: AccountView, outcome: JobOutcome, list: FoundList | undefined): Draft[] {
  const job = view.get('job', outcome.id);
  if (job === undefined || list === undefined) return [];
  const made = { epoch: outcome.epoch, attempt: outcome.attempt };
  const drafts: Draft[] = [];
  let hid = view.nextHid(job.history);
  for (const found of list.datasets) {
    const id = foundId(job.id, found.key);
    const known = view.get('dataset', id);
    // What a user made of it since an earlier outcome stays: only what it holds is decided anew.
    const said = known ?? { name: found.name, extension: found.extension, visible: found.visible };
    const { files, ...rest } = found.content;
    const [first, ...more] = portions(files, FILES_INLINE);
    drafts.push({
      type: 'dataset.created',
      payload: {
        id,
        history: job.history,
        hid: known ? known.hid : hid++,
        uuid: uuidOf(id),
        createdAt: known?.createdAt ?? outcome.endedAt,
        job: job.id,
        name: said.name,
        extension: said.extension,
        ...((known?.visible ?? found.visible) ? {} : { visible: false }),
        ...(found.genomeBuild === undefined || known ? {} : { genomeBuild: found.genomeBuild }),
        content: { ...rest, files: first ?? [] } as unknown as JsonValue,
        made,
      },
    });
    drafts.push(...fileDrafts(id, more.flat(), made));
  }
  for (const [output, files] of Object.entries(list.files)) {
    const id = job.outputs[output];
    if (id !== undefined) drafts.push(...fileDrafts(id, files, made));
  }
  for (const [output, said] of Object.entries(list.said)) {
    const id = job.outputs[output];
    if (id !== undefined && Object.keys(said).length > 0) {
      drafts.push({ type: 'dataset.updated', payload: { id, ...said } as JsonObject });
    }
  }
  for (const [output, elements] of Object.entries(list.collections)) {
    const id = job.outputCollections?.[output];
    if (id !== undefined) drafts.push(...collectionDrafts(view, job, id, elements, outcome));
  }
  return drafts;
}

function fileDrafts(id: string, files: readonly ContentFile[], made: JsonObject): Draft[] {
  return portions(files, FILES_PER_PART).map((portion, part) => ({
    type: 'dataset.files',
    payload: { id, part, ...made, files: portion as unknown as JsonValue },
  }));
}

/** What a nested list holds, in the order in which it was found. */
interface Level {
  members: Map<string, { kind: 'dataset' | 'collection'; id: string }>;
  inner: Map<string, Level>;
}

export interface Member {
  identifiers: readonly string[];
  kind: 'dataset' | 'collection';
  id: string;
}

function collectionDrafts(
  view: AccountView,
  job: JobRecord,
  id: string,
  elements: readonly FoundElement[],
  outcome: JobOutcome,
): Draft[] {
  const record = view.get('collection', id);
  const root = levelOf(
    elements.map((one) => ({ identifiers: one.identifiers, kind: 'dataset', id: foundId(job.id, one.key) })),
  );
  const made = { epoch: outcome.epoch, attempt: outcome.attempt };
  const base = {
    history: job.history,
    hid: record ? hidOf(record) : 1,
    createdAt: outcome.endedAt,
    job: job.id,
    collectionType: record?.collectionType ?? 'list',
  };
  return levelDrafts(id, root, base, made);
}

function levelOf(elements: readonly Member[]): Level {
  const root: Level = { members: new Map(), inner: new Map() };
  for (const { identifiers, kind, id } of elements) {
    let level = root;
    for (const identifier of identifiers.slice(0, -1)) {
      const next = level.inner.get(identifier) ?? { members: new Map(), inner: new Map() };
      level.inner.set(identifier, next);
      level = next;
    }
    level.members.set(identifiers.at(-1) ?? '', { kind, id });
  }
  return root;
}

type InnerBase = { history: string; hid: number; createdAt: number; job?: string; collectionType: string };

function levelDrafts(id: string, level: Level, base: InnerBase, made: JsonObject): Draft[] {
  const innerType = base.collectionType.split(':').slice(1).join(':') || 'list';
  const drafts: Draft[] = [];
  const elements: JsonValue[] = [];
  for (const [identifier, inner] of level.inner) {
    const innerId = innerCollectionId(id, identifier);
    elements.push({ identifier, kind: 'collection', id: innerId });
    const innerBase = { ...base, collectionType: innerType };
    const payload = { ...innerBase, id: innerId, name: identifier, elements: [], parent: id };
    drafts.push({ type: 'collection.created', payload }, ...levelDrafts(innerId, inner, innerBase, made));
  }
  for (const [identifier, member] of level.members) elements.push({ identifier, ...member });
  return [...drafts, ...elementDrafts(id, elements, made)];
}

export function innerCollectionId(parent: string, identifier: string): string {
  return derivedId(parent, `inner/${identifier}`);
}

/** At least one part, so that "there is nothing in it" is said too. */
export function elementDrafts(id: string, elements: readonly JsonValue[], made: JsonObject): Draft[] {
  const parts = portions(elements, ELEMENTS_PER_PART);
  return (parts.length > 0 ? parts : [[]]).map((portion, part) => ({
    type: 'collection.elements',
    payload: { id, part, ...made, elements: portion },
  }));
}

/**
 * Collections whose elements are known now, from names as deep as the type says: those at submission, static ones and
 * those of a tool that is run over a collection.
 */
export function nestedDrafts(id: string, elements: readonly Member[], base: InnerBase): Draft[] {
  return levelDrafts(id, levelOf(elements), base, { epoch: 0, attempt: 0 });
}

/** In order, at most `itemsMax` each and small enough for an entry. */
function portions<T>(items: readonly T[], itemsMax: number): T[][] {
  const parts: T[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = Buffer.byteLength(JSON.stringify(item)) + 1;
    const current = parts.at(-1);
    if (current === undefined || current.length >= itemsMax || bytes + size > ENTRY_BYTES) {
      parts.push([item]);
      bytes = size;
    } else {
      current.push(item);
      bytes += size;
    }
  }
  return parts;
}
