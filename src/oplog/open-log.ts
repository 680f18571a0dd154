import { LIMITS } from '../base/limits.js'
import type { MemberId } from '../base/ids.js'
import type { VersionVector } from '../crdt/version-vector.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Logger } from '../ports/logger.js'
import { mendFailedSync } from './failed-sync.js'
import { LogScan, type FrameVisitor, type LogStart } from './log-scan.js'
import type { SyncPolicy } from './op-log.js'
import { SegmentWriter } from './segment-writer.js'
import { SegmentedLog } from './segmented-log.js'
import { logFolder } from './segment.js'

export interface OpenLogOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  /** The data folder, which must exist and be locked; the segments are in `log` below it. */
  readonly folder: string
  readonly clusterId: string
  readonly memberId: MemberId
  readonly syncPolicy: SyncPolicy
  /** Called for every frame in log order; its bytes are only valid during the call. */
  readonly visit: FrameVisitor
  /** Where a loaded snapshot leaves off; left out, the whole log is read. */
  readonly from?: LogStart
  /** Writes are refused when the disk has less room. */
  readonly minFreeBytes?: number
  readonly segmentBytes?: number
  readonly recentFrameBytes?: number
  readonly cursorBlockBytes?: number
}

export interface RecoveryReport {
  readonly segments: number
  readonly frames: number
  /** Bytes of frames read. */
  readonly bytes: number
  /** Bytes of an unfinished write that were cut from the end. */
  readonly cutBytes: number
  /** Everything that was read (and what the snapshot had covered before). */
  readonly vector: VersionVector
}

/**
 * Opens a member's log: reads it whole, hands every frame to the visitor, cuts an unfinished end, makes the rest durable.
 * When it throws, nothing has been changed on the disk.
 * @throws MeridianError MRD_LOG_DAMAGED, MRD_LOG_VERSION, MRD_DATA_FOLDER_OWNER, MRD_DATA_FOLDER, MRD_DISK_FULL, MRD_DISK_IO
 */
export function openLog(options: OpenLogOptions): { log: SegmentedLog; report: RecoveryReport } {
  const recovery = new LogRecovery(options)
  while (!recovery.step(Infinity));
  return recovery.finish()
}

/** openLog in steps, for a server that answers its clients LOADING meanwhile. */
export class LogRecovery {
  private readonly scan: LogScan
  private readonly startedMs: number

  constructor(private readonly options: OpenLogOptions) {
    const { disk, folder, clusterId, memberId, visit, from } = options
    disk.ensureFolder(logFolder(folder))
    this.startedMs = options.clock.monotonicMs()
    this.scan = new LogScan({ disk, folder, owner: { clusterId, memberId }, visit, ...(from && { from }) })
  }

  /** Reads on for about maxBytes; true when all is read. After an error only a new recovery can begin. */
  step(maxBytes: number): boolean {
    try {
      return this.scan.step(maxBytes)
    } catch (error) {
      this.scan.close()
      throw error
    }
  }

  /** Bytes of frames read so far. */
  get bytes(): number {
    return this.scan.bytes
  }

  /** Lets go of what is open, if it is not to be finished. */
  close(): void {
    this.scan.close()
  }

  /** After step has said true: the open log. */
  finish(): { log: SegmentedLog; report: RecoveryReport } {
    const { options, scan } = this
    const { disk, clock, logger, clusterId, memberId, syncPolicy, folder } = options
    this.cutTornTail()
    this.removeStale()
    this.mend()
    const writer = new SegmentWriter({
      disk,
      folder: logFolder(folder),
      owner: { clusterId, memberId },
      segmentBytes: options.segmentBytes ?? LIMITS.segmentBytes,
      segments: scan.segments,
      vector: scan.vector,
      endByte: scan.endByte,
    })
    // What a killed process left in the operating system's cache was read as if it were durable: make that true.
    try {
      writer.syncNow()
    } catch (error) {
      writer.close()
      throw error
    }
    const log = new SegmentedLog(
      {
        disk,
        clock,
        logger,
        folder,
        syncPolicy,
        minFreeBytes: options.minFreeBytes ?? LIMITS.minFreeBytes,
        segmentBytes: options.segmentBytes ?? LIMITS.segmentBytes,
        recentFrameBytes: options.recentFrameBytes ?? LIMITS.recentFrameBytes,
        cursorBlockBytes: options.cursorBlockBytes ?? LIMITS.cursorBlockBytes,
      },
      writer,
    )
    const report = {
      segments: scan.segments.length,
      frames: scan.frames,
      bytes: scan.bytes,
      cutBytes: scan.torn?.bytes ?? 0,
      vector: scan.vector,
    }
    const elapsedMs = Math.round(clock.monotonicMs() - this.startedMs)
    logger.info({ ...report, vector: scan.vector.toString(), elapsedMs }, 'the log is read')
    return { log, report }
  }

  private mend(): void {
    const { disk, folder, logger } = this.options
    mendFailedSync(disk, folder, this.scan.segments.at(-1), logger)
  }

  private removeStale(): void {
    const { disk, logger, folder } = this.options
    const { stale } = this.scan
    if (stale.length === 0) return
    logger.info(
      { files: stale },
      'removing log segments that a snapshot of another member has replaced, or that were never begun',
    )
    // The oldest first, so that a crash leaves no other gap.
    for (const path of stale) disk.remove(path)
    disk.syncFolder(logFolder(folder))
  }

  private cutTornTail(): void {
    const { torn } = this.scan
    if (torn === null) return
    const { disk, logger, folder } = this.options
    logger.warn({ ...torn }, 'cut an unfinished write from the end of the log, as a crash leaves it')
    if (torn.offset > 0) {
      disk.truncate(torn.path, torn.offset)
    } else {
      disk.remove(torn.path)
      disk.syncFolder(logFolder(folder))
    }
  }
}
