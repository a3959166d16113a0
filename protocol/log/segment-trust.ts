/** The log's view of trust, on the project's tokens: leases and signed heads. */

import type { Signer } from '../trust/identity.js';
import { checkLease } from '../trust/lease.js';
import { openToken, signToken } from '../trust/signed.js';
import type { SegmentKey } from './entry.js';
import { logErrors } from './errors.js';
import { segmentHeadSchema } from './segment.js';
import type { SegmentTrust } from './trust.js';

const HEAD = 'head';

export interface SegmentTrustDeps {
  signer: Signer;
  /** PeerId of the network's coordinator; undefined while this process belongs to no network. */
  coordinator: () => string | undefined;
  /** Which node made the account, as far as is known here; entries of epoch 0 of any other are refused. */
  origin?: (account: string) => string | undefined;
}

export function createSegmentTrust({ signer, coordinator, origin }: SegmentTrustDeps): SegmentTrust {
  return {
    self: signer.peerId,
    signHead: ({ account, epoch, writer, seq, hash }) => signToken(signer, HEAD, { account, epoch, writer, seq, hash }),
    openHead: (token) => openToken(token, HEAD, segmentHeadSchema),
    checkLease(token: string, key: SegmentKey) {
      const lease = checkLease(token, { coordinator: coordinator() });
      if (lease.account !== key.account || lease.epoch !== key.epoch) {
        throw logErrors('wrong-lease', { account: key.account, epoch: key.epoch });
      }
      const maker = lease.epoch === 0 ? origin?.(lease.account) : undefined;
      if (maker !== undefined && maker !== lease.node) throw logErrors('other-origin', { account: lease.account });
      return { node: lease.node };
    },
  };
}
