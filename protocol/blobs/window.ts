/**
 * Work that was taken in and is not done yet, bounded by bytes and by number: what keeps a fast sender from filling the
 * memory of a receiver with a slow disk. The work handles its own errors. Whoever finds it full waits in line; rejected:
 * racing all that runs, which costs as much as there is of it, each time.
 */
export class Window {
  private bytes = 0;
  private works = 0;
  private readonly line: { bytes: number; enter: () => void }[] = [];
  private readonly whenEmpty: (() => void)[] = [];

  constructor(private readonly options: { bytesMax: number; worksMax: number }) {}

  /** Resolves when the work has begun. A single one larger than the bound goes alone. */
  async add(bytes: number, work: () => Promise<void>): Promise<void> {
    if (this.line.length > 0 || !this.hasRoomFor(bytes)) {
      await new Promise<void>((enter) => this.line.push({ bytes, enter }));
    } else this.take(bytes);
    void work().finally(() => this.leave(bytes));
  }

  async drained(): Promise<void> {
    while (this.works > 0) await new Promise<void>((resolve) => this.whenEmpty.push(resolve));
  }

  private take(bytes: number): void {
    this.bytes += bytes;
    this.works += 1;
  }

  private leave(bytes: number): void {
    this.bytes -= bytes;
    this.works -= 1;
    for (let next = this.line[0]; next && this.hasRoomFor(next.bytes); next = this.line[0]) {
      this.line.shift();
      // Taken here and not when it wakes: the next in line must not take the same room.
      this.take(next.bytes);
      next.enter();
    }
    if (this.works === 0) for (const resolve of this.whenEmpty.splice(0)) resolve();
  }

  private hasRoomFor(bytes: number): boolean {
    return this.works === 0 || (this.works < this.options.worksMax && this.bytes + bytes <= this.options.bytesMax);
  }
}
