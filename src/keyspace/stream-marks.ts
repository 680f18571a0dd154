import { compareBytes, copyBytes } from '../base/bytes.js'
import { DEFAULT_DURATION_S, DEFAULT_MAX_SIZE } from '../base/mark-settings.js'
import { compareIds, StreamId } from '../crdt/stream-id.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { INDEX_WORDS, IndexCursor, OrderIndex, type Ordering } from '../memory/order-index.js'
import { byteOf } from '../memory/record.js'
import type { StreamRoots } from './stream-root.js'

/**
 * What producers have added under names of their own: XADD IDMP. A mark says that a producer's message has become the entry of an ID; whoever sends the message
 * again gets that ID. See docs/decisions/0033.
 *
 * A mark is *live* while fewer than maxsize newer ones of its producer are there, and until some mark of the stream is newer by the duration: no clock
 * decides what a stream holds, so members that have applied the same agree. Marks that are not live are dropped when they are stable, the oldest of a
 * producer first: whoever removes something of the stream from then on has observed them.
 *
 * ```
 * block        words  0   index of the marks by producer, name, ID
 *                     6   index by producer, time
 *                    12   block of settings;  13  how many there are
 *                    17   marks ever made here;  18  messages that had come before
 *                    20   f64 time of the newest mark
 *
 * settings     words  0   f64 stamp;  2  member;  3  duration in seconds;  4  maxsize      of each member its newest, until they were observed by newer ones
 *
 * mark         words  0   ID
 *                     4   member;  5  length of the producer;  6  f64 stamp;  8  f64 Unix ms;  10  length of the name
 *                    11   producer, name
 * ```
 */
const BY_NAME = 0
const BY_TIME = INDEX_WORDS
const SETTINGS = 12
const SETTINGS_COUNT = 13
const SETTINGS_WORDS = 6
const ADDED = 17
const DUPLICATES = 18
const NEWEST_F64 = 10
const BLOCK_WORDS = 22

const MEMBER = 4
const PRODUCER_LENGTH = 5
const STAMP_F64 = 3
const TIME_F64 = 4
const NAME_LENGTH = 10
const BYTES = 44

const NO_SETTINGS: MarkSettings[] = []
/** Marks of one producer that one addition drops. */
const PRUNE_STEPS = 16
const MAX_U32 = 0xffffffff

interface Observed {
  covers(member: number, stamp: number): boolean
}

/** Settings with the dot of the XCFGSET that is in force. */
export interface MarkSettings {
  readonly member: number
  readonly stamp: number
  readonly durationS: number
  readonly maxSize: number
}

/** A mark as ranges of a buffer: to be looked for, added, or read. One is reused for many. */
export class Mark {
  buf: Uint8Array = new Uint8Array(0)
  producerOff = 0
  producerLen = 0
  nameOff = 0
  nameLen = 0
  readonly id = new StreamId()
  member = 0
  stamp = 0
  /** Unix ms. */
  time = 0

  /** A copy that stands in a buffer of its own. */
  clone(): Mark {
    const { buf, producerOff, producerLen, nameOff, nameLen } = this
    const mark = new Mark()
    mark.buf = new Uint8Array(producerLen + nameLen)
    copyBytes(buf, producerOff, mark.buf, 0, producerLen)
    copyBytes(buf, nameOff, mark.buf, producerLen, nameLen)
    mark.producerLen = mark.nameOff = producerLen
    mark.nameLen = nameLen
    mark.id.copyFrom(this.id)
    mark.member = this.member
    mark.stamp = this.stamp
    mark.time = this.time
    return mark
  }
}

export class StreamMarks {
  private readonly index: OrderIndex
  private readonly byName: NameOrdering
  private readonly byTime: TimeOrdering
  private readonly place = new IndexCursor()
  private readonly walking = new IndexCursor()
  private readonly sought = new Mark()

