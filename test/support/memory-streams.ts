/** Streams between hosts of one process: pull-based, bounded, and with a hand on the wire for tests that want trouble. */
import type { ByteStream, Host, StreamHandler, StreamLimits } from '../../protocol/runtime/host.js';

const BUFFER_BYTES_MAX = 1024 * 1024;

/** What happens to bytes on their way: they pass, are changed, are held up (a promise), or the stream breaks (it throws). */
export type OnTheWire = (bytes: Uint8Array, at: number) => Uint8Array | Promise<Uint8Array>;

class Direction {
  private readonly queue: Uint8Array[] = [];
  private buffered = 0;
  private sent = 0;
  private ended = false;
  private error: Error | undefined;
  private waiting: (() => void)[] = [];
  /** Told at every change. */
  onChange: () => void = () => {};
  /** The most that was ever sent and not taken by the reader. */
  leadMax = 0;

  constructor(private readonly wire: OnTheWire) {}

  get isOver(): boolean {
    return this.error !== undefined || (this.ended && this.buffered === 0);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.assertWritable();
    const at = this.sent;
    this.sent += bytes.length;
    const passed = this.wire(bytes, at);
    const arrived = passed instanceof Promise ? await this.orAborted(passed) : passed;
    this.assertWritable();
    this.queue.push(arrived);
    this.buffered += arrived.length;
    this.leadMax = Math.max(this.leadMax, this.buffered);
    this.wake();
    while (this.buffered > BUFFER_BYTES_MAX) {
      await this.change();
      if (this.error) throw this.error;
    }
  }

  end(): void {
    this.ended = true;
    this.wake();
  }

  abort(error: Error): void {
    if (this.isOver) return;
    this.error = error;
    this.queue.length = 0;
    this.wake();
  }

  async *read(): AsyncGenerator<Uint8Array> {
    while (true) {
      if (this.error) throw this.error;
      const next = this.queue.shift();
      if (next !== undefined) {
        this.buffered -= next.length;
        this.wake();
        yield next;
      } else if (this.ended) return;
      else await this.change();
    }
  }

  private assertWritable(): void {
    if (this.error) throw this.error;
    if (this.ended) throw new Error('the stream is closed for writing');
  }

  private async orAborted<T>(work: Promise<T>): Promise<T> {
    let result: { value: T } | undefined;
    let failure: { error: unknown } | undefined;
    work.then(
      (value) => {
        result = { value };
        this.wake();
      },
      (error: unknown) => {
        failure = { error };
        this.wake();
      },
    );
    while (true) {
      if (this.error) throw this.error;
      if (failure) throw failure.error;
      if (result) return result.value;
      await this.change();
    }
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
    this.onChange();
  }
}

export class MemoryStream implements ByteStream {
  constructor(
    readonly remotePeer: string,
    readonly protocol: string,
    readonly outgoing: Direction,
    readonly incoming: Direction,
  ) {}

  get closed(): boolean {
    return this.outgoing.isOver && this.incoming.isOver;
  }

  source(): AsyncGenerator<Uint8Array> {
    return this.incoming.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.outgoing.write(bytes);
  }

  async closeWrite(): Promise<void> {
    this.outgoing.end();
  }

  abort(error: Error): void {
    this.outgoing.abort(error);
    this.incoming.abort(error);
  }
}

const passThrough: OnTheWire = (bytes) => bytes;

export function streamPair(
  [a, b]: readonly [string, string],
  protocol: string,
  wires: { aToB?: OnTheWire; bToA?: OnTheWire } = {},
): [MemoryStream, MemoryStream] {
  const aToB = new Direction(wires.aToB ?? passThrough);
  const bToA = new Direction(wires.bToA ?? passThrough);
  return [new MemoryStream(b, protocol, aToB, bToA), new MemoryStream(a, protocol, bToA, aToB)];
}

export type MemoryHost = Pick<Host, 'peerId' | 'openStream' | 'handle' | 'connect' | 'isConnected'>;

export class MemoryNetwork {
  /** Every stream ever opened, by its opener's end. */
  readonly streams: MemoryStream[] = [];
  /** What handlers threw. */
  readonly errors: unknown[] = [];
  private readonly handlers = new Map<string, StreamHandler>();
  private readonly wires = new Map<string, OnTheWire>();
  private readonly unreachable = new Set<string>();
  private readonly connected = new Set<string>();
  private readonly handling = new Set<Promise<void>>();

  /** From now on, for new streams. */
  onTheWire(from: string, to: string, wire: OnTheWire): void {
    this.wires.set(`${from} ${to}`, wire);
  }

  cutOff(peer: string): void {
    this.unreachable.add(peer);
  }

  /** When all handlers have returned. */
  async quiet(): Promise<void> {
    while (this.handling.size > 0) await Promise.all(this.handling);
  }

  host(peerId: string): MemoryHost {
    return {
      peerId,
      isConnected: (peer) => this.connected.has(`${peerId} ${peer}`),
      connect: async (peer) => {
        if (this.unreachable.has(peer)) throw new Error(`${peer} cannot be reached`);
        this.connected.add(`${peerId} ${peer}`);
      },
      handle: async (protocol: string, _limits: StreamLimits, handler: StreamHandler) => {
        this.handlers.set(`${peerId} ${protocol}`, handler);
      },
      openStream: async (peer, protocol) => this.open(peerId, peer, protocol),
    };
  }

  private open(from: string, to: string, protocol: string): ByteStream {
    const handler = this.handlers.get(`${to} ${protocol}`);
    if (handler === undefined || this.unreachable.has(to)) throw new Error(`${to} does not speak ${protocol}`);
    const aToB = this.wires.get(`${from} ${to}`);
    const bToA = this.wires.get(`${to} ${from}`);
    const [ours, theirs] = streamPair([from, to], protocol, { ...(aToB && { aToB }), ...(bToA && { bToA }) });
    this.streams.push(ours);
    const ended = new AbortController();
    for (const direction of [theirs.outgoing, theirs.incoming]) {
      direction.onChange = () => {
        if (theirs.closed) ended.abort(new Error('the stream is over'));
      };
    }
    const handled: Promise<void> = handler(theirs, ended.signal)
      .then(() => theirs.closeWrite())
      .catch((error: unknown) => {
        this.errors.push(error);
        theirs.abort(error instanceof Error ? error : new Error(String(error)));
      })
      .finally(() => this.handling.delete(handled));
    this.handling.add(handled);
    return ours;
  }
}
