import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Collections } from '../../../node/datasets/collections.js';
import { toolContext } from '../../../node/datasets/tool-context.js';
import { planToolRun } from '../../../node/datasets/tool-run.js';
import { HANDLER_DEFAULTS, HandlerPool } from '../../../node/jobs/handler-pool.js';
import { addDataTableRow } from '../../../node/toolbox/data-tables/data-table-row.js';
import { createDataTables, type DataTables } from '../../../node/toolbox/data-tables/data-tables.js';
import type { Toolbox } from '../../../node/toolbox/tool.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { collectionTools, removeCollectionTools, TABLE_CONFIGURATION } from '../api/collection-tools.js';
import { type Compiled, compileEntry } from './compile.js';
import { ANNA, HISTORY, nextId, removeWorlds, World } from './world.js';

const FASTA = '>one\nACGT\n>two\nTTTT\n';

let compiled: Compiled;
let world: World;
let pool: HandlerPool;
let toolbox: Toolbox;
let tables: DataTables;

beforeAll(async () => {
  compiled = compileEntry('node/jobs/handler-main.ts');
  toolbox = await collectionTools({ bundled: true });
});

afterAll(() => {
  compiled.remove();
  removeCollectionTools();
});

beforeEach(async () => {
  world = await World.create();
  pool = new HandlerPool(
    { clock: systemClock, log: silentLogger },
    { ...HANDLER_DEFAULTS, handlers: 1, slots: 2, logLevel: 'silent', entry: compiled.entry },
  );
  world.executor = pool;
  tables = createDataTables({ folder: join(world.folder, 'tool-data') });
  world.deps = { toolbox, tables };
  await pool.start();
  await world.open();
});

afterEach(async () => {
  await world.jobs.stop();
  await pool.stop();
  await removeWorlds();
});

async function upload(name: string, bytes: Uint8Array | string, extension = 'auto') {
  const path = join(world.folder, name);
  writeFileSync(path, bytes);
  const { job, outputs } = await world.jobs.submitFetch(ANNA, {
    history: HISTORY,
    tool: '__DATA_FETCH__',
    items: [
      {
        name,
        extension,
        genomeBuild: '?',
        toPosixLines: true,
        spaceToTab: false,
        autoDecompress: true,
        tags: [],
        source: { kind: 'file', path },
      },
    ],
  });
  const outcome = await world.ended(job);
  expect(outcome).toMatchObject({ state: 'ok' });
  return { dataset: outputs.output0 ?? '', content: outcome.outputs.output0 };
}

async function run(id: string, inputs: JsonObject): Promise<{ job: string; dataset: string }> {
  const tool = toolbox.tool(id);
  if (tool === undefined) throw new Error(`no tool ${id}`);
  const plan = planToolRun(
    toolbox,
    tool,
    inputs,
    toolContext(await world.view(), HISTORY, { blobs: world.blobs, tables }),
  );
  if ('errors' in plan) throw new Error(JSON.stringify(plan.errors));
  const [submitted] = await world.jobs.submit(ANNA, plan.submissions);
  return { job: submitted?.job ?? '', dataset: Object.values(submitted?.outputs ?? {})[0] ?? '' };
}

async function runAll(id: string, inputs: JsonObject) {
  const tool = toolbox.tool(id);
  if (tool === undefined) throw new Error(`no tool ${id}`);
  const context = toolContext(await world.view(), HISTORY, { blobs: world.blobs, tables });
  const plan = planToolRun(toolbox, tool, inputs, context);
  if ('errors' in plan) throw new Error(JSON.stringify(plan.errors));
  return world.jobs.submit(ANNA, plan.submissions, plan.implicit);
}

const idle = { local: () => undefined, touchedAt: () => 0 };

