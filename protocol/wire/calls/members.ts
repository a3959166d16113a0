/** `/galaxy/members/1`: two members bring their lists in line. See docs/protocol/register.md, "The member list". */
import { z } from 'zod';
import { defineCall } from '../rpc.js';
import { hex64, token } from './shapes.js';

export const memberVersion = z.object({
  /** SHA-256 over all items, hex: equal lists have equal digests. */
  digest: hex64,
  members: z.number().int().nonnegative(),
  revocation: z.number().int().nonnegative(),
});

/** Characters of tokens in one answer. */
export const MEMBERS_PAGE_CHARS = 512 * 1024;

export const membersCall = defineCall({
  protocol: 'members',
  name: 'members',
  request: z.object({
    version: memberVersion,
    /** Go on after this token (`next` of the answer before). */
    after: token.optional(),
  }),
  response: z.object({
    version: memberVersion,
    /** Credentials and revocations, each to be checked by its own signature. Empty when the versions agree. */
    tokens: z.array(token).max(10_000),
    next: token.optional(),
  }),
});
