/**
 * The numbers that a coordinator gives out and never gives twice: epochs of leases, node numbers, numbers of
 * revocations. A number comes with the write that remembers it, to be committed together with what it is for; a number
 * whose write failed is skipped, never given again.
 *
 * The term is 1 until taking the next one after a restore is built.
 */
import { z } from 'zod';
import { readJson, type Store, type StoreOp } from '../protocol/runtime/store.js';
import { NODE_NUMBER_MAX } from '../protocol/trust/credential.js';
import { epochOf } from '../protocol/trust/epoch.js';
import { coordinatorErrors } from './errors.js';
import { NAMESPACES } from './namespaces.js';

const stored = z.object({
  term: z.number().int().positive(),
  epoch: z.number().int().nonnegative(),
  nodeNumber: z.number().int().nonnegative(),
  revocation: z.number().int().nonnegative(),
  receipt: z.number().int().nonnegative(),
});
type Numbers = z.output<typeof stored>;

export interface Numbered {
  number: number;
  op: StoreOp;
}

export class Counters {
  private numbers: Numbers = { term: 1, epoch: 0, nodeNumber: 0, revocation: 0, receipt: 0 };

  constructor(private readonly deps: { store: Pick<Store, 'get'> }) {}

  async start(): Promise<void> {
    const found = readJson<unknown>(await this.deps.store.get(NAMESPACES.meta, 'counters'));
    if (found !== undefined) this.numbers = stored.parse(found);
  }

  get term(): number {
    return this.numbers.term;
  }

  nextEpoch(): Numbered {
    return this.next('epoch', (count, term) => epochOf(term, count));
  }

  /** Error: `coordinator/numbers-exhausted`. */
  nextNodeNumber(): Numbered {
    if (this.numbers.nodeNumber >= NODE_NUMBER_MAX) {
      throw coordinatorErrors('numbers-exhausted', { max: NODE_NUMBER_MAX });
    }
    return this.next('nodeNumber', (count) => count);
  }

  nextRevocation(): Numbered {
    return this.next('revocation', (count, term) => epochOf(term, count));
  }

  nextReceipt(): Numbered {
    return this.next('receipt', (count) => count);
  }

  private next(kind: Exclude<keyof Numbers, 'term'>, make: (count: number, term: number) => number): Numbered {
    this.numbers = { ...this.numbers, [kind]: this.numbers[kind] + 1 };
    const op: StoreOp = { ns: NAMESPACES.meta, key: 'counters', value: JSON.stringify(this.numbers) };
    return { number: make(this.numbers[kind], this.numbers.term), op };
  }
}
