/**
 * A libp2p stream as a `ByteStream`: backpressure both ways and an honest end. libp2p's own helpers were measured and
 * rejected: `onDrain` stops waiting after its first drain (a slow reader let the sender run 250 MiB ahead), iterating a
 * stream pauses nobody, and a connection that breaks looks like a proper end, so that a truncated file seems whole.
 */
import { defineErrors } from './errors.js';
import { type ByteStream, STREAM_BUFFER_BYTES_MAX } from './host.js';

export const streamErrors = defineErrors('stream', {
  closed: {
    kind: 'unavailable',
    say: 'The stream {protocol} with {peer} ended early: {reason}.',
    mend: 'It is tried again by itself where that is safe.',
  },
});

type StreamEvent = 'message' | 'drain' | 'idle' | 'close' | 'end' | 'remoteCloseWrite';

/** What is used of libp2p's stream. */
export interface Muxed {
  readonly protocol: string;
  readonly status: string;
  readonly readStatus: string;
  readonly writeStatus: string;
  readonly remoteWriteStatus: string;
  readonly readBufferLength: number;
  readonly writeBufferLength: number;
  send(data: Uint8Array): boolean;
  close(): Promise<void>;
  abort(error: Error): void;
  pause(): void;
  resume(): void;
  addEventListener(type: StreamEvent, listener: (event: Event) => void): void;
  removeEventListener(type: StreamEvent, listener: (event: Event) => void): void;
}

/** The reader is asked to pause the sender when this much waits for it. */
const QUEUE_BYTES_HIGH = 256 * 1024;

export class MuxedStream implements ByteStream {
  readonly remotePeer: string;
  readonly protocol: string;
  private queue: Uint8Array[] = [];
  private queued = 0;
  private resuming = false;
  private remoteEnded: boolean;
  private failure: Error | undefined;
  private isClosed = false;
  private reading = false;
  private closing: Promise<void> | undefined;
  private discarding = false;
  /** The reader and the writers that wait for something to change. */
  private readonly waiting = new Set<() => void>();

  constructor(
    private readonly stream: Muxed,
    options: { peer: string; onClosed: (stream: MuxedStream) => void },
  ) {
    this.remotePeer = options.peer;
    this.protocol = stream.protocol;
    this.remoteEnded = stream.status === 'open' && stream.remoteWriteStatus === 'closed';
    const onMessage = (event: Event) => this.take((event as Event & { data: Uint8Array | Iterable<Uint8Array> }).data);
    const onRemoteCloseWrite = () => {
      this.remoteEnded = true;
      this.wake();
    };
    const onEnd = () => this.wake();
    const onDrain = () => this.wake();
    const onClose = (event: Event) => {
      this.failure ??= (event as Event & { error?: Error }).error;
      this.isClosed = true;
      // What came before a proper end is still delivered; the message listener stays for it.
      for (const type of ['drain', 'idle'] as const) stream.removeEventListener(type, onDrain);
      stream.removeEventListener('close', onClose);
      this.wake();
      options.onClosed(this);
    };
    stream.addEventListener('remoteCloseWrite', onRemoteCloseWrite);
    stream.addEventListener('end', onEnd);
    stream.addEventListener('drain', onDrain);
    stream.addEventListener('idle', onDrain);
    stream.addEventListener('close', onClose);
    stream.addEventListener('message', onMessage);
    if (stream.status !== 'open') {
      this.isClosed = true;
      this.failure ??= this.error('it was closed before it could be used');
    }
  }

  get closed(): boolean {
    return this.isClosed;
  }

  async *source(): AsyncGenerator<Uint8Array> {
    if (this.reading) throw new Error('a stream has one reader at a time');
    this.reading = true;
    let finished = false;
    try {
      while (true) {
        if (this.queue.length > 0) {
          const chunks = this.queue;
          this.queue = [];
          this.queued = 0;
          yield* chunks;
          continue;
        }
        if (this.failure !== undefined) {
          finished = true;
          throw this.error(this.failure.message, this.failure);
        }
        if (this.stream.readStatus === 'paused') {
          this.resume();
          continue;
        }
        if (this.remoteEnded && this.stream.readBufferLength === 0) {
          finished = true;
          return;
        }
        if (this.isClosed) {
          finished = true;
          throw this.error('the connection was lost');
        }
        await this.change();
      }
    } finally {
      this.reading = false;
      if (!finished) this.abort(new Error('the reader stopped before the end'));
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.assertWritable();
    try {
      this.stream.send(bytes);
    } catch (cause) {
      throw this.error((cause as Error).message, cause);
    }
    // Events come in bursts, so the length is looked at again after each.
    while (this.stream.writeBufferLength > STREAM_BUFFER_BYTES_MAX) {
      this.assertWritable();
      await this.change();
    }
    if (this.failure !== undefined) throw this.error(this.failure.message, this.failure);
  }

  closeWrite(): Promise<void> {
    this.closing ??= this.stream.close().catch((cause: unknown) => {
      // libp2p rejects with the close event itself, not with an error.
      const reason = cause instanceof Error ? cause.message : (this.failure?.message ?? 'the connection was lost');
      throw this.error(reason, cause);
    });
    return this.closing;
  }

  abort(error: Error): void {
    if (this.isClosed) return;
    this.failure ??= error;
    this.stream.abort(error);
    this.isClosed = true;
    this.wake();
  }

  /** Reads and forgets the rest, so that the remote may finish and both ends forget the stream. */
  async discardRest(): Promise<void> {
    this.discarding = true;
    this.queue = [];
    this.queued = 0;
    if (this.stream.readStatus === 'paused') this.resume();
    while (!this.isClosed && !(this.remoteEnded && this.stream.readBufferLength === 0)) {
      await this.change();
    }
  }

  private take(data: Uint8Array | Iterable<Uint8Array>): void {
    if (this.discarding) return;
    for (const chunk of data instanceof Uint8Array ? [data] : data) {
      this.queue.push(chunk);
      this.queued += chunk.byteLength;
    }
    // A pause inside resume() would be undone by the rest of resume(): see there.
    if (this.queued > QUEUE_BYTES_HIGH && !this.resuming) this.pause();
    this.wake();
  }

  private pause(): void {
    if (this.stream.readStatus === 'readable') this.stream.pause();
  }

  private resume(): void {
    this.resuming = true;
    try {
      this.stream.resume();
    } finally {
      this.resuming = false;
    }
    if (this.queued > QUEUE_BYTES_HIGH) this.pause();
  }

  private assertWritable(): void {
    if (this.failure !== undefined) throw this.error(this.failure.message, this.failure);
    if (this.isClosed) throw this.error('the connection was lost');
    if (this.closing !== undefined) throw new Error('write after closeWrite');
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.add(resolve));
  }

  private wake(): void {
    const woken = [...this.waiting];
    this.waiting.clear();
    for (const resolve of woken) resolve();
  }

  private error(reason: string, cause?: unknown) {
    return streamErrors('closed', { protocol: this.protocol, peer: this.remotePeer, reason }, { cause });
  }
}
