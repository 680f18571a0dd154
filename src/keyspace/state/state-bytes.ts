import { writeVarint } from '../../base/byte-stream.js'
import { allocateBytes, copyBytes } from '../../base/bytes.js'

const FIRST_BYTES = 64 * 1024
/** What grew beyond this for one large value is let go of by the next reset. */
const KEPT_BYTES = 4 * 1024 * 1024
const VARINT_ROOM = 8

/**
 * Where states of keys are written: bytes one behind another, in an array that grows. Whoever writes to it says how much (see StateWalk.step), so it holds a
 * step's bytes and one element more; whoever owns it empties it between steps.
 */
export class StateBytes {
  bytes: Uint8Array = new Uint8Array(FIRST_BYTES)
  length = 0
  private view = new DataView(this.bytes.buffer)

  /** Empties it. */
  reset(): this {
    this.length = 0
    if (this.bytes.length > KEPT_BYTES) this.become(new Uint8Array(FIRST_BYTES))
    return this
  }

  /** Makes room for so many more bytes, which the caller may then write to `bytes` itself. */
  reserve(more: number): void {
    if (this.length + more > this.bytes.length) this.grow(more)
  }

  u8(value: number): void {
    if (this.length === this.bytes.length) this.grow(1)
    this.bytes[this.length++] = value
  }

  /** A dot as packed in record.ts, or any two words. */
  dot(high: number, low: number): void {
    this.reserve(8)
    this.view.setUint32(this.length, high, true)
    this.view.setUint32(this.length + 4, low, true)
    this.length += 8
  }

  f64(value: number): void {
    this.reserve(8)
    this.view.setFloat64(this.length, value, true)
    this.length += 8
  }

  /** A safe, non-negative integer. */
  varint(value: number): void {
    this.reserve(VARINT_ROOM)
    if (value < 0x80) this.bytes[this.length++] = value
    else this.length = writeVarint(value, this.bytes, this.length)
  }

  /** An integer of at most 52 bits, zigzag. */
  signed(value: number): void {
    this.varint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  /** Bytes without their length. */
  raw(buf: Uint8Array, off: number, len: number): void {
    this.reserve(len)
    copyBytes(buf, off, this.bytes, this.length, len)
    this.length += len
  }

  /** varint length, then the bytes. */
  block(buf: Uint8Array, off: number, len: number): void {
    this.varint(len)
    this.raw(buf, off, len)
  }

  /** Begins a block whose length is not known yet. Gives what close needs. */
  open(): number {
    this.u8(0)
    return this.length
  }

  /** Ends a block. What is in it moves up when its length takes more than one byte. */
  close(start: number): void {
    const length = this.length - start
    if (length < 0x80) {
      this.bytes[start - 1] = length
      return
    }
    const more = varintBytes(length) - 1
    this.reserve(more)
    this.bytes.copyWithin(start + more, start, this.length)
    writeVarint(length, this.bytes, start - 1)
    this.length += more
  }

  private grow(more: number): void {
    const need = this.length + more
    // One that is let go of soon: V8 need not collect garbage for the sake of it.
    const grown = need > KEPT_BYTES ? allocateBytes(need + KEPT_BYTES) : new Uint8Array(Math.max(need, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.become(grown)
  }

  private become(bytes: Uint8Array): void {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}

/** Bytes that a varint of a safe, non-negative integer takes. */
export function varintBytes(value: number): number {
  let bytes = 1
  for (let bound = 128; value >= bound; bound *= 128) bytes++
  return bytes
}
