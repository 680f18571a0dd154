import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decimalToText, parseDecimal } from '../../src/base/decimal.js'
import { MeridianError } from '../../src/base/errors.js'
import { crc32 } from '../../src/base/crc32.js'
import type { MemberId, Stamp } from '../../src/base/ids.js'
import {
  EffectReader,
  EffectType,
  HAS_RESETS,
  REMOVE_DUE,
  SET_EXPIRY_GIVEN,
  SET_EXPIRY_KEPT,
} from '../../src/crdt/effect-reader.js'
import { parseFrame, type FrameView } from '../../src/crdt/frame.js'
import { FrameWriter } from '../../src/crdt/frame-writer.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import { ApplyContext } from '../../src/crdt/apply-context.js'
import { FrameApplier } from '../../src/keyspace/frame-applier.js'
import { Keys } from '../../src/keyspace/keys.js'
import { Keyspace } from '../../src/keyspace/keyspace.js'
import { StringStore } from '../../src/keyspace/string-store.js'

/** What goes into a frame through FrameWriter, and what EffectReader gives back. */
const key = fc.uint8Array({ maxLength: 40 })
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.integer({ min: 0, max: 200_000 }).map((length) => new Uint8Array(length).fill(97)),
)
const decimalText = fc.oneof(
  fc.maxSafeInteger().map(String),
  fc.bigInt(-(2n ** 63n), 2n ** 63n).map(String),
  fc.constantFrom('0.1', '-12.5', '0.00000000000000001'),
)
const stamp = fc.integer({ min: 1, max: 2 ** 50 })
const reset = fc.record({ member: fc.integer({ min: 1, max: 255 }), epoch: stamp, later: fc.nat(1000), total: decimalText })
const time = fc.oneof(fc.maxSafeInteger(), fc.constant(Infinity))

const effect = fc.oneof(
  fc.record({
    type: fc.constant(EffectType.setString),
    value: bytes,
    flags: fc.constantFrom(0, SET_EXPIRY_GIVEN, SET_EXPIRY_KEPT),
    at: time,
    resets: fc.array(reset, { maxLength: 3 }),
  }),
  fc.record({
    type: fc.constant(EffectType.remove),
    flags: fc.constantFrom(0, REMOVE_DUE),
    resets: fc.array(reset, { maxLength: 3 }),
  }),
  fc.record({ type: fc.constant(EffectType.increment), total: decimalText, n: decimalText }),
  fc.record({ type: fc.constant(EffectType.append), value: bytes }),
  fc.record({ type: fc.constant(EffectType.setRange), offset: fc.nat(1000), value: bytes }),
  fc.record({
    type: fc.constant(EffectType.setBits),
    offset: fc.nat(2 ** 31),
    width: fc.integer({ min: 1, max: 64 }),
    value: fc.bigInt(0n, 2n ** 64n - 1n),
  }),
  fc.record({ type: fc.constant(EffectType.expire), at: time }),
  fc.record({ type: fc.constant(EffectType.flushDb) }),
)
type Effect = typeof effect extends fc.Arbitrary<infer T> ? T : never
interface Written {
  readonly database: number
  readonly key: Uint8Array
  readonly effect: Effect
}

const written: fc.Arbitrary<Written> = fc.record({ database: fc.nat(15), key, effect })
const ops = fc.array(
  fc.record({ gap: fc.oneof(fc.nat(3), fc.nat(2 ** 40)), effects: fc.array(written, { minLength: 1, maxLength: 4 }) }),
  {
    minLength: 1,
    maxLength: 8,
  },
)
const context = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 1, max: 2 ** 52 })), {
  selector: ([member]) => member,
  maxLength: 5,
})
type Ops = typeof ops extends fc.Arbitrary<infer T> ? T : never

const SELF = 7 as MemberId

function putNumber(writer: FrameWriter, text: string): void {
  if (Number.isSafeInteger(Number(text)) && String(Number(text)) === text) writer.putInteger(Number(text))
  else writer.putText(text)
}

