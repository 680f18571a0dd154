import { describe, expect, it } from 'vitest'
import { EVICTION_POLICIES } from '../../../src/base/eviction-policies.js'
import { LIMITS } from '../../../src/base/limits.js'
import type { EngineHarness } from '../../support/engine-harness.js'
import { ReceivingSession, TickingClock } from '../../support/ticking-clock.js'
import { SLICING } from '../../support/sliced-engine.js'
import { bound, boundWithRoom, seededHarness } from '../../support/memory-bound.js'

const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n"
const VALUE = 'x'.repeat(200)

function fill(h: EngineHarness, from: number, to: number, ...options: string[]): void {
  for (let i = from; i < to; i++) h.raw(['SET', `key:${i}`, VALUE, ...options])
}

function present(h: EngineHarness, from: number, to: number): number {
  let count = 0
  for (let i = from; i < to; i++) if (h.run('EXISTS', `key:${i}`) === 1) count++
  return count
}

describe('noeviction', () => {
  it('refuses commands that need memory, and lets reads and removals go on', () => {
    const h = seededHarness(1)
    fill(h, 0, 200)
    boundWithRoom(h, -1)
    expect(h.raw(['SET', 'a', 'x'])).toBe(OOM)
    expect(h.raw(['LPUSH', 'a', 'x'])).toBe(OOM)
    expect(h.raw(['GET', 'key:1'])).toContain(VALUE)
    expect(h.raw(['EXPIRE', 'key:1', '100'])).toBe(':1\r\n')
    expect(h.raw(['DEL', 'key:1', 'key:2'])).toBe(':2\r\n')
    expect(h.raw(['SET', 'a', 'x'])).toBe('+OK\r\n')
    expect(h.engine.statistics.evictedKeys).toBe(0)
  })

  it('refuses to queue anything, and then EXEC says why', () => {
    const h = seededHarness(1)
    fill(h, 0, 200)
    h.raw(['MULTI'])
    h.raw(['SET', 'a', '1'])
    boundWithRoom(h, -1)
    expect(h.raw(['GET', 'a'])).toBe(OOM)
    expect(h.raw(['EXEC'])).toMatch(/^-EXECABORT Transaction discarded because of: OOM command not allowed/)
    expect(h.raw(['EXEC'])).toBe('-ERR EXEC without MULTI\r\n')
    h.raw(['MULTI'])
    expect(h.raw(['DISCARD'])).toBe('+OK\r\n')
  })

  it('runs a queued transaction that needs no memory', () => {
    const h = seededHarness(1)
    fill(h, 0, 200)
    h.raw(['MULTI'])
    h.raw(['DEL', 'key:1'])
    h.raw(['GET', 'key:2'])
    boundWithRoom(h, -1)
    expect(h.raw(['EXEC'])).toMatch(/^\*2\r\n:1\r\n/)
  })

  it('counts what a removed collection is about to give back as free', () => {
    const h = seededHarness(1)
    const members = Array.from({ length: 20_000 }, (_, i) => `member:${i}`)
    h.raw(['SADD', 'big', ...members])
    const before = h.engine.memory.countedBytes
    bound(h, { maxmemory: before - 10_000 })
    expect(h.raw(['SET', 'a', 'x'])).toBe(OOM)
    h.raw(['DEL', 'big'])
    expect(h.engine.keyspace.reclaimer.pending).toBe(1)
    expect(h.raw(['SET', 'a', 'x'])).toBe('+OK\r\n')
    h.clock.advance(1000)
    expect(h.engine.keyspace.reclaimer.pending).toBe(0)
    expect(h.engine.keyspace.reclaimer.pendingBytes).toBe(0)
  })

  it('says once that memory is full, and again only after a while', () => {
    const h = seededHarness(1)
    const said: string[] = []
    h.engine.memory.onPressure = (message) => said.push(message)
    fill(h, 0, 100)
    boundWithRoom(h, 100)
    fill(h, 100, 200)
    h.clock.advance(1000)
    fill(h, 200, 300)
    h.clock.advance(1000)
    expect(said).toEqual(['memory is full: writes that need more are refused'])
    h.clock.advance(LIMITS.memoryWarningMs)
    fill(h, 300, 301)
    h.clock.advance(1000)
    expect(said).toHaveLength(2)
  })
})

