import { afterEach, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../../protocol/runtime/clock.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { Allowed, beat, connect, disconnected, Ear, Hosts, soon } from './fixture.js';

const TOPIC = '/galaxy/test/heartbeat/1';
const hosts = new Hosts();

afterEach(() => hosts.stop());

/** Everyone hears everyone else. */
async function gossipFlows(peers: readonly { host: Awaited<ReturnType<Hosts['start']>>; ear: Ear }[], word: string) {
  const allHeard = Promise.all(
    peers.map(({ host, ear }) =>
      ear.until((heard) =>
        peers.every(
          (other) =>
            other.host === host ||
            heard.some((message) => message.from === other.host.peerId && message.text.startsWith(word)),
        ),
      ),
    ),
  ).then(() => {});
  await Promise.all(peers.map(({ host }) => beat(host, TOPIC, word, allHeard)));
}

describe('who may connect', () => {
  it('a stranger is refused by the one it dials, and told so', async () => {
    const gate = new Allowed();
    const member = await hosts.start({ gate, gossip: true });
    const stranger = await hosts.start({ gossip: true });
    await expect(connect(stranger, member)).rejects.toMatchObject({ code: 'host/refused' });
    expect(member.isConnected(stranger.peerId)).toBe(false);
  });

  it('a stranger is not dialled', async () => {
    const member = await hosts.start({ gate: new Allowed() });
    const stranger = await hosts.start();
    await expect(connect(member, stranger)).rejects.toMatchObject({ code: 'host/not-admitted' });
    expect(stranger.connectedPeers()).toEqual([]);
  });

  it('a peer under another key than the one dialled is refused', async () => {
    const [a, b] = await hosts.members(2);
    const other = await NodeKey.generate();
    const gateOpen = await hosts.start();
    const addresses = (b?.addresses() ?? []).map((address) => address.split('/p2p/')[0] as string);
    await expect(gateOpen.connect(other.peerId, addresses, soon())).rejects.toMatchObject({ code: 'host/unreachable' });
    expect(a?.connectedPeers()).toEqual([]);
  });

  it('nobody at the address is said plainly', async () => {
    const [a, b] = await hosts.members(2);
    const addresses = b?.addresses() ?? [];
    await b?.stop();
    await expect(a?.connect(b?.peerId ?? '', addresses, soon())).rejects.toMatchObject({ code: 'host/unreachable' });
  });

  it('an address of another peer, or no address at all, is refused before anything is dialled', async () => {
    const [a, b] = await hosts.members(2);
    for (const address of ['not an address', `/ip4/127.0.0.1/tcp/1/p2p/${a?.peerId}`]) {
      await expect(a?.connect(b?.peerId ?? '', [address], soon())).rejects.toMatchObject({ code: 'host/bad-address' });
    }
  });

  it('members connect, many callers at once share one dial, and both ends know the other by key', async () => {
    const [a, b] = await hosts.members(2);
    if (a === undefined || b === undefined) throw new Error('two hosts');
    await Promise.all(Array.from({ length: 8 }, () => connect(a, b)));
    expect([a.connectedPeers(), b.connectedPeers()]).toEqual([[b.peerId], [a.peerId]]);
    expect(b.remoteAddress(a.peerId)).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+/);
  });

  it('two hosts that dial each other at once both succeed', async () => {
    const [a, b] = await hosts.members(2);
    if (a === undefined || b === undefined) throw new Error('two hosts');
    await Promise.all([connect(a, b), connect(b, a)]);
    expect([a.isConnected(b.peerId), b.isConnected(a.peerId)]).toEqual([true, true]);
  });

  it('a port that is taken is named', async () => {
    const first = await hosts.start();
    const taken = (first.addresses()[0] as string).split('/p2p/')[0] as string;
    await expect(hosts.start({ listen: [taken] })).rejects.toMatchObject({
      code: 'host/port-taken',
      message: `The network address ${taken} is in use already.`,
      mend: expect.stringContaining('network.listen'),
    });
  });

  it('an address of another machine is named, without the words of the library', async () => {
    await expect(hosts.start({ listen: ['/ip4/192.0.2.1/tcp/0'] })).rejects.toMatchObject({
      code: 'host/cannot-listen',
      message:
        'The network addresses /ip4/192.0.2.1/tcp/0 cannot be listened on: that is not an address of this machine.',
    });
  });
});

