/**
 * This node's heartbeat in the network's gossip, and what it hears of the others. Hints only: while the coordinator is
 * there its word on peers counts; while it is away, this says who still serves.
 */
import {
  type Digest,
  decodeDigest,
  encodeDigest,
  gossipIntervalMs,
  heartbeatTopic,
  judgeDigest,
} from '../../protocol/membership/heartbeat.js';
import { PeerTable } from '../../protocol/membership/peer-table.js';
import type { Cancel, Clock } from '../../protocol/runtime/clock.js';
import type { Host } from '../../protocol/runtime/host.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { MemberList } from '../../protocol/trust/members.js';

export interface HeartbeatsDeps {
  host: Pick<Host, 'subscribe' | 'publish' | 'peerId'>;
  members: Pick<MemberList, 'admits' | 'list' | 'onChange' | 'get'>;
  clock: Clock;
  log: Logger;
  /** What this node says of itself at the moment. */
  digest: () => Omit<Digest, 'peerId' | 'sequence' | 'sentAt'>;
}

const TICK_MS = 1000;

export class Heartbeats implements Part {
  readonly table: PeerTable;
  private readonly background: Background;
  private readonly cancels: Cancel[] = [];
  private sequence = 0;
  private publishedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly deps: HeartbeatsDeps,
    private readonly options: { network: string },
  ) {
    this.background = new Background({ log: deps.log });
    this.table = new PeerTable({ log: deps.log }, { tickMs: TICK_MS }, deps.clock.monotonic());
  }

  async start(): Promise<void> {
    const { host, members, clock } = this.deps;
    host.subscribe(
      heartbeatTopic(this.options.network),
      (from, bytes) => {
        const now = clock.now();
        const admits = (peer: string) => members.admits(peer, now);
        return judgeDigest(from, bytes, { admits, last: (peer) => this.table.last(peer), now }).verdict;
      },
      (from, bytes) => {
        if (from !== host.peerId) this.table.hear(decodeDigest(bytes), clock.monotonic());
      },
    );
    this.cancels.push(
      members.onChange(({ peers }) => {
        for (const peer of peers) if (members.get(peer) === undefined) this.table.forget(peer, 'no longer a member');
      }),
      clock.every(TICK_MS, () => this.tick()),
    );
  }

  async stop(): Promise<void> {
    for (const cancel of this.cancels.splice(0)) cancel();
    await this.background.stop();
  }

  /** At once, for instance when this node begins to leave. */
  publish(): void {
    const { host, clock } = this.deps;
    this.publishedAt = clock.monotonic();
    this.sequence += 1;
    const digest: Digest = { ...this.deps.digest(), peerId: host.peerId, sequence: this.sequence, sentAt: clock.now() };
    this.background.run('heartbeat', async () => {
      try {
        await host.publish(heartbeatTopic(this.options.network), encodeDigest(digest));
      } catch (error) {
        // The next one says the same and more.
        this.deps.log.debug({ err: error }, 'a heartbeat was not published');
      }
    });
  }

  private tick(): void {
    const now = this.deps.clock.monotonic();
    this.table.tick(now);
    if (now - this.publishedAt >= gossipIntervalMs(this.deps.members.list().length) - TICK_MS / 2) this.publish();
  }
}
