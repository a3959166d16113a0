/**
 * Whether an account is at home here, as the doors ask it. A node that is alone is home of every account it has; in a
 * network homes.ts decides, and the root hands it in when the node joins.
 */
import type { LeaseSource } from '../../protocol/log/account-log.js';
import { type Clock, sleep } from '../../protocol/runtime/clock.js';
import { isDomainError } from '../../protocol/runtime/errors.js';
import { homeErrors } from './home-errors.js';
import { ARRIVAL_WAIT_MS, type HomeStatus } from './homes.js';

export interface HomeGate {
  status(account: string): HomeStatus;
  /** Resolves when the account is here. Errors: `homes/moved`; `homes/arriving`, `homes/leaving` after 10 s. */
  whenHere(account: string): Promise<void>;
}

export class CurrentHomes implements HomeGate {
  private homes: HomeGate | undefined;

  constructor(private readonly deps: { leases: LeaseSource }) {}

  /** From joining on; undefined again when the network is stopped. */
  use(homes: HomeGate | undefined): void {
    this.homes = homes;
  }

  status(account: string): HomeStatus {
    if (this.homes) return this.homes.status(account);
    return this.deps.leases.current(account) ? { at: 'here' } : { at: 'elsewhere', home: undefined };
  }

  async whenHere(account: string): Promise<void> {
    if (this.homes) return this.homes.whenHere(account);
    if (this.deps.leases.current(account) === undefined) throw homeErrors('moved');
  }
}

const LOOK_MS = 200;

/**
 * For somebody whom the coordinator has just sent here: its word to this node may be a moment behind the browser. Also an
 * account that is elsewhere as far as this node knows is waited for. False when it is not here in time.
 */
export async function awaitArrival(
  deps: { homes: HomeGate; clock: Clock },
  account: string,
  limitMs = ARRIVAL_WAIT_MS,
): Promise<boolean> {
  const end = deps.clock.monotonic() + limitMs;
  for (;;) {
    try {
      await deps.homes.whenHere(account);
      return true;
    } catch (error) {
      if (!isDomainError(error) || !error.code.startsWith('homes/')) throw error;
      if (deps.clock.monotonic() >= end) return false;
      await sleep(deps.clock, Math.min(LOOK_MS, Math.max(1, end - deps.clock.monotonic())));
    }
  }
}
