import { beforeEach, describe, expect, it } from 'vitest'
import { MeridianError } from '../../src/base/errors.js'
import type { MemberId } from '../../src/base/ids.js'
import { LIMITS } from '../../src/base/limits.js'
import type { Member } from '../../src/node/member.js'
import { SnapshotReader } from '../../src/oplog/snapshot-reader.js'
import type { Logger } from '../../src/ports/logger.js'
import type { Session } from '../../src/commands/session.js'
import { EmbeddedMember } from '../support/embedded-member.js'
import { ManualClock } from '../support/engine-harness.js'
import { MemoryDisk, seededRandom } from '../oplog/memory-disk.js'

/** A step writes one key, so that much can happen while a snapshot is written. */
const PACE = { stepBytes: 1, turnMs: 0, turnBytes: Infinity, sectionBytes: 100, pauseMs: 1 }

let disk: MemoryDisk
let clock: ManualClock
let lines: { level: string; fields: object; message: string }[]
let embedded: EmbeddedMember
let session: Session

const logger = (): Logger => {
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: logger }
}

/** Starts a process; what was one before hears of time no more. */
function open(): Member {
  lines = []
  const { now } = clock
  clock = new ManualClock()
  clock.now = now
  const self = { id: 1 as MemberId, name: 'a', region: 'a', zone: 'a', address: { host: '', port: 0, name: '' } }
  embedded = new EmbeddedMember(
    {
      topology: { clusterId: 'c', version: 1, self: self.id, members: [self] },
      dataFolder: '/data',
      databases: 16,
      appendfsync: 'no',
      segmentBytes: 4096,
      snapshotPace: PACE,
    },
    { clock, random: { uint32: () => 5 }, disk, network: null, logger: logger() },
  )
  session = embedded.newSession()
  return embedded.member
}

const run = (...args: string[]): string => {
  const reply = String(embedded.call(session, args))
  embedded.member.engine.endTurn()
  return reply
}
const digest = (): string => run('CRDT.DIGEST')
const info = (field: string): string => new RegExp(`^${field}:(.*)\r$`, 'm').exec(run('INFO', 'all'))?.[1] ?? ''
/** Lets time pass, and syncs end. */
const pass = (ms: number): void => {
  for (let i = 0; i < ms; i++) {
    clock.advance(1)
    disk.completeSyncs()
  }
}
const until = (condition: () => boolean): void => {
  for (let i = 0; i < 1000 && !condition(); i++) pass(1)
  expect(condition()).toBe(true)
}
const snapshots = (): string[] => disk.list('/data/snapshot')
const path = (name: string): string => `/data/snapshot/${name}`
const said = (text: string): boolean => lines.some(({ message }) => message.includes(text))

beforeEach(() => {
  disk = new MemoryDisk()
  clock = new ManualClock()
  open()
})

function fill(keys: number): void {
  for (let i = 0; i < keys; i++) run('SET', `key:${i}`, `value ${i}`)
}

