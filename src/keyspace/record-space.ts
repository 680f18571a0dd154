import { assert } from '../base/assert.js'
import { copyBytes } from '../base/bytes.js'
import { CHUNK_SHIFT, UNIT_MASK, Arena, type Ref } from '../memory/arena.js'
import {
  byteOf,
  CLOCK_SHIFT,
  DOT_WORD,
  EXPIRY_DOT_WORD,
  EXPIRY_INDEX_WORD,
  EXPIRY_WORD,
  extrasWord,
  FLAGS_MASK,
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

/**
 * Records by key: the keys of a database, or the fields of one hash. It knows the layout of records and keeps the list of those with an expiry; which
 * tables the records stand in is its implementation's business. What concurrent writes to a record mean is string-store's, for both alike.
 */
export abstract class RecordSpace {
  constructor(
    /** Holds the records and everything that belongs to them. */
    public arena: Arena,
  ) {}

  /**
   * Adds a record with the given flags (layout and type) for a key that has none, which lookup has just been asked for: its hash is taken from there. The
   * value bytes and the dot are the caller's to write.
   */
  abstract insert(flags: number, buf: Uint8Array, off: number, len: number, valueLength: number, clock: number): Ref

  /** Takes a record out and frees its block. Extras must have been freed by whoever knows what they are. */
  abstract remove(ref: Ref): void

  /** Something was written here with this dot. */
  abstract noteWrite(member: number, stamp: number): void

  /** The record needs another look once more is stable. */
  abstract markUnsettled(ref: Ref): void

  /** The record, with the same key, stands in another block now. */
  protected abstract replaced(from: Ref, to: Ref): void

  /** Changes the flags and counts the records that have a value. */
  protected abstract setFlags(ref: Ref, flags: number): void

  protected abstract addExpiring(ref: Ref): void

  protected abstract removeExpiring(ref: Ref): void

  /** The record at an index of the list of those with an expiry stands in another block now. */
  protected abstract expiringMoved(to: Ref, index: number): void

  /**
   * Gives a record another layout or value length, moving it if it must. Key, hash, dot and the parts that both layouts have stay; the
   * value stays up to the shorter length when keepValue. slack asks for room to grow in place later.
   */
  reshape(ref: Ref, flags: number, valueLength: number, keepValue: boolean, slack = 0): Ref {
    const arena = this.arena
    const chunk = ref >>> CHUNK_SHIFT
    const words = arena.u32[chunk]
    const w = wordOf(ref)
    const oldFlags = words[w] & FLAGS_MASK
    const oldHeader = headerBytes(oldFlags)
    const newHeader = headerBytes(flags)
    const keyLength = words[w + KEY_LENGTH_WORD]
    const need = newHeader + keyLength + valueLength
    const have = arena.sizeOf(ref)
    if (oldHeader === newHeader && need <= have && Arena.sizeFor(need) * 2 > have) {
      // The common overwrite: same layout, fits, wastes less than half.
      if (((oldFlags ^ flags) & FLAGS_MASK) !== 0) this.setFlags(ref, flags)
      words[w + VALUE_LENGTH_WORD] = valueLength
      return ref
    }
    const to = arena.alloc(need + slack)
    const toWords = arena.u32[to >>> CHUNK_SHIFT]
    const t = wordOf(to)
    for (let i = 0; i < EXPIRY_WORD; i++) toWords[t + i] = words[w + i]
    toWords[t + VALUE_LENGTH_WORD] = valueLength
    const bytes = arena.u8[chunk]
    const toBytes = arena.u8[to >>> CHUNK_SHIFT]
    copyBytes(bytes, byteOf(ref) + oldHeader, toBytes, byteOf(to) + newHeader, keyLength)
    if (keepValue) {
      const kept = Math.min(words[w + VALUE_LENGTH_WORD], valueLength)
      copyBytes(bytes, byteOf(ref) + oldHeader + keyLength, toBytes, byteOf(to) + newHeader + keyLength, kept)
    }
    const hadExpiry = (oldFlags & HAS_EXPIRY) !== 0
    const hasExpiry = (flags & HAS_EXPIRY) !== 0
    if (hadExpiry && hasExpiry) {
      for (let i = EXPIRY_WORD; i <= EXPIRY_INDEX_WORD; i++) toWords[t + i] = words[w + i]
      this.expiringMoved(to, words[w + EXPIRY_INDEX_WORD])
    } else if (hadExpiry) {
      this.removeExpiring(ref)
    }
    if ((flags & HAS_EXTRAS) !== 0) {
      toWords[t + extrasWord(flags)] = (oldFlags & HAS_EXTRAS) !== 0 ? words[w + extrasWord(oldFlags)] : 0
    }
    this.replaced(ref, to)
    arena.free(ref)
    toWords[t] = (toWords[t] & ~FLAGS_MASK) | oldFlags
    this.setFlags(to, flags)
    if (hasExpiry && !hadExpiry) this.addExpiring(to)
    return to
  }

  flags(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) << 1] & FLAGS_MASK
  }

  type(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) << 1] & TYPE_MASK
  }

  keyLength(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + KEY_LENGTH_WORD]
  }

  /** A copy of a record's key. */
  key(ref: Ref): Uint8Array {
    const start = byteOf(ref) + headerBytes(this.flags(ref))
    return this.arena.u8[ref >>> CHUNK_SHIFT].slice(start, start + this.keyLength(ref))
  }

  /** Where a record's key begins in its chunk's bytes. */
  keyOffset(ref: Ref): number {
    return byteOf(ref) + headerBytes(this.flags(ref))
  }

  /** The root of a collection's record. It stands unaligned behind the key. */
  root(ref: Ref): Ref {
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    const at = this.valueOffset(ref)
    return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
  }

  setRoot(ref: Ref, root: Ref): void {
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    const at = this.valueOffset(ref)
    bytes[at] = root
    bytes[at + 1] = root >>> 8
    bytes[at + 2] = root >>> 16
    bytes[at + 3] = root >>> 24
  }

  /** Where a record's value begins in its chunk's bytes. */
  valueOffset(ref: Ref): number {
    return byteOf(ref) + headerBytes(this.flags(ref)) + this.keyLength(ref)
  }

  valueLength(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + VALUE_LENGTH_WORD]
  }

  /** Bytes that the value could grow to without moving the record. */
  valueCapacity(ref: Ref): number {
    return this.arena.sizeOf(ref) - headerBytes(this.flags(ref)) - this.keyLength(ref)
  }

  dotMember(ref: Ref): number {
    return unpackMember(this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + DOT_WORD])
  }

  dotStamp(ref: Ref): number {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = ((ref & UNIT_MASK) << 1) + DOT_WORD
    return unpackStamp(words[w], words[w + 1])
  }

  setDot(ref: Ref, member: number, stamp: number): void {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = ((ref & UNIT_MASK) << 1) + DOT_WORD
    words[w] = packDotHigh(member, stamp)
    words[w + 1] = packDotLow(stamp)
  }

  /** Unix ms at which the record is due; Infinity for PERSIST's entry or when it has no expiry. */
  expiresAt(ref: Ref): number {
    if ((this.flags(ref) & HAS_EXPIRY) === 0) return Infinity
    return this.arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + (EXPIRY_WORD >>> 1)]
  }

  expiryMember(ref: Ref): number {
    return unpackMember(this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + EXPIRY_DOT_WORD])
  }

  expiryStamp(ref: Ref): number {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = ((ref & UNIT_MASK) << 1) + EXPIRY_DOT_WORD
    return unpackStamp(words[w], words[w + 1])
  }

  /** Writes the inline expiry entry; the layout must have one. */
  setExpiry(ref: Ref, at: number, member: number, stamp: number): void {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    assert((words[w] & HAS_EXPIRY) !== 0, 'record without room for an expiry')
    this.arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + (EXPIRY_WORD >>> 1)] = at
    words[w + EXPIRY_DOT_WORD] = packDotHigh(member, stamp)
    words[w + EXPIRY_DOT_WORD + 1] = packDotLow(stamp)
  }

  /** Reference to the extras block, 0 if there is none. */
  extras(ref: Ref): Ref {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    const flags = words[w]
    return (flags & HAS_EXTRAS) === 0 ? 0 : words[w + extrasWord(flags)]
  }

  setExtras(ref: Ref, extras: Ref): void {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    words[w + extrasWord(words[w])] = extras
  }

  /** When the record was last used, or how often: 24 bits, see Keyspace.touch. */
  accessBits(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) << 1] >>> CLOCK_SHIFT
  }

  touch(ref: Ref, bits: number): void {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    words[w] = (words[w] & FLAGS_MASK) | (bits << CLOCK_SHIFT)
  }
}
