import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HandlerPool, type HandlerPoolOptions } from '../../../node/jobs/handler-pool.js';
import type { FetchItem } from '../../../node/jobs/job.js';
import { processesOf } from '../../../node/jobs/process-sweep.js';
import { contentOf } from '../../../protocol/account/records.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { type Compiled, compileEntry } from './compile.js';
import { gone, isGone } from './processes.js';
import { ANNA, HISTORY, removeWorlds, submission, World } from './world.js';

let compiled: Compiled;
let world: World;
let pool: HandlerPool;

beforeAll(() => {
  compiled = compileEntry('test/unit/jobs/handler-entry.ts');
});

afterAll(() => compiled.remove());

beforeEach(async () => {
  world = await World.create();
  await openWithHandlers();
});

afterEach(async () => {
  await world.jobs.stop();
  await pool.stop();
  await removeWorlds();
});

async function openWithHandlers(options: Partial<HandlerPoolOptions> = {}): Promise<void> {
  pool = new HandlerPool(
    { clock: systemClock, log: silentLogger },
    {
      handlers: 1,
      slots: 2,
      heartbeatMs: 200,
      leaseMs: 20_000,
      startMs: 30_000,
      restartMs: 5,
      restartMaxMs: 50,
      stopMs: 10_000,
      logLevel: 'silent',
      entry: compiled.entry,
      ...options,
    },
  );
  world.executor = pool;
  await pool.start();
  await world.open();
}

async function text(dataset: string): Promise<string> {
  return (await world.bytes(dataset)).toString('utf8');
}

/** What a job wrote into its working folder, once it is there. */
async function fromWorking(name: string): Promise<string> {
  const jobs = join(world.folder, 'jobs');
  return world.until(() => {
    for (const run of readdirSync(jobs)) {
      const file = join(jobs, run, 'working', name);
      if (existsSync(file) && readFileSync(file, 'utf8').endsWith('\n')) return readFileSync(file, 'utf8').trim();
    }
    // Nothing tells when a tool wrote a file of its own: look again in a moment.
    systemClock.after(10, () => world.poke());
    return undefined;
  });
}

describe('a job', () => {
  it('runs in its own folder with a clean environment, and its output becomes a blob', async () => {
    process.env.GALAXY_NODE_MASTER_API_KEY = 'a-secret-of-the-node';
    const { job, output } = await world.submit(
      'env | sort > $out_out; pwd >> $out_out; echo said; echo complained >&2',
    );
    const outcome = await world.ended(job);
    delete process.env.GALAXY_NODE_MASTER_API_KEY;
    expect(outcome).toMatchObject({ state: 'ok', exitCode: 0, stdout: 'said\n', stderr: 'complained\n' });
    expect(outcome.commandLine).toContain('env | sort');
    expect(outcome.metrics).toMatchObject({ galaxy_slots: 1, galaxy_memory_mb: 1024 });
    const seen = await text(output);
    const folder = join(world.folder, 'jobs', `${job}-1`);
    for (const line of [
      `HOME=${folder}/home`,
      `TMPDIR=${folder}/tmp`,
      'LC_ALL=C',
      'GALAXY_SLOTS=1',
      `${folder}/working`,
    ]) {
      expect(seen.split('\n')).toContain(line);
    }
    expect(seen).not.toContain('a-secret-of-the-node');
    await world.idle();
    expect(existsSync(folder)).toBe(false);
  });

  it('reads the bytes of another one', async () => {
    const { output } = await world.submit('printf "b\\na\\n" > $out_out');
    const { job, output: sorted } = await world.submit('sort $in > $out_out', { input: output });
    const outcome = await world.ended(job);
    expect(await text(sorted)).toBe('a\nb\n');
    expect(Object.keys(outcome.inputBlobs ?? {})).toEqual([output]);
  });

  it('that fails says its exit code, keeps what it wrote, and its outputs are in error', async () => {
    const { job, output } = await world.submit('echo half > $out_out; echo why >&2; exit 3');
    expect(await world.ended(job)).toMatchObject({ state: 'error', exitCode: 3, message: 'Exit code 3' });
    const view = await world.view();
    const record = view.get('dataset', output);
    expect(record && contentOf(view, record)).toMatchObject({ state: 'error', info: 'Exit code 3\nwhy\n' });
    expect(await text(output)).toBe('half\n');
  });

  it('that writes nothing leaves an empty output that says so', async () => {
    const { job } = await world.submit('true');
    const { outputs } = await world.ended(job);
    expect(outputs.out).toMatchObject({ state: 'empty', size: 0, info: 'The tool did not write this output.' });
  });

  it('that writes much to its logs keeps the first 8 KiB in the entry and the rest in a blob', async () => {
    const { job } = await world.submit('yes 123456789 | head -n 5000; yes e | head -n 9000 >&2');
    const outcome = await world.ended(job);
    expect(outcome.stdout).toHaveLength(8192);
    expect(world.blobs.size(outcome.stdoutBlob ?? '')).toBe(50_000);
    expect(world.blobs.size(outcome.stderrBlob ?? '')).toBe(18_000);
  });

  it('takes its outputs from the working folder where the wrapper says so', async () => {
    world.toolbox.fromWorkDir = { out: 'sub/result.txt' };
    const { output, job } = await world.submit('mkdir sub; echo made > sub/result.txt');
    await world.ended(job);
    expect(await text(output)).toBe('made\n');
  });

  it('cannot be made to run anything by a file name', async () => {
    const mark = join(world.folder, 'owned');
    const name = `x'; touch ${mark}; echo '$(touch ${mark})`;
    const source = join(world.folder, 'upload');
    writeFileSync(source, 'harmless\n');
    const { outputs, job } = await world.jobs.submitFetch(ANNA, {
      history: HISTORY,
      tool: 'upload1',
      items: [{ ...plainItem('txt'), name, source: { kind: 'file', path: source } }],
    });
    await world.ended(job);
    const { job: next, output } = await world.submit('cat $in > $out_out', { input: outputs.output0 });
    expect(await world.ended(next)).toMatchObject({ state: 'ok' });
    expect(await text(output)).toBe('harmless\n');
    expect(existsSync(mark)).toBe(false);
  });
});

