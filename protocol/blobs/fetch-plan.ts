/**
 * Which source brings which chunks of one blob. Pure. Runs of chunks are handed out in order; what a dropped source did
 * not bring is handed out again; and when nothing is left to hand out, an idle source is given chunks that another one
 * still owes, so that the slowest does not decide when the blob is whole.
 */
import type { Bitmap } from './bitmap.js';

/** Sources that may be asked for the same chunk. */
const HOLDERS_MAX = 2;

export interface Run {
  start: number;
  count: number;
}

export class FetchPlan {
  private cursor = 0;
  /** Received or handed out at least once. */
  private readonly handed: Bitmap;
  private readonly received: Bitmap;
  /** Handed out and not received, the longest waiting first. */
  private readonly owed = new Map<number, string[]>();
  private returned: number[] = [];

  constructor(present: Bitmap) {
    this.handed = present.copy();
    this.received = present.copy();
  }

  get isComplete(): boolean {
    return this.received.isFull;
  }

  /** Chunks that lack. */
  get left(): number {
    return this.received.length - this.received.count;
  }

  /** Chunks that lack and that nobody was asked for. */
  get unasked(): number {
    return this.handed.length - this.handed.count + this.returned.length;
  }

  has(chunk: number): boolean {
    return this.received.has(chunk);
  }

  /** The next chunks for a source to bring; undefined when there is nothing for it to do now. */
  take(source: string, countMax: number): Run | undefined {
    return this.takeReturned(source, countMax) ?? this.takeNew(source, countMax) ?? this.steal(source, countMax);
  }

  /** Chunks that a source brings without having been asked by `take`. */
  claim(source: string, { start, count }: Run): void {
    for (let chunk = start; chunk < start + count; chunk++) if (!this.received.has(chunk)) this.owe(source, chunk);
  }

  got(chunk: number): void {
    this.received.add(chunk);
    this.handed.add(chunk);
    this.owed.delete(chunk);
  }

  /** The source brings nothing more. */
  drop(source: string): void {
    for (const [chunk, sources] of this.owed) {
      if (!sources.includes(source)) continue;
      const others = sources.filter((other) => other !== source);
      if (others.length > 0) this.owed.set(chunk, others);
      else {
        this.owed.delete(chunk);
        this.returned.push(chunk);
      }
    }
    this.returned.sort((a, b) => a - b);
  }

  private takeReturned(source: string, countMax: number): Run | undefined {
    this.returned = this.returned.filter((chunk) => !this.received.has(chunk));
    const start = this.returned[0];
    if (start === undefined) return undefined;
    let count = 1;
    while (count < countMax && this.returned[count] === start + count) count += 1;
    this.returned.splice(0, count);
    return this.hand(source, start, count);
  }

  private takeNew(source: string, countMax: number): Run | undefined {
    while (this.cursor < this.handed.length && this.handed.has(this.cursor)) this.cursor += 1;
    const start = this.cursor;
    if (start >= this.handed.length) return undefined;
    let count = 1;
    while (count < countMax && start + count < this.handed.length && !this.handed.has(start + count)) count += 1;
    return this.hand(source, start, count);
  }

  private steal(source: string, countMax: number): Run | undefined {
    const isFree = (chunk: number) => {
      const sources = this.owed.get(chunk);
      return sources !== undefined && sources.length < HOLDERS_MAX && !sources.includes(source);
    };
    for (const start of this.owed.keys()) {
      if (!isFree(start)) continue;
      let count = 1;
      while (count < countMax && isFree(start + count)) count += 1;
      return this.hand(source, start, count);
    }
    return undefined;
  }

  private hand(source: string, start: number, count: number): Run {
    for (let chunk = start; chunk < start + count; chunk++) this.owe(source, chunk);
    return { start, count };
  }

  private owe(source: string, chunk: number): void {
    this.handed.add(chunk);
    const sources = this.owed.get(chunk);
    if (sources === undefined) this.owed.set(chunk, [source]);
    else if (!sources.includes(source)) sources.push(source);
  }
}
