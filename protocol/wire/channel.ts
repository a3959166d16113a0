/**
 * A long conversation on one stream: typed messages in both directions, in order, with backpressure. Registration is
 * one. Messages are JSON in frames, as in rpc.ts, from which it differs in that neither side waits for an answer.
 */
import type { z } from 'zod';
import { type Clock, startDeadline, systemClock } from '../runtime/clock.js';
import type { ByteStream, Host } from '../runtime/host.js';
import { abortOn, FrameReader, writeFrame } from './bulk.js';
import { wireErrors } from './errors.js';
import { CHANNEL_SENDS_MAX, LIMITS, PROTOCOLS, type ProtocolName } from './limits.js';
import { Quota } from './quota.js';
import { decode, encode, parse } from './rpc.js';

export interface ChannelDef<Up extends z.ZodType = z.ZodType, Down extends z.ZodType = z.ZodType> {
  protocol: ProtocolName;
  /** What the side that opens sends. */
  up: Up;
  /** What the side that serves sends. */
  down: Down;
}

export function defineChannel<Up extends z.ZodType, Down extends z.ZodType>(
  def: ChannelDef<Up, Down>,
): ChannelDef<Up, Down> {
  return def;
}

export class MessageChannel<Out extends z.ZodType, In extends z.ZodType> {
  private readonly reader: FrameReader;
  private sending: Promise<void> = Promise.resolve();
  private waiting = 0;

  constructor(
    private readonly stream: ByteStream,
    private readonly options: { protocol: ProtocolName; sends: Out; receives: In; clock: Clock },
  ) {
    this.reader = new FrameReader(stream);
  }

  get peer(): string {
    return this.stream.remotePeer;
  }

  get closed(): boolean {
    return this.stream.closed;
  }

  /**
   * In order of the calls. Resolves when the message has left or may wait in the stream's own bounded buffer; a peer that
   * takes nothing for the protocol's deadline loses the channel.
   * Errors: `wire/too-many` past 256 waiting messages, `wire/too-large`, `wire/malformed`, `stream/closed`.
   */
  send(message: z.input<Out>): Promise<void> {
    const { protocol, sends } = this.options;
    const limits = LIMITS[protocol];
    if (this.waiting >= CHANNEL_SENDS_MAX) {
      return Promise.reject(wireErrors('too-many', { protocol, limit: CHANNEL_SENDS_MAX, unit: 'waiting' }));
    }
    let bytes: Uint8Array;
    try {
      bytes = encode(parse(protocol, sends, message));
    } catch (error) {
      return Promise.reject(error);
    }
    if (bytes.byteLength > limits.messageBytesMax) {
      const data = { protocol, bytes: bytes.byteLength, limit: limits.messageBytesMax };
      return Promise.reject(wireErrors('too-large', data));
    }
    this.waiting++;
    const sent = this.sending.then(() => this.write(bytes)).finally(() => this.waiting--);
    this.sending = sent.catch(() => {});
    return sent;
  }

  /**
   * The next message; undefined when the other side has ended properly. One call at a time. Without a signal it waits as
   * long as the stream is open: who needs a deadline gives one, and then the channel is over.
   * Errors: `wire/too-large`, `wire/malformed`, `wire/truncated`, `stream/closed`; the signal's reason.
   */
  async receive(signal?: AbortSignal): Promise<z.output<In> | undefined> {
    const { protocol, receives } = this.options;
    const unwatch = abortOn(this.stream, signal);
    try {
      const frame = await this.reader.readFrame(LIMITS[protocol].messageBytesMax);
      return frame === undefined ? undefined : parse(protocol, receives, decode(protocol, frame));
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error(String(error)));
      throw signal?.aborted ? signal.reason : error;
    } finally {
      unwatch();
    }
  }

  /** Messages until the other side ends. */
  async *messages(signal?: AbortSignal): AsyncGenerator<z.output<In>> {
    for (let message = await this.receive(signal); message !== undefined; message = await this.receive(signal)) {
      yield message;
    }
  }

  /** No more of ours; theirs may still come. */
  async close(): Promise<void> {
    await this.sending;
    await this.limited(() => this.stream.closeWrite());
  }

  abort(error: Error): void {
    this.stream.abort(error);
  }

  private write(bytes: Uint8Array): Promise<void> {
    return this.limited(() => writeFrame(this.stream, bytes));
  }

  private async limited(work: () => Promise<void>): Promise<void> {
    const { deadlineMs } = LIMITS[this.options.protocol];
    const cancel = this.options.clock.after(deadlineMs, () =>
      this.abort(new Error(`nothing taken for ${deadlineMs} ms`)),
    );
    try {
      await work();
    } finally {
      cancel();
    }
  }
}

/** The peer must be connected. The caller ends it: `close` and read to the end, or `abort`. */
export async function openChannel<Up extends z.ZodType, Down extends z.ZodType>(
  host: Pick<Host, 'openStream'>,
  peer: string,
  def: ChannelDef<Up, Down>,
  signal?: AbortSignal,
  clock: Clock = systemClock,
): Promise<MessageChannel<Up, Down>> {
  const limit = startDeadline(clock, LIMITS[def.protocol].deadlineMs, signal);
  try {
    const stream = await host.openStream(peer, PROTOCOLS[def.protocol], limit.signal);
    return new MessageChannel(stream, { protocol: def.protocol, sends: def.up, receives: def.down, clock });
  } finally {
    limit.cancel();
  }
}

/**
 * Serves conversations: each ends when `converse` resolves, and is aborted when it throws. Opening one counts as a call
 * against the peer's quota.
 */
export async function serveChannel<Up extends z.ZodType, Down extends z.ZodType>(
  deps: { host: Pick<Host, 'handle'>; clock: Clock },
  def: ChannelDef<Up, Down>,
  converse: (channel: MessageChannel<Down, Up>) => Promise<void>,
): Promise<void> {
  const limits = LIMITS[def.protocol];
  const quota = new Quota({ perMinute: limits.callsPerMinuteMax });
  await deps.host.handle(PROTOCOLS[def.protocol], limits, async (stream) => {
    if (!quota.take(stream.remotePeer, deps.clock.monotonic())) {
      throw wireErrors('too-many', { protocol: def.protocol, limit: limits.callsPerMinuteMax, unit: 'a minute' });
    }
    const { protocol, up, down } = def;
    await converse(new MessageChannel(stream, { protocol, sends: down, receives: up, clock: deps.clock }));
  });
}
