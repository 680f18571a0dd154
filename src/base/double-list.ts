import { allocateDoubles } from './bytes.js'
import { GrowingRows } from './growing-rows.js'

/** Numbers, of which there may come to be very many. */
export class DoubleList {
  private readonly rows = new GrowingRows(allocateDoubles, 1)
  private count = 0

  get length(): number {
    return this.count
  }

  clear(): void {
    this.count = 0
    this.rows.clear()
  }

  push(value: number): void {
    const i = this.count++
    this.rows.makeRoom(i)[this.rows.placeOf(i)] = value
  }

  at(i: number): number {
    return this.rows.pieceOf(i)[this.rows.placeOf(i)]
  }

  set(i: number, value: number): void {
    this.rows.pieceOf(i)[this.rows.placeOf(i)] = value
  }
}
