import { assert } from '../base/assert.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import { compareRuns, type ListPosition } from '../crdt/list-position.js'
import { CHUNK_SHIFT, UNIT_MASK, Arena, type Ref } from '../memory/arena.js'
import { byteOf, packDotHigh, packDotLow, unpackMember, unpackStamp, wordOf } from '../memory/record.js'
import {
  APART_BYTES,
  apartCount,
  apartRef,
  deltaOf,
  entryBefore,
  entryBytes,
  holeBytes,
  holeCount,
  isApart,
  isHole,
  putApart,
  putHole,
  putValue,
  readApart,
  valueEntryBytes,
  writeApart,
} from './list-entry.js'

/**
 * A chunk: neighbouring elements of one run in one arena block of at most 4 KiB, as entries (list-entry.ts) of consecutive indexes behind one another. There
 * is room before them, behind them, or both, so that pushes and pops at either end move nothing. The first and the last entry are elements, never
 * holes; a chunk is never empty.
 *
 * ```
 * word  0   flags : 6 | size of the block in units of 8 bytes : 10 | elements : 16
 *       1   begin of the entries : 16 | end : 16      bytes from the block's begin
 *       2   index of the first entry                  signed
 *       3   indexes from the first to the last entry
 *       4   index after the highest ever given out    if OWN_END
 *       5   lowest index ever given out               if OWN_BEGIN
 *       6   ref of the path block; 0 at the top level
 *       7   highest delta of any entry, or more; UNKNOWN_DELTA
 *       8   anchor: f64
 *      10   run: (member << 21) | (stamp >>> 32), stamp & 0xffffffff
 *      12   base stamp: f64
 * path      levels:u32 0:u32 { anchor:f64 run:2 u32 index:u32 0:u32 }     the levels above the run's own
 * ```
 *
 * OWN_BEGIN and OWN_END: the run was begun by this process, and this chunk stands at that end of it: the run may be gone on with. They are
 * not kept anywhere else, so a restarted member begins new runs.
 */
export const OWN_BEGIN = 2
export const OWN_END = 4
/** It may have entries with a block apart. */
const HAS_APART = 8
/** It may have elements with more than one value. */
const HAS_HIDDEN = 16
const FLAGS_MASK = 0x3f
const CAPACITY_SHIFT = 6
const CAPACITY_MASK = 0x3ff
/** Flags and size of the block. */
const LOW_MASK = 0xffff

const RANGE_WORD = 1
const FIRST_WORD = 2
const SPAN_WORD = 3
const END_WORD = 4
const BEGIN_WORD = 5
const PATH_WORD = 6
const MAX_DELTA_WORD = 7
const ANCHOR_DOUBLE = 4
const RUN_WORD = 10
const BASE_DOUBLE = 6
export const CHUNK_HEAD_BYTES = 56
const UNKNOWN_DELTA = 0xffffffff

export const MAX_CHUNK_BYTES = 4096
/** Of nextIndex: not one of the 32 bits that indexes have. */
export const NO_INDEX = 2 ** 32
/** Longest row of holes that a chunk takes rather than that a new chunk is begun. */
const MAX_GAP = 1 << 20
const PATH_LEVEL_WORDS = 6

/** Where a position is, as seek found: at an element, in a hole, or between entries (or beyond them). */
export const Found = { element: 0, hole: 1, between: 2 } as const
export type Found = (typeof Found)[keyof typeof Found]

/** Works on chunks of the arena that it is set to. A method that may move the chunk gives its reference. */
export class ListChunks {
  arena!: Arena
  /** Results of seek and skip: offset of an entry (or the end) in the arena chunk's bytes, and its index less the chunk's first one. */
  at = 0
  slot = 0

  /**
   * A chunk without entries; the caller puts the first one in at once. Run and parents are the position's, whose last level gives the index.
   * atEnd: the room is before the first entry, for a run that grows backwards.
   */
  create(position: ListPosition, base: number, bytes: number, flags: number, atEnd = false): Ref {
    const { arena } = this
    const last = position.depth - 1
    const path = last === 0 ? 0 : this.writePath(position)
    const ref = arena.alloc(bytes)
    const capacity = Arena.sizeFor(bytes)
    const words = arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    words[w] = flags | ((capacity >>> 3) << CAPACITY_SHIFT)
    const begin = atEnd ? capacity : CHUNK_HEAD_BYTES
    words[w + RANGE_WORD] = begin | (begin << 16)
    words[w + FIRST_WORD] = position.index
    words[w + SPAN_WORD] = 0
    words[w + END_WORD] = position.index + 1
    words[w + BEGIN_WORD] = position.index
    words[w + PATH_WORD] = path
    words[w + MAX_DELTA_WORD] = 0
    words[w + RUN_WORD] = packDotHigh(position.members[last], position.stamps[last])
    words[w + RUN_WORD + 1] = packDotLow(position.stamps[last])
    const doubles = arena.f64[ref >>> CHUNK_SHIFT]
    const d = ref & UNIT_MASK
    doubles[d + ANCHOR_DOUBLE] = position.anchors[last]
    doubles[d + BASE_DOUBLE] = base
    return ref
  }

