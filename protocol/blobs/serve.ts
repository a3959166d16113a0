/**
 * The serving side of `/galaxy/blob/1`: takes offers, gives chunks, says what is held. One stream carries requests one
 * after the other until the other side has no more.
 */
import { pipe } from 'it-pipe';
import type { Clock } from '../runtime/clock.js';
import { isDomainError } from '../runtime/errors.js';
import type { ByteStream, Host } from '../runtime/host.js';
import type { Logger } from '../runtime/logger.js';
import { FrameReader, send, writeFrame } from '../wire/bulk.js';
import { BLOB_READ_AHEAD_BYTES_MAX, BLOB_READ_AHEAD_MAX, LIMITS, PROTOCOLS } from '../wire/limits.js';
import type { BlobRefusal } from '../wire/messages/blob.pb.js';
import { Quota } from '../wire/quota.js';
import type { BlobAccess, WrongBytes } from './access.js';
import { Bitmap } from './bitmap.js';
import type { BlobId, BlobStore, Manifest } from './blob.js';
import { ChunkReader } from './chunk-reader.js';
import { blobErrors } from './errors.js';
import type { Run } from './fetch-plan.js';
import {
  encodeGetReply,
  encodeHaveReply,
  type Piece,
  type Request,
  readRequest,
  refusalOf,
  toPackets,
  untilGivenUp,
} from './frames.js';
import { GuardedStream } from './guarded-stream.js';
import { Holding } from './hold.js';
import { chunkLength, manifestToBytes } from './manifest.js';
import { readAhead, type Work } from './read-ahead.js';

export interface ServeDeps {
  host: Pick<Host, 'handle'>;
  blobs: Pick<BlobStore, 'has' | 'path' | 'manifest' | 'quarantine' | 'partial'>;
  access: BlobAccess;
  clock: Clock;
  log: Logger;
  /** A peer pushed a chunk that its manifest does not promise. */
  onWrongBytes?: (report: WrongBytes) => void;
}

export interface ServeOptions {
  /** Names this holder's store; new at every init or restore, so that old confirmations lapse. */
  storeId: string;
}

export async function serveBlobs(deps: ServeDeps, options: ServeOptions): Promise<void> {
  const quota = new Quota({ perMinute: LIMITS.blob.callsPerMinuteMax });
  await deps.host.handle(PROTOCOLS.blob, LIMITS.blob, async (inner) => {
    const stream = new GuardedStream(inner, deps.clock, LIMITS.blob.deadlineMs);
    const conversation = new Conversation(deps, options, stream);
    await conversation.run(() => quota.take(stream.remotePeer, deps.clock.monotonic()));
  });
}

type GetRequest = Extract<Request, { kind: 'get' }>;

class Conversation {
  private readonly reader: FrameReader;
  private readonly chunks: ChunkReader;
  private last: { id: BlobId; manifest: Manifest } | undefined;

  constructor(
    private readonly deps: ServeDeps,
    private readonly options: ServeOptions,
    private readonly stream: ByteStream,
  ) {
    this.reader = new FrameReader(stream);
    this.chunks = new ChunkReader(deps.blobs);
  }

  async run(mayAsk: () => boolean): Promise<void> {
    try {
      for (let request = await readRequest(this.reader); request; request = await readRequest(this.reader)) {
        if (!mayAsk()) throw blobErrors('too-many');
        await this.answer(request);
      }
    } finally {
      await this.chunks.close();
    }
  }

  private async answer(request: Request): Promise<void> {
    const { stream, reader } = this;
    if (request.kind === 'offer') return new Holding(this.deps, { stream, reader }, this.options).run(request.items);
    if (request.kind === 'get') return this.give(request);
    const held = Bitmap.empty(request.ids.length);
    for (const [index, id] of request.ids.entries()) if (await this.isServed(id)) held.add(index);
    await writeFrame(stream, encodeHaveReply(this.options.storeId, held));
  }

  private async isServed(id: BlobId): Promise<boolean> {
    return this.deps.blobs.has(id) && (await this.deps.access.mayServe(this.stream.remotePeer, id)).allowed;
  }

  private async give({ id, manifest: isManifestWanted, start, count }: GetRequest): Promise<void> {
    let manifest: Manifest;
    try {
      const verdict = await this.deps.access.mayServe(this.stream.remotePeer, id);
      if (!verdict.allowed) throw blobErrors('not-allowed', { blob: id, reason: verdict.reason });
      manifest = await this.manifestOf(id);
    } catch (error) {
      return writeFrame(this.stream, encodeGetReply({ refusal: this.tell(id, error), size: 0, count: 0 }));
    }
    const given = Math.max(0, Math.min(count, manifest.chunks.length - start));
    await writeFrame(this.stream, encodeGetReply({ size: manifest.size, count: given }));
    if (isManifestWanted) await this.stream.write(manifestToBytes(manifest));
    await pipe(
      this.reads(id, manifest, { start, count: given }),
      readAhead<Piece>({ bytesMax: BLOB_READ_AHEAD_BYTES_MAX, worksMax: BLOB_READ_AHEAD_MAX }),
      untilGivenUp,
      toPackets,
      send(this.stream, { end: false }),
    );
  }

  /** Requests for one blob come in a row, and a large blob's manifest takes long to read. */
  private async manifestOf(id: BlobId): Promise<Manifest> {
    if (this.last?.id === id && this.deps.blobs.has(id)) return this.last.manifest;
    this.last = { id, manifest: await this.deps.blobs.manifest(id) };
    return this.last.manifest;
  }

  /** Reading and hashing; what is damaged here is not sent but said. */
  private *reads(id: BlobId, manifest: Manifest, { start, count }: Run): Generator<Work<Piece>, void, undefined> {
    for (let chunk = start; chunk < start + count; chunk++) {
      yield {
        bytes: chunkLength(manifest.size, chunk),
        run: async () => {
          try {
            return { item: 0, chunk, content: await this.chunks.read(id, manifest, chunk) };
          } catch (error) {
            return { item: 0, chunk, content: this.tell(id, error) };
          }
        },
      };
    }
  }

  private tell(blob: BlobId, error: unknown): BlobRefusal {
    if (!isDomainError(error)) this.deps.log.error({ blob, err: error }, 'a blob could not be served');
    return refusalOf(error);
  }
}
