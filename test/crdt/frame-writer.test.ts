import { describe, expect, it, vi } from 'vitest'
import type { MemberId, Stamp } from '../../src/base/ids.js'
import { isAlone } from '../../src/base/large-memory.js'
import { parseFrame, type FrameView } from '../../src/crdt/frame.js'
import { FrameWriter } from '../../src/crdt/frame-writer.js'
import { VersionVector } from '../../src/crdt/version-vector.js'

const MIB = 1024 * 1024
const KEY = new TextEncoder().encode('key')
/** Type, database and key of an effect as begin writes it. */
const EFFECT_BYTES = 1 + 1 + 1 + KEY.length
const LAST_EFFECT = 0x80
/** Says where it is. */
const PATTERN = new Uint8Array(10 * MIB)
for (let at = 0; at < PATTERN.length; at++) PATTERN[at] = (at * 31) % 251

function newWriter(): FrameWriter {
  const vector = new VersionVector()
  vector.raise(2 as MemberId, 7 as Stamp)
  return new FrameWriter(1 as MemberId, vector)
}

/** Writes effects whose payloads have these lengths, of bytes that say where they are; gives what the frame's op must hold. */
function write(writer: FrameWriter, payloads: readonly number[]): Uint8Array {
  const expected: Uint8Array[] = []
  payloads.forEach((length, i) => {
    const payload = PATTERN.subarray(i % 251, (i % 251) + length)
    writer.beginEffect(3, 0, KEY, 0, KEY.length)
    writer.putRaw(payload, 0, length)
    const isLast = i === payloads.length - 1
    expected.push(Uint8Array.of(isLast ? 3 | LAST_EFFECT : 3, 0, KEY.length, ...KEY), payload)
  })
  return Buffer.concat(expected)
}

function opOf(frame: FrameView, length: number): Uint8Array {
  return frame.bytes.subarray(frame.bytes.length - length)
}

/** The most bytes that one call has copied while run runs. */
function largestCopy(run: () => void): number {
  let largest = 0
  const set = vi.spyOn(Uint8Array.prototype, 'set')
  run()
  for (const [from] of set.mock.calls) largest = Math.max(largest, from.length)
  set.mockRestore()
  return largest
}

