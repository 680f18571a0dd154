import { assert } from '../base/assert.js'
import { MeridianError } from '../base/errors.js'
import type { MemberId, Stamp } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { EVERYTHING_STABLE } from '../crdt/apply-context.js'
import type { FrameView } from '../crdt/frame.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Services } from '../commands/services.js'
import { Engine, type EngineOptions } from '../engine/engine.js'
import type { Collections } from '../keyspace/collections.js'
import { claimDataFolder } from '../oplog/data-folder.js'
import type { RecoveryReport } from '../oplog/open-log.js'
import type { LogCursor, SyncPolicy } from '../oplog/op-log.js'
import { Retention, type RetentionInput } from '../oplog/retention.js'
import type { SegmentedLog } from '../oplog/segmented-log.js'
import type { VectorEntry } from '../peer-sync/messages.js'
import { PeerSync } from '../peer-sync/peer-sync.js'
import type { KnownVectors, MemberInfo, SyncHost, Topology } from '../peer-sync/sync-host.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Logger } from '../ports/logger.js'
import type { Network } from '../ports/network.js'
import type { Random } from '../ports/random.js'
import type { Introduced } from '../topology/introduction.js'
import { Backups } from './backups.js'
import { Membership } from './membership.js'
import { MemberIntake } from './member-intake.js'
import { Recovery, type RecoveryProgress, type StabilityHold } from './recovery.js'
import { ReplicatedStability } from './replicated-stability.js'
import { MemberShelf } from './snapshot-shelf.js'
import { DEFAULT_SNAPSHOT_PACE, Snapshotter, type SnapshotHost, type SnapshotPace } from './snapshotter.js'

/** Between notes of what is stable in the log, and looks at what of the log may go and whether a snapshot is due. */
const UPKEEP_PERIOD_MS = 1000
/** Below the disk's reserve a snapshot is begun when the log that it makes superfluous has so many times the room that it takes. */
const ROOM_GAIN = 2
const DEFAULT_START_WAIT_MS = 3000

export interface MemberPorts {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  /** Null for a database with one member. */
  readonly network: Network | null
  readonly logger: Logger
}

export interface MemberOptions {
  /** What the configuration says; what counts may be in the data folder. Without members when that must have it: a new member. */
  readonly topology: Topology
  /** This member's, where the topology of the configuration has no members. */
  readonly name?: string
  readonly dataFolder: string
  readonly databases: number
  readonly appendfsync: 'always' | 'everysec' | 'no'
  /** How long a restarted member of several waits to hear from another one before it takes writes. */
  readonly startWaitMs?: number
  /** Sets what decides the forms of collections, before the log is read. */
  readonly tuneCollections?: (collections: Collections) => void
  readonly segmentBytes?: number
  readonly snapshotPace?: SnapshotPace
  readonly slicing?: EngineOptions['slicing']
}

/** When a snapshot is written without being asked for, and how much of the log is kept. May change at any time. */
export interface KeepingSettings {
  /** A snapshot is due when the log behind the last one has this share of the last one's size, in percent; 0: never by itself. */
  rewritePercentage: number
  /** And when both together have this many bytes. */
  rewriteMinBytes: number
  /** Bytes of log kept for members that do not have them yet. */
  backlogBytes: number
  /** Bytes a second of snapshots for other members, all together; 0: no bound. */
  syncMaxRate: number
}

/** What there is once recovery is done. */
interface Running {
  readonly log: SegmentedLog
  readonly report: RecoveryReport
  readonly sync: PeerSync | null
  readonly snapshots: Snapshotter
  readonly retention: Retention
  readonly backups: Backups
}

/**
 * One member without its client front end: engine, log and peer sync, joined. Deterministic given its ports, so that the simulator runs many in one
 * process. Recovery comes first, all at once or in steps; log, links and snapshots are there when it is done.
 */
export class Member implements SyncHost {
  readonly engine: Engine
  readonly membership: Membership
  readonly keeping: KeepingSettings = {
    rewritePercentage: 0,
    rewriteMinBytes: 0,
    backlogBytes: LIMITS.defaultBacklogBytes,
    syncMaxRate: 0,
  }
  /** Without a network there can never be other members. */
  private readonly cannotLink: boolean
  private appendfsync: MemberOptions['appendfsync']
  /** Null until recovery is done. */
  private running: Running | null = null
  private recoveryUnderWay: Recovery | null
  private stability: ReplicatedStability | null = null
  /** What counts as stable while a snapshot is written; null while none is. */
  private frozen: VersionVector | null = null
  /** The data are ahead of what is applied, after a snapshot of another member was taken, or while it is. */
  private hold: StabilityHold | null = null
  /** Snapshots for other members, and the place for theirs; null without peers. */
  shelf: MemberShelf | null = null
  intake: MemberIntake | null = null
  private readonly progressListeners: (() => void)[] = []
  private stopped = false
  private readonly noted = new VersionVector()
  /** Reused by everStable. */
  private readonly ever = new VersionVector()

