/**
 * The sending side: offers blobs to a holder, streams the chunks that it lacks, and tells of each blob once the holder
 * has it on its disk. Many blobs to an offer, several offers to a stream.
 */
import { pipe } from 'it-pipe';
import { type Clock, deadline } from '../runtime/clock.js';
import { isDomainError } from '../runtime/errors.js';
import type { ByteStream, Host } from '../runtime/host.js';
import type { Logger } from '../runtime/logger.js';
import { abortOn, FrameReader, send, writeFrame } from '../wire/bulk.js';
import {
  BLOB_OFFER_BYTES_MAX,
  BLOB_OFFER_CHUNKS_MAX,
  BLOB_OFFER_ITEMS_MAX,
  BLOB_OFFER_MANIFEST_BYTES_MAX,
  BLOB_READ_AHEAD_BYTES_MAX,
  BLOB_READ_AHEAD_MAX,
  LIMITS,
  PROTOCOLS,
} from '../wire/limits.js';
import type { BlobId, BlobRef, BlobStore, Manifest } from './blob.js';
import { ChunkReader } from './chunk-reader.js';
import { blobErrors } from './errors.js';
import {
  broken,
  encodeRequest,
  type OfferItem,
  type Piece,
  readConfirm,
  readOfferReply,
  refusalOf,
  toPackets,
  untilGivenUp,
  type Verdict,
} from './frames.js';
import { GuardedStream } from './guarded-stream.js';
import { chunkCount, chunkLength, manifestLength, manifestToBytes } from './manifest.js';
import { readAhead, type Work } from './read-ahead.js';

export interface PushDeps {
  /** The peer must be connected. */
  host: Pick<Host, 'openStream'>;
  blobs: Pick<BlobStore, 'size' | 'path' | 'manifest' | 'quarantine'>;
  clock: Clock;
  log: Logger;
}

export type PushOutcome =
  /** fsynced and recorded in that store; `sent` is false when it was there before. */
  | { id: BlobId; held: true; storeId: string; sent: boolean }
  | { id: BlobId; held: false; code: string; reason: string };

export interface PushRequest {
  peer: string;
  ids: Iterable<BlobId> | AsyncIterable<BlobId>;
  /** Called for every id, once, as it becomes known. */
  onOutcome: (outcome: PushOutcome) => void;
}

/**
 * Ends when each id has its outcome. Errors: `blobs/stalled`, `blobs/protocol`, the host's, the signal's reason; outcomes
 * told before stay true, and what was sent of the others is kept by the holder for the next try.
 */
export async function pushBlobs(deps: PushDeps, request: PushRequest, signal?: AbortSignal): Promise<void> {
  let push: Push | undefined;
  const openPush = async () => {
    const limit = deadline(LIMITS.blob.deadlineMs, signal);
    return new Push(deps, request, await deps.host.openStream(request.peer, PROTOCOLS.blob, limit), signal);
  };
  try {
    for await (const batch of batches(deps.blobs, request)) {
      signal?.throwIfAborted();
      push ??= await openPush();
      await push.offer(batch);
    }
    await push?.end();
  } catch (error) {
    const told = signal?.aborted ? signal.reason : error;
    push?.abort(told instanceof Error ? told : new Error(String(told)));
    throw told;
  } finally {
    await push?.close();
  }
}

/** As many as one offer may have; a holder reserves room for all of them. */
async function* batches(
  blobs: Pick<BlobStore, 'size'>,
  { ids, onOutcome }: PushRequest,
): AsyncGenerator<BlobRef[], void, undefined> {
  let batch: BlobRef[] = [];
  let bytes = 0;
  let chunks = 0;
  for await (const blob of ids) {
    const size = blobs.size(blob);
    if (size === undefined) {
      const { code, message } = blobErrors('not-found', { blob });
      onOutcome({ id: blob, held: false, code, reason: message });
      continue;
    }
    const isFull =
      batch.length === BLOB_OFFER_ITEMS_MAX ||
      bytes + size > BLOB_OFFER_BYTES_MAX ||
      chunks + chunkCount(size) > BLOB_OFFER_CHUNKS_MAX;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
      chunks = 0;
    }
    batch.push({ blob, size });
    bytes += size;
    chunks += chunkCount(size);
  }
  if (batch.length > 0) yield batch;
}

interface Offered {
  id: BlobId;
  size: number;
  /** Undefined: too large to keep in memory. */
  manifest: Manifest | undefined;
}

class Push {
  private readonly stream: ByteStream;
  private readonly reader: FrameReader;
  private readonly chunks: ChunkReader;
  private readonly unwatch: () => void;

  constructor(
    private readonly deps: PushDeps,
    private readonly request: PushRequest,
    inner: ByteStream,
    signal: AbortSignal | undefined,
  ) {
    this.stream = new GuardedStream(inner, deps.clock, LIMITS.blob.deadlineMs);
    this.reader = new FrameReader(this.stream);
    this.chunks = new ChunkReader(deps.blobs);
    this.unwatch = abortOn(this.stream, signal);
  }

