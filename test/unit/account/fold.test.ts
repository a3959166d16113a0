import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EntryType, entrySchemas, patchesOf } from '../../../protocol/account/entries.js';
import { contentOf } from '../../../protocol/account/records.js';
import type { Entry, JsonObject } from '../../../protocol/log/entry.js';
import { fold } from '../../../protocol/log/fold.js';
import { hybridTime } from '../../../protocol/log/hybrid-clock.js';
import type { StoredRecord } from '../../../protocol/log/patch.js';
import { canonicalView, FoldedView } from '../../../protocol/log/view.js';
import { ACCOUNT, payloads, segments } from './arbitraries.js';

const runs = { numRuns: 300 };

/** Everything folding gives: the records with their stamps, and the view of them. */
function result(records: Map<string, StoredRecord>): unknown {
  const sorted = [...records].sort(([a], [b]) => (a < b ? -1 : 1));
  return { records: sorted, view: canonicalView(new FoldedView(ACCOUNT, records.values())) };
}

const shuffled = <T>(list: readonly T[]) =>
  list.length === 0 ? fc.constant<T[]>([]) : fc.shuffledSubarray([...list], { minLength: list.length });

/** The same entries in another order, some of them more than once. */
function disordered(entries: Entry[]): fc.Arbitrary<Entry[]> {
  return fc.tuple(shuffled(entries), fc.subarray(entries)).chain(([all, again]) => shuffled([...all, ...again]));
}

