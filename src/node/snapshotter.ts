import { assert } from '../base/assert.js'
import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { MemberId, Stamp } from '../base/ids.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Engine } from '../engine/engine.js'
import { SHARD_COUNT } from '../keyspace/database.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import type { KeyStates } from '../keyspace/state/key-states.js'
import { StateBytes } from '../keyspace/state/state-bytes.js'
import type { StateWalk } from '../keyspace/state/state-walk.js'
import type { SegmentedLog } from '../oplog/segmented-log.js'
import { snapshotFileName, snapshotFolder, type DatabaseHighest } from '../oplog/snapshot-format.js'
import { listSnapshots } from '../oplog/snapshot-reader.js'
import { SnapshotWriter } from '../oplog/snapshot-writer.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Logger } from '../ports/logger.js'
import { OthersShare } from './others-share.js'

/** BGSAVE and SAVE, or BGREWRITEAOF and its automatic form: the same, but told apart in what clients see. */
export type SnapshotKind = 'save' | 'rewrite'

/** What the snapshotter needs of the member whose data it writes. */
export interface SnapshotHost {
  readonly engine: Engine
  readonly log: SegmentedLog
  readonly states: KeyStates
  /** From now on nothing is folded or dropped that is not stable now; gives what is. */
  freezeStability(): VersionVector
  thawStability(): void
  /** What the data may show: everything applied here, and what data of another member's snapshot had seen. */
  seen(): VersionVector
  /** A snapshot is complete. */
  snapshotCompleted(): void
  /** The list of members, as topology-codec writes it; empty while it is the configuration's. */
  topologyBytes(): Uint8Array
}

export interface SnapshotterOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  readonly dataFolder: string
  readonly clusterId: string
  readonly memberId: MemberId
  /** Of the program. */
  readonly version: string
  readonly pace: SnapshotPace
}

/** How fast a snapshot is written beside everything else. */
export interface SnapshotPace {
  /** Bytes between two looks at the clock. */
  readonly stepBytes: number
  /** Milliseconds, and bytes, after which a turn ends. */
  readonly turnMs: number
  readonly turnBytes: number
  readonly sectionBytes: number
  /** Least time between turns. 0 in earnest: then the pace is a share of the time. */
  readonly pauseMs: number
}

export const DEFAULT_SNAPSHOT_PACE: SnapshotPace = {
  stepBytes: 32 * 1024,
  turnMs: LIMITS.snapshotTurnMs,
  turnBytes: Infinity,
  sectionBytes: LIMITS.snapshotSectionBytes,
  pauseMs: 0,
}

/** A complete snapshot that a start can begin from. */
export interface KeptSnapshot {
  readonly sequence: number
  readonly path: string
  readonly position: number
  readonly bytes: number
  readonly writtenMs: number
}

/** Between looks at whether something has come about. */
const LOOK_MS = 5
/** A snapshot does not wait longer than this for a new segment to begin. */
const SEGMENT_WAIT_MS = 1000
const FIRST_RETRY_MS = 5000
const LONGEST_RETRY_MS = 300_000

/** The place that data of another member's snapshot stand for. */
export interface AdoptedPlace {
  readonly vector: VersionVector
  readonly stable: VersionVector
  readonly clock: Stamp
  /** What the data may show beyond it. */
  readonly seen: VersionVector
}

/** Takes the data of another member's snapshot for this one's own: what happens besides. */
interface Adoption {
  readonly place: AdoptedPlace
  /** The file is durable and has not got its name yet. */
  prepare(done: (error: Error | null) => void): void
  ended(error: Error | null): void
}

/** One snapshot under way. */
interface Run {
  /** The data are another member's; null: they are what the log leads to. */
  readonly adoption: Adoption | null
  readonly kind: SnapshotKind
  readonly startMs: number
  readonly changes: number
  writer: SnapshotWriter | null
  /**
   * Highest stamps of each database when writing began. A FLUSHDB that is read from the log then finds that it has seen everything, as it did the first time, and
   * lets everything go, also what the snapshot has from after it: that comes again from the log.
   */
  highest: readonly DatabaseHighest[]
  walk: StateWalk | null
  frozen: boolean
}

