import type { Clock, Timer } from '../../src/ports/clock.js'

/** Time that moves when a test says so. */
export class ManualClock implements Clock {
  private nowMs = 0
  private timers: { at: number; callback: () => void }[] = []
  private deferred: (() => void)[] = []

  wallMs(): number {
    return 1_800_000_000_000 + this.nowMs
  }
  monotonicMs(): number {
    return this.nowMs
  }
  idleMs(): number {
    return this.monotonicMs()
  }
  workUntil(ownMs: number): number {
    return this.monotonicMs() + ownMs
  }
  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.nowMs + delayMs, callback }
    this.timers.push(timer)
    return { cancel: () => void (this.timers = this.timers.filter((other) => other !== timer)) }
  }
  defer(callback: () => void): void {
    this.deferred.push(callback)
  }

  /** Ends the event-loop turn: what was deferred is called. */
  turn(): void {
    for (const callback of this.deferred.splice(0)) callback()
  }

  advance(ms: number): void {
    const end = this.nowMs + ms
    for (;;) {
      this.timers.sort((a, b) => a.at - b.at)
      const next = this.timers[0]
      if (next === undefined || next.at > end) break
      this.timers.shift()
      this.nowMs = next.at
      next.callback()
      this.turn()
    }
    this.nowMs = end
  }

  /** Time goes by in which the process does not run: what was due is called when it runs again. */
  stop(ms: number): void {
    this.nowMs += ms
    for (const timer of this.timers) timer.at = Math.max(timer.at, this.nowMs)
  }

  get timerCount(): number {
    return this.timers.length
  }
}