describe('a large frame', () => {
  it.each([
    ['effects of some bytes', Array.from({ length: 4000 }, (_, i) => 3000 + (i % 7))],
    ['effects of all sizes', Array.from({ length: 60 }, (_, i) => [7, 80_000, 300_000, 600_000][i % 4])],
    ['one value', [5 * MIB]],
    ['a large value behind small ones', [...Array.from({ length: 900 }, () => 2000), 9 * MIB, 100, 100]],
    ['large values', [3 * MIB, 3 * MIB, 3 * MIB]],
  ])('is what was written: %s', (_, payloads) => {
    const writer = newWriter()
    for (let round = 0; round < 2; round++) {
      const first = writer.previousLast + 1
      writer.beginOp(first)
      const expected = write(writer, payloads)
      writer.endOp()
      const frame = parseFrame(writer.close().bytes)
      expect(frame).toMatchObject({ opCount: 1, first, last: first + payloads.length - 1, previous: first - 1 })
      expect(Buffer.compare(opOf(frame, expected.length), expected)).toBe(0)
      writer.recycle()
    }
  })

  it('is never copied at one go while it grows', () => {
    const writer = newWriter()
    writer.beginOp(1)
    const largest = largestCopy(() => write(writer, new Array<number>(16_000).fill(4000)))
    expect(writer.openBytes).toBeGreaterThan(60 * MIB)
    expect(largest).toBeLessThan(1.1 * MIB)
  })

  it('is never copied at one go when effects come that were written elsewhere', () => {
    const writer = newWriter()
    writer.beginOp(1)
    const before = write(writer, new Array<number>(5000).fill(4000))
    before[before.length - 4000 - EFFECT_BYTES] &= ~LAST_EFFECT
    const effects = write(newWriterInOp(), new Array<number>(8000).fill(4000))
    let steps = 0
    const largest = largestCopy(() => {
      for (const step of writer.putEffects(effects, 8000, 4000 + EFFECT_BYTES)) steps += step === undefined ? 1 : 0
    })
    expect(steps).toBeGreaterThan(100)
    expect(largest).toBeLessThan(1.1 * MIB)
    writer.endOp()
    const frame = parseFrame(writer.close().bytes)
    expect(frame.last).toBe(13_000)
    expect(Buffer.compare(opOf(frame, effects.length + before.length).subarray(0, before.length), before)).toBe(0)
    expect(Buffer.compare(opOf(frame, effects.length), effects)).toBe(0)
  })

  it('has no memory for itself where others are written later, though it fills that to the last byte', () => {
    const writer = newWriter()
    const usualBytes = 4 * MIB
    const build = (payload: number): FrameView => {
      writer.beginOp(writer.previousLast + 1)
      write(writer, [1000, payload])
      writer.endOp()
      return writer.close()
    }
    // The slab grows to its usual size, then what is beside the payload is known.
    const beside = build(MIB + 1000).bytes.length - (MIB + 1000)
    writer.recycle()
    const frame = build(usualBytes - beside)
    expect(frame.bytes.length).toBe(usualBytes)
    expect(frame.bytes.buffer.byteLength).toBe(usualBytes)
    expect(isAlone(frame.bytes)).toBe(false)
    expect(frame.lasting() === frame).toBe(false)
  })

  it('lies in memory that V8 keeps no account of, which it has for itself', () => {
    const writer = newWriter()
    writer.beginOp(1)
    write(writer, [3 * MIB])
    writer.endOp()
    const frame = writer.close()
    expect(frame.bytes.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(isAlone(frame.bytes)).toBe(true)
    const kept = frame.copy()
    writer.recycle()
    for (let stamp = 2; stamp < 200; stamp++) {
      writer.beginOp(stamp)
      write(writer, [stamp < 100 ? 40_000 : 200])
      writer.endOp()
      expect(writer.close().bytes.buffer).toBeInstanceOf(ArrayBuffer)
      writer.recycle()
    }
    expect(Buffer.compare(frame.bytes, kept.bytes)).toBe(0)
  })

  it('of a megabyte or two takes no memory but once', () => {
    const writer = newWriter()
    const buffers = new Set<ArrayBufferLike>()
    for (let stamp = 1; stamp < 9; stamp++) {
      writer.beginOp(stamp)
      write(writer, [1.5 * MIB])
      writer.endOp()
      buffers.add(writer.close().bytes.buffer)
      writer.recycle()
    }
    expect(buffers.size).toBe(1)
  })

  it('does not change what is not in the log yet', () => {
    const writer = newWriter()
    const frames: FrameView[] = []
    const copies: FrameView[] = []
    for (let stamp = 1; stamp < 40; stamp++) {
      writer.beginOp(stamp)
      write(writer, [stamp % 5 === 0 ? (stamp / 10) * MIB : 90_000])
      writer.endOp()
      const frame = writer.close()
      frames.push(frame)
      copies.push(frame.copy())
    }
    frames.forEach((frame, i) => expect(Buffer.compare(frame.bytes, copies[i].bytes)).toBe(0))
  })

  it('whose op is set apart keeps all of it, and lets what came before go first', () => {
    const writer = newWriter()
    const before: FrameView[] = []
    for (let stamp = 1; stamp < 4; stamp++) {
      writer.beginOp(stamp)
      write(writer, [200])
      writer.endOp()
    }
    writer.beginOp(4)
    write(writer, [3 * MIB])
    writer.setOpApart(() => void before.push(writer.close().copy()))
    writer.endOp()
    const frame = parseFrame(writer.close().bytes)
    expect(before.map(({ opCount, last }) => [opCount, last])).toEqual([[3, 3]])
    expect(frame).toMatchObject({ opCount: 1, first: 4, last: 4, previous: 3 })
    expect(frame.bytes.length).toBeGreaterThan(3 * MIB)
  })
})

function newWriterInOp(): FrameWriter {
  const writer = newWriter()
  writer.beginOp(1)
  return writer
}
