/**
 * Who may connect at all, asked before the muxer exists. Trust is decided here by PeerId and nowhere else: gating single
 * protocols by middleware leaves gossip dead after a reconnect (measured).
 */
import type { Clock } from '../runtime/clock.js';
import type { Gate } from '../runtime/host.js';

/** What a gate needs of a member list. */
export interface Admitting {
  admits(peer: string, now: number): boolean;
}

/** Members in good standing, and the coordinator (the list admits it). */
export function memberGate(deps: { members: Admitting; clock: Pick<Clock, 'now'> }): Gate {
  return { admits: (peer) => deps.members.admits(peer, deps.clock.now()) };
}

/** The coordinator's lobby, where strangers present their invitations. */
export const openGate: Gate = { admits: () => true };

/** A joiner's host: it talks to one peer only, the coordinator that its invitation names. */
export function onlyGate(...peers: string[]): Gate {
  const allowed = new Set(peers);
  return { admits: (peer) => allowed.has(peer) };
}
