/**
 * Sixth step: every byte here is elsewhere too. The rule: **a leaver is answerable for everything it holds**, not only for
 * what its users made. Copies held for others are re-placed by their homes too, from the moment of the announcement on;
 * but a home may be dead or slow, and a file that no entry names (a losing output, a run that was given up) has no home.
 * So holders are asked first what they have, and only what then lacks copies is pushed: what others have placed
 * meanwhile costs one question. What is unique to this node goes first (BlobReplicator).
 *
 * A confirmation in the ledger is enough to pass here; whether it is true is the coordinator's to find out, and what it
 * does not find comes back as `distrust`.
 *
 * What was moved aside as damaged cannot be sent by this node, but it is named in the inventory. When the coordinator finds
 * too few whole copies of it, this step waits until others have it, and says so: the drain is not safe without it.
 */
import type { BlobId, BlobRef, BlobStore } from '../../protocol/blobs/blob.js';
import { counted } from '../../protocol/runtime/amounts.js';
import { type Clock, deadline, sleep } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { BlobLane, Holder, Holders } from '../replication/holders.js';
import { domainsOf, type Ledger } from '../replication/ledger.js';
import { Wakeup } from '../replication/wakeup.js';
import type { Unsafe, UnsafeItem } from './handover.js';
import type { Drainable, StepContext, StepResult } from './part.js';

/** The replicator, as far as a drain moves it. */
export interface LeavingCopies {
  setCopies(copies: number): void;
  setPaused(paused: boolean): void;
  isPaused(): boolean;
  recount(): void;
  refusals(): { peer: string; blob: BlobId; reason: string }[];
}

export interface DataDeps {
  blobs: Pick<BlobStore, 'list' | 'has' | 'damaged'>;
  ledger: Pick<Ledger, 'track' | 'blob' | 'confirmBlobs' | 'lapse' | 'onChange'>;
  lane: Pick<BlobLane, 'have'>;
  /** Brings a holder what it lacks of an account. */
  offerAccount: (peer: string, account: string, signal: AbortSignal) => Promise<unknown>;
  holders: Holders;
  copies: LeavingCopies;
  clock: Clock;
  logger: Logger;
}

export interface DataOptions {
  /** This node's institution: what a sister machine holds does not count. */
  domain: string;
  copies: number;
}

const ASKED_AT_ONCE = 4096;
const ASK_MS = 60_000;
const OFFER_MS = 60_000;
/** What still lacks copies is asked for again: others place what is theirs. */
const ASK_AGAIN_MS = 60_000;
const LOOK_MS = 1000;
/** Above this many, the list is gone through once a second and not at each confirmation. */
const MANY = 10_000;
/** Ids in one line of the log. */
const TOLD_MAX = 100;

interface HolderAnswer {
  peer: string;
  storeId: string;
  asked: readonly BlobId[];
  held: readonly BlobId[];
}

export class DataStep implements Drainable {
  readonly name = 'data';
  readonly say = 'copying data to other nodes';
  readonly bar = 'copying';
  private readonly wakeup: Wakeup;
  private readonly suspects = new Map<string, UnsafeItem>();
  /** More was not safe than was named. */
  private suspectsAll = false;
  private wanted: number;
  private pausedBefore: boolean | undefined;

  constructor(
    private readonly deps: DataDeps,
    private readonly options: DataOptions,
  ) {
    this.wakeup = new Wakeup(deps.clock);
    this.wanted = options.copies;
  }

  /** The operator asked for a drain: a pause of replication ends, and it is to as many copies as the coordinator wants. */
  async open(copies: number = this.wanted): Promise<void> {
    this.wanted = copies;
    const { copies: replicator } = this.deps;
    this.pausedBefore ??= replicator.isPaused();
    replicator.setCopies(copies);
    replicator.setPaused(false);
    replicator.recount();
  }

  /** What the coordinator did not find enough of, whatever the ledger says; where it could not name all, every blob. */
  distrust({ objects, first }: Pick<Unsafe, 'objects' | 'first'>): void {
    for (const item of first) this.suspects.set(`${item.kind} ${item.id}`, item);
    this.suspectsAll = objects > first.length;
  }

  async run(context: StepContext): Promise<StepResult> {
    const named = new Set([...this.suspects.values()].filter(({ kind }) => kind === 'blob').map(({ id }) => id));
    await this.copyAll(context);
    return this.untilOthersHave(named, context);
  }

