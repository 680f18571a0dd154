import { beforeEach, describe, expect, test } from 'vitest'
import { MeridianError } from '../../src/base/errors.js'
import { LIMITS } from '../../src/base/limits.js'
import type { MemberId } from '../../src/base/ids.js'
import type { FrameView } from '../../src/crdt/frame.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import { LogRecovery } from '../../src/oplog/open-log.js'
import { LogScan } from '../../src/oplog/log-scan.js'
import { crc32 } from '../../src/base/crc32.js'
import { FOLDER, LogRig, segmentPath } from './log-rig.js'
import { FrameChains, label, testFrame } from './test-frames.js'

let rig: LogRig
let chains: FrameChains

beforeEach(() => {
  rig = new LogRig()
  chains = new FrameChains()
  rig.open({ segmentBytes: 1000 })
})

function append(origin: number, body: Uint8Array | number = 16): string {
  const frame = chains.next(origin, body)
  rig.log.append(frame)
  return label(frame)
}

/** Frames until a number of segments exists; every segment is synced, so each is closed when it is full. */
function fillSegments(count: number): string[] {
  const labels: string[] = []
  while (rig.log.segments.length < count) {
    labels.push(append(1 + (labels.length % 3), 100))
    rig.sync()
  }
  return labels
}

function bytesOf(sequence: number): Uint8Array {
  return rig.disk.file(segmentPath(sequence)).bytes
}

function setBytes(sequence: number, bytes: Uint8Array): void {
  rig.disk.file(segmentPath(sequence)).bytes = bytes
}

function openError(options = {}): MeridianError {
  const before = new Map([...rig.disk.files].map(([path, { bytes }]) => [path, bytes.slice()]))
  let caught: unknown
  try {
    rig.reopen(options)
  } catch (error) {
    caught = error
  }
  expect(caught).toBeInstanceOf(MeridianError)
  expect(new Map([...rig.disk.files].map(([path, { bytes }]) => [path, bytes]))).toEqual(before)
  expect(rig.disk.openReads).toBe(0)
  return caught as MeridianError
}

describe('a whole log', () => {
  test('is handed to the visitor in order, over segments, and goes on where it ended', () => {
    const labels = fillSegments(4)
    rig.reopen()
    expect(rig.recovered).toEqual(labels)
    expect(rig.report).toMatchObject({ segments: 4, frames: labels.length, cutBytes: 0, bytes: labels.length * 140 })
    expect(rig.log.durableBytes).toBe(labels.length * 140)
    labels.push(append(2))
    rig.reopen()
    expect(rig.recovered).toEqual(labels)
  })

  test('of a killed process is durable once it is read', () => {
    append(1)
    rig.reopen()
    rig.disk.crash(() => 0)
    rig.open()
    expect(rig.recovered).toEqual(['1:10/56'])
  })

  test('keeps positions and vectors in the segment headers', () => {
    fillSegments(3)
    const [first, second, third] = rig.log.segments
    expect(first).toMatchObject({ sequence: 1, startByte: 0 })
    expect(second.startByte).toBe(first.frameBytes)
    expect(third.startByte).toBe(first.frameBytes + second.frameBytes)
    expect(second.vector.toString()).toBe('1:30,2:30,3:20')
    const { segments } = rig.log
    rig.reopen()
    expect(rig.log.segments).toEqual(segments)
  })

  test('with frames larger than a block and than a segment is read', () => {
    const labels = [append(1, 10), append(1, LIMITS.logReadBlockBytes * 2 + 77), append(2, 10), append(1, 300_000)]
    rig.reopen()
    expect(rig.recovered).toEqual(labels)
  })

  test('is read in blocks, not a frame at a time', () => {
    for (let i = 0; i < 5000; i++) append(1)
    rig.disk.reads = 0
    rig.reopen()
    expect(rig.recovered.length).toBe(5000)
    expect(rig.disk.reads).toBeLessThan(10)
  })

  test('can be read in steps', () => {
    const labels = fillSegments(3)
    const seen: string[] = []
    const { disk, clock } = rig
    const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet }
    const owner = { clusterId: 'cluster', memberId: 1 as MemberId }
    const options = {
      disk,
      clock,
      logger: quiet,
      folder: FOLDER,
      ...owner,
      syncPolicy: 'no',
      visit: (frame: FrameView) => seen.push(label(frame)),
    } as const
    const recovery = new LogRecovery(options)
    let steps = 1
    while (!recovery.step(300)) steps++
    expect(steps).toBeGreaterThan(3)
    expect(recovery.finish().report.frames).toBe(labels.length)
    expect(seen).toEqual(labels)
  })
})

