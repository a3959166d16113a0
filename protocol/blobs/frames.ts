/** The messages of `/galaxy/blob/1` as frames, with a bound on each list, and pieces gathered into packets. */
import { isDomainError } from '../runtime/errors.js';
import { encodeFrame, type FrameReader } from '../wire/bulk.js';
import {
  BLOB_GET_CHUNKS_MAX,
  BLOB_HAVE_IDS_MAX,
  BLOB_OFFER_CHUNKS_MAX,
  BLOB_OFFER_ITEMS_MAX,
  LIMITS,
} from '../wire/limits.js';
import {
  BlobConfirm,
  BlobGetReply,
  BlobHaveReply,
  BlobOfferReply,
  BlobPiece,
  type BlobRefusal,
  BlobRequest,
} from '../wire/messages/blob.pb.js';
import { Bitmap } from './bitmap.js';
import type { BlobId } from './blob.js';
import { blobErrors } from './errors.js';
import { BLOB_BYTES_MAX, chunkCount, isBlobId, manifestLength } from './manifest.js';

/** A piece's header and its bytes leave together, and small pieces leave many at a time. */
const PACKET_BYTES = 64 * 1024;
const REASON_LENGTH_MAX = 1000;

export type Request =
  | { kind: 'offer'; items: OfferItem[] }
  | { kind: 'get'; id: BlobId; manifest: boolean; start: number; count: number }
  | { kind: 'have'; ids: BlobId[] };

export interface OfferItem {
  id: BlobId;
  size: number;
  /** Undefined: it follows raw. */
  manifest: Uint8Array | undefined;
}

export type Verdict =
  | { kind: 'held' }
  | { kind: 'missing'; missing: Bitmap }
  | { kind: 'refused'; refusal: BlobRefusal };

interface Decoder<T> {
  decode(bytes: Uint8Array, options?: { limits?: Record<string, unknown> }): T;
}

export function encodeRequest(request: Request): Uint8Array {
  if (request.kind === 'offer') {
    const items = request.items.map(({ id, size, manifest }) => ({ id, size, manifest: manifest && own(manifest) }));
    return BlobRequest.encode({ offer: { items } });
  }
  if (request.kind === 'have') return BlobRequest.encode({ have: { ids: request.ids } });
  const { id, manifest, start, count } = request;
  return BlobRequest.encode({ get: { id, manifest, start, count } });
}

/** Undefined when the other side has nothing more to ask. Errors: `blobs/protocol`. */
export async function readRequest(reader: FrameReader): Promise<Request | undefined> {
  const limits = { offer: { items: BLOB_OFFER_ITEMS_MAX }, have: { ids: BLOB_HAVE_IDS_MAX } };
  const frame = await reader.readFrame(LIMITS.blob.messageBytesMax);
  if (frame === undefined) return undefined;
  const { offer, get, have } = decode(BlobRequest, frame, limits);
  if ([offer, get, have].filter((part) => part !== undefined).length !== 1) throw broken('a request asks one thing');
  if (offer !== undefined) {
    const items = offer.items.map(checkedItem);
    const chunks = items.reduce((sum, { size }) => sum + chunkCount(size), 0);
    if (chunks > BLOB_OFFER_CHUNKS_MAX) throw broken(`${chunks} chunks in one offer`);
    return { kind: 'offer', items };
  }
  if (have !== undefined) return { kind: 'have', ids: have.ids.map(checkedId) };
  if (get === undefined) throw broken('a request asks one thing');
  if (get.count > BLOB_GET_CHUNKS_MAX) throw broken(`${get.count} chunks in one request`);
  const { manifest, start, count } = get;
  return { kind: 'get', id: checkedId(get.id), manifest, start, count };
}

export function encodeOfferReply(storeId: string, verdicts: readonly Verdict[]): Uint8Array {
  return BlobOfferReply.encode({
    storeId,
    verdicts: verdicts.map((verdict) => {
      if (verdict.kind === 'refused') return { refusal: verdict.refusal };
      return verdict.kind === 'missing' ? { missing: own(verdict.missing.bytes) } : {};
    }),
  });
}

/** Errors: `blobs/protocol` when it does not fit the offer. */
export async function readOfferReply(
  reader: FrameReader,
  sizes: readonly number[],
): Promise<{ storeId: string; verdicts: Verdict[] }> {
  const reply = await readMessage(reader, BlobOfferReply, { verdicts: BLOB_OFFER_ITEMS_MAX });
  if (reply.verdicts.length !== sizes.length) throw broken('not one verdict for each blob');
  const verdicts = reply.verdicts.map(({ missing, refusal }, index): Verdict => {
    if (refusal !== undefined) return { kind: 'refused', refusal: shortened(refusal) };
    if (missing === undefined) return { kind: 'held' };
    const bitmap = Bitmap.parse(chunkCount(sizes[index] as number), missing);
    if (bitmap === undefined) throw broken('a bitmap of the wrong length');
    return { kind: 'missing', missing: bitmap };
  });
  return { storeId: reply.storeId, verdicts };
}

export interface Piece {
  item: number;
  chunk: number;
  /** Bytes of the chunk, or why no more of this item comes. */
  content: Uint8Array | BlobRefusal;
}

