/**
 * Nodes and a repository in one process, on real stores, logs, blob stores and libp2p hosts; only the coordinator's word is
 * spoken by the test. A node can be killed and started again on its folder.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HeldLeases } from '../../../node/accounts/held-leases.js';
import { Homes } from '../../../node/accounts/homes.js';
import { NetworkLanes } from '../../../node/peers/lanes.js';
import { BlobReplicator } from '../../../node/replication/blob-replicator.js';
import type { Holder, Holders } from '../../../node/replication/holders.js';
import { Ledger } from '../../../node/replication/ledger.js';
import { LogReplicator } from '../../../node/replication/log-replicator.js';
import { Replication } from '../../../node/replication/replication.js';
import { hidOf } from '../../../protocol/account/records.js';
import type { BlobStore } from '../../../protocol/blobs/blob.js';
import { openBlobStore } from '../../../protocol/blobs/blob-store.js';
import { serveBlobs } from '../../../protocol/blobs/serve.js';
import type { AccountLog } from '../../../protocol/log/account-log.js';
import { serveLog } from '../../../protocol/log/exchange.js';
import { createSegmentTrust } from '../../../protocol/log/segment-trust.js';
import { openAccountLog } from '../../../protocol/log/store-account-log.js';
import { systemClock as clock } from '../../../protocol/runtime/clock.js';
import type { Host } from '../../../protocol/runtime/host.js';
import { createLibp2pHost } from '../../../protocol/runtime/libp2p-host.js';
import { silentLogger as logger } from '../../../protocol/runtime/logger.js';
import { systemRandom as random, randomHex } from '../../../protocol/runtime/random.js';
import { openStore } from '../../../protocol/runtime/store.js';
import { openGate } from '../../../protocol/trust/gater.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { issueLease } from '../../../protocol/trust/lease.js';

export const ACCOUNT = '00000000000000a1';
export const HISTORY = '00000000000000b1';
const WAIT_MS = 30_000;

/** Looks again at every change of any node, for at most half a minute. */
export async function until(world: World, what: string, test: () => boolean | Promise<boolean>): Promise<void> {
  const limit = AbortSignal.timeout(WAIT_MS);
  while (!(await test())) {
    if (limit.aborted) throw new Error(`it did not come to pass that ${what}`);
    await world.change();
  }
}

export class World {
  readonly nodes: TestNode[] = [];
  private folder = '';
  private waiting: (() => void)[] = [];
  coordinator!: NodeKey;
  repository!: TestNode;

  static async create(): Promise<World> {
    const world = new World();
    world.folder = await mkdtemp(join(tmpdir(), 'homes-'));
    world.coordinator = await NodeKey.generate();
    world.repository = await world.node('the repository', world.coordinator);
    return world;
  }

  async node(name: string, key?: NodeKey): Promise<TestNode> {
    const node = new TestNode(
      this,
      name,
      key ?? (await NodeKey.generate()),
      join(this.folder, name),
      randomHex(random, 16),
    );
    this.nodes.push(node);
    await node.start();
    return node;
  }

  lease(account: string, epoch: number, node: TestNode): { epoch: number; token: string } {
    return { epoch, token: issueLease(this.coordinator, { account, epoch, node: node.key.peerId }, clock.now()) };
  }

  /** Everybody who runs meets everybody else. */
  async meet(...nodes: TestNode[]): Promise<void> {
    const running = (nodes.length > 0 ? nodes : this.nodes).filter((node) => node.isRunning);
    for (const a of running) {
      for (const b of running) {
        if (a !== b && !a.host.isConnected(b.key.peerId)) {
          await a.host.connect(b.key.peerId, b.host.addresses(), AbortSignal.timeout(WAIT_MS));
        }
      }
    }
    this.changed();
  }

  changed(): void {
    for (const wake of this.waiting.splice(0)) wake();
    for (const node of this.nodes) node.holdersChanged();
  }

