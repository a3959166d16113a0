/**
 * Jobs that another node runs, or whose uploaded bytes it has: watched until it reports them, and taken back when it
 * will not.
 *
 * It says so itself when it gives one up (across-homes.ts), but that word may be lost with it. So it is asked, first soon,
 * then less and less often; "unknown" takes the job back. Whom nobody can ask is gone or not by the coordinator's word,
 * heard over the register stream; while this node does not hear that, nobody is taken for gone. Taken back too early a
 * job runs twice and still ends once; too late, somebody waits for nothing.
 */
import { type Clock, startDeadline } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { PeerStatus } from '../../protocol/wire/calls/register.js';
import { Wakeup } from '../replication/wakeup.js';

export interface ElsewhereJob {
  account: string;
  job: string;
  /** PeerId of the node that runs it, or has its bytes. */
  peer: string;
  /** The boot of that node in which it runs, as far as that was known. */
  boot: number | undefined;
  /** It runs nowhere yet: its bytes are there, which only that node can take in. */
  isUpload: boolean;
}

/** Where jobs run: job → the node, and its boot when known. */
export type RunsElsewhere = ReadonlyMap<string, { peer: string; boot?: number | undefined }>;

export type PeerWord = Pick<PeerStatus, 'state' | 'routable' | 'boot'>;

/** What an executor says of a job. `finished`: its outcome is there and on its way. */
export type JobWord = 'running' | 'finished' | 'unknown';

/** Does this peer still run what it ran in `boot`? `silent`: it may, nobody reaches it. Pure. */
export function peerGone(word: PeerWord | undefined, boot: number | undefined): 'there' | 'silent' | 'gone' {
  if (word === undefined) return 'silent';
  if (word.state === 'drained' || word.state === 'revoked') return 'gone';
  if (boot !== undefined && word.boot !== undefined && word.boot !== boot) return 'gone';
  return word.routable ? 'there' : 'silent';
}

export interface ElsewhereDeps {
  jobs: {
    elsewhere(): ElsewhereJob[];
    /** Taken back because of `cause`, a plain clause. */
    reclaim(account: string, jobs: Iterable<string>, cause: string): Promise<void>;
  };
  /** Rejects when the peer does not answer. At most `ASK_JOBS_MAX` jobs at once. */
  ask(peer: string, jobs: readonly ElsewhereJob[], signal: AbortSignal): Promise<ReadonlyMap<string, JobWord>>;
  peers: { status(peer: string): PeerWord | undefined; onChange(listener: () => void): () => void };
  /** Whether the coordinator is heard. */
  coordinator: { readonly registered: boolean; onChange(listener: () => void): () => void };
  clock: Clock;
  logger: Logger;
}

/** An unreachable node keeps its runs this long: a restart of a switch or of the coordinator is no reason to run twice. */
export const ELSEWHERE_GRACE_MS = 60_000;
export const ASK_FIRST_MS = 5000;
export const ASK_LAST_MS = 600_000;
export const ASK_JOBS_MAX = 500;
const ANSWER_MS = 10_000;
const RETRY_MS = 5000;

const LEFT = 'the node that had it has left, or started again, or is not reached any more';
const UNKNOWN = 'the node that had it knows nothing of it any more';

/** When a peer is asked next, and about how many jobs it was asked last. */
interface Asking {
  at: number;
  pauseMs: number;
  jobs: number;
}

