import { afterEach, describe, expect, it } from 'vitest';
import type { LogCourier } from '../../../node/accounts/gathering.js';
import { HeldLeases } from '../../../node/accounts/held-leases.js';
import { type HomeFollower, Homes } from '../../../node/accounts/homes.js';
import type { Holder, Holders } from '../../../node/replication/holders.js';
import { hidOf } from '../../../protocol/account/records.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryStore } from '../../support/memory-store.js';
import { drive, driveUntil } from '../drain/world.js';
import {
  ACCOUNT,
  copy,
  datasetCreated,
  HISTORY,
  historyCreated,
  leaseToken,
  openTestLog,
  removeTestLogs,
  type TestLog,
} from '../log/fixture.js';

afterEach(removeTestLogs);

const never = new AbortController().signal;

class FakeHolders implements Holders {
  readonly connected = new Set<string>();
  private readonly listeners = new Set<() => void>();

  list(): Holder[] {
    return [...this.connected].map((peer) => ({
      peer,
      domain: peer,
      kind: peer === 'repository' ? 'repository' : 'node',
      capacityBytes: 1,
      freeBytes: 1,
      serving: true,
      connected: true,
    }));
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  set(...peers: string[]): void {
    this.connected.clear();
    for (const peer of peers) this.connected.add(peer);
    for (const listener of [...this.listeners]) listener();
  }
}

/** A node whose log is real; others are logs that the courier copies from. */
async function world() {
  const clock = new ManualClock();
  const mine = await openTestLog({ node: 'me', clock: Object.assign(clock, { ms: 0 }), wrap: () => new MemoryStore() });
  const own = { current: () => undefined };
  const leases = new HeldLeases({ store: mine.store, own, isOwn: () => false });
  await leases.start();
  // The log asks the fixture's leases; here the real ones decide.
  mine.leases.current = (account: string) => leases.current(account) as ReturnType<typeof mine.leases.current>;
  const others = new Map<string, TestLog>();
  const hanging = new Set<string>();
  const refusing = new Set<string>();
  const offered: string[] = [];
  const told: string[] = [];
  const state = { offerFails: false, followerFails: 0, isOwnClaim: false, flush: async (_signal: AbortSignal) => {} };
  const courier: LogCourier = {
    async pull(peer, account, signal, onVector) {
      if (hanging.has(peer)) {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
      }
      const other = others.get(peer);
      if (other === undefined) throw new Error(`${peer} does not answer`);
      onVector?.(await other.log.vector(account));
      if (refusing.has(peer)) throw new Error(`${peer} went away in the middle`);
      await copy(other.log, mine.log, account);
      return Object.keys(await other.log.vector(account)).length;
    },
    async offerAccount(peer) {
      offered.push(peer);
      if (state.offerFails) throw new Error('not now');
    },
  };
  const follower: HomeFollower = {
    async adopted(account, view, from) {
      if (state.followerFails-- > 0) throw new Error('a full disk');
      told.push(`adopted ${account} from ${from ?? 'a merge'}, ${view.items(HISTORY).datasets.length} datasets`);
    },
    async released(account) {
      told.push(`released ${account}`);
    },
  };
  const holders = new FakeHolders();
  const homes = new Homes({
    self: 'me',
    isOwnClaim: () => state.isOwnClaim,
    log: mine.log,
    leases,
    courier,
    holders,
    followers: [follower],
    flushLog: (signal) => state.flush(signal),
    clock,
    logger: silentLogger,
  });
  await homes.start();
  const other = async (name: string, epoch: number) => {
    const log = await openTestLog({ node: name, wrap: () => new MemoryStore() });
    log.leases.epoch = epoch;
    others.set(name, log);
    return log;
  };
  const lease = (epoch: number) => ({ epoch, token: leaseToken(ACCOUNT, epoch, 'me') });
  return { clock, mine, leases, homes, holders, others, hanging, refusing, offered, told, state, other, lease };
}

describe('an account that comes home', () => {
  it('is not served half: without anybody who has its log, requests wait and then hear so; it comes by itself later', async () => {
    const { clock, homes, other, others, holders, lease, told } = await world();
    others.set('empty', await openTestLog({ node: 'empty', wrap: () => new MemoryStore() }));
    holders.set('empty');
    await expect(drive(clock, homes.adopt(ACCOUNT, 'dead', lease(2)))).rejects.toMatchObject({
      code: 'homes/no-holder',
    });
    expect(homes.status(ACCOUNT)).toEqual({ at: 'arriving' });
    await expect(drive(clock, homes.whenHere(ACCOUNT))).rejects.toMatchObject({ code: 'homes/arriving' });
    const partner = await other('partner', 1);
    await partner.log.append(ACCOUNT, () => [historyCreated()]);
    holders.set('empty', 'partner');
    await drive(clock, homes.whenHere(ACCOUNT));
    expect(homes.status(ACCOUNT)).toEqual({ at: 'here' });
    expect(told).toEqual([`adopted ${ACCOUNT} from dead, 0 datasets`]);
    await homes.stop();
  });

  it('does not wait for a holder that hangs once another has given it; what that one has more is merged', async () => {
    const { clock, homes, other, holders, hanging, lease, told, mine } = await world();
    const good = await other('good', 1);
    await good.log.append(ACCOUNT, () => [historyCreated(), datasetCreated('00000000000000c1', 1)]);
    hanging.add('hung');
    holders.set('good', 'hung');
    const before = clock.now();
    await drive(clock, homes.adopt(ACCOUNT, undefined, lease(2)));
    expect(clock.now() - before).toBeLessThan(5000);
    const late = await other('late', 1);
    await late.log.append(ACCOUNT, () => [datasetCreated('00000000000000c2', 1)]);
    await copy(late.log, mine.log);
    await driveUntil(clock, () => told.length === 2);
    expect(told[1]).toBe(`adopted ${ACCOUNT} from a merge, 2 datasets`);
    const items = (await mine.log.view(ACCOUNT)).items(HISTORY).datasets;
    expect(items.map(({ hid, settledHid }) => settledHid ?? hid).sort()).toEqual([1, 2]);
    await homes.stop();
  });

  it('is not served while a part is missing that a holder has announced and that can still be had', async () => {
    const { clock, homes, other, holders, refusing, lease, told } = await world();
    const some = await other('some', 1);
    await some.log.append(ACCOUNT, () => [historyCreated()]);
    const more = await other('more', 1);
    await copy(some.log, more.log, ACCOUNT);
    await more.log.append(ACCOUNT, () => [datasetCreated('00000000000000c1', 1)]);
    refusing.add('more');
    holders.set('some', 'more');
    await expect(drive(clock, homes.adopt(ACCOUNT, 'dead', lease(2)))).rejects.toMatchObject({
      code: 'homes/incomplete',
    });
    expect(homes.status(ACCOUNT)).toEqual({ at: 'arriving' });
    refusing.delete('more');
    await drive(clock, homes.whenHere(ACCOUNT));
    expect(told).toEqual([`adopted ${ACCOUNT} from dead, 1 datasets`]);
    await homes.stop();
  });

  it('is not served from an old replica here when nobody who must know has answered', async () => {
    const { clock, homes, other, others, holders, mine, lease } = await world();
    const old = await other('old', 1);
    await old.log.append(ACCOUNT, () => [historyCreated()]);
    await copy(old.log, mine.log, ACCOUNT);
    others.set('empty', await openTestLog({ node: 'empty', wrap: () => new MemoryStore() }));
    holders.set('empty', 'silent');
    await expect(drive(clock, homes.adopt(ACCOUNT, 'dead', lease(2)))).rejects.toMatchObject({
      code: 'homes/no-holder',
    });
    await homes.stop();
  });

  it('that was claimed here and never written is at home at once: its first sign-in creates it', async () => {
    const { clock, homes, others, holders, lease, state } = await world();
    others.set('repository', await openTestLog({ node: 'repository', wrap: () => new MemoryStore() }));
    holders.set('repository');
    state.isOwnClaim = true;
    await drive(clock, homes.adopt(ACCOUNT, undefined, lease(2)));
    expect(homes.status(ACCOUNT)).toEqual({ at: 'here' });
    await homes.stop();
  });

  it('is refused under an epoch that is not above what this node knows', async () => {
    const { clock, homes, leases, other, holders, lease, told } = await world();
    const good = await other('good', 1);
    await good.log.append(ACCOUNT, () => [historyCreated()]);
    holders.set('good');
    await drive(clock, homes.adopt(ACCOUNT, undefined, lease(5)));
    await expect(homes.adopt(ACCOUNT, undefined, lease(4))).rejects.toMatchObject({ code: 'homes/superseded' });
    // The same word again is no second take-over.
    await homes.adopt(ACCOUNT, undefined, lease(5));
    expect(told).toHaveLength(1);
    await drive(clock, homes.leave(ACCOUNT, 6, 'b'));
    await expect(homes.adopt(ACCOUNT, undefined, lease(6))).rejects.toMatchObject({ code: 'homes/superseded' });
    expect(leases.movedTo(ACCOUNT)).toEqual({ epoch: 6, home: 'b' });
    await homes.stop();
  });

  it('is not taken over any more when somebody else became its home meanwhile', async () => {
    const { clock, homes, holders, hanging, lease, told } = await world();
    hanging.add('hung');
    holders.set('hung');
    const adopted = homes.adopt(ACCOUNT, undefined, lease(2));
    adopted.catch(() => {});
    await drive(clock, homes.leave(ACCOUNT, 3, 'b'));
    await expect(drive(clock, adopted)).rejects.toMatchObject({ code: 'homes/no-holder' });
    await driveUntil(clock, () => homes.status(ACCOUNT).at === 'elsewhere');
    expect(told).toEqual([`released ${ACCOUNT}`]);
    await homes.stop();
  });

  it('follows the newest of two words that come one upon the other', async () => {
    const { clock, homes, leases, other, holders, hanging, others, lease } = await world();
    hanging.add('hung');
    holders.set('hung');
    const first = homes.adopt(ACCOUNT, undefined, lease(2));
    first.catch(() => {});
    const good = await other('good', 1);
    await good.log.append(ACCOUNT, () => [historyCreated()]);
    hanging.delete('hung');
    others.set('hung', good);
    await drive(clock, homes.adopt(ACCOUNT, undefined, lease(4)));
    await driveUntil(clock, () => homes.status(ACCOUNT).at === 'here');
    expect(leases.current(ACCOUNT)?.epoch).toBe(4);
    await homes.stop();
  });

  it('has all that follows done, however often that fails first', async () => {
    const { clock, homes, leases, other, holders, lease, told, state } = await world();
    const good = await other('good', 1);
    await good.log.append(ACCOUNT, () => [historyCreated()]);
    holders.set('good');
    state.followerFails = 3;
    await expect(drive(clock, homes.adopt(ACCOUNT, undefined, lease(2)))).rejects.toThrow('a full disk');
    expect(leases.isArriving(ACCOUNT)).toBe(true);
    await driveUntil(clock, () => homes.status(ACCOUNT).at === 'here');
    expect(told).toHaveLength(1);
    expect(leases.isArriving(ACCOUNT)).toBe(false);
    await homes.stop();
  });
});

describe('a merge', () => {
  async function atHome() {
    const made = await world();
    const good = await made.other('good', 1);
    await good.log.append(ACCOUNT, () => [historyCreated(), datasetCreated('00000000000000c1', 1)]);
    made.holders.set('good');
    await drive(made.clock, made.homes.adopt(ACCOUNT, undefined, made.lease(2)));
    made.told.length = 0;
    const back = await made.other('back', 1);
    await back.log.append(ACCOUNT, () => [datasetCreated('00000000000000c2', 1)]);
    return { ...made, back };
  }

  it('is tried again when it fails', async () => {
    const { clock, mine, told, state, back, homes } = await atHome();
    state.followerFails = 2;
    await copy(back.log, mine.log);
    await driveUntil(clock, () => told.length > 0);
    expect(told).toEqual([`adopted ${ACCOUNT} from a merge, 2 datasets`]);
    await homes.stop();
  });

  it('waits while the account is sealed, and is done when it stays here after all', async () => {
    const { clock, mine, told, back, homes } = await atHome();
    await homes.seal(ACCOUNT, never);
    await copy(back.log, mine.log);
    await drive(clock, Promise.resolve());
    expect(told).toEqual([]);
    homes.unseal(ACCOUNT);
    await driveUntil(clock, () => told.length > 0);
    await homes.stop();
  });

  it('is made of what holders have got meanwhile, when somebody says so', async () => {
    const { clock, told, homes, holders } = await atHome();
    holders.set('good', 'back');
    await drive(clock, homes.catchUp(ACCOUNT));
    await driveUntil(clock, () => told.length > 0);
    await homes.stop();
  });
});

describe('an account that leaves', () => {
  it('goes to its new home although a log partner hangs', async () => {
    const { clock, homes, leases, lease, offered, state, other, holders } = await world();
    const good = await other('good', 1);
    await good.log.append(ACCOUNT, () => [historyCreated()]);
    holders.set('good');
    await drive(clock, homes.adopt(ACCOUNT, undefined, lease(2)));
    state.flush = (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
    const left = homes.leave(ACCOUNT, 3, 'b');
    await driveUntil(clock, () => offered.length > 0, 1);
    expect(leases.toGive()).toEqual([]);
    await drive(clock, left);
    await homes.stop();
  });

  it('is offered again to a home that could not take it, and not at each turn of the holders', async () => {
    const { clock, homes, leases, lease, offered, state, other, holders } = await world();
    const good = await other('good', 1);
    await good.log.append(ACCOUNT, () => [historyCreated()]);
    holders.set('good');
    await drive(clock, homes.adopt(ACCOUNT, undefined, lease(2)));
    state.offerFails = true;
    await drive(clock, homes.leave(ACCOUNT, 3, 'b'));
    const tries = offered.length;
    for (let second = 0; second < 30; second++) {
      holders.set('good', 'b');
      await driveUntil(clock, () => true);
      clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(offered.length - tries).toBeGreaterThanOrEqual(2);
    expect(offered.length - tries).toBeLessThanOrEqual(4);
    state.offerFails = false;
    await driveUntil(clock, () => leases.toGive().length === 0);
    await homes.stop();
  });

  it('sends on to its home what comes here by mistake afterwards', async () => {
    const { clock, homes, leases, lease, mine, offered, other, holders } = await world();
    const good = await other('good', 1);
    await good.log.append(ACCOUNT, () => [historyCreated()]);
    holders.set('good', 'b');
    await drive(clock, homes.adopt(ACCOUNT, undefined, lease(2)));
    await drive(clock, homes.leave(ACCOUNT, 3, 'b'));
    const before = offered.length;
    // What its present home writes and gives to its log partner is no such thing.
    const home = await other('home', 3);
    await home.log.append(ACCOUNT, () => [datasetCreated('00000000000000c3', 2)]);
    await copy(home.log, mine.log);
    await driveUntil(clock, () => true);
    expect(leases.toGive()).toEqual([]);
    const lost = await other('lost', 1);
    await lost.log.append(ACCOUNT, () => [datasetCreated('00000000000000c2', 1)]);
    await copy(lost.log, mine.log);
    await driveUntil(clock, () => offered.length > before);
    await driveUntil(clock, () => leases.toGive().length === 0);
    await homes.stop();
  });
});

describe('a node that comes back', () => {
  const other = '00000000000000a2';
  const homeOf = async () => ({ home: 'elsewhere', epoch: 9 });

  /** Two accounts were here when it went, and it has just started again. */
  async function back() {
    const at = await world();
    at.homes.endCheck();
    for (const account of [ACCOUNT, other]) await at.leases.grant(account, 1, leaseToken(account, 1, 'me'));
    at.homes.beginCheck();
    return at;
  }

  it('serves no account before the coordinator has confirmed it, and each from that moment on', async () => {
    const { homes, clock, lease } = await back();
    expect([homes.status(ACCOUNT), homes.status(other)]).toEqual([{ at: 'checking' }, { at: 'checking' }]);
    let isServed = false;
    const waiting = homes.whenHere(ACCOUNT).then(() => {
      isServed = true;
    });
    // Half of the list has come; asking for the rest takes longer than a start waits.
    homes.confirm(other, 1);
    expect(homes.status(other)).toEqual({ at: 'here' });
    await homes.whenHere(other);
    clock.advance(8500);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isServed).toBe(false);
    homes.confirm(ACCOUNT, 2);
    expect(homes.status(ACCOUNT)).toEqual({ at: 'checking' });
    homes.confirm(ACCOUNT, 1);
    await waiting;
    await homes.reconcile(new Map([ACCOUNT, other].map((account) => [account, lease(1)])), homeOf);
    await homes.whenChecked();
    expect(homes.status(ACCOUNT)).toEqual({ at: 'here' });
  });

  it('tells who waits that the account is elsewhere now, and after ten seconds to come again', async () => {
    const { homes, clock } = await back();
    const late = expect(homes.whenHere(other)).rejects.toMatchObject({ code: 'homes/checking', kind: 'unavailable' });
    clock.advance(10_000);
    await late;
    const moved = expect(homes.whenHere(ACCOUNT)).rejects.toMatchObject({ code: 'homes/moved' });
    let asked = 0;
    let goOn: () => void = () => {};
    const slow = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const done = homes.reconcile(new Map(), async () => {
      if (asked++ > 0) await slow;
      return { home: 'elsewhere', epoch: 9 };
    });
    // It does not wait for the account behind it.
    await moved;
    expect([homes.status(ACCOUNT).at, homes.status(other).at]).toEqual(['elsewhere', 'checking']);
    goOn();
    await done;
    expect(homes.status(other).at).toBe('elsewhere');
  });

  it('serves what it has while the coordinator is away, and what it is granted meanwhile at once', async () => {
    const { homes, leases } = await back();
    const third = '00000000000000a3';
    await leases.grant(third, 4, leaseToken(third, 4, 'me'));
    expect(homes.status(third)).toEqual({ at: 'here' });
    const waiting = homes.whenHere(ACCOUNT);
    homes.endCheck();
    await waiting;
    expect(homes.status(other)).toEqual({ at: 'here' });
  });

  it.each<[string, (homes: Homes) => void]>([
    ['it is confirmed', (homes) => homes.confirm(ACCOUNT, 1)],
    ['the coordinator is away', (homes) => homes.endCheck()],
  ])('settles no numbers before %s: its new home may just be doing so the other way round', async (_case, goOn) => {
    const { homes, mine, told, clock, other } = await back();
    await mine.log.append(ACCOUNT, () => [historyCreated(), datasetCreated('00000000000000c1', 1)]);
    const home = await other('home', 1);
    await home.log.append(ACCOUNT, () => [datasetCreated('00000000000000c2', 1)]);
    await copy(home.log, mine.log);
    await driveUntil(clock, () => true);
    const numbers = async () => (await mine.log.view(ACCOUNT)).items(HISTORY).datasets.map(hidOf).sort();
    expect([await numbers(), told]).toEqual([[1, 1], []]);
    goOn(homes);
    await driveUntil(clock, () => told.length > 0);
    expect(await numbers()).toEqual([1, 2]);
    await homes.stop();
  });
});
