/**
 * Mutual exclusion by name inside one process: two claims of one e-mail address run one after the other, claims of
 * different ones side by side, so that their writes share a group commit.
 */
export class Locks {
  private readonly tails = new Map<string, Promise<void>>();

  /** Runs `work` when every name is free. Names are taken in sorted order, so two callers cannot wait for each other. */
  async hold<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const releases: (() => void)[] = [];
    try {
      for (const name of [...new Set(names)].sort()) releases.push(await this.take(name));
      return await work();
    } finally {
      for (const release of releases.reverse()) release();
    }
  }

  private async take(name: string): Promise<() => void> {
    const before = this.tails.get(name);
    let open: () => void = () => {};
    const mine = new Promise<void>((resolve) => {
      open = resolve;
    });
    const tail = (before ?? Promise.resolve()).then(() => mine);
    this.tails.set(name, tail);
    await before;
    return () => {
      open();
      if (this.tails.get(name) === tail) this.tails.delete(name);
    };
  }
}
