import { copyBytes } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { packDotHigh, packDotLow, unpackMember, unpackStamp } from '../memory/record.js'

/**
 * A small sorted set in one block: members in the order of score and bytes, each with one dot and nothing else.
 *
 * ```
 * word 0   form (PACKED) | members << 8
 *      1   bytes in use
 *      2   base dot, as in record.ts: that of every member which has none of its own
 *      4   scores: f64 [members]
 *   then   for each member: length:u8 | OWN_DOT, [its dot: 8 bytes], its bytes
 * ```
 *
 * The scores stand apart so that they are aligned and can be searched. One object serves all blocks; index() finds where the entries of one begin.
 */
export const FORM_MASK = 0xff
export const PACKED = 1
export const LARGE = 2
const COUNT_SHIFT = 8
const BYTES_WORD = 1
const BASE_DOT_WORD = 2
const HEAD_BYTES = 16
const OWN_DOT = 0x80
const LENGTH_MASK = 0x7f
const DOT_BYTES = 8

export class PackedZset {
  /** After index: where in the chunk's bytes entry i begins. One more than there are entries: the end. */
  private readonly starts = new Uint32Array(LIMITS.packedElements + 1)

  constructor(private readonly arena: Arena) {}

  count(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) << 1] >>> COUNT_SHIFT
  }

  score(ref: Ref, i: number): number {
    return this.arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + 2 + i]
  }

  /** Finds where the entries begin, into `starts` (one more than there are). Gives how many there are. */
  index(ref: Ref, starts: Uint32Array): number {
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    const count = this.count(ref)
    let at = ((ref & UNIT_MASK) << 3) + HEAD_BYTES + count * 8
    for (let i = 0; i < count; i++) {
      starts[i] = at
      const head = bytes[at]
      at += 1 + (head & LENGTH_MASK) + ((head & OWN_DOT) !== 0 ? DOT_BYTES : 0)
    }
    starts[count] = at
    return count
  }

  /** Where the member's bytes begin, of an entry that begins at a place. */
  memberOff(ref: Ref, start: number): number {
    return start + 1 + ((this.arena.u8[ref >>> CHUNK_SHIFT][start] & OWN_DOT) !== 0 ? DOT_BYTES : 0)
  }

  memberLen(ref: Ref, start: number): number {
    return this.arena.u8[ref >>> CHUNK_SHIFT][start] & LENGTH_MASK
  }

  /** Index of a member, or -1. */
  find(ref: Ref, buf: Uint8Array, off: number, len: number): number {
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    const count = this.count(ref)
    let at = ((ref & UNIT_MASK) << 3) + HEAD_BYTES + count * 8
    for (let i = 0; i < count; i++) {
      const head = bytes[at]
      const length = head & LENGTH_MASK
      at += (head & OWN_DOT) !== 0 ? 1 + DOT_BYTES : 1
      if (length === len) {
        let j = 0
        while (j < len && bytes[at + j] === buf[off + j]) j++
        if (j === len) return i
      }
      at += length
    }
    return -1
  }

  dotMember(ref: Ref, i: number): number {
    return unpackMember(this.dotHigh(ref, i))
  }

  dotStamp(ref: Ref, i: number): number {
    return unpackStamp(this.dotHigh(ref, i), this.dotLow(ref, i))
  }

  /** A new block with no member. */
  create(member: number, stamp: number): Ref {
    const ref = this.arena.alloc(HEAD_BYTES + 24)
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    words[w] = PACKED
    words[w + BYTES_WORD] = HEAD_BYTES
    words[w + BASE_DOT_WORD] = packDotHigh(member, stamp)
    words[w + BASE_DOT_WORD + 1] = packDotLow(stamp)
    return ref
  }

  /** Adds a member that is not there. Gives the block it is in now. */
  insert(from: Ref, buf: Uint8Array, off: number, len: number, score: number, member: number, stamp: number): Ref {
    const { arena, starts } = this
    const high = packDotHigh(member, stamp)
    const low = packDotLow(stamp)
    const count = this.index(from, starts)
    const position = this.placeOf(from, count, score, buf, off, len)
    let ref = from
    let words = arena.u32[ref >>> CHUNK_SHIFT]
    let w = (ref & UNIT_MASK) << 1
    const own = words[w + BASE_DOT_WORD] !== high || words[w + BASE_DOT_WORD + 1] !== low
    const entryBytes = 1 + len + (own ? DOT_BYTES : 0)
    const used = words[w + BYTES_WORD]
    const need = used + 8 + entryBytes
    const start = w << 2
    const scoreAt = HEAD_BYTES + position * 8
    const entryAt = starts[position] - start
    if (need > arena.sizeOf(from)) {
      ref = arena.alloc(need)
      const to = arena.u8[ref >>> CHUNK_SHIFT]
      copyBytes(arena.u8[from >>> CHUNK_SHIFT], start, to, (ref & UNIT_MASK) << 3, used)
      arena.free(from)
      words = arena.u32[ref >>> CHUNK_SHIFT]
      w = (ref & UNIT_MASK) << 1
    }
    const bytes = arena.u8[ref >>> CHUNK_SHIFT]
    const base = w << 2
    bytes.copyWithin(base + entryAt + 8 + entryBytes, base + entryAt, base + used)
    bytes.copyWithin(base + scoreAt + 8, base + scoreAt, base + entryAt)
    arena.f64[ref >>> CHUNK_SHIFT][(base + scoreAt) >>> 3] = score
    let at = base + entryAt + 8
    bytes[at++] = len | (own ? OWN_DOT : 0)
    if (own) {
      writeWord(bytes, at, high)
      writeWord(bytes, at + 4, low)
      at += DOT_BYTES
    }
    copyBytes(buf, off, bytes, at, len)
    words[w] = PACKED | ((count + 1) << COUNT_SHIFT)
    words[w + BYTES_WORD] = need
    return ref
  }

  /** Takes member i out. Gives the block, 0 when it was the last one. */
  remove(ref: Ref, i: number): Ref {
    const { arena, starts } = this
    const count = this.index(ref, starts)
    if (count === 1) {
      arena.free(ref)
      return 0
    }
    const words = arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    const bytes = arena.u8[ref >>> CHUNK_SHIFT]
    const base = w << 2
    const used = words[w + BYTES_WORD]
    const entryBytes = starts[i + 1] - starts[i]
    const scoreAt = base + HEAD_BYTES + i * 8
    bytes.copyWithin(scoreAt, scoreAt + 8, starts[i])
    bytes.copyWithin(starts[i] - 8, starts[i + 1], base + used)
    words[w] = PACKED | ((count - 1) << COUNT_SHIFT)
    words[w + BYTES_WORD] = used - 8 - entryBytes
    return this.shrunk(ref)
  }

  /** Gives member i another score and dot. */
  setScore(ref: Ref, i: number, score: number, member: number, stamp: number): Ref {
    const { arena, starts } = this
    const count = this.index(ref, starts)
    const bytes = arena.u8[ref >>> CHUNK_SHIFT]
    const hasOwn = (bytes[starts[i]] & OWN_DOT) !== 0
    const staysBehind = i === 0 || this.score(ref, i - 1) < score
    const staysBefore = i === count - 1 || this.score(ref, i + 1) > score
    if (staysBehind && staysBefore && (hasOwn || count === 1)) {
      arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + 2 + i] = score
      const high = packDotHigh(member, stamp)
      if (hasOwn) {
        writeWord(bytes, starts[i] + 1, high)
        writeWord(bytes, starts[i] + 5, packDotLow(stamp))
      } else {
        const words = arena.u32[ref >>> CHUNK_SHIFT]
        const w = ((ref & UNIT_MASK) << 1) + BASE_DOT_WORD
        words[w] = high
        words[w + 1] = packDotLow(stamp)
      }
      return ref
    }
    // The member's bytes are moved by its removal, so they are kept aside.
    const off = this.memberOff(ref, starts[i])
    const len = bytes[starts[i]] & LENGTH_MASK
    copyBytes(bytes, off, aside, 0, len)
    const left = count === 1 ? this.create(member, stamp) : this.remove(ref, i)
    if (count === 1) arena.free(ref)
    return this.insert(left, aside, 0, len, score, member, stamp)
  }

  /** Index of the first member that does not come before this score and these bytes. */
  private placeOf(ref: Ref, count: number, score: number, buf: Uint8Array, off: number, len: number): number {
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.comesBefore(ref, middle, score, buf, off, len)) low = middle + 1
      else high = middle
    }
    return low
  }

  private comesBefore(ref: Ref, i: number, score: number, buf: Uint8Array, off: number, len: number): boolean {
    const other = this.score(ref, i)
    if (other !== score) return other < score
    const start = this.starts[i]
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    return compareRanges(bytes, this.memberOff(ref, start), bytes[start] & LENGTH_MASK, buf, off, len) < 0
  }

  private dotHigh(ref: Ref, i: number): number {
    return this.dotHighAt(ref, this.startOf(ref, i))
  }

  private dotLow(ref: Ref, i: number): number {
    return this.dotLowAt(ref, this.startOf(ref, i))
  }

  /** Words of the dot of an entry that begins at a place. */
  dotHighAt(ref: Ref, start: number): number {
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    if ((bytes[start] & OWN_DOT) !== 0) return readWord(bytes, start + 1)
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + BASE_DOT_WORD]
  }

  dotLowAt(ref: Ref, start: number): number {
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    if ((bytes[start] & OWN_DOT) !== 0) return readWord(bytes, start + 5)
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + BASE_DOT_WORD + 1]
  }

  private startOf(ref: Ref, i: number): number {
    this.index(ref, this.starts)
    return this.starts[i]
  }

  /** The same content in a smaller block when less than half is in use. */
  private shrunk(from: Ref): Ref {
    const { arena } = this
    const used = arena.u32[from >>> CHUNK_SHIFT][((from & UNIT_MASK) << 1) + BYTES_WORD]
    if (used * 2 > arena.sizeOf(from)) return from
    const ref = arena.alloc(used)
    copyBytes(
      arena.u8[from >>> CHUNK_SHIFT],
      (from & UNIT_MASK) << 3,
      arena.u8[ref >>> CHUNK_SHIFT],
      (ref & UNIT_MASK) << 3,
      used,
    )
    arena.free(from)
    return ref
  }
}

const aside = new Uint8Array(LIMITS.packedElementBytes)

/** As memcmp, a shorter one first among equals. */
export function compareRanges(a: Uint8Array, aOff: number, aLen: number, b: Uint8Array, bOff: number, bLen: number): number {
  const length = aLen < bLen ? aLen : bLen
  for (let i = 0; i < length; i++) {
    const difference = a[aOff + i] - b[bOff + i]
    if (difference !== 0) return difference
  }
  return aLen - bLen
}

function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word
  bytes[at + 1] = word >>> 8
  bytes[at + 2] = word >>> 16
  bytes[at + 3] = word >>> 24
}

function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}
