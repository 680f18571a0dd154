import type { Effect } from './effects.js'

const MEMBERS = 256

/**
 * What a set of removals and writes has removed: an effect that removes takes every entry that its origin had observed. So an entry has been
 * removed by *some* of them exactly when the pointwise maximum of their contexts covers its dot, which keeps the oracle linear.
 */
export class Cleared {
  private readonly stamps: Float64Array

  /** Of everything that `other` has removed, and more. */
  constructor(other?: Cleared) {
    this.stamps = other === undefined ? new Float64Array(MEMBERS) : other.stamps.slice()
  }

  /** The effect removes what its origin had observed, of its own: what came before it. */
  by(effect: Effect): void {
    for (let member = 1; member < MEMBERS; member++) {
      const stamp = member === effect.origin ? effect.stamp - 1 : effect.context[member]
      if (stamp > this.stamps[member]) this.stamps[member] = stamp
    }
  }

  has(effect: Effect): boolean {
    return effect.stamp <= this.stamps[effect.origin]
  }
}

export function observes(later: Effect, earlier: Effect): boolean {
  if (later.origin === earlier.origin) return earlier.stamp < later.stamp
  return later.context[earlier.origin] >= earlier.stamp
}

export const byDot = (a: Effect, b: Effect): number => a.stamp - b.stamp || a.origin - b.origin
