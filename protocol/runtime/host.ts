/**
 * What the project needs of a peer-to-peer host. Everything above is written against these interfaces; the one
 * implementation on libp2p is libp2p-host.ts, tests may use an in-memory one.
 *
 * A `ByteStream` has backpressure in both directions (libp2p's own helpers have none for receiving; the traps are noted
 * where they are avoided, in libp2p-host.ts).
 */

/** The DHT's protocol id: our own, so that our nodes and other libp2p networks never mix. */
export const DHT_PROTOCOL = '/galaxy/kad/1.0.0';
/** A write waits while this many bytes are buffered on its stream. */
export const STREAM_BUFFER_BYTES_MAX = 1024 * 1024;

export interface ByteStream {
  readonly remotePeer: string;
  readonly protocol: string;
  /**
   * Pull-based: while nobody pulls, the sender is paused; what is held then is bounded (1 MiB here and the muxer's
   * window of 2 MiB). Ends at the remote's half-close; throws when the stream is aborted or its connection lost.
   * One reader at a time; leaving the loop before the end aborts the stream, so that the sender does not wait for ever.
   */
  source(): AsyncGenerator<Uint8Array>;
  /**
   * Resolves when the bytes may be followed by more; rejects when the stream is closed or aborted. The bytes belong to
   * the stream from then on: the caller must not change them.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Half-close: the remote's source ends; reading goes on. Idempotent. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once; the remote's source throws. Idempotent. */
  abort(error: Error): void;
  readonly closed: boolean;
}

/**
 * When it resolves, our side is half-closed and the rest of the remote's bytes is discarded; when it throws, the stream
 * is aborted. `ended` aborts when the stream is over in both directions, so that nobody works for a caller who has gone.
 */
export type StreamHandler = (stream: ByteStream, ended: AbortSignal) => Promise<void>;

export interface StreamLimits {
  /** Streams of this protocol on one connection, each way. */
  inboundStreamsMax: number;
  outboundStreamsMax: number;
}

export type GossipVerdict = 'accept' | 'ignore' | 'reject';

export interface Host {
  readonly peerId: string;
  /** Multiaddrs to listen on, with /p2p/. */
  addresses(): string[];
  /**
   * Dials when there is no connection yet. Addresses may be empty when the peer is known. Resolves once the peer has
   * answered, so a peer that does not admit us is `host/refused` here and not a broken connection later.
   * Errors: `host/unreachable`, `host/refused`, `host/stopped`.
   */
  connect(peer: string, addresses: readonly string[], signal: AbortSignal): Promise<void>;
  disconnect(peer: string): Promise<void>;
  connectedPeers(): string[];
  isConnected(peer: string): boolean;
  /** The remote's address on an open connection, as a multiaddr. */
  remoteAddress(peer: string): string | undefined;
  /** The signal ends the opening only. Errors: `host/not-connected`, `host/not-supported`, `host/stream-failed`. */
  openStream(peer: string, protocol: string, signal: AbortSignal): Promise<ByteStream>;
  handle(protocol: string, limits: StreamLimits, handler: StreamHandler): Promise<void>;
  /** Connections as they come and go. One that the remote then refuses shows up too, for the moment it lasts. */
  onPeer(listener: (event: { peer: string; connected: boolean }) => void): () => void;
  /** Gossip with signed messages of at most 16 KiB; the validator sees them before they are handed on. */
  subscribe(
    topic: string,
    validate: (from: string, bytes: Uint8Array) => GossipVerdict,
    deliver: (from: string, bytes: Uint8Array) => void,
  ): void;
  publish(topic: string, bytes: Uint8Array): Promise<void>;
  /** DHT provider records; `key` is a CID as text. They last 24 h here and in memory: provide again after a restart. */
  provide(key: string, signal: AbortSignal): Promise<void>;
  findProviders(key: string, signal: AbortSignal): AsyncIterable<{ peer: string; addresses: string[] }>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Decides before the muxer whether a peer may connect; see docs/TRUST.md. */
export interface Gate {
  admits(peer: string): boolean;
}
