import type { ByteWriter } from '../base/byte-stream.js'
import { TWO_32 } from '../base/words.js'
import type { EffectReader } from '../crdt/effect-reader.js'
import type { FrameWriter } from '../crdt/frame-writer.js'
import type { StreamId } from '../crdt/stream-id.js'
import type { StreamFields } from './stream-fields.js'
import type { Mark } from './stream-marks.js'

/** Parts of the payloads of stream effects; see docs/formats/effects.md. */
export const GroupOp = { create: 0, place: 1, destroy: 2, destroyAll: 3 } as const
export const PendingOp = {
  createConsumer: 0,
  deleteConsumer: 1,
  deliver: 2,
  assign: 3,
  drop: 4,
  pass: 5,
  redeliver: 6,
  see: 7,
} as const

/** Stands for the time of a delivery in streamPending's assign: nobody has the entries from then on, and they were released by this effect. */
export const RELEASED_NOW = -1

/** streamMark. */
export const MarkOp = { add: 0, set: 1, forget: 2 } as const

/** streamRemove: the deletions do not count for the highest deleted ID: a trim that leaves some entries out. */
export const REMOVE_BY_TRIM = 1
/** streamAck: the entries were read by a group that does not want them pending, and it has come to the last of them. */
export const ACK_READ = 1

/** Numbers from here on do not fit a varint: it is followed by their two halves. */
const ESCAPE = Number.MAX_SAFE_INTEGER

function putU64(writer: FrameWriter, high: number, low: number): void {
  const value = high * TWO_32 + low
  if (value < ESCAPE) {
    writer.putVarint(value)
    return
  }
  writer.putVarint(ESCAPE)
  writer.putUint32(low)
  writer.putUint32(high)
}

export function putId(writer: FrameWriter, id: StreamId): void {
  putU64(writer, id.msHigh, id.msLow)
  putU64(writer, id.seqHigh, id.seqLow)
}

/** The same into other bytes. */
export function writeId(to: ByteWriter, id: StreamId): void {
  writeU64(to, id.msHigh, id.msLow)
  writeU64(to, id.seqHigh, id.seqLow)
}

function writeU64(to: ByteWriter, high: number, low: number): void {
  const value = high * TWO_32 + low
  if (value < ESCAPE) {
    to.varint(value)
    return
  }
  to.varint(ESCAPE)
  for (const half of [low, high]) for (let shift = 0; shift < 32; shift += 8) to.u8((half >>> shift) & 0xff)
}

export function putFields(writer: FrameWriter, fields: StreamFields): void {
  writer.putVarint(fields.count)
  for (let i = 0; i < fields.count; i++) {
    writer.putBlock(fields.buf, fields.nameOff[i], fields.nameLen[i])
    writer.putBlock(fields.buf, fields.valueOff[i], fields.valueLen[i])
  }
}

export function writeFields(to: ByteWriter, fields: StreamFields): void {
  to.varint(fields.count)
  for (let i = 0; i < fields.count; i++) {
    to.range(fields.buf, fields.nameOff[i], fields.nameLen[i])
    to.range(fields.buf, fields.valueOff[i], fields.valueLen[i])
  }
}

/** Halves of the last number that was read. */
let high = 0
let low = 0

function readU64(effect: EffectReader): void {
  const value = effect.varint()
  if (value < ESCAPE) {
    high = Math.floor(value / TWO_32)
    low = value >>> 0
    return
  }
  low = effect.uint32()
  high = effect.uint32()
  if (high * TWO_32 + low < ESCAPE) effect.fail('a number of a stream ID that is longer than need be')
}

export function readId(effect: EffectReader, id: StreamId): void {
  readU64(effect)
  const msHigh = high
  const msLow = low
  readU64(effect)
  id.set(msHigh, msLow, high, low)
}

export function readRegion(effect: EffectReader): number {
  const region = effect.byte()
  if (region === 0) effect.fail('a stream entry of no region')
  return region
}

export function readFields(effect: EffectReader, fields: StreamFields): void {
  fields.start(effect.bytes)
  for (let left = effect.varint(); left > 0 && effect.error === null; left--) {
    effect.block()
    const nameOff = effect.valueOff
    const nameLen = effect.valueLen
    effect.block()
    fields.add(nameOff, nameLen, effect.valueOff, effect.valueLen)
  }
}

/** A count that may be unknown: one more than it is, 0 for not known. */
export function putCount(writer: FrameWriter, count: number): void {
  writer.putVarint(count + 1)
}

export function readCount(effect: EffectReader): number {
  return effect.varint() - 1
}

/** Whose message, and its name. */
export function readMark(effect: EffectReader, mark: Mark): void {
  effect.block()
  mark.buf = effect.bytes
  mark.producerOff = effect.valueOff
  mark.producerLen = effect.valueLen
  effect.block()
  mark.nameOff = effect.valueOff
  mark.nameLen = effect.valueLen
}

export function writeMark(to: ByteWriter, { buf, producerOff, producerLen, nameOff, nameLen }: Mark): void {
  to.range(buf, producerOff, producerLen)
  to.range(buf, nameOff, nameLen)
}
