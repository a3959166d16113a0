/**
 * A member that sends wrong bytes: it joins with a real invitation and speaks the real protocols, but in everything large
 * that it serves one bit is turned. For the story only; nothing of a node imports it.
 */
import { createReadStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readNetworkRecord } from '../../node/network-record.js';
import { joinNetwork } from '../../node/peers/join.js';
import { openBlobStore } from '../../protocol/blobs/blob-store.js';
import { serveBlobs } from '../../protocol/blobs/serve.js';
import { systemClock as clock, deadline } from '../../protocol/runtime/clock.js';
import type { ByteStream, Host } from '../../protocol/runtime/host.js';
import { createLibp2pHost } from '../../protocol/runtime/libp2p-host.js';
import { silentLogger as log } from '../../protocol/runtime/logger.js';
import { systemRandom as random } from '../../protocol/runtime/random.js';
import { openStore } from '../../protocol/runtime/store.js';
import { openGate } from '../../protocol/trust/gater.js';
import { openNodeKey } from '../../protocol/trust/identity.js';
import { pause } from './waits.js';

/** Anything above is a piece of a chunk, not a message. */
const PIECE_BYTES_MIN = 16 * 1024;
const WAIT_MS = 20_000;

export class Liar {
  /** Pieces that went out with a turned bit. */
  lies = 0;

  private constructor(
    readonly peerId: string,
    private readonly host: Host,
    private readonly close: () => Promise<void>,
  ) {}

  static async join(folder: string, address: string, invitation: string, file: string): Promise<Liar> {
    mkdirSync(folder, { recursive: true });
    const store = await openStore(join(folder, 'store'));
    const key = await openNodeKey(join(folder, 'node.key'));
    const listen = [`/ip4/${address}/tcp/0`];
    await joinNetwork({ key, store, clock, log }, invitation, { listen, announce: [], publicUrl: null }, () => {});
    const record = await readNetworkRecord(store);
    if (record === undefined) throw new Error('joining left no record');
    const blobs = await openBlobStore(
      { store, clock, log, random },
      { folder: join(folder, 'blobs'), minFreeBytes: 0, capacityBytes: null },
    );
    const { blob } = await blobs.put(createReadStream(file));
    const host = await createLibp2pHost(
      { key, gate: openGate, log, clock },
      { listen, announce: [], gossip: false, dht: true },
    );
    const liar = new Liar(key.peerId, host, async () => {
      await host.stop();
      await blobs.stop?.();
      await store.close();
    });
    const lying: Pick<Host, 'handle'> = {
      handle: (protocol, limits, handler) =>
        host.handle(protocol, limits, (stream, ended) => handler(liar.lyingStream(stream), ended)),
    };
    const access = { mayServe: () => ({ allowed: true as const }), mayHold: () => ({ allowed: true as const }) };
    await serveBlobs({ host: lying, blobs, access, clock, log }, { storeId: '0'.repeat(32) });
    await host.start();
    await host.connect(record.coordinator, record.addresses, deadline(WAIT_MS));
    await host.provide(blob, deadline(WAIT_MS));
    return liar;
  }

  /** Waits until the victim lets this member in: it may not have heard of it yet. */
  async connect(peer: string, addresses: readonly string[]): Promise<void> {
    const limit = deadline(WAIT_MS);
    for (;;) {
      try {
        await this.host.connect(peer, addresses, limit);
        return;
      } catch (error) {
        if (limit.aborted) throw error;
        await pause(250);
      }
    }
  }

  stop(): Promise<void> {
    return this.close();
  }

  private lyingStream(stream: ByteStream): ByteStream {
    const liar = this;
    return {
      remotePeer: stream.remotePeer,
      protocol: stream.protocol,
      source: () => stream.source(),
      write(bytes) {
        if (bytes.byteLength < PIECE_BYTES_MIN) return stream.write(bytes);
        const turned = Uint8Array.from(bytes);
        turned[turned.length >> 1] = (turned[turned.length >> 1] ?? 0) ^ 1;
        liar.lies += 1;
        return stream.write(turned);
      },
      closeWrite: () => stream.closeWrite(),
      abort: (error) => stream.abort(error),
      get closed() {
        return stream.closed;
      },
    };
  }
}