/**
 * Writes snapshots of a member's data, one at a time, in small steps beside everything else:
 *
 *   idle --begin--> waiting for a new segment --> walking the shards --> log durable as far as was seen --> file durable --> named --> idle
 *                        \------------------------------- error, stop: nothing is left ------------------------------------/
 *
 * Why its records may be of different moments, and why stability stands still meanwhile: docs/decisions/0019.
 */
export class Snapshotter {
  /** Newest first, at most two: if the newest turns out damaged, a start begins from the other. */
  kept: KeptSnapshot[] = []
  /** Since the start of the process. */
  completed = 0
  lastStatus: Record<SnapshotKind, 'ok' | 'err'> = { save: 'ok', rewrite: 'ok' }
  /** Seconds; -1 when there was none. */
  lastDuration: Record<SnapshotKind, number> = { save: -1, rewrite: -1 }
  lastError: string | null = null
  /** Runs when the present one has ended. */
  scheduled: SnapshotKind | null = null
  /** Not before this the next automatic one, after a failure; monotonic. */
  retryAtMs = 0
  /** Effects counted by the engine when the last one began. */
  savedChanges = 0
  private run: Run | null = null
  private retryDelayMs = FIRST_RETRY_MS
  private timer: Timer | null = null
  private stopped = false
  private readonly out = new StateBytes()
  private database = 0
  private shard = -1
  /** The walk is within a shard. */
  private within = false
  /** What is being written of `out`; null while the walk writes to that. */
  private section: Generator<undefined, void> | null = null
  private readonly others = new OthersShare()

  constructor(
    private readonly options: SnapshotterOptions,
    private readonly host: SnapshotHost,
  ) {}

  /** Of what is being written now, or null. */
  get running(): SnapshotKind | null {
    return this.run?.kind ?? null
  }

  /** Seconds since the one under way began; -1 when there is none. */
  get currentSeconds(): number {
    return this.run === null ? -1 : Math.floor((this.options.clock.monotonicMs() - this.run.startMs) / 1000)
  }

  /** Begins one in the background, soon. None may be under way. */
  begin(kind: SnapshotKind): void {
    assert(this.run === null && !this.stopped, 'one snapshot at a time')
    const run = this.newRun(kind)
    const untilMs = run.startMs + SEGMENT_WAIT_MS
    const wait = (): void => {
      // An own op that is in the log already, but half applied, would be neither in the snapshot nor behind it.
      if (this.host.engine.longWrites.isApplying) return this.later(run, LOOK_MS, wait)
      // What the snapshot makes superfluous ends with a segment, so that it can be removed as a whole.
      if (this.host.log.requestSegment() && this.options.clock.monotonicMs() < untilMs) return this.later(run, LOOK_MS, wait)
      this.host.log.cancelSegment()
      this.attempt(run, () => {
        this.startWriting(run)
        this.nextTurn(run)
      })
    }
    this.later(run, 0, wait)
  }

  /** Begins one when the one under way has ended, and not in the middle of a transaction. */
  schedule(kind: SnapshotKind): void {
    this.scheduled = kind
    this.options.clock.defer(() => {
      if (this.run === null) this.runScheduled()
    })
  }

  /** Writes one while everything stands still. @throws MeridianError; then nothing is left of it. */
  saveNow(kind: SnapshotKind): void {
    assert(!this.stopped, 'no snapshot after the stop')
    // This one is as good as that one, and sooner.
    if (this.run?.kind === 'rewrite') this.abandon(this.run)
    assert(this.run === null, 'one snapshot at a time')
    const { engine, log } = this.host
    const run = this.newRun(kind)
    try {
      engine.requestSync()
      log.syncNow()
      log.requestSegment()
      this.startWriting(run)
      while (this.walkOn(run));
      this.finishWriting(run)
      log.syncNow()
      const writer = writerOf(run)
      writer.syncNow()
      writer.publish()
    } catch (error) {
      this.fail(run, error)
      throw error
    }
    this.complete(run)
  }

