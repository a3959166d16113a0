import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JOB_NAMESPACES } from '../../../node/jobs/namespaces.js';
import { noOtherHome } from '../../../node/jobs/outbox.js';
import { RUN_MARKER } from '../../../node/jobs/run-spec.js';
import type { JobOutcome } from '../../../protocol/account/entries.js';
import { contentOf } from '../../../protocol/account/records.js';
import { FakeExecutor } from './fakes.js';
import { gone } from './processes.js';
import { ANNA, BERT, HISTORY, removeWorlds, submission, World } from './world.js';

let world: World;

beforeEach(async () => {
  world = await (await World.create()).open();
});

afterEach(removeWorlds);

async function notes(): Promise<string[]> {
  const keys: string[] = [];
  for await (const [key] of world.store.iterate(JOB_NAMESPACES.queue)) keys.push(key);
  return keys;
}

describe('a start', () => {
  async function sealed() {
    world.fake.slotCount = 0;
    const { job } = await world.submit('true');
    await world.log.seal(ANNA);
    world.fake.grow(1);
    await world.until(() => (world.jobs.local(job)?.reason.includes('could not be recorded') ? true : undefined));
    return job;
  }

  it('waits while the account is sealed for a hand-over, and happens when that does not come about', async () => {
    const job = await sealed();
    expect(world.fake.given).toEqual([]);
    world.log.unseal(ANNA);
    await world.fake.until(1);
    expect(world.fake.given).toMatchObject([{ job, attempt: 1 }]);
    world.fake.finish(job);
    expect(await world.ended(job)).toMatchObject({ state: 'ok', attempt: 1 });
  });

  it('does not happen when the account leaves meanwhile, and nothing of the job stays behind', async () => {
    const job = await sealed();
    world.leases.set(ANNA, undefined);
    await world.jobs.across.release(ANNA);
    expect(world.jobs.local(job)).toBeUndefined();
    expect(await notes()).toEqual([]);
    await world.close();
    await world.open();
    expect(world.fake.given).toEqual([]);
    expect((await world.view()).get('job', job)?.attempts).toEqual({});
  });

  it('that was promised is on disk before anything runs: after a crash in between the next attempt runs', async () => {
    let crash = (): void => {};
    const crashed = new Promise<void>((resolve) => {
      crash = () => resolve(world.crash());
    });
    class DiesAtTheFirst extends FakeExecutor {
      override run(): boolean {
        crash();
        return true;
      }
    }
    await world.close();
    world.executor = new DiesAtTheFirst();
    await world.open();
    const { job } = await world.submit('true');
    await crashed;
    world.executor = new FakeExecutor();
    await world.open();
    expect((await world.view()).get('job', job)?.attempts).toMatchObject({ 1: { executor: 'node-a' } });
    await world.fake.until(1);
    expect(world.fake.given).toMatchObject([{ job, attempt: 2 }]);
  });

  it('that no handler takes after all does not count against the job', async () => {
    let refusals = 4;
    class Refuses extends FakeExecutor {
      override run(...run: Parameters<FakeExecutor['run']>): boolean {
        refusals -= 1;
        return refusals < 0 && super.run(...run);
      }
    }
    await world.close();
    world.executor = new Refuses();
    await world.open();
    const { job } = await world.submit('true');
    await world.fake.until(1);
    expect(world.fake.given).toMatchObject([{ job, attempt: 5 }]);
    await world.crash();
    world.executor = new FakeExecutor();
    await world.open();
    await world.fake.until(1);
    world.fake.finish(job);
    expect(await world.ended(job)).toMatchObject({ state: 'ok', attempt: 6 });
  });
});

