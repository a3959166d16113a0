import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { drainCommand } from '../../../node/drain/command.js';
import type { DrainProgress } from '../../../node/drain/report.js';
import { NODE_NAMESPACE } from '../../../node/namespaces.js';
import { drive, driveUntil, FakeHolder, HOUR_MS, type Life, NODE, smallWorld, World } from './world.js';

const lives: Life[] = [];

async function start(world: World, change: { noNetwork?: boolean } = {}): Promise<Life> {
  const life = await world.start(change);
  lives.push(life);
  return life;
}

/** The machine dies: nothing of the process goes on, and the disk keeps what it has. */
async function kill(life: Life): Promise<void> {
  lives.splice(lives.indexOf(life), 1);
  await life.stop();
}

function ask(life: Life, args: Record<string, unknown> = {}, progress: DrainProgress[] = []) {
  const command = drainCommand({ drain: life.drain, leaving: () => life.leaving, receiptPath: '/data/receipt.txt' });
  const answer = command(args, (line) => progress.push(line as DrainProgress), new AbortController().signal);
  return answer as Promise<{ text: string[]; safe: boolean; [fact: string]: unknown }>;
}

const order = (calls: string[]) => calls.map((call) => call.split(' ')[0]);

afterEach(async () => {
  for (const life of lives.splice(0)) await life.stop();
});

