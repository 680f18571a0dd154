import { beforeEach, describe, expect, test } from 'vitest'
import type { MemberId, Stamp } from '../../src/base/ids.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import { Retention, type RetentionInput } from '../../src/oplog/retention.js'
import { LogRig, segmentPath } from './log-rig.js'
import { FrameChains, label } from './test-frames.js'

const FRAME = 56
let rig: LogRig
let chains: FrameChains

/** A log of five segments, two frames of member 1 and two of member 2 in each. */
beforeEach(() => {
  rig = new LogRig()
  chains = new FrameChains()
  rig.open({ segmentBytes: 4 * FRAME, recentFrameBytes: 0 })
  for (let i = 0; i < 20; i++) {
    rig.log.append(chains.next(1 + (i % 2)))
    if (i % 4 === 3) rig.sync()
  }
})

const vector = (one: number, two: number): VersionVector =>
  VersionVector.from([
    [1, one],
    [2, two],
  ])

/** Nothing that has to be kept for anybody. */
const EVERYTHING: RetentionInput = {
  neededFrom: Infinity,
  durableElsewhere: [],
  followedElsewhere: [],
  followedAtStaying: [],
  stays: true,
  budgetBytes: Infinity,
}

/** What is left, by sequence, after retention has run until it does no more. */
function left(input: Partial<RetentionInput>): number[] {
  const all = input.durableElsewhere ?? []
  new Retention(rig.log, () => ({ ...EVERYTHING, followedElsewhere: all, followedAtStaying: all, ...input })).run()
  for (let i = 0; i < 10; i++) rig.disk.completeSyncs()
  const sequences = rig.log.segments.map(({ sequence }) => sequence)
  expect(rig.disk.list('/data/log')).toEqual(sequences.map((sequence) => segmentPath(sequence).slice('/data/log/'.length)))
  return sequences
}