  constructor(
    private readonly options: MemberOptions,
    private readonly ports: MemberPorts,
    /** Made by the caller around the member; commands reach the server through it. */
    private readonly services: Services,
    /** In steps: the caller calls recoverStep until it says that the member runs. Commands are answered LOADING meanwhile. */
    start: 'at once' | 'in steps' = 'at once',
  ) {
    const { topology, dataFolder, databases, appendfsync } = options
    const { clock, random, disk, logger, network } = ports
    const solo = (this.cannotLink = network === null)
    claimDataFolder(disk, dataFolder, {
      clusterId: topology.clusterId,
      memberId: topology.self,
      memberName: options.name ?? topology.members.find((member) => member.id === topology.self)?.name ?? '',
      createdMs: clock.wallMs(),
    })
    const { slicing } = options
    const engineOptions = { self: topology.self, databases, solo, hashSeed: random.uint32(), ...(slicing && { slicing }) }
    this.engine = new Engine(engineOptions, clock, services)
    this.engine.journal.syncAlways = appendfsync === 'always'
    this.appendfsync = appendfsync
    options.tuneCollections?.(this.engine.collections)
    this.membership = new Membership(
      { configured: topology, dataFolder, startWaitMs: options.startWaitMs ?? DEFAULT_START_WAIT_MS, random },
      this.engine,
      clock,
      disk,
      logger,
      () => this.membersChanged(),
      () => this.intake?.isOpen === true,
      () => this.hold?.until ?? null,
    )
    this.useStability()
    this.recoveryUnderWay = this.newRecovery((frame) => this.engine.replay.recover(frame))
    if (start === 'at once') while (!this.recoverStep(Infinity));
  }

  private newRecovery(apply: (frame: FrameView) => void): Recovery {
    const { topology, dataFolder, appendfsync, segmentBytes } = this.options
    const { clock, disk, logger } = this.ports
    return new Recovery({
      log: {
        disk,
        clock,
        logger,
        folder: dataFolder,
        clusterId: topology.clusterId,
        memberId: topology.self,
        syncPolicy: syncPolicyOf(appendfsync, this.cannotLink),
        // Alone, nobody reads the log while it runs.
        ...(this.cannotLink && { recentFrameBytes: 0 }),
        ...(segmentBytes !== undefined && { segmentBytes }),
      },
      engine: this.engine,
      states: this.engine.states,
      apply,
      holdStability: (stable) => this.holdWhileRecovering(stable),
    })
  }

  /**
   * Goes on with recovery for about so many bytes; true when it is done and the member runs.
   * @throws MeridianError when the data cannot be read; then nothing on the disk was changed and the member is of no use.
   */
  recoverStep(maxBytes: number): boolean {
    const recovery = this.recoveryUnderWay
    assert(recovery !== null, 'a member that recovers')
    try {
      if (!recovery.step(maxBytes)) return false
      this.run(recovery)
      return true
    } catch (error) {
      recovery.close()
      throw error
    }
  }

  /** How far recovery has got; null when it is done. */
  get loading(): RecoveryProgress | null {
    return this.recoveryUnderWay?.progress ?? null
  }