  async offer(batch: readonly BlobRef[]): Promise<void> {
    const offered = await this.sendOffer(batch);
    const { storeId, verdicts } = await readOfferReply(
      this.reader,
      offered.map(({ size }) => size),
    );
    const waiting = new Set<number>();
    for (const [index, verdict] of verdicts.entries()) {
      const { id } = offered[index] as Offered;
      if (verdict.kind === 'missing') waiting.add(index);
      else if (verdict.kind === 'held') this.request.onOutcome({ id, held: true, storeId, sent: false });
      else this.request.onOutcome({ id, held: false, ...verdict.refusal });
    }
    const failed = new Set<number>();
    const sending = pipe(
      this.missing(offered, verdicts, failed),
      readAhead<Piece>({ bytesMax: BLOB_READ_AHEAD_BYTES_MAX, worksMax: BLOB_READ_AHEAD_MAX }),
      untilGivenUp,
      toPackets,
      send(this.stream, { end: false }),
    );
    const confirming = this.confirmations(offered, storeId, waiting, failed);
    await this.both(sending, confirming);
  }

  /** No more offers; returns when the holder has ended as well. */
  async end(): Promise<void> {
    await this.stream.closeWrite();
    for await (const _ of this.reader.rest()) throw broken('something came after the last confirmation');
  }

  abort(error: Error): void {
    this.stream.abort(error);
  }

  async close(): Promise<void> {
    this.unwatch();
    await this.chunks.close();
  }

  /** Those whose manifest can still be read; small manifests inside the frame, the others behind it. */
  private async sendOffer(batch: readonly BlobRef[]): Promise<Offered[]> {
    let inlineBytes = 0;
    const read = batch.map(async ({ blob: id, size }): Promise<Offered | undefined> => {
      inlineBytes += manifestLength(size);
      const isInline = inlineBytes <= BLOB_OFFER_MANIFEST_BYTES_MAX;
      try {
        return { id, size, manifest: isInline ? await this.deps.blobs.manifest(id) : undefined };
      } catch (error) {
        this.request.onOutcome({ id, held: false, ...this.tell(id, error) });
        return undefined;
      }
    });
    const offered = (await Promise.all(read)).filter((item) => item !== undefined);
    const items = offered.map(({ id, size, manifest }): OfferItem => {
      return { id, size, manifest: manifest && manifestToBytes(manifest) };
    });
    await writeFrame(this.stream, encodeRequest({ kind: 'offer', items }));
    for (const { id, manifest } of offered) {
      if (manifest === undefined) await this.stream.write(manifestToBytes(await this.deps.blobs.manifest(id)));
    }
    return offered;
  }

  /** Reading and hashing: the chunks that lack, blob by blob. What fails here or there is given up and the rest goes on. */
  private *missing(
    offered: readonly Offered[],
    verdicts: readonly Verdict[],
    failed: ReadonlySet<number>,
  ): Generator<Work<Piece>, void, undefined> {
    for (const [item, verdict] of verdicts.entries()) {
      if (verdict.kind !== 'missing') continue;
      const { id, size, manifest: known } = offered[item] as Offered;
      let manifest: Promise<Manifest> | undefined = known && Promise.resolve(known);
      let isGone = false;
      for (const chunk of verdict.missing.present()) {
        if (isGone) break;
        if (failed.has(item)) {
          const content = { code: 'blobs/given-up', reason: 'the holder could not take it' };
          yield { bytes: 0, run: async () => ({ item, chunk, content }) };
          break;
        }
        const run = async (): Promise<Piece> => {
          try {
            manifest ??= this.deps.blobs.manifest(id);
            return { item, chunk, content: await this.chunks.read(id, await manifest, chunk) };
          } catch (error) {
            isGone = true;
            return { item, chunk, content: this.tell(id, error) };
          }
        };
        yield { bytes: chunkLength(size, chunk), run };
      }
    }
  }

  private async confirmations(
    offered: readonly Offered[],
    storeId: string,
    waiting: Set<number>,
    failed: Set<number>,
  ): Promise<void> {
    while (waiting.size > 0) {
      for (const { item, failure } of await readConfirm(this.reader)) {
        if (!waiting.delete(item)) throw broken('a confirmation that was not waited for');
        const { id } = offered[item] as Offered;
        if (failure === undefined) {
          this.request.onOutcome({ id, held: true, storeId, sent: true });
        } else {
          failed.add(item);
          this.request.onOutcome({ id, held: false, ...failure });
        }
      }
    }
  }

  /** Whichever fails first takes the stream, and with it the other, down. */
  private async both(...works: Promise<void>[]): Promise<void> {
    let first: { error: unknown } | undefined;
    const watched = works.map((work) =>
      work.catch((error: unknown) => {
        first ??= { error };
        this.stream.abort(error instanceof Error ? error : new Error(String(error)));
      }),
    );
    await Promise.all(watched);
    if (first !== undefined) throw first.error;
  }

  private tell(blob: BlobId, error: unknown): { code: string; reason: string } {
    if (!isDomainError(error)) this.deps.log.error({ blob, err: error }, 'a blob could not be read for sending');
    return refusalOf(error);
  }
}
