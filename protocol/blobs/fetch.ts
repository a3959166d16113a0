/**
 * Brings blobs here, from several sources at once. One fetch per blob at a time: whoever asks for the same one joins it
 * and may add sources. Each chunk is verified before it is written; what is verified stays for the next try.
 *
 * flight: asking (no manifest yet) → running → done | failed
 * The first source is asked for the manifest and the first chunks in one request. Another joins when nothing came for
 * `BLOB_HEDGE_MS`, when one fails, or when there is enough left for several.
 */
import { type Cancel, type Clock, deadline, sleep } from '../runtime/clock.js';
import { isDomainError, printable } from '../runtime/errors.js';
import type { ByteStream, Host } from '../runtime/host.js';
import type { Part } from '../runtime/lifecycle.js';
import type { Logger } from '../runtime/logger.js';
import { abortOn, FrameReader, writeFrame } from '../wire/bulk.js';
import {
  BLOB_CLOSE_MS,
  BLOB_FETCHES_AT_ONCE,
  BLOB_FETCHES_MAX,
  BLOB_GET_CHUNKS_MAX,
  BLOB_GETS_AT_ONCE,
  BLOB_HEDGE_MS,
  BLOB_SOURCES_AT_ONCE,
  BLOB_SOURCES_MAX,
  LIMITS,
  PROTOCOLS,
} from '../wire/limits.js';
import type { WrongBytes } from './access.js';
import { Bitmap } from './bitmap.js';
import type { BlobId, BlobRef, BlobStore, Bytes, PartialBlob } from './blob.js';
import { blobErrors } from './errors.js';
import { FetchPlan, type Run } from './fetch-plan.js';
import { broken, encodeRequest, readGetReply, readPiece } from './frames.js';
import { Gate } from './gate.js';
import { GuardedStream } from './guarded-stream.js';
import { chunkCount, chunkLength, isBlobId, manifestLength, verifyManifest } from './manifest.js';

export interface BlobSource {
  peer: string;
  /** Where to dial it when it is not connected. */
  addresses?: readonly string[];
}

export interface FetchRequest {
  id: BlobId;
  /** When it is known (a BlobRef has it), a source cannot make us read an endless manifest. */
  size?: number;
  /** In order of preference. */
  sources: readonly BlobSource[];
}

export interface FetchDeps {
  host: Pick<Host, 'openStream' | 'connect' | 'isConnected'>;
  blobs: Pick<BlobStore, 'size' | 'partial'>;
  clock: Clock;
  log: Logger;
  onWrongBytes?: (report: WrongBytes) => void;
}

const BUSY_RETRY_MS = 250;
/** With less left than this for each, another source costs more than it brings. */
const CHUNKS_PER_SOURCE_MIN = 4;
/** Asked for together with the manifest, before it is known what an earlier try has left. */
const FIRST_CHUNKS = 4;

export class BlobFetcher implements Part {
  private readonly flights = new Map<BlobId, Flight>();
  private readonly cleaning = new Set<Promise<void>>();
  private readonly gate = new Gate(BLOB_FETCHES_AT_ONCE);
  private stopped = false;

  constructor(private readonly deps: FetchDeps) {}

  /**
   * Resolves when the blob is on this disk. Errors: `blobs/unavailable` with each source's reason, `blobs/no-space`,
   * `blobs/busy` (it is being pushed here), the signal's reason.
   */
  async fetch(request: FetchRequest, signal?: AbortSignal): Promise<BlobRef> {
    const { id } = request;
    if (!isBlobId(id)) throw blobErrors('malformed-id', { blob: id });
    if (this.stopped) throw blobErrors('stopped');
    signal?.throwIfAborted();
    const size = this.deps.blobs.size(id);
    if (size !== undefined) return { blob: id, size };
    const running = this.flights.get(id);
    if (running === undefined && this.flights.size >= BLOB_FETCHES_MAX) throw blobErrors('too-many');
    running?.addSources(request.sources);
    return (running ?? this.launch(request)).join(signal);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const flight of this.flights.values()) flight.fail(blobErrors('stopped'));
    while (this.cleaning.size > 0) await Promise.all(this.cleaning);
  }

  private launch({ id, size, sources }: FetchRequest): Flight {
    const flight = new Flight(this.deps, id, size);
    flight.addSources(sources);
    this.flights.set(id, flight);
    const run = this.gate.run(() => flight.run()).finally(() => this.cleaning.delete(run));
    this.cleaning.add(run);
    flight.ended.then(
      () => this.flights.delete(id),
      () => this.flights.delete(id),
    );
    return flight;
  }
}

