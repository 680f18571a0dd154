import { DoubleList } from '../base/double-list.js'
import type { StreamId } from '../crdt/stream-id.js'

/** Positions in one piece, as a power of two. */
const BITS = 13
const PIECE = 1 << BITS
const MASK = PIECE - 1
/** Of the ID, and the region. */
const WORDS = 5

/** Positions of entries, with a number for each: a list that is reused. In pieces: to move those of a million entries when it grows takes too long for one step. */
export class StreamPositions {
  count = 0
  private readonly pieces: Uint32Array[] = []
  private readonly numbers = new DoubleList()

  clear(): this {
    this.count = 0
    this.numbers.clear()
    // What many have needed is not kept for few.
    if (this.pieces.length > 1) this.pieces.length = 1
    return this
  }

  push(id: StreamId, region: number, number = 0): void {
    const i = this.count
    const piece = i >>> BITS
    const at = (i & MASK) * WORDS
    if (piece === this.pieces.length) {
      this.pieces.push(new Uint32Array(WORDS * (piece === 0 ? 16 : PIECE)))
    } else if (at === this.pieces[piece].length) {
      // Only the first one is ever smaller than a piece.
      const grown = new Uint32Array(2 * at)
      grown.set(this.pieces[piece])
      this.pieces[piece] = grown
    }
    const words = this.pieces[piece]
    words[at] = id.msHigh
    words[at + 1] = id.msLow
    words[at + 2] = id.seqHigh
    words[at + 3] = id.seqLow
    words[at + 4] = region
    this.numbers.push(number)
    this.count = i + 1
  }

  id(i: number, id: StreamId): StreamId {
    const words = this.pieces[i >>> BITS]
    const at = (i & MASK) * WORDS
    return id.set(words[at], words[at + 1], words[at + 2], words[at + 3])
  }

  region(i: number): number {
    return this.pieces[i >>> BITS][(i & MASK) * WORDS + 4]
  }

  number(i: number): number {
    return this.numbers.at(i)
  }

  setNumber(i: number, number: number): void {
    this.numbers.set(i, number)
  }
}
