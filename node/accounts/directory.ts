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
  /** PeerId of the node that claimed it, as far as the network's directory says. */
  origin?: string | undefined;
}

/** How a directory that keeps hashes itself checks a password: bounded, and as slow for a name that nobody has. */
export interface PasswordCheck {
  verify(passwordHash: string, password: string): Promise<boolean>;
  verifyNobody(password: string): Promise<false>;
}

export interface VerifiedSignIn {
  account: DirectoryAccount;
  /** Takes the browser's sign-in to the network's address; absent outside a network. */
  handOff?: string;
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
  /**
   * Whose name and password these are. Whether they match is the directory's word: a network's shows nobody the hashes of
   * accounts at home elsewhere. Errors: `directory/wrong-password` (also for an unknown name), `directory/busy`,
   * `directory/away`.
   */
  signIn(login: string, password: string, check: PasswordCheck): Promise<VerifiedSignIn>;
  /** For somebody who is signed in here, at her home; undefined outside a network. Errors: `directory/away`. */
  handOff(account: string): Promise<string | undefined>;
}
