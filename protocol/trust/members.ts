/**
 * Who belongs to the network: the set of signed credentials and revocations, each verified by its own signature, so it
 * may come from any peer. Merging is order-free: the newest credential of a PeerId wins, and a revocation wins over
 * every credential of its PeerId, for ever. What is visible here is on disk.
 */
import { createHash } from 'node:crypto';
import { type DomainError, isDomainError } from '../runtime/errors.js';
import type { Logger } from '../runtime/logger.js';
import type { Store, StoreOp } from '../runtime/store.js';
import { type Credential, type CredentialStanding, checkCredential, credentialStanding } from './credential.js';
import { trustErrors } from './errors.js';
import { checkRevocation, type Revocation } from './revocation.js';

export interface MemberListDeps {
  store: Store;
  log: Logger;
}

export interface MemberListOptions {
  network: string;
  /** PeerId of the coordinator: the only signer that counts, and always admitted. */
  coordinator: string;
  /** The store's namespace for this list. */
  namespace: string;
  membersMax?: number;
}

export interface Member {
  credential: Credential;
  token: string;
}

export interface Revoked {
  revocation: Revocation;
  token: string;
}

/** Equal for equal content, whatever the order in which it came. */
export interface MemberVersion {
  /** SHA-256 over all items, hex. */
  digest: string;
  members: number;
  /** The highest revocation number, 0 when there is none. */
  revocation: number;
}

export interface MemberChange {
  /** Tokens that were new here: what to hand on. */
  tokens: string[];
  /** PeerIds whose admission may have changed. */
  peers: string[];
}

export type Admission =
  | { admitted: true; reason: string }
  | { admitted: false; reason: 'not a member' | 'revoked' | 'expired' | 'early' };

const MEMBERS_MAX = 10_000;
/** Three parts and at most this many characters: longer is not looked at. */
const ITEM_CHARS_MAX = 4096;

type Item = { kind: 'member'; item: Member } | { kind: 'revoked'; item: Revoked };

export class MemberList {
  private readonly members = new Map<string, Member>();
  private readonly revocations = new Map<string, Revoked>();
  private readonly listeners = new Set<(change: MemberChange) => void>();
  private merging: Promise<unknown> = Promise.resolve();
  private versionNow: MemberVersion | undefined;
  private heardAt = 0;
  private readonly max: number;

  constructor(
    private readonly deps: MemberListDeps,
    private readonly options: MemberListOptions,
  ) {
    this.max = options.membersMax ?? MEMBERS_MAX;
  }

  get network(): string {
    return this.options.network;
  }

  get coordinator(): string {
    return this.options.coordinator;
  }

  /** Loads the list; every item is verified again, because the disk is outside too. */
  async start(): Promise<void> {
    for await (const [key, value] of this.deps.store.iterate(this.options.namespace)) {
      try {
        const item = this.check(Buffer.from(value).toString('utf8'));
        this.put(item);
      } catch (error) {
        this.deps.log.warn({ item: key, err: error }, 'an item of the stored member list is not valid and is ignored');
      }
    }
    for (const peer of this.revocations.keys()) this.members.delete(peer);
    this.versionNow = undefined;
  }

  /** The coordinator was heard (its stream, its signed word): an expired credential loses its grace. */
  coordinatorHeard(now: number): void {
    this.heardAt = Math.max(this.heardAt, now);
  }

  get(peer: string): Member | undefined {
    return this.members.get(peer);
  }

  revocationOf(peer: string): Revocation | undefined {
    return this.revocations.get(peer)?.revocation;
  }

  /** The same as signed: proof for whoever it concerns. */
  revocationTokenOf(peer: string): string | undefined {
    return this.revocations.get(peer)?.token;
  }

  /** All members, honoured or not, in order of their numbers. */
  list(): Credential[] {
    return [...this.members.values()].map((member) => member.credential).sort((a, b) => a.nodeNumber - b.nodeNumber);
  }

  revoked(): Revocation[] {
    return [...this.revocations.values()].map((item) => item.revocation).sort((a, b) => a.number - b.number);
  }

  admits(peer: string, now: number): boolean {
    return this.admission(peer, now).admitted;
  }

  admission(peer: string, now: number): Admission {
    if (peer === this.options.coordinator) return { admitted: true, reason: 'the coordinator' };
    if (this.revocations.has(peer)) return { admitted: false, reason: 'revoked' };
    const member = this.members.get(peer);
    if (member === undefined) return { admitted: false, reason: 'not a member' };
    const standing = this.standing(member.credential, now);
    if (standing.honoured) return { admitted: true, reason: standing.reason };
    return { admitted: false, reason: standing.state === 'early' ? 'early' : 'expired' };
  }

  standing(credential: Credential, now: number): CredentialStanding {
    return credentialStanding(credential, now, this.heardAt);
  }

  version(): MemberVersion {
    if (this.versionNow === undefined) {
      const digest = createHash('sha256');
      for (const token of this.tokens()) digest.update(token).update('\n');
      let revocation = 0;
      for (const item of this.revocations.values()) revocation = Math.max(revocation, item.revocation.number);
      this.versionNow = { digest: digest.digest('hex'), members: this.members.size, revocation };
    }
    return this.versionNow;
  }

  /** Every item as signed, sorted. */
  tokens(): string[] {
    return [...this.members.values(), ...this.revocations.values()].map((item) => item.token).sort();
  }

