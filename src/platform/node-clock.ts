import { performance } from 'node:perf_hooks'
import { LIMITS } from '../base/limits.js'
import type { Clock, Timer } from '../ports/clock.js'

/** The longest delay that setTimeout takes; a longer one would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** The computer's own time. */
export class NodeClock implements Clock {
  /** When the first work of this turn began. A turn is what lies between two check phases: sockets are read once in it. */
  private turnStartMs = 0
  private turnIsOpen = false
  private readonly closeTurn = (): void => {
    this.turnIsOpen = false
  }

  wallMs(): number {
    return Date.now()
  }

  monotonicMs(): number {
    return performance.now()
  }

  idleMs(): number {
    return performance.eventLoopUtilization().idle
  }

  workUntil(ownMs: number): number {
    const now = this.monotonicMs()
    if (!this.turnIsOpen) {
      this.turnIsOpen = true
      this.turnStartMs = now
      setImmediate(this.closeTurn)
    }
    return Math.min(now + ownMs, Math.max(this.turnStartMs + LIMITS.turnWorkMs, now + LIMITS.turnLeastWorkMs))
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return new NodeTimer(this.monotonicMs() + delayMs, this, callback)
  }

  /** The check phase comes after all sockets that were readable in this turn of the event loop. */
  defer(callback: () => void): void {
    setImmediate(callback)
  }
}

/** A delay beyond what setTimeout takes is waited for in parts. */
class NodeTimer implements Timer {
  private handle: NodeJS.Timeout | null = null

  constructor(
    private readonly dueMs: number,
    private readonly clock: NodeClock,
    private readonly callback: () => void,
  ) {
    this.wait()
  }

  cancel(): void {
    if (this.handle) clearTimeout(this.handle)
    this.handle = null
  }

  private wait(): void {
    const remainingMs = Math.max(0, this.dueMs - this.clock.monotonicMs())
    // setTimeout drops fractions and may fire up to a millisecond early against the monotonic clock.
    this.handle = setTimeout(() => this.fire(), Math.min(Math.ceil(remainingMs), MAX_TIMEOUT_MS))
  }

  private fire(): void {
    if (this.clock.monotonicMs() < this.dueMs) this.wait()
    else {
      this.handle = null
      this.callback()
    }
  }
}
