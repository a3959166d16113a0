/** Replication's two lanes on the network: entries over `/galaxy/log/1`, bytes over `/galaxy/blob/1`. */
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { BlobFetcher, type BlobSource } from '../../protocol/blobs/fetch.js';
import { askHeld } from '../../protocol/blobs/held.js';
import { pushBlobs } from '../../protocol/blobs/push.js';
import type { AccountLog } from '../../protocol/log/account-log.js';
import { LogExchange, type Offered } from '../../protocol/log/exchange.js';
import { type Clock, deadline } from '../../protocol/runtime/clock.js';
import { defineErrors } from '../../protocol/runtime/errors.js';
import type { Host } from '../../protocol/runtime/host.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { LogCourier } from '../accounts/homes.js';
import type { BlobLane, BlobPushResult, LogLane, LogPush, SegmentLane } from '../replication/holders.js';

type LanesHost = Pick<Host, 'openStream' | 'connect' | 'isConnected' | 'findProviders'>;

/** Who might have a blob, best first, before the DHT is asked. */
export type LikelyHolders = (blob: string) => BlobSource[];

export interface FetchCounts {
  asked: number;
  dht: number;
}

export const laneErrors = defineErrors('lane', {
  'no-holder': {
    kind: 'unavailable',
    say: 'No node that holds {blob} can be found at the moment.',
    mend: 'It is tried again; the nodes that hold it may be off.',
  },
});

const DHT_MS = 3000;
const DHT_SOURCES_MAX = 8;

export class NetworkLanes implements LogLane, SegmentLane, BlobLane, LogCourier, Part {
  /** How blobs that were not here were found, since the start. */
  readonly fetched: FetchCounts = { asked: 0, dht: 0 };
  private readonly exchange: LogExchange;
  private readonly fetcher: BlobFetcher;

  constructor(
    private readonly deps: {
      host: LanesHost;
      accountLog: AccountLog;
      blobs: BlobStore;
      likelyHolders: LikelyHolders;
      /** Large enough to have a provider record of its own. */
      isLarge: (blob: string) => boolean;
      clock: Clock;
      log: Logger;
    },
  ) {
    this.exchange = new LogExchange({ host: deps.host, log: deps.accountLog });
    this.fetcher = new BlobFetcher({
      host: deps.host,
      blobs: deps.blobs,
      clock: deps.clock,
      log: deps.log,
      onWrongBytes: ({ peer, id, chunk }) =>
        deps.log.error({ peer, blob: id, chunk }, 'a peer sent wrong bytes; nothing of them was stored'),
    });
  }

  async stop(): Promise<void> {
    await this.fetcher.stop();
  }

  push(peer: string, push: LogPush, signal: AbortSignal): Promise<{ position: number; storeId: string }> {
    return this.exchange.push(peer, push, signal);
  }

  position(peer: string, writer: string, signal: AbortSignal): Promise<{ position: number; storeId: string }> {
    return this.exchange.position(peer, writer, signal);
  }

  pull(peer: string, account: string, signal: AbortSignal): Promise<number> {
    return this.exchange.pull(peer, account, signal);
  }

  offerAccount(peer: string, account: string, signal: AbortSignal): Promise<Offered> {
    return this.exchange.offerAccount(peer, account, signal);
  }

  async have(
    peer: string,
    blobs: readonly string[],
    signal: AbortSignal,
  ): Promise<{ storeId: string; held: string[] }> {
    const { storeId, held } = await askHeld(
      { host: this.deps.host, clock: this.deps.clock },
      { peer, ids: blobs },
      signal,
    );
    return { storeId, held: [...held] };
  }

  /**
   * A large blob from whom the DHT names, then from likely holders; a small one, which has no record there, the other way
   * round. Asking everybody for a terabyte would be rude; looking up every small file would be slow.
   */
  async fetch(blob: string, signal: AbortSignal): Promise<void> {
    if (this.deps.blobs.has(blob)) return;
    const ways: { by: keyof FetchCounts; sources: () => Promise<BlobSource[]> }[] = [
      { by: 'asked', sources: async () => this.deps.likelyHolders(blob) },
      { by: 'dht', sources: () => this.providers(blob, signal) },
    ];
    if (this.deps.isLarge(blob)) ways.reverse();
    let failure: unknown;
    for (const { by, sources } of ways) {
      try {
        const found = await sources();
        if (found.length === 0) continue;
        await this.fetcher.fetch({ id: blob, sources: found }, signal);
        this.fetched[by] += 1;
        this.deps.log.info({ blob, by, sources: found.length }, 'a blob was fetched');
        return;
      } catch (error) {
        signal.throwIfAborted();
        failure ??= error;
      }
    }
    throw failure ?? laneErrors('no-holder', { blob });
  }

  private async providers(blob: string, signal: AbortSignal): Promise<BlobSource[]> {
    const found: BlobSource[] = [];
    const limit = deadline(DHT_MS, signal);
    try {
      for await (const { peer, addresses } of this.deps.host.findProviders(blob, limit)) {
        found.push({ peer, addresses });
        if (found.length >= DHT_SOURCES_MAX) break;
      }
    } catch (error) {
      signal.throwIfAborted();
      this.deps.log.debug({ blob, err: error }, 'the DHT gave no more providers');
    }
    return found;
  }

  async send(peer: string, ids: readonly string[], signal: AbortSignal): Promise<BlobPushResult> {
    const result: BlobPushResult = { storeId: '', confirmed: [], refused: [] };
    await pushBlobs(
      this.deps,
      {
        peer,
        ids,
        onOutcome: (outcome) => {
          if (outcome.held) {
            result.storeId = outcome.storeId;
            result.confirmed.push(outcome.id);
          } else result.refused.push({ blob: outcome.id, code: outcome.code, reason: outcome.reason });
        },
      },
      signal,
    );
    return result;
  }
}
