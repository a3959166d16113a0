/** A coordinator and peers on loopback, in one process, for tests of its doors. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { type Coordinator, createCoordinator } from '../../../coordinator/coordinator.js';
import { COORDINATOR_OPTIONS, type CoordinatorOptions } from '../../../coordinator/options.js';
import { type Clock, systemClock } from '../../../protocol/runtime/clock.js';
import { loadConfig } from '../../../protocol/runtime/config.js';
import { DataFolder } from '../../../protocol/runtime/data-folder.js';
import type { Host } from '../../../protocol/runtime/host.js';
import { createLibp2pHost } from '../../../protocol/runtime/libp2p-host.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { randomHex, systemRandom } from '../../../protocol/runtime/random.js';
import type { Store, StoreOp } from '../../../protocol/runtime/store.js';
import { openGate } from '../../../protocol/trust/gater.js';
import { createNodeKey, loadNodeKey, NodeKey } from '../../../protocol/trust/identity.js';
import { parseInvitation } from '../../../protocol/trust/invitation.js';
import { joinCall } from '../../../protocol/wire/calls/join.js';
import { type HelloMessage, registerChannel } from '../../../protocol/wire/calls/register.js';
import { type MessageChannel, openChannel } from '../../../protocol/wire/channel.js';
import { call } from '../../../protocol/wire/rpc.js';

const LOOPBACK = ['/ip4/127.0.0.1/tcp/0'];

export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'galaxy-coordinator-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export function testOptions(folder: string, change: Partial<CoordinatorOptions> = {}): CoordinatorOptions {
  const defaults = loadConfig(COORDINATOR_OPTIONS, { environment: {}, environmentPrefix: 'NOTHING_', flags: {} });
  return {
    ...defaults,
    dataFolder: folder,
    networkName: 'testnet',
    listen: '127.0.0.1:0',
    'lobby.listen': LOOPBACK,
    'network.listen': LOOPBACK,
    'repository.minFreeBytes': 0,
    'liveness.startGraceMs': 10,
    ...change,
  };
}

export interface TestCoordinator extends Coordinator {
  readonly options: CoordinatorOptions;
  readonly key: NodeKey;
}

/** Makes the folder's identity at the first use of a path, and uses it again after that. */
export async function startCoordinator(
  folder: string,
  change: Partial<CoordinatorOptions> = {},
): Promise<TestCoordinator> {
  const options = testOptions(folder, change);
  const keyFile = join(folder, 'key');
  let key: NodeKey;
  let data: DataFolder;
  if (DataFolder.exists(folder)) {
    key = await loadNodeKey(keyFile);
    data = DataFolder.open(folder, 'coordinator');
  } else {
    await mkdir(folder, { recursive: true });
    key = await createNodeKey(keyFile);
    const storeId = randomHex(systemRandom, 16);
    data = DataFolder.create(folder, {
      kind: 'coordinator',
      peerId: key.peerId,
      storeId,
      createdAt: '2025-01-01T00:00:00Z',
    });
  }
  const coordinator = await createCoordinator(options, { folder: data, key, log: silentLogger });
  await coordinator.start();
  return Object.assign(coordinator, { options, key });
}

export interface TestPeer {
  key: NodeKey;
  host: Host;
  joined: z.output<typeof joinCall.response>;
}

/** Joins through the lobby, as `galaxy-node join` does, and stays connected to the coordinator's main host. */
export async function joinPeer(
  coordinator: Coordinator,
  invitation: { name: string; at?: string; line?: string; key?: NodeKey },
  publicUrl: string | null = null,
): Promise<TestPeer> {
  const line = invitation.line ?? (await coordinator.invite(invitation)).line;
  const key = invitation.key ?? (await NodeKey.generate());
  const joined = await presentInvitation(key, line, publicUrl);
  const host = await createLibp2pHost(
    { key, gate: openGate, log: silentLogger, clock: systemClock },
    { listen: LOOPBACK, announce: [], gossip: false, dht: false },
  );
  await host.start();
  await host.connect(joined.coordinator, joined.addresses, AbortSignal.timeout(5000));
  return { key, host, joined };
}

export async function presentInvitation(
  key: NodeKey,
  line: string,
  publicUrl: string | null = null,
): Promise<z.output<typeof joinCall.response>> {
  const { coordinator, lobby, secret, network } = parseInvitation(line);
  const stranger = await createLibp2pHost(
    { key, gate: openGate, log: silentLogger, clock: systemClock },
    { listen: [], announce: [], gossip: false, dht: false },
  );
  await stranger.start();
  try {
    await stranger.connect(coordinator, lobby, AbortSignal.timeout(5000));
    return await call(stranger, coordinator, joinCall, { network, secret, version: '0.1.0', addresses: [], publicUrl });
  } finally {
    await stranger.stop();
  }
}

export type NodeChannel = MessageChannel<typeof registerChannel.up, typeof registerChannel.down>;

export function helloOf(peer: TestPeer, change: Partial<HelloMessage> = {}): HelloMessage {
  return {
    kind: 'hello',
    boot: 1,
    bootNonce: 'ab'.repeat(8),
    storeId: 'cd'.repeat(16),
    time: systemClock.now(),
    version: '0.1.0',
    publicUrl: null,
    addresses: peer.host.addresses(),
    capacityBytes: 1e9,
    credential: peer.joined.credential,
    members: { digest: '0'.repeat(64), members: 0, revocation: 0 },
    ...change,
  };
}