  private run(recovery: Recovery): void {
    const { clock, random, network, logger, disk } = this.ports
    const { log, report, snapshots, hold } = recovery.finish()
    const { dataFolder, snapshotPace: pace = DEFAULT_SNAPSHOT_PACE } = this.options
    const { version } = this.services.server
    const { clusterId, self: memberId } = this.topology
    const host = this.snapshotHost(log)
    const snapshotter = new Snapshotter({ disk, clock, logger, dataFolder, clusterId, memberId, version, pace }, host)
    snapshotter.kept = snapshots
    let sync: PeerSync | null = null
    if (network !== null) {
      this.membership.recovered()
      this.makeTransfers(log, snapshotter)
      const peers = (sync = new PeerSync(this, { network, clock, random, logger }))
      const stability = new ReplicatedStability(
        this.engine.applied,
        () => peers.stable(),
        () => this.engine.isMidway,
      )
      this.stability = stability
      this.holdStability(hold)
      this.engine.pubsub.remote = peers
      peers.onPublication(({ channel, message, sharded }) => this.engine.pubsub.receive(channel, message, sharded))
      peers.onStatus(() => {
        this.membersChanged()
        this.membership.review()
      })
      peers.onVectors(() => {
        stability.invalidate()
        this.progressed()
      })
    }
    const backups = new Backups({ disk, clock, logger }, this.engine, log, snapshotter, {
      isTaking: () => this.intake?.isOpen === true,
      isWhole: () => this.hold === null,
    })
    this.running = {
      log,
      report,
      sync,
      snapshots: snapshotter,
      retention: new Retention(log, () => this.retentionInput()),
      backups,
    }
    this.recoveryUnderWay = null
    // It may have been changed since recovery began.
    log.setSyncPolicy(syncPolicyOf(this.appendfsync, this.isAlone))
    log.onChange(() => this.progressed())
    this.engine.journal.onAppended = () => {
      this.stability?.invalidate()
      if (this.hold !== null && this.engine.applied.dominates(this.hold.until)) this.holdStability(null)
    }
    this.engine.onLongWritesIdle = () => this.sync?.onLogChange()
    this.engine.memory.onPressure = (message, figures) => logger.warn(figures, message)
    this.engine.start(log)
    this.membership.start(log, sync)
    this.membersChanged()
    this.scheduleUpkeep()
    sync?.start()
  }

  private snapshotHost(log: SegmentedLog): SnapshotHost {
    return {
      engine: this.engine,
      log,
      states: this.engine.states,
      freezeStability: () => this.freezeStability(),
      thawStability: () => this.thawStability(),
      seen: () => {
        const seen = this.engine.applied.clone()
        if (this.hold !== null) seen.merge(this.hold.until)
        return seen
      },
      topologyBytes: () => this.membership.encoded(),
      snapshotCompleted: () => this.trimLog(),
    }
  }

  private makeTransfers(log: SegmentedLog, snapshots: Snapshotter): void {
    const { clock, disk } = this.ports
    const isTaking = () => this.intake?.isOpen === true
    this.shelf = new MemberShelf(disk, clock, {
      log,
      snapshots,
      get isTaking() {
        return isTaking()
      },
      maxRate: () => this.keeping.syncMaxRate,
      durableBy: (member) => this.sync?.durableBy(member) ?? null,
    })
    this.intake = new MemberIntake({
      engine: this.engine,
      log,
      snapshots,
      topologyReceived: (bytes, from) => this.membership.received(bytes, from),
      holdStability: (hold) => this.holdStability(hold),
      adopted: () => this.progressed(),
    })
  }

  /** @throws while the member is not running yet, as the others below. */
  get log(): SegmentedLog {
    return this.parts.log
  }

  /** Null for a member alone. */
  get sync(): PeerSync | null {
    return this.running?.sync ?? null
  }

  get recovery(): RecoveryReport {
    return this.parts.report
  }

  get snapshots(): Snapshotter {
    return this.parts.snapshots
  }

  get backups(): Backups {
    return this.parts.backups
  }

  private get parts(): Running {
    assert(this.running !== null, 'a member that runs')
    return this.running
  }

  /** Everything applied here, the open frame of this turn not included. */
  get applied(): VersionVector {
    return this.engine.applied
  }

  get durable(): VersionVector {
    return this.running === null ? this.engine.applied : this.running.log.durable
  }

  /** What no later op can be concurrent with. */
  get stable(): VersionVector {
    return this.frozen ?? this.hold?.stable ?? (this.stability === null ? this.engine.applied : this.stability.refresh())
  }

  get everStable(): VersionVector {
    const { ever } = this
    ever.copyFrom(this.engine.replay.stable)
    ever.merge(this.stable)
    return ever
  }

  get isRefusing(): boolean {
    return this.log.refusal !== null || this.engine.takesNoFrames || this.intake?.isOpen === true
  }

  get hasAskedAround(): boolean {
    return this.membership.hasAskedAround
  }

  applyFrame(frame: FrameView): void {
    this.engine.remote.take(frame)
  }

  get topology(): Topology {
    return this.membership.topology
  }

