import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BlobFinder } from '../../../node/replication/blob-finder.js';
import { Background } from '../../../protocol/runtime/lifecycle.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import { evenRandom } from '../drain/world.js';
import { FakeHolder, FakeHolders, FakeLanes } from './lanes.js';

describe('blobs of an account that came here', () => {
  let clock: ManualClock;
  let holders: FakeHolders;
  let lanes: FakeLanes;
  let here: Set<string>;
  let unwanted: Set<string>;
  let confirmed: string[];
  let found: string[];
  let background: Background;
  let finder: BlobFinder;

  const turns = async () => {
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
  };
  /** As its owner does: whenever something changed. */
  const step = async () => {
    const waitMs = finder.step();
    await turns();
    return waitMs;
  };

  beforeEach(() => {
    clock = new ManualClock();
    holders = new FakeHolders([
      new FakeHolder('a'),
      new FakeHolder('repo', 'repository', 'repository'),
      new FakeHolder('sister', 'own'),
      new FakeHolder('off'),
      new FakeHolder('leaving'),
    ]);
    holders.of('off').connected = false;
    holders.of('leaving').serving = false;
    lanes = new FakeLanes(holders);
    here = new Set();
    unwanted = new Set();
    confirmed = [];
    found = [];
    background = new Background({ log: silentLogger });
    finder = new BlobFinder(
      {
        blobs: { has: (blob) => here.has(blob) },
        ledger: {
          confirmBlobs: async (peer, _storeId, blobs) => {
            for (const blob of blobs) confirmed.push(`${blob} at ${peer}`);
          },
        },
        lane: lanes,
        holders,
        clock,
        random: evenRandom,
        logger: silentLogger,
        background,
        isWanted: (blob) => !unwanted.has(blob),
        onFound: (blobs) => found.push(...blobs),
      },
      { domain: 'own', fetchDeadlineMs: 60_000 },
    );
  });
  afterEach(() => background.stop());

  it('are asked for at those who count, the repository first, and what they have is confirmed', async () => {
    holders.of('repo').blobs.add('x');
    for (const blob of ['x', 'y']) holders.of('a').blobs.add(blob);
    finder.ask(['x', 'y', 'z']);
    expect(finder.isAsking('x')).toBe(true);
    await step();
    expect(lanes.asked.map(({ peer }) => peer)).toEqual(['repo', 'a']);
    expect(confirmed.sort()).toEqual(['x at a', 'x at repo', 'y at a']);
    expect([finder.isAsking('x'), found]).toEqual([false, ['x', 'y', 'z']]);
  });

  it('are asked for in questions of some thousand each, and all of them', async () => {
    const many = Array.from({ length: 10_000 }, (_, n) => `b${n}`);
    finder.ask(many);
    await step();
    expect(lanes.asked.filter(({ peer }) => peer === 'a').map(({ blobs }) => blobs.length)).toEqual([4096, 4096, 1808]);
    expect(found).toHaveLength(10_000);
  });

  it('are asked for at others when one holder fails, and not brought before somebody was asked', async () => {
    holders.of('repo').failing = true;
    holders.of('a').blobs.add('x');
    finder.find('x');
    await step();
    expect(confirmed).toEqual(['x at a']);
    expect(lanes.fetched).toEqual([]);
    finder.find('x');
    await step();
    expect(lanes.fetched).toEqual(['x']);
  });

  it('are brought a few at a time, and not when they are here or not wanted any more', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `blob ${name}`);
    let open: () => void = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    lanes.onFetch = async (blob) => {
      await opened;
      here.add(blob);
    };
    finder.ask(names);
    await step();
    for (const blob of names) finder.find(blob);
    here.add('blob f');
    unwanted.add('blob g');
    await step();
    expect(lanes.fetched).toHaveLength(4);
    open();
    await turns();
    await step();
    expect(lanes.fetched).toEqual(names.slice(0, 5));
    expect(found.filter((blob) => blob === 'blob f')).toHaveLength(2);
  });

  it('that could not be brought rest with growing pauses, and are forgotten when other holders come', async () => {
    lanes.onFetch = async () => {
      throw new Error('nobody has it');
    };
    finder.ask(['x']);
    await step();
    finder.find('x');
    await step();
    const first = finder.step() as number;
    expect(first).toBeGreaterThan(0);
    finder.find('x');
    await step();
    expect(lanes.fetched).toHaveLength(1);
    clock.advance(first);
    await step();
    expect(lanes.fetched).toHaveLength(2);
    expect(finder.step() as number).toBeGreaterThan(first);
    finder.forgetAsked();
    expect(finder.step()).toBeUndefined();
    finder.find('x');
    await step();
    expect(lanes.asked.filter(({ peer }) => peer === 'a')).toHaveLength(2);
  });

  it('do not wait for a holder that says nothing', async () => {
    holders.of('repo').hold = new Promise(() => {});
    holders.of('a').blobs.add('x');
    finder.ask(['x']);
    await step();
    expect(found).toEqual([]);
    clock.advance(20_000);
    await turns();
    expect([found, confirmed]).toEqual([['x'], ['x at a']]);
  });
});
