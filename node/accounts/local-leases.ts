/**
 * A node that never joined a network is its own directory and gives itself its leases: epoch 0, signed by itself. Any
 * lease of a coordinator is above them, so joining ends them.
 */
import type { LeaseSource, WriteLease } from '../../protocol/log/account-log.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Signer } from '../../protocol/trust/identity.js';
import { issueLease } from '../../protocol/trust/lease.js';

const HELD_MAX = 10_000;

export class LocalLeases implements LeaseSource {
  private readonly held = new Map<string, WriteLease>();

  constructor(private readonly deps: { signer: Signer; clock: Clock }) {}

  current(account: string): WriteLease {
    const held = this.held.get(account);
    if (held) return held;
    const { signer, clock } = this.deps;
    const token = issueLease(signer, { account, epoch: 0, node: signer.peerId }, clock.now());
    const lease = { account, epoch: 0, token };
    // A lease given up here is simply issued anew: all of epoch 0 are equal.
    if (this.held.size >= HELD_MAX) this.held.clear();
    this.held.set(account, lease);
    return lease;
  }
}
