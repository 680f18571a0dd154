import { TWO_32 } from '../base/words.js'
import { UNIT_MASK, type Ref } from './arena.js'

/**
 * The record: one key with its header in one arena block. Keys of a database are records, and so are the fields of a hash and the members of a
 * set, so one dictionary serves all.
 *
 * ```
 * word  0   flags     bits 0..2 type, 3 HIDDEN, 4 HAS_EXPIRY, 5 HAS_EXTRAS, 6 NO_VALUE, 7 RAW, 8..31 access clock
 *       1   hash      of the key
 *       2   key length
 *       3   value length
 *       4   dot       (member << 21) | (stamp >>> 32)
 *       5             stamp & 0xffffffff
 *     [ 6   expiry    at: f64, Unix ms or Infinity          if HAS_EXPIRY
 *       8             dot of the expiry, as above
 *      10             index in the database's list of expiring keys
 *      11             unused ]
 *     [ +0  extras    ref of the block with the rest of a complex state   if HAS_EXTRAS
 *       +1            unused ]
 *       key bytes, value bytes
 * ```
 */
export const TYPE_MASK = 0x07
/** What a key holds of a type that is not the visible one; not in the shards' tables. Such a record has no expiry. */
export const HIDDEN = 0x08
export const HAS_EXPIRY = 0x10
export const HAS_EXTRAS = 0x20
/** The register is empty: the value comes from extras (counter contributions, edits), or there is none. */
export const NO_VALUE = 0x40
/** A string that has been edited: OBJECT ENCODING says raw. */
export const RAW = 0x80
export const FLAGS_MASK = 0xff
export const CLOCK_SHIFT = 8

export const HASH_WORD = 1
export const KEY_LENGTH_WORD = 2
export const VALUE_LENGTH_WORD = 3
export const DOT_WORD = 4
export const EXPIRY_WORD = 6
export const EXPIRY_DOT_WORD = 8
export const EXPIRY_INDEX_WORD = 10

const FIXED_BYTES = 24
const EXPIRY_BYTES = 24
const EXTRAS_BYTES = 8

/** Bytes before the key, by flags. */
export function headerBytes(flags: number): number {
  return FIXED_BYTES + ((flags & HAS_EXPIRY) !== 0 ? EXPIRY_BYTES : 0) + ((flags & HAS_EXTRAS) !== 0 ? EXTRAS_BYTES : 0)
}

/** Word of the extras reference, by flags (HAS_EXTRAS must be set). */
export function extrasWord(flags: number): number {
  return (flags & HAS_EXPIRY) !== 0 ? 12 : 6
}

/** Index of the record's word 0 in its chunk's u32 view. */
export function wordOf(ref: Ref): number {
  return (ref & UNIT_MASK) << 1
}

/** Index of the record's byte 0 in its chunk's u8 view. */
export function byteOf(ref: Ref): number {
  return (ref & UNIT_MASK) << 3
}

/** Highest part of a packed dot's first word that belongs to the stamp. */
export const STAMP_HIGH_MASK = 0x1fffff
export const MEMBER_SHIFT = 21

export function packDotHigh(member: number, stamp: number): number {
  return ((member << MEMBER_SHIFT) | ((stamp / TWO_32) & STAMP_HIGH_MASK)) >>> 0
}

export function packDotLow(stamp: number): number {
  return stamp >>> 0
}

export function unpackMember(high: number): number {
  return high >>> MEMBER_SHIFT
}

export function unpackStamp(high: number, low: number): number {
  return (high & STAMP_HIGH_MASK) * TWO_32 + low
}