  /** Frees a chunk with all that it refers to. */
  free(chunk: Ref): void {
    const { arena } = this
    if ((this.flags(chunk) & HAS_APART) !== 0) {
      const u8 = arena.u8[chunk >>> CHUNK_SHIFT]
      const end = this.end(chunk)
      for (let at = this.begin(chunk); at < end; at += entryBytes(u8, at)) if (isApart(u8, at)) arena.free(apartRef(u8, at))
    }
    const path = this.word(chunk, PATH_WORD)
    if (path !== 0) arena.free(path)
    arena.free(chunk)
  }

  count(chunk: Ref): number {
    return this.arena.u32[chunk >>> CHUNK_SHIFT][(chunk & UNIT_MASK) << 1] >>> 16
  }

  flags(chunk: Ref): number {
    return this.arena.u32[chunk >>> CHUNK_SHIFT][(chunk & UNIT_MASK) << 1] & FLAGS_MASK
  }

  /** It may have elements with hidden values. */
  hasHidden(chunk: Ref): boolean {
    return (this.flags(chunk) & HAS_HIDDEN) !== 0
  }

  noteHidden(chunk: Ref): void {
    this.setFlag(chunk, HAS_HIDDEN)
  }

  setFlag(chunk: Ref, flag: number): void {
    this.arena.u32[chunk >>> CHUNK_SHIFT][(chunk & UNIT_MASK) << 1] |= flag
  }

  private clearFlag(chunk: Ref, flag: number): void {
    this.arena.u32[chunk >>> CHUNK_SHIFT][(chunk & UNIT_MASK) << 1] &= ~flag
  }

  /** Where the first entry begins in the arena chunk's bytes. */
  begin(chunk: Ref): number {
    return byteOf(chunk) + (this.word(chunk, RANGE_WORD) & 0xffff)
  }

  end(chunk: Ref): number {
    return byteOf(chunk) + (this.word(chunk, RANGE_WORD) >>> 16)
  }

  firstIndex(chunk: Ref): number {
    return this.word(chunk, FIRST_WORD) | 0
  }

  /** Index of the last entry. */
  lastIndex(chunk: Ref): number {
    return (this.word(chunk, FIRST_WORD) | 0) + this.word(chunk, SPAN_WORD) - 1
  }

  /** Of an OWN_END chunk: the index after the highest that was ever given out in the run. */
  endIndex(chunk: Ref): number {
    return this.word(chunk, END_WORD) | 0
  }

  /** Of an OWN_BEGIN chunk: the lowest index that was ever given out in the run. */
  beginIndex(chunk: Ref): number {
    return this.word(chunk, BEGIN_WORD) | 0
  }

  /**
   * Index of the next element at the end of a top-level run that the chunk stands at the end of and this process may go on with, NO_INDEX if there is no
   * such run.
   */
  nextIndex(chunk: Ref): number {
    const words = this.arena.u32[chunk >>> CHUNK_SHIFT]
    const w = (chunk & UNIT_MASK) << 1
    return (words[w] & OWN_END) !== 0 && words[w + PATH_WORD] === 0 ? words[w + END_WORD] | 0 : NO_INDEX
  }

  /** Index of the next element before the beginning, likewise. */
  previousIndex(chunk: Ref): number {
    const words = this.arena.u32[chunk >>> CHUNK_SHIFT]
    const w = (chunk & UNIT_MASK) << 1
    return (words[w] & OWN_BEGIN) !== 0 && words[w + PATH_WORD] === 0 ? (words[w + BEGIN_WORD] | 0) - 1 : NO_INDEX
  }

  /** The anchor and the stamp of the chunk's own run; its member is `member`. */
  anchor(chunk: Ref): number {
    return this.arena.f64[chunk >>> CHUNK_SHIFT][(chunk & UNIT_MASK) + ANCHOR_DOUBLE]
  }

  runStamp(chunk: Ref): number {
    const words = this.arena.u32[chunk >>> CHUNK_SHIFT]
    const run = ((chunk & UNIT_MASK) << 1) + RUN_WORD
    return unpackStamp(words[run], words[run + 1])
  }

  /** The run goes on in another chunk, which stands at its end now. */
  passEnd(from: Ref, to: Ref): void {
    if ((this.flags(from) & OWN_END) === 0) return
    this.clearFlag(from, OWN_END)
    this.setFlag(to, OWN_END)
    const words = this.arena.u32[to >>> CHUNK_SHIFT]
    words[wordOf(to) + END_WORD] = Math.max(this.endIndex(from), this.endIndex(to))
  }

  passBegin(from: Ref, to: Ref): void {
    if ((this.flags(from) & OWN_BEGIN) === 0) return
    this.clearFlag(from, OWN_BEGIN)
    this.setFlag(to, OWN_BEGIN)
    const words = this.arena.u32[to >>> CHUNK_SHIFT]
    words[wordOf(to) + BEGIN_WORD] = Math.min(this.beginIndex(from), this.beginIndex(to))
  }

