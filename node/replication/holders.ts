/**
 * What replication needs of the network, owned by core: who could hold something now, and how to hand it over. The
 * doors in node/peers implement these; a stand-alone node has nobody.
 */
import type { BlobId } from '../../protocol/blobs/blob.js';
import type { SegmentRun } from '../../protocol/log/account-log.js';

export interface Holder {
  peer: string;
  /** The institution: copies in one domain count once. The repository is a domain of its own. */
  domain: string;
  kind: 'repository' | 'node';
  /** What the operator offers, bytes: the weight in placement. */
  capacityBytes: number;
  freeBytes: number;
  /** Whether it counts as a holder now: serving, and not on its way out. */
  serving: boolean;
  connected: boolean;
}

export interface Holders {
  /** Everybody but this node, in no order. */
  list(): Holder[];
  onChange(listener: () => void): () => void;
}

/** The domain of a peer while it counts as a holder; undefined for one that does not serve or is not known. */
export function servingDomains(holders: Holders): (peer: string) => string | undefined {
  const byPeer = new Map(holders.list().map((holder) => [holder.peer, holder]));
  return (peer) => {
    const holder = byPeer.get(peer);
    return holder?.serving ? holder.domain : undefined;
  };
}

export interface LogPush {
  writer: string;
  /** Journal positions covered: `after` < position ≤ `through`. */
  after: number;
  through: number;
  runs: SegmentRun[];
}

export interface LogLane {
  /** Resolves after the holder's fsync with the highest contiguous journal position it has of that writer. */
  push(peer: string, push: LogPush, signal: AbortSignal): Promise<{ position: number; storeId: string }>;
  position(peer: string, writer: string, signal: AbortSignal): Promise<{ position: number; storeId: string }>;
}

export interface SegmentLane {
  /** Gives a holder everything of the account that it lacks; resolves after its fsync. */
  offerAccount(peer: string, account: string, signal: AbortSignal): Promise<{ storeId: string; entries: number }>;
}

export interface BlobPushResult {
  storeId: string;
  confirmed: BlobId[];
  refused: { blob: BlobId; code: string; reason: string }[];
}

export interface BlobLane {
  /** Resolves after the holder's fsync. */
  send(peer: string, blobs: readonly BlobId[], signal: AbortSignal): Promise<BlobPushResult>;
  /** Which of them the holder has, complete. */
  have(peer: string, blobs: readonly BlobId[], signal: AbortSignal): Promise<{ storeId: string; held: BlobId[] }>;
  /** Brings a blob into the own store from whoever has it. Errors: `blobs/unavailable`. */
  fetch(blob: BlobId, signal: AbortSignal): Promise<void>;
}
