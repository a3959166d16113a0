import { createHash, randomBytes } from 'node:crypto';
import { pipe } from 'it-pipe';
import { afterEach, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../../protocol/runtime/clock.js';
import { isDomainError } from '../../../protocol/runtime/errors.js';
import type { ByteStream, Host } from '../../../protocol/runtime/host.js';
import { receive, send } from '../../../protocol/wire/bulk.js';
import { deferred } from '../wire/fixture.js';
import { connect, Hosts, soon } from './fixture.js';

const MiB = 1024 * 1024;
const PROTOCOL = '/galaxy/test/1';
const LIMITS = { inboundStreamsMax: 16, outboundStreamsMax: 16 };
const hosts = new Hosts();

afterEach(() => hosts.stop());

async function pair(): Promise<[Host, Host]> {
  const [a, b] = [await hosts.start(), await hosts.start()];
  await connect(a, b);
  return [a, b];
}

/** `count` random megabytes, and the hash of what was drawn. */
function randomSource(count: number) {
  const hash = createHash('sha256');
  async function* source() {
    for (let i = 0; i < count; i++) {
      const chunk = randomBytes(MiB);
      hash.update(chunk);
      yield chunk;
    }
  }
  return { source: source(), digest: () => hash.digest('hex') };
}

async function hashOf(source: AsyncIterable<Uint8Array>): Promise<{ bytes: number; digest: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of source) {
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
  return { bytes, digest: hash.digest('hex') };
}

describe('bulk bytes between two hosts', () => {
  it('64 MiB arrive whole at the side that was dialled, and at the side that dialled', async () => {
    const [a, b] = await pair();
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      let arrived: Promise<{ bytes: number; digest: string }> | undefined;
      await to.handle(PROTOCOL, LIMITS, async (stream) => {
        arrived = hashOf(stream.source());
        await arrived;
      });
      const stream = await from.openStream(to.peerId, PROTOCOL, soon());
      const sent = randomSource(64);
      await pipe(sent.source, send(stream));
      for await (const _ of stream.source()) throw new Error('nothing was to come back');
      expect(await arrived).toEqual({ bytes: 64 * MiB, digest: sent.digest() });
    }
  });

  it('64 MiB flow both ways on one stream at once', async () => {
    const [a, b] = await pair();
    const back = randomSource(64);
    let there: ReturnType<typeof hashOf> | undefined;
    await b.handle(PROTOCOL, LIMITS, async (stream) => {
      there = hashOf(receive(stream));
      await Promise.all([there, pipe(back.source, send(stream))]);
    });
    const stream = await a.openStream(b.peerId, PROTOCOL, soon());
    const out = randomSource(64);
    const [arrived] = await Promise.all([pipe(receive(stream), hashOf), pipe(out.source, send(stream))]);
    expect(arrived).toEqual({ bytes: 64 * MiB, digest: back.digest() });
    expect(await there).toEqual({ bytes: 64 * MiB, digest: out.digest() });
  });

  it('a slow reader holds the sender back to a lead of at most 8 MiB, in both directions', async () => {
    const [a, b] = await pair();
    for (const [reader, sender] of [
      [a, b],
      [b, a],
    ] as const) {
      let sent = 0;
      let received = 0;
      let lead = 0;
      await sender.handle(PROTOCOL, LIMITS, async (stream) => {
        const chunk = randomBytes(256 * 1024);
        while (sent < 48 * MiB) {
          await stream.write(chunk);
          sent += chunk.byteLength;
          lead = Math.max(lead, sent - received);
        }
      });
      const stream = await reader.openStream(sender.peerId, PROTOCOL, soon());
      for await (const chunk of stream.source()) {
        received += chunk.byteLength;
        await sleep(systemClock, 1);
      }
      await stream.closeWrite();
      expect(received).toBe(48 * MiB);
      expect(lead).toBeLessThanOrEqual(8 * MiB);
      expect(lead).toBeGreaterThan(0);
    }
  });

  it('a reader that pulls nothing stops the sender', async () => {
    const [a, b] = await pair();
    let sent = 0;
    const gone = deferred<unknown>();
    await b.handle(PROTOCOL, LIMITS, async (stream) => {
      const chunk = randomBytes(256 * 1024);
      try {
        while (sent < 64 * MiB) {
          await stream.write(chunk);
          sent += chunk.byteLength;
        }
      } catch (error) {
        gone.resolve(error);
        throw error;
      }
    });
    const stream = await a.openStream(b.peerId, PROTOCOL, soon());
    // Nothing tells from outside that a sender has stopped; its count standing still over several looks does.
    let before = -1;
    for (let still = 0; still < 5; ) {
      await sleep(systemClock, 50);
      still = sent === before && sent > 0 ? still + 1 : 0;
      before = sent;
    }
    expect(sent).toBeLessThanOrEqual(8 * MiB);
    stream.abort(new Error('enough'));
    expect(isDomainError(await gone.promise, 'stream/closed')).toBe(true);
  });
});

