import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatatypes } from '../../../node/datasets/datatype-registry.js';
import { toolContext } from '../../../node/datasets/tool-context.js';
import { planToolRun } from '../../../node/datasets/tool-run.js';
import { HANDLER_DEFAULTS, HandlerPool } from '../../../node/jobs/handler-pool.js';
import type { Toolbox } from '../../../node/toolbox/tool.js';
import { createToolbox } from '../../../node/toolbox/toolbox.js';
import type { JsonObject } from '../../../protocol/log/entry.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { type Compiled, compileEntry } from './compile.js';
import { ANNA, HISTORY, removeWorlds, World } from './world.js';

const FASTA = '>one\nACGT\n>two\nTTTT\n';

let compiled: Compiled;
let world: World;
let pool: HandlerPool;
let toolbox: Toolbox;

beforeAll(async () => {
  compiled = compileEntry('node/jobs/handler-main.ts');
  toolbox = await createToolbox({ datatypes: createDatatypes(), log: silentLogger }, { folders: [] });
});

afterAll(() => compiled.remove());

beforeEach(async () => {
  world = await World.create();
  pool = new HandlerPool(
    { clock: systemClock, log: silentLogger },
    { ...HANDLER_DEFAULTS, handlers: 1, slots: 2, logLevel: 'silent', entry: compiled.entry },
  );
  world.executor = pool;
  world.deps = { toolbox };
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
  const plan = planToolRun(toolbox, tool, inputs, toolContext(await world.view(), HISTORY));
  if ('errors' in plan) throw new Error(JSON.stringify(plan.errors));
  const [submitted] = await world.jobs.submit(ANNA, plan.submissions);
  return { job: submitted?.job ?? '', dataset: Object.values(submitted?.outputs ?? {})[0] ?? '' };
}

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
});
