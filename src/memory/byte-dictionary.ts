import { assert } from '../base/assert.js'
import { equalBytes } from '../base/bytes.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from './arena.js'
import type { LookupsAhead } from './lookups-ahead.js'
import { HASH_WORD, headerBytes, KEY_LENGTH_WORD } from './record.js'

/**
 * Hash table from key bytes to records, all in the arena: open addressing with linear probing over one word a slot, beside a dense
 * array of the records, which gives O(1) random choice and a walk that removals do not disturb.
 *
 * ```
 * slot word    0 = empty, 1 = deleted, else (hash & ~mask) | (dense index + 2)      mask = capacity - 1
 * ```
 *
 * The low bits of the hash choose the slot; its high bits stay in the word as a tag, so a probe touches a record only when the tag fits.
 *
 * A table is six words anywhere in a Uint32Array (its descriptor), so that thousands of tables cost no object each.
 */
export const TABLE_WORDS = 6
const SLOTS = 0
const CAPACITY = 1
const DENSE = 2
const DENSE_CAPACITY = 3
const COUNT = 4
/** Slots that are not empty, deleted ones included: they lengthen probes until the next rebuild. */
const FILL = 5

const MIN_CAPACITY = 8
const DELETED = 1
const FIRST_INDEX = 2

export class ByteDictionary {
  /** Slot position and dense index of the last record found; for removal and replacement right after. */
  private foundSlot = 0
  private foundIndex = 0

  constructor(private readonly arena: Arena) {}

  count(table: Uint32Array, t: number): number {
    return table[t + COUNT]
  }

  /** Bytes that the table itself takes. */
  tableBytes(table: Uint32Array, t: number): number {
    if (table[t + SLOTS] === 0) return 0
    return this.arena.sizeOf(table[t + SLOTS]) + this.arena.sizeOf(table[t + DENSE])
  }

  /** The record with this key, or 0. Allocates nothing. */
  find(table: Uint32Array, t: number, hash: number, buf: Uint8Array, off: number, len: number): Ref {
    const slotsRef = table[t + SLOTS]
    if (slotsRef === 0) return 0
    const arena = this.arena
    const mask = table[t + CAPACITY] - 1
    const tag = (hash & ~mask) >>> 0
    const slots = arena.u32[slotsRef >>> CHUNK_SHIFT]
    const base = (slotsRef & UNIT_MASK) << 1
    const denseRef = table[t + DENSE]
    for (let pos = hash & mask; ; pos = (pos + 1) & mask) {
      const word = slots[base + pos]
      if (word === 0) return 0
      if ((word & ~mask) >>> 0 !== tag || (word & mask) < FIRST_INDEX) continue
      const index = (word & mask) - FIRST_INDEX
      const ref = arena.u32[denseRef >>> CHUNK_SHIFT][((denseRef & UNIT_MASK) << 1) + index]
      const words = arena.u32[ref >>> CHUNK_SHIFT]
      const w = (ref & UNIT_MASK) << 1
      if (words[w + KEY_LENGTH_WORD] !== len) continue
      const keyAt = ((ref & UNIT_MASK) << 3) + headerBytes(words[w])
      if (equalBytes(arena.u8[ref >>> CHUNK_SHIFT], keyAt, buf, off, len)) {
        this.foundSlot = pos
        this.foundIndex = index
        return ref
      }
    }
  }

  /**
   * Goes several lookups' ways together, so that what they read is in the processor's cache: a lookup waits for memory at each of its three steps, and those of different
   * lookups can wait at the same time. So each step is worked out for all of them first, and then taken by all of them (docs/decisions/0043).
   */
  lookAhead(tables: Uint32Array, ahead: LookupsAhead): void {
    const { count, hash, table, refs, index, chunk, at } = ahead
    const { u32 } = this.arena
    for (let i = 0; i < count; i++) {
      const slotsRef = tables[table[i] + SLOTS]
      chunk[i] = slotsRef >>> CHUNK_SHIFT
      at[i] = slotsRef === 0 ? 0 : ((slotsRef & UNIT_MASK) << 1) + (hash[i] & (tables[table[i] + CAPACITY] - 1))
    }
    ahead.touch(u32)
    for (let i = 0; i < count; i++) {
      index[i] = this.likely(tables, table[i], hash[i])
      const denseRef = index[i] < 0 ? 0 : tables[table[i] + DENSE]
      chunk[i] = denseRef >>> CHUNK_SHIFT
      at[i] = denseRef === 0 ? 0 : ((denseRef & UNIT_MASK) << 1) + index[i]
    }
    ahead.touch(u32)
    for (let i = 0; i < count; i++) {
      const ref = index[i] < 0 ? 0 : u32[chunk[i]][at[i]]
      refs[i] = ref
      chunk[i] = ref >>> CHUNK_SHIFT
      at[i] = (ref & UNIT_MASK) << 1
    }
    ahead.touch(u32)
    // The value of one that is short.
    ahead.touchBehind(u32)
  }

