import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import { KeysHarness } from '../commands/generic/keys-harness.js'

/** Two members with one clock; a has written the keys and b has received them. */
function pair(keys: readonly string[], ms: number) {
  const a = new KeysHarness({ self: 1, solo: false })
  const b = new KeysHarness({ self: 2, solo: false }, a.clock)
  for (const key of keys) a.run('SET', key, 'v', 'PX', String(ms))
  b.receive(a)
  return { a, b }
}

describe('the expiry cycle', () => {
  it('removes keys that nobody asks for', () => {
    const h = new KeysHarness()
    h.run('SET', 'a', 'v', 'PX', '500')
    h.run('SELECT', '9')
    h.run('SET', 'b', 'v', 'PX', '500')
    h.run('SET', 'later', 'v', 'PX', '5000')
    h.clock.advance(700)
    expect(h.engine.keyspace.peek(0)?.keyCount).toBe(0)
    expect(h.run('KEYS', '*')).toEqual(['later'])
    expect(h.run('DBSIZE')).toBe(1)
    expect(h.engine.statistics.expiredKeys).toBe(2)
  })

  it('removes a bounded number of keys at a time and goes on soon', () => {
    const h = new KeysHarness()
    const count = LIMITS.expiryCycleRemovals * 20
    h.fill(count, (i) => ['SET', `key:${i}`, 'v', 'PX', '100'])
    h.clock.now += 200
    h.engine.keyspace.setTime(h.clock.now)
    expect(h.engine.expiry.run()).toBe(true)
    expect(h.run('DBSIZE')).toBe(count - LIMITS.expiryCycleRemovals)
    // A timer of 1 ms a cycle, 19 more of them, and the 100 ms of the first.
    h.clock.advance(130)
    expect(h.run('DBSIZE')).toBe(0)
    expect(h.engine.statistics.expiredKeys).toBe(count)
  })

  it('ends early when its time is over, and goes on where it was', () => {
    const h = new KeysHarness()
    h.fill(500, (i) => ['SET', `key:${i}`, 'v', 'PX', '100'])
    h.clock.now += 200
    h.engine.keyspace.setTime(h.clock.now)
    let cycles = 0
    while (h.engine.expiry.run(() => true)) cycles++
    expect(cycles).toBeGreaterThan(5)
    expect(h.run('DBSIZE')).toBe(0)
  })

  it('looks at a bounded number of keys and comes to every one within bounded cycles, however few are due', () => {
    const h = new KeysHarness()
    const count = LIMITS.expiryCycleLooks * 3
    h.fill(count, (i) => ['SET', `key:${i}`, 'v', 'PX', i % 100 === 0 ? '100' : '1000000'])
    h.clock.now += 200
    h.engine.keyspace.setTime(h.clock.now)
    for (let cycle = 0; cycle < 4; cycle++) expect(h.engine.expiry.run()).toBe(false)
    expect(h.run('DBSIZE')).toBe(count - Math.ceil(count / 100))
  })

  it('does not let one busy database starve the others', () => {
    const h = new KeysHarness()
    h.fill(LIMITS.expiryCycleRemovals * 3, (i) => ['SET', `key:${i}`, 'v', 'PX', '100'])
    h.run('SELECT', '1')
    h.run('SET', 'other', 'v', 'PX', '100')
    h.clock.now += 200
    h.engine.keyspace.setTime(h.clock.now)
    for (let cycle = 0; cycle < 4; cycle++) {
      h.engine.expiry.run()
      h.run('SELECT', '0')
      // As many come as go.
      h.fill(LIMITS.expiryCycleRemovals, (i) => ['SET', `new:${cycle}:${i}`, 'v', 'PXAT', String(h.clock.now)])
      h.run('SELECT', '1')
    }
    expect(h.run('DBSIZE')).toBe(0)
  })

  it('leaves a key to the member that set its expiry', () => {
    const { a, b } = pair(['k'], 500)
    b.clock.now += 600
    b.engine.keyspace.setTime(b.clock.now)
    expect(b.run('GET', 'k')).toBe(null)
    expect(b.engine.expiry.run()).toBe(false)
    expect(b.log.frames.some((frame) => frame.origin === 2)).toBe(false)
    expect(b.run('DBSIZE')).toBe(1)
    a.clock.advance(200)
    b.receive(a)
    expect(b.run('DBSIZE')).toBe(0)
    expect([a.engine.statistics.expiredKeys, b.engine.statistics.expiredKeys]).toEqual([1, 0])
  })

  it('takes over what its owner has not removed for long', () => {
    const { b } = pair(['k'], 500)
    b.clock.now += 9000
    b.engine.keyspace.setTime(b.clock.now)
    b.engine.expiry.run()
    expect(b.run('DBSIZE')).toBe(1)
    b.clock.now += 2000
    b.engine.keyspace.setTime(b.clock.now)
    b.engine.expiry.run()
    expect(b.run('DBSIZE')).toBe(0)
  })

  it('keeps a value that was written meanwhile elsewhere', () => {
    const { a, b } = pair(['k'], 500)
    b.run('SET', 'k', 'new')
    a.clock.advance(700)
    a.receive(b)
    b.receive(a)
    expect([a.run('GET', 'k'), b.run('GET', 'k')]).toEqual(['new', 'new'])
    expect([a.run('TTL', 'k'), b.run('TTL', 'k')]).toEqual([-1, -1])
  })

  it('does not remove while writes are refused', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v', 'PX', '50')
    Object.assign(h.services.server, { writeRefusal: 'MISCONF disk full' })
    h.clock.advance(500)
    expect(h.run('GET', 'k')).toBe(null)
    expect(h.run('DBSIZE')).toBe(1)
    Object.assign(h.services.server, { writeRefusal: null })
    h.clock.advance(200)
    expect(h.run('DBSIZE')).toBe(0)
  })
})