function putResets(
  writer: FrameWriter,
  resets: readonly { member: number; epoch: number; later: number; total: string }[],
): void {
  if (resets.length === 0) return
  writer.putVarint(resets.length)
  for (const { member, epoch, later, total } of resets) {
    writer.putByte(member)
    writer.putFloat64(epoch)
    writer.putFloat64(epoch + later)
    putNumber(writer, total)
  }
}

function putPayload(writer: FrameWriter, each: Effect, at: number): void {
  switch (each.type) {
    case EffectType.setString:
      writer.putByte(each.flags | (each.resets.length > 0 ? HAS_RESETS : 0))
      writer.putBlock(each.value, 0, each.value.length)
      if (each.flags === SET_EXPIRY_GIVEN) writer.putFloat64(each.at)
      putResets(writer, each.resets)
      break
    case EffectType.remove:
      writer.putByte(each.flags | (each.resets.length > 0 ? HAS_RESETS : 0))
      putResets(writer, each.resets)
      break
    case EffectType.increment:
      writer.putFloat64(at)
      putNumber(writer, each.total)
      putNumber(writer, each.n)
      break
    case EffectType.append:
      writer.putBlock(each.value, 0, each.value.length)
      break
    case EffectType.setRange:
      writer.putVarint(each.offset)
      writer.putBlock(each.value, 0, each.value.length)
      break
    case EffectType.setBits:
      writer.putVarint(each.offset)
      writer.putByte(each.width)
      writer.putUint32(Number(each.value & 0xffffffffn))
      writer.putUint32(Number(each.value >> 32n))
      break
    case EffectType.expire:
      writer.putFloat64(each.at)
      break
    case EffectType.flushDb:
      break
  }
}

/** Writes ops as one frame; gives the stamp of each effect too. */
function write(writer: FrameWriter, list: Ops, from: number): { frame: FrameView; stamps: number[] } {
  const stamps: number[] = []
  let next = from
  for (const { gap, effects } of list) {
    next += gap
    writer.beginOp(next)
    for (const each of effects) {
      const name = each.effect.type === EffectType.flushDb ? new Uint8Array(0) : each.key
      writer.beginEffect(each.effect.type, each.database, name, 0, name.length)
      putPayload(writer, each.effect, next)
      stamps.push(next++)
    }
    writer.endOp()
  }
  return { frame: writer.close(), stamps }
}

function expectEffect(reader: EffectReader, { database, key: name, effect: each }: Written): void {
  const slice = (off: number, len: number): Buffer => Buffer.from(reader.bytes.subarray(off, off + len))
  expect([reader.type, reader.database]).toEqual([each.type, database])
  if (each.type !== EffectType.flushDb) expect(Buffer.compare(slice(reader.keyOff, reader.keyLen), name)).toBe(0)
  if (each.type === EffectType.setString || each.type === EffectType.append || each.type === EffectType.setRange) {
    expect(Buffer.compare(slice(reader.valueOff, reader.valueLen), each.value)).toBe(0)
  }
  if (each.type === EffectType.setString || each.type === EffectType.remove) {
    expect(reader.flags & ~HAS_RESETS).toBe(each.flags)
    expect(reader.resets).toEqual(
      each.resets.map(({ member, epoch, later, total }) => ({ member, epoch, stamp: epoch + later, total: parseDecimal(total) })),
    )
  }
  if (each.type === EffectType.expire || (each.type === EffectType.setString && each.flags === SET_EXPIRY_GIVEN))
    expect(reader.at).toBe(each.at)
  if (each.type === EffectType.setRange || each.type === EffectType.setBits) expect(reader.offset).toBe(each.offset)
  if (each.type === EffectType.setBits) {
    expect([reader.width, (BigInt(reader.bitsHigh) << 32n) | BigInt(reader.bitsLow)]).toEqual([each.width, each.value])
  }
  if (each.type === EffectType.increment) {
    expect(reader.epoch).toBeLessThanOrEqual(reader.stamp)
    const [total, n] = reader.exact
      ? [decimalToText(reader.exactTotal), decimalToText(reader.exactN)]
      : [String(reader.total), String(reader.n)]
    expect([total, n]).toEqual([each.total, each.n])
  }
}

