/**
 * Every member: what it is doing, whether it can be reached, how loaded it is, when it was last heard.
 *
 * On disk: what must outlive this process (last boot and nonce, state, addresses). Digests and presence are memory: a
 * coordinator that starts knows nothing of them until it hears.
 */
import type { Cancel, Clock } from '../protocol/runtime/clock.js';
import type { Logger } from '../protocol/runtime/logger.js';
import { readJson, type Store, type StoreOp } from '../protocol/runtime/store.js';
import type { MemberList } from '../protocol/trust/members.js';
import type { AdmissionRecord } from './admission.js';
import { coordinatorErrors } from './errors.js';
import type { LatLon } from './location.js';
import { NAMESPACES } from './namespaces.js';
import {
  assertExit,
  EXITS,
  type Hello,
  inState,
  newRecord,
  type Peer,
  type PeerLoad,
  type PeerRecord,
  type PeerRow,
  type PeerState,
  registeredRecord,
  rowOf,
  storedPeer,
  type UrlCheck,
  unchecked,
} from './peer.js';
import { type Heard, type Presence, type PresenceRules, presenceOf } from './presence.js';
import type { RoutingNode } from './routing.js';

interface Entry {
  record: PeerRecord;
  location: LatLon | undefined;
  heard: Heard;
  presence: Presence;
  presenceReason: string;
  lostAtMs: number | undefined;
  load: PeerLoad | undefined;
  url: UrlCheck;
  logPartners: readonly string[];
  /** Announced over `/galaxy/handover/1`: a digest that was under way does not call it off. */
  drainAnnounced: boolean;
  /** Account → when it was sent there. */
  assigned: Map<string, number>;
}

/** A user who was sent to a node and did not come within this is not counted any more. */
const ASSIGNED_MS = 30_000;
const ASSIGNED_MAX = 10_000;
const SWEEP_MS = 250;
/** Two digests should come within this. */
const LATE_HOLD_MS = 2000;

export interface RegistryOptions extends Omit<PresenceRules, 'loopLateMs' | 'startedAtMs'> {
  peersMax: number;
}

export class Registry {
  private readonly peers = new Map<string, Entry>();
  private readonly listeners = new Set<(peer: Peer) => void>();
  private cancelSweep: Cancel | undefined;
  private unsubscribe: (() => void) | undefined;
  private lastSweepMs = 0;
  private lateMs = 0;
  private lateUntilMs = 0;
  startedAtMs = 0;

  constructor(
    private readonly deps: { store: Store; clock: Clock; log: Logger; members: MemberList },
    private readonly options: RegistryOptions,
  ) {}

  async start(): Promise<void> {
    this.startedAtMs = this.deps.clock.now();
    for await (const [peerId, value] of this.deps.store.iterate(NAMESPACES.peers)) {
      this.put(peerId, storedPeer.parse(readJson(value)));
    }
    for (const entry of this.peers.values()) this.judge(entry);
    this.sync([...this.peers.keys(), ...this.deps.members.list().map((credential) => credential.peerId)]);
    this.unsubscribe = this.deps.members.onChange(({ peers }) => this.sync(peers));
    this.lastSweepMs = this.deps.clock.monotonic();
    this.cancelSweep = this.deps.clock.every(SWEEP_MS, () => this.sweep());
  }

  async stop(): Promise<void> {
    this.cancelSweep?.();
    this.unsubscribe?.();
  }

  get(peerId: string): Peer | undefined {
    const entry = this.peers.get(peerId);
    return entry && this.view(entry);
  }

  /** In order of node numbers. */
  list(): Peer[] {
    return [...this.peers.values()]
      .sort((a, b) => a.record.nodeNumber - b.record.nodeNumber)
      .map((entry) => this.view(entry));
  }

  rows(): PeerRow[] {
    return this.list().map(rowOf);
  }

