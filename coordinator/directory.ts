/**
 * Who owns which e-mail address, public name and API key in the network, and where each account is at home.
 *
 * Names are unique by their lower-case form and claimed in one batch with the account, under a lock on the name, so two
 * claims at the same moment cannot both succeed. Only here is an epoch raised, and it is on disk before anyone sees it.
 *
 * A write that failed may have reached the disk all the same, and be seen only once the store was opened anew. So what it
 * was about is unsure until a later write has gone through and the account was read again: nothing is done with it before,
 * and whoever has to know of a new home is told of it then.
 * Accounts are never merged by e-mail: a second claim of an address is refused, whoever makes it.
 */
import { z } from 'zod';
import type { Clock } from '../protocol/runtime/clock.js';
import { readJson, type Store, type StoreOp } from '../protocol/runtime/store.js';
import type { Signer } from '../protocol/trust/identity.js';
import { issueLease } from '../protocol/trust/lease.js';
import { directoryErrors } from '../protocol/wire/calls/directory-errors.js';
import { entityIdSchema } from '../protocol/wire/ids.js';
import type { Counters } from './counters.js';
import { Locks } from './locks.js';
import { NAMESPACES } from './namespaces.js';

const storedAccount = z.object({
  account: entityIdSchema,
  email: z.string(),
  username: z.string(),
  passwordHash: z.string(),
  /** PeerId of the home. */
  home: z.string(),
  epoch: z.number().int().nonnegative(),
  /** PeerId of the node that claimed it: what it wrote before under epoch 0, by its own word alone, counts. */
  origin: z.string().optional(),
  createdAt: z.number(),
  /** Sign-ins at the network's address from before this do not count any more (the password was changed). */
  sessionsAfter: z.number(),
});
export type Account = z.output<typeof storedAccount>;

const storedKey = z.object({ account: entityIdSchema, revoked: z.boolean() });

export interface Claim {
  account: string;
  email: string;
  username: string;
  passwordHash: string;
}

export interface HomeChange {
  account: string;
  from: string;
  to: string;
  epoch: number;
}

const UNSURE_MAX = 1000;

export class Directory {
  private readonly locks = new Locks();
  /** Account → home: small, and asked synchronously by those who decide who may read what. */
  private readonly home = new Map<string, string>();
  private readonly counts = new Map<string, number>();
  /** Account → the home that a failed write would have given it; each of them is being asked for. */
  private readonly unsure = new Map<string, string>();
  private readonly listeners = new Set<(change: HomeChange) => void>();

  constructor(private readonly deps: { store: Store; clock: Clock; signer: Signer; counters: Counters }) {}

  async start(): Promise<void> {
    for await (const [key] of this.deps.store.iterate(NAMESPACES.homes)) {
      const [home, account] = key.split('/') as [string, string];
      this.settle(account, home);
    }
  }

  /**
   * A new account with `home` as its home, or the account that the same claim made before (the answer may have been
   * lost). Errors: `directory/email-taken`, `directory/username-taken`, `directory/account-exists`.
   */
  async claim(claim: Claim, home: string): Promise<Account> {
    const names = [`email/${fold(claim.email)}`, `username/${fold(claim.username)}`, `account/${claim.account}`];
    return this.locks.hold(names, async () => {
      const before = await this.byId(claim.account);
      if (before !== undefined) {
        const same = fold(before.email) === fold(claim.email) && fold(before.username) === fold(claim.username);
        if (same && before.home === home) return before;
        throw directoryErrors('account-exists', { account: claim.account });
      }
      if (await this.taken(NAMESPACES.emails, claim.email)) throw directoryErrors('email-taken');
      if (await this.taken(NAMESPACES.usernames, claim.username)) throw directoryErrors('username-taken');
      const { number: epoch, op } = this.deps.counters.nextEpoch();
      const account: Account = {
        ...claim,
        home,
        epoch,
        origin: home,
        createdAt: this.deps.clock.now(),
        sessionsAfter: 0,
      };
      await this.write(account, [
        op,
        accountOp(account),
        { ns: NAMESPACES.emails, key: fold(claim.email), value: claim.account },
        { ns: NAMESPACES.usernames, key: fold(claim.username), value: claim.account },
        homeOp(account),
      ]);
      this.settle(claim.account, home);
      return account;
    });
  }

