/**
 * Whose a history is, for ids that are not the caller's own: shared and published ones, and the difference between "not
 * yours" and "not here". Filled at the first question and kept by what the log applies afterwards.
 */
import type { AccountView, HistoryRecord } from '../../protocol/account/records.js';
import type { AccountLog } from '../../protocol/log/account-log.js';

/** A node keeps the logs of many accounts; past this many histories the oldest known are asked of the logs no more. */
const HISTORIES_MAX = 500_000;

export interface OwnedHistory {
  account: string;
  view: AccountView;
  record: HistoryRecord;
}

export class HistoryOwners {
  private readonly owners = new Map<string, string>();
  private loading: Promise<void> | undefined;
  /** Accounts with a shared history; forgotten whenever a history changes anywhere. */
  private sharing: string[] | undefined;

  constructor(private readonly deps: { log: Pick<AccountLog, 'accounts' | 'view' | 'onApplied'> }) {
    deps.log.onApplied(({ account, entries }) => {
      for (const entry of entries) {
        if (entry.type.startsWith('history.')) this.sharing = undefined;
        const id = entry.type === 'history.created' ? entry.payload.id : undefined;
        if (typeof id === 'string') this.remember(id, account);
      }
    });
  }

  async find(history: string): Promise<OwnedHistory | undefined> {
    await this.load();
    const account = this.owners.get(history);
    if (account === undefined) return undefined;
    const view = await this.deps.log.view(account);
    const record = view.get('history', history);
    return record === undefined ? undefined : { account, view, record };
  }

  /** Every history known here for which `wanted` holds. */
  async all(wanted: (record: HistoryRecord) => boolean): Promise<OwnedHistory[]> {
    await this.load();
    const found: OwnedHistory[] = [];
    for (const account of new Set(this.owners.values())) {
      const view = await this.deps.log.view(account);
      for (const record of view.list('history')) if (wanted(record)) found.push({ account, view, record });
    }
    return found;
  }

  /** The view in which a dataset stands in a history that is shared (or, with `any`, in any history). */
  async holderOf(dataset: string, any: boolean): Promise<AccountView | undefined> {
    await this.load();
    for (const account of any ? new Set(this.owners.values()) : await this.sharingAccounts()) {
      const view = await this.deps.log.view(account);
      const record = view.get('dataset', dataset);
      const history = record && view.get('history', record.history);
      if (history && (any || isShared(history))) return view;
    }
    return undefined;
  }

  private async sharingAccounts(): Promise<string[]> {
    if (this.sharing) return this.sharing;
    const accounts = new Set((await this.all(isShared)).map(({ account }) => account));
    this.sharing = [...accounts];
    return this.sharing;
  }

  private load(): Promise<void> {
    this.loading ??= this.loadAll().catch((error: unknown) => {
      this.loading = undefined;
      throw error;
    });
    return this.loading;
  }

  private async loadAll(): Promise<void> {
    for await (const account of this.deps.log.accounts()) {
      const view = await this.deps.log.view(account);
      for (const record of view.list('history')) this.remember(record.id, account);
    }
  }

  private remember(history: string, account: string): void {
    if (this.owners.size >= HISTORIES_MAX && !this.owners.has(history)) {
      const oldest = this.owners.keys().next().value;
      if (oldest !== undefined) this.owners.delete(oldest);
    }
    this.owners.set(history, account);
  }
}

/** Whether everyone who knows its address may read it. */
export function isShared(record: HistoryRecord): boolean {
  return Boolean(record.importable || record.published) && !record.deleted && !record.purged;
}
