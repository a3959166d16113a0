import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Entry } from '../../../protocol/log/entry.js';
import { fold } from '../../../protocol/log/fold.js';
import { entryKey, LOG_NAMESPACE, parseSegmentKey } from '../../../protocol/log/namespaces.js';
import type { StoredRecord } from '../../../protocol/log/patch.js';
import { decodeEntry } from '../../../protocol/log/segment.js';
import { canonicalView } from '../../../protocol/log/view.js';
import { openStore, type Store } from '../../../protocol/runtime/store.js';
import {
  ACCOUNT,
  collect,
  datasetCreated,
  FaultyStore,
  HISTORY,
  hex,
  historyCreated,
  historyRenamed,
  openTestLog,
  removeTestLogs,
} from './fixture.js';

afterEach(removeTestLogs);

async function openFaulty(folder?: string) {
  let faulty: FaultyStore | undefined;
  const test = await openTestLog({
    folder,
    wrap: (store) => {
      faulty = new FaultyStore(store);
      return faulty;
    },
  });
  return { ...test, faulty: faulty as FaultyStore };
}

/** Reads the entries and the records as they lie on disk. */
async function onDisk(store: Store): Promise<{ entries: Entry[]; records: Map<string, StoredRecord> }> {
  const entries: Entry[] = [];
  for (const [key, row] of await collect(store.iterate(LOG_NAMESPACE.entry))) {
    const segment = parseSegmentKey(key.slice(0, key.lastIndexOf('/')));
    if (segment) entries.push(decodeEntry(segment, row.subarray(32)));
  }
  const records = new Map<string, StoredRecord>();
  for (const [, row] of await collect(store.iterate(LOG_NAMESPACE.record))) {
    const record = JSON.parse(Buffer.from(row).toString()) as StoredRecord;
    records.set(`${record.kind}/${record.id}`, { ...record, applied: 0 });
  }
  return { entries, records };
}

const stripped = (records: Map<string, StoredRecord>) =>
  new Map([...records].map(([name, record]) => [name, { ...record, applied: 0 }]));

