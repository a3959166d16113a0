/**
 * How long from submitting a job until a handler has started it, and how many jobs a second are accepted (fsynced).
 *
 * `local` is the product as it is: real store, log, queue and handler process. The polling cases are the same but for
 * one thing: the dispatcher learns of new jobs only when a timer of 0.5 or 1 s has read the queue in the store, as
 * Galaxy's handlers read their database.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HANDLER_DEFAULTS, HandlerPool } from '../../node/jobs/handler-pool.js';
import type { Submission } from '../../node/jobs/job.js';
import { JOB_DEFAULTS, JobManager } from '../../node/jobs/manager.js';
import { JOB_NAMESPACES } from '../../node/jobs/namespaces.js';
import { noOtherHome } from '../../node/jobs/outbox.js';
import type { Executor, RunEvents, RunSpec } from '../../node/jobs/run-spec.js';
import type { Tool, Toolbox } from '../../node/toolbox/tool.js';
import { openBlobStore } from '../../protocol/blobs/blob-store.js';
import type { LeaseSource } from '../../protocol/log/account-log.js';
import { createSegmentTrust } from '../../protocol/log/segment-trust.js';
import { openAccountLog } from '../../protocol/log/store-account-log.js';
import { sleep, systemClock } from '../../protocol/runtime/clock.js';
import { silentLogger } from '../../protocol/runtime/logger.js';
import { systemRandom } from '../../protocol/runtime/random.js';
import { openStore, type Store } from '../../protocol/runtime/store.js';
import { NodeKey } from '../../protocol/trust/identity.js';
import { issueLease } from '../../protocol/trust/lease.js';
import { derivedId } from '../../protocol/wire/ids.js';
import { Figures, percentile, type Row } from './rows.js';

export interface DispatchOptions {
  /** Each figure is the median of this many runs. */
  runs?: number;
  /** Jobs whose latency is measured per run: pushed, and polled (each of which takes up to a second). */
  samples?: number;
  pollingSamples?: number;
  acceptedJobs?: number;
  /** The handlers' script; by default the built one. */
  handlerEntry?: string;
}

interface Case {
  name: string;
  pollMs: number | undefined;
  samples: number;
  /** Between two submissions; beside no multiple of the polling interval, so that every phase of it is met. */
  gapMs: number;
}

const ACCOUNT = '00000000000000a1';
const HISTORY = '00000000000000b1';
const WARM_UP = 10;

export async function benchDispatch(options: DispatchOptions = {}): Promise<Row[]> {
  const { runs = 3, samples = 300, pollingSamples = 29, acceptedJobs = 10_000 } = options;
  const cases: Case[] = [
    { name: 'local', pollMs: undefined, samples, gapMs: 5 },
    { name: 'polling-500ms', pollMs: 500, samples: pollingSamples, gapMs: 137 },
    { name: 'polling-1s', pollMs: 1000, samples: pollingSamples, gapMs: 137 },
  ];
  const figures = new Figures();
  const note = (name: string, metric: string, unit: string, value: number) =>
    figures.add({ case: name, metric, value, unit });
  for (let run = 0; run < runs; run++) {
    for (const it of cases) {
      const latencies = await withJobs(it, options, (bench) => measureLatency(bench, it));
      note(it.name, 'p50', 'ms', percentile(latencies, 0.5));
      note(it.name, 'p99', 'ms', percentile(latencies, 0.99));
      const acceptedMs = await withJobs(it, options, (bench) => measureAcceptance(bench, acceptedJobs));
      note(it.name, 'rate', '1/s', acceptedJobs / (acceptedMs / 1000));
    }
  }
  return figures.medians();
}

interface Bench {
  jobs: JobManager;
  /** Resolves with the time at which the job had been started. */
  started(job: string): Promise<number>;
}

async function measureLatency(bench: Bench, { samples, gapMs }: Case): Promise<number[]> {
  const waiting: Promise<number>[] = [];
  for (let count = 0; count < samples + WARM_UP; count++) {
    const from = systemClock.monotonic();
    const [submitted] = await bench.jobs.submit(ACCOUNT, [trivialJob()]);
    waiting.push(bench.started(submitted?.job ?? '').then((at) => at - from));
    // One job at a time where nothing waits for a timer: the latency of an idle node.
    if (gapMs < 100) await waiting.at(-1);
    await sleep(systemClock, gapMs);
  }
  const latencies = await Promise.all(waiting);
  return latencies.slice(WARM_UP);
}

async function measureAcceptance(bench: Bench, count: number): Promise<number> {
  bench.jobs.stopTaking();
  const submissions = Array.from({ length: count }, trivialJob);
  const from = systemClock.monotonic();
  await bench.jobs.submit(ACCOUNT, submissions);
  return systemClock.monotonic() - from;
}

