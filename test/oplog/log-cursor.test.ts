import { beforeEach, expect, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import type { MemberId, Stamp } from '../../src/base/ids.js'
import { FRAME_FIXED_BYTES, parseFrame } from '../../src/crdt/frame.js'
import { nextWhole, type LogCursor } from '../../src/oplog/op-log.js'
import { LogRig, drain, segmentPath } from './log-rig.js'
import { FrameChains, label } from './test-frames.js'

let rig: LogRig
let chains: FrameChains

beforeEach(() => {
  rig = new LogRig()
  chains = new FrameChains()
})

const cursorAt = (origin: number, after = 0) => rig.log.openCursor(origin as MemberId, after as Stamp)

/** That a call reads no more than a block of 1000 bytes, and what was left of one before, and has no frame yet. */
function expectToReadOn(cursor: LogCursor): void {
  rig.disk.readBytes = 0
  expect(cursor.next()).toBeNull()
  expect(cursor.isReading).toBe(true)
  expect(rig.disk.readBytes).toBeLessThanOrEqual(2000)
}

test('hands out durable frames only, and goes on when more are durable', () => {
  rig.open()
  const cursor = cursorAt(1)
  rig.log.append(chains.next(1))
  expect(cursor.next()).toBeNull()
  rig.sync()
  rig.log.append(chains.next(1))
  expect(drain(cursor).map(label)).toEqual(['1:10/56'])
  rig.sync()
  expect(drain(cursor).map(label)).toEqual(['1:20/56'])
})

test('reads recent frames from memory without touching the disk', () => {
  rig.open()
  for (let i = 0; i < 100; i++) rig.log.append(chains.next(1 + (i % 2)))
  rig.sync()
  rig.disk.reads = 0
  expect(rig.read(1).length).toBe(50)
  expect(rig.read(2, 250).length).toBe(25)
  expect(rig.disk.reads).toBe(0)
})

test('reads old frames from files in blocks, beginning in the right segment', () => {
  rig.open({ segmentBytes: 100_000, recentFrameBytes: 1000 })
  for (let i = 0; i < 5000; i++) {
    rig.log.append(chains.next(1 + (i % 2), 60))
    if (i % 100 === 99) rig.sync()
  }
  expect(rig.log.segments.length).toBeGreaterThan(4)
  rig.disk.reads = 0
  expect(rig.read(1).length).toBe(2500)
  expect(rig.disk.reads).toBeLessThan(20)
  rig.disk.readBytes = 0
  expect(rig.read(2, 24_900).length).toBe(10)
  expect(rig.disk.readBytes).toBeLessThan(210_000)
  expect(rig.disk.openReads).toBe(0)
})

test('moves from files to memory, and back when it falls behind, without a gap', () => {
  rig.open({ segmentBytes: 3000, recentFrameBytes: 5000 })
  const appendSome = (count: number) => {
    for (let i = 0; i < count; i++) rig.log.append(chains.next(1 + (i % 3)))
    rig.sync()
  }
  appendSome(300)
  const cursor = cursorAt(2)
  const got: string[] = []
  const take = (count: number) => {
    for (let i = 0; i < count; i++) got.push(label(cursor.next()!))
  }
  take(30)
  expect(rig.disk.openReads).toBe(1)
  got.push(...drain(cursor).map(label))
  expect(rig.disk.openReads).toBe(0)
  appendSome(300)
  take(10)
  expect(rig.disk.openReads).toBe(1)
  got.push(...drain(cursor).map(label))
  expect(got).toEqual(Array.from({ length: 200 }, (_, i) => `2:${(i + 1) * 10}/56`))
})

test('a frame from files that is kept stays as it is while the cursor reads on', () => {
  rig.open({ recentFrameBytes: 0 })
  const bodies = [400, LIMITS.cursorBlockBytes - FRAME_FIXED_BYTES, LIMITS.cursorBlockBytes, 400]
  for (let i = 0; i < 2000; i++) rig.log.append(chains.next(1, bodies[i % 500] ?? 400))
  rig.sync()
  const frames = drain(cursorAt(1))
  expect(frames.length).toBe(2000)
  frames.forEach((frame, i) => {
    parseFrame(frame.bytes)
    expect(frame.last).toBe((i + 1) * 10)
  })
})

test('looks for its place a block at a call, and never twice at the same one', () => {
  rig.open({ recentFrameBytes: 3000, cursorBlockBytes: 1000 })
  const appendSome = (count: number) => {
    for (let i = 0; i < count; i++) rig.log.append(chains.next(2, 60))
    rig.log.append(chains.next(1, 4000))
    rig.sync()
  }
  appendSome(100)
  const cursor = cursorAt(1)
  for (let call = 0; call < 14; call++) expectToReadOn(cursor)
  expect(label(nextWhole(cursor)!)).toBe('1:10/4040')
  for (let round = 2; round < 5; round++) {
    rig.log.append(chains.next(1, 10))
    rig.sync()
    expect(label(cursor.next()!)).toBe(`1:${(2 * round - 2) * 10}/50`)
    appendSome(20)
    rig.disk.readBytes = 0
    expect(label(nextWhole(cursor)!)).toBe(`1:${(2 * round - 1) * 10}/4040`)
    expect(rig.disk.readBytes).toBeLessThan(8000)
  }
})

test('reads a frame that is larger than its block', () => {
  rig.open({ recentFrameBytes: 0 })
  rig.log.append(chains.next(1, 10))
  rig.log.append(chains.next(2, LIMITS.cursorBlockBytes * 3))
  rig.log.append(chains.next(1, LIMITS.cursorBlockBytes * 3))
  rig.log.append(chains.next(1, 10))
  rig.sync()
  expect(rig.read(1)).toEqual(['1:10/50', `1:20/${LIMITS.cursorBlockBytes * 3 + 40}`, '1:30/50'])
})

test('reads a large frame a block at a call, and what follows it after that', () => {
  rig.open({ recentFrameBytes: 0, cursorBlockBytes: 1000 })
  const large = chains.next(1, 9500)
  rig.log.append(large)
  rig.log.append(chains.next(1, 10))
  rig.sync()
  const cursor = cursorAt(1)
  for (let call = 0; call < 9; call++) expectToReadOn(cursor)
  const frame = cursor.next()!
  expect(cursor.isReading).toBe(false)
  expect(Buffer.compare(frame.bytes, large.bytes)).toBe(0)
  expect(label(cursor.next()!)).toBe('1:20/50')
  expect(Buffer.compare(frame.lasting().bytes, large.bytes)).toBe(0)
  expect(frame.lasting()).toBe(frame)
})

test('never hands out a large frame whose checksum is wrong, or that is cut short', () => {
  for (const damage of ['a byte', 'its end']) {
    const own = new LogRig()
    own.open({ recentFrameBytes: 0, cursorBlockBytes: 1000 })
    const file = () => own.disk.file(segmentPath(1)).bytes
    const at = file().length
    own.log.append(new FrameChains().next(1, 9500))
    own.sync()
    const cursor = own.log.openCursor(1 as MemberId, 0 as Stamp)
    expect(cursor.next()).toBeNull()
    if (damage === 'a byte') file()[at + 9000] ^= 1
    else own.disk.file(segmentPath(1)).bytes = file().slice(0, at + 9000)
    for (let i = 0; i < 2; i++) expect(() => nextWhole(cursor)).toThrow(`${segmentPath(1)} is damaged at byte ${at}`)
    cursor.close()
    expect(cursor.isReading).toBe(false)
    expect(cursor.next()).toBeNull()
    expect(own.disk.openReads).toBe(0)
  }
})

test('never hands out a frame whose checksum is wrong, and names the place', () => {
  rig.open({ recentFrameBytes: 0 })
  rig.log.append(chains.next(1))
  const at = rig.disk.file(segmentPath(1)).bytes.length
  rig.log.append(chains.next(1))
  rig.log.append(chains.next(1))
  rig.sync()
  rig.disk.file(segmentPath(1)).bytes[at + 50] ^= 1
  const cursor = cursorAt(1)
  expect(label(cursor.next()!)).toBe('1:10/56')
  for (let i = 0; i < 2; i++) {
    expect(() => cursor.next()).toThrow(`${segmentPath(1)} is damaged at byte ${at}`)
  }
  cursor.close()
  expect(cursor.next()).toBeNull()
})

test('several cursors read on their own', () => {
  rig.open({ recentFrameBytes: 500, segmentBytes: 1000 })
  for (let i = 0; i < 60; i++) {
    rig.log.append(chains.next(1 + (i % 2)))
    rig.sync()
  }
  const cursors = [cursorAt(1), cursorAt(1, 100), cursorAt(2), cursorAt(2, 290)]
  const got = cursors.map((): number[] => [])
  for (let round = 0; round < 40; round++) {
    cursors.forEach((cursor, i) => {
      const frame = cursor.next()
      if (frame !== null) got[i].push(frame.last)
    })
  }
  expect(got.map((stamps) => stamps.length)).toEqual([30, 20, 30, 1])
  expect(got[1][0]).toBe(110)
})
