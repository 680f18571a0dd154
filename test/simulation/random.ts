import type { Random } from '../../src/ports/random.js'

/**
 * Seeded randomness of the simulator: xoshiro128** (Blackman and Vigna), seeded through splitmix32. Every concern (workload,
 * each network direction, each disk, faults) draws from its own stream, so that leaving out a fault or a step does not change
 * what the others do: that is what makes shrinking work.
 */
export class SeededRandom implements Random {
  private a: number
  private b: number
  private c: number
  private d: number

  constructor(private readonly seed: number) {
    let state = seed >>> 0
    const splitmix = (): number => {
      state = (state + 0x9e3779b9) >>> 0
      let z = state
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      return (z ^ (z >>> 15)) >>> 0
    }
    this.a = splitmix()
    this.b = splitmix()
    this.c = splitmix()
    this.d = splitmix() | 1
  }

  /** An independent generator for one concern of the same seed. */
  stream(name: string): SeededRandom {
    let hash = 0x811c9dc5 ^ Math.imul(this.seed, 0x85ebca6b)
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return new SeededRandom((hash ^ (hash >>> 16)) >>> 0)
  }

  uint32(): number {
    const product = Math.imul(this.b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const t = this.b << 9
    this.c ^= this.a
    this.d ^= this.b
    this.b ^= this.c
    this.a ^= this.d
    this.c ^= t
    this.d = (this.d << 11) | (this.d >>> 21)
    return result
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.uint32() / 4294967296
  }

  /** Uniform integer in 0 .. count - 1. */
  below(count: number): number {
    return Math.floor(this.unit() * count)
  }

  /** Uniform integer in low .. high, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  chance(probability: number): boolean {
    return this.unit() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]
  }

  /** An index, each as likely as its weight. */
  weighted(weights: readonly number[]): number {
    let total = 0
    for (const weight of weights) total += weight
    let at = this.unit() * total
    for (let i = 0; i < weights.length; i++) {
      at -= weights[i]
      if (at < 0) return i
    }
    return weights.length - 1
  }

  /** Long-tailed, mean `mean`: how delays are distributed. */
  exponential(mean: number): number {
    return -Math.log(1 - this.unit()) * mean
  }
}
