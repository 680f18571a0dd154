/**
 * Bounds how much is asked for in a second. What was not used is not saved up: after a pause it goes on at the same rate.
 */
export class RateLimit {
  private freeAtMs = -Infinity

  constructor(
    /** Infinity: no bound. */
    private readonly bytesPerSecond: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** Takes so many bytes; gives the milliseconds to wait before they may be asked for. */
  take(bytes: number): number {
    const now = this.nowMs()
    const waitMs = Math.max(0, this.freeAtMs - now)
    this.freeAtMs = now + waitMs + (bytes / this.bytesPerSecond) * 1000
    return waitMs
  }
}
