import { crc32FromTable } from '../../src/base/crc32.js'
import { ByteWriter } from './byte-writer.js'
import type { KeyBody, PlacedEffect } from './effects.js'
import { typeOfBody } from './types/all-types.js'

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

const KEY_EFFECTS: Readonly<Record<KeyBody['kind'], number>> = { remove: 2, expire: 7, 'flush-db': 8, topology: 64 }

function writeEffect(writer: ByteWriter, { db, key, body }: PlacedEffect, stamp: number, final: boolean): void {
  const owner = typeOfBody(body)
  const type = owner === undefined ? KEY_EFFECTS[body.kind as KeyBody['kind']] : owner.kinds[body.kind]
  writer.u8(type | (final ? 128 : 0))
  writer.varint(db)
  writer.block(key)
  owner?.plain!.encode(body, writer, stamp)
  if (body.kind === 'expire') writer.f64(body.at)
  if (body.kind !== 'remove') return
  writer.u8((body.due ? 1 : 0) | (body.only === undefined ? 0 : 8))
  if (body.only !== undefined) writer.u8(body.only)
}

export function encodeFrame({ origin, previous, first, context, ops }: FrameParts): Uint8Array {
  const body = new ByteWriter()
  let stamp = first
  for (const effects of ops) {
    body.varint(0)
    effects.forEach((effect, i) => writeEffect(body, effect, stamp++, i === effects.length - 1))
  }
  const entries = new ByteWriter()
  let count = 0
  for (let member = 1; member < context.length; member++) {
    if (member === origin || context[member] === 0) continue
    count++
    entries.u32(member * 2 ** 21 + Math.floor(context[member] / 2 ** 32))
    entries.u32(context[member] % 2 ** 32)
  }
  const header = new ByteWriter()
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