describe('eviction', () => {
  it.each(EVICTION_POLICIES.filter((policy) => policy !== 'noeviction'))('stays within maxmemory: %s', (policy) => {
    const h = seededHarness(2)
    fill(h, 0, 200, 'EX', '1000')
    const maxBytes = boundWithRoom(h, 20_000, { evictionPolicy: policy })
    fill(h, 200, 2000, 'EX', '1000')
    // The last command may have gone beyond it, as in Redis.
    expect(h.engine.memory.countedBytes).toBeLessThan(maxBytes + 4096)
    const left = present(h, 0, 2000)
    expect(left).toBeGreaterThan(200)
    expect(h.engine.statistics.evictedKeys).toBe(2000 - left)
    expect(h.run('DBSIZE')).toBe(left)
  })

  it.each(['volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl'] as const)(
    'spares keys without an expiry, and refuses when there are no others: %s',
    (policy) => {
      const h = seededHarness(3)
      fill(h, 0, 300)
      boundWithRoom(h, 10_000, { evictionPolicy: policy })
      fill(h, 300, 600, 'EX', '1000')
      expect(present(h, 0, 300)).toBe(300)
      expect(present(h, 300, 600)).toBeGreaterThan(10)
      expect(h.engine.statistics.evictedKeys).toBeGreaterThan(100)
      let refused = 0
      for (let i = 600; i < 700; i++) if (h.raw(['SET', `key:${i}`, VALUE]) === OOM) refused++
      expect(refused).toBeGreaterThan(10)
    },
  )

  it('takes what was not used for longest', () => {
    const h = seededHarness(4)
    for (let i = 0; i < 1000; i++) {
      h.raw(['SET', `key:${i}`, VALUE])
      h.clock.advance(1000)
    }
    // The first hundred are read again, the next hundred by one who leaves no trace.
    for (let i = 0; i < 100; i++) h.raw(['GET', `key:${i}`])
    h.raw(['CLIENT', 'NO-TOUCH', 'ON'])
    for (let i = 100; i < 200; i++) h.raw(['GET', `key:${i}`])
    h.raw(['CLIENT', 'NO-TOUCH', 'OFF'])
    boundWithRoom(h, 0, { evictionPolicy: 'allkeys-lru' })
    fill(h, 1000, 1300)
    expect(h.engine.statistics.evictedKeys).toBeGreaterThan(250)
    expect(present(h, 100, 200)).toBeLessThan(40)
    expect(present(h, 0, 100)).toBeGreaterThan(95)
    expect(present(h, 700, 1000)).toBeGreaterThan(270)
  })

  it('takes what is used least', () => {
    const h = seededHarness(5)
    bound(h, { maxmemory: 1e9, evictionPolicy: 'allkeys-lfu' })
    fill(h, 0, 400)
    for (let round = 0; round < 30; round++) for (let i = 0; i < 100; i++) h.raw(['GET', `key:${i}`])
    expect(h.run('OBJECT', 'FREQ', 'key:0')).toBeGreaterThan(6)
    expect(h.run('OBJECT', 'FREQ', 'key:200')).toBe(5)
    boundWithRoom(h, 0, { evictionPolicy: 'allkeys-lfu' })
    fill(h, 400, 650)
    expect(present(h, 0, 100)).toBeGreaterThan(95)
    expect(present(h, 100, 400)).toBeLessThan(200)
  })

  it('takes what ends first', () => {
    const h = seededHarness(6)
    for (let i = 0; i < 400; i++) h.raw(['SET', `key:${i}`, VALUE, 'EX', String(1000 + i)])
    boundWithRoom(h, 0, { evictionPolicy: 'volatile-ttl' })
    fill(h, 400, 500, 'EX', '9999')
    expect(present(h, 0, 100)).toBeLessThan(40)
    expect(present(h, 250, 400)).toBe(150)
  })

  it('leaves no more of a database whose keys lie in one shard than of one where they are spread', () => {
    const h = seededHarness(7)
    for (let i = 0; i < 500; i++) h.raw(['SET', `{tag}:${i}`, VALUE])
    fill(h, 0, 500)
    boundWithRoom(h, 0, { evictionPolicy: 'allkeys-random' })
    for (let i = 0; i < 500; i++) h.raw(['SET', `{tag}:new:${i}`, VALUE])
    let left = 0
    for (let i = 0; i < 500; i++) if (h.run('EXISTS', `{tag}:${i}`) === 1) left++
    const spread = present(h, 0, 500)
    expect(Math.abs(left - spread)).toBeLessThan(80)
  })

  it('evicts from all databases', () => {
    const h = seededHarness(8)
    fill(h, 0, 300)
    h.raw(['SELECT', '5'])
    boundWithRoom(h, 20_000, { evictionPolicy: 'allkeys-lru' })
    h.clock.advance(5000)
    fill(h, 0, 300)
    expect(h.run('DBSIZE')).toBeGreaterThan(250)
    h.raw(['SELECT', '0'])
    expect(h.run('DBSIZE')).toBeLessThan(150)
  })

  it('takes as many small keys as needed when a large one has gone already', () => {
    const h = seededHarness(9)
    h.raw(['SADD', 'big', ...Array.from({ length: 20_000 }, (_, i) => `member:${i}`)])
    h.clock.advance(10_000)
    fill(h, 0, 1000)
    boundWithRoom(h, -1000, { evictionPolicy: 'allkeys-lru', evictionSamples: 64 })
    for (let i = 2000; h.run('EXISTS', 'big') === 1; i++) h.raw(['SET', `key:${i}`, VALUE])
    // The set frees a megabyte, most of it in slices that have not begun.
    const evicted = h.engine.statistics.evictedKeys
    expect(h.engine.keyspace.reclaimer.pendingBytes).toBeGreaterThan(900_000)
    fill(h, 10_000, 12_000)
    expect(h.engine.statistics.evictedKeys).toBe(evicted)
    h.clock.advance(100)
    fill(h, 12_000, 13_000)
    expect(h.engine.statistics.evictedKeys).toBe(evicted)
    expect(h.engine.memory.countedBytes).toBeLessThan(h.engine.memory.maxBytes)
  })

  it('goes on in the background when maxmemory is lowered', () => {
    const h = seededHarness(10)
    fill(h, 0, 5000)
    const { countedBytes } = h.engine.memory
    bound(h, { maxmemory: Math.floor(countedBytes / 2), evictionPolicy: 'allkeys-random', evictionTenacity: 0 })
    for (let i = 0; i < 2000; i++) h.clock.advance(1)
    expect(h.engine.memory.countedBytes).toBeLessThanOrEqual(Math.floor(countedBytes / 2))
    expect(h.engine.memory.exceededMs.current).toBe(0)
  })

  it('publishes an event for each key, counts it, and forgets the count with CONFIG RESETSTAT', () => {
    const h = seededHarness(11)
    const events: string[] = []
    h.engine.notifications.notify = (_kind, event) => void events.push(event)
    fill(h, 0, 100)
    boundWithRoom(h, 0, { evictionPolicy: 'allkeys-lru' })
    fill(h, 100, 150)
    expect(events.filter((event) => event === 'evicted')).toHaveLength(h.engine.statistics.evictedKeys)
    h.engine.resetStatistics()
    expect(h.engine.statistics.evictedKeys).toBe(0)
    expect(h.engine.memory.exceededMs.total).toBe(0)
  })

  it('removes nothing while clients are paused', () => {
    const h = seededHarness(12)
    fill(h, 0, 100)
    h.raw(['CLIENT', 'PAUSE', '100000', 'WRITE'])
    boundWithRoom(h, -5000, { evictionPolicy: 'allkeys-random' })
    h.clock.advance(1000)
    expect(h.run('DBSIZE')).toBe(100)
    h.raw(['CLIENT', 'UNPAUSE'])
    h.clock.advance(1000)
    expect(h.run('DBSIZE')).toBeLessThan(100)
  })

  it('breaks a transaction that watches a key which goes', () => {
    const h = seededHarness(13)
    fill(h, 0, 100)
    h.raw(['WATCH', ...Array.from({ length: 100 }, (_, i) => `key:${i}`)])
    boundWithRoom(h, -5000, { evictionPolicy: 'allkeys-random' })
    h.raw(['MULTI'])
    h.raw(['PING'])
    expect(h.raw(['EXEC'])).toBe('*-1\r\n')
  })
})

