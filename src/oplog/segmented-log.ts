import { assert } from '../base/assert.js'
import { MeridianError } from '../base/errors.js'
import type { MemberId, Stamp } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import type { FrameView } from '../crdt/frame.js'
import { isStabilityNote } from '../crdt/stability-note.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Logger } from '../ports/logger.js'
import { noteFailedSync } from './failed-sync.js'
import { GroupCommit } from './group-commit.js'
import { DiskLogCursor, type CursorSource } from './log-cursor.js'
import type { LogCursor, OpLog, SyncPolicy } from './op-log.js'
import { PendingFrames } from './pending-frames.js'
import { RecentFrames } from './recent-frames.js'
import type { PreparedSegment, SegmentWriter } from './segment-writer.js'

export interface SegmentedLogOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  readonly folder: string
  readonly syncPolicy: SyncPolicy
  readonly minFreeBytes: number
  readonly segmentBytes: number
  readonly recentFrameBytes: number
  readonly cursorBlockBytes: number
}

const TICK_MS = 1_000
/** A new segment is worth while when the last one has this share of its size: 1 MiB of 256. */
const MIN_ROLL_SHARE = 256

/**
 * The op log over segment files. This class is the order of things: a frame goes to the last segment (SegmentWriter) or, if the disk
 * refuses, into the queue (PendingFrames); then into memory for cursors (RecentFrames); then a sync makes it durable (GroupCommit).
 */
export class SegmentedLog implements OpLog, CursorSource {
  readonly recent: RecentFrames
  readonly disk: Disk
  private readonly commit: GroupCommit
  private readonly pending: PendingFrames
  /** Appended and pending frames: what the next frame of each origin must continue. */
  private readonly accepted = new VersionVector()
  private acceptedBytes: number
  private lowSpace: MeridianError | null = null
  private refusalSeen: MeridianError | null = null
  private policy: SyncPolicy
  private uncheckedBytes = 0
  private readonly listeners: (() => void)[] = []
  private ticker: Timer | null = null
  private closed = false
  /** A large frame that is being written in pieces. */
  private writing: LongFrame | null = null
  /** A segment is being removed; one at a time, the oldest first, so that a crash leaves no gap. */
  private removing = false
  private shortOfRoom = false
  private removalError = ''
  private failureNoted = false
  private slowWarningMs = -Infinity
  /** Delayed syncs that the log has said. */
  private delaysSaid = 0

  constructor(
    private readonly options: SegmentedLogOptions,
    private readonly writer: SegmentWriter,
  ) {
    const { clock } = options
    this.disk = options.disk
    this.policy = options.syncPolicy
    this.recent = new RecentFrames(options.recentFrameBytes, writer.appended)
    this.commit = new GroupCommit(writer, clock, () => this.changed())
    this.commit.pauseMs = pauseOf(options.syncPolicy)
    this.pending = new PendingFrames(
      clock,
      (frame) => this.write(frame),
      () => this.changed(),
    )
    this.accepted.copyFrom(writer.appended)
    this.acceptedBytes = writer.appendedBytes
    this.checkFreeSpace()
    this.refusalSeen = this.refusal
    this.tick()
  }

  get appended(): VersionVector {
    return this.writer.appended
  }
  get appendedBytes(): number {
    return this.writer.appendedBytes
  }
  get durable(): VersionVector {
    return this.commit.durable
  }
  get durableBytes(): number {
    return this.commit.durableBytes
  }
  get blockBytes(): number {
    return this.options.cursorBlockBytes
  }
  get segments(): SegmentWriter['segments'] {
    return this.writer.segments
  }
  /** Bytes of frames in memory: kept for cursors, and waiting for the disk. */
  get recentBytes(): number {
    return this.recent.bytes
  }
  get pendingBytes(): number {
    return this.pending.bytes
  }
  /** How the disk keeps up: syncs that took too long, what the last one took, and how long the one under way has taken. */
  get delayedSyncs(): number {
    return this.commit.delayedSyncs
  }
  get lastSyncMs(): number {
    return this.commit.lastSyncMs
  }
  get syncingMs(): number {
    return this.commit.syncingMs
  }
  get refusal(): MeridianError | null {
    return this.damage ?? this.lowSpace
  }

  /** Why nothing can be written at all: as `refusal`, but for the reserve. */
  get damage(): MeridianError | null {
    return this.commit.failure ?? this.pending.error
  }