describe('cancelling a running job', () => {
  it('ends every process of its group and one that left the group', async () => {
    const { job } = await world.submit('sleep 1000 & echo $! > inner; setsid sleep 1000 & echo $! > outer; wait');
    const inner = Number(await fromWorking('inner'));
    const outer = Number(await fromWorking('outer'));
    expect([isGone(inner), isGone(outer)]).toEqual([false, false]);
    await world.jobs.cancel(ANNA, job);
    expect(await world.ended(job)).toMatchObject({ state: 'deleted' });
    await gone(inner);
    await gone(outer);
    expect(processesOf(join(world.folder, 'jobs'))).toEqual([]);
  });
});

describe('a handler that is killed', () => {
  it('loses its run with all its processes; the job is started again once and ends once', async () => {
    const mark = join(world.folder, 'second');
    const script = `if test -e ${mark}; then echo twice > $out_out; else touch ${mark}; sleep 1000 & echo $! > inner; wait; fi`;
    const { job, output } = await world.submit(script);
    const inner = Number(await fromWorking('inner'));
    const [handler] = pool.pids();
    process.kill(handler as number, 'SIGKILL');
    expect(await world.ended(job)).toMatchObject({ state: 'ok', attempt: 2 });
    expect(await text(output)).toBe('twice\n');
    await gone(inner);
    const record = (await world.view()).get('job', job);
    expect(Object.keys(record?.attempts ?? {})).toEqual(['1', '2']);
    expect(pool.pids()).not.toContain(handler);
  });

  it('three times by one job is too often', async () => {
    const { job } = await world.submit('kill -9 $PPID; sleep 1000');
    const outcome = await world.ended(job);
    expect(outcome.state).toBe('error');
    expect(outcome.message).toContain('started 3 times and each time its handler died');
    const { job: next } = await world.submit('true');
    expect(await world.ended(next)).toMatchObject({ state: 'ok' });
  });
});

describe('a handler that falls silent', () => {
  it('is given nothing, is ended, and its job is started again', async () => {
    await world.close();
    await pool.stop();
    await openWithHandlers({ heartbeatMs: 50, leaseMs: 1_500 });
    const mark = join(world.folder, 'second');
    const script = `if test -e ${mark}; then exit 0; else touch ${mark}; sleep 1000 & echo $! > inner; wait; fi`;
    const { job } = await world.submit(script);
    const inner = Number(await fromWorking('inner'));
    process.kill(pool.pids()[0] as number, 'SIGSTOP');
    expect(await world.ended(job)).toMatchObject({ state: 'ok', attempt: 2 });
    await gone(inner);
  });
});

describe('handlers that cannot start', () => {
  it('leave the jobs in the queue, which say why, and do not keep the node from stopping', async () => {
    await world.close();
    await pool.stop();
    await openWithHandlers({ entry: join(world.folder, 'no-such-script.js') });
    const { job } = await world.submit('true');
    expect(world.jobs.local(job)).toEqual({
      state: 'queued',
      reason: 'first in the queue; 0 jobs run, 2 slots; no job handler is ready',
    });
  });
});

describe('the end of the node', () => {
  it('ends its handlers and their jobs; the job is there again at the next start', async () => {
    const mark = join(world.folder, 'second');
    const script = `if test -e ${mark}; then echo again > $out_out; else touch ${mark}; sleep 1000 & echo $! > inner; wait; fi`;
    const { job, output } = await world.submit(script);
    const inner = Number(await fromWorking('inner'));
    const [handler] = pool.pids();
    await world.crash();
    await pool.stop();
    await gone(inner);
    await gone(handler as number);
    await openWithHandlers();
    expect(await world.ended(job)).toMatchObject({ state: 'ok', attempt: 2 });
    expect(await text(output)).toBe('again\n');
  });
});

