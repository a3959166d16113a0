/**
 * `/galaxy/handover/1`: a node leaves. It announces, has its accounts re-homed one by one, freezes, sends its whole
 * inventory sorted and in pages, has it compared, and asks for the receipt. The coordinator, not the leaver, decides that
 * all is safe. The comparison may take hours, so it is a job of the coordinator: the call begins it, and repeated it says
 * how far it is. Every call may be repeated. See docs/protocol/handover.md.
 */
import { z } from 'zod';
import { defineCall } from '../rpc.js';
import { entityId, hex64, peerId, token, words } from './shapes.js';
// Loaded with the calls, so that the calling side knows the errors that the other side throws by code.
import './handover-errors.js';

const protocol = 'handover';

export const INVENTORY_PAGE_MAX = 5000;
/** Objects of one inventory, and the pages that they may come in. A node that has more cannot be drained as one. */
export const INVENTORY_ITEMS_MAX = 1_000_000;
export const INVENTORY_PAGES_MAX = 20_000;
/** Of what is not safe, named one by one: at the end of a comparison, and while it goes on. */
export const UNSAFE_TOLD_MAX = 1000;
export const UNSAFE_TOLD_MEANWHILE_MAX = 100;
export const INVENTORY_KINDS = ['account', 'blob'] as const;

export const inventoryItem = z.object({
  /** `account` items first, then `blob`; each kind in order of id, without duplicates. */
  kind: z.enum(INVENTORY_KINDS),
  id: z.string().regex(/^[0-9A-Za-z-]{1,128}$/),
  /** A blob's size; 0 for an account. */
  bytes: z.number().int().nonnegative(),
  /** Of an account: segment key → last seq, everything that was accepted here. */
  vector: z.record(z.string().max(80), z.number().int().nonnegative()).optional(),
});
export type InventoryItem = z.output<typeof inventoryItem>;

export const unsafeItem = z.object({ kind: z.enum(INVENTORY_KINDS), id: z.string().max(128), reason: words });

const amount = z.object({ objects: z.number().int().nonnegative(), bytes: z.number().int().nonnegative() });

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
  /** What an announcement would be answered now; changes nothing. */
  terms: defineCall({
    protocol,
    name: 'terms',
    request: z.object({}),
    response: z.object({ copies: z.number().int().positive(), domains: z.number().int().nonnegative() }),
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
  /**
   * Begins the comparison of what was sent, and says how far it is; asked again until its end. Never an error for what is
   * not safe: it is named. Errors: `handover/inventory-order`, `handover/accounts-left`.
   */
  compare: defineCall({
    protocol,
    name: 'compare',
    request: z.object({
      /** The Merkle root that the caller computed over what it sent. */
      root: hex64,
      /** A higher number than before: what lacked copies is looked at once more. */
      round: z.number().int().positive(),
    }),
    response: z.object({
      state: z.enum(['comparing', 'safe', 'unsafe']),
      checked: amount,
      total: amount,
      /** Not safe, as far as it was checked. */
      missing: amount.extend({ first: z.array(unsafeItem).max(UNSAFE_TOLD_MAX) }),
    }),
  }),
  /** Issued when the comparison found everything, and its holders still serve. Error: `handover/not-compared`. */
  receipt: defineCall({
    protocol,
    name: 'receipt',
    request: z.object({ root: hex64 }),
    response: z.object({ receipt: z.string().max(65_536) }),
  }),
  /** The drain is called off; only while no receipt was issued. */
  cancel: defineCall({ protocol, name: 'cancel', request: z.object({}), response: z.object({}) }),
} as const;

export const RECEIPT_KIND = 'receipt';
export { token as receiptToken };

export type CompareAnswer = z.output<typeof handoverCalls.compare.response>;

/**
 * A leaf of the inventory's Merkle tree: what both sides hash (`MerkleTree` of protocol/blobs/inventory.ts). Lines are in
 * order when their items are: no id has a character that sorts before the space.
 */
export function inventoryLine({ kind, id, bytes, vector }: InventoryItem): string {
  const segments = Object.entries(vector ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([segment, seq]) => ` ${segment}=${seq}`);
  return `${kind} ${id} ${bytes}${segments.join('')}`;
}
