import { expect, it } from 'vitest'
import type { MemberId } from '../../src/base/ids.js'
import type { Logger } from '../../src/ports/logger.js'
import { MemoryDisk } from '../oplog/memory-disk.js'
import { EmbeddedMember } from '../support/embedded-member.js'
import { ManualClock } from '../support/engine-harness.js'

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
} as unknown as Logger

it('DEBUG RELOAD brings back from the log what was there, and writing goes on', () => {
  const clock = new ManualClock()
  const self = { id: 1 as MemberId, name: 'a', region: 'a', zone: 'a', address: { host: '', port: 0, name: '' } }
  const member = new EmbeddedMember(
    {
      topology: { clusterId: 'c', version: 1, self: self.id, members: [self] },
      dataFolder: '/data',
      databases: 16,
      appendfsync: 'everysec',
    },
    { clock, random: { uint32: () => 5 }, disk: new MemoryDisk(), network: null, logger: silent },
  )
  const session = member.newSession()
  const run = (...args: string[]): string => String(member.call(session, args))
  run('SET', 'k', '10')
  run('INCRBY', 'k', '5')
  run('APPEND', 'k', 'x')
  run('SET', 'gone', '1')
  run('DEL', 'gone')
  run('SET', 'due', 'v', 'PX', '500')
  run('SELECT', '3')
  run('SET', 'other', 'v', 'EX', '100')
  run('SELECT', '0')
  clock.advance(600)
  const before = run('CRDT.DIGEST')
  const { member: whole } = member
  const position = whole.applied.clone()
  expect(whole.reload(false)).toBe(null)
  expect(whole.applied.equals(position)).toBe(true)
  expect([run('GET', 'k'), run('EXISTS', 'gone', 'due'), run('DBSIZE')]).toEqual(['15x', '0', '1'])
  expect(run('CRDT.DIGEST')).toBe(before)
  run('SET', 'k', 'later')
  expect(whole.reload(false)).toBe(null)
  expect(run('GET', 'k')).toBe('later')
})
