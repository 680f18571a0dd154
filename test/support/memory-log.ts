import { VersionVector } from '../../src/crdt/version-vector.js'
import type { FrameView } from '../../src/crdt/frame.js'
import type { MemberId, Stamp } from '../../src/base/ids.js'
import type { LogCursor, OpLog } from '../../src/oplog/op-log.js'

/** An op log in memory whose frames are durable at once. */
export class MemoryLog implements OpLog {
  readonly appended = new VersionVector()
  readonly durable = new VersionVector()
  readonly frames: FrameView[] = []
  appendedBytes = 0
  durableBytes = 0
  readonly refusal = null
  readonly hasFailed = false
  private readonly listeners: (() => void)[] = []

  append(frame: FrameView): number {
    // An engine that is alone reuses the memory of frames that are logged.
    this.frames.push(frame.copy())
    this.appendedBytes += frame.bytes.length
    this.durableBytes = this.appendedBytes
    this.appended.raise(frame.origin, frame.last)
    this.durable.raise(frame.origin, frame.last)
    for (const listener of this.listeners) listener()
    return this.appendedBytes
  }
  *appendInPieces(frame: FrameView): Generator<undefined, number> {
    const position = this.append(frame)
    yield
    return position
  }
  setSyncPolicy(): void {}
  requestSync(): void {}
  syncNow(): void {}
  onChange(listener: () => void): void {
    this.listeners.push(listener)
  }
  openCursor(origin: MemberId, after: Stamp): LogCursor {
    let at = 0
    return {
      next: () => {
        while (at < this.frames.length) {
          const frame = this.frames[at++]
          if (frame.origin === origin && frame.last > after) return frame
        }
        return null
      },
      isReading: false,
      close: () => undefined,
    }
  }
  close(): void {}
}