  isTopLevel(chunk: Ref): boolean {
    return this.word(chunk, PATH_WORD) === 0
  }

  /** Member whose run it is: of all dots that are not in blocks apart. */
  member(chunk: Ref): number {
    return unpackMember(this.word(chunk, RUN_WORD))
  }

  base(chunk: Ref): number {
    return this.arena.f64[chunk >>> CHUNK_SHIFT][(chunk & UNIT_MASK) + BASE_DOUBLE]
  }

  /** What a dot's delta in this chunk is; -1 when the dot cannot stand in it and needs a block apart. */
  delta(chunk: Ref, member: number, stamp: number): number {
    if (member !== this.member(chunk)) return -1
    return Math.max(-1, stamp - this.base(chunk))
  }

  /** The stamp that no dot in the chunk is above; Infinity when that is not known or when some dots are not its member's. */
  maxStamp(chunk: Ref): number {
    const delta = this.word(chunk, MAX_DELTA_WORD)
    return delta === UNKNOWN_DELTA || (this.flags(chunk) & HAS_APART) !== 0 ? Infinity : this.base(chunk) + delta
  }

  /** True when the context surely covers every dot in the chunk. */
  isCovered(chunk: Ref, context: ApplyContext): boolean {
    return context.local || context.covers(this.member(chunk), this.maxStamp(chunk))
  }

  /** The position of an index in the chunk's run. */
  position(chunk: Ref, index: number, to: ListPosition): ListPosition {
    const { arena } = this
    to.clear()
    const path = this.word(chunk, PATH_WORD)
    if (path !== 0) {
      const words = arena.u32[path >>> CHUNK_SHIFT]
      const doubles = arena.f64[path >>> CHUNK_SHIFT]
      const levels = words[wordOf(path)]
      for (let i = 0, w = wordOf(path) + 2; i < levels; i++, w += PATH_LEVEL_WORDS) {
        to.push(doubles[w >>> 1], unpackMember(words[w + 2]), unpackStamp(words[w + 2], words[w + 3]), words[w + 4] | 0)
      }
    }
    const words = arena.u32[chunk >>> CHUNK_SHIFT]
    const run = wordOf(chunk) + RUN_WORD
    const anchor = arena.f64[chunk >>> CHUNK_SHIFT][(chunk & UNIT_MASK) + ANCHOR_DOUBLE]
    return to.push(anchor, unpackMember(words[run]), unpackStamp(words[run], words[run + 1]), index)
  }

  /** The anchor of the top-level run that the chunk's elements belong to or are below. */
  topAnchor(chunk: Ref): number {
    const path = this.word(chunk, PATH_WORD)
    if (path === 0) return this.arena.f64[chunk >>> CHUNK_SHIFT][(chunk & UNIT_MASK) + ANCHOR_DOUBLE]
    return this.arena.f64[path >>> CHUNK_SHIFT][(path & UNIT_MASK) + 1]
  }

  /** Order of a position and the chunk's first element. */
  compare(position: ListPosition, chunk: Ref): number {
    const path = this.word(chunk, PATH_WORD)
    const level = path === 0 ? 0 : this.arena.u32[path >>> CHUNK_SHIFT][wordOf(path)]
    if (path !== 0) {
      const order = this.comparePath(position, path)
      if (order !== 0) return order
    }
    if (position.depth <= level) return -1
    return (
      this.compareRun(position, level, chunk) || position.indexes[level] - this.firstIndex(chunk) || position.depth - level - 1
    )
  }

  /** Level of the chunk's own run in positions that are in it or below it; -1 when the position is neither. */
  levelOf(position: ListPosition, chunk: Ref): number {
    const path = this.word(chunk, PATH_WORD)
    if (path !== 0 && this.comparePath(position, path) !== 0) return -1
    const level = path === 0 ? 0 : this.arena.u32[path >>> CHUNK_SHIFT][wordOf(path)]
    return position.depth > level && this.compareRun(position, level, chunk) === 0 ? level : -1
  }

  /** Looks for a position which the chunk's first element does not come after; sets at and slot to where it is or would be. */
  seek(chunk: Ref, position: ListPosition): Found {
    const level = this.levelOf(position, chunk)
    const span = this.word(chunk, SPAN_WORD)
    const slot = level < 0 ? span : position.indexes[level] - this.firstIndex(chunk)
    if (slot >= span) {
      this.at = this.end(chunk)
      this.slot = span
      return Found.between
    }
    this.seekSlot(chunk, slot)
    const u8 = this.arena.u8[chunk >>> CHUNK_SHIFT]
    const deeper = position.depth > level + 1
    if (!deeper) return isHole(u8, this.at) ? Found.hole : Found.element
    // Below an element, or below one that is gone: behind that.
    this.slot += isHole(u8, this.at) ? holeCount(u8, this.at) : 1
    this.at += entryBytes(u8, this.at)
    return Found.between
  }