describe('the job side on its real parts', () => {
  it('uploads a FASTA, runs cat1 on it, and a second tool on the output of the first before that exists', async () => {
    const { dataset, content } = await upload('a fasta.fa', FASTA);
    expect(content).toMatchObject({ extension: 'fasta', metadata: { sequences: 2 } });
    const first = await run('cat1', { input1: { src: 'hda', id: dataset } });
    const second = await run('cat1', { input1: { src: 'hda', id: first.dataset } });
    expect(await world.ended(second.job)).toMatchObject({ state: 'ok', exitCode: 0 });
    expect((await world.bytes(first.dataset)).toString()).toBe(FASTA);
    expect((await world.bytes(second.dataset)).toString()).toBe(FASTA);
    const { outputs } = (await world.ended(first.job)) ?? {};
    expect(Object.values(outputs)[0]).toMatchObject({ extension: 'fasta', state: 'ok' });
  });

  it('keeps a compressed fastq and decompresses what has no compressed type', async () => {
    const reads = gzipSync('@r\nACGT\n+\nIIII\n');
    const fastq = await upload('reads.fastq.gz', reads);
    expect(fastq.content?.extension).toBe('fastqsanger.gz');
    expect(await world.bytes(fastq.dataset)).toEqual(reads);
    const bed = await upload('genes.bed.gz', gzipSync('chr1\t10\t20\tgene\t0\t+\nchr1\t30\t40\tother\t0\t-\n'));
    expect(bed.content?.extension).toBe('bed');
    expect((await world.bytes(bed.dataset)).toString()).toContain('chr1\t30');
  });

  it('keeps random bytes to the byte, and finds out that lines and columns are a table', async () => {
    const bytes = Uint8Array.from({ length: 200_000 }, (_, index) => (index * index * 31) % 251);
    const random = await upload('random.bin', bytes);
    expect(Buffer.compare(await world.bytes(random.dataset), bytes)).toBe(0);
    const table = await upload('table', 'a\t1\r\nb\t2\r\n');
    expect(table.content).toMatchObject({ extension: 'tabular', metadata: { columns: 2, data_lines: 2 } });
    expect((await world.bytes(table.dataset)).toString()).toBe('a\t1\nb\t2\n');
  });

  it('runs a tool over a list: one job each, then a second tool on all they made, which waits for it', async () => {
    const first = await upload('one.txt', 'one\n');
    const second = await upload('two.txt', 'two\n');
    const { log } = world;
    const collections = new Collections({ log, ids: { next: nextId }, clock: systemClock, activity: idle });
    const list = await collections.create(ANNA, {
      history: HISTORY,
      name: 'both',
      type: 'list',
      elements: [
        { identifier: 'a', dataset: first.dataset },
        { identifier: 'b', dataset: second.dataset },
      ],
      copyElements: false,
      hideSource: false,
    });
    const submitted = await runAll('double', { one: { batch: true, values: [{ src: 'hdca', id: list.id }] } });
    expect(submitted).toHaveLength(2);
    const implicit = submitted[0]?.implicit?.out ?? '';
    const [reduced] = await runAll('all_of', { many: { values: [{ src: 'hdca', id: implicit }] } });
    expect(await world.ended(reduced?.job ?? '')).toMatchObject({ state: 'ok' });
    expect((await world.bytes(reduced?.outputs.out ?? '')).toString()).toBe('one\none\nend\ntwo\ntwo\nend\n');
    const facts = collections.get(await world.view(), implicit);
    expect(facts).toMatchObject({ states: { ok: 2 }, jobs: { ok: 2 }, population: { is: 'ok' } });
  });

  it('what a job finds fills its collection, and a job that takes the collection waits until it is known', async () => {
    const { dataset } = await upload('lines.txt', '1\n2\n3\n');
    const [found] = await runAll('pieces', { one: { src: 'hda', id: dataset } });
    const parts = found?.collections?.parts ?? '';
    const [taker] = await runAll('gather', { parts: { src: 'hdca', id: parts } });
    expect(await world.ended(taker?.job ?? '')).toMatchObject({ state: 'ok' });
    expect((await world.bytes(taker?.outputs.out ?? '')).toString()).toBe('a:1\nb:2\nc:3\n');
    expect((await world.view()).get('collection', parts)?.elements.map(({ identifier }) => identifier)).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  it('a choice of a data table reaches the command with the fields of its line', async () => {
    const folder = join(world.folder, 'tool-data');
    mkdirSync(folder);
    writeFileSync(join(folder, 'tool_data_table_conf.xml'), TABLE_CONFIGURATION);
    await addDataTableRow(folder, 'my_genomes', { value: 'phage', dbkey: 'lambda', path: '/srv/lambda.fa' });
    const { dataset } = await upload('numbers', 'a\t1\nb\t2\n');
    const state = { table: { src: 'hda', id: dataset }, column: '2', build: '?' };
    await expect(runAll('choose', { ...state, genome: 'other' })).rejects.toThrow(/genome/);
    const [chosen] = await runAll('choose', { ...state, genome: 'phage' });
    expect(await world.ended(chosen?.job ?? '')).toMatchObject({ state: 'ok' });
    expect((await world.bytes(chosen?.outputs.out ?? '')).toString()).toBe('phage /srv/lambda.fa 2 None ? None\n');
  });
});
