/**
 * Work that was taken in and is not done yet, bounded by bytes and by number: what keeps a fast sender from filling the
 * memory of a receiver with a slow disk. The work handles its own errors.
 */
export class Window {
  private bytes = 0;
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly options: { bytesMax: number; worksMax: number }) {}

  /** Resolves when the work has begun. A single one larger than the bound goes alone. */
  async add(bytes: number, work: () => Promise<void>): Promise<void> {
    while (this.running.size > 0 && !this.hasRoomFor(bytes)) await Promise.race(this.running);
    this.bytes += bytes;
    const done: Promise<void> = work().finally(() => {
      this.bytes -= bytes;
      this.running.delete(done);
    });
    this.running.add(done);
  }

  async drained(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }

  private hasRoomFor(bytes: number): boolean {
    return this.running.size < this.options.worksMax && this.bytes + bytes <= this.options.bytesMax;
  }
}
