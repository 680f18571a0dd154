import { crc32FromTable } from '../../src/base/crc32.js'
import type { DecodedFrame, Effect, EffectBody } from './effects.js'

/**
 * Decodes frames into abstract effects. Written from docs/formats/frame.md and docs/formats/effects.md alone, so that a
 * mistake in the product's own codec does not hide itself.
 */
class Reader {
  at = 0
  readonly view: DataView

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  u8(): number {
    return this.view.getUint8(this.at++)
  }

  u32(): number {
    this.at += 4
    return this.view.getUint32(this.at - 4, true)
  }

  f64(): number {
    this.at += 8
    return this.view.getFloat64(this.at - 8, true)
  }

  u64(): bigint {
    this.at += 8
    return this.view.getBigUint64(this.at - 8, true)
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.u8()
      value += (byte & 127) * scale
      if (byte < 128) break
      scale *= 128
    }
    if (!Number.isSafeInteger(value)) throw new Error(`varint beyond 53 bits at ${this.at}`)
    return value
  }

  text(length: number): string {
    const end = this.at + length
    if (end > this.bytes.length) throw new Error(`${length} bytes wanted at ${this.at}, the frame has ${this.bytes.length}`)
    let text = ''
    while (this.at < end) text += String.fromCharCode(this.bytes[this.at++])
    return text
  }

  /** Decimal text. */
  number(): string {
    const kind = this.u8()
    if (kind === 1) return this.text(this.varint())
    if (kind !== 0) throw new Error(`number of kind ${kind}`)
    const zigzag = BigInt(this.varint())
    return ((zigzag & 1n) === 1n ? -(zigzag >> 1n) - 1n : zigzag >> 1n).toString()
  }

  resets(): void {
    for (let count = this.varint(); count > 0; count--) {
      this.u8()
      this.f64()
      this.f64()
      this.number()
    }
  }
}

function decodeBody(type: number, reader: Reader): EffectBody {
  switch (type) {
    case 1: {
      const flags = reader.u8()
      const value = reader.text(reader.varint())
      const expiry = flags & 1 ? reader.f64() : flags & 2 ? 'keep' : 'clear'
      if (flags & 4) reader.resets()
      return { kind: 'set-string', value, expiry }
    }
    case 2: {
      const flags = reader.u8()
      if (flags & 4) reader.resets()
      return { kind: 'remove', due: (flags & 1) !== 0 }
    }
    case 3:
      reader.f64()
      reader.number()
      return { kind: 'increment', n: reader.number() }
    case 4:
      return { kind: 'append', value: reader.text(reader.varint()) }
    case 5: {
      const offset = reader.varint()
      return { kind: 'set-range', offset, value: reader.text(reader.varint()) }
    }
    case 6: {
      const bitOffset = reader.varint()
      const width = reader.u8()
      return { kind: 'set-bits', bitOffset, width, bits: reader.u64() }
    }
    case 7:
      return { kind: 'expire', at: reader.f64() }
    case 8:
      return { kind: 'flush-db' }
    default:
      throw new Error(`effect of type ${type}`)
  }
}

/** True for a frame that only says, in its writer's own log, what was stable there and then. */
export function isStabilityNote(bytes: Uint8Array): boolean {
  return bytes[9] === 2
}

/** What a stability note says is stable, by member id. */
export function decodeStabilityNote(bytes: Uint8Array): readonly number[] {
  const reader = new Reader(bytes)
  if (reader.u32() !== bytes.length) throw new Error(`note of another length than ${bytes.length}`)
  if (reader.u32() !== crc32FromTable(bytes.subarray(8))) throw new Error('note checksum')
  reader.at = 10
  const origin = reader.u8()
  const contextCount = reader.u8()
  if (origin !== 0 || reader.u32() !== 0 || reader.f64() !== 0) throw new Error('note with an origin, ops or a predecessor')
  if (reader.f64() !== reader.f64()) throw new Error('note with two stamps')
  const stable = readContext(reader, contextCount)
  if (reader.at !== bytes.length) throw new Error(`note has ${bytes.length - reader.at} bytes after its context`)
  return stable
}

function readContext(reader: Reader, count: number): number[] {
  const context: number[] = new Array<number>(16).fill(0)
  for (let i = 0; i < count; i++) {
    const high = reader.u32()
    context[high >>> 21] = (high & 0x1fffff) * 2 ** 32 + reader.u32()
  }
  return context
}

/** The header and the effects of one frame; throws when anything does not fit its documentation. */
export function decodeFrame(bytes: Uint8Array): DecodedFrame {
  const reader = new Reader(bytes)
  const length = reader.u32()
  if (length !== bytes.length) throw new Error(`frame says ${length} bytes, has ${bytes.length}`)
  if (reader.u32() !== crc32FromTable(bytes.subarray(8))) throw new Error('frame checksum')
  const version = reader.u8()
  const kind = reader.u8()
  if (version !== 1 || kind !== 1) throw new Error(`frame version ${version}, kind ${kind}`)
  const origin = reader.u8()
  const contextCount = reader.u8()
  const opCount = reader.u32()
  const previous = reader.f64()
  const first = reader.f64()
  const last = reader.f64()
  const context = readContext(reader, contextCount)
  if (context[origin] !== 0) throw new Error('frame context names its own origin')
  if (!(first > previous && last >= first)) throw new Error(`frame stamps ${previous}, ${first}, ${last}`)
  const ops: Effect[][] = []
  let stamp = first
  for (let op = 0; op < opCount; op++) {
    stamp += reader.varint()
    const effects: Effect[] = []
    for (let final = false; !final; stamp++) {
      const type = reader.u8()
      final = (type & 128) !== 0
      const db = reader.varint()
      const key = reader.text(reader.varint())
      effects.push({ origin, stamp, context, db, key, body: decodeBody(type & 127, reader) })
    }
    ops.push(effects)
  }
  if (reader.at !== bytes.length) throw new Error(`frame has ${bytes.length - reader.at} bytes after its last op`)
  if (stamp - 1 !== last) throw new Error(`frame says last stamp ${last}, its ops end at ${stamp - 1}`)
  return { origin, previous, first, last, context, ops }
}
