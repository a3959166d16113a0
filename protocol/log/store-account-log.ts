/**
 * The account log on the store of a process.
 *
 * A change is computed in one synchronous step on the view in memory, staged as one batch and then awaited; many appends
 * of an account may be on their way at once, and the store's group commit shares their fsync. Memory therefore runs ahead
 * of the disk. When a batch fails, everything in memory is forgotten, and a new writer id is drawn before anything is
 * read again: whether the failed batch reached the disk is known only after the store was reopened, and a segment whose
 * end is in doubt must never be continued, because somebody may hold the other version of it.
 *
 * Rejected: a lock per account around read, write and commit, which would make each append wait for the fsync of the one
 * before it.
 */
import { ENTRY_VERSION } from '../account/entries.js';
import type { AccountView } from '../account/records.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { type Random, randomHex } from '../runtime/random.js';
import type { Store, StoreOp } from '../runtime/store.js';
import { CLOCK_SKEW_MAX_MS } from '../wire/limits.js';
import { AccountCache } from './account-cache.js';
import type {
  AccountLog,
  Applied,
  JournalItem,
  LeaseSource,
  SegmentPosition,
  SegmentRun,
  Vector,
  WriteLease,
} from './account-log.js';
import { type AccountState, newSegment, putAccount, type SegmentState, stage } from './account-state.js';
import { type CheckedDraft, checkDraft } from './draft-check.js';
import { type Draft, type Entry, type JsonObject, type SegmentKey, segmentKeyText, type WriterId } from './entry.js';
import { logErrors } from './errors.js';
import { LogReader } from './log-reader.js';
import { LOG_NAMESPACE, LOG_NAMESPACES, numberKey } from './namespaces.js';
import { putJson, putRecord, RowReader } from './rows.js';
import { checkRun, type OfferedRun, settleRun } from './run-check.js';
import { type ChainedEntry, chainHash, encodeEntry, reduceBase, toHex } from './segment.js';
import type { SegmentTrust } from './trust.js';

export interface AccountLogDeps {
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  leases: LeaseSource;
  trust: SegmentTrust;
}

export interface AccountLogOptions {
  /** Of the store, for messages. */
  folder: string;
  /** Records that views in memory may hold together, over all accounts; those in use are kept in any case. */
  viewRecordsMax?: number;
}

const VIEW_RECORDS_MAX = 500_000;
const WRITER_BYTES = 8;
/** Each try needs another failed write in between. */
const TRIES_MAX = 20;

const ACCOUNT_ID = /^[0-9a-f]{16}$/;

/** The state was forgotten while it was awaited: begin anew. */
class Forgotten extends Error {}

export async function openAccountLog(deps: AccountLogDeps, options: AccountLogOptions): Promise<AccountLog> {
  return new StoreAccountLog(deps, options, await drawWriter(deps));
}

async function drawWriter(deps: Pick<AccountLogDeps, 'store' | 'random'>): Promise<WriterId> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const writer = randomHex(deps.random, WRITER_BYTES);
    if ((await deps.store.get(LOG_NAMESPACE.writer, writer)) === undefined) return writer;
  }
  throw new Error('the source of randomness repeats itself');
}

class StoreAccountLog implements AccountLog {
  private readonly rows: RowReader;
  private readonly reader: LogReader;
  private readonly cache: AccountCache;
  private readonly sealed = new Map<string, number>();
  private readonly turns = new Map<string, Promise<unknown>>();
  private readonly running = new Set<Promise<unknown>>();
  private readonly listeners = new Set<(applied: Applied) => void>();
  private readonly unsubscribe: () => void;
  private journalLast = 0;
  private recovering: Promise<void> | undefined;
  private inDoubt = false;
  private stopped = false;

  constructor(
    private readonly deps: AccountLogDeps,
    options: AccountLogOptions,
    private currentWriter: WriterId,
  ) {
    this.rows = new RowReader({ folder: options.folder });
    this.reader = new LogReader({ store: deps.store, rows: this.rows, trust: deps.trust });
    this.cache = new AccountCache(
      { store: deps.store, clock: deps.clock, log: deps.log, rows: this.rows, ready: () => this.ready() },
      { viewRecordsMax: options.viewRecordsMax ?? VIEW_RECORDS_MAX },
    );
    this.unsubscribe = deps.store.onFailure(() => this.forget());
  }

  get writer(): WriterId {
    return this.currentWriter;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    while (this.running.size > 0) await Promise.allSettled([...this.running]);
    this.unsubscribe();
  }

  view(account: string): Promise<AccountView> {
    return this.work(account, async (state) => state.view);
  }

