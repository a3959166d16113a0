/** `/galaxy/directory/1`: nodes ask the directory. What changes an account is asked by its home, or refused. */

import type { Clock } from '../../protocol/runtime/clock.js';
import type { Host } from '../../protocol/runtime/host.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { type DirectoryAccountMessage, directoryCalls, LEASES_PAGE_MAX } from '../../protocol/wire/calls/directory.js';
import { directoryErrors } from '../../protocol/wire/calls/directory-errors.js';
import { answer, serveCalls } from '../../protocol/wire/rpc.js';
import type { Account, Directory } from '../directory.js';
import type { Missing } from '../heads.js';
import type { Homes } from '../homes.js';
import type { Registry } from '../registry.js';
import type { Sessions } from '../sessions.js';
import { isAcceptableHash, type SignIn } from '../sign-in.js';

export interface DirectoryDoorDeps {
  host: Pick<Host, 'handle'>;
  directory: Directory;
  registry: Pick<Registry, 'get'>;
  homes: Homes;
  sessions: Sessions;
  signIn: SignIn;
  /** What waits at other nodes for an account. */
  waiting: (account: string, except: string) => Promise<({ name: string } & Missing)[]>;
  clock: Clock;
  log: Logger;
}

export async function serveDirectory(deps: DirectoryDoorDeps): Promise<void> {
  const { directory, sessions } = deps;

  const homed = async (account: string, peer: string): Promise<Account> => {
    const found = await directory.byId(account);
    if (found === undefined) throw directoryErrors('not-found');
    if (found.home !== peer) throw directoryErrors('not-home', { account });
    return found;
  };
  const message = (account: Account, peer: string): DirectoryAccountMessage => ({
    account: account.account,
    email: account.email,
    username: account.username,
    passwordHash: account.home === peer ? account.passwordHash : '',
    home: account.home,
    epoch: account.epoch,
    ...(account.origin === undefined ? {} : { origin: account.origin }),
  });
  const found = (account: Account | undefined, peer: string) => ({
    account: account === undefined ? null : message(account, peer),
  });

  const calls = [
    answer(directoryCalls.claim, async (claim, { peer }) => {
      assertHash(claim.passwordHash);
      // A node on its way out must not gather accounts that it then has to hand over.
      const state = deps.registry.get(peer)?.record.state;
      if (state === 'draining' || state === 'drained') throw directoryErrors('away');
      const account = await directory.claim(claim, peer);
      return {
        account: message(account, peer),
        lease: directory.lease(account),
        handOff: sessions.issueHandOff(account.account),
      };
    }),
    answer(directoryCalls.find, async ({ login }, { peer }) => found(await directory.find(login), peer)),
    answer(directoryCalls.byId, async ({ account }, { peer }) => found(await directory.byId(account), peer)),
    answer(directoryCalls.byKeyHash, async ({ hash }, { peer }) => found(await directory.byKeyHash(hash), peer)),
    answer(directoryCalls.signIn, async ({ login, password }, { peer }) => {
      const account = await deps.signIn.check(login, password, peer);
      return { account: message(account, peer), handOff: sessions.issueHandOff(account.account) };
    }),
    answer(directoryCalls.handOff, async ({ account }, { peer }) => {
      await homed(account, peer);
      return { handOff: sessions.issueHandOff(account) };
    }),
    answer(directoryCalls.putKey, async (key, { peer }) => {
      await homed(key.account, peer);
      await directory.putKey(key);
      return {};
    }),
    answer(directoryCalls.revocations, async ({ account, hashes }, { peer }) => {
      const { sessionsAfter } = await homed(account, peer);
      const revoked = [];
      for (const hash of hashes) if (await directory.isKeyRevoked(hash)) revoked.push(hash);
      return { revoked, sessionsNotBefore: sessionsAfter };
    }),
    answer(directoryCalls.update, async ({ account, change }, { peer }) => {
      await homed(account, peer);
      if (change.passwordHash !== undefined) assertHash(change.passwordHash);
      return { account: message(await directory.update(account, change), peer) };
    }),
    answer(directoryCalls.waiting, async ({ account }, { peer }) => {
      await homed(account, peer);
      return { waiting: await deps.waiting(account, peer) };
    }),
    answer(directoryCalls.leases, async ({ after }, { peer }) => {
      const leases = [];
      for await (const id of directory.homedAt(peer, after)) {
        if (leases.length === LEASES_PAGE_MAX) return { leases, more: true };
        const account = await directory.byId(id);
        if (account?.home === peer) leases.push({ account: id, epoch: account.epoch, lease: directory.lease(account) });
      }
      return { leases, more: false };
    }),
    answer(directoryCalls.locate, async ({ account: id }) => {
      const account = await directory.byId(id);
      if (account === undefined) throw directoryErrors('not-found');
      const { account: now, home, retryAfterMs, reasons } = await deps.homes.resolve(account);
      return {
        home: now.home,
        epoch: now.epoch,
        serves: home !== undefined,
        retryAfterMs,
        reasons: reasons.slice(0, 64).map((reason) => reason.slice(0, 500)),
      };
    }),
  ];
  await serveCalls(deps, 'directory', calls);
}

function assertHash(passwordHash: string): void {
  if (!isAcceptableHash(passwordHash)) throw directoryErrors('bad-hash');
}
