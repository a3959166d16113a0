/** Who waits for what: jobs for the outcomes of other jobs, and for the bytes of blobs. Only names; decides nothing. */

type Kind = 'job' | 'blob';

export class Waiters {
  private readonly byTarget = new Map<string, Set<string>>();
  private readonly targets = new Map<string, string[]>();
  private readonly fetching = new Set<string>();

  wait(job: string, kind: Kind, ids: Iterable<string>): void {
    const keys = Array.from(ids, (id) => `${kind}/${id}`);
    this.targets.set(job, [...(this.targets.get(job) ?? []), ...keys]);
    for (const key of keys) {
      const waiting = this.byTarget.get(key);
      if (waiting) waiting.add(job);
      else this.byTarget.set(key, new Set([job]));
    }
  }

  /** The job waits for nothing any more. */
  leave(job: string): void {
    for (const key of this.targets.get(job) ?? []) {
      const waiting = this.byTarget.get(key);
      waiting?.delete(job);
      if (waiting?.size === 0) this.byTarget.delete(key);
    }
    this.targets.delete(job);
  }

  /** Those who wait for this; they say again what they wait for after looking. */
  of(kind: Kind, id: string): string[] {
    return [...(this.byTarget.get(`${kind}/${id}`) ?? [])];
  }

  isAwaited(kind: Kind, id: string): boolean {
    return this.byTarget.has(`${kind}/${id}`);
  }

  /** False when somebody fetches this blob already. */
  begin(blob: string): boolean {
    if (this.fetching.has(blob)) return false;
    this.fetching.add(blob);
    return true;
  }

  finish(blob: string): void {
    this.fetching.delete(blob);
  }
}
