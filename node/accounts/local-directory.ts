/**
 * The directory of a node that is alone: names, keys and passwords in its own store. Claims run one after another, so
 * that looking and taking are one step; each ends in one fsynced batch.
 *
 * | namespace          | key                   | value                                        |
 * |--------------------|-----------------------|----------------------------------------------|
 * | directory.account  | account               | JSON: DirectoryAccount                       |
 * | directory.email    | lower-case e-mail     | account                                      |
 * | directory.username | lower-case name       | account                                      |
 * | directory.key      | SHA-256 of the key    | JSON: account, revoked (kept for ever)       |
 */
import { readJson, type Store, type StoreOp } from '../../protocol/runtime/store.js';
import { directoryErrors } from '../../protocol/wire/calls/directory-errors.js';
import type { Directory, DirectoryAccount, PasswordCheck, VerifiedSignIn } from './directory.js';

const NS = {
  account: 'directory.account',
  email: 'directory.email',
  username: 'directory.username',
  key: 'directory.key',
} as const;

interface StoredKey {
  account: string;
  revoked: boolean;
}

export class LocalDirectory implements Directory {
  private tail: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: { store: Store; peerId: string; onClaimed?: (account: string) => void }) {}

  claim(claim: { account: string; email: string; username: string; passwordHash: string }): Promise<DirectoryAccount> {
    return this.alone(async () => {
      const record: DirectoryAccount = { ...claim, home: this.deps.peerId, epoch: 0 };
      const before = await this.byId(claim.account);
      if (before) {
        if (sameDetails(before, record)) return before;
        throw directoryErrors('account-exists', { account: claim.account });
      }
      if (await this.owner('email', claim.email)) throw directoryErrors('email-taken');
      if (await this.owner('username', claim.username)) throw directoryErrors('username-taken');
      await this.deps.store.commit([put(record), name('email', record), name('username', record)]);
      this.deps.onClaimed?.(record.account);
      return record;
    });
  }

  /** Every account ever claimed here. */
  async *accounts(): AsyncIterable<string> {
    for await (const [account] of this.deps.store.iterate(NS.account)) yield account;
  }

  async find(login: string): Promise<DirectoryAccount | undefined> {
    const account = (await this.owner('email', login)) ?? (await this.owner('username', login));
    return account === undefined ? undefined : this.byId(account);
  }

  async byId(account: string): Promise<DirectoryAccount | undefined> {
    return readJson<DirectoryAccount>(await this.deps.store.get(NS.account, account));
  }

  async byKeyHash(hash: string): Promise<DirectoryAccount | undefined> {
    const key = readJson<StoredKey>(await this.deps.store.get(NS.key, hash));
    return key === undefined || key.revoked ? undefined : this.byId(key.account);
  }

  putKey(key: { account: string; hash: string; revoked: boolean }): Promise<void> {
    return this.alone(async () => {
      const before = readJson<StoredKey>(await this.deps.store.get(NS.key, key.hash));
      if (before?.revoked && !key.revoked) throw directoryErrors('key-revoked');
      const stored: StoredKey = { account: key.account, revoked: key.revoked };
      await this.deps.store.commit([{ ns: NS.key, key: key.hash, value: JSON.stringify(stored) }]);
    });
  }

  update(account: string, change: { email?: string; username?: string; passwordHash?: string }): Promise<void> {
    return this.alone(async () => {
      const before = await this.byId(account);
      if (!before) throw directoryErrors('not-found');
      const after: DirectoryAccount = {
        ...before,
        ...(change.email !== undefined ? { email: change.email } : {}),
        ...(change.username !== undefined ? { username: change.username } : {}),
        ...(change.passwordHash !== undefined ? { passwordHash: change.passwordHash } : {}),
      };
      const ops: StoreOp[] = [put(after)];
      for (const kind of ['email', 'username'] as const) {
        if (after[kind].toLowerCase() === before[kind].toLowerCase()) continue;
        if (await this.owner(kind, after[kind])) throw directoryErrors(`${kind}-taken`);
        ops.push({ ns: NS[kind], key: before[kind].toLowerCase(), delete: true }, name(kind, after));
      }
      await this.deps.store.commit(ops);
    });
  }

  async signIn(login: string, password: string, check: PasswordCheck): Promise<VerifiedSignIn> {
    const account = await this.find(login);
    const right = account ? await check.verify(account.passwordHash, password) : await check.verifyNobody(password);
    if (!account || !right) throw directoryErrors('wrong-password');
    return { account };
  }

  async handOff(): Promise<undefined> {
    return undefined;
  }

  private async owner(kind: 'email' | 'username', text: string): Promise<string | undefined> {
    const bytes = await this.deps.store.get(NS[kind], text.trim().toLowerCase());
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work);
    this.tail = result.catch(() => undefined);
    return result;
  }
}

function put(record: DirectoryAccount): StoreOp {
  return { ns: NS.account, key: record.account, value: JSON.stringify(record) };
}

function name(kind: 'email' | 'username', record: DirectoryAccount): StoreOp {
  return { ns: NS[kind], key: record[kind].toLowerCase(), value: record.account };
}

function sameDetails(a: DirectoryAccount, b: DirectoryAccount): boolean {
  return a.email === b.email && a.username === b.username && a.passwordHash === b.passwordHash;
}
