import { crc32FromTable } from '../../src/base/crc32.js'
import type { PlacedEffect } from './effects.js'

/**
 * Makes frames from abstract effects, in the format of docs/formats: for the plain member and for the tests of the decoder. Every
 * contribution is written as one of its own (total = n), which the oracle does not look at.
 */
export interface FrameParts {
  readonly origin: number
  readonly previous: number
  readonly first: number
  /** By member id; the origin's entry is left out. */
  readonly context: ArrayLike<number>
  readonly ops: readonly (readonly PlacedEffect[])[]
}

class Writer {
  readonly bytes: number[] = []

  varint(value: number): void {
    let rest = value
    while (rest >= 128) {
      this.bytes.push((rest % 128) + 128)
      rest = Math.floor(rest / 128)
    }
    this.bytes.push(rest)
  }

  u32(value: number): void {
    this.bytes.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24)
  }

  f64(value: number): void {
    this.bytes.push(...new Uint8Array(new Float64Array([value]).buffer))
  }

  text(value: string): void {
    this.varint(value.length)
    for (let i = 0; i < value.length; i++) this.bytes.push(value.charCodeAt(i))
  }

  number(decimal: string): void {
    const value = Number(decimal)
    if (Number.isSafeInteger(value) && Math.abs(value) < 2 ** 51) {
      this.bytes.push(0)
      this.varint(value < 0 ? -value * 2 - 1 : value * 2)
    } else {
      this.bytes.push(1)
      this.text(decimal)
    }
  }
}

const TYPES = {
  'set-string': 1,
  remove: 2,
  increment: 3,
  append: 4,
  'set-range': 5,
  'set-bits': 6,
  expire: 7,
  'flush-db': 8,
} as const

function writeEffect(writer: Writer, { db, key, body }: PlacedEffect, stamp: number, final: boolean): void {
  writer.bytes.push(TYPES[body.kind] | (final ? 128 : 0))
  writer.varint(db)
  writer.text(key)
  switch (body.kind) {
    case 'set-string':
      writer.bytes.push(typeof body.expiry === 'number' ? 1 : body.expiry === 'keep' ? 2 : 0)
      writer.text(body.value)
      if (typeof body.expiry === 'number') writer.f64(body.expiry)
      return
    case 'remove':
      writer.bytes.push(body.due ? 1 : 0)
      return
    case 'increment':
      writer.f64(stamp)
      writer.number(body.n)
      writer.number(body.n)
      return
    case 'append':
      writer.text(body.value)
      return
    case 'set-range':
      writer.varint(body.offset)
      writer.text(body.value)
      return
    case 'set-bits':
      writer.varint(body.bitOffset)
      writer.bytes.push(body.width)
      writer.bytes.push(...new Uint8Array(new BigUint64Array([body.bits]).buffer))
      return
    case 'expire':
      writer.f64(body.at)
      return
    case 'flush-db':
      return
  }
}

export function encodeFrame({ origin, previous, first, context, ops }: FrameParts): Uint8Array {
  const body = new Writer()
  let stamp = first
  for (const effects of ops) {
    body.varint(0)
    effects.forEach((effect, i) => writeEffect(body, effect, stamp++, i === effects.length - 1))
  }
  const entries = new Writer()
  let count = 0
  for (let member = 1; member < context.length; member++) {
    if (member === origin || context[member] === 0) continue
    count++
    entries.u32(member * 2 ** 21 + Math.floor(context[member] / 2 ** 32))
    entries.u32(context[member] % 2 ** 32)
  }
  const header = new Writer()
  header.u32(40 + entries.bytes.length + body.bytes.length)
  header.u32(0)
  header.bytes.push(1, 1, origin, count)
  header.u32(ops.length)
  header.f64(previous)
  header.f64(first)
  header.f64(stamp - 1)
  const frame = Uint8Array.from([...header.bytes, ...entries.bytes, ...body.bytes])
  new DataView(frame.buffer).setUint32(4, crc32FromTable(frame.subarray(8)), true)
  return frame
}
