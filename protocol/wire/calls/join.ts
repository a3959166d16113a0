/** `/galaxy/join/1`, served by the coordinator's lobby only. See docs/protocol/join.md. */
import { z } from 'zod';
import { networkSchema } from '../../trust/credential.js';
import { defineCall } from '../rpc.js';
import { multiaddrs, peerId, publicUrl, time, token, version, words } from './shapes.js';
// Loaded with the calls, so that the calling side knows the errors that the other side throws by code.
import './join-errors.js';

export const reachability = z.object({
  /** The address answered. */
  ok: z.boolean(),
  reason: words,
});
export type Reachability = z.output<typeof reachability>;

export const joinRequest = z.object({
  network: networkSchema,
  /** The invitation's secret. */
  secret: z.string().regex(/^[0-9a-f]{32,128}$/),
  version,
  /** Where members would dial this node; empty when it cannot be dialled. */
  addresses: multiaddrs,
  publicUrl: publicUrl.nullable(),
});

export const joinResponse = z.object({
  /** The signed credential of the caller's PeerId. */
  credential: token,
  nodeNumber: z.number().int().nonnegative(),
  name: words,
  /** PeerId of the coordinator and where members reach it. */
  coordinator: peerId,
  addresses: multiaddrs,
  /** The network's address for users. */
  networkUrl: z.string().max(512),
  /** 32 bytes, hex: seals API keys so that every node can show and route them. */
  networkKey: z.string().regex(/^[0-9a-f]{64}$/),
  /** As much of the member list as fits; the rest comes on `/galaxy/members/1`. */
  members: z.array(token).max(1000),
  /** Dialled back and fetched just now. */
  reachable: z.object({ libp2p: reachability, url: reachability }),
  time,
});

export const joinCall = defineCall({ protocol: 'join', name: 'join', request: joinRequest, response: joinResponse });

/** Asked by a node that no member lets in any more: its door is shut before it could be told why. */
export const standingCall = defineCall({
  protocol: 'join',
  name: 'standing',
  request: z.object({ network: networkSchema }),
  /** The signed revocation of the caller's PeerId; null: there is none. */
  response: z.object({ revocation: token.nullable() }),
});

/** What `<publicUrl>/galaxy-node/reachability?nonce=…` answers: a token of this kind, signed by the node. */
export const REACHABILITY_KIND = 'reachability';
export const REACHABILITY_PATH = '/galaxy-node/reachability';
export const reachabilitySchema = z.object({ nonce: z.string().max(128) });