describe('submitting', () => {
  it('writes the job, its outputs with rising hids, and its note, and starts it', async () => {
    const [submitted] = await world.jobs.submit(ANNA, [submission('true', { outputs: ['a', 'b'] })]);
    const view = await world.view();
    const job = view.get('job', submitted?.job ?? '');
    expect(job).toMatchObject({ tool: 'sh', params: { script: 'true' } });
    const [a, b] = ['a', 'b'].map((name) => view.get('dataset', submitted?.outputs[name] ?? ''));
    expect(a).toMatchObject({ name: 'sh: a', hid: 1, job: submitted?.job, output: 'a', extension: 'txt' });
    expect(b).toMatchObject({ hid: 2, output: 'b' });
    expect(await notes()).toEqual([submitted?.job]);
    await world.fake.until(1);
    expect(world.fake.given[0]).toMatchObject({ job: submitted?.job, attempt: 1 });
  });

  it('accepts more jobs than the queue may hold not at all', async () => {
    await world.close();
    world.options = { queueMax: 3 };
    await world.open();
    await world.jobs.submit(ANNA, [submission('true'), submission('true')]);
    await expect(world.jobs.submit(ANNA, [submission('true'), submission('true')])).rejects.toMatchObject({
      code: 'jobs/queue-full',
    });
    expect([...(await world.view()).list('job')]).toHaveLength(2);
    await world.jobs.submit(ANNA, [submission('true')]);
  });

  it('refuses parameters that would not fit into an entry before it accepts anything', async () => {
    const huge = submission('x'.repeat(70_000));
    await expect(world.jobs.submit(ANNA, [submission('true'), huge])).rejects.toMatchObject({ code: 'jobs/too-large' });
    expect([...(await world.view()).list('job')]).toHaveLength(0);
    expect(world.jobs.counts().queued).toBe(0);
  });

  it('gives each job of a large request its own hid, in order', async () => {
    world.jobs.stopTaking();
    const submitted = await world.jobs.submit(
      ANNA,
      Array.from({ length: 450 }, () => submission('true')),
    );
    const view = await world.view();
    const hids = submitted.map(({ outputs }) => view.get('dataset', outputs.out ?? '')?.hid);
    expect(hids).toEqual(Array.from({ length: 450 }, (_, index) => index + 1));
  });

  it('says where a job stands in the queue', async () => {
    const { job: first } = await world.submit('true');
    const { job: second } = await world.submit('true');
    await world.fake.until(2);
    const { job: third } = await world.submit('true');
    const { job: fourth } = await world.submit('true');
    expect(world.jobs.local(first)).toEqual({ state: 'running', reason: 'running' });
    expect(world.jobs.local(second)?.state).toBe('running');
    expect(world.jobs.local(third)?.reason).toBe('first in the queue; 2 jobs run, 2 slots');
    expect(world.jobs.local(fourth)?.reason).toBe('second in the queue; 2 jobs run, 2 slots');
    expect(world.jobs.counts()).toEqual({ queued: 2, running: 2, slots: 2 });
  });

  it('lets two users take turns', async () => {
    world.fake.slotCount = 1;
    await world.submit('first');
    await world.fake.until(1);
    for (const name of ['a1', 'a2', 'a3']) await world.submit(name);
    await world.submit('b1', { account: BERT });
    const order: unknown[] = [];
    for (let count = 1; count <= 4; count++) {
      world.fake.finish(world.fake.runs[0]?.spec.job ?? '');
      await world.fake.until(count + 1);
      const work = world.fake.given.at(-1)?.work;
      order.push(work?.kind === 'command' && work.command.script);
    }
    expect(order).toEqual(['a1', 'b1', 'a2', 'a3']);
  });
});