  /**
   * Writes one of data that are another member's: they stand for a place behind the log's end, which has seen other frames. When it has its name the older
   * ones are of no use any more. None may be under way, and nothing may change meanwhile.
   */
  adopt(adoption: Adoption): void {
    assert(this.run === null && !this.stopped, 'one snapshot at a time')
    const run = this.newRun('rewrite', adoption)
    this.later(run, 0, () =>
      this.attempt(run, () => {
        this.startWriting(run)
        this.nextTurn(run)
      }),
    )
  }

  /** What a snapshot takes on the disk: by what the data take in memory, which as a rule is more. */
  get largestBytes(): number {
    return this.host.engine.keyspace.usedBytes()
  }

  /** Gives up what is under way, and what was to follow it. */
  giveUp(): void {
    this.scheduled = null
    const { run } = this
    if (run !== null) this.abandon(run)
  }

  /** How far the one under way has got, in percent of the databases' shards; 0 when there is none. */
  get percent(): number {
    if (this.run === null || this.run.writer === null) return 0
    return Math.floor(
      (100 * (this.database * SHARD_COUNT + this.shard + 1)) / (this.host.engine.keyspace.databaseCount * SHARD_COUNT),
    )
  }

  /** Gives up what is under way; nothing is begun any more. */
  stop(): void {
    this.stopped = true
    this.giveUp()
  }

  private newRun(kind: SnapshotKind, adoption: Adoption | null = null): Run {
    const startMs = this.options.clock.monotonicMs()
    const run: Run = {
      adoption,
      kind,
      startMs,
      changes: this.host.engine.effects.count,
      writer: null,
      highest: [],
      walk: null,
      frozen: false,
    }
    this.run = run
    return run
  }

  /** The place in the log that the snapshot stands for is here and now: everything before is applied, nothing after. */
  private startWriting(run: Run): void {
    const { options, host } = this
    const { engine, log } = host
    const refusal = log.refusalOfSnapshot(this.largestBytes)
    if (refusal !== null) throw refusal
    assert(!engine.longWrites.isApplying, 'a snapshot in the middle of a long write')
    // Closes the open frame: what this turn has written is before the place.
    engine.requestSync()
    const stable = run.adoption?.place.stable ?? host.freezeStability()
    run.frozen = run.adoption === null
    const sequence = Math.max(0, ...listSnapshots(options.disk, options.dataFolder).map((file) => file.sequence)) + 1
    run.writer = new SnapshotWriter(options.disk, options.dataFolder, {
      clusterId: options.clusterId,
      memberId: options.memberId,
      sequence,
      writtenMs: options.clock.wallMs(),
      version: options.version,
      position: log.endByte,
      vector: run.adoption?.place.vector ?? engine.applied.clone(),
      stable,
      clock: run.adoption?.place.clock ?? engine.hlc.last,
      topology: this.host.topologyBytes(),
    })
    run.highest = highestOf(this.host.engine.keyspace)
    run.walk = host.states.walk()
    this.out.reset()
    this.database = 0
    this.shard = -1
    this.within = false
    this.section = null
    options.logger.info({ sequence, position: log.endByte, kind: run.kind }, 'writing a snapshot')
  }

  private nextTurn(run: Run): void {
    const { clock, pace } = this.options
    const turn = (): void => this.attempt(run, () => this.turn(run))
    if (pace.pauseMs > 0) this.later(run, pace.pauseMs, turn)
    else if (this.others.pauseMs === 0) clock.defer(turn)
    else this.leaveToOthers(run, turn)
  }

  /** What has come during our steps is no measure of what others need, so they are watched from when that is done. */
  private leaveToOthers(run: Run, turn: () => void): void {
    const { clock } = this.options
    const beganMs = clock.monotonicMs()
    clock.defer(() => {
      if (this.run !== run) return
      const watchedFromMs = clock.monotonicMs()
      const restMs = this.others.pauseMs - (watchedFromMs - beganMs)
      if (restMs <= 0) {
        this.others.paused(watchedFromMs - beganMs, 0)
        return turn()
      }
      const idleMs = clock.idleMs()
      this.later(run, restMs, () => {
        this.others.paused(clock.monotonicMs() - watchedFromMs, clock.idleMs() - idleMs)
        turn()
      })
    })
  }

