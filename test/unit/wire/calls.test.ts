import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { sleep, systemClock } from '../../../protocol/runtime/clock.js';
import { defineErrors } from '../../../protocol/runtime/errors.js';
import type { Host } from '../../../protocol/runtime/host.js';
import { type Logger, silentLogger } from '../../../protocol/runtime/logger.js';
import { encodeFrame, FrameReader } from '../../../protocol/wire/bulk.js';
import { defineChannel, type MessageChannel, openChannel, serveChannel } from '../../../protocol/wire/channel.js';
import { CALL_STREAM_IDLE_MS, LIMITS, PROTOCOLS } from '../../../protocol/wire/limits.js';
import { Quota } from '../../../protocol/wire/quota.js';
import { answer, call, defineCall, serveCalls } from '../../../protocol/wire/rpc.js';
import { connect, Hosts, soon } from '../host/fixture.js';
import { type Deferred, deferred, HandClock } from './fixture.js';

const hosts = new Hosts();

afterEach(() => hosts.stop());

const testErrors = defineErrors('test-calls', {
  full: { kind: 'too-many', say: 'No room for {name}.', mend: 'Come back tomorrow.' },
});

const greet = defineCall({
  protocol: 'directory',
  name: 'greet',
  request: z.object({ name: z.string().min(1).max(2_000_000) }),
  response: z.object({ text: z.string() }),
});
const unheard = defineCall({ protocol: 'directory', name: 'unheard', request: z.object({}), response: z.object({}) });

async function pair(): Promise<[Host, Host]> {
  const [a, b] = [await hosts.start(), await hosts.start()];
  await connect(a, b);
  return [a, b];
}

const serving = (host: Host, log: Logger = silentLogger) => ({ host, clock: systemClock, log });