describe('an outcome', () => {
  it('is written once, forgets the note, and is announced', async () => {
    const { job, output } = await world.submit('true');
    await world.fake.until(1);
    world.fake.finish(job);
    expect(await world.ended(job)).toMatchObject({
      state: 'ok',
      epoch: 1,
      attempt: 1,
      exitCode: 0,
      executor: 'node-a',
    });
    await world.idle();
    expect(await notes()).toEqual([]);
    expect(output).not.toBe('');
    const states = world.changes.filter((change) => change.job === job).map(({ state }) => state);
    expect(states).toContain('running');
    expect(states.at(-1)).toBe('ok');
  });

  it('tells of a tool that is not installed', async () => {
    const [submitted] = await world.jobs.submit(ANNA, [{ ...submission('true'), tool: 'gone' }]);
    const outcome = await world.ended(submitted?.job ?? '');
    expect(outcome).toMatchObject({ state: 'error', message: 'The tool gone (version 1) is not installed here.' });
    expect(outcome.outputs.out?.state).toBe('error');
  });

  it('of an attempt that was replaced changes nothing', async () => {
    const { job } = await world.submit('true');
    await world.fake.until(1);
    const [first] = world.fake.runs;
    world.fake.lose(job);
    await world.fake.until(2);
    first?.events.finished({
      state: 'error',
      exitCode: 9,
      stdout: { head: '' },
      stderr: { head: '' },
      startedAt: 1,
      endedAt: 2,
      outputs: [],
    });
    world.fake.finish(job);
    expect(await world.ended(job)).toMatchObject({ state: 'ok', attempt: 2 });
  });
});

describe('waiting for inputs', () => {
  it('starts a job when the job that makes its input has ended, by that event', async () => {
    const { job: first, output } = await world.submit('true');
    await world.fake.until(1);
    const { job: second } = await world.submit('cat $in', { input: output });
    expect(world.jobs.local(second)).toEqual({ state: 'waiting', reason: 'waiting for dataset 1' });
    const blob = await world.blobs.put(bytesOf('hello\n'));
    await endWith(first, output, blob);
    await world.fake.until(2);
    expect(world.fake.given[1]?.job).toBe(second);
    const work = world.fake.given[1]?.work;
    expect(work?.kind === 'command' && work.command.script).toBe(`cat '${world.blobs.path(blob.blob)}'`);
  });

  it('pauses a job whose input failed, and what depends on it, and says why', async () => {
    const { job: first, output } = await world.submit('false');
    const { job: second, output: next } = await world.submit('cat $in', { input: output });
    const { job: third } = await world.submit('cat $in', { input: next });
    await world.fake.until(1);
    world.fake.finish(first, { state: 'error', exitCode: 2, message: 'Exit code 2', outputs: [errorOutput()] });
    await world.untilState(third, 'paused');
    expect(world.jobs.local(second)).toMatchObject({
      state: 'paused',
      reason: expect.stringContaining('Dataset 1 failed'),
    });
    expect(world.jobs.local(third)?.reason).toBe('waiting for dataset 2, whose job is paused');
    await world.jobs.cancel(ANNA, second);
    expect((await world.ended(third)).message).toBe('Dataset 2 (sh: out) was deleted before the job started.');
  });

  it('fails a job whose input was deleted', async () => {
    const { job: first, output } = await world.submit('true');
    const { job: second } = await world.submit('cat $in', { input: output });
    await world.fake.until(1);
    await world.log.append(ANNA, () => [{ type: 'dataset.updated', payload: { id: output, deleted: true } }]);
    world.fake.finish(first);
    expect(await world.ended(second)).toMatchObject({
      state: 'error',
      message: 'Dataset 1 (sh: out) was deleted before the job started.',
    });
  });

  it('fetches bytes that are on another node, and tries again when that fails', async () => {
    await world.close();
    let tries = 0;
    const bytes = bytesOf('from afar\n');
    world.deps = {
      bringBlob: async () => {
        tries += 1;
        if (tries < 3) throw new Error('nobody is there');
        await world.blobs.put(bytes);
      },
    };
    await world.open();
    const probe = await World.create('other');
    await probe.open();
    const ref = await probe.blobs.put(bytesOf('from afar\n'));
    const { job: first, output } = await world.submit('true');
    await world.fake.until(1);
    await endWith(first, output, ref);
    const { job: second } = await world.submit('cat $in', { input: output });
    await world.fake.until(2);
    expect(world.fake.given[1]?.job).toBe(second);
    expect(tries).toBe(3);
  });

  async function endWith(job: string, output: string, ref: { blob: string; size: number }): Promise<void> {
    const outcome = ended(job, { out: { ...ref } });
    await world.log.append(ANNA, () => [{ type: 'job.outcome', payload: outcome as never }]);
    const view = await world.view();
    const record = view.get('dataset', output);
    expect(record && contentOf(view, record)?.size).toBe(ref.size);
  }
});

