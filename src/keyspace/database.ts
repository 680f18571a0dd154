import { assert } from '../base/assert.js'
import { copyBytes } from '../base/bytes.js'
import type { Arena } from '../memory/arena.js'
import { CHUNK_SHIFT, UNIT_MASK, type Ref } from '../memory/arena.js'
import { MAX_MEMBER_ID } from '../base/ids.js'
import { SHARD_COUNT } from '../base/shards.js'
import { ByteDictionary, TABLE_WORDS } from '../memory/byte-dictionary.js'
import {
  byteOf,
  CLOCK_SHIFT,
  EXPIRY_INDEX_WORD,
  extrasWord,
  FLAGS_MASK,
  HASH_WORD,
  HAS_EXPIRY,
  HAS_EXTRAS,
  headerBytes,
  HIDDEN,
  KEY_LENGTH_WORD,
  TYPE_MASK,
  VALUE_LENGTH_WORD,
  wordOf,
} from '../memory/record.js'
import { FieldExpiries } from './field-expiries.js'
import { SLOT_COUNT, type KeyHasher } from './key-hash.js'
import { RecordSpace } from './record-space.js'

/** 16 slots each, so that a rehash stays short at any size. */
export { SHARD_COUNT }
const SLOTS_PER_SHARD = SLOT_COUNT / SHARD_COUNT
const NO_SHARDS = new Uint32Array(0)

/**
 * Type of a key in its record's flags. NONE: no value; the record only waits with expiry entries that are not stable yet. A HyperLogLog is a string to
 * clients.
 */
export const KeyType = { none: 0, string: 1, hash: 2, set: 3, zset: 4, list: 5, stream: 6, hll: 7 } as const
export const TYPE_COUNT = 8
/** Tables of a database: the shards, and behind them one for what is hidden of each type. */
export const TABLE_COUNT = SHARD_COUNT + TYPE_COUNT
/** A collection's record holds the reference to its root. */
export const ROOT_BYTES = 4

/**
 * One database: 1,024 tables of records by hash slot, and the list of records that have an expiry. It knows the layout of
 * records and nothing of what concurrent writes mean; that is string-store and its siblings.
 */
export class Database extends RecordSpace {
  /** Descriptors of the shards' tables and of the hidden types' tables behind them; see ByteDictionary. */
  private readonly tables = new Uint32Array(TABLE_COUNT * TABLE_WORDS)
  /** Per table: 1 when it may hold records that need another look once more is stable. */
  readonly unsettled = new Uint8Array(TABLE_COUNT)
  /** Per member: the highest stamp of it that was ever written here. Lets FLUSHDB see that it has observed everything. */
  readonly highest = new Float64Array(MAX_MEMBER_ID + 1)
  /** Keys that have a value: records less those of type none. */
  keyCount = 0
  /** Records of hidden types: 0 unless members wrote different types to one key at the same time. */
  hiddenCount = 0
  /** The same by shard of their keys; made with the first one. */
  private hiddenIn = NO_SHARDS
  /** Records that have HAS_EXPIRY, in no order. */
  private expiring = new Uint32Array(16)
  expiringCount = 0
  /** Hashes that have fields with an expiry. */
  readonly fieldExpiries: FieldExpiries

  private readonly dictionary: ByteDictionary
  /** Result of the last lookup, good as long as the hasher's generation is this one. */
  private found: Ref = 0
  private foundGeneration = -1
  private foundSlot = 0
  /**
   * The last two commands were about the same key, whose record is still there: the next one is likely to be, too, and comparing the key takes a third of
   * hashing it and looking it up. Who always comes with other keys pays nothing for that.
   */
  private comesAgain = false

  /** The arena holds everything of this database and nothing else, so that FLUSHDB can let all of it go at once. */
  constructor(
    arena: Arena,
    private readonly hasher: KeyHasher,
  ) {
    super(arena)
    this.dictionary = new ByteDictionary(arena)
    this.fieldExpiries = new FieldExpiries(arena)
  }

  /** The record of a key, whether visible, due or without value; 0 if there is none. */
  lookup(buf: Uint8Array, off: number, len: number): Ref {
    const hasher = this.hasher
    if (this.comesAgain && this.isFound(buf, off, len)) return this.found
    hasher.computeArgument(buf, off, len)
    // A command that looks its key up again, as most writes do, finds it here.
    if (this.foundGeneration === hasher.generation) return this.found
    const table = ((hasher.slot / SLOTS_PER_SHARD) | 0) * TABLE_WORDS
    const ref = this.dictionary.find(this.tables, table, hasher.hash, buf, off, len)
    this.comesAgain = ref !== 0 && ref === this.found
    this.found = ref
    this.foundSlot = hasher.slot
    this.foundGeneration = hasher.generation
    return ref
  }

