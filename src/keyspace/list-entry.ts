import { copyBytes, equalBytes } from '../base/bytes.js'
import { writeVarint } from '../base/byte-stream.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { packDotHigh, packDotLow, unpackMember, unpackStamp } from '../memory/record.js'

/**
 * One place of a list in its chunk, after Redis' listpack: readable forwards and, by its length at the end, backwards.
 *
 * ```
 * short    length:u8 (0..191)            delta:varint  bytes  back
 * long     0xc0 length:u16               delta:varint  bytes  back
 * apart    0xc8 ref:u32                                       back     the registers stand in a block of their own
 * hole     0xd0 count:varint                                  back     so many indexes without an element
 * back     bytes of the entry before it: one byte below 128; else low 7 bits last, with bit 7 set, and the rest before
 * ```
 *
 * delta: the stamp of the element's dot, counted from its chunk's base; its member is the one whose run it is.
 *
 * ```
 * block apart    count:u32 0:u32 { dot:2 u32 length:u32 bytes, padded to 4 }   by falling dot: the first is what clients see
 * ```
 */
const LONG = 0xc0
const APART = 0xc8
const HOLE = 0xd0
export const MAX_ONE_BYTE_BACK = 127
/** Longest value in a short entry. */
export const MAX_SHORT_BYTES = LONG - 1
/** Longest value that may stand in a chunk. */
export const MAX_INLINE_BYTES = 512

export function isHole(u8: Uint8Array, at: number): boolean {
  return u8[at] === HOLE
}

export function isApart(u8: Uint8Array, at: number): boolean {
  return u8[at] === APART
}

/** Bytes of the entry at an offset. */
export function entryBytes(u8: Uint8Array, at: number): number {
  const head = u8[at]
  let p = at + 1
  if (head <= LONG) {
    let length = head
    if (head === LONG) {
      length = u8[p] | (u8[p + 1] << 8)
      p += 2
    }
    while (u8[p++] >= 0x80);
    p += length
  } else if (head === APART) {
    p += 4
  } else {
    while (u8[p++] >= 0x80);
  }
  return p - at + (p - at <= MAX_ONE_BYTE_BACK ? 1 : 2)
}

/** Where the entry that ends at an offset begins. */
export function entryBefore(u8: Uint8Array, end: number): number {
  const last = u8[end - 1]
  return last < 0x80 ? end - 1 - last : end - 2 - ((last & 0x7f) | (u8[end - 2] << 7))
}

/** Where the value of a short or long entry begins; its length is valueLength. */
export function valueOffset(u8: Uint8Array, at: number): number {
  let p = u8[at] === LONG ? at + 3 : at + 1
  while (u8[p++] >= 0x80);
  return p
}

export function valueLength(u8: Uint8Array, at: number): number {
  const head = u8[at]
  return head === LONG ? u8[at + 1] | (u8[at + 2] << 8) : head
}

/** The delta of a short or long entry. */
export function deltaOf(u8: Uint8Array, at: number): number {
  return readVarint(u8, u8[at] === LONG ? at + 3 : at + 1)
}

export function holeCount(u8: Uint8Array, at: number): number {
  return readVarint(u8, at + 1)
}

export function apartRef(u8: Uint8Array, at: number): Ref {
  return (u8[at + 1] | (u8[at + 2] << 8) | (u8[at + 3] << 16) | (u8[at + 4] << 24)) >>> 0
}

/** Bytes that putValue will take. */
export function valueEntryBytes(delta: number, length: number): number {
  const body = (length < LONG ? 1 : 3) + varintBytes(delta) + length
  return body + (body <= MAX_ONE_BYTE_BACK ? 1 : 2)
}

export function holeBytes(count: number): number {
  return 2 + varintBytes(count)
}

export const APART_BYTES = 6

/** Writes an entry and gives the offset behind it. */
export function putValue(u8: Uint8Array, at: number, delta: number, from: Uint8Array, off: number, length: number): number {
  let p = at
  if (length < LONG) {
    u8[p++] = length
  } else {
    u8[p] = LONG
    u8[p + 1] = length & 0xff
    u8[p + 2] = length >>> 8
    p += 3
  }
  if (delta < 0x80) u8[p++] = delta
  else p = writeVarint(delta, u8, p)
  copyBytes(from, off, u8, p, length)
  return putBack(u8, at, p + length)
}

