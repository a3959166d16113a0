/**
 * An account's API keys: made, shown again, taken back, and whom a key stands for. What holds is the log's word; the
 * directory knows each key's hash, so that any node and the network's address can tell whose it is.
 */
import type { AccountView, KeyRecord } from '../../protocol/account/records.js';
import type { AccountLog, LeaseSource } from '../../protocol/log/account-log.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Random } from '../../protocol/runtime/random.js';
import { accountOfApiKey, hashApiKey, newApiKey, type Sealer } from './api-keys.js';
import type { Directory } from './directory.js';
import { accountErrors } from './errors.js';

/** Resolves when the account is served here; throws when it will not be. */
export type WhenHere = (account: string) => Promise<void>;

export interface AccountKeysDeps {
  accountLog: AccountLog;
  leases: LeaseSource;
  directory: Pick<Directory, 'putKey' | 'byKeyHash'>;
  ids: { next(): string };
  clock: Clock;
  random: Random;
  sealer: Pick<Sealer, 'seal' | 'open'>;
  mustBeHere: WhenHere;
}

const KNOWN_KEYS_MAX = 10_000;
const KEYS_PER_ACCOUNT_MAX = 50;

export class AccountKeys {
  /** Hash of a key → its account, for keys seen before. Whether it still holds is asked of the view each time. */
  private readonly known = new Map<string, string>();

  constructor(private readonly deps: AccountKeysDeps) {}

  /** A further key; older ones go on. Errors: `accounts/invalid` when there are too many. */
  async create(account: string): Promise<string> {
    const { accountLog, directory, sealer, ids, clock, random } = this.deps;
    if (activeKeys(await accountLog.view(account)).length >= KEYS_PER_ACCOUNT_MAX) {
      throw accountErrors('invalid', { message: 'This account has too many API keys. Delete them first.' });
    }
    const key = newApiKey(account, random);
    const hash = hashApiKey(key);
    await directory.putKey({ account, hash, revoked: false });
    const payload = { id: ids.next(), hash, sealed: sealer.seal(key, account), createdAt: clock.now() };
    await accountLog.append(account, () => [{ type: 'key.created', payload }]);
    return key;
  }

  /** The newest that holds and that this node can show. */
  async newest(account: string): Promise<{ key: string; createdAt: number } | undefined> {
    for (const { sealed, createdAt } of activeKeys(await this.deps.accountLog.view(account))) {
      const key = this.deps.sealer.open(sealed, account);
      if (key !== undefined) return { key, createdAt };
    }
    return undefined;
  }

  async revokeAll(account: string): Promise<void> {
    const { accountLog, directory } = this.deps;
    for (const { id, hash } of activeKeys(await accountLog.view(account))) {
      await directory.putKey({ account, hash, revoked: true });
      await accountLog.append(account, () => [{ type: 'key.revoked', payload: { id } }]);
    }
  }

  /** The account a key stands for, with its view; undefined for a key that does not hold. Errors: `directory/away`. */
  async accountOf(
    key: string,
    whenHere: WhenHere = this.deps.mustBeHere,
  ): Promise<{ account: string; view: AccountView } | undefined> {
    const named = accountOfApiKey(key);
    if (named === undefined) return undefined;
    const hash = hashApiKey(key);
    // At home here its own log says which keys hold; elsewhere the directory must know the key, or it is nobody's.
    const isKnown = this.known.get(hash) === named || isGranted(this.deps.leases, named);
    const account = isKnown ? named : (await this.deps.directory.byKeyHash(hash))?.account;
    if (account !== named) return undefined;
    await whenHere(account);
    const view = await this.deps.accountLog.view(account);
    const record = view.get('account', account);
    if (!record || record.deleted) return undefined;
    if (!activeKeys(view).some((active) => active.hash === hash)) {
      this.known.delete(hash);
      return undefined;
    }
    if (this.known.size >= KNOWN_KEYS_MAX) this.known.clear();
    this.known.set(hash, account);
    return { account, view };
  }
}

/** Newest first. */
export function activeKeys(view: AccountView): KeyRecord[] {
  return [...view.list('key')]
    .filter((key) => !key.revoked)
    .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
}

/** At home here by the network's grant: nobody needs to be asked, and nobody may be there to be asked. */
export function isGranted(leases: LeaseSource, account: string): boolean {
  return (leases.current(account)?.epoch ?? 0) > 0;
}
