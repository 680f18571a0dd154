import { beforeEach, describe, expect, it } from 'vitest'
import type { MemberId } from '../../src/base/ids.js'
import { checkDataFolder, repairDataFolder } from '../../src/node/data-check.js'
import type { Logger } from '../../src/ports/logger.js'
import { encodeTopology } from '../../src/topology/topology-codec.js'
import { TopologyState } from '../../src/topology/topology-state.js'
import { MemoryDisk } from '../oplog/memory-disk.js'
import { EmbeddedMember } from '../support/embedded-member.js'
import { ManualClock } from '../support/engine-harness.js'

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
} as unknown as Logger

let disk: MemoryDisk
let member: EmbeddedMember
let clock: ManualClock
let run: (...args: string[]) => string

function open(segmentBytes = 1000): void {
  const self = { id: 1 as MemberId, name: 'a', region: 'a', zone: 'a', address: { host: '', port: 0, name: '' } }
  clock = new ManualClock()
  member = new EmbeddedMember(
    {
      topology: { clusterId: 'c', version: 1, self: self.id, members: [self] },
      dataFolder: '/data',
      databases: 16,
      appendfsync: 'always',
      segmentBytes,
      snapshotPace: { stepBytes: 100, sectionBytes: 200, turnBytes: 100, turnMs: 1, pauseMs: 1 },
    },
    { clock, random: { uint32: () => 5 }, disk, network: null, logger: silent },
  )
  const session = member.newSession()
  run = (...args) => {
    const reply = String(member.call(session, args))
    member.member.engine.endTurn()
    member.member.log.syncNow()
    return reply
  }
}

function fill(keys: number, prefix = 'key'): void {
  for (let i = 0; i < keys; i++) run('SET', `${prefix}:${i}`, `value ${i}`)
}

const log = (sequence: number): string => `/data/log/000000000000000${sequence}.mlog`
const snapshot = (sequence: number): string => `/data/snapshot/000000000000000${sequence}.msnap`
const flip = (path: string, at: number): void => {
  const { bytes } = disk.file(path)
  bytes[at < 0 ? bytes.length + at : at] ^= 1
}
/** Repairs, starts, and gives what was said. */
function repaired(): { lines: string; givenUp: string } {
  const before = disk.used
  const { lines, givenUp, isDamaged, repair } = checkDataFolder(disk, '/data')
  expect(isDamaged).toBe(true)
  expect(disk.used).toBe(before)
  expect(repair).not.toBeNull()
  if (repair !== null) repairDataFolder(disk, '/data', repair, 'now')
  // Nothing is gone.
  expect(disk.used).toBeGreaterThanOrEqual(before)
  expect(checkDataFolder(disk, '/data').isDamaged).toBe(false)
  open()
  return { lines: lines.join('\n'), givenUp: givenUp.join('\n') }
}

beforeEach(() => {
  disk = new MemoryDisk()
  open()
})

