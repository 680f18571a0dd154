import { assert } from '../base/assert.js'
import { crc32 } from '../base/crc32.js'
import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import { isStabilityNote } from '../crdt/stability-note.js'
import { FRAME_FIXED_BYTES, FRAME_PREFIX_BYTES, FRAME_VERSION, parseFrame, type FrameView } from '../crdt/frame.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Disk } from '../ports/disk.js'
import { BlockReader } from './block-reader.js'
import { findWholeFrame } from './frame-search.js'
import {
  MAX_SEGMENT_HEADER_BYTES,
  SEGMENT_FORMAT_VERSION,
  decodeSegmentHeader,
  segmentFileName,
  segmentSequence,
  type SegmentHeader,
} from './segment-header.js'
import { logFolder, type LogOwner, type Segment } from './segment.js'

/** Called for every frame in log order. The frame's bytes are only valid during the call. */
export type FrameVisitor = (frame: FrameView, segment: Segment, offset: number) => void

/** The end of the last segment that a crash left unfinished. */
export interface TornTail {
  readonly path: string
  /** Everything from here to the end of the file is to be cut; 0 when not even the segment's header is whole. */
  readonly offset: number
  readonly bytes: number
}

/** A place in the log that something else, a snapshot, stands for. */
export interface LogStart {
  /** Frames from here on are visited; the log may begin here, or before. */
  readonly position: number
  /** What the log has before it. */
  readonly vector: VersionVector
  /** The log must not end before here. */
  readonly end: number
  /** Segments that end before the position are not read, only their headers. */
  readonly skim: boolean
}

export interface LogScanOptions {
  readonly disk: Disk
  /** The data folder; the segments are in `log` below it. */
  readonly folder: string
  /** Whose log it must be; left out, the first segment says it. */
  readonly owner?: LogOwner
  /** Where to begin, given a loaded snapshot. Left out, the log must begin at its first frame and all of it is read. */
  readonly from?: LogStart
  /** The log may begin anywhere, and is read from there: for the offline check. */
  readonly anywhere?: boolean
  /** The first segment is read from this position in it only, which has this vector before it: for the offline check. */
  readonly middle?: { readonly position: number; readonly vector: VersionVector }
  /** Segments from this one on, and up to before that one. */
  readonly firstSequence?: number
  readonly endSequence?: number
  readonly visit: FrameVisitor
}

const RESTORE =
  'Nothing was changed. Restore this file from a copy, or, if the other members have every write of this one, move the data folder aside ' +
  'and start empty: the member catches up from them.'

/**
 * A snapshot stands for a place in the log that begins with this segment. At its very beginning the position does not tell: the snapshot of before may stand for the
 * end of the old log.
 */
function isBehind({ position, vector }: LogStart, segment: { startByte: number; vector: VersionVector }): boolean {
  return position > segment.startByte || (position === segment.startByte && vector.equals(segment.vector))
}

/**
 * Reads a whole log from files, verifying everything, and changes nothing: recovery and the offline check share it.
 * Works in steps, so that a starting server can answer its health probe in between.
 *
 * What it proves: segments follow one another without a gap; every frame's checksum holds; every frame continues its origin's
 * chain. Only the end of the last segment may be unfinished (`torn`); anything else that is not whole is an error.
 */
export class LogScan {
  readonly segments: Segment[] = []
  /** Highest stamps read. */
  readonly vector = new VersionVector()
  frames = 0
  /** Position in the log after the last whole frame. */
  endByte = 0
  /** Bytes of frames read. */
  bytes = 0
  torn: TornTail | null = null
  owner: LogOwner | null

  /** Files that are no part of the log: a snapshot of another member has taken the place of what they hold, or was about to. */
  readonly stale: string[] = []
  private readonly sequences: number[]
  private readonly path: (sequence: number) => string
  private next = 0
  private reader: BlockReader | null = null
  private segment: Segment | null = null
  private fileBytes = 0
  private offset = 0

