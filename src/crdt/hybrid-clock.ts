import { stampAt, type Stamp } from '../base/ids.js'

/**
 * Hybrid logical clock (Kulkarni et al., 2014) packed into one safe integer; see base/ids. Strictly increasing, never below anything
 * seen, and as near to wall time as that allows.
 */
export class HybridClock {
  /** Highest stamp given out or seen. */
  last = 0 as Stamp
  /** An op is open over this turn. Its stamps follow one another, whatever is given out or seen meanwhile. */
  private isHeld = false
  /** Highest stamp given out or seen in such turns. */
  private heard = 0

  /** The next stamp at a wall time, in Unix ms. */
  next(wallMs: number): Stamp {
    const physical = stampAt(wallMs)
    if (this.isHeld) {
      this.heard = Math.max(physical, this.heard + 1, this.last + 1)
      return this.heard as Stamp
    }
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
    if (this.isHeld) {
      this.heard = Math.max(this.heard, stamp)
      return
    }
    if (stamp > this.last) this.last = stamp as Stamp
  }

  /** An op stays open over a turn: what is given out or seen now does not count before release. */
  hold(): void {
    this.isHeld = true
  }

  /** The op goes on. */
  resume(): void {
    this.isHeld = false
  }

  /** The op is over. */
  release(): void {
    this.isHeld = false
    this.observe(this.heard)
    this.heard = 0
  }
}
