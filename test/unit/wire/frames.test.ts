import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ByteStream } from '../../../protocol/runtime/host.js';
import { encodeFrame, FrameReader, readExactly } from '../../../protocol/wire/bulk.js';

/** A stream that only reads, in pieces of the given sizes. */
function streamOf(bytes: Uint8Array, sizes: readonly number[] = [bytes.byteLength]): ByteStream {
  async function* source() {
    let at = 0;
    for (let i = 0; at < bytes.byteLength; i++) {
      const size = sizes[i % sizes.length] ?? 1;
      yield bytes.subarray(at, at + size);
      at += size;
    }
  }
  return {
    remotePeer: 'peer',
    protocol: '/galaxy/test/1',
    source,
    write: async () => {},
    closeWrite: async () => {},
    abort: () => {},
    closed: false,
  };
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 });

describe('frames', () => {
  it('come out as they went in, however the bytes are cut on their way, and the raw bytes after them too', async () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(bodies, fc.uint8Array({ maxLength: 500 }), sizes, async (frames, tail, cut) => {
        const reader = new FrameReader(streamOf(Buffer.concat([...frames.map(encodeFrame), tail]), cut));
        for (const frame of frames) expect(Buffer.from((await reader.readFrame(1000)) ?? []).equals(frame)).toBe(true);
        const half = Math.floor(tail.byteLength / 2);
        expect(await collect(reader.stream(half))).toEqual(Buffer.from(tail.subarray(0, half)));
        expect(await collect(reader.rest())).toEqual(Buffer.from(tail.subarray(half)));
      }),
    );
  });

  it('may be followed by bytes that are handed out as they came, uncopied', async () => {
    const bytes = fc.uint8Array({ maxLength: 500 });
    await fc.assert(
      fc.asyncProperty(bytes, bytes, bytes, sizes, async (body, raw, tail, cut) => {
        const all = Buffer.concat([encodeFrame(body), raw, tail]);
        const reader = new FrameReader(streamOf(all, cut));
        await reader.readFrame(1000);
        const parts = await reader.readParts(raw.byteLength);
        expect(Buffer.concat(parts).equals(raw)).toBe(true);
        expect(await collect(reader.rest())).toEqual(Buffer.from(tail));
      }),
    );
    const whole = Buffer.alloc(1000, 7);
    const parts = await new FrameReader(streamOf(whole, [100])).readParts(950);
    expect(parts.map(({ byteLength }) => byteLength)).toEqual([...Array(9).fill(100), 50]);
    expect(parts.every(({ buffer }) => buffer === whole.buffer)).toBe(true);
    await expect(new FrameReader(streamOf(whole, [100])).readParts(1001)).rejects.toMatchObject({
      code: 'wire/truncated',
    });
  });

  it('of bytes that came in a great many pieces are copied together', async () => {
    const whole = Buffer.alloc(1000, 7);
    const parts = await new FrameReader(streamOf(whole, [1])).readParts(900);
    expect(parts).toHaveLength(1);
    expect(Buffer.concat(parts).equals(whole.subarray(0, 900))).toBe(true);
  });

  it('end with undefined at a proper end, and with wire/truncated inside one', async () => {
    const whole = encodeFrame(Buffer.alloc(200, 1));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.byteLength }), sizes, async (length, cut) => {
        const reader = new FrameReader(streamOf(whole.subarray(0, length), cut));
        if (length === 0) expect(await reader.readFrame(1000)).toBeUndefined();
        else if (length === whole.byteLength) expect((await reader.readFrame(1000))?.byteLength).toBe(200);
        else await expect(reader.readFrame(1000)).rejects.toMatchObject({ code: 'wire/truncated' });
      }),
    );
  });

  it('over the limit are refused by their length alone', async () => {
    const reader = new FrameReader(streamOf(encodeFrame(Buffer.alloc(1001)).subarray(0, 2)));
    await expect(reader.readFrame(1000)).rejects.toMatchObject({ code: 'wire/too-large' });
  });

  it('with a length that never ends are refused', async () => {
    const zeros = new FrameReader(streamOf(Buffer.alloc(20, 0x80)));
    await expect(zeros.readFrame(1000)).rejects.toMatchObject({ code: 'wire/malformed' });
    const huge = new FrameReader(streamOf(Buffer.alloc(20, 0xff)));
    await expect(huge.readFrame(1000)).rejects.toMatchObject({ code: 'wire/too-large' });
  });

  it('of any bytes give a frame or a clear error, and never wait for more than there is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), sizes, async (bytes, cut) => {
        const reader = new FrameReader(streamOf(bytes, cut));
        try {
          while ((await reader.readFrame(64)) !== undefined);
        } catch (error) {
          expect((error as { code: string }).code).toMatch(/^wire\/(too-large|truncated|malformed)$/);
        }
      }),
    );
  });

  it('exact reads take just their bytes', async () => {
    const { head, rest } = await readExactly(streamOf(Buffer.from('headbody'), [3]), 4);
    expect(Buffer.from(head).toString()).toBe('head');
    expect((await collect(rest.rest())).toString()).toBe('body');
    await expect(readExactly(streamOf(Buffer.from('abc')), 4)).rejects.toMatchObject({ code: 'wire/truncated' });
  });
});
