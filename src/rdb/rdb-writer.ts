import { allocateBytes, copyBytes, parseInteger } from '../base/bytes.js'
import { compressLzf } from './lzf.js'
import { ENCODED_INT16, ENCODED_INT32, ENCODED_INT8, ENCODED_LZF, LENGTH_14, LENGTH_32, LENGTH_64 } from './rdb-types.js'

const INT32_MIN = -(2 ** 31)
const INT32_MAX = 2 ** 31 - 1
/** Text of the longest integer that is stored as one: -2147483648. */
const LONGEST_INTEGER = 11
/** Redis compresses strings longer than this. */
const COMPRESSED_ABOVE = 20
const MASK_8 = 0xffn

const scratch = new DataView(new ArrayBuffer(8))
const scratchBytes = new Uint8Array(scratch.buffer)

/** Writes the basic forms of an RDB value into one growing buffer. */
export class RdbWriter {
  bytes: Uint8Array
  size = 0

  constructor(room = 256) {
    this.bytes = allocateBytes(room)
  }

  u8(value: number): void {
    this.reserve(1)
    this.bytes[this.size++] = value
  }

  raw(value: Uint8Array, off = 0, len = value.length): void {
    this.reserve(len)
    copyBytes(value, off, this.bytes, this.size, len)
    this.size += len
  }

  f64(value: number): void {
    this.reserve(8)
    scratch.setFloat64(0, value, true)
    for (let i = 0; i < 8; i++) this.bytes[this.size++] = scratchBytes[i]
  }

  /** A whole number of ms, signed 64 bits, little-endian. */
  milliseconds(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value))
    this.reserve(8)
    for (let i = 0; i < 8; i++) {
      this.bytes[this.size++] = Number(rest & MASK_8)
      rest >>= 8n
    }
  }

  u64BigEndian(value: bigint): void {
    this.reserve(8)
    for (let shift = 56n; shift >= 0n; shift -= 8n) this.bytes[this.size++] = Number((value >> shift) & MASK_8)
  }

  length(value: number): void {
    if (value < 64) {
      this.u8(value)
    } else if (value < 16384) {
      this.u8((LENGTH_14 << 6) | (value >>> 8))
      this.u8(value & 0xff)
    } else if (value <= 0xffffffff) {
      this.u8(LENGTH_32)
      for (let shift = 24; shift >= 0; shift -= 8) this.u8((value >>> shift) & 0xff)
    } else {
      this.length64(BigInt(value))
    }
  }

  length64(value: bigint): void {
    if (value <= 0xffffffffn) {
      this.length(Number(value))
    } else {
      this.u8(LENGTH_64)
      this.u64BigEndian(value)
    }
  }

  /** A string, all of `value` or a part of it, in the shortest form: an integer, compressed, or as it is. */
  string(value: Uint8Array, off = 0, len = value.length): void {
    if (len <= LONGEST_INTEGER) {
      const integer = parseInteger(value, off, len)
      if (integer >= INT32_MIN && integer <= INT32_MAX) {
        this.integer(integer)
        return
      }
    }
    const packed = len > COMPRESSED_ABOVE ? compressLzf(value.subarray(off, off + len)) : null
    if (packed === null) {
      this.length(len)
      this.raw(value, off, len)
    } else {
      this.u8(ENCODED_LZF)
      this.length(packed.length)
      this.length(len)
      this.raw(packed)
    }
  }

  private integer(value: number): void {
    const bytes = value >= -128 && value < 128 ? 1 : value >= -32768 && value < 32768 ? 2 : 4
    this.u8(bytes === 1 ? ENCODED_INT8 : bytes === 2 ? ENCODED_INT16 : ENCODED_INT32)
    for (let i = 0; i < bytes; i++) this.u8((value >> (8 * i)) & 0xff)
  }

  private reserve(more: number): void {
    if (this.size + more <= this.bytes.length) return
    const grown = allocateBytes(Math.max(this.size + more, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.size))
    this.bytes = grown
  }
}
