import { beforeEach, describe, expect, it } from 'vitest'
import { MeridianError } from '../../src/base/errors.js'
import type { MemberId } from '../../src/base/ids.js'
import type { Session } from '../../src/commands/session.js'
import { checkDataFolder } from '../../src/node/data-check.js'
import { refuseSameCluster, restoreBackup } from '../../src/node/restore.js'
import { BackupFile } from '../../src/oplog/backup-file.js'
import { BackupWriter } from '../../src/oplog/backup-writer.js'
import type { Logger } from '../../src/ports/logger.js'
import { MemoryDisk } from '../oplog/memory-disk.js'
import { EmbeddedMember, type Reply } from '../support/embedded-member.js'
import { ManualClock } from '../support/engine-harness.js'

const QUIET: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => QUIET,
}
const BACKUP = '/backups/a.mbackup'

class Server {
  readonly embedded: EmbeddedMember
  readonly session: Session

  constructor(
    readonly disk: MemoryDisk,
    readonly clock: ManualClock,
    clusterId = 'old',
    id = 1,
    dataFolder = '/data',
    names: readonly string[] = ['a'],
  ) {
    const members = names.map((name, i) => ({
      id: (id + i) as MemberId,
      name,
      region: name,
      zone: name,
      address: { host: '', port: 0, name: '' },
    }))
    const [self] = members
    this.embedded = new EmbeddedMember(
      {
        topology: { clusterId, version: 1, self: self.id, members },
        dataFolder,
        databases: 16,
        appendfsync: 'no',
        segmentBytes: 4096,
        snapshotPace: { stepBytes: 1, turnMs: 0, turnBytes: Infinity, sectionBytes: 100, pauseMs: 1 },
      },
      { clock, random: { uint32: () => 5 }, disk, network: null, logger: QUIET },
    )
    this.session = this.embedded.newSession()
  }

  reply(...args: string[]): Reply {
    const reply = this.embedded.call(this.session, args)
    this.embedded.member.engine.endTurn()
    return reply ?? null
  }

  run(...args: string[]): string {
    return String(this.reply(...args))
  }

  pass(ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.clock.advance(1)
      this.disk.completeSyncs()
    }
  }
}

let disk: MemoryDisk
let server: Server

beforeEach(() => {
  disk = new MemoryDisk()
  server = new Server(disk, new ManualClock())
})

/** Asks until the backup is ready; `meanwhile` runs before each question. */
function begin(meanwhile: () => void = () => undefined): { id: string; sizes: number[] } {
  const id = server.run('CRDT.BACKUP', 'BEGIN')
  for (let i = 0; i < 2000; i++) {
    meanwhile()
    const [, state, , , , snapshot, , position, , log] = server.reply('CRDT.BACKUP', 'STATE', id) as Reply[]
    if (String(state) === 'ready') return { id, sizes: [snapshot, position, log] as number[] }
    server.pass(1)
  }
  throw new Error('never ready')
}

/** Fetches what is ready into a file; `meanwhile` runs before each piece. */
function fetch({ id, sizes }: { id: string; sizes: number[] }, meanwhile: () => void = () => undefined): void {
  const [snapshotLength, logPosition, logLength] = sizes
  const header = { snapshotLength, logPosition, logLength, createdMs: 7, memberName: 'a' }
  disk.ensureFolder()
  const writer = new BackupWriter(disk, '/backups', BACKUP, header, () => undefined)
  while (writer.missing > 0) {
    meanwhile()
    const at = snapshotLength + logLength - writer.missing
    writer.add(server.reply('CRDT.BACKUP', 'READ', id, String(at)) as Buffer)
  }
  writer.finish((path) => {
    const file = new BackupFile(disk, path)
    file.verify(() => undefined)
    file.close()
  })
  expect(server.run('CRDT.BACKUP', 'END', id)).toBe('OK')
}

function restore(clusterId: string, id: number, folder = '/restored'): Server {
  const file = new BackupFile(disk, BACKUP)
  const identity = { clusterId, memberId: id as MemberId, memberName: 'a', createdMs: 1 }
  restoreBackup(file, folder, identity, '1.2.3', { disk, clock: server.clock, logger: QUIET }, () => undefined)
  file.close()
  const clock = new ManualClock()
  clock.now = server.clock.now
  return new Server(disk, clock, clusterId, id, folder)
}

function codeOf(action: () => void): string {
  try {
    action()
    return 'none'
  } catch (error) {
    if (!(error instanceof MeridianError)) throw error
    return error.code
  }
}

