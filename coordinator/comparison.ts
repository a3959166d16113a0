/**
 * The comparison of one leaver's inventory with holders that serve now: a job that goes on by itself, page by page.
 *
 *   at rest → comparing → at rest: every page has a result (or it broke; the next word begins it again)
 *
 * Each page's result is on disk before the next page: a restart of the coordinator, a call that was lost, or another round
 * does nothing twice. A result holds as long as everybody whose word counted in it still serves, with the same store. What
 * lacked copies is looked at again in the next round, and only that.
 */
import type { Gate } from '../protocol/blobs/gate.js';
import { describeError } from '../protocol/runtime/errors.js';
import type { Background } from '../protocol/runtime/lifecycle.js';
import type { Logger } from '../protocol/runtime/logger.js';
import { type CompareAnswer, UNSAFE_TOLD_MAX, UNSAFE_TOLD_MEANWHILE_MAX } from '../protocol/wire/calls/handover.js';
import type { Holder, HolderQuestions } from './holder-questions.js';
import type { DrainRecord, Inventories, PageResult } from './inventories.js';
import { judgeInventory } from './receipts.js';

export interface ComparisonDeps {
  inventories: Pick<Inventories, 'page' | 'save' | 'saveResult' | 'results' | 'unsafe'>;
  questions: Pick<HolderQuestions, 'ask' | 'isRight'>;
  /** Who may be asked now, the repository first. */
  holders: () => Holder[];
  /** Whether a holder's word still counts: it serves, maybe out of reach for a moment, and has the same store. */
  counts: (holder: { peerId: string; storeId: string }) => boolean;
  /** Whether the drain is still the one that this is about. */
  isCurrent: () => boolean;
  /** Resolves when holders have had time to come back after a start of the coordinator. */
  settled: (signal: AbortSignal) => Promise<void>;
  /** Pages of all leavers that are compared at the same time. */
  gate: Gate;
  background: Background;
  log: Logger;
}

/** What a receipt says of it. */
export interface Compared {
  copiesLeast: number;
  holders: string[];
  sampled: number;
}

export class Comparison {
  private readonly results = new Map<number, PageResult>();
  private readonly controller = new AbortController();
  private isRunning = false;
  private failure: { error: unknown } | undefined;

  constructor(
    private readonly deps: ComparisonDeps,
    private readonly peer: string,
    private readonly record: DrainRecord,
  ) {}

  /** What an earlier process has done. */
  async load(): Promise<void> {
    for await (const [page, result] of this.deps.inventories.results(this.peer)) this.results.set(page, result);
  }

  /** The drain is off, or has another inventory. */
  stop(): void {
    this.controller.abort(new Error('the comparison is not wanted any more'));
  }

  /** Begins, or goes on; `round` above the known one looks at what lacked copies again. Throws what broke it, once. */
  async begin(round: number): Promise<void> {
    const { failure, record } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure.error;
    if (round > record.round && !this.isRunning) {
      record.round = round;
      await this.deps.inventories.save(this.peer, record);
    }
    if (!this.isRunning && this.nextPage() !== undefined) this.launch();
  }

  /** How far it is. */
  async answer(): Promise<CompareAnswer> {
    const checked = { objects: 0, bytes: 0 };
    const missing = { objects: 0, bytes: 0 };
    const lacking: number[] = [];
    for (let page = 0; page < this.record.pages; page++) {
      const result = this.results.get(page);
      if (result === undefined || !this.isValid(result)) continue;
      checked.objects += result.size.objects;
      checked.bytes += result.size.bytes;
      missing.objects += result.missing.objects;
      missing.bytes += result.missing.bytes;
      if (result.missing.objects > 0) lacking.push(page);
    }
    const { accounts, blobs, bytes } = this.record;
    const isOver = !this.isRunning && this.failure === undefined && this.nextPage() === undefined;
    const first: CompareAnswer['missing']['first'] = [];
    const most = isOver ? UNSAFE_TOLD_MAX : UNSAFE_TOLD_MEANWHILE_MAX;
    for (const page of lacking) {
      if (first.length >= most) break;
      for (const { kind, id, reason } of await this.deps.inventories.unsafe(this.peer, page)) {
        if (first.length < most) first.push({ kind, id, reason });
      }
    }
    return {
      state: !isOver ? 'comparing' : missing.objects > 0 ? 'unsafe' : 'safe',
      checked,
      total: { objects: accounts + blobs, bytes },
      missing: { ...missing, first },
    };
  }