  get topologyBytes(): Uint8Array | null {
    return this.membership.bytes
  }

  topologyReceived(bytes: Uint8Array, from: string): void {
    this.membership.received(bytes, from)
  }

  introduced(bytes: Uint8Array, stranger: Introduced): string | null {
    return this.membership.introduced(bytes, stranger)
  }

  get takesOwnFrames(): boolean {
    return this.membership.takesOwnFrames
  }

  get isWhole(): boolean {
    return this.membership.isWhole
  }

  ownOpsElsewhere(member: MemberInfo, stamp: Stamp): void {
    this.membership.ownOpsElsewhere(member, stamp)
  }

  saidBefore(member: MemberInfo, durable: readonly VectorEntry[]): void {
    this.membership.saidBefore(member, durable)
  }

  reportedBy(member: MemberInfo, its: KnownVectors, isFirst: boolean): void {
    this.membership.reportedBy(member, its, isFirst)
  }

  get isRemoved(): boolean {
    return this.membership.isRemoved
  }

  refusedAsRemoved(message: string): void {
    this.membership.refusedAsRemoved(message)
  }

  refusedAsStray(message: string): void {
    this.membership.refusedAsStray(message)
  }

  refusedAsForked(message: string): void {
    this.membership.refusedAsForked(message)
  }

  /** There are no other members whose writes could be concurrent with ours. */
  get isAlone(): boolean {
    return this.sync === null || this.sync.isAlone
  }

  openCursor(origin: MemberId, after: Stamp): LogCursor {
    return this.log.openCursor(origin, after)
  }

  logBegins(origin: MemberId): Stamp {
    return this.log.segments[0].vector.get(origin)
  }

  /** Called back when durable positions here or reported positions of peers have moved. */
  onProgress(listener: () => void): void {
    this.progressListeners.push(listener)
  }

  /** CONFIG SET appendfsync. In a mesh the log is synced continuously whatever it says, because only durable frames are sent. */
  setAppendFsync(policy: 'always' | 'everysec' | 'no'): void {
    this.engine.journal.syncAlways = policy === 'always'
    this.appendfsync = policy
    this.running?.log.setSyncPolicy(syncPolicyOf(policy, this.isAlone))
  }

  /** From one member to several, and back. */
  private membersChanged(): void {
    this.stability?.invalidate()
    if (this.engine.effects.solo === this.isAlone) return
    this.engine.effects.solo = this.isAlone
    this.log.setSyncPolicy(syncPolicyOf(this.appendfsync, this.isAlone))
  }

  /**
   * Forgets all data and reads it again from the disk, while everything else stands still: from a snapshot that is written before, or from the last one and the
   * log behind it. Null, or why not, as an error reply.
   */
  reload(saveBefore: boolean): string | null {
    const { log, snapshots } = this
    if (snapshots.running !== null) return 'ERR Background save already in progress'
    if (this.intake?.isOpen === true) return `ERR ${TAKING_SNAPSHOT}`
    if (this.engine.longWrites.isApplying) return 'ERR a long write is under way: try again later'
    if (log.refusal !== null) return `MISCONF the log is not whole on the disk: ${log.refusal.message}`
    // What others have reported as stable by now must not be taken for what was stable when the log was written.
    if (!saveBefore && this.sync !== null) return 'ERR only a member without peers can read its data from the log again'
    try {
      if (saveBefore) snapshots.saveNow('save')
      else this.engine.requestSync()
      log.syncNow()
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      return `ERR ${error.message}`
    }
    const { engine } = this
    const position = engine.applied.clone()
    engine.forgetEverything()
    const recovery = this.newRecovery((frame) => engine.replay.apply(frame))
    while (!recovery.step(Infinity));
    recovery.close()
    this.useStability()
    assert(engine.applied.equals(position), 'what was read again is what was there')
    return null
  }

