import { copyBytes } from '../base/bytes.js'
import { compareIds, type StreamId } from '../crdt/stream-id.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena } from '../memory/arena.js'
import { byteOf } from '../memory/record.js'

/**
 * Entries beyond a group's cursors that another member has acknowledged: intervals of one member's IDs, first and last one included, within which every
 * entry of that member that is here is done. They are sorted by member and ID and never overlap.
 *
 * ```
 * interval   member, first ID (4 words), last ID (4 words)
 * ```
 *
 * The block and the count of intervals stand in two words of the group's block: `words` at `w`.
 */
const INTERVAL_WORDS = 9
const FIRST = 1
const LAST = 5
const BLOCK = 0
const COUNT = 1
const MIN_CAPACITY = 4

export class DoneIntervals {
  constructor(private readonly arena: Arena) {}

  count(words: Uint32Array, w: number): number {
    return words[w + COUNT]
  }

  covers(words: Uint32Array, w: number, member: number, id: StreamId): boolean {
    if (words[w + COUNT] === 0) return false
    const i = this.before(words, w, member, id)
    return i >= 0 && this.memberAt(words, w, i) === member && this.compare(words, w, i, LAST, id) >= 0
  }

  /**
   * Adds one ID that is not covered. `previous` and `next` are the IDs of that member's neighbouring entries if they are known: an interval that ends or
   * begins there is extended.
   */
  add(words: Uint32Array, w: number, member: number, id: StreamId, previous: StreamId | null, next: StreamId | null): void {
    const i = this.before(words, w, member, id)
    const extendsBefore =
      previous !== null && i >= 0 && this.memberAt(words, w, i) === member && this.compare(words, w, i, LAST, previous) >= 0
    const after = i + 1
    const extendsAfter =
      next !== null &&
      after < words[w + COUNT] &&
      this.memberAt(words, w, after) === member &&
      this.compare(words, w, after, FIRST, next) <= 0
    if (extendsBefore && extendsAfter) {
      const block = this.words(words, w)
      const from = this.at(words, w, after) + LAST
      const to = this.at(words, w, i) + LAST
      block.copyWithin(to, from, from + 4)
      this.removeAt(words, w, after, 1)
    } else if (extendsBefore) {
      this.put(words, w, i, LAST, id)
    } else if (extendsAfter) {
      this.put(words, w, after, FIRST, id)
    } else {
      this.addInterval(words, w, member, id, id)
    }
  }

  /** Adds an interval that touches none of the member's others. */
  addInterval(words: Uint32Array, w: number, member: number, first: StreamId, last: StreamId): void {
    const i = this.before(words, w, member, first) + 1
    this.insertAt(words, w, i)
    this.words(words, w)[this.at(words, w, i)] = member
    this.put(words, w, i, FIRST, first)
    this.put(words, w, i, LAST, last)
  }

  /** Drops a member's intervals that end at or before an ID: the cursor has passed them. */
  drop(words: Uint32Array, w: number, member: number, upTo: StreamId): void {
    const count = words[w + COUNT]
    let first = 0
    while (first < count && this.memberAt(words, w, first) < member) first++
    let end = first
    while (end < count && this.memberAt(words, w, end) === member && this.compare(words, w, end, LAST, upTo) <= 0) end++
    if (end > first) this.removeAt(words, w, first, end - first)
  }

  /** Puts the first and the last ID of an interval into two; gives its member. */
  intervalAt(words: Uint32Array, w: number, i: number, first: StreamId, last: StreamId): number {
    const block = this.words(words, w)
    const at = this.at(words, w, i)
    const from = at + FIRST
    const to = at + LAST
    first.set(block[from], block[from + 1], block[from + 2], block[from + 3])
    last.set(block[to], block[to + 1], block[to + 2], block[to + 3])
    return block[at]
  }

  /** Calls back with each interval's member and last ID. */
  forEach(words: Uint32Array, w: number, id: StreamId, callback: (member: number) => void): void {
    for (let i = 0; i < words[w + COUNT]; i++) {
      const block = this.words(words, w)
      const at = this.at(words, w, i) + LAST
      id.set(block[at], block[at + 1], block[at + 2], block[at + 3])
      callback(this.memberAt(words, w, i))
    }
  }

  clear(words: Uint32Array, w: number): void {
    if (words[w + BLOCK] !== 0) this.arena.free(words[w + BLOCK])
    words[w + BLOCK] = 0
    words[w + COUNT] = 0
  }

  bytes(words: Uint32Array, w: number): number {
    return words[w + BLOCK] === 0 ? 0 : this.arena.sizeOf(words[w + BLOCK])
  }

  /** Index of the last interval that begins at or before an ID of a member, -1 when there is none. */
  private before(words: Uint32Array, w: number, member: number, id: StreamId): number {
    let low = 0
    let high = words[w + COUNT]
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.memberAt(words, w, middle)
      if (other < member || (other === member && this.compare(words, w, middle, FIRST, id) <= 0)) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  private words(words: Uint32Array, w: number): Uint32Array {
    return this.arena.u32[words[w + BLOCK] >>> CHUNK_SHIFT]
  }

  private at(words: Uint32Array, w: number, i: number): number {
    return ((words[w + BLOCK] & UNIT_MASK) << 1) + i * INTERVAL_WORDS
  }

  private memberAt(words: Uint32Array, w: number, i: number): number {
    return this.words(words, w)[this.at(words, w, i)]
  }

  /** How an end of an interval stands to an ID. */
  private compare(words: Uint32Array, w: number, i: number, end: number, id: StreamId): number {
    const block = this.words(words, w)
    const at = this.at(words, w, i) + end
    return compareIds(block[at], block[at + 1], block[at + 2], block[at + 3], id.msHigh, id.msLow, id.seqHigh, id.seqLow)
  }

  private put(words: Uint32Array, w: number, i: number, end: number, id: StreamId): void {
    const block = this.words(words, w)
    const at = this.at(words, w, i) + end
    block[at] = id.msHigh
    block[at + 1] = id.msLow
    block[at + 2] = id.seqHigh
    block[at + 3] = id.seqLow
  }

  /** Makes room for one more interval at an index. */
  private insertAt(words: Uint32Array, w: number, i: number): void {
    const { arena } = this
    const count = words[w + COUNT]
    const old = words[w + BLOCK]
    if (old === 0 || (count + 1) * INTERVAL_WORDS * 4 > arena.sizeOf(old)) {
      const grown = arena.alloc(Math.max(MIN_CAPACITY, count * 2) * INTERVAL_WORDS * 4)
      if (old !== 0) {
        const used = count * INTERVAL_WORDS * 4
        copyBytes(arena.u8[old >>> CHUNK_SHIFT], byteOf(old), arena.u8[grown >>> CHUNK_SHIFT], byteOf(grown), used)
        arena.free(old)
      }
      words[w + BLOCK] = grown
    }
    this.words(words, w).copyWithin(this.at(words, w, i + 1), this.at(words, w, i), this.at(words, w, count))
    words[w + COUNT] = count + 1
  }

  private removeAt(words: Uint32Array, w: number, i: number, howMany: number): void {
    const count = words[w + COUNT] - howMany
    if (count === 0) {
      this.clear(words, w)
      return
    }
    this.words(words, w).copyWithin(this.at(words, w, i), this.at(words, w, i + howMany), this.at(words, w, count + howMany))
    words[w + COUNT] = count
  }
}