  constructor(
    private readonly arena: Arena,
    private readonly roots: StreamRoots,
  ) {
    this.index = new OrderIndex(arena)
    this.byName = new NameOrdering(arena)
    this.byTime = new TimeOrdering(arena)
  }

  durationS(root: Ref): number {
    return this.settings(root)?.durationS ?? DEFAULT_DURATION_S
  }

  maxSize(root: Ref): number {
    return this.settings(root)?.maxSize ?? DEFAULT_MAX_SIZE
  }

  /** The newest that somebody has made; null while nobody has. */
  settings(root: Ref): MarkSettings | null {
    let newest: MarkSettings | null = null
    for (const one of this.allSettings(root)) {
      if (newest === null || one.stamp > newest.stamp || (one.stamp === newest.stamp && one.member > newest.member)) newest = one
    }
    return newest
  }

  /** By member. */
  allSettings(root: Ref): MarkSettings[] {
    const block = this.roots.marks(root)
    if (block === 0) return NO_SETTINGS
    const count = this.words(block)[this.at(block) + SETTINGS_COUNT]
    if (count === 0) return NO_SETTINGS
    const ref = this.words(block)[this.at(block) + SETTINGS]
    const words = this.words(ref)
    const all: MarkSettings[] = []
    for (let i = 0, w = this.at(ref); i < count; i++, w += SETTINGS_WORDS) {
      const stamp = this.doubles(ref)[w >>> 1]
      all.push({ stamp, member: words[w + 2], durationS: words[w + 3], maxSize: words[w + 4] })
    }
    return all.sort((a, b) => a.member - b.member)
  }

  /** What its member made before is replaced. */
  set(root: Ref, settings: MarkSettings): void {
    const all = this.allSettings(root)
    const before = all.find(({ member }) => member === settings.member)
    if (before !== undefined && before.stamp >= settings.stamp) return
    this.putSettings(root, [...all.filter((one) => one !== before), settings])
  }

  private putSettings(root: Ref, all: readonly MarkSettings[]): void {
    const block = this.ensure(root)
    const words = this.words(block)
    const w = this.at(block)
    if (words[w + SETTINGS] !== 0) this.arena.free(words[w + SETTINGS])
    words[w + SETTINGS_COUNT] = all.length
    words[w + SETTINGS] = all.length === 0 ? 0 : this.arena.alloc(all.length * SETTINGS_WORDS * 4)
    const ref = words[w + SETTINGS]
    all.forEach(({ stamp, member, durationS, maxSize }, i) => {
      const at = this.at(ref) + i * SETTINGS_WORDS
      this.doubles(ref)[at >>> 1] = stamp
      this.words(ref).set([member, durationS, maxSize], at + 2)
    })
  }

  /** Time of the newest mark, 0 when there is none. */
  newest(root: Ref): number {
    const block = this.roots.marks(root)
    return block === 0 ? 0 : this.doubles(block)[(block & UNIT_MASK) + NEWEST_F64]
  }

  added(root: Ref): number {
    return this.counter(root, ADDED)
  }

  duplicates(root: Ref): number {
    return this.counter(root, DUPLICATES)
  }

  noteDuplicate(root: Ref): void {
    this.raise(this.roots.marks(root), DUPLICATES)
  }

  setCounters(root: Ref, added: number, duplicates: number): void {
    const block = this.ensure(root)
    this.words(block)[this.at(block) + ADDED] = Math.min(added, MAX_U32)
    this.words(block)[this.at(block) + DUPLICATES] = Math.min(duplicates, MAX_U32)
  }