describe('an account log whose store fails', () => {
  it('forgets what was not saved, tells every caller on the way, and goes on in a new segment', async () => {
    const { log, faulty } = await openFaulty();
    await log.append(ACCOUNT, () => [historyCreated()]);
    const writer = log.writer;
    const seen: string[] = [];
    faulty.fail(1);
    const lost = Array.from({ length: 5 }, (_, index) => log.append(ACCOUNT, () => [historyRenamed(`lost ${index}`)]));
    const outcomes = await Promise.allSettled(lost);
    expect(outcomes.map(({ status }) => status)).toEqual(lost.map(() => 'rejected'));
    log.onApplied(({ entries }) => seen.push(...entries.map(({ type }) => type)));
    const view = await log.view(ACCOUNT);
    expect(view.get('history', HISTORY)?.name).toBe('a history');
    await log.append(ACCOUNT, () => [historyRenamed('saved')]);
    expect(log.writer).not.toBe(writer);
    expect(seen).toEqual(['history.updated']);
    expect(await log.journal(log.writer, 1, 10)).toHaveLength(1);
    expect((await log.view(ACCOUNT)).get('history', HISTORY)?.name).toBe('saved');
  });

  it('never continues a segment whose end is in doubt', async () => {
    const { log, faulty } = await openFaulty();
    await log.append(ACCOUNT, () => [historyCreated()]);
    const key = { account: ACCOUNT, epoch: 1, writer: log.writer };
    faulty.fail(1, 'kept');
    await expect(log.append(ACCOUNT, () => [historyRenamed('reported lost')])).rejects.toThrow('the disk is gone');
    const { entries } = await log.append(ACCOUNT, (view) => {
      expect(view.get('history', HISTORY)?.name).toBe('reported lost');
      return [historyRenamed('after it')];
    });
    expect(entries[0]).toMatchObject({ seq: 1, writer: log.writer });
    expect(log.writer).not.toBe(key.writer);
    expect((await log.read(key, 1, 10_000))?.entries).toHaveLength(2);
    expect((await log.view(ACCOUNT)).get('history', HISTORY)?.name).toBe('after it');
  });

  it('says so for as long as the store fails, and needs nobody when it works again', async () => {
    const { log, faulty } = await openFaulty();
    await log.append(ACCOUNT, () => [historyCreated()]);
    faulty.fail(1);
    await expect(log.append(ACCOUNT, () => [historyRenamed('x')])).rejects.toThrow('the disk is gone');
    faulty.fail(1);
    await expect(log.view(ACCOUNT)).rejects.toThrow('the disk is gone');
    expect((await log.view(ACCOUNT)).get('history', HISTORY)?.name).toBe('a history');
  });

  it('confirms a received run only when it is on disk', async () => {
    const source = await openTestLog({ node: 'node-b' });
    await source.log.append(ACCOUNT, () => [historyCreated()]);
    const run = await source.log.read({ account: ACCOUNT, epoch: 1, writer: source.log.writer }, 1, 10_000);
    if (!run) throw new Error('nothing to read');
    const { log, faulty } = await openFaulty();
    faulty.fail(1);
    const both = await Promise.allSettled([log.receive(run), log.receive(run)]);
    expect(both[0]).toMatchObject({ status: 'rejected' });
    expect(both[1]).toMatchObject({ status: 'fulfilled', value: { seq: 1 } });
    expect(Object.values(await log.vector(ACCOUNT))).toMatchObject([{ seq: 1 }]);
  });

  it('has after a crash at any write everything acknowledged, and views that are the fold of the entries', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom('lost' as const, 'kept' as const)), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 3, maxLength: 6 }),
        async (faults, waves) => {
          const { log, faulty, folder, close } = await openFaulty();
          const acknowledged: string[] = [];
          let id = 0;
          for (const [index, size] of waves.entries()) {
            const fault = faults[index];
            if (fault) faulty.fail(...fault);
            const appends = Array.from({ length: size }, async () => {
              const drafts = [datasetCreated(hex(++id), id), datasetCreated(hex(++id), id)];
              try {
                await log.append(ACCOUNT, () => drafts);
                acknowledged.push(...drafts.map(({ payload }) => payload.id as string));
              } catch (error) {
                if ((error as Error).message !== 'the disk is gone') throw error;
              }
            });
            await Promise.all(appends);
          }
          await close();
          const store = await openStore(folder);
          const { entries, records } = await onDisk(store);
          await store.close();
          expect(stripped(fold(entries))).toEqual(records);
          // Two entries of one append are there together or not at all.
          const ids = new Set(entries.map(({ payload }) => payload.id as string));
          for (const known of ids) expect(ids).toContain(hex(((Number.parseInt(known, 16) - 1) ^ 1) + 1));
          for (const known of acknowledged) expect(ids).toContain(known);
          const again = await openTestLog({ folder });
          const view = await again.log.view(ACCOUNT);
          expect(new Set([...view.list('dataset')].map((dataset) => dataset.id))).toEqual(ids);
          for (const { writer, last } of await again.log.writers()) {
            expect(await again.log.journal(writer, 1, 1000)).toHaveLength(last);
          }
          await again.close();
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('a damaged store', () => {
  async function damaged(harm: (store: Store, segment: string) => Promise<void>): Promise<Promise<unknown>> {
    const first = await openTestLog();
    await first.log.append(ACCOUNT, () => [historyCreated(), historyRenamed('b'), historyRenamed('c')]);
    const [segment] = Object.keys(await first.log.vector(ACCOUNT));
    await first.close();
    const store = await openStore(first.folder);
    await harm(store, segment as string);
    const before = await everything(store);
    await store.close();
    const second = await openTestLog({ folder: first.folder });
    const refused = await second.log.append(ACCOUNT, () => [historyRenamed('d')]).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'log/corrupt', data: { folder: first.folder } });
    expect(await everything(second.store)).toEqual(before);
    return refused as Promise<unknown>;
  }

  async function everything(store: Store): Promise<[string, string][]> {
    const rows: [string, string][] = [];
    for (const ns of Object.values(LOG_NAMESPACE)) {
      for (const [key, value] of await collect(store.iterate(ns))) rows.push([ns + key, Buffer.from(value).toString()]);
    }
    return rows;
  }

  const put = (ns: string, key: string, value: Uint8Array | string) => ({ ns, key, value });
  const gone = (ns: string, key: string) => ({ ns, key, delete: true as const });

  it('with a missing entry is refused by name and not written over', async () => {
    const refused = await damaged((store, segment) => store.commit([gone(LOG_NAMESPACE.entry, entryKey(segment, 2))]));
    expect(refused).toMatchObject({
      data: { key: expect.stringMatching(/log\.entry .*0000002$/), reason: 'it is missing' },
    });
  });

  it('with a missing last entry is refused', async () => {
    const refused = await damaged((store, segment) => store.commit([gone(LOG_NAMESPACE.entry, entryKey(segment, 3))]));
    expect(refused).toMatchObject({ data: { key: expect.stringMatching(/0000003$/), reason: 'it is missing' } });
  });

  it('with a changed entry is refused', async () => {
    const refused = await damaged(async (store, segment) => {
      const row = Buffer.from((await store.get(LOG_NAMESPACE.entry, entryKey(segment, 2))) ?? []);
      row.writeUInt8(row.readUInt8(row.length - 4) ^ 1, row.length - 4);
      await store.commit([put(LOG_NAMESPACE.entry, entryKey(segment, 2), row)]);
    });
    expect(refused).toMatchObject({ data: { reason: 'its hash does not fit' } });
  });

  it('with a record that cannot be read is refused', async () => {
    const refused = await damaged((store) =>
      store.commit([put(LOG_NAMESPACE.record, `${ACCOUNT}/history/${HISTORY}`, '{"kind":"hist')]),
    );
    expect(refused).toMatchObject({ data: { key: `log.record ${ACCOUNT}/history/${HISTORY}` } });
  });

  it('with a lost header, position or whole segment is refused', async () => {
    for (const ns of [LOG_NAMESPACE.segment, LOG_NAMESPACE.position]) {
      const refused = await damaged((store, segment) => store.commit([gone(ns, segment)]));
      expect(refused).toMatchObject({ data: { key: expect.stringContaining(ns), reason: 'it is missing' } });
    }
    const refused = await damaged((store, segment) =>
      store.commit([gone(LOG_NAMESPACE.segment, segment), gone(LOG_NAMESPACE.position, segment)]),
    );
    expect(refused).toMatchObject({ code: 'log/corrupt' });
  });
});