  /** Room is short: below the reserve. */
  get isBelowReserve(): boolean {
    return this.lowSpace !== null
  }

  /**
   * Why a snapshot that has about so many bytes yet to be written may not be, or null. It may go below the reserve, for it lets go of the log before it; a part of the reserve stays for what was
   * accepted and what ends the snapshot.
   */
  refusalOfSnapshot(bytes: number): MeridianError | null {
    const { disk, folder, minFreeBytes } = this.options
    if (this.damage !== null || this.lowSpace === null) return this.damage
    try {
      const free = disk.freeBytes(folder)
      const floor = Math.floor(minFreeBytes / LIMITS.snapshotReserveShare)
      return free - bytes >= floor ? null : noRoomForSnapshot(folder, free, bytes, floor)
    } catch {
      // As in checkFreeSpace.
      return null
    }
  }

  get hasFailed(): boolean {
    return this.commit.failure !== null
  }

  /** Position of the oldest frame that is still here. */
  get firstByte(): number {
    return this.segments[0].startByte
  }

  /** Position after everything that was accepted, on the disk or waiting for it. */
  get endByte(): number {
    return this.acceptedBytes
  }

  /** Less than twice the reserve is left on the disk: what is not needed should go. */
  get isShortOfRoom(): boolean {
    return this.shortOfRoom
  }

  /** Asks for a new segment, so that what comes from now on need not be kept for the sake of what came before. False: it has begun, or is not worth it. */
  requestSegment(): boolean {
    const { writer, commit } = this
    if (writer.tailBytes * MIN_ROLL_SHARE < this.options.segmentBytes || this.damage !== null) return false
    writer.rollWanted = true
    if (this.beginWantedSegment()) return false
    commit.request()
    return true
  }

  /** No longer. */
  cancelSegment(): void {
    this.writer.rollWanted = false
  }

  /**
   * Removes the oldest segments, in the background, as long as `mayGo` says so of each; it gets the position and the vector after the segment's last frame.
   * The last segment always stays.
   */
  trim(mayGo: (endByte: number, vector: VersionVector) => boolean): void {
    if (this.removing || this.closed) return
    const { segments, isNamed } = this.writer
    // What comes behind must be found after a power cut, or the log would have no end.
    if (segments.length < 2 || !mayGo(segments[1].startByte, segments[1].vector)) return
    if (!isNamed) return this.commit.request()
    const [first] = segments
    segments.shift()
    this.removing = true
    this.disk.removeLater(first.path, (error) => {
      this.removing = false
      if (error === null) {
        this.options.logger.info({ path: first.path, bytes: first.frameBytes }, 'removed a log segment')
        this.trim(mayGo)
        return
      }
      if (this.disk.exists(first.path)) segments.unshift(first)
      if (error.message !== this.removalError)
        this.options.logger.warn({ path: first.path, error: error.message }, 'a log segment could not be removed')
      this.removalError = error.message
    })
  }

  /**
   * Makes what is needed to begin anew behind the present end, as a log of which everything in `vector` came before; nothing changes yet. All must be durable,
   * and nothing may be appended until restart.
   */
  prepareRestart(vector: VersionVector, done: (prepared: PreparedSegment | Error) => void): void {
    const { refusal } = this
    if (refusal !== null) return done(refusal)
    assert(this.commit.durableBytes === this.acceptedBytes, 'a log begins anew when all of it is durable')
    this.writer.prepareRestart(vector, done)
  }

  /** Begins anew: what was in the log before can be asked for no more, and its files go. */
  restart(prepared: PreparedSegment): void {
    const old = this.writer.restart(prepared)
    const { vector } = prepared.segment
    this.accepted.copyFrom(vector)
    this.recent.restart(vector)
    this.removeFiles(old.map(({ path }) => path))
    this.commit.restarted()
  }

  /** In order, so that a crash leaves no gap among them. What cannot be removed is at the next start. */
  private removeFiles(paths: readonly string[]): void {
    const [path, ...others] = paths
    if (path === undefined || this.closed) return
    this.disk.removeLater(path, (error) => {
      if (error !== null) this.options.logger.warn({ path, error: error.message }, 'a log segment could not be removed')
      else this.removeFiles(others)
    })
  }

