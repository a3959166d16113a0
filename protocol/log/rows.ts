/**
 * The rows that the account log keeps in the store, and how they are read back. A row that cannot be read is reported
 * with folder and key and is never written over: what looks like damage may be all that is left of somebody's work.
 */
import { z } from 'zod';
import { BLAKE3_BYTES } from '../runtime/blake3.js';
import { type DomainError, printable } from '../runtime/errors.js';
import type { StoreOp } from '../runtime/store.js';
import { logErrors } from './errors.js';
import { LOG_NAMESPACE, recordKey } from './namespaces.js';
import type { StoredRecord } from './patch.js';
import { vectorSchema } from './segment.js';

const count = z.number().int().nonnegative();
const hex16 = z.string().regex(/^[0-9a-f]{16}$/);

export const segmentRow = z.object({
  lease: z.string(),
  /** PeerId of the node that the lease is for: its signature is on the heads. */
  node: z.string(),
  base: vectorSchema,
});
export type SegmentRow = z.output<typeof segmentRow>;

const headMark = z.object({ seq: count, bytes: count });

export const positionRow = z.object({
  seq: z.number().int().positive(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** Of the last entry. */
  time: hex16,
  /** Of all entries so far. */
  bytes: count,
  /** The newest stored head, and the one before it that is kept; only in segments of other nodes. See account-state.ts. */
  head: headMark.optional(),
  checkpoint: headMark.optional(),
});
export type PositionRow = z.output<typeof positionRow>;

export const accountRow = z.object({ reducer: z.number().int(), clock: hex16, applied: count });
export type AccountRow = z.output<typeof accountRow>;

export const journalRow = z.object({ account: hex16, epoch: count, seq: z.number().int().positive() });
export type JournalRow = z.output<typeof journalRow>;

export const writerRow = z.object({ last: count });

export function putJson(ns: string, key: string, value: object): StoreOp {
  return { ns, key, value: JSON.stringify(value) };
}

export function putRecord(account: string, record: StoredRecord): StoreOp {
  return putJson(LOG_NAMESPACE.record, recordKey(account, record.kind, record.id), record);
}

/** Reads rows of one store. */
export class RowReader {
  constructor(private readonly options: { folder: string }) {}

  corrupt(ns: string, key: string, reason: string, cause?: unknown): DomainError {
    return logErrors('corrupt', { folder: this.options.folder, key: `${ns} ${key}`, reason }, { cause });
  }

  json<S extends z.ZodType>(schema: S, ns: string, key: string, bytes: Uint8Array): z.output<S> {
    const parsed = schema.safeParse(this.parse(ns, key, bytes));
    if (!parsed.success) throw this.corrupt(ns, key, 'it does not have the shape of its kind', parsed.error);
    return parsed.data;
  }

  /** Checked by hand: a view has tens of thousands of them. */
  record(key: string, bytes: Uint8Array): StoredRecord {
    const ns = LOG_NAMESPACE.record;
    const value = this.parse(ns, key, bytes) as Partial<StoredRecord> | null;
    const isRecord =
      isObject(value) &&
      key.endsWith(`/${value.kind}/${value.id}`) &&
      isObject(value.last) &&
      isObject(value.keys) &&
      isObject(value.once) &&
      isObject(value.best) &&
      Number.isSafeInteger(value.applied) &&
      (value.created === undefined || typeof value.created === 'string');
    if (!isRecord) throw this.corrupt(ns, key, 'it does not have the shape of a record');
    return value as StoredRecord;
  }

  entry(key: string, row: Uint8Array): { hash: Uint8Array; bytes: Uint8Array } {
    if (row.byteLength <= BLAKE3_BYTES) throw this.corrupt(LOG_NAMESPACE.entry, key, 'it is too short');
    return { hash: row.subarray(0, BLAKE3_BYTES), bytes: row.subarray(BLAKE3_BYTES) };
  }

  private parse(ns: string, key: string, bytes: Uint8Array): unknown {
    try {
      return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
    } catch (error) {
      throw this.corrupt(ns, key, `it is not JSON: ${printable((error as Error).message)}`, error);
    }
  }
}

function isObject(value: unknown): value is { [field: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
