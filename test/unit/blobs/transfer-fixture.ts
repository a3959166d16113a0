/** Nodes with a blob store each, on one network in memory. */
import type { AccessVerdict, BlobAccess, WrongBytes } from '../../../protocol/blobs/access.js';
import type { BlobStore } from '../../../protocol/blobs/blob.js';
import { BlobFetcher } from '../../../protocol/blobs/fetch.js';
import { type PushOutcome, pushBlobs } from '../../../protocol/blobs/push.js';
import { serveBlobs } from '../../../protocol/blobs/serve.js';
import { type Clock, systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { type MemoryHost, MemoryNetwork } from '../../support/memory-streams.js';
import { BlobFixture } from './fixture.js';

export class TransferNode {
  readonly wrong: WrongBytes[] = [];
  access: BlobAccess = { mayServe: () => ({ allowed: true }), mayHold: () => ({ allowed: true }) };
  fetcher!: BlobFetcher;

  constructor(
    readonly name: string,
    readonly host: MemoryHost,
    readonly fixture: BlobFixture,
    private readonly clock: Clock,
  ) {}

  get blobs(): BlobStore {
    return this.fixture.blobs;
  }

  /** Again after the store was opened anew. */
  async serve(): Promise<void> {
    const { host, blobs, clock } = this;
    const onWrongBytes = (report: WrongBytes) => void this.wrong.push(report);
    const access: BlobAccess = {
      mayServe: (peer, id) => this.access.mayServe(peer, id),
      mayHold: (peer, ref) => this.access.mayHold(peer, ref),
    };
    await serveBlobs(
      { host, blobs, access, clock, log: silentLogger, onWrongBytes },
      { storeId: `store-of-${this.name}` },
    );
    this.fetcher = new BlobFetcher({ host, blobs, clock, log: silentLogger, onWrongBytes });
  }

  async push(to: string, ids: Iterable<string>, signal?: AbortSignal): Promise<PushOutcome[]> {
    const outcomes: PushOutcome[] = [];
    const { host, blobs, clock } = this;
    const onOutcome = (outcome: PushOutcome) => void outcomes.push(outcome);
    await pushBlobs({ host, blobs, clock, log: silentLogger }, { peer: to, ids, onOutcome }, signal);
    return outcomes;
  }
}

export class TransferFixture {
  readonly network = new MemoryNetwork();
  private readonly nodes: TransferNode[] = [];

  constructor(private readonly clock: Clock = systemClock) {}

  async node(name: string): Promise<TransferNode> {
    const fixture = await BlobFixture.create();
    await fixture.open();
    const node = new TransferNode(name, this.network.host(name), fixture, this.clock);
    this.nodes.push(node);
    await node.serve();
    return node;
  }

  async remove(): Promise<void> {
    for (const node of this.nodes) await node.fetcher.stop();
    for (const stream of this.network.streams) stream.abort(new Error('the test has ended'));
    await this.network.quiet();
    for (const node of this.nodes) await node.fixture.remove();
  }
}

export const refused = (reason: string): AccessVerdict => ({ allowed: false, reason });