  append(frame: FrameView): number {
    const position = this.accept(frame)
    if (this.writing !== null) {
      this.writing.behind.push(frame)
      return position
    }
    this.put(frame)
    return position
  }

  *appendInPieces(frame: FrameView): Generator<undefined, number> {
    // One frame at a time. Who began to write that one finds it written.
    while (this.writing !== null) {
      this.writePiece(this.writing)
      yield
    }
    const position = this.accept(frame)
    const stuck = this.commit.failure ?? this.pending.error
    if (stuck !== null) {
      this.pending.push(frame, stuck)
      return position
    }
    const writing: LongFrame = { frame, written: 0, behind: [] }
    this.writing = writing
    while (this.writing === writing) {
      this.writePiece(writing)
      yield
    }
    return position
  }

  /** Writes some more of a large frame; when it is whole, or cannot be, what came behind it follows. */
  private writePiece(writing: LongFrame): void {
    const { frame, written, behind } = writing
    let failure: MeridianError | null = null
    try {
      if (this.commit.failure !== null) throw this.commit.failure
      if (written === 0) this.beginFullSegment()
      this.writer.writePiece(frame.bytes.subarray(written, written + LIMITS.logPieceBytes))
      writing.written += LIMITS.logPieceBytes
      if (writing.written < frame.bytes.length) return
      this.writer.endPieces(frame)
      this.recent.push(frame, this.writer.appendedBytes)
      this.uncheckedBytes += frame.bytes.length
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      this.writer.dropPieces()
      this.pending.push(frame, error)
      failure = error
    }
    this.writing = null
    for (const each of behind) {
      if (failure === null) this.put(each)
      else this.pending.push(each, failure)
    }
    // Replies to what came behind wait for it to be durable.
    if (this.syncsAlways || behind.length > 0) this.commit.request()
    if (this.refusal !== this.refusalSeen) this.changed()
  }

  /** Writes a large frame to its end. */
  private finishPieces(): void {
    const { writing } = this
    while (writing !== null && this.writing === writing) this.writePiece(writing)
  }

  /** Takes a frame over: from here on it is a matter of writing it. Gives its position. */
  private accept(frame: FrameView): number {
    assert(!this.closed, 'nothing is appended to a closed log')
    assert(
      isStabilityNote(frame) || frame.previous === this.accepted.get(frame.origin),
      'a frame continues the log of its origin',
    )
    if (this.pending.isFull) {
      const { refusal } = this
      assert(refusal !== null, 'a log that holds frames back has a reason')
      throw refusal
    }
    this.accepted.raise(frame.origin, frame.last)
    this.acceptedBytes += frame.bytes.length
    return this.acceptedBytes
  }

  /** Writes a frame, or keeps it. */
  private put(frame: FrameView): void {
    const stuck = this.commit.failure ?? this.pending.error
    if (stuck !== null) {
      this.pending.push(frame, stuck)
      return
    }
    try {
      this.write(frame)
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      this.pending.push(frame, error)
    }
    if (this.uncheckedBytes >= LIMITS.freeCheckBytes) this.checkFreeSpace()
    if (this.refusal !== this.refusalSeen) this.changed()
  }

  requestSync(): void {
    this.commit.request()
  }

  syncNow(): void {
    this.finishPieces()
    if (this.pending.count > 0) this.pending.flush()
    try {
      this.commit.syncNow()
    } finally {
      if (this.refusal !== this.refusalSeen) this.changed()
    }
    if (this.pending.error !== null) throw this.pending.error
  }

  private get syncsAlways(): boolean {
    return this.policy === 'continuous' || this.policy === 'immediate'
  }

