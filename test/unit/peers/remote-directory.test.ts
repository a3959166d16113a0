import { describe, expect, it } from 'vitest';
import { RemoteDirectory } from '../../../node/peers/remote-directory.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { directoryCalls } from '../../../protocol/wire/calls/directory.js';
import { directoryErrors } from '../../../protocol/wire/calls/directory-errors.js';
import { type AnsweredCall, answer, serveCalls } from '../../../protocol/wire/rpc.js';
import { MemoryNetwork } from '../../support/memory-streams.js';

const hex = (number: number) => number.toString(16).padStart(16, '0');

async function world(...calls: AnsweredCall[]) {
  const network = new MemoryNetwork();
  await serveCalls({ host: network.host('coordinator'), clock: systemClock, log: silentLogger }, 'directory', calls);
  const host = network.host('node');
  const directory = new RemoteDirectory({ host, coordinator: 'coordinator', onLease: async () => {} });
  return { network, host, directory };
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}

describe('the network’s directory', () => {
  it('that is not connected, cannot be reached, or breaks is away: one clear error', async () => {
    const { network, host, directory } = await world(
      answer(directoryCalls.byId, async () => {
        throw new Error('a fault of its own');
      }),
    );
    await expect(directory.byId(hex(1))).rejects.toMatchObject({ code: 'directory/away' });
    await host.connect('coordinator', [], AbortSignal.timeout(1000));
    await expect(directory.byId(hex(1))).rejects.toMatchObject({ code: 'directory/away' });
    network.cutOff('coordinator');
    await expect(directory.byId(hex(1))).rejects.toMatchObject({ code: 'directory/away' });
  });

  it('that refuses is not away: what it says is passed on', async () => {
    const { host, directory } = await world(
      answer(directoryCalls.claim, async () => {
        throw directoryErrors('email-taken');
      }),
      answer(directoryCalls.byId, async () => ({ account: null })),
    );
    await host.connect('coordinator', [], AbortSignal.timeout(1000));
    const claim = { account: hex(1), email: 'a@b.se', username: 'abc', passwordHash: 'x' };
    await expect(directory.claim(claim)).rejects.toMatchObject({ code: 'directory/email-taken' });
    expect(await directory.byId(hex(1))).toBeUndefined();
  });

  it('gives all leases in pages, and a list that does not go on ends', async () => {
    const all = Array.from({ length: 450 }, (_, index) => ({ account: hex(index), epoch: 1, lease: 'x' }));
    let stuck = false;
    let asked = 0;
    const { host, directory } = await world(
      answer(directoryCalls.leases, async ({ after }) => {
        asked += 1;
        const rest = stuck ? all : all.filter(({ account }) => after === undefined || account > after);
        return { leases: rest.slice(0, 200), more: stuck || rest.length > 200 };
      }),
    );
    await host.connect('coordinator', [], AbortSignal.timeout(1000));
    expect((await collect(directory.leases())).map(({ account }) => account)).toEqual(
      all.map(({ account }) => account),
    );
    expect(asked).toBe(3);
    stuck = true;
    asked = 0;
    await collect(directory.leases());
    expect(asked).toBe(2);
  });
});
