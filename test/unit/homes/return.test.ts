import { afterEach, describe, expect, it } from 'vitest';
import { ACCOUNT, until, World } from './world.js';

let world: World;
afterEach(() => world.end());

const same = async (...nodes: { seqs(): Promise<Record<string, number>> }[]) => {
  const [first, ...others] = await Promise.all(nodes.map((node) => node.seqs()));
  return others.every((one) => JSON.stringify(one) === JSON.stringify(first));
};

describe('a node that comes back after its accounts have gone', () => {
  it('hands the new home what only it has; numbers are settled, blobs copied, nothing is there twice', async () => {
    world = await World.create();
    const { repository } = world;
    const a = await world.node('Uppsala');
    const b = await world.node('Freiburg');
    await world.meet();
    await a.createAccount(1);
    await a.addDataset('00000000000000c1', 'safe');
    await until(world, 'the first dataset is safe', () => a.safeBlobs() === 1);
    await a.logReplicator.flushed(AbortSignal.timeout(20_000));

    // From here on nothing leaves the node, and then it dies.
    a.logReplicator.setPaused(true);
    a.blobReplicator.setPaused(true);
    const only = await a.addDataset('00000000000000c2', 'only at Uppsala');
    await a.stop();
    await until(world, 'it is gone', () => !b.host.isConnected(a.key.peerId));

    await b.homes.adopt(ACCOUNT, a.key.peerId, world.lease(ACCOUNT, 2, b));
    expect(await b.hids()).toEqual({ safe: 1 });
    const mine = await b.addDataset('00000000000000c3', 'made at Freiburg');
    expect(mine.hid).toBe(only.hid);

    await a.start();
    await world.meet();
    // Both were set anew by the start: what is paused is an operator's wish, and that is over.
    await a.homes.reconcile(new Map(), async () => ({ home: b.key.peerId, epoch: 2 }));
    expect(a.homes.status(ACCOUNT)).toEqual({ at: 'elsewhere', home: b.key.peerId });
    await expect(a.log.append(ACCOUNT, () => [])).rejects.toMatchObject({ code: 'log/not-home' });

    await until(world, 'the numbers are settled', async () => new Set(Object.values(await b.hids())).size === 3);
    expect(Object.keys(await b.hids()).sort()).toEqual(['made at Freiburg', 'only at Uppsala', 'safe']);
    await until(world, 'everything is safe', () => b.safeBlobs() === 3);
    expect(repository.blobs.has(only.blob)).toBe(true);
    await until(world, 'all have the same log', () => same(a, b, repository));
    expect(await a.hids()).toEqual(await b.hids());
    expect(a.leases.toGive()).toEqual([]);
    expect(b.told).toEqual([`adopted ${ACCOUNT} from another`, `adopted ${ACCOUNT}`]);
    expect(a.told).toEqual([`released ${ACCOUNT}`]);
  });

  it('owes it until the new home is there, over restarts of its own', async () => {
    world = await World.create();
    const a = await world.node('Uppsala');
    const b = await world.node('Freiburg');
    await world.meet();
    await a.createAccount(1);
    await a.addDataset('00000000000000c1', 'safe');
    await a.logReplicator.flushed(AbortSignal.timeout(20_000));
    a.logReplicator.setPaused(true);
    await a.addDataset('00000000000000c2', 'only at Uppsala');
    await a.stop();
    await until(world, 'it is gone', () => !b.host.isConnected(a.key.peerId));
    await b.homes.adopt(ACCOUNT, undefined, world.lease(ACCOUNT, 2, b));
    await b.stop();

    await a.start();
    await a.homes.reconcile(new Map(), async () => ({ home: b.key.peerId, epoch: 2 }));
    await a.restart();
    expect(a.leases.toGive()).toMatchObject([{ account: ACCOUNT, home: b.key.peerId }]);
    await b.start();
    await world.meet(a, b);
    await until(world, 'the new home has it', async () => 'only at Uppsala' in (await b.hids()));
    await until(world, 'nothing is owed', () => a.leases.toGive().length === 0);
  });
});

describe('a new home', () => {
  it('brings the former one’s segments to its own log partners, so that they outlive the former home', async () => {
    world = await World.create();
    const a = await world.node('Uppsala');
    await world.meet();
    await a.createAccount(1);
    await a.addDataset('00000000000000c1', 'safe');
    await a.logReplicator.flushed(AbortSignal.timeout(20_000));
    // They come when all of it is with the repository alone.
    const b = await world.node('Freiburg');
    const c = await world.node('Melbourne');
    await world.meet(b, world.repository);
    await a.stop();
    await b.homes.adopt(ACCOUNT, undefined, world.lease(ACCOUNT, 2, b));
    await b.addDataset('00000000000000c2', 'made at Freiburg');
    expect(await c.seqs()).toEqual({});
    await world.meet(b, c);
    await until(world, 'its partner has it all', () => same(b, c, world.repository));
    expect(Object.keys(await c.hids()).sort()).toEqual(['made at Freiburg', 'safe']);
    // Known, and not asked for again after a restart.
    await b.restart();
    await world.meet(b, c, world.repository);
    let offers = 0;
    const { lanes } = b;
    const offer = lanes.offerAccount.bind(lanes);
    lanes.offerAccount = (...args) => {
      offers += 1;
      return offer(...args);
    };
    await b.logReplicator.flushed(AbortSignal.timeout(20_000));
    expect(offers).toBe(0);
  });

  it('learns who has the blobs already instead of sending or fetching them', async () => {
    world = await World.create();
    const a = await world.node('Uppsala');
    const c = await world.node('Melbourne');
    await world.meet();
    await a.createAccount(1);
    const { blob } = await a.addDataset('00000000000000c1', 'safe');
    await until(world, 'it is safe', () => a.safeBlobs() === 1);
    await a.logReplicator.flushed(AbortSignal.timeout(20_000));
    await a.stop();
    const b = await world.node('Freiburg');
    await world.meet();
    await b.homes.adopt(ACCOUNT, a.key.peerId, world.lease(ACCOUNT, 2, b));
    await until(world, 'it is known to be safe', () => b.safeBlobs() === 1);
    expect(b.blobs.has(blob)).toBe(false);
    expect(b.lanes.fetched).toEqual({ asked: 0, dht: 0 });
    expect(c.blobs.has(blob)).toBe(true);
  });

  it('finishes at its next start what a crash cut in two', async () => {
    world = await World.create();
    const a = await world.node('Uppsala');
    const b = await world.node('Freiburg');
    await world.meet();
    await a.createAccount(1);
    await a.addDataset('00000000000000c1', 'safe');
    await a.logReplicator.flushed(AbortSignal.timeout(20_000));
    b.followerFails = true;
    await expect(b.homes.adopt(ACCOUNT, a.key.peerId, world.lease(ACCOUNT, 2, b))).rejects.toThrow('a follower fails');
    expect(b.homes.status(ACCOUNT)).toEqual({ at: 'arriving' });
    await b.stop();
    b.followerFails = false;
    await b.start();
    await b.homes.whenHere(ACCOUNT);
    expect(b.told).toEqual([`adopted ${ACCOUNT}`]);
    expect(b.ledger.tracked().next().done).toBe(false);
  });
});
