/**
 * Whose a request at the network's address is. A key says so before a cookie does; a name that is to be checked by its
 * home routes as well.
 */
import type { Account, Directory } from '../directory.js';
import { gatewayErrors } from '../errors.js';
import type { Sessions } from '../sessions.js';
import { accountOfKey, apiKeyOf, basicLoginOf, keyHash, type RequestFacts } from './request-kind.js';

export interface Whose {
  account: Account | undefined;
  /** By a cookie or a key that is known here. Else she is only named, by whoever asks. */
  isShown: boolean;
}

export interface WhoseDeps {
  directory: Pick<Directory, 'byId' | 'byKeyHash' | 'find' | 'isKeyRevoked'>;
  sessions: Pick<Sessions, 'account'>;
}

/** Error: `gateway/key-revoked`. */
export async function whose(deps: WhoseDeps, facts: RequestFacts, networkCookie: string | undefined): Promise<Whose> {
  const { directory } = deps;
  const key = apiKeyOf(facts);
  if (key !== undefined) {
    const owner = await directory.byKeyHash(keyHash(key));
    if (owner !== undefined) return { account: owner, isShown: true };
    // Its home may not have heard of it, and its former home may have no entry of it: here it is certain.
    if (await directory.isKeyRevoked(keyHash(key))) throw gatewayErrors('key-revoked');
    const claimed = accountOfKey(key);
    return { account: claimed === undefined ? undefined : await directory.byId(claimed), isShown: false };
  }
  const login = basicLoginOf(facts);
  if (login !== undefined) return { account: await directory.find(login), isShown: false };
  return byCookie(deps, networkCookie);
}

export async function byCookie({ sessions }: Pick<WhoseDeps, 'sessions'>, networkCookie: string | undefined) {
  const account = await sessions.account(networkCookie);
  return { account, isShown: account !== undefined } satisfies Whose;
}
