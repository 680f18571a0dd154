import { writeInteger } from '../base/bytes.js'
import { TWO_32 } from '../base/words.js'
import { ByteList } from './byte-list.js'

/**
 * The packed encodings: one string that holds a whole small collection. Each reader gives every element as text, or null when the bytes
 * are not such a string through and through: lengths, counts, back links and end mark are all checked.
 */
const END = 0xff
/** Header's element count that means "count them". */
const MANY = 0xffff
/** Where integers are printed: a packed value may hold millions. */
const digits = new Uint8Array(24)

/**
 * ```
 * listpack := bytes:u32 count:u16 element… 0xff          little-endian
 * element  := encoding [data] backLength:1..5            backLength counts encoding and data, 7 bits a byte, read backwards
 * ```
 */
const LISTPACK_HEADER = 6

export function readListpack(buf: Uint8Array): ByteList | null {
  const end = buf.length - 1
  if (buf.length <= LISTPACK_HEADER || u32(buf, 0) !== buf.length || buf[end] !== END) return null
  const list = new ByteList()
  let at = LISTPACK_HEADER
  while (at < end) {
    const next = readListpackElement(buf, at, end, list)
    if (next < 0) return null
    const back = checkBackLength(buf, next, end, next - at)
    if (back < 0) return null
    at = back
  }
  return countFits(u16(buf, 4), list) ? list : null
}

/** Pushes the element and gives where its data ends, or -1. */
function readListpackElement(buf: Uint8Array, at: number, end: number, list: ByteList): number {
  const first = buf[at]
  if (first < 0x80) return pushNumber(list, first, at + 1, end)
  if (first < 0xc0) return pushBytes(list, buf, at + 1, first & 0x3f, end)
  if (first < 0xe0) return at + 2 > end ? -1 : pushNumber(list, ((((first & 0x1f) << 8) | buf[at + 1]) << 19) >> 19, at + 2, end)
  if (first < 0xf0) return at + 2 > end ? -1 : pushBytes(list, buf, at + 2, ((first & 0x0f) << 8) | buf[at + 1], end)
  switch (first) {
    case 0xf0:
      return at + 5 > end ? -1 : pushBytes(list, buf, at + 5, u32(buf, at + 1), end)
    case 0xf1:
      return pushInteger(list, buf, at + 1, 2, end)
    case 0xf2:
      return pushInteger(list, buf, at + 1, 3, end)
    case 0xf3:
      return pushInteger(list, buf, at + 1, 4, end)
    case 0xf4:
      return pushInteger(list, buf, at + 1, 8, end)
    default:
      return -1
  }
}

/**
 * Where the back length ends if it is `length`, else -1. Its first byte holds the highest 7 bits; all but the first have bit 7 set. The largest
 * lengths that would fit into 2, 3 and 4 bytes take one more in Redis.
 */
function checkBackLength(buf: Uint8Array, at: number, end: number, length: number): number {
  const bytes = length <= 127 ? 1 : length < 2 ** 14 - 1 ? 2 : length < 2 ** 21 - 1 ? 3 : length < 2 ** 28 - 1 ? 4 : 5
  if (at + bytes > end) return -1
  let value = 0
  for (let i = 0; i < bytes; i++) {
    const byte = buf[at + i]
    if (byte >= 0x80 !== i > 0) return -1
    value = value * 128 + (byte & 0x7f)
  }
  return value === length ? at + bytes : -1
}

/**
 * ```
 * ziplist := bytes:u32 tail:u32 count:u16 entry… 0xff    little-endian; tail: where the last entry begins
 * entry   := previousLength:1|5 encoding [data]          string lengths in encodings are big-endian
 * ```
 */
const ZIPLIST_HEADER = 10
const LONG_PREVIOUS = 0xfe

export function readZiplist(buf: Uint8Array): ByteList | null {
  const end = buf.length - 1
  if (buf.length <= ZIPLIST_HEADER || u32(buf, 0) !== buf.length || buf[end] !== END) return null
  const list = new ByteList()
  let at = ZIPLIST_HEADER
  let last = ZIPLIST_HEADER
  let previous = 0
  while (at < end) {
    let data = at + 1
    let length = buf[at]
    if (length === LONG_PREVIOUS) {
      if (at + 5 >= end) return null
      length = u32(buf, at + 1)
      data = at + 5
    }
    if (length !== previous || buf[at] === END || data >= end) return null
    const next = readZiplistEntry(buf, data, end, list)
    if (next < 0) return null
    previous = next - at
    last = at
    at = next
  }
  return u32(buf, 4) === last && countFits(u16(buf, 8), list) ? list : null
}

