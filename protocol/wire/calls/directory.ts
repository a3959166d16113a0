/**
 * `/galaxy/directory/1`: what nodes ask the coordinator about accounts. The caller is the node whose PeerId the connection
 * proves; what changes an account only its home may ask. See docs/protocol/directory.md.
 */
import { z } from 'zod';
import { THING_KINDS } from '../../account/things.js';
import { defineCall } from '../rpc.js';
import { email, entityId, hex64, passwordHash, peerId, token, username } from './shapes.js';
// Loaded with the calls, so that the calling side knows the errors that the other side throws by code.
import './directory-errors.js';

const protocol = 'directory';
/** Keys of one account asked about at once. */
export const REVOCATIONS_ASKED_MAX = 200;

export const directoryAccount = z.object({
  account: entityId,
  email,
  username,
  /** Empty unless the caller is the home: others use `signIn`. */
  passwordHash,
  /** PeerId of the home. */
  home: peerId,
  epoch: z.number().int().nonnegative(),
  /** PeerId of the node that claimed it; absent when the directory has not noted it. */
  origin: peerId.optional(),
});
export type DirectoryAccountMessage = z.output<typeof directoryAccount>;

const found = z.object({ account: directoryAccount.nullable() });

/** A token good for one minute and one use at `<networkUrl>/network/signed-in`, in the browser that signed in: see http.md. */
const handOff = token;

export const directoryCalls = {
  /** A new account with the caller as its home. Errors: `directory/email-taken`, `…/username-taken`, `…/account-exists`. */
  claim: defineCall({
    protocol,
    name: 'claim',
    request: z.object({ account: entityId, email, username, passwordHash: passwordHash.min(1) }),
    response: z.object({ account: directoryAccount, lease: token, handOff }),
  }),
  /** By e-mail or public name. */
  find: defineCall({ protocol, name: 'find', request: z.object({ login: email }), response: found }),
  byId: defineCall({ protocol, name: 'byId', request: z.object({ account: entityId }), response: found }),
  byKeyHash: defineCall({ protocol, name: 'byKeyHash', request: z.object({ hash: hex64 }), response: found }),
  /** Checks a password for whoever is signing in at the caller. Errors: `directory/wrong-password`, `directory/busy`. */
  signIn: defineCall({
    protocol,
    name: 'signIn',
    request: z.object({ login: email, password: z.string().min(1).max(1024) }),
    response: z.object({ account: directoryAccount, handOff }),
  }),
  /** For somebody who is signed in at her home, the caller. Error: `directory/not-home`. */
  handOff: defineCall({
    protocol,
    name: 'handOff',
    request: z.object({ account: entityId }),
    response: z.object({ handOff }),
  }),
  /** Errors: `directory/not-home`, `directory/key-revoked`. */
  putKey: defineCall({
    protocol,
    name: 'putKey',
    request: z.object({ account: entityId, hash: hex64, revoked: z.boolean() }),
    response: z.object({}),
  }),
  /** Errors: `directory/not-home`, `directory/email-taken`, `directory/username-taken`. */
  update: defineCall({
    protocol,
    name: 'update',
    request: z.object({
      account: entityId,
      change: z.object({
        email: email.optional(),
        username: username.optional(),
        passwordHash: passwordHash.min(1).optional(),
      }),
    }),
    response: z.object({ account: directoryAccount }),
  }),
  /** What was taken back that the log of an account at home on the caller may not say: it died with the former home. */
  revocations: defineCall({
    protocol,
    name: 'revocations',
    request: z.object({ account: entityId, hashes: z.array(hex64).max(REVOCATIONS_ASKED_MAX) }),
    /** Of the hashes those that are revoked; sign-ins from before `sessionsNotBefore` do not count. */
    response: z.object({
      revoked: z.array(hex64).max(REVOCATIONS_ASKED_MAX),
      sessionsNotBefore: z.number().int().nonnegative(),
    }),
  }),
  /** Leases of the accounts at home on the caller, in order of account. An account not among them is not. */
  leases: defineCall({
    protocol,
    name: 'leases',
    request: z.object({ after: entityId.optional() }),
    response: z.object({
      leases: z.array(z.object({ account: entityId, epoch: z.number().int().nonnegative(), lease: token })).max(200),
      /** More come after the last one. */
      more: z.boolean(),
    }),
  }),
  /** The caller has a request for this account and cannot serve it: is its home still there, and if not, who is? */
  locate: defineCall({
    protocol,
    name: 'locate',
    request: z.object({ account: entityId }),
    response: z.object({
      home: peerId,
      epoch: z.number().int().nonnegative(),
      /** The home answers. */
      serves: z.boolean(),
      retryAfterMs: z.number().int().nonnegative(),
      reasons: z.array(z.string().max(500)).max(64),
    }),
  }),
  /** What other nodes wrote for an account at home on the caller that has not come to the repository yet. */
  waiting: defineCall({
    protocol,
    name: 'waiting',
    request: z.object({ account: entityId }),
    response: z.object({
      waiting: z
        .array(
          z.object({
            name: z.string().max(200),
            /** Things changed, or entries when the node that wrote them did not say what they are. */
            changes: z.number().int().positive(),
            things: z.record(z.enum(THING_KINDS), z.number().int().nonnegative()).optional(),
          }),
        )
        .max(64),
    }),
  }),
} as const;

export const LEASES_PAGE_MAX = 200;
