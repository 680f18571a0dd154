import type { Clock, Timer } from '../../src/ports/clock.js'
import type { Scheduler } from './scheduler.js'

/** Unix time at which every simulation begins: 2026-01-01T00:00:00Z. */
export const SIMULATION_EPOCH_MS = 1_767_225_600_000

/** One run of a member's process. When it dies, whatever it still had scheduled never happens. */
export class Life {
  alive = true
}

/**
 * A machine's clocks; they outlive the process. The wall clock has an offset that jumps, and both clocks drift.
 */
export class MachineClock {
  private offsetMs: number
  private anchorVirtualMs = 0
  private anchorMonotonicMs = 0
  /** How fast this machine's time runs against virtual time, e.g. 1.0002. */
  private rate: number

  constructor(
    readonly scheduler: Scheduler,
    offsetMs: number,
    rate: number,
  ) {
    this.offsetMs = offsetMs
    this.rate = rate
  }

  monotonicMs(): number {
    return this.anchorMonotonicMs + (this.scheduler.now - this.anchorVirtualMs) * this.rate
  }

  wallMs(): number {
    return Math.floor(SIMULATION_EPOCH_MS + this.offsetMs + this.monotonicMs())
  }

  /** Sets the wall clock forward or back. */
  jump(byMs: number): void {
    this.offsetMs += byMs
  }

  /** Sets how far the wall clock is from an exact one that started with the simulation. */
  setSkew(ms: number): void {
    this.offsetMs = ms + this.scheduler.now - this.monotonicMs()
  }

  setRate(rate: number): void {
    this.anchorMonotonicMs = this.monotonicMs()
    this.anchorVirtualMs = this.scheduler.now
    this.rate = rate
  }

  toVirtual(delayMs: number): number {
    return delayMs / this.rate
  }
}

/** The Clock port of one process. */
export class SimClock implements Clock {
  constructor(
    private readonly machine: MachineClock,
    private readonly life: Life,
  ) {}

  wallMs(): number {
    return this.machine.wallMs()
  }

  monotonicMs(): number {
    return this.machine.monotonicMs()
  }

  /** Likewise: it passes between turns only. */
  idleMs(): number {
    return this.monotonicMs()
  }

  /** Time stands still during a turn, so all of it takes none. */
  workUntil(ownMs: number): number {
    return this.monotonicMs() + ownMs
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const { life } = this
    // Node's timers are never shorter than a millisecond; a zero-delay loop must not stop virtual time.
    return this.machine.scheduler.after(Math.max(1, this.machine.toVirtual(delayMs)), () => {
      if (life.alive) callback()
    })
  }

  defer(callback: () => void): void {
    const { life } = this
    this.machine.scheduler.after(0, () => {
      if (life.alive) callback()
    })
  }
}
