/**
 * Seventh step: what is here, whole and frozen, told to the coordinator: every account with how far its segments go,
 * every blob with its size, in order, in pages. What was moved aside as damaged is named too: it was entrusted to this
 * node, so it must be whole elsewhere before the folder goes. Pages are bounded in items and in bytes, and only one is in
 * memory at a time.
 */
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { MerkleTree } from '../../protocol/blobs/inventory.js';
import type { AccountLog } from '../../protocol/log/account-log.js';
import {
  INVENTORY_ITEMS_MAX,
  INVENTORY_PAGE_MAX,
  type InventoryItem,
  inventoryLine,
} from '../../protocol/wire/calls/handover.js';
import { handoverErrors } from '../../protocol/wire/calls/handover-errors.js';
import { LIMITS } from '../../protocol/wire/limits.js';
import { whileAnnounced } from './announce.js';
import type { Handover } from './handover.js';
import type { Drainable, StepContext, StepResult } from './part.js';

/** Of a page, as JSON: half a message, so that its frame fits. */
const PAGE_BYTES_MAX = LIMITS.handover.messageBytesMax / 2;

export interface InventorySource {
  log: Pick<AccountLog, 'accounts' | 'vector'>;
  blobs: Pick<BlobStore, 'list' | 'damaged'>;
}

/** Accounts, then blobs, each in order of id. */
export async function* takeInventory(
  { log, blobs }: InventorySource,
  signal?: AbortSignal,
): AsyncGenerator<InventoryItem, void, undefined> {
  const accounts: string[] = [];
  for await (const id of log.accounts()) accounts.push(id);
  for (const id of accounts.sort()) {
    signal?.throwIfAborted();
    const vector = Object.entries(await log.vector(id)).map(([segment, { seq }]) => [segment, seq] as const);
    yield { kind: 'account', id, bytes: 0, vector: Object.fromEntries(vector) };
  }
  // Few, and merged into the list, which is in order.
  const damaged = [...blobs.damaged()].sort((a, b) => (a.id < b.id ? -1 : 1));
  let next = 0;
  for await (const { blob, size } of blobs.list()) {
    signal?.throwIfAborted();
    for (let aside = damaged[next]; aside !== undefined && aside.id <= blob; aside = damaged[++next]) {
      if (aside.id < blob) yield { kind: 'blob', id: aside.id, bytes: aside.size };
    }
    yield { kind: 'blob', id: blob, bytes: size };
  }
  for (const { id, size } of damaged.slice(next)) yield { kind: 'blob', id, bytes: size };
}

/** At least one page, also of nothing: the last one says that it is the last. */
export async function* pagesOf(
  items: AsyncIterable<InventoryItem> | Iterable<InventoryItem>,
  { itemsMax = INVENTORY_PAGE_MAX, bytesMax = PAGE_BYTES_MAX }: { itemsMax?: number; bytesMax?: number } = {},
): AsyncGenerator<{ page: number; items: InventoryItem[]; last: boolean }, void, undefined> {
  let page = 0;
  let some: InventoryItem[] = [];
  let bytes = 0;
  for await (const item of items) {
    const size = JSON.stringify(item).length + 1;
    if (some.length > 0 && (some.length >= itemsMax || bytes + size > bytesMax)) {
      yield { page, items: some, last: false };
      page += 1;
      some = [];
      bytes = 0;
    }
    some.push(item);
    bytes += size;
  }
  yield { page, items: some, last: true };
}

export class InventoryStep implements Drainable {
  readonly name = 'inventory';
  readonly say = 'telling the coordinator everything that is here';
  private sent: string | undefined;

  constructor(
    private readonly deps: InventorySource & { handover: Pick<Handover, 'inventory'> },
    private readonly options: { itemsMax: number } = { itemsMax: INVENTORY_ITEMS_MAX },
  ) {}

  /** Of what the coordinator has; undefined: it has not all of it. */
  get root(): string | undefined {
    return this.sent;
  }

  /** It has to be sent again. */
  forget(): void {
    this.sent = undefined;
  }

  /** Error: `handover/inventory-too-large`. */
  async run({ signal, report }: StepContext): Promise<StepResult> {
    const { root, objects } = await this.survey(signal);
    // The coordinator keeps what it got until it is sent anew.
    if (this.sent === root) return undefined;
    this.sent = undefined;
    report({ objects });
    let told = 0;
    return whileAnnounced(async () => {
      for await (const { page, items, last } of pagesOf(takeInventory(this.deps, signal))) {
        await this.deps.handover.inventory(page, items, last, signal);
        told += items.length;
        report({ objects: objects - told });
      }
      this.sent = root;
      return undefined;
    });
  }

  async undo(): Promise<void> {
    this.forget();
  }

  /** Gone through once before a page is sent: nothing is sent for nothing. */
  private async survey(signal: AbortSignal): Promise<{ root: string; objects: number }> {
    const tree = new MerkleTree();
    let objects = 0;
    for await (const item of takeInventory(this.deps, signal)) {
      objects += 1;
      if (objects > this.options.itemsMax) throw handoverErrors('inventory-too-large', { max: this.options.itemsMax });
      tree.add(inventoryLine(item));
    }
    return { root: tree.rootHex(), objects };
  }
}