describe('a key that a command finds due', () => {
  it('is removed and counted right behind that command', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v', 'PX', '50')
    h.clock.now += 51
    expect(h.run('DBSIZE')).toBe(1)
    expect(h.run('GET', 'k')).toBe(null)
    expect(h.run('DBSIZE')).toBe(0)
    expect(h.engine.statistics.expiredKeys).toBe(1)
  })

  it('is removed behind a transaction, unless that has written it', () => {
    const h = new KeysHarness()
    h.run('SET', 'a', 'v', 'PX', '50')
    h.run('SET', 'b', 'v', 'PX', '50')
    h.clock.now += 51
    h.run('MULTI')
    h.run('GET', 'a')
    h.run('GET', 'b')
    h.run('SET', 'b', 'new')
    expect(h.run('EXEC')).toEqual([null, null, 'OK'])
    expect(h.run('KEYS', '*')).toEqual(['b'])
    expect(h.run('DBSIZE')).toBe(1)
    expect(h.engine.statistics.expiredKeys).toBe(2)
  })

  it('counts as expired when a write overwrites it', () => {
    const h = new KeysHarness()
    h.run('SET', 'k', 'v', 'PX', '50')
    h.run('SET', 'n', '5', 'PX', '50')
    h.clock.now += 51
    h.run('SET', 'k', 'new')
    expect(h.run('INCRBY', 'n', '2')).toBe(2)
    expect(h.engine.statistics.expiredKeys).toBe(2)
    expect([h.run('TTL', 'k'), h.run('TTL', 'n')]).toEqual([-1, -1])
  })

  it('breaks no transaction that watches it twice, and frees a bounded number a command', () => {
    const h = new KeysHarness()
    for (let i = 0; i < 100; i++) h.run('SET', `key:${i}`, 'v', 'PX', '50')
    h.clock.now += 51
    h.run('SCAN', '0', 'COUNT', '1000')
    expect(h.run('DBSIZE')).toBe(100 - LIMITS.expirySeenKeys)
  })
})