  /** A part of `tokens()` of at most `charsMax`, for messages with a bound; `next` names where to go on. */
  page(after: string | undefined, charsMax: number): { tokens: string[]; next: string | undefined } {
    const tokens: string[] = [];
    let chars = 0;
    for (const token of this.tokens()) {
      if (after !== undefined && token <= after) continue;
      if (tokens.length > 0 && chars + token.length > charsMax) return { tokens, next: tokens.at(-1) };
      tokens.push(token);
      chars += token.length;
    }
    return { tokens, next: undefined };
  }

  /**
   * Takes what is new and valid, persists it, then shows it. A refused item does not hold the others up.
   * Idempotent; two merges never run at once.
   */
  merge(tokens: readonly string[]): Promise<{ added: string[]; refused: DomainError[] }> {
    const run = this.merging.then(() => this.mergeNow(tokens));
    this.merging = run.catch(() => {});
    return run;
  }

  onChange(listener: (change: MemberChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private async mergeNow(tokens: readonly string[]): Promise<{ added: string[]; refused: DomainError[] }> {
    const refused: DomainError[] = [];
    const accepted = new Map<string, Item>();
    for (const token of tokens) {
      if (this.holds(token)) continue;
      try {
        const item = this.check(token);
        const key = keyOf(item);
        const before = accepted.get(key) ?? this.current(item);
        if (before !== undefined && !supersedes(item, before)) continue;
        if (item.kind === 'member' && this.revocations.has(item.item.credential.peerId)) continue;
        if (before === undefined) this.assertRoom(item.kind, accepted.size);
        accepted.set(key, item);
      } catch (error) {
        if (!isDomainError(error)) throw error;
        refused.push(error);
      }
    }
    for (const item of [...accepted.values()]) {
      if (item.kind === 'revoked') accepted.delete(memberKey(item.item.revocation.peerId));
    }
    if (refused.length > 0) {
      this.deps.log.warn({ refused: refused.length, first: refused[0]?.code }, 'items of a member list were refused');
    }
    if (accepted.size === 0) return { added: [], refused };
    await this.deps.store.commit([...accepted.values()].flatMap((item) => this.opsFor(item)));
    for (const item of accepted.values()) this.put(item);
    this.versionNow = undefined;
    const change: MemberChange = {
      tokens: [...accepted.values()].map((item) => item.item.token),
      peers: [...new Set([...accepted.values()].map(peerOf))],
    };
    for (const listener of this.listeners) listener(change);
    return { added: change.tokens, refused };
  }

  private check(token: string): Item {
    if (token.length > ITEM_CHARS_MAX) {
      throw trustErrors('malformed', { kind: 'member item', reason: `it has ${token.length} characters` });
    }
    try {
      return { kind: 'member', item: { credential: checkCredential(token, this.options), token } };
    } catch (error) {
      if (!isDomainError(error, 'trust/wrong-kind')) throw error;
      return { kind: 'revoked', item: { revocation: checkRevocation(token, this.options), token } };
    }
  }

  private holds(token: string): boolean {
    // The signature is the costly part: a list that we mostly have already must be cheap to merge.
    this.known ??= new Set(this.tokens());
    return this.known.has(token);
  }

  private known: Set<string> | undefined;

  private current(item: Item): Item | undefined {
    const peer = peerOf(item);
    if (item.kind === 'member') {
      const member = this.members.get(peer);
      return member && { kind: 'member', item: member };
    }
    const revoked = this.revocations.get(peer);
    return revoked && { kind: 'revoked', item: revoked };
  }

  private put(item: Item): void {
    this.known = undefined;
    if (item.kind === 'member') {
      this.members.set(item.item.credential.peerId, item.item);
    } else {
      this.revocations.set(item.item.revocation.peerId, item.item);
      this.members.delete(item.item.revocation.peerId);
    }
  }

  private opsFor(item: Item): StoreOp[] {
    const ns = this.options.namespace;
    const ops: StoreOp[] = [{ ns, key: keyOf(item), value: item.item.token }];
    if (item.kind === 'revoked') ops.push({ ns, key: memberKey(item.item.revocation.peerId), delete: true });
    return ops;
  }

  /** Each kind has its own room: a full member list must still take revocations. */
  private assertRoom(kind: Item['kind'], arriving: number): void {
    const count = (kind === 'member' ? this.members : this.revocations).size + arriving;
    if (count >= this.max) throw trustErrors('members-full', { count });
  }
}

function memberKey(peer: string): string {
  return `member/${peer}`;
}

function keyOf(item: Item): string {
  return item.kind === 'member' ? memberKey(item.item.credential.peerId) : `revoked/${item.item.revocation.peerId}`;
}

function peerOf(item: Item): string {
  return item.kind === 'member' ? item.item.credential.peerId : item.item.revocation.peerId;
}

/** A total order, so that every node ends with the same item whatever came first. */
function supersedes(a: Item, b: Item): boolean {
  if (a.kind === 'member' && b.kind === 'member') {
    if (a.item.credential.issuedAt !== b.item.credential.issuedAt) {
      return a.item.credential.issuedAt > b.item.credential.issuedAt;
    }
  } else if (a.kind === 'revoked' && b.kind === 'revoked') {
    if (a.item.revocation.number !== b.item.revocation.number) {
      return a.item.revocation.number < b.item.revocation.number;
    }
  }
  return a.item.token > b.item.token;
}
