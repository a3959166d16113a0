/**
 * A second look at a dataset's bytes: when it is given another datatype, or her user asks what it is. What is seen then
 * (peek, counts, columns) goes into the log beside the new datatype; the content itself stays as its job left it.
 *
 * Runs in the node's own process and is waited for, so large files are not counted: their size stands for the counts.
 * Rejected: a job for each look, as Galaxy queues one; she would see the old columns until it ran.
 */
import type { Content, Inspected } from '../../protocol/account/entries.js';
import type { DatasetRecord } from '../../protocol/account/records.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import type { JsonObject } from '../../protocol/log/entry.js';
import type { Datatypes, InspectLimits } from './datatypes.js';

export interface LooksDeps {
  blobs: Pick<BlobStore, 'path'>;
  datatypes: Pick<Datatypes, 'inspect' | 'sniff'>;
}

const LIMITS: InspectLimits = { countedBytesMax: 256 * 1024 ** 2, decompressedBytesMax: 256 * 1024 ** 2 };
/** What a log entry has room for. */
const PEEK_CHARS_MAX = 8192;
const BLURB_CHARS_MAX = 1024;

export function primaryBlob(content: Content | undefined): string | undefined {
  return content?.files.find(({ role }) => role === 'primary')?.blob;
}

/** The bytes must be here. */
export async function look({ blobs, datatypes }: LooksDeps, blob: string, extension: string): Promise<Inspected> {
  const seen = await datatypes.inspect(blobs.path(blob), extension, LIMITS);
  return {
    extension,
    blob,
    peek: seen.peek.slice(0, PEEK_CHARS_MAX),
    blurb: seen.blurb.slice(0, BLURB_CHARS_MAX),
    metadata: seen.metadata,
  };
}

/** The datatype that the bytes speak for. They must be here. */
export function sniff({ blobs, datatypes }: LooksDeps, blob: string): Promise<string> {
  return datatypes.sniff(blobs.path(blob));
}

/** What an entry says of a look: what was seen, and that every word of hers about metadata gives way to it. */
export function seenFields(record: Pick<DatasetRecord, 'metadata'>, seen: Inspected | undefined): JsonObject {
  if (seen === undefined) return {};
  // Null removes in the log.
  const said = Object.keys(record.metadata).map((field) => [field, null]);
  return { inspected: seen, ...(said.length > 0 ? { metadata: Object.fromEntries(said) } : {}) };
}
