/**
 * The one key-value store of a process, on level. Only importer of level.
 *
 * Group commit: one synchronous batch is in flight; what arrives meanwhile goes into the next. So each caller gets
 * "fsynced" as an answer at a cost shared by all who wait (0.56 ms at the median, 30,000 a second on two cores, against
 * 1,100 a second when each write syncs alone).
 *
 * A batch that fails (full disk, I/O error) fails every caller in it; memory that ran ahead must be dropped by its
 * owner, who is told through `onFailure`. The database is then reopened before the next batch, because LevelDB refuses
 * all writes after a failed log write.
 */
import { existsSync } from 'node:fs';
import { Level } from 'level';
import { defineErrors } from './errors.js';

export const storeErrors = defineErrors('store', {
  corrupt: {
    kind: 'corrupt',
    say: 'The store in {folder} is damaged and was not opened: {reason}.',
    mend: 'Nothing was changed. Restore the folder from a backup, or start with an empty data folder and rejoin.',
  },
  locked: {
    kind: 'conflict',
    say: 'The store in {folder} is open in another process.',
    mend: 'Stop the other process, or choose another data folder.',
  },
  full: {
    kind: 'no-space',
    say: 'The disk that holds {folder} is full; the change was not saved.',
    mend: 'Free some space; the node goes on by itself.',
  },
  failed: {
    kind: 'unavailable',
    say: 'The store in {folder} could not be written: {reason}.',
    mend: 'Check the disk; the change was not saved and can be repeated.',
  },
});

export type StoreOp =
  | { ns: string; key: string; value: Uint8Array | string }
  | { ns: string; key: string; delete: true };

export interface Range {
  gt?: string;
  gte?: string;
  lt?: string;
  lte?: string;
  reverse?: boolean;
  limit?: number;
}

export interface Store {
  get(ns: string, key: string): Promise<Uint8Array | undefined>;
  /** Keys come back without the namespace. */
  iterate(ns: string, range?: Range): AsyncIterable<[string, Uint8Array]>;
  /** Atomic and fsynced when it resolves. An empty list resolves at once. */
  commit(ops: readonly StoreOp[]): Promise<void>;
  /** Called after a failed batch: whoever keeps memory ahead of the disk must forget it. */
  onFailure(listener: () => void): () => void;
  close(): Promise<void>;
}

const SEPARATOR = '\u0000';
const MAX_KEY = '\uffff';

interface Waiting {
  ops: readonly StoreOp[];
  resolve: () => void;
  reject: (error: unknown) => void;
}

type Db = Level<string, Uint8Array>;

export async function openStore(folder: string): Promise<Store> {
  return new LevelStore(folder, await openLevel(folder));
}

class LevelStore implements Store {
  private waiting: Waiting[] = [];
  private flushing: Promise<void> | undefined;
  private readonly listeners = new Set<() => void>();
  private broken = false;
  private closed = false;

  constructor(
    private readonly folder: string,
    private db: Db,
  ) {}

  async get(ns: string, key: string): Promise<Uint8Array | undefined> {
    return this.db.get(ns + SEPARATOR + key);
  }

  async *iterate(ns: string, range: Range = {}): AsyncIterable<[string, Uint8Array]> {
    const prefix = ns + SEPARATOR;
    const options = {
      reverse: range.reverse ?? false,
      limit: range.limit ?? -1,
      ...(range.gt !== undefined ? { gt: prefix + range.gt } : { gte: prefix + (range.gte ?? '') }),
      ...(range.lt !== undefined ? { lt: prefix + range.lt } : { lte: prefix + (range.lte ?? MAX_KEY) }),
    };
    for await (const [key, value] of this.db.iterator(options)) yield [key.slice(prefix.length), value];
  }

  commit(ops: readonly StoreOp[]): Promise<void> {
    if (ops.length === 0) return Promise.resolve();
    if (this.closed) return Promise.reject(storeErrors('failed', { folder: this.folder, reason: 'it is closed' }));
    return new Promise((resolve, reject) => {
      this.waiting.push({ ops, resolve, reject });
      this.flushing ??= this.flush();
    });
  }

  onFailure(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.flushing;
    await this.db.close();
  }

  private async flush(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.waiting;
      this.waiting = [];
      try {
        if (this.broken) await this.reopen();
        await this.db.batch(
          group.flatMap((waiting) => waiting.ops.map(toLevelOp)),
          { sync: true },
        );
        for (const waiting of group) waiting.resolve();
      } catch (cause) {
        this.broken = true;
        // Callers queued behind the failed batch computed on memory that is now forgotten: they fail with it.
        const behind = this.waiting;
        this.waiting = [];
        const error = writeError(this.folder, cause);
        for (const listener of this.listeners) listener();
        for (const waiting of [...group, ...behind]) waiting.reject(error);
      }
    }
    // In the same turn as the loop's last look: a later one would leave a caller waiting for nobody.
    this.flushing = undefined;
  }

  private async reopen(): Promise<void> {
    await this.db.close();
    this.db = await openLevel(this.folder);
    this.broken = false;
  }
}

async function openLevel(folder: string): Promise<Db> {
  // LevelDB makes a new, empty database when its CURRENT file is lost. That would look like an empty Galaxy.
  if (existsSync(folder) && !existsSync(`${folder}/CURRENT`) && existsSync(`${folder}/LOCK`)) {
    throw storeErrors('corrupt', { folder, reason: 'the file CURRENT is missing' });
  }
  const db: Db = new Level(folder, { keyEncoding: 'utf8', valueEncoding: 'view' });
  try {
    await db.open();
    return db;
  } catch (error) {
    const cause = (error as { cause?: { code?: string; message?: string } }).cause;
    const reason = cause?.message ?? (error as Error).message;
    if (cause?.code === 'LEVEL_LOCKED') throw storeErrors('locked', { folder }, { cause: error });
    throw storeErrors('corrupt', { folder, reason }, { cause: error });
  }
}

function toLevelOp(op: StoreOp) {
  const key = op.ns + SEPARATOR + op.key;
  if ('delete' in op) return { type: 'del' as const, key };
  return { type: 'put' as const, key, value: typeof op.value === 'string' ? Buffer.from(op.value) : op.value };
}

function writeError(folder: string, cause: unknown) {
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (/no space left|ENOSPC|disk quota/i.test(reason)) return storeErrors('full', { folder }, { cause });
  return storeErrors('failed', { folder, reason }, { cause });
}

/** JSON values under one namespace. The caller's schema has seen each value before it was written. */
export function readJson<T>(bytes: Uint8Array | undefined): T | undefined {
  return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString('utf8')) as T);
}
