/** Real libp2p hosts on loopback, with gates that tests open peer by peer. */
import { systemClock } from '../../../protocol/runtime/clock.js';
import type { Gate, Host } from '../../../protocol/runtime/host.js';
import { createLibp2pHost } from '../../../protocol/runtime/libp2p-host.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { openGate } from '../../../protocol/trust/gater.js';
import { NodeKey } from '../../../protocol/trust/identity.js';

export class Allowed implements Gate {
  private readonly peers = new Set<string>();

  admit(...peers: string[]): void {
    for (const peer of peers) this.peers.add(peer);
  }

  expel(peer: string): void {
    this.peers.delete(peer);
  }

  admits(peer: string): boolean {
    return this.peers.has(peer);
  }
}

const LOOPBACK = ['/ip4/127.0.0.1/tcp/0'];

export class Hosts {
  private readonly started: Host[] = [];

  async start(
    options: { gate?: Gate; gossip?: boolean; dht?: boolean; key?: NodeKey; listen?: string[] } = {},
  ): Promise<Host> {
    const host = await createLibp2pHost(
      {
        key: options.key ?? (await NodeKey.generate()),
        gate: options.gate ?? openGate,
        log: silentLogger,
        clock: systemClock,
      },
      {
        listen: options.listen ?? LOOPBACK,
        announce: [],
        gossip: options.gossip ?? false,
        dht: options.dht ?? false,
      },
    );
    await host.start();
    this.started.push(host);
    return host;
  }

  /** Hosts that all admit each other. */
  async members(count: number, options: { gossip?: boolean; dht?: boolean } = {}): Promise<Host[]> {
    const gate = new Allowed();
    const hosts = await Promise.all(Array.from({ length: count }, () => this.start({ ...options, gate })));
    gate.admit(...hosts.map((host) => host.peerId));
    return hosts;
  }

  async stop(): Promise<void> {
    await Promise.all(this.started.splice(0).map((host) => host.stop()));
  }
}

/** One end of what tests wait for; every wait of theirs has a bound. */
export const soon = () => AbortSignal.timeout(20_000);

export async function connect(from: Host, to: Host): Promise<void> {
  await from.connect(to.peerId, to.addresses(), soon());
}

export function disconnected(host: Host, peer: string): Promise<void> {
  return new Promise((resolve) => {
    if (!host.isConnected(peer)) return resolve();
    const off = host.onPeer((event) => {
      if (event.peer !== peer || event.connected) return;
      off();
      resolve();
    });
  });
}

/** Collects gossip of one topic and lets a test wait until each of the senders was heard. */
export class Ear {
  private readonly heard: { from: string; text: string }[] = [];
  private readonly waiting = new Set<() => void>();

  constructor(host: Host, topic: string, verdict: (text: string) => 'accept' | 'ignore' | 'reject' = () => 'accept') {
    host.subscribe(
      topic,
      (_from, bytes) => verdict(new TextDecoder().decode(bytes)),
      (from, bytes) => {
        this.heard.push({ from, text: new TextDecoder().decode(bytes) });
        for (const look of [...this.waiting]) look();
      },
    );
  }

  get texts(): string[] {
    return this.heard.map((message) => message.text);
  }

  until(test: (heard: readonly { from: string; text: string }[]) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const signal = soon();
      const look = () => {
        if (!test(this.heard)) return;
        this.waiting.delete(look);
        resolve();
      };
      this.waiting.add(look);
      signal.addEventListener('abort', () => reject(new Error(`heard only ${JSON.stringify(this.texts)}`)));
      look();
    });
  }
}

/** Publishes numbered texts, as heartbeats are, until `done` settles: one early message may come before the mesh. */
export async function beat(host: Host, topic: string, word: string, done: Promise<void>): Promise<void> {
  let going = true;
  const ended = done.finally(() => {
    going = false;
  });
  let count = 0;
  const cancel = systemClock.every(100, () => {
    if (going) void host.publish(topic, new TextEncoder().encode(`${word} ${count++}`)).catch(() => {});
  });
  try {
    await ended;
  } finally {
    cancel();
  }
}
