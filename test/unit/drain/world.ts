/**
 * A node that leaves, with a coordinator and holders in memory. Replication, ledger, leases and the drain itself are the
 * real ones; what a machine would lose when it dies is made anew by `start`, what its disk keeps stays.
 */

import { HeldLeases } from '../../../node/accounts/held-leases.js';
import type { AccountsDeps } from '../../../node/drain/accounts.js';
import { drainErrors } from '../../../node/drain/errors.js';
import { DrainGate } from '../../../node/drain/gate.js';
import type { Handover, NewHome } from '../../../node/drain/handover.js';
import { createLeaving, type Leaving } from '../../../node/drain/leaving.js';
import { Drain, type DrainDeps } from '../../../node/drain.js';
import { BlobReplicator } from '../../../node/replication/blob-replicator.js';
import type { BlobLane, Holder, Holders } from '../../../node/replication/holders.js';
import { Ledger } from '../../../node/replication/ledger.js';
import type { BlobStore } from '../../../protocol/blobs/blob.js';
import { MerkleTree } from '../../../protocol/blobs/inventory.js';
import type { Vector } from '../../../protocol/log/account-log.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import type { Random } from '../../../protocol/runtime/random.js';
import type { Range, Store, StoreOp } from '../../../protocol/runtime/store.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { signToken } from '../../../protocol/trust/signed.js';
import { directoryErrors } from '../../../protocol/wire/calls/directory-errors.js';
import {
  type CompareAnswer,
  type InventoryItem,
  inventoryLine,
  RECEIPT_KIND,
} from '../../../protocol/wire/calls/handover.js';
import { handoverErrors } from '../../../protocol/wire/calls/handover-errors.js';
import { ManualClock } from '../../support/manual-clock.js';

export const NODE = 'node';
export const HOUR_MS = 3_600_000;

/** Turns the clock until the promise is settled. */
export async function drive<T>(clock: ManualClock, promise: Promise<T>, stepMs = 250): Promise<T> {
  let settled = false;
  const watched = promise.finally(() => {
    settled = true;
  });
  watched.catch(() => {});
  for (let turn = 0; turn < 20_000 && !settled; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!settled) clock.advance(stepMs);
  }
  if (!settled) throw new Error('it did not end');
  return watched;
}

export async function driveUntil(clock: ManualClock, check: () => boolean, stepMs = 250): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (check()) return;
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(stepMs);
  }
  throw new Error('it did not come to pass');
}

export const evenRandom: Random = { bytes: (length) => new Uint8Array(length).fill(7), float: () => 0.5 };

/** What a disk keeps. Everything that changes the world passes `act`, which may be where the machine dies. */
export class Disk implements Store {
  readonly rows = new Map<string, Uint8Array>();
  private left = Number.POSITIVE_INFINITY;
  isDead = false;

  dieAfter(acts: number): void {
    this.left = acts;
  }

  revive(): void {
    this.isDead = false;
    this.left = Number.POSITIVE_INFINITY;
  }

  act(): void {
    if (this.left <= 0) this.isDead = true;
    this.left -= 1;
    if (this.isDead) throw new Error('the machine is off');
  }

  async get(ns: string, key: string): Promise<Uint8Array | undefined> {
    return this.rows.get(`${ns}\u0000${key}`);
  }

  async *iterate(ns: string, _range?: Range): AsyncIterable<[string, Uint8Array]> {
    const prefix = `${ns}\u0000`;
    for (const [key, value] of [...this.rows].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (key.startsWith(prefix)) yield [key.slice(prefix.length), value];
    }
  }

  async commit(ops: readonly StoreOp[]): Promise<void> {
    if (ops.length === 0) return;
    this.act();
    for (const op of ops) {
      const key = `${op.ns}\u0000${op.key}`;
      if ('delete' in op) this.rows.delete(key);
      else this.rows.set(key, typeof op.value === 'string' ? Buffer.from(op.value) : op.value);
    }
  }

  onFailure(): () => void {
    return () => {};
  }

  async close(): Promise<void> {}
}

export class FakeHolder {
  readonly blobs = new Set<string>();
  /** Accounts whose log it has whole. */
  readonly accounts = new Set<string>();
  serving = true;
  connected = true;
  freeBytes = 1e12;

  constructor(
    readonly peer: string,
    public domain = peer,
    readonly kind: 'node' | 'repository' = 'node',
  ) {}

  get holder(): Holder {
    const { peer, domain, kind, freeBytes, serving, connected } = this;
    return { peer, domain, kind, capacityBytes: 1e12, freeBytes, serving, connected };
  }
}

