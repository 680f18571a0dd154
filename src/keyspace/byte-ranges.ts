import { equalBytes } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import { hashElement } from '../memory/element-hash.js'

/** Arguments of a command, as ranges of one buffer: what a Request is to the stores. */
export interface ByteRanges {
  readonly buf: Uint8Array
  readonly off: Int32Array
  readonly len: Int32Array
}

/** Up to so many ranges are compared each with each. */
const COMPARED_PAIRWISE = 16

/**
 * Picks arguments of a command, each value once. One effect gives all that it writes one dot, so it must not write an element twice.
 */
export class DistinctRanges {
  /** Numbers of the arguments picked, in the order of the command. */
  picked = new Int32Array(64)
  count = 0
  private table = new Int32Array(0)

  /** The seed is to be secret where it matters to others than the client that brings the arguments how many of them collide. */
  constructor(private readonly seed = 0) {}

  /** Of arguments with the same bytes at first, first + step … the last one. */
  pickLast(args: ByteRanges, first: number, end: number, step: number): void {
    this.begin(Math.ceil((end - first) / step))
    // From the end, so that the last one is met first; then the picks are turned round.
    for (let i = end - 1 - ((end - 1 - first) % step); i >= first; i -= step) this.pick(args, i)
    this.turnRound()
  }

  /** The same, some hundred a step. */
  *pickLastInSteps(args: ByteRanges, first: number, end: number, step: number): Generator<undefined, void> {
    this.begin(Math.ceil((end - first) / step))
    let steps = 0
    for (let i = end - 1 - ((end - 1 - first) % step); i >= first; i -= step) {
      this.pick(args, i)
      if (++steps % LIMITS.slicedReadSeek === 0) yield
    }
    this.turnRound()
  }

  private turnRound(): void {
    const { picked } = this
    for (let low = 0, high = this.count - 1; low < high; low++, high--) {
      const swapped = picked[low]
      picked[low] = picked[high]
      picked[high] = swapped
    }
  }

  begin(most: number): void {
    this.count = 0
    if (most > this.picked.length) this.picked = new Int32Array(most)
    if (most <= COMPARED_PAIRWISE) {
      this.table = NO_TABLE
      return
    }
    this.table = new Int32Array(2 ** Math.ceil(Math.log2(most * 2)))
  }

  /** Picks an argument unless its value has been picked; true if it was. begin has said how many there may be. */
  pick(args: ByteRanges, i: number): boolean {
    return this.pickedFor(args, i) === i
  }

  /** The argument that was picked for the value of this one: this one if there was none. */
  pickedFor(args: ByteRanges, i: number): number {
    const { table } = this
    if (table.length === 0) {
      for (let p = 0; p < this.count; p++) if (isEqual(args, this.picked[p], i)) return this.picked[p]
    } else {
      const mask = table.length - 1
      let slot = hashElement(this.seed, args.buf, args.off[i], args.len[i]) & mask
      for (; table[slot] !== 0; slot = (slot + 1) & mask) if (isEqual(args, table[slot], i)) return table[slot]
      table[slot] = i
    }
    this.picked[this.count++] = i
    return i
  }

  /** True when a picked argument has this value. */
  includes(args: ByteRanges, buf: Uint8Array, off: number, len: number): boolean {
    const { table } = this
    if (table.length === 0) {
      for (let p = 0; p < this.count; p++) if (isRange(args, this.picked[p], buf, off, len)) return true
      return false
    }
    const mask = table.length - 1
    let slot = hashElement(this.seed, buf, off, len) & mask
    for (; table[slot] !== 0; slot = (slot + 1) & mask) if (isRange(args, table[slot], buf, off, len)) return true
    return false
  }
}

const NO_TABLE = new Int32Array(0)

function isEqual(args: ByteRanges, a: number, b: number): boolean {
  return isRange(args, a, args.buf, args.off[b], args.len[b])
}

function isRange(args: ByteRanges, i: number, buf: Uint8Array, off: number, len: number): boolean {
  return args.len[i] === len && equalBytes(args.buf, args.off[i], buf, off, len)
}
