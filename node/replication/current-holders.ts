/** Nobody while this node is alone; the network's members from the moment it has joined. */
import type { Holder, Holders } from './holders.js';

export class CurrentHolders implements Holders {
  private holders: Holders | undefined;
  private release: (() => void) | undefined;
  private readonly listeners = new Set<() => void>();

  use(holders: Holders | undefined): void {
    this.release?.();
    this.holders = holders;
    this.release = holders?.onChange(() => this.emit());
    this.emit();
  }

  list(): Holder[] {
    return this.holders?.list() ?? [];
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private emit(): void {
    for (const listener of this.listeners) listener();
  }
}
