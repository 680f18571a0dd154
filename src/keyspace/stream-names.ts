import { assert } from '../base/assert.js'
import { copyBytes } from '../base/bytes.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { hashElement } from '../memory/element-hash.js'
import { ElementTable } from '../memory/element-table.js'
import { byteOf, DOT_WORD, HASH_WORD, headerBytes, KEY_LENGTH_WORD, VALUE_LENGTH_WORD, wordOf } from '../memory/record.js'

/**
 * Names of groups, and of a group's consumers: records of an ElementTable whose key is the name. What is named has a block of its own, whose reference
 * stands where other records have their dot.
 */
const BLOCK_WORD = DOT_WORD

export class StreamNames {
  private readonly table: ElementTable

  constructor(
    private readonly arena: Arena,
    private readonly seed: number,
  ) {
    this.table = new ElementTable(arena)
  }

  count(words: Uint32Array, t: number): number {
    return this.table.count(words, t)
  }

  /** The record of a name, 0 when there is none. */
  find(words: Uint32Array, t: number, buf: Uint8Array, off: number, len: number): Ref {
    return this.table.find(words, t, hashElement(this.seed, buf, off, len), buf, off, len)
  }

  /** Adds a name that is not there yet. Gives its record. */
  add(words: Uint32Array, t: number, buf: Uint8Array, off: number, len: number, block: Ref): Ref {
    const { arena } = this
    const header = headerBytes(0)
    const record = arena.alloc(header + len)
    const to = arena.u32[record >>> CHUNK_SHIFT]
    const w = wordOf(record)
    to[w] = 0
    to[w + HASH_WORD] = hashElement(this.seed, buf, off, len)
    to[w + KEY_LENGTH_WORD] = len
    to[w + VALUE_LENGTH_WORD] = 0
    to[w + BLOCK_WORD] = block
    copyBytes(buf, off, arena.u8[record >>> CHUNK_SHIFT], byteOf(record) + header, len)
    this.table.insert(words, t, record)
    return record
  }

  /** Takes a name out; what it named is the caller's. */
  remove(words: Uint32Array, t: number, record: Ref): void {
    this.table.remove(words, t, record)
    this.arena.free(record)
  }

  /** Takes any name out of a table that is to be freed, and gives its block; 0 when there is none left, and the table has gone too. */
  drain(words: Uint32Array, t: number): Ref {
    const record = this.table.drain(words, t)
    if (record === 0) return 0
    const block = this.blockOf(record)
    this.arena.free(record)
    return block
  }

  /** Frees the table's own blocks; there must be no name in it. */
  freeTable(words: Uint32Array, t: number): void {
    assert(this.table.drain(words, t) === 0, 'a table of names that is freed has some')
  }

  blockOf(record: Ref): Ref {
    return this.arena.u32[record >>> CHUNK_SHIFT][((record & UNIT_MASK) << 1) + BLOCK_WORD]
  }

  setBlock(record: Ref, block: Ref): void {
    this.arena.u32[record >>> CHUNK_SHIFT][((record & UNIT_MASK) << 1) + BLOCK_WORD] = block
  }

  nameLength(record: Ref): number {
    return this.arena.u32[record >>> CHUNK_SHIFT][((record & UNIT_MASK) << 1) + KEY_LENGTH_WORD]
  }

  /** A view of the name. */
  name(record: Ref): Uint8Array {
    const start = byteOf(record) + headerBytes(0)
    return this.arena.u8[record >>> CHUNK_SHIFT].subarray(start, start + this.nameLength(record))
  }

  recordBytes(record: Ref): number {
    return this.arena.sizeOf(record)
  }

  tableBytes(words: Uint32Array, t: number): number {
    return this.table.tableBytes(words, t)
  }

  /** Any record, by number: for walks that care for no order. */
  at(words: Uint32Array, t: number, i: number): Ref {
    return this.table.at(words, t, i)
  }

  /** All records by the bytes of their names, as Redis lists them. */
  sorted(words: Uint32Array, t: number): Ref[] {
    const records: Ref[] = []
    for (let i = 0; i < this.count(words, t); i++) records.push(this.at(words, t, i))
    return records.sort((a, b) => Buffer.compare(this.name(a), this.name(b)))
  }
}