describe('meridian check', () => {
  it('finds a folder whole, a torn end included', () => {
    fill(50)
    run('HSET', 'h', 'a', 'b')
    run('RPUSH', 'l', 'a', 'b')
    run('SAVE')
    fill(5)
    member.member.stop()
    expect(checkDataFolder(disk, '/data')).toMatchObject({ isDamaged: false, repair: { moves: [], cut: null }, givenUp: [] })
    const [last] = disk.list('/data/log').slice(-1)
    const { bytes } = disk.file(`/data/log/${last}`)
    disk.file(`/data/log/${last}`).bytes = bytes.slice(0, -3)
    const { isDamaged, lines } = checkDataFolder(disk, '/data')
    expect(isDamaged).toBe(false)
    expect(lines.join()).toContain('an unfinished write, as a crash leaves it')
  })

  it('says that a folder is none', () => {
    expect(() => checkDataFolder(new MemoryDisk(), '/data')).toThrow(/MRD_DATA_FOLDER/)
  })

  it('names damage in the log, what is behind it, and cuts it off', () => {
    fill(60)
    member.member.stop()
    flip(log(3), 300)
    const { lines, givenUp } = repaired()
    expect(lines).toMatch(/DAMAGED \/data\/log\/0000000000000003.mlog is damaged at byte \d+/)
    expect(lines).toMatch(/out of reach: \d+ bytes, \d+ whole frames: member 1 stamps \d+ to \d+/)
    expect(givenUp).toContain("this member's own writes")
    expect(givenUp).toContain('it fetches at its start what another member has of them')
    const keys = Number(run('DBSIZE'))
    expect(keys).toBeGreaterThan(20)
    expect(keys).toBeLessThan(60)
    expect(disk.list('/data/quarantine-now').length).toBeGreaterThan(1)
  })

  it('begins from the older snapshot when the newer one is damaged', () => {
    fill(20)
    run('SAVE')
    fill(20, 'more')
    run('SAVE')
    fill(5, 'late')
    member.member.stop()
    flip(snapshot(2), 400)
    const { lines, givenUp } = repaired()
    expect(lines).toContain('No start can begin from this snapshot')
    expect(givenUp).toContain(`A start begins from ${snapshot(1)}`)
    expect(run('DBSIZE')).toBe('45')
  })

  it('lets damage in what only others could ask for go', () => {
    fill(60)
    run('SAVE')
    fill(5, 'late')
    member.member.stop()
    // What was removed from the log by now was copied before.
    disk = new MemoryDisk()
    open()
    fill(60)
    const files = new Map([...disk.files].map(([path, state]) => [path, { ...state, bytes: state.bytes.slice() }]))
    run('SAVE')
    fill(5, 'late')
    member.member.stop()
    for (const [path, state] of files) if (!disk.exists(path)) disk.files.set(path, state)
    flip(log(1), 200)
    const { lines, givenUp } = repaired()
    expect(lines).toContain('a start does not need it')
    expect(givenUp).toContain('The log of this member begins at position')
    expect(run('DBSIZE')).toBe('65')
  })

  it('keeps what is behind the newest snapshot when the damage is before it in the same segment', () => {
    disk = new MemoryDisk()
    open(1_000_000)
    fill(5)
    run('SAVE')
    fill(3, 'late')
    member.member.stop()
    expect(disk.list('/data/log')).toEqual(['0000000000000001.mlog'])
    const whole = disk.file(log(1)).bytes.slice()
    flip(log(1), 150)
    const { lines, givenUp } = repaired()
    expect(lines).toContain('a start does not need it')
    expect(givenUp).toContain(`A start begins from ${snapshot(1)}`)
    expect(givenUp).not.toContain("this member's own writes")
    expect(run('DBSIZE')).toBe('8')
    expect(disk.file('/data/quarantine-now/0000000000000001.mlog').bytes).toHaveLength(whole.length)
    run('SET', 'after', 'x')
    member.member.stop()
    expect(checkDataFolder(disk, '/data').isDamaged).toBe(false)
    open()
    expect(run('DBSIZE')).toBe('9')
  })

  it('begins from a snapshot that has more than what is left of the log', () => {
    fill(20)
    run('SAVE')
    fill(20, 'more')
    run('SAVE')
    member.member.stop()
    // The last segment is lost, and the end of the one before.
    const [before, last] = disk.list('/data/log').slice(-2)
    disk.remove(`/data/log/${last}`)
    const { bytes } = disk.file(`/data/log/${before}`)
    disk.file(`/data/log/${before}`).bytes = bytes.slice(0, -10)
    const { lines, givenUp } = repaired()
    expect(lines).toContain('the log has lost its end')
    expect(givenUp).toContain(`A start begins from ${snapshot(2)}, with the 40 keys that it has, and an empty log`)
    expect(run('DBSIZE')).toBe('40')
  })

  const emptied = (path: string): void => {
    disk.file(path).bytes = new Uint8Array(0)
  }

  it.each<[string, (path: string) => void]>([
    ['is empty', emptied],
    ['has a damaged header', (path) => flip(path, 20)],
    ['is gone', (path) => disk.remove(path)],
  ])('begins from a whole snapshot when the only segment of the log %s', (_what, harm) => {
    disk = new MemoryDisk()
    open(1_000_000)
    fill(50)
    run('SAVE')
    member.member.stop()
    expect(disk.list('/data/log')).toHaveLength(1)
    harm(log(1))
    const { givenUp } = repaired()
    expect(givenUp).toContain(`A start begins from ${snapshot(1)}, with the 50 keys that it has, and an empty log`)
    expect(givenUp).not.toContain('and not others')
    expect(givenUp).not.toContain('own writes')
    expect(run('DBSIZE')).toBe('50')
    // It goes on from there, snapshots and starts included.
    run('SET', 'after', 'x')
    run('SAVE')
    run('SET', 'later', 'x')
    member.member.stop()
    expect(checkDataFolder(disk, '/data')).toMatchObject({ isDamaged: false })
    open()
    expect(run('DBSIZE')).toBe('52')
  })

  it('names the own writes behind that snapshot that go with the log', () => {
    disk = new MemoryDisk()
    open(1_000_000)
    fill(50)
    run('SAVE')
    const kept = member.member.engine.applied.get(1 as MemberId)
    fill(10, 'later')
    const last = member.member.engine.applied.get(1 as MemberId)
    member.member.stop()
    flip(log(1), 20)
    const { givenUp } = repaired()
    expect(givenUp).toContain("With the log go this member's own writes behind that snapshot, stamps ")
    const [, from, to] = (/stamps (\d+) to (\d+)/.exec(givenUp) ?? []).map(Number)
    expect(from).toBeGreaterThan(kept)
    expect(to).toBe(last)
    expect(givenUp).not.toContain('Among that')
    expect(run('DBSIZE')).toBe('50')
  })

  /** Copies what is there of a snapshot that is being written, with the log as it is when it is ready; writes go on meanwhile. */
  function snapshotUnderWrites(): void {
    fill(50)
    run('BGSAVE')
    for (let i = 0; i < 200 && run('INFO', 'persistence').includes('rdb_bgsave_in_progress:1'); i++) {
      run('INCR', 'counter')
      clock.advance(5)
      disk.completeSyncs()
    }
    member.member.stop()
  }

  it('begins from a snapshot that was written under writes, where there is no other member, and says what that is', () => {
    disk = new MemoryDisk()
    open(1_000_000)
    snapshotUnderWrites()
    emptied(log(1))
    const { givenUp } = repaired()
    expect(givenUp).toContain(`A start begins from ${snapshot(1)}`)
    expect(givenUp).toContain('it has some and not others')
    expect(run('EXISTS', 'key:0', 'key:49')).toBe('2')
    run('SET', 'after', 'x')
    member.member.stop()
    open()
    expect(run('GET', 'after')).toBe('x')
  })

  it('does not begin from one that shows own writes which are lost and others may lack', () => {
    disk = new MemoryDisk()
    open(1_000_000)
    snapshotUnderWrites()
    emptied(log(1))
    const state = new TopologyState()
    const address = { host: 'h', port: 1 }
    state.seed(['a', 'b'].map((name, i) => ({ id: i + 1, name, region: name, zone: name, address, client: null })))
    disk.writeWhole('/data/topology', encodeTopology(state))
    const { givenUp, repair } = checkDataFolder(disk, '/data')
    expect(repair).toMatchObject({ moves: [snapshot(1)], shorten: null, anew: null })
    expect(givenUp.join()).toContain('cannot be used')
    expect(givenUp.join()).toContain(
      'a start begins with no data. In a cluster of several members it gets from the others what they have',
    )
  })

  it('goes on when a crash cuts a repair short', () => {
    disk = new MemoryDisk()
    open(1_000_000)
    snapshotUnderWrites()
    emptied(log(1))
    const before = new Map([...disk.files].map(([path, state]) => [path, { ...state, bytes: state.bytes.slice() }]))
    for (let calls = 1; ; calls += 2) {
      disk.files.clear()
      for (const [name, state] of before) disk.files.set(name, { ...state, bytes: state.bytes.slice() })
      const { repair } = checkDataFolder(disk, '/data')
      if (repair === null) throw new Error('it can be repaired')
      let left = calls
      const cut = new Proxy(disk, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          return (...args: unknown[]): unknown => {
            if (left-- <= 0) throw new Error('crash')
            return (value as (...all: unknown[]) => unknown).apply(target, args)
          }
        },
      })
      let done = true
      try {
        repairDataFolder(cut, '/data', repair, 'cut')
      } catch {
        done = false
      }
      const again = checkDataFolder(disk, '/data')
      if (again.repair !== null && again.isDamaged) repairDataFolder(disk, '/data', again.repair, 'again')
      expect(checkDataFolder(disk, '/data'), `after ${calls} calls`).toMatchObject({ isDamaged: false })
      open()
      expect(run('EXISTS', 'key:0', 'key:49'), `after ${calls} calls`).toBe('2')
      member.member.stop()
      if (done) break
    }
  })

  it('says when nothing can be mended', () => {
    fill(100)
    run('SAVE')
    for (let i = 0; i < 20; i++) {
      clock.advance(300)
      disk.completeSyncs()
    }
    member.member.stop()
    expect(disk.exists(log(1))).toBe(false)
    flip(snapshot(1), 500)
    const { isDamaged, repair, lines } = checkDataFolder(disk, '/data')
    expect([isDamaged, repair]).toEqual([true, null])
    expect(lines.join()).toContain('there is no whole snapshot of what came before')
  })

  it('names a missing segment', () => {
    fill(60)
    member.member.stop()
    disk.remove(log(3))
    const { lines } = repaired()
    expect(lines).toContain('0000000000000003.mlog is damaged at byte 0: the segment is missing')
  })

  it('never fails on a flipped byte anywhere, and what it repairs starts', () => {
    fill(12)
    run('SAVE')
    fill(12, 'more')
    run('SAVE')
    fill(12, 'late')
    member.member.stop()
    const whole = new Map([...disk.files].map(([path, state]) => [path, { ...state, bytes: state.bytes.slice() }]))
    for (const [path, { bytes }] of whole) {
      if (!/\.(mlog|msnap)$/.test(path)) continue
      for (let at = 0; at < bytes.length; at += 131) {
        disk.files.clear()
        for (const [name, state] of whole) disk.files.set(name, { ...state, bytes: state.bytes.slice() })
        flip(path, at)
        let report
        try {
          report = checkDataFolder(disk, '/data')
        } catch (error) {
          expect(String(error)).toMatch(/MRD_(DATA_FOLDER_OWNER|LOG_VERSION|SNAPSHOT_VERSION)/)
          continue
        }
        if (report.repair === null) continue
        repairDataFolder(disk, '/data', report.repair, 'now')
        expect(open, `${path} ${at}`).not.toThrow()
        expect(Number(run('DBSIZE'))).toBeGreaterThanOrEqual(0)
      }
    }
  })
})
