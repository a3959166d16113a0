import { describe, expect, it } from 'vitest';
import type { ByteStream } from '../../../protocol/runtime/host.js';
import { Places, toDuplex } from '../../../protocol/wire/http-tunnel.js';
import { ManualClock } from './support.js';

/** A stream whose remote end is the test. */
class LooseStream implements ByteStream {
  readonly remotePeer = 'peer';
  readonly protocol = '/galaxy/http/1';
  closed = false;
  written: Buffer[] = [];
  pulled = 0;
  aborted: Error | undefined;
  halfClosed = false;
  release: (() => void) | undefined;

  constructor(private readonly chunks: Uint8Array[]) {}

  async *source(): AsyncGenerator<Uint8Array> {
    for (const chunk of this.chunks) {
      this.pulled++;
      yield chunk;
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    this.written.push(Buffer.from(bytes));
    return new Promise((resolve) => {
      this.release = resolve;
    });
  }

  async closeWrite(): Promise<void> {
    this.halfClosed = true;
  }

  abort(error: Error): void {
    this.aborted ??= error;
    this.closed = true;
  }
}

describe('a stream as a socket', () => {
  it('pulls only while somebody reads, and ends as the remote does', async () => {
    const stream = new LooseStream(Array.from({ length: 100 }, () => Buffer.alloc(64 * 1024, 1)));
    const socket = toDuplex(stream, { clock: new ManualClock() });
    socket.read(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(stream.pulled).toBeLessThan(5);
    let bytes = 0;
    for await (const chunk of socket) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(100 * 64 * 1024);
  });

  it('waits with the next bytes until the stream has taken the last', async () => {
    const stream = new LooseStream([]);
    const socket = toDuplex(stream, { clock: new ManualClock() });
    const done: number[] = [];
    socket.write('a', () => done.push(1));
    socket.write('b', () => done.push(2));
    await new Promise((resolve) => setImmediate(resolve));
    expect([stream.written.length, done.length]).toEqual([1, 0]);
    stream.release?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect([stream.written.length, done.length]).toEqual([2, 1]);
    socket.destroy();
    expect(stream.aborted).toBeDefined();
  });

  it('tells of idleness once, counts activity, and takes a listener back', async () => {
    const clock = new ManualClock();
    const stream = new LooseStream([]);
    const socket = toDuplex(stream, { clock });
    let idle = 0;
    const onIdle = () => idle++;
    socket.setTimeout(1000, onIdle);
    clock.advance(900);
    socket.write('x');
    clock.advance(900);
    expect(idle).toBe(0);
    clock.advance(100);
    expect(idle).toBe(1);
    clock.advance(5000);
    expect(idle).toBe(1);
    socket.setTimeout(1000, onIdle);
    socket.setTimeout(0, onIdle);
    expect(socket.listenerCount('timeout')).toBe(0);
    clock.advance(5000);
    expect(idle).toBe(1);
    socket.destroy();
  });
});

describe('places', () => {
  const never = new AbortController().signal;

  it('are taken by so many at once, the rest in order, and nobody beyond the line', async () => {
    const places = new Places({ placesMax: 2, waitingMax: 2 });
    const [a, b] = [await places.take('n', never), await places.take('n', never)];
    const order: string[] = [];
    const c = places.take('n', never).finally(() => order.push('c'));
    const d = places.take('n', never).finally(() => order.push('d'));
    await expect(places.take('n', never)).rejects.toMatchObject({ code: 'tunnel/busy' });
    await places.take('other', never);
    a();
    a();
    const giveC = await c;
    expect(order).toEqual(['c']);
    b();
    const giveD = await d;
    expect(places.taken('n')).toBe(2);
    giveC();
    giveD();
    expect(places.taken('n')).toBe(0);
  });

  it('are left by whoever does not want to wait any more', async () => {
    const places = new Places({ placesMax: 1, waitingMax: 1 });
    const give = await places.take('n', never);
    const gone = new AbortController();
    const waiting = places.take('n', gone.signal);
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    const next = places.take('n', never);
    give();
    (await next)();
    expect(places.taken('n')).toBe(0);
  });
});