  /** Sets at and slot to the entry that an index less the first one falls into, from the nearer end. */
  private seekSlot(chunk: Ref, slot: number): void {
    const u8 = this.arena.u8[chunk >>> CHUNK_SHIFT]
    const span = this.word(chunk, SPAN_WORD)
    if (slot * 2 < span) {
      let at = this.begin(chunk)
      let here = 0
      for (;;) {
        const length = isHole(u8, at) ? holeCount(u8, at) : 1
        if (slot < here + length) break
        here += length
        at += entryBytes(u8, at)
      }
      this.at = at
      this.slot = here
      return
    }
    let at = this.end(chunk)
    let here = span
    do {
      at = entryBefore(u8, at)
      here -= isHole(u8, at) ? holeCount(u8, at) : 1
    } while (here > slot)
    this.at = at
    this.slot = here
  }

  /** Sets at and slot to element number n of the chunk, holes not counted, from the nearer end. */
  seekElement(chunk: Ref, n: number): void {
    const u8 = this.arena.u8[chunk >>> CHUNK_SHIFT]
    const count = this.count(chunk)
    if (n * 2 < count) {
      let at = this.begin(chunk)
      let slot = 0
      for (let left = n; ; at += entryBytes(u8, at)) {
        if (isHole(u8, at)) {
          slot += holeCount(u8, at)
          continue
        }
        if (left-- === 0) break
        slot++
      }
      this.at = at
      this.slot = slot
      return
    }
    let at = this.end(chunk)
    let slot = this.word(chunk, SPAN_WORD)
    for (let left = count - n; left > 0;) {
      at = entryBefore(u8, at)
      if (isHole(u8, at)) {
        slot -= holeCount(u8, at)
      } else {
        slot--
        left--
      }
    }
    this.at = at
    this.slot = slot
  }

  /**
   * Puts an element behind the last one. apart is the block with its registers, or 0 when the element is the value from[off .. off+length) with a
   * dot of this delta. Gives the chunk, or 0, and nothing is done, when it has no room.
   */
  append(chunk: Ref, index: number, apart: Ref, delta: number, from: Uint8Array, off: number, length: number): Ref {
    let words = this.arena.u32[chunk >>> CHUNK_SHIFT]
    let w = wordOf(chunk)
    const gap = index - (words[w + FIRST_WORD] | 0) - words[w + SPAN_WORD]
    assert(gap >= 0, 'an element behind the last one has a lower index')
    if (gap > MAX_GAP) return 0
    const need = (apart === 0 ? valueEntryBytes(delta, length) : APART_BYTES) + (gap === 0 ? 0 : holeBytes(gap))
    let to = chunk
    if ((words[w + RANGE_WORD] >>> 16) + need > capacityOf(words[w])) {
      to = this.makeRoomAtEnd(chunk, need)
      if (to === 0) return 0
      words = this.arena.u32[to >>> CHUNK_SHIFT]
      w = wordOf(to)
    }
    const u8 = this.arena.u8[to >>> CHUNK_SHIFT]
    let at = byteOf(to) + (words[w + RANGE_WORD] >>> 16)
    if (gap > 0) at = putHole(u8, at, gap)
    at = apart === 0 ? putValue(u8, at, delta, from, off, length) : putApart(u8, at, apart)
    words[w] += 1 << 16
    words[w + RANGE_WORD] = (words[w + RANGE_WORD] & 0xffff) | ((at - byteOf(to)) << 16)
    words[w + SPAN_WORD] += gap + 1
    if (index >= (words[w + END_WORD] | 0)) words[w + END_WORD] = index + 1
    this.noteEntry(words, w, apart, delta)
    return to
  }

  /** Puts an element before the first one; as append. */
  prepend(chunk: Ref, index: number, apart: Ref, delta: number, from: Uint8Array, off: number, length: number): Ref {
    let words = this.arena.u32[chunk >>> CHUNK_SHIFT]
    let w = wordOf(chunk)
    const gap = words[w] >>> 16 === 0 ? 0 : (words[w + FIRST_WORD] | 0) - index - 1
    assert(gap >= 0, 'an element before the first one has a higher index')
    if (gap > MAX_GAP) return 0
    const need = (apart === 0 ? valueEntryBytes(delta, length) : APART_BYTES) + (gap === 0 ? 0 : holeBytes(gap))
    let to = chunk
    if ((words[w + RANGE_WORD] & 0xffff) - CHUNK_HEAD_BYTES < need) {
      to = this.makeRoomAtBegin(chunk, need)
      if (to === 0) return 0
      words = this.arena.u32[to >>> CHUNK_SHIFT]
      w = wordOf(to)
    }
    const u8 = this.arena.u8[to >>> CHUNK_SHIFT]
    const begin = (words[w + RANGE_WORD] & 0xffff) - need
    const at = byteOf(to) + begin
    const behind = apart === 0 ? putValue(u8, at, delta, from, off, length) : putApart(u8, at, apart)
    if (gap > 0) putHole(u8, behind, gap)
    words[w] += 1 << 16
    words[w + RANGE_WORD] = (words[w + RANGE_WORD] & ~0xffff) | begin
    words[w + FIRST_WORD] = index
    words[w + SPAN_WORD] += gap + 1
    if (index < (words[w + BEGIN_WORD] | 0)) words[w + BEGIN_WORD] = index
    this.noteEntry(words, w, apart, delta)
    return to
  }

