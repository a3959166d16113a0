/**
 * Tells the DHT which accounts are at home here and which large blobs are. Records live in the memory of other nodes and for a day: they are given anew
 * after each start, when somebody connects who may have forgotten them or never had them, and twice a day. Small blobs
 * have none: asking the few likely holders is faster than the DHT.
 */
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { type Clock, sleep, startDeadline } from '../../protocol/runtime/clock.js';
import type { Host } from '../../protocol/runtime/host.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import { Wakeup } from '../replication/wakeup.js';

const PROVIDE_MS = 20_000;
const PROVIDED_AT_ONCE = 4;
const EVERY_MS = 12 * 3600 * 1000;
/** Nodes come in crowds: one round for all of them. */
const SETTLE_MS = 2000;
/** New blobs that wait; past it the whole list is gone through instead. */
const WAITING_MAX = 10_000;

/** Under which name the home of an account is found. */
export function accountKey(account: string): string {
  return `account/${account}`;
}

export interface ProvidingDeps {
  host: Pick<Host, 'provide' | 'onPeer'>;
  blobs: Pick<BlobStore, 'list' | 'onAdded'>;
  /** Accounts at home here. */
  homed: () => Iterable<string>;
  clock: Clock;
  log: Logger;
}

export class Providing implements Part {
  private readonly background: Background;
  private readonly wakeup: Wakeup;
  private readonly fresh = new Set<string>();
  private isAllDue = true;
  private readonly releases: (() => void)[] = [];

  constructor(
    private readonly deps: ProvidingDeps,
    private readonly options: { bytesMin: number },
  ) {
    this.background = new Background({ log: deps.log });
    this.wakeup = new Wakeup(deps.clock);
  }

  async start(): Promise<void> {
    const { host, blobs, clock } = this.deps;
    const all = () => {
      this.isAllDue = true;
      this.wakeup.wake();
    };
    this.releases.push(
      host.onPeer(({ connected }) => {
        if (connected) all();
      }),
      blobs.onAdded(({ blob, size }) => {
        if (size < this.options.bytesMin) return;
        this.fresh.add(blob);
        if (this.fresh.size <= WAITING_MAX) return this.wakeup.wake();
        this.fresh.clear();
        all();
      }),
      clock.every(EVERY_MS, all),
    );
    this.background.run('provide large blobs', (signal) => this.provideAll(signal));
  }

  async stop(): Promise<void> {
    for (const release of this.releases.splice(0)) release();
    await this.background.stop();
  }

  private async provideAll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const blob of [...this.fresh]) {
        this.fresh.delete(blob);
        await this.provide(blob, signal);
      }
      if (!this.isAllDue) {
        await this.wakeup.wait(signal);
        continue;
      }
      await sleep(this.deps.clock, SETTLE_MS, signal).catch(() => {});
      this.isAllDue = false;
      await this.round(signal);
    }
  }

  private async round(signal: AbortSignal): Promise<void> {
    const running = new Set<Promise<void>>();
    for await (const key of this.keys()) {
      if (signal.aborted) break;
      const one: Promise<void> = this.provide(key, signal).finally(() => running.delete(one));
      running.add(one);
      if (running.size >= PROVIDED_AT_ONCE) await Promise.race(running);
    }
    await Promise.all(running);
  }

  /** Accounts at home here, then large blobs. */
  private async *keys(): AsyncIterable<string> {
    for (const account of this.deps.homed()) yield accountKey(account);
    for await (const { blob, size } of this.deps.blobs.list()) if (size >= this.options.bytesMin) yield blob;
  }

  private async provide(key: string, signal: AbortSignal): Promise<void> {
    const limit = startDeadline(this.deps.clock, PROVIDE_MS, signal);
    try {
      await this.deps.host.provide(key, limit.signal);
    } catch (error) {
      if (!signal.aborted) this.deps.log.debug({ key, err: error }, 'a provider record could not be published');
    } finally {
      limit.cancel();
    }
  }
}
