import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { FrameView } from '../crdt/frame.js'
import type { Clock, Timer } from '../ports/clock.js'

/**
 * Frames that the disk refused: kept in order, tried again with growing pauses until the disk takes them. They are applied
 * in memory already, so they cannot be given back; the engine stops making more while `error` is set.
 */
export class PendingFrames {
  /** Why the oldest frame could not be written; null when nothing waits. */
  error: MeridianError | null = null
  private readonly frames: FrameView[] = []
  private waitingBytes = 0
  private delayMs: number = LIMITS.diskRetryMinMs
  private timer: Timer | null = null
  private stopped = false

  constructor(
    private readonly clock: Clock,
    /** Writes a frame; throws the disk's error. */
    private readonly write: (frame: FrameView) => void,
    /** Called after a retry that changed `error`. */
    private readonly onChange: () => void,
  ) {}

  get count(): number {
    return this.frames.length
  }

  get bytes(): number {
    return this.waitingBytes
  }

  get isFull(): boolean {
    return this.waitingBytes > LIMITS.pendingFrameBytes
  }

  push(frame: FrameView, error: MeridianError): void {
    this.frames.push(frame)
    this.waitingBytes += frame.bytes.length
    this.error ??= error
    this.schedule()
  }

  /** Writes what it can, in order; true when nothing waits any more. */
  flush(): boolean {
    let written = 0
    try {
      for (; written < this.frames.length; written++) {
        this.write(this.frames[written])
        this.waitingBytes -= this.frames[written].bytes.length
      }
      this.error = null
      this.delayMs = LIMITS.diskRetryMinMs
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      this.error = error
    } finally {
      this.frames.splice(0, written)
    }
    return this.error === null
  }

  /** No more retries. */
  stop(): void {
    this.stopped = true
    this.timer?.cancel()
    this.timer = null
  }

  private schedule(): void {
    if (this.stopped || this.timer !== null) return
    this.timer = this.clock.setTimer(this.delayMs, () => {
      this.timer = null
      this.delayMs = Math.min(this.delayMs * 2, LIMITS.diskRetryMaxMs)
      if (!this.flush()) this.schedule()
      this.onChange()
    })
  }
}
