import type { StreamId } from '../crdt/stream-id.js'

/** Positions of entries, with a number for each: a list that is reused. */
export class StreamPositions {
  count = 0
  private ids = new Uint32Array(64)
  private regions: number[] = []
  private numbers: number[] = []

  clear(): this {
    this.count = 0
    return this
  }

  push(id: StreamId, region: number, number = 0): void {
    const at = this.count * 4
    if (at === this.ids.length) {
      const grown = new Uint32Array(at * 2)
      grown.set(this.ids)
      this.ids = grown
    }
    const { ids } = this
    ids[at] = id.msHigh
    ids[at + 1] = id.msLow
    ids[at + 2] = id.seqHigh
    ids[at + 3] = id.seqLow
    this.regions[this.count] = region
    this.numbers[this.count] = number
    this.count++
  }

  id(i: number, id: StreamId): StreamId {
    const at = i * 4
    return id.set(this.ids[at], this.ids[at + 1], this.ids[at + 2], this.ids[at + 3])
  }

  region(i: number): number {
    return this.regions[i]
  }

  number(i: number): number {
    return this.numbers[i]
  }

  setNumber(i: number, number: number): void {
    this.numbers[i] = number
  }
}
