/**
 * Sends this node's journals to the repository and to two log partners, then what other nodes wrote for accounts that
 * are at home here. One loop per partner, woken by appends; a confirmation is one integer per writer and holder: the
 * highest contiguous journal position that is fsynced there. Logs are small and come first: no bandwidth cap and no hours
 * hold for them.
 */
import type { AccountLog, SegmentRun } from '../../protocol/log/account-log.js';
import { type SegmentKey, segmentKeyText } from '../../protocol/log/entry.js';
import { type Clock, sleep, startDeadline } from '../../protocol/runtime/clock.js';
import { describeError } from '../../protocol/runtime/errors.js';
import { Background, type Part } from '../../protocol/runtime/lifecycle.js';
import type { Logger } from '../../protocol/runtime/logger.js';
import type { Random } from '../../protocol/runtime/random.js';
import { LIMITS } from '../../protocol/wire/limits.js';
import type { HeldLeases } from '../accounts/held-leases.js';
import { ForeignSegments } from './foreign-segments.js';
import type { Holders, LogLane, LogPush, SegmentLane } from './holders.js';
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
/** Of entries, and of what goes with each run; base64 makes a third more of it. */
const BYTES_PER_PUSH = LIMITS.log.messageBytesMax / 4;

const COUNT_AGAIN_MS = 5000;

interface Worker {
  wakeup: Wakeup;
  controller: AbortController;
}

export class LogReplicator implements Part {
  private readonly background: Background;
  private readonly workers = new Map<string, Worker>();
  private readonly releases: (() => void)[] = [];
  private readonly foreign: ForeignSegments;
  private readonly toCount: Wakeup;
  private paused: boolean;

  constructor(
    private readonly deps: {
      log: AccountLog;
      ledger: Ledger;
      leases: Pick<HeldLeases, 'current' | 'onChange'>;
      lane: LogLane & SegmentLane;
      holders: Holders;
      clock: Clock;
      random: Random;
      logger: Logger;
    },
    private readonly options: LogReplicatorOptions,
  ) {
    this.background = new Background({ log: deps.logger });
    this.paused = options.paused;
    this.foreign = new ForeignSegments(deps);
    this.toCount = new Wakeup(deps.clock);
  }

