import { allocateWords } from '../base/bytes.js'
import { DoubleList } from '../base/double-list.js'
import { GrowingRows } from '../base/growing-rows.js'
import type { StreamId } from '../crdt/stream-id.js'

/** Of the ID, and the region. */
const WORDS = 5

/** Positions of entries, with a number for each: a list that is reused. */
export class StreamPositions {
  count = 0
  private readonly rows = new GrowingRows(allocateWords, WORDS)
  private readonly numbers = new DoubleList()

  clear(): this {
    this.count = 0
    this.rows.clear()
    this.numbers.clear()
    return this
  }

  push(id: StreamId, region: number, number = 0): void {
    const i = this.count++
    const words = this.rows.makeRoom(i)
    const at = this.rows.placeOf(i)
    words[at] = id.msHigh
    words[at + 1] = id.msLow
    words[at + 2] = id.seqHigh
    words[at + 3] = id.seqLow
    words[at + 4] = region
    this.numbers.push(number)
  }

  id(i: number, id: StreamId): StreamId {
    const words = this.rows.pieceOf(i)
    const at = this.rows.placeOf(i)
    return id.set(words[at], words[at + 1], words[at + 2], words[at + 3])
  }

  region(i: number): number {
    return this.rows.pieceOf(i)[this.rows.placeOf(i) + 4]
  }

  /** How the positions of two stand to each other. */
  compare(i: number, j: number): number {
    const a = this.rows.pieceOf(i)
    const b = this.rows.pieceOf(j)
    const from = this.rows.placeOf(i)
    const to = this.rows.placeOf(j)
    for (let k = 0; k < WORDS; k++) if (a[from + k] !== b[to + k]) return a[from + k] - b[to + k]
    return 0
  }

  number(i: number): number {
    return this.numbers.at(i)
  }

  setNumber(i: number, number: number): void {
    this.numbers.set(i, number)
  }
}
