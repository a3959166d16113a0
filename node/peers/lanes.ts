/** Replication's two lanes on the network: entries over `/galaxy/log/1`, bytes over `/galaxy/blob/1`. */
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { BlobFetcher, type BlobSource } from '../../protocol/blobs/fetch.js';
import { askHeld } from '../../protocol/blobs/held.js';
import { pushBlobs } from '../../protocol/blobs/push.js';
import type { AccountLog, Vector } from '../../protocol/log/account-log.js';
import { LogExchange, type Offered } from '../../protocol/log/exchange.js';
import { type Clock, deadline } from '../../protocol/runtime/clock.js';
import { defineErrors } from '../../protocol/runtime/errors.js';
import type { Host } from '../../protocol/runtime/host.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { LogCourier } from '../accounts/gathering.js';
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
      /** Whether entries of epoch 0 that a holder gives count; see origin-check.ts. A reason when not. */
      mayStore: (segment: { account: string; node: string }) => Promise<string | undefined>;
      /** Large enough to have a provider record of its own. */
      isLarge: (blob: string) => boolean;
      clock: Clock;
      log: Logger;
    },
  ) {
    this.exchange = new LogExchange({ host: deps.host, log: deps.accountLog, mayStore: deps.mayStore });
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

  pull(peer: string, account: string, signal: AbortSignal, onVector?: (theirs: Vector) => void): Promise<number> {
    return this.exchange.pull(peer, account, signal, onVector);
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
   * A large blob from whom the DHT names, and from likely holders beside them: several sources share the work, and one
   * that lies or stalls is dropped. A small blob, which has no record there, from likely holders, and by DHT only when
   * none of them has it: looking up every small file would be slow.
   */
  async fetch(blob: string, signal: AbortSignal): Promise<void> {
    if (this.deps.blobs.has(blob)) return;
    const likely = this.deps.likelyHolders(blob);
    const isLarge = this.deps.isLarge(blob);
    const named = isLarge ? await this.providers(blob, signal) : [];
    let failure: unknown;
    const sources = [...named, ...likely.filter(({ peer }) => !named.some((known) => known.peer === peer))];
    if (sources.length > 0) {
      try {
        return await this.fetchFrom(blob, named.length > 0 ? 'dht' : 'asked', sources, signal);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    const found = isLarge ? [] : await this.providers(blob, signal);
    if (found.length === 0) throw failure ?? laneErrors('no-holder', { blob });
    await this.fetchFrom(blob, 'dht', found, signal);
  }

  private async fetchFrom(
    blob: string,
    by: keyof FetchCounts,
    sources: readonly BlobSource[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.fetcher.fetch({ id: blob, sources }, signal);
    this.fetched[by] += 1;
    this.deps.log.info({ blob, by, sources: sources.length }, 'a blob was fetched');
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
