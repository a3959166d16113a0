/**
 * `/galaxy/register/1`: one long-lived stream from each node to the coordinator. The node says hello, then sends a digest
 * each second; the coordinator welcomes or refuses, then sends what the node must know at once. Nothing of it is the
 * only way to learn something: after a lost stream the node asks for members (`/galaxy/members/1`) and leases
 * (`/galaxy/directory/1`, `leases`) anew. See docs/protocol/register.md.
 */
import { z } from 'zod';
import { THING_KINDS } from '../../account/things.js';
import { defineChannel } from '../channel.js';
import { reachability } from './join.js';
import { memberVersion } from './members.js';
import { entityId, multiaddrs, nonce, peerId, publicUrl, time, token, version, words } from './shapes.js';
// Loaded with the calls, so that the calling side knows the errors that the other side throws by code.
import './register-errors.js';

export const peerLoad = z.object({
  state: z.enum(['joining', 'serving', 'draining', 'drained']),
  slots: z.number().int().nonnegative(),
  queued: z.number().int().nonnegative(),
  running: z.number().int().nonnegative(),
  freeBytes: z.number().int().nonnegative(),
  /** Accepted here and not yet safe. */
  atRiskBytes: z.number().int().nonnegative(),
  /** Rises by one with each digest of a process. */
  sequence: z.number().int().nonnegative(),
});

export const hello = z.object({
  kind: z.literal('hello'),
  /** Of this start; fsynced by the node before it is sent. */
  boot: z.number().int().positive(),
  /** Drawn at each start. */
  bootNonce: nonce,
  storeId: z.string().regex(/^[0-9a-f]{32}$/),
  /** The node's clock. */
  time,
  version,
  publicUrl: publicUrl.nullable(),
  addresses: multiaddrs,
  /** What it offers for copies of others. */
  capacityBytes: z.number().int().nonnegative(),
  credential: token,
  members: memberVersion,
});
export type HelloMessage = z.output<typeof hello>;

export const HEADS_PER_DIGEST_MAX = 500;

/** Things of one head, and of all heads of one digest. */
export const HEAD_THINGS_MAX = 100;
export const DIGEST_THINGS_MAX = 5000;

/** The last entry that the sender wrote for an account. */
export const accountHead = z.object({
  account: entityId,
  epoch: z.number().int().nonnegative(),
  writer: z.string().regex(/^[0-9a-f]{16}$/),
  seq: z.number().int().positive(),
  /**
   * What the entries since the last word changed, as a person counts it (protocol/account/things.ts), each with the seq of
   * the last entry that did. Beyond the bound the latest are named.
   */
  things: z
    .array(z.object({ kind: z.enum(THING_KINDS), id: entityId, seq: z.number().int().positive() }))
    .max(HEAD_THINGS_MAX)
    .optional(),
});
export type AccountHead = z.output<typeof accountHead>;

export const digest = peerLoad.extend({
  kind: z.literal('digest'),
  publicUrl: publicUrl.nullable(),
  /** Peers that follow this node's journal. */
  logPartners: z.array(peerId).max(8),
  /** How far this node wrote each account that changed since the digest before: what is missing elsewhere is then known. */
  heads: z.array(accountHead).max(HEADS_PER_DIGEST_MAX),
});

/** A command was carried out, or why not. */
export const commandDone = z.object({
  kind: z.literal('done'),
  command: z.number().int().positive(),
  code: z.string().max(128).optional(),
});

/** Node → coordinator. */
export const registerUp = z.discriminatedUnion('kind', [hello, digest, commandDone]);
export type RegisterUp = z.output<typeof registerUp>;

export const welcome = z.object({
  kind: z.literal('welcome'),
  /** A renewed credential, when it was due. */
  credential: token.optional(),
  /** How often to send digests. */
  digestIntervalMs: z.number().int().positive(),
  networkUrl: z.string().max(512),
  /** PeerId of the repository: the coordinator's own. */
  repository: peerId,
  time,
  members: memberVersion,
});

export const refused = z.object({
  kind: z.literal('refused'),
  code: z.string().max(128),
  data: z.record(z.string().max(64), z.union([words, z.number(), z.boolean()])),
  message: words,
});

/** How one other member is doing; sent on change, at most each second. */
export const peerStatus = z.object({
  peerId,
  state: z.enum(['joined', 'joining', 'serving', 'draining', 'drained', 'revoked']),
  /** Of its last registration: another one means that nothing it ran before runs any more. Absent: it never registered. */
  boot: z.number().int().nonnegative().optional(),
  /** Answers at the moment. */
  routable: z.boolean(),
  addresses: multiaddrs,
  publicUrl: z.string().max(512).nullable(),
  capacityBytes: z.number().int().nonnegative(),
  freeBytes: z.number().int().nonnegative(),
  slots: z.number().int().nonnegative(),
  queued: z.number().int().nonnegative(),
  running: z.number().int().nonnegative(),
});
export type PeerStatus = z.output<typeof peerStatus>;

export const command = z.object({
  kind: z.literal('command'),
  id: z.number().int().positive(),
  do: z.discriminatedUnion('what', [
    /** This node is no longer the home: seal the segment, push the tail, redirect to the new home. */
    z.object({ what: z.literal('seal'), account: entityId, to: peerId, epoch: z.number().int().nonnegative() }),
    /** This node is the new home: take the account over from the holders of its log. */
    z.object({ what: z.literal('adopt'), account: entityId, from: peerId, lease: token }),
  ]),
});
export type Command = z.output<typeof command>['do'];

/** Coordinator → node. */
export const registerDown = z.discriminatedUnion('kind', [
  welcome,
  refused,
  z.object({ kind: z.literal('members'), version: memberVersion, tokens: z.array(token).max(1000) }),
  z.object({ kind: z.literal('peers'), peers: z.array(peerStatus).max(1000) }),
  /** The public URL was fetched just now. */
  z.object({ kind: z.literal('reachable'), url: reachability }),
  /** Sent each second when there is nothing else, so that the node knows that the coordinator is there. */
  z.object({ kind: z.literal('beat'), time }),
  command,
]);
export type RegisterDown = z.output<typeof registerDown>;

export const registerChannel = defineChannel({ protocol: 'register', up: registerUp, down: registerDown });
