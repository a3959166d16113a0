import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Registration, type RegistrationDeps } from '../../../node/peers/registration.js';
import { hostErrors } from '../../../protocol/runtime/host-errors.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { type RegisterDown, type RegisterUp, registerChannel } from '../../../protocol/wire/calls/register.js';
import { registerErrors } from '../../../protocol/wire/calls/register-errors.js';
import { type MessageChannel, serveChannel } from '../../../protocol/wire/channel.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryNetwork } from '../../support/memory-streams.js';
import { drive, driveUntil, evenRandom } from '../drain/world.js';
import { NETWORK, Papers, statusOf } from './fixture.js';

type Channel = MessageChannel<typeof registerChannel.down, typeof registerChannel.up>;

const DIGEST = {
  state: 'serving' as const,
  slots: 1,
  queued: 0,
  running: 0,
  freeBytes: 1,
  atRiskBytes: 0,
  publicUrl: null,
  logPartners: [],
  heads: [],
};

let running: Registration[] = [];
let key: NodeKey;
let papers: Papers;
beforeEach(async () => {
  key = await NodeKey.generate();
  papers = await Papers.create();
});
afterEach(async () => {
  for (const one of running) await one.stop();
  running = [];
});

/** A coordinator that says what a test tells it to. */
class Coordinator {
  readonly heard: RegisterUp[] = [];
  readonly lines: Channel[] = [];
  /** What follows a hello; undefined: nothing. */
  answer: (() => RegisterDown | undefined) | undefined;
  private readonly clock: ManualClock;

  constructor(clock: ManualClock) {
    this.clock = clock;
  }

  async converse(channel: Channel): Promise<void> {
    const hello = await channel.receive();
    if (hello === undefined) return;
    this.heard.push(hello);
    const answer = this.answer ? this.answer() : this.welcome();
    if (answer) await channel.send(answer);
    if (answer?.kind === 'refused') return channel.close();
    this.lines.push(channel);
    for await (const message of channel.messages()) this.heard.push(message);
  }

  welcome(): RegisterDown {
    return {
      kind: 'welcome',
      digestIntervalMs: 1000,
      networkUrl: 'http://127.0.0.1:1',
      repository: papers.coordinator.peerId,
      time: this.clock.now(),
      members: { digest: '0'.repeat(64), members: 0, revocation: 0 },
    };
  }

  get line(): Channel {
    return this.lines.at(-1) as Channel;
  }

  beat(): void {
    for (const line of this.lines)
      if (!line.closed) void line.send({ kind: 'beat', time: this.clock.now() }).catch(() => {});
  }

  digests(): number {
    return this.heard.filter(({ kind }) => kind === 'digest').length;
  }

  done(): unknown[] {
    return this.heard.filter(({ kind }) => kind === 'done');
  }
}

async function world(change: Partial<RegistrationDeps> = {}) {
  const clock = new ManualClock();
  const network = new MemoryNetwork();
  const coordinator = new Coordinator(clock);
  const peer = papers.coordinator.peerId;
  await serveChannel({ host: network.host(peer), clock }, registerChannel, (channel) => coordinator.converse(channel));
  const members = await papers.list();
  const token = papers.credential(key, 'own', clock.now());
  const told: string[] = [];
  const registration = new Registration(
    {
      host: network.host(key.peerId),
      members,
      clock,
      random: evenRandom,
      log: silentLogger,
      coordinator: peer,
      addresses: () => [],
      hello: () => ({
        boot: 1,
        bootNonce: '0'.repeat(32),
        storeId: '0'.repeat(32),
        version: '1.0.0',
        publicUrl: null,
        addresses: [],
        capacityBytes: 1,
        credential: token,
      }),
      digest: () => DIGEST,
      onWelcome: async () => {
        told.push('welcome');
      },
      onAway: () => {
        told.push('away');
      },
      onPeers: (peers) => told.push(`peers ${peers.length}`),
      onReachable: ({ ok }) => told.push(`reachable ${ok}`),
      onClone: ({ code }) => told.push(`clone ${code}`),
      onCommand: async ({ what }) => {
        told.push(what);
      },
      ...change,
    },
    { heartbeatMs: 1000 },
  );
  running.push(registration);
  registration.onChange((registered) => told.push(registered ? 'registered' : 'not registered'));
  /** Time passes and the coordinator beats each second, as long as the test wants. */
  const live = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 250) {
      if (passed % 1000 === 0) coordinator.beat();
      clock.advance(250);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { clock, network, coordinator, members, registration, told, live };
}