  constructor(private readonly options: LogScanOptions) {
    const folder = logFolder(options.folder)
    this.path = (sequence) => `${folder}/${segmentFileName(sequence)}`
    this.sequences = options.disk
      .list(folder)
      .map(segmentSequence)
      .filter(
        (sequence) => sequence > 0 && sequence >= (options.firstSequence ?? 0) && sequence < (options.endSequence ?? Infinity),
      )
    this.owner = options.owner ?? null
    for (let gap = this.lastGap(); gap > 0; gap = this.lastGap()) this.resolveGap(gap)
  }

  /** Number of the last segment before which one is missing; 0 when none is. */
  private lastGap(): number {
    const { sequences } = this
    for (let i = sequences.length - 1; i > 0; i--) if (sequences[i] !== sequences[i - 1] + 1) return i
    return 0
  }

  /**
   * A log that begins anew behind its end leaves one number out (docs/decisions/0021). Has the snapshot that this was done for got its name, then what came
   * before is no part of the log any more; else the new segment is none yet.
   */
  private resolveGap(gap: number): void {
    const { sequences, path, options } = this
    const begin = path(sequences[gap])
    const header = this.headerOf(begin)
    if (options.from !== undefined && header !== null && isBehind(options.from, header))
      this.stale.push(...sequences.splice(0, gap).map(path))
    else if (gap === sequences.length - 1 && (header === null || header.isEmpty) && sequences[gap] === sequences[gap - 1] + 2)
      this.stale.push(...sequences.splice(gap).map(path))
    else throw damaged(path(sequences[gap - 1] + 1), 0, 'the segment is missing')
  }

  /** Null for a file that is too short for more than a header and has none. @throws MeridianError when it is longer. */
  private headerOf(path: string): { startByte: number; vector: VersionVector; isEmpty: boolean } | null {
    const file = this.options.disk.openRead(path)
    const bytes = new Uint8Array(Math.min(file.size(), MAX_SEGMENT_HEADER_BYTES))
    const got = file.read(bytes, 0)
    const size = file.size()
    file.close()
    const decoded = decodeSegmentHeader(bytes.subarray(0, got))
    if (decoded.kind === 'header') return { ...decoded.header, isEmpty: size === decoded.bytes }
    if (decoded.kind === 'broken' && decoded.unfinished && size <= MAX_SEGMENT_HEADER_BYTES) return null
    return { startByte: Infinity, vector: new VersionVector(), isEmpty: false }
  }

  /**
   * Reads on for about maxBytes; true when all is read.
   * @throws MeridianError MRD_LOG_DAMAGED, MRD_LOG_VERSION, MRD_DATA_FOLDER_OWNER, MRD_DISK_IO, and what the visitor throws
   */
  step(maxBytes = Infinity): boolean {
    const until = this.bytes + maxBytes
    while (this.reader !== null || this.openSegment()) {
      if (!this.skimSegment()) this.readFrames(until)
      if (this.bytes >= until) return false
    }
    this.checkReach()
    return true
  }

  close(): void {
    this.reader?.close()
    this.reader = null
  }

  private get isLast(): boolean {
    return this.next === this.sequences.length
  }

  /** Opens the next segment and checks its header; false when there is none. */
  private openSegment(): boolean {
    if (this.isLast) return false
    const sequence = this.sequences[this.next++]
    const path = this.path(sequence)
    const file = this.options.disk.openRead(path)
    const reader = new BlockReader(file, LIMITS.logReadBlockBytes)
    this.reader = reader
    this.fileBytes = file.size()
    const known = Math.min(this.fileBytes, MAX_SEGMENT_HEADER_BYTES)
    const start = reader.ensure(0, known) ? reader.view(0, known) : new Uint8Array(0)
    const decoded = decodeSegmentHeader(start)
    if (decoded.kind === 'version') throw newerVersion(path, 0, decoded.version, SEGMENT_FORMAT_VERSION)
    if (decoded.kind === 'broken') {
      // The header of a log's first segment is durable before its first frame; later ones are synced with their first frames.
      const mayBeNew = this.segments.length > 0 || (sequence === 1 && this.fileBytes <= MAX_SEGMENT_HEADER_BYTES)
      const mayBeTorn = decoded.unfinished && this.isLast && mayBeNew
      if (!mayBeTorn || findWholeFrame(reader, 0, this.fileBytes, this.vector) >= 0) throw damaged(path, 0, decoded.what)
      this.torn = { path, offset: 0, bytes: this.fileBytes }
      this.close()
      return false
    }
    const { header, skipped } = this.passOverStart(decoded.header)
    const headerBytes = decoded.bytes + skipped
    if (skipped < 0 || headerBytes > this.fileBytes) throw damaged(path, 0, 'the position asked for is not in this segment')
    this.checkHeader(header, path, sequence)
    this.segment = { sequence, path, headerBytes, startByte: header.startByte, vector: header.vector, frameBytes: 0 }
    this.segments.push(this.segment)
    this.offset = headerBytes
    return true
  }

