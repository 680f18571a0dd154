import { allocateBytes, allocateWords, compareBytes, copyBytes } from '../base/bytes.js'
import { GrowingRows } from '../base/growing-rows.js'

/** Bytes of a piece, but for the first one, which grows, and for those that hold one element alone that is longer. */
const PIECE_BYTES = 512 * 1024
/** Numbers that say where an element is: the piece that it lies in, and where it ends there. */
const PLACE = 2

/**
 * Many byte strings: what a payload holds must not become an object for each element, because a few compressed bytes can stand for very many of them.
 * They lie in pieces, so that a list that grows never moves megabytes in one step.
 */
export class ByteList {
  private readonly pieces: Uint8Array[] = []
  /** Bytes that are taken of the last piece. */
  private used = 0
  /** An element begins where the one before it ends in the same piece, or at 0. */
  private readonly places = new GrowingRows(allocateWords, PLACE)
  count = 0

  static of(items: Iterable<Uint8Array>): ByteList {
    const list = new ByteList()
    for (const item of items) list.push(item, 0, item.length)
    return list
  }

  push(buf: Uint8Array, off: number, len: number): void {
    this.makeRoom(len)
    const { pieces, places } = this
    const piece = pieces.length - 1
    copyBytes(buf, off, pieces[piece], this.used, len)
    this.used += len
    const i = this.count++
    const numbers = places.makeRoom(i)
    const place = places.placeOf(i)
    numbers[place] = piece
    numbers[place + 1] = this.used
  }

  /** Pushes every element of another list. */
  pushAll(other: ByteList): void {
    for (let i = 0; i < other.count; i++) this.pushFrom(other, i)
  }

  /** Pushes element i of another list. */
  pushFrom(other: ByteList, i: number): void {
    const start = other.start(i)
    this.push(other.bytesOf(i), start, other.end(i) - start)
  }

  /** Element i as a view; good until the next push. */
  at(i: number): Uint8Array {
    return this.bytesOf(i).subarray(this.start(i), this.end(i))
  }

  /** The memory that element i lies in; good until the next push. */
  bytesOf(i: number): Uint8Array {
    return this.pieces[this.pieceOf(i)]
  }

  /** Where element i begins in that. */
  start(i: number): number {
    return i > 0 && this.pieceOf(i - 1) === this.pieceOf(i) ? this.end(i - 1) : 0
  }

  /** Where element i ends in that. */
  end(i: number): number {
    return this.places.pieceOf(i)[this.places.placeOf(i) + 1]
  }

  /** Order of two elements by their bytes, a beginning before what it begins. */
  compare(i: number, j: number): number {
    return compareBytes(this.bytesOf(i), this.start(i), this.end(i), this.bytesOf(j), this.start(j), this.end(j))
  }

  *[Symbol.iterator](): IterableIterator<Uint8Array> {
    for (let i = 0; i < this.count; i++) yield this.at(i)
  }

  private pieceOf(i: number): number {
    return this.places.pieceOf(i)[this.places.placeOf(i)]
  }

  /** Makes the last piece one that has room for an element of so many bytes. */
  private makeRoom(len: number): void {
    const { pieces } = this
    const last = pieces.length - 1
    if (last < 0) {
      pieces.push(new Uint8Array(Math.max(16, len)))
    } else if (this.used + len > pieces[last].length) {
      const bytes = Math.max(this.used + len, 2 * this.used)
      if (last === 0 && bytes <= PIECE_BYTES) {
        const grown = allocateBytes(bytes)
        grown.set(pieces[0].subarray(0, this.used))
        pieces[0] = grown
      } else {
        pieces.push(allocateBytes(Math.max(PIECE_BYTES, len)))
        this.used = 0
      }
    }
  }
}
