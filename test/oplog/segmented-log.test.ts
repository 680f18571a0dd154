import { beforeEach, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import type { MemberId } from '../../src/base/ids.js'
import { LogRig, segmentPath } from './log-rig.js'
import { FrameChains } from './test-frames.js'

let rig: LogRig
let chains: FrameChains

beforeEach(() => {
  rig = new LogRig()
  chains = new FrameChains()
})

const FRAME = 56

describe('group commit', () => {
  test('one sync serves a whole turn, and what is appended meanwhile shares the next', () => {
    rig.open({ syncPolicy: 'immediate' })
    rig.log.append(chains.next(1))
    rig.log.append(chains.next(1))
    expect(rig.disk.syncsUnderWay).toBe(0)
    rig.clock.turn()
    expect(rig.disk.syncsUnderWay).toBe(1)
    rig.log.append(chains.next(1))
    rig.log.append(chains.next(2))
    rig.clock.turn()
    expect(rig.disk.syncsUnderWay).toBe(1)
    expect(rig.log.durableBytes).toBe(0)
    rig.disk.completeSyncs()
    expect(rig.log.durableBytes).toBe(2 * FRAME)
    expect(rig.log.durable.toString()).toBe('1:20')
    expect(rig.log.appended.toString()).toBe('1:30,2:10')
    expect(rig.disk.syncsUnderWay).toBe(1)
    rig.disk.completeSyncs()
    expect(rig.log.durable.toString()).toBe('1:30,2:10')
    rig.clock.turn()
    expect(rig.disk.syncsUnderWay).toBe(0)
  })

  test('continuous syncs follow one another with a pause', () => {
    rig.open({ syncPolicy: 'continuous' })
    rig.log.append(chains.next(1))
    rig.clock.turn()
    expect(rig.disk.syncsUnderWay).toBe(1)
    rig.log.append(chains.next(1))
    rig.disk.completeSyncs()
    rig.clock.turn()
    expect(rig.disk.syncsUnderWay).toBe(0)
    rig.clock.advance(LIMITS.syncPauseMs)
    expect(rig.disk.syncsUnderWay).toBe(1)
    rig.disk.completeSyncs()
    expect(rig.log.durable.toString()).toBe('1:20')
  })

  test('everysec syncs once a second, no never, and both can be changed at run time', () => {
    rig.open({ syncPolicy: 'everysec' })
    rig.log.append(chains.next(1))
    rig.clock.turn()
    expect(rig.disk.syncsUnderWay).toBe(0)
    rig.clock.advance(1000)
    expect(rig.disk.syncsUnderWay).toBe(1)
    rig.disk.completeSyncs()
    rig.log.setSyncPolicy('no')
    rig.log.append(chains.next(1))
    rig.clock.advance(5000)
    expect(rig.disk.syncsUnderWay).toBe(0)
    rig.log.setSyncPolicy('continuous')
    rig.clock.turn()
    rig.disk.completeSyncs()
    expect(rig.log.durableBytes).toBe(2 * FRAME)
  })

  test('listeners hear that durable moved', () => {
    rig.open()
    const heard: number[] = []
    rig.log.onChange(() => heard.push(rig.log.durableBytes))
    const position = rig.log.append(chains.next(1))
    expect(heard).toEqual([])
    rig.sync()
    expect(heard).toEqual([position])
    rig.log.append(chains.next(1))
    rig.log.syncNow()
    expect(heard).toEqual([FRAME, 2 * FRAME])
  })

  test('a blocking sync beside a running one counts only when that one has succeeded', () => {
    rig.open()
    rig.log.append(chains.next(1))
    rig.log.requestSync()
    rig.clock.turn()
    rig.log.append(chains.next(1))
    rig.log.syncNow()
    expect(rig.log.durableBytes).toBe(0)
    rig.disk.completeSyncs()
    expect(rig.log.durableBytes).toBe(2 * FRAME)
  })

  test('a failed sync is final: writes are refused, nothing more counts as durable, reads go on', () => {
    rig.open({ syncPolicy: 'immediate' })
    rig.log.append(chains.next(1))
    rig.sync()
    const position = rig.log.append(chains.next(1))
    rig.disk.failSyncs = true
    let changes = 0
    rig.log.onChange(() => changes++)
    rig.sync()
    expect(changes).toBe(1)
    expect(rig.log.refusal).toMatchObject({ code: 'MRD_DISK_IO' })
    expect(rig.log.refusal?.message).toContain(segmentPath(1))
    rig.disk.failSyncs = false
    const size = rig.disk.used
    rig.log.append(chains.next(2))
    rig.log.requestSync()
    rig.clock.advance(60_000)
    expect(rig.disk.syncsUnderWay).toBe(0)
    expect(rig.disk.used).toBe(size)
    expect(rig.log.durableBytes).toBe(FRAME)
    expect(rig.log.appendedBytes).toBe(position)
    expect(() => rig.log.syncNow()).toThrow(/MRD_DISK_IO/)
    expect(rig.read(1)).toEqual(['1:10/56'])
    expect(rig.lines.filter(({ level }) => level === 'error').length).toBe(1)
    expect(() => rig.log.close()).toThrow(/MRD_DISK_IO/)
  })
})

describe('a start after a failed sync', () => {
  test('writes the last segment anew, because what is read of it may be in the cache alone', () => {
    rig.open({ syncPolicy: 'immediate' })
    rig.log.append(chains.next(1))
    rig.sync()
    rig.log.append(chains.next(1))
    rig.disk.failSyncs = true
    rig.sync()
    expect(rig.log.refusal).toMatchObject({ code: 'MRD_DISK_IO' })
    rig.disk.failSyncs = false
    const old = rig.disk.file(segmentPath(1))
    rig.reopen({ syncPolicy: 'immediate' })
    expect(rig.recovered.length).toBe(2)
    expect(rig.disk.file(segmentPath(1))).not.toBe(old)
    expect(rig.lines.some(({ message }) => message.includes('was written anew'))).toBe(true)
    rig.log.append(chains.next(1))
    rig.sync()
    rig.disk.crash(() => 0)
    rig.lines = []
    rig.open()
    expect(rig.recovered.length).toBe(3)
    expect(rig.lines.some(({ message }) => message.includes('was written anew'))).toBe(false)
    expect([...rig.disk.files.keys()]).toEqual([segmentPath(1)])
  })

  test('begins again when it did not get to its end', () => {
    rig.open({ syncPolicy: 'immediate' })
    rig.log.append(chains.next(1))
    rig.disk.failSyncs = true
    rig.sync()
    rig.disk.kill()
    expect(() => rig.open()).toThrow(/MRD_DISK_IO/)
    rig.disk.failSyncs = false
    rig.reopen()
    expect(rig.recovered.length).toBe(1)
    expect(rig.lines.filter(({ message }) => message.includes('was written anew')).length).toBe(1)
  })
})

describe('a slow disk', () => {
  const slowLines = () => rig.lines.filter(({ message }) => message.startsWith('the disk is slow'))

  test('refuses nothing; what takes longer than a second is counted at once, and said now and then', () => {
    rig.open({ syncPolicy: 'everysec' })
    rig.log.append(chains.next(1))
    rig.clock.advance(1000)
    expect(rig.disk.syncsUnderWay).toBe(1)
    rig.clock.advance(900)
    expect(rig.log.syncingMs).toBe(900)
    expect(rig.log.delayedSyncs).toBe(0)
    rig.clock.advance(100)
    expect(rig.log.delayedSyncs).toBe(1)
    expect(slowLines()).toMatchObject([{ level: 'warn', fields: { delayedSyncs: 1, ms: 1000, unsyncedBytes: FRAME } }])
    // What is appended meanwhile is in the file, not in memory, and no second sync is begun.
    for (let i = 0; i < 100; i++) rig.log.append(chains.next(1))
    rig.clock.advance(5000)
    expect(rig.disk.syncsUnderWay).toBe(1)
    expect(rig.log.pendingBytes).toBe(0)
    expect(rig.log.refusal).toBe(null)
    rig.disk.completeSyncs()
    expect(rig.log.lastSyncMs).toBe(6000)
    expect(rig.log.delayedSyncs).toBe(1)
    expect(rig.log.durableBytes).toBe(FRAME)
    rig.clock.turn()
    rig.clock.advance(1000)
    rig.disk.completeSyncs()
    expect(rig.log.durableBytes).toBe(101 * FRAME)
    expect(rig.log.delayedSyncs).toBeLessThanOrEqual(2)
    expect(slowLines().length).toBe(1)
  })

  test.each(['before', 'after'])(
    'is not what it looks like when the process was stopped, and hears of the end of a sync %s anything else',
    (order) => {
      rig.open({ syncPolicy: 'everysec' })
      rig.log.append(chains.next(1))
      rig.clock.advance(1050)
      expect(rig.disk.syncsUnderWay).toBe(1)
      rig.clock.stop(60_000)
      if (order === 'before') rig.disk.completeSyncs()
      rig.clock.advance(0)
      expect(rig.log.delayedSyncs).toBe(0)
      if (order === 'after') rig.disk.completeSyncs()
      rig.clock.advance(3000)
      expect(rig.log.lastSyncMs).toBeLessThan(300)
      expect(rig.log.delayedSyncs).toBe(0)
      expect(slowLines()).toEqual([])
    },
  )

  test('is said when it is slow besides', () => {
    rig.open({ syncPolicy: 'everysec' })
    rig.log.append(chains.next(1))
    rig.clock.advance(1050)
    rig.clock.stop(60_000)
    rig.clock.advance(2000)
    expect(rig.log.syncingMs).toBeLessThan(3000)
    expect(rig.log.delayedSyncs).toBe(1)
    expect(slowLines().length).toBe(1)
  })
})

describe('segments', () => {
  test('a new one begins only when all of the last one is durable', () => {
    rig.open({ segmentBytes: 500 })
    for (let i = 0; i < 20; i++) rig.log.append(chains.next(1))
    expect(rig.log.segments.length).toBe(1)
    rig.clock.turn()
    rig.disk.completeSyncs()
    rig.log.append(chains.next(1))
    expect(rig.log.segments.map(({ frameBytes }) => frameBytes)).toEqual([20 * FRAME, FRAME])
  })

  test('a steady load cannot keep one open: the end of a sync closes it', () => {
    rig.open({ segmentBytes: 500 })
    for (let i = 0; i < 10; i++) rig.log.append(chains.next(1))
    rig.clock.turn()
    rig.log.append(chains.next(1))
    rig.disk.completeSyncs()
    expect(rig.log.durableBytes).toBe(11 * FRAME)
    rig.log.append(chains.next(1))
    expect(rig.log.segments.length).toBe(2)
  })

  test("a new one's frames are durable only with its name", () => {
    rig.open({ segmentBytes: 50 })
    rig.log.append(chains.next(1))
    rig.sync()
    rig.log.append(chains.next(1))
    expect(rig.log.segments.length).toBe(2)
    const before = rig.disk.folderSyncs
    rig.sync()
    expect(rig.disk.folderSyncs).toBe(before + 1)
    expect(rig.log.durableBytes).toBe(2 * FRAME)
    rig.disk.crash(() => 0)
    rig.open()
    expect(rig.recovered.length).toBe(2)
  })
})

describe('a full disk', () => {
  test('keeps what it refused in order, says so, and writes it when there is room again', () => {
    rig.open()
    rig.disk.capacity = rig.disk.used + FRAME + 10
    let changes = 0
    rig.log.onChange(() => changes++)
    rig.log.append(chains.next(1))
    expect(rig.log.refusal).toBeNull()
    const position = rig.log.append(chains.next(1))
    expect(rig.log.refusal).toMatchObject({ code: 'MRD_DISK_FULL' })
    expect(changes).toBe(1)
    rig.log.append(chains.next(2, 0))
    expect(rig.log.appendedBytes).toBe(FRAME)
    expect(position).toBe(2 * FRAME)
    rig.clock.advance(10_000)
    expect(rig.log.refusal).not.toBeNull()
    rig.disk.capacity = Infinity
    rig.clock.advance(LIMITS.diskRetryMaxMs)
    expect(rig.log.refusal).toBeNull()
    expect(rig.log.appendedBytes).toBe(3 * FRAME - 16)
    while (rig.disk.syncsUnderWay > 0) rig.disk.completeSyncs()
    expect(rig.log.durableBytes).toBe(rig.log.appendedBytes)
    expect(rig.lines.map(({ message }) => message)).toContain('the log takes writes again')
    rig.reopen()
    expect(rig.recovered).toEqual(['1:10/56', '1:20/56', '2:10/40'])
  })

  test('that has no room for a new segment keeps the frame and goes on later', () => {
    rig.open({ segmentBytes: 50 })
    rig.log.append(chains.next(1))
    rig.sync()
    rig.disk.capacity = rig.disk.used + 20
    rig.log.append(chains.next(1))
    expect(rig.log.refusal).toMatchObject({ code: 'MRD_DISK_FULL' })
    expect(rig.log.segments.length).toBe(1)
    rig.disk.capacity = Infinity
    rig.clock.advance(200)
    expect(rig.log.refusal).toBeNull()
    expect(rig.log.segments.length).toBe(2)
    rig.sync()
    rig.reopen()
    expect(rig.recovered.length).toBe(2)
  })

  test('bounds what waits in memory', () => {
    rig.open()
    rig.disk.capacity = rig.disk.used
    rig.log.append(chains.next(1, LIMITS.pendingFrameBytes))
    expect(() => rig.log.append(chains.next(1))).toThrow(expect.objectContaining({ code: 'MRD_DISK_FULL' }) as Error)
  })

  test('refuses before it is really full, and takes writes again by itself', () => {
    rig.disk.capacity = 10_000
    rig.open({ minFreeBytes: 5_000 })
    expect(rig.log.refusal).toBeNull()
    rig.log.append(chains.next(1, 6_000))
    rig.clock.advance(1000)
    expect(rig.log.refusal).toMatchObject({ code: 'MRD_DISK_FULL' })
    expect(rig.log.refusal?.message).toContain('the reserve is 5000')
    rig.log.append(chains.next(1))
    expect(rig.log.appended.get(1 as MemberId)).toBe(20)
    rig.disk.capacity = 100_000
    rig.clock.advance(1000)
    expect(rig.log.refusal).toBeNull()
  })

  test('looks after the free room as it writes', () => {
    rig.disk.capacity = LIMITS.freeCheckBytes + 10_000
    rig.open({ minFreeBytes: 20_000 })
    rig.log.append(chains.next(1, LIMITS.freeCheckBytes))
    expect(rig.log.refusal).toMatchObject({ code: 'MRD_DISK_FULL' })
  })
})

describe('closing', () => {
  test('syncs what is left, also what the disk had refused', () => {
    rig.open()
    rig.disk.capacity = rig.disk.used
    rig.log.append(chains.next(1))
    rig.disk.capacity = Infinity
    rig.log.close()
    expect(rig.clock.timerCount).toBe(0)
    rig.disk.crash(() => 0)
    rig.open()
    expect(rig.recovered).toEqual(['1:10/56'])
  })

  test('says when something could not be written', () => {
    rig.open()
    rig.disk.capacity = rig.disk.used
    rig.log.append(chains.next(1))
    expect(() => rig.log.close()).toThrow(/MRD_DISK_FULL/)
    expect(rig.clock.timerCount).toBe(0)
  })
})
