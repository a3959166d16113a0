/**
 * A member as the coordinator knows it: its states, what is stored of it, what is shown of it. Values only; registry.ts
 * holds and changes them.
 *
 * States and their exits (`presence.ts` is beside them, not among them: a draining node may be silent too):
 *
 *   joined    a credential was given, it has never registered        → joining, revoked
 *   joining   registered; takes nobody yet                           → serving, draining, revoked
 *   serving   takes users                                            → joining (a new start), draining, revoked
 *   draining  takes nobody, hands over; holder for nobody            → serving (called off), joining, drained, revoked
 *   drained   has its receipt (written by drains.ts)                 → draining (another inventory than the receipt's),
 *                                                                      joining (a new start), revoked
 *   revoked   final                                                  → nothing
 */
import { z } from 'zod';
import type { LatLon } from './location.js';
import type { Presence } from './presence.js';

export const PEER_STATES = ['joined', 'joining', 'serving', 'draining', 'drained', 'revoked'] as const;
export type PeerState = (typeof PEER_STATES)[number];

export const EXITS: Record<PeerState, readonly PeerState[]> = {
  joined: ['joining', 'revoked'],
  joining: ['serving', 'draining', 'revoked'],
  serving: ['joining', 'draining', 'revoked'],
  draining: ['serving', 'joining', 'drained', 'revoked'],
  drained: ['draining', 'joining', 'revoked'],
  revoked: [],
};

/** What a digest says that the coordinator uses. */
export interface PeerLoad {
  state: 'joining' | 'serving' | 'draining' | 'drained';
  slots: number;
  queued: number;
  running: number;
  freeBytes: number;
  /** Bytes accepted there that are not safe yet. */
  atRiskBytes: number;
  sequence: number;
}

export interface Hello {
  boot: number;
  bootNonce: string;
  storeId: string;
  version: string;
  publicUrl: string | null;
  addresses: readonly string[];
  capacityBytes: number;
}

export const storedPeer = z.object({
  peerId: z.string(),
  name: z.string(),
  nodeNumber: z.number().int(),
  joinedAt: z.number(),
  state: z.enum(PEER_STATES),
  last: z.object({ boot: z.number(), bootNonce: z.string(), storeId: z.string() }).optional(),
  publicUrl: z.string().nullable(),
  addresses: z.array(z.string()),
  version: z.string(),
  capacityBytes: z.number(),
  receipt: z.string().optional(),
  /** When it got that. */
  leftAt: z.number().optional(),
});
export type PeerRecord = z.output<typeof storedPeer>;

export interface UrlCheck {
  verified: boolean;
  reason: string;
  atMs: number;
}

export interface Peer {
  readonly record: PeerRecord;
  readonly location: LatLon | undefined;
  readonly presence: Presence;
  readonly presenceReason: string;
  readonly lostAtMs: number | undefined;
  readonly lastHeardMs: number | undefined;
  readonly load: PeerLoad | undefined;
  readonly url: UrlCheck;
  /** Whether new requests go to it. */
  readonly routable: boolean;
  readonly logPartners: readonly string[];
  readonly assigned: number;
}

/** One line of the operators' list. */
export interface PeerRow {
  peerId: string;
  name: string;
  nodeNumber: number;
  state: PeerState;
  presence: Presence;
  reason: string;
  location: LatLon | null;
  publicUrl: string | null;
  urlVerified: boolean;
  urlReason: string;
  lastHeardMs: number | null;
  /** Of a drained node: the number of its receipt, and when it got it. */
  receipt: string | null;
  leftAtMs: number | null;
  slots: number;
  queued: number;
  running: number;
  freeBytes: number;
  atRiskBytes: number;
  version: string;
}

/** Nodes that left are listed for so long. */
export const LEFT_SHOWN_MS = 30 * 24 * 3600 * 1000;

export function hasLeftLongAgo({ presence, leftAtMs }: Pick<PeerRow, 'presence' | 'leftAtMs'>, now: number): boolean {
  return presence === 'left' && now - (leftAtMs ?? 0) >= LEFT_SHOWN_MS;
}

export function assertExit(from: PeerState, to: PeerState): void {
  if (!EXITS[from].includes(to)) throw new Error(`a peer cannot go from ${from} to ${to}`);
}

/** Without what a receipt said of a state that is over. */
export function inState(record: PeerRecord, to: PeerState): PeerRecord {
  const { state: from } = record;
  if (from === to) return record;
  assertExit(from, to);
  const over = to === 'joining' || from === 'drained' ? { receipt: undefined, leftAt: undefined } : {};
  return { ...record, state: to, ...over };
}

/** After an admitted registration. Only the same start goes on as what it was. */
export function registeredRecord(before: PeerRecord, hello: Hello, resumed: boolean): PeerRecord {
  const { boot, bootNonce, storeId, version, publicUrl, capacityBytes } = hello;
  const goesOn = resumed && before.state !== 'joined';
  return {
    ...(goesOn ? before : inState(before, 'joining')),
    last: { boot, bootNonce, storeId },
    version,
    publicUrl,
    capacityBytes,
    addresses: [...hello.addresses],
  };
}

export function newRecord(peerId: string, now: number): PeerRecord {
  return {
    peerId,
    name: '',
    nodeNumber: 0,
    joinedAt: now,
    state: 'joined',
    publicUrl: null,
    addresses: [],
    version: '',
    capacityBytes: 0,
  };
}

export function unchecked(publicUrl: string | null): UrlCheck {
  return { verified: false, reason: publicUrl === null ? 'it has no public URL' : 'not checked yet', atMs: 0 };
}

export function rowOf(peer: Peer): PeerRow {
  return {
    peerId: peer.record.peerId,
    name: peer.record.name,
    nodeNumber: peer.record.nodeNumber,
    state: peer.record.state,
    presence: peer.presence,
    reason: peer.presenceReason,
    location: peer.location ?? null,
    publicUrl: peer.record.publicUrl,
    urlVerified: peer.url.verified,
    urlReason: peer.url.reason,
    lastHeardMs: peer.lastHeardMs ?? null,
    receipt: peer.record.receipt ?? null,
    leftAtMs: peer.record.leftAt ?? null,
    slots: peer.load?.slots ?? 0,
    queued: peer.load?.queued ?? 0,
    running: peer.load?.running ?? 0,
    freeBytes: peer.load?.freeBytes ?? 0,
    atRiskBytes: peer.load?.atRiskBytes ?? 0,
    version: peer.record.version,
  };
}
