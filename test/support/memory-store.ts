/** A store without a disk: it answers in the same turn, so that a test which turns the clock by hand waits for nothing. */
import type { Range, Store, StoreOp } from '../../protocol/runtime/store.js';

export class MemoryStore implements Store {
  /** Set: commits fail with it. */
  failure: Error | undefined;
  commits = 0;
  private readonly rows = new Map<string, Map<string, Uint8Array>>();
  private readonly listeners = new Set<() => void>();

  async get(ns: string, key: string): Promise<Uint8Array | undefined> {
    return this.rows.get(ns)?.get(key);
  }

  async *iterate(ns: string, range: Range = {}): AsyncIterable<[string, Uint8Array]> {
    const { gt, gte, lt, lte, reverse, limit = Number.POSITIVE_INFINITY } = range;
    const keys = [...(this.rows.get(ns)?.keys() ?? [])]
      .filter(
        (key) =>
          (gt === undefined || key > gt) &&
          (gte === undefined || key >= gte) &&
          (lt === undefined || key < lt) &&
          (lte === undefined || key <= lte),
      )
      .sort();
    if (reverse) keys.reverse();
    for (const key of keys.slice(0, limit < 0 ? undefined : limit)) {
      const value = this.rows.get(ns)?.get(key);
      if (value !== undefined) yield [key, value];
    }
  }

  async commit(ops: readonly StoreOp[]): Promise<void> {
    if (ops.length === 0) return;
    if (this.failure) {
      for (const listener of this.listeners) listener();
      throw this.failure;
    }
    this.commits += 1;
    for (const op of ops) {
      const rows = this.rows.get(op.ns) ?? new Map<string, Uint8Array>();
      this.rows.set(op.ns, rows);
      if ('delete' in op) rows.delete(op.key);
      else rows.set(op.key, typeof op.value === 'string' ? Buffer.from(op.value) : op.value);
    }
  }

  onFailure(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {}
}
