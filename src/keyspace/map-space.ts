import { assert } from '../base/assert.js'
import { copyBytes } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { hashElement } from '../memory/element-hash.js'
import { ELEMENT_TABLE_WORDS, ElementTable } from '../memory/element-table.js'
import {
  byteOf,
  CLOCK_SHIFT,
  EXPIRY_DOT_WORD,
  EXPIRY_INDEX_WORD,
  EXPIRY_WORD,
  extrasWord,
  FLAGS_MASK,
  HASH_WORD,
  HAS_EXPIRY,
  HAS_EXTRAS,
  headerBytes,
  KEY_LENGTH_WORD,
  packDotHigh,
  packDotLow,
  TYPE_MASK,
  unpackMember,
  unpackStamp,
  VALUE_LENGTH_WORD,
  wordOf,
} from '../memory/record.js'
import { FIELD_EXPIRY_INDEX_WORD, type FieldExpiries } from './field-expiries.js'
import type { KeysAhead } from './keys-ahead.js'
import { LARGE, MAP_FLAGS_MASK } from './packed-map.js'
import { RecordSpace } from './record-space.js'

/**
 * The large form of a hash or set: its elements are records in an ElementTable. This is a lens: opened on a root, it is that collection as a space of
 * records, in which StringStore works as it does on keys.
 *
 * ```
 * word  0     LARGE, flags of the map
 *       1     elements that have a value, due ones included
 *       2..4  the table; see ElementTable
 *       5,6   heap of the elements with an expiry, and how many they are
 *       7     place in the database's FieldExpiries + 1, 0 = not there
 *       8     the key's bytes, for who removes what is due; only while it is there
 *       9,10  highest dot seen of each writing member, and how many they are
 *      11     unused
 *      12     f64: cursor of the walk that settles
 * ```
 *
 * The heap is ordered by the time at which this member may remove the element: when it is due if its expiry was made here, some seconds later if not,
 * never if it has no value.
 */
export const MapFlag = {
  /** As Redis, which does not turn a large collection into a small one again when it shrinks. */
  hashtable: 0x0100,
  /** A set that held a member which is no integer. */
  notIntegers: 0x0200,
  /** A hash that had a field with an expiry. */
  hadExpiry: 0x0400,
  /** Some elements may have counter contributions. */
  mayHaveCounters: 0x0800,
  /** Elements have become unsettled since the walk that settles began. */
  unsettled: 0x1000,
} as const

const ROOT_WORDS = 14
const VALUES = 1
const TABLE = 2
const HEAP = 5
const HEAP_COUNT = 6
const KEY = 8
const SEEN = 9
const SEEN_COUNT = 10
const CURSOR = 12

const NO_KEY = new Uint8Array(0)

export class MapSpace extends RecordSpace {
  private table: ElementTable
  private mapRoot: Ref = 0
  /** The root's words. */
  private words: Uint32Array = new Uint32Array(0)
  private w = 0
  /** Of the element looked up last. */
  private hash = 0

  constructor(
    arena: Arena,
    private readonly self: number,
    private readonly seed: number,
  ) {
    super(arena)
    this.table = new ElementTable(arena)
  }

  /** An empty collection; the space is opened on it. */
  create(arena: Arena, mapFlags: number): Ref {
    const root = arena.alloc(ROOT_WORDS * 4)
    const w = (root & UNIT_MASK) << 1
    arena.u32[root >>> CHUNK_SHIFT].fill(0, w, w + ROOT_WORDS)
    arena.u32[root >>> CHUNK_SHIFT][w] = LARGE | mapFlags
    this.open(arena, root)
    return root
  }

  open(arena: Arena, root: Ref): void {
    if (arena !== this.arena) {
      this.arena = arena
      this.table = new ElementTable(arena)
    }
    this.mapRoot = root
    this.words = arena.u32[root >>> CHUNK_SHIFT]
    this.w = (root & UNIT_MASK) << 1
  }

  /** Elements that have a value. */
  get values(): number {
    return this.words[this.w + VALUES]
  }

  /** All elements, also those that only wait. */
  get count(): number {
    return this.table.count(this.words, this.w + TABLE)
  }

  get expiring(): number {
    return this.words[this.w + HEAP_COUNT]
  }

  get mapFlags(): number {
    return this.words[this.w] & MAP_FLAGS_MASK
  }

  addMapFlags(flags: number): void {
    this.words[this.w] |= flags
  }

