import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askHeld } from '../../../protocol/blobs/held.js';
import { encodeManifest } from '../../../protocol/blobs/manifest.js';
import { blake3 } from '../../../protocol/runtime/blake3.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { encodeFrame, FrameReader, writeFrame } from '../../../protocol/wire/bulk.js';
import { BLOB_UNWRITTEN_BYTES_MAX, LIMITS, PROTOCOLS } from '../../../protocol/wire/limits.js';
import { BlobOfferReply, BlobPiece, BlobRequest } from '../../../protocol/wire/messages/blob.pb.js';
import { ManualClock } from '../../support/manual-clock.js';
import { content, MiB, put, someBytes } from './fixture.js';
import { refused, TransferFixture, type TransferNode } from './transfer-fixture.js';

let net: TransferFixture;
let home: TransferNode;
let holder: TransferNode;

beforeEach(async () => {
  net = new TransferFixture();
  home = await net.node('home');
  holder = await net.node('holder');
});

afterEach(() => net.remove());

const listed = async (node: TransferNode) => {
  const ids: string[] = [];
  for await (const { blob } of node.blobs.list()) ids.push(blob);
  return ids;
};

const idOf = async (bytes: Uint8Array) => (await put(home.blobs, bytes, MiB)).blob;

describe('a push', () => {
  it('brings blobs of every size and confirms each by the holder’s store', async () => {
    const sizes = [0, 1, MiB - 1, MiB, MiB + 1, 3.5 * MiB];
    const ids = await Promise.all(sizes.map((size) => idOf(someBytes(size))));
    const outcomes = await home.push('holder', ids);
    expect(outcomes.map(({ id }) => id).sort()).toEqual([...ids].sort());
    expect(outcomes.every((outcome) => outcome.held && outcome.sent && outcome.storeId === 'store-of-holder')).toBe(
      true,
    );
    for (const [index, id] of ids.entries()) {
      const bytes = await readFile(holder.blobs.path(id));
      expect(Buffer.compare(bytes, someBytes(sizes[index] as number))).toBe(0);
    }
    expect(net.network.errors).toEqual([]);
  });

  it('of 1200 small blobs is a few requests on one stream', async () => {
    const refs = await Promise.all(Array.from({ length: 1200 }, (_, seed) => put(home.blobs, someBytes(2048, seed))));
    const outcomes = await home.push(
      'holder',
      refs.map(({ blob }) => blob),
    );
    expect(outcomes.filter(({ held }) => held)).toHaveLength(1200);
    expect(await listed(holder)).toEqual(await listed(home));
    expect(net.network.streams).toHaveLength(1);
    await holder.fixture.restart();
    expect(await listed(holder)).toEqual(await listed(home));
  });

  it('sends nothing of what is there already', async () => {
    const id = await idOf(someBytes(2 * MiB));
    await put(holder.blobs, someBytes(2 * MiB));
    expect(await home.push('holder', [id])).toEqual([{ id, held: true, storeId: 'store-of-holder', sent: false }]);
  });

  it('tells of blobs that are not here and brings the others', async () => {
    const id = await idOf(someBytes(10));
    const missing = (await put(holder.blobs, someBytes(11))).blob;
    const outcomes = await home.push('holder', [missing, id]);
    expect(outcomes).toContainEqual(expect.objectContaining({ id: missing, held: false, code: 'blobs/not-found' }));
    expect(outcomes).toContainEqual(expect.objectContaining({ id, held: true }));
  });

  it('is refused for lack of room, and the smaller ones still go', async () => {
    holder.fixture.freeBytes = 2 * MiB;
    const large = await idOf(someBytes(3 * MiB));
    const small = await idOf(someBytes(MiB, 2));
    const outcomes = await home.push('holder', [large, small]);
    expect(outcomes).toContainEqual(expect.objectContaining({ id: large, held: false, code: 'blobs/no-space' }));
    expect(outcomes).toContainEqual(expect.objectContaining({ id: small, held: true }));
    expect(await listed(holder)).toEqual([small]);
  });

  it('is refused where the holder may not hold, with the reason', async () => {
    holder.access.mayHold = (peer, { size }) =>
      size > 100 ? refused(`${peer} has no account here`) : { allowed: true };
    const no = await idOf(someBytes(101));
    const yes = await idOf(someBytes(100));
    const outcomes = await home.push('holder', [no, yes]);
    const refusal = outcomes.find(({ id }) => id === no);
    expect(refusal).toMatchObject({ held: false, code: 'blobs/not-allowed' });
    expect(refusal).toHaveProperty('reason', expect.stringContaining('home has no account here'));
    expect(await listed(holder)).toEqual([yes]);
  });

  it('gives up a blob whose disk rotted here, moves it aside, and brings the others', async () => {
    const rotten = await idOf(someBytes(3 * MiB));
    const good = await idOf(someBytes(2 * MiB, 2));
    const path = home.blobs.path(rotten);
    const bytes = await readFile(path);
    bytes[2 * MiB + 5] = (bytes[2 * MiB + 5] as number) ^ 1;
    await chmod(path, 0o644);
    await writeFile(path, bytes);
    const outcomes = await home.push('holder', [rotten, good]);
    expect(outcomes).toContainEqual(expect.objectContaining({ id: rotten, held: false, code: 'blobs/given-up' }));
    expect(outcomes).toContainEqual(expect.objectContaining({ id: good, held: true }));
    expect(home.blobs.has(rotten)).toBe(false);
    expect(home.blobs.damaged()).toMatchObject([{ id: rotten }]);
    expect(await listed(holder)).toEqual([good]);
  });

  it('of wrong bytes stores nothing of that chunk and is reported', async () => {
    const bytes = someBytes(10);
    const manifest = encodeManifest(10, blake3(someBytes(10, 99)));
    const { blob: good } = await put(home.blobs, bytes);
    const { manifestId } = await import('../../../protocol/blobs/manifest.js');
    const id = manifestId(manifest);
    const stream = await home.host.openStream('holder', PROTOCOLS.blob, new AbortController().signal);
    const reader = new FrameReader(stream);
    await writeFrame(
      stream,
      BlobRequest.encode({ offer: { items: [{ id, size: 10, manifest: Uint8Array.from(manifest) }] } }),
    );
    const frame = await reader.readFrame(LIMITS.blob.messageBytesMax);
    expect(BlobOfferReply.decode(frame as Uint8Array).verdicts).toHaveLength(1);
    await stream.write(encodeFrame(BlobPiece.encode({ item: 0, chunk: 0 })));
    await stream.write(bytes);
    await reader.readFrame(LIMITS.blob.messageBytesMax);
    await stream.closeWrite();
    await net.network.quiet();
    expect(holder.wrong).toEqual([{ peer: 'home', id, chunk: 0 }]);
    expect(await listed(holder)).toEqual([]);
    expect(holder.blobs.has(good)).toBe(false);
    expect(await readdir(join(holder.fixture.folder, 'tmp'))).toEqual([]);
  });

  it('that fails at the holder for one blob goes on for the others', async () => {
    const first = await idOf(someBytes(3 * MiB));
    const second = await idOf(someBytes(10, 2));
    let outcomesSeen = 0;
    holder.fixture.writeError = Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' });
    const outcomes = await home.push('holder', [first]);
    outcomesSeen += outcomes.length;
    expect(outcomes).toMatchObject([{ id: first, held: false, code: 'blobs/failed' }]);
    holder.fixture.writeError = undefined;
    const again = await home.push('holder', [first, second]);
    outcomesSeen += again.length;
    expect(again.every(({ held }) => held)).toBe(true);
    expect(outcomesSeen).toBe(3);
  });

  it('that is cut goes on where it was, and the half is never listed', async () => {
    const bytes = someBytes(6 * MiB);
    const id = await idOf(bytes);
    const stop = new AbortController();
    let sent = 0;
    net.network.onTheWire('home', 'holder', (packet, at) => {
      sent = Math.max(sent, at);
      if (at > 3.5 * MiB) stop.abort(new Error('cable pulled'));
      return packet;
    });
    await expect(home.push('holder', [id], stop.signal)).rejects.toThrow('cable pulled');
    await net.network.quiet();
    expect(await listed(holder)).toEqual([]);
    await holder.fixture.restart();
    await holder.serve();
    let sentAgain = 0;
    net.network.onTheWire('home', 'holder', (packet) => {
      sentAgain += packet.length;
      return packet;
    });
    expect(await home.push('holder', [id])).toMatchObject([{ held: true }]);
    expect(sentAgain).toBeLessThan(5 * MiB);
    expect(Buffer.compare(await content(holder.blobs.read(id)), bytes)).toBe(0);
  });

  it('keeps within a bounded lead over a holder whose disk is slower than the network', async () => {
    const id = await idOf(someBytes(48 * MiB));
    let sent = 0;
    let written = 0;
    let leadMax = 0;
    net.network.onTheWire('home', 'holder', (packet) => {
      sent += packet.length;
      leadMax = Math.max(leadMax, sent - written);
      return packet;
    });
    // Each write waits until the sender can do nothing more.
    holder.fixture.beforeWrite = async (bytes) => {
      for (let before = -1, quiet = 0; quiet < 20; quiet++) {
        if (sent !== before) quiet = 0;
        before = sent;
        await new Promise((resolve) => setImmediate(resolve));
      }
      written += bytes;
    };
    expect(await home.push('holder', [id])).toMatchObject([{ held: true }]);
    expect(leadMax).toBeGreaterThan(4 * MiB);
    expect(leadMax).toBeLessThanOrEqual(BLOB_UNWRITTEN_BYTES_MAX + 4 * MiB);
  });

  it('of small blobs does not stand still while the disk of the holder syncs', async () => {
    const bytesEach = 4096;
    const refs = await Promise.all(
      Array.from({ length: 400 }, (_, seed) => put(home.blobs, someBytes(bytesEach, seed))),
    );
    let arrived = 0;
    let allArrived = () => {};
    const isAllThere = new Promise<void>((resolve) => {
      allArrived = resolve;
    });
    net.network.onTheWire('home', 'holder', (packet) => {
      arrived += packet.length;
      if (arrived >= refs.length * bytesEach) allArrived();
      return packet;
    });
    // Nothing becomes durable before the last byte has left: whoever waits for confirmations in between never ends.
    holder.fixture.beforeSync = () => isAllThere;
    const outcomes = await home.push(
      'holder',
      refs.map(({ blob }) => blob),
    );
    expect(outcomes.filter(({ held }) => held)).toHaveLength(400);
    expect(await listed(holder)).toEqual(await listed(home));
  });

  it('confirms nothing before the folder is synced', async () => {
    const id = await idOf(someBytes(2048));
    let sync = () => {};
    const mayBeSynced = new Promise<void>((resolve) => {
      sync = resolve;
    });
    let confirmed = false;
    const synced = new Promise<void>((resolve) => {
      holder.fixture.beforeSync = () => {
        resolve();
        return mayBeSynced;
      };
    });
    const push = home.push('holder', [id]).then((outcomes) => {
      confirmed = true;
      return outcomes;
    });
    await synced;
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(confirmed).toBe(false);
    expect(holder.blobs.has(id)).toBe(false);
    sync();
    expect(await push).toMatchObject([{ held: true }]);
  });

  it('stays usable for messages that are not messages: the stream ends, the store is untouched', async () => {
    for (const junk of [someBytes(300), encodeFrame(someBytes(50)), encodeFrame(new Uint8Array())]) {
      const stream = await home.host.openStream('holder', PROTOCOLS.blob, new AbortController().signal);
      await stream.write(junk);
      await stream.closeWrite();
      await expect(content(stream.source())).rejects.toThrow();
    }
    expect(await home.push('holder', [await idOf(someBytes(5))])).toMatchObject([{ held: true }]);
  });
});