  /**
   * Begins the lookups of the hasher's keys ahead. Nothing is decided by it: all it leaves is their hashes, and what their lookups read in the processor's cache.
   * Commands of a pipeline then do not wait for memory one after the other.
   */
  lookAhead(): void {
    const { hasher } = this
    const { args, lookups, slot } = hasher.ahead
    const { hash, table, refs } = lookups
    const { count } = args
    for (let i = 0; i < count; i++) {
      hasher.compute(args.buf, args.off(i, 1), args.len(i, 1))
      hash[i] = hasher.hash
      slot[i] = hasher.slot
      table[i] = ((hasher.slot / SLOTS_PER_SHARD) | 0) * TABLE_WORDS
    }
    hasher.ahead.hashed()
    lookups.count = count
    this.dictionary.lookAhead(this.tables, lookups)
    // Of collections the beginning, which is all of most small ones.
    let roots = 0
    for (let i = 0; i < count; i++) {
      if (refs[i] === 0 || this.type(refs[i]) <= KeyType.string) continue
      const root = this.root(refs[i])
      lookups.chunk[roots] = root >>> CHUNK_SHIFT
      lookups.at[roots++] = (root & UNIT_MASK) << 1
    }
    if (roots === 0) return
    const { u32 } = this.arena
    lookups.count = roots
    lookups.touch(u32)
    lookups.touchBehind(u32)
    lookups.touchBehind(u32)
  }

  /** The record that the last two commands were about, 0 if they were about different ones. */
  get again(): Ref {
    return this.comesAgain ? this.found : 0
  }

  /** Whether the commands ahead are all about this record: as far as the first and the last one tell. */
  areAllOf(ref: Ref): boolean {
    const { args } = this.hasher.ahead
    if (args.count === 0) return true
    const last = args.count - 1
    return (
      this.hasKey(ref, args.buf, args.off(0, 1), args.len(0, 1)) &&
      this.hasKey(ref, args.buf, args.off(last, 1), args.len(last, 1))
    )
  }

  /** Whether what was found last is the record of this key: then it is the result of a lookup. */
  private isFound(buf: Uint8Array, off: number, len: number): boolean {
    const { hasher, found } = this
    if (hasher.isArgument(buf, off, len) && this.foundGeneration === hasher.generation) return true
    if (!this.hasKey(found, buf, off, len)) {
      this.comesAgain = false
      return false
    }
    hasher.recall(buf, off, len, this.arena.u32[found >>> CHUNK_SHIFT][wordOf(found) + HASH_WORD], this.foundSlot)
    this.foundGeneration = hasher.generation
    return true
  }

  /** Whether a record has this key. Compared from the end, where keys of one length mostly differ. */
  private hasKey(ref: Ref, buf: Uint8Array, off: number, len: number): boolean {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    if (words[w + KEY_LENGTH_WORD] !== len) return false
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    const at = ((ref & UNIT_MASK) << 3) + headerBytes(words[w])
    for (let i = len - 1; i >= 0; i--) if (bytes[at + i] !== buf[off + i]) return false
    return true
  }

  /** Hidden records of keys of a shard. */
  hiddenOf(shard: number): number {
    return this.hiddenCount === 0 ? 0 : this.hiddenIn[shard]
  }

  /** True when a key, or another of its shard, has hidden records: else its record is all there is of it. */
  mayHide(buf: Uint8Array, off: number, len: number): boolean {
    if (this.hiddenCount === 0) return false
    this.hasher.computeArgument(buf, off, len)
    return this.hiddenIn[(this.hasher.slot / SLOTS_PER_SHARD) | 0] > 0
  }

  /** The hidden record of a key and type, 0 if there is none. */
  lookupHidden(type: number, buf: Uint8Array, off: number, len: number): Ref {
    if (!this.mayHide(buf, off, len)) return 0
    return this.dictionary.find(this.tables, (SHARD_COUNT + type) * TABLE_WORDS, this.hasher.hash, buf, off, len)
  }

  /**
   * Adds a record with the given flags (layout and type) for a key that has none, which lookup has just been asked for: its hash and
   * slot are taken from there. The value bytes and the dot are the caller's to write.
   */
  insert(flags: number, buf: Uint8Array, off: number, len: number, valueLength: number, clock: number): Ref {
    const arena = this.arena
    const header = headerBytes(flags)
    const ref = arena.alloc(header + len + valueLength)
    const words = arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    words[w] = flags | (clock << CLOCK_SHIFT)
    words[w + HASH_WORD] = this.hasher.hash
    words[w + KEY_LENGTH_WORD] = len
    words[w + VALUE_LENGTH_WORD] = valueLength
    copyBytes(buf, off, arena.u8[ref >>> CHUNK_SHIFT], byteOf(ref) + header, len)
    if ((flags & HAS_EXTRAS) !== 0) words[w + extrasWord(flags)] = 0
    this.foundGeneration = -1
    if ((flags & HIDDEN) !== 0) {
      this.dictionary.insert(this.tables, (SHARD_COUNT + (flags & TYPE_MASK)) * TABLE_WORDS, ref)
      if (this.hiddenIn.length === 0) this.hiddenIn = new Uint32Array(SHARD_COUNT)
      this.hiddenIn[(this.hasher.slot / SLOTS_PER_SHARD) | 0]++
      this.hiddenCount++
      return ref
    }
    this.dictionary.insert(this.tables, ((this.hasher.slot / SLOTS_PER_SHARD) | 0) * TABLE_WORDS, ref)
    if ((flags & TYPE_MASK) !== KeyType.none) this.keyCount++
    if ((flags & HAS_EXPIRY) !== 0) this.addExpiring(ref)
    return ref
  }