export class Elsewhere implements Part {
  private readonly background: Background;
  private readonly wakeup: Wakeup;
  private readonly silentSince = new Map<string, number>();
  private readonly asking = new Map<string, Asking>();
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
        next = await this.once(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.deps.logger.warn({ reason: describeError(error) }, 'jobs of another node could not be taken back yet');
        next = RETRY_MS;
      }
      await this.wakeup.wait(signal, next);
    }
  }

  /** Takes back what is lost; how long until somebody's grace ends or somebody is asked again. */
  private async once(signal: AbortSignal): Promise<number | undefined> {
    const now = this.deps.clock.monotonic();
    const { lost, there, next } = this.sort(now);
    await this.takeBack(lost, LEFT);
    for (const peer of this.asking.keys()) if (!there.has(peer)) this.asking.delete(peer);
    const waits = [next];
    const due: Promise<void>[] = [];
    for (const [peer, jobs] of there) {
      const asking = this.asked(peer, jobs.length, now);
      if (asking.at <= now) {
        asking.at = now + asking.pauseMs;
        asking.pauseMs = Math.min(asking.pauseMs * 2, ASK_LAST_MS);
        due.push(this.askAll(peer, jobs, signal));
      }
      waits.push(asking.at - now);
    }
    await Promise.all(due);
    return waits.reduce((least, wait) => (wait === undefined ? least : Math.min(least ?? wait, wait)), undefined);
  }

  /** Whose node is gone, whose can be asked, and when the first grace ends. */
  private sort(now: number) {
    const { jobs, peers, coordinator } = this.deps;
    const lost: ElsewhereJob[] = [];
    const there = new Map<string, ElsewhereJob[]>();
    const silent = new Set<string>();
    let next: number | undefined;
    for (const item of jobs.elsewhere()) {
      const { peer, boot, isUpload } = item;
      const verdict = coordinator.registered ? peerGone(peers.status(peer), boot) : 'there';
      if (verdict === 'there') there.set(peer, [...(there.get(peer) ?? []), item]);
      else if (verdict === 'gone') lost.push(item);
      else {
        silent.add(peer);
        const since = this.silentSince.get(peer) ?? now;
        this.silentSince.set(peer, since);
        const left = since + this.options.graceMs - now;
        // Bytes that are there alone are waited for: nothing else can be done about them.
        if (left <= 0 && !isUpload) lost.push(item);
        else if (left > 0) next = Math.min(next ?? left, left);
      }
    }
    for (const peer of this.silentSince.keys()) if (!silent.has(peer)) this.silentSince.delete(peer);
    return { lost, there, next };
  }

  /** A job more, and it is asked about soon. */
  private asked(peer: string, jobs: number, now: number): Asking {
    const known = this.asking.get(peer);
    if (known !== undefined && known.jobs >= jobs) {
      known.jobs = jobs;
      return known;
    }
    const at = Math.min(known?.at ?? Number.POSITIVE_INFINITY, now + ASK_FIRST_MS);
    const asking = { at, pauseMs: ASK_FIRST_MS, jobs };
    this.asking.set(peer, asking);
    return asking;
  }

  private async askAll(peer: string, jobs: readonly ElsewhereJob[], signal: AbortSignal): Promise<void> {
    const limit = startDeadline(this.deps.clock, ANSWER_MS, signal);
    try {
      for (let first = 0; first < jobs.length; first += ASK_JOBS_MAX) {
        const some = jobs.slice(first, first + ASK_JOBS_MAX);
        const words = await this.deps.ask(peer, some, limit.signal);
        await this.takeBack(
          some.filter(({ job }) => words.get(job) === 'unknown'),
          UNKNOWN,
        );
      }
    } catch (error) {
      signal.throwIfAborted();
      this.deps.logger.debug({ peer, err: error }, 'a node could not be asked about the jobs it runs');
    } finally {
      limit.cancel();
    }
  }

  private async takeBack(lost: readonly ElsewhereJob[], cause: string): Promise<void> {
    const accounts = new Map<string, string[]>();
    for (const { account, job } of lost) accounts.set(account, [...(accounts.get(account) ?? []), job]);
    for (const [account, jobs] of accounts) {
      await this.deps.jobs.reclaim(account, jobs, cause);
      this.deps.logger.info({ account, jobs: jobs.length, cause }, 'jobs that another node will not report came back');
    }
  }
}
