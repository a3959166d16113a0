/**
 * The failure detector: what may be concluded about a peer from when it was last heard. Pure functions of values and
 * time, so that the simulator can run a thousand of them.
 *
 *     alive ──silent for the timeout──▶ suspect ──silent for the suspicion too──▶ dead
 *       ▲◀──────────── anything newer from the peer itself refutes both ────────────┘
 *
 * An observer that is itself late (a busy event loop, a machine that slept) hears nobody and would accuse everybody. As
 * in Lifeguard (Dadgar et al. 2017) it looks at its own timers first, widens its timeouts, and begins to wait anew.
 * Rejected: the phi-accrual detector, whose verdicts no operator can explain.
 */
import { gossipIntervalMs } from './heartbeat.js';

export type Liveness = 'alive' | 'suspect' | 'dead';

export interface Judgement {
  liveness: Liveness;
  /** For the peers' page and the log. */
  reason: string;
  silentMs: number;
}

export interface LivenessParameters {
  /** Silence after which a peer is suspect. */
  timeoutMs: number;
  /** Further silence after which it is dead. */
  suspicionMs: number;
}

/** How well this process keeps its own time. `score` 0 is well. */
export interface ObserverHealth {
  score: number;
  /** When the last own tick ran; monotonic ms. */
  tickAt: number;
  /** When the last late tick ran: silence before it proves nothing. */
  lateAt: number;
}

const SCORE_MAX = 8;
/** Over this share of peers silent in one window, the fault is more likely here or in between. */
const MASS_SILENCE = 0.3;
export const COORDINATOR_SILENCE_MS = 4000;

export function peerParameters(members: number): LivenessParameters {
  const timeoutMs = Math.max(5000, 4 * gossipIntervalMs(members));
  return { timeoutMs, suspicionMs: timeoutMs };
}

export function newObserver(nowMs: number): ObserverHealth {
  return { score: 0, tickAt: nowMs, lateAt: nowMs };
}

/** Called by the observer's own timer, which was set for `intervalMs`. */
export function observerTick(health: ObserverHealth, nowMs: number, intervalMs: number): ObserverHealth {
  const lateMs = nowMs - health.tickAt - intervalMs;
  if (lateMs <= intervalMs / 2) return { ...health, score: Math.max(0, health.score - 1), tickAt: nowMs };
  const missed = 1 + Math.floor(lateMs / intervalMs);
  return { score: Math.min(SCORE_MAX, health.score + missed), tickAt: nowMs, lateAt: nowMs };
}

export function observerIsLate(health: ObserverHealth): boolean {
  return health.score > 0;
}

/** Times are the observer's monotonic milliseconds. */
export function judge(
  heardAt: number,
  nowMs: number,
  parameters: LivenessParameters,
  observer: ObserverHealth,
): Judgement {
  const silentMs = Math.max(0, nowMs - heardAt);
  // Only the silence that this process was awake for counts.
  const provenMs = Math.max(0, nowMs - Math.max(heardAt, observer.lateAt));
  const widening = 1 + observer.score;
  const timeoutMs = parameters.timeoutMs * widening;
  const deadAfterMs = timeoutMs + parameters.suspicionMs * widening;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  if (provenMs >= deadAfterMs) {
    return { liveness: 'dead', silentMs, reason: `silent for ${seconds(silentMs)}` };
  }
  if (provenMs >= timeoutMs) {
    return { liveness: 'suspect', silentMs, reason: `silent for ${seconds(silentMs)}, past ${seconds(timeoutMs)}` };
  }
  if (silentMs >= parameters.timeoutMs) {
    return { liveness: 'alive', silentMs, reason: `silent for ${seconds(silentMs)}, but this process was late itself` };
  }
  return { liveness: 'alive', silentMs, reason: `heard ${seconds(silentMs)} ago` };
}

/** What the coordinator knows of a node's registration stream. */
export interface StreamEvidence {
  open: boolean;
  /** Of the one redial after it closed. */
  redial: 'not-tried' | 'running' | 'refused' | 'answered';
  /** Last digest; monotonic ms. */
  heardAt: number;
}

export interface Routability {
  routable: boolean;
  reason: string;
}

/**
 * Whether new requests may go to a node: cheap and reversible, so decided fast. Moving its users away is another
 * decision, which waits for more.
 */
export function judgeRoutable(evidence: StreamEvidence, nowMs: number, observer: ObserverHealth): Routability {
  if (!evidence.open && evidence.redial === 'refused') {
    return { routable: false, reason: 'its stream closed and it does not answer a new call' };
  }
  const provenMs = nowMs - Math.max(evidence.heardAt, observer.lateAt);
  const silenceMs = COORDINATOR_SILENCE_MS * (1 + observer.score);
  if (provenMs >= silenceMs) {
    return { routable: false, reason: `silent for ${((nowMs - evidence.heardAt) / 1000).toFixed(1)} s` };
  }
  if (!evidence.open) return { routable: true, reason: 'its stream closed; waiting for the redial' };
  return { routable: true, reason: 'heard' };
}

/** Whether anything expensive (re-homing, repair) may follow from silence now. */
export function mayActOnSilence(
  counts: { known: number; silent: number },
  observer: ObserverHealth,
): { may: boolean; reason: string } {
  if (observerIsLate(observer)) return { may: false, reason: 'this process was late itself' };
  // One of two or three is no mass: a rule on shares alone would never let a small network act.
  if (counts.silent > 1 && counts.silent > counts.known * MASS_SILENCE) {
    return { may: false, reason: `${counts.silent} of ${counts.known} peers went silent together` };
  }
  return { may: true, reason: `${counts.silent} of ${counts.known} peers silent` };
}