async function withJobs<T>(it: Case, options: DispatchOptions, measure: (bench: Bench) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'galaxy-bench-dispatch-'));
  const clock = systemClock;
  const random = systemRandom;
  const log = silentLogger;
  const key = await NodeKey.generate();
  const token = issueLease(key, { account: ACCOUNT, epoch: 0, node: key.peerId }, clock.now());
  const leases: LeaseSource = { current: (account) => ({ account, epoch: 0, token }) };
  const storeFolder = join(folder, 'store');
  const store = await openStore(storeFolder);
  const trust = createSegmentTrust({ signer: key, coordinator: () => undefined });
  const accountLog = await openAccountLog({ store, clock, random, log, leases, trust }, { folder: storeFolder });
  const blobs = await openBlobStore(
    { store, clock, random, log },
    { folder: join(folder, 'blobs'), minFreeBytes: 0, capacityBytes: null },
  );
  const entry = options.handlerEntry;
  const pool = new HandlerPool(
    { clock, log },
    { ...HANDLER_DEFAULTS, handlers: 1, slots: 32, logLevel: 'silent', ...(entry === undefined ? {} : { entry }) },
  );
  const polling = it.pollMs === undefined ? undefined : new PollingExecutor(pool, store, it.pollMs);
  let lastId = 0;
  const jobs = new JobManager(
    {
      log: accountLog,
      store,
      leases,
      blobs,
      toolbox: new TrivialToolbox(),
      tables: { table: () => undefined },
      executor: polling ?? pool,
      home: noOtherHome,
      bringBlob: () => Promise.reject(new Error('there is no other node')),
      clock,
      logger: log,
      ids: { next: () => (++lastId).toString(16).padStart(16, '0') },
      derivedId,
    },
    {
      ...JOB_DEFAULTS,
      dataFolder: folder,
      peerId: key.peerId,
      queueMax: 1_000_000,
      memoryMbPerJob: 512,
      fetchBytesMax: 2 ** 30,
    },
  );
  const startedAt = new Map<string, number>();
  const waiting = new Map<string, (at: number) => void>();
  jobs.onChange(({ job, state }) => {
    if (state !== 'running' || startedAt.has(job)) return;
    const at = clock.monotonic();
    startedAt.set(job, at);
    waiting.get(job)?.(at);
  });
  const started = (job: string) =>
    new Promise<number>((resolve) => {
      const at = startedAt.get(job);
      if (at === undefined) waiting.set(job, resolve);
      else resolve(at);
    });
  try {
    await pool.start();
    await jobs.start();
    polling?.start();
    return await measure({ jobs, started });
  } finally {
    await polling?.stop();
    await jobs.stop();
    await pool.stop();
    await blobs.stop?.();
    await accountLog.stop?.();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Lets the dispatcher see free slots only in the moment after a timer has read the queue from the store. */
class PollingExecutor implements Executor {
  private readonly listeners = new Set<() => void>();
  private readonly seen = new Set<string>();
  private open = false;
  private stopTimer: () => void = () => {};
  private reading: Promise<void> | undefined;

  constructor(
    private readonly inner: HandlerPool,
    private readonly store: Store,
    private readonly pollMs: number,
  ) {}

  start(): void {
    this.stopTimer = systemClock.every(this.pollMs, () => {
      this.reading ??= this.poll().finally(() => {
        this.reading = undefined;
      });
    });
  }

  async stop(): Promise<void> {
    this.stopTimer();
    await this.reading;
  }

  slots(): number {
    return this.inner.slots();
  }

  free(): number {
    return this.open ? this.inner.free() : 0;
  }

  run(spec: RunSpec, events: RunEvents): boolean {
    return this.inner.run(spec, events);
  }

  cancel(job: string, attempt: number): void {
    this.inner.cancel(job, attempt);
  }

  onFree(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private async poll(): Promise<void> {
    let isNew = false;
    for await (const [job] of this.store.iterate(JOB_NAMESPACES.queue)) {
      if (!this.seen.has(job)) isNew = true;
      this.seen.add(job);
    }
    if (!isNew) return;
    this.open = true;
    for (const listener of this.listeners) listener();
    this.open = false;
  }
}

class TrivialToolbox implements Pick<Toolbox, 'tool' | 'plan' | 'prepare'> {
  tool(id: string): Tool | undefined {
    return { id, version: '1' } as Tool;
  }

  plan() {
    return [];
  }

  prepare() {
    return { script: ':', configFiles: [], environment: {}, failureRules: [] };
  }
}

function trivialJob(): Submission {
  const output = { name: 'out', label: 'nothing', extension: 'txt', hidden: false };
  return { tool: 'nothing', toolVersion: '1', history: HISTORY, state: {}, inputs: {}, outputs: [output] };
}
