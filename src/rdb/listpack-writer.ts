import { copyBytes, parseInteger, parseInteger64 } from '../base/bytes.js'

const HEADER = 6
const END = 0xff
/** Header's element count that means "count them". */
const MANY = 0xffff
/** Numbers up to here are compared as such. */
const MAX_INT32 = 2n ** 31n

/** Digits of the numbers that are exact in any case. */
const SAFE_DIGITS = 15
/** Of an integer in decimal, with its sign. */
const LONGEST_INTEGER = 20

/** Builds a listpack (drawn in packed.ts) element by element, and others after it. Only streams need one: every other type can be written unpacked. */
export class ListpackWriter {
  private bytes = Buffer.alloc(512)
  private size = HEADER
  count = 0

  /** A string that is a canonical 64-bit integer is stored as one, as Redis does. */
  string(value: Uint8Array, off = 0, length = value.length): void {
    if (length <= LONGEST_INTEGER && this.asInteger(value, off, length)) return
    const start = this.size
    this.reserve(length + 5)
    if (length < 64) {
      this.bytes[this.size++] = 0x80 | length
    } else if (length < 4096) {
      this.bytes[this.size++] = 0xe0 | (length >>> 8)
      this.bytes[this.size++] = length & 0xff
    } else {
      this.bytes[this.size++] = 0xf0
      this.size = this.bytes.writeUInt32LE(length, this.size)
    }
    copyBytes(value, off, this.bytes, this.size, length)
    this.size += length
    this.end(start)
  }

  /** A signed 64-bit integer. A number is a safe one, and takes nothing from the heap. */
  integer(value: bigint | number): void {
    const start = this.size
    this.reserve(9)
    const small = typeof value === 'number' ? value : value >= -MAX_INT32 && value <= MAX_INT32 ? Number(value) : Infinity
    if (small >= 0 && small < 128) {
      this.bytes[this.size++] = small
    } else if (small >= -4096 && small < 4096) {
      this.size = this.bytes.writeUInt16BE(0xc000 | (small & 0x1fff), this.size)
    } else if (small >= -32768 && small < 32768) {
      this.bytes[this.size++] = 0xf1
      this.size = this.bytes.writeInt16LE(small, this.size)
    } else if (small >= -(2 ** 31) && small < 2 ** 31) {
      this.bytes[this.size++] = 0xf3
      this.size = this.bytes.writeInt32LE(small, this.size)
    } else {
      this.bytes[this.size++] = 0xf4
      this.size = this.bytes.writeBigInt64LE(BigInt(value), this.size)
    }
    this.end(start)
  }

  /** Good until something is written; what is then written begins another listpack. */
  finish(): Uint8Array {
    this.reserve(1)
    this.bytes[this.size++] = END
    this.bytes.writeUInt32LE(this.size, 0)
    this.bytes.writeUInt16LE(Math.min(this.count, MANY), 4)
    const finished = this.bytes.subarray(0, this.size)
    this.size = HEADER
    this.count = 0
    return finished
  }

  /** Writes a string as an integer, if it is one in its shortest form. */
  private asInteger(value: Uint8Array, off: number, length: number): boolean {
    if (length <= SAFE_DIGITS) {
      const small = parseInteger(value, off, length)
      if (Number.isNaN(small)) return false
      this.integer(small)
      return true
    }
    const integer = parseInteger64(value, off, length)
    if (integer !== null) this.integer(integer)
    return integer !== null
  }

  /** The length that lets it be read backwards: 7 bits a byte, the highest first; the largest of each size take one byte more. */
  private end(start: number): void {
    const length = this.size - start
    this.reserve(5)
    const bytes = length <= 127 ? 1 : length < 2 ** 14 - 1 ? 2 : length < 2 ** 21 - 1 ? 3 : length < 2 ** 28 - 1 ? 4 : 5
    for (let i = bytes - 1; i >= 0; i--) {
      this.bytes[this.size++] = (Math.floor(length / 128 ** i) & 0x7f) | (i === bytes - 1 ? 0 : 0x80)
    }
    this.count++
  }

  private reserve(more: number): void {
    if (this.size + more <= this.bytes.length) return
    const grown = Buffer.alloc(Math.max(this.size + more, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.size))
    this.bytes = grown
  }
}
