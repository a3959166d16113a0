import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../../protocol/wire/limits.js';
import { ManualClock } from '../../support/manual-clock.js';
import { content, MiB, put, someBytes } from './fixture.js';
import { refused, TransferFixture, type TransferNode } from './transfer-fixture.js';

let net: TransferFixture;
let here: TransferNode;

beforeEach(async () => {
  net = new TransferFixture();
  here = await net.node('here');
});

afterEach(() => net.remove());

async function holders(names: readonly string[], bytes: Uint8Array): Promise<string> {
  let id = '';
  for (const name of names) id = (await put((await net.node(name)).blobs, bytes, MiB)).blob;
  return id;
}

const from = (...names: string[]) => names.map((peer) => ({ peer }));

/** Flips a bit of every packet of a chunk's size after so many bytes. */
function corrupt(peer: string, afterBytes: number): void {
  net.network.onTheWire(peer, 'here', (bytes, at) => {
    if (at < afterBytes || bytes.length < 1000) return bytes;
    const changed = Uint8Array.from(bytes);
    changed[500] = (changed[500] as number) ^ 1;
    return changed;
  });
}

describe('a fetch', () => {
  it.each([0, 1, MiB - 1, MiB, MiB + 1, 3.5 * MiB, 18 * MiB + 3])('brings a blob of %i bytes', async (size) => {
    const bytes = someBytes(size);
    const id = await holders(['a'], bytes);
    expect(await here.fetcher.fetch({ id, size, sources: from('a') })).toEqual({ blob: id, size });
    expect(Buffer.compare(await content(here.blobs.read(id)), bytes)).toBe(0);
  });

  it('uses several sources at once', async () => {
    const bytes = someBytes(24 * MiB);
    const id = await holders(['a', 'b', 'c'], bytes);
    await here.fetcher.fetch({ id, sources: from('a', 'b', 'c') });
    expect(Buffer.compare(await content(here.blobs.read(id)), bytes)).toBe(0);
    expect(new Set(net.network.streams.map(({ remotePeer }) => remotePeer))).toEqual(new Set(['a', 'b', 'c']));
  });

  it('drops a source that sends wrong bytes, reports it, and ends with another', async () => {
    const bytes = someBytes(5 * MiB);
    const id = await holders(['liar', 'honest'], bytes);
    corrupt('liar', 2 * MiB);
    await here.fetcher.fetch({ id, sources: from('liar', 'honest') });
    expect(Buffer.compare(await content(here.blobs.read(id)), bytes)).toBe(0);
    expect(here.wrong).toMatchObject([{ peer: 'liar', id }]);
  });

  it('with wrong bytes everywhere brings nothing and names each source’s reason', async () => {
    const id = await holders(['a', 'b'], someBytes(3 * MiB));
    corrupt('a', 0);
    corrupt('b', 0);
    const fetch = here.fetcher.fetch({ id, sources: from('a', 'b', 'nobody') });
    await expect(fetch).rejects.toMatchObject({ code: 'blobs/unavailable', data: { sources: 3 } });
    await expect(fetch).rejects.toThrow(/a: Chunk \d .*nobody: /);
    expect(here.blobs.has(id)).toBe(false);
    expect(here.wrong.map(({ peer }) => peer).sort()).toEqual(['a', 'b']);
  });

  it('reports a source whose manifest is that of another blob', async () => {
    const id = await holders(['a'], someBytes(MiB + 1));
    net.network.onTheWire('a', 'here', (bytes) => {
      if (bytes.length !== 16 + 64) return bytes;
      const changed = Uint8Array.from(bytes);
      changed[20] = (changed[20] as number) ^ 1;
      return changed;
    });
    await expect(here.fetcher.fetch({ id, sources: from('a') })).rejects.toMatchObject({ code: 'blobs/unavailable' });
    expect(here.wrong).toEqual([{ peer: 'a', id, chunk: undefined }]);
  });

  it('passes over sources that refuse, lack the blob or cannot be reached', async () => {
    const id = await holders(['closed', 'good'], someBytes(MiB));
    const empty = await net.node('empty');
    net.network.cutOff('away');
    const closed = await net.node('shut');
    closed.access.mayServe = () => refused('not your account');
    expect(empty.blobs.has(id)).toBe(false);
    await here.fetcher.fetch({ id, sources: from('away', 'empty', 'shut', 'good') });
    expect(here.blobs.has(id)).toBe(true);
  });

  it('says why each source did not give it', async () => {
    const id = await holders(['shut'], someBytes(10));
    await net.remove();
    net = new TransferFixture();
    here = await net.node('here');
    const shut = await net.node('shut');
    shut.access.mayServe = () => refused('not your account');
    await net.node('empty');
    const fetch = here.fetcher.fetch({ id, sources: from('shut', 'empty') });
    await expect(fetch).rejects.toThrow(/shut: .*not your account.*blobs\/not-allowed/);
    await expect(fetch).rejects.toThrow(/empty: .*blobs\/not-found/);
  });

  it('without any source is unavailable at once', async () => {
    const id = await holders(['a'], someBytes(10));
    await expect(here.fetcher.fetch({ id, sources: [] })).rejects.toThrow('no holder is known');
  });

  it('is one for all who ask at the same time', async () => {
    const id = await holders(['a'], someBytes(2 * MiB));
    await Promise.all([1, 2, 3].map(() => here.fetcher.fetch({ id, sources: from('a') })));
    expect(net.network.streams).toHaveLength(1);
    await here.fetcher.fetch({ id, sources: [] });
  });

  it('goes on for the others when one gives up, and ends with the last', async () => {
    const id = await holders(['a'], someBytes(2 * MiB));
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    net.network.onTheWire('a', 'here', async (bytes) => {
      await gate;
      return bytes;
    });
    const first = new AbortController();
    const one = expect(here.fetcher.fetch({ id, sources: from('a') }, first.signal)).rejects.toThrow('one went');
    const other = here.fetcher.fetch({ id, sources: from('a') });
    first.abort(new Error('one went'));
    await one;
    open();
    expect(await other).toMatchObject({ blob: id });

    const next = await holders(['b'], someBytes(2 * MiB, 7));
    net.network.onTheWire('b', 'here', () => new Promise(() => {}));
    const alone = new AbortController();
    const ended = expect(here.fetcher.fetch({ id: next, sources: from('b') }, alone.signal)).rejects.toThrow('alone');
    alone.abort(new Error('alone'));
    await ended;
    await here.fetcher.stop();
    expect(here.blobs.has(next)).toBe(false);
  });

  it('goes on after a crash with what it had', async () => {
    const bytes = someBytes(20 * MiB);
    const id = await holders(['a', 'b'], bytes);
    corrupt('a', 15.5 * MiB);
    await expect(here.fetcher.fetch({ id, sources: from('a') })).rejects.toMatchObject({ code: 'blobs/unavailable' });
    await here.fetcher.stop();
    await here.fixture.restart();
    await here.serve();
    let sent = 0;
    net.network.onTheWire('b', 'here', (packet) => {
      sent += packet.length;
      return packet;
    });
    await here.fetcher.fetch({ id, sources: from('b') });
    expect(Buffer.compare(await content(here.blobs.read(id)), bytes)).toBe(0);
    // Five chunks lack, and four come with the manifest before anyone knows that they are here.
    expect(sent).toBeLessThan(11 * MiB);
  });

  it('ends with the reason of this node when its disk is full', async () => {
    const id = await holders(['a', 'b'], someBytes(3 * MiB));
    here.fixture.freeBytes = MiB;
    const fetch = here.fetcher.fetch({ id, sources: from('a', 'b') });
    await expect(fetch).rejects.toMatchObject({ code: 'blobs/no-space' });
    await here.fetcher.stop();
    here.fixture.freeBytes = undefined;
    await here.serve();
    expect(await here.fetcher.fetch({ id, sources: from('a') })).toMatchObject({ blob: id });
  });

  it('does not believe a source that declares another size', async () => {
    const id = await holders(['a'], someBytes(10));
    await expect(here.fetcher.fetch({ id, size: 11, sources: from('a') })).rejects.toMatchObject({
      code: 'blobs/unavailable',
    });
  });
});

