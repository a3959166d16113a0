/** A network's papers: a coordinator's key, members with credentials, and a member list in memory. */
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { issueCredential } from '../../../protocol/trust/credential.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { MemberList } from '../../../protocol/trust/members.js';
import { issueRevocation } from '../../../protocol/trust/revocation.js';
import type { PeerStatus } from '../../../protocol/wire/calls/register.js';
import { MemoryStore } from '../../support/memory-store.js';

export const NETWORK = 'nordic';

export class Papers {
  private numbers = 0;

  static async create(): Promise<Papers> {
    return new Papers(await NodeKey.generate());
  }

  private constructor(readonly coordinator: NodeKey) {}

  async list(...tokens: string[]): Promise<MemberList> {
    const members = new MemberList(
      { store: new MemoryStore(), log: silentLogger },
      { network: NETWORK, coordinator: this.coordinator.peerId, namespace: 'members' },
    );
    await members.start();
    await members.merge(tokens);
    return members;
  }

  credential(key: NodeKey, name: string, now: number): string {
    const nodeNumber = this.numbers++;
    return issueCredential(
      this.coordinator,
      { network: NETWORK, peerId: key.peerId, name, nodeNumber, location: null },
      now,
    ).token;
  }

  revocation(key: NodeKey, now: number): string {
    const content = { network: NETWORK, number: 1, peerId: key.peerId, name: 'x', reason: 'left' };
    return issueRevocation(this.coordinator, content, now);
  }
}

export function statusOf(peerId: string, change: Partial<PeerStatus> = {}): PeerStatus {
  return {
    peerId,
    state: 'serving',
    routable: true,
    addresses: ['/ip4/127.0.0.1/tcp/4001'],
    publicUrl: null,
    capacityBytes: 1000,
    freeBytes: 900,
    slots: 2,
    queued: 0,
    running: 0,
    ...change,
  };
}