describe('cancelling', () => {
  it('takes a queued job out of the queue, with its outcome in the same step', async () => {
    world.fake.slotCount = 0;
    const { job, output } = await world.submit('true');
    await world.jobs.cancel(ANNA, job, 'changed my mind');
    const view = await world.view();
    expect(view.get('job', job)).toMatchObject({
      cancelled: true,
      outcome: { state: 'deleted', message: 'changed my mind' },
    });
    expect(view.get('dataset', output)?.deleted).toBe(true);
    expect(view.get('job', job)?.outcome?.outputs.out?.state).toBe('discarded');
    expect(world.jobs.local(job)).toBeUndefined();
    expect(await notes()).toEqual([]);
    world.fake.grow(2);
    expect(world.fake.given).toEqual([]);
    expect(world.jobs.counts()).toEqual({ queued: 0, running: 0, slots: 2 });
  });

  it('kills a running job, which then ends as deleted', async () => {
    const { job } = await world.submit('sleep 100');
    await world.fake.until(1);
    await world.jobs.cancel(ANNA, job);
    expect(await world.ended(job)).toMatchObject({ state: 'deleted', attempt: 1 });
    expect([...(await world.view()).list('job')].filter(({ outcome }) => outcome)).toHaveLength(1);
  });

  it('of a job that has ended changes nothing; an unknown one is said to be unknown', async () => {
    const { job } = await world.submit('true');
    await world.fake.until(1);
    world.fake.finish(job);
    await world.ended(job);
    await world.jobs.cancel(ANNA, job);
    expect((await world.view()).get('job', job)).toMatchObject({ cancelled: false, outcome: { state: 'ok' } });
    await expect(world.jobs.cancel(ANNA, '00000000000000ff')).rejects.toMatchObject({ code: 'jobs/not-found' });
  });
});

