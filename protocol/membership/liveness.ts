/**
 * The failure detector: what may be concluded about a peer from when it was last heard. Pure functions of values and
 * time, so that the simulator can run a thousand of them.
 *
 *     alive ──silent for the timeout──▶ suspect ──silent for the suspicion too──▶ dead
 *       ▲◀──────────── anything newer from the peer itself refutes both ────────────┘
 *
 * What the coordinator makes of its registration streams, and what may follow from many silences at once, is its own:
 * coordinator/presence.ts and rehome.ts.
 *
 * An observer that is itself late (a busy event loop, a machine that slept) hears nobody and would accuse everybody. As
 * in Lifeguard (Dadgar et al. 2017) it looks at its own timers first, widens its timeouts, and begins to wait anew.
 * Rejected: the phi-accrual detector, whose verdicts no operator can explain.
 */
import { gossipIntervalMs } from './heartbeat.js';

/** `left`: silent after it said that it was drained; nobody waits for it. */
export type Liveness = 'alive' | 'suspect' | 'dead' | 'left';

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
