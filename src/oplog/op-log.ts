import type { MeridianError } from '../base/errors.js'
import type { MemberId, Stamp } from '../base/ids.js'
import type { FrameView } from '../crdt/frame.js'
import type { VersionVector } from '../crdt/version-vector.js'

/**
 * When the log syncs by itself. Beside it, requestSync always works, and a full segment is always synced.
 * - immediate: after every turn that appended something, one sync at a time. For `appendfsync always`, where the engine holds each
 *   reply until `durableBytes` has passed its write.
 * - continuous: the same with a pause of LIMITS.syncPauseMs. For members with peers, to whom only what is durable is sent.
 * - everysec: once a second.
 * - no: never; the operating system writes when it likes.
 */
export type SyncPolicy = 'immediate' | 'continuous' | 'everysec' | 'no'

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
  /** Bytes of frames appended since the log began, over all segments; a position that only grows while the process lives. */
  readonly appendedBytes: number
  readonly durableBytes: number
  /**
   * Why writes are refused now, or null: MRD_DISK_FULL (no room, or less than the reserve), MRD_DATA_FOLDER, MRD_DISK_IO. All
   * but a failed sync end by themselves when the disk works again.
   */
  readonly refusal: MeridianError | null
  /** A sync has failed: what is not durable now never will be, until the process is started again. */
  readonly hasFailed: boolean

  /**
   * Appends one closed frame (parsed or built here, so its header is right). Synchronous. If the disk refuses, the frame is kept
   * in memory, in order, and retried; `refusal` says so and the engine refuses further writes until it is null again.
   * The array must not change until `appendedBytes` has reached the position; then it may be used again.
   * Returns the position after the frame: `appendedBytes` and then `durableBytes` reach it. A write whose position appendedBytes
   * has not reached is in memory only and must not be acknowledged yet; it is synced as soon as it is written, whatever the
   * policy, so that a reply may be held until durableBytes is there.
   * @throws MeridianError the refusal, when more than LIMITS.pendingFrameBytes already wait; then the frame was not taken.
   */
  append(frame: FrameView): number

  /**
   * As append, for a large frame, of which each step writes a piece; the result is the position. The frame's array is its own and never changes. What is
   * appended meanwhile waits behind it in memory, so `appendedBytes` has not reached its position then. When the log is synced or closed the frame
   * is written to its end first. One that is being written in pieces already is finished first, by the same steps.
   */
  appendInPieces(frame: FrameView): Generator<undefined, number>

  /** Asks for a sync of everything appended so far; callers are told through onChange. Several requests share one sync. */
  requestSync(): void
  /**
   * Blocks until everything appended is on the disk. When another sync is under way `durable` moves with that one's end.
   * @throws MeridianError MRD_DISK_IO; then the log is refused for good.
   */
  syncNow(): void
  /** Changes the policy at run time: the owner says continuous as long as there are peers. */
  setSyncPolicy(policy: SyncPolicy): void

  /** Called after `durable` has moved, and after `refusal` changed. */
  onChange(listener: () => void): void

  /**
   * A reader of the durable frames of one origin that come after a stamp.
   * @throws MeridianError MRD_LOG_TRIMMED when the log no longer has all of them.
   */
  openCursor(origin: MemberId, after: Stamp): LogCursor

  /**
   * Writes and syncs what is left, closes the files.
   * @throws MeridianError when something appended could not be made durable; the files are closed all the same.
   */
  close(): void
}

export interface LogCursor {
  /**
   * The next durable frame, or null when there is none yet (ask again after onChange). Takes it from memory when it is recent,
   * else from the segment files. Its bytes are the log's and good only until the log is appended to or the cursor is asked again: whoever keeps
   * the frame asks for FrameView.lasting.
   * @throws MeridianError MRD_LOG_DAMAGED, MRD_DISK_IO
   */
  next(): FrameView | null
  /** The next frame is large and has been read in part: next() gave null and reads on, a block each time, best in another turn. */
  readonly isReading: boolean
  close(): void
}

/** As LogCursor.next, but a large frame is read to its end in one go. */
export function nextWhole(cursor: LogCursor): FrameView | null {
  let frame = cursor.next()
  while (cursor.isReading) frame = cursor.next()
  return frame
}
