/**
 * A ticket takes a signed-in user's browser from one address of the network to another: it names the account and the
 * one node it is good for. It works once, for a minute; that it works once is kept by whoever takes it (the id is
 * persisted before a cookie is set), this file decides everything else.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { CLOCK_SKEW_MAX_MS } from '../wire/limits.js';
import { timeSchema } from './credential.js';
import { trustErrors } from './errors.js';
import { peerIdSchema, type Signer } from './identity.js';
import { openToken, signToken } from './signed.js';

const KIND = 'ticket';
export const TICKET_LIFE_MS = 60_000;
const hex = (chars: number) => z.string().regex(new RegExp(`^[0-9a-f]{${chars}}$`));

export const ticketSchema = z.object({
  /** 32 hex digits, random. */
  id: hex(32),
  account: hex(16),
  /** PeerId of the node where it is good. */
  node: peerIdSchema,
  /** SHA-256 of the nonce cookie that the browser has at the target; null on a first visit, where it has none yet. */
  nonceHash: hex(64).nullable(),
  issuedAt: timeSchema,
  expiresAt: timeSchema,
  /** The last acknowledged position of each segment (segment key → seq): the user reads her own writes. */
  vector: z
    .record(z.string().max(80), z.number().int().nonnegative())
    .refine((vector) => Object.keys(vector).length <= 256, 'too many segments')
    .optional(),
});
export type Ticket = z.output<typeof ticketSchema>;

export function issueTicket(signer: Signer, ticket: Omit<Ticket, 'issuedAt' | 'expiresAt'>, now: number): string {
  return signToken(signer, KIND, ticketSchema.parse({ ...ticket, issuedAt: now, expiresAt: now + TICKET_LIFE_MS }));
}

export interface TicketExpectation {
  /** PeerIds whose tickets count here: the coordinator's and, at most, members'. */
  issuedBy: (signer: string) => boolean;
  node: string;
  /** The browser's nonce cookie, when it has one. */
  nonce: string | undefined;
  now: number;
}

/**
 * Clocks of two machines may differ by CLOCK_SKEW_MAX_MS, and a ticket must work all the same.
 * Errors: `trust/ticket-refused`, which names the reason.
 */
export function checkTicket(token: string, expected: TicketExpectation): Ticket {
  const refused = (reason: string, cause?: unknown) => trustErrors('ticket-refused', { reason }, { cause });
  let opened: { payload: Ticket; signer: string };
  try {
    opened = openToken(token, KIND, ticketSchema);
  } catch (cause) {
    throw refused('it was changed or is incomplete', cause);
  }
  const { payload: ticket, signer } = opened;
  if (!expected.issuedBy(signer)) throw refused('it comes from a stranger');
  if (ticket.node !== expected.node) throw refused('it is for another node');
  if (ticket.expiresAt - ticket.issuedAt > TICKET_LIFE_MS) throw refused('it claims to live too long');
  if (ticket.issuedAt > expected.now + CLOCK_SKEW_MAX_MS) throw refused('it comes from the future');
  if (expected.now >= ticket.expiresAt + CLOCK_SKEW_MAX_MS) throw refused('it has expired');
  if (ticket.nonceHash !== null) {
    if (expected.nonce === undefined || nonceHash(expected.nonce) !== ticket.nonceHash) {
      throw refused('it was made for another browser');
    }
  }
  return ticket;
}

export function nonceHash(nonce: string): string {
  return createHash('sha256').update(nonce).digest('hex');
}
