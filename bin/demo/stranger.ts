/** A libp2p peer that belongs to no network: it knocks at doors. For the story only. */
import { systemClock as clock, deadline } from '../../protocol/runtime/clock.js';
import type { Host } from '../../protocol/runtime/host.js';
import { createLibp2pHost } from '../../protocol/runtime/libp2p-host.js';
import { silentLogger as log } from '../../protocol/runtime/logger.js';
import { openGate } from '../../protocol/trust/gater.js';
import { NodeKey } from '../../protocol/trust/identity.js';
import { joinCall } from '../../protocol/wire/calls/join.js';
import { call } from '../../protocol/wire/rpc.js';

const WAIT_MS = 20_000;

export class Stranger {
  private constructor(private readonly host: Host) {}

  static async at(address: string): Promise<Stranger> {
    const host = await createLibp2pHost(
      { key: await NodeKey.generate(), gate: openGate, log, clock },
      { listen: [`/ip4/${address}/tcp/0`], announce: [], gossip: false, dht: false },
    );
    await host.start();
    return new Stranger(host);
  }

  /** Resolves when it was let in; rejects when the connection is closed before anything can be said. */
  dial(peer: string, addresses: readonly string[]): Promise<void> {
    return this.host.connect(peer, addresses, deadline(WAIT_MS));
  }

  /** Presents a secret in the lobby, past all checks that a joining node makes itself. */
  async present(coordinator: string, lobby: readonly string[], network: string, secret: string): Promise<unknown> {
    await this.host.connect(coordinator, lobby, deadline(WAIT_MS));
    try {
      const request = { network, secret, version: '0.1.0', addresses: [], publicUrl: null };
      return await call(this.host, coordinator, joinCall, request, deadline(WAIT_MS));
    } finally {
      await this.host.disconnect(coordinator);
    }
  }

  stop(): Promise<void> {
    return this.host.stop();
  }
}
