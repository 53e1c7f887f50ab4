/** A growing buffer that binary messages are written into. Pure; nothing here knows netlink. */

/** Fields are written at the end, in the host's byte order (little-endian on every platform we ship) unless named `be`. */
export class Writer {
  private buffer: Uint8Array = new Uint8Array(256);
  private view: DataView = new DataView(this.buffer.buffer);
  private used = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.used;
  }

  private reserve(count: number): number {
    const at = this.used;
    if (at + count > this.buffer.length) {
      const bigger = new Uint8Array(Math.max(this.buffer.length * 2, at + count));
      bigger.set(this.buffer);
      this.buffer = bigger;
      this.view = new DataView(bigger.buffer);
    }
    this.used += count;
    return at;
  }

  u8(value: number): this {
    const at = this.reserve(1);
    this.view.setUint8(at, value);
    return this;
  }
  u16(value: number): this {
    const at = this.reserve(2);
    this.view.setUint16(at, value, true);
    return this;
  }
  u32(value: number): this {
    const at = this.reserve(4);
    this.view.setUint32(at, value, true);
    return this;
  }
  u16be(value: number): this {
    const at = this.reserve(2);
    this.view.setUint16(at, value, false);
    return this;
  }
  u32be(value: number): this {
    const at = this.reserve(4);
    this.view.setUint32(at, value, false);
    return this;
  }
  bytes(value: Uint8Array): this {
    const at = this.reserve(value.length);
    this.buffer.set(value, at);
    return this;
  }
  /** Zeros up to the next multiple of `boundary`. */
  align(boundary: number): this {
    const over = this.used % boundary;
    if (over !== 0) this.reserve(boundary - over);
    return this;
  }

  /** Overwrites two bytes written before: a length known only now. */
  setU16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }
  /** Overwrites four bytes written before. */
  setU32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  /** What has been written; a view that later writes may leave behind. */
  done(): Uint8Array {
    return this.buffer.subarray(0, this.used);
  }
}
