/**
 * Last step: the coordinator compares the inventory with holders that serve now, and signs that everything is safe. The
 * comparison is its own job and may take hours; this step begins it and asks how far it is, over and over: a call that is
 * lost loses nothing. What is not safe is named in the end, and the drain goes back to copying; the next round compares
 * only that. A receipt that is not of this coordinator, for this node and this inventory, counts for nothing.
 */
import { z } from 'zod';
import { counted, inBytes } from '../../protocol/runtime/amounts.js';
import { type Clock, sleep } from '../../protocol/runtime/clock.js';
import { isDomainError } from '../../protocol/runtime/errors.js';
import { openToken } from '../../protocol/trust/signed.js';
import { type CompareAnswer, RECEIPT_KIND } from '../../protocol/wire/calls/handover.js';
import { handoverErrors } from '../../protocol/wire/calls/handover-errors.js';
import type { DataStep } from './data.js';
import type { Handover } from './handover.js';
import type { InventoryStep } from './inventory.js';
import type { Drainable, StepContext, StepResult } from './part.js';

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
  handover: Pick<Handover, 'compare' | 'receipt'>;
  inventory: Pick<InventoryStep, 'root' | 'forget'>;
  data: Pick<DataStep, 'distrust'>;
  /** Throws when it does not hold. */
  check: (receipt: string, root: string) => unknown;
  clock: Clock;
}

/** How often it is asked how far it is: at once, then seldom, because a large one takes long. */
const ASK_MS_MIN = 100;
const ASK_MS_MAX = 2000;

export class ReceiptStep implements Drainable {
  readonly name = 'receipt';
  readonly say = 'waiting while the coordinator compares with other holders and signs the receipt';
  readonly bar = 'comparing';
  /** Asked, and nobody knows what the answer was. */
  private isPending = false;
  /** Rises when something was copied again. */
  private round = 1;

  constructor(private readonly deps: ReceiptDeps) {}

  async run(context: StepContext): Promise<StepResult> {
    const { handover, inventory, data, check } = this.deps;
    const { root } = inventory;
    if (root === undefined) return { backTo: 'inventory' };
    try {
      const { state, missing } = await this.compared(root, context);
      context.unsafe(missing.objects === 0 ? undefined : missing);
      if (state === 'unsafe') {
        this.round += 1;
        data.distrust(missing);
        return { backTo: 'data' };
      }
      this.isPending = true;
      const receipt = await handover.receipt(root, context.signal);
      check(receipt, root);
      return { receipt };
    } catch (error) {
      // Only a refusal is an answer; after anything else the receipt may be on its way.
      if (isDomainError(error) && /^handover\/(?!receipt-)/.test(error.code)) this.isPending = false;
      // A holder that counted went away in between.
      if (isDomainError(error, 'handover/not-compared')) return { backTo: this.name };
      if (isDomainError(error, 'handover/not-draining')) return { backTo: 'announce' };
      if (isDomainError(error, 'handover/accounts-left')) return { backTo: 'accounts' };
      if (isDomainError(error, 'handover/inventory-order') || isDomainError(error, 'handover/receipt-invalid')) {
        inventory.forget();
        if (isDomainError(error, 'handover/inventory-order')) return { backTo: 'inventory' };
      }
      throw error;
    }
  }

  /** Asks until it is through. */
  private async compared(root: string, { signal, report, unsafe }: StepContext): Promise<CompareAnswer> {
    let pauseMs = ASK_MS_MIN;
    for (;;) {
      const answer = await this.deps.handover.compare(root, this.round, signal);
      const { state, checked, total, missing } = answer;
      const lacking = missing.objects > 0 ? `, ${missing.objects} not safe so far` : '';
      report({
        objects: total.objects - checked.objects,
        bytes: total.bytes - checked.bytes,
        bytesDone: checked.bytes,
        bytesTotal: total.bytes,
        say: `${checked.objects} of ${counted(total.objects, 'object')} compared${lacking}`,
      });
      if (missing.objects > 0) unsafe(missing);
      if (state !== 'comparing') return answer;
      await sleep(this.deps.clock, pauseMs, signal);
      pauseMs = Math.min(ASK_MS_MAX, pauseMs * 2);
    }
  }

  binding(): boolean {
    return this.isPending;
  }

  async undo(): Promise<void> {
    this.isPending = false;
    this.round = 1;
  }
}
