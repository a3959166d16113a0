/** A leaver and holders in memory, under the real drains of a coordinator; a restart keeps what is on its disk. */
import { Counters } from '../../../coordinator/counters.js';
import { Drains } from '../../../coordinator/drains.js';
import type { HolderQueries } from '../../../coordinator/holder-questions.js';
import { newRecord, type PeerRecord } from '../../../coordinator/peer.js';
import { merkleRoot } from '../../../protocol/blobs/inventory.js';
import { silentLogger } from '../../../protocol/runtime/logger.js';
import { systemRandom } from '../../../protocol/runtime/random.js';
import { NodeKey } from '../../../protocol/trust/identity.js';
import { type InventoryItem, inventoryLine } from '../../../protocol/wire/calls/handover.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryStore } from './support.js';

const peerId = async () => (await NodeKey.generate()).peerId;
export const [LEAVER, FREIBURG, MELBOURNE] = [await peerId(), await peerId(), await peerId()];

export const blob = (id: string, bytes = 1): InventoryItem => ({ kind: 'blob', id, bytes });
export const rootOf = (items: readonly InventoryItem[]) =>
  Buffer.from(merkleRoot(items.map(inventoryLine))).toString('hex');

export class DrainWorld {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  readonly records = new Map<string, PeerRecord>();
  readonly away = new Set<string>();
  /** Holder → what it has; `repository` stands for the coordinator's own. */
  readonly held = new Map<string, Set<string>>([['repository', new Set()]]);
  /** "holder page-of-ids" as it was asked. */
  readonly asked: string[] = [];
  homes = 0;
  commits = 0;
  drains: Drains;
  /** Stands still at a question until it resolves. */
  hold: (peer: string, ids: readonly string[]) => Promise<void> = () => Promise.resolve();
  wrong = new Set<string>();

  static async create(): Promise<DrainWorld> {
    const world = new DrainWorld(await NodeKey.generate());
    await world.drains.start();
    return world;
  }

  private constructor(readonly signer: NodeKey) {
    this.setState(LEAVER, 'draining');
    this.drains = this.make();
  }

  setState(peer: string, state: PeerRecord['state'], start = 1, storeId = 's'): void {
    const before = this.records.get(peer) ?? { ...newRecord(peer, 0), name: peer };
    this.records.set(peer, { ...before, state, last: { boot: start, bootNonce: `n${start}`, storeId } });
  }

  addHolder(peer: string, ids: readonly string[]): void {
    this.setState(peer, 'serving');
    this.held.set(peer, new Set(ids));
  }

  async restart(): Promise<void> {
    await this.drains.stop();
    this.drains = this.make();
    await this.drains.start();
  }

  async send(items: readonly InventoryItem[], perPage: number): Promise<void> {
    const pages = Math.max(1, Math.ceil(items.length / perPage));
    for (let page = 0; page < pages; page++) {
      const some = items.slice(page * perPage, (page + 1) * perPage);
      await this.drains.addPage(LEAVER, page, some, page === pages - 1);
    }
  }

  /** To the end of a round. */
  async compared(items: readonly InventoryItem[], round: number) {
    for (let turn = 0; turn < 10_000; turn++) {
      const answer = await this.drains.compare(LEAVER, rootOf(items), round);
      if (answer.state !== 'comparing') return answer;
      await this.turn();
    }
    throw new Error('it did not end');
  }

  async until(check: () => boolean): Promise<void> {
    for (let turn = 0; turn < 10_000; turn++) {
      if (check()) return;
      await this.turn();
    }
    throw new Error('it did not come to pass');
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  private make(): Drains {
    const nameOf = (peer: string) => (peer === this.signer.peerId ? 'repository' : peer);
    const queries: HolderQueries = {
      held: async (peer, ids, signal) => {
        const name = nameOf(peer);
        this.asked.push(`${name} ${ids.join()}`);
        await Promise.race([
          this.hold(name, ids),
          new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        ]);
        return new Set(ids.filter((id) => this.held.get(name)?.has(id)));
      },
      checkChunk: async (peer, id, chunk) => {
        const { holderErrors } = await import('../../../coordinator/peers/holders.js');
        if (this.wrong.has(nameOf(peer))) throw holderErrors('wrong-bytes', { peer, blob: id, chunk });
      },
      vector: async () => ({}),
    };
    const view = (peer: string) => {
      const record = this.records.get(peer);
      if (record === undefined) return undefined;
      const isAway = this.away.has(peer);
      return { record, location: undefined, routable: !isAway, presence: isAway ? 'unroutable' : 'alive' };
    };
    const registry = {
      startedAtMs: 0,
      find: view,
      get: view,
      list: () => [...this.records.keys()].map(view),
      draining: () => {},
      drainCancelled: () => {},
      drainReopened: () => this.setState(LEAVER, 'draining'),
      drainedOp: (peer: string, receipt: string) => {
        this.commits++;
        const before = this.records.get(peer) as PeerRecord;
        const done = () => {
          this.records.set(peer, { ...before, state: 'drained', receipt });
          return true;
        };
        return { op: { ns: 'peers', key: peer, value: '{}' }, done };
      },
    };
    return new Drains(
      {
        registry: registry as never,
        directory: { homes: () => this.homes },
        counters: new Counters({ store: this.store }),
        store: this.store,
        queries,
        signer: this.signer,
        clock: this.clock,
        random: systemRandom,
        log: silentLogger,
      },
      { network: 'testing', copies: 2, startGraceMs: 0 },
    );
  }
}
