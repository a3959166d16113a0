/** A node's job side on real parts (store, log, blobs) in a temporary folder, with an executor of the test's choice. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobState, Submission } from '../../../node/jobs/job.js';
import { JOB_DEFAULTS, JobManager, type JobManagerDeps, type JobManagerOptions } from '../../../node/jobs/manager.js';
import { noOtherHome } from '../../../node/jobs/outbox.js';
import type { JobOutcome } from '../../../protocol/account/entries.js';
import type { AccountView } from '../../../protocol/account/records.js';
import { contentOf } from '../../../protocol/account/records.js';
import type { BlobStore } from '../../../protocol/blobs/blob.js';
import { openBlobStore } from '../../../protocol/blobs/blob-store.js';
import type { AccountLog } from '../../../protocol/log/account-log.js';
import { openAccountLog } from '../../../protocol/log/store-account-log.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { openStore, type Store } from '../../../protocol/runtime/store.js';
import { derivedId } from '../../../protocol/wire/ids.js';
import { fakeTrust } from '../log/fixture.js';
import { FakeExecutor, FakeLeases, FakeToolbox } from './fakes.js';

export const ANNA = '00000000000000a1';
export const BERT = '00000000000000a2';
export const HISTORY = '00000000000000b1';

let lastId = 0x1000;

export class World {
  readonly leases: FakeLeases;
  readonly toolbox = new FakeToolbox();
  store!: Store;
  log!: AccountLog;
  blobs!: BlobStore;
  jobs!: JobManager;
  executor: JobManagerDeps['executor'] = new FakeExecutor();
  readonly changes: { account: string; job: string; state: JobState }[] = [];
  private readonly waiting = new Set<() => void>();
  deps: Partial<JobManagerDeps> = {};
  options: Partial<JobManagerOptions> = {};

  private constructor(
    readonly folder: string,
    readonly node: string,
  ) {
    this.leases = new FakeLeases(node);
    this.leases.set(ANNA, 1);
    this.leases.set(BERT, 1);
  }

  static async create(node = 'node-a'): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), 'galaxy-jobs-')), node);
    worlds.push(world);
    return world;
  }

  get fake(): FakeExecutor {
    return this.executor as FakeExecutor;
  }

  /** Opens (again) everything but the executor. */
  async open(): Promise<this> {
    const { node, leases } = this;
    const storeFolder = join(this.folder, 'store');
    this.store = await openStore(storeFolder);
    this.log = await openAccountLog(
      {
        store: this.store,
        clock: systemClock,
        random: systemRandom,
        log: silentLogger,
        leases,
        trust: fakeTrust(node),
      },
      { folder: storeFolder },
    );
    this.blobs = await openBlobStore(
      { store: this.store, clock: systemClock, random: systemRandom, log: silentLogger },
      { folder: join(this.folder, 'blobs'), minFreeBytes: 1000, capacityBytes: null },
    );
    this.jobs = new JobManager(
      {
        log: this.log,
        store: this.store,
        leases,
        blobs: this.blobs,
        toolbox: this.toolbox,
        tables: { table: () => undefined },
        executor: this.executor,
        home: noOtherHome,
        bringBlob: () => Promise.reject(new Error('there is no other node')),
        clock: systemClock,
        logger: silentLogger,
        ids: { next: nextId },
        derivedId,
        ...this.deps,
      },
      {
        ...JOB_DEFAULTS,
        dataFolder: this.folder,
        peerId: node,
        queueMax: 100_000,
        memoryMbPerJob: 1024,
        fetchBytesMax: 2 ** 30,
        retryMs: 5,
        retryMaxMs: 20,
        ...this.options,
      },
    );
    this.jobs.onChange((change) => {
      this.changes.push(change);
      this.check();
    });
    this.log.onApplied(() => this.check());
    await this.jobs.start();
    return this;
  }

  async close(): Promise<void> {
    await this.jobs.stop();
    await this.closeStores();
  }

  /** As a process that dies: what the manager does afterwards reaches nothing. */
  async crash(): Promise<void> {
    await this.closeStores();
    await this.jobs.stop().catch(() => {});
  }

  private async closeStores(): Promise<void> {
    await this.blobs.stop?.();
    await this.log.stop?.();
    await this.store.close();
  }

  view(account = ANNA): Promise<AccountView> {
    return this.log.view(account);
  }

  async submit(script: string, options: SubmitOptions = {}): Promise<{ job: string; output: string }> {
    const [submitted] = await this.jobs.submit(options.account ?? ANNA, [submission(script, options)]);
    if (submitted === undefined) throw new Error('nothing was submitted');
    return { job: submitted.job, output: submitted.outputs.out ?? '' };
  }

  /** Resolves with the outcome. */
  async ended(job: string, account = ANNA): Promise<Omit<JobOutcome, 'id'>> {
    return this.until(async () => (await this.view(account)).get('job', job)?.outcome);
  }

  /** The bytes of a dataset that has content. */
  async bytes(dataset: string, account = ANNA): Promise<Buffer> {
    const view = await this.view(account);
    const record = view.get('dataset', dataset);
    const blob = record && contentOf(view, record)?.files[0]?.blob;
    if (blob === undefined) throw new Error(`dataset ${dataset} has no content`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.blobs.read(blob)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** Asks again whenever a job or the log changed. */
  until<T>(ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => {
        Promise.resolve(ask()).then((found) => {
          if (found === undefined) return;
          this.waiting.delete(check);
          resolve(found);
        }, reject);
      };
      this.waiting.add(check);
      check();
    });
  }

  /** Nothing runs, and every outcome is durable. */
  idle(): Promise<void> {
    return this.jobs.idle(new AbortController().signal);
  }

  untilState(job: string, state: string): Promise<true> {
    return this.until(() => (this.jobs.local(job)?.state === state ? true : undefined));
  }

  /** Something that no event tells of may have changed. */
  poke(): void {
    this.check();
  }

  private check(): void {
    for (const listener of [...this.waiting]) listener();
  }
}

export interface SubmitOptions {
  account?: string;
  input?: string;
  extension?: string;
  outputs?: string[];
}

export function submission(script: string, options: SubmitOptions = {}): Submission {
  return {
    tool: 'sh',
    toolVersion: '1',
    history: HISTORY,
    state: { script },
    inputs: options.input ? { input: [{ kind: 'dataset', id: options.input }] } : {},
    outputs: (options.outputs ?? ['out']).map((name) => ({
      name,
      label: `sh: ${name}`,
      extension: options.extension ?? 'txt',
      hidden: false,
    })),
  };
}

export function nextId(): string {
  lastId += 1;
  return lastId.toString(16).padStart(16, '0');
}

const worlds: World[] = [];

export async function removeWorlds(): Promise<void> {
  for (const world of worlds.splice(0)) {
    await world.close().catch(() => {});
    await rm(world.folder, { recursive: true, force: true });
  }
}
