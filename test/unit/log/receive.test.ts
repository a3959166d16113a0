import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SegmentRun } from '../../../protocol/log/account-log.js';
import type { Draft, JsonObject, SegmentKey } from '../../../protocol/log/entry.js';
import { HYBRID_MS_MAX, hybridTime } from '../../../protocol/log/hybrid-clock.js';
import { entryKey, LOG_NAMESPACE } from '../../../protocol/log/namespaces.js';
import {
  chainHash,
  encodeEntry,
  headerHash,
  payloadBytes,
  type SegmentHead,
  toHex,
} from '../../../protocol/log/segment.js';
import { canonicalView } from '../../../protocol/log/view.js';
import { type Logger, silentLogger } from '../../../protocol/runtime/logger.js';
import {
  ACCOUNT,
  collect,
  copy,
  datasetCreated,
  fakeTrust,
  HISTORY,
  hex,
  historyCreated,
  historyRenamed,
  leaseToken,
  manualClock,
  openTestLog,
  removeTestLogs,
  runsFor,
  type TestLog,
} from './fixture.js';

interface Forged {
  type?: string;
  /** A text is taken as it is. */
  payload?: object | string;
  time?: string;
  seq?: number;
  bytes?: Uint8Array;
}

const KEY: SegmentKey = { account: ACCOUNT, epoch: 1, writer: 'eeeeeeeeeeeeeeee' };

/** A run as a foreign writer would make it, whatever it holds. */
function forge(
  entries: Forged[],
  options: { key?: SegmentKey; node?: string; base?: SegmentRun['base'] } = {},
): SegmentRun {
  const key = options.key ?? KEY;
  const node = options.node ?? 'node-e';
  const lease = leaseToken(key.account, key.epoch, node);
  const base = options.base ?? {};
  let hash = headerHash({ key, lease, base });
  const list = entries.map((entry, index) => {
    const bytes =
      entry.bytes ??
      encodeEntry(
        {
          seq: entry.seq ?? index + 1,
          time: entry.time ?? hybridTime(1_760_000_000_000 + index, 0),
          type: entry.type ?? 'history.created',
          version: 1,
        },
        typeof entry.payload === 'string'
          ? Buffer.from(entry.payload)
          : payloadBytes((entry.payload ?? { id: hex(index + 1), name: `h${index}`, createdAt: 1 }) as JsonObject),
      );
    hash = chainHash(hash, bytes);
    return bytes;
  });
  const head: SegmentHead = { ...key, seq: list.length, hash: toHex(hash) };
  return { key, lease, base, from: 1, entries: list, head: fakeTrust(node).signHead(head) };
}

async function pair(): Promise<{ from: TestLog; to: TestLog; key: SegmentKey }> {
  const from = await openTestLog({ node: 'node-a' });
  const to = await openTestLog({ node: 'node-b' });
  await from.log.append(ACCOUNT, () => [historyCreated()]);
  await from.log.append(ACCOUNT, () => [datasetCreated(hex(1), 1), historyRenamed('second')]);
  return { from, to, key: { account: ACCOUNT, epoch: 1, writer: from.log.writer } };
}

async function read(test: TestLog, key: SegmentKey, from = 1, maxBytes = 1_000_000): Promise<SegmentRun> {
  const run = await test.log.read(key, from, maxBytes);
  if (!run) throw new Error('nothing there');
  return run;
}

