/**
 * Seventh step: what is here, whole and frozen, told to the coordinator: every account with how far its segments go,
 * every blob with its size, in order, in pages. What was moved aside as damaged is named too: it was entrusted to this
 * node, so it must be whole elsewhere before the folder goes. Pages are bounded in items and in bytes.
 */
import type { BlobStore } from '../../protocol/blobs/blob.js';
import { merkleRoot } from '../../protocol/blobs/inventory.js';
import type { AccountLog } from '../../protocol/log/account-log.js';
import { INVENTORY_PAGE_MAX, type InventoryItem, inventoryLines } from '../../protocol/wire/calls/handover.js';
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
export async function takeInventory({ log, blobs }: InventorySource, signal?: AbortSignal): Promise<InventoryItem[]> {
  const accounts: InventoryItem[] = [];
  for await (const id of log.accounts()) {
    signal?.throwIfAborted();
    const vector = Object.entries(await log.vector(id)).map(([segment, { seq }]) => [segment, seq] as const);
    accounts.push({ kind: 'account', id, bytes: 0, vector: Object.fromEntries(vector) });
  }
  const held: InventoryItem[] = [];
  for await (const { blob, size } of blobs.list()) {
    signal?.throwIfAborted();
    held.push({ kind: 'blob', id: blob, bytes: size });
  }
  const listed = new Set(held.map(({ id }) => id));
  for (const { id, size } of blobs.damaged()) if (!listed.has(id)) held.push({ kind: 'blob', id, bytes: size });
  return [...accounts.sort(byId), ...held.sort(byId)];
}

/** 64 hex digits; what the coordinator computes over what it got. */
export function inventoryRoot(items: readonly InventoryItem[]): string {
  return Buffer.from(merkleRoot(inventoryLines(items))).toString('hex');
}

/** At least one page, also of nothing: the last one says that it is the last. */
export function* pagesOf(
  items: readonly InventoryItem[],
  { itemsMax = INVENTORY_PAGE_MAX, bytesMax = PAGE_BYTES_MAX }: { itemsMax?: number; bytesMax?: number } = {},
): Generator<{ page: number; items: InventoryItem[]; last: boolean }, void, undefined> {
  let page = 0;
  let some: InventoryItem[] = [];
  let bytes = 0;
  for (const item of items) {
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

  constructor(private readonly deps: InventorySource & { handover: Pick<Handover, 'inventory'> }) {}

  /** Of what the coordinator has; undefined: it has not all of it. */
  get root(): string | undefined {
    return this.sent;
  }

  /** It has to be sent again. */
  forget(): void {
    this.sent = undefined;
  }

  async run({ signal, report }: StepContext): Promise<StepResult> {
    const items = await takeInventory(this.deps, signal);
    const root = inventoryRoot(items);
    // The coordinator keeps what it got until it is sent anew.
    if (this.sent === root) return undefined;
    this.sent = undefined;
    report({ objects: items.length });
    let told = 0;
    return whileAnnounced(async () => {
      for (const { page, items: some, last } of pagesOf(items)) {
        await this.deps.handover.inventory(page, some, last, signal);
        told += some.length;
        report({ objects: items.length - told });
      }
      this.sent = root;
      return undefined;
    });
  }

  async undo(): Promise<void> {
    this.forget();
  }
}

function byId(a: InventoryItem, b: InventoryItem): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
