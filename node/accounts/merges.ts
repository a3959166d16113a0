/**
 * Entries of other nodes for accounts at home here: numbers that collide are settled, in favour of what is on the user's
 * screen, and whoever follows the account is told. One merge of an account at a time; the next one takes what came meanwhile. What fails is tried again, because
 * until then two items share a number and the client hides one.
 */
import type { AccountLog } from '../../protocol/log/account-log.js';
import type { Entry } from '../../protocol/log/entry.js';
import { type Clock, sleep } from '../../protocol/runtime/clock.js';
import { describeError, isDomainError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { settleHids } from './settle.js';

const RETRY_MS = 2000;

export interface MergesDeps {
  log: Pick<AccountLog, 'append'>;
  /** At home here, and not just arriving. */
  isHere: (account: string) => boolean;
  onMerged: (account: string) => Promise<void>;
  clock: Clock;
  logger: Logger;
}

/** What entries came in for. */
interface CameIn {
  histories: Set<string>;
  /** Items that were made, or given a number, elsewhere. */
  items: Set<string>;
}

const NUMBERING = new Set(['dataset.created', 'collection.created', 'item.hid']);

export class Merges implements Part {
  private readonly background: Background;
  private readonly waiting = new Map<string, CameIn>();
  private readonly merging = new Set<string>();

  constructor(private readonly deps: MergesDeps) {
    this.background = new Background({ log: deps.logger });
  }

  async stop(): Promise<void> {
    await this.background.stop();
  }

  cameIn(account: string, entries: readonly Pick<Entry, 'type' | 'payload'>[]): void {
    const came = this.waiting.get(account) ?? { histories: new Set(), items: new Set() };
    for (const { type, payload } of entries) {
      if (typeof payload.history === 'string') came.histories.add(payload.history);
      if (NUMBERING.has(type) && typeof payload.id === 'string') came.items.add(payload.id);
    }
    this.waiting.set(account, came);
    this.go(account);
  }

  /** All of it is about to be looked at: what comes in from now on is a merge. */
  forget(account: string): void {
    this.waiting.delete(account);
  }

  /** What waited while the account was arriving, or sealed. */
  go(account: string): void {
    if (this.merging.has(account) || !this.waiting.has(account)) return;
    this.merging.add(account);
    this.background.run('merge', async (signal) => {
      try {
        while (!signal.aborted && this.deps.isHere(account)) {
          const came = this.waiting.get(account);
          if (came === undefined) return;
          this.waiting.delete(account);
          try {
            await this.settle(account, came.histories, came.items);
            await this.deps.onMerged(account);
            this.deps.logger.info({ account }, 'what another node had of an account was merged');
          } catch (error) {
            const since = this.waiting.get(account);
            this.waiting.set(account, {
              histories: new Set([...came.histories, ...(since?.histories ?? [])]),
              items: new Set([...came.items, ...(since?.items ?? [])]),
            });
            // Its next home settles it, or it goes on here when it is opened again.
            if (isDomainError(error, 'log/sealed') || signal.aborted) return;
            this.deps.logger.warn({ account, reason: describeError(error) }, 'a merge failed and is tried again');
            await sleep(this.deps.clock, RETRY_MS, signal).catch(() => {});
          }
        }
      } finally {
        this.merging.delete(account);
      }
    });
  }

  goAll(): void {
    for (const account of [...this.waiting.keys()]) this.go(account);
  }

  async settle(account: string, histories: ReadonlySet<string>, items: ReadonlySet<string> = new Set()): Promise<void> {
    if (histories.size === 0 && items.size === 0) return;
    await this.deps.log.append(account, (view) => {
      const all = new Set(histories);
      // A new number names its item, not the history.
      for (const id of items) {
        const history = view.get('dataset', id)?.history ?? view.get('collection', id)?.history;
        if (history !== undefined) all.add(history);
      }
      return settleHids(view, all, items);
    });
  }
}
