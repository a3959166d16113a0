/**
 * What a holder holds, in a form that two can compare: a digest for each of 256 buckets, and the Merkle root of all ids.
 * Equal digests mean equal sets; a bucket that differs names the few ids to look at. Over ids only, because an id
 * already stands for every byte of its blob. Pure, but for `inventoryOf`, which reads the list.
 *
 * The root is that of RFC 9162, section 2.1 (with BLAKE3 for its hash): leaves and inner nodes are hashed with different
 * prefixes, so that no inner node can pose as a leaf.
 */
import { BLAKE3_BYTES, type Blake3, blake3, createBlake3 } from '../runtime/blake3.js';
import type { BlobId, BlobRef, BlobStore } from './blob.js';
import { isBlobId } from './manifest.js';

export const INVENTORY_BUCKETS = 256;

export interface Inventory {
  blobs: number;
  bytes: number;
  /** 256 digests of 32 bytes each; that of an empty bucket is all zero. */
  buckets: Uint8Array;
  /** 32 bytes. */
  root: Uint8Array;
}

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const NEWLINE = Buffer.from('\n');

/** The last eight bits of the id's hash. */
export function bucketOf(id: BlobId): number {
  if (!isBlobId(id)) throw new RangeError('not the id of a blob');
  // The last letter carries three bits and two of padding.
  return BASE32.indexOf(id.charAt(id.length - 2)) * 8 + (BASE32.indexOf(id.charAt(id.length - 1)) >> 2);
}

/** Takes blobs in ascending order of id, one at a time. */
export class InventoryBuilder {
  private blobs = 0;
  private bytes = 0;
  private readonly hashers = new Map<number, Blake3>();
  private readonly tree = new MerkleBuilder();

  add({ blob, size }: BlobRef): void {
    this.tree.add(blob);
    const bucket = bucketOf(blob);
    const hasher = this.hashers.get(bucket) ?? createBlake3();
    this.hashers.set(bucket, hasher);
    hasher.update(Buffer.from(blob)).update(NEWLINE);
    this.blobs += 1;
    this.bytes += size;
  }

  finish(): Inventory {
    const buckets = new Uint8Array(INVENTORY_BUCKETS * BLAKE3_BYTES);
    for (const [bucket, hasher] of this.hashers) buckets.set(hasher.digest(), bucket * BLAKE3_BYTES);
    return { blobs: this.blobs, bytes: this.bytes, buckets, root: this.tree.root() };
  }
}

/** Of ids in any order. */
export function inventoryOfRefs(refs: Iterable<BlobRef>): Inventory {
  const builder = new InventoryBuilder();
  for (const ref of [...refs].sort((a, b) => compareIds(a.blob, b.blob))) builder.add(ref);
  return builder.finish();
}

export async function inventoryOf(blobs: Pick<BlobStore, 'list'>): Promise<Inventory> {
  const builder = new InventoryBuilder();
  for await (const ref of blobs.list()) builder.add(ref);
  return builder.finish();
}

/** Buckets in which the two do not hold the same blobs. */
export function differingBuckets(ours: Uint8Array, theirs: Uint8Array): number[] {
  const length = INVENTORY_BUCKETS * BLAKE3_BYTES;
  if (ours.length !== length || theirs.length !== length) throw new RangeError('not an inventory digest');
  const differing: number[] = [];
  for (let bucket = 0; bucket < INVENTORY_BUCKETS; bucket++) {
    const start = bucket * BLAKE3_BYTES;
    if (
      Buffer.compare(ours.subarray(start, start + BLAKE3_BYTES), theirs.subarray(start, start + BLAKE3_BYTES)) !== 0
    ) {
      differing.push(bucket);
    }
  }
  return differing;
}

/** The Merkle root of texts in strictly ascending order; that of none is the hash of nothing. */
export function merkleRoot(sorted: Iterable<string>): Uint8Array {
  const tree = new MerkleBuilder();
  for (const text of sorted) tree.add(text);
  return tree.root();
}

class MerkleBuilder {
  private last: string | undefined;
  /** Complete subtrees from left to right, each larger than the next: as many as the count has bits set. */
  private readonly subtrees: { leaves: number; hash: Uint8Array }[] = [];

  add(text: string): void {
    if (this.last !== undefined && compareIds(this.last, text) >= 0) throw new RangeError('not in ascending order');
    this.last = text;
    let subtree = { leaves: 1, hash: blake3(Buffer.concat([LEAF, Buffer.from(text)])) };
    for (let left = this.subtrees.at(-1); left?.leaves === subtree.leaves; left = this.subtrees.at(-1)) {
      this.subtrees.pop();
      subtree = { leaves: left.leaves * 2, hash: innerNode(left.hash, subtree.hash) };
    }
    this.subtrees.push(subtree);
  }

  root(): Uint8Array {
    const last = this.subtrees.at(-1);
    if (last === undefined) return blake3(new Uint8Array());
    return this.subtrees.slice(0, -1).reduceRight((right, left) => innerNode(left.hash, right), last.hash);
  }
}

function innerNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return blake3(Buffer.concat([NODE, left, right]));
}

/** As the store orders its keys: by bytes. */
function compareIds(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