  /** Writes another value in the place of the element at an offset. Gives the chunk, or 0 when it has no room. */
  replace(chunk: Ref, at: number, apart: Ref, delta: number, from: Uint8Array, off: number, length: number): Ref {
    const need = apart === 0 ? valueEntryBytes(delta, length) : APART_BYTES
    const to = this.splice(chunk, at, entryBytes(this.arena.u8[chunk >>> CHUNK_SHIFT], at), need)
    if (to === 0) return 0
    const u8 = this.arena.u8[to >>> CHUNK_SHIFT]
    if (apart === 0) putValue(u8, this.at, delta, from, off, length)
    else putApart(u8, this.at, apart)
    this.noteEntry(this.arena.u32[to >>> CHUNK_SHIFT], wordOf(to), apart, delta)
    return to
  }

  /** Puts an element into the hole at an offset, which begins at a slot. Gives the chunk, or 0 when it has no room. */
  fill(
    chunk: Ref,
    at: number,
    slot: number,
    index: number,
    apart: Ref,
    delta: number,
    from: Uint8Array,
    off: number,
    length: number,
  ): Ref {
    const count = holeCount(this.arena.u8[chunk >>> CHUNK_SHIFT], at)
    const before = index - this.firstIndex(chunk) - slot
    const after = count - before - 1
    const need =
      (before === 0 ? 0 : holeBytes(before)) +
      (apart === 0 ? valueEntryBytes(delta, length) : APART_BYTES) +
      (after === 0 ? 0 : holeBytes(after))
    const to = this.splice(chunk, at, holeBytes(count), need)
    if (to === 0) return 0
    const u8 = this.arena.u8[to >>> CHUNK_SHIFT]
    let p = this.at
    if (before > 0) p = putHole(u8, p, before)
    p = apart === 0 ? putValue(u8, p, delta, from, off, length) : putApart(u8, p, apart)
    if (after > 0) putHole(u8, p, after)
    const words = this.arena.u32[to >>> CHUNK_SHIFT]
    words[wordOf(to)] += 1 << 16
    this.noteEntry(words, wordOf(to), apart, delta)
    return to
  }

  /** Takes so many elements off the front, fewer than there are. Gives the chunk. */
  dropFirst(chunk: Ref, elements: number): Ref {
    const words = this.arena.u32[chunk >>> CHUNK_SHIFT]
    const u8 = this.arena.u8[chunk >>> CHUNK_SHIFT]
    const w = wordOf(chunk)
    let at = byteOf(chunk) + (words[w + RANGE_WORD] & 0xffff)
    let slots = 0
    for (let left = elements; left > 0 || isHole(u8, at);) {
      if (isHole(u8, at)) {
        slots += holeCount(u8, at)
      } else {
        if (isApart(u8, at)) this.arena.free(apartRef(u8, at))
        slots++
        left--
      }
      at += entryBytes(u8, at)
    }
    words[w] -= elements << 16
    words[w + RANGE_WORD] = (words[w + RANGE_WORD] & ~0xffff) | (at - byteOf(chunk))
    words[w + FIRST_WORD] += slots
    words[w + SPAN_WORD] -= slots
    return this.shrink(chunk)
  }

  /** Takes so many elements off the end, fewer than there are. Gives the chunk. */
  dropLast(chunk: Ref, elements: number): Ref {
    const words = this.arena.u32[chunk >>> CHUNK_SHIFT]
    const u8 = this.arena.u8[chunk >>> CHUNK_SHIFT]
    const w = wordOf(chunk)
    let at = byteOf(chunk) + (words[w + RANGE_WORD] >>> 16)
    let slots = 0
    for (let left = elements; ;) {
      const before = entryBefore(u8, at)
      if (isHole(u8, before)) {
        slots += holeCount(u8, before)
      } else {
        if (left-- === 0) break
        if (isApart(u8, before)) this.arena.free(apartRef(u8, before))
        slots++
      }
      at = before
    }
    words[w] -= elements << 16
    words[w + RANGE_WORD] = (words[w + RANGE_WORD] & 0xffff) | ((at - byteOf(chunk)) << 16)
    words[w + SPAN_WORD] -= slots
    return this.shrink(chunk)
  }