describe('a push to a holder that falls silent', () => {
  it('ends after the deadline and says so', async () => {
    const clock = new ManualClock();
    const silent = new TransferFixture(clock);
    try {
      const sender = await silent.node('sender');
      await silent.node('mute');
      let reached = () => {};
      const isSilent = new Promise<void>((resolve) => {
        reached = resolve;
      });
      silent.network.onTheWire('mute', 'sender', () => {
        reached();
        return new Promise(() => {});
      });
      const { blob } = await put(sender.blobs, someBytes(10));
      const push = expect(sender.push('mute', [blob])).rejects.toMatchObject({ code: 'blobs/stalled' });
      await isSilent;
      clock.advance(LIMITS.blob.deadlineMs);
      await push;
    } finally {
      await silent.remove();
    }
  });
});

describe('the question what is held', () => {
  it('is answered for any number of ids, without what may not be known', async () => {
    const ids = (await Promise.all([1, 2, 3].map((seed) => put(holder.blobs, someBytes(9, seed))))).map(
      ({ blob }) => blob,
    );
    const absent = await idOf(someBytes(1));
    const secret = ids[2] as string;
    holder.access.mayServe = (_, id) => (id === secret ? refused('secret') : { allowed: true });
    const many = Array.from({ length: 5000 }, () => absent);
    const report = await askHeld({ host: home.host, clock: systemClock }, { peer: 'holder', ids: [...many, ...ids] });
    expect(report).toEqual({ storeId: 'store-of-holder', held: new Set(ids.slice(0, 2)) });
    expect(net.network.errors).toEqual([]);
  });
});
