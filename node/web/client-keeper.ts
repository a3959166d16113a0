/**
 * Sees to it that the web client is there: found, or fetched in the background while the node already serves its API.
 *
 *   looking → ready
 *   looking → fetching → ready
 *                      → waiting (it failed; tried again later, less and less often) → fetching
 */
import { join } from 'node:path';
import { inBytes, inTime } from '../../protocol/runtime/amounts.js';
import {
  CLIENT_ASSET,
  type ClientProgress,
  clientFolder,
  type FetchClientOptions,
  fetchClient,
  hasClient,
  requireClient,
} from '../../protocol/runtime/client-asset.js';
import { type Clock, sleep } from '../../protocol/runtime/clock.js';
import { describeError, isDomainError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { Pace } from '../../protocol/runtime/pace.js';

export type ClientState =
  | { is: 'looking' }
  | ({ is: 'fetching' } & ClientProgress)
  | { is: 'waiting'; problem: string; nextTryMs: number }
  | { is: 'ready'; folder: string };

export interface ClientKeeperDeps {
  clock: Clock;
  log: Logger;
  /** Tests hand in their own. */
  fetch?: (options: FetchClientOptions) => Promise<{ version: string; fetched: boolean }>;
}

export interface ClientKeeperOptions {
  /** The operator's own folder: used as it is, never written. */
  folder: string | null;
  /** Where copies of our own may be, best first; the first that can be written is used. */
  own: readonly string[];
}

const FIRST_RETRY_MS = 15_000;
const RETRY_MS_MAX = 10 * 60_000;
const TELL_EVERY_MS = 3000;

export class ClientKeeper implements Part {
  private current: ClientState = { is: 'looking' };
  private readonly background: Background;
  private readonly pace = new Pace();
  private toldAt = 0;

  constructor(
    private readonly deps: ClientKeeperDeps,
    private readonly options: ClientKeeperOptions,
  ) {
    this.background = new Background({ log: deps.log });
  }

  get state(): ClientState {
    return this.current;
  }

  /** Errors: `client/incomplete` when the operator's own folder holds no client. Waits for no fetching. */
  async start(): Promise<void> {
    const { folder, own } = this.options;
    if (folder !== null) {
      await requireClient(folder);
      this.become({ is: 'ready', folder });
      return;
    }
    for (const candidate of own) {
      if (!(await hasClient(candidate))) continue;
      this.become({ is: 'ready', folder: candidate });
      return;
    }
    this.background.run('fetch the Galaxy web client', (signal) => this.fetchUntilThere(signal));
  }

  async stop(): Promise<void> {
    await this.background.stop();
  }

  private async fetchUntilThere(signal: AbortSignal): Promise<void> {
    for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)) {
      try {
        this.deps.log.info({ version: CLIENT_ASSET.version }, 'fetching the Galaxy web client');
        this.become({ is: 'ready', folder: await this.fetchOnce(signal) });
        this.deps.log.info({ version: CLIENT_ASSET.version }, 'the Galaxy web client is ready');
        return;
      } catch (error) {
        signal.throwIfAborted();
        const problem = describeError(error);
        this.deps.log.warn({ reason: problem, retryMs }, 'the Galaxy web client could not be fetched');
        this.become({ is: 'waiting', problem, nextTryMs: retryMs });
        await sleep(this.deps.clock, retryMs, signal);
      }
    }
  }

  private async fetchOnce(signal: AbortSignal): Promise<string> {
    const fetch = this.deps.fetch ?? fetchClient;
    let unwritable: unknown;
    for (const folder of this.options.own) {
      try {
        await fetch({ folder, signal, onProgress: (progress) => this.onProgress(progress) });
        return folder;
      } catch (error) {
        // A package installed by another user; the data folder is ours.
        if (!isDomainError(error, 'client/unwritable')) throw error;
        unwritable = error;
      }
    }
    throw unwritable;
  }

  /** Into the log now and then, with rate and estimate; npm itself does not say how far it is. */
  private onProgress(progress: ClientProgress): void {
    const isNewStep = this.current.is !== 'fetching' || this.current.step !== progress.step;
    this.become({ is: 'fetching', ...progress });
    if (progress.step !== 'unpack') return;
    const now = this.deps.clock.monotonic();
    this.pace.record(now, progress.bytes);
    if (!isNewStep && now - this.toldAt < TELL_EVERY_MS) return;
    this.toldAt = now;
    const { bytes, bytesTotal } = progress;
    const rate = this.pace.perSecond();
    this.deps.log.info(
      {
        done: bytesTotal > 0 ? `${inBytes(bytes)} of ${inBytes(bytesTotal)}` : inBytes(bytes),
        ...(rate === undefined ? {} : { rate: `${inBytes(rate)}/s` }),
        ...(rate === undefined || bytesTotal <= bytes ? {} : { left: inTime(((bytesTotal - bytes) * 1000) / rate) }),
      },
      'unpacking the Galaxy web client',
    );
  }

  private become(state: ClientState): void {
    this.current = state;
  }
}

/** The package's copy, which `npm ci` fetched and every node of this machine shares; else one in the data folder. */
export function ownClientFolders(dataFolder: string): string[] {
  return [clientFolder(), join(dataFolder, 'galaxy-client', CLIENT_ASSET.version)];
}
