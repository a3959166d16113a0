/** Which chunks of a blob are there: one bit each, the lowest bit of byte 0 is chunk 0. Bits past the end are zero. */

export class Bitmap {
  private constructor(
    readonly length: number,
    /** The bits as they are stored and sent. */
    readonly bytes: Uint8Array,
    private set: number,
  ) {}

  static empty(length: number): Bitmap {
    return new Bitmap(length, new Uint8Array(bitmapBytes(length)), 0);
  }

  static of(length: number, present: Iterable<number>): Bitmap {
    const bitmap = Bitmap.empty(length);
    for (const index of present) bitmap.add(index);
    return bitmap;
  }

  /** Undefined when the bytes cannot be a bitmap of that length. */
  static parse(length: number, bytes: Uint8Array): Bitmap | undefined {
    if (bytes.length !== bitmapBytes(length)) return undefined;
    const spare = bytes.length * 8 - length;
    if (spare > 0 && (bytes[bytes.length - 1] as number) >>> (8 - spare) !== 0) return undefined;
    let set = 0;
    for (const byte of bytes) for (let rest = byte; rest !== 0; rest &= rest - 1) set += 1;
    return new Bitmap(length, Uint8Array.from(bytes), set);
  }

  get count(): number {
    return this.set;
  }

  get isFull(): boolean {
    return this.set === this.length;
  }

  has(index: number): boolean {
    if (index < 0 || index >= this.length) return false;
    return ((this.bytes[index >>> 3] as number) & (1 << (index & 7))) !== 0;
  }

  add(index: number): void {
    if (!(index >= 0 && index < this.length)) throw new RangeError(`bit ${index} of ${this.length}`);
    if (this.has(index)) return;
    this.bytes[index >>> 3] = (this.bytes[index >>> 3] as number) | (1 << (index & 7));
    this.set += 1;
  }

  delete(index: number): void {
    if (!this.has(index)) return;
    this.bytes[index >>> 3] = (this.bytes[index >>> 3] as number) & ~(1 << (index & 7));
    this.set -= 1;
  }

  *missing(): Generator<number> {
    for (let index = 0; index < this.length; index++) if (!this.has(index)) yield index;
  }

  *present(): Generator<number> {
    for (let index = 0; index < this.length; index++) if (this.has(index)) yield index;
  }

  /** The other way round: what lacks becomes what is there. */
  inverted(): Bitmap {
    return Bitmap.of(this.length, this.missing());
  }

  copy(): Bitmap {
    return new Bitmap(this.length, Uint8Array.from(this.bytes), this.set);
  }
}

export function bitmapBytes(length: number): number {
  return Math.ceil(length / 8);
}
