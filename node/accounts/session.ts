/**
 * A sign-in as a signed token, which every process can check without asking anyone. Accepted are tokens of the issuers given
 * (the coordinator, this node), and of any member that attaches its lease for that very account. Admin rights are never in
 * it: they are a matter of each node.
 *
 * A token is honoured until it expires, its id is revoked (sign-out), or it was issued before the account's
 * `sessionsNotBefore` (a changed password).
 */
import { z } from 'zod';
import type { AccountView } from '../../protocol/account/records.js';
import type { LeaseSource } from '../../protocol/log/account-log.js';
import type { Clock } from '../../protocol/runtime/clock.js';
import { isDomainError } from '../../protocol/runtime/errors.js';
import { type Random, randomHex } from '../../protocol/runtime/random.js';
import type { Signer } from '../../protocol/trust/identity.js';
import { checkLease } from '../../protocol/trust/lease.js';
import { openToken, signToken } from '../../protocol/trust/signed.js';
import { CLOCK_SKEW_MAX_MS } from '../../protocol/wire/limits.js';

const KIND = 'session';
const HOUR_MS = 3_600_000;
/** For ever the longest: what a holder of a stolen token has at most. */
const LIFE_MS_MAX = 12 * HOUR_MS;

const sessionSchema = z.object({
  account: z.string().regex(/^[0-9a-f]{16}$/),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** Milliseconds since 1970. */
  issuedAt: z.number().int().nonnegative(),
  expiresAt: z.number().int().nonnegative(),
  /** What the client sends back with forms. */
  csrf: z.string().regex(/^[0-9a-f]{32}$/),
  /** The issuing node's lease for this account; absent when the issuer is trusted as such. */
  lease: z.string().max(2048).optional(),
});
export type Session = z.output<typeof sessionSchema>;

export interface SessionIssuers {
  /** PeerIds whose word counts for every account: the coordinator's, this node's. */
  issuers: readonly string[];
  /** Who signs leases in this network; undefined outside one. */
  coordinator: string | undefined;
  /** Whether a node is a member in good standing now: leases do not end by time, so a revoked node still has its own. */
  admits(peer: string): boolean;
}

export interface SessionDeps {
  clock: Clock;
  random: Random;
  signer: Signer;
  leases: LeaseSource;
  /** Asked at each check, because a node may join a network while it runs. */
  trust: () => SessionIssuers;
}

export class Sessions {
  constructor(
    private readonly deps: SessionDeps,
    private readonly options: { sessionHours: number },
  ) {}

  get lifeMs(): number {
    return Math.min(this.options.sessionHours * HOUR_MS, LIFE_MS_MAX);
  }

  /** A new sign-in, or with `renews` the same one for longer. */
  issue(account: string, renews?: Session): { token: string; session: Session } {
    const issuedAt = this.deps.clock.now();
    const lease = this.deps.leases.current(account);
    const session: Session = {
      account,
      id: renews?.id ?? randomHex(this.deps.random, 8),
      issuedAt,
      expiresAt: issuedAt + this.lifeMs,
      csrf: renews?.csrf ?? randomHex(this.deps.random, 16),
      // Epoch 0 means that this node is alone: nobody else would accept its word, with or without the lease.
      ...(lease && lease.epoch > 0 ? { lease: lease.token } : {}),
    };
    return { token: signToken(this.deps.signer, KIND, session), session };
  }

  /** The session in a token that an acceptable issuer signed and that is in time; else undefined. */
  open(token: string): Session | undefined {
    try {
      const { payload, signer } = openToken(token, KIND, sessionSchema);
      const now = this.deps.clock.now();
      if (payload.expiresAt <= now || payload.issuedAt > now + CLOCK_SKEW_MAX_MS) return undefined;
      if (payload.expiresAt - payload.issuedAt > LIFE_MS_MAX) return undefined;
      return this.accepts(signer, payload) ? payload : undefined;
    } catch (error) {
      if (isDomainError(error)) return undefined;
      throw error;
    }
  }

  /** True from a quarter of its life on: often enough to be silent, rarely enough to cost nothing. */
  isDue(session: Session): boolean {
    return this.deps.clock.now() - session.issuedAt > this.lifeMs / 4;
  }

  private accepts(signer: string, session: Session): boolean {
    const trust = this.deps.trust();
    if (trust.issuers.includes(signer)) return true;
    if (session.lease === undefined || trust.coordinator === undefined) return false;
    if (!trust.admits(signer)) return false;
    const lease = checkLease(session.lease, { coordinator: trust.coordinator });
    return lease.epoch > 0 && lease.node === signer && lease.account === session.account;
  }
}

/** Whether the account has since taken it back. */
export function isRevoked(session: Session, view: AccountView): boolean {
  if (view.get('session', session.id)?.revoked) return true;
  return session.issuedAt < (view.get('account', session.account)?.sessionsNotBefore ?? 0);
}
