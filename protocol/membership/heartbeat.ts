/**
 * A heartbeat's digest: what a node says of itself, each second to the coordinator and, less often, to all peers by
 * gossip. It carries hints only; nothing is lost when one is.
 */
import { z } from 'zod';
import { locationSchema, timeSchema } from '../trust/credential.js';
import { peerIdSchema } from '../trust/identity.js';
import { CLOCK_SKEW_MAX_MS, DIGEST_BYTES_MAX } from '../wire/limits.js';
import { membershipErrors } from './errors.js';

/** How a node sees itself; whether it is alive is for others to say (liveness.ts). */
export const NODE_STATES = ['joining', 'serving', 'draining', 'drained'] as const;
export type NodeState = (typeof NODE_STATES)[number];

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

export const digestSchema = z.object({
  peerId: peerIdSchema,
  /** Rises with each start of the process. */
  boot: count,
  /** Rises with each digest of one boot. */
  sequence: count,
  state: z.enum(NODE_STATES),
  /** Where browsers reach it; null: only through the coordinator. */
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .max(300)
    .nullable(),
  location: locationSchema.nullable(),
  /** Jobs that may run at once, that wait, that run. */
  slots: count,
  queued: count,
  running: count,
  freeBytes: count,
  /** What is at risk here: bytes not yet safe, and the age of the oldest of them. */
  replicationLag: z.object({ bytes: count, ageMs: count }),
  /** Of the program. */
  version: z.string().min(1).max(40),
  hearsCoordinator: z.boolean(),
  /** Milliseconds since 1970 by the sender's clock. */
  sentAt: timeSchema,
});
export type Digest = z.output<typeof digestSchema>;

export function encodeDigest(digest: Digest): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(digestSchema.parse(digest)));
  if (bytes.byteLength > DIGEST_BYTES_MAX) throw new Error(`a digest of ${bytes.byteLength} bytes would be refused`);
  return bytes;
}

/** Errors: `membership/malformed-digest`. */
export function decodeDigest(bytes: Uint8Array): Digest {
  const malformed = (reason: string) => membershipErrors('malformed-digest', { reason });
  if (bytes.byteLength > DIGEST_BYTES_MAX) throw malformed(`it has ${bytes.byteLength} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw malformed('it is not JSON');
  }
  const parsed = digestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw malformed(`${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'not valid'}`);
}

/** Later than `b` by the sender's own count. */
export function isNewer(a: Pick<Digest, 'boot' | 'sequence'>, b: Pick<Digest, 'boot' | 'sequence'>): boolean {
  return a.boot > b.boot || (a.boot === b.boot && a.sequence > b.sequence);
}

export function heartbeatTopic(network: string): string {
  return `/galaxy/${network}/heartbeat/1`;
}

/** One core verifies some 400 gossiped messages a second, and every peer gets every digest: 25 a second are affordable. */
export function gossipIntervalMs(members: number): number {
  return members <= 50 ? 2000 : members * 40;
}

export type DigestVerdict =
  | { verdict: 'accept'; digest: Digest }
  | { verdict: 'ignore' | 'reject'; reason: string; peer?: string };

/** What the gossip validator decides: bytes that no honest member sends are rejected, what may be late is ignored. */
export function judgeDigest(
  from: string,
  bytes: Uint8Array,
  known: {
    admits: (peer: string) => boolean;
    last: (peer: string) => Pick<Digest, 'boot' | 'sequence'> | undefined;
    now: number;
  },
): DigestVerdict {
  if (!known.admits(from)) return { verdict: 'ignore', reason: 'not a member', peer: from };
  let digest: Digest;
  try {
    digest = decodeDigest(bytes);
  } catch (error) {
    return { verdict: 'reject', reason: (error as Error).message, peer: from };
  }
  if (digest.peerId !== from) return { verdict: 'reject', reason: 'it speaks for another peer', peer: from };
  if (Math.abs(digest.sentAt - known.now) > CLOCK_SKEW_MAX_MS) {
    return { verdict: 'ignore', reason: 'its clock is off', peer: from };
  }
  const last = known.last(from);
  if (last !== undefined && !isNewer(digest, last)) return { verdict: 'ignore', reason: 'not newer', peer: from };
  return { verdict: 'accept', digest };
}
