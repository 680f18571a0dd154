import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/base/limits.js'
import { KeysHarness } from './keys-harness.js'

describe('DBSIZE, FLUSHDB, FLUSHALL', () => {
  it('FLUSHDB empties the selected database, FLUSHALL every one', () => {
    const h = new KeysHarness()
    for (const db of ['0', '1', '5']) {
      h.run('SELECT', db)
      h.run('SET', 'k', db)
    }
    h.run('SELECT', '1')
    expect(h.raw(['FLUSHDB', 'async'])).toBe('+OK\r\n')
    expect(h.run('DBSIZE')).toBe(0)
    h.run('SELECT', '5')
    expect(h.run('DBSIZE')).toBe(1)
    expect(h.raw(['FLUSHALL', 'SYNC'])).toBe('+OK\r\n')
    for (const db of ['0', '1', '5']) {
      h.run('SELECT', db)
      expect(h.run('DBSIZE')).toBe(0)
    }
  })

  it('let the memory go, whatever was used last', () => {
    const h = new KeysHarness()
    for (let i = 0; i < 200; i++) h.run('HSET', 'hash', `field${i}`, 'x'.repeat(100))
    const { arena } = h.engine.keyspace.database(0)
    expect(arena.reservedBytes).toBeGreaterThan(0)
    h.run('FLUSHALL')
    expect([arena.reservedBytes, arena.u8.length]).toEqual([0, 0])
  })

  it('refuse other words', () => {
    const h = new KeysHarness()
    expect(h.raw(['FLUSHALL', 'NOW'])).toBe('-ERR syntax error\r\n')
    expect(h.raw(['FLUSHDB', 'SYNC', 'ASYNC'])).toBe('-ERR syntax error\r\n')
  })

  it('a concurrent write in another region survives', () => {
    const a = new KeysHarness({ self: 1, solo: false })
    const b = new KeysHarness({ self: 2, solo: false }, a.clock)
    a.run('SET', 'seen', '1')
    a.run('INCRBY', 'counter', '5')
    b.receive(a)
    a.run('FLUSHALL')
    b.run('SET', 'new', '2')
    b.run('INCRBY', 'counter', '3')
    a.receive(b)
    b.receive(a)
    for (const h of [a, b]) {
      expect([h.run('GET', 'seen'), h.run('GET', 'new'), h.run('GET', 'counter')]).toEqual([null, '2', '3'])
    }
  })
})

describe('SWAPDB', () => {
  it('exchanges keys, values and expiries of two databases', () => {
    const h = new KeysHarness()
    h.run('SET', 'a', 'zero', 'PX', '5000')
    h.run('SET', 'both', '0')
    h.run('SELECT', '7')
    h.run('SET', 'both', '7')
    expect(h.raw(['SWAPDB', '0', '7'])).toBe('+OK\r\n')
    expect([h.run('GET', 'a'), h.run('PTTL', 'a'), h.run('GET', 'both'), h.run('DBSIZE')]).toEqual(['zero', 5000, '0', 2])
    h.run('SELECT', '0')
    expect([h.run('GET', 'both'), h.run('DBSIZE')]).toEqual(['7', 1])
  })

  it('is one op that other regions apply, and keeps what they wrote meanwhile', () => {
    const a = new KeysHarness({ self: 1, solo: false })
    const b = new KeysHarness({ self: 2, solo: false }, a.clock)
    a.run('SET', 'k', 'v')
    a.run('INCRBY', 'n', '5')
    b.receive(a)
    const before = a.log.frames.length
    a.run('SWAPDB', '0', '1')
    expect(a.log.frames.slice(before).map((frame) => frame.opCount)).toEqual([1])
    b.run('SET', 'meanwhile', 'w')
    a.receive(b)
    b.receive(a)
    for (const h of [a, b]) {
      expect((h.run('KEYS', '*') as string[]).sort()).toEqual(['meanwhile'])
      h.run('SELECT', '1')
      expect([h.run('GET', 'k'), h.run('GET', 'n')]).toEqual(['v', '5'])
    }
  })

  it('answers OK for one database with itself, and refuses bad numbers as Redis', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v')
    const frames = h.log.frames.length
    expect(h.raw(['SWAPDB', '0', '0'])).toBe('+OK\r\n')
    expect(h.log.frames.length).toBe(frames)
    expect(h.raw(['SWAPDB', '44', '55'])).toBe('-ERR DB index is out of range\r\n')
    expect(h.raw(['SWAPDB', '44', 'a'])).toBe('-ERR invalid second DB index\r\n')
    expect(h.raw(['SWAPDB', 'a', 'b'])).toBe('-ERR invalid first DB index\r\n')
    expect(h.raw(['SWAPDB', '4294967296', '0'])).toBe('-ERR invalid first DB index\r\n')
  })

  it('refuses databases that are too large, and changes nothing', () => {
    const h = new KeysHarness()
    h.run('SET', 'big', 'x'.repeat(LIMITS.swapDatabaseBytes))
    expect(h.raw(['SWAPDB', '0', '1'])).toMatch(/^-ERR SWAPDB writes every key anew: databases 0 and 1 hold \d+ bytes, more than/)
    expect(h.run('DBSIZE')).toBe(1)
  })
})
