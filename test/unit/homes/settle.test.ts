import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { Merges } from '../../../node/accounts/merges.js';
import { settleHids } from '../../../node/accounts/settle.js';
import { hidOf } from '../../../protocol/account/records.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { MemoryStore } from '../../support/memory-store.js';
import {
  ACCOUNT,
  copy,
  datasetCreated,
  HISTORY,
  hex,
  historyCreated,
  openTestLog,
  removeTestLogs,
} from '../log/fixture.js';

afterEach(removeTestLogs);

const open = (node: string) => openTestLog({ node, wrap: () => new MemoryStore() });
const hids = async (test: Awaited<ReturnType<typeof open>>) =>
  new Map((await test.log.view(ACCOUNT)).items(HISTORY).datasets.map((item) => [item.id, hidOf(item)]));

describe('settling numbers', () => {
  it('ends every collision at once, changes nothing that is alone, and is the same on every node afterwards', async () => {
    const side = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(side, side, async (ours, theirs) => {
        const a = await open('a');
        const b = await open('b');
        await a.log.append(ACCOUNT, () => [
          historyCreated(),
          ...ours.map((hid, index) => datasetCreated(hex(0xa00 + index), hid, { createdAt: index })),
        ]);
        if (theirs.length > 0) {
          const drafts = theirs.map((hid, index) => datasetCreated(hex(0xb00 + index), hid, { createdAt: index }));
          await b.log.append(ACCOUNT, () => drafts);
        }
        await copy(b.log, a.log);
        const before = await hids(a);
        const numbers = [...before.values()];
        await a.log.append(ACCOUNT, (view) => settleHids(view, [HISTORY]));
        const after = await hids(a);
        expect(new Set(after.values()).size).toBe(before.size);
        for (const [id, hid] of before) {
          if (numbers.filter((other) => other === hid).length === 1) expect(after.get(id)).toBe(hid);
        }
        // Every number that was there is still somebody's.
        expect([...new Set(numbers)].every((hid) => [...after.values()].includes(hid))).toBe(true);
        expect(settleHids(await a.log.view(ACCOUNT), [HISTORY])).toEqual([]);
        await copy(a.log, b.log);
        expect(await hids(b)).toEqual(after);
        await removeTestLogs();
      }),
      { numRuns: 25 },
    );
  });

  it('leaves the number to whoever was created first, whatever the ids say', async () => {
    const test = await open('a');
    await test.log.append(ACCOUNT, () => [
      historyCreated(),
      datasetCreated('00000000000000a1', 1, { createdAt: 20 }),
      datasetCreated('ffffffffffffffff', 1, { createdAt: 10 }),
    ]);
    await test.log.append(ACCOUNT, (view) => settleHids(view, [HISTORY]));
    expect(Object.fromEntries(await hids(test))).toEqual({ ffffffffffffffff: 1, '00000000000000a1': 2 });
  });
});

describe('merging what was made during a partition', () => {
  /** The home merges whatever comes, as a node does; resolves when all that came so far is settled. */
  async function home() {
    const test = await open('a');
    let told = () => {};
    let left = 0;
    const merges = new Merges({
      log: test.log,
      isHere: () => true,
      onMerged: async () => told(),
      clock: systemClock,
      logger: silentLogger,
    });
    test.log.onApplied(({ account, entries, own }) => {
      if (own) return;
      left += 1;
      merges.cameIn(account, entries);
    });
    const settled = async (bring: () => Promise<unknown>) => {
      left = 0;
      const merged = new Promise<void>((resolve) => {
        told = resolve;
      });
      await bring();
      if (left > 0) await merged;
      await merges.stop();
    };
    return { test, merges, settled };
  }

  it('leaves every number that is on the screen, gives each item one of its own, and is done with the first settling', async () => {
    const numbers = fc.array(fc.record({ hid: fc.integer({ min: 1, max: 5 }), createdAt: fc.nat(3) }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(numbers, fc.array(numbers, { maxLength: 3 }), async (shown, sides) => {
        const a = await open('a');
        const used = new Set<number>();
        const unique = shown.filter(({ hid }) => !used.has(hid) && used.add(hid));
        const drafts = (side: number, items: typeof shown) =>
          items.map(({ hid, createdAt }, index) => datasetCreated(hex(0xa00 + side * 16 + index), hid, { createdAt }));
        await a.log.append(ACCOUNT, () => [historyCreated(), ...drafts(0, unique)]);
        const others: Awaited<ReturnType<typeof open>>[] = [];
        for (const [index, items] of sides.entries()) {
          const other = await open(`b${index}`);
          await other.log.append(ACCOUNT, () => drafts(index + 1, items));
          // A home that was cut off has settled what it saw, too.
          await other.log.append(ACCOUNT, (view) => settleHids(view, [HISTORY]));
          others.push(other);
        }
        let screen = await hids(a);
        for (const other of others) {
          const merges = new Merges({
            log: a.log,
            isHere: () => false,
            onMerged: async () => {},
            clock: systemClock,
            logger: silentLogger,
          });
          const came = { histories: new Set<string>(), items: new Set<string>() };
          const release = a.log.onApplied(({ entries, own }) => {
            if (own) return;
            for (const { payload } of entries) {
              if (typeof payload.history === 'string') came.histories.add(payload.history);
              came.items.add(String(payload.id));
            }
          });
          await copy(other.log, a.log);
          release();
          await merges.settle(ACCOUNT, came.histories, came.items);
          const after = await hids(a);
          for (const [id, hid] of screen) expect(after.get(id)).toBe(hid);
          expect(new Set(after.values()).size).toBe(after.size);
          const view = await a.log.view(ACCOUNT);
          expect(settleHids(view, [HISTORY], came.items)).toEqual([]);
          expect(settleHids(view, [HISTORY])).toEqual([]);
          screen = after;
        }
        expect(screen.size).toBe(unique.length + sides.flat().length);
        await removeTestLogs();
      }),
      { numRuns: 25 },
    );
  });

  it('takes the new number from what came in, by itself, even if that was made first and settled where it was', async () => {
    const { test, settled } = await home();
    await test.log.append(ACCOUNT, () => [historyCreated(), datasetCreated(hex(0xa1), 1, { createdAt: 20 })]);
    const other = await open('b');
    await other.log.append(ACCOUNT, () => [datasetCreated(hex(0xb1), 7, { createdAt: 10 })]);
    await other.log.append(ACCOUNT, () => [{ type: 'item.hid', payload: { kind: 'dataset', id: hex(0xb1), hid: 1 } }]);
    await settled(() => copy(other.log, test.log));
    expect(await hids(test)).toEqual(
      new Map([
        [hex(0xa1), 1],
        [hex(0xb1), 8],
      ]),
    );
  });

  it('looks at the history of an item that only a new number came in for', async () => {
    const { test, settled } = await home();
    await test.log.append(ACCOUNT, () => [historyCreated(), datasetCreated(hex(0xa1), 1)]);
    const other = await open('b');
    await copy(test.log, other.log);
    await test.log.append(ACCOUNT, () => [datasetCreated(hex(0xa2), 2)]);
    await other.log.append(ACCOUNT, () => [{ type: 'item.hid', payload: { kind: 'dataset', id: hex(0xa1), hid: 2 } }]);
    await settled(() => copy(other.log, test.log));
    expect(await hids(test)).toEqual(
      new Map([
        [hex(0xa1), 3],
        [hex(0xa2), 2],
      ]),
    );
  });
});