  /** Adds a mark; one of the same member for the same entry replaces an older one. False when there was one that is as new. */
  add(root: Ref, mark: Mark): boolean {
    const block = this.ensure(root)
    const words = this.words(block)
    const w = this.at(block)
    const { index, place } = this
    if (index.find(words, w + BY_NAME, this.byName.of(mark), place)) {
      const ref = index.item(place)
      if (this.stampOf(ref) >= mark.stamp) return false
      this.removeMark(block, ref)
    }
    const ref = this.create(mark)
    index.insert(words, w + BY_NAME, this.byName.of(mark), ref, 1, place)
    index.insert(words, w + BY_TIME, this.byTime.of(mark), ref, 1, place)
    const doubles = this.doubles(block)
    const newest = (block & UNIT_MASK) + NEWEST_F64
    if (mark.time > doubles[newest]) doubles[newest] = mark.time
    return true
  }

  /** Time of a mark that is made at a Unix ms: not before the newest one, or it would be too old at once where that comes from a clock that is ahead. */
  timeOfNew(root: Ref, nowMs: number): number {
    return Math.max(nowMs, this.newest(root))
  }

  /** Counts a mark as made here. */
  noteAdded(root: Ref): void {
    this.raise(this.roots.marks(root), ADDED)
  }

  /**
   * Looks for the first entry of a producer's message, into mark.id; false when none is live. nowMs: what is older than the duration by the clock as
   * well is none; this is about the answer only, and not about what the stream holds.
   */
  find(root: Ref, mark: Mark, nowMs: number): boolean {
    const ref = this.answerTo(root, mark, nowMs)
    if (ref === 0) return false
    mark.id.copyFrom(this.read(ref, this.sought).id)
    return true
  }

  /** Whether a mark is what find gives for its producer and name. mark: what it says, which is read into it. */
  isAnswer(root: Ref, ref: Ref, mark: Mark, nowMs: number): boolean {
    const isFound = this.answerTo(root, this.read(ref, mark), nowMs) === ref
    this.read(ref, mark)
    return isFound
  }

  /** See find; changes the ID of the mark that is asked with. */
  private answerTo(root: Ref, mark: Mark, nowMs: number): Ref {
    const block = this.roots.marks(root)
    if (block === 0) return 0
    const { index, walking } = this
    mark.id.set(0, 0, 0, 0)
    mark.member = 0
    const words = this.words(block)
    index.find(words, this.at(block) + BY_NAME, this.byName.of(mark), walking)
    const oldest = nowMs - this.durationS(root) * 1000
    let ref = index.item(walking)
    while (ref !== 0 && this.isNamed(ref, mark)) {
      if (this.timeOf(ref) > oldest && this.isLive(root, ref)) return ref
      ref = index.next(walking)
    }
    return 0
  }

  /** Drops what is neither live nor unstable of the producer of a mark, and of the one that follows. True when something is left that will go. */
  prune(root: Ref, producer: Mark, stability: Observed): boolean {
    const block = this.roots.marks(root)
    if (block === 0) return false
    let isLeft = this.pruneOne(root, block, producer, stability)
    // A producer that has fallen silent has nobody else who looks after it.
    const { index, place } = this
    const words = this.words(block)
    const d = this.at(block) + BY_TIME
    index.find(words, d, this.byTime.endOf(producer), place)
    const next = index.item(place) || index.first(words, d, place)
    if (next !== 0) isLeft = this.pruneOne(root, block, this.producerOf(next), stability) || isLeft
    return isLeft
  }

  /** The same for all producers. */
  pruneAll(root: Ref, stability: Observed): boolean {
    const block = this.roots.marks(root)
    if (block === 0) return false
    const { index, place } = this
    let isLeft = false
    let ref = index.first(this.words(block), this.at(block) + BY_TIME, place)
    while (ref !== 0) {
      const producer = this.producerOf(ref)
      while (this.pruneOne(root, block, producer, stability)) {
        if (!this.isOldestStable(block, producer, stability)) {
          isLeft = true
          break
        }
      }
      index.find(this.words(block), this.at(block) + BY_TIME, this.byTime.endOf(producer), place)
      ref = index.item(place)
    }
    return isLeft
  }

