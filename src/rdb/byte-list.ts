/**
 * Many byte strings in one buffer: what a payload holds must not become an object for each element, because a few compressed bytes can
 * stand for very many of them.
 */
export class ByteList {
  private bytes = new Uint8Array(0)
  private ends = new Uint32Array(0)
  private used = 0
  count = 0

  static of(items: Iterable<Uint8Array>): ByteList {
    const list = new ByteList()
    for (const item of items) list.push(item, 0, item.length)
    return list
  }

  push(buf: Uint8Array, off: number, len: number): void {
    if (this.used + len > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.used + len, this.bytes.length * 2))
      grown.set(this.bytes.subarray(0, this.used))
      this.bytes = grown
    }
    if (this.count === this.ends.length) {
      const grown = new Uint32Array(Math.max(4, this.count * 2))
      grown.set(this.ends)
      this.ends = grown
    }
    this.bytes.set(buf.subarray(off, off + len), this.used)
    this.used += len
    this.ends[this.count++] = this.used
  }

  /** Element i as a view; good until the next push. */
  at(i: number): Uint8Array {
    return this.bytes.subarray(i === 0 ? 0 : this.ends[i - 1], this.ends[i])
  }

  *[Symbol.iterator](): IterableIterator<Uint8Array> {
    for (let i = 0; i < this.count; i++) yield this.at(i)
  }
}