const never = () => new AbortController().signal;

describe('registering', () => {
  it('says hello, then a digest each second with rising numbers', async () => {
    const { clock, coordinator, registration, live } = await world();
    await registration.start();
    await drive(clock, registration.whenRegistered(never()));
    await live(5000);
    const [hello, ...digests] = coordinator.heard;
    expect(hello).toMatchObject({ kind: 'hello', boot: 1, members: { members: 0 } });
    expect(digests.length).toBeGreaterThanOrEqual(5);
    const numbers = digests.map((one) => (one.kind === 'digest' ? one.sequence : 0));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(registration.heardAt).toBeGreaterThan(0);
  });

  it('tells news in a moment, once for all that came meanwhile, and not after it was stopped', async () => {
    const { clock, coordinator, registration, live } = await world();
    registration.news();
    await registration.start();
    await drive(clock, registration.whenRegistered(never()));
    await live(1000);
    const before = coordinator.digests();
    for (let i = 0; i < 50; i++) registration.news();
    await driveUntil(clock, () => coordinator.digests() > before, 10);
    expect(coordinator.digests()).toBe(before + 1);
    registration.news();
    await registration.stop();
    registration.news();
    const after = coordinator.digests();
    clock.advance(5000);
    expect(coordinator.digests()).toBe(after);
  });

  it('lives and listens while what follows a welcome is still being done', async () => {
    let finish: () => void = () => {};
    const { clock, coordinator, registration, told, live } = await world({
      onWelcome: () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    });
    await registration.start();
    await driveUntil(clock, () => coordinator.lines.length === 1, 1);
    await live(20_000);
    expect(coordinator.digests()).toBeGreaterThanOrEqual(15);
    await coordinator.line.send({ kind: 'peers', peers: [statusOf(papers.coordinator.peerId)] });
    await driveUntil(clock, () => told.includes('peers 1'), 1);
    expect(registration.registered).toBe(false);
    finish();
    await drive(clock, registration.whenRegistered(never()), 1);
    expect(coordinator.lines).toHaveLength(1);
  });

  it('builds the stream again when what follows a welcome fails', async () => {
    let failures = 2;
    const { clock, coordinator, registration } = await world({
      onWelcome: async () => {
        if (failures-- > 0) throw new Error('a full disk');
      },
    });
    await registration.start();
    await drive(clock, registration.whenRegistered(never()));
    expect(coordinator.lines).toHaveLength(3);
  });

  it('keeps a refusal, shows it to who waits, tries again slowly, and forgets it when it is welcome', async () => {
    const { clock, coordinator, registration, live } = await world();
    const skew = registerErrors('clock-skew', { seconds: 90, max: 60 });
    coordinator.answer = () => ({
      kind: 'refused',
      code: skew.code,
      data: { seconds: 90, max: 60 },
      message: skew.message,
    });
    await registration.start();
    const waiting = registration.whenRegistered(never());
    waiting.catch(() => {});
    await expect(drive(clock, waiting)).rejects.toMatchObject({ code: 'register/clock-skew', data: { seconds: 90 } });
    await registration.tried;
    expect(registration.refusal?.message).toContain('90 s');
    await expect(registration.whenRegistered(never())).rejects.toMatchObject({ code: 'register/clock-skew' });
    const hellos = coordinator.heard.length;
    await live(30_000);
    expect(coordinator.heard.length - hellos).toBeGreaterThanOrEqual(2);
    expect(coordinator.heard.length - hellos).toBeLessThanOrEqual(4);
    coordinator.answer = undefined;
    await driveUntil(clock, () => registration.registered);
    expect(registration.refusal).toBeUndefined();
  });

  it('tells that this folder is a copy', async () => {
    const { clock, coordinator, registration, told } = await world();
    coordinator.answer = () => ({
      kind: 'refused',
      code: 'register/old-boot',
      data: { boot: 1, last: 2 },
      message: 'copy',
    });
    await registration.start();
    await driveUntil(clock, () => told.includes('clone register/old-boot'));
    expect(registration.registered).toBe(false);
  });

  it('asks the lobby when not a word is taken, and knows then that it was revoked, and why', async () => {
    let asked = 0;
    let said: string | undefined;
    const network = new MemoryNetwork();
    const shut: RegistrationDeps['host'] = {
      ...network.host(key.peerId),
      peerId: key.peerId,
      isConnected: () => false,
      connect: async (peer) => {
        throw hostErrors('refused', { peer });
      },
    };
    const members = await papers.list();
    const { clock, registration } = await world({
      host: shut,
      members,
      askStanding: async () => {
        asked += 1;
        if (said !== undefined) await members.merge([said]);
        return true;
      },
    });
    await registration.start();
    await driveUntil(clock, () => registration.refusal !== undefined);
    expect(asked).toBe(1);
    expect(registration.refusal?.code).toBe('host/refused');
    said = papers.revocation(key, clock.now());
    await driveUntil(clock, () => registration.refusal?.code === 'registration/revoked');
    expect(asked).toBe(2);
    expect(registration.refusal?.message).toBe('This node was revoked from the network: left.');
  });

  it('asks the lobby although it first lost the coordinator otherwise, and again until an answer comes', async () => {
    let tries = 0;
    let asked = 0;
    const network = new MemoryNetwork();
    const shut: RegistrationDeps['host'] = {
      ...network.host(key.peerId),
      peerId: key.peerId,
      isConnected: () => false,
      connect: async (peer) => {
        tries += 1;
        throw tries < 3 ? new Error('the line broke') : hostErrors('refused', { peer });
      },
    };
    const members = await papers.list();
    const { clock, registration } = await world({
      host: shut,
      members,
      askStanding: async () => {
        asked += 1;
        if (asked < 3) return false;
        await members.merge([papers.revocation(key, clock.now())]);
        return true;
      },
    });
    await registration.start();
    await driveUntil(clock, () => registration.refusal?.code === 'registration/revoked');
    expect([tries, asked]).toEqual([5, 3]);
  });

  it('knows that it was revoked in the middle of everything', async () => {
    const { clock, coordinator, registration, told } = await world();
    await registration.start();
    await drive(clock, registration.whenRegistered(never()));
    coordinator.answer = () => ({ kind: 'refused', code: 'register/revoked', data: {}, message: 'revoked' });
    await coordinator.line.send({ kind: 'refused', code: 'register/revoked', data: {}, message: 'revoked' });
    await driveUntil(clock, () => registration.refusal !== undefined, 1);
    expect(registration.refusal?.code).toBe('register/revoked');
    await driveUntil(clock, () => !registration.registered, 1);
    expect(told).toContain('not registered');
  });

  it('takes a coordinator that says nothing for gone, and comes back when it speaks', async () => {
    const { clock, coordinator, registration, live } = await world();
    await registration.start();
    await drive(clock, registration.whenRegistered(never()));
    await live(10_000);
    expect(coordinator.lines).toHaveLength(1);
    for (let i = 0; i < 60 && registration.registered; i++) {
      clock.advance(250);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(registration.registered).toBe(false);
    await driveUntil(clock, () => registration.registered);
    expect(coordinator.lines.length).toBeGreaterThan(1);
  });

  it('accuses nobody when it was late itself', async () => {
    const { clock, coordinator, registration, live } = await world();
    await registration.start();
    await drive(clock, registration.whenRegistered(never()));
    await live(2000);
    // The machine slept; the words that came meanwhile are still to be read.
    const monotonic = clock.monotonic.bind(clock);
    clock.monotonic = () => monotonic() + 60_000;
    clock.advance(2000);
    await live(3000);
    expect(coordinator.lines).toHaveLength(1);
    expect(registration.registered).toBe(true);
  });

  it('is not disturbed by a wall clock that is set', async () => {
    const { clock, coordinator, registration, live } = await world();
    await registration.start();
    await drive(clock, registration.whenRegistered(never()));
    const now = clock.now.bind(clock);
    clock.now = () => now() + 3_600_000;
    await live(5000);
    expect(coordinator.lines).toHaveLength(1);
  });

  it('comes back to a coordinator that was restarted, without a hand', async () => {
    const { clock, network, coordinator, registration, told } = await world();
    await registration.start();
    await drive(clock, registration.whenRegistered(never()));
    let isDown = true;
    coordinator.answer = () => (isDown ? undefined : coordinator.welcome());
    for (const stream of network.streams) stream.abort(new Error('the coordinator went down'));
    await driveUntil(clock, () => !registration.registered, 1);
    for (let i = 0; i < 100; i++) {
      clock.advance(250);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(registration.registered).toBe(false);
    isDown = false;
    await driveUntil(clock, () => registration.registered);
    expect(told.filter((word) => word === 'welcome')).toHaveLength(2);
  });

  it('gives up waiting when it is told to, at once when that was before', async () => {
    const { registration } = await world();
    const over = AbortSignal.abort(new Error('too late'));
    await expect(registration.whenRegistered(over)).rejects.toThrow('too late');
    const soon = new AbortController();
    const waiting = registration.whenRegistered(soon.signal);
    soon.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('survives a fault in what it tells of itself', async () => {
    let faults = 1;
    const { clock, registration, coordinator } = await world({
      digest: () => {
        if (faults-- > 0) throw new Error('a fault');
        return DIGEST;
      },
    });
    await registration.start();
    await driveUntil(clock, () => coordinator.digests() > 2);
    expect(registration.registered).toBe(true);
  });
});

describe('a command of the coordinator', () => {
  const seal = (id: number) => ({
    kind: 'command' as const,
    id,
    do: { what: 'seal' as const, account: '00000000000000a1', to: papers.coordinator.peerId, epoch: 2 },
  });

  it('is confirmed when it was carried out, and its failure is reported by code', async () => {
    const outcomes: (Error | undefined)[] = [undefined, registerErrors('revoked'), new Error('ENOENT: a fault')];
    const { clock, coordinator, registration } = await world({
      onCommand: async () => {
        const error = outcomes.shift();
        if (error) throw error;
      },
    });
    await registration.start();
    await drive(clock, registration.whenRegistered(never()));
    for (const id of [1, 2, 3]) {
      await coordinator.line.send(seal(id));
      await driveUntil(clock, () => coordinator.done().length === id, 1);
    }
    expect(coordinator.done()).toEqual([
      { kind: 'done', command: 1 },
      { kind: 'done', command: 2, code: 'register/revoked' },
      { kind: 'done', command: 3, code: 'registration/failed' },
    ]);
  });

  it('that takes long holds up neither the next one nor the digests', async () => {
    let finish: () => void = () => {};
    const { clock, coordinator, registration, live } = await world({
      onCommand: (command) =>
        command.what === 'seal' && command.epoch === 2
          ? new Promise((resolve) => {
              finish = resolve;
            })
          : Promise.resolve(),
    });
    await registration.start();
    await drive(clock, registration.whenRegistered(never()));
    await coordinator.line.send(seal(1));
    await coordinator.line.send({ ...seal(2), do: { ...seal(2).do, epoch: 3 } });
    await driveUntil(clock, () => coordinator.done().length === 1, 1);
    const before = coordinator.digests();
    await live(5000);
    expect(coordinator.digests() - before).toBeGreaterThanOrEqual(4);
    finish();
    await driveUntil(clock, () => coordinator.done().length === 2, 1);
  });

  it('brings the list of members, the peers, and what became of the public URL', async () => {
    const { clock, coordinator, registration, members, told } = await world();
    await registration.start();
    await drive(clock, registration.whenRegistered(never()));
    const token = papers.credential(key, NETWORK, clock.now());
    const version = members.version();
    await coordinator.line.send({ kind: 'members', version, tokens: [token] });
    await coordinator.line.send({ kind: 'reachable', url: { ok: true, reason: 'it answers' } });
    await driveUntil(clock, () => members.get(key.peerId) !== undefined && told.includes('reachable true'), 1);
  });
});
