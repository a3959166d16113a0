/**
 * What a node that leaves still takes, asked synchronously by whoever would let something in.
 *
 *   open → closing (no new accounts, uploads, replicas) → frozen (no entries either) ; each → open when called off
 */
export type Taken = 'accounts' | 'replicas' | 'entries';

export class DrainGate {
  private level: 'open' | 'closing' | 'frozen' = 'open';

  close(): void {
    if (this.level === 'open') this.level = 'closing';
  }

  freeze(): void {
    this.level = 'frozen';
  }

  open(): void {
    this.level = 'open';
  }

  get frozen(): boolean {
    return this.level === 'frozen';
  }

  /** Why it is refused; undefined: it is taken. */
  refusal(what: Taken): string | undefined {
    if (this.level === 'open') return undefined;
    if (what === 'entries' && this.level !== 'frozen') return undefined;
    return 'this node is leaving the network and takes nothing new';
  }
}
