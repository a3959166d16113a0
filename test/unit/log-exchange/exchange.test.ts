import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { AccountLog, SegmentRun } from '../../../protocol/log/account-log.js';
import { LogExchange, type LogExchangePolicy, logCalls, serveLog } from '../../../protocol/log/exchange.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { call } from '../../../protocol/wire/rpc.js';
import { MemoryNetwork } from '../../support/memory-streams.js';
import {
  ACCOUNT,
  datasetCreated,
  hex,
  historyCreated,
  historyRenamed,
  openTestLog,
  removeTestLogs,
  runsFor,
  type TestLog,
} from '../log/fixture.js';

afterEach(removeTestLogs);

const STORE_ID = 'ab'.repeat(16);
const OTHER_ACCOUNT = '00000000000000a2';
const limit = () => AbortSignal.timeout(20_000);

async function pair(options: { policy?: Partial<LogExchangePolicy>; serve?: (log: AccountLog) => AccountLog } = {}) {
  const network = new MemoryNetwork();
  const here = await openTestLog({ node: 'here' });
  const there = await openTestLog({ node: 'there' });
  const host = network.host('here');
  await serveLog({
    host: network.host('there'),
    log: options.serve?.(there.log) ?? there.log,
    store: there.store,
    clock: systemClock,
    logger: silentLogger,
    storeId: STORE_ID,
    policy: { mayRead: () => undefined, mayPush: () => undefined, ...options.policy },
  });
  return { network, host, here, there, exchange: new LogExchange({ host, log: here.log }) };
}

async function write(test: TestLog, count: number, account = ACCOUNT): Promise<void> {
  for (let i = 0; i < count; i++) {
    await test.log.append(account, () => (i === 0 ? [historyCreated()] : [historyRenamed(`name ${i}`)]));
  }
}

/** The whole journal of a writer as one push. */
async function wholePush(test: TestLog, through?: number) {
  const { writer } = test.log;
  const [mine] = await test.log.writers();
  const items = await test.log.journal(writer, 1, 10_000);
  const runs: SegmentRun[] = [];
  for (const account of new Set(items.map(({ key }) => key.account))) {
    const run = await test.log.read({ account, epoch: 1, writer }, 1, 1_000_000);
    if (run) runs.push(run);
  }
  return { writer, after: 0, through: through ?? mine?.last ?? 0, runs };
}

describe('a push', () => {
  it('is confirmed with a position when its entries are on the disk, and may be repeated', async () => {
    const { here, there, exchange } = await pair();
    await write(here, 3);
    await write(here, 2, OTHER_ACCOUNT);
    const { writer } = here.log;
    expect(await exchange.position('there', writer, limit())).toEqual({ position: 0, storeId: STORE_ID });
    const push = await wholePush(here);
    for (let i = 0; i < 2; i++) {
      expect(await exchange.push('there', push, limit())).toEqual({ position: 5, storeId: STORE_ID });
    }
    expect(await exchange.position('there', writer, limit())).toEqual({ position: 5, storeId: STORE_ID });
    expect(await there.log.vector(ACCOUNT)).toEqual(await here.log.vector(ACCOUNT));
    expect(await there.log.vector(OTHER_ACCOUNT)).toEqual(await here.log.vector(OTHER_ACCOUNT));
  });

  it('behind a gap stores nothing and is answered with where the holder stands', async () => {
    const { here, there, exchange } = await pair();
    await write(here, 3);
    const push = { ...(await wholePush(here)), after: 2 };
    expect((await exchange.push('there', push, limit())).position).toBe(0);
    expect(await there.log.vector(ACCOUNT)).toEqual({});
  });

  it('is not believed to hold what it does not: fewer entries than positions, another writer’s, or none', async () => {
    const { here, there, exchange } = await pair();
    await write(here, 3);
    const push = await wholePush(here);
    const refused = { code: 'exchange/incomplete' };
    await expect(exchange.push('there', { ...push, through: 4 }, limit())).rejects.toMatchObject(refused);
    await expect(exchange.push('there', { ...push, runs: [] }, limit())).rejects.toMatchObject(refused);
    await expect(exchange.push('there', { ...push, writer: hex(7) }, limit())).rejects.toMatchObject(refused);
    expect((await exchange.position('there', here.log.writer, limit())).position).toBe(0);
    expect(await there.log.vector(ACCOUNT)).toEqual({});
  });

  it('that an impatient sender repeats with more never takes the position back', async () => {
    const { here, exchange } = await pair();
    await write(here, 2);
    const first = await wholePush(here);
    await here.log.append(ACCOUNT, () => [historyRenamed('more')]);
    const second = await wholePush(here);
    const positions = await Promise.all([
      exchange.push('there', second, limit()),
      exchange.push('there', first, limit()),
    ]);
    expect(positions.map(({ position }) => position)).toEqual([3, 3]);
    expect((await exchange.position('there', here.log.writer, limit())).position).toBe(3);
  });

  it('with one bad run is not confirmed, and what was good of it stays', async () => {
    const { here, there, exchange } = await pair();
    await write(here, 2);
    await write(here, 2, OTHER_ACCOUNT);
    const push = await wholePush(here);
    const bad = push.runs.map((run) =>
      run.key.account === ACCOUNT ? { ...run, entries: run.entries.map((bytes) => Uint8Array.of(...bytes, 1)) } : run,
    );
    await expect(exchange.push('there', { ...push, runs: bad }, limit())).rejects.toMatchObject({
      code: 'log/untrusted',
    });
    expect((await exchange.position('there', here.log.writer, limit())).position).toBe(0);
    expect(Object.keys(await there.log.vector(OTHER_ACCOUNT))).toHaveLength(1);
  });

  it('is refused to whom the policy refuses, with the reason', async () => {
    const { here, exchange } = await pair({ policy: { mayPush: () => 'this node holds nothing of yours' } });
    await write(here, 1);
    await expect(exchange.push('there', await wholePush(here), limit())).rejects.toMatchObject({
      code: 'exchange/not-allowed',
      data: { reason: 'this node holds nothing of yours' },
    });
  });

  it('of 512 accounts is taken in one message', async () => {
    const { here, there, exchange } = await pair();
    const accounts = Array.from({ length: 512 }, (_, index) => hex(0x10_000 + index));
    await Promise.all(accounts.map((account) => here.log.append(account, () => [historyCreated()])));
    expect((await exchange.push('there', await wholePush(here), limit())).position).toBe(512);
    expect(Object.keys(await there.log.vector(accounts[511] as string))).toHaveLength(1);
  });
});

