/** Rows in one piece, as a power of two: so many that V8 keeps no account of a piece, which would have it mark for 5 ms and more in one step. */
const BITS = 15
const ROWS = 1 << BITS
const MASK = ROWS - 1
/** Rows that there is room for at first. */
const FIRST_ROWS = 4

/** Rows of some numbers each, which lie in pieces, so that what grows never moves megabytes in one step. */
export class GrowingRows<T extends Uint32Array | Float64Array> {
  private readonly pieces: T[] = []

  constructor(
    private readonly allocate: (numbers: number) => T,
    /** Numbers of a row. */
    private readonly width: number,
  ) {}

  /** The numbers among which row i is, from `placeOf` on. */
  pieceOf(i: number): T {
    return this.pieces[i >>> BITS]
  }

  placeOf(i: number): number {
    return (i & MASK) * this.width
  }

  /** As pieceOf, for the row that comes next: there is room for it then. */
  makeRoom(i: number): T {
    const { pieces, width } = this
    const piece = i >>> BITS
    const place = (i & MASK) * width
    if (piece === pieces.length) {
      pieces.push(this.allocate(width * (piece === 0 ? FIRST_ROWS : ROWS)))
    } else if (place === pieces[piece].length) {
      // Only the first one is ever smaller than a piece.
      const grown = this.allocate(2 * place)
      grown.set(pieces[piece])
      pieces[piece] = grown
    }
    return pieces[piece]
  }

  /** The rows begin anew. What many have needed is not kept for few. */
  clear(): void {
    if (this.pieces.length > 1) this.pieces.length = 1
  }
}