  /** By PeerId, or by a name that only one member has. Errors: `coordinator/no-such-peer`, `coordinator/peer-ambiguous`. */
  find(who: string): Peer {
    const byId = this.get(who);
    if (byId) return byId;
    const named = this.list().filter((peer) => peer.record.name === who && peer.record.state !== 'revoked');
    if (named.length > 1) throw coordinatorErrors('peer-ambiguous', { peer: who });
    const [only] = named;
    if (only === undefined) throw coordinatorErrors('no-such-peer', { peer: who });
    return only;
  }

  /** For the batch that stores a new member's credential. Error: `coordinator/too-many-peers`. */
  memberOps(member: { peerId: string; name: string; nodeNumber: number }): StoreOp[] {
    const before = this.peers.get(member.peerId)?.record;
    if (before === undefined && this.peers.size >= this.options.peersMax) {
      throw coordinatorErrors('too-many-peers', { max: this.options.peersMax });
    }
    return [this.op({ ...(before ?? newRecord(member.peerId, this.deps.clock.now())), ...member })];
  }

  admissionRecord(peerId: string, live: boolean): AdmissionRecord | undefined {
    const revoked = this.deps.members.revocationOf(peerId) !== undefined;
    const credential = this.deps.members.get(peerId)?.credential;
    const entry = this.peers.get(peerId);
    if (entry === undefined || (credential === undefined && !revoked)) return undefined;
    return {
      revoked,
      credentialExpiresAtMs: credential?.expiresAt ?? 0,
      last: entry.record.last,
      live,
      reachable: entry.url.verified,
      reachableReason: entry.url.reason,
    };
  }

  /** An admitted registration; on disk before the peer is welcomed, or its boot number could be used twice. */
  async admitted(peerId: string, hello: Hello, resumed: boolean): Promise<void> {
    const entry = this.required(peerId);
    let before: PeerRecord;
    let record: PeerRecord;
    do {
      before = entry.record;
      record = registeredRecord(before, hello, resumed);
      // The new start and its state in one write: the start alone would be taken for one whose state was decided already.
      await this.deps.store.commit([this.op(record)]);
      // What changed meanwhile, a revocation say, was written after this: once more, on top of it.
    } while (entry.record !== before);
    if (record.publicUrl !== before.publicUrl) entry.url = unchecked(record.publicUrl);
    this.become(entry, record);
    entry.heard = { open: true, lastHeardMs: this.deps.clock.now() };
    if (!resumed) {
      entry.load = undefined;
      entry.drainAnnounced = false;
    }
    this.judge(entry);
    this.emit(entry);
  }

  /** A digest on the open registration stream; an older one than the last is ignored. */
  heard(peerId: string, load: PeerLoad, more: { publicUrl: string | null; logPartners: readonly string[] }): void {
    const entry = this.required(peerId);
    if (entry.load !== undefined && load.sequence <= entry.load.sequence) return;
    entry.heard = { open: true, lastHeardMs: this.deps.clock.now() };
    entry.load = load;
    entry.logPartners = more.logPartners;
    if (more.publicUrl !== entry.record.publicUrl) {
      entry.record = { ...entry.record, publicUrl: more.publicUrl };
      entry.url = unchecked(more.publicUrl);
      this.persist(entry);
    }
    // 'drained' is the coordinator's word, never the leaver's.
    const next = load.state === 'drained' || entry.drainAnnounced ? 'draining' : load.state;
    // Nor does a digest take it back.
    const isDrained = entry.record.state === 'drained';
    if (!isDrained && next !== entry.record.state && EXITS[entry.record.state].includes(next) && next !== 'joining') {
      this.transition(entry, next);
    }
    this.judge(entry);
    this.emit(entry);
  }

  /** The registration stream ended; the caller redials once and reports with `redialed`. */
  closed(peerId: string): void {
    const entry = this.peers.get(peerId);
    if (entry === undefined || !entry.heard.open) return;
    entry.heard = { ...entry.heard, open: false, closedAtMs: this.deps.clock.now(), redialed: undefined };
    this.judge(entry);
    this.emit(entry);
  }

  redialed(peerId: string, answer: 'answered' | 'refused'): void {
    const entry = this.peers.get(peerId);
    if (entry === undefined || entry.heard.open) return;
    entry.heard = { ...entry.heard, redialed: answer };
    this.judge(entry);
    this.emit(entry);
  }

