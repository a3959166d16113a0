/**
 * What the coordinator makes of when it heard a peer: pure. Only what it has seen itself counts here; what peers gossip
 * about each other matters when the coordinator is away (protocol/membership).
 *
 * - away: it has not registered since the coordinator started.
 * - alive: registered and heard; or its stream broke a moment ago and the one redial has not been answered.
 * - unroutable: its stream broke and the redial failed, or it is silent. Cheap and reversible: it gets no requests.
 * - dead: so for `deadMs`. Its users may be given new homes (rehome.ts).
 * - left: drained, with its receipt, and its process has ended as it should. Nobody waits for it.
 */
export type Presence = 'away' | 'alive' | 'unroutable' | 'dead' | 'left';

export interface Heard {
  /** It was drained; the number of its receipt. */
  receipt?: string;
  /** A registration stream is open. */
  open: boolean;
  lastHeardMs?: number;
  closedAtMs?: number;
  /** The redial after `closedAtMs` was answered: the process lives, and will register again. */
  redialed?: 'answered' | 'refused';
}

export interface PresenceRules {
  /** When the coordinator started. */
  startedAtMs: number;
  silentMs: number;
  deadMs: number;
  redialMs: number;
  /** By how much the coordinator's own timers are late: it doubts itself before it accuses a peer. */
  loopLateMs: number;
}

export interface PresenceVerdict {
  presence: Presence;
  /** Since when it is out of reach; undefined while it is alive. */
  lostAtMs: number | undefined;
  reason: string;
}

export function presenceOf(heard: Heard, nowMs: number, rules: PresenceRules): PresenceVerdict {
  const { silentMs, loopLateMs } = rules;
  if (heard.receipt !== undefined && !heard.open) {
    const lostAtMs = heard.closedAtMs ?? rules.startedAtMs;
    return { presence: 'left', lostAtMs, reason: `it was drained (receipt ${heard.receipt}) and has left` };
  }
  if (heard.lastHeardMs === undefined) {
    const lostAtMs = rules.startedAtMs;
    return { presence: 'away', lostAtMs, reason: 'it has not registered since the coordinator started' };
  }
  const quietMs = nowMs - heard.lastHeardMs;
  if (!heard.open && heard.closedAtMs !== undefined) {
    const goneMs = nowMs - heard.closedAtMs;
    if (heard.redialed === 'refused') return lost(heard.closedAtMs, 'its connection closed and a redial was refused');
    if (heard.redialed === undefined && goneMs > rules.redialMs + loopLateMs) {
      return lost(heard.closedAtMs, 'its connection closed and a redial was not answered');
    }
  }
  if (quietMs > silentMs + loopLateMs) return lost(heard.lastHeardMs, `it has been silent for ${quietMs} ms`);
  return { presence: 'alive', lostAtMs: undefined, reason: heard.open ? 'heard' : 'its stream broke; it is redialled' };

  function lost(lostAtMs: number, reason: string): PresenceVerdict {
    const dead = nowMs - lostAtMs >= rules.deadMs + loopLateMs;
    return { presence: dead ? 'dead' : 'unroutable', lostAtMs, reason };
  }
}
