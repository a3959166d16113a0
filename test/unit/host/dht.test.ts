import { afterEach, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../../protocol/runtime/clock.js';
import type { Host } from '../../../protocol/runtime/host.js';
import { connect, Hosts, soon } from './fixture.js';

const hosts = new Hosts();

afterEach(() => hosts.stop());

async function holders(host: Host, key: string): Promise<{ peer: string; addresses: string[] }[]> {
  const found: { peer: string; addresses: string[] }[] = [];
  for await (const provider of host.findProviders(key, soon())) found.push(provider);
  return found;
}

/** The routing table fills once the peers have identified each other, of which there is no event to wait on. */
async function provideUntilFound(holder: Host, seeker: Host, key: string) {
  for (let attempt = 0; attempt < 50; attempt++) {
    await holder.provide(key, soon());
    const found = await holders(seeker, key);
    if (found.some((provider) => provider.peer === holder.peerId)) return found;
    await sleep(systemClock, 100);
  }
  throw new Error('the holder was never found');
}

describe('the DHT', () => {
  it('one of three finds a holder that it is not connected to', async () => {
    const [a, b, c] = await hosts.members(3, { dht: true });
    if (a === undefined || b === undefined || c === undefined) throw new Error('three hosts');
    await connect(a, b);
    await connect(c, b);
    const found = await provideUntilFound(a, c, 'an account');
    const holder = found.find((provider) => provider.peer === a.peerId);
    expect(holder?.addresses.length).toBeGreaterThan(0);
    await c.connect(a.peerId, holder?.addresses ?? [], soon());
    expect(c.isConnected(a.peerId)).toBe(true);
  });

  it('two find each other', async () => {
    const [a, b] = await hosts.members(2, { dht: true });
    if (a === undefined || b === undefined) throw new Error('two hosts');
    await connect(a, b);
    const found = await provideUntilFound(a, b, 'a blob');
    expect(found.map((provider) => provider.peer)).toEqual([a.peerId]);
  });

  it('a holder whose record others have forgotten names itself when it is asked', async () => {
    const [a, b, c] = await hosts.members(3, { dht: true });
    if (a === undefined || b === undefined || c === undefined) throw new Error('three hosts');
    await connect(a, b);
    // A blob's id, whose hash is BLAKE3: kad-dht by itself understands keys of SHA-256 only.
    const key = 'bafkr4idf7d5w7ktt7txca3cp67iogir6mozvlngi5yt4o2z4uveymgtwbi';
    await provideUntilFound(a, b, key);
    await b.stop();
    await connect(c, a);
    for (let attempt = 0; attempt < 50; attempt++) {
      const found = await holders(c, key);
      if (found.length > 0) return expect(found.map(({ peer }) => peer)).toEqual([a.peerId]);
      await sleep(systemClock, 100);
    }
    throw new Error('the holder was never found');
  });

  it('what nobody holds is found nowhere', async () => {
    const [a, b] = await hosts.members(2, { dht: true });
    if (a === undefined || b === undefined) throw new Error('two hosts');
    await connect(a, b);
    expect(await holders(a, 'nothing')).toEqual([]);
  });

  it('one alone may provide and finds only itself at most', async () => {
    const [only] = await hosts.members(1, { dht: true });
    if (only === undefined) throw new Error('one host');
    const key = 'mine';
    await only.provide(key, soon());
    expect((await holders(only, key)).filter((provider) => provider.peer !== only.peerId)).toEqual([]);
  });

  it('a lobby host has none', async () => {
    const lobby = await hosts.start();
    await expect(lobby.provide('x', soon())).rejects.toMatchObject({ code: 'host/no-dht' });
  });
});
