/**
 * What the origin of the effect that is being applied had observed. A local effect observes everything that is here.
 */
export class ApplyContext {
  /** Member that made the effect. */
  origin = 0
  /** Stamp of the effect. */
  stamp = 0
  /** Highest stamp seen here, this effect's included: everything applied so far has a stamp up to it. */
  now = 0
  /** The effect was made here, just now: it has observed all that is here. */
  local = true
  /** For remote effects, and for own ones read back from the log: the origin's vector. */
  vector: Float64Array = new Float64Array(256)

  /** True when the origin had applied this dot. Its own earlier dots it always had; not its later ones (replay over newer state). */
  covers(member: number, stamp: number): boolean {
    if (this.local) return true
    return member === this.origin ? stamp < this.stamp : this.vector[member] >= stamp
  }
}

/** Says which dots are causally stable: every member has applied them, and every op concurrent with them has arrived here. */
export interface Stability {
  covers(member: number, stamp: number): boolean
  /** True when every dot up to a stamp that has been applied here is stable. */
  coversAllUpTo(stamp: number): boolean
}

export const EVERYTHING_STABLE: Stability = { covers: () => true, coversAllUpTo: () => true }