describe('a torn tail', () => {
  const cases: [string, (bytes: Uint8Array, at: number) => Uint8Array][] = [
    ['cut inside the frame', (bytes, at) => bytes.slice(0, at + 50)],
    ['cut inside the frame header', (bytes, at) => bytes.slice(0, at + 7)],
    ['with one wrong byte', (bytes, at) => bytes.map((byte, i) => (i === at + 60 ? byte ^ 1 : byte))],
    ['with a wrong length', (bytes, at) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))],
    ['of zeros', (bytes, at) => bytes.map((byte, i) => (i >= at ? 0 : byte))],
    ['of rubbish', (bytes, at) => bytes.map((byte, i) => (i >= at ? (i * 37) & 0xff : byte))],
  ]
  test.each(cases)('%s is cut, said, and the log goes on', (_name, damage) => {
    const labels = [append(1, 100), append(2, 100)]
    const at = bytesOf(1).length
    append(1, 100)
    setBytes(1, damage(bytesOf(1), at))
    const cutBytes = bytesOf(1).length - at
    rig.reopen()
    expect(rig.recovered).toEqual(labels)
    expect(rig.report.cutBytes).toBe(cutBytes)
    expect(bytesOf(1).length).toBe(at)
    const warning = rig.lines.find(({ level }) => level === 'warn')
    expect(warning?.fields).toEqual({ path: segmentPath(1), offset: at, bytes: cutBytes })
    rig.log.append(testFrame({ origin: 1, previous: 10, last: 12 }))
    rig.reopen()
    expect(rig.recovered).toEqual([...labels, '1:12/56'])
  })

  test('that holds an old frame as a value is still a torn tail', () => {
    const old = chains.next(1, 50)
    rig.log.append(old)
    const at = bytesOf(1).length
    const value = new Uint8Array(500)
    value.set(old.bytes, 200)
    append(1, value)
    setBytes(1, bytesOf(1).slice(0, at + 450))
    rig.reopen()
    expect(rig.recovered).toEqual([label(old)])
  })

  test.each([0, 5, 20, 40])('in the header of a new last segment (%i bytes of it) takes that segment away', (length) => {
    const labels = fillSegments(3)
    labels.pop()
    setBytes(3, bytesOf(3).slice(0, length))
    rig.reopen({ segmentBytes: 1000 })
    expect(rig.recovered).toEqual(labels)
    expect(rig.disk.exists(segmentPath(3))).toBe(false)
    chains = new FrameChains()
    const next = testFrame({ origin: 9, previous: 0, last: 1 })
    rig.log.append(next)
    expect(rig.disk.exists(segmentPath(3))).toBe(true)
    rig.reopen()
    expect(rig.recovered).toEqual([...labels, label(next)])
  })

  test('in the header of the first segment begins the log anew', () => {
    setBytes(1, bytesOf(1).slice(0, 10))
    rig.reopen()
    expect(rig.report.frames).toBe(0)
    append(1)
    rig.reopen()
    expect(rig.recovered).toEqual(['1:10/56'])
  })
})

