/**
 * The other members as this node knows them: names from signed credentials, state and addresses from the coordinator's
 * stream, and while it is away from what was last heard, which is kept on disk. Keeps a connection to every member that
 * can be reached, because replication, the DHT and gossip all ride on it.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../protocol/runtime/clock.js';
import { deadline } from '../../protocol/runtime/clock.js';
import { writeDurably } from '../../protocol/runtime/data-folder.js';
import { describeError } from '../../protocol/runtime/errors.js';
import type { Host } from '../../protocol/runtime/host.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Random } from '../../protocol/runtime/random.js';
import { REPOSITORY_DOMAIN } from '../../protocol/trust/credential.js';
import type { MemberList } from '../../protocol/trust/members.js';
import { type PeerStatus, peerStatus } from '../../protocol/wire/calls/register.js';
import { PEERS_MAX } from '../../protocol/wire/limits.js';
import type { Holder, Holders } from '../replication/holders.js';
import { backoffMs, Wakeup } from '../replication/wakeup.js';

/** A status is some 500 bytes. */
const FILE_BYTES_MAX = 16 * 2 ** 20;
const peerFile = z.object({ peers: z.array(peerStatus).max(PEERS_MAX) });
const DIAL_MS = 8000;
const DIALS_AT_ONCE = 8;

interface Known {
  status: PeerStatus;
  failures: number;
  nextDialAt: number;
  dialling: boolean;
}

export interface PeerBookDeps {
  host: Pick<Host, 'connect' | 'isConnected' | 'onPeer' | 'peerId'>;
  members: MemberList;
  /** `peers.json` in the data folder: a hint for finding the others again, which an operator may read and delete. */
  file: string;
  clock: Clock;
  random: Random;
  log: Logger;
}

export class PeerBook implements Holders, Part {
  private readonly known = new Map<string, Known>();
  private readonly listeners = new Set<() => void>();
  private readonly background: Background;
  private readonly wakeup: Wakeup;
  private readonly releases: (() => void)[] = [];
  /** What the file says, without loads: those change each second, and are worth no write. */
  private saved = '';
  private isStale = false;
  /** The repository's free space is not told; it refuses when it is full. */
  private repository: string | undefined;

  constructor(private readonly deps: PeerBookDeps) {
    this.background = new Background({ log: deps.log });
    this.wakeup = new Wakeup(deps.clock);
  }

  async start(): Promise<void> {
    this.repository = this.deps.members.coordinator;
    for (const status of this.readFile()) {
      if (status.peerId !== this.deps.host.peerId) this.known.set(status.peerId, this.fresh(status));
    }
    this.saved = this.worthSaving();
    this.releases.push(
      this.deps.host.onPeer(({ peer, connected }) => {
        const known = this.known.get(peer);
        if (known && connected) known.failures = 0;
        if (known && !connected) known.nextDialAt = this.deps.clock.monotonic() + 250;
        this.emit();
        this.wakeup.wake();
      }),
      this.deps.members.onChange(() => {
        this.emit();
        this.wakeup.wake();
      }),
    );
    this.background.run('keep connected', (signal) => this.keepConnected(signal));
  }

  async stop(): Promise<void> {
    for (const release of this.releases.splice(0)) release();
    await this.background.stop();
    // The loads as of now; not a file that somebody has deleted meanwhile.
    if (this.isStale && existsSync(this.deps.file)) this.write();
  }

  /** What the coordinator says of others. */
  update(statuses: readonly PeerStatus[]): void {
    let isChanged = false;
    for (const status of statuses) {
      if (status.peerId === this.deps.host.peerId) continue;
      const known = this.known.get(status.peerId);
      if (known === undefined) {
        if (this.known.size >= PEERS_MAX) continue;
        this.known.set(status.peerId, this.fresh(status));
      } else {
        const moved =
          known.status.addresses.join() !== status.addresses.join() || (!known.status.routable && status.routable);
        known.status = status;
        if (moved) known.nextDialAt = 0;
      }
      isChanged = true;
    }
    if (!isChanged) return;
    this.save();
    this.emit();
    this.wakeup.wake();
  }

  status(peer: string): PeerStatus | undefined {
    return this.known.get(peer)?.status;
  }