describe('bringing an account', () => {
  it('takes what is missing of every segment, in several messages where one is not enough', async () => {
    const { here, there, exchange } = await pair();
    await there.log.append(ACCOUNT, () => [historyCreated()]);
    for (let i = 0; i < 40; i++) await there.log.append(ACCOUNT, () => [bigDataset(i)]);
    expect(await exchange.pull('there', ACCOUNT, limit())).toBe(41);
    expect(await here.log.vector(ACCOUNT)).toEqual(await there.log.vector(ACCOUNT));
    expect(await exchange.pull('there', ACCOUNT, limit())).toBe(0);
  });

  it('takes the other segments when one cannot be taken, and says which in the end', async () => {
    const forked = new Set<string>();
    const { here, there, exchange } = await pair({
      serve: (log) => ({
        ...bound(log),
        async read(key, from, maxBytes) {
          const run = await log.read(key, from, maxBytes);
          if (!run || !forked.has(key.writer)) return run;
          return { ...run, entries: run.entries.map((bytes) => Uint8Array.of(...bytes, 0)) };
        },
      }),
    });
    const other = await openTestLog({ node: 'third' });
    await other.log.append(ACCOUNT, () => [historyCreated()]);
    for (const run of await runsFor(other.log, there.log, ACCOUNT)) await there.log.receive(run);
    await there.log.append(ACCOUNT, () => [historyRenamed('there')]);
    forked.add([other.log.writer, there.log.writer].sort()[0] as string);
    await expect(exchange.pull('there', ACCOUNT, limit())).rejects.toMatchObject({ code: 'log/untrusted' });
    expect(Object.keys(await here.log.vector(ACCOUNT))).toHaveLength(1);
  });

  it('does not follow a holder that answers for another account or another segment', async () => {
    const lie = { vector: false, run: false };
    const { here, there, exchange } = await pair({
      serve: (log) => ({
        ...bound(log),
        vector: (account) => log.vector(lie.vector ? OTHER_ACCOUNT : account),
        read: (key, from, maxBytes) => log.read(lie.run ? { ...key, account: OTHER_ACCOUNT } : key, from, maxBytes),
      }),
    });
    await write(there, 2);
    await write(there, 2, OTHER_ACCOUNT);
    lie.vector = true;
    await expect(exchange.pull('there', ACCOUNT, limit())).rejects.toMatchObject({ code: 'exchange/wrong-answer' });
    lie.vector = false;
    lie.run = true;
    await expect(exchange.pull('there', ACCOUNT, limit())).rejects.toMatchObject({ code: 'exchange/wrong-answer' });
    expect(await here.log.vector(OTHER_ACCOUNT)).toEqual({});
  });

  it('ends with a holder that promises more than it gives', async () => {
    const { there, exchange } = await pair({
      serve: (log) => ({
        ...bound(log),
        async vector(account) {
          const vector = await log.vector(account);
          return Object.fromEntries(Object.entries(vector).map(([name, at]) => [name, { ...at, seq: at.seq + 5 }]));
        },
      }),
    });
    await write(there, 2);
    await expect(exchange.pull('there', ACCOUNT, limit())).rejects.toMatchObject({ code: 'exchange/not-held' });
  });

  it('is refused to whom the policy refuses', async () => {
    const { exchange } = await pair({ policy: { mayRead: () => 'you are nobody' } });
    await expect(exchange.pull('there', ACCOUNT, limit())).rejects.toMatchObject({ code: 'exchange/not-allowed' });
  });
});

