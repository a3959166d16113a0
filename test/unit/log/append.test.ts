import { afterEach, describe, expect, it } from 'vitest';
import type { Applied } from '../../../protocol/log/account-log.js';
import type { Draft } from '../../../protocol/log/entry.js';
import { LOG_NAMESPACE } from '../../../protocol/log/namespaces.js';
import {
  ACCOUNT,
  collect,
  datasetCreated,
  HISTORY,
  hex,
  historyCreated,
  historyRenamed,
  openTestLog,
  removeTestLogs,
} from './fixture.js';

afterEach(removeTestLogs);

describe('appending to an account log', () => {
  it('shows what was appended, numbers it from 1 and says so after the fsync', async () => {
    const { log } = await openTestLog();
    const told: Applied[] = [];
    log.onApplied((applied) => told.push(applied));
    const { entries, view } = await log.append(ACCOUNT, () => [historyCreated(), datasetCreated(hex(1), 1)]);
    expect(entries.map(({ seq, type, epoch }) => ({ seq, type, epoch }))).toEqual([
      { seq: 1, type: 'history.created', epoch: 1 },
      { seq: 2, type: 'dataset.created', epoch: 1 },
    ]);
    expect(view.get('history', HISTORY)).toMatchObject({ name: 'a history', purged: false });
    expect(view.items(HISTORY).datasets.map(({ hid }) => hid)).toEqual([1]);
    expect(told).toEqual([{ account: ACCOUNT, entries, own: true }]);
    expect(await log.entry(entries[1] as never, 2)).toEqual(entries[1]);
    expect(await log.entry(entries[1] as never, 3)).toBeUndefined();
  });

  it('lets each of many appends on their way see those begun before it', async () => {
    const { log } = await openTestLog();
    await log.append(ACCOUNT, () => [historyCreated()]);
    const appends = Array.from({ length: 1000 }, (_, index) =>
      log.append(ACCOUNT, (view) => [datasetCreated(hex(index + 1), view.nextHid(HISTORY))]),
    );
    const results = await Promise.all(appends);
    expect(results.map(({ entries }) => entries[0]?.payload.hid)).toEqual(appends.map((_, index) => index + 1));
    const times = results.map(({ entries }) => entries[0]?.time as string);
    expect(times).toEqual([...times].sort());
    expect(new Set(times).size).toBe(1000);
    const vector = Object.values(await log.vector(ACCOUNT));
    expect(vector).toMatchObject([{ seq: 1001 }]);
  });

  it('refuses without a lease, and changes nothing', async () => {
    const { log, leases } = await openTestLog();
    leases.epoch = undefined;
    let built = false;
    const append = log.append(ACCOUNT, () => {
      built = true;
      return [historyCreated()];
    });
    await expect(append).rejects.toMatchObject({ code: 'log/not-home' });
    expect(built).toBe(false);
    expect((await log.view(ACCOUNT)).get('history', HISTORY)).toBeUndefined();
  });

  it('refuses an entry of an unknown type, a wrong or an unknown field, too much nesting, too many bytes', async () => {
    const { log } = await openTestLog();
    const nested = JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`) as string[];
    const wrong: { draft: Draft; code: string; reason: RegExp }[] = [
      { draft: { type: 'history.exploded', payload: {} }, code: 'log/invalid-entry', reason: /no such type/ },
      { draft: historyCreated('not an id'), code: 'log/invalid-entry', reason: /^.*id/ },
      {
        draft: { type: 'history.updated', payload: { id: HISTORY, nam: 'x' } },
        code: 'log/invalid-entry',
        reason: /no field "nam"/,
      },
      {
        draft: { type: 'dataset.updated', payload: { id: hex(1), metadata: { nested } } },
        code: 'log/invalid-entry',
        reason: /nested deeper/,
      },
      {
        draft: { type: 'dataset.updated', payload: { id: hex(1), metadata: { text: 'x'.repeat(65_536) } } },
        code: 'log/too-large',
        reason: /65536/,
      },
    ];
    for (const { draft, code, reason } of wrong) {
      const append = log.append(ACCOUNT, () => [historyCreated(), draft]);
      await expect(append).rejects.toMatchObject({ code, message: expect.stringMatching(reason) });
    }
    expect((await log.view(ACCOUNT)).get('history', HISTORY)).toBeUndefined();
    expect(await log.vector(ACCOUNT)).toEqual({});
  });

  it('writes what the caller adds in the same batch, and guards its own namespaces', async () => {
    const { log, store } = await openTestLog();
    const also = [{ ns: 'queue', key: 'job', value: 'waiting' }];
    await log.append(ACCOUNT, () => ({ drafts: [historyCreated()], also }));
    expect(Buffer.from((await store.get('queue', 'job')) ?? []).toString()).toBe('waiting');
    await log.append(ACCOUNT, () => ({ drafts: [], also: [{ ns: 'queue', key: 'job', delete: true }] }));
    expect(await store.get('queue', 'job')).toBeUndefined();
    const trespass = [{ ns: LOG_NAMESPACE.entry, key: 'x', value: '' }];
    await expect(log.append(ACCOUNT, () => ({ drafts: [], also: trespass }))).rejects.toThrow('belongs to');
  });

  it('keeps nothing of what the caller passed, and hands out nothing that can be changed', async () => {
    const { log } = await openTestLog();
    const tags = ['first'];
    await log.append(ACCOUNT, () => [
      { type: 'history.created', payload: { id: HISTORY, name: 'h', createdAt: 1, tags } },
    ]);
    tags.push('second');
    const history = (await log.view(ACCOUNT)).get('history', HISTORY);
    expect(history?.tags).toEqual(['first']);
    expect(() => history?.tags?.push('third')).toThrow(TypeError);
  });

  it('is all there after a restart, with a new writer and its own segment on top of the old one', async () => {
    const first = await openTestLog();
    await first.log.append(ACCOUNT, () => [historyCreated()]);
    const vector = await first.log.vector(ACCOUNT);
    await first.close();
    const second = await openTestLog({ folder: first.folder, clock: first.clock });
    expect((await second.log.view(ACCOUNT)).get('history', HISTORY)?.name).toBe('a history');
    expect(second.log.writer).not.toBe(first.log.writer);
    const { entries } = await second.log.append(ACCOUNT, () => [historyRenamed('renamed')]);
    expect(entries[0]).toMatchObject({ seq: 1, writer: second.log.writer });
    const run = await second.log.read({ account: ACCOUNT, epoch: 1, writer: second.log.writer }, 1, 1000);
    expect(run?.base).toEqual(vector);
    expect((await second.log.view(ACCOUNT)).get('history', HISTORY)?.name).toBe('renamed');
  });

  it('names in a base only what no other segment of it stands on', async () => {
    const clock = (await openTestLog()).clock;
    let folder: string | undefined;
    const writers: string[] = [];
    for (let start = 0; start < 4; start++) {
      const test = await openTestLog({ folder, clock });
      folder = test.folder;
      writers.push(test.log.writer);
      await test.log.append(ACCOUNT, () => [historyCreated(hex(start + 1))]);
      const run = await test.log.read({ account: ACCOUNT, epoch: 1, writer: test.log.writer }, 1, 1000);
      const bases = Object.keys(run?.base ?? {}).map((text) => text.split('/')[2]);
      expect(bases).toEqual(start === 0 ? [] : [writers[start - 1]]);
      await test.close();
    }
  });

  it('gives times that rise over a restart although the clock went back', async () => {
    const first = await openTestLog();
    const a = await first.log.append(ACCOUNT, () => [historyCreated()]);
    const appliedBefore = a.view.changedAt(HISTORY);
    await first.close();
    first.clock.ms -= 3_600_000;
    const second = await openTestLog({ folder: first.folder, clock: first.clock });
    const b = await second.log.append(ACCOUNT, () => [historyRenamed('later')]);
    expect((b.entries[0]?.time as string) > (a.entries[0]?.time as string)).toBe(true);
    expect(b.view.get('history', HISTORY)?.name).toBe('later');
    expect(b.view.changedAt(HISTORY)).toBeGreaterThan(appliedBefore);
  });

  it('keeps a journal of its own entries over all accounts, and those of earlier starts', async () => {
    const other = '00000000000000a2';
    const first = await openTestLog();
    await first.log.append(ACCOUNT, () => [historyCreated(), historyRenamed('x')]);
    await first.log.append(other, () => [historyCreated()]);
    await first.close();
    const second = await openTestLog({ folder: first.folder });
    expect(await second.log.writers()).toEqual([{ writer: first.log.writer, last: 3 }]);
    await second.log.append(ACCOUNT, () => [historyRenamed('y')]);
    expect(await second.log.writers()).toHaveLength(2);
    const key = (account: string) => ({ account, epoch: 1, writer: first.log.writer });
    expect(await second.log.journal(first.log.writer, 2, 10)).toEqual([
      { position: 2, key: key(ACCOUNT), seq: 2 },
      { position: 3, key: key(other), seq: 1 },
    ]);
    expect(await second.log.journal(first.log.writer, 1, 1)).toHaveLength(1);
    expect(await second.log.journal(first.log.writer, 4, 10)).toEqual([]);
    expect(await collect(second.log.accounts())).toEqual([ACCOUNT, other]);
  });

  it('is sealed until a newer lease is current', async () => {
    const { log, leases } = await openTestLog();
    expect(await log.seal('00000000000000a9')).toBeUndefined();
    await log.append(ACCOUNT, () => [historyCreated()]);
    const late = log.append(ACCOUNT, () => [historyRenamed('just before')]);
    const position = await log.seal(ACCOUNT);
    await late;
    expect(position?.seq).toBe(2);
    await expect(log.append(ACCOUNT, () => [historyRenamed('no')])).rejects.toMatchObject({ code: 'log/sealed' });
    expect(await log.seal(ACCOUNT)).toEqual(position);
    leases.epoch = 2;
    const { entries } = await log.append(ACCOUNT, () => [historyRenamed('yes')]);
    expect(entries[0]).toMatchObject({ epoch: 2, seq: 1 });
  });

  it('answers nothing after it was stopped', async () => {
    const { log } = await openTestLog();
    const last = log.append(ACCOUNT, () => [historyCreated()]);
    await log.stop?.();
    await expect(last).resolves.toMatchObject({ entries: [{ seq: 1 }] });
    await expect(log.view(ACCOUNT)).rejects.toMatchObject({ code: 'log/stopped' });
  });

  it('lets a listener fail without failing the append', async () => {
    const { log } = await openTestLog();
    log.onApplied(() => {
      throw new Error('of the listener');
    });
    await expect(log.append(ACCOUNT, () => [historyCreated()])).resolves.toBeDefined();
  });

  it('bumps every history when the account is adopted, and remembers it', async () => {
    const first = await openTestLog();
    await first.log.append(ACCOUNT, () => [historyCreated(), historyCreated(hex(2), 'other')]);
    const view = await first.log.view(ACCOUNT);
    first.clock.ms += 5000;
    await first.log.adopted(ACCOUNT);
    const after = view.changedAt(HISTORY);
    expect(after).toBeGreaterThanOrEqual(first.clock.ms);
    expect(view.get('history', hex(2))?.applied).toBe(after);
    await first.close();
    const second = await openTestLog({ folder: first.folder, clock: first.clock });
    expect((await second.log.view(ACCOUNT)).changedAt(HISTORY)).toBe(after);
  });
});

describe('views in memory', () => {
  it('are evicted beyond the bound and read again, also by somebody who held on to one', async () => {
    const { log } = await openTestLog({ viewRecordsMax: 10 });
    const accounts = Array.from({ length: 20 }, (_, index) => hex(0xa00 + index));
    const held = await log.view(accounts[0] as string);
    for (const account of accounts) {
      await log.append(account, () => [historyCreated(), datasetCreated(hex(1), 1), datasetCreated(hex(2), 2)]);
    }
    for (const account of accounts) {
      const view = await log.view(account);
      expect(view.items(HISTORY).datasets).toHaveLength(2);
    }
    await log.append(accounts[0] as string, () => [datasetCreated(hex(3), 3)]);
    expect(held.nextHid(HISTORY)).toBe(4);
  });

  it('stay right over ten thousand appends to more accounts than fit', async () => {
    const { log } = await openTestLog({ viewRecordsMax: 2000 });
    const accounts = Array.from({ length: 10 }, (_, index) => hex(0xa00 + index));
    for (const account of accounts) {
      const appends = Array.from({ length: 1000 }, (_, index) =>
        log.append(account, () => [
          index % 2 === 0 ? datasetCreated(hex(index + 1), index + 1) : historyCreated(hex(0xf000 + index)),
        ]),
      );
      await Promise.all(appends);
    }
    for (const account of accounts) {
      const view = await log.view(account);
      expect(view.items(HISTORY).datasets).toHaveLength(500);
      expect(Object.values(await log.vector(account))).toMatchObject([{ seq: 1000 }]);
    }
  });
});