describe('folding entries', () => {
  it.each(Object.keys(payloads) as EntryType[])('has a generator for %s that makes what its schema takes', (type) => {
    fc.assert(
      fc.property(payloads[type] as fc.Arbitrary<object>, (payload) => {
        expect(entrySchemas[type].safeParse(JSON.parse(JSON.stringify(payload))).error).toBeUndefined();
        expect(patchesOf(type, payload as JsonObject)).not.toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  it('gives the same for any permutation and duplication of the entries', () => {
    fc.assert(
      fc.property(
        segments.chain((lists) => {
          const entries = lists.flat();
          return fc.tuple(fc.constant(entries), disordered(entries));
        }),
        ([entries, other]) => {
          expect(result(fold(other))).toEqual(result(fold(entries)));
        },
      ),
      runs,
    );
  });

  it('gives the same when a part was folded before, in any interleaving of the segments', () => {
    fc.assert(
      fc.property(
        segments.chain((lists) => fc.tuple(fc.constant(lists), fc.array(fc.nat(2), { maxLength: 40 }), fc.nat(36))),
        ([lists, choices, cut]) => {
          const queues = lists.map((list) => [...list]);
          const interleaved: Entry[] = [];
          for (const choice of choices) {
            const next = queues[choice % queues.length]?.shift();
            if (next) interleaved.push(next);
          }
          interleaved.push(...queues.flat());
          const prefix = fold(interleaved.slice(0, cut));
          // A journey through the disk in between.
          const stored = new Map(JSON.parse(JSON.stringify([...prefix])) as [string, StoredRecord][]);
          expect(result(fold(interleaved.slice(cut), stored))).toEqual(result(fold(lists.flat())));
        },
      ),
      runs,
    );
  });

  it('gives in a view that takes entry by entry what folding all at once gives', () => {
    fc.assert(
      fc.property(segments, (lists) => {
        const entries = lists.flat();
        const view = new FoldedView(ACCOUNT);
        let applied = 0;
        for (const entry of entries) {
          applied++;
          for (const patch of patchesOf(entry.type, entry.payload)) {
            view.apply(patch, entry.time + entry.writer, applied);
          }
        }
        const whole = new FoldedView(ACCOUNT, fold(entries).values());
        expect(canonicalView(view)).toBe(canonicalView(whole));
        const reloaded = new FoldedView(ACCOUNT, JSON.parse(JSON.stringify([...view.stored()])) as StoredRecord[]);
        expect(reloaded.size).toBe(view.size);
        const left = new Set<unknown>();
        for (const { type, payload } of entries) {
          if (type !== 'dataset.created' && type !== 'collection.created') continue;
          const item = view.get(type === 'dataset.created' ? 'dataset' : 'collection', String(payload.id));
          if (item?.history !== payload.history) left.add(payload.history);
        }
        for (const history of view.list('history')) {
          const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
          for (const kind of ['datasets', 'collections'] as const) {
            const items = [...view.items(history.id)[kind]].sort(byId);
            const expected = [...view.list(kind === 'datasets' ? 'dataset' : 'collection')].filter(
              (item) => item.history === history.id && !('parent' in item && item.parent !== undefined),
            );
            expect(items).toEqual(expected);
            // Apply times derived on loading are those that were derived on the way.
            expect([...reloaded.items(history.id)[kind]].sort(byId)).toEqual(items);
            for (const item of items) {
              expect(view.nextHid(history.id)).toBeGreaterThan(Math.max(item.hid, item.settledHid ?? 0));
              expect(view.changedAt(history.id)).toBeGreaterThanOrEqual(item.applied);
            }
          }
          // An item may be created twice with two histories (no node does that). The one it left has seen a change that
          // nothing in it tells of after loading.
          if (left.has(history.id))
            expect(reloaded.changedAt(history.id)).toBeLessThanOrEqual(view.changedAt(history.id));
          else expect(reloaded.changedAt(history.id)).toBe(view.changedAt(history.id));
        }
      }),
      runs,
    );
  });
});

describe('single rules', () => {
  let time = 0;
  const entry = (type: EntryType, payload: JsonObject, at = ++time, writer = '1'.repeat(16)): Entry => ({
    account: ACCOUNT,
    epoch: 1,
    writer,
    seq: 1,
    time: hybridTime(at, 0),
    type,
    version: 1,
    payload,
  });
  const viewOf = (...entries: Entry[]) => new FoldedView(ACCOUNT, fold(entries).values());
  const id = (n: number) => n.toString(16).padStart(16, '0');
  const history = entry('history.created', { id: id(1), name: 'first', createdAt: 1 }, 1);
  const submitted = entry(
    'job.submitted',
    {
      id: id(9),
      tool: 't',
      toolVersion: '1',
      history: id(1),
      params: {},
      inputs: {},
      outputs: { out: id(2) },
      createdAt: 1,
    },
    1,
  );
  const output = entry(
    'dataset.created',
    {
      id: id(2),
      history: id(1),
      hid: 1,
      uuid: 'u',
      createdAt: 1,
      name: 'd',
      extension: 'txt',
      job: id(9),
      output: 'out',
    },
    1,
  );
  const outcome = (epoch: number, attempt: number, size: number, at: number, writer?: string) =>
    entry(
      'job.outcome',
      {
        id: id(9),
        epoch,
        attempt,
        state: 'ok',
        executor: 'e',
        exitCode: 0,
        commandLine: '',
        stdout: '',
        stderr: '',
        startedAt: 1,
        endedAt: 2,
        outputs: {
          out: { state: 'ok', extension: 'txt', files: [], size, peek: '', blurb: '', info: '', metadata: {} },
        },
      },
      at,
      writer,
    );

  it('shows a record only when its creation has arrived, with all that came before it', () => {
    const renamed = entry('history.updated', { id: id(1), name: 'second' }, 5);
    expect(viewOf(renamed).get('history', id(1))).toBeUndefined();
    expect([...viewOf(renamed).list('history')]).toEqual([]);
    expect(viewOf(renamed, history).get('history', id(1))?.name).toBe('second');
  });

  it('lets the later write of a field win, and at the same time the higher writer', () => {
    const early = entry('history.updated', { id: id(1), name: 'early' }, 5, '2'.repeat(16));
    const late = entry('history.updated', { id: id(1), name: 'late' }, 6, '1'.repeat(16));
    const higher = entry('history.updated', { id: id(1), name: 'higher' }, 6, '3'.repeat(16));
    expect(viewOf(history, late, early).get('history', id(1))?.name).toBe('late');
    expect(viewOf(history, higher, late).get('history', id(1))?.name).toBe('higher');
  });

  it('settles fields one by one', () => {
    const a = entry('history.updated', { id: id(1), name: 'renamed' }, 5);
    const b = entry('history.updated', { id: id(1), tags: ['x'] }, 6);
    expect(viewOf(b, history, a).get('history', id(1))).toMatchObject({ name: 'renamed', tags: ['x'] });
  });

  it('merges preferences key by key, and null removes one', () => {
    const created = entry(
      'account.created',
      { id: ACCOUNT, email: '', username: '', passwordHash: '', createdAt: 1 },
      1,
    );
    const set = (preferences: JsonObject, at: number) => entry('account.updated', { id: ACCOUNT, preferences }, at);
    const preferences = (...entries: Entry[]) => viewOf(created, ...entries).get('account', ACCOUNT)?.preferences;
    expect(preferences()).toEqual({});
    expect(preferences(set({ a: 1, b: 1 }, 2), set({ a: null, c: 3 }, 3))).toEqual({ b: 1, c: 3 });
    expect(preferences(set({ a: null }, 3), set({ a: 1 }, 2))).toEqual({});
    expect(preferences(set({ a: null }, 3), set({ a: 1 }, 4))).toEqual({ a: 1 });
  });

  it('keeps purged for ever, and nothing said means not purged', () => {
    const purged = entry('history.purged', { id: id(1) }, 2);
    expect(viewOf(history).get('history', id(1))?.purged).toBe(false);
    expect(viewOf(purged, history).get('history', id(1))?.purged).toBe(true);
  });

  it('takes the outcome of the highest epoch, then attempt, then the one that was shown first', () => {
    const sizes = (...outcomes: Entry[]) => {
      const view = viewOf(history, submitted, output, ...outcomes);
      const dataset = view.get('dataset', id(2));
      return dataset && contentOf(view, dataset)?.size;
    };
    expect(sizes()).toBeUndefined();
    expect(sizes(outcome(1, 9, 10, 5), outcome(2, 1, 20, 4))).toBe(20);
    expect(sizes(outcome(1, 2, 10, 5), outcome(1, 1, 20, 6))).toBe(10);
    expect(sizes(outcome(1, 1, 10, 6), outcome(1, 1, 20, 5))).toBe(20);
    expect(sizes(outcome(1, 1, 10, 5, '2'.repeat(16)), outcome(1, 1, 20, 5, '1'.repeat(16)))).toBe(20);
  });

  it('does not let a late creation undo the hid that the home settled', () => {
    const settled = entry('item.hid', { kind: 'dataset', id: id(2), hid: 7 }, 0);
    const view = viewOf(history, settled, output);
    expect(view.get('dataset', id(2))).toMatchObject({ hid: 1, settledHid: 7 });
    expect(view.nextHid(id(1))).toBe(8);
  });

  it('remembers every attempt of a job', () => {
    const started = (attempt: number) =>
      entry('job.started', { id: id(9), attempt, executor: `e${attempt}`, startedAt: attempt });
    expect(viewOf(started(2), submitted, started(1)).get('job', id(9))).toMatchObject({
      attempts: { 1: { executor: 'e1', startedAt: 1 }, 2: { executor: 'e2', startedAt: 2 } },
      cancelled: false,
    });
  });
});
