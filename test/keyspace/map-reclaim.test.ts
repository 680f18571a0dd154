import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../support/engine-harness.js'

describe('a large hash or set that is removed', () => {
  it('goes at once, and its memory a little at a time', () => {
    const harness = new EngineHarness()
    const { arena } = harness.engine.keyspace.database(0)
    const before = arena.usedBytes
    const fields = Array.from({ length: 500 }, (_, i) => i)
    for (let n = 0; n < 20; n++) {
      harness.run('HSET', 'h', ...fields.flatMap((i) => [`field:${n * 500 + i}`, 'v']))
      harness.run('SADD', 's', ...fields.map((i) => `member:${n * 500 + i}`))
    }
    harness.run('HEXPIRE', 'h', '100', 'FIELDS', '2', 'field:1', 'field:2')
    const full = arena.usedBytes
    expect(harness.run('DEL', 'h', 's')).toBe(2)
    expect(harness.run('HLEN', 'h')).toBe(0)
    expect(harness.engine.keyspace.database(0).fieldExpiries.count).toBe(0)
    expect(arena.usedBytes).toBeGreaterThan(full / 2)
    harness.clock.advance(1000)
    expect(arena.usedBytes).toBe(before)
  })

  it('element by element gives everything back, too', () => {
    const harness = new EngineHarness()
    const { arena } = harness.engine.keyspace.database(0)
    const before = arena.usedBytes
    for (let i = 0; i < 1000; i++) {
      harness.run('HSET', 'h', `field:${i}`, 'v')
      harness.run('HEXPIRE', 'h', String(1000 - i), 'FIELDS', '1', `field:${i}`)
      harness.run('SADD', 's', `m${i}`)
    }
    for (let i = 0; i < 1000; i++) {
      harness.run(i % 3 === 0 ? 'HPERSIST' : 'HTTL', 'h', 'FIELDS', '1', `field:${i}`)
      harness.run('HDEL', 'h', `field:${i}`)
      harness.run('SREM', 's', `m${i}`)
    }
    harness.clock.advance(1000)
    expect(arena.usedBytes).toBe(before)
  })

  it('while another member writes to it keeps what the removal had not seen', () => {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new EngineHarness({ self: 2, solo: false })
    for (let i = 0; i < 700; i++) a.run('HSET', 'h', `field:${i}`, 'v')
    b.receive(a)
    a.run('DEL', 'h')
    b.run('HSET', 'h', 'field:5', 'new')
    a.receive(b)
    b.receive(a)
    for (const member of [a, b]) expect(member.run('HGETALL', 'h')).toEqual(['field:5', 'new'])
  })
})

describe('a hash of nothing but counters', () => {
  it('can be removed in a mesh: what is said of the counters takes the last of them away', () => {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new EngineHarness({ self: 2, solo: false })
    for (let i = 0; i < 40; i++) {
      a.run('HINCRBY', `h${i}`, 'n', '1')
      b.receive(a)
      expect(b.run('DEL', `h${i}`)).toBe(1)
      b.run('ZADD', `h${i}`, '1', 'm')
      a.receive(b)
      expect(a.run('ZRANGE', `h${i}`, '0', '-1')).toEqual(['m'])
    }
  })
})
