import { openLog, type OpenLogOptions, type RecoveryReport } from '../../src/oplog/open-log.js'
import type { SegmentedLog } from '../../src/oplog/segmented-log.js'
import type { MemberId, Stamp } from '../../src/base/ids.js'
import type { FrameView } from '../../src/crdt/frame.js'
import { nextWhole, type LogCursor } from '../../src/oplog/op-log.js'
import type { Logger } from '../../src/ports/logger.js'
import { ManualClock } from './manual-clock.js'
import { MemoryDisk } from './memory-disk.js'
import { label } from './test-frames.js'

export interface LoggedLine {
  level: 'debug' | 'info' | 'warn' | 'error'
  fields: object
  message: string
}

export const FOLDER = '/data'
export const segmentPath = (sequence: number) => `${FOLDER}/log/${String(sequence).padStart(16, '0')}.mlog`

/** A log over a memory disk and a manual clock, with what it said and what it recovered. */
export class LogRig {
  readonly disk = new MemoryDisk()
  clock = new ManualClock()
  lines: LoggedLine[] = []
  recovered: string[] = []
  log!: SegmentedLog
  report!: RecoveryReport

  open(options: Partial<OpenLogOptions> = {}): SegmentedLog {
    this.clock = new ManualClock()
    this.recovered = []
    const { log, report } = openLog({
      disk: this.disk,
      clock: this.clock,
      logger: this.logger,
      folder: FOLDER,
      clusterId: 'cluster',
      memberId: 1 as MemberId,
      syncPolicy: 'no',
      minFreeBytes: 0,
      visit: (frame) => this.recovered.push(label(frame)),
      ...options,
    })
    this.log = log
    this.report = report
    return log
  }

  /** Kills the process and opens again. */
  reopen(options: Partial<OpenLogOptions> = {}): SegmentedLog {
    this.disk.kill()
    return this.open(options)
  }

  sync(): void {
    this.log.requestSync()
    this.clock.turn()
    this.disk.completeSyncs()
  }

  read(origin: number, after = 0): string[] {
    const cursor = this.log.openCursor(origin as MemberId, after as Stamp)
    const frames = drain(cursor).map(label)
    cursor.close()
    return frames
  }

  private get logger(): Logger {
    const at = (level: LoggedLine['level']) => (fields: object, message: string) =>
      void this.lines.push({ level, fields, message })
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => this.logger }
  }
}

/** The frames, which last. */
export function drain(cursor: LogCursor): FrameView[] {
  const frames: FrameView[] = []
  for (let frame = nextWhole(cursor); frame !== null; frame = nextWhole(cursor)) frames.push(frame.lasting())
  return frames
}
