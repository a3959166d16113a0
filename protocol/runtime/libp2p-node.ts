/**
 * The js-libp2p node behind a `Host`: TCP, Noise, yamux, and for members gossipsub and a Kademlia DHT of our own, all set
 * up alike on every host of the network. What is built on it is libp2p-host.ts; these two alone import libp2p.
 *
 * What was measured and is avoided here: yamux windows above libp2p's read buffer reset a paused reader, and windows
 * that differ between nodes reset streams, so every host uses the same ones. Gating single protocols by middleware
 * leaves gossip dead after a reconnect, so who may connect is decided by PeerId before there is a muxer.
 */
import './polyfill.js';
import { noise } from '@chainsafe/libp2p-noise';
import { type GossipSub, gossipsub } from '@libp2p/gossipsub';
import type { PeerScoreParams, TopicScoreParams } from '@libp2p/gossipsub/score';
import { identify } from '@libp2p/identify';
import type { ComponentLogger, Libp2p, PrivateKey, ServiceMap } from '@libp2p/interface';
import { type KadDHT, kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p, type ServiceFactoryMap } from 'libp2p';
import type { Clock } from './clock.js';
import { DHT_PROTOCOL, type Gate, type GossipVerdict } from './host.js';
import type { Logger } from './logger.js';

export interface Libp2pHostDeps {
  /** Structural, because a key is the business of protocol/trust, which stands above. */
  key: { readonly peerId: string; readonly privateKey: PrivateKey };
  gate: Gate;
  log: Logger;
  clock: Clock;
}

export interface Libp2pHostOptions {
  /** Multiaddrs. */
  listen: readonly string[];
  /** Told to peers in place of those listened on; empty: those listened on. */
  announce: readonly string[];
  gossip: boolean;
  dht: boolean;
}

const KiB = 1024;
/** The same on every host of the network: different windows reset streams. */
const YAMUX_STREAMS = { initialStreamWindowSize: 256 * KiB, maxStreamWindowSize: 2048 * KiB };
export const GOSSIP_BYTES_MAX = 16 * KiB;

/** Rates are nobody's promise in a small network, so only invalid messages and protocol abuse count against a peer. */
const TOPIC_SCORE: TopicScoreParams = {
  topicWeight: 1,
  timeInMeshWeight: 0,
  timeInMeshQuantum: 1000,
  timeInMeshCap: 1,
  firstMessageDeliveriesWeight: 0,
  firstMessageDeliveriesDecay: 0.5,
  firstMessageDeliveriesCap: 1,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 5000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: -1,
  invalidMessageDeliveriesDecay: 0.9,
};

/** libp2p's own log is far too chatty and prints what peers send; problems reach us as errors. */
const silent = Object.assign(() => {}, { error: () => {}, trace: () => {}, enabled: false, newScope: () => silent });
const silentComponents: ComponentLogger = { forComponent: () => silent };

export interface Services extends ServiceMap {
  gossip?: GossipSub;
  dht?: KadDHT;
}

/** Not started. */
export function createNode(
  deps: Pick<Libp2pHostDeps, 'key' | 'gate'>,
  options: Libp2pHostOptions,
): Promise<Libp2p<Services>> {
  const denied = (peer: { toString(): string }) => !deps.gate.admits(peer.toString());
  return createLibp2p<Services>({
    start: false,
    privateKey: deps.key.privateKey,
    logger: silentComponents,
    addresses: { listen: [...options.listen], announce: [...options.announce] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: YAMUX_STREAMS })],
    connectionGater: {
      denyDialPeer: denied,
      denyDialMultiaddr: () => false,
      denyInboundEncryptedConnection: denied,
      denyOutboundEncryptedConnection: denied,
    },
    connectionManager: {
      maxConnections: 2000,
      maxIncomingPendingConnections: 100,
      // Whole institutions stand behind one address; libp2p's default of 5 a second would refuse them after a restart.
      inboundConnectionThreshold: 100,
      reconnectRetries: 0,
    },
    // A busy event loop must not cut connections that work; liveness is decided elsewhere, with the loop's lag in mind.
    connectionMonitor: { pingInterval: 15_000, pingTimeout: { minTimeout: 15_000 } },
    services: servicesFor(options),
  });
}

function servicesFor(options: Libp2pHostOptions): ServiceFactoryMap<Services> {
  const services = {
    identify: identify(),
    ping: ping({ maxInboundStreams: 16, maxOutboundStreams: 16 }),
    ...(options.gossip ? { gossip: gossipsub(gossipOptions()) } : {}),
    ...(options.dht
      ? {
          dht: kadDHT({
            protocol: DHT_PROTOCOL,
            clientMode: false,
            // Loopback and private addresses are real ones here.
            peerInfoMapper: passthroughMapper,
            allowQueryWithZeroPeers: true,
          }),
        }
      : {}),
  };
  // What a service needs of the others is known to libp2p, not to the type of an optional one.
  return services as unknown as ServiceFactoryMap<Services>;
}

function gossipOptions() {
  return {
    globalSignaturePolicy: 'StrictSign' as const,
    emitSelf: false,
    // A network of one publishes to nobody; that is no error.
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    fallbackToFloodsub: false,
    floodPublish: true,
    doPX: false,
    maxInboundDataLength: GOSSIP_BYTES_MAX,
    maxOutboundBufferSize: 1024 * KiB,
    maxTopicBytesPerPeer: 16 * KiB,
    scoreParams: {
      // Members are known by key: many behind one address are normal.
      IPColocationFactorWeight: 0,
      behaviourPenaltyThreshold: 6,
      behaviourPenaltyWeight: -1,
      retainScore: 10 * 60 * 1000,
    } satisfies Partial<PeerScoreParams>,
    scoreThresholds: { gossipThreshold: -10, publishThreshold: -30, graylistThreshold: -60 },
  };
}

/** Scoring knows only topics it was told of, and they come after the service is made; its table is one live object. */
export function scoreTopic(gossip: GossipSub, topic: string): void {
  const { opts } = gossip as unknown as { opts: { scoreParams: PeerScoreParams } };
  opts.scoreParams.topics[topic] = TOPIC_SCORE;
}

/** gossipsub's enum has the same texts; importing it as a value would need the enum in our own types. */
export function verdict(of: GossipVerdict) {
  return of as Awaited<ReturnType<NonNullable<ReturnType<GossipSub['topicValidators']['get']>>>>;
}
