/**
 * Who owns which name, and who is at home where. A stand-alone node is its own directory (local-directory.ts); a node
 * in a network asks the coordinator (peers/remote-directory.ts). Core owns the interface, the root injects the door.
 */

export interface DirectoryAccount {
  account: string;
  email: string;
  username: string;
  passwordHash: string;
  /** PeerId of the home. */
  home: string;
  epoch: number;
}

export interface Directory {
  /**
   * Claims e-mail and name for a new account, atomically, with this node as its home.
   * Errors: `directory/email-taken`, `directory/username-taken`, `directory/away`.
   */
  claim(claim: { account: string; email: string; username: string; passwordHash: string }): Promise<DirectoryAccount>;
  /** By e-mail or username (both case-insensitive). `directory/away` when it cannot be asked. */
  find(login: string): Promise<DirectoryAccount | undefined>;
  byId(account: string): Promise<DirectoryAccount | undefined>;
  /** By SHA-256 of an API key. */
  byKeyHash(hash: string): Promise<DirectoryAccount | undefined>;
  /** Remembers (or, with `revoked`, forgets for ever) a key's hash; acknowledged once durable. */
  putKey(key: { account: string; hash: string; revoked: boolean }): Promise<void>;
  update(account: string, change: { email?: string; username?: string; passwordHash?: string }): Promise<void>;
}
