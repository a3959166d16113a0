/**
 * The directory in force: this node's own while it is alone, the network's from the moment it has joined. Whoever holds
 * this need not know which.
 *
 * An account whose name was taken in the network when this node joined stays with this node: the network's directory
 * does not know it, and this node's own goes on answering for it. Never the other way round: what the network knows is
 * the network's word.
 */
import { isDomainError } from '../../protocol/runtime/errors.js';
import type { Directory, DirectoryAccount, PasswordCheck, VerifiedSignIn } from './directory.js';

type Change = { email?: string; username?: string; passwordHash?: string };

export class CurrentDirectory implements Directory {
  private network: Directory | undefined;

  constructor(
    private readonly own: Directory,
    /** Accounts that this node alone answers for, also in a network. */
    private readonly staysHere: (account: string) => boolean = () => false,
  ) {}

  use(network: Directory): void {
    this.network = network;
  }

  claim(claim: { account: string; email: string; username: string; passwordHash: string }): Promise<DirectoryAccount> {
    return (this.network ?? this.own).claim(claim);
  }

  find(login: string): Promise<DirectoryAccount | undefined> {
    return this.ask((directory) => directory.find(login));
  }

  byId(account: string): Promise<DirectoryAccount | undefined> {
    return this.of(account).byId(account);
  }

  byKeyHash(hash: string): Promise<DirectoryAccount | undefined> {
    return this.ask((directory) => directory.byKeyHash(hash));
  }

  putKey(key: { account: string; hash: string; revoked: boolean }): Promise<void> {
    return this.of(key.account).putKey(key);
  }

  update(account: string, change: Change): Promise<void> {
    return this.of(account).update(account, change);
  }

  async signIn(login: string, password: string, check: PasswordCheck): Promise<VerifiedSignIn> {
    const { network, own } = this;
    if (network === undefined) return own.signIn(login, password, check);
    try {
      return await network.signIn(login, password, check);
    } catch (error) {
      const unknown = isDomainError(error, 'directory/wrong-password') || isDomainError(error, 'directory/away');
      const local = unknown ? await own.find(login) : undefined;
      if (local === undefined || !this.staysHere(local.account)) throw error;
      return own.signIn(login, password, check);
    }
  }

  handOff(account: string): Promise<string | undefined> {
    return this.of(account).handOff(account);
  }

  private of(account: string): Directory {
    return this.network === undefined || this.staysHere(account) ? this.own : this.network;
  }

  /** The network's word first, then this node's for what is its alone. */
  private async ask(
    question: (directory: Directory) => Promise<DirectoryAccount | undefined>,
  ): Promise<DirectoryAccount | undefined> {
    if (this.network === undefined) return question(this.own);
    const local = async () => {
      const found = await question(this.own);
      return found !== undefined && this.staysHere(found.account) ? found : undefined;
    };
    try {
      return (await question(this.network)) ?? (await local());
    } catch (error) {
      const found = isDomainError(error, 'directory/away') ? await local() : undefined;
      if (found === undefined) throw error;
      return found;
    }
  }
}