  /** Takes out the marks that were observed. */
  clear(root: Ref, by: Observed): void {
    const block = this.roots.marks(root)
    if (block === 0) return
    const { index, place } = this
    const covered: Ref[] = []
    let newest = 0
    for (let ref = index.first(this.words(block), this.at(block) + BY_NAME, place); ref !== 0; ref = index.next(place)) {
      if (by.covers(this.memberOf(ref), this.stampOf(ref))) covered.push(ref)
      else newest = Math.max(newest, this.timeOf(ref))
    }
    for (const ref of covered) this.removeMark(block, ref)
    this.doubles(block)[(block & UNIT_MASK) + NEWEST_F64] = newest
  }

  /** The same of the marks whose names come behind one, up to another; how many, the origin sees to. The time of the newest is told by the clear that follows. */
  clearNames(root: Ref, by: Observed, behind: Mark, upTo: Mark): void {
    const block = this.roots.marks(root)
    if (block === 0) return
    const { index, place } = this
    const covered: Ref[] = []
    index.find(this.words(block), this.at(block) + BY_NAME, this.byName.behind(behind), place)
    for (let ref = index.item(place); ref !== 0 && this.byName.behind(upTo).compare(ref) > 0; ref = index.next(place)) {
      if (by.covers(this.memberOf(ref), this.stampOf(ref))) covered.push(ref)
    }
    for (const ref of covered) this.removeMark(block, ref)
  }

  /** Drops the settings that were observed. True when there are some that were not. */
  dropSettings(root: Ref, by: Observed): boolean {
    const all = this.allSettings(root)
    const left = all.filter(({ member, stamp }) => !by.covers(member, stamp))
    if (left.length < all.length) this.putSettings(root, left)
    return left.length > 0
  }

  /** Live producers and marks. nowMs as for find. */
  tracked(root: Ref, nowMs: number): { readonly producers: number; readonly marks: number } {
    const block = this.roots.marks(root)
    let producers = 0
    let marks = 0
    if (block === 0) return { producers, marks }
    const { index, place, sought } = this
    const words = this.words(block)
    const d = this.at(block) + BY_TIME
    const oldest = Math.max(nowMs, this.newest(root)) - this.durationS(root) * 1000
    let ref = index.first(words, d, place)
    while (ref !== 0) {
      this.read(ref, sought)
      sought.time = oldest
      const first = this.rank(words, d, this.byTime.behind(sought))
      const end = this.rank(words, d, this.byTime.endOf(sought))
      ref = index.item(place)
      if (end === first) continue
      producers++
      marks += Math.min(end - first, this.maxSize(root))
    }
    return { producers, marks }
  }

  /** Number of marks, live or not. */
  count(root: Ref): number {
    const block = this.roots.marks(root)
    return block === 0 ? 0 : this.index.count(this.words(block), this.at(block) + BY_NAME)
  }

  /** Goes to the first mark behind another one, by producer, name, ID and member; null: to the first. 0 at the end. */
  seek(root: Ref, behind: Mark | null, cursor: IndexCursor): Ref {
    const block = this.roots.marks(root)
    if (block === 0) return 0
    const { index } = this
    const words = this.words(block)
    const d = this.at(block) + BY_NAME
    if (behind === null) return index.first(words, d, cursor)
    return index.find(words, d, this.byName.of(behind), cursor) ? index.next(cursor) : index.item(cursor)
  }

  /** Goes to the first mark by producer and time; 0 when there is none. */
  firstByTime(root: Ref, cursor: IndexCursor): Ref {
    const block = this.roots.marks(root)
    return block === 0 ? 0 : this.index.first(this.words(block), this.at(block) + BY_TIME, cursor)
  }

  next(cursor: IndexCursor): Ref {
    return this.index.next(cursor)
  }

