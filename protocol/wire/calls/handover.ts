/**
 * `/galaxy/handover/1`: a node leaves. It announces, has its accounts re-homed one by one, freezes, sends its whole
 * inventory sorted and in pages, and asks for the receipt. The coordinator, not the leaver, decides that all is safe.
 * Every call may be repeated. See docs/protocol/handover.md.
 */
import { z } from 'zod';
import { defineCall } from '../rpc.js';
import { entityId, hex64, peerId, token, words } from './shapes.js';
// Loaded with the calls, so that the calling side knows the errors that the other side throws by code.
import './handover-errors.js';

const protocol = 'handover';

export const INVENTORY_PAGE_MAX = 5000;
export const INVENTORY_KINDS = ['account', 'blob'] as const;

export const inventoryItem = z.object({
  /** `account` items first, then `blob`; each kind in order of id, without duplicates. */
  kind: z.enum(INVENTORY_KINDS),
  id: z.string().min(1).max(128),
  /** A blob's size; 0 for an account. */
  bytes: z.number().int().nonnegative(),
  /** Of an account: segment key → last seq, everything that was accepted here. */
  vector: z.record(z.string().max(80), z.number().int().nonnegative()).optional(),
});
export type InventoryItem = z.output<typeof inventoryItem>;

export const unsafeItem = z.object({ kind: z.enum(INVENTORY_KINDS), id: z.string().max(128), reason: words });

export const handoverCalls = {
  /** From now on the caller is holder for nobody and gets no users. */
  announce: defineCall({
    protocol,
    name: 'announce',
    request: z.object({
      /** Only with the operator's `--accept-copies`. */
      acceptCopies: z.number().int().min(1).max(10).optional(),
    }),
    response: z.object({
      copies: z.number().int().positive(),
      /** Domains that serve now, besides the caller's. */
      domains: z.number().int().nonnegative(),
      accounts: z.number().int().nonnegative(),
    }),
  }),
  /** The caller has sealed this account and pushed its tail. Errors: `handover/no-new-home`, `directory/not-home`. */
  rehome: defineCall({
    protocol,
    name: 'rehome',
    request: z.object({ account: entityId }),
    response: z.object({
      home: peerId,
      name: words,
      epoch: z.number().int().nonnegative(),
      /** Where browsers reach the new home, when they reach it directly. */
      url: z.string().max(512).nullable(),
      reasons: z.array(z.string().max(500)).max(64),
    }),
  }),
  /** One page; the first begins a new inventory. Error: `handover/inventory-order`. */
  inventory: defineCall({
    protocol,
    name: 'inventory',
    request: z.object({
      page: z.number().int().nonnegative(),
      items: z.array(inventoryItem).max(INVENTORY_PAGE_MAX),
      last: z.boolean(),
    }),
    response: z.object({ items: z.number().int().nonnegative() }),
  }),
  /** Compares and, when all is safe, issues. Never an error for what is not safe yet: it is named. */
  receipt: defineCall({
    protocol,
    name: 'receipt',
    request: z.object({
      /** The Merkle root that the caller computed over what it sent. */
      root: hex64,
    }),
    response: z.object({
      receipt: z.string().max(65_536).nullable(),
      unsafe: z.object({
        objects: z.number().int().nonnegative(),
        bytes: z.number().int().nonnegative(),
        first: z.array(unsafeItem).max(1000),
      }),
    }),
  }),
  /** The drain is called off; only while no receipt was issued. */
  cancel: defineCall({ protocol, name: 'cancel', request: z.object({}), response: z.object({}) }),
} as const;

export const RECEIPT_KIND = 'receipt';
export { token as receiptToken };

/** The leaves of the inventory's Merkle tree, in order: what both sides hash (`merkleRoot` of protocol/blobs/inventory.ts). */
export function inventoryLines(items: readonly InventoryItem[]): string[] {
  return items.map(inventoryLine).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function inventoryLine({ kind, id, bytes, vector }: InventoryItem): string {
  const segments = Object.entries(vector ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([segment, seq]) => ` ${segment}=${seq}`);
  return `${kind} ${id} ${bytes}${segments.join('')}`;
}
