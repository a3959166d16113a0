/** Asks a peer which of some blobs it holds, complete and ready to serve. */
import { type Clock, deadline } from '../runtime/clock.js';
import type { Host } from '../runtime/host.js';
import { abortOn, FrameReader, writeFrame } from '../wire/bulk.js';
import { BLOB_HAVE_IDS_MAX, LIMITS, PROTOCOLS } from '../wire/limits.js';
import type { BlobId } from './blob.js';
import { encodeRequest, readHaveReply } from './frames.js';
import { GuardedStream } from './guarded-stream.js';

export interface HeldReport {
  storeId: string;
  held: Set<BlobId>;
}

/** The peer must be connected. Errors: `blobs/stalled`, `blobs/protocol`, the host's, the signal's reason. */
export async function askHeld(
  deps: { host: Pick<Host, 'openStream'>; clock: Clock },
  request: { peer: string; ids: readonly BlobId[] },
  signal?: AbortSignal,
): Promise<HeldReport> {
  const limit = deadline(LIMITS.blob.deadlineMs, signal);
  const inner = await deps.host.openStream(request.peer, PROTOCOLS.blob, limit);
  const stream = new GuardedStream(inner, deps.clock, LIMITS.blob.deadlineMs);
  const unwatch = abortOn(stream, signal);
  const reader = new FrameReader(stream);
  const held = new Set<BlobId>();
  let storeId = '';
  try {
    for (let start = 0; start === 0 || start < request.ids.length; start += BLOB_HAVE_IDS_MAX) {
      const ids = request.ids.slice(start, start + BLOB_HAVE_IDS_MAX);
      await writeFrame(stream, encodeRequest({ kind: 'have', ids }));
      const reply = await readHaveReply(reader, ids.length);
      storeId = reply.storeId;
      for (const index of reply.held.present()) held.add(ids[index] as BlobId);
    }
    await stream.closeWrite();
    for await (const _ of reader.rest());
    return { storeId, held };
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)));
    throw signal?.aborted ? signal.reason : error;
  } finally {
    unwatch();
  }
}
