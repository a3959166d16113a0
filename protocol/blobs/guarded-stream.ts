/**
 * A stream that is aborted when nothing moves for the deadline, in either direction, while someone waits. Progress in
 * one direction counts for both: whoever waits for a confirmation while a terabyte goes out is not stalled.
 */
import type { Cancel, Clock } from '../runtime/clock.js';
import type { ByteStream } from '../runtime/host.js';
import { blobErrors } from './errors.js';

/** Larger writes are cut, so that a slow link shows progress. */
const WRITE_BYTES = 256 * 1024;

export class GuardedStream implements ByteStream {
  private waits = 0;
  private cancel: Cancel | undefined;
  private stalled: Error | undefined;

  constructor(
    private readonly inner: ByteStream,
    private readonly clock: Clock,
    private readonly deadlineMs: number,
  ) {}

  get remotePeer(): string {
    return this.inner.remotePeer;
  }

  get protocol(): string {
    return this.inner.protocol;
  }

  get closed(): boolean {
    return this.inner.closed;
  }

  async *source(): AsyncGenerator<Uint8Array> {
    const source = this.inner.source();
    try {
      while (true) {
        const next = await this.guard(source.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await source.return(undefined);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; start += WRITE_BYTES) {
      await this.guard(this.inner.write(bytes.subarray(start, start + WRITE_BYTES)));
    }
  }

  closeWrite(): Promise<void> {
    return this.guard(this.inner.closeWrite());
  }

  abort(error: Error): void {
    this.inner.abort(error);
  }

  private async guard<T>(wait: Promise<T>): Promise<T> {
    this.waits += 1;
    this.rearm();
    try {
      return await wait;
    } catch (error) {
      throw this.stalled ?? error;
    } finally {
      this.waits -= 1;
      this.rearm();
    }
  }

  private rearm(): void {
    this.cancel?.();
    this.cancel = this.waits === 0 ? undefined : this.clock.after(this.deadlineMs, () => this.stall());
  }

  private stall(): void {
    this.stalled = blobErrors('stalled', { seconds: Math.round(this.deadlineMs / 1000) });
    this.inner.abort(this.stalled);
  }
}