  /** When everything was found, at holders that all `serve` at this moment; no wait in it. */
  safeNow(serves: (peerId: string) => boolean): Compared | undefined {
    if (this.isRunning || this.failure !== undefined || this.nextPage() !== undefined) return undefined;
    const holders = new Set<string>();
    let copiesLeast = Number.POSITIVE_INFINITY;
    let sampled = 0;
    for (const result of this.results.values()) {
      if (result.missing.objects > 0) return undefined;
      for (const { peerId } of result.holders) {
        if (!serves(peerId)) return undefined;
        holders.add(peerId);
      }
      copiesLeast = Math.min(copiesLeast, result.copiesLeast);
      sampled += result.sampled;
    }
    return { copiesLeast, holders: [...holders], sampled };
  }

  private launch(): void {
    this.isRunning = true;
    this.deps.background.run('compare an inventory', async (stopping) => {
      const signal = AbortSignal.any([stopping, this.controller.signal]);
      try {
        await this.deps.settled(signal);
        for (let page = this.nextPage(); page !== undefined && this.deps.isCurrent(); page = this.nextPage()) {
          const next = page;
          await this.deps.gate.run(() => this.comparePage(next, signal));
        }
      } catch (error) {
        if (signal.aborted) return;
        this.deps.log.warn({ peer: this.peer, reason: describeError(error) }, 'the comparison for a drain broke');
        this.failure = { error };
      } finally {
        this.isRunning = false;
      }
    });
  }

  private async comparePage(page: number, signal: AbortSignal): Promise<void> {
    const { inventories, questions } = this.deps;
    const { record, peer } = this;
    const { round, copies } = record;
    const items = await inventories.page(peer, page);
    const asked = await questions.ask(items, copies, await this.trusted(signal), signal);
    if (asked.wrong.size > 0) {
      for (const [holder, chunk] of asked.wrong) record.wrong[holder] = { ...chunk, round };
      await inventories.save(peer, record);
    }
    const { unsafe, copiesLeast } = judgeInventory(items, (item) => asked.found.get(item) ?? new Set(), copies);
    const result: PageResult = {
      round,
      copies,
      size: sizeOf(items),
      missing: sizeOf(unsafe),
      copiesLeast,
      holders: asked.holders.map(({ peerId, storeId }) => ({ peerId, storeId })),
      sampled: asked.sampled,
    };
    signal.throwIfAborted();
    await inventories.saveResult(peer, page, result, unsafe);
    this.results.set(page, result);
  }

  /** Without those who did not have their bytes; in a later round they may show that very chunk once more. */
  private async trusted(signal: AbortSignal): Promise<Holder[]> {
    const { record } = this;
    const holders: Holder[] = [];
    for (const holder of this.deps.holders()) {
      const wrong = record.wrong[holder.peerId];
      if (wrong === undefined) holders.push(holder);
      else if (wrong.round < record.round) {
        if (await this.deps.questions.isRight(holder.peerId, wrong, signal)) {
          delete record.wrong[holder.peerId];
          holders.push(holder);
        } else wrong.round = record.round;
        await this.deps.inventories.save(this.peer, record);
      }
    }
    return holders;
  }

  private nextPage(): number | undefined {
    for (let page = 0; page < this.record.pages; page++) {
      const result = this.results.get(page);
      if (result === undefined || !this.isValid(result)) return page;
    }
    return undefined;
  }

  private isValid({ copies, round, missing, holders }: PageResult): boolean {
    if (copies !== this.record.copies) return false;
    if (missing.objects > 0 && round !== this.record.round) return false;
    return holders.every((holder) => this.record.wrong[holder.peerId] === undefined && this.deps.counts(holder));
  }
}

function sizeOf(items: readonly { bytes: number }[]): { objects: number; bytes: number } {
  return { objects: items.length, bytes: items.reduce((sum, { bytes }) => sum + bytes, 0) };
}
