import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeldLeases } from '../../../node/accounts/held-leases.js';
import { deferred, MemoryStore, settled } from '../wire/fixture.js';

const ACCOUNT = '00000000000000a1';

async function open(store = new MemoryStore(), isOwn: (account: string) => boolean = () => false) {
  const own = { current: (account: string) => ({ account, epoch: 0, token: 'own' }) };
  const leases = new HeldLeases({ store, own, isOwn });
  await leases.start();
  return { leases, store };
}

describe('leases held', () => {
  it('are there again after a restart, and so is what was lost', async () => {
    const { leases, store } = await open();
    expect(await leases.grant(ACCOUNT, 5, 'five')).toBe(true);
    expect((await open(store)).leases.current(ACCOUNT)).toMatchObject({ epoch: 5, token: 'five' });
    expect(await leases.lose(ACCOUNT, 6, 'b')).toBe(true);
    const again = (await open(store)).leases;
    expect(again.current(ACCOUNT)).toBeUndefined();
    expect(again.movedTo(ACCOUNT)).toEqual({ epoch: 6, home: 'b' });
  });

  it('refuse an epoch that is not above what is known, from a restored coordinator or an old message', async () => {
    const { leases } = await open();
    await leases.grant(ACCOUNT, 5, 'five');
    expect(await leases.grant(ACCOUNT, 4, 'four')).toBe(false);
    expect(await leases.lose(ACCOUNT, 5, 'b')).toBe(false);
    expect(await leases.grant(ACCOUNT, 5, 'five again')).toBe(true);
    expect(leases.current(ACCOUNT)?.token).toBe('five');
    await leases.lose(ACCOUNT, 6, 'b');
    expect(await leases.grant(ACCOUNT, 6, 'six')).toBe(false);
    expect(await leases.grant(ACCOUNT, 7, 'seven')).toBe(true);
    expect(leases.movedTo(ACCOUNT)).toBeUndefined();
  });

  it('end the own lease of an account that was made here before joining', async () => {
    const { leases, store } = await open(new MemoryStore(), () => true);
    expect(leases.current(ACCOUNT)?.epoch).toBe(0);
    await leases.lose(ACCOUNT, 1, 'b');
    expect(leases.current(ACCOUNT)).toBeUndefined();
    expect((await open(store, () => true)).leases.current(ACCOUNT)).toBeUndefined();
  });

  it('are not had before the disk has them, and are lost before it has', async () => {
    const { leases, store } = await open();
    const disk = deferred();
    store.hold = disk.promise;
    const granted = leases.grant(ACCOUNT, 5, 'five');
    await settled();
    expect(leases.current(ACCOUNT)).toBeUndefined();
    disk.resolve();
    await granted;
    expect(leases.current(ACCOUNT)?.epoch).toBe(5);
    const second = deferred();
    store.hold = second.promise;
    const lost = leases.lose(ACCOUNT, 6, 'b');
    expect(leases.current(ACCOUNT)).toBeUndefined();
    second.resolve();
    await lost;
  });

  it('are not brought back by a grant that was on its way to the disk when they were lost', async () => {
    const { leases, store } = await open();
    const disk = deferred();
    store.hold = disk.promise;
    const granted = leases.grant(ACCOUNT, 5, 'five');
    const lost = leases.lose(ACCOUNT, 6, 'b');
    disk.resolve();
    expect(await granted).toBe(false);
    expect(await lost).toBe(true);
    expect(leases.current(ACCOUNT)).toBeUndefined();
    expect((await open(store)).leases.movedTo(ACCOUNT)).toEqual({ epoch: 6, home: 'b' });
  });

  it('that a full disk did not note as lost are noted when they are lost once more', async () => {
    const { leases, store } = await open();
    await leases.grant(ACCOUNT, 5, 'five');
    store.failing = true;
    await expect(leases.lose(ACCOUNT, 6, 'b')).rejects.toThrow('disk gone');
    expect(leases.current(ACCOUNT)).toBeUndefined();
    store.failing = false;
    expect(await leases.lose(ACCOUNT, 6, 'b')).toBe(true);
    expect(await leases.lose(ACCOUNT, 6, 'b')).toBe(false);
    expect((await open(store)).leases.movedTo(ACCOUNT)?.epoch).toBe(6);
  });

  it('remember over a restart what is still to be done for an account that came or went', async () => {
    const { leases, store } = await open();
    await leases.grant(ACCOUNT, 5, 'five', true);
    expect((await open(store)).leases.arriving()).toMatchObject([{ account: ACCOUNT, epoch: 5 }]);
    await leases.arrived(ACCOUNT, 5);
    expect((await open(store)).leases.arriving()).toEqual([]);
    await leases.lose(ACCOUNT, 6, 'b');
    expect((await open(store)).leases.toGive()).toEqual([{ account: ACCOUNT, epoch: 6, home: 'b' }]);
    await leases.given(ACCOUNT, 5);
    expect(leases.toGive()).toHaveLength(1);
    await leases.given(ACCOUNT, 6);
    expect((await open(store)).leases.toGive()).toEqual([]);
    await leases.given(ACCOUNT, 6, false);
    expect((await open(store)).leases.toGive()).toHaveLength(1);
  });

  it('never let two epochs be mixed up, whatever comes at once and whenever the machine dies', async () => {
    const step = fc.record({ what: fc.constantFrom('grant', 'lose'), epoch: fc.integer({ min: 1, max: 6 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 5 }), async (bursts) => {
        const { leases, store } = await open();
        let highest = -1;
        for (const burst of bursts) {
          const disk = deferred();
          store.hold = disk.promise;
          const running = burst.map(({ what, epoch }) =>
            what === 'grant' ? leases.grant(ACCOUNT, epoch, `t${epoch}`) : leases.lose(ACCOUNT, epoch, `n${epoch}`),
          );
          disk.resolve();
          const results = await Promise.all(running);
          burst.forEach(({ epoch }, index) => {
            if (results[index]) highest = Math.max(highest, epoch);
          });
          const restarted = (await open(store)).leases;
          for (const one of [leases, restarted]) {
            expect(one.knownEpoch(ACCOUNT)).toBe(highest);
            const current = one.current(ACCOUNT);
            if (current) expect(current).toMatchObject({ epoch: highest, token: `t${highest}` });
            else if (highest >= 0) expect(one.movedTo(ACCOUNT)).toEqual({ epoch: highest, home: `n${highest}` });
          }
          expect(restarted.current(ACCOUNT)?.epoch).toBe(leases.current(ACCOUNT)?.epoch);
        }
      }),
      { numRuns: 200 },
    );
  });
});
