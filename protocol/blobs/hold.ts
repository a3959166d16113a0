/**
 * The receiving end of a push: verdicts, then chunks as they come, each verified before it is written, then a
 * confirmation for each blob that is fsynced and recorded. Never confirms what a power cut could still take away.
 *
 * An offered blob is: held | refused | coming → held | failed. After `failed` the rest of it is read and thrown away,
 * until the sender notices and gives it up; the other blobs of the offer go on.
 */
import { pipe } from 'it-pipe';
import { isDomainError } from '../runtime/errors.js';
import type { ByteStream } from '../runtime/host.js';
import type { Logger } from '../runtime/logger.js';
import { type FrameReader, writeFrame } from '../wire/bulk.js';
import {
  BLOB_OFFER_ITEMS_MAX,
  BLOB_UNSYNCED_BYTES_MAX,
  BLOB_UNSYNCED_MAX,
  BLOB_UNWRITTEN_BYTES_MAX,
  BLOB_UNWRITTEN_MAX,
} from '../wire/limits.js';
import type { BlobAccess, WrongBytes } from './access.js';
import { Bitmap } from './bitmap.js';
import type { BlobStore, PartialBlob } from './blob.js';
import { blobErrors } from './errors.js';
import {
  broken,
  type Confirmation,
  encodeConfirm,
  encodeOfferReply,
  type OfferItem,
  readPiece,
  refusalOf,
  type Verdict,
} from './frames.js';
import { chunkLength, manifestLength } from './manifest.js';
import { Window } from './window.js';

export interface HoldDeps {
  blobs: Pick<BlobStore, 'has' | 'partial'>;
  access: Pick<BlobAccess, 'mayHold'>;
  log: Logger;
  onWrongBytes?: (report: WrongBytes) => void;
}

interface Coming {
  index: number;
  partial: PartialBlob;
  /** Chunks that the sender has yet to send. */
  expected: Bitmap;
  unsent: number;
  unwritten: number;
  failed: boolean;
}

interface Arrived {
  coming: Coming;
  chunk: number;
  length: number;
  parts: readonly Uint8Array[];
}

/** One offer, from its verdicts to its last confirmation. */
export class Holding {
  private readonly coming = new Map<number, Coming>();
  private readonly writing = new Window({ bytesMax: BLOB_UNWRITTEN_BYTES_MAX, worksMax: BLOB_UNWRITTEN_MAX });
  /** Apart from the writing, so that the network does not stand still while the disk syncs. */
  private readonly finishing = new Window({ bytesMax: BLOB_UNSYNCED_BYTES_MAX, worksMax: BLOB_UNSYNCED_MAX });
  private unconfirmed: Confirmation[] = [];
  private confirming: Promise<void> = Promise.resolve();

  constructor(
    private readonly deps: HoldDeps,
    private readonly wire: { stream: ByteStream; reader: FrameReader },
    private readonly options: { storeId: string },
  ) {}

  async run(items: readonly OfferItem[]): Promise<void> {
    try {
      const verdicts: Verdict[] = [];
      for (const [index, item] of items.entries()) verdicts.push(await this.judge(index, item));
      await writeFrame(this.wire.stream, encodeOfferReply(this.options.storeId, verdicts));
      for (const coming of this.coming.values()) if (coming.unsent === 0) await this.startFinishing(coming);
      await pipe(this.arriving(), (arrived) => this.keep(arrived));
      await this.drained();
      await this.confirming;
    } finally {
      await this.drained();
      for (const { partial } of this.coming.values()) await this.release(partial);
    }
  }

  private async judge(index: number, item: OfferItem): Promise<Verdict> {
    const { blobs, access } = this.deps;
    const peer = this.wire.stream.remotePeer;
    const ref = { blob: item.id, size: item.size };
    const refuse = (error: unknown): Verdict => ({ kind: 'refused', refusal: refusalOf(error) });
    let early: Verdict | undefined;
    if (blobs.has(item.id)) early = { kind: 'held' };
    else {
      const verdict = await access.mayHold(peer, ref);
      if (!verdict.allowed) early = refuse(blobErrors('not-allowed', { blob: item.id, reason: verdict.reason }));
    }
    if (early !== undefined) {
      if (item.manifest === undefined) await this.skip(manifestLength(item.size));
      return early;
    }
    const manifest = item.manifest ?? (await this.wire.reader.readExactly(manifestLength(item.size)));
    try {
      const partial = await blobs.partial(item.id, manifest);
      if (partial.manifest.size !== item.size) {
        await partial.release();
        return refuse(blobErrors('bad-manifest', { blob: item.id, reason: 'its size is not the one offered' }));
      }
      const missing = Bitmap.of(partial.manifest.chunks.length, partial.missing());
      const unsent = missing.count;
      this.coming.set(index, { index, partial, expected: missing.copy(), unsent, unwritten: unsent, failed: false });
      return { kind: 'missing', missing };
    } catch (error) {
      if (isDomainError(error, 'blobs/exists')) return { kind: 'held' };
      if (!isDomainError(error)) this.deps.log.error({ blob: item.id, err: error }, 'an offered blob was refused');
      return refuse(error);
    }
  }

