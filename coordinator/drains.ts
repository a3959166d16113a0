/**
 * Drains as the coordinator sees them: it is the coordinator, not the leaver, that declares one complete.
 *
 *   announced → (accounts re-homed, one by one) → inventory sent, page by page → compared (comparison.ts) → receipt
 *
 * Receipts are issued strictly one at a time, because two leavers could otherwise be each other's second copy, and each
 * looks once more whether everybody who counted still serves. The receipt and the state `drained` are one write.
 *
 * A drain is on disk: a coordinator that restarts goes on comparing where it was. An inventory that had not come whole is
 * sent again, and a node that started anew announces and sends again.
 */
import { Gate } from '../protocol/blobs/gate.js';
import { MerkleTree } from '../protocol/blobs/inventory.js';
import { type Clock, sleep } from '../protocol/runtime/clock.js';
import { Background, type Part } from '../protocol/runtime/lifecycle.js';
import type { Logger } from '../protocol/runtime/logger.js';
import type { Random } from '../protocol/runtime/random.js';
import type { Store } from '../protocol/runtime/store.js';
import { REPOSITORY_DOMAIN } from '../protocol/trust/credential.js';
import type { Signer } from '../protocol/trust/identity.js';
import {
  type CompareAnswer,
  INVENTORY_ITEMS_MAX,
  INVENTORY_PAGES_MAX,
  type InventoryItem,
  inventoryLine,
} from '../protocol/wire/calls/handover.js';
import { handoverErrors } from '../protocol/wire/calls/handover-errors.js';
import { type Compared, Comparison } from './comparison.js';
import type { Counters } from './counters.js';
import type { Directory } from './directory.js';
import { type Holder, type HolderQueries, HolderQuestions } from './holder-questions.js';
import { type DrainRecord, Inventories } from './inventories.js';
import { Locks } from './locks.js';
import { NAMESPACES } from './namespaces.js';
import type { PeerRecord } from './peer.js';
import { orderProblem, RECEIPT_HOLDERS_MAX, signReceipt, verifyReceipt } from './receipts.js';
import type { Registry } from './registry.js';

interface Drain {
  readonly record: DrainRecord;
  comparison: Comparison;
  /** Over the pages that came; undefined once they are all there. */
  tree: MerkleTree | undefined;
}

export interface DrainsDeps {
  registry: Pick<
    Registry,
    'find' | 'get' | 'list' | 'draining' | 'drainCancelled' | 'drainReopened' | 'drainedOp' | 'startedAtMs'
  >;
  directory: Pick<Directory, 'homes'>;
  counters: Counters;
  store: Store;
  queries: HolderQueries;
  signer: Signer;
  clock: Clock;
  random: Random;
  log: Logger;
}

export interface DrainsOptions {
  network: string;
  copies: number;
  /** After a start, holders come back within this: nobody is missed before. */
  startGraceMs: number;
}

/** Pages of all leavers that are compared at once: so many are in memory. */
const PAGES_AT_ONCE = 4;
/** The repository's blobs are what this very process's store says. */
const OWN_STORE = 'own';

export class Drains implements Part {
  private readonly drains = new Map<string, Drain>();
  private readonly locks = new Locks();
  private readonly inventories: Inventories;
  private readonly questions: HolderQuestions;
  private readonly background: Background;
  private readonly gate = new Gate(PAGES_AT_ONCE);

  constructor(
    private readonly deps: DrainsDeps,
    private readonly options: DrainsOptions,
  ) {
    this.inventories = new Inventories(deps);
    this.questions = new HolderQuestions(deps);
    this.background = new Background(deps);
  }

  /** After the registry: what was announced before a restart is announced still. */
  async start(): Promise<void> {
    for await (const [peer, record] of this.inventories.all()) {
      const known = this.deps.registry.get(peer)?.record;
      if (known?.state !== 'draining' || startOf(known) !== record.start) {
        await this.inventories.forget(peer);
        continue;
      }
      if (!record.complete) {
        await this.inventories.clear(peer);
        Object.assign(record, empty());
      }
      this.deps.registry.draining(peer);
      await this.add(peer, record).comparison.load();
    }
  }

  async stop(): Promise<void> {
    await this.background.stop();
  }