describe('giving an account', () => {
  it('needs no right to read it: who may compare learns how far it is, and no entry', async () => {
    const mayRead = () => 'you do not follow it';
    const { here, there, exchange } = await pair({ policy: { mayRead, mayCompare: () => undefined } });
    await write(here, 3);
    expect(await exchange.offerAccount('there', ACCOUNT, limit())).toEqual({ storeId: STORE_ID, entries: 3 });
    expect(await exchange.offerAccount('there', ACCOUNT, limit())).toEqual({ storeId: STORE_ID, entries: 0 });
    await there.log.append('00000000000000d9', () => [historyCreated()]);
    await expect(exchange.pull('there', '00000000000000d9', limit())).rejects.toMatchObject({
      code: 'exchange/not-allowed',
    });
    const refused = await pair({ policy: { mayRead, mayCompare: () => 'nor are you leaving' } });
    await expect(refused.exchange.offerAccount('there', ACCOUNT, limit())).rejects.toMatchObject({
      code: 'exchange/not-allowed',
    });
  });

  it('sends what the holder lacks, also what others wrote, and says in which store it is', async () => {
    const { here, there, exchange } = await pair();
    const other = await openTestLog({ node: 'third' });
    await other.log.append(ACCOUNT, () => [historyCreated()]);
    for (const run of await runsFor(other.log, here.log, ACCOUNT)) await here.log.receive(run);
    for (let i = 0; i < 40; i++) await here.log.append(ACCOUNT, () => [bigDataset(i)]);
    expect(await exchange.offerAccount('there', ACCOUNT, limit())).toEqual({ storeId: STORE_ID, entries: 41 });
    expect(await there.log.vector(ACCOUNT)).toEqual(await here.log.vector(ACCOUNT));
    expect(await exchange.offerAccount('there', ACCOUNT, limit())).toEqual({ storeId: STORE_ID, entries: 0 });
  });

  it('stops with a clear error when the holder refuses', async () => {
    const { here, exchange } = await pair({ policy: { mayPush: () => 'it is full' } });
    await write(here, 1);
    await expect(exchange.offerAccount('there', ACCOUNT, limit())).rejects.toMatchObject({
      code: 'exchange/not-allowed',
    });
  });
});

describe('the wire', () => {
  it('refuses malformed questions before anything is looked up', async () => {
    const { host } = await pair();
    const ask = (def: (typeof logCalls)[keyof typeof logCalls], body: object) =>
      call(host, 'there', { ...def, request: z.unknown() } as never, body as never, limit());
    await expect(ask(logCalls.position, { writer: '../x' })).rejects.toMatchObject({ code: 'wire/malformed' });
    await expect(ask(logCalls.vector, { account: 'x' })).rejects.toMatchObject({ code: 'wire/malformed' });
    const key = { account: ACCOUNT, epoch: -1, writer: hex(1) };
    await expect(ask(logCalls.read, { key, from: 1 })).rejects.toMatchObject({ code: 'wire/malformed' });
    await expect(ask(logCalls.push, { writer: hex(1), after: 0, through: 1.5, runs: [] })).rejects.toMatchObject({
      code: 'wire/malformed',
    });
  });

  it('names a segment that is not here', async () => {
    const { host } = await pair();
    const key = { account: ACCOUNT, epoch: 1, writer: hex(1) };
    await expect(call(host, 'there', logCalls.read, { key, from: 1 }, limit())).rejects.toMatchObject({
      code: 'exchange/not-held',
    });
  });
});

function bigDataset(index: number) {
  return datasetCreated(hex(0xc000 + index), index + 1, { name: 'x'.repeat(200), annotation: 'y'.repeat(60_000) });
}

/** A log as an object whose methods can be replaced one by one. */
function bound(log: AccountLog): AccountLog {
  return {
    writer: log.writer,
    view: (account) => log.view(account),
    append: (account, build) => log.append(account, build),
    accounts: () => log.accounts(),
    vector: (account) => log.vector(account),
    read: (...args) => log.read(...args),
    receive: (run) => log.receive(run),
    entry: (key, seq) => log.entry(key, seq),
    journal: (...args) => log.journal(...args),
    writers: () => log.writers(),
    seal: (account) => log.seal(account),
    unseal: (account) => log.unseal(account),
    adopted: (account) => log.adopted(account),
    onApplied: (listener) => log.onApplied(listener),
  };
}
