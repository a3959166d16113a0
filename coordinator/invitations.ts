/**
 * Invitations: each for one node, once. What is stored is a hash of the secret, so a stolen store invites nobody.
 *
 * Taking one is atomic: the invitation, the node number, the peer's record and the credential are decided under a lock
 * on the invitation and stored before the credential leaves. The same PeerId presenting the same invitation again gets
 * the same credential, because the first answer may have been lost on its way.
 *
 * One that was used or has expired is kept for 30 days more, so that whoever presents it is told why it is refused; then
 * it is unknown.
 */
import { z } from 'zod';
import type { Cancel, Clock } from '../protocol/runtime/clock.js';
import type { Part } from '../protocol/runtime/lifecycle.js';
import { type Random, randomHex } from '../protocol/runtime/random.js';
import { readJson, type Store, type StoreOp } from '../protocol/runtime/store.js';
import { CREDENTIAL_GRACE_MS, issueCredential, REPOSITORY_DOMAIN } from '../protocol/trust/credential.js';
import type { Signer } from '../protocol/trust/identity.js';
import { issueInvitation, secretHash } from '../protocol/trust/invitation.js';
import type { MemberList } from '../protocol/trust/members.js';
import { joinErrors } from '../protocol/wire/calls/join-errors.js';
import type { Counters } from './counters.js';
import { fold } from './directory.js';
import { coordinatorErrors } from './errors.js';
import type { LatLon } from './location.js';
import { Locks } from './locks.js';
import { NAMESPACES } from './namespaces.js';

const stored = z.object({
  name: z.string(),
  location: z.object({ lat: z.number(), lon: z.number() }).nullable(),
  createdAt: z.number(),
  expiresAt: z.number(),
  used: z.object({ peerId: z.string(), at: z.number(), nodeNumber: z.number(), credential: z.string() }).optional(),
});
type Stored = z.output<typeof stored>;

const KEPT_MS = 30 * 24 * 3600 * 1000;
const PRUNE_EVERY_MS = 24 * 3600 * 1000;
const INVITATIONS_MAX = 10_000;
const PRUNED_AT_ONCE = 1000;

export interface Redeemed {
  credential: string;
  nodeNumber: number;
  name: string;
  /** True when this PeerId had it already. */
  again: boolean;
}

export interface OpenInvitation {
  /** The first 8 digits of the secret's hash: enough to tell two apart. */
  id: string;
  name: string;
  createdAt: number;
  expiresAt: number;
  usedBy?: string;
}

export interface InvitationsDeps {
  store: Store;
  clock: Clock;
  random: Random;
  signer: Signer;
  counters: Counters;
  members: Pick<MemberList, 'merge' | 'get' | 'revocationOf'>;
  /** What else must be written in the same batch when a peer becomes a member. */
  memberOps: (peer: { peerId: string; name: string; nodeNumber: number }) => StoreOp[];
}

export class Invitations implements Part {
  private readonly locks = new Locks();
  private cancel: Cancel | undefined;

  constructor(
    private readonly deps: InvitationsDeps,
    private readonly options: { network: string },
  ) {}

  async start(): Promise<void> {
    await this.prune();
    this.cancel = this.deps.clock.every(PRUNE_EVERY_MS, () => {
      // It is done again tomorrow.
      this.prune().catch(() => {});
    });
  }

  async stop(): Promise<void> {
    this.cancel?.();
    await this.locks.hold(['prune'], async () => {});
  }

  /** The line to paste. Errors: `coordinator/reserved-name`, `coordinator/too-many-invitations`. */
  async create(invitation: {
    name: string;
    location: LatLon | null;
    lifeMs: number;
    lobby: readonly string[];
  }): Promise<{ line: string; expiresAt: number }> {
    if (fold(invitation.name) === fold(REPOSITORY_DOMAIN)) {
      throw coordinatorErrors('reserved-name', { name: REPOSITORY_DOMAIN });
    }
    if ((await this.prune()) >= INVITATIONS_MAX) {
      throw coordinatorErrors('too-many-invitations', { max: INVITATIONS_MAX });
    }
    const secret = randomHex(this.deps.random, 16);
    const now = this.deps.clock.now();
    const expiresAt = now + invitation.lifeMs;
    const { name, location } = invitation;
    const line = issueInvitation(this.deps.signer, {
      network: this.options.network,
      lobby: [...invitation.lobby],
      secret,
      name,
      location,
      expiresAt,
    });
    await this.deps.store.commit([this.op(secretHash(secret), { name, location, createdAt: now, expiresAt })]);
    return { line, expiresAt };
  }

