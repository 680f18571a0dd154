import { assert } from '../base/assert.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from './arena.js'
import { ByteDictionary, TABLE_WORDS } from './byte-dictionary.js'
import type { LookupsAhead } from './lookups-ahead.js'
import { HASH_WORD } from './record.js'

/**
 * Hash table of the elements of one large collection: records as in record.ts, found by their key bytes. It grows by linear hashing (Litwin, 1980)
 * over tables of a ByteDictionary: whenever the tables hold more than so many elements on average, one of them gives about half of its elements to a
 * new one. So no step moves more than some eight thousand elements, however many there are.
 *
 * ```
 * words  0   directory   ref of a block with the tables' descriptors, TABLE_WORDS each; 0 while there are none
 *        1   tables      how many
 *        2   count       elements in all
 * ```
 *
 * The words stand anywhere in a Uint32Array, such as the root block of a collection. A table is chosen by the hash's upper half, which a
 * ByteDictionary of this size uses as tag only.
 *
 * Tables are never merged and elements go to later tables only. So a walk of the tables in ascending order, each from its end downwards, passes by
 * nothing that is there all the while, whatever else comes, goes or is split meanwhile: see scan.
 */
export const ELEMENT_TABLE_WORDS = 3
const DIRECTORY = 0
const TABLES = 1
const COUNT = 2

/** Elements a table on average at which one is split. The next to be split then holds twice as many at most. */
const SPLIT_AT = 4000
/** Up to so many tables, random choice goes through all of them. */
const FEW_TABLES = 4
/** Draws of a place in a table; more than half of them find an element, unless many have gone. */
const DRAWS = 8
/** A cursor is index * MAX_TABLES + table. 2^21 tables hold eight thousand million elements: more than references there are. */
const MAX_TABLES = 2 ** 21

export class ElementTable {
  /** The element that the last step of a scan came to; 0 for none. */
  scanned: Ref = 0
  private readonly dictionary: ByteDictionary
  /** For random choice: how many elements a table of this directory has at most, as far as is known. */
  private bound = 0
  private boundOf: Ref = 0

  constructor(private readonly arena: Arena) {
    this.dictionary = new ByteDictionary(arena)
  }

  count(words: Uint32Array, t: number): number {
    return words[t + COUNT]
  }

  /** The element with this key, whose hash is given, or 0. Allocates nothing. */
  find(words: Uint32Array, t: number, hash: number, buf: Uint8Array, off: number, len: number): Ref {
    const directory = words[t + DIRECTORY]
    if (directory === 0) return 0
    const at = this.descriptor(directory, tableOf(hash, words[t + TABLES]))
    return this.dictionary.find(this.arena.u32[directory >>> CHUNK_SHIFT], at, hash, buf, off, len)
  }

  /** As ByteDictionary.lookAhead, of elements whose hashes are given. */
  lookAhead(words: Uint32Array, t: number, ahead: LookupsAhead): void {
    const directory = words[t + DIRECTORY]
    if (directory === 0) return
    const { count, hash, table } = ahead
    for (let i = 0; i < count; i++) table[i] = this.descriptor(directory, tableOf(hash[i], words[t + TABLES]))
    this.dictionary.lookAhead(this.arena.u32[directory >>> CHUNK_SHIFT], ahead)
  }

  /** Adds an element whose key is not in the table; its hash word must be set. */
  insert(words: Uint32Array, t: number, ref: Ref): void {
    if (words[t + TABLES] === 0) this.addTable(words, t)
    else if (words[t + COUNT] >= words[t + TABLES] * SPLIT_AT) this.split(words, t)
    const directory = words[t + DIRECTORY]
    const at = this.descriptor(directory, tableOf(this.hashOf(ref), words[t + TABLES]))
    this.dictionary.insert(this.arena.u32[directory >>> CHUNK_SHIFT], at, ref)
    words[t + COUNT]++
  }