describe('records folded by another version of the reducers', () => {
  it('are folded anew from the entries', async () => {
    const first = await openTestLog();
    await first.log.append(ACCOUNT, () => [historyCreated(), datasetCreated(hex(1), 1), historyRenamed('now')]);
    const before = await first.log.view(ACCOUNT);
    const digest = canonicalView(before);
    const applied = before.get('history', HISTORY)?.applied;
    await first.close();
    const store = await openStore(first.folder);
    const account = JSON.parse(
      Buffer.from((await store.get(LOG_NAMESPACE.account, ACCOUNT)) ?? []).toString(),
    ) as object;
    const dataset = `${ACCOUNT}/dataset/${hex(1)}`;
    const record = Buffer.from((await store.get(LOG_NAMESPACE.record, dataset)) ?? []).toString();
    await store.commit([
      { ns: LOG_NAMESPACE.account, key: ACCOUNT, value: JSON.stringify({ ...account, reducer: 0 }) },
      { ns: LOG_NAMESPACE.record, key: dataset, value: record.replace('"txt"', '"old"') },
      {
        ns: LOG_NAMESPACE.record,
        key: `${ACCOUNT}/dataset/${hex(9)}`,
        value: JSON.stringify({ kind: 'dataset', id: hex(9), last: {}, keys: {}, once: {}, best: {}, applied: 5 }),
      },
    ]);
    await store.close();
    const second = await openTestLog({ folder: first.folder });
    const view = await second.log.view(ACCOUNT);
    expect(canonicalView(view)).toBe(digest);
    // What did not change keeps its time; what did, has a new one.
    expect(view.get('history', HISTORY)?.applied).toBeGreaterThan(applied as number);
    const { entries, records } = await onDisk(second.store);
    expect(stripped(fold(entries))).toEqual(records);
    await second.close();
    const third = await openTestLog({ folder: first.folder });
    expect(canonicalView(await third.log.view(ACCOUNT))).toBe(digest);
  });
});