  async byId(account: string): Promise<Account | undefined> {
    if (this.unsure.has(account)) await this.makeSure(account);
    return this.read(account);
  }

  /** By e-mail or public name, both case-insensitive. */
  async find(login: string): Promise<Account | undefined> {
    const key = fold(login);
    const id =
      (await this.deps.store.get(NAMESPACES.emails, key)) ?? (await this.deps.store.get(NAMESPACES.usernames, key));
    return id === undefined ? undefined : this.byId(text(id));
  }

  /** By SHA-256 of an API key; undefined for a revoked one. */
  async byKeyHash(hash: string): Promise<Account | undefined> {
    const key = await this.key(hash);
    return key === undefined || key.revoked ? undefined : this.byId(key.account);
  }

  async isKeyRevoked(hash: string): Promise<boolean> {
    return (await this.key(hash))?.revoked ?? false;
  }

  /** A revoked key stays revoked, in whatever order the two messages arrive. Durable when it resolves. */
  async putKey(key: { account: string; hash: string; revoked: boolean }): Promise<void> {
    await this.locks.hold([`key/${key.hash}`], async () => {
      const before = await this.key(key.hash);
      if (before !== undefined && before.account !== key.account) throw directoryErrors('key-revoked');
      if (before?.revoked && !key.revoked) throw directoryErrors('key-revoked');
      if (before?.revoked === key.revoked) return;
      const value = JSON.stringify({ account: key.account, revoked: key.revoked });
      await this.deps.store.commit([{ ns: NAMESPACES.keys, key: key.hash, value }]);
    });
  }

  /** Errors: `directory/not-found`, `directory/email-taken`, `directory/username-taken`. */
  async update(id: string, change: { email?: string; username?: string; passwordHash?: string }): Promise<Account> {
    const names = [`account/${id}`];
    if (change.email !== undefined) names.push(`email/${fold(change.email)}`);
    if (change.username !== undefined) names.push(`username/${fold(change.username)}`);
    return this.locks.hold(names, async () => {
      const before = await this.required(id);
      const after: Account = { ...before, ...defined(change) };
      if (change.passwordHash !== undefined && change.passwordHash !== before.passwordHash) {
        after.sessionsAfter = this.deps.clock.now();
      }
      const ops: StoreOp[] = [accountOp(after)];
      for (const [ns, was, is, taken] of [
        [NAMESPACES.emails, before.email, after.email, 'email-taken'],
        [NAMESPACES.usernames, before.username, after.username, 'username-taken'],
      ] as const) {
        if (fold(was) === fold(is)) continue;
        if (await this.taken(ns, is)) throw directoryErrors(taken);
        // Freeing the old name needs no lock: whoever claims it sees it taken until this batch is on disk.
        ops.push({ ns, key: fold(was), delete: true }, { ns, key: fold(is), value: id });
      }
      await this.write(after, ops);
      return after;
    });
  }

  /**
   * Gives the account a new home under a higher epoch, if `from` is still its home (two requests may have decided the
   * same). Resolves with the account as it then is; on disk before anyone is told.
   */
  async rehome(id: string, from: string, to: string): Promise<Account> {
    return this.locks.hold([`account/${id}`], async () => {
      const before = await this.required(id);
      if (before.home !== from || from === to) return before;
      const { number: epoch, op } = this.deps.counters.nextEpoch();
      const after: Account = { ...before, home: to, epoch };
      await this.write(after, [
        op,
        accountOp(after),
        { ns: NAMESPACES.homes, key: `${from}/${id}`, delete: true },
        homeOp(after),
      ]);
      this.moved(after);
      return after;
    });
  }