  /** The header that the first segment would have if it began where it is to be read from, and the bytes of frames before that. */
  private passOverStart(header: SegmentHeader): { header: SegmentHeader; skipped: number } {
    const { middle } = this.options
    if (middle === undefined || this.segments.length > 0) return { header, skipped: 0 }
    return {
      header: { ...header, startByte: middle.position, vector: middle.vector },
      skipped: middle.position - header.startByte,
    }
  }

  private checkHeader(header: SegmentHeader, path: string, sequence: number): void {
    this.owner ??= header
    const { clusterId, memberId } = this.owner
    if (header.clusterId !== clusterId || header.memberId !== memberId) {
      throw new MeridianError(
        'MRD_DATA_FOLDER_OWNER',
        `${path} belongs to member ${header.memberId} of cluster ${header.clusterId}, this is member ${memberId} of cluster ${clusterId}`,
        "Point this member at its own data folder, or correct its id and cluster in the configuration; never mix two members' files.",
      )
    }
    if (header.sequence !== sequence)
      throw damaged(path, 0, `the file is segment ${header.sequence} under the name of segment ${sequence}`)
    if (this.segments.length === 0) {
      if (this.options.anywhere !== true && header.startByte > (this.options.from?.position ?? 0))
        throw damaged(path, 0, 'the log begins here, but what came before it is missing')
      this.vector.copyFrom(header.vector)
      this.endByte = header.startByte
    } else if (header.startByte !== this.endByte || !header.vector.equals(this.vector)) {
      const before = this.segments[this.segments.length - 1]
      const missing = header.startByte - this.endByte
      throw damaged(
        before.path,
        this.fileEnd(before),
        `the next segment begins ${missing} bytes of frames later, they are missing here`,
      )
    }
  }

  /** Passes over the open segment if all of it comes before what is asked for; its header and the next one's say where it ends. */
  private skimSegment(): boolean {
    const { from, disk } = this.options
    const { segment } = this
    if (from?.skim !== true || segment === null || segment.frameBytes > 0 || this.isLast) return false
    const path = this.path(this.sequences[this.next])
    const file = disk.openRead(path)
    const bytes = new Uint8Array(Math.min(file.size(), MAX_SEGMENT_HEADER_BYTES))
    const got = file.read(bytes, 0)
    file.close()
    const decoded = decodeSegmentHeader(bytes.subarray(0, got))
    // What is wrong with the next one is found when it is opened.
    if (decoded.kind !== 'header' || decoded.header.startByte > from.position) return false
    const length = decoded.header.startByte - segment.startByte
    if (segment.headerBytes + length !== this.fileBytes)
      throw damaged(
        segment.path,
        this.fileBytes,
        `the file ends here, but the next segment begins ${length} bytes of frames later`,
      )
    segment.frameBytes = length
    this.endByte += length
    this.vector.copyFrom(decoded.header.vector)
    this.close()
    return true
  }

  /** The place that a snapshot stands for must be one between two frames, with the snapshot's vector before it. */
  private checkStart(from: LogStart, path: string, offset: number): void {
    if (this.endByte === from.position && this.vector.equals(from.vector)) return
    throw damaged(
      path,
      offset,
      `the snapshot begins at position ${from.position} of the log, which does not fit what the log has there`,
    )
  }

  private checkReach(): void {
    const { from, folder } = this.options
    if (from === undefined) return
    const last = this.segments.at(-1)
    const path = last?.path ?? logFolder(folder)
    const offset = last === undefined ? 0 : this.fileEnd(last)
    if (this.endByte < Math.max(from.end, from.position))
      throw damaged(
        path,
        offset,
        `the log ends at position ${this.endByte}, but the snapshot has seen it up to ${Math.max(from.end, from.position)}`,
      )
    if (this.endByte === from.position) this.checkStart(from, path, offset)
  }

