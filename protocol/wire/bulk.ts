/**
 * Bytes on a stream, with backpressure: what `it-pipe` takes as source and sink, and frames (an unsigned varint length,
 * then that many bytes) that may be followed by raw bytes on the same stream without losing one.
 */
import type { ByteStream } from '../runtime/host.js';
import { wireErrors } from './errors.js';

/** Bytes received in more pieces than this are copied together where they are handed out in pieces. */
const PARTS_MAX = 256;

/** An it-pipe source. */
export function receive(stream: ByteStream): AsyncGenerator<Uint8Array> {
  return stream.source();
}

/** An it-pipe sink. At the end the writing side is closed (unless `end` is false); a failing source aborts the stream. */
export function send(
  stream: ByteStream,
  options: { end?: boolean } = {},
): (source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) => Promise<void> {
  return async (source) => {
    try {
      for await (const bytes of source) await stream.write(bytes);
      if (options.end !== false) await stream.closeWrite();
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  };
}

/** Aborts the stream when the signal does. The function returned ends the watch. */
export function abortOn(stream: ByteStream, signal: AbortSignal | undefined): () => void {
  if (signal === undefined) return () => {};
  const onAbort = () => stream.abort(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  return () => signal.removeEventListener('abort', onAbort);
}

/** Length and bytes in one buffer, so that a small message is one packet. */
export function encodeFrame(body: Uint8Array): Uint8Array {
  const head: number[] = [];
  let length = body.byteLength;
  while (length >= 0x80) {
    head.push((length % 0x80) + 0x80);
    length = Math.floor(length / 0x80);
  }
  head.push(length);
  const frame = new Uint8Array(head.length + body.byteLength);
  frame.set(head);
  frame.set(body, head.length);
  return frame;
}

export function writeFrame(stream: ByteStream, body: Uint8Array): Promise<void> {
  return stream.write(encodeFrame(body));
}

/** Reads one stream's frames and raw bytes in whatever order the protocol says. One call at a time. */
export class FrameReader {
  private readonly source: AsyncGenerator<Uint8Array>;
  private readonly protocol: string;
  /** Received and not yet handed out, oldest first. */
  private chunks: Uint8Array[] = [];
  private held = 0;
  private ended = false;

  /** Bytes received and not yet read. */
  get buffered(): number {
    return this.held;
  }

  constructor(stream: ByteStream) {
    this.source = stream.source();
    this.protocol = stream.protocol;
  }

  /**
   * The next frame, or undefined at a proper end between frames.
   * Errors: `wire/too-large` (before the body is read), `wire/truncated`, `wire/malformed`.
   */
  async readFrame(bytesMax: number): Promise<Uint8Array | undefined> {
    let length = 0;
    let scale = 1;
    for (let read = 0; ; read++) {
      if (this.held === 0 && !(await this.pull())) {
        if (read === 0) return undefined;
        throw wireErrors('truncated', { protocol: this.protocol, bytes: read, expected: read + 1 });
      }
      const byte = (this.take(1) as Uint8Array)[0] as number;
      length += (byte % 0x80) * scale;
      if (length > bytesMax) {
        throw wireErrors('too-large', { protocol: this.protocol, bytes: length, limit: bytesMax });
      }
      if (byte < 0x80) break;
      scale *= 0x80;
      if (read === 7) throw wireErrors('malformed', { protocol: this.protocol, reason: 'its length has no end' });
    }
    return this.readExactly(length);
  }

  /** Errors: `wire/truncated` when the stream ends first. */
  async readExactly(bytes: number): Promise<Uint8Array> {
    while (this.held < bytes) {
      if (!(await this.pull())) {
        throw wireErrors('truncated', { protocol: this.protocol, bytes: this.held, expected: bytes });
      }
    }
    return this.take(bytes);
  }

  /** The same in the pieces in which it came, without a copy. For bytes that are only hashed and written on. */
  async readParts(bytes: number): Promise<Uint8Array[]> {
    while (this.held < bytes) {
      if (!(await this.pull())) {
        throw wireErrors('truncated', { protocol: this.protocol, bytes: this.held, expected: bytes });
      }
    }
    // A sender of tiny packets must not make the bookkeeping larger than the bytes.
    if (this.chunks.length > PARTS_MAX) return [this.take(bytes)];
    const parts: Uint8Array[] = [];
    for (let left = bytes; left > 0; ) {
      const part = this.take(Math.min(left, (this.chunks[0] as Uint8Array).byteLength));
      parts.push(part);
      left -= part.byteLength;
    }
    return parts;
  }

  /** The next `bytes` bytes as they come, for what is too large to hold. Errors: `wire/truncated`. */
  async *stream(bytes: number): AsyncGenerator<Uint8Array> {
    let left = bytes;
    while (left > 0) {
      if (this.held === 0 && !(await this.pull())) {
        throw wireErrors('truncated', { protocol: this.protocol, bytes: bytes - left, expected: bytes });
      }
      const first = this.chunks[0] as Uint8Array;
      const chunk = this.take(Math.min(left, first.byteLength));
      left -= chunk.byteLength;
      yield chunk;
    }
  }

  /** Everything up to the end. */
  async *rest(): AsyncGenerator<Uint8Array> {
    while (this.held > 0 || (await this.pull())) yield this.take((this.chunks[0] as Uint8Array).byteLength);
  }

  private async pull(): Promise<boolean> {
    if (this.ended) return false;
    const next = await this.source.next();
    if (next.done) {
      this.ended = true;
      return false;
    }
    if (next.value.byteLength === 0) return this.pull();
    this.chunks.push(next.value);
    this.held += next.value.byteLength;
    return true;
  }

  private take(bytes: number): Uint8Array {
    this.held -= bytes;
    const first = this.chunks[0];
    if (first !== undefined && first.byteLength > bytes) {
      this.chunks[0] = first.subarray(bytes);
      return first.subarray(0, bytes);
    }
    if (first !== undefined && first.byteLength === bytes) {
      this.chunks.shift();
      return first;
    }
    const all = new Uint8Array(bytes);
    let filled = 0;
    while (filled < bytes) {
      const chunk = this.chunks[0] as Uint8Array;
      const part = chunk.subarray(0, bytes - filled);
      all.set(part, filled);
      filled += part.byteLength;
      if (part.byteLength === chunk.byteLength) this.chunks.shift();
      else this.chunks[0] = chunk.subarray(part.byteLength);
    }
    return all;
  }
}

/** The first `bytes` bytes of a source and an iterable of what follows them. */
export async function readExactly(stream: ByteStream, bytes: number): Promise<{ head: Uint8Array; rest: FrameReader }> {
  const rest = new FrameReader(stream);
  return { head: await rest.readExactly(bytes), rest };
}