describe('retention', () => {
  test('keeps what a start from a snapshot needs, whoever has it', () => {
    expect(left({ neededFrom: 0 })).toEqual([1, 2, 3, 4, 5])
    expect(left({ neededFrom: 8 * FRAME - 1 })).toEqual([2, 3, 4, 5])
    expect(left({ neededFrom: 8 * FRAME })).toEqual([3, 4, 5])
  })

  test('never removes the last segment', () => {
    expect(left({})).toEqual([5])
  })

  test('keeps what one other member lacks of any origin', () => {
    expect(left({ durableElsewhere: [vector(1000, 1000), vector(40, 39)] })).toEqual([2, 3, 4, 5])
    expect(left({ durableElsewhere: [vector(1000, 1000), vector(40, 40)] })).toEqual([3, 4, 5])
  })

  test('lets what somebody lacks go when the budget is spent', () => {
    const durableElsewhere = [vector(1000, 1000), vector(0, 0)]
    expect(left({ durableElsewhere, neededFrom: 16 * FRAME, budgetBytes: 16 * FRAME })).toEqual([1, 2, 3, 4, 5])
    expect(left({ durableElsewhere, neededFrom: 16 * FRAME, budgetBytes: 9 * FRAME })).toEqual([3, 4, 5])
  })

  test('never lets go what is not on the disks of more than half of the members', () => {
    expect(left({ durableElsewhere: [vector(20, 1000), vector(40, 0)], budgetBytes: 0 })).toEqual([2, 3, 4, 5])
    expect(left({ durableElsewhere: [vector(0, 1000)], budgetBytes: 0 })).toEqual([2, 3, 4, 5])
    expect(left({ durableElsewhere: [vector(1000, 1000), vector(0, 0), vector(0, 0)], budgetBytes: 0 })).toEqual([2, 3, 4, 5])
    expect(left({ durableElsewhere: [vector(1000, 1000), vector(40, 40), vector(0, 0)], budgetBytes: 0 })).toEqual([3, 4, 5])
  })

  test('nor of more than half of those that stay, where some were removed', () => {
    const [has, lacks] = [vector(1000, 1000), vector(40, 39)]
    const durableElsewhere = [has, lacks]
    expect(left({ durableElsewhere, followedAtStaying: [lacks], budgetBytes: 0 })).toEqual([2, 3, 4, 5])
    expect(left({ durableElsewhere, followedAtStaying: [has], budgetBytes: 0 })).toEqual([5])
  })

  test('nor counts itself among those that stay when it was removed', () => {
    const [has, lacks] = [vector(1000, 1000), vector(40, 39)]
    const durableElsewhere = [has, lacks]
    expect(left({ durableElsewhere, stays: false, budgetBytes: 0 })).toEqual([2, 3, 4, 5])
    expect(left({ durableElsewhere: [has, has, lacks], stays: false, budgetBytes: 0 })).toEqual([5])
  })

  test('goes by what others have reported that is here as well, when somebody lacks it', () => {
    const durableElsewhere = [vector(1000, 1000), vector(0, 0)]
    const followedElsewhere = [vector(20, 20), vector(0, 0)]
    const followed = { followedElsewhere, followedAtStaying: followedElsewhere }
    expect(left({ durableElsewhere, ...followed, budgetBytes: 0 })).toEqual([2, 3, 4, 5])
    expect(left({ durableElsewhere: [vector(1000, 1000), vector(1000, 1000)], ...followed, budgetBytes: 0 })).toEqual([5])
  })

  test('counts the members anew for each segment', () => {
    let durableElsewhere = [vector(1000, 1000), vector(1000, 1000), vector(0, 0), vector(0, 0)]
    const input = (): RetentionInput => {
      const followed = { followedElsewhere: durableElsewhere, followedAtStaying: durableElsewhere }
      return { ...EVERYTHING, durableElsewhere, ...followed, budgetBytes: 0 }
    }
    new Retention(rig.log, input).run()
    // One that has everything is gone before the removal of the first has ended.
    durableElsewhere = durableElsewhere.slice(1)
    for (let i = 0; i < 10; i++) rig.disk.completeSyncs()
    expect(rig.log.segments.map(({ sequence }) => sequence)).toEqual([2, 3, 4, 5])
  })

  test('has no budget while the disk is short of room', () => {
    rig = new LogRig()
    chains = new FrameChains()
    rig.disk.capacity = 20 * FRAME + 2000
    rig.open({ segmentBytes: 4 * FRAME, minFreeBytes: 1000 })
    for (let i = 0; i < 20; i++) {
      rig.log.append(chains.next(1 + (i % 2)))
      if (i % 4 === 3) rig.sync()
    }
    rig.clock.advance(1000)
    expect(rig.log.isShortOfRoom).toBe(true)
    expect(left({ durableElsewhere: [vector(0, 0), vector(1000, 1000)], budgetBytes: Infinity })).toEqual([5])
  })

  test('removes nothing while the segment behind could be lost', () => {
    rig.log.append(chains.next(1))
    expect(rig.log.segments.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6])
    new Retention(rig.log, () => EVERYTHING).run()
    rig.disk.completeSyncs()
    expect(rig.disk.exists(segmentPath(1))).toBe(true)
    rig.sync()
    expect(left({})).toEqual([6])
  })

  test('a removal that fails is tried again, and leaves no gap', () => {
    const { removeLater } = rig.disk
    rig.disk.removeLater = (_path, done) => done(new Error('EIO'))
    expect(left({})).toEqual([1, 2, 3, 4, 5])
    rig.disk.removeLater = removeLater
    expect(left({})).toEqual([5])
    expect(rig.lines.filter(({ message }) => message.includes('could not be removed')).length).toBe(1)
  })
})

describe('a cursor in a log that is trimmed', () => {
  const next = (cursor: { next(): unknown }): string => label(cursor.next() as never)

  test('reads its segment to the end and goes on in the next one', () => {
    const cursor = rig.log.openCursor(1 as MemberId, 0 as Stamp)
    expect(next(cursor)).toBe('1:10/56')
    left({ neededFrom: 4 * FRAME })
    expect([next(cursor), next(cursor)]).toEqual(['1:20/56', '1:30/56'])
  })

  test('fails clean when what follows is gone', () => {
    const cursor = rig.log.openCursor(1 as MemberId, 0 as Stamp)
    next(cursor)
    left({ neededFrom: 12 * FRAME })
    expect(next(cursor)).toBe('1:20/56')
    expect(() => cursor.next()).toThrow(/MRD_LOG_TRIMMED/)
    expect(() => rig.log.openCursor(1 as MemberId, 20 as Stamp)).toThrow(/MRD_LOG_TRIMMED/)
    cursor.close()
    expect(rig.disk.openReads).toBe(0)
  })

  test('that had not begun fails clean, or begins where its frames begin', () => {
    const early = rig.log.openCursor(2 as MemberId, 0 as Stamp)
    const late = rig.log.openCursor(2 as MemberId, 60 as Stamp)
    left({ neededFrom: 12 * FRAME })
    expect(() => early.next()).toThrow(/MRD_LOG_TRIMMED/)
    expect(next(late)).toBe('2:70/56')
  })
})