describe('a backup', () => {
  it('is the state of the moment in which it became ready, whatever is written before and after', () => {
    const digests = new Set<string>()
    const act = (...args: string[]): void => {
      server.run(...args)
      digests.add(server.run('CRDT.DIGEST'))
    }
    let n = 0
    const write = (): void => {
      n++
      act('SET', `k${n % 37}`, `value ${n}`)
      act('INCR', 'count')
      act('HINCRBY', 'hash', `f${n % 3}`, '2')
      act('RPUSH', 'list', String(n))
      act('ZADD', 'zset', String(n), `m${n % 11}`)
      act('SADD', `set${n % 4}`, String(n))
      if (n % 5 === 0) act('DEL', `k${(n * 3) % 37}`)
      if (n % 7 === 0) act('LPOP', 'list')
      if (n % 9 === 0) act('SET', 'passing', 'x', 'PX', '1000000')
    }
    for (let i = 0; i < 50; i++) write()
    const atBegin = Number(server.run('GET', 'count'))
    digests.clear()
    const ready = begin(() => {
      write()
      server.pass(1)
    })
    const atReady = Number(server.run('GET', 'count'))
    const candidates = new Set(digests)
    fetch(ready, write)
    const restored = restore('new', 4)
    expect(candidates.has(restored.run('CRDT.DIGEST'))).toBe(true)
    expect(Number(restored.run('GET', 'count'))).toBeGreaterThan(atBegin)
    expect(Number(restored.run('GET', 'count'))).toBeLessThanOrEqual(atReady)
    expect(Number(server.run('GET', 'count'))).toBeGreaterThan(atReady)
  })

  it('restores into a member that counts on, also after a restart, whether it has the id of the old one or another', () => {
    for (let i = 0; i < 20; i++) server.run('INCR', 'count')
    fetch(begin())
    for (const id of [1, 9]) {
      const first = restore('new', id, `/restored${id}`)
      for (let i = 0; i < 5; i++) first.run('INCR', 'count')
      first.run('DEL', 'absent')
      expect(first.run('GET', 'count')).toBe('25')
      const digest = first.run('CRDT.DIGEST')
      first.embedded.member.stop()
      const clock = new ManualClock()
      clock.now = server.clock.now
      const again = new Server(disk, clock, 'new', id, `/restored${id}`)
      expect(again.run('GET', 'count')).toBe('25')
      expect(again.run('CRDT.DIGEST')).toBe(digest)
    }
  })

  it('has the list of members, also where it was never changed', () => {
    disk = new MemoryDisk()
    server = new Server(disk, new ManualClock(), 'old', 1, '/data', ['a', 'b'])
    server.run('SET', 'k', 'v')
    fetch(begin())
    const file = new BackupFile(disk, BACKUP)
    const identity = { clusterId: 'new', memberId: 1 as MemberId, memberName: 'a', createdMs: 1 }
    const ports = { disk, clock: server.clock, logger: QUIET }
    expect(restoreBackup(file, '/restored', identity, '1', ports, () => undefined).members).toEqual([
      { id: 1, name: 'a', isActive: true },
      { id: 2, name: 'b', isActive: true },
    ])
    file.close()
  })

  it('gives no stamp out again, though the clock of the new machine is behind', () => {
    server.run('SET', 'k', 'old')
    const before = server.embedded.member.engine.hlc.last
    fetch(begin())
    const file = new BackupFile(disk, BACKUP)
    const identity = { clusterId: 'new', memberId: 1 as MemberId, memberName: 'a', createdMs: 1 }
    const clock = new ManualClock()
    clock.now = 1000
    restoreBackup(file, '/restored', identity, '1', { disk, clock, logger: QUIET }, () => undefined)
    const restored = new Server(disk, clock, 'new', 1, '/restored')
    expect(restored.run('SET', 'k', 'new')).toBe('OK')
    expect(restored.embedded.member.engine.hlc.last).toBeGreaterThan(before)
    expect(restored.run('GET', 'k')).toBe('new')
  })

  it('is not disturbed by snapshots and trimming while it is fetched', () => {
    for (let i = 0; i < 200; i++) server.run('SET', `k${i}`, 'x'.repeat(100))
    const ready = begin()
    const digest = server.run('CRDT.DIGEST')
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 200; i++) server.run('SET', `k${i}`, 'y'.repeat(100))
      server.run('BGSAVE')
      server.pass(1500)
    }
    expect(server.embedded.member.log.firstByte).toBeGreaterThan(ready.sizes[1])
    fetch(ready)
    expect(restore('new', 1).run('CRDT.DIGEST')).toBe(digest)
  })

  it('is made of the snapshot that is there, and the log behind it', () => {
    server.run('SET', 'a', '1')
    server.run('SAVE')
    server.run('SET', 'b', '2')
    fetch(begin())
    expect(server.embedded.member.snapshots.completed).toBe(1)
    expect(restore('new', 1).run('GET', 'b')).toBe('2')
  })

  it('of nothing restores to nothing', () => {
    fetch(begin())
    const restored = restore('new', 3)
    expect(restored.run('DBSIZE')).toBe('0')
    expect(restored.run('SET', 'k', 'v')).toBe('OK')
  })

  it('is given up when nothing is asked of it for a minute', () => {
    const { id } = begin()
    server.pass(61_000)
    expect(server.run('CRDT.BACKUP', 'READ', id, '0')).toContain('there is no such backup')
  })

  it('is one of four at most', () => {
    for (let i = 0; i < 4; i++) server.run('CRDT.BACKUP', 'BEGIN')
    expect(server.run('CRDT.BACKUP', 'BEGIN')).toContain('4 backups are being taken already')
    expect(server.run('CRDT.BACKUP', 'READ', '1', '0')).toContain('not ready')
    expect(server.run('CRDT.BACKUP', 'READ', '1', '-1')).toContain('out of range')
    expect(server.run('CRDT.BACKUP', 'END', '1')).toBe('OK')
    expect(server.run('CRDT.BACKUP', 'END', '1')).toContain('there is no such backup')
  })

  it.each(['write', 'sync', 'sync of the folder'])('is not there when a %s fails, and the next try is another file', (what) => {
    server.run('SET', 'k', 'x'.repeat(1000))
    const { id, sizes } = begin()
    const [snapshotLength, logPosition, logLength] = sizes
    const header = { snapshotLength, logPosition, logLength, createdMs: 7, memberName: 'a' }
    const attempt = (): void => {
      const writer = new BackupWriter(disk, '/backups', BACKUP, header, () => undefined)
      try {
        disk.capacity = isFailing && what === 'write' ? disk.used + 100 : Infinity
        while (writer.missing > 0) {
          const at = snapshotLength + logLength - writer.missing
          writer.add(server.reply('CRDT.BACKUP', 'READ', id, String(at)) as Buffer)
        }
        disk.failSyncs = isFailing && what === 'sync'
        writer.finish(() => (disk.failFolderSyncs = isFailing && what === 'sync of the folder'))
      } catch (error) {
        writer.abandon()
        throw error
      } finally {
        disk.failSyncs = disk.failFolderSyncs = false
        disk.capacity = Infinity
      }
    }
    let isFailing = true
    expect(codeOf(attempt)).toBe(what === 'write' ? 'MRD_DISK_FULL' : 'MRD_DISK_IO')
    expect(disk.list('/backups')).toEqual([])
    expect(server.run('SET', 'later', 'x')).toBe('OK')
    isFailing = false
    expect(codeOf(attempt)).toBe('none')
    expect(disk.list('/backups')).toEqual(['a.mbackup'])
  })

  it('fails when its snapshot does', () => {
    server.run('SET', 'a', '1')
    const id = server.run('CRDT.BACKUP', 'BEGIN')
    expect(String((server.reply('CRDT.BACKUP', 'STATE', id) as Reply[])[1])).toBe('snapshot')
    server.embedded.member.snapshots.stop()
    expect(server.run('CRDT.BACKUP', 'STATE', id)).toContain('the snapshot failed')
  })
})