/** The same rules as coordinator/drains.ts, over the fake holders. */
export class FakeCoordinator implements Handover {
  readonly homes = new Map<string, { home: string; epoch: number }>();
  readonly calls: string[] = [];
  isAway = false;
  announced = false;
  state: 'serving' | 'draining' | 'drained' = 'serving';
  receipts: string[] = [];
  private items: InventoryItem[] = [];
  private nextPage = 0;
  private copies = 2;
  private isComplete = false;
  /** The round that was begun; 0: none. */
  private comparing = 0;

  constructor(
    readonly key: NodeKey,
    readonly holders: FakeHolder[],
    private readonly disk: Disk,
  ) {}

  reachable(): boolean {
    return !this.isAway && !this.disk.isDead;
  }

  /** The node was started anew and registered. */
  registered(): void {
    this.state = 'serving';
  }

  restart(): void {
    this.announced = false;
    this.comparing = 0;
    this.items = [];
    this.isComplete = false;
  }

  /** What the network wants; raised by tests. */
  wanted = 2;

  async terms() {
    if (!this.reachable()) throw drainErrors('away');
    return { copies: this.wanted, domains: new Set(this.serving().map(({ domain }) => domain)).size };
  }

  async announce(acceptCopies: number | undefined) {
    this.take('announce');
    const copies = Math.min(acceptCopies ?? 2, 2);
    const domains = new Set(this.serving().map(({ domain }) => domain)).size;
    if (domains < copies) throw handoverErrors('too-few-domains', { domains, copies });
    this.announced = true;
    this.copies = copies;
    if (this.state !== 'drained') this.state = 'draining';
    return { copies, domains, accounts: this.left() };
  }

  async rehome(account: string): Promise<NewHome> {
    this.take(`rehome ${account}`);
    if (!this.announced) throw handoverErrors('not-draining');
    const known = this.homes.get(account);
    if (known === undefined) throw directoryErrors('not-found');
    const next = this.serving().find(({ kind }) => kind === 'node');
    if (known.home === NODE) {
      if (next === undefined) throw handoverErrors('no-new-home', { account });
      this.homes.set(account, { home: next.peer, epoch: known.epoch + 1 });
    }
    const now = this.homes.get(account) as { home: string; epoch: number };
    return { ...now, name: now.home, url: null, reasons: [] };
  }

  async inventory(page: number, items: readonly InventoryItem[], last: boolean): Promise<number> {
    this.take(`inventory ${page}`);
    if (!this.announced) throw handoverErrors('not-draining');
    if (page === 0) {
      this.items = [];
      this.nextPage = 0;
      this.isComplete = false;
    }
    if (page !== this.nextPage) throw handoverErrors('inventory-order', { reason: `page ${page}` });
    this.items.push(...items);
    this.nextPage += 1;
    this.isComplete = last;
    return this.items.length;
  }

  /** Compared in two steps, so that a drain sees one that is not at its end. */
  async compare(root: string, round: number): Promise<CompareAnswer> {
    this.take('compare');
    const total = { objects: this.items.length, bytes: this.items.reduce((sum, { bytes }) => sum + bytes, 0) };
    const nothing = { objects: 0, bytes: 0 };
    if (this.state === 'drained') return { state: 'safe', checked: total, total, missing: { ...nothing, first: [] } };
    if (!this.announced) throw handoverErrors('not-draining');
    if (!this.isComplete) throw handoverErrors('inventory-order', { reason: 'incomplete' });
    if (inventoryRoot(this.items) !== root) throw handoverErrors('inventory-order', { reason: 'root' });
    if (this.left() > 0) throw handoverErrors('accounts-left', { count: this.left() });
    if (this.comparing !== round) {
      this.comparing = round;
      return { state: 'comparing', checked: nothing, total, missing: { ...nothing, first: [] } };
    }
    const unsafe = this.lacking();
    const bytes = unsafe.reduce((sum, item) => sum + item.bytes, 0);
    const first = unsafe.map(({ kind, id }) => ({ kind, id, reason: 'too few copies were found' }));
    const state = unsafe.length > 0 ? 'unsafe' : 'safe';
    return { state, checked: total, total, missing: { objects: unsafe.length, bytes, first } };
  }

  async receipt(root: string): Promise<string> {
    this.take('receipt');
    if (this.state === 'drained') return this.receipts.at(-1) as string;
    if (!this.announced) throw handoverErrors('not-draining');
    if (this.comparing === 0 || this.lacking().length > 0) throw handoverErrors('not-compared');
    const blobs = this.items.filter(({ kind }) => kind === 'blob');
    const receipt = this.sign(root, this.items.length - blobs.length, blobs.length);
    this.receipts.push(receipt);
    this.state = 'drained';
    this.announced = false;
    return receipt;
  }

  async cancel(): Promise<void> {
    this.take('cancel');
    this.announced = false;
    this.state = 'serving';
  }

