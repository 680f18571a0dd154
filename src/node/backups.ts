import { CommandError } from '../commands/command-error.js'
import type { BackupService, BackupState } from '../commands/services.js'
import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { Engine } from '../engine/engine.js'
import type { SegmentedLog } from '../oplog/segmented-log.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Disk, ReadFile } from '../ports/disk.js'
import type { Logger } from '../ports/logger.js'
import type { Snapshotter } from './snapshotter.js'

export interface BackupsOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
}

/** How the member's data came to be. */
export interface BackupHost {
  /** It takes the snapshot of another member: its data are being replaced. */
  isTaking(): boolean
  /** False while its data show ops that are still to come, because they were another member's snapshot: no position of its log has that state. */
  isWhole(): boolean
}

/** Of what a backup consists of: bytes of a file, in their order. */
interface Part {
  readonly file: ReadFile
  readonly offset: number
  readonly length: number
}

interface Backup {
  readonly id: number
  timer: Timer | null
  /** Snapshots that had been completed when ours was asked for; null: ours was not asked for. */
  askedAt: number | null
  /** The log must be durable as far as here; null: not looked at yet. */
  endPosition: number | null
  parts: readonly Part[]
  state: BackupState
}

/** A snapshot with more log behind it than this, and than its own size, is written anew first: replaying is slower than loading. */
const MAX_LOG_BYTES = 64 * 1024 * 1024
const NOT_READY = { snapshotBytes: 0, logPosition: 0, logBytes: 0 }

/**
 * Backups of a running member, fetched by clients piece by piece. A backup is the newest snapshot and the log behind it, up to where it was durable when the
 * backup became ready: the state of that position. If there is no snapshot, or there is much log behind it, one is written first.
 *
 *   snapshot --one is complete--> syncing --log durable--> ready --end, or nothing asked for a minute--> gone
 *
 * The files are held open from `ready` on, so nobody needs to know that they are in use: what the member removes meanwhile stays until they are closed.
 */
export class Backups implements BackupService {
  private readonly backups = new Map<number, Backup>()
  private lastId = 0

  constructor(
    private readonly options: BackupsOptions,
    private readonly engine: Engine,
    private readonly log: SegmentedLog,
    private readonly snapshots: Snapshotter,
    private readonly host: BackupHost,
  ) {}

  begin(): number {
    if (this.backups.size === LIMITS.backups) throw new CommandError(`ERR ${LIMITS.backups} backups are being taken already`)
    const id = ++this.lastId
    const state = { state: 'snapshot', ...NOT_READY } as const
    const backup: Backup = { id, timer: null, askedAt: null, endPosition: null, parts: [], state }
    this.backups.set(id, backup)
    this.touch(backup)
    return id
  }

  state(id: number): BackupState {
    const backup = this.get(id)
    try {
      this.advance(backup)
    } catch (error) {
      this.end(id)
      if (!(error instanceof MeridianError)) throw error
      throw new CommandError(`ERR ${error.message}`)
    }
    return backup.state
  }

  read(id: number, offset: number): Uint8Array {
    const backup = this.get(id)
    if (backup.state.state !== 'ready') throw new CommandError('ERR the backup is not ready')
    const { snapshotBytes, logBytes } = backup.state
    const bytes = new Uint8Array(Math.max(0, Math.min(LIMITS.backupPieceBytes, snapshotBytes + logBytes - offset)))
    let filled = 0
    let start = 0
    for (const { file, offset: from, length } of backup.parts) {
      const at = offset + filled - start
      start += length
      if (at >= length) continue
      const wanted = Math.min(length - at, bytes.length - filled)
      for (let got = 0; got < wanted;) {
        const count = readSome(file, bytes.subarray(filled + got, filled + wanted), from + at + got)
        got += count
      }
      filled += wanted
      if (filled === bytes.length) break
    }
    return bytes
  }