describe('a backup file', () => {
  beforeEach(() => {
    for (let i = 0; i < 30; i++) server.run('SET', `k${i}`, 'v')
    server.run('SAVE')
    for (let i = 0; i < 30; i++) server.run('INCR', 'count')
    fetch(begin())
  })

  const verify = (): void => {
    const file = new BackupFile(disk, BACKUP)
    file.verify(() => undefined)
    file.close()
  }

  it('can be checked as a data folder', () => {
    const file = new BackupFile(disk, BACKUP)
    const report = checkDataFolder(file, BACKUP)
    expect(report.isDamaged).toBe(false)
    expect(report.lines[0]).toBe('member a (id 1) of cluster old')
    file.close()
  })

  it('is refused by name when any byte of it is another, or when it is cut short', () => {
    const whole = disk.readWhole(BACKUP)
    for (let at = 0; at < whole.length; at += 13) {
      const bytes = whole.slice()
      bytes[at] ^= 0x10
      disk.writeWhole(BACKUP, bytes)
      expect([at, codeOf(verify)]).toEqual([at, 'MRD_BACKUP_DAMAGED'])
    }
    for (const length of [0, 10, 60, whole.length >> 1, whole.length - 1]) {
      disk.writeWhole(BACKUP, whole.subarray(0, length))
      expect([length, codeOf(verify)]).toEqual([length, 'MRD_BACKUP_DAMAGED'])
    }
  })

  it('whose restore did not end leaves a folder that no member starts from', () => {
    const { rename } = disk
    disk.rename = (from, to) => {
      if (to.endsWith('.msnap')) throw new MeridianError('MRD_DISK_IO', `no ${to}`, 'None.')
      rename.call(disk, from, to)
    }
    expect(codeOf(() => restore('new', 1))).toBe('MRD_DISK_IO')
    disk.rename = rename
    expect(codeOf(() => new Server(disk, new ManualClock(), 'new', 1, '/restored'))).toBe('MRD_DATA_FOLDER')
  })

  it('of the cluster itself is only restored when all its regions are said to be gone', () => {
    const file = new BackupFile(disk, BACKUP)
    expect(codeOf(() => refuseSameCluster(file, 'old', false))).toBe('MRD_RESTORE')
    expect(codeOf(() => refuseSameCluster(file, 'old', true))).toBe('none')
    expect(codeOf(() => refuseSameCluster(file, 'other', false))).toBe('none')
  })
})
