/**
 * Jobs that run on at their account's former home: watched until it reports them, and taken back when it will not.
 *
 * Who is gone is the coordinator's word, heard over the register stream; while this node does not hear it, nobody is taken
 * for gone. Taken back too early a job runs twice and still ends once; too late, somebody waits for nothing.
 *
 * Rejected: asking the former home job by job, which tells nothing when it matters: when it does not answer.
 */
import type { Clock } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { PeerStatus } from '../../protocol/wire/calls/register.js';
import { Wakeup } from '../replication/wakeup.js';
import type { JobNote } from './queue.js';

/** Runs at another node, and the boot of it in which they do, as far as that was known. */
export interface RunsElsewhere {
  peer: string;
  boot?: number | undefined;
  jobs: ReadonlySet<string>;
}

export type ElsewhereNote = JobNote & { elsewhere: string };
export type PeerWord = Pick<PeerStatus, 'state' | 'routable' | 'boot'>;

/** Does this peer still run what it ran in `boot`? `silent`: it may, nobody reaches it. Pure. */
export function peerGone(word: PeerWord | undefined, boot: number | undefined): 'there' | 'silent' | 'gone' {
  if (word === undefined) return 'silent';
  if (word.state === 'drained' || word.state === 'revoked') return 'gone';
  if (boot !== undefined && word.boot !== undefined && word.boot !== boot) return 'gone';
  return word.routable ? 'there' : 'silent';
}

export interface ElsewhereDeps {
  jobs: {
    /** Notes of jobs that run at another node. */
    elsewhere(): ElsewhereNote[];
    reclaim(account: string, jobs: Iterable<string>): Promise<void>;
  };
  peers: { status(peer: string): PeerWord | undefined; onChange(listener: () => void): () => void };
  /** Whether the coordinator is heard. */
  coordinator: { readonly registered: boolean; onChange(listener: () => void): () => void };
  clock: Clock;
  logger: Logger;
}

/** An unreachable node keeps its runs this long: a restart of a switch or of the coordinator is no reason to run twice. */
export const ELSEWHERE_GRACE_MS = 60_000;
const RETRY_MS = 5000;

export class Elsewhere implements Part {
  private readonly background: Background;
  private readonly wakeup: Wakeup;
  private readonly silentSince = new Map<string, number>();
  private readonly releases: (() => void)[] = [];

  constructor(
    private readonly deps: ElsewhereDeps,
    private readonly options: { graceMs: number } = { graceMs: ELSEWHERE_GRACE_MS },
  ) {
    this.background = new Background({ log: deps.logger });
    this.wakeup = new Wakeup(deps.clock);
  }

  async start(): Promise<void> {
    const look = () => this.look();
    this.releases.push(this.deps.peers.onChange(look), this.deps.coordinator.onChange(look));
    this.background.run('watching jobs at other nodes', (signal) => this.watch(signal));
  }

  async stop(): Promise<void> {
    for (const release of this.releases.splice(0)) release();
    await this.background.stop();
  }

  /** Something may have changed: a job more runs elsewhere. */
  look(): void {
    this.wakeup.wake();
  }

  private async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let next: number | undefined;
      try {
        next = await this.once();
      } catch (error) {
        if (signal.aborted) return;
        this.deps.logger.warn({ reason: describeError(error) }, 'jobs of another node could not be taken back yet');
        next = RETRY_MS;
      }
      await this.wakeup.wait(signal, next);
    }
  }

  /** Takes back what is lost; how long until somebody's grace ends. */
  private async once(): Promise<number | undefined> {
    const { jobs, peers, coordinator, clock, logger } = this.deps;
    if (!coordinator.registered) {
      this.silentSince.clear();
      return undefined;
    }
    const now = clock.monotonic();
    const notes = jobs.elsewhere();
    const lost = new Map<string, string[]>();
    const silent = new Set<string>();
    let next: number | undefined;
    for (const { account, job, elsewhere: peer, elsewhereBoot } of notes) {
      const verdict = peerGone(peers.status(peer), elsewhereBoot);
      if (verdict === 'there') continue;
      if (verdict === 'silent') {
        silent.add(peer);
        const since = this.silentSince.get(peer) ?? now;
        this.silentSince.set(peer, since);
        const left = since + this.options.graceMs - now;
        if (left > 0) {
          next = Math.min(next ?? left, left);
          continue;
        }
      }
      lost.set(account, [...(lost.get(account) ?? []), job]);
    }
    for (const peer of this.silentSince.keys()) if (!silent.has(peer)) this.silentSince.delete(peer);
    for (const [account, ids] of lost) {
      await jobs.reclaim(account, ids);
      logger.info({ account, jobs: ids.length }, 'jobs that a former home will not report start again here');
    }
    return next;
  }
}