  /**
   * Errors: `join/unknown-invitation`, `join/used-invitation`, `join/expired-invitation`, `join/already-member`, `join/revoked`,
   * `coordinator/numbers-exhausted`.
   */
  async redeem(secret: string, peerId: string): Promise<Redeemed> {
    const key = secretHash(secret);
    // The second lock: one PeerId presenting two invitations at once must not get two node numbers.
    return this.locks.hold([key, peerId], async () => {
      const found = await this.read(key);
      if (found === undefined) throw joinErrors('unknown-invitation');
      if (this.deps.members.revocationOf(peerId) !== undefined) throw joinErrors('revoked');
      if (found.used !== undefined) {
        if (found.used.peerId !== peerId) throw joinErrors('used-invitation');
        await this.deps.members.merge([found.used.credential]);
        // It may have been renewed since.
        const credential = this.deps.members.get(peerId)?.token ?? found.used.credential;
        return { credential, nodeNumber: found.used.nodeNumber, name: found.name, again: true };
      }
      const now = this.deps.clock.now();
      if (now >= found.expiresAt) throw joinErrors('expired-invitation');
      // A member's name is what other institutions' rules and receipts go by. One whose credential is beyond renewal begins anew.
      const member = this.deps.members.get(peerId)?.credential;
      if (member !== undefined && now < member.expiresAt + CREDENTIAL_GRACE_MS) {
        throw joinErrors('already-member', { name: member.name });
      }
      const { number: nodeNumber, op } = this.deps.counters.nextNodeNumber();
      const { token } = issueCredential(
        this.deps.signer,
        { network: this.options.network, peerId, name: found.name, nodeNumber, location: found.location },
        now,
      );
      const used: Stored = { ...found, used: { peerId, at: now, nodeNumber, credential: token } };
      await this.deps.store.commit([
        op,
        this.op(key, used),
        ...this.deps.memberOps({ peerId, name: found.name, nodeNumber }),
      ]);
      // A crash between the two leaves the invitation used by this PeerId, who asks again and is merged then.
      await this.deps.members.merge([token]);
      return { credential: token, nodeNumber, name: found.name, again: false };
    });
  }

  /** Takes one back that nobody has used. Errors: `coordinator/unknown-invitation`, `coordinator/invitation-used`. */
  async withdraw(id: string): Promise<OpenInvitation> {
    const known = (await this.all()).find(({ open }) => open.id === id);
    if (known === undefined) throw coordinatorErrors('unknown-invitation', { id });
    return this.locks.hold([known.key], async () => {
      const found = await this.read(known.key);
      if (found === undefined) throw coordinatorErrors('unknown-invitation', { id });
      if (found.used !== undefined) throw coordinatorErrors('invitation-used', { name: found.name });
      await this.deps.store.commit([{ ns: NAMESPACES.invitations, key: known.key, delete: true }]);
      return known.open;
    });
  }

  /** Oldest first. */
  async list(): Promise<OpenInvitation[]> {
    return (await this.all()).map(({ open }) => open).sort((a, b) => a.createdAt - b.createdAt);
  }

  private async all(): Promise<{ key: string; open: OpenInvitation }[]> {
    const all: { key: string; open: OpenInvitation }[] = [];
    for await (const [key, value] of this.deps.store.iterate(NAMESPACES.invitations)) {
      const { name, createdAt, expiresAt, used } = stored.parse(readJson(value));
      const open = { id: key.slice(0, 8), name, createdAt, expiresAt, ...(used ? { usedBy: used.peerId } : {}) };
      all.push({ key, open });
    }
    return all;
  }

  /** Forgets what was used or has expired long ago; how many are left. */
  private prune(): Promise<number> {
    return this.locks.hold(['prune'], async () => {
      const before = this.deps.clock.now() - KEPT_MS;
      let left = 0;
      let gone: StoreOp[] = [];
      for await (const [key, value] of this.deps.store.iterate(NAMESPACES.invitations)) {
        const { used, expiresAt } = stored.parse(readJson(value));
        if ((used?.at ?? expiresAt) >= before) left += 1;
        else gone.push({ ns: NAMESPACES.invitations, key, delete: true });
        if (gone.length < PRUNED_AT_ONCE) continue;
        await this.deps.store.commit(gone);
        gone = [];
      }
      await this.deps.store.commit(gone);
      return left;
    });
  }

  private async read(key: string): Promise<Stored | undefined> {
    const found = readJson<unknown>(await this.deps.store.get(NAMESPACES.invitations, key));
    return found === undefined ? undefined : stored.parse(found);
  }

  private op(key: string, value: Stored): StoreOp {
    return { ns: NAMESPACES.invitations, key, value: JSON.stringify(value) };
  }
}
