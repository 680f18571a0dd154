import { beforeEach, describe, expect, it } from 'vitest'
import type { MemberId } from '../../src/base/ids.js'
import type { Member } from '../../src/node/member.js'
import type { Logger } from '../../src/ports/logger.js'
import { MemoryDisk } from '../oplog/memory-disk.js'
import { EmbeddedMember } from '../support/embedded-member.js'
import { SLICING } from '../support/sliced-engine.js'
import { ReceivingSession, TickingClock } from '../support/ticking-clock.js'

/** Keys that a transaction writes, some commands a turn. */
const KEYS = 60

let disk: MemoryDisk
let clock: TickingClock
let embedded: EmbeddedMember
let client: ReceivingSession

const logger = (): Logger => {
  const ignore = (): void => undefined
  return { debug: ignore, info: ignore, warn: ignore, error: ignore, child: logger }
}

/** Starts a process; what was one before hears of time no more. */
function open(): Member {
  const now = clock?.now ?? 0
  clock = new TickingClock()
  if (now > 0) clock.now = now
  const self = { id: 1 as MemberId, name: 'a', region: 'a', zone: 'a', address: { host: '', port: 0, name: '' } }
  embedded = new EmbeddedMember(
    {
      topology: { clusterId: 'c', version: 1, self: self.id, members: [self] },
      dataFolder: '/data',
      databases: 16,
      appendfsync: 'no',
      segmentBytes: 4096,
      snapshotPace: { stepBytes: 1, turnMs: 0, turnBytes: Infinity, sectionBytes: 100, pauseMs: 1 },
      slicing: { ...SLICING, transactionCommands: 4 },
    },
    { clock, random: { uint32: () => 5 }, disk, network: null, logger: logger() },
  )
  client = new ReceivingSession(100)
  return embedded.member
}

const run = (...args: string[]): string => {
  const reply = String(embedded.call(embedded.newSession(), args))
  embedded.member.engine.endTurn()
  return reply
}
const pass = (ms: number): void => {
  for (let i = 0; i < ms; i++) {
    clock.advance(1)
    disk.completeSyncs()
  }
}
const turns = (count: number): void => {
  for (let i = 0; i < count; i++) clock.turn()
}
const snapshots = (): string[] => disk.list('/data/snapshot').filter((name) => name.endsWith('.msnap'))

/** Fills the keys, has a snapshot begun, and a transaction that writes all of them anew. */
function beginBoth(commands = KEYS): string {
  for (let i = 0; i < KEYS; i++) run('SET', `k${i}`, 'before')
  turns(5)
  const before = run('CRDT.DIGEST')
  run('BGSAVE')
  for (let i = 0; i < 3000 && !(embedded.member.snapshots.percent > 0); i++) {
    pass(1)
    turns(1)
  }
  expect(embedded.member.snapshots.percent).toBeGreaterThan(0)
  for (const args of [['MULTI'], ...Array.from({ length: commands }, (_, i) => ['SET', `k${i % KEYS}`, 'after']), ['EXEC']]) {
    embedded.call(client, args)
  }
  turns(4)
  expect(embedded.member.engine.isInTransaction).toBe(true)
  return before
}

beforeEach(() => {
  disk = new MemoryDisk()
  open()
})

describe('a transaction in slices', () => {
  it('stops a snapshot that is being written until it is over, so that a process that dies in its middle has done none of it', () => {
    const before = beginBoth(100 * KEYS)
    for (let i = 0; i < 10 * KEYS; i++) {
      pass(1)
      turns(1)
    }
    expect(embedded.member.engine.isInTransaction).toBe(true)
    expect(snapshots()).toEqual([])
    open()
    turns(5)
    expect(run('CRDT.DIGEST')).toBe(before)
    expect(run('GET', 'k0')).toBe('before')
  })

  it('is in the snapshot, or behind it, when it is over', () => {
    beginBoth()
    turns(KEYS)
    expect(client.received).toContain('+OK')
    expect(run('GET', `k${KEYS - 1}`)).toBe('after')
    for (let i = 0; i < 3000 && snapshots().length === 0; i++) {
      pass(1)
      turns(1)
    }
    expect(snapshots().length).toBe(1)
    const after = run('CRDT.DIGEST')
    open()
    turns(5)
    expect(run('CRDT.DIGEST')).toBe(after)
    expect(run('GET', 'k0')).toBe('after')
  })

  it('comes to its end when the member stops', () => {
    beginBoth()
    embedded.member.stop()
    open()
    turns(5)
    for (let i = 0; i < KEYS; i++) expect(run('GET', `k${i}`)).toBe('after')
  })

  it('keeps SAVE and notes of what is stable waiting', () => {
    beginBoth()
    const { endByte } = embedded.member.log
    expect(run('SAVE')).toBe('undefined')
    pass(3000)
    expect(embedded.member.log.endByte).toBe(endByte)
    turns(KEYS)
    expect(embedded.member.log.endByte).toBeGreaterThan(endByte)
  })
})
