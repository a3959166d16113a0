/**
 * Who a browser is at the network's address, and how it is sent to a node.
 *
 * - The *hand-off* comes from a node at which somebody has just signed in or up: signed here, one use, one minute. It
 *   becomes the network cookie, in the browser that began the sign-in only (http/server.ts).
 * - The *network cookie* names the account for `sessionDays`; it is good here only and never passed on to a node.
 * - The *ticket* takes the browser to one node: one use (kept by that node), one minute, bound to a nonce cookie that
 *   the node set in this browser. So a ticket that somebody saw, or was sent, opens nothing in another browser.
 *
 * Rejected: one token for all three. Each would then have to be as short-lived as the ticket and as far-reaching as the
 * cookie.
 */
import { z } from 'zod';
import type { Clock } from '../protocol/runtime/clock.js';
import { type Random, randomHex } from '../protocol/runtime/random.js';
import type { Store, StoreOp } from '../protocol/runtime/store.js';
import type { Signer } from '../protocol/trust/identity.js';
import { openToken, signToken } from '../protocol/trust/signed.js';
import { issueTicket } from '../protocol/trust/ticket.js';
import { entityIdSchema } from '../protocol/wire/ids.js';
import type { Account, Directory } from './directory.js';
import { gatewayErrors } from './errors.js';
import { NAMESPACES } from './namespaces.js';

const HAND_OFF = 'hand-off';
const NETWORK_SESSION = 'network-session';
export const HAND_OFF_LIFE_MS = 60_000;
const DAY_MS = 24 * 3600 * 1000;
/** Only sign-ins make them, and each is kept for a minute: more than this at once is not a crowd but a fault. */
const SPENT_MAX = 100_000;

const session = z.object({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  account: entityIdSchema,
  issuedAt: z.number(),
  expiresAt: z.number(),
});
export type Session = z.output<typeof session>;

export class Sessions {
  /** Id of a used hand-off → when it is over for good. */
  private readonly spent = new Map<string, number>();

  constructor(
    private readonly deps: {
      store: Store;
      clock: Clock;
      random: Random;
      signer: Signer;
      directory: Pick<Directory, 'byId'>;
    },
    private readonly options: { sessionDays: number },
  ) {}

  async start(): Promise<void> {
    for await (const [id, value] of this.deps.store.iterate(NAMESPACES.spent)) {
      this.spent.set(id, Number(Buffer.from(value).toString('utf8')));
    }
    await this.deps.store.commit(this.forgetOld());
  }

  issueHandOff(account: string): string {
    return this.issue(HAND_OFF, account, HAND_OFF_LIFE_MS);
  }

  /** The network cookie for a hand-off, once. Errors: `gateway/bad-token`, `gateway/too-many-sign-ins`. */
  async acceptHandOff(token: string): Promise<{ cookie: string; maxAgeSeconds: number; account: string }> {
    const handOff = this.open(token, HAND_OFF);
    if (handOff === undefined || (await this.accountOf(handOff)) === undefined) throw gatewayErrors('bad-token');
    await this.spend(handOff);
    const lifeMs = this.options.sessionDays * DAY_MS;
    return {
      cookie: this.issue(NETWORK_SESSION, handOff.account, lifeMs),
      maxAgeSeconds: Math.floor(lifeMs / 1000),
      account: handOff.account,
    };
  }

  /** The account that a network cookie names; undefined when it is none, over, or from before a change of password. */
  async account(cookie: string | undefined): Promise<Account | undefined> {
    if (cookie === undefined) return undefined;
    const found = this.open(cookie, NETWORK_SESSION);
    return found === undefined ? undefined : this.accountOf(found);
  }

  /** `nonceHash`: SHA-256 of the nonce cookie that the node set. */
  issueTicket(account: string, node: string, nonceHash: string): string {
    const id = randomHex(this.deps.random, 16);
    return issueTicket(this.deps.signer, { id, account, node, nonceHash }, this.deps.clock.now());
  }

  private issue(kind: string, account: string, lifeMs: number): string {
    const now = this.deps.clock.now();
    const id = randomHex(this.deps.random, 16);
    return signToken(this.deps.signer, kind, { id, account, issuedAt: now, expiresAt: now + lifeMs } satisfies Session);
  }

  private open(token: string, kind: string): Session | undefined {
    try {
      const { payload, signer } = openToken(token, kind, session);
      const now = this.deps.clock.now();
      return signer === this.deps.signer.peerId && now < payload.expiresAt ? payload : undefined;
    } catch {
      return undefined;
    }
  }

  private async accountOf(found: Session): Promise<Account | undefined> {
    const account = await this.deps.directory.byId(found.account);
    return account !== undefined && found.issuedAt >= account.sessionsAfter ? account : undefined;
  }

  /** On disk before it counts, or a crash would make the token good again. */
  private async spend({ id, expiresAt }: Session): Promise<void> {
    if (this.spent.has(id)) throw gatewayErrors('bad-token');
    const old = this.forgetOld();
    if (this.spent.size >= SPENT_MAX) throw gatewayErrors('too-many-sign-ins');
    // Before the first await: of two at once only one gets past the check above.
    this.spent.set(id, expiresAt);
    await this.deps.store.commit([...old, { ns: NAMESPACES.spent, key: id, value: String(expiresAt) }]);
  }

  private forgetOld(): StoreOp[] {
    const now = this.deps.clock.now();
    const ops: StoreOp[] = [];
    for (const [id, overAt] of this.spent) {
      if (overAt > now) continue;
      this.spent.delete(id);
      ops.push({ ns: NAMESPACES.spent, key: id, delete: true });
    }
    return ops;
  }
}
