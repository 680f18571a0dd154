import { allocateWords } from '../../base/bytes.js'
import type { DoubleList } from '../../base/double-list.js'
import type { ByteList } from '../../rdb/byte-list.js'

/**
 * The order of many numbers or byte strings, as a permutation. Radix sort over 64-bit keys: the number itself, or eight bytes of the string; what has equal keys is
 * ordered by the next eight bytes. A million elements take some tenths of a second this way, a comparing sort takes seconds. Stable. All of it goes in steps of
 * a thousand elements, or some hundred where their bytes are compared, between which others may have their turn.
 */
type Steps<T> = Generator<undefined, T>

/** Elements that a loop passes by between two steps, as a mask of its counter. */
const STEP_MASK = 0x3ff

/** Elements of runs that are ordered by their bytes between two steps: some 0.05 ms, twenty times that where comparing is new. */
const COMPARED_STEP = 128

/** Runs up to this are sorted by comparing. */
const SMALL_RUN = 96
/** Runs from here on are sorted by 16 bits at a time, shorter ones by 8: the counters must not cost more than the elements. */
const LARGE_RUN = 60_000
const KEY_BYTES = 8

/** Positions of so many elements in the order in which they stand. */
export function* asTheyStand(count: number): Steps<Uint32Array> {
  const order = allocateWords(count)
  for (let i = 0; i < count; i++) {
    order[i] = i
    if ((i & STEP_MASK) === STEP_MASK) yield
  }
  return order
}

/** Positions of elements in the order of their scores; elements with equal scores in the order of their bytes. descending: all of it the other way round. */
export function* orderByNumber(scores: DoubleList, elements: ByteList, descending: boolean): Steps<Uint32Array> {
  const sorter = new Sorter(elements, descending)
  yield* sorter.byNumber(scores)
  return sorter.order
}

/** Positions of elements in the order of their bytes. Equal ones stay as they are, also descending. */
export function* orderByBytes(keys: ByteList, descending: boolean): Steps<Uint32Array> {
  const sorter = new Sorter(keys, descending)
  yield* sorter.byText()
  return sorter.order
}

class Sorter {
  order: Uint32Array
  /** Keys of the elements at the same places of `order`; flipped when descending. */
  private high: Uint32Array
  private low: Uint32Array
  private otherOrder: Uint32Array
  private otherHigh: Uint32Array
  private otherLow: Uint32Array
  private readonly counts = new Uint32Array(1 << 16)
  private readonly flip: number
  /** Runs whose order is still open: from, to, depth of each. */
  private readonly runs: number[] = []

  constructor(
    private readonly strings: ByteList,
    private readonly descending: boolean,
  ) {
    const { count } = strings
    this.order = allocateWords(count)
    this.high = allocateWords(count)
    this.low = allocateWords(count)
    this.otherOrder = allocateWords(count)
    this.otherHigh = allocateWords(count)
    this.otherLow = allocateWords(count)
    this.flip = descending ? 0xffffffff : 0
  }

  *byNumber(scores: DoubleList): Steps<void> {
    yield* this.fill()
    const { high, low, flip } = this
    const count = scores.length
    const scratch = new DataView(new ArrayBuffer(8))
    for (let i = 0; i < count; i++) {
      if ((i & STEP_MASK) === STEP_MASK) yield
      // Adding 0 makes -0 the 0 that it is equal to.
      scratch.setFloat64(0, scores.at(i) + 0)
      const top = scratch.getUint32(0)
      const isNegative = top >= 0x80000000
      // The bits of doubles order like integers once negative ones are turned round.
      high[i] = (isNegative ? ~top : top ^ 0x80000000) ^ flip
      low[i] = (isNegative ? ~scratch.getUint32(4) : scratch.getUint32(4)) ^ flip
    }
    yield* this.sortRun(0, count, 0)
    yield* this.drain()
  }

  *byText(): Steps<void> {
    yield* this.fill()
    this.runs.push(0, this.order.length, 0)
    yield* this.drain()
  }

  private *fill(): Steps<void> {
    const { order, otherOrder, otherHigh, otherLow } = this
    for (let i = 0; i < order.length; i++) {
      order[i] = i
      // Touches memory in the order of its pages: a pass goes all over it, and would touch thousands of them in one step.
      otherOrder[i] = otherHigh[i] = otherLow[i] = 0
      if ((i & STEP_MASK) === STEP_MASK) yield
    }
  }

