/**
 * Last step: the coordinator compares the inventory with holders that serve now, and signs that everything is safe. Until
 * it does, it says what is not, and the drain goes back to copying. A receipt that is not of this coordinator, for this
 * node and this inventory, counts for nothing.
 */
import { z } from 'zod';
import { isDomainError } from '../../protocol/runtime/errors.js';
import { openToken } from '../../protocol/trust/signed.js';
import { RECEIPT_KIND } from '../../protocol/wire/calls/handover.js';
import { handoverErrors } from '../../protocol/wire/calls/handover-errors.js';
import type { DataStep } from './data.js';
import type { Handover } from './handover.js';
import type { InventoryStep } from './inventory.js';
import type { Drainable, StepContext, StepResult } from './part.js';
import { counted, inBytes } from './words.js';

const count = z.number().int().nonnegative();
/** What this node has to know of it; the rest is for people and for `galaxy-coordinator receipt verify`. */
const readShape = z.object({
  number: count,
  node: z.string(),
  boot: count,
  accounts: count,
  blobs: count,
  bytes: count,
  copiesAsked: count,
  copiesLeast: count,
  root: z.string(),
});
export type ReadReceipt = z.output<typeof readShape>;

/** Error: `handover/receipt-invalid`. */
export function readReceipt(
  text: string,
  expected: { coordinator: string; node: string; root: string | undefined; boot: number },
): ReadReceipt {
  const invalid = (reason: string, cause?: unknown) => handoverErrors('receipt-invalid', { reason }, { cause });
  let read: { payload: ReadReceipt; signer: string };
  try {
    read = openToken(text.trim(), RECEIPT_KIND, readShape);
  } catch (cause) {
    throw invalid('it is incomplete, changed, or not a receipt', cause);
  }
  const { payload, signer } = read;
  if (signer !== expected.coordinator) throw invalid('it is not signed by the coordinator of this network');
  if (payload.node !== expected.node) throw invalid('it is for another node');
  if (payload.boot !== expected.boot) throw invalid('it is for another start of this node');
  if (payload.root !== expected.root) throw invalid('it is for another inventory');
  return payload;
}

export function receiptText({ number, accounts, blobs, bytes, copiesAsked, copiesLeast, root }: ReadReceipt): string[] {
  return [
    `Receipt ${number}: ${counted(blobs, 'object')} (${inBytes(bytes)}) and ${counted(accounts, 'account')}, each with at least ${counted(copiesLeast, 'other verified holder')} (${copiesAsked} asked for).`,
    `Merkle root of the inventory: ${root}`,
  ];
}

export interface ReceiptDeps {
  handover: Pick<Handover, 'receipt'>;
  inventory: Pick<InventoryStep, 'root' | 'forget'>;
  data: Pick<DataStep, 'distrust'>;
  /** Throws when it does not hold. */
  check: (receipt: string, root: string) => unknown;
}

export class ReceiptStep implements Drainable {
  readonly name = 'receipt';
  readonly say = 'waiting for the coordinator to compare and to sign the receipt';
  /** Asked, and nobody knows what the answer was. */
  private isPending = false;

  constructor(private readonly deps: ReceiptDeps) {}

  async run({ signal, unsafe }: StepContext): Promise<StepResult> {
    const { handover, inventory, data, check } = this.deps;
    const { root } = inventory;
    if (root === undefined) return { backTo: 'inventory' };
    this.isPending = true;
    try {
      const answer = await handover.receipt(root, signal);
      if (answer.receipt !== null) {
        check(answer.receipt, root);
        unsafe(undefined);
        return { receipt: answer.receipt };
      }
      this.isPending = false;
      unsafe(answer.unsafe);
      data.distrust(answer.unsafe.first);
      return { backTo: 'data' };
    } catch (error) {
      // Only a refusal is an answer; after anything else the receipt may be on its way.
      if (isDomainError(error) && /^handover\/(?!receipt-)/.test(error.code)) this.isPending = false;
      if (isDomainError(error, 'handover/not-draining')) return { backTo: 'announce' };
      if (isDomainError(error, 'handover/accounts-left')) return { backTo: 'accounts' };
      if (isDomainError(error, 'handover/inventory-order') || isDomainError(error, 'handover/receipt-invalid')) {
        inventory.forget();
        if (isDomainError(error, 'handover/inventory-order')) return { backTo: 'inventory' };
      }
      throw error;
    }
  }

  binding(): boolean {
    return this.isPending;
  }

  async undo(): Promise<void> {
    this.isPending = false;
  }
}
