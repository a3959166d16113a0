import { afterEach, describe, expect, it } from 'vitest';
import {
  ASK_FIRST_MS,
  ASK_LAST_MS,
  Elsewhere,
  type JobWord,
  type PeerWord,
  peerGone,
} from '../../../node/jobs/elsewhere.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import { FakeExecutor } from './fakes.js';
import { ANNA, BERT, HISTORY, removeWorlds, World } from './world.js';

const GRACE_MS = 60_000;

class Words {
  readonly clock = new ManualClock();
  readonly words = new Map<string, PeerWord>();
  registered = true;
  /** What node B answers about jobs; undefined: nothing. */
  answer: JobWord | undefined = 'running';
  readonly asked: string[][] = [];
  private readonly listeners = new Set<() => void>();

  say(word: PeerWord | undefined): void {
    if (word === undefined) this.words.delete('node-b');
    else this.words.set('node-b', word);
    this.tell();
  }

  tell(): void {
    for (const listener of this.listeners) listener();
  }

  async ask(_peer: string, jobs: readonly { job: string }[]): Promise<Map<string, JobWord>> {
    this.asked.push(jobs.map(({ job }) => job));
    const { answer } = this;
    if (answer === undefined) throw new Error('no answer');
    return new Map(jobs.map(({ job }) => [job, answer]));
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
  await world.jobs.across.release(ANNA);
  world.leases.set(ANNA, 2);
  await world.jobs.across.adopt(ANNA, new Map([[job, { peer: 'node-b', boot: 4 }]]));
  world.fake.slotCount = 2;
  const words = new Words();
  words.say(word);
  const watch = await watching(world, words);
  return { world, job, words, watch };
}

/** Started, and its first look is over. */
async function watching(world: World, words: Words): Promise<Elsewhere> {
  const deps = {
    jobs: world.jobs.across,
    ask: (...question: Parameters<Words['ask']>) => words.ask(...question),
    peers: words,
    coordinator: words,
    clock: words.clock,
    logger: silentLogger,
  };
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
    expect(world.jobs.across.elsewhere()).toHaveLength(1);
    words.clock.advance(1);
    await world.fake.until(1);
    expect(world.jobs.across.elsewhere()).toEqual([]);
  });

  it('is left there while this node does not hear the coordinator itself', async () => {
    const { world, words } = await home(silent);
    words.registered = false;
    words.tell();
    await turn();
    words.clock.advance(10 * GRACE_MS);
    words.say({ ...there, state: 'drained' });
    await turn();
    expect(world.jobs.across.elsewhere()).toHaveLength(1);
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
      await former.jobs.across.release(ANNA);
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
    await world.jobs.across.release(ANNA);
    words.say({ ...there, state: 'drained' });
    await turn();
    expect(world.jobs.across.elsewhere()).toEqual([]);
    expect(world.fake.given).toEqual([]);
  });

  it('is asked about soon, then less and less often, and again soon when there is one more', async () => {
    const { world, job, words, watch } = await home();
    words.clock.advance(ASK_FIRST_MS - 1);
    await turn();
    expect(words.asked).toEqual([]);
    words.clock.advance(1);
    await turn();
    expect(words.asked).toEqual([[job]]);
    for (const { after, count } of [
      { after: ASK_FIRST_MS, count: 2 },
      { after: ASK_FIRST_MS, count: 2 },
      { after: ASK_FIRST_MS, count: 3 },
    ]) {
      words.clock.advance(after);
      await turn();
      expect(words.asked).toHaveLength(count);
    }
    words.answer = undefined;
    for (let hours = 0; hours < 10; hours++) {
      for (let minutes = 0; minutes < 60; minutes++) {
        words.clock.advance(60_000);
        await turn();
      }
    }
    const before = words.asked.length;
    expect(before).toBeLessThan(3 + 10 + (10 * 3_600_000) / ASK_LAST_MS);
    expect(world.jobs.across.elsewhere()).toHaveLength(1);
    const { job: more } = await world.submit('b');
    await world.jobs.cancel(ANNA, more);
    const { job: another } = await world.submit('c');
    await world.fake.until(1);
    world.fake.finish(another);
    await world.ended(another);
    expect(words.asked).toHaveLength(before);
    world.fake.slotCount = 0;
    const { job: second } = await world.submit('d');
    await world.jobs.across.release(ANNA);
    await world.jobs.across.adopt(ANNA, new Map([job, second].map((id) => [id, { peer: 'node-b', boot: 4 }] as const)));
    watch.look();
    await turn();
    words.clock.advance(ASK_FIRST_MS);
    await turn();
    expect(words.asked.slice(before)).toEqual([[job, second]]);
  });

  it('starts again when that node, which has not started anew, knows it no more', async () => {
    const { world, job, words } = await home();
    words.answer = 'finished';
    words.clock.advance(ASK_FIRST_MS);
    await turn();
    expect(world.fake.given).toEqual([]);
    words.answer = 'unknown';
    words.clock.advance(2 * ASK_FIRST_MS);
    await world.fake.until(1);
    world.fake.finish(job);
    expect(await world.ended(job)).toMatchObject({ state: 'ok', epoch: 2, executor: 'node-a' });
  });

  it('starts again when that node says that it gave it up, and another node says so in vain', async () => {
    const { world, job } = await home();
    await world.jobs.across.acceptGaveUp(ANNA, job, 'node-c', 'no reason');
    expect(world.jobs.across.elsewhere()).toHaveLength(1);
    world.fake.slotCount = 0;
    await world.jobs.across.acceptGaveUp(ANNA, job, 'node-b', 'its handler died');
    expect(world.jobs.local(job)?.reason).toContain('gave it up (its handler died)');
    await world.jobs.across.acceptGaveUp(ANNA, job, 'node-b', 'its handler died');
    world.fake.grow(1);
    await world.fake.until(1);
    world.fake.finish(job);
    await world.ended(job);
    expect(world.fake.given).toHaveLength(1);
  });

  it('is not taken back by a word that comes to a node that is not the home', async () => {
    const { world, job } = await home();
    world.leases.set(ANNA, undefined);
    await expect(world.jobs.across.acceptGaveUp(ANNA, job, 'node-b', 'gone')).rejects.toMatchObject({
      code: 'jobs/not-home',
    });
  });
});

