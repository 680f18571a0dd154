import { beforeEach, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import { LogRig } from './log-rig.js'
import { FrameChains } from './test-frames.js'

const LARGE = 3 * LIMITS.logPieceBytes

let rig: LogRig
let chains: FrameChains

beforeEach(() => {
  rig = new LogRig()
  chains = new FrameChains()
})

describe('a frame that is appended in pieces', () => {
  test('is there when it is whole, and what was appended meanwhile behind it', () => {
    rig.open()
    const pieces = rig.log.appendInPieces(chains.next(1, LARGE))
    let steps = 0
    let position = 0
    for (let step = pieces.next(); ; step = pieces.next()) {
      if (step.done === true) {
        position = step.value
        break
      }
      steps++
      if (steps < 4) {
        rig.log.append(chains.next(2, 0))
        expect(rig.log.appendedBytes).toBe(0)
        rig.sync()
        expect(rig.log.durableBytes).toBe(0)
      }
    }
    expect(steps).toBe(4)
    expect(position).toBe(LARGE + 40)
    expect(rig.log.appendedBytes).toBe(LARGE + 40 + 3 * 40)
    rig.sync()
    expect(rig.log.durableBytes).toBe(rig.log.appendedBytes)
    rig.reopen()
    expect(rig.recovered).toEqual([`1:10/${LARGE + 40}`, '2:10/40', '2:20/40', '2:30/40'])
  })

  test('comes behind another one that is being appended so, whose rest it writes first', () => {
    rig.open()
    const first = rig.log.appendInPieces(chains.next(1, LARGE))
    first.next()
    rig.log.append(chains.next(2, 0))
    const second = rig.log.appendInPieces(chains.next(1, LARGE))
    let steps = 0
    while (second.next().done !== true) steps++
    // Three pieces of the first one are left, and the second one has four.
    expect(steps).toBe(7)
    expect(rig.log.appendedBytes).toBe(2 * (LARGE + 40) + 40)
    expect(first.next()).toEqual({ done: true, value: LARGE + 40 })
    rig.reopen()
    expect(rig.recovered).toEqual([`1:10/${LARGE + 40}`, '2:10/40', `1:20/${LARGE + 40}`])
  })

  test('leaves nothing when the process dies before it is whole', () => {
    rig.open()
    rig.log.append(chains.next(2))
    const pieces = rig.log.appendInPieces(chains.next(1, LARGE))
    pieces.next()
    rig.log.append(chains.next(2))
    rig.reopen()
    expect(rig.recovered).toEqual(['2:10/56'])
    expect(rig.report.cutBytes).toBe(LIMITS.logPieceBytes)
  })

  test('is written to its end when the log is closed', () => {
    rig.open()
    rig.log.appendInPieces(chains.next(1, LARGE)).next()
    rig.log.append(chains.next(2))
    rig.log.close()
    rig.reopen()
    expect(rig.recovered).toEqual([`1:10/${LARGE + 40}`, '2:10/56'])
  })

  test('waits, with what is behind it, when the disk refuses a piece', () => {
    rig.open()
    rig.log.append(chains.next(2))
    rig.disk.capacity = rig.disk.used + LIMITS.logPieceBytes + 10
    const pieces = rig.log.appendInPieces(chains.next(1, LARGE))
    pieces.next()
    rig.log.append(chains.next(2))
    while (pieces.next().done !== true);
    expect(rig.log.refusal).toMatchObject({ code: 'MRD_DISK_FULL' })
    expect(rig.log.appendedBytes).toBe(56)
    rig.disk.capacity = Infinity
    rig.clock.advance(LIMITS.diskRetryMaxMs)
    expect(rig.log.refusal).toBeNull()
    expect(rig.log.appendedBytes).toBe(56 + LARGE + 40 + 56)
    rig.reopen()
    expect(rig.recovered).toEqual(['2:10/56', `1:10/${LARGE + 40}`, '2:20/56'])
  })
  test('waits, with what is behind it, when the disk has no room for the segment that it would begin', () => {
    rig.open({ segmentBytes: 100 })
    for (let i = 0; i < 2; i++) rig.log.append(chains.next(2))
    rig.sync()
    rig.disk.capacity = rig.disk.used
    const pieces = rig.log.appendInPieces(chains.next(1, LARGE))
    pieces.next()
    rig.log.append(chains.next(2))
    while (pieces.next().done !== true);
    expect(rig.log.refusal).toMatchObject({ code: 'MRD_DISK_FULL' })
    rig.disk.capacity = Infinity
    rig.clock.advance(LIMITS.diskRetryMaxMs)
    expect(rig.log.refusal).toBeNull()
    expect(rig.log.segments.length).toBe(2)
    rig.reopen()
    expect(rig.recovered).toEqual(['2:10/56', '2:20/56', `1:10/${LARGE + 40}`, '2:30/56'])
  })
})
