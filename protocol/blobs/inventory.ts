/**
 * The Merkle root of a list in order: what two sides compare instead of the list. That of RFC 9162, section 2.1 (with
 * BLAKE3 for its hash): leaves and inner nodes are hashed with different prefixes, so that no inner node can pose as a
 * leaf. Built one text at a time, so that a list of any length needs no memory.
 */
import { blake3 } from '../runtime/blake3.js';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export class MerkleTree {
  private last: string | undefined;
  /** Complete subtrees from left to right, each larger than the next: as many as the count has bits set. */
  private readonly subtrees: { leaves: number; hash: Uint8Array }[] = [];

  /** In strictly ascending order. */
  add(text: string): void {
    if (this.last !== undefined && this.last >= text) throw new RangeError('not in ascending order');
    this.last = text;
    let subtree = { leaves: 1, hash: blake3(Buffer.concat([LEAF, Buffer.from(text)])) };
    for (let left = this.subtrees.at(-1); left?.leaves === subtree.leaves; left = this.subtrees.at(-1)) {
      this.subtrees.pop();
      subtree = { leaves: left.leaves * 2, hash: innerNode(left.hash, subtree.hash) };
    }
    this.subtrees.push(subtree);
  }

  /** 32 bytes; that of nothing is the hash of nothing. */
  root(): Uint8Array {
    const last = this.subtrees.at(-1);
    if (last === undefined) return blake3(new Uint8Array());
    return this.subtrees.slice(0, -1).reduceRight((right, left) => innerNode(left.hash, right), last.hash);
  }

  /** 64 digits. */
  rootHex(): string {
    return Buffer.from(this.root()).toString('hex');
  }
}

export function merkleRoot(sorted: Iterable<string>): Uint8Array {
  const tree = new MerkleTree();
  for (const text of sorted) tree.add(text);
  return tree.root();
}

function innerNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return blake3(Buffer.concat([NODE, left, right]));
}
