import { parseInteger64 } from '../base/bytes.js'

const HEADER = 6
const END = 0xff
/** Header's element count that means "count them". */
const MANY = 0xffff

/** Builds a listpack (drawn in packed.ts) element by element. Only streams need one: every other type can be written unpacked. */
export class ListpackWriter {
  private bytes = Buffer.alloc(512)
  private size = HEADER
  count = 0

  /** A string that is a canonical 64-bit integer is stored as one, as Redis does. */
  string(value: Uint8Array): void {
    const integer = parseInteger64(value, 0, value.length)
    if (integer !== null) {
      this.integer(integer)
      return
    }
    const start = this.size
    const { length } = value
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
    this.bytes.set(value, this.size)
    this.size += length
    this.end(start)
  }

  /** A signed 64-bit integer. */
  integer(value: bigint): void {
    const start = this.size
    this.reserve(9)
    if (value >= 0n && value < 128n) {
      this.bytes[this.size++] = Number(value)
    } else if (value >= -4096n && value < 4096n) {
      this.size = this.bytes.writeUInt16BE(0xc000 | (Number(value) & 0x1fff), this.size)
    } else if (value >= -32768n && value < 32768n) {
      this.bytes[this.size++] = 0xf1
      this.size = this.bytes.writeInt16LE(Number(value), this.size)
    } else if (value >= -(1n << 31n) && value < 1n << 31n) {
      this.bytes[this.size++] = 0xf3
      this.size = this.bytes.writeInt32LE(Number(value), this.size)
    } else {
      this.bytes[this.size++] = 0xf4
      this.size = this.bytes.writeBigInt64LE(value, this.size)
    }
    this.end(start)
  }

  finish(): Uint8Array {
    this.reserve(1)
    this.bytes[this.size++] = END
    this.bytes.writeUInt32LE(this.size, 0)
    this.bytes.writeUInt16LE(Math.min(this.count, MANY), 4)
    return this.bytes.subarray(0, this.size)
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