  /** Takes a record out and frees its block. Extras must have been freed by whoever knows what they are. */
  remove(ref: Ref): void {
    const flags = this.flags(ref)
    if ((flags & HAS_EXPIRY) !== 0) this.removeExpiring(ref)
    if ((flags & HIDDEN) !== 0) {
      this.hasher.compute(this.arena.u8[ref >>> CHUNK_SHIFT], this.keyOffset(ref), this.keyLength(ref))
      this.hiddenIn[(this.hasher.slot / SLOTS_PER_SHARD) | 0]--
      this.hiddenCount--
    } else if ((flags & TYPE_MASK) !== KeyType.none) this.keyCount--
    this.foundGeneration = -1
    this.comesAgain = false
    this.dictionary.remove(this.tables, this.tableOf(ref), ref)
    this.arena.free(ref)
  }

  /** Records of one shard, or of the table of a hidden type (SHARD_COUNT + type); values or not. */
  shardCount(shard: number): number {
    return this.dictionary.count(this.tables, shard * TABLE_WORDS)
  }

  recordAt(shard: number, index: number): Ref {
    return this.dictionary.at(this.tables, shard * TABLE_WORDS, index)
  }

  shardOf(ref: Ref): number {
    return (this.tableOf(ref) / TABLE_WORDS) | 0
  }

  expiringAt(index: number): Ref {
    return this.expiring[index]
  }

  /** A record's share of its shard's table, in bytes. */
  tableShare(ref: Ref): number {
    const table = this.tableOf(ref)
    return Math.ceil(this.dictionary.tableBytes(this.tables, table) / this.dictionary.count(this.tables, table))
  }

  /** Bytes that the database itself takes, outside its arena. */
  get fixedBytes(): number {
    return (
      this.tables.byteLength +
      this.unsettled.byteLength +
      this.highest.byteLength +
      this.expiring.byteLength +
      this.hiddenIn.byteLength +
      this.fieldExpiries.bytes
    )
  }

  /** Bytes of all tables. */
  tableBytes(): number {
    let bytes = this.tables.byteLength + this.expiring.byteLength
    for (let table = 0; table < TABLE_COUNT; table++) bytes += this.dictionary.tableBytes(this.tables, table * TABLE_WORDS)
    return bytes
  }

  protected setFlags(ref: Ref, flags: number): void {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    assert(((words[w] ^ flags) & HIDDEN) === 0, 'a record is shown or hidden by a new one')
    if ((flags & HIDDEN) !== 0) {
      words[w] = (words[w] & ~FLAGS_MASK) | flags
      return
    }
    const hadValue = (words[w] & TYPE_MASK) !== KeyType.none
    const hasValue = (flags & TYPE_MASK) !== KeyType.none
    if (hadValue !== hasValue) this.keyCount += hasValue ? 1 : -1
    words[w] = (words[w] & ~FLAGS_MASK) | flags
  }

  private tableOf(ref: Ref): number {
    const flags = this.flags(ref)
    if ((flags & HIDDEN) !== 0) return (SHARD_COUNT + (flags & TYPE_MASK)) * TABLE_WORDS
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    this.hasher.compute(bytes, this.keyOffset(ref), this.keyLength(ref))
    return ((this.hasher.slot / SLOTS_PER_SHARD) | 0) * TABLE_WORDS
  }

  protected addExpiring(ref: Ref): void {
    if (this.expiringCount === this.expiring.length) {
      const grown = new Uint32Array(this.expiring.length * 2)
      grown.set(this.expiring)
      this.expiring = grown
    }
    this.expiring[this.expiringCount] = ref
    this.arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + EXPIRY_INDEX_WORD] = this.expiringCount
    this.expiringCount++
  }

  protected removeExpiring(ref: Ref): void {
    const index = this.arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + EXPIRY_INDEX_WORD]
    assert(this.expiring[index] === ref, 'list of expiring keys out of step')
    const moved = this.expiring[--this.expiringCount]
    this.expiring[index] = moved
    this.arena.u32[moved >>> CHUNK_SHIFT][wordOf(moved) + EXPIRY_INDEX_WORD] = index
  }

  protected expiringMoved(to: Ref, index: number): void {
    this.expiring[index] = to
  }

  protected replaced(from: Ref, to: Ref): void {
    this.foundGeneration = -1
    this.comesAgain = false
    this.dictionary.replace(this.tables, this.tableOf(from), from, to)
  }

  noteWrite(member: number, stamp: number): void {
    if (this.highest[member] < stamp) this.highest[member] = stamp
  }

  markUnsettled(ref: Ref): void {
    this.unsettled[this.shardOf(ref)] = 1
  }
}
