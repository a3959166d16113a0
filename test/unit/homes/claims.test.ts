import { describe, expect, it } from 'vitest';
import { claimOwn } from '../../../node/accounts/claims.js';
import type { DirectoryAccount } from '../../../node/accounts/directory.js';
import { type Logger, silentLogger } from '../../../protocol/runtime/logger.js';
import { directoryErrors } from '../../../protocol/wire/calls/directory-errors.js';
import { MemoryStore } from '../../support/memory-store.js';

const NONE = new Set<string>();

function world(accounts: string[]) {
  const store = new MemoryStore();
  const claimed: string[] = [];
  const keys: string[] = [];
  const said: object[] = [];
  const state = { away: false, keysFail: false, taken: NONE, gone: NONE };
  const logger: Logger = { ...silentLogger, warn: (data) => said.push(data) };
  const record = (account: string): DirectoryAccount => ({
    account,
    email: `${account}@b.se`,
    username: account,
    passwordHash: 'h',
    home: 'me',
    epoch: 0,
  });
  const view = { list: () => [{ hash: 'k1', revoked: false }] };
  const run = (held: ReadonlySet<string> = NONE) =>
    claimOwn(
      {
        store,
        own: {
          accounts: async function* () {
            yield* accounts;
          },
          byId: async (account) => record(account),
        },
        network: {
          claim: async (claim) => {
            if (state.away) throw directoryErrors('away');
            if (state.taken.has(claim.account)) throw directoryErrors('email-taken');
            claimed.push(claim.account);
            return record(claim.account);
          },
          putKey: async ({ account, hash }) => {
            if (state.keysFail) throw directoryErrors('away');
            keys.push(`${account} ${hash}`);
          },
        },
        leases: { movedTo: (account) => (state.gone.has(account) ? { epoch: 9, home: 'b' } : undefined) },
        log: { view: async () => view as never },
        logger,
      },
      held,
    );
  return { run, claimed, keys, said, state };
}

describe('accounts made before joining', () => {
  it('claim their names and tell their keys once', async () => {
    const { run, claimed, keys } = world(['a', 'b']);
    await run();
    await run(new Set(['a', 'b']));
    expect(claimed).toEqual(['a', 'b']);
    expect(keys).toEqual(['a k1', 'b k1']);
  });

  it('tell their keys later when the directory went away in between', async () => {
    const { run, claimed, keys, state } = world(['a']);
    state.keysFail = true;
    await run();
    state.keysFail = false;
    await run(new Set(['a']));
    expect(claimed).toEqual(['a']);
    expect(keys).toEqual(['a k1']);
  });

  it('stay here when their name is taken, and do not keep the others from theirs', async () => {
    const { run, claimed, said, state } = world(['a', 'b']);
    state.taken = new Set(['a']);
    await run();
    expect(claimed).toEqual(['b']);
    expect(said).toHaveLength(1);
  });

  it('that went elsewhere are not claimed back', async () => {
    const { run, claimed, state } = world(['a']);
    state.gone = new Set(['a']);
    await run();
    expect(claimed).toEqual([]);
  });

  it('wait when the directory is away', async () => {
    const { run, claimed, said, state } = world(['a', 'b']);
    state.away = true;
    await run();
    expect([claimed, said]).toEqual([[], []]);
    state.away = false;
    await run();
    expect(claimed).toEqual(['a', 'b']);
  });
});
