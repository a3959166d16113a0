/**
 * What the node says of itself, put together for its page, its API and its command line: this node, its network and
 * peers, copies (safe, at risk), one's own datasets with their holders, a drain under way. Only reads; nothing is counted
 * here. In words a user can do something with: bytes and ages, not queues.
 */
import type { AccountView, DatasetRecord } from '../protocol/account/records.js';
import { contentOf, hidOf } from '../protocol/account/records.js';
import type { Clock } from '../protocol/runtime/clock.js';
import type { PeerStatus } from '../protocol/wire/calls/register.js';
import type { DrainStatus } from './drain/report.js';
import type { Holder } from './replication/holders.js';
import type { DatasetDurability, ReplicationStatus } from './replication/replication.js';

export interface NodeStatusDeps {
  clock: Clock;
  identity: { name: string; peerId: string };
  version: string;
  /** Where browsers reach this node. */
  url: () => string;
  jobs: { counts(): { queued: number; running: number; slots: number } };
  blobs: { usage(): { blobs: number; bytes: number; freeBytes: number } };
  replication: {
    status(): ReplicationStatus;
    durability(view: AccountView, dataset: DatasetRecord): DatasetDurability;
  };
  /** Undefined on a node that is alone. */
  network: () => NetworkFacts | undefined;
  /** Undefined: this node cannot drain (yet). */
  drain?: () => DrainStatus | undefined;
}

/** What the network's door knows; plain values, so that nothing of it is held on to. */
export interface NetworkFacts {
  name: string;
  /** The network's address for users. */
  url: string;
  /** The coordinator hears this node, and is heard. */
  registered: boolean;
  /** When the coordinator was last heard, ms since 1970; 0: never since the start. */
  heardAt: number;
  /** Why the coordinator refuses this node, while it does. */
  problem: string | undefined;
  /** Whether browsers reach this node's own address, by the coordinator's trial. */
  reachable: { ok: boolean; reason: string } | undefined;
  holders: readonly Holder[];
  statuses: readonly PeerStatus[];
  /** Changes of an account at home here that only another node has, as far as it is known. */
  waitingFor?: (account: string) => readonly WaitingElsewhere[];
}

export interface WaitingElsewhere {
  /** Who has them. */
  name: string;
  changes: number;
  /** For people: "2 datasets and 1 history". */
  what: string;
}

export interface PeerReport {
  name: string;
  kind: 'node' | 'repository';
  state: PeerStatus['state'] | 'unknown';
  connected: boolean;
  /** For administrators. */
  details?: {
    peerId: string;
    publicUrl: string | null;
    capacityBytes: number;
    freeBytes: number;
    slots: number;
    queued: number;
    running: number;
  };
}

export interface NodeReport {
  node: {
    name: string;
    peerId: string;
    version: string;
    url: string;
    uptimeSeconds: number;
    state: DrainStatus['state'];
  };
  network: {
    name: string;
    url: string;
    registered: boolean;
    /** Ms since the coordinator was heard; null: not since the start. */
    heardAgoMs: number | null;
    problem: string | null;
    reachable: { ok: boolean; reason: string } | null;
  } | null;
  peers: PeerReport[];
  jobs: { queued: number; running: number; slots: number };
  copies: {
    /** Confirmed holders besides this node that make data safe. */
    wanted: number;
    paused: boolean;
    accepted: { objects: number; bytes: number };
    safe: { objects: number; bytes: number };
    atRisk: { objects: number; bytes: number; oldestAgeMs: number };
    /** Changes (names, jobs, tags) that fewer than `wanted` others have. */
    logEntriesAtRisk: number;
  };
  disk: { objects: number; bytes: number; freeBytes: number };
  drain: Omit<DrainStatus, 'receipt'> | null;
  waitingElsewhere: WaitingElsewhere[];
}

export interface DatasetCopies {
  id: string;
  hid: number;
  name: string;
  extension: string;
  bytes: number;
  state: DatasetDurability['state'];
  /** Names of other holders of every file, and when they confirmed it, ms since 1970. */
  holders: { name: string; confirmedAt: number }[];
  /** How many are wanted. */
  copies: number;
}

const PEERS_MAX = 1000;
export const DATASETS_MAX = 50;

export class NodeStatus {
  private readonly startedAt: number;

  constructor(private readonly deps: NodeStatusDeps) {
    this.startedAt = deps.clock.monotonic();
  }

