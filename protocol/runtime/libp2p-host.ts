/**
 * The `Host` on js-libp2p: connections, streams, gossip and provider records, in the terms of host.ts. How the node under
 * it is set up is in libp2p-node.ts. A dial to a peer that refuses us resolves all the same, so `connect` waits for an
 * answer over the new connection.
 */
import { createHash } from 'node:crypto';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { startDeadline } from './clock.js';
import { printable } from './errors.js';
import type { ByteStream, GossipVerdict, Host, StreamHandler, StreamLimits } from './host.js';
import { hostErrors } from './host-errors.js';
import {
  createNode,
  GOSSIP_BYTES_MAX,
  type Libp2pHostDeps,
  type Libp2pHostOptions,
  type Services,
  scoreTopic,
  verdict,
} from './libp2p-node.js';
import { hostListenError } from './listen.js';
import { MuxedStream } from './muxed-stream.js';

/** Codes of multiformats' table. */
const RAW_CODEC = 0x55;
const SHA2_256 = 0x12;
/** Proves that the remote's muxer, hence its gate, let us in. */
const ADMITTED_PROBE = '/ipfs/ping/1.0.0';
const OUTBOUND_STREAMS_MAX = 4096;
const DIAL_MS = 15_000;
const STOP_WAIT_MS = 5000;
/** After its handler is done, a remote has this long to end its side. */
const LINGER_MS = 30_000;

/**
 * SHA-256 of the key's text, as a CID. Not the CID itself: kad-dht sends a key's multihash and reads it back as a CID,
 * which only holds for SHA-256 (the form of CIDv0); a BLAKE3 key would be refused by every peer that is asked.
 */
function dhtKey(text: string): CID {
  return CID.createV1(RAW_CODEC, createDigest(SHA2_256, createHash('sha256').update(text).digest()));
}

export async function createLibp2pHost(deps: Libp2pHostDeps, options: Libp2pHostOptions): Promise<Host> {
  return new Libp2pHost(await createNode(deps, options), deps, options);
}

