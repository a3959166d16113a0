/** Account logs on real stores in temporary folders, with a trust that needs no keys and a clock that tests move. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AccountLog, LeaseSource, SegmentRun } from '../../../protocol/log/account-log.js';
import type { Draft, SegmentKey } from '../../../protocol/log/entry.js';
import type { SegmentHead } from '../../../protocol/log/segment.js';
import { openAccountLog } from '../../../protocol/log/store-account-log.js';
import type { SegmentTrust } from '../../../protocol/log/trust.js';
import type { Clock } from '../../../protocol/runtime/clock.js';
import { type Logger, silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { openStore, type Range, type Store, type StoreOp } from '../../../protocol/runtime/store.js';

export const ACCOUNT = '00000000000000a1';
export const HISTORY = '00000000000000b1';

export interface ManualClock extends Clock {
  ms: number;
}

export function manualClock(ms = 1_760_000_000_000): ManualClock {
  const clock: ManualClock = {
    ms,
    now: () => clock.ms,
    monotonic: () => clock.ms,
    after: () => () => {},
    every: () => () => {},
  };
  return clock;
}

/** Tokens are JSON that names its signer; a lease reads `lease:account:epoch:node`. */
export function fakeTrust(self: string): SegmentTrust {
  return {
    self,
    signHead: (head: SegmentHead) => JSON.stringify({ signer: self, payload: head }),
    openHead: (token) => JSON.parse(token) as { payload: SegmentHead; signer: string },
    checkLease(token: string, key: SegmentKey) {
      const [kind, account, epoch, node] = token.split(':');
      if (kind !== 'lease' || account !== key.account || Number(epoch) !== key.epoch || !node) {
        throw new Error('not a lease for this segment');
      }
      return { node };
    },
  };
}

export function leaseToken(account: string, epoch: number, node: string): string {
  return `lease:${account}:${epoch}:${node}`;
}

export class TestLeases implements LeaseSource {
  epoch: number | undefined = 1;

  constructor(private readonly node: string) {}

  current(account: string) {
    if (this.epoch === undefined) return undefined;
    return { account, epoch: this.epoch, token: leaseToken(account, this.epoch, this.node) };
  }
}

export interface TestLog {
  folder: string;
  store: Store;
  log: AccountLog;
  leases: TestLeases;
  clock: ManualClock;
  close(): Promise<void>;
}

export interface TestLogOptions {
  node?: string;
  folder?: string;
  clock?: ManualClock;
  viewRecordsMax?: number;
  logger?: Logger;
  /** Puts something between the log and its store. */
  wrap?: (store: Store) => Store;
}

const folders: string[] = [];
const opened: TestLog[] = [];

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'account-log-'));
  folders.push(folder);
  return folder;
}

export async function openTestLog(options: TestLogOptions = {}): Promise<TestLog> {
  const node = options.node ?? 'node-a';
  const folder = options.folder ?? join(await temporaryFolder(), 'store');
  const plain = await openStore(folder);
  const store = options.wrap?.(plain) ?? plain;
  const leases = new TestLeases(node);
  const clock = options.clock ?? manualClock();
  const log = await openAccountLog(
    { store, clock, random: systemRandom, log: options.logger ?? silentLogger, leases, trust: fakeTrust(node) },
    { folder, viewRecordsMax: options.viewRecordsMax },
  );
  let closed = false;
  const test: TestLog = {
    folder,
    store,
    log,
    leases,
    clock,
    async close() {
      if (closed) return;
      closed = true;
      await log.stop?.();
      await plain.close();
    },
  };
  opened.push(test);
  return test;
}

/** For afterEach. */
export async function removeTestLogs(): Promise<void> {
  await Promise.all(opened.splice(0).map((test) => test.close()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
}

export const historyCreated = (id = HISTORY, name = 'a history'): Draft => ({
  type: 'history.created',
  payload: { id, name, createdAt: 1 },
});

export const historyRenamed = (name: string, id = HISTORY): Draft => ({
  type: 'history.updated',
  payload: { id, name },
});

export const datasetCreated = (id: string, hid: number, extra: Draft['payload'] = {}): Draft => ({
  type: 'dataset.created',
  payload: {
    id,
    history: HISTORY,
    hid,
    uuid: `uuid-${id}`,
    createdAt: 1,
    name: `dataset ${hid}`,
    extension: 'txt',
    ...extra,
  },
});

export function hex(number: number): string {
  return number.toString(16).padStart(16, '0');
}

/** Every run that `from` holds and `to` lacks, in pieces of at most `maxBytes`. */
export async function runsFor(from: AccountLog, to: AccountLog, account: string, maxBytes = 1_000_000) {
  const runs: SegmentRun[] = [];
  const has = await to.vector(account);
  for (const [text, { seq }] of Object.entries(await from.vector(account))) {
    const [, epoch, writer] = text.split('/') as [string, string, string];
    let next = (has[text]?.seq ?? 0) + 1;
    while (next <= seq) {
      const run = await from.read({ account, epoch: Number(epoch), writer }, next, maxBytes);
      if (!run || run.entries.length === 0) break;
      runs.push(run);
      next = run.from + run.entries.length;
    }
  }
  return runs;
}

export async function copy(from: AccountLog, to: AccountLog, account = ACCOUNT): Promise<void> {
  for (const run of await runsFor(from, to, account)) await to.receive(run);
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/**
 * A store whose writes fail when told to, as the real one does it: the whole group fails, those who wait behind it fail
 * with it, and listeners hear first. `kept` is the doubtful case: reported as failed, and on disk all the same.
 */
export class FaultyStore implements Store {
  groups = 0;
  private plan: { group: number; outcome: 'lost' | 'kept' } | undefined;
  private waiting: { ops: readonly StoreOp[]; resolve: () => void; reject: (error: unknown) => void }[] = [];
  private flushing: Promise<void> | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly inner: Store) {}

  /** The `group`-th batch from now on fails; 1 is the next. */
  fail(group: number, outcome: 'lost' | 'kept' = 'lost'): void {
    this.plan = { group: this.groups + group, outcome };
  }

  get(ns: string, key: string) {
    return this.inner.get(ns, key);
  }

  iterate(ns: string, range?: Range) {
    return this.inner.iterate(ns, range);
  }

  commit(ops: readonly StoreOp[]): Promise<void> {
    if (ops.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.waiting.push({ ops, resolve, reject });
      this.flushing ??= this.flush().finally(() => {
        this.flushing = undefined;
      });
    });
  }

  onFailure(listener: () => void) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close() {
    return this.inner.close();
  }

  private async flush(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.waiting;
      this.waiting = [];
      const fails = ++this.groups === this.plan?.group;
      if (!fails || this.plan?.outcome === 'kept') await this.inner.commit(group.flatMap(({ ops }) => ops));
      else await this.inner.get('', '');
      if (!fails) {
        for (const { resolve } of group) resolve();
        continue;
      }
      const behind = this.waiting;
      this.waiting = [];
      for (const listener of this.listeners) listener();
      for (const { reject } of [...group, ...behind]) reject(new Error('the disk is gone'));
    }
  }
}
