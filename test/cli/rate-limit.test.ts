import { expect, it } from 'vitest'
import { RateLimit } from '../../src/cli/rate-limit.js'

it('a rate is kept over many takes, whatever their size, and is not saved up in a pause', () => {
  let now = 0
  const limit = new RateLimit(1000, () => now)
  for (let n = 0; n < 10; n++) now += limit.take(300)
  expect(now).toBe(2700)
  now += 60_000
  expect(limit.take(300)).toBe(0)
  expect(limit.take(300)).toBe(300)
  expect(new RateLimit(Infinity, () => now).take(10 ** 9)).toBe(0)
})