  /** What an announcement would meet now. */
  terms(peer: string): { copies: number; domains: number } {
    return { copies: this.options.copies, domains: this.domains(peer) };
  }

  /** Errors: `handover/too-few-domains`, `handover/not-registered`. */
  announce(
    peer: string,
    acceptCopies: number | undefined,
  ): Promise<{ copies: number; domains: number; accounts: number }> {
    return this.inTurn(peer, async () => {
      const copies = Math.min(acceptCopies ?? this.options.copies, this.options.copies);
      const domains = this.domains(peer);
      if (domains < copies) throw handoverErrors('too-few-domains', { domains, copies });
      const { record } = this.deps.registry.find(peer);
      if (record.state === 'joined') throw handoverErrors('not-registered');
      if (record.state !== 'drained') this.deps.registry.draining(peer);
      const start = startOf(record);
      const before = this.drains.get(peer);
      if (before?.record.start === start) {
        before.record.copies = copies;
        await this.inventories.save(peer, before.record);
      } else {
        before?.comparison.stop();
        await this.inventories.clear(peer);
        const fresh: DrainRecord = { start, copies, ...empty() };
        await this.inventories.save(peer, fresh);
        this.add(peer, fresh);
      }
      return { copies, domains, accounts: this.deps.directory.homes(peer) };
    });
  }

  private domains(leaver: string): number {
    return new Set(this.holders(leaver).map(({ domain }) => domain)).size;
  }

  async cancel(peer: string): Promise<void> {
    this.drop(peer);
    this.deps.registry.drainCancelled(peer);
  }

  /** Error: `handover/not-draining`. */
  assertDraining(peer: string): void {
    this.required(peer);
  }

  /** Errors: `handover/not-draining`, `handover/inventory-order`, `handover/inventory-too-large`. */
  addPage(peer: string, page: number, items: readonly InventoryItem[], last: boolean): Promise<number> {
    return this.inTurn(peer, async () => {
      const drain = this.required(peer);
      const { record } = drain;
      // Its answer was lost: it is here.
      if (page === record.pages - 1 && last === record.complete && (await this.isSame(peer, page, items))) {
        return record.accounts + record.blobs;
      }
      if (page === 0) return this.addTo(peer, await this.begun(peer, drain), items, last);
      if (page !== record.pages || record.complete || drain.tree === undefined) {
        throw handoverErrors('inventory-order', { reason: `page ${page} came where page ${record.pages} was due` });
      }
      return this.addTo(peer, drain, items, last);
    });
  }

  /**
   * Begins the comparison, or says how far it is. Errors: `handover/not-draining`, `handover/accounts-left`,
   * `handover/inventory-order`.
   */
  async compare(peer: string, root: string, round: number): Promise<CompareAnswer> {
    const issued = await this.issued(peer, root);
    if (issued !== undefined) {
      const { accounts, blobs, bytes } = verifyReceipt(issued).receipt;
      const all = { objects: accounts + blobs, bytes };
      return { state: 'safe', checked: all, total: all, missing: { objects: 0, bytes: 0, first: [] } };
    }
    const { comparison } = this.whole(peer, root);
    await comparison.begin(round);
    return comparison.answer();
  }

  /** Errors: those of `compare`, and `handover/not-compared`. */
  receipt(peer: string, root: string): Promise<string> {
    return this.locks.hold(['receipt'], () => this.issue(peer, root));
  }

  private async issue(peer: string, root: string): Promise<string> {
    const { registry, store } = this.deps;
    const issued = await this.issued(peer, root);
    if (issued !== undefined) return issued;
    const drain = this.whole(peer, root);
    const serving = new Set(this.holders(peer).map(({ peerId }) => peerId));
    // What was compared must still be what is declared safe. No wait from here to the commit.
    const compared = drain.comparison.safeNow((holder) => serving.has(holder));
    if (compared === undefined || registry.get(peer)?.record.state !== 'draining') throw handoverErrors('not-compared');
    const { number, op, text } = this.signed(peer, drain.record, compared);
    const drained = registry.drainedOp(peer, String(number));
    await store.commit([op, { ns: NAMESPACES.receipts, key: String(number), value: text }, drained.op]);
    const isDrained = drained.done();
    if (this.drains.get(peer) === drain) this.drop(peer);
    // Started anew while this was written: the receipt speaks of the start before, and is given to nobody.
    if (!isDrained) throw handoverErrors('not-draining');
    return text;
  }

