import { allocateLazily, releasedMemory } from './large-memory.js'

/**
 * Byte ranges: copy, compare, numbers to and from ASCII. Loops are used for short ranges because a call into the runtime costs more: on Node 20
 * set+subarray takes as long as a loop over 48 bytes. V8 checks type and bounds of both arrays anew in each round of a loop, so a round takes
 * several bytes: eight at a time are a third faster than one (16 ns for 16 bytes, not 25).
 */
const LOOP_BYTES = 48
const LONG_COMPARISON = 96

/** Buffers of this size and more are kept from V8's account (large-memory). Copying to and from them takes a little longer. */
const LARGE_BYTES = 256 * 1024

/**
 * Memory that may hold anything, as a plain Uint8Array. All bytes that hot paths read or write (sockets, replies, frames, the arena) are plain ones: to V8 a
 * Buffer is another type, and a loop that meets both checks which it has at every byte, which makes it half as fast.
 */
export function allocateBytes(length: number): Uint8Array {
  if (length < LARGE_BYTES) return allocateLasting(length)
  // Its user will not say when it is dropped, but does so soon.
  releasedMemory(length)
  return allocateLazily(length)
}

/** The same for a buffer that stays for good and is copied to all the time, which is faster for memory that V8 counts. */
export function allocateLasting(length: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
}

/** Numbers that are 0. Many are cleared as they are touched, and V8 does not count them. */
export function allocateDoubles(count: number): Float64Array {
  return 8 * count < LARGE_BYTES ? new Float64Array(count) : new Float64Array(cleared(8 * count), 0, count)
}

/** The same for integers of 32 bits. */
export function allocateWords(count: number): Uint32Array {
  return 4 * count < LARGE_BYTES ? new Uint32Array(count) : new Uint32Array(cleared(4 * count), 0, count)
}

function cleared(length: number): ArrayBufferLike {
  releasedMemory(length)
  return allocateLazily(length).buffer
}

/** As allocateBytes, as a Buffer of its own, for sockets and files. */
export function allocateBuffer(length: number): Buffer {
  const bytes = allocateBytes(length)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** The same bytes as a plain Uint8Array. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes
}

/** Copies length bytes; the ranges must not overlap unless they are the same. Allocates nothing up to 48 bytes. */
export function copyBytes(from: Uint8Array, fromOff: number, to: Uint8Array, toOff: number, length: number): void {
  const end = fromOff + length
  let f = fromOff
  let t = toOff
  if (length > LOOP_BYTES) {
    to.set(from.subarray(f, end), t)
    return
  }
  for (; f + 8 <= end; f += 8, t += 8) {
    const a = from[f]
    const b = from[f + 1]
    const c = from[f + 2]
    const d = from[f + 3]
    const e = from[f + 4]
    const g = from[f + 5]
    const h = from[f + 6]
    const i = from[f + 7]
    to[t] = a
    to[t + 1] = b
    to[t + 2] = c
    to[t + 3] = d
    to[t + 4] = e
    to[t + 5] = g
    to[t + 6] = h
    to[t + 7] = i
  }
  for (; f < end; f++, t++) to[t] = from[f]
}

/** True when bytes begin with all of prefix. */
export function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.length >= prefix.length && equalBytes(bytes, 0, prefix, 0, prefix.length)
}

export function equalBytes(a: Uint8Array, aOff: number, b: Uint8Array, bOff: number, length: number): boolean {
  const end = aOff + length
  let p = aOff
  let q = bOff
  if (length > LONG_COMPARISON) return Buffer.compare(a.subarray(p, end), b.subarray(q, q + length)) === 0
  for (; p + 4 <= end; p += 4, q += 4) {
    if (((a[p] ^ b[q]) | (a[p + 1] ^ b[q + 1]) | (a[p + 2] ^ b[q + 2]) | (a[p + 3] ^ b[q + 3])) !== 0) return false
  }
  for (; p < end; p++, q++) if (a[p] !== b[q]) return false
  return true
}

/** Order of two byte ranges [start, end) by their bytes, a beginning before what it begins: negative, 0 or positive. */
export function compareBytes(a: Uint8Array, aStart: number, aEnd: number, b: Uint8Array, bStart: number, bEnd: number): number {
  const common = Math.min(aEnd - aStart, bEnd - bStart)
  if (common > LONG_COMPARISON) return Buffer.compare(a.subarray(aStart, aEnd), b.subarray(bStart, bEnd))
  for (let i = 0; i < common; i++) {
    const difference = a[aStart + i] - b[bStart + i]
    if (difference !== 0) return difference
  }
  return aEnd - aStart - (bEnd - bStart)
}

/** Case-insensitive comparison of a byte range with an upper-case ASCII word. */
export function equalsWord(buf: Uint8Array, off: number, len: number, upper: string): boolean {
  if (len !== upper.length) return false
  for (let i = 0; i < len; i++) {
    let c = buf[off + i]
    if (c >= 97 && c <= 122) c -= 32
    if (c !== upper.charCodeAt(i)) return false
  }
  return true
}

/** What `parseInteger` gives when the bytes are no canonical integer within the safe range. */
export const NOT_AN_INTEGER = Number.NaN

