/** Waiting and comparing, for checks: each wait has a bound and says what it waited for. The demo's only timers. */

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function eventually(what: string, withinMs: number, look: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + withinMs;
  let last: unknown;
  while (performance.now() < until) {
    try {
      if (await look()) return;
    } catch (error) {
      last = error;
    }
    await pause(200);
  }
  throw new Error(`${what}: not within ${withinMs / 1000} s${last instanceof Error ? ` (${last.message})` : ''}`);
}

export function equal(found: unknown, wanted: unknown, what: string): void {
  if (found !== wanted) throw new Error(`${what}: found ${String(found)}, wanted ${String(wanted)}`);
}

export async function within<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
