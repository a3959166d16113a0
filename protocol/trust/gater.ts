/**
 * Who may connect at all, asked before the muxer exists. Trust is decided here by PeerId and nowhere else: gating single
 * protocols by middleware leaves gossip dead after a reconnect (measured).
 */
import type { Clock } from '../runtime/clock.js';
import type { Gate, Host } from '../runtime/host.js';
import type { Logger } from '../runtime/logger.js';
import type { MemberList } from './members.js';

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
export function onlyGate(only: string): Gate {
  return { admits: (peer) => peer === only };
}

const LOOK_MS = 60_000;

/**
 * The host asks the gate only while a connection is being made: this ends those of peers that it admits no more. Looked at
 * when the list changes, when a connection stands (it may have passed just before a change), and each minute (credentials
 * end by time).
 */
export function cutOffUnadmitted(deps: {
  host: Pick<Host, 'connectedPeers' | 'disconnect' | 'onPeer'>;
  gate: Gate;
  members: Pick<MemberList, 'onChange'>;
  clock: Pick<Clock, 'every'>;
  log: Logger;
}): () => void {
  const cut = (peers: readonly string[]) => {
    for (const peer of peers) {
      if (deps.gate.admits(peer)) continue;
      deps.log.info({ peer }, 'a peer is no longer admitted and is disconnected');
      deps.host.disconnect(peer).catch((error: unknown) => deps.log.warn({ peer, err: error }, 'disconnecting failed'));
    }
  };
  const releases = [
    deps.members.onChange(({ peers }) => {
      const connected = new Set(deps.host.connectedPeers());
      cut(peers.filter((peer) => connected.has(peer)));
    }),
    deps.host.onPeer(({ peer, connected }) => {
      if (connected) cut([peer]);
    }),
    deps.clock.every(LOOK_MS, () => cut(deps.host.connectedPeers())),
  ];
  return () => {
    for (const release of releases) release();
  };
}
