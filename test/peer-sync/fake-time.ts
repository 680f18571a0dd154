import type { Clock, Timer } from '../../src/ports/clock.js'
import type { Random } from '../../src/ports/random.js'

interface Event {
  atMs: number
  order: number
  run: (() => void) | null
}

/** A clock that moves only when told to, and runs what is due in order. */
export class FakeClock implements Clock {
  nowMs = 0
  /** Added to the wall clock. */
  skewMs = 0
  /** Events run so far: the turns of the event loop. */
  turns = 0
  private order = 0
  private events: Event[] = []

  wallMs(): number {
    return 1_750_000_000_000 + this.nowMs + this.skewMs
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
    const event: Event = { atMs: this.nowMs + Math.max(0, delayMs), order: this.order++, run: callback }
    let low = 0
    let high = this.events.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.events[middle].atMs <= event.atMs) low = middle + 1
      else high = middle
    }
    this.events.splice(low, 0, event)
    return { cancel: () => void (event.run = null) }
  }
  defer(callback: () => void): void {
    this.setTimer(0, callback)
  }

  /** Runs everything that falls due within the next `ms`. */
  advance(ms: number): void {
    const until = this.nowMs + ms
    while (this.events.length > 0 && this.events[0].atMs <= until) {
      const event = this.events.shift() as Event
      this.nowMs = Math.max(this.nowMs, event.atMs)
      this.turns++
      event.run?.()
    }
    this.nowMs = until
  }
}

/** xorshift32. */
export class SeededRandom implements Random {
  private state: number
  constructor(seed: number) {
    this.state = (seed * 2654435761 + 1) >>> 0 || 1
  }
  uint32(): number {
    let x = this.state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.state = x >>> 0
    return this.state
  }
  below(bound: number): number {
    return this.uint32() % bound
  }
}
