/**
 * The lobby: where strangers are met. A libp2p host of its own, without gossip and without DHT, that serves
 * `/galaxy/join/1` and nothing else: to join, and to learn why nobody lets one in; everybody else's door is closed to them before the muxer.
 */
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Host } from '../../protocol/runtime/host.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { MemberList } from '../../protocol/trust/members.js';
import { joinCall, standingCall } from '../../protocol/wire/calls/join.js';
import { joinErrors } from '../../protocol/wire/calls/join-errors.js';
import { ADDRESSES_MAX } from '../../protocol/wire/calls/shapes.js';
import { answer, serveCalls } from '../../protocol/wire/rpc.js';
import type { Invitations } from '../invitations.js';
import type { ReachabilityCheck } from './reachability.js';

/** Characters of the member list that fit beside the rest of an answer. */
const MEMBERS_CHARS = 40 * 1024;

export interface LobbyDeps {
  lobby: Pick<Host, 'handle'>;
  /** The host that members connect to. */
  host: Pick<Host, 'connect' | 'isConnected' | 'peerId' | 'addresses'>;
  invitations: Invitations;
  members: MemberList;
  reachability: ReachabilityCheck;
  clock: Clock;
  log: Logger;
}

export async function serveLobby(
  deps: LobbyDeps,
  options: { network: string; networkKey: string; networkUrl: () => string },
): Promise<void> {
  const join = answer(joinCall, async (request, { peer, signal }) => {
    if (request.network !== options.network) throw joinErrors('wrong-network');
    const redeemed = await deps.invitations.redeem(request.secret, peer).catch((error: unknown) => {
      deps.log.warn({ peer, err: error }, 'a join was refused');
      throw error;
    });
    const [libp2p, url] = await Promise.all([
      deps.reachability.libp2p(deps.host, peer, request.addresses, signal),
      deps.reachability.url(request.publicUrl, peer, signal),
    ]);
    deps.log.info(
      { peer, name: redeemed.name, nodeNumber: redeemed.nodeNumber, again: redeemed.again, libp2p, url },
      'a node joined',
    );
    return {
      credential: redeemed.credential,
      nodeNumber: redeemed.nodeNumber,
      name: redeemed.name,
      coordinator: deps.host.peerId,
      addresses: deps.host.addresses().slice(0, ADDRESSES_MAX),
      networkUrl: options.networkUrl(),
      networkKey: options.networkKey,
      members: deps.members.page(undefined, MEMBERS_CHARS).tokens,
      reachable: { libp2p, url: { ok: url.verified, reason: url.reason.slice(0, 500) } },
      time: deps.clock.now(),
    };
  });
  const standing = answer(standingCall, async ({ network }, { peer }) => {
    if (network !== options.network) throw joinErrors('wrong-network');
    return { revocation: deps.members.revocationTokenOf(peer) ?? null };
  });
  await serveCalls({ host: deps.lobby, clock: deps.clock, log: deps.log }, 'join', [join, standing]);
}