  private fileEnd(segment: Segment): number {
    return segment.headerBytes + segment.frameBytes
  }

  /** The hot loop of recovery: what it allocates a frame is the frame's view. */
  private readFrames(until: number): void {
    const { reader, segment } = this
    const { from } = this.options
    assert(reader !== null && segment !== null, 'a segment is open')
    while (this.bytes < until) {
      const at = this.offset
      const left = this.fileBytes - at
      if (left === 0) {
        this.close()
        return
      }
      if (left < FRAME_FIXED_BYTES || !reader.ensure(at, FRAME_FIXED_BYTES))
        return this.endAtBrokenFrame('the frame is cut short')
      const length = reader.u32(at)
      if (length < FRAME_FIXED_BYTES || length > LIMITS.maxFrameBytes)
        return this.endAtBrokenFrame(`the frame says ${length} bytes`)
      if (length > left || !reader.ensure(at, length)) return this.endAtBrokenFrame('the frame is cut short')
      const frame = this.parse(reader.view(at, length))
      if (frame === null) return this.endAtBrokenFrame('the frame checksum is wrong')
      const { origin, last } = frame
      if (frame.previous !== this.vector.get(origin) && !isStabilityNote(frame)) {
        const expected = this.vector.get(origin)
        throw damaged(
          segment.path,
          at,
          `the frame of member ${origin} follows stamp ${frame.previous}, the log is at ${expected}`,
        )
      }
      if (from === undefined || this.endByte > from.position) {
        this.visit(frame, segment, at)
      } else if (this.endByte + length > from.position) {
        this.checkStart(from, segment.path, at)
        this.visit(frame, segment, at)
      }
      if (!isStabilityNote(frame)) this.vector.raise(origin, last)
      segment.frameBytes += length
      this.offset += length
      this.endByte += length
      this.bytes += length
      this.frames++
    }
  }

  /** Null when the checksum is wrong. A frame with the right checksum that makes no sense is never a torn write. */
  private parse(bytes: Uint8Array): FrameView | null {
    try {
      return parseFrame(bytes)
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      const { path } = this.segment as Segment
      if (error.code === 'MRD_LOG_VERSION') throw newerVersion(path, this.offset, bytes[8], FRAME_VERSION)
      const checksum = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true)
      if (crc32(bytes.subarray(FRAME_PREFIX_BYTES)) !== checksum) return null
      throw damaged(path, this.offset, error.message, error)
    }
  }

  private visit(frame: FrameView, segment: Segment, offset: number): void {
    try {
      this.options.visit(frame, segment, offset)
    } catch (error) {
      if (error instanceof MeridianError && error.code === 'MRD_FRAME') throw damaged(segment.path, offset, error.message, error)
      throw error
    }
  }

  private endAtBrokenFrame(what: string): void {
    const { reader, segment, offset, fileBytes } = this
    assert(reader !== null && segment !== null, 'a segment is open')
    if (!this.isLast) throw damaged(segment.path, offset, `${what}, and later segments exist`)
    const later = findWholeFrame(reader, offset + 1, fileBytes, this.vector)
    if (later >= 0) throw damaged(segment.path, offset, `${what}, and a whole frame follows at byte ${later}`)
    this.torn = { path: segment.path, offset, bytes: fileBytes - offset }
    this.close()
  }
}

/** A log file that is not what was written. */
export class LogDamage extends MeridianError {
  constructor(
    readonly path: string,
    readonly offset: number,
    what: string,
    cause?: unknown,
  ) {
    super('MRD_LOG_DAMAGED', `${path} is damaged at byte ${offset}: ${what}`, RESTORE, { cause })
  }
}

export function damaged(path: string, offset: number, what: string, cause?: unknown): LogDamage {
  return new LogDamage(path, offset, what, cause)
}

function newerVersion(path: string, offset: number, found: number, known: number): MeridianError {
  return new MeridianError(
    'MRD_LOG_VERSION',
    `${path} has format version ${found} at byte ${offset}, this server reads version ${known}`,
    'Start the version of Meridian that wrote it, or a later one.',
  )
}
