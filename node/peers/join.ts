/**
 * Joining: the invitation's secret is presented in the coordinator's lobby, over a connection to exactly the PeerId that
 * the invitation names; what comes back is this node's credential and all it needs to register. May be repeated: the
 * answer may have been lost on the way.
 */

import type { Clock } from '../../protocol/runtime/clock.js';
import { deadline } from '../../protocol/runtime/clock.js';
import { defineErrors } from '../../protocol/runtime/errors.js';
import { createLibp2pHost } from '../../protocol/runtime/libp2p-host.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { packageVersion } from '../../protocol/runtime/package.js';
import type { Store } from '../../protocol/runtime/store.js';
import { checkCredential } from '../../protocol/trust/credential.js';
import { onlyGate } from '../../protocol/trust/gater.js';
import type { NodeKey } from '../../protocol/trust/identity.js';
import { assertInvitationInTime, parseInvitation } from '../../protocol/trust/invitation.js';
import { MemberList } from '../../protocol/trust/members.js';
import { joinCall, type Reachability, standingCall } from '../../protocol/wire/calls/join.js';
import { ADDRESSES_MAX } from '../../protocol/wire/calls/shapes.js';
import { CLOCK_SKEW_MAX_MS, LIMITS } from '../../protocol/wire/limits.js';
import { call } from '../../protocol/wire/rpc.js';
import { NODE_NAMESPACE } from '../namespaces.js';
import { type NetworkRecord, readNetworkRecord, writeNetworkRecord } from '../network-record.js';

export const joinErrors = defineErrors('join', {
  'other-network': {
    kind: 'conflict',
    say: 'This node belongs to the network "{network}" already, as {name}; the invitation is of another one.',
    mend: 'Drain it and start with an empty data folder to join another one.',
  },
  unreachable: {
    kind: 'unavailable',
    say: 'The coordinator of "{network}" cannot be reached: {reason}',
    mend: 'Check that it runs and that a firewall lets this machine out, then run the same command again.',
  },
  'wrong-answer': {
    kind: 'untrusted',
    say: "The coordinator's answer does not fit this node: {reason}.",
    mend: 'Ask its operator for a new invitation.',
  },
  'clock-off': {
    kind: 'bad-request',
    say: "This machine's clock is off by {seconds} seconds from the coordinator's.",
    mend: 'Set the clock (NTP) and join again.',
  },
});

export interface JoinResult {
  network: string;
  name: string;
  nodeNumber: number;
  reachable: { peer: string; web: string };
}

export async function joinNetwork(
  deps: { key: NodeKey; store: Store; clock: Clock; log: Logger },
  line: string,
  about: { listen: readonly string[]; announce: readonly string[]; publicUrl: string | null },
  onProgress: (progress: { step: number; steps: number; doing: string }) => void,
  signal?: AbortSignal,
): Promise<JoinResult> {
  const { key, store, clock, log } = deps;
  const invitation = parseInvitation(line);
  assertInvitationInTime(invitation, clock.now());
  const before = await readNetworkRecord(store);
  // Two networks may have one name: the coordinator's key is what tells them apart.
  if (
    before !== undefined &&
    !(before.network === invitation.network && before.coordinator === invitation.coordinator)
  ) {
    throw joinErrors('other-network', { network: before.network, name: before.name });
  }
  const say = (step: number, doing: string) => onProgress({ step, steps: 3, doing });
  const gate = onlyGate(invitation.coordinator);
  const lobby = await createLibp2pHost(
    { key, gate, log, clock },
    // Listens where the node will, so that the coordinator can try to dial it.
    { listen: about.listen, announce: about.announce, gossip: false, dht: false },
  );
  try {
    await lobby.start();
    say(1, `reaching the coordinator of "${invitation.network}"`);
    const limit = deadline(LIMITS.join.deadlineMs, signal);
    await lobby.connect(invitation.coordinator, invitation.lobby, limit).catch((cause: unknown) => {
      throw joinErrors('unreachable', { network: invitation.network, reason: reasonOf(cause) }, { cause });
    });
    say(2, 'presenting the invitation; the coordinator dials back');
    const answer = await call(
      lobby,
      invitation.coordinator,
      joinCall,
      {
        network: invitation.network,
        secret: invitation.secret,
        version: packageVersion(),
        addresses: lobby.addresses().slice(0, ADDRESSES_MAX),
        publicUrl: about.publicUrl,
      },
      limit,
    );
    const skew = Math.abs(answer.time - clock.now());
    if (skew > CLOCK_SKEW_MAX_MS) throw joinErrors('clock-off', { seconds: Math.round(skew / 1000) });
    if (answer.coordinator !== invitation.coordinator)
      throw joinErrors('wrong-answer', { reason: 'it names another coordinator' });
    const credential = checkCredential(answer.credential, {
      network: invitation.network,
      coordinator: answer.coordinator,
    });
    if (credential.peerId !== key.peerId)
      throw joinErrors('wrong-answer', { reason: 'the credential is for another node' });
    say(3, 'writing down the credential and the member list');
    const members = new MemberList(
      { store, log },
      { network: invitation.network, coordinator: answer.coordinator, namespace: NODE_NAMESPACE.members },
    );
    await members.start();
    await members.merge([answer.credential, ...answer.members]);
    const record: NetworkRecord = {
      network: invitation.network,
      coordinator: answer.coordinator,
      addresses: answer.addresses,
      lobby: invitation.lobby,
      networkUrl: answer.networkUrl,
      networkKey: answer.networkKey,
      credential: answer.credential,
      nodeNumber: credential.nodeNumber,
      name: credential.name,
      location: credential.location,
      joinedAt: clock.now(),
    };
    await writeNetworkRecord(store, record);
    return {
      network: record.network,
      name: record.name,
      nodeNumber: record.nodeNumber,
      reachable: { peer: inWords(answer.reachable.libp2p), web: inWords(answer.reachable.url) },
    };
  } finally {
    await lobby.stop();
  }
}

/**
 * Why no member lets this node in, asked in the lobby by a host of its own; what was learnt is in the member list then.
 * False: the coordinator could not be asked.
 */
export async function askStanding(
  deps: { key: NodeKey; members: MemberList; clock: Clock; log: Logger },
  record: Pick<NetworkRecord, 'network' | 'coordinator' | 'lobby'>,
  signal: AbortSignal,
): Promise<boolean> {
  const { key, members, clock, log } = deps;
  if (record.lobby === undefined) return true;
  const limit = deadline(LIMITS.join.deadlineMs, signal);
  const gate = onlyGate(record.coordinator);
  const host = await createLibp2pHost(
    { key, gate, log, clock },
    { listen: [], announce: [], gossip: false, dht: false },
  );
  try {
    await host.start();
    await host.connect(record.coordinator, record.lobby, limit);
    const { revocation } = await call(host, record.coordinator, standingCall, { network: record.network }, limit);
    if (revocation !== null) await members.merge([revocation]);
    return true;
  } catch (error) {
    log.debug({ err: error }, 'the lobby did not say why this node is refused');
    return false;
  } finally {
    await host.stop();
  }
}

export function inWords({ ok, reason }: Reachability): string {
  return ok ? 'directly' : `through the coordinator only (${reason})`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
