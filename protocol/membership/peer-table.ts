/**
 * What this process last heard of each peer, and what it concludes from that. Bounded: at the bound the peer that was
 * heard least recently makes room. Used by nodes (gossip) and the coordinator (streams and gossip) alike.
 */
import type { Logger } from '../runtime/logger.js';
import { PEERS_MAX } from '../wire/limits.js';
import { type Digest, isNewer } from './heartbeat.js';
import {
  type Judgement,
  judge,
  type Liveness,
  type LivenessParameters,
  newObserver,
  type ObserverHealth,
  observerTick,
  peerParameters,
} from './liveness.js';

export interface PeerRecord {
  digest: Digest;
  /** This process's monotonic clock. */
  heardAt: number;
  liveness: Liveness;
  reason: string;
}

export interface PeerView extends PeerRecord {
  peer: string;
  silentMs: number;
}

export interface PeerChange {
  peer: string;
  /** Undefined: heard for the first time, or again after it was forgotten. */
  from: Liveness | undefined;
  /** Undefined: forgotten. */
  to: Liveness | undefined;
  reason: string;
  digest: Digest;
}

export interface PeerTableOptions {
  /** How often `tick` is called, ms. */
  tickMs: number;
  peersMax?: number;
  /** How long silence may last, by the number of peers known; the peers' own detector by default. */
  parameters?: (members: number) => LivenessParameters;
}

export type Hearing = 'new' | 'newer' | 'restarted' | 'stale';

export class PeerTable {
  private readonly peers = new Map<string, PeerRecord>();
  private readonly listeners = new Set<(change: PeerChange) => void>();
  private observer: ObserverHealth;
  private readonly max: number;

  constructor(
    private readonly deps: { log: Logger },
    private readonly options: PeerTableOptions,
    nowMs: number,
  ) {
    this.observer = newObserver(nowMs);
    this.max = options.peersMax ?? PEERS_MAX;
  }

  /** Takes a digest that was checked. Anything not newer by the sender's own count changes nothing. */
  hear(digest: Digest, nowMs: number): Hearing {
    const peer = digest.peerId;
    const before = this.peers.get(peer);
    if (before !== undefined && !isNewer(digest, before.digest)) return 'stale';
    // Out and in again: the map stays in the order of hearing.
    this.peers.delete(peer);
    this.peers.set(peer, { digest, heardAt: nowMs, liveness: 'alive', reason: 'heard' });
    if (before === undefined) this.makeRoom();
    if (before?.liveness !== 'alive') this.tell({ peer, from: before?.liveness, to: 'alive', reason: 'heard', digest });
    if (before === undefined) return 'new';
    return digest.boot > before.digest.boot ? 'restarted' : 'newer';
  }

  /** Looks at everyone's silence; call it from a timer of `tickMs`. */
  tick(nowMs: number): void {
    this.observer = observerTick(this.observer, nowMs, this.options.tickMs);
    for (const [peer, record] of this.peers) {
      const judgement = this.judge(record, nowMs);
      const from = record.liveness;
      record.liveness = judgement.liveness;
      record.reason = judgement.reason;
      if (from !== judgement.liveness) {
        this.tell({ peer, from, to: judgement.liveness, reason: judgement.reason, digest: record.digest });
      }
    }
  }

  get(peer: string): PeerRecord | undefined {
    return this.peers.get(peer);
  }

  /** The last thing heard, for the gossip validator. */
  last(peer: string): Pick<Digest, 'boot' | 'sequence'> | undefined {
    return this.peers.get(peer)?.digest;
  }

  isAlive(peer: string): boolean {
    return this.peers.get(peer)?.liveness === 'alive';
  }

  /** Peers that are alive and take work. */
  serving(): Digest[] {
    return [...this.peers.values()]
      .filter((record) => record.liveness === 'alive' && record.digest.state === 'serving')
      .map((record) => record.digest);
  }

  /** Revoked, or known to have left for good. */
  forget(peer: string, reason: string): void {
    const record = this.peers.get(peer);
    if (record === undefined) return;
    this.peers.delete(peer);
    this.tell({ peer, from: record.liveness, to: undefined, reason, digest: record.digest });
  }

  get size(): number {
    return this.peers.size;
  }

  get health(): ObserverHealth {
    return this.observer;
  }

  counts(): { known: number; silent: number } {
    let silent = 0;
    for (const record of this.peers.values()) {
      if (record.liveness !== 'alive' && record.digest.state !== 'drained') silent++;
    }
    return { known: this.peers.size, silent };
  }

  /** For display, in order of PeerId. */
  snapshot(nowMs: number): PeerView[] {
    return [...this.peers]
      .map(([peer, record]) => ({ peer, ...record, silentMs: Math.max(0, nowMs - record.heardAt) }))
      .sort((a, b) => (a.peer < b.peer ? -1 : 1));
  }

  onChange(listener: (change: PeerChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private judge(record: PeerRecord, nowMs: number): Judgement {
    const parameters = (this.options.parameters ?? peerParameters)(this.peers.size + 1);
    const judgement = judge(record.heardAt, nowMs, parameters, this.observer);
    if (record.digest.state !== 'drained' || judgement.liveness === 'alive') return judgement;
    return { ...judgement, liveness: 'left', reason: 'it was drained and has left' };
  }

  private makeRoom(): void {
    if (this.peers.size <= this.max) return;
    const oldest = this.peers.keys().next().value;
    if (oldest !== undefined) this.forget(oldest, 'the table is full');
  }

  private tell(change: PeerChange): void {
    const { peer, from, to, reason } = change;
    this.deps.log.info({ peer, from, to, reason }, 'peer liveness changed');
    for (const listener of this.listeners) listener(change);
  }
}