class Libp2pHost implements Host {
  readonly peerId: string;
  private readonly open = new Set<MuxedStream>();
  private readonly handling = new Set<Promise<void>>();
  private readonly connecting = new Map<string, Promise<void>>();
  private readonly peerListeners = new Set<(event: { peer: string; connected: boolean }) => void>();
  private readonly deliveries = new Map<string, (from: string, bytes: Uint8Array) => void>();
  private running = false;
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly node: Libp2p<Services>,
    private readonly deps: Libp2pHostDeps,
    private readonly options: Libp2pHostOptions,
  ) {
    this.peerId = deps.key.peerId;
    node.addEventListener('peer:connect', (event) => this.tellPeer(event.detail.toString(), true));
    node.addEventListener('peer:disconnect', (event) => this.tellPeer(event.detail.toString(), false));
    this.gossip?.addEventListener('message', (event) => {
      const message = event.detail;
      if (message.type === 'signed') this.deliveries.get(message.topic)?.(message.from.toString(), message.data);
    });
  }

  async start(): Promise<void> {
    if (this.running) return;
    if (this.stopping !== undefined) throw hostErrors('stopped');
    try {
      await this.node.start();
      // kad-dht names a provider by what its own peer store has of it, and there it has nothing of itself: a node that
      // provides would leave itself out when it is asked.
      await this.node.peerStore.merge(this.node.peerId, { multiaddrs: this.node.getMultiaddrs() });
      this.running = true;
    } catch (cause) {
      await this.node.stop();
      throw hostListenError(cause, this.options.listen);
    }
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopNow();
    return this.stopping;
  }

  private async stopNow(): Promise<void> {
    this.running = false;
    for (const stream of [...this.open]) stream.abort(new Error('the host stops'));
    await this.node.stop();
    await this.within(STOP_WAIT_MS, Promise.allSettled([...this.handling])).catch(() => {
      this.deps.log.warn({ handlers: this.handling.size }, 'stream handlers did not end in time');
    });
  }

  addresses(): string[] {
    return this.node.getMultiaddrs().map(String);
  }

  connect(peer: string, addresses: readonly string[], signal: AbortSignal): Promise<void> {
    // Callers that share a dial share its end, and each keeps its own deadline.
    let dial = this.connecting.get(peer);
    if (dial === undefined) {
      const limit = startDeadline(this.deps.clock, DIAL_MS);
      dial = this.dial(peer, addresses, limit.signal).finally(() => {
        limit.cancel();
        this.connecting.delete(peer);
      });
      this.connecting.set(peer, dial);
    }
    return untilAborted(dial, signal, () => this.unreachable(peer, signal.reason, signal));
  }

  private async dial(peer: string, addresses: readonly string[], signal: AbortSignal): Promise<void> {
    if (!this.running) throw hostErrors('stopped');
    if (this.isConnected(peer)) return;
    if (!this.deps.gate.admits(peer)) throw hostErrors('not-admitted', { peer });
    const targets = addresses.map((address) => addressOf(peer, address));
    // libp2p would hand out one that the remote is closing as if it were good.
    for (const connection of this.node.getConnections(peerIdFromString(peer))) {
      if (!isUsable(connection)) connection.abort(new Error('half closed'));
    }
    let connection: Connection;
    try {
      connection = await this.node.dial(targets.length > 0 ? targets : peerIdFromString(peer), { signal });
    } catch (cause) {
      throw this.unreachable(peer, cause, signal);
    }
    try {
      const probe = await connection.newStream(ADMITTED_PROBE, { signal });
      await probe.close();
    } catch (cause) {
      connection.abort(new Error('not admitted'));
      if (signal.aborted) throw this.unreachable(peer, cause, signal);
      throw hostErrors('refused', { peer }, { cause });
    }
  }

  async disconnect(peer: string): Promise<void> {
    // Not graceful: whoever hangs up has nothing more to say, and a graceful close waits for the other side.
    for (const connection of this.node.getConnections(peerIdFromString(peer))) {
      connection.abort(new Error('disconnected'));
    }
  }

  connectedPeers(): string[] {
    return this.node.getPeers().map(String);
  }

  isConnected(peer: string): boolean {
    return this.connectionTo(peer) !== undefined;
  }

  remoteAddress(peer: string): string | undefined {
    return this.connectionTo(peer)?.remoteAddr.toString();
  }

  async openStream(peer: string, protocol: string, signal: AbortSignal): Promise<ByteStream> {
    const connection = this.connectionTo(peer);
    if (connection === undefined) throw hostErrors('not-connected', { peer });
    try {
      const stream = await connection.newStream(protocol, { signal, maxOutboundStreams: OUTBOUND_STREAMS_MAX });
      return this.wrap(stream, peer);
    } catch (cause) {
      if (signal.aborted && !isTimeout(signal.reason)) throw signal.reason;
      if ((cause as Error).name === 'UnsupportedProtocolError') {
        throw hostErrors('not-supported', { peer, protocol }, { cause });
      }
      throw hostErrors('stream-failed', { peer, protocol, reason: reasonOf(cause) }, { cause });
    }
  }

  async handle(protocol: string, limits: StreamLimits, handler: StreamHandler): Promise<void> {
    await this.node.handle(
      protocol,
      (stream, connection) => {
        const ended = new AbortController();
        const wrapped = this.wrap(stream, connection.remotePeer.toString(), () =>
          ended.abort(new Error('stream over')),
        );
        const handled = this.handleOne(wrapped, (given) => handler(given, ended.signal));
        const run: Promise<void> = handled.finally(() => this.handling.delete(run));
        this.handling.add(run);
      },
      { maxInboundStreams: limits.inboundStreamsMax, maxOutboundStreams: limits.outboundStreamsMax, force: true },
    );
  }

  private async handleOne(stream: MuxedStream, handler: (stream: ByteStream) => Promise<void>): Promise<void> {
    const { protocol, remotePeer: peer } = stream;
    try {
      await handler(stream);
      if (stream.closed) return;
      await this.within(
        LINGER_MS,
        stream.closeWrite().then(() => stream.discardRest()),
      );
    } catch (error) {
      this.deps.log.debug({ protocol, peer, reason: reasonOf(error) }, 'a stream ended with an error');
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    }
  }

  onPeer(listener: (event: { peer: string; connected: boolean }) => void): () => void {
    this.peerListeners.add(listener);
    return () => this.peerListeners.delete(listener);
  }

  subscribe(
    topic: string,
    validate: (from: string, bytes: Uint8Array) => GossipVerdict,
    deliver: (from: string, bytes: Uint8Array) => void,
  ): void {
    const gossip = this.mustGossip();
    if (this.deliveries.has(topic)) throw new Error(`already subscribed to ${topic}`);
    this.deliveries.set(topic, deliver);
    scoreTopic(gossip, topic);
    gossip.topicValidators.set(topic, (_source, message) => {
      if (message.type !== 'signed') return verdict('reject');
      return verdict(validate(message.from.toString(), message.data));
    });
    gossip.subscribe(topic);
  }

  async publish(topic: string, bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength > GOSSIP_BYTES_MAX) throw new Error(`a gossip message has at most ${GOSSIP_BYTES_MAX} bytes`);
    await this.mustGossip().publish(topic, bytes);
  }

  async provide(key: string, signal: AbortSignal): Promise<void> {
    if (this.node.services.dht === undefined) throw hostErrors('no-dht');
    for await (const _event of this.node.services.dht.provide(dhtKey(key), { signal })) {
      // The record is placed when the query has run to its end.
    }
  }

  async *findProviders(key: string, signal: AbortSignal): AsyncIterable<{ peer: string; addresses: string[] }> {
    if (this.node.services.dht === undefined) throw hostErrors('no-dht');
    const seen = new Set<string>();
    for await (const event of this.node.services.dht.findProviders(dhtKey(key), { signal })) {
      if (event.name !== 'PROVIDER' && event.name !== 'PEER_RESPONSE') continue;
      for (const provider of event.providers) {
        const peer = provider.id.toString();
        if (seen.has(peer)) continue;
        seen.add(peer);
        yield { peer, addresses: provider.multiaddrs.map(String) };
      }
    }
  }

  private async within<T>(ms: number, work: Promise<T>): Promise<T> {
    const limit = startDeadline(this.deps.clock, ms);
    try {
      return await untilAborted(work, limit.signal, () => limit.signal.reason);
    } finally {
      limit.cancel();
    }
  }

  private get gossip(): Services['gossip'] {
    return this.node.services.gossip;
  }

  private mustGossip(): NonNullable<Services['gossip']> {
    if (this.gossip === undefined) throw new Error('this host was made without gossip');
    return this.gossip;
  }

  private connectionTo(peer: string): Connection | undefined {
    return this.node.getConnections(peerIdFromString(peer)).find(isUsable);
  }

  private wrap(stream: Stream, peer: string, onClosed?: () => void): MuxedStream {
    const wrapped = new MuxedStream(stream, {
      peer,
      onClosed: (closed) => {
        this.open.delete(closed);
        onClosed?.();
      },
    });
    if (!wrapped.closed) this.open.add(wrapped);
    return wrapped;
  }

  private tellPeer(peer: string, connected: boolean): void {
    this.deps.log.debug({ peer, connected }, 'peer connection changed');
    for (const listener of this.peerListeners) listener({ peer, connected });
  }

  private unreachable(peer: string, cause: unknown, signal: AbortSignal): unknown {
    if (signal.aborted && !isTimeout(signal.reason)) return signal.reason;
    const reason = signal.aborted ? 'no answer in time' : reasonOf(cause);
    return hostErrors('unreachable', { peer, reason }, { cause });
  }
}

/** For a while after the remote hung up, a connection says that it is open although its muxer is closed. */
function isUsable(connection: Connection): boolean {
  const { muxer } = connection as unknown as { muxer?: { status: string } };
  return connection.status === 'open' && muxer?.status === 'open';
}

function addressOf(peer: string, address: string): Multiaddr {
  try {
    const parsed = multiaddr(address);
    const named = parsed.getComponents().findLast((component) => component.name === 'p2p')?.value;
    if (named === undefined) return parsed.encapsulate(`/p2p/${peer}`);
    if (named === peer) return parsed;
  } catch (cause) {
    throw hostErrors('bad-address', { address, peer }, { cause });
  }
  throw hostErrors('bad-address', { address, peer });
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'TimeoutError';
}

function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError) {
    const reasons = cause.errors.map((error: unknown) => reasonOf(error));
    return printable([...new Set(reasons)].join('; '));
  }
  return printable(cause instanceof Error ? cause.message || cause.name : String(cause));
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal, error: () => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(error());
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
