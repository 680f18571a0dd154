import { stampAt, type Stamp } from '../base/ids.js'

/**
 * Hybrid logical clock (Kulkarni et al., 2014) packed into one safe integer; see base/ids. Strictly increasing, never below anything
 * seen, and as near to wall time as that allows.
 */
export class HybridClock {
  /** Highest stamp given out or seen. */
  last = 0 as Stamp

  /** The next stamp at a wall time, in Unix ms. */
  next(wallMs: number): Stamp {
    const physical = stampAt(wallMs)
    const stamp = physical > this.last ? physical : this.last + 1
    this.last = stamp as Stamp
    return stamp as Stamp
  }

  /** The stamp right behind the last one: later effects of one op. */
  following(): Stamp {
    this.last = (this.last + 1) as Stamp
    return this.last
  }

  /** A stamp of another member, or of this one's past. */
  observe(stamp: number): void {
    if (stamp > this.last) this.last = stamp as Stamp
  }
}