  /** Orderly stop: everything appended is made durable. */
  stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.membership.stop()
    this.recoveryUnderWay?.close()
    this.running?.snapshots.stop()
    this.running?.backups.stop()
    this.shelf?.close()
    this.engine.stop()
    this.sync?.stop()
    this.running?.log.close()
  }

  private scheduleUpkeep(): void {
    this.ports.clock.setTimer(UPKEEP_PERIOD_MS, () => {
      if (this.stopped) return
      if (this.sync !== null) this.noteStability()
      if (this.isSnapshotDue()) this.snapshots.begin('rewrite')
      this.trimLog()
      this.scheduleUpkeep()
    })
  }

  /** Notes in the log what has become stable, unless that must wait. */
  noteStability(): void {
    // The log stands still then.
    if (this.intake?.isOpen === true || this.engine.isInTransaction) return
    const stable = this.stable
    if (stable.equals(this.noted)) return
    this.engine.noteStability(stable)
    this.noted.copyFrom(stable)
  }

  /** Bytes that a start reads: the newest snapshot, and the log behind it. */
  get persistentBytes(): { base: number; total: number } {
    const [newest] = this.snapshots.kept
    const base = newest?.bytes ?? 0
    return { base, total: base + this.log.appendedBytes - (newest?.position ?? 0) }
  }

  private isSnapshotDue(): boolean {
    const { rewritePercentage, rewriteMinBytes } = this.keeping
    const { snapshots, log } = this
    if (rewritePercentage === 0 || snapshots.running !== null || this.intake?.isOpen === true || log.damage !== null) return false
    if (this.ports.clock.monotonicMs() < snapshots.retryAtMs) return false
    const { base, total } = this.persistentBytes
    if (log.isBelowReserve) {
      // It is what may free room, where there is a good deal more log than it takes itself.
      const bytes = snapshots.largestBytes
      return total - base >= ROOM_GAIN * bytes && log.refusalOfSnapshot(bytes) === null
    }
    return total >= rewriteMinBytes && (total - base) * 100 >= base * rewritePercentage
  }

  /** Lets go of what of the log is needed neither for a start nor by another member. */
  private trimLog(): void {
    const { log, snapshots, retention } = this.parts
    if (log.isShortOfRoom) snapshots.dropOlder()
    retention.run()
  }

  private retentionInput(): RetentionInput | null {
    const oldest = this.snapshots.kept.at(-1)
    if (oldest === undefined) return null
    const durableElsewhere = this.sync?.durableElsewhere() ?? []
    const followed = this.sync?.followed()
    const neededFrom = Math.min(oldest.position, this.shelf?.neededFrom ?? Infinity)
    return {
      neededFrom,
      durableElsewhere,
      followedElsewhere: followed?.all ?? [],
      followedAtStaying: followed?.staying ?? [],
      stays: !this.membership.isRemoved,
      budgetBytes: this.keeping.backlogBytes,
    }
  }

  private freezeStability(): VersionVector {
    const frozen = this.stable.clone()
    this.frozen = frozen
    this.engine.keyspace.stability = this.fixedStability(frozen)
    return frozen
  }

  private thawStability(): void {
    this.frozen = null
    this.useStability()
    this.stability?.invalidate()
  }

  private holdStability(hold: StabilityHold | null): void {
    // Without anything to wait for nothing that comes would end it.
    this.hold = hold !== null && this.engine.applied.dominates(hold.until) ? null : hold
    if (this.frozen === null) this.useStability()
    this.stability?.invalidate()
  }

  /** While recovering: what the snapshot says, else what the log's notes have said so far; alone, everything. */
  private holdWhileRecovering(stable: VersionVector | null): void {
    if (stable !== null) this.engine.keyspace.stability = this.fixedStability(stable.clone())
    else this.useStability()
  }

  private useStability(): void {
    if (this.hold !== null) {
      this.engine.keyspace.stability = this.fixedStability(this.hold.stable)
      return
    }
    this.engine.keyspace.stability =
      this.stability ?? (this.cannotLink ? EVERYTHING_STABLE : this.fixedStability(this.engine.replay.stable))
  }

  /** Its vector may move, if who moves it does not mind that it is looked at each time. */
  private fixedStability(vector: VersionVector): ReplicatedStability {
    return new ReplicatedStability(
      this.engine.applied,
      () => vector,
      () => this.engine.isMidway,
    )
  }

  private progressed(): void {
    if (this.stopped) return
    this.membership.review()
    this.sync?.onLogChange()
    for (const listener of this.progressListeners) listener()
  }
}

/** Why nothing is written while a snapshot of another member is taken. */
export const TAKING_SNAPSHOT = 'This member takes the state of another one, because what it lacks is in no log any more'

/** Replies wait for the disk under `always`, so nothing may delay it. Peers wait for it too, but a few milliseconds do not matter to them. */
function syncPolicyOf(policy: 'always' | 'everysec' | 'no', solo: boolean): SyncPolicy {
  if (policy === 'always') return 'immediate'
  return solo ? policy : 'continuous'
}