export function putApart(u8: Uint8Array, at: number, ref: Ref): number {
  u8[at] = APART
  u8[at + 1] = ref & 0xff
  u8[at + 2] = (ref >>> 8) & 0xff
  u8[at + 3] = (ref >>> 16) & 0xff
  u8[at + 4] = ref >>> 24
  return putBack(u8, at, at + 5)
}

export function putHole(u8: Uint8Array, at: number, count: number): number {
  u8[at] = HOLE
  return putBack(u8, at, writeVarint(count, u8, at + 1))
}

function putBack(u8: Uint8Array, at: number, end: number): number {
  const body = end - at
  if (body <= MAX_ONE_BYTE_BACK) {
    u8[end] = body
    return end + 1
  }
  u8[end] = body >>> 7
  u8[end + 1] = 0x80 | (body & 0x7f)
  return end + 2
}

function readVarint(u8: Uint8Array, at: number): number {
  let byte = u8[at]
  if (byte < 0x80) return byte
  let value = byte & 0x7f
  let factor = 128
  do {
    byte = u8[++at]
    value += (byte & 0x7f) * factor
    factor *= 128
  } while (byte >= 0x80)
  return value
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let bound = 128; value >= bound; bound *= 128) bytes++
  return bytes
}

/** One value of an element, with the dot of its write. */
export interface ListRegister {
  readonly member: number
  readonly stamp: number
  readonly value: Uint8Array
}

const APART_HEAD_WORDS = 2
const REGISTER_WORDS = 3

/** A block of registers; they must be sorted by falling dot. */
export function writeApart(arena: Arena, registers: readonly ListRegister[]): Ref {
  let words = APART_HEAD_WORDS
  for (const { value } of registers) words += REGISTER_WORDS + ((value.length + 3) >>> 2)
  const ref = arena.alloc(words * 4)
  const u32 = arena.u32[ref >>> CHUNK_SHIFT]
  const u8 = arena.u8[ref >>> CHUNK_SHIFT]
  let w = (ref & UNIT_MASK) << 1
  u32[w] = registers.length
  u32[w + 1] = 0
  w += APART_HEAD_WORDS
  for (const { member, stamp, value } of registers) {
    u32[w] = packDotHigh(member, stamp)
    u32[w + 1] = packDotLow(stamp)
    u32[w + 2] = value.length
    w += REGISTER_WORDS
    u8.set(value, w << 2)
    w += (value.length + 3) >>> 2
  }
  return ref
}

/** Copies of what writeApart wrote. */
export function readApart(arena: Arena, ref: Ref): ListRegister[] {
  const u32 = arena.u32[ref >>> CHUNK_SHIFT]
  const u8 = arena.u8[ref >>> CHUNK_SHIFT]
  let w = (ref & UNIT_MASK) << 1
  const registers: ListRegister[] = []
  const count = u32[w]
  w += APART_HEAD_WORDS
  for (let i = 0; i < count; i++) {
    const member = unpackMember(u32[w])
    const stamp = unpackStamp(u32[w], u32[w + 1])
    const length = u32[w + 2]
    w += REGISTER_WORDS
    registers.push({ member, stamp, value: u8.slice(w << 2, (w << 2) + length) })
    w += (length + 3) >>> 2
  }
  return registers
}

export function apartCount(arena: Arena, ref: Ref): number {
  return arena.u32[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) << 1]
}

/** Where the visible value of a block apart begins in its chunk's bytes. */
export function apartOffset(ref: Ref): number {
  return ((ref & UNIT_MASK) << 3) + (APART_HEAD_WORDS + REGISTER_WORDS) * 4
}

export function apartLength(arena: Arena, ref: Ref): number {
  return arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + APART_HEAD_WORDS + 2]
}

/** True when clients see these bytes as the value of the element at an offset. */
export function isValueAt(arena: Arena, u8: Uint8Array, at: number, value: Uint8Array, off: number, len: number): boolean {
  if (!isApart(u8, at)) return valueLength(u8, at) === len && equalBytes(u8, valueOffset(u8, at), value, off, len)
  const ref = apartRef(u8, at)
  return apartLength(arena, ref) === len && equalBytes(arena.u8[ref >>> CHUNK_SHIFT], apartOffset(ref), value, off, len)
}
