import { describe, expect, it } from 'vitest'
import { AccessFrequency } from '../../src/keyspace/access-frequency.js'
import { SeededRandom } from '../simulation/random.js'

const MINUTE = 60_000

function counting(seed = 1): AccessFrequency {
  const random = new SeededRandom(seed)
  const frequency = new AccessFrequency(() => random.uint32())
  frequency.setTime(1000 * MINUTE)
  return frequency
}

function after(frequency: AccessFrequency, uses: number): number {
  let bits = frequency.fresh()
  for (let i = 0; i < uses; i++) bits = frequency.used(bits)
  return frequency.count(bits)
}

describe('how often a key is used', () => {
  it('is counted by chance, the more rarely the more it was used', () => {
    // Redis' own table for lfu-log-factor 10: 100 uses 10, 1,000 uses 18, 100,000 uses 142; 255 from a million on.
    expect(after(counting(), 0)).toBe(5)
    expect(after(counting(), 100)).toBeGreaterThan(7)
    expect(after(counting(), 100)).toBeLessThan(15)
    expect(after(counting(), 1000)).toBeGreaterThan(13)
    expect(after(counting(), 1000)).toBeLessThan(25)
    expect(after(counting(), 100_000)).toBeGreaterThan(120)
    expect(after(counting(), 100_000)).toBeLessThan(165)
  })

  it('counts every use with a factor of 0, up to 255', () => {
    const frequency = counting()
    frequency.logFactor = 0
    expect(after(frequency, 20)).toBe(25)
    expect(after(frequency, 1000)).toBe(255)
  })

  it('sinks with the minutes that pass without a use, also past the end of its 16 bits', () => {
    const frequency = counting()
    frequency.setTime(65_530 * MINUTE)
    const bits = frequency.fresh(100)
    frequency.setTime(65_540 * MINUTE)
    expect(frequency.count(bits)).toBe(90)
    frequency.decayMinutes = 5
    expect(frequency.count(bits)).toBe(98)
    frequency.decayMinutes = 0
    expect(frequency.count(bits)).toBe(100)
    frequency.decayMinutes = 1
    frequency.setTime(65_900 * MINUTE)
    expect(frequency.count(bits)).toBe(0)
  })
})
