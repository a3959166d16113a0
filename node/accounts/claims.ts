/**
 * Accounts made before this node joined its network: each claims its names at the network's directory, once, and tells it
 * the hashes of its keys. One whose name is taken there stays with this node under epoch 0. What was interrupted in the
 * middle goes on at the next registration.
 */
import type { AccountLog } from '../../protocol/log/account-log.js';
import { describeError, isDomainError } from '../../protocol/runtime/errors.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Store } from '../../protocol/runtime/store.js';
import type { Directory, DirectoryAccount } from './directory.js';
import type { HeldLeases } from './held-leases.js';

/** Account → '' once the directory has its names and all its keys. */
const NS = 'network.claimed';

export interface ClaimsDeps {
  store: Pick<Store, 'get' | 'commit'>;
  own: { accounts(): AsyncIterable<string>; byId(account: string): Promise<DirectoryAccount | undefined> };
  network: Pick<Directory, 'claim' | 'putKey'>;
  leases: Pick<HeldLeases, 'movedTo'>;
  log: Pick<AccountLog, 'view'>;
  logger: Logger;
}

/** `held`: accounts that the directory has at home here. Ends early when the directory is away. */
export async function claimOwn(deps: ClaimsDeps, held: { has(account: string): boolean }): Promise<void> {
  for await (const account of deps.own.accounts()) {
    if (deps.leases.movedTo(account) !== undefined || (await deps.store.get(NS, account)) !== undefined) continue;
    try {
      if (!held.has(account)) {
        const mine = await deps.own.byId(account);
        if (mine === undefined) continue;
        const { email, username, passwordHash } = mine;
        await deps.network.claim({ account, email, username, passwordHash });
      }
      const view = await deps.log.view(account);
      for (const { hash, revoked } of view.list('key')) await deps.network.putKey({ account, hash, revoked });
      await deps.store.commit([{ ns: NS, key: account, value: '' }]);
    } catch (error) {
      if (isDomainError(error, 'directory/away')) return;
      deps.logger.warn({ account, reason: describeError(error) }, 'an account of this node stays local');
    }
  }
}