  async start(): Promise<void> {
    this.releases.push(
      this.deps.log.onApplied(({ account, own }) => {
        if (!own) this.cameIn(account);
        else this.wakeAll();
      }),
      this.deps.leases.onChange((account) => this.cameIn(account)),
      this.deps.holders.onChange(() => this.assign()),
    );
    this.background.run('count entries of others', (signal) => this.count(signal));
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

  /** Entries of other nodes, for accounts at home here, that fewer than `copies` other domains have. */
  foreignAtRisk(copies: number, domainOf: (peer: string) => string | undefined): number {
    return this.foreign.atRisk(copies, domainOf);
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

  /** What others wrote for an account that is at home here. */
  private cameIn(account: string): void {
    if (this.deps.leases.current(account) === undefined) return;
    this.foreign.changed(account);
    this.toCount.wake();
    this.wakeAll();
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

  private async count(signal: AbortSignal): Promise<void> {
    let isFirst = true;
    while (!signal.aborted) {
      try {
        if (isFirst) await this.foreign.countAll(signal);
        else await this.foreign.count(signal);
        isFirst = false;
        await this.toCount.wait(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.deps.logger.warn({ reason: describeError(error) }, 'what others wrote could not be counted; tried again');
        isFirst = true;
        await sleep(this.deps.clock, COUNT_AGAIN_MS, signal).catch(() => {});
      }
    }
  }

  private async follow(peer: string, worker: Worker, signal: AbortSignal): Promise<void> {
    let failures = 0;
    const asked = new Set<string>();
    while (!signal.aborted) {
      try {
        const more =
          !this.paused &&
          ((await this.sendWhatWaits(peer, asked, signal)) || (await this.foreign.sendNext(peer, signal)));
        failures = 0;
        if (!more) await worker.wakeup.wait(signal);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        // Ask again where the holder stands: it may have restarted or been set up anew.
        asked.clear();
        this.deps.logger.warn({ peer, reason: describeError(error), failures }, 'a log partner could not be reached');
        // An append does not cut this short: a busy node would knock at every change.
        await sleep(this.deps.clock, backoffMs(failures, this.deps.random.float()), signal).catch(() => {});
      }
    }
  }

  private async sendWhatWaits(peer: string, asked: Set<string>, signal: AbortSignal): Promise<boolean> {
    const { lane, ledger, log } = this.deps;
    let sent = false;
    for (const { writer, last } of await log.writers()) {
      if (!asked.has(writer)) {
        const { position, storeId } = await this.limited(signal, (limit) => lane.position(peer, writer, limit));
        await this.confirm(writer, peer, position, storeId);
        asked.add(writer);
      }
      const position = ledger.logConfirmation(writer, peer)?.position ?? 0;
      if (position >= last) continue;
      const push = await this.nextPush(writer, position);
      if (push === undefined) continue;
      const answer = await this.limited(signal, (limit) => lane.push(peer, push, limit));
      await this.confirm(writer, peer, answer.position, answer.storeId);
      sent = true;
    }
    return sent;
  }

  private async confirm(writer: string, peer: string, position: number, storeId: string): Promise<void> {
    if ((await this.deps.ledger.lapse(peer, storeId)) > 0) this.foreign.forget(peer);
    await this.deps.ledger.confirmLog(writer, peer, position, storeId);
  }

  private async limited<T>(signal: AbortSignal, work: (limit: AbortSignal) => Promise<T>): Promise<T> {
    const limit = startDeadline(this.deps.clock, LIMITS.log.deadlineMs, signal);
    try {
      return await work(limit.signal);
    } finally {
      limit.cancel();
    }
  }

  /**
   * The next stretch of the journal: of each segment that it touches what it needs, and as many positions as that covers.
   * Room is shared out evenly among the segments, or two busy accounts would take turns at one entry a push.
   */
  private async nextPush(writer: string, after: number): Promise<LogPush | undefined> {
    const items = await this.deps.log.journal(writer, after + 1, ITEMS_PER_PUSH);
    const segments = new Map<string, { key: SegmentKey; from: number; through: number }>();
    for (const { key, seq } of items) {
      const name = segmentKeyText(key);
      const before = segments.get(name);
      if (before === undefined) segments.set(name, { key, from: seq, through: seq });
      else before.through = seq;
    }
    const covered = new Map<string, number>();
    const runs: SegmentRun[] = [];
    let room = BYTES_PER_PUSH;
    let left = segments.size;
    for (const [name, { key, from, through }] of segments) {
      if (room <= 0) break;
      const run = await this.deps.log.read(key, from, Math.ceil(room / left), through);
      if (run === undefined || run.entries.length === 0) break;
      const bytes = bytesOf(run);
      // The first one goes whatever it weighs; one entry and what belongs to it fit a message.
      if (runs.length > 0 && bytes > 2 * room) break;
      runs.push(run);
      covered.set(name, run.from + run.entries.length - 1);
      room -= bytes;
      left -= 1;
    }
    let through = after;
    for (const { key, seq, position } of items) {
      if ((covered.get(segmentKeyText(key)) ?? 0) < seq) break;
      through = position;
    }
    if (through === after) return undefined;
    // What lies behind the first gap would be sent for nothing.
    const needed = new Set(items.filter(({ position }) => position <= through).map(({ key }) => segmentKeyText(key)));
    return { writer, after, through, runs: runs.filter(({ key }) => needed.has(segmentKeyText(key))) };
  }
}

/** As it travels, before base64. */
function bytesOf({ lease, base, head, entries }: SegmentRun): number {
  const around = lease.length + head.length + JSON.stringify(base).length + 200;
  return entries.reduce((sum, entry) => sum + entry.byteLength, around);
}