  clearMapFlags(flags: number): void {
    this.words[this.w] &= ~flags
  }

  lookup(buf: Uint8Array, off: number, len: number): Ref {
    this.hash = hashElement(this.seed, buf, off, len)
    return this.table.find(this.words, this.w + TABLE, this.hash, buf, off, len)
  }

  /** Looks the elements up that argument 2 of the commands ahead names. */
  lookAhead(ahead: KeysAhead): void {
    ahead.hashElements(this.seed, 2, 2)
    this.table.lookAhead(this.words, this.w + TABLE, ahead.lookups)
  }

  insert(flags: number, buf: Uint8Array, off: number, len: number, valueLength: number, clock: number): Ref {
    const arena = this.arena
    const header = headerBytes(flags)
    const ref = arena.alloc(header + len + valueLength)
    const words = arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    words[w] = flags | (clock << CLOCK_SHIFT)
    words[w + HASH_WORD] = this.hash
    words[w + KEY_LENGTH_WORD] = len
    words[w + VALUE_LENGTH_WORD] = valueLength
    copyBytes(buf, off, arena.u8[ref >>> CHUNK_SHIFT], byteOf(ref) + header, len)
    if ((flags & HAS_EXTRAS) !== 0) words[w + extrasWord(flags)] = 0
    this.table.insert(this.words, this.w + TABLE, ref)
    if ((flags & TYPE_MASK) !== 0) this.words[this.w + VALUES]++
    if ((flags & HAS_EXPIRY) !== 0) this.addExpiring(ref)
    return ref
  }

  remove(ref: Ref): void {
    const flags = this.flags(ref)
    if ((flags & HAS_EXPIRY) !== 0) this.removeExpiring(ref)
    if ((flags & TYPE_MASK) !== 0) this.words[this.w + VALUES]--
    this.table.remove(this.words, this.w + TABLE, ref)
    this.arena.free(ref)
  }

