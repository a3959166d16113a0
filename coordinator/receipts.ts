/**
 * A drain's receipt: the coordinator's signed word that everything a node held is held elsewhere. What is safe is decided
 * here, purely; how holders are asked is in drains.ts. A receipt says what was true when it was issued; it is not valid
 * after the node's next start.
 */
import { z } from 'zod';
import { isDomainError } from '../protocol/runtime/errors.js';
import { locationSchema, nameSchema, networkSchema } from '../protocol/trust/credential.js';
import { peerIdSchema, type Signer } from '../protocol/trust/identity.js';
import { openToken, signToken } from '../protocol/trust/signed.js';
import { type InventoryItem, RECEIPT_KIND } from '../protocol/wire/calls/handover.js';
import { handoverErrors } from '../protocol/wire/calls/handover-errors.js';

const count = z.number().int().nonnegative();
/** Named in a receipt, which has to fit a message. */
export const RECEIPT_HOLDERS_MAX = 256;

export const receiptSchema = z.object({
  number: z.number().int().positive(),
  network: networkSchema,
  /** Whose: PeerId, name, and the start it was drained in. */
  node: peerIdSchema,
  name: nameSchema,
  location: locationSchema.nullable(),
  boot: count,
  accounts: count,
  blobs: count,
  bytes: count,
  /** What was asked for, and what the least copied object has. */
  copiesAsked: count,
  copiesLeast: count,
  /** Merkle root over the inventory, hex. */
  root: z.string().regex(/^[0-9a-f]{64}$/),
  holders: z
    .array(z.object({ peerId: peerIdSchema, name: z.string().max(200), domain: z.string().max(200) }))
    .max(5000),
  /** Whole chunks read from holders and compared with their manifests. */
  sampled: count,
  issuedAt: count,
});
export type Receipt = z.output<typeof receiptSchema>;

export function signReceipt(signer: Signer, receipt: Receipt): string {
  return signToken(signer, RECEIPT_KIND, receiptSchema.parse(receipt));
}

/**
 * Reads a receipt as it was written to a file. Pure. `coordinator`: whose word counts; without it the signer is told.
 * Error: `handover/receipt-invalid`, which names the reason.
 */
export function verifyReceipt(text: string, coordinator?: string): { receipt: Receipt; signer: string } {
  const invalid = (reason: string, cause?: unknown) => handoverErrors('receipt-invalid', { reason }, { cause });
  try {
    const { payload, signer } = openToken(text.trim(), RECEIPT_KIND, receiptSchema);
    if (coordinator !== undefined && signer !== coordinator) throw invalid('it is signed by another coordinator');
    return { receipt: payload, signer };
  } catch (error) {
    if (isDomainError(error, 'handover/receipt-invalid')) throw error;
    if (isDomainError(error, 'trust/bad-signature')) throw invalid('its content was changed', error);
    throw invalid('it is incomplete or not a receipt', error);
  }
}

export interface Unsafe {
  kind: InventoryItem['kind'];
  id: string;
  bytes: number;
  reason: string;
}

export interface Judged {
  unsafe: Unsafe[];
  /** Of the least copied object; the number asked for when there is nothing to copy. */
  copiesLeast: number;
}

/**
 * What of an inventory lacks copies. `domainsOf`: the failure domains in which an item was found now, at holders that
 * serve; two holders in one domain are one.
 */
export function judgeInventory(
  items: readonly InventoryItem[],
  domainsOf: (item: InventoryItem) => ReadonlySet<string>,
  copies: number,
): Judged {
  const unsafe: Unsafe[] = [];
  let copiesLeast = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const found = domainsOf(item).size;
    copiesLeast = Math.min(copiesLeast, found);
    if (found >= copies) continue;
    const { kind, id, bytes } = item;
    unsafe.push({ kind, id, bytes, reason: `${found} of ${copies} copies were found` });
  }
  return { unsafe, copiesLeast: items.length === 0 ? copies : copiesLeast };
}

/** Strictly ascending: accounts before blobs, each by id. The reason when it is not. */
export function orderProblem(before: InventoryItem | undefined, items: readonly InventoryItem[]): string | undefined {
  let last = before;
  for (const item of items) {
    if (last !== undefined && !(last.kind < item.kind || (last.kind === item.kind && last.id < item.id))) {
      return `${item.kind} ${item.id} comes after ${last.kind} ${last.id}`;
    }
    last = item;
  }
  return undefined;
}

/** Everything that `wanted` names, `held` has as far. */
export function covers(held: Readonly<Record<string, number>>, wanted: Readonly<Record<string, number>>): boolean {
  return Object.entries(wanted).every(([segment, seq]) => (held[segment] ?? 0) >= seq);
}