  /** Dense index of the record that a key with this hash most likely has, by the tag of its slot; -1 for none. */
  private likely(tables: Uint32Array, t: number, hash: number): number {
    const slotsRef = tables[t + SLOTS]
    if (slotsRef === 0) return -1
    const mask = tables[t + CAPACITY] - 1
    const tag = (hash & ~mask) >>> 0
    const slots = this.arena.u32[slotsRef >>> CHUNK_SHIFT]
    const base = (slotsRef & UNIT_MASK) << 1
    for (let pos = hash & mask; ; pos = (pos + 1) & mask) {
      const word = slots[base + pos]
      if (word === 0) return -1
      if ((word & ~mask) >>> 0 === tag && (word & mask) >= FIRST_INDEX) return (word & mask) - FIRST_INDEX
    }
  }

  /** Record at a dense index, 0 .. count-1. */
  at(table: Uint32Array, t: number, index: number): Ref {
    const dense = table[t + DENSE]
    return this.arena.u32[dense >>> CHUNK_SHIFT][((dense & UNIT_MASK) << 1) + index]
  }

  /** Adds a record whose key is not in the table; its hash word must be set. */
  insert(table: Uint32Array, t: number, ref: Ref): void {
    const count = table[t + COUNT]
    if (table[t + SLOTS] === 0) this.create(table, t)
    if ((table[t + FILL] + 1) * 5 > table[t + CAPACITY] * 4) this.rebuild(table, t, count + 1)
    if (count === table[t + DENSE_CAPACITY]) this.growDense(table, t, count + 1)
    const dense = table[t + DENSE]
    this.arena.u32[dense >>> CHUNK_SHIFT][((dense & UNIT_MASK) << 1) + count] = ref
    table[t + COUNT] = count + 1
    this.place(table, t, ref, count)
    table[t + FILL]++
  }

  /** The record moved to another block, with the same key. */
  replace(table: Uint32Array, t: number, from: Ref, to: Ref): void {
    this.locate(table, t, from)
    const dense = table[t + DENSE]
    this.arena.u32[dense >>> CHUNK_SHIFT][((dense & UNIT_MASK) << 1) + this.foundIndex] = to
  }

  /** Takes a record out; its block stays the caller's. The last record of the dense array takes its place. */
  remove(table: Uint32Array, t: number, ref: Ref): void {
    this.locate(table, t, ref)
    const arena = this.arena
    const slotsRef = table[t + SLOTS]
    const slots = arena.u32[slotsRef >>> CHUNK_SHIFT]
    const base = (slotsRef & UNIT_MASK) << 1
    const mask = table[t + CAPACITY] - 1
    const slot = this.foundSlot
    const index = this.foundIndex
    const last = table[t + COUNT] - 1
    // A deleted mark is needed only if a probe could have gone past this slot.
    if (slots[base + ((slot + 1) & mask)] === 0) {
      slots[base + slot] = 0
      table[t + FILL]--
    } else {
      slots[base + slot] = DELETED
    }
    const denseRef = table[t + DENSE]
    const dense = arena.u32[denseRef >>> CHUNK_SHIFT]
    const denseBase = (denseRef & UNIT_MASK) << 1
    if (index !== last) {
      const moved = dense[denseBase + last]
      this.locate(table, t, moved)
      slots[base + this.foundSlot] = ((slots[base + this.foundSlot] & ~mask) | (index + FIRST_INDEX)) >>> 0
      dense[denseBase + index] = moved
    }
    table[t + COUNT] = last
    if (last === 0) this.clear(table, t)
    else if (table[t + CAPACITY] > MIN_CAPACITY * 4 && last * 8 < table[t + CAPACITY]) this.rebuild(table, t, last)
  }

  /**
   * Takes the last record out of a table that is to be freed: of the rest nothing can be found or changed any more, only drained. 0 when all are out;
   * then the table's own blocks are freed.
   */
  drain(table: Uint32Array, t: number): Ref {
    if (table[t + COUNT] === 0) {
      this.clear(table, t)
      return 0
    }
    return this.at(table, t, --table[t + COUNT])
  }

