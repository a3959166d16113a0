/**
 * The one key-value store of a process, on level. Only importer of level.
 *
 * Group commit: one synchronous batch is in flight; what arrives meanwhile goes into the next. So each caller gets
 * "fsynced" as an answer at a cost shared by all who wait (0.56 ms at the median, 30,000 a second on two cores, against
 * 1,100 a second when each write syncs alone).
 *
 * A batch that fails (full disk, I/O error) fails every caller in it; memory that ran ahead must be dropped by its
 * owner, who is told through `onFailure`. The database is then reopened before the next batch, because LevelDB refuses
 * all writes after a failed log write. Opening needs room too, and a database that could not be opened again cannot even
 * be read: so the disk is tried first, and until it takes bytes the old one stays open for reading. Reads that meet the
 * moment of reopening wait for it and go on.
 */
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { nextTurn } from './clock.js';
import { DomainError, defineErrors, describeError } from './errors.js';
import { damagedTables, type FindOptions, findDamage, sealStore, unsealStore } from './store-check.js';

export const storeErrors = defineErrors('store', {
  corrupt: {
    kind: 'corrupt',
    say: 'The store in {folder} is damaged and was not opened: {reason}.',
    mend: 'Nothing was changed. Restore the folder from a backup, or start with an empty data folder and rejoin.',
  },
  damaged: {
    kind: 'corrupt',
    say: 'A part of the store in {folder} cannot be read: {reason}.',
    mend: 'Stop the program and restore the folder from a backup; in a network, start with an empty data folder and rejoin.',
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
/** Sorts above every key of a namespace, whatever characters it has. */
const AFTER_SEPARATOR = '\u0001';

interface Waiting {
  ops: readonly StoreOp[];
  resolve: () => void;
  reject: (error: unknown) => void;
}

export type Db = Level<string, Uint8Array>;

/** What an opening of the database writes at most before it is done: its buffer, once. */
const ROOM_TO_OPEN_BYTES = 4 * 1024 * 1024;

export interface StoreDeps {
  /** Given by tests that want a disk which fails. */
  openDb: (folder: string) => Promise<Db>;
  /** Throws while the disk takes no bytes. */
  tryDisk: (folder: string) => Promise<void>;
}

/**
 * Refuses a store that LevelDB would open by leaving something out. Changes nothing. Errors: `store/corrupt`.
 * `mustExist`: a folder without a store would look like an empty Galaxy.
 */
export function refuseDamaged(folder: string, options: FindOptions = {}): void {
  const reason = findDamage(folder, options);
  if (reason !== undefined) throw storeErrors('corrupt', { folder, reason });
}

export async function openStore(folder: string, deps: Partial<StoreDeps> = {}): Promise<Store> {
  const openDb = deps.openDb ?? openLevel;
  // Looked at with its seal, before that is taken away.
  refuseDamaged(folder);
  unsealStore(folder);
  const db = await openDb(folder);
  // Another process may have closed it in between, and sealed what is now written to.
  unsealStore(folder);
  return new LevelStore(folder, { openDb, tryDisk: deps.tryDisk ?? tryDisk }, db);
}

class LevelStore implements Store {
  private waiting: Waiting[] = [];
  private flushing: Promise<void> | undefined;
  private readonly listeners = new Set<() => void>();
  private broken = false;
  private closed = false;
  /** What is damaged, looked for once. */
  private damage: Promise<string | undefined> | undefined;
  /** While the database is closed and opened again. */
  private reopening: Promise<void> | undefined;

  constructor(
    private readonly folder: string,
    private readonly deps: StoreDeps,
    private db: Db,
  ) {}

  async get(ns: string, key: string): Promise<Uint8Array | undefined> {
    for (;;) {
      const db = await this.readable();
      try {
        return await db.get(ns + SEPARATOR + key);
      } catch (error) {
        if (!this.isReplaced(db)) throw await this.readError(db, error);
      }
    }
  }

  async *iterate(ns: string, range: Range = {}): AsyncIterable<[string, Uint8Array]> {
    const prefix = ns + SEPARATOR;
    let { limit = -1 } = range;
    const reverse = range.reverse ?? false;
    let lower = range.gt !== undefined ? { gt: prefix + range.gt } : { gte: prefix + (range.gte ?? '') };
    let upper: { lt: string } | { lte: string } =
      range.lt !== undefined
        ? { lt: prefix + range.lt }
        : range.lte !== undefined
          ? { lte: prefix + range.lte }
          : { lt: ns + AFTER_SEPARATOR };
    while (limit !== 0) {
      const db = await this.readable();
      try {
        for await (const [key, value] of db.iterator({ reverse, limit, ...lower, ...upper })) {
          if (limit > 0) limit -= 1;
          if (reverse) upper = { lt: key };
          else lower = { gt: key };
          yield [key.slice(prefix.length), value];
        }
        return;
      } catch (error) {
        // Reopened under the reader: on from the last key that it was given.
        if (!this.isReplaced(db)) throw await this.readError(db, error);
      }
    }
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
    if (!this.broken) sealStore(this.folder);
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
        const error = this.tellFailure(writeError(this.folder, cause));
        for (const waiting of [...group, ...behind]) waiting.reject(error);
      }
    }
    // In the same turn as the loop's last look: a later one would leave a caller waiting for nobody.
    this.flushing = undefined;
  }

  /** A listener that fails is a fault of ours, and may have kept what it should forget: the callers hear of both. */
  private tellFailure(error: Error): Error {
    const faults: unknown[] = [];
    for (const listener of this.listeners) {
      try {
        listener();
      } catch (fault) {
        faults.push(fault);
      }
    }
    return faults.length === 0 ? error : new AggregateError([error, ...faults], 'a listener of the store failed');
  }

  private async reopen(): Promise<void> {
    if (this.db.status === 'open') await this.deps.tryDisk(this.folder);
    const swap = async () => {
      await this.db.close();
      this.db = await this.deps.openDb(this.folder);
    };
    const swapped = swap();
    this.reopening = swapped
      .catch(() => {})
      .finally(() => {
        this.reopening = undefined;
      });
    await swapped;
    this.broken = false;
  }

  /** The database, when it is not just being opened again. One whose opening failed gives its own error. */
  private async readable(): Promise<Db> {
    while (this.reopening !== undefined) await this.reopening;
    return this.db;
  }

  private async readError(db: Db, error: unknown): Promise<unknown> {
    const { folder } = this;
    if (this.closed || db.status === 'open') {
      if (codeOf(error) !== 'LEVEL_CORRUPTION') return error;
      this.damage ??= nameDamage(folder);
      const reason = (await this.damage) ?? describeError(innermost(error as Error));
      return storeErrors('damaged', { folder, reason }, { cause: error });
    }
    return storeErrors('failed', { folder, reason: 'it could not be opened again' }, { cause: error });
  }

  private isReplaced(db: Db): boolean {
    return this.reopening !== undefined || this.db !== db;
  }
}

/** Reads every table, one at a turn: everything else goes on meanwhile. */
async function nameDamage(folder: string): Promise<string | undefined> {
  for (const damage of damagedTables(folder, Number.POSITIVE_INFINITY)) {
    if (damage !== undefined) return damage;
    await nextTurn();
  }
  return undefined;
}

/** Of the database's own error, which may be wrapped. */
function codeOf(error: unknown): unknown {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  return cause?.code ?? code;
}

/** A full disk is better found out with a file of our own than with the database closed. */
async function tryDisk(folder: string): Promise<void> {
  const path = join(folder, 'room.tmp');
  try {
    const file = await open(path, 'w');
    try {
      await file.writeFile(Buffer.alloc(ROOM_TO_OPEN_BYTES));
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    await rm(path, { force: true });
  }
}

/** Exported for tests that wrap it. */
export async function openLevel(folder: string): Promise<Db> {
  // Also when it is opened again: LevelDB makes a new, empty database when its CURRENT file is lost.
  refuseDamaged(folder, { tables: false });
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
  // The opening failed, and says why in the words of `openLevel`: its cause is the disk's own word.
  if (cause instanceof DomainError && cause.cause !== undefined) return writeError(folder, innermost(cause));
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (/no space left|ENOSPC|disk quota/i.test(reason)) return storeErrors('full', { folder }, { cause });
  return storeErrors('failed', { folder, reason }, { cause });
}

function innermost(error: Error): unknown {
  let inner: unknown = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return inner;
}

/** JSON values under one namespace. The caller's schema has seen each value before it was written. */
export function readJson<T>(bytes: Uint8Array | undefined): T | undefined {
  return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString('utf8')) as T);
}