  /**
   * Removes what the context covers of the elements that `chosen` says, and leaves holes. Gives the chunk, or 0 when it has become empty and is
   * freed.
   * @param chosen asked once for each element, in order, with its offset and index.
   * @param asked called when all have been asked, while the chunk still stands where it stood.
   */
  remove(
    chunk: Ref,
    context: ApplyContext,
    chosen: (u8: Uint8Array, at: number, index: number) => boolean,
    asked?: () => void,
  ): Ref {
    const { arena } = this
    const words = arena.u32[chunk >>> CHUNK_SHIFT]
    const u8 = arena.u8[chunk >>> CHUNK_SHIFT]
    const w = wordOf(chunk)
    const end = this.end(chunk)
    const first = this.firstIndex(chunk)
    let begin = this.begin(chunk)
    let out = begin
    let slot = 0
    let holes = 0
    let kept = 0
    /** Slots before the first kept element, and up to the last one. */
    let lead = 0
    let reach = 0
    for (let at = begin; at < end;) {
      const size = entryBytes(u8, at)
      if (isHole(u8, at)) {
        const count = holeCount(u8, at)
        holes += count
        slot += count
        at += size
        continue
      }
      if (chosen(u8, at, first + slot) && this.takeAway(chunk, u8, at, context)) {
        holes++
        slot++
        at += size
        continue
      }
      if (kept === 0) {
        // What goes at the front is only passed over.
        begin = at
        out = at
        lead = holes
      } else if (holes > 0) {
        out = putHole(u8, out, holes)
      }
      holes = 0
      if (out !== at) u8.copyWithin(out, at, at + size)
      out += size
      kept++
      slot++
      reach = slot
      at += size
    }
    asked?.()
    if (kept === 0) {
      this.freeEmptied(chunk)
      return 0
    }
    const origin = byteOf(chunk)
    words[w] = (words[w] & LOW_MASK) | (kept << 16)
    words[w + RANGE_WORD] = (begin - origin) | ((out - origin) << 16)
    words[w + FIRST_WORD] = first + lead
    words[w + SPAN_WORD] = reach - lead
    return this.shrink(chunk)
  }

  /** Removes the covered values of an element; true when none is left. */
  private takeAway(chunk: Ref, u8: Uint8Array, at: number, context: ApplyContext): boolean {
    if (!isApart(u8, at)) {
      return context.local || context.covers(this.member(chunk), this.base(chunk) + deltaOf(u8, at))
    }
    const ref = apartRef(u8, at)
    const registers = context.local ? [] : readApart(this.arena, ref)
    const kept = registers.filter(({ member, stamp }) => !context.covers(member, stamp))
    if (kept.length === registers.length && kept.length > 0) return false
    this.arena.free(ref)
    if (kept.length === 0) return true
    putApart(u8, at, writeApart(this.arena, kept))
    return false
  }

  /** The highest dot of the element at an offset. */
  newestDot(chunk: Ref, at: number): { readonly member: number; readonly stamp: number } {
    const u8 = this.arena.u8[chunk >>> CHUNK_SHIFT]
    if (isApart(u8, at)) return readApart(this.arena, apartRef(u8, at))[0]
    return { member: this.member(chunk), stamp: this.base(chunk) + deltaOf(u8, at) }
  }

  /** Drops hidden values that are stable; true when some are left. */
  settle(chunk: Ref, stable: (member: number, stamp: number) => boolean): boolean {
    const { arena } = this
    const u8 = arena.u8[chunk >>> CHUNK_SHIFT]
    const end = this.end(chunk)
    let hidden = false
    for (let at = this.begin(chunk); at < end; at += entryBytes(u8, at)) {
      if (!isApart(u8, at) || apartCount(arena, apartRef(u8, at)) === 1) continue
      const ref = apartRef(u8, at)
      const registers = readApart(arena, ref)
      const kept = registers.filter(({ member, stamp }, i) => i === 0 || !stable(member, stamp))
      if (kept.length > 1) hidden = true
      if (kept.length === registers.length) continue
      arena.free(ref)
      putApart(u8, at, writeApart(arena, kept))
    }
    if (!hidden) this.clearFlag(chunk, HAS_HIDDEN)
    return hidden
  }

  /** The blocks apart are gone already. */
  private freeEmptied(chunk: Ref): void {
    const path = this.word(chunk, PATH_WORD)
    if (path !== 0) this.arena.free(path)
    this.arena.free(chunk)
  }