  /** What a mark says. Its ranges are good until a mark is added or removed. */
  read(ref: Ref, mark: Mark): Mark {
    const words = this.words(ref)
    const w = this.at(ref)
    mark.buf = this.arena.u8[ref >>> CHUNK_SHIFT]
    mark.producerOff = byteOf(ref) + BYTES
    mark.producerLen = words[w + PRODUCER_LENGTH]
    mark.nameOff = mark.producerOff + mark.producerLen
    mark.nameLen = words[w + NAME_LENGTH]
    mark.id.set(words[w], words[w + 1], words[w + 2], words[w + 3])
    mark.member = words[w + MEMBER]
    mark.stamp = this.stampOf(ref)
    mark.time = this.timeOf(ref)
    return mark
  }

  isLive(root: Ref, ref: Ref): boolean {
    if (this.timeOf(ref) <= this.newest(root) - this.durationS(root) * 1000) return false
    const block = this.roots.marks(root)
    const words = this.words(block)
    const d = this.at(block) + BY_TIME
    const mark = this.read(ref, this.sought)
    const rank = this.rank(words, d, this.byTime.of(mark))
    return this.rank(words, d, this.byTime.endOf(mark)) - rank <= this.maxSize(root)
  }

  bytes(root: Ref): number {
    const block = this.roots.marks(root)
    if (block === 0) return 0
    const { index, arena } = this
    const words = this.words(block)
    const w = this.at(block)
    const first = index.first(words, w + BY_NAME, this.place)
    const each = first === 0 ? 0 : arena.sizeOf(first)
    return arena.sizeOf(block) + index.nodeBytes(words, w) + index.nodeBytes(words, w + BY_TIME) + this.count(root) * each
  }

  /** Frees about so many marks; true when all have gone, and their block. */
  free(root: Ref, budget: number): boolean {
    const block = this.roots.marks(root)
    if (block === 0) return true
    const { index, place, arena } = this
    const words = this.words(block)
    const w = this.at(block)
    let left = budget
    // Those by time are places only.
    while (left > 0 && index.count(words, w + BY_TIME) > 0) left -= index.dropLastLeaf(words, w + BY_TIME)
    while (left > 0) {
      const last = index.last(words, w + BY_NAME, place)
      if (last === 0) break
      const { leaf } = place
      for (let ref = last; ref !== 0 && place.leaf === leaf; ref = index.previous(place)) arena.free(ref)
      left -= index.dropLastLeaf(words, w + BY_NAME)
    }
    if (index.count(words, w + BY_NAME) > 0) return false
    this.putSettings(root, NO_SETTINGS)
    arena.free(block)
    this.roots.setMarks(root, 0)
    return true
  }

  /** Drops the oldest marks of a producer while they are not live, some at most. True when the oldest that is left is not live either. */
  private pruneOne(root: Ref, block: Ref, producer: Mark, stability: Observed): boolean {
    const { index, place } = this
    const words = this.words(block)
    const d = this.at(block) + BY_TIME
    const oldest = this.newest(root) - this.durationS(root) * 1000
    let end = this.rank(words, d, this.byTime.endOf(producer))
    const begin = this.rank(words, d, this.byTime.beginOf(producer))
    let excess = end - begin - this.maxSize(root)
    for (let left = PRUNE_STEPS; begin < end; left--) {
      index.seekRank(words, d, begin, place)
      const ref = index.item(place)
      if (excess <= 0 && this.timeOf(ref) > oldest) return false
      if (left === 0 || !stability.covers(this.memberOf(ref), this.stampOf(ref))) return true
      this.removeMark(block, ref)
      excess--
      end--
    }
    return false
  }

  /** The producer of a mark, which may go: as bytes of its own. */
  private producerOf(ref: Ref): Mark {
    const mark = this.read(ref, new Mark())
    const { producerOff: off, producerLen: len } = mark
    mark.buf = mark.buf.slice(off, off + len)
    mark.producerOff = 0
    return mark
  }