  /** The signed lease of the account's current home. The same lease may be signed many times; its epoch decides. */
  lease(account: Account): string {
    const { account: id, epoch, home, origin } = account;
    const lease = { account: id, epoch, node: home, ...(origin === undefined ? {} : { origin }) };
    return issueLease(this.deps.signer, lease, this.deps.clock.now());
  }

  /** Accounts at home on a node, in order of id, after one of them. */
  async *homedAt(peer: string, after = ''): AsyncIterable<string> {
    const range = { gt: `${peer}/${after}`, lt: `${peer}0` };
    for await (const [key] of this.deps.store.iterate(NAMESPACES.homes, range)) yield key.slice(peer.length + 1);
  }

  homeOf(account: string): string | undefined {
    return this.home.get(account);
  }

  /** How many accounts are at home on a node; one that may be is counted. */
  homes(peer: string): number {
    let unsure = 0;
    for (const [account, home] of this.unsure) if (home === peer && this.home.get(account) !== peer) unsure += 1;
    return (this.counts.get(peer) ?? 0) + unsure;
  }

  onRehomed(listener: (change: HomeChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private async write(account: Account, ops: readonly StoreOp[]): Promise<void> {
    // A disk that stays full must not make this list grow with every claim that is tried.
    const [oldest] = this.unsure.keys();
    if (this.unsure.size >= UNSURE_MAX && oldest !== undefined) await this.makeSure(oldest);
    try {
      await this.deps.store.commit(ops);
    } catch (error) {
      this.unsure.set(account.account, account.home);
      // A full disk stays full for a while; then it is tried when somebody next asks for the account.
      await this.makeSure(account.account).catch(() => {});
      throw error;
    }
  }

  /** Memory as the disk has it. Throws while that cannot be known. */
  private async makeSure(id: string): Promise<void> {
    // What was written before this is visible after it, if it is ever to be.
    await this.deps.store.commit([{ ns: NAMESPACES.meta, key: 'sure', value: '' }]);
    const account = await this.read(id);
    if (!this.unsure.delete(id) || account === undefined) return;
    if (this.home.has(id)) this.moved(account);
    else this.settle(id, account.home);
  }

  private moved({ account, home: to, epoch }: Account): void {
    const from = this.home.get(account);
    if (from === undefined || from === to) return;
    this.settle(account, to);
    for (const listener of this.listeners) listener({ account, from, to, epoch });
  }

  private async read(account: string): Promise<Account | undefined> {
    return parseAccount(await this.deps.store.get(NAMESPACES.accounts, account));
  }

  private async required(id: string): Promise<Account> {
    const account = await this.byId(id);
    if (account === undefined) throw directoryErrors('not-found');
    return account;
  }

  private async taken(ns: string, name: string): Promise<boolean> {
    return (await this.deps.store.get(ns, fold(name))) !== undefined;
  }

  private async key(hash: string): Promise<z.output<typeof storedKey> | undefined> {
    const found = readJson<unknown>(await this.deps.store.get(NAMESPACES.keys, hash));
    return found === undefined ? undefined : storedKey.parse(found);
  }

  private settle(account: string, home: string): void {
    const before = this.home.get(account);
    if (before !== undefined) this.counts.set(before, (this.counts.get(before) ?? 0) - 1);
    this.home.set(account, home);
    this.counts.set(home, (this.counts.get(home) ?? 0) + 1);
  }
}

/** Names that differ only in case or in Unicode's spelling of one letter are one name. */
export function fold(name: string): string {
  return name.normalize('NFC').trim().toLowerCase();
}

function accountOp(account: Account): StoreOp {
  return { ns: NAMESPACES.accounts, key: account.account, value: JSON.stringify(account) };
}

function homeOp(account: Account): StoreOp {
  return { ns: NAMESPACES.homes, key: `${account.home}/${account.account}`, value: String(account.epoch) };
}

function parseAccount(bytes: Uint8Array | undefined): Account | undefined {
  const found = readJson<unknown>(bytes);
  return found === undefined ? undefined : storedAccount.parse(found);
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

function defined<T extends object>(change: T): T {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as T;
}