  /** Divides a chunk before the entry at an offset and slot, which must not be the first. Gives the chunk with the later elements. */
  split(chunk: Ref, at: number, slot: number, scratch: ListPosition): Ref {
    const { arena } = this
    const u8 = arena.u8[chunk >>> CHUNK_SHIFT]
    const end = this.end(chunk)
    let from = at
    let firstSlot = slot
    while (isHole(u8, from)) {
      firstSlot += holeCount(u8, from)
      from += entryBytes(u8, from)
    }
    assert(at > this.begin(chunk) && from < end, 'division of a chunk at its end')
    let moved = 0
    for (let p = from; p < end; p += entryBytes(u8, p)) if (!isHole(u8, p)) moved++
    const words = arena.u32[chunk >>> CHUNK_SHIFT]
    const w = wordOf(chunk)
    const flags = words[w] & FLAGS_MASK
    this.position(chunk, this.firstIndex(chunk) + firstSlot, scratch)
    const right = this.create(scratch, this.base(chunk), CHUNK_HEAD_BYTES + end - from, flags & ~OWN_BEGIN)
    arena.u8[right >>> CHUNK_SHIFT].set(u8.subarray(from, end), byteOf(right) + CHUNK_HEAD_BYTES)
    const rightWords = arena.u32[right >>> CHUNK_SHIFT]
    const r = wordOf(right)
    rightWords[r] |= moved << 16
    rightWords[r + RANGE_WORD] = CHUNK_HEAD_BYTES | ((CHUNK_HEAD_BYTES + end - from) << 16)
    rightWords[r + SPAN_WORD] = words[w + SPAN_WORD] - firstSlot
    rightWords[r + END_WORD] = words[w + END_WORD]
    rightWords[r + MAX_DELTA_WORD] = words[w + MAX_DELTA_WORD]
    let left = at
    let span = slot
    for (let before = entryBefore(u8, left); isHole(u8, before); before = entryBefore(u8, left)) {
      span -= holeCount(u8, before)
      left = before
    }
    words[w] = (words[w] & LOW_MASK & ~OWN_END) | (((words[w] >>> 16) - moved) << 16)
    words[w + RANGE_WORD] = (words[w + RANGE_WORD] & 0xffff) | ((left - byteOf(chunk)) << 16)
    words[w + SPAN_WORD] = span
    return right
  }

  /** Bytes of a chunk with all that it refers to. */
  bytes(chunk: Ref): number {
    const { arena } = this
    const path = this.word(chunk, PATH_WORD)
    let bytes = this.capacity(chunk) + (path === 0 ? 0 : arena.sizeOf(path))
    if ((this.flags(chunk) & HAS_APART) === 0) return bytes
    const u8 = arena.u8[chunk >>> CHUNK_SHIFT]
    const end = this.end(chunk)
    for (let at = this.begin(chunk); at < end; at += entryBytes(u8, at)) {
      if (isApart(u8, at)) bytes += arena.sizeOf(apartRef(u8, at))
    }
    return bytes
  }

  private noteEntry(words: Uint32Array, w: number, apart: Ref, delta: number): void {
    if (apart !== 0) words[w] |= HAS_APART
    else if (delta >= UNKNOWN_DELTA) words[w + MAX_DELTA_WORD] = UNKNOWN_DELTA
    else if (delta > words[w + MAX_DELTA_WORD]) words[w + MAX_DELTA_WORD] = delta
  }

  /** Bytes of the chunk's block. */
  private capacity(chunk: Ref): number {
    return capacityOf(this.arena.u32[chunk >>> CHUNK_SHIFT][(chunk & UNIT_MASK) << 1])
  }

