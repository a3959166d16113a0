/**
 * What leaving nodes have said that they hold, and what came of comparing it, on disk, page by page: a million objects are
 * never in memory at once, and a coordinator that restarts goes on where it was. Rejected: the whole list in memory, which
 * a few leavers at once would fill, and whose comparison began anew after each restart.
 *
 * | namespace   | key       | value                                        |
 * |-------------|-----------|----------------------------------------------|
 * | drains      | peer      | JSON: `DrainRecord`                          |
 * | inventories | peer/page | JSON: the items of a page                    |
 * | comparisons | peer/page | JSON: `PageResult` with what lacks copies    |
 */
import { z } from 'zod';
import { readJson, type Store, type StoreOp } from '../protocol/runtime/store.js';
import {
  INVENTORY_KINDS,
  type InventoryItem,
  inventoryItem,
  UNSAFE_TOLD_MAX,
} from '../protocol/wire/calls/handover.js';
import { NAMESPACES } from './namespaces.js';
import type { Unsafe } from './receipts.js';

const count = z.number().int().nonnegative();

export const drainRecord = z.object({
  /** The node's start that announced it; another start has another inventory. */
  start: z.string(),
  copies: z.number().int().positive(),
  /** Pages that came, in order. */
  pages: count,
  complete: z.boolean(),
  /** Of the whole, as it came; '' before that. */
  root: z.string(),
  accounts: count,
  blobs: count,
  bytes: count,
  last: inventoryItem.optional(),
  /** Of the comparison: what lacked copies in an earlier one is looked at again. */
  round: count,
  /** Holder → the chunk that it did not have right, and in which round: until it has, nothing of it counts. */
  wrong: z.record(z.string(), z.object({ id: z.string(), chunk: count, round: count })),
});
export type DrainRecord = z.output<typeof drainRecord>;

const amount = z.object({ objects: count, bytes: count });

const pageResult = z.object({
  round: count,
  copies: z.number().int().positive(),
  size: amount,
  missing: amount,
  /** Of the least copied object of the page. */
  copiesLeast: count,
  /** Whose word counted, each with the store that it was about. */
  holders: z.array(z.object({ peerId: z.string(), storeId: z.string() })),
  sampled: count,
});
export type PageResult = z.output<typeof pageResult>;

const unsafe = z.object({ kind: z.enum(INVENTORY_KINDS), id: z.string(), bytes: count, reason: z.string() });
const storedResult = pageResult.extend({ unsafe: z.array(unsafe).max(UNSAFE_TOLD_MAX) });

const DELETES_PER_BATCH = 1000;

export class Inventories {
  constructor(private readonly deps: { store: Pick<Store, 'get' | 'iterate' | 'commit'> }) {}

  async *all(): AsyncIterable<[string, DrainRecord]> {
    for await (const [peer, bytes] of this.deps.store.iterate(NAMESPACES.drains)) {
      yield [peer, drainRecord.parse(readJson(bytes))];
    }
  }

  async save(peer: string, record: DrainRecord): Promise<void> {
    await this.deps.store.commit([recordOp(peer, record)]);
  }

  /** With what it makes of the whole, in one write. */
  async addPage(peer: string, page: number, items: readonly InventoryItem[], record: DrainRecord): Promise<void> {
    const value = JSON.stringify(items);
    await this.deps.store.commit([
      { ns: NAMESPACES.inventories, key: pageKey(peer, page), value },
      recordOp(peer, record),
    ]);
  }

  async page(peer: string, page: number): Promise<InventoryItem[]> {
    const found = readJson<unknown>(await this.deps.store.get(NAMESPACES.inventories, pageKey(peer, page)));
    return z.array(inventoryItem).parse(found);
  }

  async saveResult(peer: string, page: number, result: PageResult, unsafe: readonly Unsafe[]): Promise<void> {
    const value = JSON.stringify({ ...result, unsafe: unsafe.slice(0, UNSAFE_TOLD_MAX) });
    await this.deps.store.commit([{ ns: NAMESPACES.comparisons, key: pageKey(peer, page), value }]);
  }

  /** In order of page. */
  async *results(peer: string): AsyncIterable<[number, PageResult]> {
    for await (const [key, bytes] of this.deps.store.iterate(NAMESPACES.comparisons, rangeOf(peer))) {
      yield [Number(key.slice(peer.length + 1)), pageResult.parse(readJson(bytes))];
    }
  }

  async unsafe(peer: string, page: number): Promise<Unsafe[]> {
    const found = readJson<unknown>(await this.deps.store.get(NAMESPACES.comparisons, pageKey(peer, page)));
    return found === undefined ? [] : storedResult.parse(found).unsafe;
  }

  /** The list and what came of it; the drain itself stays. */
  async clear(peer: string): Promise<void> {
    for (const ns of [NAMESPACES.inventories, NAMESPACES.comparisons]) {
      for (;;) {
        const keys: string[] = [];
        for await (const [key] of this.deps.store.iterate(ns, { ...rangeOf(peer), limit: DELETES_PER_BATCH })) {
          keys.push(key);
        }
        if (keys.length === 0) break;
        await this.deps.store.commit(keys.map((key) => ({ ns, key, delete: true as const })));
      }
    }
  }

  async forget(peer: string): Promise<void> {
    // Cut in two by a crash, it is no list that lacks pages, but one that is done with at the next start.
    const over = { pages: 0, complete: false, root: '', accounts: 0, blobs: 0, bytes: 0, round: 0, wrong: {} };
    await this.save(peer, { start: '', copies: 1, ...over });
    await this.clear(peer);
    await this.deps.store.commit([{ ns: NAMESPACES.drains, key: peer, delete: true }]);
  }
}

function recordOp(peer: string, record: DrainRecord): StoreOp {
  return { ns: NAMESPACES.drains, key: peer, value: JSON.stringify(record) };
}

function pageKey(peer: string, page: number): string {
  return `${peer}/${String(page).padStart(6, '0')}`;
}

/** '0' is the character after '/'. */
function rangeOf(peer: string): { gt: string; lt: string } {
  return { gt: `${peer}/`, lt: `${peer}0` };
}
