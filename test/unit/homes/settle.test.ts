import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { settleHids } from '../../../node/accounts/settle.js';
import { hidOf } from '../../../protocol/account/records.js';
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