  sign(root: string, accounts = 0, blobs = 0, node = NODE): string {
    const counts = {
      boot: 1,
      number: this.receipts.length + 1,
      accounts,
      blobs,
      bytes: blobs,
      copiesAsked: 2,
      copiesLeast: 2,
    };
    return signToken(this.key, RECEIPT_KIND, { ...counts, node, root });
  }

  private lacking(): InventoryItem[] {
    return this.items.filter((item) => this.found(item) < this.copies);
  }

  left(): number {
    return [...this.homes.values()].filter(({ home }) => home === NODE).length;
  }

  found({ kind, id }: Pick<InventoryItem, 'kind' | 'id'>): number {
    const having = this.serving().filter((holder) => (kind === 'blob' ? holder.blobs : holder.accounts).has(id));
    return new Set(having.map(({ domain }) => domain)).size;
  }

  private serving(): FakeHolder[] {
    return this.holders.filter(({ serving }) => serving);
  }

  private take(call: string): void {
    if (this.isAway) throw drainErrors('away');
    this.disk.act();
    this.calls.push(call);
  }
}

export class FakeJobs {
  list: { job: string; isUpload: boolean }[] = [];
  queued = 0;
  uploadsLeft = 0;
  undelivered = 0;
  taking = true;
  readonly abandoned: string[] = [];

  stopTaking(): void {
    this.taking = false;
  }

  resumeTaking(): void {
    this.taking = true;
  }

  running(): { job: string; isUpload: boolean }[] {
    return this.list;
  }

  counts(): { queued: number; running: number } {
    return { queued: this.queued, running: this.list.length };
  }

  async abandon(job: string): Promise<void> {
    this.abandoned.push(job);
    this.list = this.list.filter((one) => one.job !== job);
  }
}

export class FakeUploads {
  closed: string | undefined;
  inProgress = 0;

  close(reason: string): void {
    this.closed = reason;
  }

  reopen(): void {
    this.closed = undefined;
  }
}

/** As the coordinator computes it. */
export function inventoryRoot(items: readonly InventoryItem[]): string {
  const tree = new MerkleTree();
  for (const item of items) tree.add(inventoryLine(item));
  return tree.rootHex();
}

export async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export interface Life {
  drain: Drain;
  leaving: Leaving;
  gate: DrainGate;
  leases: HeldLeases;
  ledger: Ledger;
  replicator: BlobReplicator;
  sealed: Set<string>;
  stop(): Promise<void>;
}

export class World {
  readonly clock = new ManualClock();
  readonly disk = new Disk();
  readonly coordinator: FakeCoordinator;
  readonly jobs = new FakeJobs();
  readonly uploads = new FakeUploads();
  /** Of the node: account → writers' positions, blob → size. */
  readonly accounts = new Map<string, Record<string, number>>();
  readonly blobs = new Map<string, number>();
  readonly damaged = new Map<string, number>();
  /** The receipt file. */
  saved: string | undefined;
  readonly retired: string[] = [];
  /** Holders lie when asked what they have. */
  liar: string | undefined;
  deadlineMs = 24 * HOUR_MS;
  paused = false;
  copies = 2;
  quiet: DrainDeps['quiet'] = () => Promise.resolve();
  readonly holders: Holders;
  private readonly listeners = new Set<() => void>();

  static async create(holders: FakeHolder[]): Promise<World> {
    return new World(await NodeKey.generate(), holders);
  }

