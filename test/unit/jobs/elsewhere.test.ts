import { afterEach, describe, expect, it } from 'vitest';
import { Elsewhere, type PeerWord, peerGone } from '../../../node/jobs/elsewhere.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import { FakeExecutor } from './fakes.js';
import { ANNA, removeWorlds, World } from './world.js';

const GRACE_MS = 60_000;

class Words {
  readonly clock = new ManualClock();
  readonly words = new Map<string, PeerWord>();
  registered = true;
  private readonly listeners = new Set<() => void>();

  say(word: PeerWord | undefined): void {
    if (word === undefined) this.words.delete('node-b');
    else this.words.set('node-b', word);
    this.tell();
  }

  tell(): void {
    for (const listener of this.listeners) listener();
  }

  status(peer: string): PeerWord | undefined {
    return this.words.get(peer);
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

const there: PeerWord = { state: 'draining', routable: true, boot: 4 };
const silent: PeerWord = { ...there, routable: false };
const watches: Elsewhere[] = [];

afterEach(async () => {
  for (const watch of watches.splice(0)) await watch.stop();
  await removeWorlds();
});

/** Node B ran a job, and node A became the account's home. */
async function home(word: PeerWord | undefined = there) {
  const world = await (await World.create()).open();
  world.fake.slotCount = 0;
  const { job } = await world.submit('a');
  await world.jobs.release(ANNA);
  world.leases.set(ANNA, 2);
  await world.jobs.adopt(ANNA, { peer: 'node-b', boot: 4, jobs: new Set([job]) });
  world.fake.slotCount = 2;
  const words = new Words();
  words.say(word);
  const watch = await watching(world, words);
  return { world, job, words, watch };
}

/** Started, and its first look is over. */
async function watching(world: World, words: Words): Promise<Elsewhere> {
  const deps = { jobs: world.jobs, peers: words, coordinator: words, clock: words.clock, logger: silentLogger };
  const watch = new Elsewhere(deps, { graceMs: GRACE_MS });
  watches.push(watch);
  await watch.start();
  await turn();
  return watch;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('whether a peer still runs what it ran', () => {
  it.each<[string, PeerWord | undefined, number | undefined, 'there' | 'silent' | 'gone']>([
    ['drains and answers', there, 4, 'there'],
    ['was not known by its boot', there, undefined, 'there'],
    ['does not answer', silent, 4, 'silent'],
    ['is not known at all', undefined, 4, 'silent'],
    ['has drained', { ...there, state: 'drained' }, 4, 'gone'],
    ['was revoked', { ...there, state: 'revoked' }, undefined, 'gone'],
    ['started again', { ...there, state: 'serving', boot: 5 }, 4, 'gone'],
  ])('a peer that %s', (_case, word, boot, verdict) => {
    expect(peerGone(word, boot)).toBe(verdict);
  });
});

describe('a job at its former home', () => {
  it.each<[string, PeerWord]>([
    ['has drained', { ...there, state: 'drained', routable: false }],
    ['was revoked', { ...there, state: 'revoked' }],
    ['registered under a new boot', { ...there, boot: 5 }],
  ])('starts again when that %s', async (_case, word) => {
    const { world, job, words } = await home();
    expect(world.fake.given).toEqual([]);
    words.say(word);
    await world.fake.until(1);
    world.fake.finish(job);
    expect(await world.ended(job)).toMatchObject({ state: 'ok', epoch: 2, executor: 'node-a' });
  });

  it('is left there while that cannot be reached for less than the grace period, and taken back after it', async () => {
    const { world, words } = await home();
    words.say(silent);
    await turn();
    words.clock.advance(GRACE_MS - 1);
    words.say(there);
    await turn();
    words.say(silent);
    await turn();
    words.clock.advance(GRACE_MS - 1);
    await turn();
    expect(world.jobs.elsewhere()).toHaveLength(1);
    words.clock.advance(1);
    await world.fake.until(1);
    expect(world.jobs.elsewhere()).toEqual([]);
  });

  it('is left there while this node does not hear the coordinator itself', async () => {
    const { world, words } = await home(silent);
    words.registered = false;
    words.tell();
    await turn();
    words.clock.advance(10 * GRACE_MS);
    words.say({ ...there, state: 'drained' });
    await turn();
    expect(world.jobs.elsewhere()).toHaveLength(1);
    words.registered = true;
    words.tell();
    await world.fake.until(1);
  });

  it('is taken back after a restart of the home too, and stays taken back', async () => {
    const { world, job, words, watch } = await home();
    await watch.stop();
    await world.close();
    world.executor = new FakeExecutor();
    await world.open();
    words.say({ ...there, boot: 5 });
    const again = await watching(world, words);
    await world.fake.until(1);
    await again.stop();
    await world.close();
    world.executor = new FakeExecutor();
    await world.open();
    await world.fake.until(1);
    expect(world.fake.given[0]?.job).toBe(job);
  });

  it.each(['given up at the deadline', 'lost with its handler'])(
    'that was %s there starts again once that has drained',
    async (how) => {
      const former = await (await World.create('node-b')).open();
      const { job } = await former.submit('a');
      await former.fake.until(1);
      former.jobs.stopTaking({ keepUploads: true });
      former.leases.set(ANNA, undefined);
      await former.jobs.release(ANNA);
      if (how === 'given up at the deadline') await former.jobs.abandon(job);
      else former.fake.lose(job);
      await former.idle();
      expect(former.jobs.undelivered).toBe(0);
      expect(former.fake.given).toHaveLength(1);

      const { world, job: awaited, words } = await home();
      words.say({ ...there, state: 'drained' });
      await world.fake.until(1);
      expect(world.fake.given.map((spec) => spec.job)).toEqual([awaited]);
    },
  );

  it('of an account that moved on is forgotten with the account', async () => {
    const { world, words } = await home();
    world.leases.set(ANNA, undefined);
    await world.jobs.release(ANNA);
    words.say({ ...there, state: 'drained' });
    await turn();
    expect(world.jobs.elsewhere()).toEqual([]);
    expect(world.fake.given).toEqual([]);
  });
});