describe('a snapshot', () => {
  it('is what a start begins from; the log before it goes', () => {
    fill(300)
    run('HSET', 'hash', 'f', '1')
    run('SET', 'due', 'x', 'PX', '100000')
    expect(run('BGSAVE')).toBe('Background saving started')
    expect(run('BGSAVE')).toContain('Background save already in progress')
    pass(800)
    expect(snapshots()).toEqual(['0000000000000001.msnap'])
    expect(info('rdb_saves')).toBe('1')
    expect(info('rdb_last_bgsave_status')).toBe('ok')
    expect(Number(info('repl_backlog_first_byte_offset'))).toBeGreaterThan(1)
    fill(10)
    run('DEL', 'key:5')
    const before = digest()
    embedded.member.stop()
    const member = open()
    expect(digest()).toBe(before)
    expect(member.recovery.frames).toBe(11)
    expect(run('LASTSAVE')).toBe(String(Math.floor(member.snapshots.kept[0].writtenMs / 1000)))
  })

  it('is written in small parts while keys change, and shows nothing of that after a restart', () => {
    for (let seed = 1; seed <= 15; seed++) {
      disk = new MemoryDisk()
      open()
      const random = seededRandom(seed)
      const pick = (count: number): number => Math.floor(random() * count)
      const act = (): void => {
        const key = `k${pick(12)}`
        const acts = [
          () => run('SET', key, String(pick(100))),
          () => run('INCRBY', key, String(pick(10))),
          () => run('APPEND', key, String(pick(10))),
          () => run('SETRANGE', key, String(pick(4)), 'ab'),
          () => run('DEL', key),
          () => run('PEXPIRE', key, String(pick(2000))),
          () => run('HSET', `h${pick(3)}`, `f${pick(3)}`, 'v'),
          () => run('HINCRBY', `h${pick(3)}`, 'n', '3'),
          () => run('RPUSH', `l${pick(3)}`, 'a', 'b'),
          () => run('LPOP', `l${pick(3)}`),
          () => run('LSET', `l${pick(3)}`, '0', String(pick(9))),
          () => run('ZINCRBY', `z${pick(3)}`, '1.5', 'm'),
          () => run('ZADD', `z${pick(3)}`, String(pick(9)), `m${pick(3)}`),
          () => run('SADD', `s${pick(3)}`, `m${pick(5)}`),
          () => run('SPOP', `s${pick(3)}`),
          () => run('XADD', `x${pick(2)}`, '*', 'a', 'b'),
          () => run('XTRIM', `x${pick(2)}`, 'MAXLEN', '2'),
          () => run('PFADD', `p${pick(2)}`, String(pick(100))),
          () => run('RENAME', key, `k${pick(12)}`),
          () => run('INCRBYFLOAT', key, '0.5'),
        ]
        acts[pick(acts.length)]()
        if (pick(60) === 0) run('FLUSHDB')
        pass(pick(3))
      }
      for (let round = 0; round < 6; round++) {
        for (let i = 0; i < 15; i++) act()
        run('BGSAVE')
        for (let i = pick(40); i > 0; i--) act()
        const before = digest()
        disk.kill()
        open()
        expect(digest(), `seed ${seed} round ${round}`).toBe(before)
      }
    }
  })

  it('is written in small parts where it holds a long string', () => {
    const pieces = 10
    run('SET', 'long', 'x'.repeat(pieces * LIMITS.logPieceBytes - 1000))
    run('SET', 'short', 'y')
    const before = digest()
    run('BGSAVE')
    let turns = 0
    for (; info('rdb_saves') === '0'; turns++) pass(1)
    // Each part is summed in a turn, and written in another one.
    expect(turns).toBeGreaterThan(2 * pieces - 2)
    embedded.member.stop()
    open()
    expect(digest()).toBe(before)
  })

  it('says what its records may show, and what had been written when it began', () => {
    fill(300)
    const before = embedded.member.applied.get(1 as MemberId)
    run('BGSAVE')
    pass(20)
    expect(snapshots()).toEqual(['0000000000000001.msnap.tmp'])
    run('SET', 'late', 'x')
    const after = embedded.member.applied.get(1 as MemberId)
    until(() => snapshots()[0] === '0000000000000001.msnap')
    const reader = new SnapshotReader(disk, path('0000000000000001.msnap'), null)
    reader.close()
    expect(reader.header.vector.get(1 as MemberId)).toBe(before)
    expect(reader.end.highest[0].stamps.get(1 as MemberId)).toBe(before)
    expect(after).toBeGreaterThan(before)
    expect(reader.end.seen.get(1 as MemberId)).toBeGreaterThanOrEqual(after)
  })

  it('is complete or absent wherever the process or the power fails, and nothing durable is lost', () => {
    for (let seed = 1; seed <= 60; seed++) {
      disk = new MemoryDisk()
      open()
      const random = seededRandom(seed)
      fill(30)
      run('SAVE')
      fill(20)
      run('BGSAVE')
      for (let i = Math.floor(random() * 60); i > 0; i--) {
        run('SET', `key:${i}`, `again ${i}`)
        clock.advance(1)
        if (random() < 0.7) disk.completeSyncs()
      }
      const durable = embedded.member.durable.get(1 as MemberId)
      if (seed % 3 === 0) disk.kill()
      else disk.crash(random)
      const member = open()
      expect(member.applied.get(1 as MemberId), `seed ${seed}`).toBeGreaterThanOrEqual(durable)
      expect(snapshots().some((name) => name.endsWith('.tmp'))).toBe(false)
      for (let i = 0; i < 30; i++) expect(run('EXISTS', `key:${i}`)).toBe('1')
    }
  })

  it('that a full disk refuses leaves nothing, is told, and is tried again', () => {
    fill(100)
    embedded.member.keeping.rewritePercentage = 100
    // It says that there is room.
    disk.freeBytes = () => 1e12
    disk.capacity = disk.used + 300
    pass(1100)
    expect(info('aof_last_bgrewrite_status')).toBe('err')
    expect(info('snapshot_last_error')).toContain('MRD_DISK_FULL')
    expect(said('The snapshot was given up')).toBe(true)
    expect(snapshots()).toEqual([])
    pass(3000)
    expect(lines.filter(({ message }) => message.includes('given up')).length).toBe(1)
    disk.capacity = Infinity
    pass(4000)
    expect(info('aof_last_bgrewrite_status')).toBe('ok')
    expect(snapshots()).toEqual(['0000000000000001.msnap'])
  })

  describe('below the reserve of the disk', () => {
    const MiB = 1024 * 1024
    const value = 'x'.repeat(100_000)
    /** Much log of few data; then there is so much room. */
    const shorten = (free: number): void => {
      for (let i = 0; i < 150; i++) run('SET', `key:${i % 5}`, value)
      pass(10)
      disk.capacity = disk.used + free
      pass(1100)
    }

    it('is begun by itself where it fits and frees more than it takes: writes go on', () => {
      embedded.member.keeping.rewritePercentage = 100
      shorten(60 * MiB)
      expect(snapshots()).toHaveLength(1)
      expect(said('the reserve is')).toBe(true)
      pass(1000)
      expect(run('SET', 'key', 'x')).toBe('OK')
      embedded.member.stop()
      open()
      expect(run('DBSIZE')).toBe('6')
    })

    it('is not begun by itself where that is switched off, but can be asked for', () => {
      embedded.member.keeping.rewritePercentage = 0
      shorten(60 * MiB)
      expect(snapshots()).toEqual([])
      expect(run('SET', 'key', 'x')).toContain('MISCONF Writes are refused')
      expect(run('BGSAVE')).toBe('Background saving started')
      pass(2000)
      expect(info('rdb_last_bgsave_status')).toBe('ok')
      expect(run('SET', 'key', 'x')).toBe('OK')
    })

    it('is refused where it would take what must be left, and nothing is written', () => {
      embedded.member.keeping.rewritePercentage = 100
      shorten(16 * MiB + 1000)
      const used = disk.used
      expect(snapshots()).toEqual([])
      run('BGSAVE')
      pass(100)
      expect(info('rdb_last_bgsave_status')).toBe('err')
      expect(info('snapshot_last_error')).toMatch(
        /A snapshot may take \d+ bytes more, the disk of .* has \d+ left, of which 16777216 stay/,
      )
      expect(snapshots()).toEqual([])
      // A segment may have begun.
      expect(disk.used).toBeLessThan(used + 200)
    })
  })

  it('whose sync fails is given up, for good', () => {
    fill(20)
    const openAppend = disk.openAppend.bind(disk)
    disk.openAppend = (name) => {
      const file = openAppend(name)
      if (name.endsWith('.msnap.tmp')) file.sync = (done) => done(new MeridianError('MRD_DISK_IO', 'EIO', 'Check it.'))
      return file
    }
    run('BGSAVE')
    pass(100)
    disk.openAppend = openAppend
    expect(info('rdb_last_bgsave_status')).toBe('err')
    expect(snapshots()).toEqual([])
    expect(run('SAVE')).toBe('OK')
    expect(info('rdb_last_bgsave_status')).toBe('ok')
  })

  it('that cannot be saved at once says why', () => {
    fill(20)
    disk.capacity = disk.used + 200
    expect(run('SAVE')).toContain('MRD_DISK_FULL')
    expect(info('rdb_last_bgsave_status')).toBe('err')
    expect(snapshots()).toEqual([])
  })

  it('waits for the one under way, or is told so, as in Redis', () => {
    fill(20)
    expect(run('BGREWRITEAOF')).toBe('Background append only file rewriting started')
    expect(run('BGREWRITEAOF')).toContain('Background append only file rewriting already in progress')
    expect(run('BGSAVE')).toContain("can't BGSAVE right now")
    expect(run('BGSAVE', 'SCHEDULE')).toBe('Background saving scheduled')
    expect(run('BGSAVE', 'LATER')).toContain('syntax error')
    expect(info('aof_rewrite_in_progress')).toBe('1')
    until(() => info('rdb_bgsave_in_progress') === '1')
    expect(info('rdb_saves')).toBe('1')
    until(() => info('rdb_saves') === '2')
    run('MULTI')
    run('BGSAVE')
    expect(run('EXEC')).toBe('Background saving scheduled')
    until(() => info('rdb_saves') === '3')
    expect(snapshots()).toEqual(['0000000000000002.msnap', '0000000000000003.msnap'])
    run('BGREWRITEAOF')
    expect(run('SAVE')).toBe('OK')
    expect(info('aof_rewrite_in_progress')).toBe('0')
  })

  it('is due when the log has grown by a share of the last one, and has a least size', () => {
    const { member } = embedded
    Object.assign(member.keeping, { rewritePercentage: 100, rewriteMinBytes: 5000 })
    fill(30)
    pass(1500)
    expect(snapshots()).toEqual([])
    fill(60)
    pass(1500)
    expect(snapshots().length).toBe(1)
    const { base } = member.persistentBytes
    while (member.persistentBytes.total < 1.9 * base) fill(1)
    pass(1500)
    expect(snapshots().length).toBe(1)
    while (member.persistentBytes.total < 2 * base) fill(1)
    pass(1500)
    expect(snapshots().length).toBe(2)
  })

  it('ends with the member', () => {
    fill(50)
    run('BGSAVE')
    pass(10)
    expect(snapshots()).toEqual(['0000000000000001.msnap.tmp'])
    embedded.member.stop()
    expect(snapshots()).toEqual([])
  })
})

