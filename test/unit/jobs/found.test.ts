import { describe, expect, it } from 'vitest';
import {
  type FoundList,
  foundDrafts,
  foundId,
  innerCollectionId,
  nestedDrafts,
  readFound,
} from '../../../node/jobs/found.js';
import type { FoundFile, RunOutputResult, RunResult, RunSpec } from '../../../node/jobs/run-spec.js';
import { takeOutputs } from '../../../node/jobs/take-outputs.js';
import type { JobOutcome } from '../../../protocol/account/entries.js';
import type { AccountView } from '../../../protocol/account/records.js';

const JOB = '00000000000000c1';
const HISTORY = '00000000000000b1';
const blob = (name: string) => name.padEnd(60, '0');
const content = {
  state: 'ok' as const,
  extension: 'txt',
  files: [{ role: 'primary' as const, path: '', blob: blob('a'), size: 1 }],
  size: 1,
  peek: '',
  blurb: '',
  info: '',
  metadata: {},
};
const outcome = { id: JOB, epoch: 2, attempt: 3, endedAt: 50 } as JobOutcome;
const empty: FoundList = { version: 1, datasets: [], collections: {}, files: {}, said: {} };
const found = (key: string) => ({ key, name: key, extension: 'txt', visible: true, content });

/** As much of an account as is asked for. */
function account(records: Record<string, object> = {}): AccountView {
  const job = { id: JOB, history: HISTORY, outputs: { out: 'd1' }, outputCollections: { c: 'c1' } };
  const all: Record<string, object> = { [JOB]: job, ...records };
  const view = { get: (_type: string, id: string) => all[id], nextHid: () => 7 };
  return view as unknown as AccountView;
}

describe('what was found becomes entries', () => {
  it('of the same ids each time, with the next numbers of the history', () => {
    const list = { ...empty, datasets: [found('out/a'), { ...found('out/b'), visible: false, genomeBuild: 'hg38' }] };
    const drafts = foundDrafts(account(), outcome, list);
    expect(drafts.map(({ type }) => type)).toEqual(['dataset.created', 'dataset.created']);
    expect(drafts[0]?.payload).toMatchObject({
      id: foundId(JOB, 'out/a'),
      hid: 7,
      name: 'out/a',
      job: JOB,
      made: { epoch: 2, attempt: 3 },
    });
    expect(drafts[1]?.payload).toMatchObject({ hid: 8, visible: false, genomeBuild: 'hg38' });
    expect(foundDrafts(account(), outcome, list)).toEqual(drafts);
  });

  it('what the user changed since stays hers when the outcome comes again', () => {
    const id = foundId(JOB, 'out/a');
    const known = { id, hid: 4, name: 'my name', extension: 'bed', createdAt: 9, visible: false };
    const [draft] = foundDrafts(account({ [id]: known }), outcome, { ...empty, datasets: [found('out/a')] });
    expect(draft?.payload).toMatchObject({ hid: 4, name: 'my name', extension: 'bed', createdAt: 9, visible: false });
  });

  it('many files of one dataset go into entries of their own', () => {
    const files = Array.from({ length: 130 }, (_, index) => ({
      role: 'extra' as const,
      path: `f${index}`,
      blob: blob('b'),
      size: 1,
    }));
    const drafts = foundDrafts(account(), outcome, {
      ...empty,
      datasets: [{ ...found('out/a'), content: { ...content, files } }],
      files: { out: files },
    });
    const counted = drafts.map(({ type, payload }) => [
      type,
      payload.id === 'd1',
      ((payload.files ?? (payload.content as { files: [] }).files) as []).length,
    ]);
    expect(counted).toEqual([
      ['dataset.created', false, 50],
      ['dataset.files', false, 80],
      ['dataset.files', true, 130],
    ]);
  });

  it('a nested list becomes collections within each other, and an empty one is said to be empty', () => {
    const collections = {
      c: [
        { identifiers: ['s1', 'forward'], key: 'c/s1/forward' },
        { identifiers: ['s1', 'reverse'], key: 'c/s1/reverse' },
      ],
    };
    const record = { id: 'c1', collectionType: 'list:paired', hid: 5 };
    const drafts = foundDrafts(account({ c1: record }), outcome, { ...empty, collections });
    const inner = innerCollectionId('c1', 's1');
    expect(drafts.map(({ type, payload }) => [type, payload.id])).toEqual([
      ['collection.created', inner],
      ['collection.elements', inner],
      ['collection.elements', 'c1'],
    ]);
    expect(drafts[0]?.payload).toMatchObject({ collectionType: 'paired', parent: 'c1', name: 's1' });
    expect(drafts[2]?.payload.elements).toEqual([{ identifier: 's1', kind: 'collection', id: inner }]);
    const [none] = foundDrafts(account({ c1: record }), outcome, { ...empty, collections: { c: [] } });
    expect(none).toMatchObject({ type: 'collection.elements', payload: { id: 'c1', part: 0, elements: [] } });
  });

  it('a list is told in parts that fit into entries', () => {
    const members = Array.from({ length: 2500 }, (_, index) => ({
      identifiers: [`s${index}`],
      kind: 'dataset' as const,
      id: String(index).padStart(16, '0'),
    }));
    const base = { history: HISTORY, hid: 1, createdAt: 1, collectionType: 'list' };
    const parts = nestedDrafts('c1', members, base);
    expect(parts.map(({ payload }) => payload.part)).toEqual(parts.map((_, index) => index));
    expect(parts.flatMap(({ payload }) => payload.elements as object[])).toHaveLength(2500);
    for (const { payload } of parts) expect(Buffer.byteLength(JSON.stringify(payload))).toBeLessThan(50 * 1024);
  });

  it('a job that is gone, or an outcome without a list, makes nothing', () => {
    expect(foundDrafts(account(), { ...outcome, id: 'x' }, { ...empty, datasets: [found('a')] })).toEqual([]);
    expect(foundDrafts(account(), outcome, undefined)).toEqual([]);
  });
});