describe('the end of a stream', () => {
  async function opened(): Promise<{ a: Host; b: Host; near: ByteStream; far: ByteStream; done: () => void }> {
    const [a, b] = await pair();
    const far = deferred<ByteStream>();
    const done = deferred();
    await b.handle(PROTOCOL, LIMITS, async (stream) => {
      far.resolve(stream);
      await done.promise;
    });
    const near = await a.openStream(b.peerId, PROTOCOL, soon());
    return { a, b, near, far: await far.promise, done: done.resolve };
  }

  const all = async (source: AsyncIterable<Uint8Array>) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of source) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };

  it('half-closing ends the other side’s reading and leaves its writing open', async () => {
    const { near, far, done } = await opened();
    await near.write(Buffer.from('question'));
    await near.closeWrite();
    expect(await all(far.source())).toBe('question');
    await far.write(Buffer.from('answer'));
    done();
    expect(await all(near.source())).toBe('answer');
  });

  it('an abort from the side that opened makes the other side’s reading throw', async () => {
    const { near, far, done } = await opened();
    await near.write(Buffer.from('half a file'));
    const reading = all(far.source());
    near.abort(new Error('changed my mind'));
    await expect(reading).rejects.toMatchObject({ code: 'stream/closed' });
    expect(far.closed).toBe(true);
    done();
  });

  it('an abort from the side that serves makes reading and writing throw here', async () => {
    const { near, far, done } = await opened();
    const reading = all(near.source());
    far.abort(new Error('not now'));
    await expect(reading).rejects.toMatchObject({ code: 'stream/closed' });
    await expect(near.write(Buffer.from('more'))).rejects.toMatchObject({ code: 'stream/closed' });
    done();
  });

  it('a lost connection is never taken for a proper end', async () => {
    for (const side of ['near', 'far'] as const) {
      const { a, b, near, far, done } = await opened();
      await near.write(Buffer.from('half a file'));
      const reading = expect(all(far.source())).rejects.toMatchObject({ code: 'stream/closed' });
      await (side === 'near' ? a.disconnect(b.peerId) : b.disconnect(a.peerId));
      await reading;
      done();
    }
  });

  it('a host that stops is never taken for a proper end', async () => {
    const { a, near, far, done } = await opened();
    await near.write(Buffer.from('half a file'));
    // Watched before the stop: the stream may break before the stop has ended.
    const reading = expect(all(far.source())).rejects.toMatchObject({ code: 'stream/closed' });
    await a.stop();
    await reading;
    done();
  });

  it('a reader that stops early ends the sender’s writing', async () => {
    const { near, far, done } = await opened();
    const writing = (async () => {
      while (true) await far.write(Buffer.alloc(256 * 1024));
    })();
    for await (const _ of near.source()) break;
    await expect(writing).rejects.toMatchObject({ code: 'stream/closed' });
    done();
  });

  it('a handler that throws aborts its stream', async () => {
    const [a, b] = await pair();
    await b.handle(PROTOCOL, LIMITS, async () => {
      throw new Error('a bug');
    });
    const stream = await a.openStream(b.peerId, PROTOCOL, soon());
    await expect(all(stream.source())).rejects.toMatchObject({ code: 'stream/closed' });
  });

  it('what a handler leaves unread does not keep the sender from finishing', async () => {
    const [a, b] = await pair();
    await b.handle(PROTOCOL, LIMITS, async (stream) => {
      await stream.write(Buffer.from('I know enough'));
    });
    const stream = await a.openStream(b.peerId, PROTOCOL, soon());
    await pipe(randomSource(16).source, send(stream));
    expect(await all(stream.source())).toBe('I know enough');
  });

  it('a protocol that the peer does not serve is refused by name', async () => {
    const [a, b] = await pair();
    await expect(a.openStream(b.peerId, '/galaxy/unheard-of/1', soon())).rejects.toMatchObject({
      code: 'host/not-supported',
    });
  });

  it('streams past the limit are refused, and room comes back when one ends', async () => {
    const [a, b] = await pair();
    const limits = { inboundStreamsMax: 2, outboundStreamsMax: 2 };
    await b.handle(PROTOCOL, limits, async (stream) => {
      await stream.write(Buffer.from('in'));
      for await (const _ of stream.source()) {
        // Held until the other side ends.
      }
    });
    const greeted = async () => {
      const stream = await a.openStream(b.peerId, PROTOCOL, soon());
      const source = stream.source();
      return { stream, source, first: (await source.next()).value };
    };
    const [one, two] = [await greeted(), await greeted()];
    expect([one, two].map((held) => Buffer.from(held.first ?? []).toString())).toEqual(['in', 'in']);
    await expect(greeted()).rejects.toThrow();
    await one.stream.closeWrite();
    expect((await one.source.next()).done).toBe(true);
    expect(Buffer.from((await greeted()).first ?? []).toString()).toBe('in');
  });
});
