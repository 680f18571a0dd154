import { MeridianError } from '../base/errors.js'
import type { MemberId, Stamp } from '../base/ids.js'
import { FRAME_FIXED_BYTES, parseFrame, type FrameView } from '../crdt/frame.js'
import type { VersionVector } from '../crdt/version-vector.js'
import type { Disk } from '../ports/disk.js'
import { BlockReader } from './block-reader.js'
import { FrameRead } from './frame-read.js'
import { damaged } from './log-scan.js'
import type { LogCursor } from './op-log.js'
import type { RecentFrames } from './recent-frames.js'
import type { Segment } from './segment.js'

/** What a cursor reads: the parts of a running log. */
export interface CursorSource {
  readonly disk: Disk
  readonly segments: readonly Segment[]
  readonly recent: RecentFrames
  readonly durable: VersionVector
  readonly durableBytes: number
  /** Files are read so many bytes at a time. */
  readonly blockBytes: number
}

/**
 * Walks the durable frames of one origin. What comes next is told by the stamp of the last frame handed out, nothing else: so moving
 * between memory and files (in either direction) can neither miss nor repeat a frame. Where that frame ends in the log is remembered, so that nothing before it is looked at again.
 *
 * Costs one block (and one frame, when that is larger) and one open file while it reads files, nothing while it reads memory.
 */
export class DiskLogCursor implements LogCursor {
  /** Number of the next frame in memory to look at. */
  private index = 0
  private segment: Segment | null = null
  private reader: BlockReader | null = null
  private offset = 0
  /** Where the log was left for memory: nothing of ours stands between the frame that was handed out last and here. */
  private position = 0
  /** A frame larger than a block, on its way. */
  private large: FrameRead | null = null
  private searches = false
  /** After the first frame handed out, each must continue exactly where the one before ended. */
  private started = false
  private closed = false

  constructor(
    private readonly source: CursorSource,
    private readonly origin: MemberId,
    private after: Stamp,
  ) {
    this.checkReach()
  }

  get isReading(): boolean {
    return this.large !== null || this.searches
  }

  next(): FrameView | null {
    if (this.closed || this.source.durable.get(this.origin) <= this.after) return null
    const frame = this.source.recent.before.get(this.origin) <= this.after ? this.fromMemory() : this.fromFiles()
    if (frame === null) return null
    this.after = frame.last
    this.started = true
    return frame
  }

  close(): void {
    this.closed = true
    this.leaveFiles()
  }

  /** Memory has everything of this origin after our position, and at least one durable frame. */
  private fromMemory(): FrameView {
    if (this.reader !== null) this.leaveFiles()
    const { recent } = this.source
    for (this.index = Math.max(this.index, recent.first); ; this.index++) {
      const frame = recent.frame(this.index)
      if (frame.origin !== this.origin || frame.last <= this.after) continue
      this.position = recent.endOf(this.index)
      this.index++
      return frame
    }
  }

  /** Null when it has read a block, and has to read on. */
  private fromFiles(): FrameView | null {
    if (this.large !== null) return this.readOn(this.large)
    const { blockBytes } = this.source
    let passedOver = 0
    while (passedOver < blockBytes) {
      const reader = this.reader ?? this.openSegment(this.firstSegment())
      const segment = this.segment as Segment
      const at = this.offset
      const durable = Math.min(segment.frameBytes, this.source.durableBytes - segment.startByte)
      const left = segment.headerBytes + durable - at
      if (left <= 0) {
        this.openSegment(this.segmentAfter(segment))
        continue
      }
      if (left < FRAME_FIXED_BYTES || !reader.ensure(at, FRAME_FIXED_BYTES))
        throw damaged(segment.path, at, 'a frame is cut short')
      const length = reader.u32(at)
      if (length < FRAME_FIXED_BYTES || length > left) throw damaged(segment.path, at, `a frame says ${length} bytes`)
      if (reader.u8(at + 10) !== this.origin || reader.f64(at + 32) <= this.after) {
        this.offset = at + length
        passedOver += length
        continue
      }
      this.searches = false
      if (length > blockBytes) return this.readOn(new FrameRead(reader, at, length))
      if (!reader.ensure(at, length)) throw damaged(segment.path, at, 'a frame is cut short')
      return this.passed(reader.view(at, length), segment)
    }
    this.searches = true
    return null
  }

  /** Reads a block of a large frame, which begins at our position in the file. */
  private readOn(large: FrameRead): FrameView | null {
    const segment = this.segment as Segment
    this.large = large
    if (!large.step(this.source.blockBytes)) throw damaged(segment.path, this.offset, 'a frame is cut short')
    if (!large.isDone) return null
    this.large = null
    return this.passed(large.bytes, segment, large.checksum)
  }

  /** The frame at our position, which moves behind it. */
  private passed(bytes: Uint8Array, segment: Segment, checksum?: number): FrameView {
    const frame = this.verify(bytes, segment, this.offset, checksum)
    this.offset += bytes.length
    return frame
  }

  private verify(bytes: Uint8Array, segment: Segment, at: number, checksum?: number): FrameView {
    let frame: FrameView
    try {
      frame = parseFrame(bytes, checksum)
    } catch (error) {
      throw damaged(segment.path, at, (error as Error).message, error)
    }
    const { previous } = frame
    if (this.started ? previous !== this.after : previous > this.after) {
      throw damaged(
        segment.path,
        at,
        `the frame of member ${this.origin} follows stamp ${previous}, the reader is at ${this.after}`,
      )
    }
    return frame
  }

  /** @throws MeridianError MRD_LOG_TRIMMED when the log no longer has what comes after our position. */
  private checkReach(): void {
    const oldest = this.source.segments[0].vector.get(this.origin)
    if (oldest <= this.after) return
    throw new MeridianError(
      'MRD_LOG_TRIMMED',
      `The log's frames of member ${this.origin} begin after stamp ${oldest}, a reader asks for those after ${this.after}`,
      'The reader cannot catch up from this log: it needs one that reaches back further, or a snapshot.',
    )
  }

  /** The last segment that begins at or before our position: no earlier one can hold the next frame. */
  private firstSegment(): Segment {
    const { segments } = this.source
    this.checkReach()
    let i = segments.length - 1
    while (i > 0 && segments[i].vector.get(this.origin) > this.after) i--
    return segments[i]
  }

  private segmentAfter(segment: Segment): Segment {
    const { segments } = this.source
    const i = segment.sequence - segments[0].sequence + 1
    // The segment that we have read may be gone, and what follows it too.
    if (i < 0) return this.firstSegment()
    if (i < segments.length) return segments[i]
    const end = segment.headerBytes + segment.frameBytes
    throw damaged(segment.path, end, `the file ends, but member ${this.origin} has durable frames after stamp ${this.after}`)
  }

  private openSegment(segment: Segment): BlockReader {
    this.leaveFiles()
    this.reader = new BlockReader(this.source.disk.openRead(segment.path), this.source.blockBytes)
    this.segment = segment
    this.offset = segment.headerBytes + Math.max(0, this.position - segment.startByte)
    return this.reader
  }

  private leaveFiles(): void {
    const { segment } = this
    if (segment !== null) this.position = segment.startByte + this.offset - segment.headerBytes
    this.reader?.close()
    this.reader = null
    this.segment = null
    this.large = null
    this.searches = false
  }
}