describe('a list in the blob store', () => {
  const blobs = (text: string) => ({
    async *read() {
      yield Buffer.from(text);
    },
  });
  const named = { found: { blob: blob('l'), size: 10 } };

  it('is read when it is one', async () => {
    const list = { ...empty, datasets: [found('out/a')] };
    expect(await readFound(blobs(JSON.stringify(list)), named)).toEqual(list);
    expect(await readFound(blobs(''), {})).toBeUndefined();
  });

  it.each(['no JSON', '{}', '{"version": 2}', JSON.stringify({ ...empty, datasets: [{ key: '' }] })])(
    '%s is refused by name',
    async (text) => {
      await expect(readFound(blobs(text), named)).rejects.toMatchObject({ code: 'jobs/bad-outcome' });
    },
  );

  it('that is said to be huge is not read at all', async () => {
    await expect(readFound(blobs('{}'), { found: { blob: blob('l'), size: 2 ** 40 } })).rejects.toMatchObject({
      code: 'jobs/bad-outcome',
    });
  });
});

describe('taking over what a run made', () => {
  const adopted: string[] = [];
  const put: string[] = [];
  const deps = {
    blobs: {
      adopt: async (file: string) => {
        adopted.push(file);
        return { blob: blob(file.replace(/\W/g, '')), size: 3 };
      },
      put: async (source: AsyncIterable<Uint8Array>) => {
        let text = '';
        for await (const chunk of source) text += Buffer.from(chunk).toString();
        put.push(text);
        return { blob: blob('list'), size: text.length };
      },
    },
  };
  const spec = {
    folder: '/run',
    work: { kind: 'command', outputs: [{ name: 'out', file: '/run/outputs/dataset_1.dat', extension: 'txt' }] },
  } as unknown as RunSpec;
  const result = (outputs: Partial<RunOutputResult>[], more: Partial<RunResult> = {}) =>
    ({
      outputs: outputs.map((one) => ({
        name: 'out',
        file: '/run/outputs/dataset_1.dat',
        state: 'ok',
        extension: 'txt',
        peek: '',
        blurb: '',
        metadata: {},
        info: '',
        ...one,
      })),
      ...more,
    }) as RunResult;

  it('takes the files of declared outputs, their index and their extra files', async () => {
    const taken = await takeOutputs(
      deps,
      spec,
      result([
        {
          metadataFiles: [{ name: 'bam_index', file: '/run/outputs/i' }],
          extra: [{ path: 'a.png', file: '/run/outputs/x/a.png' }],
        },
      ]),
    );
    expect(taken.found).toBeUndefined();
    expect(taken.adopted.get('out')?.more?.map(({ role, path }) => [role, path])).toEqual([
      ['metadata', 'bam_index'],
      ['extra', 'a.png'],
    ]);
  });

  it('takes nothing under another name or from another place than was prepared', async () => {
    adopted.length = 0;
    const taken = await takeOutputs(deps, spec, result([{ name: 'other' }, { file: '/etc/passwd' }]));
    expect([taken.adopted.size, adopted]).toEqual([0, []]);
    for (const file of ['/etc/passwd', '/run/outputs/../secret', '/run/outputs-other/x']) {
      await expect(takeOutputs(deps, spec, result([{ extra: [{ path: 'x', file }] }]))).rejects.toThrow(
        'outside the outputs',
      );
    }
  });

  it('tells in a list what was found, what the tool called its outputs, and files beyond some forty', async () => {
    put.length = 0;
    const extra = Array.from({ length: 41 }, (_, index) => ({ path: `f${index}`, file: `/run/outputs/x/${index}` }));
    const file: FoundFile = {
      name: 'part',
      key: 'out/part',
      file: '/run/outputs/found/0',
      visible: true,
      state: 'ok',
      extension: 'bed',
      peek: '',
      blurb: '',
      metadata: {},
      info: '',
    };
    const { found: list, adopted: taken } = await takeOutputs(
      deps,
      spec,
      result([{ extra, label: 'Mine', genomeBuild: 'hg38' }], {
        found: [file],
        elements: { c: [{ identifiers: ['part'], key: 'out/part' }] },
      }),
    );
    expect(list?.blob).toBe(blob('list'));
    expect(taken.get('out')?.more).toEqual([]);
    const told = JSON.parse(put[0] ?? '') as FoundList;
    expect(told.files.out).toHaveLength(41);
    expect(told.said).toEqual({ out: { name: 'Mine', genomeBuild: 'hg38' } });
    expect(told.datasets).toMatchObject([
      { key: 'out/part', name: 'part', extension: 'bed', content: { size: 3, files: [{ role: 'primary' }] } },
    ]);
    expect(told.collections).toEqual({ c: [{ identifiers: ['part'], key: 'out/part' }] });
  });
});
