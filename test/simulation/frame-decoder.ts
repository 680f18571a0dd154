import { crc32FromTable } from '../../src/base/crc32.js'
import { ByteReader } from './byte-reader.js'
import type { DecodedFrame, Effect, EffectBody } from './effects.js'
import { VALUE_TYPES } from './types/all-types.js'

/**
 * Decodes frames into abstract effects. Written from docs/formats/frame.md and docs/formats/effects.md alone, so that a
 * mistake in the product's own codec does not hide itself. The payloads of a type's effects are the type's affair.
 */
function decodeBody(type: number, reader: ByteReader, stamp: number): EffectBody {
  switch (type) {
    case 2: {
      const flags = reader.u8()
      const only = flags & 8 ? reader.u8() : undefined
      if (flags & 4) reader.resets()
      return { kind: 'remove', due: (flags & 1) !== 0, ...(only === undefined ? {} : { only }) }
    }
    case 7:
      return { kind: 'expire', at: reader.f64() }
    case 8:
      return { kind: 'flush-db' }
    case 64:
      return decodeTopologyChange(reader)
    default: {
      const keyType = type < 16 ? 1 : type >> 3
      const body = VALUE_TYPES.find((candidate) => candidate.keyType === keyType)?.decode(type, reader, stamp) ?? null
      if (body === null) throw new Error(`effect of type ${type}`)
      return body
    }
  }
}

/** A change of the list of members; what it says matters to nobody here, but that it reads as documented does. */
function decodeTopologyChange(reader: ByteReader): EffectBody {
  const number = reader.varint()
  const kind = reader.u8()
  const member = (): void => {
    reader.u8()
    for (let texts = 0; texts < 3; texts++) reader.block()
    for (let addresses = 0; addresses < 2; addresses++) {
      reader.block()
      reader.varint()
    }
  }
  const ids = (): void => {
    for (let left = reader.u8(); left > 0; left--) reader.u8()
  }
  if (number === 0) throw new Error('topology change without a number')
  if (kind === 1) for (let left = reader.u8(); left > 0; left--) member()
  else if (kind === 2) {
    member()
    ids()
  } else if (kind === 3) {
    reader.u8()
    reader.u8()
  } else if (kind === 4) {
    reader.u8()
    const attribute = reader.u8()
    reader.block()
    if (attribute >= 3) reader.varint()
  } else if (kind === 5) {
    reader.u8()
    ids()
  } else if (kind === 6) reader.block()
  else throw new Error(`topology change of kind ${kind}`)
  return { kind: 'topology' }
}

/** True for a frame that only says, in its writer's own log, what was stable there and then. */
export function isStabilityNote(bytes: Uint8Array): boolean {
  return bytes[9] === 2
}

/** What a stability note says is stable, by member id. */
export function decodeStabilityNote(bytes: Uint8Array): readonly number[] {
  const reader = new ByteReader(bytes)
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

function readContext(reader: ByteReader, count: number): number[] {
  const context: number[] = new Array<number>(256).fill(0)
  for (let i = 0; i < count; i++) {
    const high = reader.u32()
    context[high >>> 21] = (high & 0x1fffff) * 2 ** 32 + reader.u32()
  }
  return context
}

/** The header and the effects of one frame; throws when anything does not fit its documentation. */
export function decodeFrame(bytes: Uint8Array): DecodedFrame {
  const reader = new ByteReader(bytes)
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
      const key = reader.block()
      effects.push({ origin, stamp, context, db, key, body: decodeBody(type & 127, reader, stamp) })
    }
    ops.push(effects)
  }
  if (reader.at !== bytes.length) throw new Error(`frame has ${bytes.length - reader.at} bytes after its last op`)
  if (stamp - 1 !== last) throw new Error(`frame says last stamp ${last}, its ops end at ${stamp - 1}`)
  return { origin, previous, first, last, context, ops }
}
