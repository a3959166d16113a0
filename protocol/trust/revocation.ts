/**
 * The coordinator's signed word that a PeerId is no longer a member. It is final: whoever comes back does so with a new
 * key and a new node number. Revocations are numbered (see epoch.ts), so that a node can say which it knows.
 */
import { z } from 'zod';
import { nameSchema, networkSchema, timeSchema } from './credential.js';
import { trustErrors } from './errors.js';
import { peerIdSchema, type Signer } from './identity.js';
import { openToken, signToken } from './signed.js';

const KIND = 'revocation';

export const revocationSchema = z.object({
  network: networkSchema,
  /** term * 2 ** 32 + n. */
  number: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
  peerId: peerIdSchema,
  /** The name it had, for people. */
  name: nameSchema,
  reason: z.string().max(500),
  issuedAt: timeSchema,
});
export type Revocation = z.output<typeof revocationSchema>;

export function issueRevocation(signer: Signer, revocation: Omit<Revocation, 'issuedAt'>, now: number): string {
  return signToken(signer, KIND, revocationSchema.parse({ ...revocation, issuedAt: now }));
}

/** Errors: `trust/malformed`, `trust/wrong-kind`, `trust/bad-signature`, `trust/wrong-signer`, `trust/wrong-network`. */
export function checkRevocation(token: string, expected: { network: string; coordinator: string }): Revocation {
  const { payload, signer } = openToken(token, KIND, revocationSchema);
  if (signer !== expected.coordinator) throw trustErrors('wrong-signer', { kind: KIND, signer });
  if (payload.network !== expected.network) {
    throw trustErrors('wrong-network', { kind: KIND, found: payload.network, network: expected.network });
  }
  return payload;
}
