/**
 * Takes the tickets with which the coordinator sends browsers here, each once: its id is on disk before anybody is signed
 * in by it, so a crash does not make it good again. Ids are forgotten when their tickets could not be used any more.
 */
import type { Clock } from '../../protocol/runtime/clock.js';
import type { Part } from '../../protocol/runtime/lifecycle.js';
import type { Store, StoreOp } from '../../protocol/runtime/store.js';
import { trustErrors } from '../../protocol/trust/errors.js';
import { checkTicket, type Ticket } from '../../protocol/trust/ticket.js';
import { CLOCK_SKEW_MAX_MS } from '../../protocol/wire/limits.js';
import { accountErrors } from './errors.js';

const NS = 'ticket.spent';
/** Only the coordinator signs tickets, and each lives a minute: more than this at once is not a crowd but a fault. */
const REMEMBERED_MAX = 100_000;

export class Tickets implements Part {
  /** Id → when the ticket is over for good. */
  private readonly spent = new Map<string, number>();

  constructor(
    private readonly deps: {
      store: Pick<Store, 'commit' | 'iterate'>;
      clock: Clock;
      /** This node. */
      peerId: string;
      /** Whose tickets count; undefined while this node belongs to no network. */
      coordinator: () => string | undefined;
    },
  ) {}

  async start(): Promise<void> {
    for await (const [id, bytes] of this.deps.store.iterate(NS)) {
      this.spent.set(id, Number(Buffer.from(bytes).toString('utf8')));
    }
    await this.deps.store.commit(this.forgetOld());
  }

  /**
   * The ticket, when it is good here, now, in the browser with this nonce, for the first time.
   * Errors: `trust/ticket-refused`, `accounts/busy`, those of the store.
   */
  async accept(token: string, nonce: string | undefined): Promise<Ticket> {
    const { clock, peerId, coordinator, store } = this.deps;
    const ticket = checkTicket(token, {
      issuedBy: (signer) => signer === coordinator(),
      node: peerId,
      nonce,
      now: clock.now(),
    });
    // Here a browser always has its nonce first; a ticket without would work in the browser of whomever it is sent to.
    if (ticket.nonceHash === null) throw trustErrors('ticket-refused', { reason: 'it is bound to no browser' });
    if (this.spent.has(ticket.id)) throw trustErrors('ticket-refused', { reason: 'it was used before' });
    const old = this.forgetOld();
    if (this.spent.size >= REMEMBERED_MAX) throw accountErrors('busy');
    const overAt = ticket.expiresAt + CLOCK_SKEW_MAX_MS;
    // Before the first await: of two at once only one gets past the check above.
    this.spent.set(ticket.id, overAt);
    await store.commit([...old, { ns: NS, key: ticket.id, value: String(overAt) }]);
    return ticket;
  }

  private forgetOld(): StoreOp[] {
    const now = this.deps.clock.now();
    const ops: StoreOp[] = [];
    for (const [id, overAt] of this.spent) {
      if (overAt > now) continue;
      this.spent.delete(id);
      ops.push({ ns: NS, key: id, delete: true });
    }
    return ops;
  }
}