describe('an upload', () => {
  async function upload(item: Partial<FetchItem> & { bytes?: Uint8Array | string; file?: string }) {
    const { bytes, file = 'upload', ...rest } = item;
    const path = join(world.folder, file);
    if (bytes !== undefined) writeFileSync(path, bytes);
    const source = rest.source ?? ({ kind: 'file', path } as const);
    const { job, outputs } = await world.jobs.submitFetch(ANNA, {
      history: HISTORY,
      tool: '__DATA_FETCH__',
      items: [{ ...plainItem('auto'), ...rest, source }],
    });
    const outcome = await world.ended(job);
    await world.idle();
    return { outcome, content: outcome.outputs.output0, dataset: outputs.output0 ?? '', path };
  }

  it('of pasted text becomes a dataset, and nothing of it stays behind', async () => {
    const { outcome, content, dataset } = await upload({ source: { kind: 'text', text: 'a\r\nb' } });
    expect(outcome).toMatchObject({ state: 'ok' });
    expect(content).toMatchObject({ state: 'ok', extension: 'txt', createdFrom: 'file name' });
    expect(await text(dataset)).toBe('a\nb\n');
    expect(readdirSync(join(world.folder, 'jobs', 'spool'))).toEqual([]);
  });

  it('removes the uploaded file once the outcome is written', async () => {
    const { path, dataset } = await upload({ bytes: '>a\nACGT\n' });
    expect(await text(dataset)).toBe('>a\nACGT\n');
    expect(existsSync(path)).toBe(false);
  });

  it('of gzip is decompressed, but a compressed fastq stays as it is', async () => {
    const plain = await upload({ bytes: gzipSync('>a\nACGT\n'), file: 'genome' });
    expect(plain.content?.extension).toBe('fasta');
    expect(await text(plain.dataset)).toBe('>a\nACGT\n');
    const reads = gzipSync('@r\nA\n+\nI\n');
    const fastq = await upload({ bytes: reads, file: 'reads.fastq.gz' });
    expect(fastq.content?.extension).toBe('fastqsanger.gz');
    expect(await world.bytes(fastq.dataset)).toEqual(reads);
  });

  it('of nothing is an empty dataset', async () => {
    const { outcome, content } = await upload({ bytes: '' });
    expect(outcome.state).toBe('ok');
    expect(content).toMatchObject({ state: 'empty', size: 0 });
  });

  it('of bytes that are no text is kept to the byte', async () => {
    const bytes = Uint8Array.from({ length: 3000 }, (_, index) => (index * 7) % 256);
    const { dataset } = await upload({ bytes });
    expect(new Uint8Array(await world.bytes(dataset))).toEqual(bytes);
  });

  it('that cannot be read fails with the reason, and the others of its request do not', async () => {
    const good = join(world.folder, 'good');
    writeFileSync(good, 'fine\n');
    const { job } = await world.jobs.submitFetch(ANNA, {
      history: HISTORY,
      tool: '__DATA_FETCH__',
      items: [
        { ...plainItem('txt'), source: { kind: 'file', path: join(world.folder, 'missing') } },
        { ...plainItem('txt'), source: { kind: 'file', path: good } },
      ],
    });
    const outcome = await world.ended(job);
    expect(outcome.state).toBe('ok');
    expect(outcome.outputs.output0).toMatchObject({ state: 'error', info: 'The uploaded file is no longer there.' });
    expect(outcome.outputs.output1?.state).toBe('ok');
  });

  it('runs on at the node that has the bytes when the account has moved', async () => {
    world.jobs.stopTaking();
    const { job } = await world.jobs.submitFetch(ANNA, {
      history: HISTORY,
      tool: '__DATA_FETCH__',
      items: [{ ...plainItem('txt'), source: { kind: 'text', text: 'mine\n' } }],
    });
    world.leases.set(ANNA, undefined);
    await world.jobs.across.release(ANNA);
    world.jobs.resumeTaking();
    await world.untilState(job, 'running');
    await world.idle();
    expect(world.jobs.undelivered).toBe(1);
    world.leases.set(ANNA, 2);
    await world.jobs.across.adopt(ANNA);
    expect(await world.ended(job)).toMatchObject({ state: 'ok', epoch: 1, attempt: 1 });
  });
});

describe('several jobs at once', () => {
  it('each end once, on two handlers', async () => {
    await world.close();
    await pool.stop();
    await openWithHandlers({ handlers: 2, slots: 4 });
    const submitted = await world.jobs.submit(
      ANNA,
      Array.from({ length: 40 }, (_, index) => submission(`echo ${index} > $out_out`)),
    );
    for (const { job } of submitted) expect(await world.ended(job)).toMatchObject({ state: 'ok', attempt: 1 });
    const texts = await Promise.all(submitted.map(({ outputs }) => text(outputs.out ?? '')));
    expect(texts).toEqual(Array.from({ length: 40 }, (_, index) => `${index}\n`));
    await world.idle();
    expect(world.jobs.counts()).toEqual({ queued: 0, running: 0, slots: 4 });
  });
});

function plainItem(extension: string): FetchItem {
  return {
    name: 'file name',
    extension,
    genomeBuild: '?',
    toPosixLines: true,
    spaceToTab: false,
    autoDecompress: true,
    tags: [],
    source: { kind: 'text', text: '' },
  };
}