function openWriter(entries: readonly (readonly [number, number])[]): { writer: FrameWriter; applied: VersionVector } {
  const applied = VersionVector.from(entries)
  return { writer: new FrameWriter(SELF, applied), applied }
}

describe('frames', () => {
  it('give back what was written into them, one after the other', () => {
    fc.assert(
      fc.property(
        fc.array(ops, { minLength: 1, maxLength: 4 }),
        context,
        fc.integer({ min: 1, max: 2 ** 45 }),
        (frames, entries, first) => {
          const { writer, applied } = openWriter(entries)
          let previous = 0
          const all: FrameView[] = []
          for (const list of frames) {
            const { frame, stamps } = write(writer, list, previous + first)
            all.push(frame)
            const read = parseFrame(frame.bytes.slice())
            expect([read.origin, read.opCount, read.previous, read.last]).toEqual([SELF, list.length, previous, stamps.at(-1)])
            const expected = entries.filter(([member]) => member !== SELF).sort(([a], [b]) => a - b)
            const got = Array.from({ length: read.contextCount }, (_, i) => [read.contextMember(i), read.contextStamp(i)])
            expect(got).toEqual(expected)
            expect(read.contextCoveredBy(applied)).toBe(true)
            const reader = new EffectReader(16)
            reader.start(read)
            let at = 0
            for (const { effects } of list) {
              for (const [i, each] of effects.entries()) {
                expect(reader.next()).toBe(true)
                expect([reader.stamp, reader.endsOp]).toEqual([stamps[at++], i === effects.length - 1])
                expectEffect(reader, each)
              }
            }
            expect([reader.next(), reader.error]).toEqual([false, null])
            previous = read.last
          }
          // Closed frames share slabs; nothing has been written over them.
          for (const frame of all) parseFrame(frame.bytes)
        },
      ),
      { numRuns: 120 },
    )
  })

  it('are refused by their checksum when a bit flips or bytes are missing', () => {
    fc.assert(
      fc.property(ops, fc.nat(), fc.nat(7), fc.nat(), (list, byte, bit, cut) => {
        const bytesOf = write(openWriter([]).writer, list, 5).frame.bytes
        const flipped = bytesOf.slice()
        flipped[byte % flipped.length] ^= 1 << bit
        expect(() => parseFrame(flipped)).toThrow(MeridianError)
        expect(() => parseFrame(bytesOf.slice(0, cut % bytesOf.length))).toThrow(MeridianError)
      }),
      { numRuns: 150 },
    )
  })
})

/** A frame with these bytes as its ops, and a header and checksum that fit. */
function sealed(header: Uint8Array, body: Uint8Array): Uint8Array {
  const frame = Buffer.concat([header, body])
  frame.writeUInt32LE(frame.length, 0)
  frame.writeUInt32LE(crc32(frame.subarray(8)), 4)
  return frame
}

