/** What the log needs of trust: who may write a segment, and who says how far it goes. See segment-trust.ts. */
import type { SegmentKey } from './entry.js';
import type { SegmentHead } from './segment.js';

export interface SegmentTrust {
  /** PeerId of this node: it signs the heads of what it wrote. */
  readonly self: string;
  signHead(head: SegmentHead): string;
  /** Checks signature and shape. Throws what the token lacks. */
  openHead(token: string): { payload: SegmentHead; signer: string };
  /** Checks that the lease allows a node to write this segment; says which node. Throws why not. */
  checkLease(token: string, key: SegmentKey): { node: string };
}
