import { describe, expect, it } from 'vitest'
import type { MemberId } from '../../../src/base/ids.js'
import { LIMITS } from '../../../src/base/limits.js'
import { digestOf } from '../../../src/keyspace/digest.js'
import type { EngineHarness } from '../../support/engine-harness.js'
import { bound, boundWithRoom, seededHarness } from '../../support/memory-bound.js'
import { TestPeers } from '../../support/test-peers.js'

const VALUE = 'x'.repeat(200)

function members(count: number): EngineHarness[] {
  const ids = Array.from({ length: count }, (_, i) => i + 1)
  return ids.map((self) => {
    const others = ids.filter((id) => id !== self)
    return seededHarness(self, { self, solo: false, services: { replication: new TestPeers(self as MemberId, others) } })
  })
}

/** Everybody hears of everything. Each log is in causal order, so one round is enough. */
function exchange(all: readonly EngineHarness[]): void {
  for (const to of all) for (const from of all) if (from !== to) to.receive(from)
}

function digest({ engine }: EngineHarness): string {
  return digestOf(engine.keyspace, engine)
}

function fill(h: EngineHarness, from: number, to: number): void {
  for (let i = from; i < to; i++) h.raw(['SET', `key:${i}`, VALUE])
}

function evicted(all: readonly EngineHarness[]): number {
  return all.reduce((sum, { engine }) => sum + engine.statistics.evictedKeys, 0)
}

function pass(h: EngineHarness, ms: number): void {
  h.clock.advance(ms)
  h.engine.endTurn()
}

describe('members that evict', () => {
  it('end equal when they evict at the same time', () => {
    const [a, b] = members(2)
    fill(a, 0, 1000)
    exchange([a, b])
    boundWithRoom(a, -20_000, { evictionPolicy: 'allkeys-lru' })
    boundWithRoom(b, -20_000, { evictionPolicy: 'allkeys-lru' })
    for (let i = 0; i < 200; i++) {
      a.raw(['SET', `a:${i}`, VALUE])
      b.raw(['SET', `b:${i}`, VALUE])
    }
    expect(a.engine.statistics.evictedKeys).toBeGreaterThan(100)
    expect(b.engine.statistics.evictedKeys).toBeGreaterThan(100)
    expect(digest(a)).not.toBe(digest(b))
    exchange([a, b])
    expect(digest(a)).toBe(digest(b))
    expect(a.run('DBSIZE')).toBe(b.run('DBSIZE'))
  })

  it('spare what they have not seen', () => {
    const [a, b] = members(2)
    a.raw(['SET', 'key', 'old'])
    a.raw(['SADD', 'set', 'seen'])
    exchange([a, b])
    b.raw(['SET', 'key', 'new'])
    b.raw(['SADD', 'set', 'unseen'])
    boundWithRoom(a, -1_000_000, { evictionPolicy: 'allkeys-random' })
    pass(a, 1)
    expect(a.run('DBSIZE')).toBe(0)
    bound(a, {})
    exchange([a, b])
    for (const h of [a, b]) {
      expect(h.run('GET', 'key')).toBe('new')
      expect(h.run('SMEMBERS', 'set')).toEqual(['unseen'])
    }
    expect(digest(a)).toBe(digest(b))
  })

  it('name the event by what it is elsewhere: a removal', () => {
    const [a, b] = members(2)
    fill(a, 0, 10)
    exchange([a, b])
    boundWithRoom(a, -1_000_000, { evictionPolicy: 'allkeys-random' })
    pass(a, 1)
    exchange([a, b])
    expect(b.run('DBSIZE')).toBe(0)
    expect(b.engine.statistics.evictedKeys).toBe(0)
  })

  it('apply what others write, whatever their own clients may not', () => {
    const [a, b] = members(2)
    fill(a, 0, 100)
    exchange([a, b])
    const maxBytes = boundWithRoom(b, 1000)
    const said: string[] = []
    b.engine.memory.onPressure = (message) => said.push(message)
    fill(a, 100, 1000)
    exchange([a, b])
    expect(b.run('DBSIZE')).toBe(1000)
    expect(b.raw(['SET', 'mine', 'x'])).toMatch(/^-OOM/)
    pass(b, 1000)
    expect(b.engine.memory.countedBytes).toBeGreaterThan(maxBytes + b.engine.memory.reserveBytes)
    const full = 'memory is full: writes that need more are refused'
    const beyond = 'writes of other members have gone beyond maxmemory and its reserve'
    expect(said).toEqual([full, beyond])
    // Nobody writes here any more, and it is said again only after a while.
    pass(b, LIMITS.memoryWarningMs)
    expect(said).toEqual([full, beyond, beyond])
    expect(digest(a)).toBe(digest(b))
  })

  it('let writes of others stand in the reserve at first, and come down to maxmemory together without evicting too much', () => {
    const all = members(4)
    const [writer, ...bounded] = all
    fill(writer, 0, 4000)
    exchange(all)
    for (const h of bounded) boundWithRoom(h, 1000, { evictionPolicy: 'allkeys-random' })
    const excess = 400
    fill(writer, 4000, 4000 + excess)
    exchange(all)
    expect(evicted(all)).toBe(0)
    for (let tick = 0; tick < 100; tick++) {
      for (const h of bounded) pass(h, 100)
      exchange(all)
    }
    for (const { engine } of bounded) expect(engine.memory.isOver).toBe(false)
    for (const { engine } of bounded) expect(engine.memory.countedBytes).toBeLessThanOrEqual(engine.memory.maxBytes)
    const gone = 4000 + excess - Number(writer.run('DBSIZE'))
    expect(gone).toBeGreaterThan(excess * 0.8)
    // Three that each took all of it would have taken three times as much.
    expect(gone).toBeLessThan(excess * 1.6)
    for (const h of bounded) expect(digest(h)).toBe(digest(writer))
  })

  it('evict at once what goes beyond the reserve', () => {
    const [a, b] = members(2)
    fill(a, 0, 2000)
    exchange([a, b])
    const maxBytes = boundWithRoom(b, 1000, { evictionPolicy: 'allkeys-random' })
    fill(a, 2000, 6000)
    exchange([a, b])
    for (let i = 0; i < 20; i++) pass(b, 1)
    expect(b.engine.memory.countedBytes).toBeLessThanOrEqual(maxBytes + b.engine.memory.reserveBytes)
    expect(b.engine.memory.countedBytes).toBeGreaterThan(maxBytes)
  })

  it('do not make each other evict when both write at their bounds', () => {
    const all = members(2)
    const [a, b] = all
    fill(a, 0, 2000)
    exchange(all)
    for (const h of all) boundWithRoom(h, 0, { evictionPolicy: 'allkeys-random' })
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 20; i++) {
        a.raw(['SET', `a:${round * 20 + i}`, VALUE])
        b.raw(['SET', `b:${round * 20 + i}`, VALUE])
      }
      exchange(all)
      for (const h of all) pass(h, 100)
    }
    exchange(all)
    expect(digest(a)).toBe(digest(b))
    // 2,000 keys were written, about as many have gone.
    expect(Number(a.run('DBSIZE'))).toBeGreaterThan(1700)
    expect(Number(a.run('DBSIZE'))).toBeLessThan(2200)
  })
})