  append(
    account: string,
    build: (view: AccountView) => Draft[] | { drafts: Draft[]; also: StoreOp[] },
  ): Promise<{ entries: Entry[]; view: AccountView }> {
    return this.work(account, async (state) => {
      const lease = this.leaseFor(account);
      const built = build(state.view);
      const { drafts, also } = Array.isArray(built) ? { drafts: built, also: [] } : built;
      for (const op of also) {
        if (LOG_NAMESPACES.has(op.ns)) throw new Error(`${op.ns} belongs to the account log`);
      }
      const payloads = drafts.map(checkDraft);
      if (payloads.length === 0) {
        await this.deps.store.commit(also);
        return { entries: [], view: state.view };
      }
      const { entries, segment, ops } = this.whole(() => this.stageOwn(state, lease, payloads));
      await this.commit(state, segment, [...ops, ...also]);
      this.emit({ account, entries, own: true });
      return { entries, view: state.view };
    });
  }

  accounts(): AsyncIterable<string> {
    return this.reader.accounts();
  }

  vector(account: string): Promise<Vector> {
    return this.reader.vector(account);
  }

  read(key: SegmentKey, from: number, maxBytes: number, through?: number): Promise<SegmentRun | undefined> {
    return this.reader.run(key, from, maxBytes, through);
  }

  entry(key: SegmentKey, seq: number): Promise<Entry | undefined> {
    return this.reader.entry(key, seq);
  }

  journal(writer: WriterId, position: number, limit: number): Promise<JournalItem[]> {
    return this.reader.journal(writer, position, limit);
  }

  writers(): Promise<{ writer: WriterId; last: number }[]> {
    return this.reader.writers();
  }

  async receive(run: SegmentRun): Promise<SegmentPosition> {
    const offered = checkRun(this.deps.trust, run);
    return this.inTurn(offered.text, () => this.work(offered.key.account, (state) => this.take(state, offered)));
  }

  async seal(account: string): Promise<SegmentPosition | undefined> {
    return this.work(account, async (state) => {
      const own = [...state.segments.values()].filter((segment) => segment.key.writer === this.currentWriter);
      const segment = own.sort((a, b) => a.key.epoch - b.key.epoch).at(-1);
      const epoch = Math.max(
        this.sealed.get(account) ?? -1,
        this.deps.leases.current(account)?.epoch ?? -1,
        segment?.key.epoch ?? -1,
      );
      // Not on disk: after a restart another writer opens another segment, and merging takes care of it.
      if (epoch >= 0) this.sealed.set(account, epoch);
      if (segment === undefined) return undefined;
      await segment.committed;
      return { seq: segment.chain.seq, hash: toHex(segment.chain.hash) };
    });
  }

  unseal(account: string): void {
    this.sealed.delete(account);
  }

  async adopted(account: string): Promise<void> {
    await this.work(account, async (state) => {
      if (state.segments.size === 0) return;
      const applied = this.cache.nextApplied(state);
      const ops = [...state.view.list('history')].map(({ id }) => {
        const record = state.view.bump('history', id, applied);
        return putRecord(account, record);
      });
      await this.commit(state, undefined, [...ops, putAccount(account, state.clock.last, applied)]);
    });
  }