describe('calls', () => {
  it('bring the answer, and the server knows who asks', async () => {
    const [a, b] = await pair();
    await serveCalls(serving(b), 'directory', [
      answer(greet, async ({ name }, { peer }) => ({ text: `hello ${name} at ${peer}` })),
    ]);
    expect(await call(a, b.peerId, greet, { name: 'Ada' })).toEqual({ text: `hello Ada at ${a.peerId}` });
  });

  it('use one stream one after another, and never more streams at once than allowed', async () => {
    const [a, b] = await pair();
    await serveCalls(serving(b), 'directory', [answer(greet, async ({ name }) => ({ text: name }))]);
    let opened = 0;
    const counting: Pick<Host, 'openStream'> = {
      openStream: (...given) => {
        opened++;
        return a.openStream(...given);
      },
    };
    for (let i = 0; i < 20; i++) await call(counting, b.peerId, greet, { name: `${i}` });
    expect(opened).toBe(1);
    const many = Array.from({ length: 500 }, (_, i) => call(counting, b.peerId, greet, { name: `${i}` }));
    expect((await Promise.all(many)).map((reply) => reply.text)).toEqual(many.map((_, i) => `${i}`));
    expect(opened).toBeLessThanOrEqual(LIMITS.directory.outboundStreamsMax);
  });

  it('bring the other side’s error by its code, with its data', async () => {
    const [a, b] = await pair();
    await serveCalls(serving(b), 'directory', [
      answer(greet, async ({ name }) => {
        throw testErrors('full', { name });
      }),
    ]);
    await expect(call(a, b.peerId, greet, { name: 'Ada' })).rejects.toMatchObject({
      code: 'test-calls/full',
      kind: 'too-many',
      message: 'No room for Ada.',
      data: { name: 'Ada' },
    });
  });

  it('keep a bug’s text on the side that has it', async () => {
    const [a, b] = await pair();
    const logged: object[] = [];
    const log: Logger = { ...silentLogger, error: (data) => logged.push(data) };
    await serveCalls(serving(b, log), 'directory', [
      answer(greet, async () => {
        throw new Error('secret path /var/x');
      }),
    ]);
    const error = await call(a, b.peerId, greet, { name: 'Ada' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'wire/internal' });
    expect(String(error)).not.toContain('secret');
    expect(logged).toHaveLength(1);
  });

  it('that the server does not know, or that are not as agreed, are refused by name; the stream goes on', async () => {
    const [a, b] = await pair();
    await serveCalls(serving(b), 'directory', [answer(greet, async ({ name }) => ({ text: name }))]);
    await expect(call(a, b.peerId, unheard, {})).rejects.toMatchObject({ code: 'wire/unknown-method' });
    const wrong = defineCall({ ...greet, request: z.object({ nom: z.string() }) });
    await expect(call(a, b.peerId, wrong, { nom: 'Ada' })).rejects.toMatchObject({ code: 'wire/malformed' });
    await expect(call(a, b.peerId, greet, { name: '' })).rejects.toMatchObject({ code: 'wire/malformed' });
    expect(await call(a, b.peerId, greet, { name: 'Ada' })).toEqual({ text: 'Ada' });
  });

  it('whose answer is not as agreed are refused', async () => {
    const [a, b] = await pair();
    const loose = defineCall({ ...greet, response: z.object({ other: z.number() }) });
    await serveCalls(serving(b), 'directory', [answer(loose, async () => ({ other: 1 }))]);
    await expect(call(a, b.peerId, greet, { name: 'Ada' })).rejects.toMatchObject({ code: 'wire/malformed' });
  });

  it('too large are refused before they are sent, by the server by their length, and as answers', async () => {
    const [a, b] = await pair();
    await serveCalls(serving(b), 'directory', [
      answer(greet, async ({ name }) => ({ text: name.repeat(name === 'x' ? LIMITS.directory.messageBytesMax : 1) })),
    ]);
    const large = 'y'.repeat(LIMITS.directory.messageBytesMax);
    await expect(call(a, b.peerId, greet, { name: large })).rejects.toMatchObject({ code: 'wire/too-large' });
    await expect(call(a, b.peerId, greet, { name: 'x' })).rejects.toMatchObject({ code: 'wire/too-large' });

    const stream = await a.openStream(b.peerId, PROTOCOLS.directory, soon());
    await stream.write(encodeFrame(Buffer.alloc(LIMITS.directory.messageBytesMax + 1)));
    const reply = await new FrameReader(stream).readFrame(10_000);
    expect(JSON.parse(Buffer.from(reply ?? []).toString())).toMatchObject({ error: { code: 'wire/too-large' } });
  });

  it('of bytes that are not JSON are refused', async () => {
    const [a, b] = await pair();
    await serveCalls(serving(b), 'directory', []);
    const stream = await a.openStream(b.peerId, PROTOCOLS.directory, soon());
    const reader = new FrameReader(stream);
    for (const bytes of [Buffer.from('{"call":'), Buffer.from([0xff, 0xfe]), Buffer.from('[]'), Buffer.alloc(0)]) {
      await stream.write(encodeFrame(bytes));
      const reply = JSON.parse(Buffer.from((await reader.readFrame(10_000)) ?? []).toString()) as object;
      expect(reply).toMatchObject({ error: { code: 'wire/malformed' } });
    }
  });

  it('past the quota are refused, and the quota fills again', async () => {
    const [a, b] = await pair();
    const clock = new HandClock();
    const join = defineCall({ protocol: 'join', name: 'x', request: z.object({}), response: z.object({}) });
    await serveCalls({ host: b, clock, log: silentLogger }, 'join', [answer(join, async () => ({}))]);
    for (let i = 0; i < LIMITS.join.callsPerMinuteMax; i++) await call(a, b.peerId, join, {});
    await expect(call(a, b.peerId, join, {})).rejects.toMatchObject({ code: 'wire/too-many' });
    clock.mono += 60_000;
    expect(await call(a, b.peerId, join, {})).toEqual({});
  });

  it('without an answer end at the deadline on both sides', async () => {
    const [a, b] = await pair();
    const [near, far] = [new HandClock(), new HandClock()];
    const asked = deferred<AbortSignal>();
    await serveCalls({ host: b, clock: far, log: silentLogger }, 'directory', [
      answer(greet, async (_request, { signal }) => {
        asked.resolve(signal);
        return new Promise<never>(() => {});
      }),
    ]);
    const first = call(a, b.peerId, greet, { name: 'Ada' }, undefined, near);
    const signal = await asked.promise;
    far.pass(LIMITS.directory.deadlineMs);
    await expect(first).rejects.toMatchObject({ code: 'wire/timeout' });
    expect(signal.aborted).toBe(true);

    const second = call(a, b.peerId, greet, { name: 'Ada' }, undefined, near);
    second.catch(() => {});
    await sleep(systemClock, 20);
    near.pass(LIMITS.directory.deadlineMs);
    await expect(second).rejects.toMatchObject({ code: 'wire/timeout' });
  });

  it('end at once, with the reason, when their caller gives up', async () => {
    const [a, b] = await pair();
    const asked = deferred();
    await serveCalls(serving(b), 'directory', [
      answer(greet, async () => {
        asked.resolve();
        return new Promise<never>(() => {});
      }),
    ]);
    const caller = new AbortController();
    const waiting = call(a, b.peerId, greet, { name: 'Ada' }, caller.signal);
    await asked.promise;
    caller.abort(new Error('never mind'));
    await expect(waiting).rejects.toThrow('never mind');
    await expect(call(a, b.peerId, greet, { name: 'Ada' }, caller.signal)).rejects.toThrow('never mind');
  });

  it('under way when the connection is lost fail, and work again after a new one', async () => {
    const [a, b] = await pair();
    const asked = deferred();
    let hanging = true;
    await serveCalls(serving(b), 'directory', [
      answer(greet, async ({ name }) => {
        asked.resolve();
        return hanging ? new Promise<never>(() => {}) : { text: name };
      }),
    ]);
    const lost = call(a, b.peerId, greet, { name: 'Ada' });
    await asked.promise;
    await b.disconnect(a.peerId);
    await expect(lost).rejects.toMatchObject({ kind: 'unavailable' });
    hanging = false;
    await connect(a, b);
    expect(await call(a, b.peerId, greet, { name: 'Ada' })).toEqual({ text: 'Ada' });
  });

  it('to a peer without a connection fail at once', async () => {
    const [a, b] = [await hosts.start(), await hosts.start()];
    await expect(call(a, b.peerId, greet, { name: 'Ada' })).rejects.toMatchObject({ code: 'host/not-connected' });
  });

  it('leave no idle stream behind for longer than agreed', async () => {
    const [a, b] = await pair();
    await serveCalls(serving(b), 'directory', [answer(greet, async ({ name }) => ({ text: name }))]);
    const clock = new HandClock();
    let opened = 0;
    const counting: Pick<Host, 'openStream'> = {
      openStream: (...given) => {
        opened++;
        return a.openStream(...given);
      },
    };
    await call(counting, b.peerId, greet, { name: '1' }, undefined, clock);
    clock.pass(CALL_STREAM_IDLE_MS);
    await call(counting, b.peerId, greet, { name: '2' }, undefined, clock);
    expect(opened).toBe(2);
  });
});