  setSyncPolicy(policy: SyncPolicy): void {
    this.policy = policy
    this.commit.pauseMs = pauseOf(policy)
    if (this.syncsAlways) this.commit.request()
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener)
  }

  openCursor(origin: MemberId, after: Stamp): LogCursor {
    return new DiskLogCursor(this, origin, after)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.ticker?.cancel()
    this.pending.stop()
    this.listeners.length = 0
    try {
      this.syncNow()
    } finally {
      this.commit.close()
      this.writer.close()
    }
  }

  /** @throws MeridianError from the disk; then the frame is nowhere. */
  private write(frame: FrameView): void {
    if (this.commit.failure !== null) throw this.commit.failure
    this.beginFullSegment()
    this.writer.write(frame)
    this.recent.push(frame, this.writer.appendedBytes)
    this.uncheckedBytes += frame.bytes.length
    // Replies wait for what was pending to be durable; no policy may let them wait for ever.
    if (this.syncsAlways || this.writer.full || this.pending.error !== null) this.commit.request()
  }

  private beginFullSegment(): void {
    if (this.writer.full && this.commit.durableBytes === this.writer.appendedBytes) this.writer.beginSegment()
  }

  /** True when a new segment has begun. Everything before must be durable. */
  private beginWantedSegment(): boolean {
    const { writer, commit } = this
    if (!writer.rollWanted || this.writing !== null || commit.durableBytes !== writer.appendedBytes || this.damage !== null)
      return false
    try {
      writer.beginSegment()
      return true
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      writer.rollWanted = false
      return false
    }
  }

  private tick(): void {
    this.ticker = this.options.clock.setTimer(TICK_MS, () => {
      if (this.policy === 'everysec') this.commit.request()
      this.checkFreeSpace()
      this.commit.noteDelay()
      this.warnOfDelay()
      if (this.refusal !== this.refusalSeen) this.changed()
      this.tick()
    })
  }

  /** Nothing is refused because a disk is slow; it is said. */
  private warnOfDelay(): void {
    const { clock, logger } = this.options
    const { delayedSyncs, syncingMs, lastSyncMs } = this.commit
    if (delayedSyncs === this.delaysSaid || clock.monotonicMs() - this.slowWarningMs < LIMITS.slowDiskWarningMs) return
    logger.warn(
      {
        path: this.writer.path,
        delayedSyncs,
        ms: Math.round(Math.max(syncingMs, lastSyncMs)),
        unsyncedBytes: this.appendedBytes - this.durableBytes,
      },
      'the disk is slow: syncs of the log take longer than a second, so a power cut would lose more, and other members get writes later',
    )
    this.delaysSaid = delayedSyncs
    this.slowWarningMs = clock.monotonicMs()
  }

  /** Refuses early, so that what is already applied, or arrives from peers meanwhile, can still be written. */
  private checkFreeSpace(): void {
    this.uncheckedBytes = 0
    const { disk, folder, minFreeBytes, logger } = this.options
    let free: number
    try {
      free = disk.freeBytes(folder)
    } catch (error) {
      // Not knowing is no reason to refuse: a disk that is really full says so at the next append.
      logger.warn({ folder, error: (error as Error).message }, 'the free room of the disk cannot be looked up')
      return
    }
    this.shortOfRoom = free < 2 * minFreeBytes
    if (free >= minFreeBytes) this.lowSpace = null
    else this.lowSpace ??= lowSpaceError(folder, free, minFreeBytes)
  }

  private changed(): void {
    this.beginWantedSegment()
    const { refusal } = this
    if (this.commit.failure !== null && !this.failureNoted) {
      this.failureNoted = true
      this.pending.stop()
      noteFailedSync(this.disk, this.options.folder, this.options.logger)
    }
    if (refusal !== this.refusalSeen) {
      if (refusal === null) this.options.logger.info({}, 'the log takes writes again')
      else if (refusal.code !== this.refusalSeen?.code) this.options.logger.error({ code: refusal.code }, refusal.message)
      this.refusalSeen = refusal
    }
    for (const listener of this.listeners) listener()
  }
}

interface LongFrame {
  readonly frame: FrameView
  written: number
  /** What was appended meanwhile. */
  readonly behind: FrameView[]
}

function lowSpaceError(folder: string, free: number, reserve: number): MeridianError {
  return new MeridianError(
    'MRD_DISK_FULL',
    `The disk of ${folder} has ${free} bytes left, the reserve is ${reserve}`,
    'Free some room; writes go on by themselves then. Reads go on meanwhile.',
  )
}

function noRoomForSnapshot(folder: string, free: number, bytes: number, floor: number): MeridianError {
  return new MeridianError(
    'MRD_DISK_FULL',
    `A snapshot may take ${bytes} bytes more, the disk of ${folder} has ${free} left, of which ${floor} stay`,
    'Free some room, then BGSAVE lets go of the log that other members have; it is begun by itself, too.',
  )
}

/** Only syncs that follow one another without end are paced; one that is asked for now and then begins at once. */
function pauseOf(policy: SyncPolicy): number {
  return policy === 'continuous' ? LIMITS.syncPauseMs : 0
}