  private signed(peer: string, record: DrainRecord, compared: Compared) {
    const { registry, counters, signer, clock } = this.deps;
    const { record: known, location } = registry.find(peer);
    const { accounts, blobs, bytes, copies, root } = record;
    const domains = new Map(this.holders(peer).map((holder) => [holder.peerId, holder]));
    const { number, op } = counters.nextReceipt();
    const text = signReceipt(signer, {
      number,
      network: this.options.network,
      node: peer,
      name: known.name,
      location: location ?? null,
      boot: known.last?.boot ?? 0,
      accounts,
      blobs,
      bytes,
      copiesAsked: copies,
      copiesLeast: accounts + blobs === 0 ? copies : compared.copiesLeast,
      root,
      holders: compared.holders.slice(0, RECEIPT_HOLDERS_MAX).map((peerId) => {
        const { name = '', domain = '' } = domains.get(peerId) ?? {};
        return { peerId, name, domain };
      }),
      sampled: compared.sampled,
      issuedAt: clock.now(),
    });
    return { number, op, text };
  }

  /** Page 0 begins a new inventory. */
  private async begun(peer: string, before: Drain): Promise<Drain> {
    before.comparison.stop();
    const { start, copies } = before.record;
    // Not in use while the old pages go.
    const record = { start, copies, ...empty() };
    const drain = this.add(peer, record);
    await this.inventories.save(peer, record);
    await this.inventories.clear(peer);
    return drain;
  }

  private async addTo(peer: string, drain: Drain, items: readonly InventoryItem[], last: boolean): Promise<number> {
    const { record, tree } = drain;
    const problem = orderProblem(record.last, items);
    if (problem !== undefined) throw handoverErrors('inventory-order', { reason: problem });
    const total = record.accounts + record.blobs + items.length;
    if (total > INVENTORY_ITEMS_MAX || record.pages >= INVENTORY_PAGES_MAX) {
      throw handoverErrors('inventory-too-large', { max: INVENTORY_ITEMS_MAX });
    }
    if (tree === undefined) throw handoverErrors('inventory-order', { reason: 'it is complete' });
    const accounts = items.filter(({ kind }) => kind === 'account').length;
    const end = items.at(-1) ?? record.last;
    const next: DrainRecord = {
      ...record,
      pages: record.pages + 1,
      accounts: record.accounts + accounts,
      blobs: record.blobs + items.length - accounts,
      bytes: items.reduce((sum, { bytes }) => sum + bytes, record.bytes),
      complete: last,
      // Its vector is not needed for the order.
      ...(end === undefined ? {} : { last: { kind: end.kind, id: end.id, bytes: 0 } }),
    };
    for (const item of items) tree.add(inventoryLine(item));
    if (last) next.root = tree.rootHex();
    try {
      await this.inventories.addPage(peer, record.pages, items, next);
    } catch (error) {
      // The tree has run ahead of the disk: it is sent again from the start.
      drain.tree = undefined;
      throw error;
    }
    // Called off, or announced by another start, while it was written.
    if (this.drains.get(peer) !== drain) throw handoverErrors('not-draining');
    Object.assign(record, next);
    if (last) drain.tree = undefined;
    return total;
  }

  private async isSame(peer: string, page: number, items: readonly InventoryItem[]): Promise<boolean> {
    return JSON.stringify(await this.inventories.page(peer, page)) === JSON.stringify(items);
  }

  private add(peer: string, record: DrainRecord): Drain {
    const isCurrent = () => this.drains.get(peer) === drain && this.isOfThisStart(peer, drain);
    const comparison = new Comparison(
      {
        inventories: this.inventories,
        questions: this.questions,
        holders: () => this.holders(peer),
        counts: (holder) => this.counts(holder),
        isCurrent,
        settled: (signal) => this.settled(signal),
        gate: this.gate,
        background: this.background,
        log: this.deps.log,
      },
      peer,
      record,
    );
    const drain: Drain = { record, comparison, tree: record.complete ? undefined : new MerkleTree() };
    this.drains.set(peer, drain);
    return drain;
  }

