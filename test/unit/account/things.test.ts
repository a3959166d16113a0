import { describe, expect, it } from 'vitest';
import { countThings, describeThings, type ThingCounts, thingsOf } from '../../../protocol/account/things.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import { derivedId } from '../../../protocol/wire/ids.js';

const ACCOUNT = '00000000000000a1';
const JOB = '00000000000000c1';
const SET = '00000000000000d1';

const count = (...entries: [type: string, payload: JsonObject][]) =>
  countThings(entries.flatMap(([type, payload]) => thingsOf({ account: ACCOUNT, type, payload })));
const only = (counts: Partial<ThingCounts>) => ({
  dataset: 0,
  collection: 0,
  history: 0,
  job: 0,
  settings: 0,
  ...counts,
});

describe('what a person counts', () => {
  it('in an upload is one dataset, wherever it is cut', () => {
    const id = derivedId(JOB, 'output0');
    const upload: [string, JsonObject][] = [
      ['job.submitted', { id: JOB, outputs: { output0: id } }],
      ['dataset.created', { id }],
      ['job.started', { id: JOB, attempt: 1 }],
      ['job.outcome', { id: JOB, outputs: { output0: {} } }],
    ];
    expect(count(...upload)).toEqual(only({ dataset: 1 }));
    expect(count(...upload.slice(1))).toEqual(only({ dataset: 1 }));
    expect(count(...upload.slice(3))).toEqual(only({ dataset: 1 }));
  });

  it.each<[string, [string, JsonObject][], Partial<ThingCounts>]>([
    ['a dataset that was changed twice', [1, 2].map(() => ['dataset.updated', { id: SET }]), { dataset: 1 }],
    [
      'a history and its new name',
      [
        ['history.created', { id: SET }],
        ['history.updated', { id: SET }],
      ],
      { history: 1 },
    ],
    ['a collection', [['collection.created', { id: SET }]], { collection: 1 }],
    [
      'a job without outputs',
      [
        ['job.submitted', { id: JOB, outputs: {} }],
        ['job.outcome', { id: JOB, outputs: {} }],
      ],
      { job: 1 },
    ],
    ['a cancelled job', [['job.cancelled', { id: JOB }]], { job: 1 }],
    [
      'several settings',
      [
        ['key.created', { id: SET }],
        ['account.updated', { id: ACCOUNT, preferences: {} }],
      ],
      { settings: 1 },
    ],
    ['another open history', [['account.updated', { id: ACCOUNT, currentHistory: SET }]], {}],
    [
      'a start, another number, the end of a session',
      [
        ['job.started', { id: JOB }],
        ['item.hid', { id: SET }],
        ['session.revoked', { id: SET }],
      ],
      {},
    ],
    ['an entry of a later version', [['thing.invented', { id: SET }]], {}],
  ])('in %s', (_case, entries, counts) => {
    expect(count(...entries)).toEqual(only(counts));
  });

  it('is said in a few words', () => {
    expect(describeThings(only({}))).toBe('');
    expect(describeThings(only({ dataset: 1 }))).toBe('1 dataset');
    expect(describeThings(only({ dataset: 2, history: 1 }))).toBe('2 datasets and 1 history');
    expect(describeThings(only({ dataset: 2, collection: 3, history: 4, job: 5, settings: 1 }))).toBe(
      '2 datasets, 3 collections, 4 histories, 5 jobs and 1 change of your settings',
    );
  });
});
