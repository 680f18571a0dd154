import { stampToUnixMs, type Stamp } from '../base/ids.js'

/**
 * How far someone at stamp `reached` is behind someone at stamp `latest`, in milliseconds. The distance of the two stamps
 * alone would be an hour for the first write after a quiet hour, so it is never more than the time since they were last equal.
 */
export class LagMeter {
  /** Monotonic; null while nobody is behind. */
  private behindSinceMs: number | null = null

  /** To be called whenever one of the two may have moved. */
  note(latest: Stamp, reached: Stamp, nowMs: number): void {
    if (reached >= latest) this.behindSinceMs = null
    else this.behindSinceMs ??= nowMs
  }

  lagMs(latest: Stamp, reached: Stamp, nowMs: number): number {
    this.note(latest, reached, nowMs)
    if (this.behindSinceMs === null) return 0
    return Math.min(stampToUnixMs(latest) - stampToUnixMs(reached), nowMs - this.behindSinceMs)
  }
}