describe('damaged frames whose checksum fits', () => {
  function openApplier(): { keyspace: Keyspace; applier: FrameApplier } {
    const keyspace = new Keyspace(16, 1)
    const local = new ApplyContext()
    const strings = new StringStore(keyspace, local)
    return { keyspace, applier: new FrameApplier(keyspace, strings, new Keys(keyspace, strings, local), local) }
  }

  function keyCount(keyspace: Keyspace): number {
    let count = 0
    for (let database = 0; database < 16; database++) count += keyspace.peek(database)?.keyCount ?? 0
    return count
  }

  /** Applies what may be anything: all of it, or nothing with an MRD_FRAME. */
  function tryApply(frameBytes: Uint8Array): void {
    let frame: FrameView
    try {
      frame = parseFrame(frameBytes)
    } catch (error) {
      expect(error).toBeInstanceOf(MeridianError)
      return
    }
    const reader = new EffectReader(16)
    reader.start(frame)
    while (reader.next());
    const { keyspace, applier } = openApplier()
    try {
      applier.apply(frame, frame.last)
      expect(reader.error).toBe(null)
    } catch (error) {
      expect(error).toBeInstanceOf(MeridianError)
      expect(reader.error).not.toBe(null)
      expect([keyCount(keyspace), keyspace.usedBytes()]).toEqual([0, 0])
    }
  }

  it('are applied whole or not at all: random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.integer({ min: 1, max: 5 }), (body, opCount) => {
        const { frame } = write(
          openWriter([]).writer,
          [{ gap: 0, effects: [{ database: 0, key: Buffer.from('k'), effect: { type: EffectType.expire, at: 5 } }] }],
          9,
        )
        const header = frame.bytes.slice(0, frame.opsOffset)
        new DataView(header.buffer).setUint32(12, opCount, true)
        tryApply(sealed(header, body))
      }),
      { numRuns: 2000 },
    )
  })

  it('are applied whole or not at all: changed, cut and spliced bytes', () => {
    const change = fc.record({ at: fc.nat(), to: fc.nat(255) })
    fc.assert(
      fc.property(ops, fc.array(change, { maxLength: 3 }), fc.option(fc.nat()), (list, changes, cut) => {
        const small = list.map(({ gap, effects }) => ({
          gap,
          effects: effects.filter(({ effect: { type } }) => type !== EffectType.setBits),
        }))
        const usable = small.filter(({ effects }) => effects.length > 0)
        if (usable.length === 0) return
        const { frame } = write(openWriter([[3, 4]]).writer, usable, 9)
        const header = frame.bytes.slice(0, frame.opsOffset)
        let body = frame.bytes.slice(frame.opsOffset)
        for (const { at, to } of changes) body[at % body.length] = to
        if (cut !== null) body = body.slice(0, cut % body.length)
        tryApply(sealed(header, body))
      }),
      { numRuns: 400 },
    )
  })

  it('say what is wrong', () => {
    const error = (list: Ops, databases = 16): string | null => {
      const reader = new EffectReader(databases)
      reader.start(write(openWriter([]).writer, list, 9).frame)
      while (reader.next());
      return reader.error
    }
    const one = (each: Effect): Ops => [{ gap: 0, effects: [{ database: 3, key: Buffer.from('k'), effect: each }] }]
    expect(error(one({ type: EffectType.expire, at: 1 }))).toBe(null)
    expect(error(one({ type: EffectType.expire, at: 1 }), 3)).toMatch(/database 3; this member has 3/)
    expect(error(one({ type: EffectType.expire, at: 1.5 }))).toMatch(/a time that is none/)
    expect(error(one({ type: EffectType.expire, at: NaN }))).toMatch(/a time that is none/)
    expect(error(one({ type: EffectType.setBits, offset: 0, width: 65, value: 0n }))).toMatch(/out of range/)
    expect(error(one({ type: EffectType.setBits, offset: 2 ** 32, width: 1, value: 0n }))).toMatch(/out of range/)
    expect(error(one({ type: EffectType.setRange, offset: 2 ** 40, value: new Uint8Array(1) }))).toMatch(/longest string/)
    expect(error(one({ type: EffectType.increment, total: 'x', n: '1' }))).toMatch(/a number that is none/)
  })
})

describe('version vector of a frame', () => {
  it('is covered only when each entry is', () => {
    const { writer } = openWriter([
      [2, 10],
      [3, 20],
    ])
    const { frame } = write(
      writer,
      [{ gap: 0, effects: [{ database: 0, key: Buffer.from('k'), effect: { type: EffectType.flushDb } }] }],
      30,
    )
    const vector = new VersionVector()
    expect(frame.contextCoveredBy(vector)).toBe(false)
    vector.raise(2 as MemberId, 10 as Stamp)
    expect(frame.contextCoveredBy(vector)).toBe(false)
    vector.raise(3 as MemberId, 25 as Stamp)
    expect(frame.contextCoveredBy(vector)).toBe(true)
  })
})
