import { describe, expect, it } from 'vitest'
import { EVERYTHING_STABLE } from '../../src/crdt/apply-context.js'
import { EngineHarness, ManualClock } from '../support/engine-harness.js'

/** Two members; the first has expired k and already forgotten its expiry, the second still has it waiting. */
function oneHasForgotten(): { a: EngineHarness; b: EngineHarness } {
  const clock = new ManualClock()
  const a = new EngineHarness({ self: 1, solo: false }, clock)
  const b = new EngineHarness({ self: 2, solo: false }, clock)
  a.run('SET', 'k', 'v', 'PX', '50')
  b.receive(a)
  clock.advance(500)
  b.receive(a)
  a.engine.keyspace.stability = EVERYTHING_STABLE
  const db = a.engine.keyspace.database(0)
  for (let shard = 0; shard < 1024; shard++) a.engine.keys.settleTable(db, shard)
  expect(db.expiringCount).toBe(0)
  expect(b.engine.keyspace.database(0).expiringCount).toBe(1)
  return { a, b }
}

describe('an expiry that one member has forgotten and another still has', () => {
  for (const [name, args] of [
    ['APPEND', ['APPEND', 'k', '1']],
    ['INCR', ['INCR', 'k']],
    ['SETBIT', ['SETBIT', 'k', '7', '1']],
    ['SET KEEPTTL', ['SET', 'k', '1', 'KEEPTTL']],
  ] as const) {
    it(`is not given to a key that ${name} makes anew`, () => {
      const { a, b } = oneHasForgotten()
      a.run(...args)
      b.receive(a)
      expect(b.run('GET', 'k')).toBe(a.run('GET', 'k'))
      expect([a.run('TTL', 'k'), b.run('TTL', 'k')]).toEqual([-1, -1])
    })
  }
})
