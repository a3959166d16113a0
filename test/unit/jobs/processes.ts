/** What the machine says of a process. */
import { readFileSync } from 'node:fs';
import { sleep, systemClock } from '../../../protocol/runtime/clock.js';

/** Ended, also when nobody has asked for its exit code yet. */
export function isGone(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}

/** Nothing tells when a process of somebody else's ends: this looks until it has. */
export async function gone(pid: number): Promise<void> {
  while (!isGone(pid)) await sleep(systemClock, 10);
}
