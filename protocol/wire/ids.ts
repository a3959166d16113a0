/**
 * Entity ids: 16 lower-case hex digits, unique in the whole network without asking anyone. 41 bits milliseconds since
 * 2024-01-01, 18 bits node number, 5 bits sequence. They are strings, never numbers: 64 bits do not fit one.
 *
 * A horizon some seconds ahead is persisted before any id below it is given out, and a start begins above it and never
 * below the clock, so a crash or a clock set back repeats nothing. Ids are given out synchronously; the horizon moves in
 * the background once half of it is used, and also while nobody asks: the first id after a quiet hour carries its own
 * time and not that of the last one before. Rejected: UUIDs, because Galaxy's clients and tools expect 16 hex digits.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Cancel, type Clock, sleep } from '../runtime/clock.js';
import { Background } from '../runtime/lifecycle.js';
import type { Logger } from '../runtime/logger.js';
import type { Random } from '../runtime/random.js';
import { readJson, type Store } from '../runtime/store.js';
import { wireErrors } from './errors.js';

export type EntityId = string;

export const entityIdSchema = z.string().regex(/^[0-9a-f]{16}$/, 'must be 16 lower-case hex digits');

export const ID_EPOCH_MS = Date.UTC(2024, 0, 1);
const NODE_NUMBERS = 2 ** 18;
const SEQUENCES = 32;
const HORIZON_MS = 10_000;
const RETRY_MS = 1000;

export interface IdSourceDeps {
  clock: Clock;
  random: Random;
  store: Store;
  log: Logger;
}

export interface IdSourceOptions {
  /** The store's namespace for the horizon. */
  namespace: string;
  /** Given at admission; undefined while the node belongs to no network. */
  nodeNumber: number | undefined;
}

interface Persisted {
  /** No id with a later millisecond was given out before this was replaced. */
  horizonMs: number;
  /** Drawn once, used until a number is given. */
  drawnNumber: number;
}

const KEY = 'horizon';

export class IdSource {
  /** Millisecond (since ID_EPOCH_MS) and sequence of the last id. */
  private lastMs = 0;
  private sequence = SEQUENCES - 1;
  private horizonMs = -1;
  private drawnNumber = 0;
  private number: number;
  private renewing = false;
  private cancelTick: Cancel | undefined;
  private background: Background;

  constructor(
    private readonly deps: IdSourceDeps,
    private readonly options: IdSourceOptions,
  ) {
    this.number = options.nodeNumber ?? -1;
    this.background = new Background({ log: deps.log });
  }

  async start(): Promise<void> {
    const before = readJson<Persisted>(await this.deps.store.get(this.options.namespace, KEY));
    this.drawnNumber =
      before?.drawnNumber ?? NODE_NUMBERS / 2 + Math.floor(this.deps.random.float() * (NODE_NUMBERS / 2));
    if (this.number < 0) this.number = this.drawnNumber;
    // The first id is above everything that an earlier process may have given out, and not below the present.
    this.lastMs = Math.max(before?.horizonMs ?? 0, this.nowMs() - 1, 0);
    this.sequence = SEQUENCES - 1;
    await this.persist(this.wantedHorizon());
    this.cancelTick = this.deps.clock.every(HORIZON_MS / 4, () => this.renewInTime(this.lastMs));
  }

  /** Gives back what was not used, so that quick restarts do not run ahead of the clock. */
  async stop(): Promise<void> {
    this.cancelTick?.();
    await this.background.stop();
    if (this.horizonMs < 0) return;
    const last = this.lastMs;
    this.horizonMs = -1;
    await this.write(last);
  }

  /** From now on ids carry this number: the node has joined a network. */
  setNodeNumber(nodeNumber: number): void {
    if (!Number.isInteger(nodeNumber) || nodeNumber < 0 || nodeNumber >= NODE_NUMBERS) {
      throw new Error(`node number ${nodeNumber} does not fit 18 bits`);
    }
    this.number = nodeNumber;
  }

  get nodeNumber(): number {
    return this.number;
  }

  /** Strictly rising within one node number. Errors: `wire/ids-exhausted`, only when the disk has not answered for long. */
  next(): EntityId {
    if (this.horizonMs < 0) throw new Error('ids are given out between start and stop');
    const now = this.nowMs();
    // A clock set back, or one that jumped past what is persisted (a machine that slept): time goes on from the last id.
    let ms = now > this.lastMs && now <= this.horizonMs ? now : this.lastMs;
    let sequence = ms === this.lastMs ? this.sequence + 1 : 0;
    if (sequence === SEQUENCES) {
      ms += 1;
      sequence = 0;
    }
    if (ms > this.horizonMs) {
      this.renew();
      throw wireErrors('ids-exhausted');
    }
    this.lastMs = ms;
    this.sequence = sequence;
    this.renewInTime(ms);
    return formatId(ms, this.number, sequence);
  }

  private nowMs(): number {
    return this.deps.clock.now() - ID_EPOCH_MS;
  }

  private wantedHorizon(): number {
    return Math.max(this.nowMs(), this.lastMs) + HORIZON_MS;
  }

  private renewInTime(ms: number): void {
    if (Math.max(ms, this.nowMs()) > this.horizonMs - HORIZON_MS / 2) this.renew();
  }

  private renew(): void {
    if (this.renewing) return;
    this.renewing = true;
    this.background.run('renewing the horizon of ids', async (signal) => {
      try {
        await this.persist(this.wantedHorizon());
      } catch (error) {
        this.deps.log.warn({ err: error }, 'the horizon of ids could not be saved');
        await sleep(this.deps.clock, RETRY_MS, signal);
      } finally {
        this.renewing = false;
      }
      // A disk that was slow, or a machine that slept: the time it was for may be over.
      this.renewInTime(this.lastMs);
    });
  }

  private async persist(horizonMs: number): Promise<void> {
    await this.write(horizonMs);
    this.horizonMs = horizonMs;
  }

  private async write(horizonMs: number): Promise<void> {
    const value: Persisted = { horizonMs, drawnNumber: this.drawnNumber };
    await this.deps.store.commit([{ ns: this.options.namespace, key: KEY, value: JSON.stringify(value) }]);
  }
}

/** The id of a thing that follows from another: the same parent and position give the same id, on every node. */
export function derivedId(parent: EntityId, ...position: (string | number)[]): EntityId {
  return createHash('sha256')
    .update(JSON.stringify([parent, ...position]))
    .digest('hex')
    .slice(0, 16);
}

function formatId(ms: number, nodeNumber: number, sequence: number): EntityId {
  const value = (BigInt(ms) << 23n) | (BigInt(nodeNumber) << 5n) | BigInt(sequence);
  return value.toString(16).padStart(16, '0');
}