  /** The element moved to another block, with the same key. */
  replace(words: Uint32Array, t: number, from: Ref, to: Ref): void {
    const directory = words[t + DIRECTORY]
    const at = this.descriptor(directory, tableOf(this.hashOf(from), words[t + TABLES]))
    this.dictionary.replace(this.arena.u32[directory >>> CHUNK_SHIFT], at, from, to)
  }

  /** Takes an element out; its block stays the caller's. */
  remove(words: Uint32Array, t: number, ref: Ref): void {
    const directory = words[t + DIRECTORY]
    const at = this.descriptor(directory, tableOf(this.hashOf(ref), words[t + TABLES]))
    this.dictionary.remove(this.arena.u32[directory >>> CHUNK_SHIFT], at, ref)
    words[t + COUNT]--
  }

  /** Element number 0 .. count-1 in no particular order, for random choice. Takes a step for each few thousand elements. */
  at(words: Uint32Array, t: number, index: number): Ref {
    assert(index < words[t + COUNT], 'no such element')
    const directory = words[t + DIRECTORY]
    const tables = this.arena.u32[directory >>> CHUNK_SHIFT]
    let at = this.descriptor(directory, 0)
    let rest = index
    for (;;) {
      const count = this.dictionary.count(tables, at)
      if (rest < count) return this.dictionary.at(tables, at, rest)
      rest -= count
      at += TABLE_WORDS
    }
  }

  /**
   * Any element, each with the same chance; there must be some. below(n) is uniform in 0 .. n-1. Draws places in tables until there is an element at one,
   * which is quicker than to count through hundreds of tables.
   */
  random(words: Uint32Array, t: number, below: (n: number) => number): Ref {
    const directory = words[t + DIRECTORY]
    const tableCount = words[t + TABLES]
    if (tableCount > FEW_TABLES) {
      const tables = this.arena.u32[directory >>> CHUNK_SHIFT]
      if (this.boundOf !== directory) this.findBound(tables, directory, tableCount)
      for (let draw = 0; draw < DRAWS; draw++) {
        const at = this.descriptor(directory, below(tableCount))
        const index = below(this.bound)
        const count = this.dictionary.count(tables, at)
        if (index < count) {
          if (count <= this.bound) return this.dictionary.at(tables, at, index)
          this.findBound(tables, directory, tableCount)
        }
      }
      // Many have gone, so that the bound is too high.
      this.boundOf = 0
    }
    return this.at(words, t, below(words[t + COUNT]))
  }

  private findBound(tables: Uint32Array, directory: Ref, tableCount: number): void {
    let bound = 0
    for (let table = 0; table < tableCount; table++) {
      bound = Math.max(bound, this.dictionary.count(tables, this.descriptor(directory, table)))
    }
    this.bound = bound
    this.boundOf = directory
  }

  /**
   * One step of a walk. It begins with cursor 0; the element that the step came to stands in `scanned` (0: none was left), and the result is the
   * cursor of the next step, 0 at the end. A cursor is a safe integer and stays good however the table changes: an element that is there
   * from the first step to the last is come to at least once. Any number is taken for a cursor; one that was never given out ends the walk early.
   */
  scan(words: Uint32Array, t: number, cursor: number): number {
    const directory = words[t + DIRECTORY]
    const tableCount = words[t + TABLES]
    let table = cursor % MAX_TABLES
    /** The table's elements 0 .. left-1 are still to come; 0 in a cursor: all of them. */
    let left = Math.floor(cursor / MAX_TABLES)
    this.scanned = 0
    for (; table < tableCount; table++, left = 0) {
      const tables = this.arena.u32[directory >>> CHUNK_SHIFT]
      const at = this.descriptor(directory, table)
      const count = this.dictionary.count(tables, at)
      if (left === 0 || left > count) left = count
      if (left === 0) continue
      left--
      this.scanned = this.dictionary.at(tables, at, left)
      if (left > 0) return left * MAX_TABLES + table
      return table + 1 < tableCount ? table + 1 : 0
    }
    return 0
  }