  statuses(): PeerStatus[] {
    return [...this.known.values()].map(({ status }) => status);
  }

  nameOf(peer: string): string {
    if (peer === this.repository) return REPOSITORY_DOMAIN;
    return this.deps.members.get(peer)?.credential.name ?? peer;
  }

  list(): Holder[] {
    const now = this.deps.clock.now();
    const holders: Holder[] = [];
    for (const { peerId, name } of this.deps.members.list()) {
      if (peerId === this.deps.host.peerId || !this.deps.members.admits(peerId, now)) continue;
      const status = this.known.get(peerId)?.status;
      holders.push({
        peer: peerId,
        domain: name,
        kind: 'node',
        capacityBytes: status?.capacityBytes ?? 0,
        freeBytes: status?.freeBytes ?? 0,
        serving: status?.state === 'serving',
        connected: this.deps.host.isConnected(peerId),
      });
    }
    if (this.repository !== undefined) {
      holders.push({
        peer: this.repository,
        domain: REPOSITORY_DOMAIN,
        kind: 'repository',
        capacityBytes: Number.MAX_SAFE_INTEGER,
        freeBytes: Number.MAX_SAFE_INTEGER,
        serving: true,
        connected: this.deps.host.isConnected(this.repository),
      });
    }
    return holders;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Without it nothing is lost: the coordinator tells it again, and others dial this node. */
  private readFile(): PeerStatus[] {
    const { file, log } = this.deps;
    try {
      if (statSync(file).size > FILE_BYTES_MAX) throw new Error('it is too large');
      return peerFile.parse(JSON.parse(readFileSync(file, 'utf8'))).peers;
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isMissing)
        log.warn({ file, reason: describeError(error) }, 'the list of peers cannot be read; starting without it');
      return [];
    }
  }

  private save(): void {
    const now = this.worthSaving();
    this.isStale = now === this.saved;
    if (this.isStale) return;
    this.saved = now;
    this.write();
  }

  /** Whole and durably, and seldom: who is there, in what state and where. */
  private write(): void {
    const { file, log } = this.deps;
    try {
      writeDurably(dirname(file), basename(file), `${JSON.stringify({ peers: this.statuses() }, null, 1)}\n`);
    } catch (error) {
      log.warn({ file, reason: describeError(error) }, 'the list of peers could not be saved');
    }
  }

  private worthSaving(): string {
    return JSON.stringify(
      this.statuses().map(({ peerId, state, addresses, publicUrl, capacityBytes }) => [
        peerId,
        state,
        addresses,
        publicUrl,
        capacityBytes,
      ]),
    );
  }

  private fresh(status: PeerStatus): Known {
    return { status, failures: 0, nextDialAt: 0, dialling: false };
  }

  private async keepConnected(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = this.deps.clock.monotonic();
      const wall = this.deps.clock.now();
      let next = Number.POSITIVE_INFINITY;
      let dialling = [...this.known.values()].filter((known) => known.dialling).length;
      for (const [peer, known] of this.known) {
        const { state, addresses } = known.status;
        const worthwhile = state !== 'revoked' && addresses.length > 0 && this.deps.members.admits(peer, wall);
        if (!worthwhile || known.dialling || this.deps.host.isConnected(peer)) continue;
        if (known.nextDialAt > now) next = Math.min(next, known.nextDialAt - now);
        else if (dialling < DIALS_AT_ONCE) {
          dialling += 1;
          this.dial(peer, known);
        }
      }
      await this.wakeup.wait(signal, Number.isFinite(next) ? Math.max(10, next) : undefined);
    }
  }

  private dial(peer: string, known: Known): void {
    known.dialling = true;
    this.background.run(`dial ${peer}`, async (signal) => {
      try {
        await this.deps.host.connect(peer, known.status.addresses, deadline(DIAL_MS, signal));
        known.failures = 0;
      } catch (error) {
        // Firewalls and machines that are off are everyday matters: shown as "not connected", tried again.
        this.deps.log.debug({ peer, reason: describeError(error) }, 'a peer could not be reached');
        known.failures += 1;
        known.nextDialAt = this.deps.clock.monotonic() + backoffMs(known.failures + 1, this.deps.random.float());
      } finally {
        known.dialling = false;
        this.wakeup.wake();
      }
    });
  }

  private emit(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
