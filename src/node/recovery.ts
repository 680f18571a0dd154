import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { Engine } from '../engine/engine.js'
import type { KeyStates } from '../keyspace/state/key-states.js'
import type { StateLoader } from '../keyspace/state/state-loader.js'
import type { FrameView } from '../crdt/frame.js'
import type { VersionVector } from '../crdt/version-vector.js'
import { LogRecovery, type OpenLogOptions, type RecoveryReport } from '../oplog/open-log.js'
import { firstPosition, lastPosition } from '../oplog/log-extent.js'
import { logFolder } from '../oplog/segment.js'
import type { SegmentedLog } from '../oplog/segmented-log.js'
import { snapshotFolder } from '../oplog/snapshot-format.js'
import {
  SnapshotReader,
  damagedSnapshot,
  listSnapshots,
  removeUnfinishedSnapshots,
  type SnapshotFile,
} from '../oplog/snapshot-reader.js'
import type { KeptSnapshot } from './snapshotter.js'
import { decodeTopology } from '../topology/topology-codec.js'

export interface RecoveryOptions {
  readonly log: Omit<OpenLogOptions, 'visit' | 'from'>
  readonly engine: Engine
  readonly states: KeyStates
  /** Applies a frame of the log. */
  readonly apply: (frame: FrameView) => void
  /** Sets what counts as stable: null is what it usually is. */
  readonly holdStability: (stable: SnapshotReader['header']['stable'] | null) => void
}

/**
 * The data hold effects of ops up to `until`, some of which are still to be applied, and again over what they have done already. Until they are, nothing more
 * than `stable` may be folded or dropped (docs/decisions/0019).
 */
export interface StabilityHold {
  readonly stable: VersionVector
  readonly until: VersionVector
}

/** How far a start has got. */
export interface RecoveryProgress {
  /** Of the snapshot file and the log behind it. */
  readonly totalBytes: number
  readonly loadedBytes: number
}

export interface Recovered {
  readonly log: SegmentedLog
  readonly report: RecoveryReport
  /** Newest first; those that a later start can begin from. */
  readonly snapshots: KeptSnapshot[]
  /** The snapshot has seen ops of other members that are still to come: see StabilityHold. */
  readonly hold: StabilityHold | null
}

/**
 * Brings a member's data back: the newest snapshot, then the log from the place that it stands for. In steps, so that clients can be told meanwhile.
 *
 *   snapshot --damaged--> an older one, or the whole log, if the log reaches back that far; else the error --> log --> done
 */
export class Recovery {
  private readonly files: SnapshotFile[]
  private readonly loader: StateLoader
  private reader: SnapshotReader | null = null
  private nextSection = 0
  private loadedOfSnapshot = 0
  private log: LogRecovery | null = null
  /** The snapshot that is being, or was, loaded. */
  private chosen: KeptSnapshot | null = null
  /** Why a newer snapshot could not be used. */
  private damage: MeridianError | null = null
  private totalBytes = 0
  private holdUntil = 0
  private hold: StabilityHold | null = null
  /** Position in the log of the frame that is applied next. */
  private at = 0

  constructor(private readonly options: RecoveryOptions) {
    const { disk, folder, logger } = options.log
    // A new member has neither.
    disk.ensureFolder(snapshotFolder(folder))
    disk.ensureFolder(logFolder(folder))
    for (const path of removeUnfinishedSnapshots(disk, folder))
      logger.info({ path }, 'removed a snapshot that was never finished')
    this.files = listSnapshots(disk, folder)
    this.loader = options.states.loader()
    this.choose()
  }

  get progress(): RecoveryProgress {
    return { totalBytes: this.totalBytes, loadedBytes: this.loadedOfSnapshot + (this.log?.bytes ?? 0) }
  }

  /** Goes on for about so many bytes, at least one section or frame; true when all is there. @throws MeridianError; then nothing on the disk was changed. */
  step(maxBytes: number): boolean {
    if (this.reader !== null) {
      this.loadSections(this.reader, maxBytes)
      return false
    }
    this.log ??= this.openLog()
    if (!this.log.step(maxBytes)) return false
    this.release()
    return true
  }

  /** After step has said true. */
  finish(): Recovered {
    if (this.log === null) throw new Error('nothing was recovered')
    // A killed process may have given a snapshot its name in the operating system's cache only. Of the log what it makes superfluous goes from here on.
    const { disk, folder } = this.options.log
    disk.syncFolder(snapshotFolder(folder))
    const { log, report } = this.log.finish()
    return { log, report, snapshots: this.usableSnapshots(log.firstByte), hold: this.hold }
  }

  /** Lets go of what is open. */
  close(): void {
    this.reader?.close()
    this.reader = null
    this.log?.close()
  }