describe('a fetch from a source that falls silent', () => {
  let clock: ManualClock;

  beforeEach(async () => {
    await net.remove();
    clock = new ManualClock();
    net = new TransferFixture(clock);
    here = await net.node('here');
  });

  it('asks the next one soon', async () => {
    const id = await holders(['mute', 'good'], someBytes(3 * MiB));
    let reached = () => {};
    const isSilent = new Promise<void>((resolve) => {
      reached = resolve;
    });
    net.network.onTheWire('mute', 'here', () => {
      reached();
      return new Promise(() => {});
    });
    const fetch = here.fetcher.fetch({ id, sources: from('mute', 'good') });
    await isSilent;
    clock.advance(2500);
    expect(await fetch).toMatchObject({ blob: id });
  });

  it('takes over the chunks that a silent source owes', async () => {
    const bytes = someBytes(24 * MiB);
    const id = await holders(['mute', 'good'], bytes);
    net.network.onTheWire('mute', 'here', (packet, at) => (at > 8 * MiB ? new Promise(() => {}) : packet));
    await here.fetcher.fetch({ id, sources: from('mute', 'good') });
    expect(Buffer.compare(await content(here.blobs.read(id)), bytes)).toBe(0);
  });

  it('ends after the deadline when there is no other', async () => {
    const id = await holders(['mute'], someBytes(3 * MiB));
    let reached = () => {};
    const isSilent = new Promise<void>((resolve) => {
      reached = resolve;
    });
    net.network.onTheWire('mute', 'here', (packet, at) => {
      if (at < MiB) return packet;
      reached();
      return new Promise(() => {});
    });
    const fetch = expect(here.fetcher.fetch({ id, sources: from('mute') })).rejects.toThrow(/mute: Nothing came/);
    await isSilent;
    clock.advance(LIMITS.blob.deadlineMs);
    await fetch;
  });
});
