/**
 * The keys under which API keys are sealed: the network's once this node has joined, so that every node can show them
 * again; its own before, which stays to open what was sealed with it.
 */
import type { Random } from '../../protocol/runtime/random.js';
import { Sealer } from './api-keys.js';

export class KeyRing {
  private network: Sealer | undefined;

  constructor(
    private readonly own: Sealer,
    private readonly deps: { random: Random },
  ) {}

  /** `networkKey`: 32 bytes, hex. */
  use(networkKey: string): void {
    this.network = new Sealer(Buffer.from(networkKey, 'hex'), this.deps);
  }

  seal(text: string, context: string): string {
    return (this.network ?? this.own).seal(text, context);
  }

  open(sealed: string, context: string): string | undefined {
    return this.network?.open(sealed, context) ?? this.own.open(sealed, context);
  }
}