  private word(ref: Ref, word: number): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + word]
  }

  private writePath(position: ListPosition): Ref {
    const levels = position.depth - 1
    const ref = this.arena.alloc((2 + levels * PATH_LEVEL_WORDS) * 4)
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const doubles = this.arena.f64[ref >>> CHUNK_SHIFT]
    let w = wordOf(ref)
    words[w] = levels
    words[w + 1] = 0
    w += 2
    for (let i = 0; i < levels; i++, w += PATH_LEVEL_WORDS) {
      doubles[w >>> 1] = position.anchors[i]
      words[w + 2] = packDotHigh(position.members[i], position.stamps[i])
      words[w + 3] = packDotLow(position.stamps[i])
      words[w + 4] = position.indexes[i]
      words[w + 5] = 0
    }
    return ref
  }

  /** Order of a position's first levels and a path; 0 also when the position has more levels. */
  private comparePath(position: ListPosition, path: Ref): number {
    const words = this.arena.u32[path >>> CHUNK_SHIFT]
    const doubles = this.arena.f64[path >>> CHUNK_SHIFT]
    let w = wordOf(path)
    const levels = words[w]
    w += 2
    for (let i = 0; i < levels; i++, w += PATH_LEVEL_WORDS) {
      if (i === position.depth) return -1
      const order =
        compareRuns(
          position.anchors[i],
          position.stamps[i],
          position.members[i],
          doubles[w >>> 1],
          unpackStamp(words[w + 2], words[w + 3]),
          unpackMember(words[w + 2]),
        ) || position.indexes[i] - (words[w + 4] | 0)
      if (order !== 0) return order
    }
    return 0
  }

  private compareRun(position: ListPosition, level: number, chunk: Ref): number {
    const words = this.arena.u32[chunk >>> CHUNK_SHIFT]
    const run = wordOf(chunk) + RUN_WORD
    return compareRuns(
      position.anchors[level],
      position.stamps[level],
      position.members[level],
      this.arena.f64[chunk >>> CHUNK_SHIFT][(chunk & UNIT_MASK) + ANCHOR_DOUBLE],
      unpackStamp(words[run], words[run + 1]),
      unpackMember(words[run]),
    )
  }

  /** The chunk with so many bytes of room behind its entries, which it has not yet, or 0. */
  private makeRoomAtEnd(chunk: Ref, need: number): Ref {
    const range = this.word(chunk, RANGE_WORD)
    const begin = range & 0xffff
    const end = range >>> 16
    const capacity = this.capacity(chunk)
    if (!this.worthMoving(end - begin, begin - CHUNK_HEAD_BYTES, need, capacity)) return 0
    return this.resize(chunk, need, false)
  }

  private makeRoomAtBegin(chunk: Ref, need: number): Ref {
    const range = this.word(chunk, RANGE_WORD)
    const begin = range & 0xffff
    const end = range >>> 16
    const capacity = this.capacity(chunk)
    if (!this.worthMoving(end - begin, capacity - end, need, capacity)) return 0
    return this.resize(chunk, need, true)
  }

  /** False when the block is as large as blocks get and so full that moving the entries would have to be done again soon. */
  private worthMoving(content: number, otherRoom: number, need: number, capacity: number): boolean {
    if (CHUNK_HEAD_BYTES + content + need > MAX_CHUNK_BYTES) return false
    return capacity < MAX_CHUNK_BYTES || otherRoom * 8 >= content
  }

  /** Takes `need` more bytes, and some to grow, to one side of the entries, in a block of another size if that is better. */
  private resize(chunk: Ref, need: number, atBegin: boolean): Ref {
    const { arena } = this
    const words = arena.u32[chunk >>> CHUNK_SHIFT]
    const w = wordOf(chunk)
    const begin = words[w + RANGE_WORD] & 0xffff
    const content = (words[w + RANGE_WORD] >>> 16) - begin
    const wanted = CHUNK_HEAD_BYTES + content + need
    // A short list would otherwise move with every push.
    const growth = (content + need) >>> (wanted < SMALL_BYTES ? 1 : 2)
    const size = Arena.sizeFor(Math.min(MAX_CHUNK_BYTES, wanted + growth))
    const to = size === this.capacity(chunk) ? chunk : arena.alloc(size)
    const newBegin = atBegin ? size - content : CHUNK_HEAD_BYTES
    const toBytes = arena.u8[to >>> CHUNK_SHIFT]
    const bytes = arena.u8[chunk >>> CHUNK_SHIFT]
    if (to === chunk) {
      bytes.copyWithin(byteOf(chunk) + newBegin, byteOf(chunk) + begin, byteOf(chunk) + begin + content)
    } else {
      toBytes.set(bytes.subarray(byteOf(chunk) + begin, byteOf(chunk) + begin + content), byteOf(to) + newBegin)
      const toWords = arena.u32[to >>> CHUNK_SHIFT]
      const t = wordOf(to)
      for (let i = 0; i < CHUNK_HEAD_BYTES >>> 2; i++) toWords[t + i] = words[w + i]
      toWords[t] = (toWords[t] & ~(CAPACITY_MASK << CAPACITY_SHIFT)) | ((size >>> 3) << CAPACITY_SHIFT)
      arena.free(chunk)
    }
    arena.u32[to >>> CHUNK_SHIFT][wordOf(to) + RANGE_WORD] = newBegin | ((newBegin + content) << 16)
    return to
  }

  /** Gives back room after removals, when three quarters of the block lie idle. */
  private shrink(chunk: Ref): Ref {
    const range = this.word(chunk, RANGE_WORD)
    const used = (range >>> 16) - (range & 0xffff)
    const capacity = this.capacity(chunk)
    if ((CHUNK_HEAD_BYTES + used) * 4 >= capacity || capacity <= SMALL_BYTES) return chunk
    return this.resize(chunk, used >>> 1, false)
  }

  /** Makes `size` bytes of `old` ones at an offset; the caller writes them at `this.at`. Gives the chunk, or 0 when there is no room. */
  private splice(chunk: Ref, at: number, old: number, size: number): Ref {
    const more = size - old
    const offset = at - this.begin(chunk)
    let to = chunk
    if (more > 0) {
      const range = this.word(chunk, RANGE_WORD)
      if ((range >>> 16) + more > this.capacity(chunk)) {
        if (CHUNK_HEAD_BYTES + (range >>> 16) - (range & 0xffff) + more > MAX_CHUNK_BYTES) return 0
        to = this.resize(chunk, more, false)
      }
    }
    const u8 = this.arena.u8[to >>> CHUNK_SHIFT]
    const words = this.arena.u32[to >>> CHUNK_SHIFT]
    const w = wordOf(to)
    const end = this.end(to)
    this.at = this.begin(to) + offset
    if (more !== 0) u8.copyWithin(this.at + size, this.at + old, end)
    words[w + RANGE_WORD] = (words[w + RANGE_WORD] & 0xffff) | ((end + more - byteOf(to)) << 16)
    return to
  }
}

/** Bytes of the block of a chunk, from its word 0. */
function capacityOf(word: number): number {
  return ((word >>> CAPACITY_SHIFT) & CAPACITY_MASK) << 3
}

/** Blocks of this size are not worth making smaller, and grow by a half. */
const SMALL_BYTES = 256
