import { expect, it } from 'vitest'
import { EVERYTHING_STABLE } from '../../src/crdt/apply-context.js'
import { EngineHarness } from '../support/engine-harness.js'
import { TickingClock } from '../support/ticking-clock.js'

it('what has become stable is settled some milliseconds at a time', () => {
  const clock = new TickingClock()
  const h = new EngineHarness({ solo: false }, clock)
  const { keyspace } = h.engine
  for (let n = 0; n < 300; n++) {
    h.run('SET', `key:${n}`, 'text')
    h.run('APPEND', `key:${n}`, ' and more')
  }
  keyspace.stability = EVERYTHING_STABLE
  const before = keyspace.settlings
  const unsettled = keyspace.peek(0)?.unsettled.reduce((sum, each) => sum + each, 0) ?? 0
  expect(unsettled).toBeGreaterThan(100)
  let most = 0
  for (let ms = 0; ms < 3000; ms++) {
    const settled = keyspace.settlings
    clock.advance(1)
    most = Math.max(most, keyspace.settlings - settled)
  }
  expect(most).toBeGreaterThan(0)
  // A look at the time takes a quarter of a millisecond.
  expect(most).toBeLessThanOrEqual(8)
  expect(keyspace.settlings - before).toBe(unsettled)
  expect(h.run('GET', 'key:7')).toBe('text and more')
})