  private constructor(key: NodeKey, holders: FakeHolder[]) {
    this.coordinator = new FakeCoordinator(key, holders, this.disk);
    this.holders = {
      list: () => holders.map(({ holder }) => holder),
      onChange: (listener) => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
      },
    };
  }

  holdersChanged(): void {
    for (const listener of [...this.listeners]) listener();
  }

  holder(peer: string): FakeHolder {
    return this.coordinator.holders.find((one) => one.peer === peer) as FakeHolder;
  }

  addAccount(account: string, home = NODE, held = true): void {
    this.coordinator.homes.set(account, { home, epoch: 1 });
    if (held) this.accounts.set(account, { [`${account}/1/aa`]: 3 });
  }

  get blobStore(): Pick<BlobStore, 'list' | 'has' | 'damaged'> {
    const { blobs, damaged } = this;
    return {
      has: (id) => blobs.has(id),
      damaged: () => [...damaged].map(([id, size]) => ({ id, size, reason: 'rotten' })),
      list: async function* () {
        for (const [blob, size] of [...blobs].sort(([a], [b]) => (a < b ? -1 : 1))) yield { blob, size };
      },
    };
  }

  get log(): AccountsDeps['log'] & { vector(account: string): Promise<Vector> } {
    const { accounts } = this;
    return {
      accounts: async function* () {
        yield* [...accounts.keys()].sort();
      },
      vector: async (account) =>
        Object.fromEntries(Object.entries(accounts.get(account) ?? {}).map(([key, seq]) => [key, { seq, hash: '' }])),
    };
  }

  /** The node starts, with what its disk has. */
  async start(change: { noNetwork?: boolean } = {}): Promise<Life> {
    const { clock, disk, coordinator, jobs, uploads, holders, log } = this;
    disk.revive();
    coordinator.registered();
    jobs.taking = true;
    uploads.reopen();
    const leases = new HeldLeases({
      store: disk,
      own: { current: (account) => ({ account, epoch: 0, token: '' }) },
      isOwn: (account) => this.accounts.has(account) && !coordinator.homes.has(account),
    });
    await leases.start();
    for (const [account, { home, epoch }] of coordinator.homes) {
      if (home === NODE && this.accounts.has(account)) await leases.grant(account, epoch, 'lease');
    }
    const ledger = new Ledger({ store: disk, clock });
    await ledger.start();
    const lane: BlobLane = {
      send: async (peer, ids) => {
        disk.act();
        const holder = this.holder(peer);
        if (!holder.connected) throw new Error('gone');
        const refused = ids.filter((id) => (this.blobs.get(id) ?? 0) > holder.freeBytes);
        const confirmed = ids.filter((id) => !refused.includes(id));
        for (const id of confirmed) {
          holder.blobs.add(id);
          holder.freeBytes -= this.blobs.get(id) ?? 0;
        }
        return {
          storeId: 's',
          confirmed,
          refused: refused.map((blob) => ({ blob, code: 'blobs/no-space', reason: 'there is no room' })),
        };
      },
      have: async (peer, ids) => {
        const holder = this.holder(peer);
        if (!holder.connected) throw new Error('gone');
        return { storeId: 's', held: ids.filter((id) => peer === this.liar || holder.blobs.has(id)) };
      },
      fetch: () => Promise.reject(new Error('nothing is fetched')),
    };
    const replicator = new BlobReplicator(
      {
        blobs: this.blobStore as BlobStore,
        ledger,
        lane,
        holders,
        clock,
        random: evenRandom,
        logger: silentLogger,
      },
      { copies: this.copies, domain: NODE, maySendTo: null, pushDeadlineMs: 60_000, paused: this.paused },
    );
    await replicator.start();
    const sealed = new Set<string>();
    const gate = new DrainGate();
    const leaving = createLeaving(
      {
        handover: coordinator,
        gate,
        uploads,
        jobs,
        homes: {
          seal: async (account) => {
            disk.act();
            sealed.add(account);
            this.holder('repo')?.accounts.add(account);
          },
          unseal: (account) => sealed.delete(account),
          leave: async (account, epoch, home) => {
            await leases.lose(account, epoch, home);
            this.holder(home).accounts.add(account);
          },
        },
        log,
        leases,
        assigned: async function* () {
          if (coordinator.isAway) throw drainErrors('away');
          for (const [account, { home }] of coordinator.homes) if (home === NODE) yield account;
        },
        blobs: this.blobStore,
        ledger,
        lane,
        offerAccount: async (peer, account) => {
          disk.act();
          this.holder(peer).accounts.add(account);
        },
        holders,
        copies: replicator,
        clock,
        logger: silentLogger,
      },
      {
        node: NODE,
        coordinator: coordinator.key.peerId,
        boot: 1,
        domain: NODE,
        copies: this.copies,
        deadlineMs: this.deadlineMs,
      },
    );
    const drain = await Drain.open(
      {
        store: disk,
        leaving: () => (change.noNetwork ? undefined : leaving),
        receipts: {
          path: '/data/receipt.txt',
          save: (receipt) => {
            disk.act();
            this.saved = receipt;
          },
          retire: () => {
            if (this.saved !== undefined) this.retired.push(this.saved);
            this.saved = undefined;
          },
        },
        quiet: (signal) => this.quiet(signal),
        clock,
        random: evenRandom,
        logger: silentLogger,
      },
      { deadlineMs: this.deadlineMs },
    );
    await drain.start();
    return {
      drain,
      leaving,
      gate,
      leases,
      ledger,
      replicator,
      sealed,
      stop: async () => {
        await drain.stop();
        await replicator.stop();
      },
    };
  }
}

/** A repository and two nodes; three accounts, two of them at home here, and some data. */
export async function smallWorld(): Promise<World> {
  const world = await World.create([
    new FakeHolder('repo', 'the repository', 'repository'),
    new FakeHolder('b', 'Freiburg'),
    new FakeHolder('c', 'Melbourne'),
  ]);
  world.addAccount('00000000000000a1');
  world.addAccount('00000000000000a2');
  world.addAccount('00000000000000a3', 'b');
  for (const peer of ['repo', 'b']) world.holder(peer).accounts.add('00000000000000a3');
  for (let index = 0; index < 12; index++) world.blobs.set(`blob-${String(index).padStart(2, '0')}`, 1000 + index);
  return world;
}
