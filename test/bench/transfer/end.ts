/**
 * One end of our own transfer, a process of its own: a libp2p host and a blob store, as a node has them. Does what its
 * parent asks over the channel to it, one call at a time.
 */

import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BLOBS_PER_PUSH, BYTES_PER_PUSH } from '../../../node/replication/blob-replicator.js';
import type { BlobRef, BlobStore } from '../../../protocol/blobs/blob.js';
import { openBlobStore } from '../../../protocol/blobs/blob-store.js';
import { pushBlobs } from '../../../protocol/blobs/push.js';
import { serveBlobs } from '../../../protocol/blobs/serve.js';
import { systemClock as clock, deadline } from '../../../protocol/runtime/clock.js';
import type { Host } from '../../../protocol/runtime/host.js';
import { createLibp2pHost } from '../../../protocol/runtime/libp2p-host.js';
import { silentLogger as log } from '../../../protocol/runtime/logger.js';
import { systemRandom as random } from '../../../protocol/runtime/random.js';
import { openStore, type Store } from '../../../protocol/runtime/store.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { peakOf } from './programs.js';

export interface EndCalls {
  /** Opens host and store; answers how it is reached. */
  open(folder: string): Promise<{ peer: string; addresses: string[] }>;
  /** Takes all files of a folder into the store. */
  take(folder: string): Promise<void>;
  connect(peer: string, addresses: string[]): Promise<void>;
  /** Pushes everything that is here; resolves once all of it is fsynced and recorded there. */
  push(peer: string): Promise<{ ms: number }>;
  peakBytes(): Promise<number>;
  close(): Promise<void>;
}

export type EndCall = { [Name in keyof EndCalls]: { method: Name; args: Parameters<EndCalls[Name]> } }[keyof EndCalls];
export type EndAnswer = { result: unknown } | { error: string };

const CONNECT_MS = 15_000;
const TAKEN_AT_ONCE = 64;

class End implements EndCalls {
  private opened: { host: Host; store: Store; blobs: BlobStore } | undefined;

  async open(folder: string) {
    const key = await NodeKey.generate();
    const gate = { admits: () => true };
    const host = await createLibp2pHost(
      { key, gate, log, clock },
      { listen: ['/ip4/127.0.0.1/tcp/0'], announce: [], gossip: false, dht: false },
    );
    await host.start();
    const store = await openStore(join(folder, 'store'));
    const blobs = await openBlobStore(
      { store, clock, random, log },
      { folder: join(folder, 'blobs'), minFreeBytes: 0, capacityBytes: null },
    );
    const access = { mayServe: () => ({ allowed: true }) as const, mayHold: () => ({ allowed: true }) as const };
    await serveBlobs({ host, blobs, access, clock, log }, { storeId: key.peerId });
    this.opened = { host, store, blobs };
    return { peer: host.peerId, addresses: host.addresses() };
  }

  async take(folder: string): Promise<void> {
    const { blobs } = this.parts();
    const files = await readdir(folder);
    for (let start = 0; start < files.length; start += TAKEN_AT_ONCE) {
      const some = files.slice(start, start + TAKEN_AT_ONCE);
      await Promise.all(some.map((name) => blobs.put(createReadStream(join(folder, name)))));
    }
  }

  async connect(peer: string, addresses: string[]): Promise<void> {
    await this.parts().host.connect(peer, addresses, deadline(CONNECT_MS));
  }

  async push(peer: string): Promise<{ ms: number }> {
    const { host, blobs } = this.parts();
    const refs: BlobRef[] = [];
    for await (const ref of blobs.list()) refs.push(ref);
    const begun = clock.monotonic();
    let held = 0;
    for (const ids of loads(refs)) {
      await pushBlobs(
        { host, blobs, clock, log },
        {
          peer,
          ids,
          onOutcome: (outcome) => {
            if (!outcome.held) throw new Error(`${outcome.id} was not taken: ${outcome.reason}`);
            held += 1;
          },
        },
      );
    }
    const ms = clock.monotonic() - begun;
    if (held !== refs.length) throw new Error(`${held} of ${refs.length} blobs were confirmed`);
    return { ms };
  }

  async peakBytes(): Promise<number> {
    return peakOf('self') || process.resourceUsage().maxRSS * 1024;
  }

  async close(): Promise<void> {
    if (this.opened === undefined) return;
    const { host, blobs, store } = this.opened;
    this.opened = undefined;
    await host.stop();
    await blobs.stop?.();
    await store.close();
  }

  private parts() {
    if (this.opened === undefined) throw new Error('not open');
    return this.opened;
  }
}

/** As much at a time as a node gives one holder. */
function* loads(refs: readonly BlobRef[]): Generator<string[]> {
  let ids: string[] = [];
  let bytes = 0;
  for (const { blob, size } of refs) {
    if (ids.length >= BLOBS_PER_PUSH || (bytes > 0 && bytes + size > BYTES_PER_PUSH)) {
      yield ids;
      ids = [];
      bytes = 0;
    }
    ids.push(blob);
    bytes += size;
  }
  if (ids.length > 0) yield ids;
}

async function answer(end: End, { method, args }: EndCall): Promise<EndAnswer> {
  try {
    const call = end[method] as (...given: unknown[]) => Promise<unknown>;
    return { result: await call.apply(end, args) };
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

const end = new End();
process.on('message', (call: EndCall) => {
  void answer(end, call).then((reply) => process.send?.(reply));
});
// A parent that is gone asks nothing more.
process.on('disconnect', () => void end.close().catch(() => {}));
