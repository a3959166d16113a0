/**
 * A bound for everything that a peer or a client can make grow, and the deadline of every wait. A protocol without an
 * entry here does not compile. Sizes in bytes, times in milliseconds.
 */

export const PROTOCOLS = {
  join: '/galaxy/join/1',
  members: '/galaxy/members/1',
  register: '/galaxy/register/1',
  directory: '/galaxy/directory/1',
  log: '/galaxy/log/1',
  blob: '/galaxy/blob/1',
  http: '/galaxy/http/1',
  handover: '/galaxy/handover/1',
} as const;

export { DHT_PROTOCOL, STREAM_BUFFER_BYTES_MAX } from '../runtime/host.js';

export type ProtocolName = keyof typeof PROTOCOLS;

export interface ProtocolLimits {
  /** One framed message. */
  messageBytesMax: number;
  inboundStreamsMax: number;
  outboundStreamsMax: number;
  /** One call, or one step of a conversation. */
  deadlineMs: number;
  /** Calls one peer may make in a minute; past it `wire/too-many`. */
  callsPerMinuteMax: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const LIMITS: Record<ProtocolName, ProtocolLimits> = {
  join: {
    messageBytesMax: 64 * KiB,
    inboundStreamsMax: 32,
    outboundStreamsMax: 4,
    deadlineMs: 15_000,
    callsPerMinuteMax: 30,
  },
  members: {
    messageBytesMax: 1 * MiB,
    inboundStreamsMax: 64,
    outboundStreamsMax: 64,
    deadlineMs: 10_000,
    callsPerMinuteMax: 120,
  },
  register: {
    messageBytesMax: 1 * MiB,
    inboundStreamsMax: 8,
    outboundStreamsMax: 2,
    deadlineMs: 10_000,
    callsPerMinuteMax: 60,
  },
  directory: {
    messageBytesMax: 256 * KiB,
    inboundStreamsMax: 256,
    outboundStreamsMax: 64,
    deadlineMs: 10_000,
    callsPerMinuteMax: 60_000,
  },
  log: {
    messageBytesMax: 4 * MiB,
    inboundStreamsMax: 64,
    outboundStreamsMax: 64,
    deadlineMs: 30_000,
    callsPerMinuteMax: 60_000,
  },
  blob: {
    messageBytesMax: 8 * MiB,
    inboundStreamsMax: 32,
    outboundStreamsMax: 32,
    deadlineMs: 60_000,
    callsPerMinuteMax: 60_000,
  },
  http: {
    messageBytesMax: 64 * KiB,
    inboundStreamsMax: 512,
    outboundStreamsMax: 512,
    deadlineMs: 60_000,
    callsPerMinuteMax: 600_000,
  },
  handover: {
    messageBytesMax: 1 * MiB,
    inboundStreamsMax: 8,
    outboundStreamsMax: 8,
    deadlineMs: 60_000,
    callsPerMinuteMax: 6_000,
  },
};

/** One chunk of a blob, for ever. */
export const CHUNK_BYTES = 1 * MiB;
/** Payload of a log entry, as JSON. */
export const ENTRY_PAYLOAD_BYTES_MAX = 64 * KiB;
/** A JSON request body of the HTTP API. */
export const API_BODY_BYTES_MAX = 16 * MiB;
/** Clocks further apart than this do not register. */
export const CLOCK_SKEW_MAX_MS = 60_000;

/** An idle stream that calls share is closed by the caller after this, and by the server after twice as long. */
export const CALL_STREAM_IDLE_MS = 30_000;
/** Calls that wait for a free stream to one peer and protocol; more are refused. */
export const CALLS_WAITING_MAX = 1000;
/** Messages of a channel that wait to be sent; a producer past it is told so. */
export const CHANNEL_SENDS_MAX = 256;
/** One gossiped message. */
export const GOSSIP_BYTES_MAX = 16 * KiB;
/** A heartbeat's digest. */
export const DIGEST_BYTES_MAX = 2 * KiB;
/** Peers whose digests or quotas are remembered. */
export const PEERS_MAX = 10_000;
