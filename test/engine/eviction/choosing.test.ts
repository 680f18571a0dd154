import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/base/limits.js'
import { EvictionPool } from '../../../src/engine/eviction/eviction-pool.js'
import { KeySampler } from '../../../src/engine/eviction/key-sampler.js'
import { SeededRandom } from '../../simulation/random.js'
import { bound, boundWithRoom, seededHarness } from '../../support/memory-bound.js'

function candidate(score: number): { score: number; database: number; key: Uint8Array } {
  return { score, database: 0, key: Buffer.from(String(score)) }
}

describe('the pool of candidates', () => {
  it('keeps the best that it was shown, and gives them the best first', () => {
    const pool = new EvictionPool()
    const random = new SeededRandom(1)
    const scores = Array.from({ length: 200 }, () => random.between(0, 1_000_000))
    for (const score of scores) if (pool.wants(score)) pool.add(candidate(score))
    const taken: number[] = []
    for (let best = pool.take(); best !== undefined; best = pool.take()) taken.push(best.score)
    expect(taken).toEqual(scores.sort((a, b) => b - a).slice(0, LIMITS.evictionPoolKeys))
  })
})

describe('the sampler', () => {
  it('draws every key about as often as any other, wherever it lies, also after the database has changed', () => {
    const h = seededHarness(2)
    for (let i = 0; i < 50; i++) h.raw(['SET', `{one}${i}`, 'x'])
    for (let i = 0; i < 50; i++) h.raw(['SET', `gone:${i}`, 'x'])
    const db = h.engine.keyspace.database(0)
    const random = new SeededRandom(3)
    const sampler = new KeySampler(db, () => random.uint32())
    for (let i = 0; i < 1000; i++) expect(sampler.any()).not.toBe(0)
    for (let i = 0; i < 50; i++) h.raw(['DEL', `gone:${i}`])
    for (let i = 0; i < 50; i++) h.raw(['SET', `key:${i}`, 'x'])
    const counts = new Map<string, number>()
    const draws = 20_000
    for (let i = 0; i < draws; i++) {
      const key = Buffer.from(db.key(sampler.any())).toString()
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    expect(counts.size).toBe(100)
    for (const count of counts.values()) expect(Math.abs(count - draws / 100)).toBeLessThan(100)
  })

  it('finds nothing in an empty database', () => {
    const h = seededHarness(4)
    const sampler = new KeySampler(h.engine.keyspace.database(0), () => 7)
    expect(sampler.any()).toBe(0)
    expect(sampler.expiring()).toBe(0)
  })
})

describe('a candidate', () => {
  it('that was used or written anew since it was drawn is spared', () => {
    const h = seededHarness(8)
    for (let i = 0; i < 30; i++) h.raw(['SET', `key:${i}`, 'x'.repeat(200)])
    h.clock.advance(100_000)
    boundWithRoom(h, -200, { evictionPolicy: 'allkeys-lru', evictionSamples: 64 })
    h.raw(['SET', 'new', 'x'])
    expect(h.engine.statistics.evictedKeys).toBeGreaterThan(0)
    // By now every key was drawn, and the pool is full of old ones. All of them are used again; one that comes then is the oldest but one second.
    const left: string[] = []
    for (let i = 0; i < 30; i++) if (h.run('GET', `key:${i}`) !== null) left.push(`key:${i}`)
    bound(h, {})
    h.raw(['SET', 'victim', 'x'.repeat(400)])
    h.clock.advance(50_000)
    for (const key of left) h.raw(['GET', key])
    h.raw(['GET', 'new'])
    boundWithRoom(h, -100, { evictionPolicy: 'allkeys-lru', evictionSamples: 64 })
    h.raw(['SET', 'new', 'y'])
    expect(h.run('EXISTS', 'victim')).toBe(0)
    for (const key of left) expect(h.run('EXISTS', key)).toBe(1)
  })
})