  /** The receiving stage: pieces in the order in which they come, without those of blobs that failed. */
  private async *arriving(): AsyncGenerator<Arrived, void, undefined> {
    const { reader } = this.wire;
    let open = [...this.coming.values()].filter(({ unsent }) => unsent > 0).length;
    while (open > 0) {
      const piece = await readPiece(reader);
      const coming = this.coming.get(piece.item);
      if (coming === undefined || coming.unsent === 0) throw broken('a piece of a blob that was not asked for');
      if (piece.givenUp !== undefined) {
        coming.unsent = 0;
        open -= 1;
        await this.fail(coming, blobErrors('given-up', { blob: coming.partial.id, reason: piece.givenUp.reason }));
        continue;
      }
      if (!coming.expected.has(piece.chunk)) throw broken('a chunk that was not asked for');
      coming.expected.delete(piece.chunk);
      coming.unsent -= 1;
      if (coming.unsent === 0) open -= 1;
      const length = chunkLength(coming.partial.manifest.size, piece.chunk);
      if (coming.failed) await this.skip(length);
      else yield { coming, chunk: piece.chunk, length, parts: await reader.readParts(length) };
    }
  }

  /** The verifying and writing stage; several chunks at once, so that a disk's latency is hidden. */
  private async keep(arrived: AsyncIterable<Arrived>): Promise<void> {
    for await (const one of arrived) await this.writing.add(one.length, () => this.write(one));
  }

  private async write({ coming, chunk, parts }: Arrived): Promise<void> {
    if (coming.failed) return;
    try {
      await coming.partial.write(chunk, parts);
    } catch (error) {
      if (isDomainError(error, 'blobs/wrong-bytes')) this.report(coming.partial.id, chunk);
      return this.fail(coming, error);
    }
    coming.unwritten -= 1;
    if (coming.unwritten > 0) return;
    // Whoever finds this window full keeps its place in the other: a disk slow to sync slows the sender down.
    await this.startFinishing(coming);
  }

  private startFinishing(coming: Coming): Promise<void> {
    return this.finishing.add(coming.partial.manifest.size, () => this.finish(coming));
  }

  private async drained(): Promise<void> {
    await this.writing.drained();
    await this.finishing.drained();
  }

  private async finish(coming: Coming): Promise<void> {
    try {
      await coming.partial.finish();
    } catch (error) {
      return this.fail(coming, error);
    }
    this.confirm({ item: coming.index });
  }

  private async fail(coming: Coming, error: unknown): Promise<void> {
    if (coming.failed) return;
    coming.failed = true;
    const blob = coming.partial.id;
    if (isDomainError(error)) this.deps.log.debug({ blob, code: error.code }, 'a blob was not taken');
    else this.deps.log.error({ blob, err: error }, 'a blob could not be written');
    this.confirm({ item: coming.index, failure: refusalOf(error) });
    await this.release(coming.partial);
  }

  /** Those that gather while a frame is being written share the next one. */
  private confirm(confirmation: Confirmation): void {
    this.unconfirmed.push(confirmation);
    if (this.unconfirmed.length > 1) return;
    this.confirming = this.confirming.then(async () => {
      const items = this.unconfirmed.splice(0, BLOB_OFFER_ITEMS_MAX);
      await writeFrame(this.wire.stream, encodeConfirm(items));
    });
    // Told where it is awaited, at the end; the stream is broken then and the reading stage fails as well.
    this.confirming.catch(() => {});
  }

  private report(id: string, chunk: number): void {
    const peer = this.wire.stream.remotePeer;
    this.deps.log.warn({ peer, blob: id, chunk }, 'a peer sent wrong bytes');
    try {
      this.deps.onWrongBytes?.({ peer, id, chunk });
    } catch (error) {
      this.deps.log.error({ err: error }, 'a report of wrong bytes failed');
    }
  }

  private async skip(bytes: number): Promise<void> {
    for await (const _ of this.wire.reader.stream(bytes));
  }

  private async release(partial: PartialBlob): Promise<void> {
    try {
      await partial.release();
    } catch (error) {
      this.deps.log.warn({ blob: partial.id, err: error }, 'the progress of a blob could not be saved');
    }
  }
}
