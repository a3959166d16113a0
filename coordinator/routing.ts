/**
 * Which node takes a visitor or an account: pure and deterministic, with its reasons.
 *
 * The cost of a node is an estimate of the round trip in milliseconds plus a penalty for its load. Users who were sent
 * there and have not shown up in its digest yet count as load: without that, all users of a dead node would be sent to
 * the one nearest neighbour within a second. Rejected: drawing among the best few by chance, because then the same
 * question has two answers and nobody can explain either.
 */

import type { LatLon } from './location.js';
import type { PeerState } from './peer.js';

export interface RoutingNode {
  peerId: string;
  name: string;
  state: PeerState;
  /** False while the coordinator cannot reach it; see registry.ts. */
  routable: boolean;
  location?: LatLon;
  slots: number;
  queued: number;
  running: number;
  /** Users sent there whose arrival the node has not reported. */
  assigned: number;
  /** Measured from this client's network, where known. */
  measuredRttMs?: number;
  /** This node follows the account's log and so need not fetch it first. */
  hasLog?: boolean;
}

export interface RoutingQuestion {
  client?: LatLon;
  /** The account's home: first choice while it can take her. */
  home?: string;
  /** Never one of these. */
  exclude?: readonly string[];
}

export interface Ranked {
  peerId: string;
  name: string;
  costMs: number;
  why: string;
}

export interface Route {
  node: string | undefined;
  reasons: string[];
  /** The nodes that could take her, best first. */
  ranked: Ranked[];
}

/** Light in fibre goes 200 km in a millisecond; cables are about half as long again as the great circle. */
const RTT_MS_PER_KM = (2 * 1.5) / 200;
const RTT_BASE_MS = 2;
/** Somebody whose place is unknown is taken to be this far away. */
const RTT_UNKNOWN_MS = 75;
/** A machine with all slots busy is as unattractive as one 2000 km further away. */
const PENALTY_BUSY_MS = 30;
/** A waiting job or an expected user, per slot. */
const PENALTY_WAITING_MS = 60;
/** Fetching an account's whole log first costs her about this. */
const PENALTY_NO_LOG_MS = 40;
/** Jobs waiting per slot at which a node takes nobody new. */
export const OVERLOAD_WAITING_PER_SLOT = 50;

export function greatCircleKm(a: LatLon, b: LatLon): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const dLat = radians(b.lat - a.lat);
  const dLon = radians(b.lon - a.lon);
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * Math.sin(dLon / 2) ** 2;
  return 2 * 6371 * Math.asin(Math.min(1, Math.sqrt(h)));
}

export function estimatedRttMs(a: LatLon, b: LatLon): number {
  return RTT_BASE_MS + greatCircleKm(a, b) * RTT_MS_PER_KM;
}

export function isOverloaded(node: Pick<RoutingNode, 'slots' | 'queued' | 'assigned'>): boolean {
  return node.queued + node.assigned > Math.max(1, node.slots) * OVERLOAD_WAITING_PER_SLOT;
}

export function loadPenaltyMs(node: Pick<RoutingNode, 'slots' | 'queued' | 'running' | 'assigned'>): number {
  const slots = Math.max(1, node.slots);
  return (
    PENALTY_BUSY_MS * Math.min(1, node.running / slots) + (PENALTY_WAITING_MS * (node.queued + node.assigned)) / slots
  );
}

export function nearest(question: RoutingQuestion, nodes: readonly RoutingNode[]): Route {
  const reasons: string[] = [];
  const usable: RoutingNode[] = [];
  for (const node of nodes) {
    const refusal = refusalOf(node, question);
    if (refusal === undefined) usable.push(node);
    else reasons.push(`${node.name}: ${refusal}`);
  }
  const home = usable.find((node) => node.peerId === question.home);
  const free = usable.filter((node) => !isOverloaded(node));
  if (question.home !== undefined && home !== undefined && !isOverloaded(home)) {
    return {
      node: home.peerId,
      reasons: [`${home.name} is the home of this account and serves`, ...reasons],
      ranked: rank(question, free),
    };
  }
  if (home !== undefined) reasons.push(`${home.name}: the home, and overloaded`);
  // Nobody has room: the least bad one is still better than no Galaxy at all.
  const ranked = rank(question, free.length > 0 ? free : usable);
  const best = ranked[0];
  if (best === undefined) return { node: undefined, reasons: ['no node serves', ...reasons], ranked };
  if (free.length === 0) reasons.push('every node is overloaded');
  return { node: best.peerId, reasons: [`${best.name}: ${best.why}`, ...reasons], ranked };
}

function refusalOf(node: RoutingNode, question: RoutingQuestion): string | undefined {
  if (node.state !== 'serving') return `it is ${node.state}`;
  if (!node.routable) return 'it does not answer';
  if (question.exclude?.includes(node.peerId)) return 'it is excluded';
  return undefined;
}

function rank(question: RoutingQuestion, nodes: readonly RoutingNode[]): Ranked[] {
  return nodes
    .map((node) => {
      const { rttMs, how } = roundTrip(question.client, node);
      const loadMs = loadPenaltyMs(node);
      const logMs = node.hasLog === false ? PENALTY_NO_LOG_MS : 0;
      const costMs = rttMs + loadMs + logMs;
      const log = logMs > 0 ? `, ${logMs} ms for fetching the log` : '';
      const why = `${how}, ${loadMs.toFixed(0)} ms for its load${log}`;
      return { peerId: node.peerId, name: node.name, costMs, why };
    })
    .sort((a, b) => a.costMs - b.costMs || (a.peerId < b.peerId ? -1 : 1));
}

/** A client of unknown place is as far from every node, so only load decides. */
function roundTrip(client: LatLon | undefined, node: RoutingNode): { rttMs: number; how: string } {
  if (node.measuredRttMs !== undefined) {
    return { rttMs: node.measuredRttMs, how: `${node.measuredRttMs.toFixed(0)} ms away as measured` };
  }
  if (client === undefined) return { rttMs: 0, how: 'the place of the visitor is unknown' };
  if (node.location === undefined) return { rttMs: RTT_UNKNOWN_MS, how: 'its place is unknown' };
  const rttMs = estimatedRttMs(client, node.location);
  return { rttMs, how: `about ${rttMs.toFixed(0)} ms away (${greatCircleKm(client, node.location).toFixed(0)} km)` };
}
