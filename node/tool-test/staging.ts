/**
 * Brings a test's files into the node as a user would, by upload, once each however many tests read them; waits for jobs
 * by their events and never looks at a clock for that.
 */

import { constants } from 'node:fs';
import { copyFile, mkdir, open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { AccountView } from '../../protocol/account/records.js';
import { contentOf } from '../../protocol/account/records.js';
import type { AccountLog } from '../../protocol/log/account-log.js';
import type { Collections } from '../datasets/collections.js';
import type { Datasets } from '../datasets/datasets.js';
import type { NewElement } from '../datasets/new-collection.js';
import { type JobService, TERMINAL } from '../jobs/job.js';
import type { TestData } from './test-data.js';
import type { WantedCollection, WantedFile } from './test-inputs.js';

/** Why a test cannot be run with what is there. */
export class StagingFault extends Error {
  constructor(
    message: string,
    readonly kind: 'problem' | 'not-run',
  ) {
    super(message);
  }
}

export interface StagingDeps {
  jobs: Pick<JobService, 'submitFetch' | 'onChange'>;
  log: Pick<AccountLog, 'view'>;
  datasets: Pick<Datasets, 'update'>;
  collections: Pick<Collections, 'create'>;
}

export class Staging {
  private readonly uploads = new Map<string, Promise<string>>();
  private copies = 0;
  private readonly ended: JobEnds;

  constructor(
    private readonly deps: StagingDeps,
    private readonly options: { account: string; history: string; folder: string },
  ) {
    this.ended = new JobEnds(deps, options.account);
  }

  close(): void {
    this.ended.close();
  }

  view(): Promise<AccountView> {
    return this.deps.log.view(this.options.account);
  }

  whenEnded(job: string, signal: AbortSignal): Promise<void> {
    return this.ended.when(job, signal);
  }

  /** The dataset's id. */
  async file(wanted: WantedFile, data: TestData, signal: AbortSignal): Promise<string> {
    const path = data.find(wanted.file);
    if (path === undefined) {
      if (wanted.location !== undefined) {
        throw new StagingFault(
          `the file ${wanted.file} is remote (location=), and nothing is fetched for a test`,
          'not-run',
        );
      }
      const places = data.places.length > 0 ? `looked in ${data.places.join(', ')}` : 'no test-data folder was found';
      throw new StagingFault(`test-data has no file ${wanted.file} (${places})`, 'problem');
    }
    const key = JSON.stringify([path, wanted]);
    let uploading = this.uploads.get(key);
    if (uploading === undefined) {
      uploading = this.upload(path, wanted, signal);
      this.uploads.set(key, uploading);
      uploading.catch(() => this.uploads.delete(key));
    }
    return uploading;
  }

  /** The collection's id. */
  async collection(wanted: WantedCollection, data: TestData, signal: AbortSignal): Promise<string> {
    const elements = await this.elements(wanted, data, signal);
    const { account, history } = this.options;
    const made = await this.deps.collections.create(account, {
      history,
      name: wanted.name,
      type: wanted.type,
      elements,
      copyElements: false,
      hideSource: false,
    });
    return made.id;
  }

  private elements(wanted: WantedCollection, data: TestData, signal: AbortSignal): Promise<NewElement[]> {
    return Promise.all(
      wanted.elements.map(async ({ identifier, file, collection }): Promise<NewElement> => {
        if (collection) return { identifier, elements: await this.elements(collection, data, signal) };
        return { identifier, dataset: await this.file(file as WantedFile, data, signal) };
      }),
    );
  }

  private async upload(path: string, wanted: WantedFile, signal: AbortSignal): Promise<string> {
    const { account, history, folder } = this.options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    this.copies += 1;
    // The upload takes its file away, and it is the wrapper's.
    const copy = join(folder, `${this.copies}-${basename(path)}`);
    await copyFile(path, copy, constants.COPYFILE_FICLONE);
    const { job, outputs } = await this.deps.jobs.submitFetch(account, {
      history,
      tool: '__DATA_FETCH__',
      items: [
        {
          name: wanted.name,
          extension: wanted.ftype ?? 'auto',
          genomeBuild: wanted.dbkey ?? '?',
          toPosixLines: true,
          spaceToTab: false,
          autoDecompress: await isGzip(path),
          tags: wanted.tags,
          source: { kind: 'file', path: copy },
        },
      ],
    });
    await this.whenEnded(job, signal);
    const id = Object.values(outputs)[0] as string;
    const view = await this.view();
    const dataset = view.get('dataset', id);
    const content = dataset && contentOf(view, dataset);
    if (content === undefined || content.state === 'error') {
      throw new StagingFault(
        `${wanted.file} could not be uploaded: ${content?.info ?? 'its job gave nothing'}`,
        'problem',
      );
    }
    const info = wanted.edits.find(({ type }) => type === 'info')?.value;
    if (Object.keys(wanted.metadata).length > 0 || info !== undefined) {
      await this.deps.datasets.update(account, id, {
        ...(info === undefined ? {} : { info }),
        metadata: { ...wanted.metadata },
      });
    }
    return id;
  }
}

/** Which jobs have ended: those of one account, from the events. */
class JobEnds {
  private readonly waiting = new Map<string, Set<() => void>>();
  private readonly off: () => void;

  constructor(
    private readonly deps: Pick<StagingDeps, 'jobs' | 'log'>,
    private readonly account: string,
  ) {
    this.off = deps.jobs.onChange(({ account: whose, job, state }) => {
      if (whose !== account || !(TERMINAL.has(state) || state === 'paused')) return;
      for (const tell of this.waiting.get(job) ?? []) tell();
      this.waiting.delete(job);
    });
  }

  close(): void {
    this.off();
  }

  /** Rejects with the signal's reason. */
  async when(job: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let onAbort = () => {};
    const told = new Promise<void>((resolve, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      const waiting = this.waiting.get(job) ?? new Set();
      this.waiting.set(job, waiting.add(resolve));
    });
    told.catch(() => {});
    try {
      // It may have ended before anybody listened.
      const view = await this.deps.log.view(this.account);
      if (view.get('job', job)?.outcome === undefined) await told;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}

async function isGzip(path: string): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await handle.close();
  }
}
