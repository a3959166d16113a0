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

/** Blobs in one offer. */
export const BLOB_OFFER_ITEMS_MAX = 512;
/** Chunks of all blobs in one offer: those of 16 TiB, so that the bitmaps of the reply fit one frame. */
export const BLOB_OFFER_CHUNKS_MAX = 2 ** 24;
/** Bytes of all blobs in one offer, unless it is a single one: an offer reserves that much at the holder. */
export const BLOB_OFFER_BYTES_MAX = 8 * 1024 * MiB;
/** Manifests inside the frame of an offer; those beyond follow raw. */
export const BLOB_OFFER_MANIFEST_BYTES_MAX = 1 * MiB;
/** Chunks that one request for a blob may ask for. */
export const BLOB_GET_CHUNKS_MAX = 16;
/** Requests for chunks under way to one source. */
export const BLOB_GETS_AT_ONCE = 2;
/** Ids in one question whether blobs are held. */
export const BLOB_HAVE_IDS_MAX = 4096;
/** Received and not yet written, per stream: bytes, and chunks. */
export const BLOB_UNWRITTEN_BYTES_MAX = 8 * MiB;
export const BLOB_UNWRITTEN_MAX = 128;
/** Written and not yet fsynced and recorded, per stream: bytes of complete blobs, and blobs. Many share a sync. */
export const BLOB_UNSYNCED_BYTES_MAX = 64 * MiB;
export const BLOB_UNSYNCED_MAX = 512;
/** Read and not yet sent, per stream: bytes, and chunks. */
export const BLOB_READ_AHEAD_BYTES_MAX = 4 * MiB;
export const BLOB_READ_AHEAD_MAX = 32;
/** Sources that one fetch uses at the same time, those that it knows, and how long it waits for one before it asks the next. */
export const BLOB_SOURCES_AT_ONCE = 4;
export const BLOB_SOURCES_MAX = 64;
export const BLOB_HEDGE_MS = 1000;
/** Fetches under way at the same time; more wait, up to the second number. */
export const BLOB_FETCHES_AT_ONCE = 32;
export const BLOB_FETCHES_MAX = 10_000;
/** How long the end of a conversation is waited for when everything was said. */
export const BLOB_CLOSE_MS = 2000;