  private turn(run: Run): void {
    const { clock, pace } = this.options
    // What it has written already is not in the log, and perhaps never will be.
    if (this.host.engine.isInTransaction) return this.nextTurn(run)
    const beganMs = clock.monotonicMs()
    const writer = writerOf(run)
    if (writer.unsyncedBytes >= LIMITS.snapshotUnsyncedBytes && writer.isSyncing)
      return this.later(run, LOOK_MS, () => this.nextTurn(run))
    let more = true
    const end = clock.workUntil(pace.turnMs)
    const endBytes = writer.bytes + pace.turnBytes
    do more = this.walkOn(run)
    while (more && clock.monotonicMs() < end && writer.bytes + this.out.length < endBytes)
    this.syncBehind(run)
    this.others.worked(clock.monotonicMs() - beganMs)
    if (more) return this.nextTurn(run)
    this.finishWriting(run)
    this.waitForLog(run, this.host.log.endByte)
  }

  /** Writes a little more; false when all shards are complete. */
  private walkOn(run: Run): boolean {
    const { pace } = this.options
    const { out } = this
    const walk = run.walk
    assert(walk !== null, 'a snapshot that is being written')
    if (this.section !== null) {
      this.writeOn(this.section)
      return true
    }
    if (!this.within) {
      if (!this.findShard()) return false
      walk.begin(this.database, this.shard)
      this.within = true
    }
    this.within = !walk.step(out, pace.stepBytes)
    if (out.length > 0 && (!this.within || out.length >= pace.sectionBytes)) {
      const records = out.bytes.subarray(0, out.length)
      this.section = writerOf(run).addSectionInSteps(this.database, this.shard, walk.takeKeyCount(), records)
      this.writeOn(this.section)
    }
    return true
  }

  /** Writes some more of a section. */
  private writeOn(section: Generator<undefined, void>): void {
    if (section.next().done !== true) return
    this.section = null
    this.out.reset()
  }

  /** Moves to the next shard that may hold something. */
  private findShard(): boolean {
    const { keyspace } = this.host.engine
    for (; this.database < keyspace.databaseCount; this.database++, this.shard = -1) {
      const db = keyspace.peek(this.database)
      if (db === undefined) continue
      while (++this.shard < SHARD_COUNT) if (db.shardCount(this.shard) > 0 || db.hiddenCount > 0) return true
    }
    return false
  }

  /** Makes the file durable beside the writing, so that neither the end nor the log's own syncs wait for all of it. */
  private syncBehind(run: Run): void {
    const writer = writerOf(run)
    if (writer.isSyncing || writer.unsyncedBytes < LIMITS.snapshotSyncBytes) return
    const refusal = this.host.log.refusalOfSnapshot(0)
    if (refusal !== null) throw refusal
    writer.sync((error) => {
      if (error !== null && this.run === run) this.fail(run, error)
    })
  }

  private finishWriting(run: Run): void {
    const { engine, log } = this.host
    engine.requestSync()
    this.thaw(run)
    writerOf(run).writeEnd({
      position: log.endByte,
      clock: engine.hlc.last,
      seen: run.adoption?.place.seen ?? this.host.seen(),
      highest: run.highest,
    })
  }

  /** The records may show what the log has in memory only: the file must not outlive that. */
  private waitForLog(run: Run, position: number): void {
    const { log } = this.host
    if (log.damage !== null) throw log.damage
    if (log.durableBytes < position) {
      log.requestSync()
      return this.later(run, LOOK_MS, () => this.attempt(run, () => this.waitForLog(run, position)))
    }
    this.waitForFile(run)
  }

  private waitForFile(run: Run): void {
    const writer = writerOf(run)
    if (writer.isSyncing) return this.later(run, LOOK_MS, () => this.attempt(run, () => this.waitForFile(run)))
    writer.sync((error) => {
      if (this.run !== run) return
      if (error !== null) return this.fail(run, error)
      if (run.adoption === null) return this.publish(run, writer)
      run.adoption.prepare((failure) => {
        if (this.run !== run) return
        if (failure !== null) this.fail(run, failure)
        else this.publish(run, writer)
      })
    })
  }