describe('a drain', () => {
  it('hands accounts and data over in order, keeps the receipt, and ends', async () => {
    const world = await smallWorld();
    const life = await start(world);
    const progress: DrainProgress[] = [];
    const answer = await drive(world.clock, ask(life, {}, progress));
    expect(answer.safe).toBe(true);
    expect(answer.text[0]).toBe('Everything is handed over and verified.');
    expect(answer.text.join('\n')).toContain('12 objects');
    expect(order(world.coordinator.calls)).toEqual([
      'announce',
      'rehome',
      'rehome',
      'inventory',
      'compare',
      'compare',
      'receipt',
    ]);
    expect(world.saved).toBe(world.coordinator.receipts[0]);
    expect(life.drain.state).toBe('drained');
    expect(await life.drain.done).toEqual({ safe: true });
    for (const blob of world.blobs.keys()) expect(world.coordinator.found({ kind: 'blob', id: blob })).toBe(2);
    expect(progress.map(({ step }) => step).filter((step, at, all) => all.indexOf(step) === at)).toEqual([
      'begin',
      'announce',
      'uploads',
      'accounts',
      'jobs',
      'freeze',
      'data',
      'inventory',
      'receipt',
    ]);
    expect(progress.some(({ bytesTotal, bytesDone }) => bytesTotal !== undefined && bytesDone !== undefined)).toBe(
      true,
    );
  });

  it('says what it is, step by step, in its status', async () => {
    const world = await smallWorld();
    world.jobs.list = [{ job: 'j1', isUpload: false }];
    const life = await start(world);
    expect(life.drain.status()).toMatchObject({ state: 'serving', step: null, text: [] });
    await life.drain.begin();
    await driveUntil(world.clock, () => life.drain.status().step === 'jobs');
    const status = life.drain.status();
    expect(status.steps.filter(({ done }) => done).map(({ name }) => name)).toEqual([
      'announce',
      'uploads',
      'accounts',
    ]);
    expect(status.text.join(' ')).toContain('waiting for running jobs to end');
    expect(status.text.join(' ')).toContain('1 job runs');
    expect(world.uploads.closed).toContain('leaving');
    expect(world.jobs.taking).toBe(false);
    expect([life.gate.refusal('replicas'), life.gate.refusal('entries')]).toEqual([
      expect.stringContaining('leaving'),
      undefined,
    ]);
    world.jobs.list = [];
    await drive(world.clock, life.drain.done);
    expect(life.gate.refusal('entries')).toContain('leaving');
  });

  it('stays until no page polls any more, and never longer than a minute', async () => {
    const world = await smallWorld();
    world.quiet = (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const life = await start(world);
    await drive(world.clock, ask(life));
    const before = world.clock.now();
    await drive(world.clock, life.drain.done, 1000);
    expect(world.clock.now() - before).toBeGreaterThan(55_000);
    expect(world.clock.now() - before).toBeLessThan(70_000);
  });

  it('ends at once on a node that never joined', async () => {
    const world = await smallWorld();
    const life = await start(world, { noNetwork: true });
    const command = drainCommand({ drain: life.drain, leaving: () => undefined, receiptPath: '' });
    const answer = await command({}, () => {}, new AbortController().signal);
    expect(answer).toMatchObject({ safe: true, text: [expect.stringContaining('belongs to no network')] });
    expect(await life.drain.done).toEqual({ safe: true });
    expect(world.coordinator.calls).toEqual([]);
  });

  it('is refused when too few institutions serve, and then nothing has changed', async () => {
    const world = await smallWorld();
    world.holder('b').serving = false;
    world.holder('c').serving = false;
    const life = await start(world);
    const rows = new Map(world.disk.rows);
    await expect(drive(world.clock, ask(life))).rejects.toMatchObject({
      code: 'handover/too-few-domains',
      data: { domains: 1, copies: 2 },
    });
    expect(life.drain.state).toBe('serving');
    expect(life.gate.refusal('replicas')).toBeUndefined();
    expect(world.uploads.closed).toBeUndefined();
    expect([...world.disk.rows.keys()].filter((key) => key.startsWith(NODE_NAMESPACE.drain))).toEqual([]);
    expect(rows.size).toBe(world.disk.rows.size);
  });

  it('goes with fewer copies only when the operator accepts them', async () => {
    const world = await smallWorld();
    world.holder('c').serving = false;
    world.holder('b').domain = 'the repository';
    const life = await start(world);
    await expect(drive(world.clock, ask(life))).rejects.toMatchObject({ code: 'handover/too-few-domains' });
    const answer = await drive(world.clock, ask(life, { acceptCopies: 1 }));
    expect(answer.safe).toBe(true);
  });

  it('refuses arguments that it does not understand', async () => {
    const world = await smallWorld();
    const life = await start(world);
    await expect(ask(life, { acceptCopies: 'many' })).rejects.toMatchObject({ code: 'drain/bad-arguments' });
  });
});

describe('a dry run', () => {
  it('says what would be handed over and changes nothing', async () => {
    const world = await smallWorld();
    world.paused = true;
    world.jobs.list = [{ job: 'j1', isUpload: false }];
    world.jobs.queued = 4;
    const life = await start(world);
    await life.ledger.track([...world.blobs].slice(0, 10).map(([blob, size]) => ({ blob, size })));
    await life.ledger.confirmBlobs('b', 's', ['blob-00', 'blob-01']);
    await life.ledger.confirmBlobs('c', 's', ['blob-00']);
    const rows = JSON.stringify([...world.disk.rows].map(([key, value]) => [key, Buffer.from(value).toString()]));
    const answer = await ask(life, { dryRun: true });
    expect(answer).toMatchObject({
      safe: true,
      plan: {
        possible: true,
        accounts: { home: 2, held: 1 },
        total: { blobs: 12 },
        unique: { blobs: 8 },
        lacking: { blobs: 9 },
        unknown: { blobs: 2 },
        jobs: { running: 1, queued: 4 },
        domains: 3,
        copies: 2,
      },
    });
    expect(answer.text.join('\n')).toContain('A drain can begin now.');
    expect(world.coordinator.calls).toEqual([]);
    expect(life.drain.state).toBe('serving');
    expect(JSON.stringify([...world.disk.rows].map(([key, value]) => [key, Buffer.from(value).toString()]))).toBe(rows);
  });

  it('goes by what the network wants and not by what this node has been told to keep', async () => {
    const world = await smallWorld();
    world.coordinator.wanted = 4;
    const life = await start(world);
    const answer = await ask(life, { dryRun: true });
    expect(answer.safe).toBe(false);
    expect(answer.text.join('\n')).toContain('3 other institutions or repositories serve now, 4 are needed');
    expect((await ask(life, { dryRun: true, acceptCopies: 2 })).safe).toBe(true);
    world.coordinator.isAway = true;
    expect((await ask(life, { dryRun: true })).text.join('\n')).toContain('the coordinator cannot be reached now');
  });

  it('says why a drain could not be completed', async () => {
    const world = await smallWorld();
    world.holder('b').serving = false;
    world.holder('c').serving = false;
    const life = await start(world);
    const answer = await ask(life, { dryRun: true });
    expect(answer.safe).toBe(false);
    expect(answer.text.join('\n')).toContain('1 other institution or repository serves now, 2 are needed');
    expect(answer.text.join('\n')).toContain('no other node serves');
  });
});

describe('what a drain waits for', () => {
  it('keeps serving while the coordinator is away, says so, and goes on by itself', async () => {
    const world = await smallWorld();
    const life = await start(world);
    world.coordinator.isAway = true;
    const progress: DrainProgress[] = [];
    const answer = ask(life, {}, progress);
    await driveUntil(world.clock, () => life.drain.status().waiting !== null);
    expect(life.drain.state).toBe('draining');
    expect(life.drain.status().waiting).toContain('coordinator cannot be reached');
    expect(progress.some(({ say }) => say.includes('waiting: The coordinator cannot be reached'))).toBe(true);
    expect(life.sealed.size).toBe(0);
    world.coordinator.isAway = false;
    life.drain.wake();
    expect((await drive(world.clock, answer)).safe).toBe(true);
  });

  it('gives accounts back to their users while the coordinator is away in the middle', async () => {
    const world = await smallWorld();
    const life = await start(world);
    const { coordinator } = world;
    const rehome = coordinator.rehome.bind(coordinator);
    let asked = 0;
    coordinator.rehome = async (account) => {
      asked += 1;
      if (asked === 2) coordinator.isAway = true;
      return rehome(account);
    };
    const answer = ask(life);
    await driveUntil(world.clock, () => life.drain.status().waiting !== null);
    expect([...life.sealed]).toEqual(['00000000000000a1']);
    expect(life.leases.current('00000000000000a2')).toBeDefined();
    coordinator.isAway = false;
    expect((await drive(world.clock, answer)).safe).toBe(true);
    expect(world.coordinator.homes.get('00000000000000a1')).toEqual({ home: 'b', epoch: 2 });
  });

  it('announces again to a coordinator that was started anew', async () => {
    const world = await smallWorld();
    const life = await start(world);
    world.jobs.list = [{ job: 'j1', isUpload: false }];
    const answer = ask(life);
    await driveUntil(world.clock, () => life.drain.status().step === 'jobs');
    world.coordinator.restart();
    world.jobs.list = [];
    expect((await drive(world.clock, answer)).safe).toBe(true);
    expect(order(world.coordinator.calls).filter((call) => call === 'announce').length).toBe(2);
  });

  it('tries an account again that no node could take, and lets the others go meanwhile', async () => {
    const world = await smallWorld();
    const life = await start(world);
    const { coordinator } = world;
    const rehome = coordinator.rehome.bind(coordinator);
    let refusals = 3;
    coordinator.rehome = async (account) => {
      if (account.endsWith('a1') && refusals-- > 0) {
        const { handoverErrors } = await import('../../../protocol/wire/calls/handover-errors.js');
        throw handoverErrors('no-new-home', { account });
      }
      return rehome(account);
    };
    const answer = ask(life);
    await driveUntil(world.clock, () => life.drain.status().waiting !== null);
    expect(coordinator.homes.get('00000000000000a2')?.home).toBe('b');
    expect(life.drain.status().waiting).toContain('No serving node can take over');
    expect((await drive(world.clock, answer)).safe).toBe(true);
  });

  it('goes back to copying for what the coordinator does not find, whatever the ledger says', async () => {
    const world = await smallWorld();
    world.liar = 'b';
    const life = await start(world);
    const answer = ask(life);
    await driveUntil(world.clock, () => life.drain.status().unsafe !== null);
    expect(life.drain.status().unsafe?.objects).toBeGreaterThan(0);
    expect(life.drain.status().text.join('\n')).toContain('Not safe elsewhere yet');
    world.liar = undefined;
    expect((await drive(world.clock, answer)).safe).toBe(true);
    for (const blob of world.blobs.keys()) expect(world.coordinator.found({ kind: 'blob', id: blob })).toBe(2);
  });

  it('brings the log of an account to holders when the coordinator finds too few of it', async () => {
    const world = await smallWorld();
    world.holder('b').accounts.delete('00000000000000a3');
    const life = await start(world);
    expect((await drive(world.clock, ask(life))).safe).toBe(true);
    expect(world.coordinator.found({ kind: 'account', id: '00000000000000a3' })).toBeGreaterThanOrEqual(2);
  });

  it('is content with what others have placed meanwhile', async () => {
    const world = await smallWorld();
    for (const blob of world.blobs.keys()) for (const peer of ['b', 'c']) world.holder(peer).blobs.add(blob);
    const life = await start(world);
    expect((await drive(world.clock, ask(life))).safe).toBe(true);
    expect(world.holder('repo').blobs.size).toBe(0);
  });

  it('waits when nobody has room, says what is not safe at the deadline, and goes on all the same', async () => {
    const world = await smallWorld();
    world.deadlineMs = HOUR_MS;
    world.holder('b').freeBytes = 0;
    world.holder('c').freeBytes = 0;
    const life = await start(world);
    const progress: DrainProgress[] = [];
    const answer = await drive(world.clock, ask(life, {}, progress), 5000);
    expect(answer.safe).toBe(false);
    expect(answer.text.join('\n')).toContain('12 objects to copy');
    expect(answer.text.join('\n')).toContain('The node stays and goes on draining');
    expect(life.drain.state).toBe('draining');
    expect(life.drain.status().overdue).toBe(true);
    world.holder('b').freeBytes = 1e12;
    world.holdersChanged();
    await drive(world.clock, life.drain.done);
    expect(life.drain.state).toBe('drained');
  });

  it('ends with a failure at the deadline only when that was asked for, and a restart goes on', async () => {
    const world = await smallWorld();
    world.deadlineMs = HOUR_MS;
    world.holder('b').freeBytes = 0;
    world.holder('c').freeBytes = 0;
    const life = await start(world);
    const answer = await drive(world.clock, ask(life, { abandon: true }), 5000);
    expect(answer.safe).toBe(false);
    expect(answer.text.join('\n')).toContain('Abandoned');
    expect((await life.drain.done).safe).toBe(false);
    expect(world.saved).toBeUndefined();
    await kill(life);
    world.holder('b').freeBytes = 1e12;
    const next = await start(world);
    expect(next.drain.state).toBe('draining');
    expect((await drive(world.clock, next.drain.done)).safe).toBe(true);
  });

  it('takes up the new terms of a second command', async () => {
    const world = await smallWorld();
    world.holder('b').freeBytes = 0;
    world.holder('c').freeBytes = 0;
    const life = await start(world);
    const first = ask(life);
    await driveUntil(world.clock, () => life.drain.status().step === 'data');
    const second = ask(life, { acceptCopies: 1 });
    expect((await drive(world.clock, second)).safe).toBe(true);
    expect((await first).safe).toBe(true);
  });
});

describe('a drain that is asked for again', () => {
  /** Nobody has room: it stands in the middle of its data. */
  async function midway(args: Record<string, unknown>): Promise<{ world: World; life: Life }> {
    const world = await smallWorld();
    for (const holder of ['repo', 'b', 'c']) world.holder(holder).freeBytes = 0;
    const life = await start(world);
    ask(life, args).catch(() => {});
    await driveUntil(world.clock, () => life.drain.status().step === 'data');
    return { world, life };
  }

  it('keeps its terms and its deadline at SIGTERM', async () => {
    const { world, life } = await midway({ acceptCopies: 1, abandon: true });
    const { deadlineAt } = life.drain.status();
    world.clock.advance(60_000);
    const announced = () => world.coordinator.calls.filter((call) => call === 'announce').length;
    const before = announced();
    await life.drain.ensure();
    await driveUntil(world.clock, () => life.drain.status().step === 'data');
    expect(announced()).toBe(before);
    expect(life.drain.status().deadlineAt).toBe(deadlineAt);
    const answer = await drive(world.clock, ask(life), 5000);
    // What was not given a second time stands.
    expect(answer.text.join('\n')).toContain('Abandoned');
  });

  it('keeps what it is content with when it is asked for plainly', async () => {
    const { world, life } = await midway({ acceptCopies: 1 });
    const second = ask(life);
    world.holder('b').freeBytes = 1e12;
    world.holder('c').serving = false;
    world.holder('repo').serving = false;
    world.holdersChanged();
    expect((await drive(world.clock, second)).safe).toBe(true);
  });

  it('begins at SIGTERM when there is none', async () => {
    const world = await smallWorld();
    const life = await start(world);
    await life.drain.ensure();
    expect((await drive(world.clock, life.drain.done)).safe).toBe(true);
  });
});

describe('a drain that is called off', () => {
  it('opens every door again, and accounts that left stay away', async () => {
    const world = await smallWorld();
    world.paused = true;
    world.jobs.list = [{ job: 'j1', isUpload: false }];
    const life = await start(world);
    const answer = ask(life);
    await driveUntil(world.clock, () => life.drain.status().step === 'jobs');
    expect(life.replicator.isPaused()).toBe(false);
    const off = await drive(world.clock, ask(life, { cancel: true }));
    expect(off.safe).toBe(true);
    expect((await answer).text).toEqual(['The drain was called off.']);
    expect(life.drain.state).toBe('serving');
    expect(life.gate.refusal('replicas')).toBeUndefined();
    expect(world.uploads.closed).toBeUndefined();
    expect(world.jobs.taking).toBe(true);
    expect(life.replicator.isPaused()).toBe(true);
    expect(world.coordinator.calls.at(-1)).toBe('cancel');
    expect(world.coordinator.homes.get('00000000000000a1')?.home).toBe('b');
    world.jobs.list = [];
    expect((await drive(world.clock, ask(life))).safe).toBe(true);
  });

  it('may be called off while the coordinator is away', async () => {
    const world = await smallWorld();
    const life = await start(world);
    world.coordinator.isAway = true;
    const answer = ask(life);
    await driveUntil(world.clock, () => life.drain.status().waiting !== null);
    await drive(world.clock, life.drain.cancel());
    expect(life.drain.state).toBe('serving');
    expect((await answer).safe).toBe(false);
  });

  it('cannot be called off while the receipt may have been issued', async () => {
    const world = await smallWorld();
    const life = await start(world);
    const receipt = world.coordinator.receipt.bind(world.coordinator);
    let lost = 1;
    world.coordinator.receipt = async (root) => {
      const answer = await receipt(root);
      if (lost-- > 0) {
        world.coordinator.isAway = true;
        throw new Error('the answer was lost');
      }
      return answer;
    };
    const answer = ask(life);
    await driveUntil(world.clock, () => world.coordinator.isAway && life.drain.status().waiting !== null);
    await expect(drive(world.clock, life.drain.cancel())).rejects.toMatchObject({ code: 'drain/receipt-pending' });
    world.coordinator.isAway = false;
    expect((await drive(world.clock, answer)).safe).toBe(true);
    await expect(life.drain.cancel()).rejects.toMatchObject({ code: 'drain/receipt-issued' });
    expect(world.coordinator.receipts.length).toBe(1);
  });

  it('says that there is none', async () => {
    const world = await smallWorld();
    const life = await start(world);
    await expect(life.drain.cancel()).rejects.toMatchObject({ code: 'drain/not-draining' });
  });
});

describe('the receipt', () => {
  it('counts only from this coordinator, for this node and this inventory', async () => {
    const world = await smallWorld();
    const life = await start(world);
    const receipt = world.coordinator.receipt.bind(world.coordinator);
    const forged: ((root: string) => string)[] = [
      () => world.coordinator.sign('0'.repeat(64)),
      (root) => world.coordinator.sign(root, 0, 0, 'another node'),
      (root) => `${world.coordinator.sign(root).slice(0, -4)}AAAA`,
    ];
    const problems: string[] = [];
    life.drain.onChange(() => {
      const { waiting } = life.drain.status();
      if (waiting !== null) problems.push(waiting);
    });
    world.coordinator.receipt = async (root) => {
      const make = forged.shift();
      if (make === undefined) return receipt(root);
      return make(root);
    };
    expect((await drive(world.clock, ask(life))).safe).toBe(true);
    expect(problems.join(' ')).toContain('another inventory');
    expect(problems.join(' ')).toContain('another node');
    expect(problems.join(' ')).toContain('incomplete, changed');
    expect(world.saved).toBe(world.coordinator.receipts[0]);
  });

  it('is asked for again when the answer was lost, and is the same one', async () => {
    const world = await smallWorld();
    const life = await start(world);
    const receipt = world.coordinator.receipt.bind(world.coordinator);
    let lost = 2;
    world.coordinator.receipt = async (root) => {
      const answer = await receipt(root);
      if (lost-- > 0) throw new Error('the answer was lost');
      return answer;
    };
    expect((await drive(world.clock, ask(life))).safe).toBe(true);
    expect([world.saved]).toEqual(world.coordinator.receipts);
  });

  it('is no longer valid after the next start', async () => {
    const world = await smallWorld();
    const life = await start(world);
    await drive(world.clock, ask(life));
    await kill(life);
    const next = await start(world);
    expect(next.drain.state).toBe('serving');
    expect(world.saved).toBeUndefined();
    expect(world.retired).toEqual(world.coordinator.receipts);
    expect(next.drain.status().steps.some(({ done }) => done)).toBe(false);
  });
});

describe('a drain that is killed', () => {
  it('shuts at its next start, before anybody comes in, what was shut', async () => {
    const world = await smallWorld();
    world.holder('b').freeBytes = 0;
    world.holder('c').freeBytes = 0;
    const life = await start(world);
    await life.drain.begin();
    await driveUntil(world.clock, () => life.drain.status().step === 'data');
    await kill(life);
    world.coordinator.isAway = true;
    const next = await start(world);
    expect(next.drain.state).toBe('draining');
    expect(next.gate.frozen).toBe(true);
    expect(world.uploads.closed).toContain('leaving');
    expect(world.jobs.taking).toBe(false);
    world.coordinator.isAway = false;
    world.holder('b').freeBytes = 1e12;
    expect((await drive(world.clock, next.drain.done)).safe).toBe(true);
  });

  it('goes on wherever it was, loses nothing, moves each account once, and ends with one receipt that is true', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (lifespans, withJob) => {
          const world = await smallWorld();
          if (withJob) world.jobs.list = [{ job: 'j1', isUpload: false }];
          let life = await world.start();
          await life.drain.begin();
          for (const acts of lifespans) {
            world.disk.dieAfter(acts);
            await driveUntil(world.clock, () => world.disk.isDead || life.drain.state === 'drained');
            if (!world.disk.isDead) break;
            await life.stop();
            if (withJob) world.jobs.list = [];
            life = await world.start();
            // Killed after its last write: a new life, which serves.
            if (life.drain.state === 'serving') break;
            expect(life.drain.state).toBe('draining');
          }
          const before = world.coordinator.receipts.length;
          if (life.drain.state === 'serving') expect(before).toBeGreaterThan(0);
          else {
            world.disk.revive();
            expect(await drive(world.clock, life.drain.done)).toEqual({ safe: true });
            expect(world.saved).toBe(world.coordinator.receipts.at(-1));
          }
          await life.stop();
          for (const id of ['00000000000000a1', '00000000000000a2']) {
            expect(world.coordinator.homes.get(id)).toEqual({ home: 'b', epoch: 2 });
          }
          for (const id of world.blobs.keys()) expect(world.coordinator.found({ kind: 'blob', id })).toBe(2);
          for (const id of world.accounts.keys()) {
            expect(world.coordinator.found({ kind: 'account', id })).toBeGreaterThanOrEqual(2);
          }
          // In order: the first of each comes after the first of the one before it.
          const calls = order(world.coordinator.calls);
          const first = ['announce', 'rehome', 'inventory', 'receipt'].map((call) => calls.indexOf(call));
          expect(first).toEqual([...first].sort((a, b) => a - b));
          expect(first[0]).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is the same drain for a node whose only other holders are two institutions without a repository', async () => {
    const world = await World.create([new FakeHolder('repo', 'Uppsala'), new FakeHolder('b', 'Freiburg')]);
    world.addAccount('00000000000000a1');
    world.blobs.set('blob-00', 5);
    const life = await start(world);
    expect((await drive(world.clock, ask(life))).safe).toBe(true);
    expect(world.coordinator.homes.get('00000000000000a1')?.home).not.toBe(NODE);
  });
});