  private drop(peer: string): void {
    const drain = this.drains.get(peer);
    if (drain === undefined) return;
    drain.comparison.stop();
    this.drains.delete(peer);
    this.background.run('forget an inventory', () =>
      this.inTurn(peer, async () => {
        if (!this.drains.has(peer)) await this.inventories.forget(peer);
      }),
    );
  }

  private async settled(signal: AbortSignal): Promise<void> {
    const { clock, registry } = this.deps;
    const waitMs = registry.startedAtMs + this.options.startGraceMs - clock.now();
    if (waitMs > 0) await sleep(clock, Math.min(waitMs, this.options.startGraceMs), signal);
  }

  /** Who may be asked now: nodes that serve and answer, and the repository. */
  private holders(leaver: string): Holder[] {
    const { registry, signer } = this.deps;
    const nodes = registry
      .list()
      .filter((peer) => peer.record.state === 'serving' && peer.routable && peer.record.peerId !== leaver)
      .map(({ record: { peerId, name, last } }) => ({ peerId, name, domain: name, storeId: last?.storeId ?? '' }));
    const domain = registry.get(leaver)?.record.name;
    const repository = {
      peerId: signer.peerId,
      name: REPOSITORY_DOMAIN,
      domain: REPOSITORY_DOMAIN,
      storeId: OWN_STORE,
    };
    // Another machine of the same institution goes down with it.
    return [repository, ...nodes.filter((node) => node.domain !== domain)];
  }

  /** Out of reach for a moment is not gone; a receipt waits for it all the same. */
  private counts({ peerId, storeId }: { peerId: string; storeId: string }): boolean {
    if (peerId === this.deps.signer.peerId) return true;
    const peer = this.deps.registry.get(peerId);
    return peer?.record.state === 'serving' && peer.presence !== 'dead' && peer.record.last?.storeId === storeId;
  }

  /** The drain, with all of its inventory, as the node computed it, and without accounts. */
  private whole(peer: string, root: string): Drain {
    const drain = this.required(peer);
    if (!drain.record.complete) throw handoverErrors('inventory-order', { reason: 'the last page has not come' });
    if (drain.record.root !== root) {
      throw handoverErrors('inventory-order', { reason: 'it is not what the node computed' });
    }
    const left = this.deps.directory.homes(peer);
    if (left > 0) throw handoverErrors('accounts-left', { count: left });
    return drain;
  }

  private required(peer: string): Drain {
    const drain = this.drains.get(peer);
    if (drain !== undefined && this.isOfThisStart(peer, drain)) return drain;
    this.drop(peer);
    throw handoverErrors('not-draining');
  }

  private isOfThisStart(peer: string, { record }: Drain): boolean {
    const known = this.deps.registry.get(peer)?.record;
    return known !== undefined && record.start === startOf(known);
  }

  /**
   * The receipt of a drained node when it speaks of this very inventory, in this very start; of another one, the node is
   * draining again, and announces and sends anew. Error: `handover/not-draining`.
   */
  private async issued(peer: string, root: string): Promise<string | undefined> {
    const { registry, store, signer } = this.deps;
    const { state, receipt: number, last } = registry.find(peer).record;
    if (state !== 'drained') return undefined;
    const bytes = number === undefined ? undefined : await store.get(NAMESPACES.receipts, number);
    const text = bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
    if (text !== '') {
      const { receipt } = verifyReceipt(text, signer.peerId);
      if (receipt.root === root && receipt.boot === (last?.boot ?? 0)) return text;
    }
    this.drop(peer);
    registry.drainReopened(peer);
    throw handoverErrors('not-draining');
  }

  /** What changes the stored list of one leaver happens one after the other. */
  private inTurn<T>(peer: string, work: () => Promise<T>): Promise<T> {
    return this.locks.hold([`drain/${peer}`], work);
  }
}

function empty() {
  return { pages: 0, complete: false, root: '', accounts: 0, blobs: 0, bytes: 0, last: undefined, round: 0, wrong: {} };
}

function startOf({ last }: PeerRecord): string {
  return last === undefined ? '' : `${last.boot} ${last.bootNonce}`;
}