describe('a quota', () => {
  it('refills evenly, apart for each peer, and forgets the one unheard longest', () => {
    const quota = new Quota({ perMinute: 2, peersMax: 2 });
    expect([quota.take('a', 0), quota.take('a', 0), quota.take('a', 0), quota.take('b', 0)]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect([quota.take('a', 30_000), quota.take('a', 30_000)]).toEqual([true, false]);
    quota.take('c', 30_000);
    quota.take('d', 30_000);
    expect([quota.take('a', 30_000), quota.take('a', 30_000)]).toEqual([true, true]);
  });
});

describe('channels', () => {
  const def = defineChannel({
    protocol: 'register',
    up: z.object({ n: z.number(), pad: z.string().optional() }),
    down: z.object({ seen: z.number() }),
  });
  type Serving = MessageChannel<typeof def.down, typeof def.up>;

  it('carry messages both ways in order, until one side ends', async () => {
    const [a, b] = await pair();
    await serveChannel({ host: b, clock: systemClock }, def, async (channel) => {
      for await (const message of channel.messages()) await channel.send({ seen: message.n });
    });
    const channel = await openChannel(a, b.peerId, def);
    for (let n = 0; n < 100; n++) await channel.send({ n });
    await channel.close();
    const seen: number[] = [];
    for await (const message of channel.messages()) seen.push(message.seen);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });

  it('tell the one side when the other breaks off, from both ends', async () => {
    const [a, b] = await pair();
    const opened: Deferred<Serving>[] = [deferred(), deferred()];
    let count = 0;
    const done = deferred();
    await serveChannel({ host: b, clock: systemClock }, def, async (channel) => {
      opened[count++]?.resolve(channel);
      await done.promise;
    });
    const first = await openChannel(a, b.peerId, def);
    const farFirst = await (opened[0] as Deferred<Serving>).promise;
    const waiting = farFirst.receive();
    first.abort(new Error('gone'));
    await expect(waiting).rejects.toMatchObject({ code: 'stream/closed' });

    const second = await openChannel(a, b.peerId, def);
    const farSecond = await (opened[1] as Deferred<Serving>).promise;
    const here = second.receive();
    farSecond.abort(new Error('gone'));
    await expect(here).rejects.toMatchObject({ code: 'stream/closed' });
    await expect(second.send({ n: 1 })).rejects.toMatchObject({ code: 'stream/closed' });
    done.resolve();
  });

  it('refuse messages that are not as agreed, here before they leave and there when they arrive', async () => {
    const [a, b] = await pair();
    const failed = deferred<unknown>();
    await serveChannel({ host: b, clock: systemClock }, def, async (channel) => {
      await channel.receive().catch((error: unknown) => failed.resolve(error));
    });
    const channel = await openChannel(a, b.peerId, def);
    await expect(channel.send({ n: 'one' } as unknown as { n: number })).rejects.toMatchObject({
      code: 'wire/malformed',
    });
    const pad = 'x'.repeat(LIMITS.register.messageBytesMax);
    await expect(channel.send({ n: 1, pad })).rejects.toMatchObject({ code: 'wire/too-large' });

    const raw = await a.openStream(b.peerId, PROTOCOLS.register, soon());
    await raw.write(encodeFrame(Buffer.from('{"n":"one"}')));
    expect(await failed.promise).toMatchObject({ code: 'wire/malformed' });
  });

  it('to a peer that takes nothing are given up, and hold a bounded number of messages', async () => {
    const [a, b] = await pair();
    const done = deferred();
    await serveChannel({ host: b, clock: systemClock }, def, async () => done.promise);
    const clock = new HandClock();
    const channel = await openChannel(a, b.peerId, def, undefined, clock);
    const pad = 'x'.repeat(LIMITS.register.messageBytesMax - 100);
    const sends = Array.from({ length: 400 }, (_, n) => channel.send({ n, pad: n < 20 ? pad : '' }));
    const results = Promise.allSettled(sends);
    await expect(sends.at(-1)).rejects.toMatchObject({ code: 'wire/too-many' });
    await sleep(systemClock, 50);
    clock.pass(LIMITS.register.deadlineMs);
    const rejected = (await results).filter((result) => result.status === 'rejected');
    expect(rejected.length).toBeGreaterThan(144);
    expect(channel.closed).toBe(true);
    done.resolve();
  });

  it('that wait for a message end with the waiter’s own deadline', async () => {
    const [a, b] = await pair();
    const done = deferred();
    await serveChannel({ host: b, clock: systemClock }, def, async () => done.promise);
    const channel = await openChannel(a, b.peerId, def);
    const waiter = new AbortController();
    const waiting = channel.receive(waiter.signal);
    waiter.abort(new Error('waited enough'));
    await expect(waiting).rejects.toThrow('waited enough');
    done.resolve();
  });
});