  end(id: number): void {
    const backup = this.get(id)
    backup.timer?.cancel()
    for (const file of new Set(backup.parts.map((part) => part.file))) file.close()
    this.backups.delete(id)
  }

  /** The member stops. */
  stop(): void {
    for (const id of [...this.backups.keys()]) this.end(id)
  }

  private get(id: number): Backup {
    const backup = this.backups.get(id)
    if (backup === undefined)
      throw new CommandError('ERR there is no such backup: it has ended, or nothing was asked of it for a minute')
    this.touch(backup)
    return backup
  }

  /** Whoever asks is there still. */
  private touch(backup: Backup): void {
    const { clock, logger } = this.options
    backup.timer?.cancel()
    backup.timer = clock.setTimer(LIMITS.backupIdleMs, () => {
      logger.warn({ backup: backup.id }, 'a backup was given up: nothing was asked of it for a minute')
      this.end(backup.id)
    })
  }

  private advance(backup: Backup): void {
    const { engine, log, host } = this
    if (backup.state.state === 'ready') return
    if (host.isTaking()) throw new CommandError('ERR this member takes a snapshot from another one: take the backup there')
    if (!host.isWhole()) return
    if (backup.state.state === 'snapshot') {
      if (!this.hasSnapshot(backup)) return
      backup.state = { state: 'syncing', ...NOT_READY }
      engine.requestSync()
      backup.endPosition = log.endByte
    }
    if (backup.state.state !== 'syncing' || backup.endPosition === null) return
    if (log.refusal !== null) throw log.refusal
    if (log.durableBytes < backup.endPosition) return log.requestSync()
    this.open(backup)
  }

  /** There is one to begin from. Has one written if not, once. */
  private hasSnapshot(backup: Backup): boolean {
    const { log, snapshots } = this
    if (backup.askedAt === null) {
      const [newest] = snapshots.kept
      if (newest !== undefined && log.endByte - newest.position <= Math.max(MAX_LOG_BYTES, newest.bytes)) return true
      if (log.refusal !== null) throw log.refusal
      backup.askedAt = snapshots.completed
      if (snapshots.running === null) snapshots.begin('save')
      return false
    }
    if (snapshots.completed > backup.askedAt) return true
    if (snapshots.running !== null || snapshots.scheduled !== null) return false
    throw new CommandError(`ERR the snapshot failed: ${snapshots.lastError ?? 'it was given up'}`)
  }

  private open(backup: Backup): void {
    const { disk, logger } = this.options
    const { log, snapshots } = this
    const [snapshot] = snapshots.kept
    const end = log.durableBytes
    const parts: Part[] = []
    try {
      parts.push({ file: disk.openRead(snapshot.path), offset: 0, length: snapshot.bytes })
      for (const { path, headerBytes, startByte, frameBytes } of log.segments) {
        const from = Math.max(startByte, snapshot.position)
        const to = Math.min(startByte + frameBytes, end)
        if (to > from) parts.push({ file: disk.openRead(path), offset: headerBytes + from - startByte, length: to - from })
      }
    } catch (error) {
      for (const { file } of parts) file.close()
      throw error
    }
    backup.parts = parts
    const logBytes = end - snapshot.position
    backup.state = { state: 'ready', snapshotBytes: snapshot.bytes, logPosition: snapshot.position, logBytes }
    logger.info({ backup: backup.id, snapshot: snapshot.path, from: snapshot.position, to: end }, 'a backup is being fetched')
  }
}

/** @throws CommandError when the disk refuses, or the file ends. */
function readSome(file: ReadFile, target: Uint8Array, position: number): number {
  let count = 0
  try {
    count = file.read(target, position)
  } catch (error) {
    if (!(error instanceof MeridianError)) throw error
    throw new CommandError(`ERR ${error.message}`)
  }
  if (count === 0) throw new CommandError(`ERR ${file.path} ends at byte ${position}, before its end`)
  return count
}
