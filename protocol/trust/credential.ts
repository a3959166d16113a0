/**
 * A member's credential: the coordinator's signed word that a PeerId belongs to the network, under this name, node
 * number and place. It lives 90 days and is renewed from a third of that; see `credentialStanding` for the grace that
 * keeps a network going whose coordinator is away for long.
 */
import { z } from 'zod';
import { CLOCK_SKEW_MAX_MS } from '../wire/limits.js';
import { trustErrors } from './errors.js';
import { peerIdSchema, type Signer } from './identity.js';
import { openToken, signToken } from './signed.js';

const DAY_MS = 24 * 3600 * 1000;
export const CREDENTIAL_LIFE_MS = 90 * DAY_MS;
export const CREDENTIAL_RENEW_AFTER_MS = CREDENTIAL_LIFE_MS / 3;
export const CREDENTIAL_GRACE_MS = 30 * DAY_MS;
/** Numbers above are drawn by nodes that have not joined. */
export const NODE_NUMBER_MAX = 2 ** 17 - 1;

const KIND = 'credential';

export const networkSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and -');
export const timeSchema = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
export const locationSchema = z.object({ lat: z.number().min(-90).max(90), lon: z.number().min(-180).max(180) });
export type Location = z.output<typeof locationSchema>;
export const nameSchema = z.string().min(1).max(200);
/** The failure domain of the coordinator's own store. No institution is called so: copies in one domain count once. */
export const REPOSITORY_DOMAIN = 'the main repository';

export const credentialSchema = z.object({
  network: networkSchema,
  peerId: peerIdSchema,
  name: nameSchema,
  nodeNumber: z.number().int().min(0).max(NODE_NUMBER_MAX),
  location: locationSchema.nullable(),
  /** Milliseconds since 1970, as is `expiresAt`. */
  issuedAt: timeSchema,
  expiresAt: timeSchema,
});
export type Credential = z.output<typeof credentialSchema>;

export function issueCredential(
  signer: Signer,
  subject: Omit<Credential, 'issuedAt' | 'expiresAt'>,
  now: number,
): { token: string; credential: Credential } {
  const credential = credentialSchema.parse({ ...subject, issuedAt: now, expiresAt: now + CREDENTIAL_LIFE_MS });
  return { token: signToken(signer, KIND, credential), credential };
}

/**
 * Whose it is, not whether it is in time (`credentialStanding`).
 * Errors: `trust/malformed`, `trust/wrong-kind`, `trust/bad-signature`, `trust/wrong-signer`, `trust/wrong-network`.
 */
export function checkCredential(token: string, expected: { network: string; coordinator: string }): Credential {
  const { payload, signer } = openToken(token, KIND, credentialSchema);
  if (signer !== expected.coordinator) throw trustErrors('wrong-signer', { kind: KIND, signer });
  if (payload.network !== expected.network) {
    throw trustErrors('wrong-network', { kind: KIND, found: payload.network, network: expected.network });
  }
  return payload;
}

/**
 * - `fresh`: honoured. `renew`: honoured, and its holder asks for a new one.
 * - `grace`: expired, honoured because the observer has itself not heard the coordinator since: its holder could not
 *   have renewed it either.
 * - `early`: issued in the future by more than clocks may differ. `expired`: over.
 */
export type CredentialState = 'fresh' | 'renew' | 'grace' | 'early' | 'expired';

export interface CredentialStanding {
  state: CredentialState;
  honoured: boolean;
  reason: string;
}

/** `coordinatorHeardAt`: when the observer last heard the coordinator; 0 when it never did since its start. */
export function credentialStanding(
  credential: Pick<Credential, 'issuedAt' | 'expiresAt'>,
  now: number,
  coordinatorHeardAt: number,
): CredentialStanding {
  const { issuedAt, expiresAt } = credential;
  if (issuedAt > now + CLOCK_SKEW_MAX_MS) return { state: 'early', honoured: false, reason: 'issued in the future' };
  if (now < expiresAt) {
    return now - issuedAt >= CREDENTIAL_RENEW_AFTER_MS
      ? { state: 'renew', honoured: true, reason: 'due for renewal' }
      : { state: 'fresh', honoured: true, reason: 'in time' };
  }
  if (now >= expiresAt + CREDENTIAL_GRACE_MS) {
    return { state: 'expired', honoured: false, reason: 'expired, and its grace is over' };
  }
  return coordinatorHeardAt < expiresAt
    ? { state: 'grace', honoured: true, reason: 'expired while the coordinator was away' }
    : { state: 'expired', honoured: false, reason: 'expired although the coordinator could have renewed it' };
}