  /** The next change of anything; a poll stands in for changes that nobody tells of. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        resolve();
      };
      const cancel = clock.after(100, done);
      this.waiting.push(done);
    });
  }

  async end(): Promise<void> {
    for (const node of this.nodes) await node.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export class TestNode implements Holders {
  host!: Host;
  log!: AccountLog;
  blobs!: BlobStore;
  leases!: HeldLeases;
  ledger!: Ledger;
  homes!: Homes;
  logReplicator!: LogReplicator;
  blobReplicator!: BlobReplicator;
  lanes!: NetworkLanes;
  isRunning = false;
  /** What followers of accounts were told. */
  readonly told: string[] = [];
  /** Set: followers fail. */
  followerFails = false;
  private stops: (() => Promise<unknown> | undefined)[] = [];
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly world: World,
    readonly name: string,
    readonly key: NodeKey,
    readonly folder: string,
    readonly storeId: string,
  ) {}

  get isRepository(): boolean {
    return this.key === this.world.coordinator;
  }

  async start(): Promise<void> {
    const { key, world } = this;
    const store = await openStore(join(this.folder, 'store'));
    this.leases = new HeldLeases({ store, own: { current: () => undefined }, isOwn: () => false });
    await this.leases.start();
    const trust = createSegmentTrust({ signer: key, coordinator: () => world.coordinator.peerId });
    const log = await openAccountLog({ store, clock, random, log: logger, leases: this.leases, trust }, { folder: '' });
    this.log = log;
    const blobs = await openBlobStore(
      { store, clock, log: logger, random },
      { folder: join(this.folder, 'blobs'), minFreeBytes: 0, capacityBytes: 2 ** 30 },
    );
    this.blobs = blobs;
    const host = await createLibp2pHost(
      { key, gate: openGate, log: logger, clock },
      { listen: ['/ip4/127.0.0.1/tcp/0'], announce: [], gossip: false, dht: false },
    );
    this.host = host;
    const { storeId } = this;
    const policy = { mayRead: () => undefined, mayPush: () => undefined };
    await serveLog({ host, log, store, clock, logger, storeId, policy });
    const access = { mayServe: () => ({ allowed: true }) as const, mayHold: () => ({ allowed: true }) as const };
    await serveBlobs({ host, blobs, access, clock, log: logger }, { storeId });
    this.lanes = new NetworkLanes({
      mayStore: async () => undefined,
      host,
      accountLog: log,
      blobs,
      likelyHolders: () => this.list().flatMap(({ peer, connected }) => (connected ? [{ peer }] : [])),
      isLarge: () => false,
      clock,
      log: logger,
    });
    this.ledger = new Ledger({ store, clock });
    const { ledger, lanes, leases } = this;
    const replication = new Replication(
      { log, ledger, holders: this, blobs, clock, logger, paused: () => false, foreignAtRisk: () => 0 },
      { copies: 2 },
    );
    const placement = { domain: this.name, maySendTo: null };
    const deps = { ledger, holders: this, clock, random, logger };
    this.logReplicator = new LogReplicator(
      { ...deps, log, leases, lane: lanes },
      { ...placement, peerId: key.peerId, partners: 2, paused: false },
    );
    this.blobReplicator = new BlobReplicator(
      { ...deps, blobs, lane: lanes },
      { ...placement, copies: 2, pushDeadlineMs: WAIT_MS, paused: false },
    );
    this.homes = new Homes({
      self: key.peerId,
      isOwnClaim: () => false,
      log,
      leases,
      courier: lanes,
      holders: this,
      followers: [
        {
          adopted: async (account, view, from) => {
            if (this.followerFails) throw new Error('a follower fails');
            this.told.push(from === undefined ? `adopted ${account}` : `adopted ${account} from another`);
            this.blobReplicator.survey(await replication.adopt(view));
          },
          released: async (account) => {
            this.told.push(`released ${account}`);
          },
        },
      ],
      flushLog: (signal) => this.logReplicator.flushed(signal),
      clock,
      logger,
    });
    host.onPeer(() => world.changed());
    log.onApplied(() => world.changed());
    await this.ledger.start();
    ledger.onChange(() => world.changed());
    await host.start();
    this.stops = [() => store.close(), () => log.stop?.(), () => blobs.stop?.(), () => host.stop(), () => lanes.stop()];
    if (!this.isRepository) {
      await replication.start();
      await this.homes.start();
      // The coordinator's word is the test's.
      this.homes.endCheck();
      await this.logReplicator.start();
      await this.blobReplicator.start();
      this.stops.push(
        () => replication.stop(),
        () => this.homes.stop(),
        () => this.logReplicator.stop(),
        () => this.blobReplicator.stop(),
      );
    }
    this.isRunning = true;
  }

  /** As far as one process can die alone: nothing is said to anybody, and only what was fsynced is there again. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    this.isRunning = false;
    for (const stop of this.stops.reverse()) await stop();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  list(): Holder[] {
    return this.world.nodes
      .filter((node) => node !== this)
      .map((node) => ({
        peer: node.key.peerId,
        domain: node.name,
        kind: node.isRepository ? 'repository' : 'node',
        capacityBytes: 2 ** 40,
        freeBytes: 2 ** 30,
        serving: true,
        connected: this.host.isConnected(node.key.peerId),
      }));
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  holdersChanged(): void {
    for (const listener of [...this.listeners]) listener();
  }

  /** A dataset as an upload makes it: bytes first, then the entry. */
  async addDataset(id: string, text: string): Promise<{ blob: string; hid: number }> {
    const { blob, size } = await this.blobs.put(
      (async function* () {
        yield Buffer.from(text);
      })(),
    );
    const words = { peek: '', blurb: '', info: '', metadata: {} };
    const files = [{ role: 'primary' as const, path: 'data', blob, size }];
    const content = { state: 'ok' as const, extension: 'txt', files, size, ...words };
    let hid = 0;
    await this.log.append(ACCOUNT, (view) => {
      hid = view.nextHid(HISTORY);
      const payload = {
        id,
        history: HISTORY,
        hid,
        uuid: id,
        createdAt: clock.now(),
        name: text,
        extension: 'txt',
        content,
      };
      return [{ type: 'dataset.created', payload }];
    });
    return { blob, hid };
  }

  async createAccount(epoch: number): Promise<void> {
    const { epoch: granted, token } = this.world.lease(ACCOUNT, epoch, this);
    await this.leases.grant(ACCOUNT, granted, token);
    await this.log.append(ACCOUNT, () => [
      { type: 'history.created', payload: { id: HISTORY, name: 'a history', createdAt: 1 } },
    ]);
  }

  async hids(): Promise<Record<string, number>> {
    const view = await this.log.view(ACCOUNT);
    return Object.fromEntries(view.items(HISTORY).datasets.map((item) => [item.name, hidOf(item)]));
  }

  /** Seq by segment. */
  async seqs(): Promise<Record<string, number>> {
    return Object.fromEntries(Object.entries(await this.log.vector(ACCOUNT)).map(([name, { seq }]) => [name, seq]));
  }

  safeBlobs(): number {
    const names = new Map(this.list().map(({ peer, domain }) => [peer, domain]));
    return this.ledger.count(2, (peer) => names.get(peer)).safe.blobs;
  }
}
