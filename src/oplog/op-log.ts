import type { MeridianError } from '../base/errors.js'
import type { MemberId, Stamp } from '../base/ids.js'
import type { FrameView } from '../crdt/frame.js'
import type { VersionVector } from '../crdt/version-vector.js'

/**
 * The one op log of a member: append-only file, replication backlog and catch-up source at once. It holds the frames of
 * every origin in the order in which they were applied here.
 */
export interface OpLog {
  /**
   * Highest stamps whose frames are appended (so in the operating system's cache or durable).
   */
  readonly appended: VersionVector
  /** Highest stamps whose frames are durable (fsynced). Only these may be sent to peers. */
  readonly durable: VersionVector
  /** Bytes appended since the log began, over all segments; a position that only grows. */
  readonly appendedBytes: number
  readonly durableBytes: number
  /** Why writes are refused now (disk full, disk failure), or null. */
  readonly refusal: MeridianError | null

  /**
   * Appends one closed frame (parsed or built here, so its header is right). Synchronous. If the disk refuses, the frame is kept in memory, in order, and
   * retried; `refusal` says so and the engine refuses further writes until it is null again.
   * The array must not change afterwards.
   */
  append(frame: FrameView): void

  /** Asks for a sync of everything appended so far; callers are told through onDurable. Several requests share one sync. */
  requestSync(): void
  /** Blocks until everything appended is durable. */
  syncNow(): void

  /** Called after `durable` has moved, and after `refusal` changed. */
  onChange(listener: () => void): void

  /** A reader of the durable frames of one origin that come after a stamp. */
  openCursor(origin: MemberId, after: Stamp): LogCursor

  close(): void
}

export interface LogCursor {
  /**
   * The next durable frame, or null when there is none yet (ask again after onChange). Takes it from memory when it is recent,
   * else from the segment files. The array must not be changed.
   * @throws MeridianError MRD_LOG_DAMAGED, MRD_DISK_IO
   */
  next(): FrameView | null
  close(): void
}