describe('damage before the tail', () => {
  test('in the last segment names file and offset and changes nothing', () => {
    append(1, 100)
    const at = bytesOf(1).length
    append(2, 100)
    append(1, 100)
    bytesOf(1)[at + 77] ^= 4
    const error = openError()
    expect(error.code).toBe('MRD_LOG_DAMAGED')
    expect(error.message).toContain(`${segmentPath(1)} is damaged at byte ${at}`)
    expect(error.message).toContain('Restore')
  })

  test('is found behind a frame whose length is wrong', () => {
    append(1, 100)
    const at = bytesOf(1).length
    append(2, 100)
    append(1, 100)
    bytesOf(1)[at + 2] ^= 0x7f
    expect(openError().message).toContain(`at byte ${at}: the frame is cut short, and a whole frame follows at byte ${at + 140}`)
  })

  test('is found behind a hole of zeros', () => {
    const at = bytesOf(1).length
    append(1, 100)
    append(1, 100)
    bytesOf(1).fill(0, at, at + 100)
    expect(openError().code).toBe('MRD_LOG_DAMAGED')
  })

  test('in the tail of an earlier segment is an error', () => {
    fillSegments(3)
    const length = bytesOf(1).length
    setBytes(1, bytesOf(1).slice(0, length - 30))
    const error = openError()
    expect(error.code).toBe('MRD_LOG_DAMAGED')
    expect(error.message).toContain(`${segmentPath(1)} is damaged at byte ${length - 140}`)
  })

  test('an earlier segment that lost whole frames is an error', () => {
    fillSegments(3)
    const length = bytesOf(1).length
    setBytes(1, bytesOf(1).slice(0, length - 140))
    expect(openError().message).toContain(
      `${segmentPath(1)} is damaged at byte ${length - 140}: the next segment begins 140 bytes`,
    )
  })

  test('a missing segment is named', () => {
    fillSegments(4)
    rig.disk.files.delete(segmentPath(2))
    expect(openError().message).toContain(`${segmentPath(2)} is damaged at byte 0: the segment is missing`)
  })

  test('a log that begins in the middle is refused unless a snapshot covers what is missing', () => {
    const labels = fillSegments(3)
    const { vector, startByte: position } = rig.log.segments[1]
    rig.disk.files.delete(segmentPath(1))
    expect(openError().message).toContain('what came before it is missing')
    rig.reopen({ from: { position, vector, end: position, skim: true } })
    expect(rig.recovered).toEqual(labels.slice(-rig.recovered.length))
    expect(rig.report.vector.dominates(vector)).toBe(true)
    expect(() => rig.read(1, 0)).toThrow(expect.objectContaining({ code: 'MRD_LOG_TRIMMED' }) as Error)
    expect(rig.read(1, vector.get(1 as MemberId)).length).toBeGreaterThan(0)
  })

  test('a damaged header is an error when frames follow it', () => {
    append(1)
    bytesOf(1)[20] ^= 1
    expect(openError().message).toContain(`${segmentPath(1)} is damaged at byte 0: the header checksum is wrong`)
  })

  test('a damaged header of an earlier segment is an error', () => {
    fillSegments(3)
    bytesOf(2).fill(0, 0, 10)
    expect(openError().message).toContain(`${segmentPath(2)} is damaged at byte 0`)
  })

  test('a whole frame that does not continue its origin is an error even at the tail', () => {
    append(1)
    const at = bytesOf(1).length
    setBytes(1, new Uint8Array([...bytesOf(1), ...testFrame({ origin: 1, previous: 50, last: 60 }).bytes]))
    expect(openError().message).toContain(`at byte ${at}: the frame of member 1 follows stamp 50, the log is at 10`)
  })

  test('a segment under the name of another is an error', () => {
    fillSegments(3)
    setBytes(2, bytesOf(1))
    expect(openError().message).toContain('the file is segment 1 under the name of segment 2')
  })

  test('a frame whose ops the visitor cannot read is named', () => {
    const at = bytesOf(1).length
    append(1)
    const visit = () => {
      throw new MeridianError('MRD_FRAME', 'unknown effect 99', 'Test.')
    }
    const error = openError({ visit })
    expect(error.code).toBe('MRD_LOG_DAMAGED')
    expect(error.message).toContain(`${segmentPath(1)} is damaged at byte ${at}: unknown effect 99`)
  })
})

describe('a log that is not ours', () => {
  test('of a newer format is refused with both versions', () => {
    append(1)
    const bytes = bytesOf(1)
    const view = new DataView(bytes.buffer)
    const length = view.getUint32(12, true)
    bytes[8] = 7
    view.setUint32(length - 4, crc32(bytes.subarray(0, length - 4)), true)
    const error = openError()
    expect(error.code).toBe('MRD_LOG_VERSION')
    expect(error.message).toContain('has format version 7 at byte 0, this server reads version 1')
  })

  test('with a frame of a newer format is refused with both versions', () => {
    const frame = chains.next(1)
    frame.bytes[8] = 2
    new DataView(frame.bytes.buffer).setUint32(4, crc32(frame.bytes.subarray(8)), true)
    rig.log.append(frame)
    const error = openError()
    expect(error.code).toBe('MRD_LOG_VERSION')
    expect(error.message).toContain('format version 2')
  })

  test.each([{ memberId: 2 as MemberId }, { clusterId: 'other' }])('but %o has it is refused', (owner) => {
    append(1)
    const error = openError(owner)
    expect(error.code).toBe('MRD_DATA_FOLDER_OWNER')
    expect(error.message).toContain('member 1 of cluster cluster')
  })
})

test('an offline scan reads a log without changing it, says whose it is and where its torn tail is', () => {
  const labels = fillSegments(2)
  const bytes = bytesOf(2).slice(0, -3)
  setBytes(2, bytes)
  const seen: string[] = []
  const scan = new LogScan({
    disk: rig.disk,
    folder: FOLDER,
    visit: (frame, segment, offset) => seen.push(`${segment.sequence}@${offset - segment.headerBytes} ${label(frame)}`),
  })
  expect(scan.step()).toBe(true)
  expect(seen.map((line) => line.split(' ')[1])).toEqual(labels.slice(0, -1))
  expect(seen[1]).toMatch(/^1@140 /)
  expect(scan.owner).toMatchObject({ clusterId: 'cluster', memberId: 1 })
  expect(scan.torn).toEqual({ path: segmentPath(2), offset: bytes.length - 137, bytes: 137 })
  expect(bytesOf(2)).toBe(bytes)
  expect(
    scan.vector.equals(
      VersionVector.from([
        [1, 30],
        [2, 30],
        [3, 20],
      ]),
    ),
  ).toBe(true)
})