  urlChecked(peerId: string, publicUrl: string | null, check: UrlCheck): void {
    const entry = this.peers.get(peerId);
    if (entry === undefined || entry.record.publicUrl !== publicUrl) return;
    entry.url = check;
    this.emit(entry);
  }

  /** Asked by a door before the digest says so; the same as a digest that says draining. */
  draining(peerId: string): void {
    const entry = this.required(peerId);
    entry.drainAnnounced = true;
    if (entry.record.state !== 'draining') this.transition(entry, 'draining');
    this.emit(entry);
  }

  /** The next digest says what it does instead. */
  drainCancelled(peerId: string): void {
    this.required(peerId).drainAnnounced = false;
  }

  /** The write that makes a peer drained, and what to do once it is on disk: drains.ts puts both with the receipt. */
  drainedOp(peerId: string, receipt: string): { op: StoreOp; done: () => boolean } {
    const entry = this.required(peerId);
    assertExit(entry.record.state, 'drained');
    const leftAt = this.deps.clock.now();
    const record: PeerRecord = { ...entry.record, state: 'drained', receipt, leftAt };
    return {
      op: this.op(record),
      done: () => {
        const { state, last } = entry.record;
        const isSameStart = last?.boot === record.last?.boot && last?.bootNonce === record.last?.bootNonce;
        // It started anew while this was written. What was written last is what is on disk: its present record.
        if (state !== 'draining' || !isSameStart) {
          this.persist(entry);
          return false;
        }
        entry.record = { ...entry.record, state: 'drained', receipt, leftAt };
        this.judge(entry);
        this.deps.log.info({ peer: record.peerId, name: record.name, state: 'drained' }, 'a peer changed its state');
        this.emit(entry);
        return true;
      },
    };
  }

  /** What a drained peer has is not what its receipt speaks of: it is draining again, without a receipt. */
  drainReopened(peerId: string): void {
    const entry = this.required(peerId);
    if (entry.record.state !== 'drained') return;
    entry.drainAnnounced = true;
    this.transition(entry, 'draining');
    this.emit(entry);
  }

  /** A user was sent there and has not come yet. */
  assigned(peerId: string, account: string): void {
    const entry = this.peers.get(peerId);
    if (entry === undefined || entry.assigned.size >= ASSIGNED_MAX) return;
    entry.assigned.set(account, this.deps.clock.monotonic());
  }

  arrived(peerId: string, account: string): void {
    this.peers.get(peerId)?.assigned.delete(account);
  }

  /** For routing.ts. `partnersOf`: mark who follows the logs of this home. */
  routingNodes(partnersOf?: string): RoutingNode[] {
    const partners = partnersOf === undefined ? undefined : this.peers.get(partnersOf)?.logPartners;
    return this.list().map((peer) => ({
      peerId: peer.record.peerId,
      name: peer.record.name,
      state: peer.record.state,
      routable: peer.routable,
      ...(peer.location ? { location: peer.location } : {}),
      slots: peer.load?.slots ?? 1,
      queued: peer.load?.queued ?? 0,
      running: peer.load?.running ?? 0,
      assigned: peer.assigned,
      ...(partners ? { hasLog: partners.includes(peer.record.peerId) } : {}),
    }));
  }

  /** By how much this process's own timers are late, now. */
  get loopLateMs(): number {
    const since = this.deps.clock.monotonic() - this.lastSweepMs - SWEEP_MS;
    return Math.max(this.lateMs, since, 0);
  }