describe('an upload whose bytes are at another node', () => {
  async function upload() {
    const former = await (await World.create('node-b')).open();
    former.fake.slotCount = 0;
    const item = { name: 'a', extension: 'txt', genomeBuild: '?', tags: [] };
    const flags = { toPosixLines: false, spaceToTab: false, autoDecompress: false };
    const { job } = await former.jobs.submitFetch(ANNA, {
      history: HISTORY,
      tool: 'upload1',
      items: [{ ...item, ...flags, source: { kind: 'text', text: 'x' } }],
    });
    const world = await (await World.create()).open();
    world.leases.set(ANNA, undefined);
    for (const key of Object.keys(await former.log.vector(ANNA))) {
      const [account = '', epoch, writer = ''] = key.split('/');
      const run = await former.log.read({ account, epoch: Number(epoch), writer }, 1, 1_000_000);
      if (run !== undefined) await world.log.receive(run);
    }
    world.leases.set(ANNA, 2);
    await world.jobs.across.adopt(ANNA);
    const words = new Words();
    words.say(there);
    await watching(world, words);
    return { former, world, job, words };
  }

  it('is waited for while that has them, and while it does not answer at all', async () => {
    const { former, world, job, words } = await upload();
    former.leases.set(ANNA, undefined);
    await former.jobs.across.release(ANNA);
    expect(await former.jobs.across.wordsOn(ANNA, [job])).toEqual(new Map([[job, 'running']]));
    words.clock.advance(ASK_FIRST_MS);
    await turn();
    words.say(silent);
    await turn();
    words.clock.advance(10 * GRACE_MS);
    await turn();
    expect(words.asked).toEqual([[job]]);
    expect(world.jobs.across.elsewhere()).toMatchObject([{ job, peer: 'node-b', isUpload: true }]);
  });

  it('ends with the cause when that knows them no more', async () => {
    const { world, job, words } = await upload();
    words.answer = 'unknown';
    words.clock.advance(ASK_FIRST_MS);
    const { state, message } = await world.ended(job);
    expect(state).toBe('error');
    expect(message).toMatch(/^The uploaded bytes cannot be had any more: .*knows nothing of it any more\. Upload/);
    expect(world.fake.given).toEqual([]);
  });
});

describe('the node that ran a job of an account that left', () => {
  async function left(how: (world: World, job: string) => Promise<void> | void) {
    const told: string[][] = [];
    const world = await World.create('node-b');
    let heard = () => {};
    const hears = new Promise<void>((resolve) => {
      heard = resolve;
    });
    let refusals = 2;
    world.deps = {
      home: {
        deliver: () => Promise.reject(new Error('away')),
        gaveUp: async (...word) => {
          refusals -= 1;
          if (refusals >= 0) throw new Error('away');
          told.push(word.slice(0, 3) as string[]);
          heard();
        },
      },
    };
    await world.open();
    const { job } = await world.submit('a');
    await world.fake.until(1);
    await how(world, job);
    await hears;
    return { world, job, told };
  }

  const leave = async (world: World) => {
    world.leases.set(ANNA, undefined);
    await world.jobs.across.release(ANNA);
  };

  it.each<[string, (world: World, job: string) => Promise<void> | void, RegExp]>([
    [
      'its handler died',
      async (world, job) => {
        await leave(world);
        world.fake.lose(job, 'its handler died');
      },
      /its handler died/,
    ],
    [
      'it gave it up',
      async (world, job) => {
        await leave(world);
        await world.jobs.abandon(job);
      },
      /gave it up/,
    ],
    [
      'it was only to be started again there',
      async (world, job) => {
        world.fake.slotCount = 0;
        world.fake.lose(job);
        await world.untilState(job, 'queued');
        await leave(world);
      },
      /waited to be started again/,
    ],
  ])('tells its home, until that hears it, when %s', async (_case, how, reason) => {
    const { world, job, told } = await left(how);
    expect(told).toEqual([[ANNA, job, expect.stringMatching(reason)]]);
    expect(await world.jobs.across.wordsOn(ANNA, [job])).toEqual(new Map([[job, 'unknown']]));
    expect(world.fake.given).toHaveLength(1);
  });

  it('says of a job what it knows: it runs, its outcome is on its way or in the log, or nothing', async () => {
    const world = await (await World.create('node-b')).open();
    const [ended, runs] = [(await world.submit('a')).job, (await world.submit('b')).job];
    await world.fake.until(2);
    world.fake.finish(ended);
    await world.ended(ended);
    const { job: kept } = await world.submit('c');
    await world.fake.until(3);
    await leave(world);
    expect([...(await world.jobs.across.wordsOn(ANNA, [runs])).values()]).toEqual(['running']);
    expect([...(await world.jobs.across.wordsOn(BERT, [runs])).values()]).toEqual(['unknown']);
    world.fake.finish(kept);
    world.fake.finish(runs);
    await world.idle();
    expect(world.jobs.undelivered).toBe(2);
    const words = await world.jobs.across.wordsOn(ANNA, [ended, kept, '00000000000000ff']);
    expect([...words.values()]).toEqual(['finished', 'finished', 'unknown']);
  });
});
