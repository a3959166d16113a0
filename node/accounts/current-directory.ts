/**
 * The directory in force: this node's own while it is alone, the network's from the moment it has joined. Whoever holds
 * this need not know which.
 */
import type { Directory, DirectoryAccount } from './directory.js';

export class CurrentDirectory implements Directory {
  constructor(private directory: Directory) {}

  use(directory: Directory): void {
    this.directory = directory;
  }

  claim(claim: { account: string; email: string; username: string; passwordHash: string }): Promise<DirectoryAccount> {
    return this.directory.claim(claim);
  }

  find(login: string): Promise<DirectoryAccount | undefined> {
    return this.directory.find(login);
  }

  byId(account: string): Promise<DirectoryAccount | undefined> {
    return this.directory.byId(account);
  }

  byKeyHash(hash: string): Promise<DirectoryAccount | undefined> {
    return this.directory.byKeyHash(hash);
  }

  putKey(key: { account: string; hash: string; revoked: boolean }): Promise<void> {
    return this.directory.putKey(key);
  }

  update(account: string, change: { email?: string; username?: string; passwordHash?: string }): Promise<void> {
    return this.directory.update(account, change);
  }
}
