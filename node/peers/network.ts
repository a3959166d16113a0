/**
 * A node's life in its network: host, member list, registration, the protocols it serves to others, and the lanes that
 * replication uses. Built when the node has joined; a stand-alone node has none of it.
 */
import type { BlobAccess } from '../../protocol/blobs/access.js';
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { serveBlobs } from '../../protocol/blobs/serve.js';
import type { AccountLog } from '../../protocol/log/account-log.js';
import { serveLog } from '../../protocol/log/exchange.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { FolderInfo } from '../../protocol/runtime/data-folder.js';
import type { DomainError } from '../../protocol/runtime/errors.js';
import type { ByteStream, Gate, Host } from '../../protocol/runtime/host.js';
import { createLibp2pHost } from '../../protocol/runtime/libp2p-host.js';
import { Background, Lifecycle, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { packageVersion } from '../../protocol/runtime/package.js';
import { type Random, randomHex } from '../../protocol/runtime/random.js';
import type { Store } from '../../protocol/runtime/store.js';
import { cutOffUnadmitted, memberGate } from '../../protocol/trust/gater.js';
import type { NodeKey } from '../../protocol/trust/identity.js';
import { checkLeaseFor } from '../../protocol/trust/lease.js';
import { MemberList } from '../../protocol/trust/members.js';
import type { Reachability } from '../../protocol/wire/calls/join.js';
import { MEMBERS_PAGE_CHARS, membersCall } from '../../protocol/wire/calls/members.js';
import { type Command, HEADS_PER_DIGEST_MAX } from '../../protocol/wire/calls/register.js';
import { ADDRESSES_MAX } from '../../protocol/wire/calls/shapes.js';
import { LIMITS, PROTOCOLS } from '../../protocol/wire/limits.js';
import { answer, call, serveCalls } from '../../protocol/wire/rpc.js';
import type { HeldLeases } from '../accounts/held-leases.js';
import type { DrainGate } from '../drain/gate.js';
import { NODE_NAMESPACE } from '../namespaces.js';
import type { NetworkRecord } from '../network-record.js';
import { Heartbeats } from './heartbeats.js';
import { askStanding } from './join.js';
import { NetworkLanes } from './lanes.js';
import { OriginCheck } from './origin-check.js';
import { PeerBook } from './peer-book.js';
import { type DigestFields, Registration, type Welcome } from './registration.js';
import { RemoteDirectory } from './remote-directory.js';
import { WrittenHeads } from './written-heads.js';

/** What a node says of itself from second to second. */
export interface NodeLoad extends Omit<DigestFields, 'logPartners' | 'heads'> {
  /** Age of the oldest data that is not safe, ms. */
  atRiskAgeMs: number;
}

export interface NetworkDeps {
  key: NodeKey;
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  accountLog: AccountLog;
  blobs: BlobStore;
  leases: HeldLeases;
  /** Which node made an account, as far as its leases here say. */
  originOf: (account: string) => string | undefined;
  /** What a drain refuses. */
  gate: Pick<DrainGate, 'refusal'>;
  info: FolderInfo;
  /** Where the list of peers is kept. */
  peersFile: string;
  record: NetworkRecord;
  /** What changes from second to second. */
  digest: () => NodeLoad;
  logPartners: () => string[];
  /** Whether a blob has a provider record of its own in the DHT. */
  isLarge: (blob: string) => boolean;
  /** HTTP that came through the coordinator. */
  acceptTunnel: (stream: ByteStream) => Promise<void>;
  /** Registered (again): reconcile what may have changed meanwhile. */
  onRegistered: (welcome: Welcome) => Promise<void>;
  /** The coordinator was tried, and gave no welcome. */
  onAway: () => void;
  onCommand: (command: Command) => Promise<void>;
  onClone: (refusal: DomainError) => void;
  /** A record that changed (renewed credential, moved addresses) is kept. */
  saveRecord: (record: NetworkRecord) => Promise<void>;
}

export interface NetworkOptions {
  listen: readonly string[];
  announce: readonly string[];
  publicUrl: string | null;
  heartbeatMs: number;
  capacityBytes: number;
  mayHoldFrom: readonly string[] | null;
}

/** A full list has some fifteen. */
const MEMBER_PAGES_MAX = 100;

export class Network implements Part {
  readonly members: MemberList;
  readonly peers: PeerBook;
  readonly registration: Registration;
  readonly directory: RemoteDirectory;
  readonly lanes: NetworkLanes;
  readonly heartbeats: Heartbeats;
  private readonly origins: OriginCheck;
  private readonly lifecycle: Lifecycle;
  private readonly heads: WrittenHeads;
  private readonly background: Background;
  private record: NetworkRecord;
  private reached: Reachability | undefined;
  private readonly reachedListeners: ((reachable: Reachability) => void)[] = [];

  static async create(deps: NetworkDeps, options: NetworkOptions): Promise<Network> {
    const { key, store, clock, log, record } = deps;
    const members = new MemberList(
      { store, log },
      { network: record.network, coordinator: record.coordinator, namespace: NODE_NAMESPACE.members },
    );
    const admitting = memberGate({ members, clock });
    const host = await createLibp2pHost(
      { key, gate: admitting, log, clock },
      { listen: options.listen, announce: options.announce, gossip: true, dht: true },
    );
    return new Network(deps, options, members, admitting, host);
  }

  private constructor(
    private readonly deps: NetworkDeps,
    private readonly options: NetworkOptions,
    members: MemberList,
    private readonly admitting: Gate,
    readonly host: Host,
  ) {
    const { clock, random, log, record, info } = deps;
    this.members = members;
    this.record = record;
    this.lifecycle = new Lifecycle({ log });
    this.background = new Background({ log });
    this.heads = new WrittenHeads({ accountLog: deps.accountLog, onWritten: () => this.registration.news() });
    this.peers = new PeerBook({ host, members, file: deps.peersFile, clock, random, log });
    this.lanes = new NetworkLanes({
      host,
      accountLog: deps.accountLog,
      blobs: deps.blobs,
      likelyHolders: () =>
        this.peers
          .list()
          .filter((holder) => holder.connected)
          // Peers first: the repository is everybody's.
          .sort((a, b) => Number(a.kind === 'repository') - Number(b.kind === 'repository'))
          .slice(0, 16)
          .map(({ peer }) => ({ peer })),
      isLarge: deps.isLarge,
      // As if this node brought it itself: its own entries of before it claimed an account count, nobody else's.
      mayStore: (segment) => this.origins.whyNot(deps.key.peerId, segment),
      clock,
      log,
    });
    this.directory = new RemoteDirectory({
      host,
      coordinator: record.coordinator,
      onLease: async (account, epoch, token) => {
        const lease = checkLeaseFor(token, { account, node: deps.key.peerId, coordinator: record.coordinator });
        if (lease.epoch === epoch) await deps.leases.grant(account, epoch, token);
      },
    });
    this.origins = new OriginCheck({ known: deps.originOf, directory: this.directory });
    this.heartbeats = new Heartbeats(
      {
        host,
        members,
        clock,
        log,
        digest: () => {
          const { state, slots, queued, running, freeBytes, atRiskBytes, atRiskAgeMs, publicUrl } = deps.digest();
          return {
            boot: info.boot,
            state,
            publicUrl,
            location: this.record.location,
            slots,
            queued,
            running,
            freeBytes,
            replicationLag: { bytes: atRiskBytes, ageMs: atRiskAgeMs },
            version: packageVersion(),
            hearsCoordinator: this.registration.registered,
          };
        },
      },
      { network: record.network },
    );
    const bootNonce = randomHex(random, 16);
    this.registration = new Registration(
      {
        host,
        members,
        clock,
        random,
        log,
        coordinator: record.coordinator,
        addresses: () => this.record.addresses,
        hello: () => ({
          boot: info.boot,
          bootNonce,
          storeId: info.storeId,
          version: packageVersion(),
          publicUrl: options.publicUrl,
          addresses: host.addresses().slice(0, ADDRESSES_MAX),
          capacityBytes: options.capacityBytes,
          credential: this.record.credential,
        }),
        digest: () => ({
          ...withoutAge(deps.digest()),
          logPartners: deps.logPartners().slice(0, 8),
          heads: this.heads.take(HEADS_PER_DIGEST_MAX),
        }),
        onWelcome: (welcome) => this.welcomed(welcome),
        onAway: deps.onAway,
        onPeers: (statuses) => this.peers.update(statuses),
        onReachable: (reachable) => {
          this.reached = reachable;
          for (const tell of this.reachedListeners.splice(0)) tell(reachable);
        },
        onClone: deps.onClone,
        askStanding: (signal) => askStanding({ key: deps.key, members, clock, log }, this.record, signal),
        onCommand: deps.onCommand,
      },
      { heartbeatMs: options.heartbeatMs },
    );
  }

  async start(): Promise<void> {
    this.lifecycle.add('heads', this.heads);
    this.lifecycle.add('members', this.members);
    this.lifecycle.add('protocols', { start: () => this.serve() });
    this.lifecycle.add('comparing members', this.background);
    this.lifecycle.add('host', this.host);
    this.lifecycle.add('gate', this.cutOff());
    this.lifecycle.add('peer book', this.peers);
    this.lifecycle.add('lanes', this.lanes);
    this.lifecycle.add('heartbeats', this.heartbeats);
    this.lifecycle.add('registration', this.registration);
    await this.lifecycle.start();
  }

  stop(): Promise<void> {
    return this.lifecycle.stop();
  }

  /** Whether browsers reach the public URL, by the coordinator's own trial; undefined until it has tried. */
  get reachable(): Reachability | undefined {
    return this.reached;
  }

  /** Resolves with the trial's result; undefined without a public URL, and when the signal aborts first. */
  whenReachable(signal: AbortSignal): Promise<Reachability | undefined> {
    if (this.reached !== undefined || this.options.publicUrl === null || signal.aborted)
      return Promise.resolve(this.reached);
    return new Promise((resolve) => {
      this.reachedListeners.push(resolve);
      signal.addEventListener('abort', () => resolve(this.reached), { once: true });
    });
  }

  get networkUrl(): string {
    return this.record.networkUrl;
  }

  private async serve(): Promise<void> {
    const { host, members } = this;
    const { clock, log, store, info } = this.deps;
    await serveCalls({ host, clock, log }, 'members', [
      answer(membersCall, async ({ version, after }) => {
        const ours = members.version();
        if (ours.digest === version.digest) return { version: ours, tokens: [] };
        const { tokens, next } = members.page(after, MEMBERS_PAGE_CHARS);
        return { version: ours, tokens, ...(next === undefined ? {} : { next }) };
      }),
    ]);
    await serveLog({
      host,
      log: this.deps.accountLog,
      store,
      clock,
      logger: log,
      storeId: info.storeId,
      policy: {
        mayRead: (peer) => this.mayRead(peer),
        mayPush: (peer) => this.mayPush(peer),
        mayStore: (peer, segment) => this.origins.whyNot(peer, segment),
      },
    });
    await serveBlobs({ host, blobs: this.deps.blobs, access: this.access(), clock, log }, { storeId: info.storeId });
    await host.handle(PROTOCOLS.http, LIMITS.http, async (stream) => {
      // Only the coordinator speaks for users.
      if (stream.remotePeer !== this.record.coordinator) {
        stream.abort(new Error('only the coordinator may open this'));
        return;
      }
      await this.deps.acceptTunnel(stream);
    });
    host.onPeer(({ peer, connected }) => {
      if (!connected || peer === this.record.coordinator) return;
      this.background.run('compare member lists', () => this.compareMembers(peer));
    });
  }

  /** A revocation ends connections that are open, too. */
  private cutOff(): Part {
    const { host, members, admitting } = this;
    let release: (() => void) | undefined;
    return {
      start: async () => {
        release = cutOffUnadmitted({ host, gate: admitting, members, clock: this.deps.clock, log: this.deps.log });
      },
      stop: async () => release?.(),
    };
  }

  /** Two members that meet bring their lists in line; each item carries its own proof. */
  private async compareMembers(peer: string): Promise<void> {
    try {
      // Of the list as it was: what is merged on the way must not make the next page look needless.
      const version = this.members.version();
      let after: string | undefined;
      for (let pages = 0; pages < MEMBER_PAGES_MAX; pages++) {
        const page = await call(this.host, peer, membersCall, {
          version,
          ...(after === undefined ? {} : { after }),
        });
        await this.members.merge(page.tokens);
        // Pages go on in order; one that does not is no list.
        if (page.next === undefined || (after !== undefined && page.next <= after)) return;
        after = page.next;
      }
    } catch (error) {
      this.deps.log.debug({ peer, err: error }, 'the member list could not be compared');
    }
  }

  private async welcomed(welcome: Welcome): Promise<void> {
    const next: NetworkRecord = {
      ...this.record,
      networkUrl: welcome.networkUrl,
      ...(welcome.credential === undefined ? {} : { credential: welcome.credential }),
    };
    if (welcome.credential !== undefined) await this.members.merge([welcome.credential]);
    if (JSON.stringify(next) !== JSON.stringify(this.record)) {
      this.record = next;
      await this.deps.saveRecord(next);
    }
    if (welcome.members.digest !== this.members.version().digest) await this.compareMembers(this.record.coordinator);
    await this.deps.onRegistered(welcome);
  }

  /**
   * The home, its holders and the repository read; that is: members that are in good standing. Which of them holds what
   * is not a secret among trusted institutions; what a holder can read is said in docs/TRUST.md.
   */
  private mayRead(peer: string): string | undefined {
    return this.members.admits(peer, this.deps.clock.now()) ? undefined : 'you are not a member of this network';
  }

  private mayPush(peer: string): string | undefined {
    const leaving = this.deps.gate.refusal('entries');
    if (leaving !== undefined) return leaving;
    if (peer === this.record.coordinator) return undefined;
    return this.mayHold(this.peers.nameOf(peer));
  }

  private mayHold(institution: string): string | undefined {
    const allowed = this.options.mayHoldFrom;
    if (allowed === null || allowed.includes(institution)) return undefined;
    return `this node holds nothing of ${institution} (replication.mayHoldFrom)`;
  }

  private access(): BlobAccess {
    return {
      mayServe: (peer) =>
        this.members.admits(peer, this.deps.clock.now())
          ? { allowed: true }
          : { allowed: false, reason: 'you are not a member of this network' },
      mayHold: (peer) => {
        const reason = this.deps.gate.refusal('replicas') ?? this.mayPush(peer);
        return reason === undefined ? { allowed: true } : { allowed: false, reason };
      },
    };
  }
}

/** The coordinator's digest has bytes only. */
function withoutAge({ atRiskAgeMs: _, ...load }: NodeLoad): Omit<NodeLoad, 'atRiskAgeMs'> {
  return load;
}