/** The header of a piece; its bytes follow on the stream. */
export async function readPiece(reader: FrameReader): Promise<BlobPiece> {
  const piece = await readMessage(reader, BlobPiece);
  return piece.givenUp === undefined ? piece : { ...piece, givenUp: shortened(piece.givenUp) };
}

/** An it-pipe transform: once an item is given up, nothing more of it. */
export async function* untilGivenUp(pieces: AsyncIterable<Piece>): AsyncGenerator<Piece, void, undefined> {
  const gone = new Set<number>();
  for await (const piece of pieces) {
    if (gone.has(piece.item)) continue;
    if (!(piece.content instanceof Uint8Array)) gone.add(piece.item);
    yield piece;
  }
}

/** An it-pipe transform: pieces → packets. */
export async function* toPackets(pieces: AsyncIterable<Piece>): AsyncGenerator<Uint8Array, void, undefined> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const { item, chunk, content } of pieces) {
    const isChunk = content instanceof Uint8Array;
    const header = encodeFrame(BlobPiece.encode(isChunk ? { item, chunk } : { item, chunk, givenUp: content }));
    parts.push(header);
    length += header.length;
    if (isChunk && content.length >= PACKET_BYTES) {
      yield parts.length === 1 ? header : Buffer.concat(parts);
      yield content;
      parts = [];
      length = 0;
    } else if (isChunk) {
      parts.push(content);
      length += content.length;
    }
    if (length >= PACKET_BYTES) {
      yield Buffer.concat(parts);
      parts = [];
      length = 0;
    }
  }
  if (length > 0) yield Buffer.concat(parts);
}

export interface Confirmation {
  item: number;
  failure?: BlobRefusal;
}

export function encodeConfirm(items: Confirmation[]): Uint8Array {
  return BlobConfirm.encode({ items });
}

export async function readConfirm(reader: FrameReader): Promise<Confirmation[]> {
  const { items } = await readMessage(reader, BlobConfirm, { items: BLOB_OFFER_ITEMS_MAX });
  return items.map(({ item, failure }) => (failure === undefined ? { item } : { item, failure: shortened(failure) }));
}

export function encodeGetReply(reply: { refusal?: BlobRefusal; size: number; count: number }): Uint8Array {
  return BlobGetReply.encode(reply);
}

export async function readGetReply(reader: FrameReader, countMax: number): Promise<BlobGetReply> {
  const reply = await readMessage(reader, BlobGetReply);
  if (reply.refusal !== undefined) return { ...reply, refusal: shortened(reply.refusal) };
  if (!isSize(reply.size)) throw broken(`a blob of ${reply.size} bytes`);
  if (reply.count > countMax) throw broken('more chunks than were asked for');
  return reply;
}

export function encodeHaveReply(storeId: string, held: Bitmap): Uint8Array {
  return BlobHaveReply.encode({ storeId, held: own(held.bytes) });
}

export async function readHaveReply(reader: FrameReader, ids: number): Promise<{ storeId: string; held: Bitmap }> {
  const { storeId, held } = await readMessage(reader, BlobHaveReply);
  const bitmap = Bitmap.parse(ids, held);
  if (bitmap === undefined) throw broken('a bitmap of the wrong length');
  return { storeId, held: bitmap };
}

/** How an error is told to the other side: its code and its sentence, nothing of what only this side may know. */
export function refusalOf(error: unknown): BlobRefusal {
  if (isDomainError(error)) return { code: error.code, reason: error.message };
  return { code: 'blobs/failed', reason: 'it failed on the other side, whose log says why' };
}

export function broken(reason: string): Error {
  return blobErrors('protocol', { reason });
}

async function readMessage<T>(
  reader: FrameReader,
  codec: Decoder<T>,
  limits: Record<string, unknown> = {},
): Promise<T> {
  const frame = await reader.readFrame(LIMITS.blob.messageBytesMax);
  if (frame === undefined) throw broken('it ended in the middle');
  return decode(codec, frame, limits);
}

function decode<T>(codec: Decoder<T>, frame: Uint8Array, limits: Record<string, unknown>): T {
  try {
    return codec.decode(frame, { limits });
  } catch (cause) {
    throw blobErrors('protocol', { reason: 'a message cannot be read' }, { cause });
  }
}

function checkedItem({ id, size, manifest }: { id: string; size: number; manifest?: Uint8Array }): OfferItem {
  if (!isSize(size)) throw broken(`a blob of ${size} bytes`);
  if (manifest !== undefined && manifest.length !== manifestLength(size))
    throw broken('a manifest of the wrong length');
  return { id: checkedId(id), size, manifest };
}

function checkedId(id: string): BlobId {
  if (!isBlobId(id)) throw broken('what should be the id of a blob is none');
  return id;
}

/** What the generated code asks for by its type: no memory shared between threads, of which there is none here. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

function isSize(size: number): boolean {
  return Number.isSafeInteger(size) && size >= 0 && size <= BLOB_BYTES_MAX;
}

function shortened({ code, reason }: BlobRefusal): BlobRefusal {
  return { code: code.slice(0, 100), reason: reason.slice(0, REASON_LENGTH_MAX) };
}
