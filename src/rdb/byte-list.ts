import { allocateBytes, compareBytes, copyBytes } from '../base/bytes.js'

/** Room of more bytes is not cleared: of tens of megabytes at once that takes as many milliseconds. */
const CLEARED_BYTES = 64 * 1024

/**
 * Many byte strings in one buffer: what a payload holds must not become an object for each element, because a few compressed bytes can
 * stand for very many of them.
 */
export class ByteList {
  private bytes: Uint8Array = new Uint8Array(0)
  private ends: Uint32Array = new Uint32Array(0)
  private used = 0
  count = 0

  static of(items: Iterable<Uint8Array>): ByteList {
    const list = new ByteList()
    for (const item of items) list.push(item, 0, item.length)
    return list
  }

  /** Makes room for so many more bytes and elements. */
  expect(bytes: number, elements: number): void {
    this.reserve(bytes, elements)
  }

  push(buf: Uint8Array, off: number, len: number): void {
    this.reserve(len, 1)
    copyBytes(buf, off, this.bytes, this.used, len)
    this.used += len
    this.ends[this.count++] = this.used
  }

  /** Pushes every element of another list. */
  pushAll(other: ByteList): void {
    this.reserve(other.used, other.count)
    this.bytes.set(other.bytes.subarray(0, other.used), this.used)
    for (let i = 0; i < other.count; i++) this.ends[this.count + i] = this.used + other.ends[i]
    this.used += other.used
    this.count += other.count
  }

  /** Element i as a view; good until the next push. */
  at(i: number): Uint8Array {
    return this.bytes.subarray(i === 0 ? 0 : this.ends[i - 1], this.ends[i])
  }

  /** Where all elements stand; good until the next push. */
  get buf(): Uint8Array {
    return this.bytes
  }

  /** Where element i begins in `buf`. */
  start(i: number): number {
    return i === 0 ? 0 : this.ends[i - 1]
  }

  /** Where element i ends in `buf`. */
  end(i: number): number {
    return this.ends[i]
  }

  /** Order of two elements by their bytes, a beginning before what it begins. */
  compare(i: number, j: number): number {
    return compareBytes(this.bytes, this.start(i), this.ends[i], this.bytes, this.start(j), this.ends[j])
  }

  *[Symbol.iterator](): IterableIterator<Uint8Array> {
    for (let i = 0; i < this.count; i++) yield this.at(i)
  }

  private reserve(bytes: number, elements: number): void {
    if (this.used + bytes > this.bytes.length) {
      const grown = room(Math.max(this.used + bytes, this.bytes.length * 2))
      grown.set(this.bytes.subarray(0, this.used))
      this.bytes = grown
    }
    if (this.count + elements > this.ends.length) {
      const bytes = room(4 * Math.max(4, this.count + elements, this.count * 2))
      const grown = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
      grown.set(this.ends)
      this.ends = grown
    }
  }
}

function room(bytes: number): Uint8Array {
  return bytes <= CLEARED_BYTES ? new Uint8Array(bytes) : allocateBytes(bytes)
}
