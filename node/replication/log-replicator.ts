/**
 * Sends this node's journals to the repository and to two log partners. One loop per partner, woken by appends; a
 * confirmation is one integer per writer and holder: the highest contiguous journal position that is fsynced there.
 * Logs are small and come first: no bandwidth cap and no hours hold for them.
 */
import type { AccountLog, SegmentRun } from '../../protocol/log/account-log.js';
import { type SegmentKey, segmentKeyText } from '../../protocol/log/entry.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import { deadline } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Random } from '../../protocol/runtime/random.js';
import { LIMITS } from '../../protocol/wire/limits.js';
import type { Holders, LogLane, LogPush } from './holders.js';
import type { Ledger } from './ledger.js';
import { place } from './placement.js';
import { backoffMs, Wakeup } from './wakeup.js';

export interface LogReplicatorOptions {
  peerId: string;
  domain: string;
  /** Partners besides the repository. */
  partners: number;
  maySendTo: readonly string[] | null;
  paused: boolean;
}

const ITEMS_PER_PUSH = 512;
const BYTES_PER_PUSH = LIMITS.log.messageBytesMax / 4;

interface Worker {
  wakeup: Wakeup;
  controller: AbortController;
}

export class LogReplicator implements Part {
  private readonly background: Background;
  private readonly workers = new Map<string, Worker>();
  private readonly releases: (() => void)[] = [];
  private paused: boolean;

  constructor(
    private readonly deps: {
      log: AccountLog;
      ledger: Ledger;
      lane: LogLane;
      holders: Holders;
      clock: Clock;
      random: Random;
      logger: Logger;
    },
    private readonly options: LogReplicatorOptions,
  ) {
    this.background = new Background({ log: deps.logger });
    this.paused = options.paused;
  }

  async start(): Promise<void> {
    this.releases.push(
      this.deps.log.onApplied(({ own }) => {
        if (own) this.wakeAll();
      }),
      this.deps.holders.onChange(() => this.assign()),
    );
    this.assign();
  }

  async stop(): Promise<void> {
    for (const release of this.releases.splice(0)) release();
    for (const worker of this.workers.values()) worker.controller.abort(new Error('stopping'));
    await this.background.stop();
  }

  /** With `replication.paused` entries wait here as bytes do; what was sent stays confirmed. */
  setPaused(paused: boolean): void {
    this.paused = paused;
    this.wakeAll();
  }

  partners(): string[] {
    return [...this.workers.keys()];
  }

  /** Sends at once what waits, for instance when an account is sealed. */
  wakeAll(): void {
    for (const worker of this.workers.values()) worker.wakeup.wake();
  }

  /** Resolves when every partner has confirmed everything written up to now; rejects with the signal's reason. */
  async flushed(signal: AbortSignal): Promise<void> {
    const wanted = await this.deps.log.writers();
    const isFlushed = () =>
      this.partners().length > 0 &&
      this.partners().every((peer) =>
        wanted.every(({ writer, last }) => (this.deps.ledger.logConfirmation(writer, peer)?.position ?? 0) >= last),
      );
    this.wakeAll();
    if (isFlushed()) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (act: () => void) => {
        for (const release of releases) release();
        signal.removeEventListener('abort', onAbort);
        act();
      };
      const look = () => {
        if (isFlushed()) settle(resolve);
      };
      const onAbort = () => settle(() => reject(signal.reason));
      const releases = [this.deps.ledger.onChange(look), this.deps.holders.onChange(look)];
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  private assign(): void {
    const holders = this.deps.holders.list();
    const repositories = holders.filter((holder) => holder.kind === 'repository' && holder.connected);
    const { chosen } = place(
      {
        key: this.options.peerId,
        sizeBytes: 0,
        copies: this.options.partners,
        ownDomain: this.options.domain,
        placedDomains: new Set(),
        maySendTo: this.options.maySendTo,
      },
      holders.filter((holder) => holder.kind === 'node'),
    );
    const wanted = new Set([...repositories, ...chosen].map((holder) => holder.peer));
    for (const [peer, worker] of this.workers) {
      if (wanted.has(peer)) continue;
      worker.controller.abort(new Error('no longer a log partner'));
      this.workers.delete(peer);
    }
    for (const peer of wanted) {
      if (this.workers.has(peer)) continue;
      const worker: Worker = { wakeup: new Wakeup(this.deps.clock), controller: new AbortController() };
      this.workers.set(peer, worker);
      this.background.run(`log to ${peer}`, (signal) =>
        this.follow(peer, worker, AbortSignal.any([signal, worker.controller.signal])),
      );
    }
  }

  private async follow(peer: string, worker: Worker, signal: AbortSignal): Promise<void> {
    let failures = 0;
    const asked = new Set<string>();
    while (!signal.aborted) {
      try {
        const more = !this.paused && (await this.sendWhatWaits(peer, asked, signal));
        failures = 0;
        if (!more) await worker.wakeup.wait(signal);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        // Ask again where the holder stands: it may have restarted or been set up anew.
        asked.clear();
        this.deps.logger.warn({ peer, reason: describeError(error), failures }, 'a log partner could not be reached');
        await worker.wakeup.wait(signal, backoffMs(failures, this.deps.random.float()));
      }
    }
  }

  private async sendWhatWaits(peer: string, asked: Set<string>, signal: AbortSignal): Promise<boolean> {
    let sent = false;
    for (const { writer, last } of await this.deps.log.writers()) {
      if (!asked.has(writer)) {
        const { position, storeId } = await this.deps.lane.position(
          peer,
          writer,
          deadline(LIMITS.log.deadlineMs, signal),
        );
        await this.deps.ledger.lapse(peer, storeId);
        await this.deps.ledger.confirmLog(writer, peer, position, storeId);
        asked.add(writer);
      }
      const position = this.deps.ledger.logConfirmation(writer, peer)?.position ?? 0;
      if (position >= last) continue;
      const push = await this.nextPush(writer, position);
      if (push === undefined) continue;
      const answer = await this.deps.lane.push(peer, push, deadline(LIMITS.log.deadlineMs, signal));
      await this.deps.ledger.confirmLog(writer, peer, answer.position, answer.storeId);
      sent = true;
    }
    return sent;
  }

  /** The next stretch of the journal: whole runs of each segment it touches, as many positions as they cover. */
  private async nextPush(writer: string, after: number): Promise<LogPush | undefined> {
    const items = await this.deps.log.journal(writer, after + 1, ITEMS_PER_PUSH);
    const segments = new Map<string, { key: SegmentKey; from: number }>();
    for (const { key, seq } of items) {
      const name = segmentKeyText(key);
      if (!segments.has(name)) segments.set(name, { key, from: seq });
    }
    const covered = new Map<string, number>();
    const runs: SegmentRun[] = [];
    let room = BYTES_PER_PUSH;
    for (const [name, { key, from }] of segments) {
      if (room <= 0) break;
      const run = await this.deps.log.read(key, from, room);
      if (run === undefined || run.entries.length === 0) break;
      runs.push(run);
      covered.set(name, run.from + run.entries.length - 1);
      room -= run.entries.reduce((sum, bytes) => sum + bytes.byteLength, 0);
    }
    let through = after;
    for (const { key, seq, position } of items) {
      if ((covered.get(segmentKeyText(key)) ?? 0) < seq) break;
      through = position;
    }
    return through > after ? { writer, after, through, runs } : undefined;
  }
}
