import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toolContext } from '../../../node/datasets/tool-context.js';
import { createDataTables } from '../../../node/toolbox/data-tables/data-tables.js';
import type { AccountView, CollectionRecord, DatasetRecord } from '../../../protocol/account/records.js';
import { blobErrors } from '../../../protocol/blobs/errors.js';

const HISTORY = '00000000000000b1';
const ANA = '00000000000000a1';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tool-context-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Its content is the blob of that name, when there is one. */
function dataset(id: string, hid: number, blob?: string, more: Partial<DatasetRecord> = {}): DatasetRecord {
  return {
    id,
    history: HISTORY,
    hid,
    uuid: 'u',
    createdAt: 1,
    name: id,
    extension: 'txt',
    purged: false,
    metadata: {},
    applied: 1,
    ...(blob === undefined
      ? {}
      : {
          content: {
            state: 'ok' as const,
            extension: 'txt',
            files: [{ role: 'primary' as const, path: '', blob, size: 1 }],
            size: 1,
            peek: '',
            blurb: '',
            info: '',
            metadata: {},
          },
        }),
    ...more,
  };
}

function collection(
  id: string,
  hid: number,
  collectionType: string,
  elements: [string, 'dataset' | 'collection', string][],
  more: Partial<CollectionRecord> = {},
): CollectionRecord {
  return {
    id,
    history: HISTORY,
    hid,
    name: id,
    collectionType,
    elements: elements.map(([identifier, kind, inner]) => ({ identifier, kind, id: inner })),
    createdAt: 1,
    applied: 1,
    ...more,
  };
}

function contextOf(datasets: DatasetRecord[], collections: CollectionRecord[] = []) {
  const account = { id: ANA, email: 'ana@example.org', username: 'ana' };
  const all: { [kind: string]: { id: string }[] } = { dataset: datasets, collection: collections, account: [account] };
  const view = {
    account: ANA,
    get: (kind: string, id: string) => all[kind]?.find((one) => one.id === id),
    list: (kind: string) => all[kind] ?? [],
    items: () => ({ datasets, collections: collections.filter(({ parent }) => parent === undefined) }),
  } as unknown as AccountView;
  const blobs = {
    path(blob: string) {
      if (blob === 'elsewhere') throw blobErrors('not-found', { blob });
      return join(folder, blob);
    },
  };
  return toolContext(view, HISTORY, { blobs, tables: createDataTables({ folder: join(folder, 'tool-data') }) });
}

const nested = () => [
  collection('outer', 5, 'list:paired', [['s1', 'collection', 'inner']], { tags: ['name:x'] }),
  collection(
    'inner',
    5,
    'paired',
    [
      ['forward', 'dataset', 'd1'],
      ['reverse', 'dataset', 'd2'],
    ],
    { parent: 'outer' },
  ),
];

describe('what a tool may ask', () => {
  it('is who runs it, and which tables this node has', () => {
    const context = contextOf([]);
    expect(context.user).toEqual({ id: ANA, email: 'ana@example.org', name: 'ana' });
    expect(context.tables?.table('all_fasta')?.rows).toEqual([]);
    expect(context.tables?.table('nothing')).toBeUndefined();
  });

  it('is a nested collection, flat and as it is nested, with its tags', () => {
    const context = contextOf([dataset('d1', 1), dataset('d2', 2)], nested());
    const outer = context.collection('outer');
    expect(outer).toMatchObject({ collectionType: 'list:paired', hid: 5, tags: ['name:x'] });
    expect(outer?.elements.map(({ identifier, dataset: one }) => [identifier, one.record.id])).toEqual([
      ['forward', 'd1'],
      ['reverse', 'd2'],
    ]);
    expect(outer?.tree).toMatchObject([
      { identifier: 's1', id: 'inner', collectionType: 'paired', elements: [{ identifier: 'forward' }, {}] },
    ]);
    expect(context.collection('inner')?.tree).toBeUndefined();
  });

  it('is a place in a collection by its id, a dataset or an inner collection', () => {
    const context = contextOf([dataset('d1', 1), dataset('d2', 2)], nested());
    const [first] = context.collection('outer')?.tree ?? [];
    const [leaf] = first && 'elements' in first ? first.elements : [];
    expect(context.element?.(leaf?.id ?? '')).toMatchObject({ identifier: 'forward', dataset: { hid: 1 } });
    expect(context.element?.('0000000000000000')).toBeUndefined();
  });

  it('are the collections of the history that can be chosen: not inner, hidden, deleted or still unknown ones', () => {
    const context = contextOf(
      [dataset('d1', 1), dataset('d2', 2)],
      [
        ...nested(),
        collection('hidden', 6, 'list', [['a', 'dataset', 'd1']], { visible: false }),
        collection('deleted', 7, 'list', [['a', 'dataset', 'd1']], { deleted: true }),
        collection('unknown', 8, 'list', [], { discovered: true, job: 'not here yet' }),
        collection('newest', 9, 'list', [['a', 'dataset', 'd1']]),
      ],
    );
    expect(context.collections?.().map(({ id }) => id)).toEqual(['newest', 'outer']);
  });

  it('a collection that holds itself ends', () => {
    const context = contextOf([], [collection('self', 1, 'list:list', [['me', 'collection', 'self']])]);
    expect(context.collection('self')?.elements).toEqual([]);
  });
});

describe('lines of a dataset', () => {
  it('are those of its text, without what ends them', () => {
    writeFileSync(join(folder, 'text'), 'a\tb\r\nc\td\n\nlast');
    expect(contextOf([dataset('d1', 1, 'text')]).lines?.('d1')).toEqual(['a\tb', 'c\td', '', 'last']);
  });

  it('of a long one are the first, and none is cut', () => {
    const line = 'x'.repeat(999);
    writeFileSync(join(folder, 'long'), `${line}\n`.repeat(3000));
    const lines = contextOf([dataset('d1', 1, 'long')]).lines?.('d1') ?? [];
    expect(lines.length).toBe(Math.floor((1024 * 1024) / 1000));
    expect(new Set(lines)).toEqual(new Set([line]));
  });

  it.each([
    ['bytes that are no text', 'binary'],
    ['bytes that are elsewhere', 'elsewhere'],
    ['no bytes yet', undefined],
  ])('are not known of %s', (_, blob) => {
    writeFileSync(join(folder, 'binary'), Buffer.from([1, 0, 2]));
    expect(contextOf([dataset('d1', 1, blob)]).lines?.('d1')).toBeUndefined();
  });

  it('of a purged one are not told', () => {
    writeFileSync(join(folder, 'text'), 'secret\n');
    expect(contextOf([dataset('d1', 1, 'text', { purged: true })]).lines?.('d1')).toBeUndefined();
  });
});