  /** Frees the table's own blocks; the records are the caller's. */
  clear(table: Uint32Array, t: number): void {
    if (table[t + SLOTS] === 0) return
    this.arena.free(table[t + SLOTS])
    this.arena.free(table[t + DENSE])
    table.fill(0, t, t + TABLE_WORDS)
  }

  /** Finds the slot and the dense index of a record that is in the table. */
  private locate(table: Uint32Array, t: number, ref: Ref): void {
    const arena = this.arena
    const hash = arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + HASH_WORD]
    const slotsRef = table[t + SLOTS]
    assert(slotsRef !== 0, 'record is in no table')
    const mask = table[t + CAPACITY] - 1
    const tag = (hash & ~mask) >>> 0
    const slots = arena.u32[slotsRef >>> CHUNK_SHIFT]
    const base = (slotsRef & UNIT_MASK) << 1
    const denseRef = table[t + DENSE]
    const dense = arena.u32[denseRef >>> CHUNK_SHIFT]
    const denseBase = (denseRef & UNIT_MASK) << 1
    for (let pos = hash & mask; ; pos = (pos + 1) & mask) {
      const word = slots[base + pos]
      assert(word !== 0, 'record is not in its table')
      if ((word & ~mask) >>> 0 !== tag || (word & mask) < FIRST_INDEX) continue
      const index = (word & mask) - FIRST_INDEX
      if (dense[denseBase + index] !== ref) continue
      this.foundSlot = pos
      this.foundIndex = index
      return
    }
  }

  /** Writes a slot for a record that stands at a dense index. */
  private place(table: Uint32Array, t: number, ref: Ref, index: number): void {
    const arena = this.arena
    const hash = arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + HASH_WORD]
    const slotsRef = table[t + SLOTS]
    const mask = table[t + CAPACITY] - 1
    const slots = arena.u32[slotsRef >>> CHUNK_SHIFT]
    const base = (slotsRef & UNIT_MASK) << 1
    let pos = hash & mask
    while (slots[base + pos] !== 0) pos = (pos + 1) & mask
    slots[base + pos] = ((hash & ~mask) | (index + FIRST_INDEX)) >>> 0
  }

  private create(table: Uint32Array, t: number): void {
    table[t + SLOTS] = this.allocSlots(MIN_CAPACITY)
    table[t + CAPACITY] = MIN_CAPACITY
    table[t + DENSE] = this.arena.alloc(4 * 4)
    table[t + DENSE_CAPACITY] = 4
    table[t + COUNT] = 0
    table[t + FILL] = 0
  }

  /** A block of empty slots. */
  private allocSlots(capacity: number): Ref {
    const ref = this.arena.alloc(capacity * 4)
    const base = (ref & UNIT_MASK) << 1
    this.arena.u32[ref >>> CHUNK_SHIFT].fill(0, base, base + capacity)
    return ref
  }

  /** New slots, sized for a number of records at a load between 0.4 and 0.8. */
  private rebuild(table: Uint32Array, t: number, records: number): void {
    let capacity = MIN_CAPACITY
    while (capacity * 3 < records * 5) capacity *= 2
    this.arena.free(table[t + SLOTS])
    table[t + SLOTS] = this.allocSlots(capacity)
    table[t + CAPACITY] = capacity
    const count = table[t + COUNT]
    for (let index = 0; index < count; index++) this.place(table, t, this.at(table, t, index), index)
    table[t + FILL] = count
    if (table[t + DENSE_CAPACITY] > 16 && count * 2 < table[t + DENSE_CAPACITY]) this.growDense(table, t, count)
  }

  /** Moves the dense array to a block with room for a quarter more. */
  private growDense(table: Uint32Array, t: number, records: number): void {
    const arena = this.arena
    const ref = arena.alloc(4 * Math.max(4, Math.ceil(records * 1.25)))
    const from = table[t + DENSE]
    const fromBase = (from & UNIT_MASK) << 1
    arena.u32[ref >>> CHUNK_SHIFT].set(
      arena.u32[from >>> CHUNK_SHIFT].subarray(fromBase, fromBase + table[t + COUNT]),
      (ref & UNIT_MASK) << 1,
    )
    arena.free(from)
    table[t + DENSE] = ref
    table[t + DENSE_CAPACITY] = arena.sizeOf(ref) >>> 2
  }
}