  /**
   * Takes any one element out of a table that is to be freed: of the rest nothing can be found or changed any more, only drained. 0 when all are out;
   * then the table has let go of its own blocks too.
   */
  drain(words: Uint32Array, t: number): Ref {
    const directory = words[t + DIRECTORY]
    if (directory === 0) return 0
    const tables = this.arena.u32[directory >>> CHUNK_SHIFT]
    for (; words[t + TABLES] > 0; words[t + TABLES]--) {
      const ref = this.dictionary.drain(tables, this.descriptor(directory, words[t + TABLES] - 1))
      if (ref === 0) continue
      words[t + COUNT]--
      return ref
    }
    this.arena.free(directory)
    words[t + DIRECTORY] = 0
    return 0
  }

  /** Bytes that the table itself takes. Takes a step for each few thousand elements. */
  tableBytes(words: Uint32Array, t: number): number {
    const directory = words[t + DIRECTORY]
    if (directory === 0) return 0
    let bytes = this.arena.sizeOf(directory)
    for (let table = 0; table < words[t + TABLES]; table++) {
      bytes += this.dictionary.tableBytes(this.arena.u32[directory >>> CHUNK_SHIFT], this.descriptor(directory, table))
    }
    return bytes
  }

  /** Adds an empty table at the end of the directory. */
  private addTable(words: Uint32Array, t: number): void {
    const arena = this.arena
    const tables = words[t + TABLES]
    const old = words[t + DIRECTORY]
    const bytes = (tables + 1) * TABLE_WORDS * 4
    if (old === 0 || bytes > arena.sizeOf(old)) {
      const grown = arena.alloc(old === 0 ? bytes : Math.ceil(bytes * 1.5))
      if (old !== 0) {
        const from = (old & UNIT_MASK) << 1
        const used = arena.u32[old >>> CHUNK_SHIFT].subarray(from, from + tables * TABLE_WORDS)
        arena.u32[grown >>> CHUNK_SHIFT].set(used, (grown & UNIT_MASK) << 1)
        arena.free(old)
      }
      words[t + DIRECTORY] = grown
    }
    const directory = words[t + DIRECTORY]
    const at = this.descriptor(directory, tables)
    arena.u32[directory >>> CHUNK_SHIFT].fill(0, at, at + TABLE_WORDS)
    words[t + TABLES] = tables + 1
  }

  /** Adds a table and moves the elements there that belong there now: all from one other table. */
  private split(words: Uint32Array, t: number): void {
    const { arena, dictionary } = this
    const target = words[t + TABLES]
    assert(target < MAX_TABLES, 'more tables than a cursor can name')
    this.addTable(words, t)
    const directory = words[t + DIRECTORY]
    const tables = arena.u32[directory >>> CHUNK_SHIFT]
    const from = this.descriptor(directory, target - highestPower(target))
    const to = this.descriptor(directory, target)
    for (let i = dictionary.count(tables, from) - 1; i >= 0; i--) {
      const ref = dictionary.at(tables, from, i)
      if (tableOf(this.hashOf(ref), target + 1) !== target) continue
      dictionary.remove(tables, from, ref)
      dictionary.insert(tables, to, ref)
    }
  }

  private descriptor(directory: Ref, table: number): number {
    return ((directory & UNIT_MASK) << 1) + table * TABLE_WORDS
  }

  private hashOf(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + HASH_WORD]
  }
}

/** Which of so many tables a hash belongs to: its upper half first, modulo the next power of two, or half of that where there is no such table yet. */
function tableOf(hash: number, tables: number): number {
  if (tables === 1) return 0
  const turned = (hash >>> 16) | (hash << 16)
  const high = highestPower(tables - 1)
  const table = turned & (high * 2 - 1)
  return table < tables ? table : table & (high - 1)
}

/** The greatest power of two that is not above a positive number. */
function highestPower(value: number): number {
  return 1 << (31 - Math.clz32(value))
}
