/** How fast something goes: over the last half minute, so that neither a burst nor an old pause decides. */
const WINDOW_MS = 30_000;
const SAMPLE_MS = 500;

export class Pace {
  private samples: { at: number; done: number }[] = [];

  /** `at`: monotonic ms. */
  record(at: number, done: number): void {
    const last = this.samples.at(-1);
    // Less than before: another round of work, measured anew.
    if (last !== undefined && done < last.done) this.samples = [];
    if (last !== undefined && at - last.at < SAMPLE_MS && this.samples.length > 1) this.samples.pop();
    this.samples.push({ at, done });
    while (this.samples.length > 2 && at - (this.samples[0]?.at ?? at) > WINDOW_MS) this.samples.shift();
  }

  clear(): void {
    this.samples = [];
  }

  /** Undefined while there is nothing to measure. Not rounded: a few steps a minute are a rate too. */
  perSecond(): number | undefined {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (first === undefined || last === undefined || last.at - first.at < SAMPLE_MS || last.done <= first.done) {
      return undefined;
    }
    return ((last.done - first.done) * 1000) / (last.at - first.at);
  }
}
