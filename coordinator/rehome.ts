/**
 * Whether an account whose home does not answer gets another home now: pure, with its reasons.
 *
 * Taking a home away is expensive and cannot be undone, so it happens only for a user who asks now, only after the home
 * was out of reach for a while, and never while the coordinator has reason to doubt itself: it has just started, its own
 * timers are late, or so many nodes fell silent at once that its own network is the likelier cause.
 *
 * Not decided here yet: asking two peers whether they reach the home.
 */

import type { PeerState } from './peer.js';
import type { Presence } from './presence.js';
import { nearest, type RoutingNode, type RoutingQuestion } from './routing.js';

export interface RehomeQuestion extends Omit<RoutingQuestion, 'home' | 'exclude'> {
  nowMs: number;
  home: { peerId: string; name: string; state: PeerState; presence: Presence; lostAtMs?: number };
  nodes: readonly RoutingNode[];
  /** Every member that served, and when it was lost (undefined: it is there). */
  servers: readonly { peerId: string; lostAtMs?: number }[];
  self: { startedAtMs: number; loopLateMs: number };
  thresholds: {
    deadMs: number;
    massWindowMs: number;
    massHoldMs: number;
    loopLateMs: number;
    startGraceMs: number;
  };
}

export type RehomeDecision =
  | { rehome: true; to: string; reasons: string[] }
  | { rehome: false; homeServes: boolean; reasons: string[]; retryAfterMs: number };

/** Share of the servers above which a silence is doubted, when at least two fell silent. */
const MASS_SHARE = 0.3;

export function decideRehome(question: RehomeQuestion): RehomeDecision {
  const { home, nowMs, self, thresholds } = question;
  const planned = home.state === 'drained' || home.state === 'revoked';
  if (!planned) {
    if (home.presence === 'alive') return stay(`${home.name} is ${home.state} and answers`, 0, true);
    if (self.loopLateMs > thresholds.loopLateMs) {
      return stay(`the coordinator's own timers are ${Math.round(self.loopLateMs)} ms late`, 2000);
    }
    const upMs = nowMs - self.startedAtMs;
    if (upMs < thresholds.startGraceMs) {
      return stay('the coordinator has just started and nodes are coming back', thresholds.startGraceMs - upMs);
    }
    const lostMs = nowMs - (home.lostAtMs ?? nowMs);
    if (lostMs < thresholds.deadMs) {
      return stay(`${home.name} has been out of reach for ${lostMs} ms only`, thresholds.deadMs - lostMs);
    }
    const mass = massSilence(question);
    if (mass !== undefined) return mass;
  }
  const { peerId } = home;
  const route = nearest({ client: question.client, exclude: [peerId] }, question.nodes);
  if (route.node === undefined) return stay('no other node can take the account', 2000, false, route.reasons);
  const why = planned
    ? `${home.name} is ${home.state}`
    : `${home.name} has been out of reach for ${nowMs - (home.lostAtMs ?? nowMs)} ms`;
  return { rehome: true, to: route.node, reasons: [why, ...route.reasons] };
}

function massSilence({ home, nowMs, servers, thresholds }: RehomeQuestion): RehomeDecision | undefined {
  const lost = servers.map((server) => server.lostAtMs).filter((lostAtMs) => lostAtMs !== undefined);
  const around = home.lostAtMs ?? nowMs;
  const together = lost.filter((lostAtMs) => Math.abs(lostAtMs - around) <= thresholds.massWindowMs);
  if (together.length < 2 || together.length <= servers.length * MASS_SHARE) return undefined;
  const heldUntilMs = Math.max(...together) + thresholds.massHoldMs;
  if (nowMs >= heldUntilMs) return undefined;
  return stay(
    `${together.length} of ${servers.length} nodes fell silent together: the coordinator doubts itself`,
    heldUntilMs - nowMs,
  );
}

function stay(reason: string, retryAfterMs: number, homeServes = false, more: string[] = []): RehomeDecision {
  return { rehome: false, homeServes, reasons: [reason, ...more], retryAfterMs: Math.max(0, Math.ceil(retryAfterMs)) };
}
