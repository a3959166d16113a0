/**
 * Brings together what the holders of an account's log have of it, so that the node that takes the account over, or
 * hears that there is more, has everything that can be had now.
 */
import type { AccountLog, Vector } from '../../protocol/log/account-log.js';
import { type Clock, startDeadline } from '../../protocol/runtime/clock.js';
import { isDomainError } from '../../protocol/runtime/errors.js';
import type { Background } from '../../protocol/runtime/lifecycle.js';
import type { Holders } from '../replication/holders.js';

/** How entries travel between nodes; the root hands in the door. */
export interface LogCourier {
  /**
   * Brings what the peer has of the account and this node lacks; number of entries. `onVector` is told first what the
   * peer has.
   */
  pull(peer: string, account: string, signal: AbortSignal, onVector?: (theirs: Vector) => void): Promise<number>;
  /** Gives the peer what it lacks of the account. */
  offerAccount(peer: string, account: string, signal: AbortSignal): Promise<unknown>;
}

const TAKE_OVER_MS = 30_000;
/** Once somebody has given us the account, others that hang are not waited for: what they have more is merged. */
const STRAGGLER_MS = 2000;

/** What a round of asking holders gave. */
export interface Brought {
  /** How many answered, and how many of them must know of the account. */
  answered: number;
  knowing: number;
  repositoryAnswered: boolean;
  /** Everything that was announced is here. */
  isWhole: boolean;
}

export class Gathering {
  constructor(
    private readonly deps: {
      log: Pick<AccountLog, 'vector'>;
      courier: Pick<LogCourier, 'pull'>;
      holders: Holders;
      clock: Clock;
      /** Of the owner, who waits for it at its stop. */
      background: Background;
    },
  ) {}

  /**
   * The union of what all reachable holders have. Settles when all have ended; or, while some are slow, as soon as this
   * node has everything that anybody has announced, and a holder that must know (the repository, the former home, one
   * that has entries) was among those that answered.
   */
  bring(account: string, from: string | undefined, signal: AbortSignal): Promise<Brought> {
    const { clock, courier, log, background } = this.deps;
    const holders = this.deps.holders.list().filter((holder) => holder.connected);
    const repositories = new Set(holders.filter(({ kind }) => kind === 'repository').map(({ peer }) => peer));
    const peers = new Set(holders.map(({ peer }) => peer));
    if (from !== undefined) peers.add(from);
    const limit = startDeadline(clock, TAKE_OVER_MS, signal);
    const announced = new Map<string, Vector>();
    let answered = 0;
    let knowing = 0;
    const isWhole = async () => {
      const ours = await log.vector(account);
      const all = [...announced.values()].flatMap((vector) => Object.entries(vector));
      return all.every(([segment, { seq }]) => (ours[segment]?.seq ?? 0) >= seq);
    };
    return new Promise((resolve, reject) => {
      const settle = async () => {
        cancel();
        resolve({ answered, knowing, isWhole: await isWhole(), repositoryAnswered });
      };
      let repositoryAnswered = false;
      const pulls = [...peers].map(async (peer) => {
        let brought = 0;
        try {
          brought = await courier.pull(peer, account, limit.signal, (theirs) => announced.set(peer, theirs));
        } catch (error) {
          // What is refused for itself (a broken chain, a wrong lease) will not become better by waiting for it.
          if (isDomainError(error) && error.code.startsWith('log/')) announced.delete(peer);
          throw error;
        }
        answered += 1;
        const isRepository = repositories.has(peer);
        repositoryAnswered ||= isRepository;
        const hasEntries = brought > 0 || Object.keys(announced.get(peer) ?? {}).length > 0;
        if (isRepository || peer === from || hasEntries) knowing += 1;
      });
      const all = Promise.allSettled(pulls).then(async () => {
        limit.cancel();
        await settle();
      });
      all.catch(reject);
      const look = async () => {
        if (knowing > 0 && Object.keys(await log.vector(account)).length > 0 && (await isWhole())) await settle();
        else cancel = clock.after(STRAGGLER_MS, () => void look().catch(reject));
      };
      let cancel = clock.after(STRAGGLER_MS, () => void look().catch(reject));
      // Those that are slow go on behind it.
      background.run('hear the slow holders out', () => all);
    });
  }
}