export async function openRegistration(
  peer: TestPeer,
  change: Partial<HelloMessage> = {},
): Promise<{ channel: NodeChannel; first: Awaited<ReturnType<NodeChannel['receive']>> }> {
  const channel = await openChannel(peer.host, peer.joined.coordinator, registerChannel);
  await channel.send(helloOf(peer, change));
  return { channel, first: await channel.receive(AbortSignal.timeout(10_000)) };
}

export interface DigestOptions {
  state?: 'joining' | 'serving' | 'draining' | 'drained';
  queued?: number;
  publicUrl?: string | null;
  logPartners?: string[];
}

export function sendDigest(channel: NodeChannel, sequence: number, options: DigestOptions = {}): Promise<void> {
  return channel.send({
    kind: 'digest',
    state: options.state ?? 'serving',
    slots: 2,
    queued: options.queued ?? 0,
    running: 0,
    freeBytes: 1e9,
    atRiskBytes: 0,
    sequence,
    publicUrl: options.publicUrl ?? null,
    logPartners: options.logPartners ?? [],
    heads: [],
  });
}

/** Registers, serves, and keeps saying so until `stop`. */
export async function serveAsNode(peer: TestPeer, change: Partial<HelloMessage> = {}) {
  const { channel, first } = await openRegistration(peer, change);
  if (first?.kind !== 'welcome') throw new Error(`expected a welcome, got ${JSON.stringify(first)}`);
  let sequence = 0;
  const beat = (options: DigestOptions = {}) =>
    sendDigest(channel, ++sequence, { publicUrl: change.publicUrl ?? null, ...options });
  await beat();
  const cancel = systemClock.every(500, () => {
    if (!channel.closed) beat().catch(() => {});
  });
  const received: unknown[] = [];
  const reading = (async () => {
    for await (const message of channel.messages()) received.push(message);
  })().catch(() => {});
  return {
    channel,
    welcome: first,
    beat,
    received,
    async stop() {
      cancel();
      channel.abort(new Error('the test ends'));
      await reading;
    },
  };
}

/** Resolves when `check` gives something; asks again soon, and gives up after 10 s. */
export async function eventually<T>(check: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  const until = performance.now() + 10_000;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > until) throw new Error('it did not come to pass within 10 s');
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve) => systemClock.after(10, resolve));
  }
}

/** A store in memory, atomic as the real one; `restart` gives what a new process would find. */
export class MemoryStore implements Store {
  readonly data: Map<string, Uint8Array>;
  failNext = false;
  /** The next write fails, and is there all the same: as of the write after it, when the store was opened again. */
  failLate = false;
  private late: readonly StoreOp[] = [];

  constructor(data = new Map<string, Uint8Array>()) {
    this.data = data;
  }

  restart(): MemoryStore {
    return new MemoryStore(new Map(this.data));
  }

  async get(ns: string, key: string): Promise<Uint8Array | undefined> {
    await Promise.resolve();
    return this.data.get(`${ns}\u0000${key}`);
  }

  async *iterate(
    ns: string,
    range: { gt?: string; gte?: string; lt?: string; lte?: string; reverse?: boolean; limit?: number } = {},
  ): AsyncIterable<[string, Uint8Array]> {
    const prefix = `${ns}\u0000`;
    const keys = [...this.data.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    const wanted = keys
      .filter(
        (key) =>
          (range.gt === undefined || key > range.gt) &&
          (range.gte === undefined || key >= range.gte) &&
          (range.lt === undefined || key < range.lt) &&
          (range.lte === undefined || key <= range.lte),
      )
      .sort();
    if (range.reverse) wanted.reverse();
    for (const key of wanted.slice(0, range.limit)) yield [key, this.data.get(prefix + key) as Uint8Array];
  }

  async commit(ops: readonly StoreOp[]): Promise<void> {
    await Promise.resolve();
    if (this.failNext) {
      this.failNext = false;
      throw new Error('the disk is full');
    }
    if (this.failLate) {
      this.failLate = false;
      this.late = ops;
      throw new Error('the disk is full');
    }
    const late = this.late;
    this.late = [];
    for (const op of [...late, ...ops]) {
      const key = `${op.ns}\u0000${op.key}`;
      if ('delete' in op) this.data.delete(key);
      else this.data.set(key, typeof op.value === 'string' ? Buffer.from(op.value) : op.value);
    }
  }

  onFailure(): () => void {
    return () => {};
  }

  async close(): Promise<void> {}
}

/** Time in the test's hands. */
export class ManualClock implements Clock {
  private timers: { at: number; everyMs?: number; run: () => void; cancelled: boolean }[] = [];

  constructor(public ms = 1_700_000_000_000) {}

  now(): number {
    return this.ms;
  }

  monotonic(): number {
    return this.ms;
  }

  after(delayMs: number, run: () => void): () => void {
    return this.add({ at: this.ms + delayMs, run, cancelled: false });
  }

  every(intervalMs: number, run: () => void): () => void {
    return this.add({ at: this.ms + intervalMs, everyMs: intervalMs, run, cancelled: false });
  }

  advance(ms: number): void {
    const end = this.ms + ms;
    for (;;) {
      const next = this.timers.filter((timer) => !timer.cancelled && timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.ms = Math.max(this.ms, next.at);
      if (next.everyMs === undefined) next.cancelled = true;
      // As setInterval: what was missed is not made up for.
      else next.at = this.ms + next.everyMs;
      next.run();
    }
    this.ms = end;
    this.timers = this.timers.filter((timer) => !timer.cancelled);
  }

  /** Time that passes without a timer firing: a loop that was blocked. */
  jump(ms: number): void {
    this.ms += ms;
  }

  private add(timer: (typeof this.timers)[number]): () => void {
    this.timers.push(timer);
    return () => {
      timer.cancelled = true;
    };
  }
}