  onApplied(listener: (applied: Applied) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private leaseFor(account: string): WriteLease {
    const lease = this.deps.leases.current(account);
    if (lease === undefined) throw logErrors('not-home', { account });
    const sealed = this.sealed.get(account);
    if (sealed !== undefined && lease.epoch <= sealed) throw logErrors('sealed', { account, epoch: sealed });
    return lease;
  }

  private stageOwn(state: AccountState, lease: WriteLease, payloads: CheckedDraft[]) {
    const key: SegmentKey = { account: state.account, epoch: lease.epoch, writer: this.currentWriter };
    const segment = state.segments.get(segmentKeyText(key)) ?? this.openSegment(state, key, lease);
    const chained: ChainedEntry[] = [];
    let { seq, hash } = segment.chain;
    const journal: StoreOp[] = [];
    for (const { type, bytes: payload } of payloads) {
      seq++;
      const place = { seq, time: state.clock.tick(), type, version: ENTRY_VERSION };
      const bytes = encodeEntry(place, payload);
      hash = chainHash(hash, bytes);
      // Read back from the bytes: this node folds exactly what every other will.
      const parsed = JSON.parse(Buffer.from(payload).toString('utf8')) as JsonObject;
      chained.push({ entry: { ...key, ...place, payload: parsed }, bytes, hash });
      const position = numberKey(++this.journalLast);
      const row = { account: key.account, epoch: key.epoch, seq };
      journal.push(putJson(LOG_NAMESPACE.journal, `${key.writer}/${position}`, row));
    }
    journal.push(putJson(LOG_NAMESPACE.writer, key.writer, { last: this.journalLast }));
    const ops = stage(state, segment, chained, this.cache.nextApplied(state));
    return { segment, entries: chained.map(({ entry }) => entry), ops: [...ops, ...journal] };
  }

  private openSegment(state: AccountState, key: SegmentKey, lease: WriteLease): SegmentState {
    const known = [...state.segments.values()].map(({ key, base, chain }) => ({
      key,
      base,
      position: { seq: chain.seq, hash: toHex(chain.hash) },
    }));
    return newSegment(key, { lease: lease.token, node: this.deps.trust.self, base: reduceBase(known) });
  }

  /** One run, after its lease and its head were found good. Nothing else takes from this segment meanwhile. */
  private async take(state: AccountState, run: OfferedRun): Promise<SegmentPosition> {
    let segment = state.segments.get(run.text);
    // What is on its way counts as ours only when it has arrived.
    await segment?.committed;
    const { account } = run.key;
    const verdict = await settleRun(run, segment, {
      isOwn: run.key.writer === this.currentWriter,
      entry: (seq) => this.reader.needed(run.key, seq),
    });
    if (verdict.refused) {
      if (verdict.alarm) {
        this.deps.log.error({ segment: run.text, seq: run.head.seq }, 'two versions of one segment exist');
      }
      throw verdict.refused;
    }
    if (!this.cache.isCurrent(state)) throw new Forgotten();
    segment = state.segments.get(run.text) ?? newSegment(run.key, { lease: run.lease, node: run.node, base: run.base });
    const { fresh } = verdict;
    if (fresh.length > 0) {
      const target = segment;
      const ahead = Math.max(...fresh.map(({ entry }) => state.clock.observe(entry.time)));
      if (ahead > CLOCK_SKEW_MAX_MS) {
        this.deps.log.warn({ segment: run.text, aheadMs: ahead }, 'entries are dated in the future');
      }
      const applied = this.cache.nextApplied(state);
      const ops = this.whole(() => stage(state, target, fresh, applied, run.headToken));
      await this.commit(state, target, ops);
      this.emit({ account, entries: fresh.map(({ entry }) => entry), own: false });
    }
    return { seq: segment.chain.seq, hash: toHex(segment.chain.hash) };
  }

  /**
   * Runs on the account's state, loaded and held. What `run` does before its first await happens in one step with the
   * check that the state is still good.
   */
  private work<T>(account: string, run: (state: AccountState) => Promise<T>): Promise<T> {
    const promise = this.tryWork(account, run);
    const settled = promise.then(
      () => {},
      () => {},
    );
    this.running.add(settled);
    void settled.then(() => this.running.delete(settled));
    return promise;
  }

  private async tryWork<T>(account: string, run: (state: AccountState) => Promise<T>): Promise<T> {
    if (this.stopped) throw logErrors('stopped');
    if (!ACCOUNT_ID.test(account)) throw new Error(`not an account id: ${account}`);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const state = await this.cache.acquire(account);
      try {
        if (this.cache.isCurrent(state)) return await run(state);
      } catch (error) {
        if (!(error instanceof Forgotten)) throw error;
      } finally {
        this.cache.release(state);
      }
    }
    throw new Error('the store failed again and again while an account was read');
  }

  /** A step that changes memory and must not stop halfway: if it does, memory is forgotten. */
  private whole<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  private async commit(state: AccountState, segment: SegmentState | undefined, ops: StoreOp[]): Promise<void> {
    const committed = this.deps.store.commit(ops);
    if (segment) {
      segment.committed = committed;
      committed.catch(() => {});
    }
    try {
      await committed;
    } catch (error) {
      // Usually the store has told already; a closed one tells only the caller.
      if (this.cache.isCurrent(state)) this.forget();
      throw error;
    }
  }

  private forget(): void {
    this.cache.forget();
    this.inDoubt = true;
  }

  private async ready(): Promise<void> {
    while (this.inDoubt) {
      this.recovering ??= this.recover().finally(() => {
        this.recovering = undefined;
      });
      await this.recovering;
    }
  }

  /** The first write after a failure makes the store open anew, so that what is read after it is what is there. */
  private async recover(): Promise<void> {
    const generation = this.cache.currentGeneration;
    const writer = await drawWriter(this.deps);
    await this.deps.store.commit([putJson(LOG_NAMESPACE.writer, writer, { last: 0 })]);
    if (generation !== this.cache.currentGeneration) return;
    this.currentWriter = writer;
    this.journalLast = 0;
    this.inDoubt = false;
    this.deps.log.warn({ writer }, 'a write had failed; accounts are read anew and continued in new segments');
  }

  /** One at a time per segment, in order of arrival. */
  private inTurn<T>(segment: string, run: () => Promise<T>): Promise<T> {
    const before = this.turns.get(segment) ?? Promise.resolve();
    const mine = before.then(run, run);
    const settled = mine.then(
      () => {},
      () => {},
    );
    this.turns.set(segment, settled);
    void settled.then(() => {
      if (this.turns.get(segment) === settled) this.turns.delete(segment);
    });
    return mine;
  }

  private emit(applied: Applied): void {
    for (const listener of this.listeners) {
      try {
        listener(applied);
      } catch (error) {
        // The change is saved; whoever listens must not make it look as if it were not.
        this.deps.log.error({ account: applied.account, err: error }, 'a listener of the account log failed');
      }
    }
  }
}
