import { assert } from '../base/assert.js'
import type { MemberId } from '../base/ids.js'
import type { FrameView } from '../crdt/frame.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { AppendFile, Disk } from '../ports/disk.js'
import { encodeSegmentHeader, segmentFileName } from './segment-header.js'
import type { LogOwner, Segment } from './segment.js'

export interface SegmentWriterOptions {
  readonly disk: Disk
  /** Where the segment files are. */
  readonly folder: string
  readonly owner: LogOwner
  readonly segmentBytes: number
  /** What recovery found; the array becomes the writer's. */
  readonly segments: Segment[]
  readonly vector: VersionVector
  /** Position in the log after the last recovered frame. */
  readonly endByte: number
}

/** A segment that is durable and not yet part of a log. */
export interface PreparedSegment {
  readonly segment: Segment
  readonly file: AppendFile
}

/**
 * Writes frames to the last segment and begins new ones. At most one segment, the last, ever holds bytes that are not
 * durable: so after a crash only the last one can be torn.
 */
export class SegmentWriter {
  readonly segments: Segment[]
  readonly appended = new VersionVector()
  appendedBytes: number
  /** A new segment is asked for, whatever size the last one has. */
  rollWanted = false
  private file: AppendFile | null = null
  /** False until the name of the last segment's file is durable. */
  private named = false
  /** Where in the file the frame begins that is being written in pieces; -1 when there is none. */
  private piecesAt = -1

  constructor(private readonly options: SegmentWriterOptions) {
    this.segments = options.segments
    this.appended.copyFrom(options.vector)
    this.appendedBytes = options.endByte
    const last = this.segments.at(-1)
    if (last === undefined) this.beginSegment()
    else this.file = options.disk.openAppend(last.path)
  }

  /** The last segment has its size: the next frame belongs in a new one, as soon as all of this one is durable. */
  get full(): boolean {
    return this.rollWanted || this.tail.frameBytes >= this.options.segmentBytes
  }

  /** Far too large: it is worth waiting for a sync to begin a new one. */
  get overfull(): boolean {
    return this.tail.frameBytes >= 4 * this.options.segmentBytes
  }

  /** Bytes of frames in the last segment. */
  get tailBytes(): number {
    return this.tail.frameBytes
  }

  /** The last segment's file would be found after a power cut. */
  get isNamed(): boolean {
    return this.named
  }

  get path(): string {
    return this.tail.path
  }

  /** @throws MeridianError from the disk; then nothing has changed. */
  write(frame: FrameView): void {
    assert(this.file !== null, 'the log is open')
    this.file.append(frame.bytes)
    this.tail.frameBytes += frame.bytes.length
    this.appendedBytes += frame.bytes.length
    this.appended.raise(frame.origin, frame.last)
  }

  /**
   * Writes the next piece of a frame; nothing else may be written until endPieces or dropPieces.
   * @throws MeridianError from the disk; then this piece is not there.
   */
  writePiece(bytes: Uint8Array): void {
    assert(this.file !== null, 'the log is open')
    if (this.piecesAt < 0) this.piecesAt = this.file.size
    this.file.append(bytes)
  }

  /** The frame is whole. */
  endPieces(frame: FrameView): void {
    assert(this.file !== null && this.file.size === this.piecesAt + frame.bytes.length, 'the pieces are the frame')
    this.piecesAt = -1
    this.tail.frameBytes += frame.bytes.length
    this.appendedBytes += frame.bytes.length
    this.appended.raise(frame.origin, frame.last)
  }

  /** The frame does not come: its pieces go. */
  dropPieces(): void {
    if (this.piecesAt >= 0) this.file?.cut(this.piecesAt)
    this.piecesAt = -1
  }

  /**
   * Begins the next segment. Everything before must be durable.
   * @throws MeridianError from the disk; then the last segment is still the last.
   */
  beginSegment(): void {
    const { disk, folder, owner } = this.options
    const sequence = (this.segments.at(-1)?.sequence ?? 0) + 1
    const path = `${folder}/${segmentFileName(sequence)}`
    const vector = this.appended.clone()
    const memberId = owner.memberId as MemberId
    const header = encodeSegmentHeader({ clusterId: owner.clusterId, memberId, sequence, startByte: this.appendedBytes, vector })
    // A file of this name can only be left of an attempt that failed: recovery takes every segment in or removes it.
    if (disk.exists(path)) disk.remove(path)
    const file = disk.openAppend(path)
    try {
      file.append(header)
    } catch (error) {
      file.close()
      throw error
    }
    this.file?.close()
    this.file = file
    this.named = false
    this.rollWanted = false
    this.segments.push({ sequence, path, headerBytes: header.length, startByte: this.appendedBytes, vector, frameBytes: 0 })
  }

  /**
   * Makes a segment for a log that begins anew behind the present end, with `vector` for what came before; durable when `done` is called. The number that
   * is left out before it tells it from one that continues the log. Everything must be durable, and nothing may be written meanwhile.
   */
  prepareRestart(vector: VersionVector, done: (prepared: PreparedSegment | Error) => void): void {
    const { disk, folder, owner } = this.options
    const sequence = this.tail.sequence + 2
    const path = `${folder}/${segmentFileName(sequence)}`
    const memberId = owner.memberId as MemberId
    const header = encodeSegmentHeader({ clusterId: owner.clusterId, memberId, sequence, startByte: this.appendedBytes, vector })
    if (disk.exists(path)) disk.remove(path)
    const file = disk.openAppend(path)
    const segment = {
      sequence,
      path,
      headerBytes: header.length,
      startByte: this.appendedBytes,
      vector: vector.clone(),
      frameBytes: 0,
    }
    const failed = (error: Error): void => {
      file.close()
      done(error)
    }
    try {
      file.append(header)
    } catch (error) {
      return failed(error as Error)
    }
    file.sync((error) => {
      if (error !== null) return failed(error)
      disk.syncFolderLater(folder, (failure) => (failure === null ? done({ segment, file }) : failed(failure)))
    })
  }

  /** The log is this segment from now on. Gives those of before, whose files are still there. */
  restart({ segment, file }: PreparedSegment): Segment[] {
    assert(segment.startByte === this.appendedBytes, 'nothing was written meanwhile')
    this.file?.close()
    this.file = file
    this.named = true
    this.rollWanted = false
    this.appended.copyFrom(segment.vector)
    return this.segments.splice(0, this.segments.length, segment)
  }

  /** Makes durable what is appended now: the last segment's bytes, then its name. */
  sync(done: (error: Error | null) => void): void {
    assert(this.file !== null, 'the log is open')
    const { tail } = this
    // The file first, then the name: the file's sync has often written the folder's change already, so this one is quick.
    this.file.sync((error) => {
      if (error !== null || this.named || this.tail !== tail) return done(error)
      this.options.disk.syncFolderLater(this.options.folder, (failure) => {
        if (failure === null && this.tail === tail) this.named = true
        done(failure)
      })
    })
  }

  /** @throws MeridianError */
  syncNow(): void {
    assert(this.file !== null, 'the log is open')
    this.file.syncNow()
    const error = this.syncName()
    if (error !== null) throw error
  }

  close(): void {
    this.file?.close()
    this.file = null
  }

  private get tail(): Segment {
    return this.segments[this.segments.length - 1]
  }

  private syncName(): Error | null {
    if (this.named) return null
    try {
      this.options.disk.syncFolder(this.options.folder)
    } catch (error) {
      return error as Error
    }
    this.named = true
    return null
  }
}