  private async copyAll({ signal, report }: StepContext): Promise<void> {
    const { blobs, ledger, holders, clock, copies: replicator } = this.deps;
    await this.lookAgain(signal);
    const lacking = await this.takeOver(signal);
    let bytesTotal = 0;
    for (const size of lacking.values()) bytesTotal += size;
    const releases = [
      ledger.onChange(() => this.wakeup.wake()),
      // The replicator has forgotten refusals then, and who serves has changed.
      holders.onChange(() => this.wakeup.wake()),
    ];
    try {
      let askedAt = clock.monotonic();
      replicator.recount();
      for (;;) {
        const domainOf = this.domains();
        let bytes = 0;
        for (const [blob, size] of lacking) {
          // One that was moved aside as damaged cannot be sent; see `untilOthersHave`.
          if (this.isSafe(blob, domainOf) || !blobs.has(blob)) lacking.delete(blob);
          else bytes += size;
        }
        report({
          objects: lacking.size,
          bytes,
          bytesDone: bytesTotal - bytes,
          bytesTotal,
          ...(lacking.size > 0 ? { say: this.why(lacking) } : {}),
        });
        if (lacking.size === 0) return;
        await this.wakeup.wait(signal, LOOK_MS);
        signal.throwIfAborted();
        if (lacking.size > MANY) await sleep(clock, LOOK_MS, signal);
        if (clock.monotonic() - askedAt >= ASK_AGAIN_MS) {
          askedAt = clock.monotonic();
          await this.ask(lacking.keys(), signal);
        }
      }
    } finally {
      for (const release of releases) release();
    }
  }

  /** Of what the coordinator named: what is damaged here has its copies by the holders' word. */
  private async untilOthersHave(named: ReadonlySet<BlobId>, { signal, report }: StepContext): Promise<StepResult> {
    const { blobs, holders, clock } = this.deps;
    for (;;) {
      const gone = blobs.damaged().filter(({ id }) => named.has(id));
      if (gone.length === 0) return undefined;
      const domainOf = this.domains();
      const found = new Map<BlobId, Set<string>>(gone.map(({ id }) => [id, new Set()]));
      const asked = gone.map(({ id }) => id);
      for (const { peer, held } of await this.question(asked, signal)) {
        const domain = domainOf(peer);
        if (domain !== undefined) for (const blob of held) found.get(blob)?.add(domain);
      }
      const lacking = gone.filter(({ id }) => (found.get(id)?.size ?? 0) < this.wanted);
      if (lacking.length === 0) return undefined;
      const lost = lacking.filter(({ id }) => found.get(id)?.size === 0).length;
      report({
        objects: lacking.length,
        bytes: lacking.reduce((sum, { size }) => sum + size, 0),
        say: `${counted(lacking.length, 'object')} damaged on this node and held by too few others, ${lost} by nobody; see the log`,
      });
      const ids = lacking.slice(0, TOLD_MAX).map(({ id }) => id);
      this.deps.logger.error({ blobs: ids }, 'a drain cannot end: damaged here, and too few others hold it');
      const release = holders.onChange(() => this.wakeup.wake());
      try {
        const until = clock.monotonic() + ASK_AGAIN_MS;
        // Holders come and go often; each question goes to all of them.
        await sleep(clock, LOOK_MS, signal);
        await this.wakeup.wait(signal, Math.max(0, until - clock.monotonic()));
      } finally {
        release();
      }
      signal.throwIfAborted();
    }
  }

  async undo(): Promise<void> {
    this.suspects.clear();
    this.suspectsAll = false;
    this.wanted = this.options.copies;
    this.deps.copies.setCopies(this.options.copies);
    if (this.pausedBefore !== undefined) this.deps.copies.setPaused(this.pausedBefore);
    this.pausedBefore = undefined;
  }

  /** Answerable for everything here; what lacks copies, with its size. */
  private async takeOver(signal: AbortSignal): Promise<Map<BlobId, number>> {
    const lacking = new Map<BlobId, number>();
    let batch: BlobRef[] = [];
    const take = async () => {
      await this.takeOverSome(batch, signal);
      const domainOf = this.domains();
      for (const { blob, size } of batch) if (!this.isSafe(blob, domainOf)) lacking.set(blob, size);
      batch = [];
    };
    for await (const ref of this.deps.blobs.list()) {
      signal.throwIfAborted();
      batch.push(ref);
      if (batch.length >= ASKED_AT_ONCE) await take();
    }
    await take();
    return lacking;
  }

  private async takeOverSome(some: readonly BlobRef[], signal: AbortSignal): Promise<void> {
    const { ledger, copies: replicator } = this.deps;
    const domainOf = this.domains();
    const unsure = some.map(({ blob }) => blob).filter((blob) => !this.isSafe(blob, domainOf));
    const answers = await this.question(unsure, signal);
    // Not between becoming answerable and knowing who has it: everything would be sent to somebody once more.
    replicator.setPaused(true);
    try {
      await ledger.track(some);
      for (const { peer, storeId, held } of answers) await ledger.confirmBlobs(peer, storeId, held);
    } finally {
      replicator.setPaused(false);
    }
  }

