import { copyBytes } from './bytes.js'
import { TWO_32 } from './words.js'

/**
 * Small sequential writer and reader of the number formats that effects, messages and extras blocks use: u8, f64 (little-endian),
 * varint (unsigned LEB128, at most 53 bits) and byte strings with a varint length.
 */
const SCRATCH = new DataView(new ArrayBuffer(8))
const TWO_28 = 2 ** 28

export class ByteWriter {
  bytes = new Uint8Array(256)
  length = 0

  reset(): this {
    this.length = 0
    return this
  }

  u8(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  f64(value: number): void {
    this.reserve(8)
    SCRATCH.setFloat64(0, value, true)
    for (let i = 0; i < 8; i++) this.bytes[this.length++] = SCRATCH.getUint8(i)
  }

  varint(value: number): void {
    this.reserve(8)
    this.length = writeVarint(value, this.bytes, this.length)
  }

  /** varint length, then the bytes. */
  block(value: Uint8Array): void {
    this.varint(value.length)
    this.raw(value)
  }

  /** As block, for a range. */
  range(buf: Uint8Array, off: number, len: number): void {
    this.varint(len)
    this.reserve(len)
    copyBytes(buf, off, this.bytes, this.length, len)
    this.length += len
  }

  raw(value: Uint8Array): void {
    this.reserve(value.length)
    this.bytes.set(value, this.length)
    this.length += value.length
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.length + more, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
}

/** Reads what ByteWriter wrote. Past the end it sets `failed` and gives zeros: the caller checks once, at the end. */
export class ByteReader {
  failed = false

  constructor(
    private bytes: Uint8Array,
    public at = 0,
    private end = bytes.length,
  ) {}

  u8(): number {
    if (this.at >= this.end) return this.fail()
    return this.bytes[this.at++]
  }

  f64(): number {
    if (this.at + 8 > this.end) return this.fail()
    const value = readFloat64(this.bytes, this.at)
    this.at += 8
    return value
  }

  varint(): number {
    let value = 0
    let factor = 1
    for (let i = 0; i < 8; i++) {
      if (this.at >= this.end) return this.fail()
      const byte = this.bytes[this.at++]
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : this.fail()
      factor *= 128
    }
    return this.fail()
  }

  /** A view, not a copy. */
  block(): Uint8Array {
    const length = this.varint()
    if (this.at + length > this.end) {
      this.fail()
      return new Uint8Array(0)
    }
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  get atEnd(): boolean {
    return this.at === this.end
  }

  private fail(): number {
    this.failed = true
    this.at = this.end
    return 0
  }
}

export function readFloat64(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) SCRATCH.setUint8(i, bytes[at + i])
  return SCRATCH.getFloat64(0, true)
}

/** Writes a varint of a safe, non-negative integer; returns the offset behind it. Room for 8 bytes must be there. */
export function writeVarint(value: number, to: Uint8Array, at: number): number {
  let rest = value >>> 0
  if (value >= TWO_28) {
    // In two halves, because the remainder of a double costs as much as all the rest.
    const high = (value - rest) / TWO_32
    to[at] = (rest & 0x7f) | 0x80
    to[at + 1] = ((rest >>> 7) & 0x7f) | 0x80
    to[at + 2] = ((rest >>> 14) & 0x7f) | 0x80
    to[at + 3] = ((rest >>> 21) & 0x7f) | 0x80
    at += 4
    rest = (rest >>> 28) | (high << 4)
  }
  while (rest >= 0x80) {
    to[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  to[at++] = rest
  return at
}