class Flight {
  /** Settles when the blob is here or cannot be had; cleaning up goes on a little longer. */
  readonly ended: Promise<BlobRef>;
  private settle: { resolve: (ref: BlobRef) => void; reject: (error: unknown) => void } | undefined;
  private readonly stop = new AbortController();
  private readonly known = new Set<string>();
  private readonly reserve: BlobSource[] = [];
  private readonly running = new Map<string, Promise<void>>();
  private readonly reasons = new Map<string, string>();
  private callers = 0;
  private opening: Promise<void> | undefined;
  private partial: PartialBlob | undefined;
  private plan: FetchPlan | undefined;
  private size = 0;
  private isFinishing = false;
  private isStarted = false;
  private cancelHedge: Cancel | undefined;
  private hasMoved = false;
  /** Idle sources that wait for work to come back from a dropped one. */
  private readonly idle = new Set<() => void>();

  constructor(
    private readonly deps: FetchDeps,
    private readonly id: BlobId,
    private readonly expectedSize: number | undefined,
  ) {
    this.ended = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.ended.catch(() => {});
  }

  addSources(sources: readonly BlobSource[]): void {
    for (const source of sources) {
      if (this.known.has(source.peer) || this.known.size >= BLOB_SOURCES_MAX) continue;
      this.known.add(source.peer);
      this.reserve.push(source);
    }
    if (this.isStarted) this.advance();
  }

