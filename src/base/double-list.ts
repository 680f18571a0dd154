/** Numbers in one piece, as a power of two. */
const BITS = 14
const PIECE = 1 << BITS
const MASK = PIECE - 1

/** Numbers in pieces, so that a list that grows never moves megabytes in one step. */
export class DoubleList {
  private readonly pieces: Float64Array[] = []
  private count = 0

  get length(): number {
    return this.count
  }

  clear(): void {
    this.count = 0
    // What many have needed is not kept for few.
    if (this.pieces.length > 1) this.pieces.length = 1
  }

  push(value: number): void {
    const i = this.count++
    const piece = i >>> BITS
    if (piece === this.pieces.length) {
      this.pieces.push(new Float64Array(piece === 0 ? 16 : PIECE))
    } else if ((i & MASK) === this.pieces[piece].length) {
      // Only the first one is ever smaller than a piece.
      const grown = new Float64Array(2 * i)
      grown.set(this.pieces[piece])
      this.pieces[piece] = grown
    }
    this.pieces[piece][i & MASK] = value
  }

  at(i: number): number {
    return this.pieces[i >>> BITS][i & MASK]
  }

  set(i: number, value: number): void {
    this.pieces[i >>> BITS][i & MASK] = value
  }
}