describe('a damaged snapshot', () => {
  const damage = (name: string, at: number): void => {
    const { bytes } = disk.file(path(name))
    bytes[at < 0 ? bytes.length + at : at] ^= 4
  }

  it.each([
    ['header', 20],
    ['records', 300],
    ['footer', -3],
  ])('in its %s: the start begins from the older one and says so', (_what, at) => {
    fill(40)
    expect(run('SAVE')).toBe('OK')
    fill(60)
    expect(run('SAVE')).toBe('OK')
    fill(70)
    const before = digest()
    embedded.member.stop()
    damage('0000000000000002.msnap', at)
    const member = open()
    expect(digest()).toBe(before)
    expect(said('0000000000000002.msnap is damaged at byte')).toBe(true)
    expect(said('starting from an older snapshot')).toBe(true)
    expect(member.snapshots.kept.map(({ sequence }) => sequence)).toEqual([1])
    run('SAVE')
    pass(5)
    expect(snapshots()).toEqual(['0000000000000001.msnap', '0000000000000003.msnap'])
  })

  it('is refused when neither another one nor the log reaches back', () => {
    fill(100)
    run('SAVE')
    pass(1200)
    fill(5)
    embedded.member.stop()
    damage('0000000000000001.msnap', 200)
    const before = new Map([...disk.files].map(([name, { bytes }]) => [name, bytes.slice()]))
    expect(open).toThrow(/MRD_SNAPSHOT_DAMAGED/)
    for (const [name, bytes] of before) expect(disk.file(name).bytes).toEqual(bytes)
  })

  it('costs nothing while the log has everything', () => {
    fill(3)
    run('SAVE')
    const before = digest()
    embedded.member.stop()
    damage('0000000000000001.msnap', 200)
    open()
    expect(digest()).toBe(before)
  })
})

describe('DEBUG RELOAD', () => {
  it('goes through a snapshot', () => {
    fill(100)
    run('ZADD', 'z', '1', 'a')
    const before = digest()
    expect(embedded.member.reload(true)).toBeNull()
    expect(digest()).toBe(before)
    run('SET', 'more', '0')
    expect(embedded.member.reload(false)).toBeNull()
    expect(run('GET', 'more')).toBe('0')
    run('SET', 'more', '1')
    expect(embedded.member.reload(true)).toBeNull()
    expect(run('GET', 'more')).toBe('1')
  })
})

describe('SHUTDOWN', () => {
  it('writes a snapshot only with SAVE, and stops in spite of an error only with FORCE', () => {
    fill(20)
    run('SHUTDOWN', 'NOSAVE')
    expect(snapshots()).toEqual([])
    disk.capacity = disk.used + 200
    expect(run('SHUTDOWN', 'SAVE')).toContain('Errors trying to SHUTDOWN')
    disk.capacity = Infinity
    run('SHUTDOWN', 'SAVE')
    expect(snapshots()).toEqual(['0000000000000001.msnap'])
    expect(run('SHUTDOWN', 'ABORT')).toContain('No shutdown in progress')
  })
})