/**
 * Reads a decimal integer in Redis' canonical form (no plus, no leading zeros, no spaces) of at most 15 digits, so that it is
 * exact as a number. Longer ones give NaN here and go through parseInteger64.
 */
export function parseInteger(buf: Uint8Array, off: number, len: number): number {
  if (len === 0 || len > 16) return NOT_AN_INTEGER
  let i = off
  const end = off + len
  let negative = false
  if (buf[i] === 45) {
    negative = true
    i++
    if (i === end) return NOT_AN_INTEGER
  }
  if (end - i > 15) return NOT_AN_INTEGER
  let c = buf[i]
  if (c === 48) return end - i === 1 && !negative ? 0 : NOT_AN_INTEGER
  let value = 0
  for (; i < end; i++) {
    c = buf[i] - 48
    if (c < 0 || c > 9) return NOT_AN_INTEGER
    value = value * 10 + c
  }
  return negative ? -value : value
}

export const INT64_MAX = 9223372036854775807n
export const INT64_MIN = -9223372036854775808n

/** Reads a canonical signed 64-bit integer, or null. Allocates; for integers beyond 15 digits and cold paths. */
export function parseInteger64(buf: Uint8Array, off: number, len: number): bigint | null {
  if (len === 0 || len > 20) return null
  const small = parseInteger(buf, off, len)
  if (small === small) return BigInt(small)
  let i = off
  const end = off + len
  if (buf[i] === 45) i++
  if (i === end || buf[i] === 48) return null
  for (let j = i; j < end; j++) if (buf[j] < 48 || buf[j] > 57) return null
  const value = BigInt(latin1(buf, off, len))
  return value > INT64_MAX || value < INT64_MIN ? null : value
}

const BILLION = 1e9

/** Writes a safe integer as decimal digits; returns how many bytes. The target must have 17 bytes of room. */
export function writeInteger(value: number, to: Uint8Array, at: number): number {
  let rest = value
  let start = at
  if (rest < 0) {
    to[start++] = 45
    rest = -rest
  }
  let digits = 1
  for (let bound = 10; rest >= bound && digits < 16; bound *= 10) digits++
  let i = start + digits
  let small = rest | 0
  if (rest >= BILLION) {
    // Division of doubles is slow, so there is one of it; both parts are below 2^31.
    const high = Math.floor(rest / BILLION)
    small = (rest - high * BILLION) | 0
    for (const end = i - 9; i > end;) {
      const tenth = (small / 10) | 0
      to[--i] = 48 + (small - tenth * 10)
      small = tenth
    }
    small = high
  }
  while (i > start) {
    const tenth = (small / 10) | 0
    to[--i] = 48 + (small - tenth * 10)
    small = tenth
  }
  return start + digits - at
}

/** The range as a string of the same bytes (U+0000..U+00FF). */
export function latin1(buf: Uint8Array, off: number, len: number): string {
  return Buffer.from(buf.buffer, buf.byteOffset + off, len).toString('latin1')
}

export function utf8(buf: Uint8Array, off: number, len: number): string {
  return Buffer.from(buf.buffer, buf.byteOffset + off, len).toString('utf8')
}

/** What utf8 makes of bytes that are none. */
const REPLACEMENT = '\uFFFD'
/** Where a byte that is not part of any UTF-8 stands in a text, as half a surrogate pair, which UTF-8 never gives: 0x80 as U+DC80, 0xFF as U+DCFF. */
const STRAY_BYTES = 0xdc00

/** As utf8, but nothing is lost: bytes that are not UTF-8 stand in the text as STRAY_BYTES says, and strayBytes finds them. */
export function faithfulUtf8(buf: Uint8Array, off: number, len: number): string {
  const whole = utf8(buf, off, len)
  if (!whole.includes(REPLACEMENT)) return whole
  let text = ''
  for (let at = off; at < off + len;) {
    let length = Math.min(sequenceLength(buf[at]), off + len - at)
    let character = length === 0 ? REPLACEMENT : utf8(buf, at, length)
    if (character.includes(REPLACEMENT) && !isReplacement(buf, at, length)) {
      character = String.fromCharCode(STRAY_BYTES + buf[at])
      length = 1
    }
    text += character
    at += length
  }
  return text
}

/** Calls back with the pieces of a text of faithfulUtf8, in order: text that is UTF-8, and single bytes that are not. */
export function eachPiece(text: string, piece: (text: string) => void, stray: (byte: number) => void): void {
  let from = 0
  for (const { index } of text.matchAll(STRAY)) {
    piece(text.slice(from, index))
    stray(text.charCodeAt(index) - STRAY_BYTES)
    from = index + 1
  }
  piece(text.slice(from))
}

export function hasStrayBytes(text: string): boolean {
  return text.search(STRAY) >= 0
}

/** With the flag u it does not find the second half of a pair. */
const STRAY = /[\uDC80-\uDCFF]/gu

/** Bytes of the UTF-8 sequence that a byte begins; 0 if it begins none. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1
  if (first < 0xc2 || first > 0xf4) return 0
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
}

/** U+FFFD itself. */
function isReplacement(buf: Uint8Array, at: number, length: number): boolean {
  return length === 3 && buf[at] === 0xef && buf[at + 1] === 0xbf && buf[at + 2] === 0xbd
}
