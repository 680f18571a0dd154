import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteWriter } from '../../src/base/byte-stream.js'
import type { MemberId } from '../../src/base/ids.js'
import { EffectReader, EffectType } from '../../src/crdt/effect-reader.js'
import { FrameWriter } from '../../src/crdt/frame-writer.js'
import { ListPosition } from '../../src/crdt/list-position.js'
import { ListRangeReader, ListRangeWriter } from '../../src/crdt/list-ranges.js'
import { VersionVector } from '../../src/crdt/version-vector.js'

const STAMP = 1_000_000
const KEY = Buffer.from('k')

const level = fc.record({
  anchor: fc.integer({ min: -2, max: 2 }),
  member: fc.integer({ min: 1, max: 255 }),
  stamp: fc.integer({ min: 1, max: STAMP }),
  index: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer()),
})
const position = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => {
  const made = new ListPosition()
  for (const each of levels) made.push(each.anchor, each.member, each.stamp, each.index)
  return made
})
const near = fc.tuple(position, fc.integer({ min: -3, max: 3 })).map(([base, by]) => {
  const other = new ListPosition().copyFrom(base)
  other.index = Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, base.index + by))
  return [base, other] as const
})

/** Writes one list-remove effect and reads its ranges. */
function rangesOf(write: (writer: FrameWriter, ranges: ListRangeWriter) => void): { read: string[][]; error: string | null } {
  const writer = new FrameWriter(1 as MemberId, new VersionVector())
  writer.beginOp(STAMP)
  writer.beginEffect(EffectType.listRemove, 0, KEY, 0, 1)
  const ranges = new ListRangeWriter()
  ranges.begin(STAMP)
  write(writer, ranges)
  ranges.end(writer)
  writer.endOp()
  const read: string[][] = []
  const reader = new ListRangeReader()
  const stores = []
  stores[EffectType.listRemove >> 3] = {
    check: (effect: EffectReader) => {
      reader.begin()
      while (reader.next(effect)) read.push([reader.first.toString(), reader.last.toString()])
    },
  }
  const effects = new EffectReader(1, stores)
  effects.start(writer.close())
  while (effects.next());
  return { read, error: effects.error }
}

describe('list positions', () => {
  it('are in a total order, in which an element comes before what is below it', () => {
    fc.assert(
      fc.property(position, position, position, level, (a, b, c, below) => {
        expect(Math.sign(a.compare(b))).toBe(-Math.sign(b.compare(a)) + 0)
        if (a.compare(b) <= 0 && b.compare(c) <= 0) expect(a.compare(c)).toBeLessThanOrEqual(0)
        const child = new ListPosition().copyFrom(a).push(below.anchor, below.member, below.stamp, below.index)
        expect([a.compare(child) < 0, child.isBelow(a), a.isBelow(child)]).toEqual([true, true, false])
        // Whatever is not below the element is on the same side of both.
        if (!b.isBelow(a) && b.compare(a) !== 0) expect(Math.sign(b.compare(child))).toBe(Math.sign(b.compare(a)))
      }),
    )
  })

  it('come out of ranges as they went in', () => {
    const pair = fc.oneof(near, fc.tuple(position, position))
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 8 }), (pairs) => {
        const sorted = pairs.map(([a, b]) => (a.compare(b) <= 0 ? [a, b] : [b, a]))
        const { read, error } = rangesOf((writer, ranges) => {
          for (const [first, last] of sorted) ranges.between(writer, first, last)
        })
        expect(error).toBeNull()
        expect(read).toEqual(sorted.map(([first, last]) => [first.toString(), last.toString()]))
      }),
    )
  })

  it('take a few bytes in ranges of one run', () => {
    const first = new ListPosition().push(0, 1, 5, 0)
    const { read, error } = rangesOf((writer, ranges) => {
      const before = writer.openBytes
      for (let index = 0; index < 1000; index += 10) {
        first.index = index
        ranges.run(writer, first, 2)
      }
      expect(writer.openBytes - before).toBeLessThan(320)
    })
    expect([error, read.length, read[99]]).toEqual([null, 100, ['0:1-5[990]', '0:1-5[992]']])
  })

  /** What begins an effect whose positions are as of a stamp. */
  function beginAt(writer: FrameWriter, ranges: ListRangeWriter, written: number): void {
    const head = new ByteWriter()
    ranges.beginAt(head, written)
    for (const byte of head.take()) writer.putByte(byte)
  }

  it('come out as they went in when they were written as of an earlier stamp', () => {
    const pair = fc.oneof(near, fc.tuple(position, position))
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 8 }), (pairs) => {
        const sorted = pairs.map(([a, b]) => (a.compare(b) <= 0 ? [a, b] : [b, a]))
        const written = Math.max(...sorted.flat().flatMap(({ stamps, depth }) => [...stamps.subarray(0, depth)]))
        const { read, error } = rangesOf((writer, ranges) => {
          beginAt(writer, ranges, written)
          for (const [first, last] of sorted) ranges.between(writer, first, last)
        })
        expect(error).toBeNull()
        expect(read).toEqual(sorted.map(([first, last]) => [first.toString(), last.toString()]))
      }),
    )
  })

  it.each([STAMP + 1, 0, -1, 1.5, NaN, Infinity])('are refused when they were written as of %s', (written) => {
    const { error } = rangesOf((writer, ranges) => {
      beginAt(writer, ranges, written)
      writer.putByte(1)
      new ListPosition().push(0, 1, 5, 0).write(writer, STAMP)
    })
    expect(error).not.toBeNull()
  })

  it('are refused when an effect says twice as of when', () => {
    const { error } = rangesOf((writer, ranges) => {
      beginAt(writer, ranges, STAMP)
      beginAt(writer, ranges, STAMP)
    })
    expect(error).not.toBeNull()
  })

  it.each([
    ['no levels', (writer: FrameWriter) => writer.putVarint(0)],
    ['too many levels', (writer: FrameWriter) => writer.putVarint(65)],
    ['a range that goes on where there was none', (writer: FrameWriter) => writer.putByte(4)],
  ])('are refused with %s', (_, write) => {
    const { error } = rangesOf((writer) => {
      writer.putByte(1)
      write(writer)
    })
    expect(error).not.toBeNull()
  })
})
