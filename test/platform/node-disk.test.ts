import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/base/errors.js'
import type { MemberId } from '../../src/base/ids.js'
import { openLog } from '../../src/oplog/open-log.js'
import { diskError } from '../../src/platform/node-disk-errors.js'
import { NodeDisk } from '../../src/platform/node-disk.js'
import { drain } from '../oplog/log-rig.js'
import { ManualClock } from '../oplog/manual-clock.js'
import { FrameChains, label } from '../oplog/test-frames.js'

const disk = new NodeDisk()
let folder: string

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'meridian-disk-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const bytes = (text: string) => new TextEncoder().encode(text)
const withCode = (code: ErrorCode) => expect.objectContaining({ code }) as Error

describe('append files', () => {
  test('append after what is there, sync, and say their size', async () => {
    const path = join(folder, 'a')
    const file = disk.openAppend(path)
    file.append(bytes('one'))
    expect(file.size).toBe(3)
    const error = await new Promise((done) => file.sync(done))
    expect(error).toBeNull()
    file.syncNow()
    file.close()
    const again = disk.openAppend(path)
    expect(again.size).toBe(3)
    again.append(bytes('two'))
    again.close()
    expect(fs.readFileSync(path, 'utf8')).toBe('onetwo')
  })

  test('closed under a running sync still end that sync', async () => {
    const file = disk.openAppend(join(folder, 'a'))
    file.append(bytes('one'))
    const ended = new Promise((done) => file.sync(done))
    file.close()
    expect(await ended).toBeNull()
  })

  test('on a full disk say so and keep their size', () => {
    const file = disk.openAppend('/dev/full')
    for (let i = 0; i < 2; i++) expect(() => file.append(bytes('x'))).toThrow(/\/dev\/full/)
    expect(file.size).toBe(0)
    file.close()
    expect(() => disk.openAppend('/dev/full').append(bytes('x'))).toThrow(withCode('MRD_DISK_FULL'))
  })

  test('never sync again after a sync failed', async () => {
    const file = disk.openAppend('/dev/null')
    const first = await new Promise<Error | null>((done) => file.sync(done))
    expect(first).toMatchObject({ code: 'MRD_DISK_IO' })
    expect(() => file.syncNow()).toThrow(first)
    file.close()
  })
})

test('read files read at a position, up to the end, also what is appended later', () => {
  const path = join(folder, 'a')
  fs.writeFileSync(path, 'hello world')
  const file = disk.openRead(path)
  const target = new Uint8Array(8)
  expect(file.size()).toBe(11)
  expect(file.read(target, 6)).toBe(5)
  expect(new TextDecoder().decode(target.subarray(0, 5))).toBe('world')
  expect(file.read(target, 11)).toBe(0)
  fs.appendFileSync(path, '!')
  expect(file.size()).toBe(12)
  expect(file.read(target, 11)).toBe(1)
  file.close()
})

test('folders are made with their parents, and list their files in order', () => {
  const deep = join(folder, 'x', 'y', 'z')
  disk.ensureFolder(deep)
  disk.ensureFolder(`${deep}/`)
  for (const name of ['b', 'a', 'c']) fs.writeFileSync(join(deep, name), '')
  fs.mkdirSync(join(deep, 'aa'))
  expect(disk.list(deep)).toEqual(['a', 'b', 'c'])
  expect(disk.exists(join(deep, 'a'))).toBe(true)
  expect(disk.exists(join(deep, 'd'))).toBe(false)
  disk.syncFolder(deep)
  expect(disk.freeBytes(deep)).toBeGreaterThan(0)
})

test('whole files are replaced whole; files are cut, renamed and removed', () => {
  const path = join(folder, 'whole')
  disk.writeWhole(path, bytes('first'))
  disk.writeWhole(path, bytes('second'))
  expect(new TextDecoder().decode(disk.readWhole(path))).toBe('second')
  expect(disk.list(folder)).toEqual(['whole'])
  disk.truncate(path, 3)
  disk.rename(path, join(folder, 'other'))
  expect(fs.readFileSync(join(folder, 'other'), 'utf8')).toBe('sec')
  disk.remove(join(folder, 'other'))
  expect(disk.list(folder)).toEqual([])
})

test('a path that cannot be used is named, with what to do', () => {
  const file = join(folder, 'file')
  fs.writeFileSync(file, '')
  expect(() => disk.ensureFolder(join(file, 'data'))).toThrow(withCode('MRD_DATA_FOLDER'))
  expect(() => disk.ensureFolder(join(file, 'data'))).toThrow(/is a file: name a folder/)
  expect(() => disk.ensureFolder(file)).toThrow(withCode('MRD_DATA_FOLDER'))
  expect(() => disk.openRead(join(folder, 'none'))).toThrow(/none.*MRD_DATA_FOLDER/)
  expect(() => disk.list(join(folder, 'none'))).toThrow(withCode('MRD_DATA_FOLDER'))
})

test.each<[string, ErrorCode, RegExp]>([
  ['ENOSPC', 'MRD_DISK_FULL', /Free some room/],
  ['EDQUOT', 'MRD_DISK_FULL', /quota/],
  ['EACCES', 'MRD_DATA_FOLDER', /read and write access/],
  ['EROFS', 'MRD_DATA_FOLDER', /read-only/],
  ['EIO', 'MRD_DISK_IO', /kernel log/],
  ['EMFILE', 'MRD_DISK_IO', /ulimit/],
])('%s becomes %s', (code, expected, remedy) => {
  const error = diskError('append to', '/data/x', Object.assign(new Error(`${code}: test`), { code }))
  expect(error.code).toBe(expected)
  expect(error.remedy).toMatch(remedy)
  expect(error.message).toContain('Cannot append to /data/x')
})

test('a log on it survives without being closed, and cursors read its files', async () => {
  const clock = new ManualClock()
  const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet }
  const recovered: string[] = []
  const open = () =>
    openLog({
      disk,
      clock,
      logger: quiet,
      folder,
      clusterId: 'c',
      memberId: 1 as MemberId,
      syncPolicy: 'immediate',
      minFreeBytes: 0,
      segmentBytes: 2000,
      recentFrameBytes: 1000,
      visit: (frame) => recovered.push(label(frame)),
    }).log
  const chains = new FrameChains()
  const log = open()
  const labels: string[] = []
  for (let i = 0; i < 100; i++) {
    const frame = chains.next(1 + (i % 2))
    labels.push(label(frame))
    log.append(frame)
    if (i % 10 !== 9) continue
    const durable = new Promise<void>((done) => log.onChange(done))
    clock.turn()
    await durable
  }
  expect(log.segments.length).toBeGreaterThan(2)
  expect(drain(log.openCursor(1 as MemberId, log.segments[0].vector.get(1 as MemberId))).length).toBe(50)
  const again = open()
  expect(recovered).toEqual(labels)
  again.close()
  log.close()
})