describe('a log that begins later', () => {
  test('is opened from a snapshot, reading only what comes after it', () => {
    const { vector: at, startByte: position } = rig.log.segments[3]
    left({ neededFrom: 8 * FRAME })
    rig.disk.readBytes = 0
    rig.reopen({ from: { position, vector: at, end: 20 * FRAME, skim: true } })
    expect(rig.recovered).toEqual(['1:70/56', '2:70/56', '1:80/56', '2:80/56', '1:90/56', '2:90/56', '1:100/56', '2:100/56'])
    expect(rig.report.bytes).toBe(8 * FRAME)
    expect(rig.log.appended.toString()).toBe('1:100,2:100')
    expect(rig.read(1, 40)).toEqual(['1:50/56', '1:60/56', '1:70/56', '1:80/56', '1:90/56', '1:100/56'])
    rig.log.append(chains.next(1))
    expect(rig.log.appendedBytes).toBe(21 * FRAME)
  })

  test('is opened from a position within a segment', () => {
    const from = { position: 17 * FRAME, vector: vector(90, 80), end: 0, skim: true }
    rig.reopen({ from })
    expect(rig.recovered).toEqual(['2:90/56', '1:100/56', '2:100/56'])
    expect(rig.report.bytes).toBe(4 * FRAME)
  })

  test('is opened from its very end', () => {
    rig.reopen({ from: { position: 20 * FRAME, vector: vector(100, 100), end: 20 * FRAME, skim: true } })
    expect(rig.recovered).toEqual([])
  })

  test.each([
    ['a place that is none', { position: 17 * FRAME + 1, vector: vector(90, 80) }],
    ['another vector', { position: 17 * FRAME, vector: vector(80, 80) }],
    ['another vector at the end', { position: 20 * FRAME, vector: vector(100, 90) }],
    ['a place behind its end', { position: 21 * FRAME, vector: vector(110, 100) }],
  ])('is refused for a snapshot of %s', (_what, from) => {
    expect(() => rig.reopen({ from: { ...from, end: 0, skim: true } })).toThrow(/MRD_LOG_DAMAGED/)
  })

  test('is refused when it ends before what the snapshot has seen', () => {
    const from = { position: 4 * FRAME, vector: vector(20, 20), end: 20 * FRAME + 1, skim: true }
    expect(() => rig.reopen({ from })).toThrow(/ends at position 1120, but the snapshot has seen it up to 1121/)
  })

  test('notices a segment that lost its end though it is not read', () => {
    const { bytes } = rig.disk.file(segmentPath(2))
    rig.disk.file(segmentPath(2)).bytes = bytes.slice(0, bytes.length - FRAME)
    expect(() => rig.reopen({ from: { position: 16 * FRAME, vector: vector(80, 80), end: 0, skim: true } })).toThrow(
      /MRD_LOG_DAMAGED/,
    )
  })
})

describe('a segment that is asked for', () => {
  test('begins when everything before is durable', () => {
    rig = new LogRig()
    rig.open({ segmentBytes: 256 * FRAME })
    expect(rig.log.requestSegment()).toBe(false)
    rig.log.append(new FrameChains().next(1))
    expect(rig.log.requestSegment()).toBe(true)
    expect(rig.log.segments.length).toBe(1)
    rig.clock.turn()
    rig.disk.completeSyncs()
    expect(rig.log.segments.length).toBe(2)
    expect(rig.log.requestSegment()).toBe(false)
    expect(rig.log.segments.length).toBe(2)
  })
})
