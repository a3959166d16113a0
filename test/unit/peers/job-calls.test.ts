import { afterEach, describe, expect, it } from 'vitest';
import type { ElsewhereJob, JobWord } from '../../../node/jobs/elsewhere.js';
import { jobErrors } from '../../../node/jobs/errors.js';
import { JobCalls } from '../../../node/peers/job-calls.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { Hosts } from '../host/fixture.js';

const ANNA = '00000000000000a1';
const BERT = '00000000000000a2';
const [FIRST, SECOND, THIRD] = ['00000000000000c1', '00000000000000c2', '00000000000000c3'];
const hosts = new Hosts();

afterEach(() => hosts.stop());

/** Two nodes that are connected; the home notes what it hears. */
async function nodes() {
  const [home, executor] = [await hosts.start(), await hosts.start()];
  await executor.connect(home.peerId, home.addresses(), AbortSignal.timeout(10_000));
  const heard: string[][] = [];
  const known = new Map<string, JobWord>([
    [`${ANNA}/${FIRST}`, 'running'],
    [`${BERT}/${SECOND}`, 'finished'],
  ]);
  const across = {
    acceptOutcome: async () => {},
    acceptGaveUp: async (...word: string[]) => {
      heard.push(word);
      if (word[0] === BERT) throw jobErrors('not-home', { job: word[1] ?? '' });
    },
    wordsOn: async (account: string, jobs: readonly string[]) =>
      new Map(jobs.map((job) => [job, known.get(`${account}/${job}`) ?? ('unknown' as const)])),
  };
  let homeOf: string | undefined = home.peerId;
  const calls = (host: typeof home) =>
    new JobCalls({ host, across, homeOf: async () => homeOf, clock: systemClock, log: silentLogger });
  await calls(home).serve();
  await calls(executor).serve();
  return { home, executor, calls, heard, setHome: (peer: string | undefined) => (homeOf = peer) };
}

const item = (account: string, job: string, peer: string): ElsewhereJob => ({
  account,
  job,
  peer,
  boot: undefined,
  isUpload: false,
});

describe('words between nodes about jobs', () => {
  it('a job that was given up is told to the home, with who says so, and in one printable line', async () => {
    const { executor, calls, heard } = await nodes();
    await calls(executor).gaveUp(ANNA, FIRST as string, 'its handler\n\u001b[31mdied', AbortSignal.timeout(10_000));
    expect(heard).toEqual([[ANNA, FIRST, executor.peerId, 'its handler [31mdied']]);
  });

  it('a refusal comes back as such, and a home that nobody knows is an error', async () => {
    const { executor, calls, setHome } = await nodes();
    const told = () => calls(executor).gaveUp(BERT, SECOND as string, 'left', AbortSignal.timeout(10_000));
    await expect(told()).rejects.toMatchObject({ code: 'jobs/not-home' });
    setHome(undefined);
    await expect(told()).rejects.toThrow(/is not known/);
  });

  it('the home asks about jobs of several accounts at once, and is answered about each', async () => {
    const { home, executor, calls } = await nodes();
    const asked = [
      item(ANNA, FIRST as string, executor.peerId),
      item(BERT, SECOND as string, executor.peerId),
      // Of another account than it is: that is not known.
      item(BERT, FIRST as string, executor.peerId),
      item(ANNA, THIRD as string, executor.peerId),
    ];
    const first = await calls(home).ask(executor.peerId, asked.slice(0, 2), AbortSignal.timeout(10_000));
    expect([...first]).toEqual([
      [FIRST, 'running'],
      [SECOND, 'finished'],
    ]);
    const second = await calls(home).ask(executor.peerId, asked.slice(2), AbortSignal.timeout(10_000));
    expect([...second.values()]).toEqual(['unknown', 'unknown']);
    expect((await calls(home).ask(executor.peerId, [], AbortSignal.timeout(10_000))).size).toBe(0);
  });
});
