/**
 * Accounts: who may sign in, with what, and what belongs to the account itself (name, keys, preferences, current
 * history). Names and password hashes are the directory's, and are copied into the account's log so that a new home has
 * them; the directory's word counts at sign-in.
 *
 * An account whose name was claimed and whose first entries were not written (a crash between the two) is finished at
 * its first sign-in.
 */
import type { EntryPayload } from '../../protocol/account/entries.js';
import type { AccountRecord, AccountView } from '../../protocol/account/records.js';
import type { AccountLog, LeaseSource } from '../../protocol/log/account-log.js';
import type { Draft, JsonObject, JsonValue } from '../../protocol/log/entry.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import { type DomainError, isDomainError } from '../../protocol/runtime/errors.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import type { Random } from '../../protocol/runtime/random.js';
import type { Store } from '../../protocol/runtime/store.js';
import type { Signer } from '../../protocol/trust/identity.js';
import { CLOCK_SKEW_MAX_MS } from '../../protocol/wire/limits.js';
import { AccountKeys, activeKeys, isGranted, type WhenHere } from './account-keys.js';
import { checkEmail, checkPassword, checkUsername } from './account-rules.js';
import { Admins } from './admins.js';
import type { Sealer } from './api-keys.js';
import { Attempts } from './attempts.js';
import type { Directory, DirectoryAccount, VerifiedSignIn } from './directory.js';
import { accountErrors } from './errors.js';
import { HomedNames } from './homed-names.js';
import { type PasswordOptions, Passwords } from './passwords.js';
import { isRevoked, type Session, type SessionIssuers, Sessions } from './session.js';
import { usedBytes, usedTags } from './usage.js';

export interface AccountsDeps {
  store: Store;
  accountLog: AccountLog;
  leases: LeaseSource;
  directory: Directory;
  ids: { next(): string };
  clock: Clock;
  random: Random;
  signer: Signer;
  sealer: Pick<Sealer, 'seal' | 'open'>;
  /** Who may sign sessions. Left out: this node alone. */
  trust?: () => SessionIssuers;
}

export interface AccountsOptions {
  passwordHashing: PasswordOptions;
  sessionHours: number;
}

export interface SignedIn {
  account: string;
  /** PeerId of the home; `here` is false when that is another node. */
  home: string;
  here: boolean;
  /** In a network: what makes the browser known at its address too. */
  handOff?: string;
}

/** Far above what one account may have; a bound for what a log from elsewhere holds. */
const KEYS_ASKED_MAX = 200;
const LISTED_MAX = 1000;
const USAGE_CACHED_MAX = 10_000;