  private publish(run: Run, writer: SnapshotWriter): void {
    this.attempt(run, () =>
      writer.publishLater((failure) => {
        if (this.run !== run) return
        if (failure !== null) this.fail(run, failure)
        else this.complete(run)
      }),
    )
  }

  private complete(run: Run): void {
    const { options } = this
    const { header, bytes, keys, path } = writerOf(run)
    this.run = null
    this.completed++
    this.lastStatus[run.kind] = 'ok'
    this.lastError = null
    this.savedChanges = run.changes
    this.retryAtMs = 0
    this.retryDelayMs = FIRST_RETRY_MS
    const elapsedMs = Math.round(options.clock.monotonicMs() - run.startMs)
    this.lastDuration[run.kind] = Math.floor(elapsedMs / 1000)
    const { sequence, position, writtenMs } = header
    const older = run.adoption === null ? this.kept.slice(0, 1) : []
    this.kept = [{ sequence, path, position, bytes, writtenMs }, ...older]
    options.logger.info({ path, keys, bytes, elapsedMs }, 'the snapshot is complete')
    this.removeOthers()
    run.adoption?.ended(null)
    this.host.snapshotCompleted()
    this.runScheduled()
  }

  /** Lets the older of the two go: the disk is short of room. */
  dropOlder(): void {
    if (this.kept.length < 2) return
    this.kept = this.kept.slice(0, 1)
    this.removeOthers()
  }

  private removeOthers(): void {
    const { disk, dataFolder, logger } = this.options
    const names = new Set(this.kept.map(({ sequence }) => snapshotFileName(sequence)))
    for (const { path } of listSnapshots(disk, dataFolder)) {
      if (names.has(path.slice(snapshotFolder(dataFolder).length + 1))) continue
      disk.removeLater(path, (error) => {
        if (error !== null) logger.warn({ path, error: error.message }, 'an old snapshot could not be removed')
      })
    }
  }

  /** Runs a part of it; what the disk says ends it, anything else is a bug. */
  private attempt(run: Run, part: () => void): void {
    if (this.run !== run) return
    try {
      part()
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      this.fail(run, error)
    }
  }

  private fail(run: Run, error: unknown): void {
    const { clock, logger } = this.options
    this.abandon(run)
    const message = error instanceof Error ? error.message : String(error)
    this.lastStatus[run.kind] = 'err'
    this.lastError = message
    this.lastDuration[run.kind] = Math.floor((clock.monotonicMs() - run.startMs) / 1000)
    this.retryAtMs = clock.monotonicMs() + this.retryDelayMs
    this.retryDelayMs = Math.min(2 * this.retryDelayMs, LONGEST_RETRY_MS)
    logger.error({ code: error instanceof MeridianError ? error.code : undefined }, `The snapshot was given up: ${message}`)
    run.adoption?.ended(error instanceof Error ? error : new Error(message))
    this.runScheduled()
  }

  private abandon(run: Run): void {
    this.run = null
    this.timer?.cancel()
    this.timer = null
    this.thaw(run)
    run.writer?.abandon()
  }

  private thaw(run: Run): void {
    run.walk?.close()
    run.walk = null
    if (!run.frozen) return
    run.frozen = false
    this.host.thawStability()
  }

  private runScheduled(): void {
    const { scheduled } = this
    if (scheduled === null || this.stopped) return
    this.scheduled = null
    this.begin(scheduled)
  }

  private later(run: Run, delayMs: number, callback: () => void): void {
    this.timer = this.options.clock.setTimer(delayMs, () => {
      if (this.run === run) callback()
    })
  }
}

/** What each database has seen of each member. */
export function highestOf(keyspace: Keyspace): DatabaseHighest[] {
  const highest: DatabaseHighest[] = []
  for (let database = 0; database < keyspace.databaseCount; database++) {
    const db = keyspace.peek(database)
    if (db === undefined) continue
    const stamps = new VersionVector()
    stamps.stamps.set(db.highest)
    highest.push({ database, stamps })
  }
  return highest
}

function writerOf(run: Run): SnapshotWriter {
  assert(run.writer !== null, 'a snapshot that is being written')
  return run.writer
}
