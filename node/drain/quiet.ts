/**
 * After the receipt: open pages learn of their new home with their next poll, so the node stays until none polls. Pages
 * poll every few seconds: one that has not for a quarter of a minute is closed.
 */
import { type Clock, sleep } from '../../protocol/runtime/clock.js';

export const QUIET_MS = 15_000;
export const QUIET_AT_MOST_MS = 60_000;
const LOOK_MS = 250;

/** `lastPolledAt`: monotonic ms of the last request of a session; undefined: none came. */
export async function untilQuiet(
  deps: { clock: Clock; lastPolledAt: () => number | undefined },
  signal: AbortSignal,
  { quietMs = QUIET_MS, atMostMs = QUIET_AT_MOST_MS }: { quietMs?: number; atMostMs?: number } = {},
): Promise<void> {
  const begun = deps.clock.monotonic();
  for (;;) {
    const now = deps.clock.monotonic();
    const end = Math.min(begun + atMostMs, (deps.lastPolledAt() ?? Number.NEGATIVE_INFINITY) + quietMs);
    if (now >= end) return;
    await sleep(deps.clock, Math.min(LOOK_MS, end - now), signal);
  }
}
