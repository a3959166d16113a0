/** What is to be pushed to one holder: what nobody else has first, then what lacks a further copy, each in order of coming. */
import type { BlobId } from '../../protocol/blobs/blob.js';

export interface PushLimits {
  blobsMax: number;
  /** One larger blob goes alone. */
  bytesMax: number;
}

export class PushQueue {
  private readonly first = new Set<BlobId>();
  private readonly later = new Set<BlobId>();

  get size(): number {
    return this.first.size + this.later.size;
  }

  add(blob: BlobId, isFirst: boolean): void {
    this.delete(blob);
    (isFirst ? this.first : this.later).add(blob);
  }

  delete(blob: BlobId): boolean {
    return this.first.delete(blob) || this.later.delete(blob);
  }

  clear(): void {
    this.first.clear();
    this.later.clear();
  }

  *[Symbol.iterator](): Iterator<BlobId> {
    yield* this.first;
    yield* this.later;
  }

  /** Takes the next push out of the queue. `sizeOf` undefined: no longer wanted, dropped. */
  take(limits: PushLimits, sizeOf: (blob: BlobId) => number | undefined): { blobs: BlobId[]; bytes: number } {
    const blobs: BlobId[] = [];
    let bytes = 0;
    for (const blob of this) {
      const size = sizeOf(blob);
      if (
        size !== undefined &&
        (blobs.length >= limits.blobsMax || (blobs.length > 0 && bytes + size > limits.bytesMax))
      )
        break;
      this.delete(blob);
      if (size === undefined) continue;
      blobs.push(blob);
      bytes += size;
    }
    return { blobs, bytes };
  }
}