  /** A caller that gives up takes the fetch with it only when it was the last. */
  join(signal: AbortSignal | undefined): Promise<BlobRef> {
    this.callers += 1;
    return new Promise((resolve, reject) => {
      const leave = () => signal?.removeEventListener('abort', onAbort);
      const onAbort = () => {
        leave();
        this.callers -= 1;
        if (this.callers === 0) this.fail(signal?.reason);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.ended.then(resolve, reject).finally(leave);
    });
  }

  /** Resolves when nothing of it runs any more. */
  async run(): Promise<void> {
    this.isStarted = true;
    this.hedge();
    this.advance();
    await this.ended.catch(() => {});
    this.cancelHedge?.();
    this.stop.abort(new Error('the fetch has ended'));
    this.wakeIdle();
    await Promise.all(this.running.values());
    await this.opening?.catch(() => {});
    await this.partial?.release().catch((error: unknown) => {
      this.deps.log.warn({ blob: this.id, err: error }, 'the progress of a fetch could not be saved');
    });
  }

  fail(error: unknown): void {
    this.settle?.reject(error);
    this.settle = undefined;
  }

  private succeed(): void {
    this.settle?.resolve({ blob: this.id, size: this.size });
    this.settle = undefined;
  }

  /** Looks at where things stand and does what is due. Called after every change. */
  private advance(): void {
    if (this.settle === undefined || this.isFinishing) return;
    if (this.plan?.isComplete) {
      this.isFinishing = true;
      this.partial?.finish().then(
        () => this.succeed(),
        (error: unknown) => this.fail(error),
      );
      return;
    }
    const left = this.plan?.left ?? 0;
    const wanted = Math.max(1, Math.min(BLOB_SOURCES_AT_ONCE, Math.floor(left / CHUNKS_PER_SOURCE_MIN)));
    while (this.running.size < wanted && this.reserve.length > 0) this.startNext();
    if (this.running.size === 0) this.fail(this.unavailable());
  }

  private hedge(): void {
    this.cancelHedge = this.deps.clock.every(BLOB_HEDGE_MS, () => {
      const mayStart = !this.isFinishing && this.running.size < BLOB_SOURCES_AT_ONCE && this.reserve.length > 0;
      if (!this.hasMoved && mayStart && this.settle !== undefined) this.startNext();
      this.hasMoved = false;
    });
  }

  private startNext(): void {
    const source = this.reserve.shift();
    if (source === undefined) return;
    const { peer } = source;
    const work = this.use(source)
      .catch((error: unknown) => {
        if (this.settle !== undefined)
          this.reasons.set(peer, printable(error instanceof Error ? error.message : String(error)));
      })
      .finally(() => {
        this.running.delete(peer);
        this.plan?.drop(peer);
        this.wakeIdle();
        this.advance();
      });
    this.running.set(peer, work);
  }

  /** One source, from dialling to its last chunk. Throws when it can bring nothing more. */
  private async use({ peer, addresses }: BlobSource): Promise<void> {
    const { host, clock } = this.deps;
    const limit = deadline(LIMITS.blob.deadlineMs, this.stop.signal);
    if (!host.isConnected(peer)) await host.connect(peer, addresses ?? [], limit);
    const inner = await host.openStream(peer, PROTOCOLS.blob, limit);
    const stream = new GuardedStream(inner, clock, LIMITS.blob.deadlineMs);
    const unwatch = abortOn(stream, this.stop.signal);
    try {
      const reader = new FrameReader(stream);
      if (this.plan === undefined) await this.begin(peer, stream, reader);
      await this.bring(peer, stream, reader);
      unwatch(); // what follows is only politeness, and may outlast the fetch
      await this.close(stream, reader);
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    } finally {
      unwatch();
    }
  }

  private async close(stream: ByteStream, reader: FrameReader): Promise<void> {
    const cancel = this.deps.clock.after(BLOB_CLOSE_MS, () => stream.abort(new Error('the other side did not end')));
    try {
      await stream.closeWrite();
      for await (const _ of reader.rest()) throw broken('more came than was asked for');
    } finally {
      cancel();
    }
  }

  /** Manifest and first chunks in one exchange: a small blob costs one round trip. */
  private async begin(peer: string, stream: ByteStream, reader: FrameReader): Promise<void> {
    await writeFrame(
      stream,
      encodeRequest({ kind: 'get', id: this.id, manifest: true, start: 0, count: FIRST_CHUNKS }),
    );
    const reply = await this.reply(reader, FIRST_CHUNKS);
    const given = Math.min(FIRST_CHUNKS, chunkCount(reply.size));
    if (reply.count !== given) throw broken('fewer chunks than were asked for');
    const manifest = await reader.readExactly(manifestLength(reply.size));
    try {
      verifyManifest(this.id, manifest);
    } catch (error) {
      this.report({ peer, id: this.id, chunk: undefined });
      throw error;
    }
    this.opening ??= this.open(manifest);
    await this.opening.catch((error: unknown) => {
      this.fail(error); // a failure of this node, not of the source
      throw error;
    });
    const run = { start: 0, count: reply.count };
    this.plan?.claim(peer, run);
    await this.receive(peer, reader, run);
  }

  /** Errors: those of `BlobStore.partial`, but waits while the blob is being pushed here. */
  private async open(manifest: Uint8Array): Promise<void> {
    const until = this.deps.clock.monotonic() + LIMITS.blob.deadlineMs;
    while (true) {
      try {
        this.partial = await this.deps.blobs.partial(this.id, manifest);
        break;
      } catch (error) {
        if (isDomainError(error, 'blobs/exists')) {
          this.size = this.deps.blobs.size(this.id) ?? 0;
          this.succeed();
        }
        const mayWait = isDomainError(error, 'blobs/busy') && this.deps.clock.monotonic() < until;
        if (!mayWait) throw error;
        await sleep(this.deps.clock, BUSY_RETRY_MS, this.stop.signal);
      }
    }
    const { size, chunks } = this.partial.manifest;
    this.size = size;
    this.plan = new FetchPlan(Bitmap.of(chunks.length, this.partial.missing()).inverted());
    this.hasMoved = true;
    this.advance();
  }

  private async bring(peer: string, stream: ByteStream, reader: FrameReader): Promise<void> {
    const asked: Run[] = [];
    while (!this.stop.signal.aborted) {
      while (asked.length < BLOB_GETS_AT_ONCE) {
        const run = this.plan?.take(peer, this.runLength());
        if (run === undefined) break;
        await writeFrame(stream, encodeRequest({ kind: 'get', id: this.id, manifest: false, ...run }));
        asked.push(run);
      }
      const run = asked.shift();
      if (run === undefined) {
        if (this.plan?.isComplete !== false) return;
        await new Promise<void>((resolve) => this.idle.add(resolve));
        continue;
      }
      const reply = await this.reply(reader, run.count);
      if (reply.count !== run.count) throw broken('fewer chunks than were asked for');
      await this.receive(peer, reader, run);
    }
  }

  /** Shorter towards the end, so that all sources end together. */
  private runLength(): number {
    const share = Math.ceil((this.plan?.unasked ?? 0) / (2 * Math.max(1, this.running.size)));
    return Math.max(1, Math.min(BLOB_GET_CHUNKS_MAX, share));
  }

  private async reply(reader: FrameReader, countMax: number) {
    const reply = await readGetReply(reader, countMax);
    if (reply.refusal !== undefined) throw blobErrors('refused', { ...reply.refusal });
    const expected = this.partial?.manifest.size ?? this.expectedSize;
    if (expected !== undefined && reply.size !== expected) throw broken(`a size of ${reply.size} and not ${expected}`);
    return reply;
  }

  private async receive(peer: string, reader: FrameReader, { start, count }: Run): Promise<void> {
    for (let chunk = start; chunk < start + count; chunk++) {
      const piece = await readPiece(reader);
      if (piece.givenUp !== undefined) throw blobErrors('refused', { ...piece.givenUp });
      if (piece.chunk !== chunk) throw broken('a chunk that was not asked for');
      await this.keep(peer, chunk, await reader.readParts(chunkLength(this.size, chunk)));
    }
  }

  private async keep(peer: string, chunk: number, bytes: Bytes): Promise<void> {
    if (this.partial === undefined || this.isFinishing || this.plan?.has(chunk)) return;
    try {
      await this.partial.write(chunk, bytes);
    } catch (error) {
      if (isDomainError(error, 'blobs/wrong-bytes')) this.report({ peer, id: this.id, chunk });
      else this.fail(error);
      throw error;
    }
    this.hasMoved = true;
    this.plan?.got(chunk);
    if (this.plan?.isComplete) this.wakeIdle();
    this.advance();
  }

  private report(report: WrongBytes): void {
    this.deps.log.warn({ peer: report.peer, blob: report.id, chunk: report.chunk }, 'a source sent wrong bytes');
    try {
      this.deps.onWrongBytes?.(report);
    } catch (error) {
      this.deps.log.error({ err: error }, 'a report of wrong bytes failed');
    }
  }

  private wakeIdle(): void {
    for (const wake of this.idle) wake();
    this.idle.clear();
  }

  private unavailable(): Error {
    const reasons = [...this.reasons].map(([peer, reason]) => `${peer}: ${reason}`).join(' · ');
    const data = { blob: this.id, sources: this.known.size, reasons: reasons || 'no holder is known' };
    return blobErrors('unavailable', data);
  }
}
