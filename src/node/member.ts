import type { MemberId, Stamp } from '../base/ids.js'
import { EVERYTHING_STABLE } from '../crdt/apply-context.js'
import type { FrameView } from '../crdt/frame.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Services } from '../commands/services.js'
import { Engine } from '../engine/engine.js'
import type { Collections } from '../keyspace/collections.js'
import { claimDataFolder } from '../oplog/data-folder.js'
import { LogScan } from '../oplog/log-scan.js'
import { openLog, type RecoveryReport } from '../oplog/open-log.js'
import type { LogCursor, SyncPolicy } from '../oplog/op-log.js'
import type { SegmentedLog } from '../oplog/segmented-log.js'
import { PeerSync } from '../peer-sync/peer-sync.js'
import type { MemberInfo, SyncHost, Topology } from '../peer-sync/sync-host.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Logger } from '../ports/logger.js'
import type { Network } from '../ports/network.js'
import type { Random } from '../ports/random.js'
import { Membership } from './membership.js'
import { ReplicatedStability } from './replicated-stability.js'

/** Between notes of what is stable in the log. */
const NOTE_PERIOD_MS = 1000
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
}

/**
 * One member without its client front end: engine, log and peer sync, joined. Deterministic given its ports, so that the simulator runs many in one
 * process. Recovery is synchronous; links start afterwards.
 */
export class Member implements SyncHost {
  readonly engine: Engine
  readonly log: SegmentedLog
  readonly sync: PeerSync | null
  readonly recovery: RecoveryReport
  readonly membership: Membership
  private readonly stability: ReplicatedStability | null = null
  private readonly progressListeners: (() => void)[] = []
  private stopped = false
  private appendfsync: 'always' | 'everysec' | 'no'
  private readonly noted = new VersionVector()

  constructor(
    private readonly options: MemberOptions,
    private readonly ports: MemberPorts,
    /** Made by the caller around the member; commands reach the server through it. */
    services: Services,
  ) {
    const { topology, dataFolder, databases, appendfsync } = options
    const { clock, random, disk, network, logger } = ports
    this.appendfsync = appendfsync
    const alone = network === null
    claimDataFolder(disk, dataFolder, {
      clusterId: topology.clusterId,
      memberId: topology.self,
      memberName: options.name ?? topology.members.find((member) => member.id === topology.self)?.name ?? '',
      createdMs: clock.wallMs(),
    })
    this.engine = new Engine({ self: topology.self, databases, solo: alone, hashSeed: random.uint32() }, clock, services)
    this.engine.syncAlways = appendfsync === 'always'
    options.tuneCollections?.(this.engine.collections)
    // Before the others have reported, only what the log says was stable may be folded or dropped.
    this.engine.keyspace.stability = alone
      ? EVERYTHING_STABLE
      : new ReplicatedStability(
          this.engine.applied,
          () => this.engine.recoveredStability,
          () => this.engine.isMidway,
        )
    this.membership = new Membership(
      { configured: topology, dataFolder, startWaitMs: options.startWaitMs ?? DEFAULT_START_WAIT_MS },
      this.engine,
      clock,
      disk,
      logger,
      () => this.membersChanged(),
    )
    const { log, report } = openLog({
      disk,
      clock,
      logger,
      folder: dataFolder,
      clusterId: topology.clusterId,
      memberId: topology.self,
      syncPolicy: syncPolicyOf(appendfsync, alone),
      // Alone, nobody reads the log while it runs.
      ...(alone && { recentFrameBytes: 0 }),
      visit: (frame) => this.engine.recover(frame),
    })
    this.log = log
    this.recovery = report
    if (network === null) {
      this.sync = null
    } else {
      const sync = new PeerSync(this, { network, clock, random, logger })
      const stability = new ReplicatedStability(
        this.engine.applied,
        () => sync.stable(),
        () => this.engine.isMidway,
      )
      this.sync = sync
      this.stability = stability
      this.engine.keyspace.stability = stability
      this.engine.pubsub.remote = sync
      sync.onPublication(({ channel, message, sharded }) => this.engine.pubsub.receive(channel, message, sharded))
      sync.onStatus(() => this.membersChanged())
      sync.onVectors(() => {
        stability.invalidate()
        this.progressed()
      })
    }
    log.onChange(() => this.progressed())
    this.engine.onAppended = () => this.stability?.invalidate()
    this.engine.start(log)
    this.membership.start(log, this.sync)
    this.membersChanged()
    if (this.sync !== null) this.scheduleNote(clock)
    this.sync?.start()
  }