describe('crashes', () => {
  it('of a handler start the job again, three times at most, and then it says why', async () => {
    const { job } = await world.submit('true');
    for (let count = 1; count <= 3; count++) {
      await world.fake.until(count);
      world.fake.lose(job);
    }
    const outcome = await world.ended(job);
    expect(outcome).toMatchObject({ state: 'error', attempt: 3 });
    expect(outcome.message).toContain('started 3 times and each time its handler died');
    expect(world.fake.given.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  it('of the node: everything that was accepted is there again, in order, with the next attempt', async () => {
    world.fake.slotCount = 1;
    const jobs: string[] = [];
    for (const name of ['one', 'two', 'three']) jobs.push((await world.submit(name)).job);
    await world.fake.until(1);
    await world.until(async () => (await world.view()).get('job', jobs[0] ?? '')?.attempts['1']);
    await world.crash();
    world.executor = new FakeExecutor(3);
    await world.open();
    await world.fake.until(3);
    expect(world.fake.given.map(({ job, attempt }) => [job, attempt])).toEqual([
      [jobs[0], 2],
      [jobs[1], 1],
      [jobs[2], 1],
    ]);
  });

  it('of the whole machine but its jobs: what they left running is ended at the next start, and their folders go', async () => {
    await world.close();
    const folder = join(world.folder, 'jobs', '00000000000000ee-1');
    mkdirSync(folder);
    const left = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore', env: { [RUN_MARKER]: folder } });
    await once(left, 'spawn');
    world.executor = new FakeExecutor();
    await world.open();
    await gone(left.pid as number);
    expect(existsSync(folder)).toBe(false);
  });

  it('a stop does not count as a crash', async () => {
    const { job } = await world.submit('true');
    for (let count = 1; count <= 4; count++) {
      await world.fake.until(1);
      await world.until(async () => (await world.view()).get('job', job)?.attempts[String(count)]);
      await world.close();
      world.executor = new FakeExecutor();
      await world.open();
    }
    await world.fake.until(1);
    expect(world.fake.given[0]).toMatchObject({ job, attempt: 5 });
  });
});

describe('homes', () => {
  it('a new home takes up what has no outcome, but not what still runs at the former one', async () => {
    world.fake.slotCount = 0;
    const [first, second] = [(await world.submit('a')).job, (await world.submit('b')).job];
    await world.jobs.across.release(ANNA);
    expect(await notes()).toEqual([]);
    expect(world.jobs.counts().queued).toBe(0);
    world.leases.set(ANNA, 2);
    await world.jobs.across.adopt(ANNA, new Map([[first ?? '', { peer: 'node-b' }]]));
    expect(world.jobs.local(first)).toEqual({ state: 'waiting', reason: 'runs on at its former home' });
    world.fake.grow(2);
    await world.fake.until(1);
    expect(world.fake.given.map(({ job }) => job)).toEqual([second]);
    await world.jobs.across.reclaim(ANNA, [first ?? ''], 'it is gone');
    await world.fake.until(2);
    world.fake.finish(first);
    expect(await world.ended(first)).toMatchObject({ state: 'ok', epoch: 2 });
  });

  it('remembers over a restart that a job runs at its former home', async () => {
    world.fake.slotCount = 0;
    const { job } = await world.submit('a');
    await world.jobs.across.release(ANNA);
    await world.jobs.across.adopt(ANNA, new Map([[job, { peer: 'node-b', boot: 4 }]]));
    await world.close();
    world.executor = new FakeExecutor();
    await world.open();
    expect(world.jobs.local(job)?.reason).toBe('runs on at its former home');
    expect(world.jobs.across.elsewhere()).toMatchObject([{ account: ANNA, job, peer: 'node-b', boot: 4 }]);
    expect(world.fake.given).toEqual([]);
  });

  it('knows from the log who runs what an earlier version noted as running elsewhere', async () => {
    world.fake.slotCount = 0;
    const [started, never] = [(await world.submit('a')).job, (await world.submit('b')).job];
    const start = { id: started, attempt: 1, executor: 'node-b', startedAt: 1 };
    await world.log.append(ANNA, () => [{ type: 'job.started', payload: start }]);
    const old = [started, never].map((job, order) => ({
      ns: JOB_NAMESPACES.queue,
      key: job,
      value: JSON.stringify({ account: ANNA, job, order, epoch: 1, forgiven: 0, elsewhere: true }),
    }));
    await world.store.commit(old);
    await world.close();
    world.executor = new FakeExecutor();
    await world.open();
    await world.fake.until(1);
    expect(world.fake.given.map(({ job }) => job)).toEqual([never]);
    expect(world.jobs.across.elsewhere()).toMatchObject([{ job: started, peer: 'node-b' }]);
  });

  it('starts nothing of an earlier start before it was opened, and then only what is still at home here', async () => {
    world.fake.slotCount = 0;
    const [moved, stayed] = [(await world.submit('a')).job, (await world.submit('b', { account: BERT })).job];
    await world.close();
    world.executor = new FakeExecutor();
    world.options = { startsClosed: true };
    await world.open();
    // A drain that goes on at the next start and is called off opens nothing.
    world.jobs.stopTaking({ keepUploads: true });
    world.jobs.resumeTaking();
    await world.untilState(moved, 'queued');
    expect(world.jobs.local(moved)?.reason).toContain('this node starts no jobs at the moment');
    world.leases.set(ANNA, undefined);
    await world.jobs.across.release(ANNA);
    expect(world.fake.given).toEqual([]);
    world.jobs.open();
    await world.fake.until(1);
    expect(world.fake.given.map(({ job }) => job)).toEqual([stayed]);
  });

  it('a drain that goes on after a restart still takes nothing when the node has opened', async () => {
    await world.close();
    world.options = { startsClosed: true };
    await world.open();
    world.jobs.stopTaking();
    const { job } = await world.submit('a');
    world.jobs.open();
    expect(world.jobs.local(job)?.state).toBe('queued');
    expect(world.fake.given).toEqual([]);
  });

  it('gives its run up when another node ended the job, and keeps nothing to report', async () => {
    const { job } = await world.submit('a');
    await world.fake.until(1);
    const outcome = { ...ended(job, {}), epoch: 1 };
    await world.log.append(ANNA, () => [{ type: 'job.outcome', payload: outcome as never }]);
    await world.idle();
    expect(world.fake.runs).toEqual([]);
    expect((await world.view()).get('job', job)?.outcome).toMatchObject({ executor: 'node-b', state: 'ok' });
    expect(world.jobs.counts()).toMatchObject({ queued: 0, running: 0 });
    expect(world.jobs.undelivered).toBe(0);
    await world.close();
    await world.open();
    expect(await notes()).toEqual([]);
  });

  it('drops an outcome of its own that loses against the one in the log', async () => {
    const { job } = await world.submit('a');
    await world.fake.until(1);
    world.log.onApplied(() => world.leases.set(ANNA, undefined));
    await world.log.append(ANNA, () => {
      // It ends before the other outcome is there, and is recorded when the account is no longer at home here.
      world.fake.finish(job);
      return [{ type: 'job.outcome', payload: { ...ended(job, {}), epoch: 1 } as never }];
    });
    await world.idle();
    expect(world.jobs.undelivered).toBe(0);
    expect((await world.view()).get('job', job)?.outcome).toMatchObject({ executor: 'node-b' });
  });

  it('starts no job of an account that is at home elsewhere', async () => {
    world.fake.slotCount = 0;
    const { job } = await world.submit('a');
    world.leases.set(ANNA, undefined);
    world.fake.grow(1);
    await world.untilState(job, 'waiting');
    expect(world.fake.given).toEqual([]);
    world.leases.set(ANNA, 2);
    await world.jobs.across.adopt(ANNA);
    await world.fake.until(1);
  });

  it('a run that ends after the account has moved is reported to its home, over a restart, until acknowledged', async () => {
    const { job } = await world.submit('a');
    await world.fake.until(1);
    world.leases.set(ANNA, undefined);
    await world.jobs.across.release(ANNA);
    world.fake.finish(job, { outputs: [] });
    await world.idle();
    expect(world.jobs.undelivered).toBe(1);
    expect(await notes()).toEqual([]);
    await world.crash();
    const delivered: [string, JobOutcome][] = [];
    let acknowledge = () => {};
    const told = new Promise<void>((resolve) => {
      acknowledge = resolve;
    });
    world.deps = {
      home: {
        ...noOtherHome,
        deliver: async (account, outcome) => {
          delivered.push([account, outcome]);
          if (delivered.length < 2) throw new Error('the home is away');
          acknowledge();
        },
      },
    };
    world.executor = new FakeExecutor();
    await world.open();
    await told;
    expect(delivered[1]).toMatchObject([ANNA, { id: job, state: 'ok', epoch: 1, attempt: 1 }]);
    await world.close();
    await world.open();
    expect(world.jobs.undelivered).toBe(0);
  });

  it('an outcome from another node is taken once, with its blobs, and a late one loses', async () => {
    await world.close();
    const brought: string[] = [];
    world.deps = { bringBlob: async (_account, blob) => void brought.push(blob) };
    world.fake.slotCount = 0;
    await world.open();
    const { job } = await world.submit('a');
    const { signal } = new AbortController();
    await world.jobs.across.acceptOutcome(
      ANNA,
      ended(job, { out: { blob: 'bsomewhere', size: 3 } }, 2),
      'node-b',
      signal,
    );
    await world.jobs.across.acceptOutcome(ANNA, ended(job, {}, 2), 'node-b', signal);
    await world.jobs.across.acceptOutcome(ANNA, { ...ended(job, {}, 1), state: 'error' }, 'node-b', signal);
    expect((await world.view()).get('job', job)?.outcome).toMatchObject({ state: 'ok', attempt: 2 });
    expect(brought).toEqual(['bsomewhere']);
    await world.idle();
    await expect(world.jobs.across.acceptOutcome(ANNA, { id: job }, 'node-b', signal)).rejects.toMatchObject({
      code: 'jobs/bad-outcome',
    });
  });

  it('refuses an outcome from a node that did not run the job, and one of an epoch above its lease', async () => {
    world.fake.slotCount = 0;
    const { job } = await world.submit('a');
    const { signal } = new AbortController();
    await expect(world.jobs.across.acceptOutcome(ANNA, ended(job, {}), 'node-c', signal)).rejects.toMatchObject({
      code: 'jobs/foreign-outcome',
    });
    const later = { ...ended(job, {}), epoch: 2 };
    await expect(world.jobs.across.acceptOutcome(ANNA, later, 'node-b', signal)).rejects.toMatchObject({
      code: 'jobs/later-epoch',
    });
    expect((await world.view()).get('job', job)?.outcome).toBeUndefined();
  });
});

describe('a drain', () => {
  it('stops taking, waits for what runs, and says what still runs at its deadline', async () => {
    const { job } = await world.submit('a');
    await world.fake.until(1);
    world.jobs.stopTaking();
    const { job: later } = await world.submit('b');
    expect(world.jobs.running()).toMatchObject([{ account: ANNA, job, attempt: 1 }]);
    await expect(world.jobs.idle(AbortSignal.abort())).rejects.toMatchObject({ code: 'jobs/still-running' });
    const idle = world.jobs.idle(new AbortController().signal);
    world.fake.finish(job);
    await idle;
    expect(world.fake.given.map((spec) => spec.job)).toEqual([job]);
    world.jobs.resumeTaking();
    await world.fake.until(2);
    expect(world.fake.given[1]?.job).toBe(later);
  });

  it('still starts uploads when asked to, because their bytes are only here', async () => {
    const { job } = await world.submit('a');
    await world.fake.until(1);
    world.jobs.stopTaking({ keepUploads: true });
    await world.submit('b');
    const { job: upload } = await world.jobs.submitFetch(ANNA, {
      history: HISTORY,
      tool: '__DATA_FETCH__',
      items: [
        {
          source: { kind: 'text', text: 'mine' },
          name: 'mine',
          extension: 'txt',
          genomeBuild: '?',
          toPosixLines: false,
          spaceToTab: false,
          autoDecompress: false,
          tags: [],
        },
      ],
    });
    await world.fake.until(2);
    expect(world.fake.given.map((spec) => spec.job)).toEqual([job, upload]);
    expect(world.jobs.uploadsLeft).toBe(1);
    expect(world.jobs.running().map(({ isUpload }) => isUpload)).toEqual([false, true]);
  });

  it('a run that is given up ends without an outcome', async () => {
    const { job } = await world.submit('a');
    await world.fake.until(1);
    await world.jobs.abandon(job);
    await world.idle();
    expect((await world.view()).get('job', job)?.outcome).toBeUndefined();
    expect(await notes()).toEqual([]);
  });
});

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

function errorOutput() {
  const words = { peek: '', blurb: '', info: '', metadata: {} };
  return { name: 'out', state: 'error' as const, extension: 'txt', ...words };
}

function ended(job: string, outputs: Record<string, { blob: string; size: number }>, attempt = 1): JobOutcome {
  const content = ({ blob, size }: { blob: string; size: number }) => ({
    state: 'ok' as const,
    extension: 'txt',
    files: [{ role: 'primary' as const, path: '', blob, size }],
    size,
    peek: '',
    blurb: '',
    info: '',
    metadata: {},
  });
  return {
    id: job,
    epoch: 1,
    attempt,
    state: 'ok',
    executor: 'node-b',
    exitCode: 0,
    commandLine: '',
    stdout: '',
    stderr: '',
    startedAt: 1,
    endedAt: 2,
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, ref]) => [name, content(ref)])),
  };
}