  onChange(listener: (peer: Peer) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private sweep(): void {
    const now = this.deps.clock.monotonic();
    const lateMs = Math.max(0, now - this.lastSweepMs - SWEEP_MS);
    this.lastSweepMs = now;
    // Remembered for a while: what piled up while the loop was late must be handled before anybody is accused.
    if (lateMs >= this.lateMs || now > this.lateUntilMs) {
      this.lateMs = lateMs;
      this.lateUntilMs = now + LATE_HOLD_MS;
    }
    for (const entry of this.peers.values()) {
      const before = entry.presence;
      this.judge(entry);
      for (const [account, at] of entry.assigned) if (now - at > ASSIGNED_MS) entry.assigned.delete(account);
      if (entry.presence !== before) this.emit(entry);
    }
  }

  private judge(entry: Entry): void {
    const { startedAtMs } = this;
    const { state, receipt } = entry.record;
    const left = state === 'drained' && receipt !== undefined ? { receipt } : {};
    const verdict = presenceOf({ ...entry.heard, ...left }, this.deps.clock.now(), {
      ...this.options,
      startedAtMs,
      loopLateMs: this.loopLateMs,
    });
    if (verdict.presence !== entry.presence) {
      const { peerId, name } = entry.record;
      this.deps.log.info(
        { peer: peerId, name, presence: verdict.presence, reason: verdict.reason },
        'the presence of a peer changed',
      );
    }
    entry.presence = verdict.presence;
    entry.presenceReason = verdict.reason;
    entry.lostAtMs = verdict.lostAtMs;
  }

  /** Brings the peers in line with the member list. */
  private sync(peerIds: readonly string[]): void {
    for (const peerId of peerIds) {
      const credential = this.deps.members.get(peerId)?.credential;
      const revoked = this.deps.members.revocationOf(peerId) !== undefined;
      const before = this.peers.get(peerId);
      if (credential === undefined && !revoked) continue;
      const entry = before ?? this.put(peerId, newRecord(peerId, this.deps.clock.now()));
      if (credential) {
        const { name, nodeNumber, location } = credential;
        entry.record = { ...entry.record, name, nodeNumber };
        entry.location = location ?? undefined;
      }
      if (revoked && entry.record.state !== 'revoked') this.transition(entry, 'revoked');
      this.judge(entry);
      this.emit(entry);
    }
  }

  private put(peerId: string, record: PeerRecord): Entry {
    const credential = this.deps.members.get(peerId)?.credential;
    const entry: Entry = {
      record,
      location: credential?.location ?? undefined,
      heard: { open: false },
      presence: 'away',
      presenceReason: 'it has not registered since the coordinator started',
      lostAtMs: this.startedAtMs,
      load: undefined,
      url: unchecked(record.publicUrl),
      logPartners: [],
      drainAnnounced: false,
      assigned: new Map(),
    };
    this.peers.set(peerId, entry);
    return entry;
  }

  private transition(entry: Entry, to: PeerState): void {
    if (entry.record.state === to) return;
    this.become(entry, inState(entry.record, to));
    this.persist(entry);
  }

  private become(entry: Entry, record: PeerRecord): void {
    const from = entry.record.state;
    const { peerId, name, state } = record;
    entry.record = record;
    if (state !== from) this.deps.log.info({ peer: peerId, name, from, state }, 'a peer changed its state');
  }

  /**
   * For what comes again after a crash: a digest says state and URL, the member list a revocation, the next question after
   * a receipt that a drain is open again. A start and the end of a drain do not; they are written before they count.
   */
  private persist(entry: Entry): void {
    this.deps.store.commit([this.op(entry.record)]).catch((error: unknown) => {
      this.deps.log.warn({ peer: entry.record.peerId, err: error }, "a peer's record was not saved");
    });
  }

  private op(record: PeerRecord): StoreOp {
    return { ns: NAMESPACES.peers, key: record.peerId, value: JSON.stringify(record) };
  }

  private required(peerId: string): Entry {
    const entry = this.peers.get(peerId);
    if (entry === undefined) throw coordinatorErrors('no-such-peer', { peer: peerId });
    return entry;
  }

  private view(entry: Entry): Peer {
    const { record, location, presence, presenceReason, lostAtMs, load, url, logPartners } = entry;
    return {
      record,
      location,
      presence,
      presenceReason,
      lostAtMs,
      lastHeardMs: entry.heard.lastHeardMs,
      load,
      url,
      routable: presence === 'alive' && load !== undefined && record.state !== 'revoked',
      logPartners,
      assigned: entry.assigned.size,
    };
  }

  private emit(entry: Entry): void {
    const peer = this.view(entry);
    for (const listener of this.listeners) listener(peer);
  }
}