describe('gossip among members', () => {
  it('one alone may publish', async () => {
    const [only] = await hosts.members(1, { gossip: true });
    if (only === undefined) throw new Error('one host');
    const ear = new Ear(only, TOPIC);
    await only.publish(TOPIC, Buffer.from('anyone?'));
    expect(ear.texts).toEqual([]);
  });

  it.each([2, 3])('flows among %i, and again after one hung up and came back', async (count) => {
    const members = await hosts.members(count, { gossip: true });
    const peers = members.map((host) => ({ host, ear: new Ear(host, TOPIC) }));
    const [first, ...others] = members;
    if (first === undefined) throw new Error('a host');
    for (const other of others) await connect(other, first);
    await gossipFlows(peers, 'before');

    await first.disconnect(others[0]?.peerId ?? '');
    await disconnected(others[0] as (typeof members)[0], first.peerId);
    await connect(others[0] as (typeof members)[0], first);
    await gossipFlows(peers, 'after');
  });

  it.each([2, 3])('reaches a newcomer among %i whom one side did not know at first', async (count) => {
    const gates = Array.from({ length: count }, () => new Allowed());
    const members = await Promise.all(gates.map((gate) => hosts.start({ gate, gossip: true })));
    const newcomer = members[count - 1] as (typeof members)[0];
    const first = members[0] as (typeof members)[0];
    // The newcomer knows everybody; nobody knows it yet.
    for (const [i, gate] of gates.entries()) {
      for (const member of members) if (i === count - 1 || member !== newcomer) gate.admit(member.peerId);
    }
    const peers = members.map((host) => ({ host, ear: new Ear(host, TOPIC) }));
    for (const other of members.slice(1, -1)) await connect(other, first);
    await expect(connect(newcomer, first)).rejects.toMatchObject({ code: 'host/refused' });

    for (const gate of gates) gate.admit(newcomer.peerId);
    await connect(newcomer, first);
    await gossipFlows(peers, 'joined');
  });

  it('flows again after a member restarted at another port', async () => {
    const gate = new Allowed();
    const key = await NodeKey.generate();
    const [a, b] = [await hosts.start({ gate, gossip: true }), await hosts.start({ gate, gossip: true, key })];
    gate.admit(a.peerId, b.peerId);
    const earA = new Ear(a, TOPIC);
    await connect(b, a);
    await gossipFlows(
      [
        { host: a, ear: earA },
        { host: b, ear: new Ear(b, TOPIC) },
      ],
      'before',
    );
    await b.stop();
    await disconnected(a, b.peerId);
    const again = await hosts.start({ gate, gossip: true, key });
    await connect(again, a);
    await gossipFlows(
      [
        { host: a, ear: earA },
        { host: again, ear: new Ear(again, TOPIC) },
      ],
      'after',
    );
  });

  it('what the validator refuses is delivered to nobody, and the others still hear the rest', async () => {
    const [a, b] = await hosts.members(2, { gossip: true });
    if (a === undefined || b === undefined) throw new Error('two hosts');
    new Ear(a, TOPIC);
    const ear = new Ear(b, TOPIC, (text) =>
      text.startsWith('evil') ? 'reject' : text.startsWith('old') ? 'ignore' : 'accept',
    );
    await connect(a, b);
    await beat(
      a,
      TOPIC,
      'good',
      ear.until((heard) => heard.length > 0),
    );
    await a.publish(TOPIC, Buffer.from('evil'));
    await a.publish(TOPIC, Buffer.from('old'));
    await a.publish(TOPIC, Buffer.from('last'));
    await ear.until((heard) => heard.some((message) => message.text === 'last'));
    expect(ear.texts.filter((text) => !text.startsWith('good'))).toEqual(['last']);
  });

  it('a peer that floods rejected messages is no longer listened to', async () => {
    const [a, b] = await hosts.members(2, { gossip: true });
    if (a === undefined || b === undefined) throw new Error('two hosts');
    new Ear(a, TOPIC);
    let judged = 0;
    const ear = new Ear(b, TOPIC, (text) => {
      if (!text.startsWith('evil')) return 'accept';
      judged++;
      return 'reject';
    });
    await connect(a, b);
    await beat(
      a,
      TOPIC,
      'good',
      ear.until((heard) => heard.length > 0),
    );
    await b.handle('/galaxy/test/1', { inboundStreamsMax: 1, outboundStreamsMax: 1 }, async () => {});
    let count = 0;
    const round = async () => {
      const before = judged;
      for (let i = 0; i < 20; i++) await a.publish(TOPIC, Buffer.from(`evil ${count++}`));
      // A stream comes after the gossip that was sent before it, on the same connection.
      const stream = await a.openStream(b.peerId, '/galaxy/test/1', soon());
      for await (const _ of stream.source()) throw new Error('nothing was to come');
      await stream.closeWrite();
      return judged - before;
    };
    // Scores are looked at once a second.
    for (let quiet = 0; quiet < 3 && count < 4000; ) {
      quiet = (await round()) === 0 ? quiet + 1 : 0;
      await sleep(systemClock, 100);
    }
    expect(judged).toBeGreaterThan(0);
    expect(count).toBeLessThan(4000);
  });

  it('a message over the bound is not sent', async () => {
    const [a] = await hosts.members(1, { gossip: true });
    await expect(a?.publish(TOPIC, Buffer.alloc(17 * 1024))).rejects.toThrow(/at most/);
  });
});
