/**
 * What `galaxy-coordinator invite` prints and `galaxy-node join` takes: one line with everything needed to find exactly
 * that coordinator, and a secret that works once. The coordinator keeps only the secret's hash.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isDomainError } from '../runtime/errors.js';
import { locationSchema, nameSchema, networkSchema, timeSchema } from './credential.js';
import { trustErrors } from './errors.js';
import { peerIdSchema, type Signer } from './identity.js';
import { openToken, signToken } from './signed.js';

const KIND = 'invitation';
const PREFIX = 'galaxy-invite:';
/** Far above any real one; a pasted file is refused before it is looked at. */
const LINE_CHARS_MAX = 8192;

export const invitationSchema = z.object({
  network: networkSchema,
  /** PeerId of the coordinator; the joiner talks to nobody else. */
  coordinator: peerIdSchema,
  /** Multiaddrs of the coordinator's lobby. */
  lobby: z.array(z.string().startsWith('/').max(300)).min(1).max(16),
  /** 16 to 64 random bytes, hex. */
  secret: z.string().regex(/^[0-9a-f]{32,128}$/),
  name: nameSchema,
  location: locationSchema.nullable(),
  expiresAt: timeSchema,
});
export type Invitation = z.output<typeof invitationSchema>;

export function issueInvitation(signer: Signer, invitation: Omit<Invitation, 'coordinator'>): string {
  return PREFIX + signToken(signer, KIND, invitationSchema.parse({ ...invitation, coordinator: signer.peerId }));
}

/**
 * Takes the line as it was pasted (spaces and line breaks around or inside it are a terminal's). Does not look at the
 * time: the coordinator has the last word on that, see `assertInvitationInTime`.
 * Errors: `trust/invitation-malformed`.
 */
export function parseInvitation(line: string): Invitation {
  const malformed = (reason: string, cause?: unknown) => trustErrors('invitation-malformed', { reason }, { cause });
  if (line.length > LINE_CHARS_MAX) throw malformed('it is too long');
  const text = line.replace(/\s+/g, '').replace(/^["']|["']$/g, '');
  if (text === '') throw malformed('it is empty');
  if (!text.startsWith(PREFIX)) throw malformed(`it does not begin with "${PREFIX}"`);
  try {
    const { payload, signer } = openToken(text.slice(PREFIX.length), KIND, invitationSchema);
    if (signer !== payload.coordinator) throw malformed('it was not made by the coordinator that it names');
    return payload;
  } catch (cause) {
    if (isDomainError(cause, 'trust/invitation-malformed')) throw cause;
    if (isDomainError(cause, 'trust/bad-signature')) throw malformed('some of its characters were changed', cause);
    throw malformed('a part of it is missing or changed', cause);
  }
}

/** Errors: `trust/invitation-expired`. */
export function assertInvitationInTime(invitation: Pick<Invitation, 'name' | 'expiresAt'>, now: number): void {
  if (now >= invitation.expiresAt) {
    const expired = new Date(invitation.expiresAt).toISOString();
    throw trustErrors('invitation-expired', { name: invitation.name, expired });
  }
}

/** What the coordinator keeps in place of the secret, and looks a joiner's secret up by. */
export function secretHash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
