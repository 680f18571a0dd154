import type { Clock } from '../ports/clock.js'

/** Work that comes again by itself, between commands, until the engine stops. */
export class Background {
  private isStopped = false

  constructor(private readonly clock: Clock) {}

  /** Does a part of the work after so many milliseconds. It says after how many more the next part follows; null: there is none. */
  repeat(delayMs: number, work: () => number | null): void {
    this.clock.setTimer(delayMs, () => {
      if (this.isStopped) return
      const next = work()
      if (next !== null) this.repeat(next, work)
    })
  }

  stop(): void {
    this.isStopped = true
  }
}
