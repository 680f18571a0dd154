import { performance } from 'node:perf_hooks'
import type { Clock, Timer } from '../ports/clock.js'

/** The longest delay that setTimeout takes; a longer one would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** The computer's own time. */
export class NodeClock implements Clock {
  wallMs(): number {
    return Date.now()
  }

  monotonicMs(): number {
    return performance.now()
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
