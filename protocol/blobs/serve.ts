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
import { LIMITS, PROTOCOLS } from '../wire/limits.js';
import { Quota } from '../wire/quota.js';
import type { BlobAccess, WrongBytes } from './access.js';
import { Bitmap } from './bitmap.js';
import type { BlobId, BlobStore } from './blob.js';
import { ChunkReader } from './chunk-reader.js';
import { blobErrors } from './errors.js';
import {
  encodeGetReply,
  encodeHaveReply,
  type Piece,
  type Request,
  readRequest,
  refusalOf,
  toPackets,
} from './frames.js';
import { GuardedStream } from './guarded-stream.js';
import { Holding } from './hold.js';
import { manifestToBytes } from './manifest.js';

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

class Conversation {
  private readonly reader: FrameReader;
  private readonly chunks: ChunkReader;

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

  private async give({ id, manifest, start, count }: Extract<Request, { kind: 'get' }>): Promise<void> {
    try {
      const verdict = await this.deps.access.mayServe(this.stream.remotePeer, id);
      if (!verdict.allowed) throw blobErrors('not-allowed', { blob: id, reason: verdict.reason });
      await this.chunks.manifest(id);
    } catch (error) {
      if (!isDomainError(error)) this.deps.log.error({ blob: id, err: error }, 'a blob could not be served');
      return writeFrame(this.stream, encodeGetReply({ refusal: refusalOf(error), size: 0, count: 0 }));
    }
    const found = await this.chunks.manifest(id);
    const given = Math.max(0, Math.min(count, found.chunks.length - start));
    await writeFrame(this.stream, encodeGetReply({ size: found.size, count: given }));
    if (manifest) await this.stream.write(manifestToBytes(found));
    await pipe(this.read(id, start, given), toPackets, send(this.stream, { end: false }));
  }

  /** Reading and hashing; what is damaged here is not sent but said. */
  private async *read(id: BlobId, start: number, count: number): AsyncGenerator<Piece, void, undefined> {
    for (let chunk = start; chunk < start + count; chunk++) {
      try {
        yield { item: 0, chunk, content: await this.chunks.read(id, chunk) };
      } catch (error) {
        if (!isDomainError(error)) this.deps.log.error({ blob: id, err: error }, 'a blob could not be read');
        yield { item: 0, chunk, content: refusalOf(error) };
        return;
      }
    }
  }
}