export class Accounts implements Part {
  readonly sessions: Sessions;
  readonly admins: Admins;
  readonly keys: AccountKeys;
  private readonly passwords: Passwords;
  private readonly attempts: Attempts;
  private readonly usage = new Map<string, { bytes: number; tags: string[] }>();
  private readonly homed: HomedNames;
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly deps: AccountsDeps,
    options: AccountsOptions,
  ) {
    const { clock, random, signer, leases, store } = deps;
    const trust = deps.trust ?? (() => ({ issuers: [signer.peerId], coordinator: undefined, admits: () => false }));
    this.sessions = new Sessions({ clock, random, signer, leases, trust }, { sessionHours: options.sessionHours });
    this.admins = new Admins({ store, clock });
    this.passwords = new Passwords(options.passwordHashing);
    this.attempts = new Attempts({ clock });
    this.homed = new HomedNames(deps);
    this.keys = new AccountKeys({ ...deps, mustBeHere: (account) => this.mustBeHere(account) });
  }

  async start(): Promise<void> {
    await this.admins.start();
    this.unsubscribe = this.deps.accountLog.onApplied(({ account, entries }) => {
      this.usage.delete(account);
      this.homed.applied(entries);
    });
  }

  async stop(): Promise<void> {
    this.unsubscribe?.();
    this.unsubscribe = undefined;
  }

  /** Errors: `accounts/invalid`, `accounts/email-exists`, `accounts/username-exists`, `accounts/busy`, `directory/away`. */
  async signUp(wish: {
    email: string;
    username: string;
    password: string;
    confirm?: string | null;
  }): Promise<SignedIn> {
    const email = checkEmail(wish.email);
    const username = checkUsername(wish.username);
    const password = checkPassword(wish.password, wish.confirm);
    // Looked up first: a taken name must not cost a hash.
    if (await this.deps.directory.find(email)) throw accountErrors('email-exists', { email });
    if (await this.deps.directory.find(username)) throw accountErrors('username-exists');
    const passwordHash = await this.passwords.hash(password);
    const account = this.deps.ids.next();
    const claimed = await this.deps.directory
      .claim({ account, email, username, passwordHash })
      .catch((error: unknown) => Promise.reject(asTaken(error, email)));
    await this.ensureCreated(claimed);
    return { account, home: claimed.home, here: true, ...(await this.handOff(account)) };
  }

  /**
   * By e-mail or public name. `from` is the visitor's address.
   * Errors: `accounts/wrong-login`, `accounts/too-many-attempts`, `accounts/deleted`, `accounts/busy`, `directory/away`.
   */
  async signIn(attempt: { login: string; password: string; from: string }): Promise<SignedIn> {
    const { login, password, from } = attempt;
    if (!this.attempts.allowed(login, from)) throw accountErrors('too-many-attempts');
    // Counted before the hash is checked and taken back after: many tries at once are many tries.
    this.attempts.failed(login, from);
    const { account: found, handOff } = await this.verified(login, password);
    this.attempts.succeeded(login, from);
    const here = this.isHome(found.account);
    if (here) {
      await this.ensureCreated(found);
      if ((await this.record(found.account)).deleted) throw accountErrors('deleted');
    }
    return { account: found.account, home: found.home, here, ...(handOff === undefined ? {} : { handOff }) };
  }

  /**
   * The session in a cookie, with its account's view, when it holds. `whenHere` waits for an account that is arriving
   * and throws for one that is at home elsewhere: a copy of its log here must not pass for it.
   */
  async sessionOf(
    token: string,
    whenHere: WhenHere = this.mustBeHere,
  ): Promise<{ session: Session; view: AccountView } | undefined> {
    const session = this.sessions.open(token);
    if (!session) return undefined;
    await whenHere(session.account);
    const view = await this.deps.accountLog.view(session.account);
    const record = view.get('account', session.account);
    if (!record || record.deleted || isRevoked(session, view)) return undefined;
    return { session, view };
  }

  async signOut(session: Session): Promise<void> {
    // Renewed copies of the session may live longer than this one.
    const expiresAt = this.deps.clock.now() + this.sessions.lifeMs;
    await this.append(session.account, 'session.revoked', { id: session.id, expiresAt });
  }

  /** Ends every sign-in there is. */
  async signOutEverywhere(account: string): Promise<void> {
    const sessionsNotBefore = this.deps.clock.now() + 1;
    await this.append(account, 'account.updated', { id: account, sessionsNotBefore });
  }

  /** Ends every sign-in but those issued from now on. Errors: `accounts/invalid`, `accounts/wrong-password`. */
  async changePassword(
    account: string,
    change: { current?: string; password: string; confirm?: string | null },
  ): Promise<void> {
    const password = checkPassword(change.password, change.confirm);
    const known = await this.deps.directory.byId(account);
    if (!known) throw accountErrors('not-found', { id: account });
    // Without `current` the caller is an administrator; the door has made sure of it.
    if (change.current !== undefined) {
      const from = `account ${account}`;
      if (!this.attempts.allowed(account, from)) throw accountErrors('too-many-attempts');
      this.attempts.failed(account, from);
      if (!(await this.passwords.verify(known.passwordHash, change.current))) throw accountErrors('wrong-password');
      this.attempts.succeeded(account, from);
    }
    const passwordHash = await this.passwords.hash(password);
    await this.deps.directory.update(account, { passwordHash });
    await this.append(account, 'account.updated', {
      id: account,
      passwordHash,
      sessionsNotBefore: this.deps.clock.now(),
    });
  }

  /** Errors: `accounts/invalid`, `accounts/email-exists`, `accounts/username-exists`. */
  async rename(account: string, change: { email?: string; username?: string }): Promise<void> {
    const before = await this.record(account);
    const email = change.email === undefined ? before.email : checkEmail(change.email);
    const username = change.username === undefined ? before.username : checkUsername(change.username);
    if (email === before.email && username === before.username) return;
    await this.deps.directory
      .update(account, { email, username })
      .catch((error: unknown) => Promise.reject(asTaken(error, email)));
    await this.append(account, 'account.updated', { id: account, email, username });
  }

  /** Null removes a preference. */
  async setPreferences(account: string, preferences: JsonObject): Promise<void> {
    await this.append(account, 'account.updated', { id: account, preferences });
  }

  /** Read, decide, write of one preference, with nothing of the account between. */
  async changePreference<T extends JsonValue>(account: string, key: string, change: (old: JsonValue) => T): Promise<T> {
    let value: T | undefined;
    await this.deps.accountLog.append(account, (view) => {
      value = change(view.get('account', account)?.preferences[key] ?? null);
      return [draft('account.updated', { id: account, preferences: { [key]: value } })];
    });
    return value as T;
  }

  async setCurrentHistory(account: string, history: string | null): Promise<void> {
    await this.append(account, 'account.updated', { id: account, currentHistory: history });
  }

  /** A deleted account cannot sign in and its keys do not hold; nothing of it is removed. */
  async setDeleted(account: string, deleted: boolean): Promise<void> {
    await this.record(account);
    await this.append(account, 'account.updated', {
      id: account,
      deleted,
      ...(deleted ? { sessionsNotBefore: this.deps.clock.now() + 1 } : {}),
    });
  }

  /** After a take-over: what the directory knows to be taken back, and the log that came here does not say. */
  async takeBack(
    account: string,
    ask: (hashes: string[]) => Promise<{ revoked: string[]; sessionsNotBefore: number }>,
  ): Promise<void> {
    const active = activeKeys(await this.deps.accountLog.view(account)).slice(0, KEYS_ASKED_MAX);
    const { revoked, sessionsNotBefore } = await ask(active.map(({ hash }) => hash));
    await this.deps.accountLog.append(account, (view) => {
      const record = view.get('account', account);
      if (record === undefined) return [];
      const gone = activeKeys(view).filter(({ hash }) => revoked.includes(hash));
      const drafts = gone.map(({ id }) => draft('key.revoked', { id }));
      // The two are by different clocks: one change of password must not end the sign-ins that followed it.
      const known = record.sessionsNotBefore;
      const isLater = sessionsNotBefore > (known === undefined ? 0 : known + CLOCK_SKEW_MAX_MS);
      return isLater ? [...drafts, draft('account.updated', { id: account, sessionsNotBefore })] : drafts;
    });
  }

  /** An account that is at home here, by id. Errors: `accounts/not-found`, `accounts/elsewhere`. */
  async viewOf(account: string): Promise<AccountView> {
    const view = await this.knownView(account);
    if (view) await this.mustBeHere(account);
    if (!view?.get('account', account)) throw accountErrors('not-found', { id: account });
    return view;
  }

  async record(account: string): Promise<AccountRecord> {
    return (await this.viewOf(account)).get('account', account) as AccountRecord;
  }

  byLogin(login: string): Promise<DirectoryAccount | undefined> {
    return this.deps.directory.find(login);
  }

  /** Accounts at home here, oldest first, at most 1000. */
  async list(filter: { deleted: boolean; email?: string; name?: string; any?: string }): Promise<AccountRecord[]> {
    const found: AccountRecord[] = [];
    for await (const account of this.deps.accountLog.accounts()) {
      if (!this.isHome(account)) continue;
      const record = (await this.deps.accountLog.view(account)).get('account', account);
      if (!record || (record.deleted ?? false) !== filter.deleted || !matches(record, filter)) continue;
      found.push(record);
      if (found.length >= LISTED_MAX) break;
    }
    return found.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  isAdmin(account: string): boolean {
    return this.admins.has(account);
  }

  grantAdmin(account: string): Promise<void> {
    return this.admins.grant(account);
  }

  revokeAdmin(account: string): Promise<void> {
    return this.admins.revoke(account);
  }

  /** Bytes the account's things take and the tags it uses; kept until something of it changes. */
  usageOf(view: AccountView): { bytes: number; tags: string[] } {
    const known = this.usage.get(view.account);
    if (known) return known;
    const usage = { bytes: usedBytes(view), tags: usedTags(view) };
    if (this.usage.size >= USAGE_CACHED_MAX) this.usage.clear();
    this.usage.set(view.account, usage);
    return usage;
  }

  isHome(account: string): boolean {
    return this.deps.leases.current(account) !== undefined;
  }

  /** The directory's word; while it is away, of accounts at home here the word of their own log. */
  private async verified(login: string, password: string): Promise<VerifiedSignIn> {
    try {
      return await this.deps.directory.signIn(login, password, this.passwords);
    } catch (error) {
      if (isDomainError(error, 'directory/wrong-password')) throw accountErrors('wrong-login', {}, { cause: error });
      if (isDomainError(error, 'directory/busy')) throw accountErrors('busy', {}, { cause: error });
      const record = isDomainError(error, 'directory/away') ? await this.homed.find(login) : undefined;
      if (record === undefined) throw error;
      if (!(await this.passwords.verify(record.passwordHash, password))) throw accountErrors('wrong-login');
      const { id, email, username, passwordHash } = record;
      const lease = this.deps.leases.current(id);
      const home = this.deps.signer.peerId;
      return { account: { account: id, email, username, passwordHash, home, epoch: lease?.epoch ?? 0 } };
    }
  }

  /** A sign-up holds whether or not the network's address hears of it at once. */
  private async handOff(account: string): Promise<{ handOff?: string }> {
    try {
      const handOff = await this.deps.directory.handOff(account);
      return handOff === undefined ? {} : { handOff };
    } catch (error) {
      if (isDomainError(error)) return {};
      throw error;
    }
  }

  private readonly mustBeHere: WhenHere = async (account) => {
    if (!this.isHome(account)) throw accountErrors('elsewhere');
  };

  /** Ids come from outside: only one that the directory knows, or granted, may load a view. */
  private async knownView(account: string): Promise<AccountView | undefined> {
    const known = isGranted(this.deps.leases, account) || (await this.deps.directory.byId(account)) !== undefined;
    return known ? this.deps.accountLog.view(account) : undefined;
  }

  private async ensureCreated(known: DirectoryAccount): Promise<void> {
    const { account, email, username, passwordHash } = known;
    const view = await this.deps.accountLog.view(account);
    if (view.get('account', account)) return;
    const createdAt = this.deps.clock.now();
    const history = this.deps.ids.next();
    await this.deps.accountLog.append(account, (current) => {
      if (current.get('account', account)) return [];
      return [
        draft('account.created', { id: account, email, username, passwordHash, createdAt }),
        draft('history.created', { id: history, name: 'Unnamed history', createdAt }),
        draft('account.updated', { id: account, currentHistory: history }),
      ];
    });
  }

  private async append<T extends Parameters<typeof draft>[0]>(
    account: string,
    type: T,
    payload: EntryPayload<T>,
  ): Promise<void> {
    await this.deps.accountLog.append(account, () => [draft(type, payload)]);
  }
}

type OwnEntry = 'account.created' | 'account.updated' | 'history.created' | 'key.revoked' | 'session.revoked';

function draft<T extends OwnEntry>(type: T, payload: EntryPayload<T>): Draft {
  return { type, payload: payload as JsonObject };
}

function matches(record: AccountRecord, filter: { email?: string; name?: string; any?: string }): boolean {
  const email = record.email.toLowerCase();
  const name = record.username.toLowerCase();
  const any = filter.any?.toLowerCase();
  return (
    (filter.email === undefined || email.includes(filter.email.toLowerCase())) &&
    (filter.name === undefined || name.includes(filter.name.toLowerCase())) &&
    (any === undefined || email.includes(any) || name.includes(any))
  );
}

/** The directory's refusal in the words Galaxy's clients know. */
function asTaken(error: unknown, email: string): DomainError | unknown {
  if (isDomainError(error, 'directory/email-taken')) return accountErrors('email-exists', { email }, { cause: error });
  if (isDomainError(error, 'directory/username-taken')) return accountErrors('username-exists', {}, { cause: error });
  return error;
}