  private isOldestStable(block: Ref, producer: Mark, stability: Observed): boolean {
    const { index, place } = this
    index.find(this.words(block), this.at(block) + BY_TIME, this.byTime.beginOf(producer), place)
    const ref = index.item(place)
    return ref !== 0 && stability.covers(this.memberOf(ref), this.stampOf(ref))
  }

  private rank(words: Uint32Array, d: number, ordering: Ordering): number {
    const { index, place } = this
    index.find(words, d, ordering, place)
    return index.item(place) === 0 ? index.count(words, d) : index.rank(words, d, place)
  }

  private removeMark(block: Ref, ref: Ref): void {
    const { index, place } = this
    const words = this.words(block)
    const w = this.at(block)
    const mark = this.read(ref, this.sought)
    if (index.find(words, w + BY_NAME, this.byName.of(mark), place)) index.remove(words, w + BY_NAME, place)
    if (index.find(words, w + BY_TIME, this.byTime.of(mark), place)) index.remove(words, w + BY_TIME, place)
    this.arena.free(ref)
  }

  private create(mark: Mark): Ref {
    const { arena } = this
    const ref = arena.alloc(BYTES + mark.producerLen + mark.nameLen)
    const words = this.words(ref)
    const w = this.at(ref)
    words[w] = mark.id.msHigh
    words[w + 1] = mark.id.msLow
    words[w + 2] = mark.id.seqHigh
    words[w + 3] = mark.id.seqLow
    words[w + MEMBER] = mark.member
    words[w + PRODUCER_LENGTH] = mark.producerLen
    words[w + NAME_LENGTH] = mark.nameLen
    const doubles = this.doubles(ref)
    doubles[(ref & UNIT_MASK) + STAMP_F64] = mark.stamp
    doubles[(ref & UNIT_MASK) + TIME_F64] = mark.time
    const bytes = arena.u8[ref >>> CHUNK_SHIFT]
    copyBytes(mark.buf, mark.producerOff, bytes, byteOf(ref) + BYTES, mark.producerLen)
    copyBytes(mark.buf, mark.nameOff, bytes, byteOf(ref) + BYTES + mark.producerLen, mark.nameLen)
    return ref
  }

  private ensure(root: Ref): Ref {
    const known = this.roots.marks(root)
    if (known !== 0) return known
    const block = this.arena.alloc(BLOCK_WORDS * 4)
    this.words(block).fill(0, this.at(block), this.at(block) + BLOCK_WORDS)
    this.roots.setMarks(root, block)
    return block
  }

  private counter(root: Ref, word: number): number {
    const block = this.roots.marks(root)
    return block === 0 ? 0 : this.words(block)[this.at(block) + word]
  }

  private raise(block: Ref, word: number): void {
    const words = this.words(block)
    const w = this.at(block) + word
    if (words[w] < MAX_U32) words[w]++
  }

  private isOf(ref: Ref, { buf, producerOff, producerLen }: Mark): boolean {
    const length = this.words(ref)[this.at(ref) + PRODUCER_LENGTH]
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    return compareRanges(buf, producerOff, producerLen, bytes, byteOf(ref) + BYTES, length) === 0
  }

  private isNamed(ref: Ref, mark: Mark): boolean {
    if (!this.isOf(ref, mark)) return false
    const { buf, nameOff, nameLen } = mark
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    const start = byteOf(ref) + BYTES + mark.producerLen
    return compareRanges(buf, nameOff, nameLen, bytes, start, this.words(ref)[this.at(ref) + NAME_LENGTH]) === 0
  }

  private memberOf(ref: Ref): number {
    return this.words(ref)[this.at(ref) + MEMBER]
  }

  private stampOf(ref: Ref): number {
    return this.doubles(ref)[(ref & UNIT_MASK) + STAMP_F64]
  }

  private timeOf(ref: Ref): number {
    return this.doubles(ref)[(ref & UNIT_MASK) + TIME_F64]
  }