  /** True when clients see the element at a time (Unix ms). */
  isShown(ref: Ref, nowMs: number): boolean {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const flags = words[(ref & UNIT_MASK) << 1]
    if ((flags & TYPE_MASK) === 0) return false
    return (flags & HAS_EXPIRY) === 0 || this.arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + (EXPIRY_WORD >>> 1)] > nowMs
  }

  /** Any element, each with the same chance; there must be some. below(n) is uniform in 0 .. n-1. */
  random(below: (n: number) => number): Ref {
    return this.table.random(this.words, this.w + TABLE, below)
  }

  /** One step of a walk; see ElementTable.scan. The element is in `scanned`. */
  scan(cursor: number): number {
    return this.table.scan(this.words, this.w + TABLE, cursor)
  }

  get scanned(): Ref {
    return this.table.scanned
  }

  get settleCursor(): number {
    return this.arena.f64[this.mapRoot >>> CHUNK_SHIFT][(this.mapRoot & UNIT_MASK) + (CURSOR >>> 1)]
  }

  set settleCursor(cursor: number) {
    this.arena.f64[this.mapRoot >>> CHUNK_SHIFT][(this.mapRoot & UNIT_MASK) + (CURSOR >>> 1)] = cursor
  }

  markUnsettled(): void {
    this.words[this.w] |= MapFlag.unsettled
  }

  noteWrite(member: number, stamp: number): void {
    const { arena, words, w } = this
    const count = words[w + SEEN_COUNT]
    const seen = words[w + SEEN]
    const dots = arena.u32[seen >>> CHUNK_SHIFT]
    const at = (seen & UNIT_MASK) << 1
    for (let i = at; i < at + count * 2; i += 2) {
      if (unpackMember(dots[i]) !== member) continue
      if (unpackStamp(dots[i], dots[i + 1]) >= stamp) return
      dots[i] = packDotHigh(member, stamp)
      dots[i + 1] = packDotLow(stamp)
      return
    }
    let to = seen
    if (seen === 0 || (count + 1) * 8 > arena.sizeOf(seen)) {
      to = arena.alloc(Math.max(16, (count + 1) * 12))
      const t = (to & UNIT_MASK) << 1
      for (let i = 0; i < count * 2; i++) arena.u32[to >>> CHUNK_SHIFT][t + i] = dots[at + i]
      if (seen !== 0) arena.free(seen)
      words[w + SEEN] = to
    }
    const t = ((to & UNIT_MASK) << 1) + count * 2
    arena.u32[to >>> CHUNK_SHIFT][t] = packDotHigh(member, stamp)
    arena.u32[to >>> CHUNK_SHIFT][t + 1] = packDotLow(stamp)
    words[w + SEEN_COUNT] = count + 1
  }

  /** True when the context's origin had observed everything that was ever written here. */
  isObserved(context: ApplyContext): boolean {
    const { words, w } = this
    const seen = words[w + SEEN]
    const dots = this.arena.u32[seen >>> CHUNK_SHIFT]
    const at = (seen & UNIT_MASK) << 1
    for (let i = at; i < at + words[w + SEEN_COUNT] * 2; i += 2) {
      if (!context.covers(unpackMember(dots[i]), unpackStamp(dots[i], dots[i + 1]))) return false
    }
    return true
  }

  override setExpiry(ref: Ref, at: number, member: number, stamp: number): void {
    super.setExpiry(ref, at, member, stamp)
    this.sift(this.arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + EXPIRY_INDEX_WORD])
  }

  /** Time at which this member may remove the first of the elements, Infinity if never. */
  nextRemoval(): number {
    return this.expiring === 0 ? Infinity : this.removalTime(this.heapAt(0))
  }

  /** Visits up to so many elements that this member may remove now. */
  collectRemovable(nowMs: number, most: number, visit: (buf: Uint8Array, keyOff: number, keyLen: number) => void): void {
    const count = this.expiring
    if (count === 0) return
    const stack = [0]
    let visited = 0
    for (let place = stack.pop(); place !== undefined && visited < most; place = stack.pop()) {
      const ref = this.heapAt(place)
      if (this.removalTime(ref) > nowMs) continue
      visit(this.arena.u8[ref >>> CHUNK_SHIFT], this.keyOffset(ref), this.keyLength(ref))
      visited++
      if (place * 2 + 2 < count) stack.push(place * 2 + 2)
      if (place * 2 + 1 < count) stack.push(place * 2 + 1)
    }
  }

  /** Puts the collection where it belongs in the database's list of those with expiring fields. */
  register(expiries: FieldExpiries, key: Uint8Array, keyOff: number, keyLen: number): void {
    const { words, w, arena } = this
    if (this.expiring === 0) {
      this.unregister(expiries)
      return
    }
    if (words[w + KEY] === 0) {
      const copy = arena.alloc(4 + keyLen)
      arena.u32[copy >>> CHUNK_SHIFT][(copy & UNIT_MASK) << 1] = keyLen
      copyBytes(key, keyOff, arena.u8[copy >>> CHUNK_SHIFT], ((copy & UNIT_MASK) << 3) + 4, keyLen)
      words[w + KEY] = copy
    }
    expiries.put(this.mapRoot, this.nextRemoval())
  }

  /** The database forgets about the collection's expiring fields. */
  unregister(expiries: FieldExpiries): void {
    const { words, w } = this
    if (words[w + FIELD_EXPIRY_INDEX_WORD] !== 0) expiries.remove(this.mapRoot)
    if (words[w + KEY] !== 0) this.arena.free(words[w + KEY])
    words[w + KEY] = 0
  }

  /** A copy of the key that register was given. */
  registeredKey(): Uint8Array {
    const copy = this.words[this.w + KEY]
    if (copy === 0) return NO_KEY
    const start = ((copy & UNIT_MASK) << 3) + 4
    const length = this.arena.u32[copy >>> CHUNK_SHIFT][(copy & UNIT_MASK) << 1]
    return this.arena.u8[copy >>> CHUNK_SHIFT].slice(start, start + length)
  }

  /** Frees up to about `budget` elements of a collection that nothing refers to any more, and at last the root; true when all is freed. */
  free(budget: number): boolean {
    const { arena, words, w } = this
    for (let i = 0; i < budget; i++) {
      const ref = this.table.drain(words, w + TABLE)
      if (ref === 0) {
        for (const word of [HEAP, KEY, SEEN]) if (words[w + word] !== 0) arena.free(words[w + word])
        arena.free(this.mapRoot)
        return true
      }
      const extras = this.extras(ref)
      if (extras !== 0) arena.free(extras)
      arena.free(ref)
    }
    return false
  }

  /** Bytes beside the records: root, table, lists. */
  ownBytes(): number {
    const { arena, words, w } = this
    let bytes = arena.sizeOf(this.mapRoot) + this.table.tableBytes(words, w + TABLE)
    for (const word of [HEAP, KEY, SEEN]) if (words[w + word] !== 0) bytes += arena.sizeOf(words[w + word])
    return bytes
  }

  protected replaced(from: Ref, to: Ref): void {
    this.table.replace(this.words, this.w + TABLE, from, to)
  }

  protected setFlags(ref: Ref, flags: number): void {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    const hadExpiry = (words[w] & HAS_EXPIRY) !== 0
    const hadValue = (words[w] & TYPE_MASK) !== 0
    const hasValue = (flags & TYPE_MASK) !== 0
    words[w] = (words[w] & ~FLAGS_MASK) | flags
    if (hadValue === hasValue) return
    this.words[this.w + VALUES] += hasValue ? 1 : -1
    if (hadExpiry && (flags & HAS_EXPIRY) !== 0) this.sift(words[w + EXPIRY_INDEX_WORD])
  }

  protected addExpiring(ref: Ref): void {
    const { arena, words, w } = this
    const count = words[w + HEAP_COUNT]
    const old = words[w + HEAP]
    if (old === 0 || (count + 1) * 4 > arena.sizeOf(old)) {
      const grown = arena.alloc(Math.max(16, (count + 1) * 6))
      if (old !== 0) {
        const from = (old & UNIT_MASK) << 1
        const entries = arena.u32[old >>> CHUNK_SHIFT].subarray(from, from + count)
        arena.u32[grown >>> CHUNK_SHIFT].set(entries, (grown & UNIT_MASK) << 1)
        arena.free(old)
      }
      words[w + HEAP] = grown
    }
    words[w + HEAP_COUNT] = count + 1
    words[w] |= MapFlag.hadExpiry
    // Until setExpiry says when.
    const t = wordOf(ref)
    arena.f64[ref >>> CHUNK_SHIFT][(t + EXPIRY_WORD) >>> 1] = Infinity
    arena.u32[ref >>> CHUNK_SHIFT][t + EXPIRY_DOT_WORD] = 0
    this.setHeap(count, ref)
  }

  protected removeExpiring(ref: Ref): void {
    const { arena, words, w } = this
    const place = arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + EXPIRY_INDEX_WORD]
    assert(this.heapAt(place) === ref, 'heap of expiring elements out of step')
    const count = --words[w + HEAP_COUNT]
    if (place < count) {
      this.setHeap(place, this.heapAt(count))
      this.sift(place)
    }
    if (count === 0) {
      arena.free(words[w + HEAP])
      words[w + HEAP] = 0
    }
  }

  protected expiringMoved(to: Ref, index: number): void {
    this.setHeap(index, to)
  }

  private heapAt(place: number): Ref {
    const heap = this.words[this.w + HEAP]
    return this.arena.u32[heap >>> CHUNK_SHIFT][((heap & UNIT_MASK) << 1) + place]
  }

  private setHeap(place: number, ref: Ref): void {
    const heap = this.words[this.w + HEAP]
    this.arena.u32[heap >>> CHUNK_SHIFT][((heap & UNIT_MASK) << 1) + place] = ref
    this.arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + EXPIRY_INDEX_WORD] = place
  }

  /** When this member may remove an element that has an expiry, in Unix ms. */
  removalTime(ref: Ref): number {
    if ((this.flags(ref) & TYPE_MASK) === 0) return Infinity
    const at = this.expiresAt(ref)
    return this.expiryMember(ref) === this.self ? at : at + LIMITS.expiryTakeoverMs
  }

  /** Restores the heap's order after the element at a place has changed. */
  private sift(from: number): void {
    const count = this.expiring
    const ref = this.heapAt(from)
    const time = this.removalTime(ref)
    let place = from
    while (place > 0) {
      const above = (place - 1) >>> 1
      const other = this.heapAt(above)
      if (this.removalTime(other) <= time) break
      this.setHeap(place, other)
      place = above
    }
    for (;;) {
      let below = place * 2 + 1
      if (below >= count) break
      if (below + 1 < count && this.removalTime(this.heapAt(below + 1)) < this.removalTime(this.heapAt(below))) below++
      const other = this.heapAt(below)
      if (this.removalTime(other) >= time) break
      this.setHeap(place, other)
      place = below
    }
    this.setHeap(place, ref)
  }
}

assert(TABLE + ELEMENT_TABLE_WORDS === HEAP, 'table descriptor of another length')