  /** Orders runs by their bytes until there are no more. On a list, not by recursion: common beginnings may be long. */
  private *drain(): Steps<void> {
    const { runs } = this
    let sorted = 0
    while (runs.length > 0) {
      const depth = runs.pop() ?? 0
      const to = runs.pop() ?? 0
      const from = runs.pop() ?? 0
      if (to - from <= SMALL_RUN) this.compareRun(from, to)
      else yield* this.byBytes(from, to, depth)
      sorted += to - from
      if (sorted >= COMPARED_STEP) {
        sorted = 0
        yield
      }
    }
  }

  /** Orders a run by the bytes from `begin` on; all in it have the same bytes before. */
  private *byBytes(from: number, to: number, begin: number): Steps<void> {
    const { order, strings, high, low, flip } = this
    for (let depth = begin; ; depth += KEY_BYTES) {
      let longest = 0
      let shortest = Infinity
      let same = true
      for (let i = from; i < to; i++) {
        if ((i & STEP_MASK) === STEP_MASK) yield
        const bytes = strings.bytesOf(order[i])
        const start = strings.start(order[i])
        const length = strings.end(order[i]) - start
        if (length > longest) longest = length
        if (length < shortest) shortest = length
        high[i] = word(bytes, start + depth, start + length) ^ flip
        low[i] = word(bytes, start + depth + 4, start + length) ^ flip
        same &&= high[i] === high[from] && low[i] === low[from]
      }
      if (longest <= depth) {
        // They differ at most in zero bytes at their ends, which the keys cannot tell from an end.
        if (shortest < longest) this.compareRun(from, to)
        return
      }
      if (same) continue
      yield* this.sortRun(from, to, depth + KEY_BYTES)
      return
    }
  }

  /** Sorts a run by the keys, and leaves what has equal keys to be ordered by its bytes from `depth` on. */
  private *sortRun(from: number, to: number, depth: number): Steps<void> {
    yield* this.radixSort(from, to)
    const { high, low, runs } = this
    let passed = from
    for (let start = from; start < to;) {
      if (start - passed > STEP_MASK) {
        passed = start
        yield
      }
      let end = start + 1
      while (end < to && high[end] === high[start] && low[end] === low[start]) end++
      if (end - start > 1) runs.push(start, end, depth)
      start = end
    }
  }

  private *radixSort(from: number, to: number): Steps<void> {
    const bits = to - from >= LARGE_RUN ? 16 : 8
    for (let shift = 0; shift < 32; shift += bits) yield* this.pass(from, to, false, shift, bits)
    for (let shift = 0; shift < 32; shift += bits) yield* this.pass(from, to, true, shift, bits)
  }

  /** One stable pass over a digit of the keys. */
  private *pass(from: number, to: number, isHigh: boolean, shift: number, bits: number): Steps<void> {
    const { counts, order, high, low, otherOrder, otherHigh, otherLow } = this
    const digits = isHigh ? high : low
    const mask = (1 << bits) - 1
    counts.fill(0, 0, mask + 1)
    for (let i = from; i < to; i++) {
      counts[(digits[i] >>> shift) & mask]++
      if ((i & STEP_MASK) === STEP_MASK) yield
    }
    // Nothing moves when all have the same digit.
    if (counts[(digits[from] >>> shift) & mask] === to - from) return
    for (let digit = 0, at = from; digit <= mask; digit++) {
      const count = counts[digit]
      counts[digit] = at
      at += count
    }
    for (let i = from; i < to; i++) {
      const at = counts[(digits[i] >>> shift) & mask]++
      otherOrder[at] = order[i]
      otherHigh[at] = high[i]
      otherLow[at] = low[i]
      if ((i & STEP_MASK) === STEP_MASK) yield
    }
    if (to - from === order.length) {
      this.order = otherOrder
      this.otherOrder = order
      this.high = otherHigh
      this.otherHigh = high
      this.low = otherLow
      this.otherLow = low
      return
    }
    order.set(otherOrder.subarray(from, to), from)
    high.set(otherHigh.subarray(from, to), from)
    low.set(otherLow.subarray(from, to), from)
  }

  private compareRun(from: number, to: number): void {
    const { strings } = this
    const sign = this.descending ? -1 : 1
    if (to - from < 2) return
    this.order.subarray(from, to).sort((a, b) => strings.compare(a, b) * sign || a - b)
  }
}

/** Four bytes as an integer, the first the highest; zeros for those from `end` on. */
function word(buf: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) return ((buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]) >>> 0
  let value = 0
  for (let i = at; i < at + 4; i++) value = (value << 8) | (i < end ? buf[i] : 0)
  return value >>> 0
}
