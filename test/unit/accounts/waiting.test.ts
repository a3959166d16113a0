import { afterEach, describe, expect, it } from 'vitest';
import { Waiting, type WaitingChanges } from '../../../node/accounts/waiting.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { ManualClock } from '../../support/manual-clock.js';

const ANNA = '00000000000000a1';
const AT_UPPSALA: WaitingChanges = { name: 'Uppsala', changes: 2, things: undefined };
let waiting: Waiting | undefined;

afterEach(() => waiting?.stop());

async function asked(answers: (WaitingChanges[] | Error)[]) {
  const clock = new ManualClock();
  const came: string[] = [];
  let asks = 0;
  waiting = new Waiting({
    ask: async () => {
      asks += 1;
      const answer = answers.shift() ?? [];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    onCame: async (account) => void came.push(account),
    clock,
    logger: silentLogger,
  });
  await waiting.start();
  const again = async () => {
    clock.advance(3000);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { waiting, came, again, asks: () => asks };
}

describe('what waits at a node that is gone', () => {
  it('is asked again when it could not be asked at the arrival, and until it has come', async () => {
    const away = new Error('away');
    const { waiting, came, again, asks } = await asked([away, [AT_UPPSALA], away, []]);
    await waiting.look(ANNA);
    expect(waiting.of(ANNA)).toEqual([]);
    await again();
    expect(waiting.of(ANNA)).toEqual([AT_UPPSALA]);
    await again();
    expect(waiting.of(ANNA)).toEqual([AT_UPPSALA]);
    await again();
    expect([waiting.of(ANNA), came]).toEqual([[], [ANNA]]);
    await again();
    expect(asks()).toBe(4);
  });

  it('is not asked again when nothing does', async () => {
    const { waiting, again, asks } = await asked([[]]);
    await waiting.look(ANNA);
    await again();
    expect(asks()).toBe(1);
  });
});