describe('OBJECT', () => {
  it('answers by the policy', () => {
    const h = seededHarness(20)
    h.raw(['SET', 'a', 'x'])
    h.clock.advance(7000)
    h.raw(['PING'])
    expect(h.run('OBJECT', 'IDLETIME', 'a')).toBe(7)
    expect(h.raw(['OBJECT', 'FREQ', 'a'])).toMatch(/^-ERR An LFU maxmemory policy is not selected/)
    bound(h, { evictionPolicy: 'allkeys-lfu' })
    h.raw(['HSET', 'b', 'f', 'v'])
    h.raw(['SET', 'c', 'x'])
    expect(h.run('OBJECT', 'FREQ', 'b')).toBe(5)
    expect(h.run('OBJECT', 'FREQ', 'c')).toBe(5)
    h.raw(['GET', 'c'])
    expect(h.run('OBJECT', 'FREQ', 'c')).toBe(6)
    h.clock.advance(120_000)
    h.raw(['PING'])
    expect(h.run('OBJECT', 'FREQ', 'c')).toBe(4)
    expect(h.raw(['OBJECT', 'IDLETIME', 'b'])).toMatch(/^-ERR An LFU maxmemory policy is selected, idle time not tracked/)
  })

  it('tells what RESTORE was told', () => {
    const h = seededHarness(21)
    h.raw(['SET', 'a', 'x'])
    const reply = h.raw(['DUMP', 'a'])
    const payload = Buffer.from(reply.slice(reply.indexOf('\n') + 1, -2), 'latin1')
    bound(h, { evictionPolicy: 'allkeys-lfu' })
    expect(h.run('RESTORE', 'a', '0', payload, 'REPLACE', 'FREQ', '100')).toBe('OK')
    expect(h.run('OBJECT', 'FREQ', 'a')).toBe(100)
    bound(h, { evictionPolicy: 'allkeys-lru' })
    expect(h.run('RESTORE', 'a', '0', payload, 'REPLACE', 'IDLETIME', '1000')).toBe('OK')
    expect(h.run('OBJECT', 'IDLETIME', 'a')).toBe(1000)
  })
})

describe('a long write', () => {
  it('keeps its keys from eviction until it is whole', () => {
    const clock = new TickingClock()
    const h = seededHarness(30, { slicing: SLICING }, clock)
    const client = new ReceivingSession(100)
    for (let n = 0; n < 400; n++) {
      h.run('SADD', 'a', `m${n}`)
      h.run('SADD', 'b', `n${n}`)
    }
    fill(h, 0, 50)
    expect(h.raw(['SUNIONSTORE', 'to', 'a', 'b'], client)).toBe('')
    clock.turn()
    boundWithRoom(h, -1_000_000, { evictionPolicy: 'allkeys-random' })
    while (client.blocked !== null) {
      expect(h.raw(['DEL', 'unheld'])).toBe(':0\r\n')
      clock.turn()
    }
    expect(h.engine.statistics.evictedKeys).toBeGreaterThanOrEqual(50)
    expect(client.received).toBe(':800\r\n')
  })
})
