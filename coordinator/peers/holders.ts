/** Asks holders for a drain's comparison: the repository in this process, nodes over `/galaxy/blob/1` and `/galaxy/log/1`. */
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { ChunkReader } from '../../protocol/blobs/chunk-reader.js';
import { encodeRequest, readGetReply, readPiece } from '../../protocol/blobs/frames.js';
import { GuardedStream } from '../../protocol/blobs/guarded-stream.js';
import { askHeld } from '../../protocol/blobs/held.js';
import { chunkLength, chunkMatches, manifestLength, verifyManifest } from '../../protocol/blobs/manifest.js';
import type { AccountLog, Vector } from '../../protocol/log/account-log.js';
import { logCalls } from '../../protocol/log/exchange.js';
import { type Clock, deadline } from '../../protocol/runtime/clock.js';
import { defineErrors } from '../../protocol/runtime/errors.js';
import type { Host } from '../../protocol/runtime/host.js';
import { abortOn, FrameReader, writeFrame } from '../../protocol/wire/bulk.js';
import { LIMITS, PROTOCOLS } from '../../protocol/wire/limits.js';
import { call } from '../../protocol/wire/rpc.js';
import type { HolderQueries } from '../holder-questions.js';

export const holderErrors = defineErrors('holder', {
  refused: { kind: 'unavailable', say: 'The holder {peer} did not give {blob}: {reason}.', mend: 'See its log.' },
  'wrong-bytes': {
    kind: 'corrupt',
    say: 'The holder {peer} has wrong bytes for chunk {chunk} of {blob}.',
    mend: 'It does not count as a holder; its disk should be looked at.',
  },
});

export interface HolderQueriesDeps {
  host: Pick<Host, 'openStream' | 'peerId'>;
  repository: { readonly blobs: BlobStore; readonly accounts: AccountLog };
  clock: Clock;
}

export class NetworkHolders implements HolderQueries {
  constructor(private readonly deps: HolderQueriesDeps) {}

  async held(peer: string, ids: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    if (this.isHere(peer)) return new Set(ids.filter((id) => this.deps.repository.blobs.has(id)));
    if (ids.length === 0) return new Set();
    return (await askHeld(this.deps, { peer, ids }, signal)).held;
  }

  async checkChunk(peer: string, id: string, chunk: number, signal: AbortSignal): Promise<void> {
    if (this.isHere(peer)) return this.checkHere(id, chunk);
    const limit = deadline(LIMITS.blob.deadlineMs, signal);
    const inner = await this.deps.host.openStream(peer, PROTOCOLS.blob, limit);
    const stream = new GuardedStream(inner, this.deps.clock, LIMITS.blob.deadlineMs);
    const unwatch = abortOn(stream, limit);
    try {
      const reader = new FrameReader(stream);
      await writeFrame(stream, encodeRequest({ kind: 'get', id, manifest: true, start: chunk, count: 1 }));
      const reply = await readGetReply(reader, 1);
      if (reply.refusal) throw holderErrors('refused', { peer, blob: id, reason: reply.refusal.reason });
      const manifest = verifyManifest(id, await reader.readExactly(manifestLength(reply.size)));
      // An empty blob has no chunk: its manifest is all there is to check.
      if (manifest.chunks.length === 0) return;
      const piece = await readPiece(reader);
      if (piece.givenUp) throw holderErrors('refused', { peer, blob: id, reason: piece.givenUp.reason });
      const bytes = await reader.readExactly(chunkLength(manifest.size, chunk));
      if (!chunkMatches(manifest, chunk, bytes)) throw holderErrors('wrong-bytes', { peer, blob: id, chunk });
    } finally {
      unwatch();
      stream.abort(new Error('the sample was taken'));
    }
  }

  async vector(peer: string, account: string, signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
    if (this.isHere(peer)) return positions(await this.deps.repository.accounts.vector(account));
    return positions((await call(this.deps.host, peer, logCalls.vector, { account }, signal)).vector);
  }

  private async checkHere(id: string, chunk: number): Promise<void> {
    const chunks = new ChunkReader(this.deps.repository.blobs);
    try {
      const manifest = await this.deps.repository.blobs.manifest(id);
      if (manifest.chunks.length > 0) await chunks.read(id, manifest, chunk);
    } finally {
      await chunks.close();
    }
  }

  private isHere(peer: string): boolean {
    return peer === this.deps.host.peerId;
  }
}

function positions(vector: Vector): Record<string, number> {
  return Object.fromEntries(Object.entries(vector).map(([segment, { seq }]) => [segment, seq]));
}