  private words(ref: Ref): Uint32Array {
    return this.arena.u32[ref >>> CHUNK_SHIFT]
  }

  private doubles(ref: Ref): Float64Array {
    return this.arena.f64[ref >>> CHUNK_SHIFT]
  }

  private at(ref: Ref): number {
    return (ref & UNIT_MASK) << 1
  }
}

/** By producer, name, ID, member: what never changes of a mark. */
class NameOrdering implements Ordering {
  private mark!: Mark
  private isBehind = false

  constructor(private readonly arena: Arena) {}

  of(mark: Mark): this {
    this.mark = mark
    this.isBehind = false
    return this
  }

  /** Behind all that have the mark's name. */
  behind(mark: Mark): this {
    this.mark = mark
    this.isBehind = true
    return this
  }

  compare(item: Ref): number {
    const { mark, arena } = this
    const words = arena.u32[item >>> CHUNK_SHIFT]
    const bytes = arena.u8[item >>> CHUNK_SHIFT]
    const w = (item & UNIT_MASK) << 1
    const start = byteOf(item) + BYTES
    const length = words[w + PRODUCER_LENGTH]
    const byProducer = compareRanges(mark.buf, mark.producerOff, mark.producerLen, bytes, start, length)
    if (byProducer !== 0) return byProducer
    const byName = compareRanges(mark.buf, mark.nameOff, mark.nameLen, bytes, start + length, words[w + NAME_LENGTH])
    if (byName !== 0) return byName
    return this.isBehind ? 1 : compareEntry(mark, words, w)
  }
}

/** By producer, time, ID, member, and name: marks that a copy of a stream makes may have one ID. */
class TimeOrdering implements Ordering {
  private mark!: Mark
  /** Where the thing is among its producer's marks: -1 before all, 0 where it says itself, 1 behind all, 2 behind those of its time. */
  private side = 0

  constructor(private readonly arena: Arena) {}

  of(mark: Mark): this {
    return this.put(mark, 0)
  }

  beginOf(producer: Mark): this {
    return this.put(producer, -1)
  }

  endOf(producer: Mark): this {
    return this.put(producer, 1)
  }

  behind(mark: Mark): this {
    return this.put(mark, 2)
  }

  private put(mark: Mark, side: number): this {
    this.mark = mark
    this.side = side
    return this
  }

  compare(item: Ref): number {
    const { mark, arena, side } = this
    const words = arena.u32[item >>> CHUNK_SHIFT]
    const bytes = arena.u8[item >>> CHUNK_SHIFT]
    const w = (item & UNIT_MASK) << 1
    const start = byteOf(item) + BYTES
    const length = words[w + PRODUCER_LENGTH]
    const byProducer = compareRanges(mark.buf, mark.producerOff, mark.producerLen, bytes, start, length)
    if (byProducer !== 0) return byProducer
    if (side === -1 || side === 1) return side
    const byTime = mark.time - arena.f64[item >>> CHUNK_SHIFT][(item & UNIT_MASK) + TIME_F64]
    if (byTime !== 0) return byTime
    if (side === 2) return 1
    const byEntry = compareEntry(mark, words, w)
    if (byEntry !== 0) return byEntry
    return compareRanges(mark.buf, mark.nameOff, mark.nameLen, bytes, start + length, words[w + NAME_LENGTH])
  }
}

function compareEntry({ id, member }: Mark, words: Uint32Array, w: number): number {
  const order = compareIds(id.msHigh, id.msLow, id.seqHigh, id.seqLow, words[w], words[w + 1], words[w + 2], words[w + 3])
  return order !== 0 ? order : member - words[w + MEMBER]
}

function compareRanges(a: Uint8Array, aOff: number, aLen: number, b: Uint8Array, bOff: number, bLen: number): number {
  return compareBytes(a, aOff, aOff + aLen, b, bOff, bOff + bLen)
}