describe('taking entries from a peer', () => {
  afterEach(removeTestLogs);

  it('gives the same view, says whose they were, and keeps them over a restart', async () => {
    const { from, to, key } = await pair();
    const told: [number, boolean][] = [];
    to.log.onApplied(({ entries, own }) => told.push([entries.length, own]));
    const run = await read(from, key);
    expect(await to.log.receive(run)).toEqual(Object.values(await from.log.vector(ACCOUNT))[0]);
    expect(told).toEqual([[3, false]]);
    expect(canonicalView(await to.log.view(ACCOUNT))).toBe(canonicalView(await from.log.view(ACCOUNT)));
    // What others wrote is not in this process's journal.
    expect(await to.log.writers()).toEqual([]);
    await to.close();
    const again = await openTestLog({ node: 'node-b', folder: to.folder });
    expect(canonicalView(await again.log.view(ACCOUNT))).toBe(canonicalView(await from.log.view(ACCOUNT)));
    expect(await again.log.vector(ACCOUNT)).toEqual(await from.log.vector(ACCOUNT));
  });

  it('is idempotent, in pieces that overlap, and when the same run comes many times at once', async () => {
    const { from, to, key } = await pair();
    const first = await read(from, key, 1, 1);
    expect(first.entries).toHaveLength(1);
    await to.log.receive(first);
    const all = await read(from, key);
    let applied = 0;
    to.log.onApplied(({ entries }) => {
      applied += entries.length;
    });
    const positions = await Promise.all(Array.from({ length: 5 }, () => to.log.receive(all)));
    expect(new Set(positions.map(({ seq }) => seq))).toEqual(new Set([3]));
    expect(applied).toBe(2);
    expect(await to.log.receive(first)).toEqual(positions[0]);
    expect(await to.log.receive(await read(from, key, 99))).toEqual(positions[0]);
  });

  it('stores entries of a type it does not know, hands them on, and skips them', async () => {
    const { to } = await pair();
    const run = forge([{ type: 'rocket.launched', payload: { id: hex(7), to: 'the moon' } }, {}]);
    await to.log.receive(run);
    const view = await to.log.view(ACCOUNT);
    expect([...view.list('history')].map(({ id }) => id)).toEqual([hex(2)]);
    expect((await to.log.entry(KEY, 1))?.payload).toEqual({ id: hex(7), to: 'the moon' });
    const third = await openTestLog({ node: 'node-c' });
    await third.log.receive(await read(to, KEY));
    expect(await third.log.vector(ACCOUNT)).toEqual(await to.log.vector(ACCOUNT));
  });

  it('stores an entry whose payload its schema refuses, and skips it', async () => {
    const { to } = await pair();
    await to.log.receive(forge([{ payload: { id: hex(1), name: 5, createdAt: 'yesterday' } }, {}]));
    expect([...(await to.log.view(ACCOUNT)).list('history')].map(({ id }) => id)).toEqual([hex(2)]);
  });

  it('shows an update that came before its creation only with the creation', async () => {
    const { from, to, key } = await pair();
    await to.log.receive(
      forge([
        {
          type: 'history.updated',
          payload: { id: HISTORY, name: 'from elsewhere' },
          time: hybridTime(HYBRID_MS_MAX, 0),
        },
        { type: 'dataset.purged', payload: { id: hex(1) }, time: hybridTime(HYBRID_MS_MAX, 1) },
        { type: 'item.hid', payload: { id: hex(1), kind: 'dataset', hid: 8 }, time: hybridTime(HYBRID_MS_MAX, 2) },
      ]),
    );
    const view = await to.log.view(ACCOUNT);
    expect(view.get('history', HISTORY)).toBeUndefined();
    expect(view.items(HISTORY).datasets).toEqual([]);
    expect(view.changedAt(HISTORY)).toBe(0);
    await to.log.receive(await read(from, key));
    expect(view.get('history', HISTORY)?.name).toBe('from elsewhere');
    expect(view.items(HISTORY).datasets).toMatchObject([{ hid: 1, settledHid: 8, purged: true }]);
    expect(view.nextHid(HISTORY)).toBe(9);
  });

  it('lets a change made after seeing a foreign entry win over it, however far ahead its clock was', async () => {
    const warnings: object[] = [];
    const logger: Logger = { ...silentLogger, warn: (data) => warnings.push(data) };
    const to = await openTestLog({ node: 'node-b', logger });
    await to.log.receive(forge([{ payload: { id: HISTORY, name: 'x', createdAt: 1 }, time: hybridTime(4e12, 5) }]));
    expect(warnings).toMatchObject([{ aheadMs: 4e12 - to.clock.ms }]);
    const { entries, view } = await to.log.append(ACCOUNT, () => [historyRenamed('y')]);
    expect(entries[0]?.time).toBe(hybridTime(4e12, 6));
    expect(view.get('history', HISTORY)?.name).toBe('y');
    // The apply time is shown to people: it stays near this clock.
    expect(view.changedAt(HISTORY)).toBeLessThan(to.clock.ms + 1000);
  });

  it('bumps history and item, and everything a job’s outcome decides', async () => {
    const { from, to, key } = await pair();
    const job = hex(0x70b);
    const drafts: Draft[] = [
      {
        type: 'job.submitted',
        payload: {
          id: job,
          tool: 'cat1',
          toolVersion: '1',
          history: HISTORY,
          params: {},
          inputs: {},
          outputs: { out: hex(2) },
          createdAt: 1,
        },
      },
      datasetCreated(hex(2), 2, { job, output: 'out' }),
      {
        type: 'collection.created',
        payload: {
          id: hex(3),
          history: HISTORY,
          hid: 3,
          name: 'c',
          collectionType: 'list',
          elements: [{ identifier: 'a', kind: 'dataset', id: hex(2) }],
          createdAt: 1,
        },
      },
    ];
    await from.log.append(ACCOUNT, () => drafts);
    await to.log.receive(await read(from, key));
    const view = await to.log.view(ACCOUNT);
    const times = () => [
      view.get('dataset', hex(1))?.applied,
      view.get('dataset', hex(2))?.applied,
      view.get('collection', hex(3))?.applied,
      view.get('history', HISTORY)?.applied,
      view.changedAt(HISTORY),
    ];
    const before = times() as number[];
    await from.log.append(ACCOUNT, () => [
      { type: 'job.started', payload: { id: job, attempt: 1, executor: 'e', startedAt: 5 } },
    ]);
    to.clock.ms += 10_000;
    await to.log.receive(await read(from, key, 4));
    const after = times() as number[];
    expect(after[0]).toBe(before[0]);
    expect(after.slice(1)).toEqual(after.slice(1).map(() => to.clock.ms));
    await to.close();
    const again = await openTestLog({ node: 'node-b', folder: to.folder });
    const reloaded = await again.log.view(ACCOUNT);
    expect(reloaded.get('collection', hex(3))?.applied).toBe(after[2]);
    expect(reloaded.changedAt(HISTORY)).toBe(after[4]);
  });

  describe('refuses and stores nothing of', () => {
    async function refused(to: TestLog, run: SegmentRun, code: string, message: RegExp): Promise<unknown> {
      const rows = async () => {
        const all: string[] = [];
        for (const ns of Object.values(LOG_NAMESPACE)) {
          for (const [key] of await collect(to.store.iterate(ns))) all.push(ns + key);
        }
        return [all, canonicalView(await to.log.view(ACCOUNT))];
      };
      const before = await rows();
      const error = await to.log.receive(run).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
      expect(await rows()).toEqual(before);
      return error;
    }

    it('an entry with one bit flipped, wherever it is', async () => {
      const { from, to, key } = await pair();
      const run = await read(from, key);
      for (const index of [0, 1, 2]) {
        const original = run.entries[index] as Uint8Array;
        for (let at = 0; at < original.length; at += 7) {
          const flipped = Buffer.from(original);
          flipped[at] = (flipped[at] as number) ^ 4;
          const entries = run.entries.with(index, flipped);
          await refused(to, { ...run, entries }, 'log/untrusted', /entry \d|hash/);
        }
      }
    });

    it('a lease for another account, another epoch, or that is none', async () => {
      const { from, to, key } = await pair();
      const run = await read(from, key);
      for (const lease of [leaseToken(hex(5), 1, 'node-a'), leaseToken(ACCOUNT, 2, 'node-a'), 'nonsense']) {
        await refused(to, { ...run, lease }, 'log/untrusted', /its lease does not hold/);
      }
      await refused(to, { ...run, lease: leaseToken(ACCOUNT, 1, 'node-x') }, 'log/untrusted', /not signed by the node/);
    });

    it('a head that is unreadable, of another segment, of another length, or signs another hash', async () => {
      const { from, to, key } = await pair();
      const run = await read(from, key);
      const position = { seq: 3, hash: 'ab'.repeat(32) };
      const sign = (head: SegmentHead) => fakeTrust('node-a').signHead(head);
      await refused(to, { ...run, head: 'nonsense' }, 'log/untrusted', /its head does not hold/);
      await refused(to, { ...run, head: sign({ ...KEY, ...position }) }, 'log/untrusted', /of another segment/);
      await refused(
        to,
        { ...run, head: sign({ ...key, ...position, seq: 4 }) },
        'log/untrusted',
        /covers entry 4, the run ends at 3/,
      );
      await refused(to, { ...run, head: sign({ ...key, ...position }) }, 'log/untrusted', /do not lead to the hash/);
    });

    it('a run that would leave a gap, saying what is here', async () => {
      const { from, to, key } = await pair();
      await refused(to, await read(from, key, 2), 'log/gap', /begins at entry 2, and entries are here up to 0/);
      await to.log.receive(await read(from, key, 1, 1));
      const error = await refused(to, await read(from, key, 3), 'log/gap', /up to 1/);
      expect(error).toMatchObject({ data: { has: 1, from: 3 } });
    });

    it('a second version of a segment, at every place where the two may part', async () => {
      const alarms: object[] = [];
      const logger: Logger = { ...silentLogger, error: (data) => alarms.push(data) };
      const to = await openTestLog({ node: 'node-b', logger });
      const entry = (name: string, seq: number): Forged => ({ payload: { id: hex(seq), name, createdAt: 1 } });
      await to.log.receive(forge([entry('a', 1), entry('b', 2), entry('c', 3)]));
      const forks = [
        [entry('a', 1), entry('b', 2), entry('other', 3)],
        [entry('other', 1)],
        [entry('a', 1), entry('other', 2), entry('c', 3), entry('d', 4)],
      ];
      for (const fork of forks) await refused(to, forge(fork), 'log/chain-broken', /two versions/);
      const otherBase = { [`${ACCOUNT}/0000000000000001/dddddddddddddddd`]: { seq: 1, hash: 'ab'.repeat(32) } };
      await refused(to, forge([entry('a', 1)], { base: otherBase }), 'log/chain-broken', /two versions/);
      expect(alarms).toHaveLength(4);
    });

    it('more of its own segment than it wrote itself', async () => {
      const { from, key } = await pair();
      const cloned = forge([{}, {}, {}, {}], { key, node: 'node-a' });
      await refused(from, cloned, 'log/chain-broken', /two versions/);
      expect(await from.log.receive(await read(from, key))).toMatchObject({ seq: 3 });
    });

    it('entries that are unreadable, misnumbered, not later than the one before, or past all time', async () => {
      const { to } = await pair();
      const time = hybridTime(1_760_000_000_000, 0);
      const cases: [Forged[], RegExp][] = [
        [[{ bytes: Buffer.from('nonsense') }], /entry 1 cannot be read/],
        [[{ payload: [] as object }], /payload is no object/],
        [[{ payload: `{"deep":${'['.repeat(30_000)}${']'.repeat(30_000)}}` }], /nested/],
        [[{ bytes: Buffer.alloc(100_000, 1) }], /100000 bytes/],
        [[{ type: 'x'.repeat(200) }], /type/],
        [[{ seq: 2 }], /numbered 2/],
        [[{ time }, { time }], /not later/],
        [[{ time: 'ffffffffffff0000' }], /hybrid time/],
      ];
      for (const [entries, reason] of cases) await refused(to, forge(entries), 'log/untrusted', reason);
    });

    it('what does not have the shape of a run, or is larger than one may be', async () => {
      const { from, to, key } = await pair();
      const run = await read(from, key);
      await refused(to, { ...run, from: 0 }, 'log/untrusted', /from/);
      await refused(to, { ...run, key: { ...key, account: '../..' } }, 'log/untrusted', /account/);
      await refused(to, { ...run, key: { ...key, epoch: 2 ** 60 } }, 'log/untrusted', /epoch/);
      await refused(to, { ...run, base: { nonsense: { seq: 1, hash: 'ab'.repeat(32) } } }, 'log/untrusted', /base/);
      const large = Array.from({ length: 80 }, () => Buffer.alloc(60_000));
      await refused(to, { ...run, entries: large }, 'log/untrusted', /bytes/);
    });
  });

  it('serves a foreign segment in steps that end where its writer signed, with few heads kept', async () => {
    const from = await openTestLog({ node: 'node-a' });
    const relay = await openTestLog({ node: 'node-b' });
    const to = await openTestLog({ node: 'node-c' });
    const key = { account: ACCOUNT, epoch: 1, writer: from.log.writer };
    const annotation = 'x'.repeat(20_000);
    for (let index = 0; index < 60; index++) {
      await from.log.append(ACCOUNT, () => [
        { type: 'history.created', payload: { id: hex(index + 1), name: 'h', createdAt: 1, annotation } },
      ]);
      await relay.log.receive(await read(from, key, index + 1));
    }
    const text = Object.keys(await from.log.vector(ACCOUNT))[0] as string;
    const heads = await collect(relay.store.iterate(LOG_NAMESPACE.head, { gte: entryKey(text, 0) }));
    expect(heads.length).toBeLessThan(10);
    let steps = 0;
    for (let next = 1; next <= 60; steps++) {
      const run = await read(relay, key, next, 1000);
      expect(run.from).toBe(next);
      next += run.entries.length;
      await to.log.receive(run);
    }
    expect(steps).toBe(heads.length);
    expect(await to.log.vector(ACCOUNT)).toEqual(await from.log.vector(ACCOUNT));
    // Asked in the middle of a step, or with a large appetite, it serves as well.
    expect((await read(relay, key, 7, 1000)).from).toBe(7);
    expect((await read(relay, key, 1, 1e9)).entries).toHaveLength(60);
    expect((await read(relay, key, 500)).entries).toEqual([]);
    expect(await relay.log.read({ ...key, epoch: 9 }, 1, 1000)).toBeUndefined();
  });
});