  /** What each holder says it has of them; one that does not answer says nothing. */
  private async question(ids: readonly BlobId[], signal: AbortSignal): Promise<HolderAnswer[]> {
    const answers: HolderAnswer[] = [];
    if (ids.length === 0) return answers;
    for (const { peer } of this.others()) {
      try {
        for (let first = 0; first < ids.length; first += ASKED_AT_ONCE) {
          const asked = ids.slice(first, first + ASKED_AT_ONCE);
          const { storeId, held } = await this.deps.lane.have(peer, asked, deadline(ASK_MS, signal));
          answers.push({ peer, storeId, asked, held });
        }
      } catch (error) {
        signal.throwIfAborted();
        this.deps.logger.info({ peer, reason: describeError(error) }, 'a holder could not be asked what it has');
      }
    }
    return answers;
  }

  /** What a holder says it has counts as confirmed; for suspects, what it does not say counts no more. */
  private async ask(ids: Iterable<BlobId>, signal: AbortSignal, isSuspect = false): Promise<void> {
    for (const { peer, storeId, asked, held } of await this.question([...ids], signal)) {
      await this.deps.ledger.confirmBlobs(peer, storeId, held);
      if (!isSuspect) continue;
      const has = new Set(held);
      for (const blob of asked) if (!has.has(blob)) await this.deps.ledger.lapse(peer, undefined, blob);
    }
  }

  private async lookAgain(signal: AbortSignal): Promise<void> {
    const items = [...this.suspects.values()];
    if (items.length === 0) return;
    if (this.suspectsAll) await this.askAll(signal);
    else
      await this.ask(
        items.filter(({ kind }) => kind === 'blob').map(({ id }) => id),
        signal,
        true,
      );
    for (const { kind, id } of items) if (kind === 'account') await this.offer(id, signal);
    this.suspects.clear();
    this.suspectsAll = false;
  }

  private async askAll(signal: AbortSignal): Promise<void> {
    let ids: BlobId[] = [];
    for await (const { blob } of this.deps.blobs.list()) {
      if (ids.push(blob) < ASKED_AT_ONCE) continue;
      await this.ask(ids, signal, true);
      ids = [];
    }
    await this.ask(ids, signal, true);
  }

  /** To as many institutions as there must be copies; a holder that has it all already costs one question. */
  private async offer(account: string, signal: AbortSignal): Promise<void> {
    const domains = new Set<string>();
    for (const { peer, domain } of this.others()) {
      if (domains.size >= this.wanted) return;
      if (domains.has(domain)) continue;
      try {
        await this.deps.offerAccount(peer, account, deadline(OFFER_MS, signal));
        domains.add(domain);
      } catch (error) {
        signal.throwIfAborted();
        this.deps.logger.info({ peer, account, reason: describeError(error) }, 'a holder did not take an account log');
      }
    }
  }

  /** Who counts, the repository first. */
  private others(): Holder[] {
    return this.deps.holders
      .list()
      .filter(({ serving, connected, domain }) => serving && connected && domain !== this.options.domain)
      .sort((a, b) => Number(b.kind === 'repository') - Number(a.kind === 'repository') || (a.peer < b.peer ? -1 : 1));
  }

  private domains(): (peer: string) => string | undefined {
    return otherDomains(this.deps.holders, this.options.domain);
  }

  private isSafe(blob: BlobId, domainOf: (peer: string) => string | undefined): boolean {
    const tracked = this.deps.ledger.blob(blob);
    return tracked !== undefined && domainsOf(tracked, domainOf).size >= this.wanted;
  }

  private why(lacking: ReadonlyMap<BlobId, number>): string {
    const reasons = new Map<string, number>();
    for (const { blob, reason } of this.deps.copies.refusals()) {
      if (lacking.has(blob)) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    const serving = new Set(this.others().map(({ domain }) => domain)).size;
    const parts = [`${counted(lacking.size, 'object')} to copy`];
    if (serving < this.wanted) {
      parts.push(`${counted(serving, 'institution')} can be reached, ${this.wanted} are needed`);
    }
    const most = [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 3);
    for (const [reason, count] of most) parts.push(`refused ${counted(count, 'time')}: ${reason}`);
    return parts.join('; ');
  }
}

/** Like `servingDomains`, without this node's own institution. */
export function otherDomains(holders: Holders, own: string): (peer: string) => string | undefined {
  const byPeer = new Map(
    holders
      .list()
      .filter(({ serving, domain }) => serving && domain !== own)
      .map(({ peer, domain }) => [peer, domain]),
  );
  return (peer) => byPeer.get(peer);
}