function readZiplistEntry(buf: Uint8Array, at: number, end: number, list: ByteList): number {
  const first = buf[at]
  if (first < 0x40) return pushBytes(list, buf, at + 1, first, end)
  if (first < 0x80) return at + 2 > end ? -1 : pushBytes(list, buf, at + 2, ((first & 0x3f) << 8) | buf[at + 1], end)
  switch (first) {
    case 0x80:
      return at + 5 > end
        ? -1
        : pushBytes(list, buf, at + 5, ((buf[at + 1] << 24) | (buf[at + 2] << 16) | (buf[at + 3] << 8) | buf[at + 4]) >>> 0, end)
    case 0xc0:
      return pushInteger(list, buf, at + 1, 2, end)
    case 0xd0:
      return pushInteger(list, buf, at + 1, 4, end)
    case 0xe0:
      return pushInteger(list, buf, at + 1, 8, end)
    case 0xf0:
      return pushInteger(list, buf, at + 1, 3, end)
    case 0xfe:
      return pushInteger(list, buf, at + 1, 1, end)
    default:
      return first > 0xf0 && first < 0xfe ? pushNumber(list, (first & 0x0f) - 1, at + 1, end) : -1
  }
}

/** `intset := bytesEach:u32 count:u32 integer…`: little-endian, signed, rising. */
const INTSET_HEADER = 8

export function readIntset(buf: Uint8Array): ByteList | null {
  if (buf.length < INTSET_HEADER) return null
  const size = u32(buf, 0)
  const count = u32(buf, 4)
  if ((size !== 2 && size !== 4 && size !== 8) || count === 0 || INTSET_HEADER + size * count !== buf.length) return null
  const list = new ByteList()
  let previous: bigint | number = -Infinity
  for (let at = INTSET_HEADER; at < buf.length; at += size) {
    const value = integer(buf, at, size)
    if (value <= previous) return null
    previous = value
    pushNumber(list, value, at + size, buf.length)
  }
  return list
}

/** `zipmap := count:u8 (length field length free:u8 value free bytes)… 0xff`; a length is u8, or 0xfe and u32. Fields and values in turn. */
export function readZipmap(buf: Uint8Array): ByteList | null {
  const end = buf.length - 1
  if (buf.length < 2 || buf[end] !== END) return null
  const list = new ByteList()
  let at = 1
  while (at < end) {
    for (const isValue of [false, true]) {
      if (at >= end) return null
      let length = buf[at++]
      if (length === END) return null
      if (length === LONG_PREVIOUS) {
        if (at + 4 > end) return null
        length = u32(buf, at)
        at += 4
      }
      let free = 0
      if (isValue) {
        if (at >= end) return null
        free = buf[at++]
      }
      const next = pushBytes(list, buf, at, length, end)
      if (next < 0 || next + free > end) return null
      at = next + free
    }
  }
  return buf[0] >= LONG_PREVIOUS || buf[0] * 2 === list.count ? list : null
}

function countFits(declared: number, list: ByteList): boolean {
  return declared === MANY || declared === list.count
}

function pushBytes(list: ByteList, buf: Uint8Array, at: number, length: number, end: number): number {
  if (at + length > end) return -1
  list.push(buf, at, length)
  return at + length
}

function pushInteger(list: ByteList, buf: Uint8Array, at: number, bytes: number, end: number): number {
  return at + bytes > end ? -1 : pushNumber(list, integer(buf, at, bytes), at + bytes, end)
}

function pushNumber(list: ByteList, value: number | bigint, at: number, end: number): number {
  if (at > end) return -1
  if (typeof value === 'number') {
    list.push(digits, 0, writeInteger(value, digits, 0))
  } else {
    const text = Buffer.from(String(value), 'latin1')
    list.push(text, 0, text.length)
  }
  return at
}

/** A signed little-endian integer of 1, 2, 3, 4 or 8 bytes. */
function integer(buf: Uint8Array, at: number, bytes: number): number | bigint {
  if (bytes === 8) return BigInt.asIntN(64, BigInt(u32(buf, at)) | (BigInt(u32(buf, at + 4)) << 32n))
  let value = 0
  for (let i = bytes - 1; i >= 0; i--) value = value * 256 + buf[at + i]
  const range = bytes === 4 ? TWO_32 : 2 ** (8 * bytes)
  return value >= range / 2 ? value - range : value
}

function u16(buf: Uint8Array, at: number): number {
  return buf[at] | (buf[at + 1] << 8)
}

function u32(buf: Uint8Array, at: number): number {
  return (buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24)) >>> 0
}
