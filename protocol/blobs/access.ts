/** Who may have which blob: asked of whoever knows accounts and placement. And what is told about a peer that lied. */
import type { BlobId, BlobRef } from './blob.js';

export type AccessVerdict = { allowed: true } | { allowed: false; reason: string };

export interface BlobAccess {
  /** Whether this peer may read the blob, or learn that it is here. */
  mayServe(peer: string, id: BlobId): AccessVerdict | Promise<AccessVerdict>;
  /** Whether this peer may leave the blob here. */
  mayHold(peer: string, ref: BlobRef): AccessVerdict | Promise<AccessVerdict>;
}

export interface WrongBytes {
  peer: string;
  id: BlobId;
  /** Undefined: the manifest itself was wrong. */
  chunk: number | undefined;
}