describe('two logs that exchange runs', () => {
  let logs: [TestLog, TestLog];

  beforeAll(async () => {
    const clock = manualClock();
    logs = [
      await openTestLog({ node: 'node-a', clock }),
      await openTestLog({ node: 'node-b', clock: manualClock(clock.ms - 900) }),
    ];
    logs[1].leases.epoch = 2;
  });

  afterAll(removeTestLogs);

  const action = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('write' as const), side: fc.constantFrom(0, 1), what: fc.nat(9) }),
    },
    fc.record({
      do: fc.constant('exchange' as const),
      side: fc.constantFrom(0, 1),
      maxBytes: fc.constantFrom(1, 300, 100_000),
      keep: fc.integer({ min: 1, max: 4 }),
      twice: fc.boolean(),
    }),
  );
  let accounts = 0;

  it('converge to one view, in whatever order and however often the runs come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 25 }), async (actions) => {
        const account = hex(0xacc0000 + accounts++);
        const write = (side: number, what: number) =>
          (logs[side] as TestLog).log.append(account, (view) => {
            if (what === 0) return [historyCreated(HISTORY, `by ${side}`)];
            if (what < 4) return [datasetCreated(hex(what + side * 2), view.nextHid(HISTORY))];
            if (what < 7) return [historyRenamed(`name ${what} by ${side}`)];
            if (what < 8) return [{ type: 'dataset.purged', payload: { id: hex(what - 5) } }];
            return [{ type: 'item.hid', payload: { kind: 'dataset', id: hex(what - 7), hid: what } }];
          });
        for (const step of actions) {
          if (step.do === 'write') {
            await write(step.side, step.what);
            continue;
          }
          const [from, to] = step.side === 0 ? logs : [logs[1], logs[0]];
          const runs = (await runsFor(from.log, to.log, account, step.maxBytes)).slice(0, step.keep);
          for (const run of step.twice ? [...runs, ...runs] : runs) await to.log.receive(run);
        }
        await copy(logs[0].log, logs[1].log, account);
        await copy(logs[1].log, logs[0].log, account);
        const [a, b] = await Promise.all(logs.map(({ log }) => log.view(account)));
        expect(canonicalView(a as never)).toBe(canonicalView(b as never));
        expect(await logs[0].log.vector(account)).toEqual(await logs[1].log.vector(account));
      }),
      { numRuns: 40 },
    );
  });
});