  report({ admin, account }: { admin: boolean; account?: string | undefined }): NodeReport {
    const { clock, identity, version, url, jobs, blobs, replication } = this.deps;
    const network = this.deps.network();
    const drain = this.deps.drain?.();
    const copies = replication.status();
    const disk = blobs.usage();
    return {
      node: {
        name: identity.name,
        peerId: identity.peerId,
        version,
        url: url(),
        uptimeSeconds: Math.floor((clock.monotonic() - this.startedAt) / 1000),
        state: drain?.state ?? 'serving',
      },
      network:
        network === undefined
          ? null
          : {
              name: network.name,
              url: network.url,
              registered: network.registered,
              heardAgoMs: network.heardAt === 0 ? null : Math.max(0, clock.now() - network.heardAt),
              problem: network.problem ?? null,
              reachable: network.reachable ?? null,
            },
      peers: network === undefined ? [] : peerReports(network, admin),
      jobs: jobs.counts(),
      copies: {
        wanted: copies.copies,
        paused: copies.paused,
        accepted: {
          objects: copies.safe.blobs + copies.atRisk.blobs,
          bytes: copies.safe.bytes + copies.atRisk.bytes,
        },
        safe: { objects: copies.safe.blobs, bytes: copies.safe.bytes },
        atRisk: {
          objects: copies.atRisk.blobs,
          bytes: copies.atRisk.bytes,
          oldestAgeMs: copies.atRisk.oldestAgeMs,
        },
        logEntriesAtRisk: copies.logAtRisk,
      },
      disk: { objects: disk.blobs, bytes: disk.bytes, freeBytes: disk.freeBytes },
      drain: drain === undefined || drain.state === 'serving' ? null : withoutReceipt(drain),
      waitingElsewhere: account === undefined ? [] : [...(network?.waitingFor?.(account) ?? [])],
    };
  }

  /** Undefined when the account has no such dataset. */
  dataset(view: AccountView, id: string): DatasetCopies | undefined {
    const dataset = view.get('dataset', id);
    return dataset === undefined ? undefined : this.copiesOf(view, dataset);
  }

  /** The latest of a history, or of the current one: newest first, at most 50. */
  datasets(
    view: AccountView,
    history?: string,
  ): { history: string | null; name: string | null; items: DatasetCopies[] } {
    const id = history ?? view.get('account', view.account)?.currentHistory ?? undefined;
    const record = id === undefined ? undefined : view.get('history', id);
    if (id === undefined || record === undefined) return { history: null, name: null, items: [] };
    const items = view
      .items(id)
      .datasets.filter((dataset) => !dataset.deleted && !dataset.purged)
      .sort((a, b) => hidOf(b) - hidOf(a))
      .slice(0, DATASETS_MAX)
      .map((dataset) => this.copiesOf(view, dataset));
    return { history: id, name: record.name, items };
  }

  private copiesOf(view: AccountView, dataset: DatasetRecord): DatasetCopies {
    const { state, holders, copies } = this.deps.replication.durability(view, dataset);
    const content = contentOf(view, dataset);
    const files = content?.files ?? [];
    return {
      id: dataset.id,
      hid: hidOf(dataset),
      name: dataset.name,
      extension: content?.extension ?? dataset.extension,
      bytes: files.reduce((sum, { size }) => sum + size, 0),
      state,
      holders: holders.map(({ name, confirmedAt }) => ({ name, confirmedAt: confirmedAt })),
      copies,
    };
  }
}

/** Members with the coordinator's word on them; the repository first, then by name. Pure. */
export function peerReports(
  { holders, statuses }: Pick<NetworkFacts, 'holders' | 'statuses'>,
  admin: boolean,
): PeerReport[] {
  const byId = new Map(statuses.map((status) => [status.peerId, status]));
  return [...holders]
    .sort((a, b) => Number(b.kind === 'repository') - Number(a.kind === 'repository') || (a.domain < b.domain ? -1 : 1))
    .slice(0, PEERS_MAX)
    .map(({ peer, domain, kind, connected, capacityBytes, freeBytes }) => {
      const status = byId.get(peer);
      const details = {
        peerId: peer,
        publicUrl: status?.publicUrl ?? null,
        capacityBytes,
        freeBytes,
        slots: status?.slots ?? 0,
        queued: status?.queued ?? 0,
        running: status?.running ?? 0,
      };
      return {
        name: domain,
        kind,
        state: kind === 'repository' ? ('serving' as const) : (status?.state ?? ('unknown' as const)),
        connected,
        ...(admin && kind === 'node' ? { details } : {}),
      };
    });
}

/** The receipt is the operator's. */
function withoutReceipt({ receipt: _, ...status }: DrainStatus): Omit<DrainStatus, 'receipt'> {
  return status;
}
