import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readProvided } from '../../../node/jobs/provided-metadata.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'galaxy-provided-'));
  mkdirSync(join(folder, 'working'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const outputOf = (named: string) => (named === '17' ? 'out' : undefined);
const read = (text: string) => {
  writeFileSync(join(folder, 'working', 'galaxy.json'), text);
  return readProvided(folder, 'galaxy.json', outputOf);
};

describe('what a tool says of its outputs', () => {
  it('is one object by output name', async () => {
    const said = { out: { name: 'Mine', ext: 'bed', dbkey: 'hg38', info: 'good', metadata: { columns: 3 } } };
    expect((await read(JSON.stringify(said))).get('out')).toEqual({
      name: 'Mine',
      extension: 'bed',
      genomeBuild: 'hg38',
      info: 'good',
      metadata: { columns: 3 },
      files: [],
    });
  });

  it('or a line for each dataset, which older tools name by its id', async () => {
    const lines = [
      { type: 'dataset', dataset_id: 17, name: 'Old', ext: 'txt' },
      { type: 'new_primary_dataset', base_dataset_id: 17, filename: 'more.txt', name: 'more', ext: 'txt' },
      { type: 'dataset', name: 'of nothing' },
    ];
    const provided = await read(`${lines.map((line) => JSON.stringify(line)).join('\n')}\nnot JSON\n`);
    expect([...provided.keys()]).toEqual(['out']);
    expect(provided.get('out')).toMatchObject({ name: 'Old', extension: 'txt', files: [{ filename: 'more.txt' }] });
  });

  it('whose id stands there without quotes, as numbers do at Galaxy', async () => {
    const provided = await read('{"type": "dataset", "dataset_id": 17, "name": "Old"}\n');
    expect(provided.get('out')?.name).toBe('Old');
    const words = (text: string) => {
      writeFileSync(join(folder, 'working', 'galaxy.json'), text);
      return readProvided(folder, 'galaxy.json', (named) => (named === '0f17ab' ? 'out' : undefined));
    };
    expect((await words('{"type": "dataset", "dataset_id": 0f17ab, "name": "Old"}')).get('out')?.name).toBe('Old');
  });

  it('elements within elements are the levels of a nested collection', async () => {
    const elements = [{ name: 's1', elements: [{ name: 'forward', filename: 'f.fq', ext: 'fastq' }] }];
    expect((await read(JSON.stringify({ out: { elements } }))).get('out')?.files).toEqual([
      { filename: 'f.fq', groups: { identifier_0: 's1', identifier_1: 'forward', name: 'forward', ext: 'fastq' } },
    ]);
  });

  it('and what it says of files that a pattern finds, by their name', async () => {
    const datasets = [
      {
        filename: 'a.txt',
        name: 'A',
        ext: 'bed',
        dbkey: 'mm10',
        info: 'fine',
        metadata: { columns: 4 },
        extra_files: 'a_more',
      },
      { filename: 'b.txt', created_from_basename: 'b.fq.gz' },
      { name: 'no file' },
    ];
    const out = (await read(JSON.stringify({ out: { created_from_basename: 'run.tar', datasets } }))).get('out');
    expect(out?.createdFrom).toBe('run.tar');
    expect([...(out?.described ?? [])]).toEqual([
      [
        'a.txt',
        {
          groups: { name: 'A', ext: 'bed', dbkey: 'mm10' },
          info: 'fine',
          metadata: { columns: 4 },
          extraFiles: 'a_more',
          createdFrom: undefined,
        },
      ],
      ['b.txt', { groups: {}, info: undefined, metadata: {}, extraFiles: undefined, createdFrom: 'b.fq.gz' }],
    ]);
  });

  it.each([
    '',
    '[]',
    '7',
    '{"out": 3}',
    '{"out": {"elements": [1, null, {"name": "x"}]}}',
    '{"__x": {"name": "y"}}',
    'x',
  ])('%s says nothing, and stops nothing', async (text) => {
    const provided = await read(text);
    expect(provided.get('out')?.files ?? []).toEqual([]);
    expect(provided.get('out')?.name).toBeUndefined();
  });

  it('words that are too long are cut, and metadata that is too large is left out', async () => {
    const said = { out: { name: 'n'.repeat(5000), metadata: { text: 'm'.repeat(5000) } } };
    const out = (await read(JSON.stringify(said))).get('out');
    expect(out?.name).toHaveLength(1024);
    expect(out?.metadata).toEqual({});
  });

  it('a file that is not there says nothing', async () => {
    expect((await readProvided(folder, 'other.json', outputOf)).size).toBe(0);
  });
});
