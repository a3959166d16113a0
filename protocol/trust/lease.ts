/**
 * The home lease: who may write to an account. Epoch 0 is a node that is its own directory and signs for itself;
 * every other epoch is granted by the coordinator, for one node. A lease does not end by time: the epoch's order decides.
 */
import { z } from 'zod';
import { timeSchema } from './credential.js';
import { trustErrors } from './errors.js';
import { peerIdSchema, type Signer } from './identity.js';
import { openToken, signToken } from './signed.js';

const KIND = 'lease';

export const leaseSchema = z.object({
  /** Entity id. */
  account: z.string().regex(/^[0-9a-f]{16}$/),
  epoch: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  /** PeerId of the node that may write. */
  node: peerIdSchema,
  /** PeerId of the node that made the account: only its own leases of epoch 0 count for it. */
  origin: peerIdSchema.optional(),
  issuedAt: timeSchema,
});
export type Lease = z.output<typeof leaseSchema>;

export function issueLease(signer: Signer, lease: Omit<Lease, 'issuedAt'>, now: number): string {
  if (lease.epoch === 0 && signer.peerId !== lease.node) {
    throw new Error('a lease of epoch 0 is signed by the node it names');
  }
  return signToken(signer, KIND, leaseSchema.parse({ ...lease, issuedAt: now }));
}

/**
 * `coordinator` undefined: this process belongs to no network, and only leases of epoch 0 hold.
 * Errors: `trust/malformed`, `trust/wrong-kind`, `trust/bad-signature`, `trust/wrong-signer`.
 */
export function checkLease(token: string, trust: { coordinator: string | undefined }): Lease {
  const { payload, signer } = openToken(token, KIND, leaseSchema);
  const issuer = payload.epoch === 0 ? payload.node : trust.coordinator;
  if (signer !== issuer) throw trustErrors('wrong-signer', { kind: KIND, signer });
  return payload;
}

/** A lease for this node and account, of whatever epoch. Errors: those of `checkLease`, and `trust/other-lease`. */
export function checkLeaseFor(
  token: string,
  expected: { account: string; node: string; coordinator: string | undefined },
): Lease {
  const lease = checkLease(token, expected);
  if (lease.account !== expected.account || lease.node !== expected.node) {
    throw trustErrors('other-lease', { account: expected.account, node: expected.node });
  }
  return lease;
}