  /** Opens the newest snapshot that has not been found damaged, or goes on without one. */
  private choose(): void {
    const { options } = this
    const { disk, folder, clusterId, memberId, logger } = options.log
    for (;;) {
      const file = this.files.shift()
      const begin = firstPosition(disk, folder)
      if (file === undefined) {
        // Without a damaged one there never was one; a log that does not begin at its beginning says so itself.
        if (this.damage !== null && begin > 0) throw this.damage
        this.totalBytes = lastPosition(disk, folder)
        return
      }
      try {
        const reader = new SnapshotReader(disk, file.path, { clusterId, memberId })
        const { position } = reader.header
        if (begin > position) {
          reader.close()
          if (this.damage !== null) throw this.damage
          throw damagedSnapshot(
            file.path,
            24,
            `it begins at position ${position} of the log, but the log begins at ${begin} only`,
          )
        }
        if (this.damage !== null) logger.warn({ path: file.path }, 'starting from an older snapshot and the log behind it')
        this.begin(reader, file)
        return
      } catch (error) {
        this.note(error)
      }
    }
  }

  private begin(reader: SnapshotReader, file: SnapshotFile): void {
    const { engine, log, holdStability } = this.options
    const { header, end, bytes } = reader
    this.reader = reader
    this.nextSection = 0
    this.loadedOfSnapshot = 0
    this.chosen = { ...file, position: header.position, bytes, writtenMs: header.writtenMs }
    this.totalBytes = bytes + Math.max(0, lastPosition(log.disk, log.folder) - header.position)
    this.holdUntil = end.position
    // Nothing may be folded by more than the file was until the log has passed everything that the file may have seen.
    holdStability(header.stable)
    this.hold = { stable: header.stable, until: end.seen }
    engine.replay.restore(header.vector, header.stable, header.clock)
    if (header.topology.length > 0) engine.topology.merge(decodeTopology(header.topology, file.path))
    engine.hlc.observe(end.clock)
    for (const { database, stamps } of end.highest) {
      if (database >= engine.keyspace.databaseCount) throw tooFewDatabases(reader.path, database)
      engine.keyspace.database(database).highest.set(stamps.stamps)
    }
  }

  private loadSections(reader: SnapshotReader, maxBytes: number): void {
    const { engine } = this.options
    const until = this.loadedOfSnapshot + maxBytes
    try {
      while (this.nextSection < reader.sections.length) {
        const section = reader.sections[this.nextSection++]
        if (section.database >= engine.keyspace.databaseCount) throw tooFewDatabases(reader.path, section.database)
        const records = reader.readSection(section, true)
        const keys = this.loadSection(reader, section, records)
        if (keys !== section.keys)
          throw damagedSnapshot(reader.path, section.offset, `a section begins ${keys} keys, the index says ${section.keys}`)
        this.loadedOfSnapshot += records.length
        if (this.loadedOfSnapshot >= until) return
      }
      this.loader.end()
    } catch (error) {
      reader.close()
      this.reader = null
      this.loader.reset()
      this.hold = null
      this.note(error)
      engine.forgetEverything()
      this.choose()
      return
    }
    this.loadedOfSnapshot = reader.bytes
    reader.close()
    this.reader = null
  }

  private loadSection(reader: SnapshotReader, section: { database: number; offset: number }, records: Uint8Array): number {
    try {
      return this.loader.load(section.database, records, 0, records.length)
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      throw damagedSnapshot(reader.path, section.offset, error.message, error)
    }
  }

  /** Damage is survived if something older does; anything else is not for us to pass over. */
  private note(error: unknown): void {
    if (!(error instanceof MeridianError) || error.code !== 'MRD_SNAPSHOT_DAMAGED' || error === this.damage) throw error
    this.damage ??= error
    this.chosen = null
    this.options.log.logger.error({ code: error.code }, error.message)
  }

  private openLog(): LogRecovery {
    const { engine, log, apply } = this.options
    const { chosen } = this
    const header = engine.applied.clone()
    this.at = chosen?.position ?? 0
    return new LogRecovery({
      ...log,
      visit: (frame: FrameView) => {
        apply(frame)
        this.at += frame.bytes.length
        if (this.hold !== null && this.at >= this.holdUntil) this.release()
      },
      ...(chosen !== null && { from: { position: chosen.position, vector: header, end: this.holdUntil, skim: true } }),
    })
  }

  /** The log has passed what the snapshot's records can have seen of it; if they have seen nothing else, what is stable is what it usually is. */
  private release(): void {
    const { hold } = this
    if (hold !== null && !this.options.engine.applied.dominates(hold.until)) return
    this.hold = null
    this.options.holdStability(null)
  }

  /** The one that was loaded, and an older one that looks whole. */
  private usableSnapshots(firstByte: number): KeptSnapshot[] {
    const { disk, clusterId, memberId, logger } = this.options.log
    if (this.chosen === null) return []
    const usable = [this.chosen]
    for (const file of this.files.slice(0, 1)) {
      try {
        const reader = new SnapshotReader(disk, file.path, { clusterId, memberId })
        const { header, bytes } = reader
        reader.close()
        if (header.position >= firstByte) usable.push({ ...file, position: header.position, bytes, writtenMs: header.writtenMs })
      } catch (error) {
        if (!(error instanceof MeridianError)) throw error
        logger.warn({ code: error.code }, `An older snapshot is of no use: ${error.message}`)
      }
    }
    return usable
  }
}

export function tooFewDatabases(path: string, database: number): MeridianError {
  return new MeridianError(
    'MRD_CONFIG',
    `${path} holds database ${database}, which the setting storage.databases leaves no room for`,
    `Set storage.databases to ${database + 1} or more; at most ${LIMITS.maxDatabases}.`,
  )
}