  /** Everything applied here, the open frame of this turn not included. */
  get applied(): VersionVector {
    return this.engine.applied
  }

  get durable(): VersionVector {
    return this.log.durable
  }

  /** What no later op can be concurrent with. */
  get stable(): VersionVector {
    return this.stability === null ? this.engine.applied : this.stability.refresh()
  }

  get isRefusing(): boolean {
    return this.log.refusal !== null
  }

  applyFrame(frame: FrameView): void {
    this.engine.applyRemote(frame)
    if (frame.origin === this.options.topology.self) this.membership.ownFrameTaken()
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

  get takesOwnFrames(): boolean {
    return this.membership.takesOwnFrames
  }

  ownOpsElsewhere(member: MemberInfo, stamp: Stamp): void {
    this.membership.ownOpsElsewhere(member, stamp)
  }

  reportedBy(member: MemberInfo, applied: VersionVector, isFirst: boolean): void {
    this.membership.reportedBy(member, applied, isFirst)
  }

  refusedAsRemoved(message: string): void {
    this.membership.refusedAsRemoved(message)
  }

  /** The error reply to writes of clients, or null while they are taken. */
  get writeRefusal(): string | null {
    const { refusal } = this.log
    return refusal === null ? this.membership.writeRefusal : `MISCONF Writes are refused: ${refusal.message}`
  }

  /** There are no other members whose writes could be concurrent with ours. */
  get isAlone(): boolean {
    return this.sync === null || this.sync.isAlone
  }

  openCursor(origin: MemberId, after: Stamp): LogCursor {
    return this.log.openCursor(origin, after)
  }

  /** Called back when durable positions here or reported positions of peers have moved. */
  onProgress(listener: () => void): void {
    this.progressListeners.push(listener)
  }

  /** CONFIG SET appendfsync. In a mesh the log is synced continuously whatever it says, because only durable frames are sent. */
  setAppendFsync(policy: 'always' | 'everysec' | 'no'): void {
    this.appendfsync = policy
    this.engine.syncAlways = policy === 'always'
    this.log.setSyncPolicy(syncPolicyOf(policy, this.isAlone))
  }

  /** From one member to several, and back. */
  private membersChanged(): void {
    this.stability?.invalidate()
    if (this.engine.effects.solo === this.isAlone) return
    this.engine.effects.solo = this.isAlone
    this.log.setSyncPolicy(syncPolicyOf(this.appendfsync, this.isAlone))
  }

  /**
   * Forgets all data and reads it again from the log, while everything else stands still. Null, or why not, as an error reply. Only alone: what others have
   * reported as stable by now must not be taken for what was stable then.
   */
  reload(): string | null {
    if (this.sync !== null) return 'ERR only a member without peers can reload its data'
    if (this.log.refusal !== null) return `MISCONF the log is not whole on the disk: ${this.log.refusal.message}`
    this.engine.forgetData()
    const scan = new LogScan({
      disk: this.ports.disk,
      folder: this.options.dataFolder,
      visit: (frame) => this.engine.replay(frame),
    })
    while (!scan.step());
    scan.close()
    return null
  }

  /** Orderly stop: everything appended is made durable. */
  stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.membership.stop()
    this.engine.stop()
    this.sync?.stop()
    this.log.close()
  }

  private scheduleNote(clock: Clock): void {
    clock.setTimer(NOTE_PERIOD_MS, () => {
      if (this.stopped) return
      const stable = this.stable
      if (!stable.equals(this.noted)) {
        this.engine.noteStability(stable)
        this.noted.copyFrom(stable)
      }
      this.scheduleNote(clock)
    })
  }

  private progressed(): void {
    if (this.stopped) return
    this.membership.review()
    this.sync?.onLogChange()
    for (const listener of this.progressListeners) listener()
  }
}

/** Replies wait for the disk under `always`, so nothing may delay it. Peers wait for it too, but a few milliseconds do not matter to them. */
function syncPolicyOf(policy: 'always' | 'everysec' | 'no', solo: boolean): SyncPolicy {
  if (policy === 'always') return 'immediate'
  return solo ? policy : 'continuous'
}
